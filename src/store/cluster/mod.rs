//! A PostgreSQL server of our own, for when none is configured: made once under the data folder, started by the first process
//! that needs it, shared by the others, stopped by the last one. It never listens on a network: a socket in a folder that only
//! its user can enter, and `peer` authentication. Durable (`fsync`), but for throwaway clusters that say otherwise.
//!
//! How processes agree, all of it released by the kernel when a process dies:
//! - `lock`: held for the moment of starting or stopping the server.
//! - `users`: held shared by each process that uses the server. Who can take it alone while leaving is the last, and stops it.
//!   (A process that leaves while others stay leaves the server running for them.)
//!
//! After `kill -9` of its users the server lives on, and the next process adopts it. After `kill -9` of the server, a user's
//! watcher starts it again within seconds, and connections are made anew by the pool. After both, the next process starts it.
//!
//! Linux only: `/proc` tells whose a process number is.

mod binaries;
pub use binaries::Binaries;
mod place;
mod process;
mod server;

use std::fmt::Write;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::place::{Place, ROLE};
use crate::config::database::DatabaseSettings;
use crate::config::database::url::DatabaseUrl;

/// How long a fast shutdown may take; it writes everything out.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// How long a server that looks alive may refuse connections.
const PROOF_PATIENCE: Duration = Duration::from_secs(10);
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Why there is no private cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "PostgreSQL is not installed (looked in {looked_in}). Install it (`apt-get install postgresql`), set \
         database.bin_dir to the folder of `initdb`, or point at a server: DATABASE_URL=postgresql://user:password@host/name"
    )]
    NoBinaries { looked_in: String },
    #[error(
        "the database was made by PostgreSQL {data}, found is {found}: install `postgresql-{data}` or set database.bin_dir"
    )]
    OtherVersion { data: u32, found: u32 },
    #[error("{} belongs to user {owner}: run as that user or as root, or choose another data_dir", .dir.display())]
    NotYours { dir: PathBuf, owner: String },
    #[error("{} belongs to root, as whom PostgreSQL doesn't run: give it to the user `postgres`", .0.display())]
    OwnedByRoot(PathBuf),
    #[error("can't run PostgreSQL as user {0}: {1}")]
    User(String, String),
    #[error("initdb failed: {0}")]
    InitDb(String),
    #[error("PostgreSQL did not start: {0}")]
    Start(String),
    #[error("PostgreSQL (process {0}) did not stop")]
    Stop(i32),
    #[error("another process has been starting or stopping the database for too long (holds {})", .0.display())]
    Busy(PathBuf),
    #[error("{name:?} is no database name: up to 63 of a-z, 0-9 and _")]
    BadName { name: String },
    #[error("can't make the database {name}: {why}")]
    Database { name: String, why: String },
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl ClusterError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// What a cluster is made and started with. Who finds it running takes it as it is.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The cluster's folder; made when missing.
    pub dir: PathBuf,
    /// PostgreSQL's programs, instead of those found by themselves.
    pub bin_dir: Option<PathBuf>,
    /// `false` loses data in a crash of the machine: for throwaway clusters of tests only.
    pub fsync: bool,
    pub max_connections: u32,
    pub start_timeout: Duration,
}

impl ClusterOptions {
    /// A durable cluster in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            bin_dir: None,
            fsync: true,
            max_connections: 200,
            start_timeout: Duration::from_secs(120),
        }
    }

    /// The installation's cluster: `<data_dir>/postgres`.
    pub fn from_settings(data_dir: &Path, settings: &DatabaseSettings) -> Self {
        Self {
            bin_dir: settings.bin_dir.clone(),
            start_timeout: Duration::from_secs(settings.start_timeout_secs),
            ..Self::new(data_dir.join("postgres"))
        }
    }
}

/// A use of the private server: it runs as long as any process holds one.
///
/// Leave it with [`stop`](Self::stop); dropping does the same but blocks its thread while the server shuts down.
#[derive(Debug)]
pub struct PrivateCluster {
    inner: Arc<Inner>,
    watcher: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    options: ClusterOptions,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Our share of the server; `None` once left.
    share: Option<File>,
    pid: i32,
    /// The server when we started it: to be waited for, so that it leaves no zombie.
    child: Option<Child>,
}

impl PrivateCluster {
    /// Makes the cluster if there is none, starts its server unless it runs, and joins its users. Returns when it takes
    /// connections.
    pub async fn start_or_join(options: &ClusterOptions) -> Result<Self, ClusterError> {
        let options = options.clone();
        let inner = blocking(move || Inner::join(options)).await?;
        let inner = Arc::new(inner);
        let watcher = tokio::spawn(watch(Arc::downgrade(&inner)));
        let cluster = Self { inner, watcher };
        cluster.prove().await?;
        Ok(cluster)
    }

    /// Connects once. A server that is being killed still looks alive for a moment.
    async fn prove(&self) -> Result<(), ClusterError> {
        let url = self.database_url("postgres")?;
        let deadline = Instant::now() + PROOF_PATIENCE;
        loop {
            let attempt = tokio::time::timeout(PROOF_PATIENCE, url.config().connect(tokio_postgres::NoTls)).await;
            let why = match attempt {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it takes connections and doesn't answer".to_owned(),
            };
            if Instant::now() > deadline {
                return Err(ClusterError::Start(why));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            let inner = Arc::clone(&self.inner);
            blocking(move || inner.revive()).await?;
        }
    }

    /// The URL of a database in this cluster; there is no password in it.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{ROLE}@{}/{database}", percent_encoded(&self.inner.place.socket_dir))
    }

