//! Payout routes: a service over a deposit account.

use chrono::{DateTime, Utc};
use diesel::query_builder::Query;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::page::page_of;
use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode, PartnerId, ProviderAccountId, RouteId, Tenant};

pub use super::deposit_accounts::{DepositMove, DepositRow, lock_deposits, move_deposits, top_up};

macro_rules! columns {
    () => {
        "t.partner_id, t.mode, t.id, t.code, t.name, t.service, t.deposit_account_id, t.enabled, t.amount_min, t.amount_max, \
         t.cost_percent, t.cost_fixed, t.cost_min, t.cost_max, t.weight, t.position, t.version, t.created_at, t.updated_at"
    };
}

statement! {
    struct FindRoute { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: RouteId as SqlUuid }
    -> #[derive(PartialEq)] pub PayoutRoute {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: RouteId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, service: String as Text, deposit_account_id: DepositAccountId as SqlUuid,
        enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>, amount_max: Option<Decimal> as Nullable<Numeric>,
        cost_percent: Decimal as Numeric, cost_fixed: Decimal as Numeric, cost_min: Option<Decimal> as Nullable<Numeric>,
        cost_max: Option<Decimal> as Nullable<Numeric>, weight: i32 as Integer, position: i32 as Integer, version: i32 as Integer,
        created_at: DateTime<Utc> as Timestamptz, updated_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = concat!("SELECT ", columns!(), " FROM payout_route t WHERE t.partner_id = ? AND t.mode = ? AND t.id = ?")
}

statement! {
    struct ListRoutes {
        tenant: String as Text, newest_first: bool as Bool, at: DateTime<Utc> as Timestamptz,
        id: Uuid as SqlUuid, size: i64 as BigInt, code: Option<String> as Nullable<Text>,
        service: Option<String> as Nullable<Text>, enabled: Option<bool> as Nullable<Bool>,
        deposit_account_id: Option<DepositAccountId> as Nullable<SqlUuid>,
    } => <FindRoute as Query>::SqlType
      = page_of!("payout_route", columns!(),
            ", ?::text AS code, ?::text AS service, ?::boolean AS enabled, ?::uuid AS deposit_account_id",
            "AND (ask.code IS NULL OR t.code = ask.code) AND (ask.service IS NULL OR t.service = ask.service) \
             AND (ask.enabled IS NULL OR t.enabled = ask.enabled) \
             AND (ask.deposit_account_id IS NULL OR t.deposit_account_id = ask.deposit_account_id)")
}

