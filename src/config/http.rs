//! The `[http]` section: what listens where, and the bounds of what it takes.

use std::net::SocketAddr;

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Address and port that the server listens on.
    pub listen: SocketAddr,
    /// How many threads answer requests.
    pub workers: usize,
    /// The largest body taken, in bytes.
    pub body_bytes_max: usize,
    /// How long a client may take to send its headers, in milliseconds.
    pub client_timeout_ms: u64,
    /// How long the shutdown waits for requests under way, in seconds.
    pub shutdown_timeout_secs: u64,
    /// How long a write with an idempotency key may take before another process may do it, if this one died; in seconds.
    pub idempotency_lease_secs: u32,
    /// Whether `X-Sdk-Version` must be there.
    pub sdk_version_required: bool,
}

impl HttpSettings {
    pub fn check(&self, problems: &mut Problems) {
        if !(1..=256).contains(&self.workers) {
            problems.add("http.workers", "must be 1 to 256");
        }
        if !(1_024..=1_048_576).contains(&self.body_bytes_max) {
            problems.add("http.body_bytes_max", "must be 1024 to 1048576");
        }
        if !(1..=3_600).contains(&self.idempotency_lease_secs) {
            problems.add("http.idempotency_lease_secs", "must be 1 to 3600");
        }
        if !(100..=600_000).contains(&self.client_timeout_ms) {
            problems.add("http.client_timeout_ms", "must be 100 to 600000");
        }
    }
}
