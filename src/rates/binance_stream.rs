//! Binance, listened to: each change of best bid and ask as it happens, over one WebSocket with a combined stream,
//! `/stream?streams=eurusdt@bookTicker/...`.
//!
//! A busy market says hundreds of things a second: what has arrived by the time somebody looks is read to its end, and the latest of each
//! pair goes to the board. Messages have no time: a quote ages from its receipt. The server pings, and ends every connection after 24
//! hours: it is left before that. <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt, SinkExt, StreamExt};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::binance::tick;
use super::source::{Fetched, SourceError, Tick};
use super::stream::{OpenStream, RateStream};
use super::symbols::Symbol;
use super::web::{clipped, throttled};
use crate::clock::Clock;
use crate::domain::rate::Pair;

/// A message has some 150 bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Read ahead of the messages.
const READ_BUFFER_BYTES: usize = 16 * 1024;
/// How many messages are read before the board is told, whatever still waits.
const BURST_MAX: usize = 1_000;
/// When a connection is left for a new one: the server would end it after 24 hours.
const RENEWED_AFTER: Duration = Duration::from_secs(23 * 3_600);
/// How many times its share of the silence is waited, each with a ping, before a connection is given up.
const PINGS: u32 = 3;

pub struct BinanceStream {
    name: String,
    url: String,
    /// By their names, in capitals.
    pairs: BTreeMap<String, Pair>,
    silence_max: Duration,
    tls: Arc<ClientConfig>,
    clock: Arc<dyn Clock>,
}

impl BinanceStream {
    /// `base_url` begins with `wss://`, and has no slash at the end. A connection on which nothing comes for `silence_max`, not even the
    /// answer to a ping, is given up.
    pub fn new(
        name: String,
        base_url: &str,
        silence_max: Duration,
        symbols: &[Symbol],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, rustls::Error> {
        let streams: Vec<String> =
            symbols.iter().map(|symbol| format!("{}@bookTicker", symbol.name.to_ascii_lowercase())).collect();
        let mut roots = RootCertStore::empty();
        // One broken certificate of the machine is no reason to do without the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            name,
            url: format!("{base_url}/stream?streams={}", streams.join("/")),
            pairs: symbols.iter().map(|symbol| (symbol.name.clone(), symbol.pair)).collect(),
            silence_max,
            tls: Arc::new(tls),
            clock,
        })
    }

    fn refused(&self, error: &Error) -> SourceError {
        if let Error::Http(response) = error {
            let status = response.status().as_u16();
            return throttled(status, response.headers(), self.clock.now())
                .unwrap_or_else(|| SourceError::Unavailable(format!("HTTP {status} instead of a WebSocket")));
        }
        broken(error)
    }
}

#[async_trait]
impl RateStream for BinanceStream {
    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&self) -> Result<Box<dyn OpenStream>, SourceError> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let tls = Connector::Rustls(Arc::clone(&self.tls));
        // Boxed: a handshake's state is large, and lives for a moment.
        let opening = Box::pin(connect_async_tls_with_config(self.url.as_str(), Some(config), true, Some(tls)));
        let (socket, _) = opening.await.map_err(|error| self.refused(&error))?;
        Ok(Box::new(Open {
            socket,
            pairs: self.pairs.clone(),
            ping_every: self.silence_max / PINGS,
            unanswered: 0,
            opened_at: Instant::now(),
            ended: None,
        }))
    }
}

struct Open {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pairs: BTreeMap<String, Pair>,
    ping_every: Duration,
    /// Pings since something came.
    unanswered: u32,
    opened_at: Instant,
    /// How it ended, seen while a burst was read; told after what came before.
    ended: Option<Result<(), SourceError>>,
}

/// What arrived by now: the latest tick of each pair.
#[derive(Default)]
struct Burst {
    latest: BTreeMap<Pair, Tick>,
    lacking: Option<String>,
}

/// A message, bare or in a combined stream's envelope.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    data: Option<Update<'a>>,
    /// What it is, where it is no update.
    #[serde(borrow)]
    e: Option<&'a str>,
}

