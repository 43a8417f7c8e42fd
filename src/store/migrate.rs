//! The schema's migrations, compiled in from `migrations/`. Several processes may run them at once: each migration runs under a
//! lock on a table of ours, and who comes second finds it done. (No advisory lock: not every SQL engine we may outgrow into has it.)
//!
//! Needs tokio's multi-threaded runtime: diesel's harness blocks the thread it is polled on.

use std::collections::HashSet;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::error::DbError;
use super::pool::Db;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Why the schema isn't what this binary wants.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("migration {name} failed: {why}")]
    Failed { name: String, why: String },
    #[error("migrations can't be read: {0}")]
    Unreadable(String),
    #[error("the schema lacks {}: run `landfall migrate`, or set database.migrate_at_start", .0.join(", "))]
    Pending(Vec<String>),
}

/// Runs what is pending, in order, and answers the names of what this call has run.
pub async fn run(db: &Db) -> Result<Vec<String>, MigrateError> {
    let mut conn = db.dedicated().await?;
    // A migration may rightly take long, or wait for another process's.
    conn.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        .await
        .map_err(DbError::from)?;
    make_table(&mut conn).await?;
    let mut done = Vec::new();
    for name in pending_on(&mut conn).await? {
        let ran;
        (conn, ran) = run_one(conn, &name).await?;
        if ran {
            tracing::info!(migration = name, "migrated");
            done.push(name);
        }
    }
    Ok(done)
}

/// The names of the migrations that the database lacks, in order. Only reads.
pub async fn pending(db: &Db) -> Result<Vec<String>, MigrateError> {
    pending_on(&mut *db.get().await?).await
}

/// At start: migrates when `database.migrate_at_start`, otherwise refuses an old schema.
pub async fn at_start(db: &Db, migrate_at_start: bool) -> Result<(), MigrateError> {
    if migrate_at_start {
        return run(db).await.map(drop);
    }
    let pending = pending(db).await?;
    if pending.is_empty() { Ok(()) } else { Err(MigrateError::Pending(pending)) }
}

fn embedded() -> Result<Vec<Box<dyn Migration<Pg>>>, MigrateError> {
    let mut all =
        MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(|e| MigrateError::Unreadable(e.to_string()))?;
    all.sort_by(|a, b| a.name().version().cmp(&b.name().version()));
    Ok(all)
}

/// Makes diesel's table. `IF NOT EXISTS` doesn't help two that make it at once: one fails on a catalog's key, and tries again.
async fn make_table(conn: &mut AsyncPgConnection) -> Result<(), MigrateError> {
    let mut attempt = 0;
    loop {
        match conn.batch_execute(diesel::migration::CREATE_MIGRATIONS_TABLE).await.map_err(DbError::from) {
            Ok(()) => return Ok(()),
            Err(_) if attempt < 10 => attempt += 1,
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn pending_on(conn: &mut AsyncPgConnection) -> Result<Vec<String>, MigrateError> {
    let applied = applied_on(conn).await?;
    let missing = |m: &dyn Migration<Pg>| !applied.contains(&m.name().version().to_string());
    Ok(embedded()?.iter().filter(|m| missing(m.as_ref())).map(|m| m.name().to_string()).collect())
}

/// Reads what has run without diesel's harness, which would want the right to create the table even where it exists.
async fn applied_on(conn: &mut AsyncPgConnection) -> Result<HashSet<String>, DbError> {
    use diesel_async::RunQueryDsl;

    #[derive(diesel::QueryableByName)]
    struct Applied {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    #[derive(diesel::QueryableByName)]
    struct Made {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        made: bool,
    }
    let table: Made = diesel::sql_query("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS made")
        .get_result(conn)
        .await?;
    if !table.made {
        return Ok(HashSet::new());
    }
    let rows: Vec<Applied> =
        diesel::sql_query("SELECT version::text AS version FROM __diesel_schema_migrations").load(conn).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Runs one migration unless another process has, and answers whether it was us.
async fn run_one(mut conn: AsyncPgConnection, name: &str) -> Result<(AsyncPgConnection, bool), MigrateError> {
    use diesel_async::{AnsiTransactionManager, TransactionManager};

    // What can't run in a transaction (CREATE INDEX CONCURRENTLY) can't hold the lock either; such a migration must be
    // harmless to run twice.
    if !in_transaction(name)? {
        return apply(conn, name);
    }
    AnsiTransactionManager::begin_transaction(&mut conn).await.map_err(DbError::from)?;
    conn.batch_execute("LOCK TABLE __diesel_schema_migrations IN EXCLUSIVE MODE").await.map_err(DbError::from)?;
    // Dropping the connection on an error rolls back.
    let (mut conn, ran) = apply(conn, name)?;
    AnsiTransactionManager::commit_transaction(&mut conn).await.map_err(DbError::from)?;
    Ok((conn, ran))
}

fn find(name: &str) -> Result<Box<dyn Migration<Pg>>, MigrateError> {
    let unknown = || MigrateError::Unreadable(format!("{name} has vanished"));
    embedded()?.into_iter().find(|m| m.name().to_string() == name).ok_or_else(unknown)
}

fn in_transaction(name: &str) -> Result<bool, MigrateError> {
    Ok(find(name)?.metadata().run_in_transaction())
}

fn apply(conn: AsyncPgConnection, name: &str) -> Result<(AsyncPgConnection, bool), MigrateError> {
    let failed = |why: Box<dyn std::error::Error + Send + Sync>| MigrateError::Failed {
        name: name.to_owned(),
        why: with_causes(&*why),
    };
    let migration = find(name)?;
    let mut harness = AsyncMigrationHarness::new(conn);
    let mine = !harness.applied_migrations().map_err(failed)?.contains(&migration.name().version());
    if mine {
        harness.run_migration(&migration).map_err(failed)?;
    }
    Ok((harness.into_inner(), mine))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
