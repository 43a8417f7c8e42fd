//! Reconciliations: runs over a provider account's report, one at a time, and what of our payouts they are held against.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Bool, Integer, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode, PartnerId, PayoutId, PayoutRequestId, ProviderAccountId, Tenant};
use crate::domain::payout::PayoutStatus;

/// A run that begins.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The provider account's owner.
    pub owner: Tenant,
    pub id: Uuid,
    pub provider_account_id: ProviderAccountId,
    /// `api` or `file`.
    pub source: &'static str,
    pub range_from: DateTime<Utc>,
    pub range_until: DateTime<Utc>,
    pub started_by: String,
    pub lease_until: DateTime<Utc>,
}

/// How many payments a run found of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub rows_read: i32,
    /// Both sides say the same, or a person has closed what differs.
    pub agreed: i32,
    /// What theirs knew and ours didn't was written down.
    pub applied: i32,
    /// Too young, or changing: the next run's.
    pub left_for_later: i32,
    pub only_ours: i32,
    pub only_theirs: i32,
    pub differing: i32,
}

impl Counts {
    /// Whether nothing waits for a person.
    pub const fn is_clean(&self) -> bool {
        self.only_ours == 0 && self.only_theirs == 0 && self.differing == 0
    }
}

statement! {
    struct EnsureJobs { providers: Vec<String> as Array<Text>, now: DateTime<Utc> as Timestamptz }
      = "INSERT INTO job (partner_id, mode, kind, subject_id, run_at, created_at) \
         SELECT a.partner_id, a.mode, 'reconcile', a.id, n.now, n.now \
         FROM provider_account a \
         JOIN UNNEST(?::text[]) AS k (provider) ON a.provider = k.provider, (SELECT ?::timestamptz AS now) n \
         WHERE NOT EXISTS ( \
             SELECT 1 FROM job j WHERE (j.partner_id, j.mode, j.kind, j.subject_id) = (a.partner_id, a.mode, 'reconcile', a.id)) \
         ON CONFLICT (partner_id, mode, kind, subject_id) DO NOTHING"
}

statement! {
    struct EndDeadRuns { now: DateTime<Utc> as Timestamptz, account_id: ProviderAccountId as SqlUuid, lease_over: DateTime<Utc> as Timestamptz }
      = "UPDATE reconciliation SET finished_at = ?, error = 'broken off' \
         WHERE provider_account_id = ? AND finished_at IS NULL AND lease_until < ?"
}

