//! A database of its own for each test, on one throwaway PostgreSQL that all test processes share.
//!
//! The server is the project's own private cluster, without fsync, under `target/tmp`. The first test process starts it, the
//! others (nextest runs each test in a process of its own) join it, and none stops it: `make test` stops and removes it at its
//! end, and after a plain `cargo test` it stays for the next run. It is keyed by the machine's boot, since a server without
//! fsync doesn't survive a reset; clusters of earlier boots are removed.
//!
//! A test's database is a copy of a template that was migrated once, keyed by a hash of `migrations/`. It is dropped when the
//! test passes; a failed test prints its URL and leaves it for a look. What is older than some hours is reaped when the next
//! process begins.
//!
//! ```ignore
//! #[path = "../support/mod.rs"]
//! mod support;
//!
//! #[tokio::test(flavor = "multi_thread")]
//! async fn rows_stay_where_they_are_put() {
//!     let test_db = support::TestDb::new().await;
//!     let db = test_db.db();
//! }
//! ```

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that can't be set up fails, and says where it left its database"
)]

pub mod canary;
pub mod scripted;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use landfall::clock::{Clock, SystemClock};
use landfall::config::database::DatabaseSettings;
use landfall::config::database::url::DatabaseUrl;
use landfall::store::cluster::{ClusterOptions, PrivateCluster};
use landfall::store::migrate;
use landfall::store::pool::Db;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

/// Databases of failed tests are kept this long, in seconds.
const KEPT_SECS: i64 = 6 * 3600;
/// A test needs few connections, and many tests run at once.
const POOL_SIZE: usize = 4;

static SERVER: OnceCell<Server> = OnceCell::const_new();
static DATABASES_MADE: AtomicU32 = AtomicU32::new(0);

/// The shared server, and the migrated template in it.
struct Server {
    cluster: PrivateCluster,
    template: String,
}

/// A database that only this test knows.
pub struct TestDb {
    name: String,
    url: DatabaseUrl,
    url_text: String,
    admin: DatabaseUrl,
}

impl TestDb {
    /// A database with all migrations.
    pub async fn new() -> Self {
        let server = server().await;
        Self::create(server, &format!("TEMPLATE {} STRATEGY file_copy", server.template)).await
    }

    /// A database without any table.
    pub async fn empty() -> Self {
        Self::create(server().await, "TEMPLATE template0 STRATEGY file_copy").await
    }

    /// A database of its own that holds what this one holds now. Whoever is connected to this one is sent away.
    pub async fn copy(&self) -> Self {
        let others =
            format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}'", self.name);
        execute(&self.admin, &others).await;
        Self::create(server().await, &format!("TEMPLATE {} STRATEGY file_copy", self.name)).await
    }

    async fn create(server: &Server, how: &str) -> Self {
        let made = DATABASES_MADE.fetch_add(1, Ordering::Relaxed);
        let now = SystemClock.now().timestamp();
        let name = format!("t_{now}_{}_{made}", std::process::id());
        let admin = server.cluster.database_url("postgres").unwrap();
        execute(&admin, &format!("CREATE DATABASE {name} {how}")).await;
        let url_text = server.cluster.url(&name);
        Self { url: server.cluster.database_url(&name).unwrap(), name, url_text, admin }
    }

    /// The one number that a statement answers.
    pub async fn count(&self, statement: &str) -> i64 {
        use diesel_async::RunQueryDsl;

        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        let db = self.db();
        let mut conn = db.get().await.unwrap();
        diesel::sql_query(statement).get_result::<Count>(&mut conn).await.unwrap().count
    }

    /// A statement by a connection that is none of the pool's.
    pub async fn run(&self, statement: &str) {
        execute(&self.admin, statement).await;
    }

    /// For a process that is given `DATABASE_URL`.
    pub fn url(&self) -> &str {
        &self.url_text
    }

    pub fn database_url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// A small pool, with the settings of [`test_settings`].
    pub fn db(&self) -> Db {
        self.db_with(&test_settings())
    }

    pub fn db_with(&self, settings: &DatabaseSettings) -> Db {
        Db::new(&self.url, settings).unwrap()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the database of this test is kept: psql '{}'", self.url_text);
            return;
        }
        let (admin, drop_it) = (self.admin.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        let (name, url) = (self.name.clone(), self.url.clone());
        // A runtime of its own: this may run inside the test's, which can't be blocked on.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(canary::dump(&name, &url));
            runtime.block_on(execute(&admin, &drop_it));
        });
        let _ = dropped.join();
    }
}

