//! Durable work: a row written by the transaction that causes it, claimed under a lease with an epoch, deleted by
//! the transaction that ends it. A claim moves `run_at` to the end of the lease, so that work whose process died
//! comes up again by itself.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::statement::statement;
use crate::domain::ids::{CardId, Mode, PartnerId, Tenant};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKind {
    /// Route a payout request and write its next payout down.
    Dispatch,
    /// Send a payout.
    Invoke,
    /// Ask the provider about a payout.
    Inquire,
    /// Apply a provider's callback.
    Callback,
    /// Destroy a deleted card's number once no open payout needs it.
    DestroyCard,
    /// Ask for a deposit account's balance. Never ends: done, it is due again later.
    SyncBalance,
    /// Try a provider account's credentials. Never ends.
    CheckAccount,
    /// Compare a provider account's report with our payouts. Never ends.
    Reconcile,
}

impl JobKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            JobKind::Dispatch => "dispatch",
            JobKind::Invoke => "invoke",
            JobKind::Inquire => "inquire",
            JobKind::Callback => "callback",
            JobKind::DestroyCard => "destroy_card",
            JobKind::SyncBalance => "sync_balance",
            JobKind::CheckAccount => "check_account",
            JobKind::Reconcile => "reconcile",
        }
    }
}

/// A job to be written. `epoch` and `attempts` are 1 for work that its writer does itself, right after the commit.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub tenant: Tenant,
    pub kind: JobKind,
    pub subject_id: Uuid,
    pub run_at: DateTime<Utc>,
    pub claimed: bool,
}

/// The subject of a job about a card.
pub fn card_subject(card: CardId) -> Uuid {
    Uuid::from_u128(u128::from(card.0.unsigned_abs()))
}

