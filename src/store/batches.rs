//! Batches: payout requests that came in one file, and what was wrong with its lines. Never the lines themselves.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::ids::{BatchId, Mode, PartnerId, PayoutPointId, Tenant};
use crate::domain::payout_request::RequestStatus;

type BatchSql = (SqlUuid, Text, SqlUuid, SqlUuid, Text, Text, Integer, Bytea, Text, Timestamptz, Timestamptz);
type ProblemSql = (SqlUuid, Text, SqlUuid, Integer, SmallInt, Nullable<Text>, Text, Text);

/// A batch as stored.
#[derive(Clone, Debug, PartialEq, diesel::Queryable)]
pub struct Batch {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: BatchId,
    pub point_id: PayoutPointId,
    pub name: String,
    /// `ready`, `processing` once it was told to, `terminated`; whether all is done its items tell.
    pub status: String,
    /// Rows of the file, the skipped ones included.
    pub row_count: i32,
    /// SHA-256 of the file.
    pub digest: Vec<u8>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// One thing that was wrong with a line, which was skipped.
#[derive(Clone, Debug, PartialEq, Eq, diesel::Queryable)]
pub struct BatchProblem {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub batch_id: BatchId,
    /// Of the file, from 1, the header included.
    pub line: i32,
    pub number: i16,
    /// The column, if it is one's.
    pub field: Option<String>,
    pub code: String,
    pub detail: String,
}

statement! {
    struct InsertBatch {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: BatchId as SqlUuid, point_id: PayoutPointId as SqlUuid,
        name: String as Text, status: String as Text, row_count: i32 as Integer, digest: Vec<u8> as Bytea, created_by: String as Text,
        created_at: DateTime<Utc> as Timestamptz, updated_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO batch (partner_id, mode, id, point_id, name, status, row_count, digest, created_by, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    struct InsertProblems {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<BatchId> as Array<SqlUuid>,
        lines: Vec<i32> as Array<Integer>, numbers: Vec<i16> as Array<SmallInt>, fields: Vec<Option<String>> as Array<Nullable<Text>>,
        codes: Vec<String> as Array<Text>, details: Vec<String> as Array<Text>,
    } = "INSERT INTO batch_problem (partner_id, mode, batch_id, line, number, field, code, detail) \
         SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::int[], ?::smallint[], ?::text[], ?::text[], ?::text[])"
}

statement! {
    struct FindBatch { id: BatchId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => BatchSql
      = "SELECT partner_id, mode, id, point_id, name, status, row_count, digest, created_by, created_at, updated_at FROM batch \
         WHERE id = ? AND partner_id = ? AND mode = ?"
}

statement! {
    struct SameFile { tenant: String as Text, digest: Vec<u8> as Bytea } => (SqlUuid,)
      = "SELECT id FROM batch WHERE (partner_id::text || mode) = ? AND digest = ? ORDER BY created_at DESC, id DESC LIMIT 1"
}

statement! {
    struct SetStatus {
        status: &'static str as Text, now: DateTime<Utc> as Timestamptz, id: BatchId as SqlUuid, partner_id: PartnerId as SqlUuid,
        mode: Mode as Text,
    } = "UPDATE batch SET status = ?, updated_at = ? WHERE id = ? AND partner_id = ? AND mode = ?"
}

statement! {
    struct Progress { partner_id: PartnerId as SqlUuid, mode: Mode as Text, ids: Vec<BatchId> as Array<SqlUuid> }
      -> pub BatchCount { batch_id: BatchId as SqlUuid, status: RequestStatus as Text, count: i64 as BigInt }
      = "SELECT batch_id, status, count(*) FROM payout_request WHERE partner_id = ? AND mode = ? AND batch_id = ANY (?) \
         AND batch_id IS NOT NULL GROUP BY batch_id, status ORDER BY batch_id, status"
}

statement! {
    struct Problems {
        id: BatchId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, line: i32 as Integer, number: i16 as SmallInt,
        limit: i64 as BigInt,
    } => ProblemSql
      = "SELECT partner_id, mode, batch_id, line, number, field, code, detail FROM batch_problem \
         WHERE batch_id = ? AND partner_id = ? AND mode = ? AND (line, number) > (?, ?) ORDER BY line, number LIMIT ?"
}

macro_rules! list_of_batches {
    ($name:ident, $compare:literal, $order:literal) => {
        statement! {
            struct $name { tenant: String as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt } => BatchSql
              = concat!("SELECT partner_id, mode, id, point_id, name, status, row_count, digest, created_by, created_at, updated_at \
                 FROM batch WHERE (partner_id::text || mode) = ? AND (created_at, id) ", $compare, " (?, ?) \
                 ORDER BY created_at ", $order, ", id ", $order, " LIMIT ?")
        }
    };
}
list_of_batches!(BatchesNewest, "<", "DESC");
list_of_batches!(BatchesOldest, ">", "ASC");

pub async fn insert(conn: &AsyncPgConnection, batch: &Batch) -> QueryResult<()> {
    let batch = batch.clone();
    InsertBatch {
        partner_id: batch.partner_id,
        mode: batch.mode,
        id: batch.id,
        point_id: batch.point_id,
        name: batch.name,
        status: batch.status,
        row_count: batch.row_count,
        digest: batch.digest,
        created_by: batch.created_by,
        created_at: batch.created_at,
        updated_at: batch.updated_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

pub async fn insert_problems(conn: &AsyncPgConnection, problems: &[BatchProblem]) -> QueryResult<()> {
    if problems.is_empty() {
        return Ok(());
    }
    InsertProblems {
        partner_ids: problems.iter().map(|p| p.partner_id).collect(),
        modes: problems.iter().map(|p| p.mode).collect(),
        ids: problems.iter().map(|p| p.batch_id).collect(),
        lines: problems.iter().map(|p| p.line).collect(),
        numbers: problems.iter().map(|p| p.number).collect(),
        fields: problems.iter().map(|p| p.field.clone()).collect(),
        codes: problems.iter().map(|p| p.code.clone()).collect(),
        details: problems.iter().map(|p| p.detail.clone()).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

pub async fn find(conn: &AsyncPgConnection, tenant: Tenant, id: BatchId) -> QueryResult<Option<Batch>> {
    FindBatch { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

/// The tenant's latest batch of a file with that digest.
pub async fn of_same_file(conn: &AsyncPgConnection, tenant: Tenant, digest: Vec<u8>) -> QueryResult<Option<BatchId>> {
    let found: Option<(BatchId,)> =
        SameFile { tenant: of_tenant(tenant), digest }.get_result(&mut &*conn).await.optional()?;
    Ok(found.map(|(id,)| id))
}

pub async fn set_status(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: BatchId,
    status: &'static str,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    SetStatus { status, now, id, partner_id: tenant.partner_id, mode: tenant.mode }.execute(&mut &*conn).await?;
    Ok(())
}

/// How many items of each batch stand where.
pub async fn progress(conn: &AsyncPgConnection, tenant: Tenant, ids: Vec<BatchId>) -> QueryResult<Vec<BatchCount>> {
    Progress { partner_id: tenant.partner_id, mode: tenant.mode, ids }.load(&mut &*conn).await
}

/// What was wrong with a batch's lines, after (line, number).
pub async fn problems(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: BatchId,
    after: (i32, i16),
    limit: i64,
) -> QueryResult<Vec<BatchProblem>> {
    let (line, number) = after;
    Problems { id, partner_id: tenant.partner_id, mode: tenant.mode, line, number, limit }.load(&mut &*conn).await
}

pub async fn list(conn: &AsyncPgConnection, tenant: Tenant, slice: Slice) -> QueryResult<Vec<Batch>> {
    let ((at, id), limit, tenant) = (slice.after, slice.limit, of_tenant(tenant));
    match slice.newest_first {
        true => BatchesNewest { tenant, at, id, limit }.load(&mut &*conn).await,
        false => BatchesOldest { tenant, at, id, limit }.load(&mut &*conn).await,
    }
}