/// The default settings with a small pool.
pub fn test_settings() -> DatabaseSettings {
    DatabaseSettings { pool_size: POOL_SIZE, acquire_timeout_ms: 30_000, ..DatabaseSettings::default() }
}

async fn server() -> &'static Server {
    SERVER.get_or_init(start).await
}

async fn start() -> Server {
    canary::listen();
    let tmp = &canary::folder().unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
    fs::create_dir_all(tmp).unwrap();
    let options = ClusterOptions { fsync: false, ..ClusterOptions::new(cluster_dir(tmp)) };
    let cluster = PrivateCluster::start_or_join(&options).await.unwrap();
    let template = format!("template_{}", migrations_hash());
    let admin = cluster.database_url("postgres").unwrap();
    canary::make_talkative(&admin).await;
    if !exists(&admin, &template).await {
        make_template(tmp, &cluster, &admin, &template).await;
    }
    reap(&admin).await;
    Server { cluster, template }
}

/// `target/tmp/pg-BOOT`. Those of earlier boots are removed; their servers died with the machine.
fn cluster_dir(tmp: &Path) -> PathBuf {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let name = format!("pg-{}", boot.chars().take(8).collect::<String>());
    for entry in fs::read_dir(tmp).unwrap().flatten() {
        let other = entry.file_name().to_string_lossy().into_owned();
        if other.starts_with("pg-") && other != name {
            if let Ok(moved) = fs::read_to_string(entry.path().join("MOVED")) {
                let _ = fs::remove_dir_all(moved.trim());
            }
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    tmp.join(name)
}

/// Migrates a database under another name first, so that a template by its name is always whole.
async fn make_template(tmp: &Path, cluster: &PrivateCluster, admin: &DatabaseUrl, template: &str) {
    let lock = File::create(tmp.join("template.lock")).unwrap();
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.unwrap().unwrap();
    if !exists(admin, template).await {
        let raw = format!("{template}_raw");
        execute(admin, &format!("DROP DATABASE IF EXISTS {raw} WITH (FORCE)")).await;
        execute(admin, &format!("CREATE DATABASE {raw} TEMPLATE template0")).await;
        {
            let db = Db::new(&cluster.database_url(&raw).unwrap(), &test_settings()).unwrap();
            migrate::run(&db).await.unwrap();
            db.close();
        }
        let nobody = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{raw}'");
        execute(admin, &nobody).await;
        execute(admin, &format!("ALTER DATABASE {raw} RENAME TO {template}")).await;
    }
    drop(lock);
}

/// Drops what failed tests left hours ago. Its age is in a database's name.
async fn reap(admin: &DatabaseUrl) {
    let oldest = SystemClock.now().timestamp() - KEPT_SECS;
    let (client, driver) = admin.config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    for row in client.query("SELECT datname FROM pg_database WHERE datname LIKE 't\\_%'", &[]).await.unwrap() {
        let name: &str = row.get(0);
        let made = name.split('_').nth(1).and_then(|secs| secs.parse::<i64>().ok());
        if made.is_some_and(|made| made < oldest) {
            // Another process may be reaping the same.
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await;
        }
    }
    drop(client);
    driver.abort();
}

/// Of the names and texts of all migrations. The compiled-in ones are the same: build.rs watches the folder.
fn migrations_hash() -> String {
    let mut files = Vec::new();
    for folder in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).unwrap() {
        let up = folder.unwrap().path().join("up.sql");
        if up.exists() {
            files.push(up);
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(fs::read(&file).unwrap());
    }
    hex::encode(&hash.finalize()[..6])
}

async fn exists(admin: &DatabaseUrl, database: &str) -> bool {
    let (client, driver) = admin.config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let found = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&database]).await.unwrap();
    driver.abort();
    found.is_some()
}

async fn execute(url: &DatabaseUrl, sql: &str) {
    let (client, driver) = url.config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    driver.abort();
}

/// A statement whose failure doesn't matter.
async fn try_execute(url: &DatabaseUrl, sql: &str) {
    let (client, driver) = url.config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let _ = client.batch_execute(sql).await;
    drop(client);
    driver.abort();
}
