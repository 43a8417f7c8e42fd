//! A go-between of servers and PostgreSQL that does at COMMIT what networks and disks do: cuts the connection before it, while it
//! runs, or after it is done and before its answer, or has PostgreSQL refuse it for want of room.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

use super::draw::Draw;

/// What PostgreSQL is told instead of COMMIT: its own words for a full disk, under its own code.
const NO_ROOM: &str = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file \"base/1/1\": No space left on device' \
     USING ERRCODE = '53100'; END $$";
/// What the store sends as COMMIT.
const COMMIT: &[u8] = b"SELECT; COMMIT\0";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// COMMIT never arrives.
    CutBefore,
    /// COMMIT arrives, and nobody is there any more.
    CutWhile,
    /// COMMIT is done, and its answer never arrives.
    CutAfter,
    /// COMMIT is refused: the disk is full.
    NoRoom,
}

impl Fault {
    pub const ALL: [Fault; 4] = [Fault::CutBefore, Fault::CutWhile, Fault::CutAfter, Fault::NoRoom];
}

/// How often which fault, of a thousand COMMITs, and how often it was.
pub struct Faults {
    per_mille: [AtomicU64; 4],
    done: [AtomicU64; 4],
    draw: Mutex<Draw>,
}

impl Faults {
    pub fn set(&self, fault: Fault, per_mille: u64) {
        self.per_mille[fault as usize].store(per_mille, Ordering::SeqCst);
    }

    pub fn none(&self) {
        for fault in Fault::ALL {
            self.set(fault, 0);
        }
    }

    pub fn done(&self) -> [u64; 4] {
        [0, 1, 2, 3].map(|n| self.done[n].load(Ordering::SeqCst))
    }

    fn next(&self) -> Option<Fault> {
        let mut drawn = self.draw.lock().unwrap().below(1_000);
        for fault in Fault::ALL {
            let share = self.per_mille[fault as usize].load(Ordering::SeqCst);
            if drawn < share {
                self.done[fault as usize].fetch_add(1, Ordering::SeqCst);
                return Some(fault);
            }
            drawn -= share;
        }
        None
    }
}

pub struct Proxy {
    pub faults: Arc<Faults>,
    dir: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Listens in `dir` as PostgreSQL would, for the server whose socket is in `upstream`.
    pub fn start(dir: &Path, upstream: &Path, seed: u64) -> Self {
        const NAME: &str = ".s.PGSQL.5432";
        fs::create_dir_all(dir).unwrap();
        let listener = UnixListener::bind(dir.join(NAME)).unwrap();
        let faults = Arc::new(Faults {
            per_mille: Default::default(),
            done: Default::default(),
            draw: Mutex::new(Draw::of(seed)),
        });
        let (shared, upstream) = (Arc::clone(&faults), upstream.join(NAME));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (faults, upstream) = (Arc::clone(&shared), upstream.clone());
                tokio::spawn(async move {
                    if let Ok(server) = UnixStream::connect(upstream).await {
                        // Whichever side ends first, both are closed.
                        let _ = between(client, server, &faults).await;
                    }
                });
            }
        });
        Self { faults, dir: dir.to_owned(), task }
    }

    /// The same database by way of this.
    pub fn url(&self, database: &str) -> String {
        let host = self.dir.to_str().unwrap().replace('/', "%2F");
        format!("postgresql://landfall@{host}/{database}")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn between(client: UnixStream, server: UnixStream, faults: &Faults) -> std::io::Result<()> {
    let ((mut from_client, to_client), (from_server, mut to_server)) = (client.into_split(), server.into_split());
    let deaf = AtomicBool::new(false);
    let asked = async {
        // The first message has no type.
        let length = from_client.read_u32().await?;
        pass(&mut from_client, &mut to_server, None, length).await?;
        loop {
            let kind = from_client.read_u8().await?;
            let length = from_client.read_u32().await?;
            if kind != b'Q' || usize::try_from(length).unwrap() != COMMIT.len() + 4 {
                pass(&mut from_client, &mut to_server, Some(kind), length).await?;
                continue;
            }
            let mut text = vec![0; COMMIT.len()];
            from_client.read_exact(&mut text).await?;
            let fault = if text == COMMIT { faults.next() } else { None };
            match fault {
                None => query(&mut to_server, &text).await?,
                Some(Fault::CutBefore) => return Ok(()),
                Some(Fault::CutWhile) => return query(&mut to_server, &text).await,
                Some(Fault::CutAfter) => {
                    deaf.store(true, Ordering::SeqCst);
                    query(&mut to_server, &text).await?;
                }
                Some(Fault::NoRoom) => query(&mut to_server, format!("{NO_ROOM}\0").as_bytes()).await?,
            }
        }
    };
    tokio::select! {
        ended = asked => ended,
        ended = answers(from_server, to_client, &deaf) => ended,
    }
}

async fn query(to: &mut OwnedWriteHalf, text: &[u8]) -> std::io::Result<()> {
    let mut message = vec![b'Q'];
    message.extend(u32::try_from(text.len() + 4).unwrap().to_be_bytes());
    message.extend(text);
    to.write_all(&message).await
}

async fn pass(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, kind: Option<u8>, length: u32) -> std::io::Result<()> {
    let mut message: Vec<u8> = kind.into_iter().chain(length.to_be_bytes()).collect();
    let head = message.len();
    message.resize(head + usize::try_from(length.saturating_sub(4)).unwrap(), 0);
    from.read_exact(&mut message[head..]).await?;
    to.write_all(&message).await
}

/// What the server says, as it comes. Once `deaf`, the next that it says is the end.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, deaf: &AtomicBool) -> std::io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut bytes).await?;
        if length == 0 || deaf.load(Ordering::SeqCst) {
            return Ok(());
        }
        to.write_all(&bytes[..length]).await?;
    }
}
