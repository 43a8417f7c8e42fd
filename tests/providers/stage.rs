//! A provider's side of the wire, on loopback: a script answers each call, and mishaps come between it and the adapter. The script is a
//! provider in small, with a ledger of its own: what a mishap lets through to it took effect, whatever the adapter sees of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A call as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Unescaped.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it asks for a payment: by the method, which nothing else of a provider's API has that adapters call.
    pub fn is_order(&self) -> bool {
        self.method == "POST"
    }
}

/// What the provider answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How long it takes.
    pub after: Duration,
}

impl Answer {
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes(), after: Duration::ZERO }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), after: Duration::ZERO }
    }

    /// None, unless whoever called waits for ever.
    pub fn never() -> Self {
        Self { after: SILENCE, ..Self::empty(200) }
    }

    fn of(status: u16, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..Self::empty(status) }
    }
}

/// What goes wrong with the next payment that is asked for, or the next question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The connection ends without an answer.
    Reset,
    /// No answer comes within the adapter's patience.
    Silence,
    /// The answer ends in its middle.
    Cut,
    /// 200 with what isn't the provider's.
    Garbage,
    /// 200 with nothing.
    Empty,
    /// 200 with more than anybody should read.
    Huge,
    /// An error page of some proxy, with this status.
    Page(u16),
}

impl Mishap {
    pub const ALL: [Self; 11] = [
        Self::Reset,
        Self::Silence,
        Self::Cut,
        Self::Garbage,
        Self::Empty,
        Self::Huge,
        Self::Page(500),
        Self::Page(502),
        Self::Page(503),
        Self::Page(504),
        Self::Page(302),
    ];
}

type Script = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// How long a silent provider is silent, unless whoever called goes away first.
const SILENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct State {
    /// What the next order meets, and whether the script hears of it.
    order: Option<(Mishap, bool)>,
    /// What the next question meets.
    question: Option<Mishap>,
    /// How much longer the next order takes.
    delay: Duration,
    seen: Vec<Seen>,
    connections: usize,
}

/// Serves until it is dropped.
pub struct Stage {
    /// Without a slash at the end.
    pub url: String,
    state: Arc<Mutex<State>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Stage {
    /// Must be called within a tokio runtime.
    pub fn open(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (script, kept): (Script, _) = (Arc::new(script), Arc::clone(&state));
        let serving = tokio::spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                kept.lock().unwrap().connections += 1;
                let (script, state) = (Arc::clone(&script), Arc::clone(&kept));
                // A connection that breaks is the caller's to try again, or not.
                tokio::spawn(async move { serve(stream, &script, &state).await });
            }
        });
        Self { url, state, serving }
    }

    /// The next payment that is asked for meets `mishap`; the provider takes it all the same if `takes_effect`.
    pub fn next(&self, mishap: Mishap, takes_effect: bool) {
        self.state.lock().unwrap().order = Some((mishap, takes_effect));
    }

    /// The next question meets `mishap`.
    pub fn next_question(&self, mishap: Mishap) {
        self.state.lock().unwrap().question = Some(mishap);
    }

    /// The next payment that is asked for is answered as ever, but late.
    pub fn delay_next(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// Every call so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

async fn serve(mut stream: TcpStream, script: &Script, state: &Mutex<State>) -> Option<()> {
    let mut bytes = Vec::new();
    while let Some(seen) = read_call(&mut stream, &mut bytes).await {
        let (mishap, delay) = {
            let mut state = state.lock().unwrap();
            state.seen.push(seen.clone());
            if seen.is_order() {
                (state.order.take(), std::mem::take(&mut state.delay))
            } else {
                (state.question.take().map(|mishap| (mishap, true)), Duration::ZERO)
            }
        };
        let answer = match mishap {
            Some((_, false)) => Answer::empty(200),
            Some((_, true)) | None => script(&seen),
        };
        tokio::time::sleep(answer.after + delay).await;
        match mishap.map(|(mishap, _)| mishap) {
            None => write_answer(&mut stream, &answer, answer.body.len()).await?,
            Some(Mishap::Reset) => {
                // Whatever was read stays unread: dropping it resets the connection.
                #[allow(deprecated, reason = "the only way to a reset")]
                let _ = stream.set_linger(Some(Duration::ZERO));
                return None;
            }
            Some(Mishap::Silence) => {
                tokio::time::sleep(SILENCE).await;
                return None;
            }
            Some(Mishap::Cut) => {
                let body = if answer.body.is_empty() { b"{\"id\":\"1\",".to_vec() } else { answer.body.clone() };
                let half = Answer { body: body[..body.len() / 2].to_vec(), ..answer };
                write_answer(&mut stream, &half, body.len()).await?;
                return None;
            }
            Some(Mishap::Garbage) => {
                let body = b"\x00\xff{]\"status\":\"Settled\"";
                write_answer(&mut stream, &Answer::of(200, body), body.len()).await?;
            }
            Some(Mishap::Empty) => write_answer(&mut stream, &Answer::empty(200), 0).await?,
            Some(Mishap::Huge) => {
                let body = vec![b' '; 3 * 1024 * 1024];
                write_answer(&mut stream, &Answer::of(200, &body), body.len()).await?;
            }
            Some(Mishap::Page(status)) => {
                let headers = vec![
                    ("Content-Type".to_owned(), "text/html".to_owned()),
                    ("Location".to_owned(), "http://127.0.0.1:1/elsewhere".to_owned()),
                ];
                let body = b"<html><body>Something went wrong</body></html>";
                write_answer(&mut stream, &Answer { headers, ..Answer::of(status, body) }, body.len()).await?;
            }
        }
    }
    Some(())
}

async fn write_answer(stream: &mut TcpStream, answer: &Answer, length: usize) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Told\r\nContent-Length: {length}\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&answer.body).await.ok()
}

/// The next call on a connection; `bytes` keeps what came after it.
async fn read_call(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Seen> {
    loop {
        if let Some((seen, length)) = parse(bytes) {
            bytes.drain(..length);
            return Some(seen);
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

/// A whole call at the start of `bytes`, and how long it is.
fn parse(bytes: &[u8]) -> Option<(Seen, usize)> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(Some(0), |(_, v)| v.parse().ok())?;
    let end = head_end + 4 + length;
    let body = bytes.get(head_end + 4..end)?.to_vec();
    let url = reqwest::Url::parse(&format!("http://stage{target}")).ok()?;
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Some((Seen { method, path: url.path().to_owned(), query, headers, body }, end))
}
