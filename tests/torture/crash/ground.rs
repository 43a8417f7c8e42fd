//! What crash tests stand on: a PostgreSQL of their own that flushes to the disk, a migrated and configured database to copy from,
//! keys, and a database for each case.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use landfall::clock::{Clock, SystemClock};
use landfall::config::Settings;
use landfall::http::auth::mint_development_token;
use landfall::store::cluster::{ClusterOptions, PrivateCluster};
use tokio::process::Command;
use tokio_postgres::{Client as Sql, NoTls};

use super::client::Client;
use super::server::{Launch, Server, free_port};

/// How long a claimed job is a process's, in the settings of crash tests.
pub const LEASE: Duration = Duration::from_millis(1500);
const TEMPLATE: &str = "template_crash";

/// Short times all over, and no breaker: a case makes more unknown outcomes than any provider would be forgiven.
const SETTINGS: &str = r#"
[http]
workers = 1
shutdown_timeout_secs = 2
idempotency_lease_secs = 2
[telemetry]
level = "warn"
[database]
pool_size = 6
acquire_timeout_ms = 2000
statement_timeout_ms = 5000
lock_timeout_ms = 3000
idle_in_transaction_timeout_ms = 5000
[pricing]
offer_ttl_secs = 600
[providers.test]
latency_ms = 3
send_timeout_ms = 700
timeout_ms = 80
settling_time_ms = 150
later_ms = 150
returned_after_ms = 300
[providers]
http.send_timeout_ms = 700
adyen.send_timeout_ms = 700
checkout.send_timeout_ms = 700
tabapay.send_timeout_ms = 700
worldpay.send_timeout_ms = 700
[wallet]
pay_wait_secs = 1
[gateway]
inquiry_intervals_ms = [80, 120, 200, 300, 400, 500]
balance_sync_secs = 1
account_check_secs = 1
breaker = { window_secs = 60, calls_min = 1000000, error_percent_max = 50, unknown_percent_max = 30, open_secs = 30, open_secs_max = 600, probes_max = 3 }
[worker]
poll_ms = 40
lease_ms = 1500
housekeeping_ms = 300
"#;

static GROUNDS: AtomicU32 = AtomicU32::new(0);

/// A cluster, and what every case of a run shares.
pub struct Ground {
    pub cluster: PrivateCluster,
    root: PathBuf,
    settings: Settings,
    /// The demo partner's key with every scope.
    pub api_key: String,
    /// The demo partner's payout point.
    pub point: String,
    /// A route for `test_usd`.
    pub route: String,
    made: AtomicU32,
}

impl Ground {
    pub async fn new() -> Self {
        Self::in_folder(None).await
    }

    /// With the database's data in a folder of the caller's.
    pub async fn in_folder(data: Option<&Path>) -> Self {
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(tmp).unwrap();
        reap(tmp).await;
        let n = GROUNDS.fetch_add(1, Ordering::Relaxed);
        let root = tmp.join(format!("crash-{}-{n}", std::process::id()));
        fs::create_dir_all(root.join("data")).unwrap();
        let file = root.join("landfall.toml");
        fs::write(&file, SETTINGS).unwrap();
        let options = ClusterOptions::new(data.map_or_else(|| root.join("pg"), Path::to_owned));
        let cluster = PrivateCluster::start_or_join(&options).await.unwrap();
        let mut settings = Settings::load(Some(&file)).unwrap();
        settings.data_dir = root.join("data");
        let mut ground = Self {
            cluster,
            root,
            settings,
            api_key: String::new(),
            point: String::new(),
            route: String::new(),
            made: AtomicU32::new(0),
        };
        ground.make_template().await;
        ground
    }

    async fn make_template(&mut self) {
        self.admin(&format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0")).await;
        let url = self.cluster.url(TEMPLATE);
        let arguments =
            ["api-key", "create", "--partner", "demo", "--mode", "test", "--name", "crash", "--scopes", "all"];
        let output = self.run(&url, &arguments).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.api_key = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        // The development administrator is made once, not by every process that starts.
        let server = Server::start(self, &Launch::new(&url, free_port(), "api,worker,dashboard", "template")).await;
        assert!(server.unwrap().stop().await);
        let (sql, driver) = connect(&url).await;
        let id = async |prefix: &str, table: &str, code: &str| -> String {
            let text = format!("SELECT '{prefix}_' || replace(id::text, '-', '') FROM {table} WHERE code = '{code}'");
            sql.query_one(&text, &[]).await.unwrap().get(0)
        };
        self.point = id("pop", "payout_point", "wallet").await;
        self.route = id("prt", "payout_route", "sandbox-a-test-usd").await;
        drop(sql);
        driver.abort();
        let nobody =
            format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'");
        self.admin(&nobody).await;
    }

    /// A statement outside the cases' databases.
    pub async fn admin(&self, statement: &str) {
        let (sql, driver) = connect(&self.cluster.url("postgres")).await;
        sql.batch_execute(statement).await.unwrap();
        drop(sql);
        driver.abort();
    }

    /// A database of its own for a case.
    pub async fn database(&self) -> Database {
        let name = format!("case_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.admin(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log")).await;
        Database { url: self.cluster.url(&name), name }
    }

