//! Terms of partners: a document a version, kept as they are. The newest is in force.

use chrono::{DateTime, Utc};
use diesel::query_builder::Query;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::statement::statement;
use crate::domain::ids::{Mode, PartnerId, Tenant};

statement! {
    struct CurrentVersions {}
    -> pub CurrentVersion { partner_id: PartnerId as SqlUuid, mode: Mode as Text, version: i32 as Integer }
      = "SELECT partner_id, mode, max(version) FROM partner_terms GROUP BY partner_id, mode"
}

statement! {
    struct FindVersion { partner_id: PartnerId as SqlUuid, mode: Mode as Text, version: i32 as Integer }
    -> #[derive(PartialEq)] pub TermsVersion {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, version: i32 as Integer, body: Value as Jsonb, reason: String as Text,
        created_by: String as Text, created_at: DateTime<Utc> as Timestamptz,
    } = "SELECT partner_id, mode, version, body, reason, created_by, created_at FROM partner_terms \
         WHERE partner_id = ? AND mode = ? AND version = ?"
}

statement! {
    struct FindVersions {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, versions: Vec<i32> as Array<Integer>,
    } => <FindVersion as Query>::SqlType
      = "SELECT t.partner_id, t.mode, t.version, t.body, t.reason, t.created_by, t.created_at FROM partner_terms t \
         JOIN UNNEST(?::uuid[], ?::text[], ?::int[]) AS k (partner_id, mode, version) \
         ON (t.partner_id, t.mode, t.version) = (k.partner_id, k.mode, k.version)"
}

statement! {
    struct FindNewest { partner_id: PartnerId as SqlUuid, mode: Mode as Text } => <FindVersion as Query>::SqlType
      = "SELECT partner_id, mode, version, body, reason, created_by, created_at FROM partner_terms \
         WHERE partner_id = ? AND mode = ? ORDER BY version DESC LIMIT 1"
}

statement! {
    struct ListVersions { partner_id: PartnerId as SqlUuid, mode: Mode as Text, before: i32 as Integer, size: i64 as BigInt }
    => <FindVersion as Query>::SqlType
      = "SELECT partner_id, mode, version, body, reason, created_by, created_at FROM partner_terms \
         WHERE partner_id = ? AND mode = ? AND version < ? ORDER BY version DESC LIMIT ?"
}

statement! {
    struct InsertVersion {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, version: i32 as Integer, body: Value as Jsonb, reason: String as Text,
        created_by: String as Text, created_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO partner_terms (partner_id, mode, version, body, reason, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
}

/// Two who write the same version at once collide on it.
pub const ONCE: &str = "partner_terms_pkey";

impl TermsVersion {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// Which version of whose terms is in force, without its body.
pub async fn current(conn: &AsyncPgConnection) -> QueryResult<Vec<CurrentVersion>> {
    CurrentVersions {}.load(&mut &*conn).await
}

/// Those versions, in no order.
pub async fn of_versions(conn: &AsyncPgConnection, wanted: Vec<CurrentVersion>) -> QueryResult<Vec<TermsVersion>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    FindVersions {
        partner_ids: wanted.iter().map(|one| one.partner_id).collect(),
        modes: wanted.iter().map(|one| one.mode).collect(),
        versions: wanted.iter().map(|one| one.version).collect(),
    }
    .load(&mut &*conn)
    .await
}

pub async fn newest(conn: &AsyncPgConnection, tenant: Tenant) -> QueryResult<Option<TermsVersion>> {
    FindNewest { partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

pub async fn find(conn: &AsyncPgConnection, tenant: Tenant, version: i32) -> QueryResult<Option<TermsVersion>> {
    FindVersion { partner_id: tenant.partner_id, mode: tenant.mode, version }.get_result(&mut &*conn).await.optional()
}

/// At most `size` versions before `before`, newest first.
pub async fn list(conn: &AsyncPgConnection, tenant: Tenant, before: i32, size: i64) -> QueryResult<Vec<TermsVersion>> {
    ListVersions { partner_id: tenant.partner_id, mode: tenant.mode, before, size }.load(&mut &*conn).await
}

/// Writes the next version down.
pub async fn insert(conn: &AsyncPgConnection, next: &TermsVersion) -> QueryResult<()> {
    InsertVersion {
        partner_id: next.partner_id,
        mode: next.mode,
        version: next.version,
        body: next.body.clone(),
        reason: next.reason.clone(),
        created_by: next.created_by.clone(),
        created_at: next.created_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}
