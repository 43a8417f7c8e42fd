//! The one way to run a transaction. A closure without side effects runs between BEGIN and COMMIT, and again when it collided
//! with another transaction (40001, 40P01) or lost its connection before COMMIT. It never calls the outside world in between,
//! and never repeats a COMMIT whose answer was lost: that is [`DbError::CommitUnknown`], and the caller reads back.
//!
//! ```no_run
//! # use landfall::store::{error::DbError, pool::Db, retry::transaction};
//! # use diesel_async::RunQueryDsl;
//! # async fn example(db: &Db, code: String) -> Result<(), DbError> {
//! let rows = transaction(db, async |conn| {
//!     // Capture by reference (no `move`), since it may run more than once.
//!     let rows = diesel::sql_query("update partner set name = code where code = $1")
//!         .bind::<diesel::sql_types::Text, _>(&code)
//!         .execute(conn)
//!         .await?;
//!     Ok::<_, DbError>(rows)
//! })
//! .await?;
//! # let _ = rows; Ok(()) }
//! ```
//!
//! A closure that answers an error rolls back. A use case's own error joins in with one line: `transaction_error!(PayError::Db);`.

use std::panic::Location;
use std::time::Duration;

use diesel::connection::TransactionDepthChange;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, SimpleAsyncConnection, TransactionManager};

use super::error::DbError;
use super::pool::{Conn, Db};
use crate::torture::{self, Injected, Place};

/// How far a transaction is shielded from others, in PostgreSQL's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    #[default]
    ReadCommitted,
    /// One snapshot for all statements: reports and checks over many tables.
    RepeatableRead,
    /// As if transactions ran one after another; collisions are retried.
    Serializable,
}

impl Isolation {
    const fn begin(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Isolation::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        }
    }
}

/// The error of a closure in a transaction: the use case's own refusals, or a failure of the database, which the wrapper must
/// be able to see in order to retry. Implement it with [`transaction_error!`](crate::transaction_error).
pub trait TransactionError: From<DbError> + Send {
    fn db_error(&self) -> Option<&DbError>;
}

impl TransactionError for DbError {
    fn db_error(&self) -> Option<&DbError> {
        Some(self)
    }
}

/// `transaction_error!(PayError::Db);` implements [`TransactionError`] for `PayError`, whose variant `Db(#[from] DbError)`
/// holds the database's failures.
#[macro_export]
macro_rules! transaction_error {
    ($error:ident :: $variant:ident) => {
        impl $crate::store::retry::TransactionError for $error {
            fn db_error(&self) -> Option<&$crate::store::error::DbError> {
                match self {
                    Self::$variant(error) => Some(error),
                    #[allow(unreachable_patterns, reason = "the enum may have this variant alone")]
                    _ => None,
                }
            }
        }
    };
}

/// An async closure that may run several times, with a future that can move between threads. Implemented for all of them
/// (`async |conn| {...}` that captures by reference); the bound is spelled out because the language can't name it yet.
pub trait Work<C, R>: AsyncFn(C) -> R + Fn(C) -> <Self as Work<C, R>>::Fut {
    type Fut: Future<Output = R>;
}

impl<F, C, Fut, R> Work<C, R> for F
where
    F: AsyncFn(C) -> R + Fn(C) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// The first wait before a retry, in milliseconds; it doubles, and half of it is drawn at random.
const BACKOFF_MS_FIRST: u64 = 5;
const BACKOFF_MS_MAX: u64 = 500;

/// Runs `work` in a READ COMMITTED transaction; see the module's head.
#[track_caller]
pub fn transaction<T, E, F>(db: &Db, work: F) -> impl Future<Output = Result<T, E>>
where
    for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T, E>
        + Work<&'r mut AsyncPgConnection, Result<T, E>, Fut: Send>
        + Send
        + Sync,
    E: TransactionError,
    T: Send,
{
    run(Isolation::ReadCommitted, db, work, Location::caller())
}

/// Runs `work` in a transaction of the given isolation.
///
/// # Errors
/// The closure's own error after a rollback; or, as [`DbError`] in `E`: [`DbError::RetriesExhausted`] when every attempt
/// (`database.attempts_max`) collided or lost its connection, [`DbError::CommitUnknown`] when COMMIT's answer was lost,
/// [`DbError::Aborted`] when the closure answered `Ok` after it had swallowed a statement's failure.
#[track_caller]
pub fn transaction_at<T, E, F>(isolation: Isolation, db: &Db, work: F) -> impl Future<Output = Result<T, E>>
where
    for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T, E>
        + Work<&'r mut AsyncPgConnection, Result<T, E>, Fut: Send>
        + Send
        + Sync,
    E: TransactionError,
    T: Send,
{
    run(isolation, db, work, Location::caller())
}

async fn run<T, E, F>(isolation: Isolation, db: &Db, work: F, at: &'static Location<'static>) -> Result<T, E>
where
    for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T, E>
        + Work<&'r mut AsyncPgConnection, Result<T, E>, Fut: Send>
        + Send
        + Sync,
    E: TransactionError,
    T: Send,
{
    let mut attempt = 1;
    loop {
        let mut open = Open(Some(db.get().await?));
        let outcome = match begin(open.conn()?, isolation).await {
            Ok(()) => {
                let answer = work(open.conn()?).await;
                finish(open, answer, at).await
            }
            Err(error) => Err(E::from(error)),
        };
        if let Err(error) = &outcome
            && matches!(error.db_error(), Some(DbError::ReadOnly(_)))
        {
            db.distrust();
        }
        match outcome {
            Ok(value) => return Ok(value),
            Err(error) => attempt = after_failure(error, attempt, db.attempts_max()).await?,
        }
    }
}

