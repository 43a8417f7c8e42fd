//! Payout requests.

use chrono::{DateTime, Utc};
use diesel::result::DatabaseErrorKind;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Integer, Jsonb, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{
    BatchId, CardId, CustomerId, Mode, OfferId, PartnerId, PayoutPointId, PayoutRequestId, RouteId, Tenant,
};
use crate::domain::payout::Resolution;
use crate::domain::payout_request::{Funding, RequestStatus, SplitMode};

macro_rules! request_columns {
    () => {
        "r.partner_id, r.mode, r.id, r.point_id, r.reference_id, r.customer_id, r.card_id, r.offer_id, r.funding, r.service, \
         r.amount, r.currency, r.fields, r.description, r.status, r.resolution, r.amount_processed, r.amount_returned, \
         r.attempts_limit, r.attempts_made, r.allow_partially, r.stop_requested, r.moderation_reason, r.expires_at, \
         r.event_seq, r.event_mac, r.created_at, r.updated_at, r.final_at, \
         r.point_amount, r.point_currency, r.fee, r.exchange, r.metadata, r.callback_url, r.attempts_per_route_limit, \
         r.auto_process, r.split_mode, r.parallel_mode, r.single_route_id, r.batch_id, r.batch_row, r.body_mac, \
         r.statement_descriptor"
    };
}

pub(super) use request_columns;

pub(super) type RequestSql = (
    SqlUuid,
    Text,
    SqlUuid,
    SqlUuid,
    Text,
    Nullable<SqlUuid>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Text,
    Text,
    Numeric,
    Text,
    Jsonb,
    Nullable<Text>,
    Text,
    Nullable<Text>,
    Numeric,
    Numeric,
    SmallInt,
    SmallInt,
    Bool,
    Nullable<Text>,
    Nullable<Text>,
    Timestamptz,
    Integer,
    Bytea,
    Timestamptz,
    Timestamptz,
    Nullable<Timestamptz>,
    TermsSql,
);

type TermsSql = (
    Numeric,
    Text,
    Numeric,
    Nullable<Jsonb>,
    Jsonb,
    Nullable<Text>,
    SmallInt,
    Bool,
    Text,
    Bool,
    Nullable<SqlUuid>,
    Nullable<SqlUuid>,
    Nullable<Integer>,
    Nullable<Bytea>,
    Nullable<Text>,
);

/// What the caller asked for beyond the money and its target: never changed once the request is `ready`.
#[derive(Clone, Debug, PartialEq, diesel::Queryable)]
pub struct RequestTerms {
    /// What the caller is charged, before the fee, in `point_currency`.
    pub point_amount: Decimal,
    pub point_currency: AssetCode,
    /// On top of `point_amount`.
    pub fee: Decimal,
    /// The exchange rule and rate that made the service's amount of it.
    pub exchange: Option<Value>,
    pub metadata: Value,
    pub callback_url: Option<String>,
    pub attempts_per_route_limit: i16,
    pub auto_process: bool,
    pub split_mode: SplitMode,
    pub parallel_mode: bool,
    /// A single payout on this route: no routing, no failover.
    pub single_route_id: Option<RouteId>,
    pub batch_id: Option<BatchId>,
    pub batch_row: Option<i32>,
    /// HMAC of what was asked.
    pub body_mac: Option<Vec<u8>>,
    /// What the card holder reads, by the partner's terms when it came in; `None`: what the provider account says.
    pub statement_descriptor: Option<String>,
}

impl RequestTerms {
    /// The terms of a request that is charged exactly what it pays out, with no options set.
    pub fn plain(amount: Decimal, currency: AssetCode) -> Self {
        Self {
            point_amount: amount,
            point_currency: currency,
            fee: Decimal::ZERO,
            exchange: None,
            metadata: Value::Object(serde_json::Map::new()),
            callback_url: None,
            attempts_per_route_limit: 1,
            auto_process: true,
            split_mode: SplitMode::Never,
            parallel_mode: false,
            single_route_id: None,
            batch_id: None,
            batch_row: None,
            body_mac: None,
            statement_descriptor: None,
        }
    }
}

