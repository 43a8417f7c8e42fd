//! One call of a receiver: by the guard's client, without redirects, within its time. What is answered is looked at no further than its
//! status and how long to wait.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Response, Url};

use super::sign::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signatures};
use crate::clock::Clock;
use crate::domain::ids::Mode;
use crate::gateway::webhooks::Webhooks;
use crate::gateway::webhooks::telling::{Ready, Tried};
use crate::outgoing::Guard;

const AGENT: &str = concat!("Landfall-Webhooks/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that are kept for the next message.
const IDLE_MAX: usize = 2;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// An answer that is longer isn't read to its end, and its connection isn't used again.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Calls receivers.
pub struct Sender {
    test: (Client, std::sync::Arc<Guard>),
    live: (Client, std::sync::Arc<Guard>),
}

impl Sender {
    /// # Errors
    /// That of the client, if it can't be made.
    pub fn new(webhooks: &Webhooks) -> Result<Self, reqwest::Error> {
        let timeout = webhooks.settings.timeout();
        let of_mode = |mode| {
            let guard = std::sync::Arc::clone(webhooks.guard(mode));
            let client = guard
                .client()
                .timeout(timeout)
                .connect_timeout(CONNECT_TIMEOUT.min(timeout))
                .pool_max_idle_per_host(IDLE_MAX)
                .pool_idle_timeout(IDLE_TIMEOUT)
                // A message is sent again by its own times.
                .retry(reqwest::retry::never())
                .build()?;
            Ok::<_, reqwest::Error>((client, guard))
        };
        Ok(Self { test: of_mode(Mode::Test)?, live: of_mode(Mode::Live)? })
    }

    /// Sends a message once.
    pub async fn send(&self, ready: Ready, clock: &dyn Clock) -> Tried {
        let at = clock.now();
        let began = tokio::time::Instant::now();
        let answered = self.call(&ready, at).await;
        let took = TimeDelta::from_std(began.elapsed()).unwrap_or_default();
        let (status, error, asked) = match answered {
            Ok(response) => {
                let (status, asked) = (response.status().as_u16(), asked_for(&response, at));
                let error = (!response.status().is_success()).then(|| match status {
                    300..=399 => format!("answered {status}: redirects aren't followed"),
                    _ => format!("answered {status}"),
                });
                read_out(response).await;
                (Some(status), error, asked)
            }
            Err(why) => (None, Some(why), None),
        };
        Tried { claimed: ready.claimed, at, took, status, error, asked }
    }

    async fn call(&self, ready: &Ready, at: DateTime<Utc>) -> Result<Response, String> {
        let (client, guard) = match ready.claimed.mode {
            Mode::Test => &self.test,
            Mode::Live => &self.live,
        };
        let url = Url::parse(&ready.claimed.url).map_err(|_| "its address is no URL".to_owned())?;
        guard.check(&url).map_err(|forbidden| forbidden.to_string())?;
        let id = ready.claimed.message_id.to_string();
        let signed = signatures(&ready.secrets, &id, at, &ready.body);
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, at.timestamp().to_string())
            .header(SIGNATURE_HEADER, signed)
            .body(ready.body.to_string());
        request.send().await.map_err(|error| told(&error).to_owned())
    }
}

/// Why there was no answer, in words that say nothing of our network.
fn told(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "can't be connected to"
    } else {
        "the connection broke off"
    }
}

/// `Retry-After` (RFC 9110, 10.2.3), of an answer that isn't a success: seconds, or a time.
fn asked_for(response: &Response, now: DateTime<Utc>) -> Option<TimeDelta> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse::<u32>() {
        Ok(secs) => TimeDelta::seconds(i64::from(secs)),
        Err(_) => DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now,
    };
    (asked > TimeDelta::zero() && !response.status().is_success()).then_some(asked)
}

/// Reads a short answer, so that its connection can be used again.
async fn read_out(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > ANSWER_BYTES_MAX {
            return;
        }
    }
}
