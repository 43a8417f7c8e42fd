//! The audit trail, with each partner's head.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bytea, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{PAGE_ROWS, broken_rows, row_key};
use crate::domain::ids::PartnerId;
use crate::store::audit::{AuditRow, AuditSql};
use crate::store::statement::statement;

broken_rows! {
    /// Heads of trails that have no row where the head says.
    heads_have_rows, of "audit_head",
    "SELECT 'audit_head ' || h.partner_id::text, 'its row ' || h.seq || ' isn''t there' FROM audit_head h \
     WHERE h.seq > 0 AND NOT EXISTS (SELECT 1 FROM audit a WHERE (a.partner_id, a.seq) = (h.partner_id, h.seq))"
}

broken_rows! {
    /// API keys that the trail doesn't know, that may do other things than what they were made for, or that live though they were revoked.
    keys_are_made, of "api_key",
    concat!("SELECT ", row_key!("api_key", "k", "id"), ", CASE \
         WHEN m.after IS NULL THEN 'nobody made it' \
         WHEN m.after->'scopes' IS DISTINCT FROM to_jsonb(k.scopes) THEN 'it has other scopes than it was made with' \
         WHEN r.object IS NOT NULL AND k.revoked_at IS NULL THEN 'it was revoked' END \
     FROM api_key k \
     LEFT JOIN audit m ON (m.partner_id, m.mode, m.action, m.object) \
         = (k.partner_id, k.mode, 'api_key.create', 'key_' || replace(k.id::text, '-', '')) \
     LEFT JOIN audit r ON (r.partner_id, r.mode, r.action, r.object) = (k.partner_id, k.mode, 'api_key.revoke', m.object)")
}

statement! {
    struct Rows { partner_id: PartnerId as SqlUuid, seq: i64 as BigInt, limit: i64 as BigInt }
      => (AuditSql, Nullable<BigInt>, Nullable<Bytea>)
      = "SELECT a.partner_id, a.seq, a.mode, a.id, a.actor, a.origin, a.action, a.object, a.before, a.after, a.result, a.hash, \
             a.at, h.seq, h.hash \
         FROM audit a LEFT JOIN audit_head h ON h.partner_id = a.partner_id \
         WHERE (a.partner_id, a.seq) > (?, ?) ORDER BY a.partner_id, a.seq LIMIT ?"
}

/// Where a partner's chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: i64,
    pub hash: Vec<u8>,
}

/// A page of rows after `last`, by partner and sequence, each with its partner's head; `None`: there is none.
pub async fn page(conn: &mut AsyncPgConnection, last: Option<&AuditRow>) -> QueryResult<Vec<(AuditRow, Option<Head>)>> {
    let (partner_id, seq) = last.map_or((PartnerId(Uuid::nil()), 0), |row| (row.partner_id, row.seq));
    type Row = (AuditRow, Option<i64>, Option<Vec<u8>>);
    let rows: Vec<Row> = Rows { partner_id, seq, limit: PAGE_ROWS }.load(conn).await?;
    Ok(rows.into_iter().map(|(row, seq, hash)| (row, seq.zip(hash).map(|(seq, hash)| Head { seq, hash }))).collect())
}
