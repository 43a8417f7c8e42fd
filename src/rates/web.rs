//! The way to a source over HTTP: one client for all of them, whose connections are kept and used again. It follows no redirect, tries
//! nothing twice, reads no more than an answer can be long, and tells "leave us alone" from everything else. What an answer means is
//! each source's.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{AGE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use rust_decimal::Decimal;

use super::source::SourceError;
use crate::clock::Clock;

/// The longest that a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept without being used; the slowest source is asked more seldom and opens a new one.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// The longest answer that is read, in bytes; the longest that a source gives has some 20,000.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// The longest text of a source that is repeated in ours, in characters.
const TEXT_CHARS_MAX: usize = 120;
/// The longest that a source is left alone: Binance bans for up to three days. More is a mistake, or malice.
const PATIENCE_MAX: Duration = Duration::from_secs(3 * 24 * 3_600);
/// How long to stay away after a 429 that doesn't say: limits are counted by the minute.
const PATIENCE_429: Duration = Duration::from_secs(60);
/// How long to stay away after a 418 that doesn't say: the shortest ban of Binance.
const PATIENCE_418: Duration = Duration::from_secs(120);
/// No price that any market writes is longer.
const PRICE_CHARS_MAX: usize = 40;

/// An answer that isn't a refusal for being asked too often, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAnswer {
    pub status: u16,
    pub body: Vec<u8>,
    /// When it arrived, less what a cache on the way says that it is older (the header `Age`): a fetch of several answers takes a while, and
    /// each ages from its own arrival.
    pub as_of: DateTime<Utc>,
}

/// What a source over HTTP is set up with.
pub struct Setup {
    /// The source's.
    pub name: String,
    /// What paths are appended to, without a slash at the end.
    pub base_url: String,
    pub poll_interval: Duration,
    /// Of one request.
    pub timeout: Duration,
    pub web: Arc<Web>,
    pub clock: Arc<dyn Clock>,
}

impl Setup {
    /// Asks for `path`, which begins with a slash; the query isn't escaped yet.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<WebAnswer, SourceError> {
        let mut url = Url::parse(&format!("{}{path}", self.base_url))
            .map_err(|_| SourceError::Unavailable("the base URL can't be read".to_owned()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.web.get(url, self.timeout).await
    }

    /// How long a fetch of up to `requests` requests, one after the other, may take.
    pub(super) fn fetch_timeout(&self, requests: usize) -> Duration {
        self.timeout.saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX))
    }
}

/// The client that all sources share.
pub struct Web {
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Web {
    /// Fails without the machine's certificates.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_MAX)
            // With HTTP/2 every request would go down one connection, and one that died without a word would take minutes to be missed.
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .build()?;
        Ok(Self { client, clock })
    }

    /// Asks once. `timeout` is from the start to the last byte.
    pub async fn get(&self, url: Url, timeout: Duration) -> Result<WebAnswer, SourceError> {
        let response = self.client.get(url).timeout(timeout).send().await.map_err(|error| broken(&error))?;
        let status = response.status().as_u16();
        let now = self.clock.now();
        if let Some(throttled) = throttled(status, response.headers(), now) {
            return Err(throttled);
        }
        let as_of = now - age(response.headers());
        Ok(WebAnswer { status, body: body(response).await?, as_of })
    }
}

impl WebAnswer {
    /// The body of a 200; anything else is told with `said`, what its body says is wrong.
    pub fn good(&self, said: impl FnOnce(&[u8]) -> Option<String>) -> Result<&[u8], SourceError> {
        match self.status {
            200 => Ok(&self.body),
            301 | 302 | 303 | 307 | 308 => Err(SourceError::Unavailable(format!(
                "HTTP {}: it has moved, and redirects aren't followed",
                self.status
            ))),
            status => {
                let said = said(&self.body).map_or(String::new(), |said| format!(": {}", clipped(&said)));
                Err(SourceError::Unavailable(format!("HTTP {status}{said}")))
            }
        }
    }
}

