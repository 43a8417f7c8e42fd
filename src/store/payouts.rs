//! Payouts: written down before they are sent, followed to their end.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{
    DepositAccountId, Mode, PartnerId, PayoutId, PayoutRequestId, ProviderAccountId, RouteId, Tenant,
};
use crate::domain::payout::{PayoutStatus, Resolution};

macro_rules! payout_columns {
    () => {
        "p.partner_id, p.mode, p.id, p.request_id, p.part, p.attempt, p.route_id, p.deposit_account_id, \
         p.provider_account_id, p.provider, p.status, p.provider_reference, p.provider_original_id, p.rrn, p.arn, p.amount, \
         p.currency, p.amount_reserved, p.amount_processed, p.amount_returned, p.cost, p.resolution, p.provider_code, \
         p.provider_message, p.sends, p.sent_at, p.inquiries, p.not_found_count, p.created_at, p.updated_at, p.final_at, \
         p.parent_part, p.deposit_currency, p.deposit_rate, p.deposit_debited, p.settled_from, p.usage_pool, p.usage_window, p.is_probe, \
         p.given_up"
    };
}

pub(super) use payout_columns;

pub(super) type PayoutSql = (
    SqlUuid,
    Text,
    SqlUuid,
    SqlUuid,
    SmallInt,
    SmallInt,
    SqlUuid,
    SqlUuid,
    SqlUuid,
    Text,
    Text,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Numeric,
    Text,
    Numeric,
    Numeric,
    Numeric,
    Numeric,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    SmallInt,
    Nullable<Timestamptz>,
    Integer,
    Integer,
    Timestamptz,
    Timestamptz,
    Nullable<Timestamptz>,
    PlacementSql,
);

type PlacementSql = (
    Nullable<SmallInt>,
    Text,
    Numeric,
    Numeric,
    Nullable<Numeric>,
    Nullable<SqlUuid>,
    Nullable<Timestamptz>,
    Bool,
    Bool,
);

/// How a payout was placed: what it takes of its deposit account, and in which of routing's counters it stands.
#[derive(Clone, Debug, PartialEq, diesel::Queryable)]
pub struct Placement {
    /// The part that this one is a piece of, planned anew.
    pub parent_part: Option<i16>,
    pub deposit_currency: AssetCode,
    /// Units of the deposit currency for one unit of the payout's.
    pub deposit_rate: Decimal,
    /// What really left the deposit account, the cost apart.
    pub deposit_debited: Decimal,
    /// What the request had processed before this payout paid: where its settlement's step begins.
    pub settled_from: Option<Decimal>,
    pub usage_pool: Option<Uuid>,
    pub usage_window: Option<DateTime<Utc>>,
    /// Sent while the breaker was half open.
    pub is_probe: bool,
    /// What it left unpaid is not tried again.
    pub given_up: bool,
}

/// A payout as stored.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct Payout {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: PayoutId,
    pub request_id: PayoutRequestId,
    pub part: i16,
    pub attempt: i16,
    pub route_id: RouteId,
    pub deposit_account_id: DepositAccountId,
    pub provider_account_id: ProviderAccountId,
    pub provider: String,
    pub status: PayoutStatus,
    pub provider_reference: String,
    pub provider_original_id: Option<String>,
    pub rrn: Option<String>,
    pub arn: Option<String>,
    pub amount: Decimal,
    pub currency: AssetCode,
    pub amount_reserved: Decimal,
    pub amount_processed: Decimal,
    pub amount_returned: Decimal,
    pub cost: Decimal,
    pub resolution: Option<Resolution>,
    pub provider_code: Option<String>,
    pub provider_message: Option<String>,
    pub sends: i16,
    pub sent_at: Option<DateTime<Utc>>,
    pub inquiries: i32,
    pub not_found_count: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub final_at: Option<DateTime<Utc>>,
    pub placement: Placement,
}

