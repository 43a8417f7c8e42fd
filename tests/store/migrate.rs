//! Migrations: once each, whoever runs them.

use diesel_async::SimpleAsyncConnection;
use landfall::store::migrate::{self, MigrateError};

use crate::support::TestDb;

#[tokio::test(flavor = "multi_thread")]
async fn migrations_run_once() {
    let test_db = TestDb::empty().await;
    let db = test_db.db();
    let pending = migrate::pending(&db).await.unwrap();
    assert!(!pending.is_empty());
    assert!(pending.is_sorted());
    assert_eq!(migrate::run(&db).await.unwrap(), pending);
    assert_eq!(migrate::run(&db).await.unwrap(), Vec::<String>::new());
    assert_eq!(migrate::pending(&db).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_share_the_work() {
    let test_db = TestDb::empty().await;
    let all = migrate::pending(&test_db.db()).await.unwrap();
    let nodes = (0..4).map(|_| {
        let db = test_db.db();
        tokio::spawn(async move { migrate::run(&db).await })
    });
    let mut ran = Vec::new();
    for node in futures_util::future::join_all(nodes).await {
        ran.extend(node.unwrap().unwrap());
    }
    ran.sort();
    assert_eq!(ran, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_schema_is_refused_unless_it_may_be_migrated() {
    let test_db = TestDb::empty().await;
    let db = test_db.db();
    let refused = migrate::at_start(&db, false).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Pending(_)));
    assert!(refused.to_string().contains("landfall migrate"), "{refused}");
    migrate::at_start(&db, true).await.unwrap();
    migrate::at_start(&db, false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_migration_says_why_and_leaves_nothing() {
    let test_db = TestDb::empty().await;
    let db = test_db.db();
    db.get().await.unwrap().batch_execute("CREATE TABLE partner (n int)").await.unwrap();
    let error = migrate::run(&db).await.unwrap_err().to_string();
    assert!(error.contains("_partner") && error.contains("already exists"), "{error}");
    assert!(!migrate::pending(&db).await.unwrap().is_empty());
}

/// What the schema says: columns, constraints and indexes, in the catalogue's words.
const SCHEMA: &str = "SELECT concat_ws(' ', 'column', table_name, column_name, data_type, is_nullable, column_default) \
         FROM information_schema.columns WHERE table_schema = 'public' \
     UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
         FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
     UNION ALL SELECT concat_ws(' ', 'index', indexdef) FROM pg_indexes WHERE schemaname = 'public' \
     UNION ALL SELECT concat_ws(' ', 'options', relname, reloptions) FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn each_migration_is_undone_to_what_was_there_and_done_again_to_the_same() {
    let test_db = TestDb::empty().await;
    let (client, driver) = test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let schema =
        async || -> Vec<String> { client.query(SCHEMA, &[]).await.unwrap().iter().map(|row| row.get(0)).collect() };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut migrations: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    migrations.retain(|path| path.is_dir());
    migrations.sort();
    let text = |path: &std::path::Path, file: &str| std::fs::read_to_string(path.join(file)).unwrap();
    let mut before = Vec::new();
    for migration in &migrations {
        before.push(schema().await);
        client.batch_execute(&text(migration, "up.sql")).await.unwrap();
    }
    let all = schema().await;
    for (migration, before) in migrations.iter().zip(before).rev() {
        client.batch_execute(&text(migration, "down.sql")).await.unwrap();
        let after = schema().await;
        assert!(after == before, "{} leaves another schema: {:?}", migration.display(), difference(&after, &before));
    }
    for migration in &migrations {
        client.batch_execute(&text(migration, "up.sql")).await.unwrap();
    }
    assert!(schema().await == all);
    drop(client);
    driver.abort();
}

/// What only one of both says.
fn difference<'a>(left: &'a [String], right: &'a [String]) -> Vec<&'a String> {
    let only = |these: &'a [String], those: &'a [String]| these.iter().filter(move |line| !those.contains(line));
    only(left, right).chain(only(right, left)).collect()
}
