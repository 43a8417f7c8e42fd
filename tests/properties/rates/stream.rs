//! Binance's stream: what it pushes, and every way in which it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::{SinkExt, StreamExt};
use landfall::clock::{Clock, ManualClock};
use landfall::domain::ids::Mode;
use landfall::rates::backoff::Backoff;
use landfall::rates::binance_stream::BinanceStream;
use landfall::rates::consensus::Rules;
use landfall::rates::cross::Crosses;
use landfall::rates::runner::{Feed, Runner, Way};
use landfall::rates::{Board, RateStream, SourceError};
use rust_decimal::{Decimal, dec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::{clock, pair, recorded, symbols, until};

const SILENCE: Duration = Duration::from_millis(600);

type Socket = WebSocketStream<TcpStream>;

/// The exchange's side: connections come one by one.
struct Pusher {
    listener: TcpListener,
    url: String,
}

impl Pusher {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    async fn tcp(&self) -> TcpStream {
        let accepted = tokio::time::timeout(Duration::from_secs(10), self.listener.accept()).await;
        accepted.expect("somebody connects").unwrap().0
    }

    async fn accept(&self) -> Socket {
        tokio_tungstenite::accept_async(self.tcp().await).await.unwrap()
    }

    /// What is asked for.
    async fn accept_target(&self) -> (String, Socket) {
        let mut target = String::new();
        #[allow(clippy::result_large_err, reason = "the callback's type is the client's")]
        let seen = |request: &Request, response: Response| {
            target = request.uri().to_string();
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(self.tcp().await, seen).await.unwrap();
        (target, socket)
    }
}

fn stream(url: &str, clock: &ManualClock) -> BinanceStream {
    let named = symbols(&[("EURUSDT", "EUR/USDT"), ("BTCEUR", "BTC/EUR")]);
    BinanceStream::new("binance".to_owned(), url, SILENCE, &named, Arc::new(clock.clone())).unwrap()
}

fn update(symbol: &str, bid: Decimal, ask: Decimal) -> Message {
    let stream = format!("{}@bookTicker", symbol.to_lowercase());
    Message::text(format!(
        r#"{{"stream":"{stream}","data":{{"u":1,"s":"{symbol}","b":"{bid}","B":"1.0","a":"{ask}","A":"1.0"}}}}"#
    ))
}

/// A board that hears the stream and nothing else.
struct Stage {
    board: Arc<Board>,
    clock: ManualClock,
    stop: watch::Sender<bool>,
    runner: Runner,
}

impl Stage {
    fn start(url: &str) -> Self {
        let clock = clock();
        let rules = Rules { max_age: TimeDelta::seconds(10), max_deviation: dec!(0.01), min_sources: 1 };
        let board = Arc::new(Board::new(Mode::Test, rules, Crosses::default(), &["binance".to_owned()]));
        let feed = Feed { way: Way::Pushed(Arc::new(stream(url, &clock))), boards: vec![Arc::clone(&board)] };
        let backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(200) };
        let (stop, stopped) = watch::channel(false);
        let runner = Runner::start(vec![feed], Arc::new(clock.clone()), backoff, stopped);
        Self { board, clock, stop, runner }
    }

    fn price(&self, text: &str) -> Option<Decimal> {
        self.board.price(pair(text), self.clock.now()).ok().map(|price| price.price)
    }

    fn last_error(&self) -> String {
        self.board.health()[0].last_error.clone().unwrap_or_default()
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(5), self.runner.stopped()).await.expect("the task ends when told");
    }
}

