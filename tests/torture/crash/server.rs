//! A `landfall serve` process that may die at any moment, by itself or by our hand.

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

use super::ground::Ground;

/// Below the ports that the system gives to outgoing connections: one of those could take a dead server's port.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on and nobody gets by chance.
pub fn free_port() -> u16 {
    let width = PORTS.end - PORTS.start;
    loop {
        let n = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        let spread = u16::try_from(std::process::id() % 500).unwrap() * 41;
        let port = PORTS.start + (spread + n) % width;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// How a server is started.
#[derive(Clone)]
pub struct Launch {
    pub url: String,
    pub port: u16,
    pub roles: String,
    /// Names its log.
    pub name: String,
    pub environment: Vec<(&'static str, String)>,
}

impl Launch {
    pub fn new(url: &str, port: u16, roles: &str, name: &str) -> Self {
        Self { url: url.to_owned(), port, roles: roles.to_owned(), name: name.to_owned(), environment: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }
}

pub struct Server {
    child: Child,
    pub port: u16,
    log: PathBuf,
}

impl Server {
    /// Starts a process, without waiting for anything.
    pub fn spawn(ground: &Ground, launch: &Launch) -> Self {
        let log = ground.file(&format!("{}.log", launch.name));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let address = format!("127.0.0.1:{}", launch.port);
        let mut command = ground.command(&launch.url, &["serve", "--listen", &address, "--roles", &launch.roles]);
        command.stdout(file.try_clone().unwrap()).stderr(file);
        if let Some(log) = crate::support::canary::log_of_child() {
            command.env("LANDFALL__TELEMETRY__LEVEL", "trace").stderr(log);
        }
        for (name, value) in &launch.environment {
            command.env(name, value);
        }
        Self { child: command.spawn().unwrap(), port: launch.port, log }
    }

    /// Starts a process and waits until it is ready; `None`: it died before.
    pub async fn start(ground: &Ground, launch: &Launch) -> Option<Self> {
        let mut server = Self::spawn(ground, launch);
        server.ready().await.then_some(server)
    }

    /// Waits until it serves; `false`: it died before.
    pub async fn ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if !self.is_alive() {
                return false;
            }
            if status_of(self.port, "/health/ready").await == Some(200) {
                return true;
            }
            assert!(Instant::now() < deadline, "never ready: {}", self.said());
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it is dead; answers whether it was by `kill -9`.
    pub async fn died(&mut self) -> bool {
        self.child.wait().await.unwrap().signal() == Some(Signal::SIGKILL as i32)
    }

    /// kill -9: nothing is finished, nothing is told.
    pub async fn kill(mut self) {
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
    }

    /// SIGTERM; whether it ended in order.
    pub async fn stop(mut self) -> bool {
        let Some(pid) = self.child.id() else { return false };
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGTERM).unwrap();
        match tokio::time::timeout(Duration::from_secs(40), self.child.wait()).await {
            Ok(status) => status.unwrap().success(),
            Err(_) => panic!("it didn't stop: {}", self.said()),
        }
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// The status that a path answers, if anything does.
pub async fn status_of(port: u16, path: &str) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let asked = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0_u8; 12];
        stream.read_exact(&mut head).await.ok()?;
        std::str::from_utf8(&head[9..]).ok()?.parse().ok()
    };
    tokio::time::timeout(Duration::from_secs(3), asked).await.ok().flatten()
}
