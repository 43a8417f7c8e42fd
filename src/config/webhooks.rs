//! The `[webhooks]` section: how partners are told what happened.

use std::time::Duration;

use serde::Deserialize;

use super::Problems;
use super::networks::Network;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// How often due deliveries are looked for, in milliseconds.
    pub poll_ms: u64,
    /// How long a receiver may take to answer, connecting included, in milliseconds.
    pub timeout_ms: u64,
    /// How many deliveries may be under way at once in this process.
    pub calls_max: usize,
    /// How many of them to one receiver: one that is slow leaves the others their places.
    pub receiver_calls_max: usize,
    /// After how many days without one that arrived an endpoint is switched off.
    pub disable_after_days: u32,
    /// How long replaced secrets still sign, unless a rotation says otherwise, in seconds.
    pub secret_overlap_secs: u32,
    /// How many days deliveries are kept once they are over, with their messages.
    pub retention_days: u32,
    /// The most endpoints of one partner in one mode.
    pub endpoints_max: u32,
    /// Networks that aren't public and may be called all the same, in test mode.
    #[serde(deserialize_with = "super::list_or_text")]
    pub inner_networks: Vec<Network>,
}

impl WebhookSettings {
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long a claimed delivery is ours: what its call can take, and as long again.
    pub fn lease(&self) -> Duration {
        self.timeout().saturating_mul(2).max(Duration::from_secs(10))
    }

    pub fn check(&self, is_live: bool, problems: &mut Problems) {
        if !(10..=60_000).contains(&self.poll_ms) {
            problems.add("webhooks.poll_ms", "must be 10 to 60000");
        }
        if !(100..=60_000).contains(&self.timeout_ms) {
            problems.add("webhooks.timeout_ms", "must be 100 to 60000");
        }
        if !(1..=10_000).contains(&self.calls_max) {
            problems.add("webhooks.calls_max", "must be 1 to 10000");
        }
        if !(1..=self.calls_max).contains(&self.receiver_calls_max) {
            problems.add("webhooks.receiver_calls_max", "must be 1 to webhooks.calls_max");
        }
        if !(1..=365).contains(&self.disable_after_days) {
            problems.add("webhooks.disable_after_days", "must be 1 to 365");
        }
        if self.secret_overlap_secs > 30 * 86_400 {
            problems.add("webhooks.secret_overlap_secs", "must be 0 to 2592000");
        }
        if !(4..=3_650).contains(&self.retention_days) {
            problems.add("webhooks.retention_days", "must be 4 to 3650: a delivery is tried for three days");
        }
        if !(1..=10_000).contains(&self.endpoints_max) {
            problems.add("webhooks.endpoints_max", "must be 1 to 10000");
        }
        if is_live && !self.inner_networks.is_empty() {
            problems.add("webhooks.inner_networks", "live mode calls nothing inside: leave it empty");
        }
    }
}
