//! The `[http]` section: what listens where, the bounds of what it takes, and whom it believes about where a call came from.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::Problems;
use super::networks::Network;

/// The longest that any of the edge's waits may be set to, in milliseconds.
const WAIT_MS_MAX: u64 = 600_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Address and port that the server listens on.
    pub listen: SocketAddr,
    /// How many threads answer requests.
    pub workers: usize,
    /// The largest body taken, in bytes.
    pub body_bytes_max: usize,
    /// The longest head of a request that is taken, its target and its headers together, in bytes.
    pub header_bytes_max: usize,
    /// How many headers a request may have.
    pub headers_max: usize,
    /// How long a client may take to send its headers, and then again its body, in milliseconds.
    pub client_timeout_ms: u64,
    /// How long a request may take from its headers to its answer, in milliseconds.
    pub request_timeout_ms: u64,
    /// How long a connection without a request is kept, in milliseconds.
    pub keep_alive_ms: u64,
    /// How many connections a process holds; one that comes beyond them is closed.
    pub connections_max: usize,
    /// How many of them one address may have, trusted proxies excepted.
    pub address_connections_max: usize,
    /// How many requests a process works on at once; one that comes beyond them is told to come again.
    pub requests_max: usize,
    /// How long the shutdown waits for requests under way, in seconds.
    pub shutdown_timeout_secs: u64,
    /// How long a write with an idempotency key may take before another process may do it, if this one died; in seconds.
    pub idempotency_lease_secs: u32,
    /// Whether `X-Sdk-Version` must be there.
    pub sdk_version_required: bool,
    /// The proxies that are believed about whose call they pass on, as addresses and networks.
    #[serde(deserialize_with = "super::list_or_text")]
    pub trusted_proxies: Vec<Network>,
    /// The one header in which they say so.
    pub forwarded_header: ForwardedHeader,
    pub rate_limits: RateLimitSettings,
    /// Whether `/docs`, all below it and `/openapi.yaml` are served.
    pub docs: bool,
    /// Whether `/metrics` is served.
    pub metrics: bool,
    /// An address and port of its own for `/metrics`, which is then served nowhere else.
    pub metrics_listen: Option<SocketAddr>,
    /// For how long browsers are told to come over TLS alone, in seconds; 0: they aren't told.
    pub hsts_max_age_secs: u32,
}

/// Which header tells of the way that a call took. Never both: a proxy that writes one passes the other on as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ForwardedHeader {
    #[serde(rename = "X-Forwarded-For")]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// `[http.rate_limits]`: each holds in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitSettings {
    /// Of everything that comes from an address, before it is known who asks.
    pub address: Rate,
    /// Of a wallet user.
    pub user: Rate,
    /// Of an API key.
    pub key: Rate,
    /// Of sign-ins to the dashboard from an address.
    pub sign_in: Rate,
    /// Of providers' callbacks from an address that couldn't be verified.
    pub stray_callback: Rate,
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How often in the long run; 0: as often as one likes.
    pub per_minute: u32,
    /// How often at once.
    pub burst: u32,
}

impl RateLimitSettings {
    fn named(&self) -> [(&'static str, Rate); 5] {
        // Each by its name: one that is added and not checked doesn't compile.
        let Self { address, user, key, sign_in, stray_callback } = *self;
        [("address", address), ("user", user), ("key", key), ("sign_in", sign_in), ("stray_callback", stray_callback)]
    }
}

impl HttpSettings {
    /// How long a client may take for its headers, and again for its body.
    pub const fn client_timeout(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms)
    }

    pub fn check(&self, problems: &mut Problems) {
        if !(1..=256).contains(&self.workers) {
            problems.add("http.workers", "must be 1 to 256");
        }
        if !(1_024..=1_048_576).contains(&self.body_bytes_max) {
            problems.add("http.body_bytes_max", "must be 1024 to 1048576");
        }
        // What the server reads by itself ends there.
        if !(2_048..=131_072).contains(&self.header_bytes_max) {
            problems.add("http.header_bytes_max", "must be 2048 to 131072");
        }
        if !(16..=96).contains(&self.headers_max) {
            problems.add("http.headers_max", "must be 16 to 96");
        }
        if !(1..=3_600).contains(&self.idempotency_lease_secs) {
            problems.add("http.idempotency_lease_secs", "must be 1 to 3600");
        }
        for (name, value) in [
            ("client_timeout_ms", self.client_timeout_ms),
            ("request_timeout_ms", self.request_timeout_ms),
            ("keep_alive_ms", self.keep_alive_ms),
        ] {
            if !(100..=WAIT_MS_MAX).contains(&value) {
                problems.add(format!("http.{name}"), format!("must be 100 to {WAIT_MS_MAX}"));
            }
        }
        for (name, value) in [
            ("connections_max", self.connections_max),
            ("address_connections_max", self.address_connections_max),
            ("requests_max", self.requests_max),
        ] {
            if !(1..=1_000_000).contains(&value) {
                problems.add(format!("http.{name}"), "must be 1 to 1000000");
            }
        }
        for (name, rate) in self.rate_limits.named() {
            if rate.per_minute > 0 && rate.burst == 0 {
                problems.add(format!("http.rate_limits.{name}.burst"), "must be at least 1");
            }
        }
        if self.metrics_listen.is_some() && !self.metrics {
            problems.add("http.metrics_listen", "there are no metrics: http.metrics is false");
        }
    }
}
