//! What routing chooses from: payout points, provider accounts, deposit accounts and routes.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Bool, Integer, Jsonb, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode, PartnerId, PayoutPointId, ProviderAccountId, RouteId, Tenant};

statement! {
    struct EnsurePoint {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutPointId as SqlUuid, code: String as Text, name: String as Text,
        currencies: Vec<AssetCode> as Array<Text>, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO payout_point (partner_id, mode, id, code, name, currencies, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET name = EXCLUDED.name, currencies = EXCLUDED.currencies"
}

statement! {
    struct EnsureProviderAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ProviderAccountId as SqlUuid, code: String as Text,
        provider: String as Text, enabled: bool as Bool, settings: Value as Jsonb, now: DateTime<Utc> as Timestamptz,
    } => (SqlUuid,)
      = "INSERT INTO provider_account (partner_id, mode, id, code, provider, enabled, settings, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET enabled = EXCLUDED.enabled, settings = EXCLUDED.settings \
         RETURNING id"
}

statement! {
    struct EnsureDepositAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: DepositAccountId as SqlUuid, code: String as Text,
        provider_account_id: ProviderAccountId as SqlUuid, currency: AssetCode as Text, balance_source: &'static str as Text,
        now: DateTime<Utc> as Timestamptz,
    } => (SqlUuid, Bool)
      = "INSERT INTO deposit_account (partner_id, mode, id, code, provider_account_id, currency, balance_source, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET balance_source = EXCLUDED.balance_source \
         RETURNING id, xmax = 0"
}