statement! {
    struct InsertJobs {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, kinds: Vec<&'static str> as Array<Text>,
        subject_ids: Vec<Uuid> as Array<SqlUuid>, run_ats: Vec<DateTime<Utc>> as Array<Timestamptz>,
        epochs: Vec<i32> as Array<Integer>, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO job (partner_id, mode, kind, subject_id, run_at, epoch, attempts, created_at) \
         SELECT k.partner_id, k.mode, k.kind, k.subject_id, k.run_at, k.epoch, k.epoch, n.now \
         FROM UNNEST(?::uuid[], ?::text[], ?::text[], ?::uuid[], ?::timestamptz[], ?::int[]) \
              AS k (partner_id, mode, kind, subject_id, run_at, epoch), (SELECT ?::timestamptz AS now) n \
         ON CONFLICT (partner_id, mode, kind, subject_id) DO UPDATE \
         SET run_at = LEAST(job.run_at, EXCLUDED.run_at), dead_at = NULL"
}

statement! {
    struct ClaimJobs {
        kind: &'static str as Text, now: DateTime<Utc> as Timestamptz, batch_size: i64 as BigInt,
        lease_until: DateTime<Utc> as Timestamptz,
    } -> pub ClaimedJob {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, subject_id: Uuid as SqlUuid, epoch: i32 as Integer,
        attempts: i32 as Integer,
    } = "WITH due AS MATERIALIZED ( \
             SELECT partner_id, mode, kind, subject_id FROM job \
             WHERE kind = ? AND run_at <= ? AND dead_at IS NULL ORDER BY run_at, subject_id LIMIT ? FOR UPDATE SKIP LOCKED) \
         UPDATE job SET run_at = ?, epoch = job.epoch + 1, attempts = job.attempts + 1 FROM due \
         WHERE (job.partner_id, job.mode, job.kind, job.subject_id) = (due.partner_id, due.mode, due.kind, due.subject_id) \
         RETURNING job.partner_id, job.mode, job.subject_id, job.epoch, job.attempts"
}

statement! {
    struct DeleteJobs {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, kinds: Vec<&'static str> as Array<Text>,
        subject_ids: Vec<Uuid> as Array<SqlUuid>,
    } = "DELETE FROM job USING UNNEST(?::uuid[], ?::text[], ?::text[], ?::uuid[]) AS k (partner_id, mode, kind, subject_id) \
         WHERE (job.partner_id, job.mode, job.kind, job.subject_id) = (k.partner_id, k.mode, k.kind, k.subject_id)"
}

statement! {
    struct FindEpochs {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, kinds: Vec<&'static str> as Array<Text>,
        subject_ids: Vec<Uuid> as Array<SqlUuid>,
    } -> EpochRow { kind: String as Text, subject_id: Uuid as SqlUuid, epoch: i32 as Integer }
      = "SELECT job.kind, job.subject_id, job.epoch FROM job \
         JOIN UNNEST(?::uuid[], ?::text[], ?::text[], ?::uuid[]) AS k (partner_id, mode, kind, subject_id) \
         ON (job.partner_id, job.mode, job.kind, job.subject_id) = (k.partner_id, k.mode, k.kind, k.subject_id)"
}

statement! {
    struct FindLeased {
        kind: &'static str as Text, now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        subject_ids: Vec<Uuid> as Array<SqlUuid>,
    } => (SqlUuid, Bool)
      = "SELECT job.subject_id, job.attempts > 0 AND job.run_at > k.now \
         FROM job, (SELECT ?::text AS kind, ?::timestamptz AS now) k \
         WHERE job.kind = k.kind AND job.partner_id = ? AND job.mode = ? AND job.subject_id = ANY (?)"
}

statement! {
    struct RescheduleJob {
        run_at: DateTime<Utc> as Timestamptz, error: String as Text, dead: Option<DateTime<Utc>> as diesel::sql_types::Nullable<Timestamptz>,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, kind: &'static str as Text, subject_id: Uuid as SqlUuid,
        epoch: i32 as Integer,
    } = "UPDATE job SET run_at = ?, last_error = ?, dead_at = ? \
         WHERE partner_id = ? AND mode = ? AND kind = ? AND subject_id = ? AND epoch = ?"
}

statement! {
    struct GiveBackJobs {
        kind: &'static str as Text, partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>,
        subject_ids: Vec<Uuid> as Array<SqlUuid>, epochs: Vec<i32> as Array<Integer>, run_ats: Vec<DateTime<Utc>> as Array<Timestamptz>,
    } = "UPDATE job SET run_at = k.run_at, attempts = job.attempts - 1 \
         FROM (SELECT ?::text AS kind) n, \
              UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::int[], ?::timestamptz[]) AS k (partner_id, mode, subject_id, epoch, run_at) \
         WHERE (job.partner_id, job.mode, job.kind, job.subject_id) = (k.partner_id, k.mode, n.kind, k.subject_id) \
           AND job.epoch = k.epoch"
}

statement! {
    struct RepeatJob {
        run_at: DateTime<Utc> as Timestamptz, is_done: bool as Bool, error: Option<String> as Nullable<Text>,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, kind: &'static str as Text, subject_id: Uuid as SqlUuid,
        epoch: i32 as Integer,
    } = "UPDATE job SET run_at = ?, attempts = CASE WHEN ? THEN 0 ELSE attempts END, last_error = ? \
         WHERE partner_id = ? AND mode = ? AND kind = ? AND subject_id = ? AND epoch = ?"
}

/// Writes jobs. One that is there already runs at the earlier of both times.
pub async fn insert(conn: &AsyncPgConnection, jobs: &[NewJob], now: DateTime<Utc>) -> QueryResult<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    InsertJobs {
        partner_ids: jobs.iter().map(|j| j.tenant.partner_id).collect(),
        modes: jobs.iter().map(|j| j.tenant.mode).collect(),
        kinds: jobs.iter().map(|j| j.kind.as_str()).collect(),
        subject_ids: jobs.iter().map(|j| j.subject_id).collect(),
        run_ats: jobs.iter().map(|j| j.run_at).collect(),
        epochs: jobs.iter().map(|j| i32::from(j.claimed)).collect(),
        now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Claims up to `batch_size` due jobs until `lease_until`, those that have been due for longest; in the order of their subjects.
pub async fn claim(
    conn: &AsyncPgConnection,
    kind: JobKind,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    batch_size: usize,
) -> QueryResult<Vec<ClaimedJob>> {
    let batch_size = i64::try_from(batch_size).unwrap_or(i64::MAX);
    let mut claimed: Vec<ClaimedJob> =
        ClaimJobs { kind: kind.as_str(), now, batch_size, lease_until }.load(&mut &*conn).await?;
    // What is RETURNING'd comes in whatever order the plan has.
    claimed.sort_unstable_by_key(|job| job.subject_id);
    Ok(claimed)
}

statement! {
    /// For the transaction that it stands in.
    struct DontWaitForDisk { value: String as Text } = "SELECT set_config('synchronous_commit', ?, true)"
}

/// As [`claim`], alone in its transaction, whose commit doesn't wait for the disk. The log is written in order, so whatever is made
/// durable after it is behind it; and if the server dies before, the jobs are due again and nothing was done. Only for work that is
/// decided anew under its subject's lock.
pub async fn claim_alone(
    conn: &AsyncPgConnection,
    kind: JobKind,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    batch_size: usize,
) -> QueryResult<Vec<ClaimedJob>> {
    let relaxed = DontWaitForDisk { value: "off".to_owned() };
    let (_, claimed) = tokio::try_join!(
        biased;
        relaxed.execute(&mut &*conn),
        claim(conn, kind, now, lease_until, batch_size),
    )?;
    Ok(claimed)
}

/// Ends jobs, whoever holds them: the transaction around it has settled their subject.
pub async fn delete(conn: &AsyncPgConnection, jobs: &[(Tenant, JobKind, Uuid)]) -> QueryResult<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    DeleteJobs {
        partner_ids: jobs.iter().map(|(tenant, ..)| tenant.partner_id).collect(),
        modes: jobs.iter().map(|(tenant, ..)| tenant.mode).collect(),
        kinds: jobs.iter().map(|(_, kind, _)| kind.as_str()).collect(),
        subject_ids: jobs.iter().map(|(.., subject)| *subject).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// The epochs that jobs are at now, by kind and subject; a job that is gone has none.
pub async fn epochs(
    conn: &AsyncPgConnection,
    jobs: &[(Tenant, JobKind, Uuid)],
) -> QueryResult<HashMap<(String, Uuid), i32>> {
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<EpochRow> = FindEpochs {
        partner_ids: jobs.iter().map(|(tenant, ..)| tenant.partner_id).collect(),
        modes: jobs.iter().map(|(tenant, ..)| tenant.mode).collect(),
        kinds: jobs.iter().map(|(_, kind, _)| kind.as_str()).collect(),
        subject_ids: jobs.iter().map(|(.., subject)| *subject).collect(),
    }
    .load(&mut &*conn)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.kind, row.subject_id), row.epoch)).collect())
}

