//! The way to a provider over HTTP: a request as data, the [`Transport`] that carries it, and the real one over TCP. Tells apart only
//! what is proven not to have left from everything else; what an answer means is each adapter's. Connections are kept and used again, and
//! nothing is sent twice.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::outgoing::Guard;

/// The longest that a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A request as it goes out. `Debug` shows neither headers nor the body: they hold keys and card numbers.
pub struct WireRequest {
    /// In capitals.
    pub method: &'static str,
    /// `http://host:port`, perhaps with a path, without a slash at the end.
    pub base_url: String,
    /// From its slash on; needs no escaping.
    pub path: String,
    /// Not escaped.
    pub query: Vec<(&'static str, String)>,
    pub headers: Vec<(&'static str, Zeroizing<String>)>,
    pub body: Zeroizing<Vec<u8>>,
    /// From the start to the last byte of the answer.
    pub timeout: Duration,
}

impl WireRequest {
    pub fn with_header(mut self, name: &'static str, value: impl Into<Zeroizing<String>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn with_query(mut self, query: Vec<(&'static str, String)>) -> Self {
        self.query = query;
        self
    }

    pub fn with_body(self, media_type: &str, body: Zeroizing<Vec<u8>>) -> Self {
        Self { body, ..self }.with_header("Content-Type", media_type.to_owned())
    }
}

impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireRequest")
            .field("method", &self.method)
            .field("base_url", &self.base_url)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// An answer, whatever its status. `Debug` doesn't show the body: a provider may repeat in it what it was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct WireResponse {
    pub status: u16,
    pub body: Vec<u8>,
}

impl fmt::Debug for WireResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireResponse({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why there is no answer. Texts hold nothing of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection was made: not one byte of the request left.
    #[error("not connected: {0}")]
    NotConnected(String),
    /// Anything later, a time-out included: the request may have arrived.
    #[error("{0}")]
    Broken(String),
}

/// Carries a request to the provider and its answer back, once: nothing is sent a second time.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    async fn call(&self, request: WireRequest) -> Result<WireResponse, TransportError>;
}

/// The transport over TCP. Clones share their connections.
#[derive(Clone, Debug)]
pub struct TcpTransport {
    client: reqwest::Client,
    /// Where the base URLs aren't configuration's.
    guard: Option<Arc<Guard>>,
}

impl TcpTransport {
    pub fn new() -> Result<Self, reqwest::Error> {
        Ok(Self { client: built(reqwest::Client::builder())?, guard: None })
    }

    /// One that calls nothing but what `guard` permits.
    pub fn guarded(guard: Arc<Guard>) -> Result<Self, reqwest::Error> {
        Ok(Self { client: built(guard.client())?, guard: Some(guard) })
    }
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, reqwest::Error> {
    builder
        .connect_timeout(CONNECT_TIMEOUT)
        // Neither a redirect nor a retry may send an order again.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .build()
}

impl TcpTransport {
    /// The call as the client makes it.
    ///
    /// # Errors
    /// [`TransportError::NotConnected`] where it can't be written, or goes where it may not.
    fn prepare(&self, request: WireRequest) -> Result<reqwest::RequestBuilder, TransportError> {
        let unsent = |what: &str| TransportError::NotConnected(what.to_owned());
        let mut url = reqwest::Url::parse(&format!("{}{}", request.base_url, request.path))
            .map_err(|_| unsent("the base URL can't be read"))?;
        if let Some(guard) = &self.guard {
            guard.check(&url).map_err(|forbidden| TransportError::NotConnected(forbidden.to_string()))?;
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let method = request.method.parse().map_err(|_| unsent("no such method"))?;
        let mut call = self.client.request(method, url).timeout(request.timeout);
        for (name, value) in &request.headers {
            let mut value =
                reqwest::header::HeaderValue::from_str(value).map_err(|_| unsent("a header can't be sent"))?;
            value.set_sensitive(true);
            call = call.header(*name, value);
        }
        if !request.body.is_empty() {
            call = call.body(request.body.to_vec());
        }
        Ok(call)
    }
}

#[async_trait]
impl Transport for TcpTransport {
    async fn call(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        // An answer may be long in coming: nothing of what was written is kept for it, card numbers least of all.
        let mut response = self.prepare(request)?.send().await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(TransportError::Broken(format!("HTTP {status} with more than {BODY_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(WireResponse { status, body })
    }
}

fn failed(error: &reqwest::Error) -> TransportError {
    if error.is_builder() || error.is_connect() {
        return TransportError::NotConnected(innermost(error));
    }
    broken(error)
}

fn broken(error: &reqwest::Error) -> TransportError {
    if error.is_timeout() {
        return TransportError::Broken("timed out".to_owned());
    }
    TransportError::Broken(innermost(error))
}

/// The cause at the bottom, which names no URL: `Connection refused (os error 111)`.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, error) { "the call failed".to_owned() } else { cause.to_string() }
}