/// Waits before the next attempt and answers its number, or gives up with the error.
async fn after_failure<E: TransactionError>(error: E, attempt: u32, attempts_max: u32) -> Result<u32, E> {
    let Some(cause) = error.db_error().filter(|cause| cause.is_retryable()) else {
        return Err(error);
    };
    if attempt >= attempts_max {
        let last = match cause {
            DbError::Unavailable(why) => DbError::Unavailable(why.clone()),
            other => DbError::Collision(other.to_string()),
        };
        return Err(DbError::RetriesExhausted { attempts: attempt, last: Box::new(last) }.into());
    }
    tracing::debug!(attempt, %cause, "transaction is tried again");
    tokio::time::sleep(backoff(attempt, rand::random())).await;
    Ok(attempt + 1)
}

/// How long to wait after the given attempt: doubles from 5 ms to at most 500 ms, the upper half of it by `random`.
fn backoff(attempt: u32, random: u64) -> Duration {
    let doubled = BACKOFF_MS_FIRST.saturating_mul(1 << (attempt - 1).min(10));
    let most = doubled.min(BACKOFF_MS_MAX);
    let least = most / 2;
    Duration::from_millis(least + random % (most - least + 1))
}

async fn begin(conn: &mut AsyncPgConnection, isolation: Isolation) -> Result<(), DbError> {
    Ok(AnsiTransactionManager::begin_transaction_sql(conn, isolation.begin()).await?)
}

/// A connection that is in a transaction, or may be. Dropped, it is closed, and the server rolls back at once: whoever stopped
/// waiting in the middle would leave rows locked in the pool until somebody takes that connection again.
struct Open(Option<Conn>);

impl Open {
    fn conn(&mut self) -> Result<&mut AsyncPgConnection, DbError> {
        let gone = || DbError::Unavailable("the connection was given back already".to_owned());
        self.0.as_deref_mut().ok_or_else(gone)
    }

    /// Nothing is open any more: it goes back to the pool.
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(conn) = self.0.take() {
            drop(Conn::take(conn));
        }
    }
}

/// Commits an `Ok`, rolls back an `Err`. A connection whose state is in doubt is thrown away, not given back to the pool.
async fn finish<T, E: TransactionError>(
    mut open: Open,
    answer: Result<T, E>,
    at: &'static Location<'static>,
) -> Result<T, E> {
    let answer = match answer {
        Ok(value) => torture::reach(Place::Transaction(at, "before commit")).await.map(|()| value).map_err(failed),
        Err(error) => Err(error),
    };
    match answer {
        Ok(value) => match commit(open.conn()?).await {
            Ok(()) => {
                open.give_back();
                match torture::reach(Place::Transaction(at, "after commit")).await {
                    Ok(()) => Ok(value),
                    Err(injected) => Err(DbError::CommitUnknown(injected.to_string()).into()),
                }
            }
            Err(error) => {
                // In doubt it is closed.
                if !matches!(error, DbError::CommitUnknown(_)) {
                    roll_back(open).await;
                }
                Err(error.into())
            }
        },
        // Closed: the next one may lead to a server that takes writes.
        Err(error) if matches!(error.db_error(), Some(DbError::ReadOnly(_))) => Err(error),
        Err(error) => {
            roll_back(open).await;
            Err(error)
        }
    }
}

/// A failpoint's failure, as a statement that was refused would fail.
fn failed<E: TransactionError>(injected: Injected) -> E {
    DbError::Refused(injected.to_string()).into()
}

/// Sends COMMIT, behind an empty SELECT in the same message. When a statement of the transaction had failed, COMMIT alone would
/// answer with success and roll back; the SELECT fails instead, and the rest of the message is skipped.
async fn commit(conn: &mut AsyncPgConnection) -> Result<(), DbError> {
    match conn.batch_execute("SELECT; COMMIT").await {
        Ok(()) => {
            // diesel's own book-keeping, by which the pool knows that nothing is left open.
            let status = AnsiTransactionManager::transaction_manager_status_mut(conn);
            Ok(status.transaction_state()?.change_transaction_depth(TransactionDepthChange::DecreaseDepth)?)
        }
        Err(error) => Err(match DbError::from(error) {
            // The server itself says that it rolled back.
            definite @ (DbError::Collision(_)
            | DbError::Conflict(_)
            | DbError::Refused(_)
            | DbError::Aborted
            | DbError::ReadOnly(_)
            | DbError::Full(_)) => definite,
            doubtful => DbError::CommitUnknown(doubtful.to_string()),
        }),
    }
}

async fn roll_back(mut open: Open) {
    let Ok(conn) = open.conn() else { return };
    match AnsiTransactionManager::rollback_transaction(conn).await {
        Ok(()) => open.give_back(),
        Err(error) => tracing::debug!(%error, "a connection is thrown away since it did not roll back"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_within_its_bounds() {
        for (attempt, least, most) in [(1, 2, 5), (2, 5, 10), (3, 10, 20), (8, 250, 500), (60, 250, 500)] {
            for random in [0, 1, 7, u64::MAX] {
                let wait = backoff(attempt, random);
                assert!(
                    (Duration::from_millis(least)..=Duration::from_millis(most)).contains(&wait),
                    "{attempt} {wait:?}"
                );
            }
        }
    }
}