statement! {
    struct InsertRoute {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: RouteId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, service: String as Text, deposit_account_id: DepositAccountId as SqlUuid,
        enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>, amount_max: Option<Decimal> as Nullable<Numeric>,
        cost_percent: Decimal as Numeric, cost_fixed: Decimal as Numeric, cost_min: Option<Decimal> as Nullable<Numeric>,
        cost_max: Option<Decimal> as Nullable<Numeric>, weight: i32 as Integer, position: i32 as Integer, version: i32 as Integer,
        created_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO payout_route (partner_id, mode, id, code, name, service, deposit_account_id, enabled, amount_min, amount_max, \
             cost_percent, cost_fixed, cost_min, cost_max, weight, position, version, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    struct UpdateRoute {
        name: Option<String> as Nullable<Text>, enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>,
        amount_max: Option<Decimal> as Nullable<Numeric>, cost_percent: Decimal as Numeric, cost_fixed: Decimal as Numeric,
        cost_min: Option<Decimal> as Nullable<Numeric>, cost_max: Option<Decimal> as Nullable<Numeric>, weight: i32 as Integer,
        position: i32 as Integer, now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        id: RouteId as SqlUuid, version: i32 as Integer,
    } = "UPDATE payout_route SET name = ?, enabled = ?, amount_min = ?, amount_max = ?, cost_percent = ?, cost_fixed = ?, \
             cost_min = ?, cost_max = ?, weight = ?, position = ?, updated_at = ?, version = version + 1 \
         WHERE partner_id = ? AND mode = ? AND id = ? AND version = ?"
}

statement! {
    /// What was changed through the API since (version above 1) stays as it is.
    struct EnsureRoute {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: RouteId as SqlUuid, code: String as Text, service: String as Text,
        deposit_account_id: DepositAccountId as SqlUuid, enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>,
        amount_max: Option<Decimal> as Nullable<Numeric>, cost_percent: Decimal as Numeric, cost_fixed: Decimal as Numeric,
        cost_min: Option<Decimal> as Nullable<Numeric>, cost_max: Option<Decimal> as Nullable<Numeric>, weight: i32 as Integer,
        position: i32 as Integer, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO payout_route AS t (partner_id, mode, id, code, service, deposit_account_id, enabled, amount_min, amount_max, \
             cost_percent, cost_fixed, cost_min, cost_max, weight, position, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET enabled = EXCLUDED.enabled, amount_min = EXCLUDED.amount_min, \
             amount_max = EXCLUDED.amount_max, cost_percent = EXCLUDED.cost_percent, cost_fixed = EXCLUDED.cost_fixed, \
             cost_min = EXCLUDED.cost_min, cost_max = EXCLUDED.cost_max, weight = EXCLUDED.weight, position = EXCLUDED.position \
         WHERE t.version = 1"
}

statement! {
    struct AllRoutes {} -> pub RouteRow {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: RouteId as SqlUuid, code: String as Text, service: String as Text,
        enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>, amount_max: Option<Decimal> as Nullable<Numeric>,
        cost_percent: Decimal as Numeric, cost_fixed: Decimal as Numeric, cost_min: Option<Decimal> as Nullable<Numeric>,
        cost_max: Option<Decimal> as Nullable<Numeric>, weight: i32 as Integer, deposit_account_id: DepositAccountId as SqlUuid,
        deposit_currency: AssetCode as Text, available: Decimal as Numeric, deposit_enabled: bool as Bool,
        is_synced: bool as Bool, provider_account_id: ProviderAccountId as SqlUuid,
    } = "SELECT r.partner_id, r.mode, r.id, r.code, r.service, r.enabled, r.amount_min, r.amount_max, r.cost_percent, r.cost_fixed, \
             r.cost_min, r.cost_max, r.weight, d.id, d.currency, d.balance - d.reserved, d.enabled, \
             d.balance_source = 'provider', d.provider_account_id \
         FROM payout_route r \
         JOIN deposit_account d ON (d.partner_id, d.mode, d.id) = (r.partner_id, r.mode, r.deposit_account_id) \
         ORDER BY r.mode, r.service, r.position, r.code"
}

impl PayoutRoute {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

impl RouteRow {
    /// Who owns the route.
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// Which routes a list has; what is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteFilter {
    pub code: Option<String>,
    pub service: Option<String>,
    pub enabled: Option<bool>,
    pub deposit_account_id: Option<DepositAccountId>,
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
    pub cost_min: Option<Decimal>,
    pub cost_max: Option<Decimal>,
    pub weight: i32,
    pub position: i32,
}

pub async fn find(conn: &AsyncPgConnection, tenant: Tenant, id: RouteId) -> QueryResult<Option<PayoutRoute>> {
    FindRoute { partner_id: tenant.partner_id, mode: tenant.mode, id }.get_result(&mut &*conn).await.optional()
}

pub async fn list(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    filter: &RouteFilter,
    slice: Slice,
) -> QueryResult<Vec<PayoutRoute>> {
    ListRoutes {
        tenant: of_tenant(tenant),
        newest_first: slice.newest_first,
        at: slice.after.0,
        id: slice.after.1,
        size: slice.limit,
        code: filter.code.clone(),
        service: filter.service.clone(),
        enabled: filter.enabled,
        deposit_account_id: filter.deposit_account_id,
    }
    .load(&mut &*conn)
    .await
}

/// Every route with its deposit account's available balance, in the given order. Read into memory by those who ask often.
pub async fn all(conn: &AsyncPgConnection) -> QueryResult<Vec<RouteRow>> {
    AllRoutes {}.load(&mut &*conn).await
}

pub async fn insert(conn: &AsyncPgConnection, route: &PayoutRoute) -> QueryResult<()> {
    let route = route.clone();
    InsertRoute {
        partner_id: route.partner_id,
        mode: route.mode,
        id: route.id,
        code: route.code,
        name: route.name,
        service: route.service,
        deposit_account_id: route.deposit_account_id,
        enabled: route.enabled,
        amount_min: route.amount_min,
        amount_max: route.amount_max,
        cost_percent: route.cost_percent,
        cost_fixed: route.cost_fixed,
        cost_min: route.cost_min,
        cost_max: route.cost_max,
        weight: route.weight,
        position: route.position,
        version: route.version,
        created_at: route.created_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Writes what may change, if the row still has `route.version`; answers whether it had.
pub async fn update(conn: &AsyncPgConnection, route: &PayoutRoute, now: DateTime<Utc>) -> QueryResult<bool> {
    let route = route.clone();
    let written = UpdateRoute {
        name: route.name,
        enabled: route.enabled,
        amount_min: route.amount_min,
        amount_max: route.amount_max,
        cost_percent: route.cost_percent,
        cost_fixed: route.cost_fixed,
        cost_min: route.cost_min,
        cost_max: route.cost_max,
        weight: route.weight,
        position: route.position,
        now,
        partner_id: route.partner_id,
        mode: route.mode,
        id: route.id,
        version: route.version,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(written == 1)
}

/// Writes down a route that configuration names.
pub async fn ensure(
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
        cost_min: route.cost_min,
        cost_max: route.cost_max,
        weight: route.weight,
        position: route.position,
        now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}