/// A payout request as stored.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct PayoutRequest {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: PayoutRequestId,
    pub point_id: PayoutPointId,
    pub reference_id: String,
    pub customer_id: Option<CustomerId>,
    pub card_id: Option<CardId>,
    pub offer_id: Option<OfferId>,
    pub funding: Funding,
    pub service: String,
    pub amount: Decimal,
    pub currency: AssetCode,
    pub fields: Value,
    pub description: Option<String>,
    pub status: RequestStatus,
    pub resolution: Option<Resolution>,
    pub amount_processed: Decimal,
    pub amount_returned: Decimal,
    pub attempts_limit: i16,
    pub attempts_made: i16,
    pub allow_partially: bool,
    pub stop_requested: Option<String>,
    pub moderation_reason: Option<String>,
    pub expires_at: DateTime<Utc>,
    pub event_seq: i32,
    pub event_mac: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub final_at: Option<DateTime<Utc>>,
    pub terms: RequestTerms,
}

impl PayoutRequest {
    /// Whether a card can have come in with it.
    pub fn may_bring_card(&self) -> bool {
        self.card_id.is_none() && self.funding != Funding::WalletHold
    }

    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

statement! {
    struct InsertRequests {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
        point_ids: Vec<PayoutPointId> as Array<SqlUuid>, reference_ids: Vec<String> as Array<Text>,
        customer_ids: Vec<Option<CustomerId>> as Array<Nullable<SqlUuid>>, card_ids: Vec<Option<CardId>> as Array<Nullable<BigInt>>,
        offer_ids: Vec<Option<OfferId>> as Array<Nullable<BigInt>>, fundings: Vec<Funding> as Array<Text>,
        services: Vec<String> as Array<Text>, amounts: Vec<Decimal> as Array<Numeric>, currencies: Vec<AssetCode> as Array<Text>,
        fields: Vec<Value> as Array<Jsonb>, descriptions: Vec<Option<String>> as Array<Nullable<Text>>,
        statuses: Vec<RequestStatus> as Array<Text>, attempts_limits: Vec<i16> as Array<SmallInt>,
        allow_partially: Vec<bool> as Array<Bool>, expires_ats: Vec<DateTime<Utc>> as Array<Timestamptz>,
        event_seqs: Vec<i32> as Array<Integer>, event_macs: Vec<Vec<u8>> as Array<Bytea>,
        created_ats: Vec<DateTime<Utc>> as Array<Timestamptz>,
        resolutions: Vec<Option<Resolution>> as Array<Nullable<Text>>, final_ats: Vec<Option<DateTime<Utc>>> as Array<Nullable<Timestamptz>>,
        point_amounts: Vec<Decimal> as Array<Numeric>, point_currencies: Vec<AssetCode> as Array<Text>, fees: Vec<Decimal> as Array<Numeric>,
        exchanges: Vec<Option<Value>> as Array<Nullable<Jsonb>>, metadata: Vec<Value> as Array<Jsonb>,
        callback_urls: Vec<Option<String>> as Array<Nullable<Text>>, per_route: Vec<i16> as Array<SmallInt>,
        auto: Vec<bool> as Array<Bool>, split_modes: Vec<SplitMode> as Array<Text>, parallel: Vec<bool> as Array<Bool>,
        single_routes: Vec<Option<RouteId>> as Array<Nullable<SqlUuid>>, batch_ids: Vec<Option<BatchId>> as Array<Nullable<SqlUuid>>,
        batch_rows: Vec<Option<i32>> as Array<Nullable<Integer>>, body_macs: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>,
        moderations: Vec<Option<String>> as Array<Nullable<Text>>, descriptors: Vec<Option<String>> as Array<Nullable<Text>>,
    } => (SqlUuid,)
      = "INSERT INTO payout_request (partner_id, mode, id, point_id, reference_id, customer_id, card_id, offer_id, funding, \
             service, amount, currency, fields, description, status, attempts_limit, allow_partially, expires_at, event_seq, \
             event_mac, created_at, resolution, final_at, point_amount, point_currency, fee, exchange, metadata, callback_url, \
             attempts_per_route_limit, auto_process, split_mode, parallel_mode, single_route_id, batch_id, batch_row, body_mac, \
             moderation_reason, statement_descriptor, updated_at) \
         SELECT k.*, k.created_at FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::uuid[], ?::text[], ?::uuid[], ?::bigint[], \
             ?::bigint[], ?::text[], ?::text[], ?::numeric[], ?::text[], ?::jsonb[], ?::text[], ?::text[], ?::smallint[], \
             ?::boolean[], ?::timestamptz[], ?::int[], ?::bytea[], ?::timestamptz[], ?::text[], ?::timestamptz[], ?::numeric[], \
             ?::text[], ?::numeric[], ?::jsonb[], ?::jsonb[], ?::text[], ?::smallint[], ?::boolean[], ?::text[], ?::boolean[], \
             ?::uuid[], ?::uuid[], ?::int[], ?::bytea[], ?::text[], ?::text[]) \
             AS k (partner_id, mode, id, point_id, reference_id, customer_id, card_id, offer_id, funding, service, amount, \
             currency, fields, description, status, attempts_limit, allow_partially, expires_at, event_seq, event_mac, created_at, \
             resolution, final_at, point_amount, point_currency, fee, exchange, metadata, callback_url, attempts_per_route_limit, \
             auto_process, split_mode, parallel_mode, single_route_id, batch_id, batch_row, body_mac, moderation_reason, \
             statement_descriptor) \
         ON CONFLICT ON CONSTRAINT payout_request_reference_once DO NOTHING RETURNING id"
}

statement! {
    struct LockRequests {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
    } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         ON (r.partner_id, r.mode, r.id) = (k.partner_id, k.mode, k.id) \
         ORDER BY r.partner_id, r.mode, r.id FOR UPDATE OF r")
}

statement! {
    struct FindRequest { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutRequestId as SqlUuid } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r WHERE r.partner_id = ? AND r.mode = ? AND r.id = ?")
}

statement! {
    struct RequestStatuses { ids: Vec<PayoutRequestId> as Array<SqlUuid> } => (SqlUuid, Text)
      = "SELECT id, status FROM payout_request WHERE id = ANY(?)"
}

statement! {
    struct WriteRequests {
        now: DateTime<Utc> as Timestamptz,
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
        statuses: Vec<RequestStatus> as Array<Text>, resolutions: Vec<Option<Resolution>> as Array<Nullable<Text>>,
        processed: Vec<Decimal> as Array<Numeric>, returned: Vec<Decimal> as Array<Numeric>,
        attempts: Vec<i16> as Array<SmallInt>, stops: Vec<Option<String>> as Array<Nullable<Text>>,
        moderations: Vec<Option<String>> as Array<Nullable<Text>>, event_seqs: Vec<i32> as Array<Integer>,
        event_macs: Vec<Vec<u8>> as Array<Bytea>, final_ats: Vec<Option<DateTime<Utc>>> as Array<Nullable<Timestamptz>>,
    } = "UPDATE payout_request r SET updated_at = ?, status = k.status, resolution = k.resolution, amount_processed = k.processed, \
             amount_returned = k.returned, attempts_made = k.attempts, stop_requested = k.stop, moderation_reason = k.moderation, \
             event_seq = k.event_seq, event_mac = k.event_mac, final_at = k.final_at \
         FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::text[], ?::text[], ?::numeric[], ?::numeric[], ?::smallint[], ?::text[], \
             ?::text[], ?::int[], ?::bytea[], ?::timestamptz[]) \
             AS k (partner_id, mode, id, status, resolution, processed, returned, attempts, stop, moderation, event_seq, event_mac, final_at) \
         WHERE (r.partner_id, r.mode, r.id) = (k.partner_id, k.mode, k.id)"
}

statement! {
    struct OpenOfCard { partner_id: PartnerId as SqlUuid, mode: Mode as Text, card_id: CardId as BigInt } => (Bool,)
      = "SELECT EXISTS (SELECT 1 FROM payout_request WHERE partner_id = ? AND mode = ? AND card_id = ? AND final_at IS NULL)"
}

/// Writes new requests, whose references are all new.
pub async fn insert(conn: &AsyncPgConnection, requests: &[PayoutRequest]) -> QueryResult<()> {
    let written = insert_new(conn, requests).await?;
    if written.len() == requests.len() {
        return Ok(());
    }
    let constraint = Box::new("payout_request_reference_once".to_owned());
    Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::UniqueViolation, constraint))
}

