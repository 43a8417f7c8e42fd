//! The `[database]` section: where PostgreSQL is, and how long anything may take. Without a URL, a private cluster under
//! `data_dir` is started (see `store::cluster`).

pub mod url;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use self::url::DatabaseUrl;
use super::Problems;

/// The variable that names a server; it wins over `database.url`.
pub const URL_VARIABLE: &str = "DATABASE_URL";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgresql://user@host/name?sslmode=verify-full`. Keep its password in `password_file`, or give the whole in
    /// `DATABASE_URL`.
    pub url: Option<DatabaseUrl>,
    /// A file whose first line is the password, for a URL without one.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) that the server's must descend from, instead of the machine's own.
    pub ca_file: Option<PathBuf>,
    /// The folder of `initdb` and `postgres` for the private cluster, instead of the usual places.
    pub bin_dir: Option<PathBuf>,
    /// The database's name in the private cluster.
    pub name: String,
    /// How long the private cluster may take to start; recovery after a crash reads the log again.
    pub start_timeout_secs: u64,
    /// Connections of one process, at most.
    pub pool_size: usize,
    /// How long a request waits for a connection of the pool, including to open one.
    pub acquire_timeout_ms: u64,
    /// How long one statement may run.
    pub statement_timeout_ms: u64,
    /// How long a statement waits for a lock.
    pub lock_timeout_ms: u64,
    /// How long a transaction may stay idle before the server ends it.
    pub idle_in_transaction_timeout_ms: u64,
    /// How often a transaction is tried when it collides with others.
    pub attempts_max: u32,
    /// Run pending migrations at start; otherwise an old schema refuses to start.
    pub migrate_at_start: bool,
}

impl DatabaseSettings {
    /// The server to use: `DATABASE_URL`, then `database.url`; `None` means the private cluster.
    ///
    /// # Errors
    /// `DATABASE_URL` that is no PostgreSQL URL, as a problem under its name.
    pub fn server(&self) -> Result<Option<DatabaseUrl>, Problems> {
        self.server_with(std::env::var(URL_VARIABLE).ok())
    }

    fn server_with(&self, variable: Option<String>) -> Result<Option<DatabaseUrl>, Problems> {
        match variable.filter(|text| !text.trim().is_empty()) {
            None => Ok(self.url.clone()),
            Some(text) => DatabaseUrl::parse(text.trim()).map(Some).map_err(|error| {
                let mut problems = Problems::default();
                problems.add(URL_VARIABLE, error.to_string());
                problems
            }),
        }
    }

    pub fn acquire_timeout(&self) -> Duration {
        Duration::from_millis(self.acquire_timeout_ms)
    }

    pub fn check(&self, live: bool, problems: &mut Problems) {
        match self.server() {
            Ok(server) => self.check_server(live, server.as_ref(), problems),
            Err(mut found) => problems.0.append(&mut found.0),
        }
        self.check_rest(problems);
    }

    fn check_server(&self, live: bool, server: Option<&DatabaseUrl>, problems: &mut Problems) {
        let Some(server) = server else { return };
        if live && !server.is_local() && !server.ssl().verifies_host() {
            problems.add(
                "database.url",
                format!(
                    "live mode talks to a remote database with sslmode=verify-full only, this one has sslmode={}",
                    server.ssl().as_str()
                ),
            );
        }
    }