    /// A database without any table.
    pub async fn empty_database(&self) -> Database {
        let name = format!("case_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.admin(&format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        Database { url: self.cluster.url(&name), name }
    }

    pub async fn drop(&self, database: &Database) {
        self.admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database.name)).await;
    }

    /// `landfall` with these arguments over a database.
    pub fn command(&self, url: &str, arguments: &[&str]) -> Command {
        // A long run keeps to the binary that it began with.
        let program = std::env::var("TORTURE_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_landfall").to_owned());
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("DATABASE_URL", url)
            .env("LANDFALL_CONFIG", self.root.join("landfall.toml"))
            .env("LANDFALL__DATA_DIR", self.root.join("data"))
            .kill_on_drop(true)
            .stdin(std::process::Stdio::null());
        command
    }

    pub async fn run(&self, url: &str, arguments: &[&str]) -> Output {
        self.command(url, arguments).output().await.unwrap()
    }

    /// Where a process writes what it says.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn client(&self, ports: &[u16]) -> Client {
        Client::new(&self.api_key, ports)
    }

    /// A wallet user's token.
    pub fn token(&self, user: &str) -> String {
        let now = SystemClock.now();
        mint_development_token(&self.settings, user, Some(3), TimeDelta::hours(8), now).unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the processes said, and the database, are kept in {}", self.root.display());
            return;
        }
        let pid = self.cluster.server_pid();
        kill_cluster(self.cluster.data_dir(), pid);
        if let Some(elsewhere) = self.cluster.data_dir().parent() {
            let _ = fs::remove_dir_all(elsewhere);
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// A case's database.
pub struct Database {
    pub name: String,
    pub url: String,
}

pub async fn connect(url: &str) -> (Sql, tokio::task::JoinHandle<()>) {
    let url = landfall::config::database::url::DatabaseUrl::parse(url).unwrap();
    let (client, driver) = url.config().connect(NoTls).await.unwrap();
    let driver = tokio::spawn(async move {
        let _ = driver.await;
    });
    (client, driver)
}

/// The processes of the server over `data`, and no others: the postmaster, then its children.
pub fn processes_over(data: &Path, postmaster: i32) -> Vec<i32> {
    let line = fs::read(format!("/proc/{postmaster}/cmdline")).unwrap_or_default();
    if !line.split(|byte| *byte == 0).any(|argument| argument == data.as_os_str().as_encoded_bytes()) {
        return Vec::new();
    }
    let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap_or_default();
    std::iter::once(postmaster).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
}

/// kill -9 of the server over `data` with all of its children.
pub fn kill_cluster(data: &Path, postmaster: i32) -> usize {
    let processes = processes_over(data, postmaster);
    for pid in &processes {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::Signal::SIGKILL);
    }
    processes.len()
}

/// Removes what killed runs left: a folder whose run's process is gone.
async fn reap(tmp: &Path) {
    for entry in fs::read_dir(tmp).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(pid) = name.strip_prefix("disk-").filter(|pid| !Path::new("/proc").join(pid).exists()) {
            // A small disk that a run which failed left mounted; PostgreSQL over it ended with that run.
            let _ = std::process::Command::new("umount").arg(entry.path()).output();
            let _ = fs::remove_dir(entry.path());
            eprintln!("removed the disk of the run {pid}");
            continue;
        }
        let Some(pid) = name.strip_prefix("crash-").and_then(|rest| rest.split('-').next()) else { continue };
        if Path::new("/proc").join(pid).exists() {
            continue;
        }
        let root = fs::read_to_string(entry.path().join("pg/MOVED"))
            .map_or_else(|_| entry.path().join("pg"), |moved| PathBuf::from(moved.trim()));
        let data = root.join("data");
        let postmaster = fs::read_to_string(data.join("postmaster.pid")).ok();
        if let Some(pid) = postmaster.and_then(|text| text.lines().next()?.trim().parse().ok()) {
            kill_cluster(&data, pid);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = fs::remove_dir_all(&root);
        let _ = fs::remove_dir_all(entry.path());
    }
}
