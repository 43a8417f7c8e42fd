//! Deposit accounts whose balance their provider reports: the job that asks, what a report releases, and its writing.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode, PartnerId, PayoutId, PayoutRequestId, ProviderAccountId, Tenant};

statement! {
    /// A look at few rows: the insert is for accounts that are new.
    struct EnsureJobs { now: DateTime<Utc> as Timestamptz }
      = "INSERT INTO job (partner_id, mode, kind, subject_id, run_at, created_at) \
         SELECT d.partner_id, d.mode, 'sync_balance', d.id, n.now, n.now \
         FROM deposit_account d, (SELECT ?::timestamptz AS now) n \
         WHERE d.balance_source = 'provider' AND NOT EXISTS ( \
             SELECT 1 FROM job j WHERE (j.partner_id, j.mode, j.kind, j.subject_id) = (d.partner_id, d.mode, 'sync_balance', d.id)) \
         ON CONFLICT (partner_id, mode, kind, subject_id) DO NOTHING"
}

statement! {
    struct FindDeposits {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<DepositAccountId> as Array<SqlUuid>,
    } -> pub SyncedDeposit {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid, code: String as Text,
        currency: AssetCode as Text, provider_account_id: ProviderAccountId as SqlUuid, provider: String as Text,
    } = "SELECT d.partner_id, d.mode, d.id, d.code, d.currency, a.id, a.provider \
         FROM deposit_account d \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
             ON (d.partner_id, d.mode, d.id) = (k.partner_id, k.mode, k.id) \
         JOIN provider_account a ON (a.partner_id, a.mode, a.id) = (d.partner_id, d.mode, d.provider_account_id) \
         WHERE d.balance_source = 'provider' ORDER BY d.id"
}

/// What a balance that was asked for at the parameter's time, the posting lag taken off, has in it. A success that came late, and a
/// return, have their own time: that of their writing.
macro_rules! is_posted {
    () => {
        "p.amount_reserved > 0 AND p.final_at IS NOT NULL AND p.final_at <= ? AND (p.status = 'processed' OR p.updated_at <= ?)"
    };
}

statement! {
    // payout_reserved_after_end
    struct FindPosted {
        deposit_account_id: DepositAccountId as SqlUuid, until: DateTime<Utc> as Timestamptz, written_until: DateTime<Utc> as Timestamptz,
        limit: i64 as BigInt,
    } -> pub PostedPayout {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, request_id: PayoutRequestId as SqlUuid, id: PayoutId as SqlUuid,
    } = concat!("SELECT p.partner_id, p.mode, p.request_id, p.id FROM payout p WHERE p.deposit_account_id = ? AND ", is_posted!(),
         " ORDER BY p.final_at LIMIT ?")
}

statement! {
    struct ReleasePosted {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutId> as Array<SqlUuid>,
        deposit_account_id: DepositAccountId as SqlUuid, until: DateTime<Utc> as Timestamptz, written_until: DateTime<Utc> as Timestamptz,
    } => (Numeric, BigInt)
      = concat!("WITH posted AS MATERIALIZED ( \
             SELECT p.partner_id, p.mode, p.id, p.amount_reserved FROM payout p \
             JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
                 ON (p.partner_id, p.mode, p.id) = (k.partner_id, k.mode, k.id) \
             WHERE p.deposit_account_id = ? AND ", is_posted!(), "), \
         released AS ( \
             UPDATE payout SET amount_reserved = 0 FROM posted \
             WHERE (payout.partner_id, payout.mode, payout.id) = (posted.partner_id, posted.mode, posted.id) \
             RETURNING posted.amount_reserved AS amount) \
         SELECT COALESCE(sum(amount), 0), count(*) FROM released")
}

statement! {
    struct LockDeposit { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid } -> pub LockedDeposit {
        balance: Decimal as Numeric, reserved: Decimal as Numeric, is_synced: bool as Bool,
        synced_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT balance, reserved, balance_source = 'provider', synced_at FROM deposit_account \
         WHERE partner_id = ? AND mode = ? AND id = ? FOR UPDATE"
}

statement! {
    struct WriteBalance {
        balance: Decimal as Numeric, released: Decimal as Numeric, synced_at: DateTime<Utc> as Timestamptz,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid,
    } = "UPDATE deposit_account SET balance = ?, reserved = reserved - ?, synced_at = ?, sync_error = NULL \
         WHERE partner_id = ? AND mode = ? AND id = ?"
}

statement! {
    struct WriteError {
        error: String as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid,
    } = "UPDATE deposit_account SET sync_error = ? WHERE partner_id = ? AND mode = ? AND id = ?"
}

/// Writes down the jobs of accounts that have none yet, due at once.
pub async fn ensure_jobs(conn: &AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    EnsureJobs { now }.execute(&mut &*conn).await?;
    Ok(())
}

/// Those of these accounts that are there and whose provider reports their balance.
pub async fn find(
    conn: &AsyncPgConnection,
    accounts: &[(Tenant, DepositAccountId)],
) -> QueryResult<Vec<SyncedDeposit>> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    FindDeposits {
        partner_ids: accounts.iter().map(|(owner, _)| owner.partner_id).collect(),
        modes: accounts.iter().map(|(owner, _)| owner.mode).collect(),
        ids: accounts.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// Up to `limit` payouts, oldest end first, that are final and reserve something which a balance of `until` has in it. Without a lock.
pub async fn posted(
    conn: &AsyncPgConnection,
    id: DepositAccountId,
    until: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<PostedPayout>> {
    FindPosted { deposit_account_id: id, until, written_until: until, limit }.load(&mut &*conn).await
}

/// Ends the reservations of those of `payouts` that still are as [`posted`] found them. Their requests are locked. Answers the sum,
/// in the deposit account's currency, and how many they were.
pub async fn release(
    conn: &AsyncPgConnection,
    id: DepositAccountId,
    until: DateTime<Utc>,
    payouts: &[PostedPayout],
) -> QueryResult<(Decimal, i64)> {
    if payouts.is_empty() {
        return Ok((Decimal::ZERO, 0));
    }
    ReleasePosted {
        partner_ids: payouts.iter().map(|p| p.partner_id).collect(),
        modes: payouts.iter().map(|p| p.mode).collect(),
        ids: payouts.iter().map(|p| p.id).collect(),
        deposit_account_id: id,
        until,
        written_until: until,
    }
    .get_result(&mut &*conn)
    .await
}

pub async fn lock(conn: &AsyncPgConnection, owner: Tenant, id: DepositAccountId) -> QueryResult<Option<LockedDeposit>> {
    LockDeposit { partner_id: owner.partner_id, mode: owner.mode, id }.get_result(&mut &*conn).await.optional()
}

/// Writes what was reported at `synced_at`, and takes `released` off what is reserved. The account is locked.
pub async fn write(
    conn: &AsyncPgConnection,
    owner: Tenant,
    id: DepositAccountId,
    balance: Decimal,
    released: Decimal,
    synced_at: DateTime<Utc>,
) -> QueryResult<()> {
    WriteBalance { balance, released, synced_at, partner_id: owner.partner_id, mode: owner.mode, id }
        .execute(&mut &*conn)
        .await?;
    Ok(())
}

/// Notes why the balance couldn't be asked for. What was known stays.
pub async fn write_error(
    conn: &AsyncPgConnection,
    owner: Tenant,
    id: DepositAccountId,
    error: &str,
) -> QueryResult<()> {
    WriteError { error: error.to_owned(), partner_id: owner.partner_id, mode: owner.mode, id }
        .execute(&mut &*conn)
        .await?;
    Ok(())
}