#[tokio::test]
async fn what_is_pushed_is_the_price_at_once_and_ages_when_nothing_follows() {
    let pusher = Pusher::open().await;
    let stage = Stage::start(&pusher.url);
    let (target, mut socket) = pusher.accept_target().await;
    assert_eq!(target, "/stream?streams=eurusdt@bookTicker/btceur@bookTicker");
    for line in recorded("binance_stream.jsonl").lines() {
        socket.send(Message::text(line)).await.unwrap();
    }
    until("the last of what was pushed", || {
        stage.board.price(pair("EUR/USDT"), stage.clock.now()).is_ok_and(|p| p.price == dec!(1.0752))
    })
    .await;
    until("the other market", || stage.price("BTC/EUR") == Some(dec!(62290))).await;
    stage.clock.advance(TimeDelta::seconds(11));
    assert_eq!(stage.price("EUR/USDT"), None, "open, and silent: stale by itself");
    socket.send(update("EURUSDT", dec!(1.08), dec!(1.09))).await.unwrap();
    until("a fresh price", || stage.price("EUR/USDT") == Some(dec!(1.08))).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_flood_is_read_to_its_end_and_the_latest_counts() {
    let pusher = Pusher::open().await;
    let stage = Stage::start(&pusher.url);
    let mut socket = pusher.accept().await;
    let started = Instant::now();
    for n in 1..=20_000_i64 {
        let bid = Decimal::new(1_000_000 + n, 6);
        socket.feed(update("EURUSDT", bid, bid)).await.unwrap();
    }
    socket.feed(update("BTCEUR", dec!(62290), dec!(62291))).await.unwrap();
    socket.flush().await.unwrap();
    until("the last of the flood", || stage.price("BTC/EUR").is_some()).await;
    assert_eq!(stage.price("EUR/USDT"), Some(dec!(1.02)));
    println!("20,000 updates in {:?}, writing them included", started.elapsed());
    stage.stop().await;
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_anew() {
    let pusher = Pusher::open().await;
    let stage = Stage::start(&pusher.url);
    let shutdown = r#"{"e":"serverShutdown","E":1770123456789}"#;
    let in_envelope = r#"{"stream":"x","data":{"e":"serverShutdown","E":1770123456789}}"#;
    let endings = [
        Some(Message::Close(None)),
        Some(Message::text(shutdown)),
        Some(Message::text(in_envelope)),
        Some(Message::text("<html>")),
        Some(Message::text("x".repeat(100_000))),
        // The line is cut.
        None,
    ];
    for (n, ending) in endings.into_iter().enumerate() {
        let mut socket = pusher.accept().await;
        let bid = Decimal::from(n + 1);
        socket.send(update("EURUSDT", bid, bid)).await.unwrap();
        until("its price", || stage.price("EUR/USDT") == Some(bid)).await;
        if let Some(ending) = ending {
            socket.send(ending).await.unwrap();
        }
    }
    let mut socket = pusher.accept().await;
    socket.send(update("EURUSDT", dec!(77), dec!(78))).await.unwrap();
    until("the price of the last one", || stage.price("EUR/USDT") == Some(dec!(77))).await;
    stage.stop().await;
}

#[tokio::test]
async fn what_came_before_the_end_is_not_lost_with_it() {
    let pusher = Pusher::open().await;
    let stage = Stage::start(&pusher.url);
    let mut socket = pusher.accept().await;
    socket.feed(update("EURUSDT", dec!(1.1), dec!(1.2))).await.unwrap();
    socket.feed(Message::text("garbage")).await.unwrap();
    socket.flush().await.unwrap();
    until("the price before the garbage", || stage.price("EUR/USDT") == Some(dec!(1.1))).await;
    until("the garbage being told", || stage.last_error().contains("garbage")).await;
    assert_eq!(
        stage.board.health()[0].failures_consecutive,
        0,
        "the source is asked as well: this is no failure of it"
    );
    stage.stop().await;
}

#[tokio::test]
async fn a_market_that_was_not_asked_for_or_has_no_number_is_no_price() {
    let pusher = Pusher::open().await;
    let stage = Stage::start(&pusher.url);
    let mut socket = pusher.accept().await;
    socket.send(Message::text(r#"{"result":null,"id":1}"#)).await.unwrap();
    socket.send(update("LTCEUR", dec!(75), dec!(76))).await.unwrap();
    until("the stranger being told", || stage.last_error() == "stream: no bid and ask of LTCEUR").await;
    let odd = r#"{"stream":"btceur@bookTicker","data":{"s":"BTCEUR","b":"NaN","a":"62290.01"}}"#;
    socket.send(Message::text(odd)).await.unwrap();
    until("the odd one being told", || stage.last_error() == "stream: no bid and ask of BTCEUR").await;
    socket.send(update("BTCEUR", dec!(62291), dec!(62290))).await.unwrap();
    until("the crossed one being told", || stage.last_error() == "BTC/EUR has its bid above its ask").await;
    socket.send(update("EURUSDT", dec!(1.1), dec!(1.2))).await.unwrap();
    until("a good one on the same connection", || stage.price("EUR/USDT") == Some(dec!(1.1))).await;
    assert_eq!(stage.price("BTC/EUR"), None);
    stage.stop().await;
}

#[tokio::test]
async fn a_quiet_stream_is_kept_while_its_pings_are_answered() {
    let pusher = Pusher::open().await;
    let clock = clock();
    let stream = stream(&pusher.url, &clock);
    let (opened, mut socket) = tokio::join!(stream.open(), pusher.accept());
    let mut opened = opened.unwrap();
    // Reading answers pings; nothing else is sent for twice as long as silence may last.
    let quiet = async {
        let pause = tokio::time::sleep(SILENCE * 2);
        tokio::pin!(pause);
        let mut pings = 0;
        loop {
            tokio::select! {
                () = &mut pause => break,
                message = socket.next() => if matches!(message, Some(Ok(Message::Ping(_)))) { pings += 1 },
            }
        }
        socket.send(update("EURUSDT", dec!(1.1), dec!(1.2))).await.unwrap();
        pings
    };
    let (pings, next) = tokio::join!(quiet, opened.next());
    assert!(pings >= 3, "{pings}");
    assert_eq!(next.unwrap().unwrap().ticks[0].bid, dec!(1.1));
}

#[tokio::test]
async fn a_server_that_pings_is_answered() {
    let pusher = Pusher::open().await;
    let clock = clock();
    let stream = stream(&pusher.url, &clock);
    let (opened, mut socket) = tokio::join!(stream.open(), pusher.accept());
    let mut opened = opened.unwrap();
    let listening = tokio::spawn(async move { opened.next().await.map(|fetched| fetched.is_some()) });
    socket.send(Message::Ping(vec![4, 2].into())).await.unwrap();
    let pong = async {
        loop {
            if let Message::Pong(payload) = socket.next().await.unwrap().unwrap() {
                return payload;
            }
        }
    };
    let payload = tokio::time::timeout(Duration::from_secs(5), pong).await.unwrap();
    assert_eq!(payload.as_ref(), [4, 2]);
    listening.abort();
}

#[tokio::test]
async fn a_connection_on_which_nobody_is_left_is_given_up() {
    let pusher = Pusher::open().await;
    let clock = clock();
    let stream = stream(&pusher.url, &clock);
    let (opened, socket) = tokio::join!(stream.open(), pusher.accept());
    let started = Instant::now();
    // Held, and never read: no pong.
    let error = opened.unwrap().next().await.unwrap_err();
    assert_eq!(error, SourceError::Unavailable("silent for 600 ms".to_owned()));
    assert!((SILENCE..SILENCE * 5).contains(&started.elapsed()), "{:?}", started.elapsed());
    drop(socket);
}

#[tokio::test]
async fn a_refused_handshake_asks_for_patience_or_is_an_error() {
    let clock = clock();
    for (head, error) in [
        ("429 Slow\r\nRetry-After: 7\r\n", SourceError::Throttled { retry_after: Duration::from_secs(7) }),
        ("418 Teapot\r\n", SourceError::Throttled { retry_after: Duration::from_secs(120) }),
        ("200 OK\r\n", SourceError::Unavailable("HTTP 200 instead of a WebSocket".to_owned())),
        (
            "301 Moved\r\nLocation: http://127.0.0.1:1/\r\n",
            SourceError::Unavailable("HTTP 301 instead of a WebSocket".to_owned()),
        ),
    ] {
        let pusher = Pusher::open().await;
        let stream = stream(&pusher.url, &clock);
        let refuse = async {
            let mut socket = pusher.tcp().await;
            let mut request = [0; 4_096];
            let _ = socket.read(&mut request).await.unwrap();
            socket.write_all(format!("HTTP/1.1 {head}Content-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
            socket
        };
        let (opened, _socket) = tokio::join!(stream.open(), refuse);
        assert_eq!(opened.err(), Some(error));
    }
    let nobody = stream("ws://127.0.0.1:1", &clock).open().await.err().unwrap();
    assert!(nobody.to_string().contains("Connection refused"), "{nobody}");
}

#[tokio::test]
async fn a_stream_that_ends_at_once_is_not_opened_without_a_pause() {
    let pusher = Pusher::open().await;
    let stage = Stage::start(&pusher.url);
    let started = Instant::now();
    for _ in 0..5 {
        let mut socket = pusher.accept().await;
        socket.send(Message::Close(None)).await.unwrap();
        while socket.next().await.is_some() {}
    }
    // Half of 20, 40, 80 and 160 ms at least.
    assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
    assert_eq!(stage.last_error(), "stream: ended soon after it began");
    stage.stop().await;
}
