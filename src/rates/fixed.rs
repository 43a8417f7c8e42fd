//! Prices from configuration, always fresh: for test mode and runs without a network. Configuration refuses it for live
//! money, since a fixed price is an old price with a new stamp.

use std::time::Duration;

use async_trait::async_trait;

use super::source::{Fetched, RateSource, SourceError, Tick};

#[derive(Clone, Debug)]
pub struct FixedSource {
    name: String,
    poll_interval: Duration,
    /// Without a source time: each fetch is a receipt, so these never age.
    ticks: Vec<Tick>,
}

impl FixedSource {
    pub fn new(name: String, poll_interval: Duration, ticks: Vec<Tick>) -> Self {
        Self { name, poll_interval, ticks }
    }
}

#[async_trait]
impl RateSource for FixedSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll_interval(&self) -> Duration {
        self.poll_interval
    }

    async fn fetch(&self) -> Result<Fetched, SourceError> {
        Ok(self.ticks.clone().into())
    }
}
