//! A client as clients are: what failed or wasn't answered in time is sent again, the same under the same key or reference, to
//! whichever server there is, until it is answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_millis(1200);
/// How long something is tried.
const PATIENCE: Duration = Duration::from_secs(150);

#[derive(Clone, Copy)]
pub enum Who<'a> {
    Partner,
    /// A wallet user's token.
    User(&'a str),
}

/// A call, complete: each try sends the very same.
pub struct Call<'a> {
    pub who: Who<'a>,
    pub method: &'static str,
    pub path: String,
    pub key: Option<String>,
    pub body: Option<Value>,
    pub csv: Option<String>,
}

impl<'a> Call<'a> {
    pub fn new(who: Who<'a>, method: &'static str, path: impl Into<String>) -> Self {
        Self { who, method, path: path.into(), key: None, body: None, csv: None }
    }

    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub fn csv(mut self, file: &str) -> Self {
        self.csv = Some(file.to_owned());
        self
    }

    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    api_key: Arc<str>,
    ports: Arc<Mutex<Vec<u16>>>,
    counts: Arc<Counts>,
}

/// What became of tries.
#[derive(Default)]
pub struct Counts {
    pub answered: AtomicU64,
    /// No answer at all.
    pub lost: AtomicU64,
    /// A failure of the server's: 5xx.
    pub failed: AtomicU64,
    /// Of those, what wasn't said in a way that is documented for it: anything but 503.
    pub opaque: AtomicU64,
}

impl Client {
    pub fn new(api_key: &str, ports: &[u16]) -> Self {
        let http = reqwest::Client::builder().timeout(TRY_TIMEOUT).build().unwrap();
        Self { http, api_key: api_key.into(), ports: Arc::new(Mutex::new(ports.to_vec())), counts: Arc::default() }
    }

    /// Another server to turn to.
    pub fn knows(&self, port: u16) {
        self.ports.lock().unwrap().push(port);
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// One try at one server.
    pub async fn try_once(&self, call: &Call<'_>, turn: usize) -> Option<(u16, String)> {
        let port = {
            let ports = self.ports.lock().unwrap();
            ports[turn % ports.len()]
        };
        let token = match call.who {
            Who::Partner => &self.api_key,
            Who::User(token) => token,
        };
        let url = format!("http://127.0.0.1:{port}{}", call.path);
        let mut request =
            self.http.request(call.method.parse().unwrap(), url).bearer_auth(token).header("Prefer", "wait=0");
        if let Some(key) = &call.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if let Some(file) = &call.csv {
            request = request.header("Content-Type", "text/csv").body(file.clone());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    }

    /// Sends it until it is answered. A failure of the server's is no answer, nor is one that says that the first try still runs.
    pub async fn send(&self, call: &Call<'_>) -> (u16, Value) {
        let started = Instant::now();
        let mut last = String::new();
        let mut turn = 0;
        while started.elapsed() < PATIENCE {
            let pause = match self.try_once(call, turn).await {
                None => {
                    self.counts.lost.fetch_add(1, Ordering::Relaxed);
                    40
                }
                Some((status, text)) if status >= 500 => {
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                    if status != 503 {
                        self.counts.opaque.fetch_add(1, Ordering::Relaxed);
                    }
                    last = format!("{status} {text}");
                    80
                }
                Some((status @ (408 | 409 | 429), text)) if status != 409 || text.contains("REQUEST_IN_PROGRESS") => {
                    last = format!("{status} {text}");
                    200
                }
                Some((status, text)) => {
                    self.counts.answered.fetch_add(1, Ordering::Relaxed);
                    return (status, serde_json::from_str(&text).unwrap_or(Value::Null));
                }
            };
            turn += 1;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        panic!("{} {} was never answered; last: {last}", call.method, call.path);
    }

    /// The same, where it has to succeed.
    pub async fn done(&self, call: &Call<'_>) -> Value {
        let (status, body) = self.send(call).await;
        assert!((200..300).contains(&status), "{} {}: {status} {body}", call.method, call.path);
        body
    }
}
