//! The one wrapper around transactions, against real collisions and real lost connections.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use landfall::config::database::DatabaseSettings;
use landfall::store::error::DbError;
use landfall::store::pool::Db;
use landfall::store::retry::{Isolation, transaction, transaction_at};
use tokio::sync::Barrier;

use crate::support::{TestDb, test_settings};

#[derive(Debug, thiserror::Error)]
enum PayError {
    #[error("too little")]
    TooLittle,
    #[error(transparent)]
    Db(#[from] DbError),
}
landfall::transaction_error!(PayError::Db);

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

async fn number(conn: &mut AsyncPgConnection, sql: &str) -> Result<i64, DbError> {
    let row: Number = diesel::sql_query(sql).get_result(conn).await?;
    Ok(row.n)
}

async fn add(conn: &mut AsyncPgConnection, id: i32, amount: i32) -> Result<(), DbError> {
    diesel::sql_query("UPDATE account SET amount = amount + $1 WHERE id = $2")
        .bind::<Integer, _>(amount)
        .bind::<Integer, _>(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// (`attempts.load()` would be diesel's.)
fn count(attempts: &AtomicU32) -> u32 {
    AtomicU32::load(attempts, Ordering::SeqCst)
}

async fn accounts(test_db: &TestDb) -> Db {
    let db = test_db.db();
    db.get()
        .await
        .unwrap()
        .batch_execute(
            "CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL CONSTRAINT never_below CHECK (amount >= 0));
             INSERT INTO account VALUES (1, 100), (2, 100)",
        )
        .await
        .unwrap();
    db
}

async fn amounts(db: &Db) -> (i64, i64) {
    let conn = &mut db.get().await.unwrap();
    let one = number(conn, "SELECT amount::bigint AS n FROM account WHERE id = 1").await.unwrap();
    (one, number(conn, "SELECT amount::bigint AS n FROM account WHERE id = 2").await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_tried_again_and_both_transfers_happen() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let both_hold_one = Barrier::new(2);
    let attempts = AtomicU32::new(0);
    let transfer = async |from: i32, to: i32, first_time: &AtomicU32| {
        transaction(&db, async |conn| {
            attempts.fetch_add(1, Ordering::SeqCst);
            add(conn, from, -10).await?;
            if first_time.fetch_add(1, Ordering::SeqCst) == 0 {
                both_hold_one.wait().await;
            }
            add(conn, to, 10).await
        })
        .await
    };
    let (one, two) = (AtomicU32::new(0), AtomicU32::new(0));
    let (there, back) = tokio::join!(transfer(1, 2, &one), transfer(2, 1, &two));
    there.and(back).unwrap();
    assert_eq!(amounts(&db).await, (100, 100));
    assert!(count(&attempts) >= 3, "nothing collided");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serialization_failure_is_tried_again_in_a_spawned_task_too() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    // Write skew: each reads both and empties its own, if the other still has money.
    let barrier = std::sync::Arc::new(Barrier::new(2));
    let attempts = std::sync::Arc::new(AtomicU32::new(0));
    let run = |id: i32| {
        let (db, barrier, attempts) = (db.clone(), barrier.clone(), attempts.clone());
        tokio::spawn(async move {
            let first_time = AtomicU32::new(0);
            transaction_at(Isolation::Serializable, &db, async |conn| {
                attempts.fetch_add(1, Ordering::SeqCst);
                let sum = number(conn, "SELECT sum(amount) AS n FROM account").await?;
                if first_time.fetch_add(1, Ordering::SeqCst) == 0 {
                    barrier.wait().await;
                }
                if sum < 200 {
                    return Err(PayError::TooLittle);
                }
                add(conn, id, -100).await?;
                Ok(())
            })
            .await
        })
    };
    let (one, two) = tokio::join!(run(1), run(2));
    let outcomes = [one.unwrap(), two.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(PayError::TooLittle))), "{outcomes:?}");
    let (a, b) = amounts(&db).await;
    assert_eq!(a + b, 100);
    assert!(count(&attempts) >= 3, "nothing collided");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_rolls_back_and_is_not_tried_again() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let attempts = AtomicU32::new(0);
    let refused: Result<(), PayError> = transaction(&db, async |conn| {
        attempts.fetch_add(1, Ordering::SeqCst);
        add(conn, 1, -10).await?;
        Err(PayError::TooLittle)
    })
    .await;
    assert!(matches!(refused, Err(PayError::TooLittle)));
    assert_eq!(count(&attempts), 1);
    assert_eq!(amounts(&db).await, (100, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_collisions_are_given_up_and_leave_nothing() {
    let test_db = TestDb::empty().await;
    accounts(&test_db).await;
    let db = test_db.db_with(&DatabaseSettings { attempts_max: 3, ..test_settings() });
    let attempts = AtomicU32::new(0);
    let given_up: Result<(), DbError> = transaction(&db, async |conn| {
        attempts.fetch_add(1, Ordering::SeqCst);
        add(conn, 1, -10).await?;
        Ok(conn.batch_execute("DO $$ BEGIN RAISE EXCEPTION 'collides' USING ERRCODE = '40001'; END $$").await?)
    })
    .await;
    assert!(matches!(given_up, Err(DbError::RetriesExhausted { attempts: 3, .. })), "{given_up:?}");
    assert_eq!(count(&attempts), 3);
    assert_eq!(amounts(&db).await, (100, 100));
    assert_eq!(db.status().open, 1, "the connection stayed good through all attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_schema_come_back_by_name() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let below: Result<(), DbError> = transaction(&db, async |conn| add(conn, 1, -101).await).await;
    assert!(matches!(&below, Err(DbError::Refused(rule)) if rule == "never_below"), "{below:?}");
    let twice: Result<(), DbError> =
        transaction(&db, async |conn| Ok(conn.batch_execute("INSERT INTO account VALUES (1, 5)").await?)).await;
    assert!(twice.unwrap_err().is_conflict_on("account_pkey"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swallowed_failure_is_never_taken_for_a_commit() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let swallowed: Result<(), DbError> = transaction(&db, async |conn| {
        add(conn, 1, -10).await?;
        // A COMMIT after this would answer with success, and roll back.
        let _ = number(conn, "INSERT INTO account VALUES (1, 5) RETURNING 1::bigint AS n").await;
        Ok(())
    })
    .await;
    assert!(matches!(swallowed, Err(DbError::Aborted)), "{swallowed:?}");
    assert_eq!(amounts(&db).await, (100, 100));
    assert_eq!(db.status().open, 1);
}

async fn terminate(conn: &mut AsyncPgConnection, admin: &Db) -> Result<(), DbError> {
    let pid = number(conn, "SELECT pg_backend_pid()::bigint AS n").await?;
    let sql = format!("SELECT pg_terminate_backend({pid}, 5000)::int::bigint AS n");
    assert_eq!(number(&mut *admin.get().await?, &sql).await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_at_commit_is_unknown_and_not_tried_again() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let admin = test_db.db();
    let attempts = AtomicU32::new(0);
    let unknown: Result<(), DbError> = transaction(&db, async |conn| {
        attempts.fetch_add(1, Ordering::SeqCst);
        add(conn, 1, -10).await?;
        terminate(conn, &admin).await
    })
    .await;
    assert!(matches!(unknown, Err(DbError::CommitUnknown(_))), "{unknown:?}");
    assert_eq!(count(&attempts), 1);
    assert_eq!(amounts(&db).await, (100, 100), "reading back tells");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_before_commit_is_tried_again() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let admin = test_db.db();
    let attempts = AtomicU32::new(0);
    let done: Result<(), DbError> = transaction(&db, async |conn| {
        add(conn, 1, -10).await?;
        if attempts.fetch_add(1, Ordering::SeqCst) == 0 {
            terminate(conn, &admin).await?;
        }
        add(conn, 2, 10).await
    })
    .await;
    done.unwrap();
    assert_eq!(count(&attempts), 2);
    assert_eq!(amounts(&db).await, (90, 110));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transaction_rolls_back_and_does_not_poison_the_pool() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let hanging = transaction(&db, async |conn| {
        add(conn, 1, -10).await?;
        std::future::pending::<Result<(), DbError>>().await
    });
    assert!(tokio::time::timeout(Duration::from_millis(300), hanging).await.is_err());
    assert_eq!(amounts(&db).await, (100, 100));
    transaction(&db, async |conn| add(conn, 1, 1).await).await.unwrap();
    assert_eq!(amounts(&db).await, (101, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_and_locks_do_not_wait_for_ever() {
    let test_db = TestDb::empty().await;
    let holder_db = accounts(&test_db).await;
    let settings = DatabaseSettings { statement_timeout_ms: 400, lock_timeout_ms: 200, ..test_settings() };
    let db = test_db.db_with(&settings);
    let slow: Result<i64, DbError> =
        transaction(&db, async |conn| number(conn, "SELECT 1::bigint AS n FROM pg_sleep(20)").await).await;
    assert!(matches!(&slow, Err(DbError::Timeout(why)) if why.contains("statement")), "{slow:?}");

    let locked: Result<(), DbError> = transaction(&holder_db, async |conn| {
        add(conn, 1, 1).await?;
        let blocked: Result<(), DbError> = transaction(&db, async |conn| add(conn, 1, 1).await).await;
        assert!(matches!(&blocked, Err(DbError::Timeout(why)) if why.contains("lock")), "{blocked:?}");
        Ok(())
    })
    .await;
    locked.unwrap();
    assert_eq!(amounts(&db).await, (101, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nested_transaction_is_a_savepoint() {
    use diesel_async::AsyncConnection;

    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let done: Result<(), DbError> = transaction(&db, async |conn| {
        add(conn, 1, 7).await?;
        let inner: Result<(), diesel::result::Error> =
            conn.transaction(async |conn| conn.batch_execute("INSERT INTO account VALUES (1, 5)").await).await;
        assert!(inner.is_err());
        add(conn, 2, 7).await
    })
    .await;
    done.unwrap();
    assert_eq!(amounts(&db).await, (107, 107));
}

#[tokio::test(flavor = "multi_thread")]
async fn partner_codes_are_kept_to_their_alphabet() {
    let test_db = TestDb::new().await;
    let db = test_db.db();
    let insert = async |code: &str| -> Result<(), DbError> {
        transaction(&db, async |conn| {
            diesel::sql_query("INSERT INTO partner VALUES (gen_random_uuid(), $1, 'A', now())")
                .bind::<Text, _>(code)
                .execute(conn)
                .await?;
            Ok(())
        })
        .await
    };
    insert("acme_1-x").await.unwrap();
    assert!(insert("acme_1-x").await.unwrap_err().is_conflict_on("partner_code_key"));
    for bad in ["", "Acme", "a b", "ä"] {
        assert!(matches!(insert(bad).await, Err(DbError::Refused(_))), "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_waiting_in_a_transaction_leaves_no_row_locked() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let transfer = transaction(&db, async |conn| {
        add(conn, 1, -10).await?;
        std::future::pending::<()>().await;
        Ok::<_, DbError>(())
    });
    assert!(tokio::time::timeout(Duration::from_millis(300), transfer).await.is_err());
    // Nobody asks the first pool for a connection any more.
    let other = test_db.db();
    let taken = transaction(&other, async |conn| {
        conn.batch_execute("SET LOCAL lock_timeout = 2000").await?;
        add(conn, 1, -1).await
    });
    taken.await.unwrap();
    assert_eq!(amounts(&other).await, (99, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_told_and_its_connections_are_left() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let name = test_db.database_url().config().get_dbname().unwrap().to_owned();
    let set = async |what: &str| test_db.run(&format!("ALTER DATABASE {name} {what}")).await;
    db.ping().await.unwrap();
    set("SET default_transaction_read_only = on").await;
    drop(diesel_async::pooled_connection::deadpool::Object::take(db.get().await.unwrap()));
    assert!(matches!(db.ping().await, Err(DbError::ReadOnly(_))));
    let refused: Result<(), DbError> = transaction(&db, async |conn| add(conn, 1, -10).await).await;
    assert!(matches!(refused, Err(DbError::ReadOnly(_))), "{refused:?}");
    set("RESET default_transaction_read_only").await;
    // Nothing is left of the connections that were made while it was so.
    transaction(&db, async |conn| add(conn, 1, -10).await).await.unwrap();
    db.ping().await.unwrap();
    assert_eq!(amounts(&db).await, (90, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_as_such_and_leaves_nothing() {
    let test_db = TestDb::empty().await;
    let db = accounts(&test_db).await;
    let full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file \"base/1/1\": No space left on device' \
                USING ERRCODE = '53100'; END $$";
    let refused: Result<(), DbError> = transaction(&db, async |conn| {
        add(conn, 1, -10).await?;
        Ok(conn.batch_execute(full).await?)
    })
    .await;
    assert!(matches!(refused, Err(DbError::Full(_))), "{refused:?}");
    assert_eq!((amounts(&db).await, db.status().open), ((100, 100), 1));
}
