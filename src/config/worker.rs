//! The `[worker]` section: how jobs are claimed and how much runs at once.

use std::time::Duration;

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    /// How often due jobs are looked for when nothing hints at any, in milliseconds.
    pub poll_ms: u64,
    /// How many jobs one transaction takes.
    pub batch_size: usize,
    /// How many sends and inquiries may be under way at once in this process.
    pub calls_max: usize,
    /// How many of them may be to one provider account: one that hangs leaves the others their places.
    pub account_calls_max: usize,
    /// How long a claimed job is ours, in milliseconds. Must outlast every provider's send time-out twice.
    pub lease_ms: u64,
    /// How often housekeeping runs, in milliseconds.
    pub housekeeping_ms: u64,
}

impl WorkerSettings {
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub fn housekeeping(&self) -> Duration {
        Duration::from_millis(self.housekeeping_ms)
    }

    pub fn check(&self, problems: &mut Problems) {
        if !(1..=60_000).contains(&self.poll_ms) {
            problems.add("worker.poll_ms", "must be 1 to 60000");
        }
        if !(1..=1_000).contains(&self.batch_size) {
            problems.add("worker.batch_size", "must be 1 to 1000");
        }
        if !(1..=100_000).contains(&self.calls_max) {
            problems.add("worker.calls_max", "must be 1 to 100000");
        }
        if !(1..=self.calls_max).contains(&self.account_calls_max) {
            problems.add("worker.account_calls_max", "must be 1 to worker.calls_max");
        }
        if !(1_000..=3_600_000).contains(&self.lease_ms) {
            problems.add("worker.lease_ms", "must be 1000 to 3600000");
        }
        if !(100..=3_600_000).contains(&self.housekeeping_ms) {
            problems.add("worker.housekeeping_ms", "must be 100 to 3600000");
        }
    }
}
