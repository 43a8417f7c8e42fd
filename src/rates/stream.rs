//! The trait of sources that push: a connection that is opened and then listened to.
//!
//! A stream only ever adds to a source that is polled as well, under the same name. Exchanges push what changes, and a quiet market says
//! nothing for longer than a price may be old: somebody has to ask. So a stream that breaks costs speed and no price, and what it said
//! before ages like everything else.

use std::time::Duration;

use async_trait::async_trait;

use super::source::{Fetched, SourceError};

/// A source that pushes.
#[async_trait]
pub trait RateStream: Send + Sync + 'static {
    /// The name of the polled source that it adds to.
    fn name(&self) -> &str;

    /// How long opening may take before it is given up.
    fn open_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Connects, once; the runner tries again.
    async fn open(&self) -> Result<Box<dyn OpenStream>, SourceError>;
}

/// An open connection to a source. Dropping it ends it.
#[async_trait]
pub trait OpenStream: Send {
    /// Waits for news: all that has arrived, the latest of each pair. `None`: it ended in good order, so that a new one may be opened
    /// right away. An error ends it. It notices by itself that the other side has fallen silent.
    async fn next(&mut self) -> Result<Option<Fetched>, SourceError>;
}