    /// [`url`](Self::url), parsed.
    pub fn database_url(&self, database: &str) -> Result<DatabaseUrl, ClusterError> {
        DatabaseUrl::parse(&self.url(database)).map_err(|_| ClusterError::BadName { name: database.to_owned() })
    }

    /// Makes the database unless it is there.
    pub async fn ensure_database(&self, name: &str) -> Result<(), ClusterError> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty() || name.len() > 63 || !name.bytes().all(good) {
            return Err(ClusterError::BadName { name: name.to_owned() });
        }
        let failed =
            |why: tokio_postgres::Error| ClusterError::Database { name: name.to_owned(), why: why.to_string() };
        let url = self.database_url("postgres")?;
        let (client, driver) = url.config().connect(tokio_postgres::NoTls).await.map_err(failed)?;
        let driver = tokio::spawn(driver);
        let there = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await.map_err(failed)?;
        if there.is_none()
            && let Err(error) = client.batch_execute(&format!("CREATE DATABASE \"{name}\"")).await
        {
            // Another process may have made it just now: 42P04, or 23505 when at the very same time.
            let made = matches!(error.code().map(|code| code.code()), Some("42P04" | "23505"));
            if !made {
                return Err(failed(error));
            }
        }
        drop(client);
        driver.abort();
        Ok(())
    }

    /// Leaves; the last user's leaving stops the server. Answers whether it was stopped.
    pub async fn stop(self) -> Result<bool, ClusterError> {
        self.watcher.abort();
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.leave()).await
    }

    /// Leaves without stopping the server, whoever else uses it: a throwaway cluster for the processes to come.
    pub fn leave_running(self) {
        self.watcher.abort();
        self.inner.state().share = None;
    }

    /// The server's process number, as known now.
    pub fn server_pid(&self) -> i32 {
        self.inner.state().pid
    }

    /// Where the data lies, which isn't where it was asked for when only root can go there.
    pub fn data_dir(&self) -> &Path {
        self.inner.place.data()
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        self.watcher.abort();
        if let Err(error) = self.inner.leave() {
            tracing::warn!(%error, "the private database was not stopped");
        }
    }
}

impl Inner {
    fn join(options: ClusterOptions) -> Result<Self, ClusterError> {
        let place = Place::prepare(&options.dir)?;
        let _lock = lock(&place, options.start_timeout)?;
        server::init_once(&place, &options)?;
        let (pid, child) = server::ensure_running(&place, &options)?;
        let share = open(&place.root.join("users"))?;
        share.lock_shared().map_err(|e| ClusterError::io(&place.root, e))?;
        let how = if child.is_some() { "started" } else { "found running" };
        tracing::info!(pid, data = %place.data().display(), "private PostgreSQL {how}");
        Ok(Self { place, options, state: Mutex::new(State { share: Some(share), pid, child }) })
    }

    /// Gives up our share, and stops the server when nobody else has one.
    fn leave(&self) -> Result<bool, ClusterError> {
        if self.state().share.is_none() {
            return Ok(false);
        }
        let _lock = lock(&self.place, self.options.start_timeout)?;
        let mut state = self.state();
        let Some(share) = state.share.take() else { return Ok(false) };
        drop(share);
        let alone = open(&self.place.root.join("users"))?;
        match alone.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(ClusterError::io(&self.place.root, error)),
        }
        // Our watcher, or another user's, may have started another than the one we know.
        let found = process::PidFile::read(self.place.data()).map_err(|e| ClusterError::io(self.place.data(), e))?;
        let pid = found.map_or(state.pid, |file| file.pid);
        let gone = process::stop_fast(&self.place.processes, pid, STOP_PATIENCE);
        if let Some(mut child) = state.child.take() {
            // Only reaps what has ended.
            let _ = child.try_wait();
        }
        if gone { Ok(true) } else { Err(ClusterError::Stop(pid)) }
    }

    /// Starts the server again when it has died under us.
    fn revive(&self) -> Result<(), ClusterError> {
        let pid = self.state().pid;
        if self.place.processes.is_ours(pid) {
            return Ok(());
        }
        let _lock = lock(&self.place, self.options.start_timeout)?;
        let mut state = self.state();
        if state.share.is_none() {
            return Ok(());
        }
        if let Some(mut child) = state.child.take() {
            let _ = child.try_wait();
        }
        let (pid, child) = server::ensure_running(&self.place, &self.options)?;
        tracing::warn!(old = state.pid, new = pid, "the private PostgreSQL had died, and runs again");
        state.pid = pid;
        state.child = child;
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks after the server, until the last reference to it is gone.
async fn watch(inner: std::sync::Weak<Inner>) {
    loop {
        tokio::time::sleep(WATCH_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = blocking(move || inner.revive()).await {
            tracing::error!(%error, "the private PostgreSQL is down");
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ClusterError::Start(error.to_string())),
    }
}

/// The lock for starting and stopping; freed when dropped, or when this process dies.
fn lock(place: &Place, patience: Duration) -> Result<File, ClusterError> {
    let path = place.root.join("lock");
    let file = open(&path)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => return Err(ClusterError::Busy(path)),
            Err(TryLockError::Error(error)) => return Err(ClusterError::io(&path, error)),
        }
    }
}

fn open(path: &Path) -> Result<File, ClusterError> {
    OpenOptions::new().create(true).read(true).append(true).open(path).map_err(|error| ClusterError::io(path, error))
}

/// A path as a URL's host.
fn percent_encoded(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
