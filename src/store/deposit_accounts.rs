//! Deposit accounts: money in one currency at a provider account, what is there and what is reserved of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::query_builder::Query;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::page::page_of;
use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode, PartnerId, ProviderAccountId, Tenant};

macro_rules! columns {
    () => {
        "t.partner_id, t.mode, t.id, t.code, t.name, t.provider_account_id, t.currency, t.enabled, t.balance, t.balance_source, \
         t.reserved, t.synced_at, t.sync_error, t.version, t.created_at, t.updated_at"
    };
}

statement! {
    struct FindDepositAccount { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid }
    -> #[derive(PartialEq)] pub DepositAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, provider_account_id: ProviderAccountId as SqlUuid, currency: AssetCode as Text,
        enabled: bool as Bool, balance: Decimal as Numeric, balance_source: String as Text, reserved: Decimal as Numeric,
        synced_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, sync_error: Option<String> as Nullable<Text>,
        version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz, updated_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = concat!("SELECT ", columns!(), " FROM deposit_account t WHERE t.partner_id = ? AND t.mode = ? AND t.id = ?")
}

statement! {
    struct ListDepositAccounts {
        tenant: String as Text, newest_first: bool as Bool, at: DateTime<Utc> as Timestamptz,
        id: Uuid as SqlUuid, size: i64 as BigInt, code: Option<String> as Nullable<Text>,
        currency: Option<AssetCode> as Nullable<Text>, enabled: Option<bool> as Nullable<Bool>,
        provider_account_id: Option<ProviderAccountId> as Nullable<SqlUuid>,
    } => <FindDepositAccount as Query>::SqlType
      = page_of!("deposit_account", columns!(),
            ", ?::text AS code, ?::text AS currency, ?::boolean AS enabled, ?::uuid AS provider_account_id",
            "AND (ask.code IS NULL OR t.code = ask.code) AND (ask.currency IS NULL OR t.currency = ask.currency) \
             AND (ask.enabled IS NULL OR t.enabled = ask.enabled) \
             AND (ask.provider_account_id IS NULL OR t.provider_account_id = ask.provider_account_id)")
}

statement! {
    struct InsertDepositAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, provider_account_id: ProviderAccountId as SqlUuid, currency: AssetCode as Text,
        enabled: bool as Bool, balance_source: String as Text, version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO deposit_account (partner_id, mode, id, code, name, provider_account_id, currency, enabled, balance_source, \
             version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    struct UpdateDepositAccount {
        name: Option<String> as Nullable<Text>, enabled: bool as Bool, now: DateTime<Utc> as Timestamptz,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid, version: i32 as Integer,
    } = "UPDATE deposit_account SET name = ?, enabled = ?, updated_at = ?, version = version + 1 \
         WHERE partner_id = ? AND mode = ? AND id = ? AND version = ?"
}

statement! {
    struct EnsureDepositAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid, code: String as Text,
        provider_account_id: ProviderAccountId as SqlUuid, currency: AssetCode as Text, balance_source: &'static str as Text,
        now: DateTime<Utc> as Timestamptz,
    } => (SqlUuid, Bool)
      = "INSERT INTO deposit_account (partner_id, mode, id, code, provider_account_id, currency, balance_source, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET balance_source = CASE \
             WHEN deposit_account.balance_source = 'provider' THEN 'provider' ELSE EXCLUDED.balance_source END \
         RETURNING id, xmax = 0"
}

statement! {
    struct LockDeposits { ids: Vec<DepositAccountId> as Array<SqlUuid> } -> pub DepositRow {
        id: DepositAccountId as SqlUuid, available: Decimal as Numeric, by_books: bool as Bool,
    } = "SELECT id, balance - reserved, balance_source = 'books' FROM deposit_account WHERE id = ANY (?) ORDER BY id FOR UPDATE"
}

statement! {
    struct LookAtDeposits { ids: Vec<DepositAccountId> as Array<SqlUuid> } => (SqlUuid, Numeric, Bool)
      = "SELECT id, balance - reserved, balance_source = 'books' FROM deposit_account WHERE id = ANY (?)"
}

statement! {
    struct MoveDeposits {
        ids: Vec<DepositAccountId> as Array<SqlUuid>, reserved: Vec<Decimal> as Array<Numeric>, debited: Vec<Decimal> as Array<Numeric>,
    } = "WITH k AS MATERIALIZED ( \
             SELECT * FROM UNNEST(?::uuid[], ?::numeric[], ?::numeric[]) AS k (id, reserved, debited)), \
         locked AS MATERIALIZED ( \
             SELECT d.id, k.reserved, k.debited FROM deposit_account d JOIN k ON d.id = k.id ORDER BY d.id FOR UPDATE OF d) \
         UPDATE deposit_account d SET reserved = d.reserved + locked.reserved, \
             balance = d.balance - CASE WHEN d.balance_source = 'books' THEN locked.debited ELSE 0 END \
         FROM locked WHERE d.id = locked.id"
}

