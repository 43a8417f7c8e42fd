//! What submitting a payout request reads: its payout point with the exchange-rate scheme in force, its service, and a named route.
//! The house's services, routes and schemes serve every partner of their mode; a partner's own come first.

use diesel::QueryResult;
use diesel::sql_types::{Array, Bool, Integer, Jsonb, Nullable, Numeric, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, PayoutPointId, RouteId, Tenant};
use crate::domain::payout_request::Funding;

statement! {
    struct FindPoints { partner_id: PartnerId as SqlUuid, mode: Mode as Text, ids: Vec<PayoutPointId> as Array<SqlUuid> }
      -> pub SubmissionPoint {
        id: PayoutPointId as SqlUuid, partner_code: String as Text, enabled: bool as Bool, currencies: Vec<AssetCode> as Array<Text>,
        funding: Funding as Text, callback_url: Option<String> as Nullable<Text>, options: Value as Jsonb,
        exchange_version: Option<i32> as Nullable<Integer>, exchange_body: Option<Value> as Nullable<Jsonb>,
    } = "SELECT t.id, p.code, t.enabled, t.currencies, t.funding, t.callback_url, t.options, v.version, v.body \
         FROM payout_point t JOIN partner p ON p.id = t.partner_id \
         LEFT JOIN exchange_scheme s ON s.id = t.exchange_scheme_id AND s.mode = t.mode \
             AND s.partner_id IN (t.partner_id, (SELECT id FROM partner WHERE code = 'house')) \
         LEFT JOIN exchange_scheme_version v \
             ON (v.scheme_id, v.version, v.partner_id, v.mode) = (s.id, s.version, s.partner_id, s.mode) \
         WHERE t.partner_id = ? AND t.mode = ? AND t.id = ANY (?)"
}

statement! {
    struct FindServices { partner_id: PartnerId as SqlUuid, mode: Mode as Text, codes: Vec<String> as Array<Text> }
      -> pub SubmissionService {
        is_own: bool as Bool, code: String as Text, currency: AssetCode as Text, enabled: bool as Bool,
        amount_min: Option<Decimal> as Nullable<Numeric>, amount_max: Option<Decimal> as Nullable<Numeric>, fields: Value as Jsonb,
    } = "WITH ask AS (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::text[] AS codes) \
         SELECT s.partner_id = ask.partner_id, s.code, s.currency, s.enabled, s.amount_min, s.amount_max, s.fields \
         FROM ask JOIN payout_service s ON s.code = ANY (ask.codes) AND s.mode = ask.mode \
             AND s.partner_id IN (ask.partner_id, (SELECT id FROM partner WHERE code = 'house')) \
         ORDER BY s.code, s.partner_id = ask.partner_id DESC"
}

statement! {
    struct FindRoutes { partner_id: PartnerId as SqlUuid, mode: Mode as Text, ids: Vec<RouteId> as Array<SqlUuid> }
      -> pub SubmissionRoute { id: RouteId as SqlUuid, service: String as Text, enabled: bool as Bool }
      = "WITH ask AS (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::uuid[] AS ids) \
         SELECT r.id, r.service, r.enabled FROM ask JOIN payout_route r ON r.id = ANY (ask.ids) AND r.mode = ask.mode \
             AND r.partner_id IN (ask.partner_id, (SELECT id FROM partner WHERE code = 'house'))"
}

/// The tenant's points of these ids.
pub async fn points(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    ids: Vec<PayoutPointId>,
) -> QueryResult<Vec<SubmissionPoint>> {
    FindPoints { partner_id: tenant.partner_id, mode: tenant.mode, ids }.load(&mut &*conn).await
}

/// The services of these codes that the tenant may use, its own before the house's.
pub async fn services(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    codes: Vec<String>,
) -> QueryResult<Vec<SubmissionService>> {
    FindServices { partner_id: tenant.partner_id, mode: tenant.mode, codes }.load(&mut &*conn).await
}

/// The routes of these ids that the tenant may use.
pub async fn routes(conn: &AsyncPgConnection, tenant: Tenant, ids: Vec<RouteId>) -> QueryResult<Vec<SubmissionRoute>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    FindRoutes { partner_id: tenant.partner_id, mode: tenant.mode, ids }.load(&mut &*conn).await
}
