//! The other side, on loopback: HTTP that answers each path as it is told, well or badly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An answer, and how it is delivered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Whole,
    /// Half of it, and the connection ends.
    Cut,
    /// Half of it without saying how long it is, and the connection ends as if that were all.
    CutQuietly,
    /// None comes.
    Silent,
}

impl Reply {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into(), way: Way::Whole }
    }

    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, ..Self::ok(body) }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn by(self, way: Way) -> Self {
        Self { way, ..self }
    }
}

type Answers = dyn Fn(&str) -> Reply + Send + Sync;

#[derive(Default)]
struct Book {
    /// What is answered to a path, by how it begins; the query is handed in, unescaped.
    answers: HashMap<&'static str, Arc<Answers>>,
    /// Path and query of all that was asked.
    asked: Vec<String>,
    connections: usize,
}

pub struct Exchange {
    pub url: String,
    book: Arc<Mutex<Book>>,
    _serving: tokio::task::JoinSet<()>,
}

impl Exchange {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let book = Arc::new(Mutex::new(Book::default()));
        let mut serving = tokio::task::JoinSet::new();
        let served = Arc::clone(&book);
        serving.spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else { return };
                served.lock().unwrap().connections += 1;
                tokio::spawn(serve(socket, Arc::clone(&served)));
            }
        });
        Self { url, book, _serving: serving }
    }

    /// From now on `path` is answered so.
    pub fn answer(&self, path: &'static str, reply: Reply) {
        self.answer_by(path, move |_| reply.clone());
    }

    /// From now on `path` is answered by its query.
    pub fn answer_by(&self, path: &'static str, reply: impl Fn(&str) -> Reply + Send + Sync + 'static) {
        self.book.lock().unwrap().answers.insert(path, Arc::new(reply));
    }

    pub fn asked(&self) -> Vec<String> {
        self.book.lock().unwrap().asked.clone()
    }

    pub fn connections(&self) -> usize {
        self.book.lock().unwrap().connections
    }
}

async fn serve(mut socket: TcpStream, book: Arc<Mutex<Book>>) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 2_048];
            match socket.read(&mut chunk).await {
                Ok(read) if read > 0 => buffer.extend_from_slice(&chunk[..read]),
                _ => return,
            }
        };
        let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
        let target = head.split(' ').nth(1).unwrap();
        let url = reqwest::Url::parse(&format!("http://exchange{target}")).unwrap();
        let query: Vec<String> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
        let query = query.join("&");
        let answer = {
            let mut book = book.lock().unwrap();
            book.asked.push(if query.is_empty() { url.path().to_owned() } else { format!("{}?{query}", url.path()) });
            book.answers.get(url.path()).cloned()
        };
        let reply = answer.map_or_else(|| Reply::status(404, "nothing here"), |answer| answer(&query));
        if !deliver(&mut socket, reply).await {
            return;
        }
    }
}

/// Whether the connection goes on.
async fn deliver(socket: &mut TcpStream, reply: Reply) -> bool {
    let length = match reply.way {
        Way::CutQuietly => "Connection: close\r\n".to_owned(),
        _ => format!("Content-Length: {}\r\n", reply.body.len()),
    };
    let headers: String = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {} Reply\r\n{length}{headers}\r\n", reply.status);
    let part = match reply.way {
        Way::Whole => reply.body.as_slice(),
        Way::Cut | Way::CutQuietly => &reply.body[..reply.body.len() / 2],
        Way::Silent => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return false;
        }
    };
    let sent = async {
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(part).await
    };
    sent.await.is_ok() && reply.way == Way::Whole
}