/// Writes those of the requests whose references are new, and answers which these are: of parallel ones with one reference, one is.
pub async fn insert_new(conn: &AsyncPgConnection, requests: &[PayoutRequest]) -> QueryResult<Vec<PayoutRequestId>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let written: Vec<(PayoutRequestId,)> = InsertRequests {
        partner_ids: requests.iter().map(|r| r.partner_id).collect(),
        modes: requests.iter().map(|r| r.mode).collect(),
        ids: requests.iter().map(|r| r.id).collect(),
        point_ids: requests.iter().map(|r| r.point_id).collect(),
        reference_ids: requests.iter().map(|r| r.reference_id.clone()).collect(),
        customer_ids: requests.iter().map(|r| r.customer_id).collect(),
        card_ids: requests.iter().map(|r| r.card_id).collect(),
        offer_ids: requests.iter().map(|r| r.offer_id).collect(),
        fundings: requests.iter().map(|r| r.funding).collect(),
        services: requests.iter().map(|r| r.service.clone()).collect(),
        amounts: requests.iter().map(|r| r.amount).collect(),
        currencies: requests.iter().map(|r| r.currency).collect(),
        fields: requests.iter().map(|r| r.fields.clone()).collect(),
        descriptions: requests.iter().map(|r| r.description.clone()).collect(),
        statuses: requests.iter().map(|r| r.status).collect(),
        attempts_limits: requests.iter().map(|r| r.attempts_limit).collect(),
        allow_partially: requests.iter().map(|r| r.allow_partially).collect(),
        expires_ats: requests.iter().map(|r| r.expires_at).collect(),
        event_seqs: requests.iter().map(|r| r.event_seq).collect(),
        event_macs: requests.iter().map(|r| r.event_mac.clone()).collect(),
        created_ats: requests.iter().map(|r| r.created_at).collect(),
        resolutions: requests.iter().map(|r| r.resolution).collect(),
        final_ats: requests.iter().map(|r| r.final_at).collect(),
        point_amounts: requests.iter().map(|r| r.terms.point_amount).collect(),
        point_currencies: requests.iter().map(|r| r.terms.point_currency).collect(),
        fees: requests.iter().map(|r| r.terms.fee).collect(),
        exchanges: requests.iter().map(|r| r.terms.exchange.clone()).collect(),
        metadata: requests.iter().map(|r| r.terms.metadata.clone()).collect(),
        callback_urls: requests.iter().map(|r| r.terms.callback_url.clone()).collect(),
        per_route: requests.iter().map(|r| r.terms.attempts_per_route_limit).collect(),
        auto: requests.iter().map(|r| r.terms.auto_process).collect(),
        split_modes: requests.iter().map(|r| r.terms.split_mode).collect(),
        parallel: requests.iter().map(|r| r.terms.parallel_mode).collect(),
        single_routes: requests.iter().map(|r| r.terms.single_route_id).collect(),
        batch_ids: requests.iter().map(|r| r.terms.batch_id).collect(),
        batch_rows: requests.iter().map(|r| r.terms.batch_row).collect(),
        body_macs: requests.iter().map(|r| r.terms.body_mac.clone()).collect(),
        moderations: requests.iter().map(|r| r.moderation_reason.clone()).collect(),
        descriptors: requests.iter().map(|r| r.terms.statement_descriptor.clone()).collect(),
    }
    .load(&mut &*conn)
    .await?;
    Ok(written.into_iter().map(|(id,)| id).collect())
}