statement! {
    struct InsertRun {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, account_id: ProviderAccountId as SqlUuid,
        source: &'static str as Text, range_from: DateTime<Utc> as Timestamptz, range_until: DateTime<Utc> as Timestamptz,
        started_by: String as Text, started_at: DateTime<Utc> as Timestamptz, lease_until: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO reconciliation (partner_id, mode, id, provider_account_id, source, range_from, range_until, started_by, started_at, \
             lease_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (provider_account_id) WHERE finished_at IS NULL DO NOTHING"
}

statement! {
    struct ExtendRun { lease_until: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text }
      = "UPDATE reconciliation SET lease_until = GREATEST(lease_until, ?) \
         WHERE id = ? AND partner_id = ? AND mode = ? AND finished_at IS NULL"
}

statement! {
    struct FinishRun {
        now: DateTime<Utc> as Timestamptz, rows_read: i32 as Integer, agreed: i32 as Integer, applied: i32 as Integer, left: i32 as Integer,
        only_ours: i32 as Integer, only_theirs: i32 as Integer, differing: i32 as Integer, error: Option<String> as Nullable<Text>,
        id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
    } = "UPDATE reconciliation SET finished_at = ?, rows_read = ?, agreed = ?, applied = ?, left_for_later = ?, only_ours = ?, \
             only_theirs = ?, differing = ?, error = ? \
         WHERE id = ? AND partner_id = ? AND mode = ? AND finished_at IS NULL"
}

statement! {
    // payout_reference_once
    struct OursByReference { account_id: ProviderAccountId as SqlUuid, references: Vec<String> as Array<Text> } -> pub OurPayout {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutId as SqlUuid, request_id: PayoutRequestId as SqlUuid,
        reference: String as Text, original_id: Option<String> as Nullable<Text>, status: PayoutStatus as Text, was_sent: bool as Bool,
        amount_processed: Decimal as Numeric, amount_returned: Decimal as Numeric, currency: AssetCode as Text,
        updated_at: DateTime<Utc> as Timestamptz,
    } = "SELECT partner_id, mode, id, request_id, provider_reference, provider_original_id, status, sends > 0, amount_processed, \
             amount_returned, currency, updated_at \
         FROM payout WHERE provider_account_id = ? AND provider_reference = ANY (?)"
}

statement! {
    // payout_by_time. What paid, and has changed neither since `unchanged_since` nor after the range.
    struct PaidInRange {
        account_id: ProviderAccountId as SqlUuid, created_from: DateTime<Utc> as Timestamptz, created_until: DateTime<Utc> as Timestamptz,
        unchanged_since: DateTime<Utc> as Timestamptz, limit: i64 as diesel::sql_types::BigInt,
    } => (SqlUuid, Text, SqlUuid, SqlUuid, Text, Nullable<Text>, Text, Bool, Numeric, Numeric, Text, Timestamptz)
      = "SELECT partner_id, mode, id, request_id, provider_reference, provider_original_id, status, sends > 0, amount_processed, \
             amount_returned, currency, updated_at \
         FROM payout WHERE provider_account_id = ? AND created_at >= ? AND created_at < ? AND updated_at < ? \
             AND status IN ('processed', 'returned', 'late_processed') \
         ORDER BY created_at LIMIT ?"
}

statement! {
    struct DepositFor { account_id: ProviderAccountId as SqlUuid, currency: AssetCode as Text } -> DepositRow {
        id: DepositAccountId as SqlUuid,
    } = "SELECT id FROM deposit_account WHERE provider_account_id = ? AND currency = ? ORDER BY created_at, id LIMIT 1"
}

/// Writes down the jobs of these providers' accounts that have none yet, due at once.
pub async fn ensure_jobs(conn: &AsyncPgConnection, providers: Vec<String>, now: DateTime<Utc>) -> QueryResult<()> {
    if providers.is_empty() {
        return Ok(());
    }
    EnsureJobs { providers, now }.execute(&mut &*conn).await?;
    Ok(())
}

/// Begins a run, unless another one of its account is under way. One whose lease is over has ended.
pub async fn begin(conn: &AsyncPgConnection, run: &NewRun, now: DateTime<Utc>) -> QueryResult<bool> {
    let account_id = run.provider_account_id;
    EndDeadRuns { now, account_id, lease_over: now }.execute(&mut &*conn).await?;
    let Tenant { partner_id, mode } = run.owner;
    let inserted = InsertRun {
        partner_id,
        mode,
        id: run.id,
        account_id,
        source: run.source,
        range_from: run.range_from,
        range_until: run.range_until,
        started_by: run.started_by.clone(),
        started_at: now,
        lease_until: run.lease_until,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(inserted == 1)
}

/// Keeps a run going, and its row locked until the transaction ends. Answers whether it is still under way.
pub async fn extend(
    conn: &AsyncPgConnection,
    owner: Tenant,
    id: Uuid,
    lease_until: DateTime<Utc>,
) -> QueryResult<bool> {
    let Tenant { partner_id, mode } = owner;
    Ok(ExtendRun { lease_until, id, partner_id, mode }.execute(&mut &*conn).await? == 1)
}

/// Ends a run. Answers whether it was still under way.
pub async fn finish(
    conn: &AsyncPgConnection,
    owner: Tenant,
    id: Uuid,
    counts: Counts,
    error: Option<String>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let Tenant { partner_id, mode } = owner;
    let Counts { rows_read, agreed, applied, left_for_later: left, only_ours, only_theirs, differing } = counts;
    let finished = FinishRun {
        now,
        rows_read,
        agreed,
        applied,
        left,
        only_ours,
        only_theirs,
        differing,
        error,
        id,
        partner_id,
        mode,
    };
    Ok(finished.execute(&mut &*conn).await? == 1)
}

/// What we know of the payouts with these references.
pub async fn ours(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    references: Vec<String>,
) -> QueryResult<Vec<OurPayout>> {
    OursByReference { account_id, references }.load(&mut &*conn).await
}

/// What a report over the range must have: payouts that paid, made and last changed within it, in the order of their making; at most
/// `limit`.
pub async fn paid_in_range(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    created_from: DateTime<Utc>,
    created_until: DateTime<Utc>,
    unchanged_since: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<OurPayout>> {
    PaidInRange { account_id, created_from, created_until, unchanged_since, limit }.load(&mut &*conn).await
}

/// Out of which of a provider account's deposit accounts a payment in `currency` goes: the oldest one.
pub async fn deposit_for(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    currency: AssetCode,
) -> QueryResult<Option<DepositAccountId>> {
    let found: Option<DepositRow> = DepositFor { account_id, currency }.get_result(&mut &*conn).await.optional()?;
    Ok(found.map(|row| row.id))
}
