//! One task a stream: open, listen, write to the boards, and open again when it ends. A stream that fails, hangs or panics keeps only
//! itself from being heard.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{self, Instant};

use super::backoff::Backoff;
use super::scribe::Scribe;
use super::source::{Fetched, SourceError};
use super::stream::{OpenStream, RateStream};

pub(super) struct Listener {
    pub stream: Arc<dyn RateStream>,
    pub scribe: Scribe,
    pub backoff: Backoff,
}

impl Listener {
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failures: u32 = 0;
        loop {
            let opened_at = Instant::now();
            let end = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                end = self.listen() => end,
            };
            // One that ends as soon as it began is in trouble, however politely it ended: else it would be opened without a pause.
            let was_steady = opened_at.elapsed() >= self.backoff.longest;
            failures = if was_steady { 1 } else { failures.saturating_add(1) };
            match &end {
                Ok(()) if was_steady => {
                    tracing::info!(source = self.scribe.source, "rate stream ended; opening it anew");
                }
                Ok(()) => self.scribe.write_error("stream: ended soon after it began"),
                Err(error) => self.scribe.write_error(&format!("stream: {error}")),
            }
            let asked_for = end.err().map_or(Duration::ZERO, |error| error.patience());
            let wait = self.backoff.delay(failures, rand::random()).max(asked_for);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = time::sleep(wait) => {}
            }
        }
    }

    /// Opens the stream and writes down what it says, until it ends.
    async fn listen(&mut self) -> Result<(), SourceError> {
        let mut open = open(self.stream.as_ref()).await?;
        while let Some(fetched) = next(open.as_mut()).await? {
            match &fetched.lacking {
                Some(lacking) if fetched.ticks.is_empty() => self.scribe.write_error(&format!("stream: {lacking}")),
                _ => self.scribe.write(&fetched),
            }
        }
        Ok(())
    }
}

/// One opening within its time; a panic is a failure like any other.
async fn open(stream: &dyn RateStream) -> Result<Box<dyn OpenStream>, SourceError> {
    let timeout = stream.open_timeout();
    match time::timeout(timeout, AssertUnwindSafe(stream.open()).catch_unwind()).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(_panic)) => Err(panicked()),
        Err(_elapsed) => Err(SourceError::Unavailable(format!("not open within {} ms", timeout.as_millis()))),
    }
}

async fn next(open: &mut dyn OpenStream) -> Result<Option<Fetched>, SourceError> {
    AssertUnwindSafe(open.next()).catch_unwind().await.unwrap_or_else(|_panic| Err(panicked()))
}

fn panicked() -> SourceError {
    SourceError::Malformed("the stream panicked".to_owned())
}