impl Payout {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }

    /// No later than the first send. Of several sends only the last one's time is kept: the first was after the payout was written down,
    /// which for a part that waits for its turn, or for a person, is days before it is sent.
    pub fn first_sent_at(&self) -> DateTime<Utc> {
        match (self.sends, self.sent_at) {
            (1, Some(only)) => only,
            _ => self.created_at,
        }
    }
}

statement! {
    struct InsertPayouts {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutId> as Array<SqlUuid>,
        request_ids: Vec<PayoutRequestId> as Array<SqlUuid>, parts: Vec<i16> as Array<SmallInt>, attempts: Vec<i16> as Array<SmallInt>,
        route_ids: Vec<RouteId> as Array<SqlUuid>, deposit_account_ids: Vec<DepositAccountId> as Array<SqlUuid>,
        provider_account_ids: Vec<ProviderAccountId> as Array<SqlUuid>, providers: Vec<String> as Array<Text>,
        statuses: Vec<PayoutStatus> as Array<Text>, references: Vec<String> as Array<Text>, amounts: Vec<Decimal> as Array<Numeric>,
        currencies: Vec<AssetCode> as Array<Text>, reserved: Vec<Decimal> as Array<Numeric>, costs: Vec<Decimal> as Array<Numeric>,
        sends: Vec<i16> as Array<SmallInt>, sent_ats: Vec<Option<DateTime<Utc>>> as Array<Nullable<Timestamptz>>,
        created_ats: Vec<DateTime<Utc>> as Array<Timestamptz>, parents: Vec<Option<i16>> as Array<Nullable<SmallInt>>,
        deposit_currencies: Vec<AssetCode> as Array<Text>, deposit_rates: Vec<Decimal> as Array<Numeric>,
        pools: Vec<Option<Uuid>> as Array<Nullable<SqlUuid>>, windows: Vec<Option<DateTime<Utc>>> as Array<Nullable<Timestamptz>>,
        probes: Vec<bool> as Array<Bool>,
    } = "INSERT INTO payout (partner_id, mode, id, request_id, part, attempt, route_id, deposit_account_id, provider_account_id, \
             provider, status, provider_reference, amount, currency, amount_reserved, cost, sends, sent_at, created_at, \
             parent_part, deposit_currency, deposit_rate, usage_pool, usage_window, is_probe, updated_at) \
         SELECT k.*, k.created_at FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::uuid[], ?::smallint[], ?::smallint[], ?::uuid[], \
             ?::uuid[], ?::uuid[], ?::text[], ?::text[], ?::text[], ?::numeric[], ?::text[], ?::numeric[], ?::numeric[], \
             ?::smallint[], ?::timestamptz[], ?::timestamptz[], ?::smallint[], ?::text[], ?::numeric[], ?::uuid[], ?::timestamptz[], \
             ?::boolean[]) \
             AS k (partner_id, mode, id, request_id, part, attempt, route_id, deposit_account_id, provider_account_id, provider, \
             status, provider_reference, amount, currency, amount_reserved, cost, sends, sent_at, created_at, parent_part, \
             deposit_currency, deposit_rate, usage_pool, usage_window, is_probe)"
}

statement! {
    struct OfRequests {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
    } => PayoutSql
      = concat!("SELECT ", payout_columns!(), " FROM payout p \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         ON (p.partner_id, p.mode, p.request_id) = (k.partner_id, k.mode, k.id) \
         ORDER BY p.partner_id, p.mode, p.request_id, p.part, p.attempt")
}

statement! {
    struct FindPayouts {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<Uuid> as Array<SqlUuid>,
    } => PayoutSql
      = concat!("SELECT ", payout_columns!(), " FROM payout p \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         ON (p.partner_id, p.mode, p.id) = (k.partner_id, k.mode, k.id)")
}

statement! {
    struct FindByReferences { account_id: ProviderAccountId as SqlUuid, references: Vec<String> as Array<Text> } => PayoutSql
      = concat!("SELECT ", payout_columns!(), " FROM payout p \
         WHERE p.provider_account_id = ? AND p.provider_reference = ANY (?)")
}