statement! {
    struct EnsureRoute {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: RouteId as SqlUuid, code: String as Text, service: String as Text,
        deposit_account_id: DepositAccountId as SqlUuid, enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>,
        amount_max: Option<Decimal> as Nullable<Numeric>, cost_percent: Decimal as Numeric, cost_fixed: Decimal as Numeric,
        position: i32 as Integer, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO payout_route (partner_id, mode, id, code, service, deposit_account_id, enabled, amount_min, amount_max, \
             cost_percent, cost_fixed, position, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET enabled = EXCLUDED.enabled, amount_min = EXCLUDED.amount_min, \
             amount_max = EXCLUDED.amount_max, cost_percent = EXCLUDED.cost_percent, cost_fixed = EXCLUDED.cost_fixed, \
             position = EXCLUDED.position"
}

statement! {
    struct AllPoints {} -> pub Point {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutPointId as SqlUuid, code: String as Text,
        currencies: Vec<AssetCode> as Array<Text>,
    } = "SELECT partner_id, mode, id, code, currencies FROM payout_point ORDER BY partner_id, mode, code"
}

statement! {
    struct AllRoutes {} -> pub RouteRow {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: RouteId as SqlUuid, code: String as Text, service: String as Text, enabled: bool as Bool,
        amount_min: Option<Decimal> as Nullable<Numeric>, amount_max: Option<Decimal> as Nullable<Numeric>,
        cost_percent: Decimal as Numeric, cost_fixed: Decimal as Numeric, deposit_account_id: DepositAccountId as SqlUuid,
        currency: AssetCode as Text, available: Decimal as Numeric, provider_account_id: ProviderAccountId as SqlUuid,
        provider: String as Text, account_code: String as Text, account_enabled: bool as Bool, settings: Value as Jsonb,
    } = "SELECT r.partner_id, r.mode, r.id, r.code, r.service, r.enabled, r.amount_min, r.amount_max, r.cost_percent, r.cost_fixed, \
             d.id, d.currency, d.balance - d.reserved, a.id, a.provider, a.code, a.enabled, a.settings \
         FROM payout_route r \
         JOIN deposit_account d ON (d.partner_id, d.mode, d.id) = (r.partner_id, r.mode, r.deposit_account_id) \
         JOIN provider_account a ON (a.partner_id, a.mode, a.id) = (d.partner_id, d.mode, d.provider_account_id) \
         ORDER BY r.mode, r.service, r.position, r.code"
}

statement! {
    struct SyncedDeposits {} => (SqlUuid,) = "SELECT id FROM deposit_account WHERE balance_source = 'provider'"
}

statement! {
    struct LockDeposits { ids: Vec<DepositAccountId> as Array<SqlUuid> } -> pub DepositRow {
        id: DepositAccountId as SqlUuid, available: Decimal as Numeric, by_books: bool as Bool,
    } = "SELECT id, balance - reserved, balance_source = 'books' FROM deposit_account WHERE id = ANY (?) ORDER BY id FOR UPDATE"
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
      = "UPDATE deposit_account SET balance = balance + ? WHERE id = ?"
}

/// A route to be written down, by its code.
#[derive(Clone, Debug)]
pub struct RouteSeed {
    pub code: String,
    pub service: String,
    pub enabled: bool,
    pub amount_min: Option<Decimal>,
    pub amount_max: Option<Decimal>,
    pub cost_percent: Decimal,
    pub cost_fixed: Decimal,
    pub position: i32,
}

pub async fn ensure_point(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    code: &str,
    name: &str,
    currencies: Vec<AssetCode>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    EnsurePoint {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id: PayoutPointId::new(),
        code: code.to_owned(),
        name: name.to_owned(),
        currencies,
        now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

pub async fn ensure_provider_account(
    conn: &AsyncPgConnection,
    owner: Tenant,
    code: &str,
    provider: &str,
    enabled: bool,
    settings: Value,
    now: DateTime<Utc>,
) -> QueryResult<ProviderAccountId> {
    let (id,) = EnsureProviderAccount {
        partner_id: owner.partner_id,
        mode: owner.mode,
        id: ProviderAccountId::new(),
        code: code.to_owned(),
        provider: provider.to_owned(),
        enabled,
        settings,
        now,
    }
    .get_result(&mut &*conn)
    .await?;
    Ok(id)
}

/// Answers the account's id and whether it is new.
pub async fn ensure_deposit_account(
    conn: &AsyncPgConnection,
    owner: Tenant,
    code: &str,
    provider_account_id: ProviderAccountId,
    currency: AssetCode,
    now: DateTime<Utc>,
) -> QueryResult<(DepositAccountId, bool)> {
    EnsureDepositAccount {
        partner_id: owner.partner_id,
        mode: owner.mode,
        id: DepositAccountId::new(),
        code: code.to_owned(),
        provider_account_id,
        currency,
        // Nothing reads providers' balances yet: our own books say what is there.
        balance_source: "books",
        now,
    }
    .get_result(&mut &*conn)
    .await
}

pub async fn ensure_route(
    conn: &AsyncPgConnection,
    owner: Tenant,
    deposit_account_id: DepositAccountId,
    route: RouteSeed,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    EnsureRoute {
        partner_id: owner.partner_id,
        mode: owner.mode,
        id: RouteId::new(),
        code: route.code,
        service: route.service,
        deposit_account_id,
        enabled: route.enabled,
        amount_min: route.amount_min,
        amount_max: route.amount_max,
        cost_percent: route.cost_percent,
        cost_fixed: route.cost_fixed,
        position: route.position,
        now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

pub async fn points(conn: &AsyncPgConnection) -> QueryResult<Vec<Point>> {
    AllPoints {}.load(&mut &*conn).await
}

/// Every route with its deposit account's available balance, in the given order. Read into memory by those who ask often.
pub async fn all(conn: &AsyncPgConnection) -> QueryResult<Vec<RouteRow>> {
    AllRoutes {}.load(&mut &*conn).await
}

/// The deposit accounts whose balance their provider reports.
pub async fn synced(conn: &AsyncPgConnection) -> QueryResult<Vec<DepositAccountId>> {
    let rows: Vec<(DepositAccountId,)> = SyncedDeposits {}.load(&mut &*conn).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Locks deposit accounts in one order and answers what is available on each.
pub async fn lock_deposits(conn: &AsyncPgConnection, ids: &[DepositAccountId]) -> QueryResult<Vec<DepositRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    LockDeposits { ids: ids.to_vec() }.load(&mut &*conn).await
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
    moves: &std::collections::BTreeMap<DepositAccountId, DepositMove>,
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

/// Adds to a deposit account's balance, with its ledger entry in the same transaction.
pub async fn top_up(conn: &AsyncPgConnection, id: DepositAccountId, amount: Decimal) -> QueryResult<()> {
    TopUpDeposit { amount, id }.execute(&mut &*conn).await?;
    Ok(())
}
