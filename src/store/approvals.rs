//! Changes that wait for a second person, and what became of them. What is to be done lies sealed: the store can't read it.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::{ApprovalId, Mode, PartnerId, Tenant};

/// The constraint that keeps a thing to one change that waits.
pub const ONCE: &str = "approval_once";

type ApprovalSql = (
    SqlUuid,
    Text,
    SqlUuid,
    Text,
    Text,
    Bytea,
    Bytea,
    Text,
    Nullable<Text>,
    Timestamptz,
    Timestamptz,
    Text,
    Nullable<Text>,
    Nullable<Timestamptz>,
    Nullable<Text>,
    Nullable<Text>,
    Text,
);

/// A change that somebody asked for.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct Approval {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: ApprovalId,
    pub action: String,
    pub object: String,
    /// What is to be done, sealed.
    pub change: Vec<u8>,
    /// What it was before and is after it, sealed.
    pub told: Vec<u8>,
    pub asked_by: String,
    pub asked_origin: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// `open`, `applied`, `declined`, `stale` or `expired`.
    pub status: String,
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    /// What was changed or made, once it was.
    pub made: Option<String>,
    /// The partner's code.
    pub partner: String,
}

impl Approval {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }

    /// Whether it can still be decided at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.status == "open" && now < self.expires_at
    }
}

/// How an approval ends, and by whom.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub status: &'static str,
    pub by: String,
    pub origin: Option<String>,
    pub reason: String,
    /// The id of what the change was made of, where it was made.
    pub made: Option<String>,
}

macro_rules! approval_sql {
    ($rest:literal) => {
        concat!(
            "SELECT a.partner_id, a.mode, a.id, a.action, a.object, a.change, a.told, a.asked_by, a.asked_origin, a.asked_at, a.expires_at, \
             a.status, a.decided_by, a.decided_at, a.reason, a.made, p.code FROM approval a JOIN partner p ON p.id = a.partner_id ",
            $rest
        )
    };
}

statement! {
    struct Insert {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ApprovalId as SqlUuid, action: String as Text, object: String as Text,
        change: Vec<u8> as Bytea, told: Vec<u8> as Bytea, asked_by: String as Text, asked_origin: Option<String> as Nullable<Text>,
        asked_at: DateTime<Utc> as Timestamptz, expires_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO approval (partner_id, mode, id, action, object, change, told, asked_by, asked_origin, asked_at, expires_at, status) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')"
}

statement! {
    struct Decide {
        status: String as Text, by: String as Text, origin: Option<String> as Nullable<Text>, now: DateTime<Utc> as Timestamptz,
        reason: String as Text, made: Option<String> as Nullable<Text>, id: ApprovalId as SqlUuid, partner_id: PartnerId as SqlUuid,
        mode: Mode as Text, alive_at: DateTime<Utc> as Timestamptz,
    } = "UPDATE approval SET status = ?, decided_by = ?, decided_origin = ?, decided_at = ?, reason = ?, made = ? \
         WHERE id = ? AND partner_id = ? AND mode = ? AND status = 'open' AND expires_at > ?"
}

statement! {
    struct Expire { now: DateTime<Utc> as Timestamptz, over_at: DateTime<Utc> as Timestamptz }
        = "UPDATE approval SET status = 'expired', decided_at = ? WHERE status = 'open' AND expires_at <= ?"
}

statement! {
    struct Find { id: ApprovalId as SqlUuid, mode: Mode as Text } => ApprovalSql = approval_sql!("WHERE a.id = ? AND a.mode = ?")
}

statement! {
    struct Waiting { mode: Mode as Text, after_at: DateTime<Utc> as Timestamptz, after_id: ApprovalId as SqlUuid, limit: i64 as BigInt }
      => ApprovalSql
      = approval_sql!("WHERE a.mode = ? AND a.status = 'open' AND (a.asked_at, a.id) > (?, ?) ORDER BY a.asked_at, a.id LIMIT ?")
}

statement! {
    struct Decided { mode: Mode as Text, limit: i64 as BigInt }
      => ApprovalSql
      = approval_sql!("WHERE a.mode = ? AND a.status <> 'open' ORDER BY a.asked_at DESC, a.id DESC LIMIT ?")
}

statement! {
    struct CountOpen { partner_id: PartnerId as SqlUuid, mode: Mode as Text } -> OpenRow { count: i64 as BigInt }
        = "SELECT count(*) FROM approval WHERE partner_id = ? AND mode = ? AND status = 'open'"
}

/// Writes a change down that waits from now on. [`ONCE`] refuses a second one of the same thing.
pub async fn insert(conn: &AsyncPgConnection, approval: Approval) -> QueryResult<()> {
    Insert {
        partner_id: approval.partner_id,
        mode: approval.mode,
        id: approval.id,
        action: approval.action,
        object: approval.object,
        change: approval.change,
        told: approval.told,
        asked_by: approval.asked_by,
        asked_origin: approval.asked_origin,
        asked_at: approval.asked_at,
        expires_at: approval.expires_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Ends an approval that is open. `false`: it isn't any more.
pub async fn decide(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: ApprovalId,
    verdict: Verdict,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let Verdict { status, by, origin, reason, made } = verdict;
    let Tenant { partner_id, mode } = tenant;
    let status = status.to_owned();
    let decide = Decide { status, by, origin, now, reason, made, id, partner_id, mode, alive_at: now };
    Ok(decide.execute(&mut &*conn).await? == 1)
}

/// Ends those whose time is over.
pub async fn expire(conn: &AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    Expire { now, over_at: now }.execute(&mut &*conn).await
}

pub async fn find(conn: &AsyncPgConnection, mode: Mode, id: ApprovalId) -> QueryResult<Option<Approval>> {
    Find { id, mode }.get_result(&mut &*conn).await.optional()
}

/// What waits, oldest first, behind `after`.
pub async fn waiting(
    conn: &AsyncPgConnection,
    mode: Mode,
    (after_at, after_id): (DateTime<Utc>, ApprovalId),
    limit: i64,
) -> QueryResult<Vec<Approval>> {
    Waiting { mode, after_at, after_id, limit }.load(&mut &*conn).await
}

/// What was asked last and doesn't wait any more.
pub async fn decided(conn: &AsyncPgConnection, mode: Mode, limit: i64) -> QueryResult<Vec<Approval>> {
    Decided { mode, limit }.load(&mut &*conn).await
}

/// How many of a tenant's changes wait.
pub async fn count_open(conn: &AsyncPgConnection, tenant: Tenant) -> QueryResult<i64> {
    let row: OpenRow = CountOpen { partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await?;
    Ok(row.count)
}