/// Whether a status and its headers ask for patience: 429 and 418 always do, others by `Retry-After`.
pub(super) fn throttled(status: u16, headers: &HeaderMap, now: DateTime<Utc>) -> Option<SourceError> {
    let told = headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    let retry_after = match status {
        429 => told.unwrap_or(PATIENCE_429),
        418 => told.unwrap_or(PATIENCE_418),
        400.. => told?,
        _ => return None,
    };
    Some(SourceError::Throttled { retry_after: retry_after.min(PATIENCE_MAX) })
}

/// RFC 9110, 10.2.3: seconds, or a date.
fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().map_or(PATIENCE_MAX, Duration::from_secs));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some((until.with_timezone(&Utc) - now).to_std().unwrap_or(Duration::ZERO))
}

/// RFC 9111, 5.1: how long ago a cache got what it hands out. One that can't be read, and nothing, is no age.
fn age(headers: &HeaderMap) -> TimeDelta {
    let secs: Option<u32> = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok());
    TimeDelta::seconds(secs.unwrap_or(0).into())
}

async fn body(mut response: Response) -> Result<Vec<u8>, SourceError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(SourceError::Malformed(format!("the answer has more than {BODY_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Without the URL, and with the cause at the bottom: `Connection refused (os error 111)`.
fn broken(error: &reqwest::Error) -> SourceError {
    if error.is_timeout() {
        return SourceError::Unavailable("timed out".to_owned());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let is_bare = std::ptr::addr_eq(cause, error);
    SourceError::Unavailable(if is_bare { "the call failed".to_owned() } else { clipped(&cause.to_string()) })
}

/// A source's text, short and on one line, for the log and for staff.
pub(super) fn clipped(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A price as markets write it: digits, perhaps with a point. Read exactly, or not at all.
pub(super) fn price(text: &str) -> Option<Decimal> {
    let is_plain = (1..=PRICE_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit());
    if is_plain { Decimal::from_str_exact(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use rust_decimal::dec;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_750_000_000, 0).unwrap()
    }

    fn patience(status: u16, retry_after: Option<&'static str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
        }
        throttled(status, &headers, now()).map(|error| error.patience().as_secs())
    }

    #[test]
    fn patience_is_what_was_asked_for_or_what_is_usual() {
        assert_eq!(patience(429, Some("7")), Some(7));
        assert_eq!(patience(418, Some("3600")), Some(3_600));
        assert_eq!(patience(429, None), Some(60));
        assert_eq!(patience(418, None), Some(120));
        assert_eq!(patience(429, Some("soon")), Some(60));
        assert_eq!(patience(503, Some("30")), Some(30));
        // 1_750_000_000 is Sun, 15 Jun 2025 15:06:40 GMT.
        assert_eq!(patience(503, Some("Sun, 15 Jun 2025 15:07:40 GMT")), Some(60));
        assert_eq!(patience(429, Some("Sun, 15 Jun 2025 15:00:00 GMT")), Some(0), "a date that has passed");
        assert_eq!(patience(418, Some("99999999999999999999999")), Some(259_200), "nobody is left alone for ever");
        assert_eq!(patience(418, Some("99999999")), Some(259_200));
    }

    #[test]
    fn other_statuses_ask_for_nothing() {
        for status in [200, 301, 400, 403, 500, 503] {
            assert_eq!(patience(status, None), None, "{status}");
        }
        assert_eq!(patience(200, Some("30")), None);
    }

    #[test]
    fn a_price_is_read_to_its_last_digit_or_not_at_all() {
        assert_eq!(price("0.92970000"), Some(dec!(0.9297)));
        assert_eq!(price("62290"), Some(dec!(62290)));
        assert_eq!(price("0.0000151234567891234567"), Some(dec!(0.0000151234567891234567)));
        for bad in [
            "",
            ".5",
            "1e5",
            "-1",
            "+1",
            "1_000",
            "NaN",
            "Infinity",
            "1,5",
            " 1",
            "1 ",
            "0x10",
            "1.2.3",
            // 29 decimals: a `Decimal` would have to round.
            "0.00000000000000000000000000001",
            "11111111111111111111111111111111111111111",
        ] {
            assert_eq!(price(bad), None, "{bad:?}");
        }
    }
}