statement! {
    struct WritePayouts {
        now: DateTime<Utc> as Timestamptz,
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutId> as Array<SqlUuid>,
        statuses: Vec<PayoutStatus> as Array<Text>, original_ids: Vec<Option<String>> as Array<Nullable<Text>>,
        rrns: Vec<Option<String>> as Array<Nullable<Text>>, arns: Vec<Option<String>> as Array<Nullable<Text>>,
        reserved: Vec<Decimal> as Array<Numeric>, processed: Vec<Decimal> as Array<Numeric>, returned: Vec<Decimal> as Array<Numeric>,
        costs: Vec<Decimal> as Array<Numeric>, resolutions: Vec<Option<Resolution>> as Array<Nullable<Text>>,
        codes: Vec<Option<String>> as Array<Nullable<Text>>, messages: Vec<Option<String>> as Array<Nullable<Text>>,
        sends: Vec<i16> as Array<SmallInt>, sent_ats: Vec<Option<DateTime<Utc>>> as Array<Nullable<Timestamptz>>,
        inquiries: Vec<i32> as Array<Integer>, not_founds: Vec<i32> as Array<Integer>,
        final_ats: Vec<Option<DateTime<Utc>>> as Array<Nullable<Timestamptz>>, debited: Vec<Decimal> as Array<Numeric>,
        settled_from: Vec<Option<Decimal>> as Array<Nullable<Numeric>>, probes: Vec<bool> as Array<Bool>,
        given_up: Vec<bool> as Array<Bool>,
    } = "UPDATE payout p SET updated_at = ?, status = k.status, provider_original_id = k.original_id, rrn = k.rrn, arn = k.arn, \
             amount_reserved = k.reserved, amount_processed = k.processed, amount_returned = k.returned, cost = k.cost, \
             resolution = k.resolution, provider_code = k.code, provider_message = k.message, sends = k.sends, sent_at = k.sent_at, \
             inquiries = k.inquiries, not_found_count = k.not_found, final_at = k.final_at, \
             deposit_debited = k.debited, settled_from = k.settled_from, is_probe = k.is_probe, given_up = k.given_up \
         FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::text[], ?::text[], ?::text[], ?::text[], ?::numeric[], ?::numeric[], \
             ?::numeric[], ?::numeric[], ?::text[], ?::text[], ?::text[], ?::smallint[], ?::timestamptz[], ?::int[], ?::int[], \
             ?::timestamptz[], ?::numeric[], ?::numeric[], ?::boolean[], ?::boolean[]) \
             AS k (partner_id, mode, id, status, original_id, rrn, arn, reserved, processed, returned, cost, resolution, code, \
             message, sends, sent_at, inquiries, not_found, final_at, debited, settled_from, is_probe, given_up) \
         WHERE (p.partner_id, p.mode, p.id) = (k.partner_id, k.mode, k.id)"
}

