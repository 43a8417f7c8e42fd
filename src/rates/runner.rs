//! One task a feed: fetch, write to the boards, wait, again. A source that fails, hangs or panics keeps only itself from
//! being heard. Quotes never come here. How a stream is listened to is told in `listener`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use super::backoff::Backoff;
use super::board::Board;
use super::listener::Listener;
use super::scribe::Scribe;
use super::source::{Fetched, RateSource, SourceError};
use super::stream::RateStream;
use crate::clock::Clock;

/// A source, heard one way, and the boards that listen to it: one fetch feeds them all.
#[derive(Clone)]
pub struct Feed {
    pub way: Way,
    pub boards: Vec<Arc<Board>>,
}

/// How a source is heard.
#[derive(Clone)]
pub enum Way {
    Polled(Arc<dyn RateSource>),
    Pushed(Arc<dyn RateStream>),
}

/// The running tasks. Dropping it aborts them.
#[derive(Debug)]
pub struct Runner {
    tasks: JoinSet<()>,
}

impl Runner {
    /// Starts a task for each feed, each fetching or opening at once. They end when `stop` turns true or its sender is gone. Must be
    /// called within a tokio runtime.
    pub fn start(feeds: Vec<Feed>, clock: Arc<dyn Clock>, backoff: Backoff, stop: watch::Receiver<bool>) -> Self {
        let mut tasks = JoinSet::new();
        for Feed { way, boards } in feeds {
            let clock = Arc::clone(&clock);
            match way {
                Way::Polled(source) => {
                    let scribe = Scribe::new(source.name(), "poll", boards, clock);
                    tasks.spawn(Worker { source, scribe, backoff }.run(stop.clone()));
                }
                Way::Pushed(stream) => {
                    let scribe = Scribe::new(stream.name(), "stream", boards, clock);
                    tasks.spawn(Listener { stream, scribe, backoff }.run(stop.clone()));
                }
            }
        }
        Self { tasks }
    }

    /// Waits until all tasks have ended; a fetch under way is dropped, so that takes no time once `stop` is told.
    pub async fn stopped(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Worker {
    source: Arc<dyn RateSource>,
    scribe: Scribe,
    backoff: Backoff,
}

impl Worker {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failures: u32 = 0;
        loop {
            let fetched = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                fetched = fetch(self.source.as_ref()) => fetched,
            };
            let wait = match fetched {
                Ok(fetched) => {
                    failures = 0;
                    self.scribe.write(&fetched);
                    self.source.poll_interval()
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.scribe.write_failure(&error.to_string());
                    self.wait_after(&error, failures)
                }
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = time::sleep(wait) => {}
            }
        }
    }

    /// Never sooner than the source asked for, nor than the usual interval; one that is asked a few times a day is tried again before.
    fn wait_after(&self, error: &SourceError, failures: u32) -> Duration {
        let usual = self.source.poll_interval().min(self.backoff.longest);
        self.backoff.delay(failures, rand::random()).max(usual).max(error.patience())
    }
}

/// One fetch within its time; a panic is a failure like any other.
async fn fetch(source: &dyn RateSource) -> Result<Fetched, SourceError> {
    let timeout = source.fetch_timeout();
    match time::timeout(timeout, AssertUnwindSafe(source.fetch()).catch_unwind()).await {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(_panic)) => Err(SourceError::Malformed("the source panicked".to_owned())),
        Err(_elapsed) => Err(SourceError::Unavailable(format!("no answer within {} ms", timeout.as_millis()))),
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