/// Locks requests in one order.
pub async fn lock(conn: &AsyncPgConnection, requests: &[(Tenant, PayoutRequestId)]) -> QueryResult<Vec<PayoutRequest>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    LockRequests {
        partner_ids: requests.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: requests.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: requests.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

pub async fn find(conn: &AsyncPgConnection, tenant: Tenant, id: PayoutRequestId) -> QueryResult<Option<PayoutRequest>> {
    FindRequest { partner_id: tenant.partner_id, mode: tenant.mode, id }.get_result(&mut &*conn).await.optional()
}

/// Where requests stand, for whoever waits for them. Nobody is shown it.
pub async fn statuses(
    conn: &AsyncPgConnection,
    ids: Vec<PayoutRequestId>,
) -> QueryResult<Vec<(PayoutRequestId, RequestStatus)>> {
    RequestStatuses { ids }.get_results(&mut &*conn).await
}

/// Writes back what may change of locked requests.
pub async fn write(conn: &AsyncPgConnection, requests: &[PayoutRequest], now: DateTime<Utc>) -> QueryResult<()> {
    if requests.is_empty() {
        return Ok(());
    }
    WriteRequests {
        now,
        partner_ids: requests.iter().map(|r| r.partner_id).collect(),
        modes: requests.iter().map(|r| r.mode).collect(),
        ids: requests.iter().map(|r| r.id).collect(),
        statuses: requests.iter().map(|r| r.status).collect(),
        resolutions: requests.iter().map(|r| r.resolution).collect(),
        processed: requests.iter().map(|r| r.amount_processed).collect(),
        returned: requests.iter().map(|r| r.amount_returned).collect(),
        attempts: requests.iter().map(|r| r.attempts_made).collect(),
        stops: requests.iter().map(|r| r.stop_requested.clone()).collect(),
        moderations: requests.iter().map(|r| r.moderation_reason.clone()).collect(),
        event_seqs: requests.iter().map(|r| r.event_seq).collect(),
        event_macs: requests.iter().map(|r| r.event_mac.clone()).collect(),
        final_ats: requests.iter().map(|r| r.final_at).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Whether a request that isn't final still needs the card.
pub async fn any_open_of_card(conn: &AsyncPgConnection, tenant: Tenant, card_id: CardId) -> QueryResult<bool> {
    let (open,): (bool,) =
        OpenOfCard { partner_id: tenant.partner_id, mode: tenant.mode, card_id }.get_result(&mut &*conn).await?;
    Ok(open)
}

statement! {
    struct LatestOfHouse { mode: Mode as Text, size: i64 as BigInt } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r WHERE r.mode = ? AND r.funding <> 'own_deposit' \
             AND r.single_route_id IS NULL AND r.status NOT IN ('created', 'waiting_details') \
         ORDER BY r.created_at DESC, r.id DESC LIMIT ?")
}

statement! {
    struct LatestOfOwner { tenant: String as Text, size: i64 as BigInt } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r WHERE (r.partner_id::text || r.mode) = ? \
             AND r.funding = 'own_deposit' AND r.single_route_id IS NULL AND r.status NOT IN ('created', 'waiting_details') \
         ORDER BY r.created_at DESC, r.id DESC LIMIT ?")
}

/// The newest requests that routing chose for over the house's accounts, whoever made them; the newest first.
pub async fn latest_of_house(conn: &AsyncPgConnection, mode: Mode, size: i64) -> QueryResult<Vec<PayoutRequest>> {
    LatestOfHouse { mode, size }.load(&mut &*conn).await
}

/// The newest requests that routing chose for over the tenant's own accounts; the newest first.
pub async fn latest_of_owner(conn: &AsyncPgConnection, tenant: Tenant, size: i64) -> QueryResult<Vec<PayoutRequest>> {
    LatestOfOwner { tenant: super::of_tenant(tenant), size }.load(&mut &*conn).await
}