    fn check_rest(&self, problems: &mut Problems) {
        let named = |text: &str| {
            !text.is_empty()
                && text.len() <= 63
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if !named(&self.name) {
            problems.add("database.name", "up to 63 of a-z, 0-9 and _");
        }
        if !(1..=500).contains(&self.pool_size) {
            problems.add("database.pool_size", "from 1 to 500");
        }
        if !(1..=100).contains(&self.attempts_max) {
            problems.add("database.attempts_max", "from 1 to 100");
        }
        // PostgreSQL reads 0 as "for ever" and takes an int of milliseconds.
        for (key, value) in [
            ("database.acquire_timeout_ms", self.acquire_timeout_ms),
            ("database.statement_timeout_ms", self.statement_timeout_ms),
            ("database.lock_timeout_ms", self.lock_timeout_ms),
            ("database.idle_in_transaction_timeout_ms", self.idle_in_transaction_timeout_ms),
        ] {
            if !(1..=3_600_000).contains(&value) {
                problems.add(key, "from 1 to 3600000 milliseconds");
            }
        }
        if !(1..=86_400).contains(&self.start_timeout_secs) {
            problems.add("database.start_timeout_secs", "from 1 to 86400 seconds");
        }
        for (key, file) in [("database.ca_file", &self.ca_file), ("database.password_file", &self.password_file)] {
            if let Some(file) = file.as_ref().filter(|file| !file.is_file()) {
                problems.add(key, format!("no file at {}", file.display()));
            }
        }
    }
}

impl Default for DatabaseSettings {
    /// The same as `config/default.toml`, for tools and tests that have no file.
    fn default() -> Self {
        Self {
            url: None,
            password_file: None,
            ca_file: None,
            bin_dir: None,
            name: "landfall".into(),
            start_timeout_secs: 120,
            pool_size: 16,
            acquire_timeout_ms: 5_000,
            statement_timeout_ms: 15_000,
            lock_timeout_ms: 5_000,
            idle_in_transaction_timeout_ms: 15_000,
            attempts_max: 8,
            migrate_at_start: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(settings: &DatabaseSettings, live: bool, url: &str) -> Problems {
        let mut problems = Problems::default();
        let server = DatabaseUrl::parse(url).unwrap();
        settings.check_server(live, Some(&server), &mut problems);
        settings.check_rest(&mut problems);
        problems
    }

    #[test]
    fn defaults_in_code_and_in_the_file_are_the_same() {
        #[derive(Deserialize)]
        struct Section {
            database: DatabaseSettings,
        }
        let file: Section = config::Config::builder()
            .add_source(config::File::from_str(crate::config::DEFAULT_TOML, config::FileFormat::Toml))
            .build()
            .and_then(config::Config::try_deserialize)
            .unwrap();
        assert_eq!(format!("{:?}", file.database), format!("{:?}", DatabaseSettings::default()));
    }

    #[test]
    fn live_mode_refuses_a_remote_database_that_is_not_verified() {
        let settings = DatabaseSettings::default();
        for weak in ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca"] {
            let found = problems_of(&settings, true, &format!("postgresql://u@db.example/x{weak}"));
            assert_eq!(found.0.len(), 1, "{weak}");
            assert_eq!(problems_of(&settings, false, &format!("postgresql://u@db.example/x{weak}")).0, [], "{weak}");
        }
        assert_eq!(problems_of(&settings, true, "postgresql://u@db.example/x?sslmode=verify-full").0, []);
        assert_eq!(problems_of(&settings, true, "postgresql://u@127.0.0.1/x").0, []);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_a_bad_url_is_named() {
        let url = |text: &str| DatabaseUrl::parse(text).unwrap();
        let settings = DatabaseSettings { url: Some(url("postgresql://u@file/x")), ..Default::default() };
        let chosen = settings.server_with(Some("postgresql://u@environment/x".into())).unwrap().unwrap();
        assert_eq!(chosen.to_string(), "postgresql://u@environment/x");
        assert_eq!(settings.server_with(Some(" ".into())).unwrap().unwrap().to_string(), "postgresql://u@file/x");
        assert_eq!(settings.server_with(Some("mysql://x".into())).unwrap_err().0[0].key, "DATABASE_URL");
        assert!(DatabaseSettings::default().server_with(None).unwrap().is_none());
    }

    #[test]
    fn zero_never_means_for_ever() {
        let settings =
            DatabaseSettings { statement_timeout_ms: 0, pool_size: 0, attempts_max: 0, ..Default::default() };
        assert_eq!(problems_of(&settings, false, "postgresql://u@localhost/x").0.len(), 3);
    }
}
