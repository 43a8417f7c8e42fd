//! Partners.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::PartnerId;

statement! {
    struct InsertPartner { id: PartnerId as SqlUuid, code: String as Text, name: String as Text, now: DateTime<Utc> as Timestamptz }
        = "INSERT INTO partner (id, code, name, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (code) DO NOTHING"
}

statement! {
    struct AllPartners {} -> pub Partner { id: PartnerId as SqlUuid, code: String as Text, name: String as Text }
        = "SELECT id, code, name FROM partner ORDER BY code"
}

/// Writes a partner down unless its code is known already.
pub async fn ensure(conn: &mut AsyncPgConnection, code: &str, name: &str, now: DateTime<Utc>) -> QueryResult<()> {
    InsertPartner { id: PartnerId::new(), code: code.to_owned(), name: name.to_owned(), now }.execute(conn).await?;
    Ok(())
}

/// All partners: they are few, and kept in memory by those who ask often.
pub async fn all(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Partner>> {
    AllPartners {}.load(conn).await
}
