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
