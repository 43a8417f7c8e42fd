//! What `make canary` has the suite leave behind: with `LANDFALL_CANARY` naming a folder, everything logs there at TRACE, databases are dumped
//! there before they are dropped, and the server keeps its write-ahead log and writes down every statement with its parameters. Without the
//! variable nothing of it happens. `tests/process/canary/sweep.rs` searches the folder.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, Once};

use landfall::config::database::url::DatabaseUrl;

/// Where what is searched goes; `None` in ordinary runs.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("LANDFALL_CANARY").map(PathBuf::from)
}

/// The log of a new process of ours; `None` in ordinary runs.
pub fn log_of_child() -> Option<Stdio> {
    let logs = folder()?.join("logs");
    fs::create_dir_all(&logs).unwrap();
    Some(Stdio::from(File::create(logs.join(format!("child-{}.log", uuid::Uuid::now_v7().simple()))).unwrap()))
}

/// Has this process log everything to a file of its own.
pub fn listen() {
    static STARTED: Once = Once::new();
    let Some(folder) = folder() else { return };
    STARTED.call_once(|| {
        let logs = folder.join("logs");
        fs::create_dir_all(&logs).unwrap();
        let file = File::create(logs.join(format!("test-{}.log", std::process::id()))).unwrap();
        // A test that listens for itself keeps its own ear.
        let _ = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(Mutex::new(file))
            .try_init();
    });
}

/// Makes the shared server as talkative as it can be, for every connection to come.
pub async fn make_talkative(admin: &DatabaseUrl) {
    if folder().is_none() {
        return;
    }
    for setting in [
        "ALTER SYSTEM SET wal_keep_size = '16GB'",
        "SELECT pg_reload_conf()",
        "ALTER ROLE landfall SET log_statement = 'all'",
        "ALTER ROLE landfall SET log_min_error_statement = 'error'",
        "ALTER ROLE landfall SET log_error_verbosity = 'verbose'",
        "ALTER ROLE landfall SET log_min_duration_statement = 0",
        "ALTER ROLE landfall SET log_parameter_max_length = 0",
        "ALTER ROLE landfall SET log_parameter_max_length_on_error = 1000000",
        "ALTER ROLE landfall SET wal_compression = off",
    ] {
        // Several processes do it at once: one of them is enough.
        super::try_execute(admin, setting).await;
    }
}

/// Writes every row of every table of a database down as text.
pub async fn dump(name: &str, url: &DatabaseUrl) {
    use std::io::Write;

    let Some(folder) = folder() else { return };
    let dumps = folder.join("dumps");
    fs::create_dir_all(&dumps).unwrap();
    let Ok((client, driver)) = url.config().connect(tokio_postgres::NoTls).await else { return };
    let driver = tokio::spawn(driver);
    let mut file = File::create(dumps.join(format!("{name}.txt"))).unwrap();
    let tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'";
    for table in client.query(tables, &[]).await.unwrap_or_default() {
        let table: &str = table.get(0);
        for row in client.query(&format!("SELECT t::text FROM {table} t"), &[]).await.unwrap_or_default() {
            writeln!(file, "{table} {}", row.get::<_, &str>(0)).unwrap();
        }
    }
    driver.abort();
}
