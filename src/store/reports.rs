//! Sums for partners' reports: their payout requests, and what moved their balances, by day (UTC).

use chrono::{DateTime, NaiveDate, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Date, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::of_tenant;
use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::domain::payout_request::RequestStatus;

statement! {
    struct UsageByDay { tenant: String as Text, from: DateTime<Utc> as Timestamptz, until: DateTime<Utc> as Timestamptz }
      -> pub Usage {
        day: NaiveDate as Date, service: String as Text, currency: AssetCode as Text, status: RequestStatus as Text,
        charged_currency: AssetCode as Text, count: i64 as BigInt, amount: Decimal as Numeric, processed: Decimal as Numeric,
        returned: Decimal as Numeric, charged_amount: Decimal as Numeric, fee: Decimal as Numeric,
    } = "SELECT (created_at AT TIME ZONE 'UTC')::date AS day, service, currency, status, point_currency, count(*), sum(amount), \
             sum(amount_processed), sum(amount_returned), sum(point_amount), sum(fee) \
         FROM payout_request WHERE (partner_id::text || mode) = ? AND created_at >= ? AND created_at < ? \
         GROUP BY day, service, currency, status, point_currency ORDER BY day, service, currency, status, point_currency"
}

statement! {
    // One statement, so that what moved and what is there are of one moment. What is there stands under the day before all others.
    struct MovesByDay {
        tenant: String as Text, from: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        accounts: Vec<Uuid> as Array<SqlUuid>,
    }
      -> pub Move {
        day: NaiveDate as Date, currency: AssetCode as Text, kind: String as Text, available: Decimal as Numeric, held: Decimal as Numeric,
    } = "WITH ask AS MATERIALIZED (SELECT ?::text AS tenant, ?::timestamptz AS since, ?::uuid AS partner_id, ?::text AS mode, ?::uuid[] AS accounts) \
         SELECT (e.created_at AT TIME ZONE 'UTC')::date AS day, g.asset, e.kind, \
             COALESCE(sum(g.amount) FILTER (WHERE a.kind = 'partner_available'), 0), \
             COALESCE(sum(g.amount) FILTER (WHERE a.kind = 'partner_held'), 0) \
         FROM entry e \
         JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
         JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) \
             AND a.kind IN ('partner_available', 'partner_held') \
         WHERE (e.partner_id::text || e.mode) = (SELECT tenant FROM ask) AND e.customer_id IS NULL \
             AND e.kind IN ('credit', 'debit', 'hold', 'release', 'settle', 'return') AND e.created_at >= (SELECT since FROM ask) \
         GROUP BY day, g.asset, e.kind \
         UNION ALL \
         SELECT '0001-01-01'::date, c.asset, 'balance', COALESCE(sum(c.balance) FILTER (WHERE c.kind = 'partner_available'), 0), \
             COALESCE(sum(c.balance) FILTER (WHERE c.kind = 'partner_held'), 0) \
         FROM ask JOIN account c ON c.id = ANY (ask.accounts) AND (c.partner_id, c.mode) = (ask.partner_id, ask.mode) GROUP BY c.asset"
}

/// The requests that were made in a time, as they stand now.
pub async fn usage(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> QueryResult<Vec<Usage>> {
    UsageByDay { tenant: of_tenant(tenant), from, until }.load(&mut &*conn).await
}

/// What moved these accounts of the partner's since a time, and (as `balance`) what is on them now.
pub async fn moves(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    accounts: Vec<Uuid>,
    from: DateTime<Utc>,
) -> QueryResult<Vec<Move>> {
    let Tenant { partner_id, mode } = tenant;
    MovesByDay { tenant: of_tenant(tenant), from, partner_id, mode, accounts }.load(&mut &*conn).await
}
