//! One task a source: fetch, write to the boards, wait, again. A source that fails, hangs or panics keeps only itself from
//! being heard. Quotes never come here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;

use super::backoff::Backoff;
use super::board::Board;
use super::source::{RateSource, SourceError, Tick};
use crate::clock::Clock;

/// A source and the boards that listen to it: one fetch feeds them all.
#[derive(Clone)]
pub struct Feed {
    pub source: Arc<dyn RateSource>,
    pub boards: Vec<Arc<Board>>,
}

/// The running tasks. Dropping it aborts them.
#[derive(Debug)]
pub struct Runner {
    tasks: JoinSet<()>,
}

impl Runner {
    /// Starts a task for each feed, each fetching at once. They end when `stop` turns true or its sender is gone. Must be
    /// called within a tokio runtime.
    pub fn start(feeds: Vec<Feed>, clock: Arc<dyn Clock>, backoff: Backoff, stop: watch::Receiver<bool>) -> Self {
        let mut tasks = JoinSet::new();
        for feed in feeds {
            let worker = Worker { feed, clock: Arc::clone(&clock), backoff, last_complaint: None };
            tasks.spawn(worker.run(stop.clone()));
        }
        Self { tasks }
    }

    /// Waits until all tasks have ended; a fetch under way is dropped, so that takes no time once `stop` is told.
    pub async fn stopped(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Worker {
    feed: Feed,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    /// What was logged last, so that an outage of an hour is two lines and not thousands.
    last_complaint: Option<String>,
}

impl Worker {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failures: u32 = 0;
        loop {
            let fetched = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                fetched = fetch(self.feed.source.as_ref()) => fetched,
            };
            let wait = match fetched {
                Ok(ticks) => {
                    failures = 0;
                    self.write(&ticks);
                    self.feed.source.poll_interval()
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.write_failure(&error.to_string());
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

    /// Never sooner than the usual interval, nor than the source asked for.
    fn wait_after(&self, error: &SourceError, failures: u32) -> Duration {
        let asked_for = match error {
            SourceError::Throttled { retry_after } => *retry_after,
            SourceError::Unavailable(_) | SourceError::Malformed(_) => Duration::ZERO,
        };
        self.backoff.delay(failures, rand::random()).max(self.feed.source.poll_interval()).max(asked_for)
    }

    fn write(&mut self, ticks: &[Tick]) {
        let now = self.clock.now();
        let mut complaint = None;
        for board in &self.feed.boards {
            let recorded = board.record(self.feed.source.name(), ticks, now);
            complaint = recorded.refused.first().map(|refused| format!("{refused}, and is not taken"));
        }
        self.complain(complaint);
    }

    fn write_failure(&mut self, error: &str) {
        let now = self.clock.now();
        for board in &self.feed.boards {
            board.record_failure(self.feed.source.name(), error, now);
        }
        self.complain(Some(error.to_owned()));
    }

    /// Logs a complaint when it is another than the last one, and its end.
    fn complain(&mut self, complaint: Option<String>) {
        if complaint == self.last_complaint {
            return;
        }
        let source = self.feed.source.name();
        match &complaint {
            Some(complaint) => tracing::warn!(source, complaint, "rate source in trouble"),
            None => tracing::info!(source, "rate source well again"),
        }
        self.last_complaint = complaint;
    }
}

/// One fetch within its time; a panic is a failure like any other.
async fn fetch(source: &dyn RateSource) -> Result<Vec<Tick>, SourceError> {
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