/// Of these subjects, those that have a job of that kind, with whether somebody's lease on it is running.
pub async fn leases(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    kind: JobKind,
    subject_ids: Vec<Uuid>,
    now: DateTime<Utc>,
) -> QueryResult<HashMap<Uuid, bool>> {
    let Tenant { partner_id, mode } = tenant;
    let find = FindLeased { kind: kind.as_str(), now, partner_id, mode, subject_ids };
    let rows: Vec<(Uuid, bool)> = find.load(&mut &*conn).await?;
    Ok(rows.into_iter().collect())
}

/// Puts a job off after a failure of ours, or lays it aside for a person when `dead`. Holds only for the current epoch.
pub async fn put_off(
    conn: &AsyncPgConnection,
    kind: JobKind,
    job: &ClaimedJob,
    run_at: DateTime<Utc>,
    error: &str,
    dead: Option<DateTime<Utc>>,
) -> QueryResult<()> {
    RescheduleJob {
        run_at,
        error: error.chars().take(500).collect(),
        dead,
        partner_id: job.partner_id,
        mode: job.mode,
        kind: kind.as_str(),
        subject_id: job.subject_id,
        epoch: job.epoch,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Gives claimed jobs back untouched, to be due again at the time named: as if they hadn't been claimed. Holds only for the claimed epoch.
pub async fn give_back(
    conn: &AsyncPgConnection,
    kind: JobKind,
    jobs: &[(ClaimedJob, DateTime<Utc>)],
) -> QueryResult<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    GiveBackJobs {
        kind: kind.as_str(),
        partner_ids: jobs.iter().map(|(job, _)| job.partner_id).collect(),
        modes: jobs.iter().map(|(job, _)| job.mode).collect(),
        subject_ids: jobs.iter().map(|(job, _)| job.subject_id).collect(),
        epochs: jobs.iter().map(|(job, _)| job.epoch).collect(),
        run_ats: jobs.iter().map(|(_, run_at)| *run_at).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Makes a job that never ends due again at `run_at`: after it was done, or after it failed with `error`, which counts as one
/// attempt more. Answers whether the job is still at the claimed epoch; otherwise nothing changed, and another one goes on with it.
pub async fn repeat(
    conn: &AsyncPgConnection,
    kind: JobKind,
    job: &ClaimedJob,
    run_at: DateTime<Utc>,
    error: Option<&str>,
) -> QueryResult<bool> {
    let written = RepeatJob {
        run_at,
        is_done: error.is_none(),
        error: error.map(str::to_owned),
        partner_id: job.partner_id,
        mode: job.mode,
        kind: kind.as_str(),
        subject_id: job.subject_id,
        epoch: job.epoch,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(written == 1)
}

impl ClaimedJob {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}