#[derive(Deserialize)]
struct Update<'a> {
    /// What it is, where it is no update.
    #[serde(borrow)]
    e: Option<&'a str>,
    /// Symbol, bid, ask.
    #[serde(borrow)]
    s: Option<&'a str>,
    #[serde(borrow)]
    b: Option<&'a str>,
    #[serde(borrow)]
    a: Option<&'a str>,
}

#[async_trait]
impl OpenStream for Open {
    async fn next(&mut self) -> Result<Option<Fetched>, SourceError> {
        let mut burst = Burst::default();
        while burst.is_empty() {
            if let Some(ended) = self.ended.take() {
                return ended.map(|()| None);
            }
            if self.opened_at.elapsed() >= RENEWED_AFTER {
                return Ok(None);
            }
            match timeout(self.ping_every, self.socket.next()).await {
                Ok(arrived) => {
                    self.unanswered = 0;
                    self.take(arrived, &mut burst);
                    self.take_what_waits(&mut burst);
                }
                Err(_elapsed) => self.ping().await?,
            }
        }
        Ok(Some(Fetched { ticks: burst.latest.into_values().collect(), lacking: burst.lacking }))
    }
}

impl Open {
    /// Reads on as long as it needn't wait.
    fn take_what_waits(&mut self, burst: &mut Burst) {
        for _ in 0..BURST_MAX {
            if self.ended.is_some() {
                return;
            }
            let Some(arrived) = self.socket.next().now_or_never() else { return };
            self.take(arrived, burst);
        }
    }

    fn take(&mut self, arrived: Option<Result<Message, Error>>, burst: &mut Burst) {
        match arrived {
            Some(Ok(Message::Text(text))) => {
                if let Some(ended) = burst.read(text.as_str(), &self.pairs) {
                    self.ended = Some(ended);
                }
            }
            // Pings are answered by the client itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed)) | None => self.ended = Some(Ok(())),
            Some(Err(error)) => self.ended = Some(Err(broken(&error))),
        }
    }

    /// Asks whether anybody is there, unless that was asked often enough.
    async fn ping(&mut self) -> Result<(), SourceError> {
        let silent = || SourceError::Unavailable(format!("silent for {} ms", (self.ping_every * PINGS).as_millis()));
        self.unanswered += 1;
        if self.unanswered >= PINGS {
            return Err(silent());
        }
        // A peer that doesn't read would keep this waiting.
        let sent = timeout(self.ping_every, self.socket.send(Message::Ping(Vec::new().into()))).await;
        sent.unwrap_or_else(|_elapsed| Ok(())).map_err(|error| broken(&error))
    }
}

impl Burst {
    fn is_empty(&self) -> bool {
        self.latest.is_empty() && self.lacking.is_none()
    }

    /// Takes a message; answers how the stream ends, if it does.
    fn read(&mut self, text: &str, pairs: &BTreeMap<String, Pair>) -> Option<Result<(), SourceError>> {
        let Ok(wire) = serde_json::from_str::<Wire<'_>>(text) else {
            return Some(Err(SourceError::Malformed(format!("no message: {}", clipped(text)))));
        };
        let kind = wire.e.or_else(|| wire.data.as_ref()?.e);
        if kind == Some("serverShutdown") {
            return Some(Ok(()));
        }
        // Other events, and answers to nothing that was asked, say nothing of prices.
        let Some(Update { s: Some(symbol), b: Some(bid), a: Some(ask), .. }) = wire.data else { return None };
        match pairs.get(symbol).and_then(|pair| tick(*pair, bid, ask, None)) {
            Some(tick) => {
                self.latest.insert(tick.pair, tick);
            }
            None => self.lacking = Some(format!("no bid and ask of {}", clipped(symbol))),
        }
        None
    }
}

/// The ticks of one message.
#[cfg(feature = "torture")]
pub(super) fn read_message(text: &str, pairs: &BTreeMap<String, Pair>) -> Vec<Tick> {
    let mut burst = Burst::default();
    burst.read(text, pairs);
    burst.latest.into_values().collect()
}

fn broken(error: &Error) -> SourceError {
    SourceError::Unavailable(clipped(&error.to_string()))
}
