//! The audit trail: each partner's rows in order, and the head of its chain. The chain is computed by the gateway; the store
//! only keeps it.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::statement::statement;
use crate::domain::ids::{AuditId, Mode, PartnerId};

pub(super) type AuditSql = (
    SqlUuid,
    BigInt,
    Text,
    SqlUuid,
    Text,
    Nullable<Text>,
    Text,
    Text,
    Nullable<Jsonb>,
    Nullable<Jsonb>,
    Text,
    Bytea,
    Timestamptz,
);

/// A row of the trail.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct AuditRow {
    pub partner_id: PartnerId,
    /// From 1, without gaps, by partner.
    pub seq: i64,
    pub mode: Mode,
    pub id: AuditId,
    pub actor: String,
    pub origin: Option<String>,
    pub action: String,
    pub object: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub result: String,
    pub hash: Vec<u8>,
    pub at: DateTime<Utc>,
}

statement! {
    /// Locks a partner's head, which is made on first use.
    struct LockHead { partner_id: PartnerId as SqlUuid, start: Vec<u8> as Bytea } -> pub AuditHead {
        seq: i64 as BigInt, hash: Vec<u8> as Bytea,
    } = "INSERT INTO audit_head (partner_id, seq, hash) VALUES (?, 0, ?) \
         ON CONFLICT (partner_id) DO UPDATE SET seq = audit_head.seq RETURNING seq, hash"
}

statement! {
    struct InsertRow {
        partner_id: PartnerId as SqlUuid, seq: i64 as BigInt, mode: Mode as Text, id: AuditId as SqlUuid, actor: String as Text,
        origin: Option<String> as Nullable<Text>, action: String as Text, object: String as Text,
        before: Option<Value> as Nullable<Jsonb>, after: Option<Value> as Nullable<Jsonb>, result: String as Text,
        hash: Vec<u8> as Bytea, at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO audit (partner_id, seq, mode, id, actor, origin, action, object, before, after, result, hash, at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    struct MoveHead { seq: i64 as BigInt, hash: Vec<u8> as Bytea, partner_id: PartnerId as SqlUuid }
        = "UPDATE audit_head SET seq = ?, hash = ? WHERE partner_id = ?"
}

statement! {
    struct Heads {} -> pub ChainHead { partner_id: PartnerId as SqlUuid, seq: i64 as BigInt, hash: Vec<u8> as Bytea }
        = "SELECT partner_id, seq, hash FROM audit_head WHERE seq > 0 ORDER BY partner_id"
}

statement! {
    struct HashAt { partner_id: PartnerId as SqlUuid, seq: i64 as BigInt } -> HashRow { hash: Vec<u8> as Bytea }
        = "SELECT hash FROM audit WHERE partner_id = ? AND seq = ?"
}

statement! {
    struct LastSeq { partner_id: PartnerId as SqlUuid } -> SeqRow { seq: i64 as BigInt }
        = "SELECT COALESCE(max(seq), 0) FROM audit WHERE partner_id = ?"
}

/// Where each chain ends, by partner.
pub async fn heads(conn: &AsyncPgConnection) -> QueryResult<Vec<ChainHead>> {
    Heads {}.load(&mut &*conn).await
}

/// The stored hash of a row. `None`: it isn't there.
pub async fn hash_at(conn: &AsyncPgConnection, partner_id: PartnerId, seq: i64) -> QueryResult<Option<Vec<u8>>> {
    let row: Option<HashRow> = HashAt { partner_id, seq }.get_result(&mut &*conn).await.optional()?;
    Ok(row.map(|row| row.hash))
}

/// The number of a chain's last row; 0: it has none.
pub async fn last_seq(conn: &AsyncPgConnection, partner_id: PartnerId) -> QueryResult<i64> {
    let row: SeqRow = LastSeq { partner_id }.get_result(&mut &*conn).await?;
    Ok(row.seq)
}

/// A partner's head, locked until the transaction ends. A chain without rows starts at `start`.
pub async fn lock_head(conn: &AsyncPgConnection, partner_id: PartnerId, start: &[u8; 32]) -> QueryResult<AuditHead> {
    LockHead { partner_id, start: start.to_vec() }.get_result(&mut &*conn).await
}

/// Appends a row and makes it the head, which the caller has locked.
pub async fn append(conn: &AsyncPgConnection, row: AuditRow) -> QueryResult<()> {
    let head = MoveHead { seq: row.seq, hash: row.hash.clone(), partner_id: row.partner_id };
    InsertRow {
        partner_id: row.partner_id,
        seq: row.seq,
        mode: row.mode,
        id: row.id,
        actor: row.actor,
        origin: row.origin,
        action: row.action,
        object: row.object,
        before: row.before,
        after: row.after,
        result: row.result,
        hash: row.hash,
        at: row.at,
    }
    .execute(&mut &*conn)
    .await?;
    head.execute(&mut &*conn).await?;
    Ok(())
}