statement! {
    struct TopUpDeposit { amount: Decimal as Numeric, id: DepositAccountId as SqlUuid }
      = "UPDATE deposit_account SET balance = balance + ? WHERE id = ? AND balance_source = 'books'"
}

impl DepositAccount {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// Who says what is on a deposit account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceSource {
    /// The provider, from time to time.
    Provider,
    /// Our own books, with each payout.
    Books,
}

impl BalanceSource {
    pub const fn as_str(self) -> &'static str {
        match self {
            BalanceSource::Provider => "provider",
            BalanceSource::Books => "books",
        }
    }
}

/// Which accounts a list has; what is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepositAccountFilter {
    pub code: Option<String>,
    pub currency: Option<AssetCode>,
    pub enabled: Option<bool>,
    pub provider_account_id: Option<ProviderAccountId>,
}

pub async fn find(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: DepositAccountId,
) -> QueryResult<Option<DepositAccount>> {
    FindDepositAccount { partner_id: tenant.partner_id, mode: tenant.mode, id }.get_result(&mut &*conn).await.optional()
}

pub async fn list(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    filter: &DepositAccountFilter,
    slice: Slice,
) -> QueryResult<Vec<DepositAccount>> {
    ListDepositAccounts {
        tenant: of_tenant(tenant),
        newest_first: slice.newest_first,
        at: slice.after.0,
        id: slice.after.1,
        size: slice.limit,
        code: filter.code.clone(),
        currency: filter.currency,
        enabled: filter.enabled,
        provider_account_id: filter.provider_account_id,
    }
    .load(&mut &*conn)
    .await
}

/// Writes a new account. Nothing is on it yet.
pub async fn insert(conn: &AsyncPgConnection, account: &DepositAccount) -> QueryResult<()> {
    let account = account.clone();
    InsertDepositAccount {
        partner_id: account.partner_id,
        mode: account.mode,
        id: account.id,
        code: account.code,
        name: account.name,
        provider_account_id: account.provider_account_id,
        currency: account.currency,
        enabled: account.enabled,
        balance_source: account.balance_source,
        version: account.version,
        created_at: account.created_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Writes what an owner may change, if the row still has `account.version`; answers whether it had.
pub async fn update(conn: &AsyncPgConnection, account: &DepositAccount, now: DateTime<Utc>) -> QueryResult<bool> {
    let written = UpdateDepositAccount {
        name: account.name.clone(),
        enabled: account.enabled,
        now,
        partner_id: account.partner_id,
        mode: account.mode,
        id: account.id,
        version: account.version,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(written == 1)
}

/// Writes down an account that configuration names. Answers its id and whether it is new. One whose provider reports its balance
/// stays so: our books can't know what is on it, and what is reserved for payouts that were paid would never be released.
pub async fn ensure(
    conn: &AsyncPgConnection,
    owner: Tenant,
    code: &str,
    provider_account_id: ProviderAccountId,
    currency: AssetCode,
    balance_source: BalanceSource,
    now: DateTime<Utc>,
) -> QueryResult<(DepositAccountId, bool)> {
    EnsureDepositAccount {
        partner_id: owner.partner_id,
        mode: owner.mode,
        id: DepositAccountId::new(),
        code: code.to_owned(),
        provider_account_id,
        currency,
        balance_source: balance_source.as_str(),
        now,
    }
    .get_result(&mut &*conn)
    .await
}

/// Locks deposit accounts in one order and answers what is available on each.
pub async fn lock_deposits(conn: &AsyncPgConnection, ids: &[DepositAccountId]) -> QueryResult<Vec<DepositRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    LockDeposits { ids: ids.to_vec() }.load(&mut &*conn).await
}

/// The same without locks: for what changes nothing.
pub async fn look_at_deposits(conn: &AsyncPgConnection, ids: &[DepositAccountId]) -> QueryResult<Vec<DepositRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    LookAtDeposits { ids: ids.to_vec() }.load(&mut &*conn).await
}

/// What changes on a deposit account: `reserved` is added to the reservations, `debited` leaves the balance where
/// our own books keep it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DepositMove {
    pub reserved: Decimal,
    pub debited: Decimal,
}

pub async fn move_deposits(
    conn: &AsyncPgConnection,
    moves: &BTreeMap<DepositAccountId, DepositMove>,
) -> QueryResult<()> {
    if moves.is_empty() {
        return Ok(());
    }
    MoveDeposits {
        ids: moves.keys().copied().collect(),
        reserved: moves.values().map(|m| m.reserved).collect(),
        debited: moves.values().map(|m| m.debited).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Adds to a deposit account's balance where our books keep it, with its ledger entry in the same transaction. What a provider
/// reports has the money in it when it is there.
pub async fn top_up(conn: &AsyncPgConnection, id: DepositAccountId, amount: Decimal) -> QueryResult<()> {
    TopUpDeposit { amount, id }.execute(&mut &*conn).await?;
    Ok(())
}
