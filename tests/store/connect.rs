//! Connections: how they are set up, and how a server that isn't there is reported.

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use landfall::config::database::DatabaseSettings;
use landfall::config::database::url::DatabaseUrl;
use landfall::store::error::DbError;
use landfall::store::pool::Db;

use crate::support::{TestDb, test_settings};

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_connection_is_set_up_alike() {
    let test_db = TestDb::empty().await;
    let db = test_db.db();
    let mut conn = db.get().await.unwrap();
    for (name, value) in [
        ("TimeZone", "UTC"),
        ("lc_messages", "C"),
        ("application_name", "landfall"),
        ("statement_timeout", "15s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "15s"),
        ("client_encoding", "UTF8"),
    ] {
        let found: Setting = diesel::sql_query("SELECT current_setting($1) AS value")
            .bind::<Text, _>(name)
            .get_result(&mut conn)
            .await
            .unwrap();
        assert_eq!(found.value, value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_times_out_by_itself() {
    let test_db = TestDb::empty().await;
    let db = test_db.db_with(&DatabaseSettings { pool_size: 1, acquire_timeout_ms: 200, ..test_settings() });
    let held = db.get().await.unwrap();
    assert!(matches!(db.get().await, Err(DbError::Timeout(_))));
    drop(held);
    drop(db.get().await.unwrap());
    assert_eq!(db.status().open, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_unavailable_and_keeps_its_password_out_of_errors() {
    let url = DatabaseUrl::parse("postgresql://u:hunter2@127.0.0.1:1/x").unwrap();
    let error = Db::new(&url, &test_settings()).unwrap().get().await.err().unwrap();
    assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    // A server that answers 'N' to the request for TLS, as one without certificates does.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 8];
            if socket.read_exact(&mut request).await.is_ok() {
                let _ = socket.write_all(b"N").await;
            }
        }
    });
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = DatabaseUrl::parse(&format!("postgresql://u@127.0.0.1:{port}/x?sslmode={mode}")).unwrap();
        let error = Db::new(&url, &test_settings()).unwrap().get().await.err().unwrap();
        assert!(error.to_string().contains("TLS"), "{mode}: {error}");
    }
}
