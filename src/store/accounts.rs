//! Ledger accounts and their balances.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{CustomerId, Mode, PartnerId, Tenant};
use crate::domain::ledger::AccountKey;

statement! {
    struct EnsureAccounts {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<Uuid> as Array<SqlUuid>,
        owner_kinds: Vec<&'static str> as Array<Text>, owner_ids: Vec<Option<Uuid>> as Array<Nullable<SqlUuid>>,
        kinds: Vec<&'static str> as Array<Text>, assets: Vec<AssetCode> as Array<Text>, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO account (partner_id, mode, id, owner_kind, owner_id, kind, asset, created_at) \
         SELECT k.*, n.now \
         FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::text[], ?::uuid[], ?::text[], ?::text[]) AS k, \
              (SELECT ?::timestamptz AS now) n \
         ON CONFLICT (partner_id, mode, id) DO NOTHING"
}

statement! {
    struct LockBalances {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<Uuid> as Array<SqlUuid>,
    } -> LockedBalance { id: Uuid as SqlUuid, balance: Decimal as Numeric }
      = "SELECT a.id, a.balance FROM account a \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         ON (a.partner_id, a.mode, a.id) = (k.partner_id, k.mode, k.id) \
         ORDER BY a.partner_id, a.mode, a.id FOR UPDATE OF a"
}

statement! {
    /// Adds to balances that live in their rows, locking the rows in one order first.
    struct AddToBalances {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<Uuid> as Array<SqlUuid>,
        amounts: Vec<Decimal> as Array<Numeric>,
    } = "WITH k AS MATERIALIZED ( \
             SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::numeric[]) AS k (partner_id, mode, id, amount)), \
         locked AS MATERIALIZED ( \
             SELECT a.partner_id, a.mode, a.id, k.amount FROM account a \
             JOIN k ON (a.partner_id, a.mode, a.id) = (k.partner_id, k.mode, k.id) \
             ORDER BY a.partner_id, a.mode, a.id FOR UPDATE OF a) \
         UPDATE account SET balance = account.balance + locked.amount FROM locked \
         WHERE (account.partner_id, account.mode, account.id) = (locked.partner_id, locked.mode, locked.id)"
}

statement! {
    struct InsertDeltas {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, account_ids: Vec<Uuid> as Array<SqlUuid>,
        ids: Vec<Uuid> as Array<SqlUuid>, amounts: Vec<Decimal> as Array<Numeric>,
    } = "INSERT INTO account_delta (partner_id, mode, account_id, id, amount) \
         SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::uuid[], ?::numeric[])"
}

statement! {
    /// Folds up to a bound of deltas into their accounts' rows. Deltas that another worker folds are skipped.
    struct FoldDeltas { batch_size: i64 as diesel::sql_types::BigInt } => (SqlUuid,)
      = "WITH taken AS MATERIALIZED ( \
             SELECT partner_id, mode, account_id, id FROM account_delta LIMIT ? FOR UPDATE SKIP LOCKED), \
         gone AS ( \
             DELETE FROM account_delta d USING taken t \
             WHERE (d.partner_id, d.mode, d.account_id, d.id) = (t.partner_id, t.mode, t.account_id, t.id) \
             RETURNING d.partner_id, d.mode, d.account_id, d.amount), \
         sums AS (SELECT partner_id, mode, account_id, sum(amount) AS amount FROM gone GROUP BY 1, 2, 3), \
         locked AS MATERIALIZED ( \
             SELECT a.partner_id, a.mode, a.id, s.amount FROM account a \
             JOIN sums s ON (a.partner_id, a.mode, a.id) = (s.partner_id, s.mode, s.account_id) \
             ORDER BY a.partner_id, a.mode, a.id FOR UPDATE OF a) \
         UPDATE account SET balance = account.balance + locked.amount FROM locked \
         WHERE (account.partner_id, account.mode, account.id) = (locked.partner_id, locked.mode, locked.id) \
         RETURNING account.id"
}

statement! {
    struct BalancesOfCustomer { partner_id: PartnerId as SqlUuid, mode: Mode as Text, customer_id: CustomerId as SqlUuid }
      -> pub CustomerBalance { kind: String as Text, asset: AssetCode as Text, balance: Decimal as Numeric }
      = "SELECT kind, asset, balance FROM account WHERE partner_id = ? AND mode = ? AND owner_id = ? \
         AND kind IN ('user_available', 'user_held') ORDER BY asset, kind"
}

/// Writes down the accounts that aren't there yet.
pub async fn ensure(
    conn: &AsyncPgConnection,
    accounts: &[(Tenant, AccountKey)],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    EnsureAccounts {
        partner_ids: accounts.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: accounts.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: accounts.iter().map(|(tenant, key)| key.id(*tenant)).collect(),
        owner_kinds: accounts.iter().map(|(_, key)| key.owner.kind_str()).collect(),
        owner_ids: accounts.iter().map(|(_, key)| key.owner.id()).collect(),
        kinds: accounts.iter().map(|(_, key)| key.kind.as_str()).collect(),
        assets: accounts.iter().map(|(_, key)| key.asset).collect(),
        now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Locks accounts in one order and answers their balances; an account that isn't there holds nothing.
pub async fn lock_balances(
    conn: &AsyncPgConnection,
    accounts: &[(Tenant, Uuid)],
) -> QueryResult<std::collections::HashMap<Uuid, Decimal>> {
    if accounts.is_empty() {
        return Ok(Default::default());
    }
    let rows: Vec<LockedBalance> = LockBalances {
        partner_ids: accounts.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: accounts.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: accounts.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.balance)).collect())
}

/// Adds to balances that are kept in their rows. Every account must be there: answers how many were.
pub(super) async fn add_to_balances(
    conn: &AsyncPgConnection,
    amounts: &[(Tenant, Uuid, Decimal)],
) -> QueryResult<usize> {
    if amounts.is_empty() {
        return Ok(0);
    }
    AddToBalances {
        partner_ids: amounts.iter().map(|(tenant, ..)| tenant.partner_id).collect(),
        modes: amounts.iter().map(|(tenant, ..)| tenant.mode).collect(),
        ids: amounts.iter().map(|(_, id, _)| *id).collect(),
        amounts: amounts.iter().map(|(.., amount)| *amount).collect(),
    }
    .execute(&mut &*conn)
    .await
}

/// Notes what a batch adds to accounts whose balance is gathered later.
pub(super) async fn insert_deltas(conn: &AsyncPgConnection, amounts: &[(Tenant, Uuid, Decimal)]) -> QueryResult<()> {
    if amounts.is_empty() {
        return Ok(());
    }
    InsertDeltas {
        partner_ids: amounts.iter().map(|(tenant, ..)| tenant.partner_id).collect(),
        modes: amounts.iter().map(|(tenant, ..)| tenant.mode).collect(),
        account_ids: amounts.iter().map(|(_, id, _)| *id).collect(),
        ids: amounts.iter().map(|_| Uuid::now_v7()).collect(),
        amounts: amounts.iter().map(|(.., amount)| *amount).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Folds gathered deltas into the accounts' rows; answers how many accounts were touched.
pub async fn fold_deltas(conn: &AsyncPgConnection, batch_size: i64) -> QueryResult<usize> {
    let touched: Vec<(Uuid,)> = FoldDeltas { batch_size }.load(&mut &*conn).await?;
    Ok(touched.len())
}

pub async fn balances_of_customer(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    customer_id: CustomerId,
) -> QueryResult<Vec<CustomerBalance>> {
    BalancesOfCustomer { partner_id: tenant.partner_id, mode: tenant.mode, customer_id }.load(&mut &*conn).await
}
