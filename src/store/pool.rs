//! The pool of connections that everything shares. Connections are opened when first needed, and a broken one, or one that was
//! given back inside a transaction (its future was dropped), is replaced.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::Bool;
use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt;

use super::connect::{ConnectError, Connector};
use super::error::DbError;
use super::statement::statement;
use crate::config::database::DatabaseSettings;
use crate::config::database::url::DatabaseUrl;

/// A connection of the pool; give `&mut conn` to diesel-async. It goes back when dropped.
pub type Conn = Object<AsyncPgConnection>;

statement! {
    struct IsReadOnly {} => (Bool,) = "SELECT current_setting('transaction_read_only')::boolean"
}

/// The database. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct Db {
    pool: Pool<AsyncPgConnection>,
    connector: Arc<Connector>,
    acquire_timeout: Duration,
    attempts_max: u32,
}

impl Db {
    /// A pool for the server at `url`. Talks to nobody yet; [`get`](Self::get) does.
    pub fn new(url: &DatabaseUrl, settings: &DatabaseSettings) -> Result<Self, ConnectError> {
        let connector = Arc::new(Connector::new(url, settings)?);
        let mut manager = ManagerConfig::default();
        // No query to test a connection: the driver's task notices a closed one, and the retry wrapper the rest.
        manager.recycling_method = RecyclingMethod::Fast;
        let opener = Arc::clone(&connector);
        manager.custom_setup = Box::new(move |_| {
            let opener = Arc::clone(&opener);
            async move { opener.connect().await }.boxed()
        });
        // The manager's own URL is not used: it would not hold everything that a connection needs.
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), manager);
        let pool = Pool::builder(manager)
            .max_size(settings.pool_size)
            .build()
            .expect("deadpool's builder fails only when it has time-outs and no runtime, and it has no time-outs");
        Ok(Self { pool, connector, acquire_timeout: settings.acquire_timeout(), attempts_max: settings.attempts_max })
    }

    /// A connection for statements outside a transaction; what changes more than one row goes through
    /// [`transaction`](super::retry::transaction).
    ///
    /// # Errors
    /// [`DbError::Timeout`] when none is free or can be opened within `database.acquire_timeout_ms`,
    /// [`DbError::Unavailable`] when the server refuses.
    pub async fn get(&self) -> Result<Conn, DbError> {
        match tokio::time::timeout(self.acquire_timeout, self.pool.get()).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(PoolError::Backend(error))) => Err(DbError::Unavailable(error.to_string())),
            Ok(Err(error)) => Err(DbError::Unavailable(error.to_string())),
            Err(_) => Err(DbError::Timeout(format!("no connection within {} ms", self.acquire_timeout.as_millis()))),
        }
    }

    /// Whether the server answers, and takes writes.
    pub async fn ping(&self) -> Result<(), DbError> {
        let mut conn = self.get().await?;
        let (is_read_only,): (bool,) = IsReadOnly {}.get_result(&mut conn).await?;
        if is_read_only {
            drop(Conn::take(conn));
            self.distrust();
            return Err(DbError::ReadOnly("its transactions are read-only".to_owned()));
        }
        Ok(())
    }

    /// Closes the idle connections: they lead to a server that takes no writes, and a new one may lead to another, or find it changed.
    pub fn distrust(&self) {
        self.pool.retain(|_, _| false);
    }

    /// A connection of one's own, outside the pool, for what holds one for long (migrations, LISTEN).
    pub async fn dedicated(&self) -> Result<AsyncPgConnection, DbError> {
        self.connector.connect().await.map_err(|error| DbError::Unavailable(error.to_string()))
    }

    /// How often the retry wrapper tries a transaction.
    pub fn attempts_max(&self) -> u32 {
        self.attempts_max
    }

    /// Connections open, and waiting requests, for the metrics.
    pub fn status(&self) -> PoolStatus {
        let status = self.pool.status();
        PoolStatus { open: status.size, idle: status.available, waiting: status.waiting, max: status.max_size }
    }

    /// Refuses new work and closes idle connections; those in use close when given back.
    pub fn close(&self) {
        self.pool.close();
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Db({:?})", self.status())
    }
}

/// How full the pool is, in connections; `waiting` in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    pub open: usize,
    pub idle: usize,
    pub waiting: usize,
    pub max: usize,
}