/// Writes new payouts. A second open payout of a part is a unique violation (invariant 2).
pub async fn insert(conn: &AsyncPgConnection, payouts: &[Payout]) -> QueryResult<()> {
    if payouts.is_empty() {
        return Ok(());
    }
    InsertPayouts {
        partner_ids: payouts.iter().map(|p| p.partner_id).collect(),
        modes: payouts.iter().map(|p| p.mode).collect(),
        ids: payouts.iter().map(|p| p.id).collect(),
        request_ids: payouts.iter().map(|p| p.request_id).collect(),
        parts: payouts.iter().map(|p| p.part).collect(),
        attempts: payouts.iter().map(|p| p.attempt).collect(),
        route_ids: payouts.iter().map(|p| p.route_id).collect(),
        deposit_account_ids: payouts.iter().map(|p| p.deposit_account_id).collect(),
        provider_account_ids: payouts.iter().map(|p| p.provider_account_id).collect(),
        providers: payouts.iter().map(|p| p.provider.clone()).collect(),
        statuses: payouts.iter().map(|p| p.status).collect(),
        references: payouts.iter().map(|p| p.provider_reference.clone()).collect(),
        amounts: payouts.iter().map(|p| p.amount).collect(),
        currencies: payouts.iter().map(|p| p.currency).collect(),
        reserved: payouts.iter().map(|p| p.amount_reserved).collect(),
        costs: payouts.iter().map(|p| p.cost).collect(),
        sends: payouts.iter().map(|p| p.sends).collect(),
        sent_ats: payouts.iter().map(|p| p.sent_at).collect(),
        created_ats: payouts.iter().map(|p| p.created_at).collect(),
        parents: payouts.iter().map(|p| p.placement.parent_part).collect(),
        deposit_currencies: payouts.iter().map(|p| p.placement.deposit_currency).collect(),
        deposit_rates: payouts.iter().map(|p| p.placement.deposit_rate).collect(),
        pools: payouts.iter().map(|p| p.placement.usage_pool).collect(),
        windows: payouts.iter().map(|p| p.placement.usage_window).collect(),
        probes: payouts.iter().map(|p| p.placement.is_probe).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// All payouts of these requests, each request's in order of part and attempt.
pub async fn of_requests(conn: &AsyncPgConnection, requests: &[(Tenant, PayoutRequestId)]) -> QueryResult<Vec<Payout>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    OfRequests {
        partner_ids: requests.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: requests.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: requests.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// The payouts of these ids, without a lock.
pub async fn find(conn: &AsyncPgConnection, payouts: &[(Tenant, Uuid)]) -> QueryResult<Vec<Payout>> {
    if payouts.is_empty() {
        return Ok(Vec::new());
    }
    FindPayouts {
        partner_ids: payouts.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: payouts.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: payouts.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// The payouts that a provider account knows by these references.
pub async fn find_by_references(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    references: &[String],
) -> QueryResult<Vec<Payout>> {
    FindByReferences { account_id, references: references.to_vec() }.load(&mut &*conn).await
}

/// Writes back what may change of payouts whose requests are locked.
pub async fn write(conn: &AsyncPgConnection, payouts: &[Payout], now: DateTime<Utc>) -> QueryResult<()> {
    if payouts.is_empty() {
        return Ok(());
    }
    WritePayouts {
        now,
        partner_ids: payouts.iter().map(|p| p.partner_id).collect(),
        modes: payouts.iter().map(|p| p.mode).collect(),
        ids: payouts.iter().map(|p| p.id).collect(),
        statuses: payouts.iter().map(|p| p.status).collect(),
        original_ids: payouts.iter().map(|p| p.provider_original_id.clone()).collect(),
        rrns: payouts.iter().map(|p| p.rrn.clone()).collect(),
        arns: payouts.iter().map(|p| p.arn.clone()).collect(),
        reserved: payouts.iter().map(|p| p.amount_reserved).collect(),
        processed: payouts.iter().map(|p| p.amount_processed).collect(),
        returned: payouts.iter().map(|p| p.amount_returned).collect(),
        costs: payouts.iter().map(|p| p.cost).collect(),
        resolutions: payouts.iter().map(|p| p.resolution).collect(),
        codes: payouts.iter().map(|p| p.provider_code.clone()).collect(),
        messages: payouts.iter().map(|p| p.provider_message.clone()).collect(),
        sends: payouts.iter().map(|p| p.sends).collect(),
        sent_ats: payouts.iter().map(|p| p.sent_at).collect(),
        inquiries: payouts.iter().map(|p| p.inquiries).collect(),
        not_founds: payouts.iter().map(|p| p.not_found_count).collect(),
        final_ats: payouts.iter().map(|p| p.final_at).collect(),
        debited: payouts.iter().map(|p| p.placement.deposit_debited).collect(),
        settled_from: payouts.iter().map(|p| p.placement.settled_from).collect(),
        probes: payouts.iter().map(|p| p.placement.is_probe).collect(),
        given_up: payouts.iter().map(|p| p.placement.given_up).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}
