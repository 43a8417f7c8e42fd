//! The way to a key service over HTTP: one client with its certificates and time-outs, answers of a bounded size that are wiped, and
//! repeats of what may be repeated. Knows no service's words; nothing of a request or an answer is ever in an error.

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use zeroize::Zeroizing;

use super::provider::KeyError;

/// The longest that a connection may take to be made.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// The wait before the second try; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// An answer, whatever its status. It may hold a key.
pub(super) struct Answer {
    pub status: u16,
    pub body: Zeroizing<Vec<u8>>,
}

/// Whether a call may be made again when nobody knows what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It makes something at the service, or is charged for.
    Never,
    /// It only reads, or opens: the same answer comes again.
    Safely,
}

/// The client of one service.
#[derive(Debug)]
pub(super) struct Line {
    client: Client,
    attempts_max: u32,
}

impl Line {
    /// `ca_file`: certificates (PEM) that the service's must descend from, instead of the machine's own. `timeout` is of one try.
    pub fn new(ca_file: Option<&Path>, timeout: Duration, attempts_max: u32) -> Result<Self, KeyError> {
        let mut builder = Client::builder()
            .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
            .timeout(timeout)
            // A redirect would take the credentials along.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        if let Some(path) = ca_file {
            let refused =
                |why: String| KeyError::Misconfigured(format!("the certificates in {}: {why}", path.display()));
            let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| refused("they aren't PEM".into()))?;
            if certificates.is_empty() {
                return Err(refused("there is none".into()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|error| KeyError::Misconfigured(why(&error)))?;
        Ok(Self { client, attempts_max })
    }

    /// A line past any proxy, for addresses of this machine and its host.
    pub fn direct(timeout: Duration) -> Result<Self, KeyError> {
        let builder = Client::builder().connect_timeout(timeout).timeout(timeout).no_proxy();
        let client = builder
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| KeyError::Misconfigured(why(&error)))?;
        Ok(Self { client, attempts_max: 1 })
    }

    /// Calls, and calls again where that is safe and the failure may pass: no answer, or one that `passes`. `make` makes each try's
    /// request anew, so that what is signed by the time is.
    ///
    /// # Errors
    /// [`KeyError::Unavailable`] where no answer came.
    pub async fn call(
        &self,
        repeat: Repeat,
        passes: fn(&Answer) -> bool,
        make: impl Fn(&Client) -> Result<RequestBuilder, KeyError>,
    ) -> Result<Answer, KeyError> {
        let tries = if repeat == Repeat::Safely { self.attempts_max.max(1) } else { 1 };
        let mut pause = PAUSE;
        for _ in 1..tries {
            match once(make(&self.client)?).await {
                Ok(answer) if !passes(&answer) => return Ok(answer),
                Ok(_) | Err(KeyError::Unavailable(_)) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        once(make(&self.client)?).await
    }
}

async fn once(request: RequestBuilder) -> Result<Answer, KeyError> {
    let mut response = request.send().await.map_err(|error| unavailable(&error))?;
    let status = response.status().as_u16();
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(&error))? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(KeyError::Unavailable(format!("HTTP {status} with more than {BODY_BYTES_MAX} bytes")));
        }
        // Into a buffer of its own: one that grows leaves a copy of the key behind.
        let mut longer = Zeroizing::new(Vec::with_capacity(body.len() + chunk.len()));
        longer.extend_from_slice(&body);
        longer.extend_from_slice(&chunk);
        body = longer;
    }
    Ok(Answer { status, body })
}

/// An answer whose body isn't what the service documents.
pub(super) fn unreadable(answer: &Answer) -> KeyError {
    KeyError::Unavailable(format!("HTTP {} with a body that can't be read", answer.status))
}

/// A text of the service, short enough for a log.
pub(super) fn clipped(text: &str) -> String {
    crate::domain::card::strike_encoded(text).chars().take(200).collect()
}

fn unavailable(error: &reqwest::Error) -> KeyError {
    KeyError::Unavailable(if error.is_timeout() { "timed out".to_owned() } else { why(error) })
}

/// The cause at the bottom, which names no URL: `Connection refused (os error 111)`.
fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, error) { "the call failed".to_owned() } else { cause.to_string() }
}
