//! Whose connections are open, and since when nothing was asked on them. The server below bounds the time for the first head of a
//! connection, its idling, and what comes of a body that nobody reads; but neither the heads that follow, nor an answer that the client
//! doesn't take: a connection that brings no whole request for too long is cut here.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use actix_web::dev::Extensions;

use super::proxies::is_trusted;
use crate::config::http::HttpSettings;

/// How long a client that was told that its connection ends may still read the answer.
const LINGER: Duration = Duration::from_secs(2);
/// How often connections are looked through, at the longest.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(1);

/// The open connections of a process.
pub struct Connections {
    open: Mutex<Open>,
    began: Instant,
    /// How long a connection may be without a whole request: it may idle, and then send a head.
    quiet_max: Duration,
    look_every: Duration,
    connections_max: usize,
    address_connections_max: usize,
    trusted_proxies: Vec<crate::config::networks::Network>,
}

#[derive(Default)]
struct Open {
    next: u64,
    lines: HashMap<u64, Weak<Line>>,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection. It is open for as long as the server holds this.
pub struct Line {
    id: u64,
    address: Option<IpAddr>,
    /// The same socket once more, to cut it by.
    socket: TcpStream,
    requests: AtomicUsize,
    /// In milliseconds since the connections' beginning.
    quiet_since: AtomicU64,
    is_ending: AtomicBool,
    connections: Arc<Connections>,
}

/// Stands in a connection's data where it was one too many: what came on it before it was closed is answered with nothing but that.
pub struct Surplus;

/// A request that is being answered on a line.
pub struct Busy(Arc<Line>);

impl Connections {
    pub fn new(settings: &HttpSettings) -> Arc<Self> {
        let client_timeout = settings.client_timeout();
        Arc::new(Self {
            open: Mutex::default(),
            began: Instant::now(),
            quiet_max: Duration::from_millis(settings.keep_alive_ms).saturating_add(client_timeout),
            look_every: (client_timeout / 4).min(LOOK_EVERY_MAX),
            connections_max: settings.connections_max,
            address_connections_max: settings.address_connections_max,
            trusted_proxies: settings.trusted_proxies.clone(),
        })
    }

    /// Takes a connection in, or closes it where there are too many.
    pub fn connected(self: &Arc<Self>, connection: &dyn Any, data: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() else { return };
        let socket = match stream.as_fd().try_clone_to_owned() {
            Ok(socket) => TcpStream::from(socket),
            Err(error) => {
                tracing::warn!(%error, "a connection can't be watched: there are too few file descriptors");
                data.insert(Surplus);
                return;
            }
        };
        let address = stream.peer_addr().ok().map(|peer| peer.ip().to_canonical());
        let Some(id) = self.admit(address) else {
            tracing::warn!("a connection was closed: there are too many");
            data.insert(Surplus);
            // It may be gone already.
            let _ = socket.shutdown(Shutdown::Both);
            return;
        };
        let line = Arc::new(Line {
            id,
            address,
            socket,
            requests: AtomicUsize::new(0),
            quiet_since: AtomicU64::new(self.now_ms()),
            is_ending: AtomicBool::new(false),
            connections: Arc::clone(self),
        });
        self.open().lines.insert(id, Arc::downgrade(&line));
        data.insert(line);
    }

    /// Counts a connection from `address`; `None`: it is one too many.
    fn admit(&self, address: Option<IpAddr>) -> Option<u64> {
        let mut open = self.open();
        let of_address = address.and_then(|address| open.by_address.get(&address)).copied().unwrap_or(0);
        let is_proxy = address.is_some_and(|address| is_trusted(&self.trusted_proxies, address));
        let has_place = is_proxy || of_address < self.address_connections_max;
        if open.lines.len() >= self.connections_max || !has_place {
            return None;
        }
        open.next = open.next.wrapping_add(1);
        let id = open.next;
        // Its place is taken before the line is there.
        open.lines.insert(id, Weak::new());
        if let Some(address) = address {
            open.by_address.insert(address, of_address.saturating_add(1));
        }
        Some(id)
    }

    fn left(&self, id: u64, address: Option<IpAddr>) {
        let mut open = self.open();
        open.lines.remove(&id);
        let Some(address) = address else { return };
        if let Some(count) = open.by_address.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_address.remove(&address);
            }
        }
    }

    /// Cuts what has been quiet for too long, until the server is gone.
    pub async fn watch(connections: Weak<Self>) {
        loop {
            let Some(look_every) = connections.upgrade().map(|connections| connections.look_every) else { return };
            tokio::time::sleep(look_every).await;
            let Some(connections) = connections.upgrade() else { return };
            connections.cut_quiet();
        }
    }

    fn cut_quiet(&self) {
        let now_ms = self.now_ms();
        let lines: Vec<Arc<Line>> = self.open().lines.values().filter_map(Weak::upgrade).collect();
        for line in lines {
            let quiet_max = if line.is_ending.load(Ordering::Relaxed) { LINGER } else { self.quiet_max };
            let quiet_ms = now_ms.saturating_sub(line.quiet_since.load(Ordering::Acquire));
            let is_quiet = line.requests.load(Ordering::Acquire) == 0;
            if is_quiet && u128::from(quiet_ms) > quiet_max.as_millis() {
                tracing::debug!(quiet_ms, "a connection was cut");
                let _ = line.socket.shutdown(Shutdown::Both);
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// A request has come whole enough to be answered.
    pub fn begin(line: &Arc<Self>) -> Busy {
        line.requests.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(line))
    }
}

impl Busy {
    /// The client was told that the connection ends with the answer.
    pub fn is_last(&self) {
        self.0.is_ending.store(true, Ordering::Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.quiet_since.store(self.0.connections.now_ms(), Ordering::Release);
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.connections.left(self.id, self.address);
    }
}
