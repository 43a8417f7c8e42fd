//! Payout requests as their partners see them: by reference, in lists, in batches, and those whose time is over.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::payouts::{Payout, PayoutSql, payout_columns};
use super::requests::{PayoutRequest, RequestSql, request_columns};
use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::ids::{BatchId, Mode, PartnerId, PayoutId, PayoutPointId, PayoutRequestId, Tenant};
use crate::domain::payout::PayoutStatus;
use crate::domain::payout_request::RequestStatus;

statement! {
    struct ByReferences { partner_id: PartnerId as SqlUuid, mode: Mode as Text, references: Vec<String> as Array<Text> } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r \
         WHERE r.partner_id = ? AND r.mode = ? AND r.reference_id = ANY (?)")
}

statement! {
    struct LockExpired { now: DateTime<Utc> as Timestamptz, batch_size: i64 as BigInt } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r \
         WHERE r.final_at IS NULL AND r.expires_at <= ? AND r.stop_requested IS NULL \
         ORDER BY r.expires_at LIMIT ? FOR UPDATE SKIP LOCKED")
}

statement! {
    struct LockOneExpired {
        now: DateTime<Utc> as Timestamptz, id: PayoutRequestId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
    } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r \
         WHERE r.final_at IS NULL AND r.expires_at <= ? AND r.stop_requested IS NULL AND r.id = ? AND r.partner_id = ? AND r.mode = ? \
         FOR UPDATE SKIP LOCKED")
}

statement! {
    struct LockOfBatch {
        batch_id: BatchId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, status: Option<RequestStatus> as Nullable<Text>,
        after: i32 as Integer, size: i64 as BigInt,
    } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r \
         WHERE r.batch_id = ? AND r.partner_id = ? AND r.mode = ? AND r.status = COALESCE(?, r.status) AND r.batch_row > ? \
         ORDER BY r.batch_row LIMIT ? FOR UPDATE OF r")
}

statement! {
    struct OfBatch {
        batch_id: BatchId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, after: i32 as Integer, size: i64 as BigInt,
    } => RequestSql
      = concat!("SELECT ", request_columns!(), " FROM payout_request r \
         WHERE r.batch_id = ? AND r.partner_id = ? AND r.mode = ? AND r.batch_row > ? ORDER BY r.batch_row LIMIT ?")
}

statement! {
    /// What a caller may change of a locked request; what its money is only changes with its hold.
    struct WriteDetails {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutRequestId as SqlUuid, fields: Value as Jsonb,
        description: Option<String> as Nullable<Text>, attempts_limit: i16 as SmallInt, allow_partially: bool as Bool,
        auto_process: bool as Bool, amount: Decimal as Numeric, point_amount: Decimal as Numeric, fee: Decimal as Numeric,
        exchange: Option<Value> as Nullable<Jsonb>,
    } = "UPDATE payout_request r SET fields = k.fields, description = k.description, attempts_limit = k.attempts_limit, \
             allow_partially = k.allow_partially, auto_process = k.auto_process, amount = k.amount, point_amount = k.point_amount, \
             fee = k.fee, exchange = k.exchange \
         FROM (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::uuid AS id, ?::jsonb AS fields, ?::text AS description, \
             ?::smallint AS attempts_limit, ?::boolean AS allow_partially, ?::boolean AS auto_process, ?::numeric AS amount, \
             ?::numeric AS point_amount, ?::numeric AS fee, ?::jsonb AS exchange) k \
         WHERE (r.partner_id, r.mode, r.id) = (k.partner_id, k.mode, k.id)"
}

statement! {
    struct MarkProcessed {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
    } = "UPDATE payout_request r SET auto_process = true FROM UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         WHERE (r.partner_id, r.mode, r.id) = (k.partner_id, k.mode, k.id)"
}

/// A list in one direction: the planner reads the tenant's index in its order, so each direction has its own text.
macro_rules! list_of_requests {
    ($name:ident, $compare:literal, $order:literal) => {
        statement! {
            struct $name {
                tenant: String as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid,
                size: i64 as BigInt, status: Option<RequestStatus> as Nullable<Text>, service: Option<String> as Nullable<Text>,
                reference: Option<String> as Nullable<Text>, customer: Option<String> as Nullable<Text>,
                point: Option<PayoutPointId> as Nullable<SqlUuid>, from: Option<DateTime<Utc>> as Nullable<Timestamptz>,
                to: Option<DateTime<Utc>> as Nullable<Timestamptz>,
            } => RequestSql
              = concat!("WITH ask AS MATERIALIZED (SELECT ?::text AS tenant, ?::timestamptz AS at, ?::uuid AS id, ?::bigint AS size, \
                     ?::text AS status, ?::text AS service, ?::text AS reference, ?::text AS customer, ?::uuid AS point, \
                     ?::timestamptz AS since, ?::timestamptz AS before) \
                 SELECT ", request_columns!(), " FROM payout_request r \
                 WHERE (r.partner_id::text || r.mode) = (SELECT tenant FROM ask) AND (r.created_at, r.id) ", $compare, " ((SELECT at FROM ask), (SELECT id FROM ask)) \
                     AND ((SELECT status FROM ask) IS NULL OR r.status = (SELECT status FROM ask)) AND ((SELECT service FROM ask) IS NULL OR r.service = (SELECT service FROM ask)) \
                     AND ((SELECT reference FROM ask) IS NULL OR r.reference_id = (SELECT reference FROM ask)) AND ((SELECT point FROM ask) IS NULL OR r.point_id = (SELECT point FROM ask)) \
                     AND ((SELECT customer FROM ask) IS NULL OR EXISTS (SELECT 1 FROM customer u \
                         WHERE (u.partner_id, u.mode, u.id) = (r.partner_id, r.mode, r.customer_id) AND u.reference = (SELECT customer FROM ask))) \
                     AND ((SELECT since FROM ask) IS NULL OR r.created_at >= (SELECT since FROM ask)) AND ((SELECT before FROM ask) IS NULL OR r.created_at < (SELECT before FROM ask)) \
                 ORDER BY r.created_at ", $order, ", r.id ", $order, " LIMIT (SELECT size FROM ask)")
        }
    };
}
list_of_requests!(ListNewest, "<", "DESC");
list_of_requests!(ListOldest, ">", "ASC");

macro_rules! list_of_payouts {
    ($name:ident, $compare:literal, $order:literal) => {
        statement! {
            struct $name {
                tenant: String as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid,
                size: i64 as BigInt, status: Option<PayoutStatus> as Nullable<Text>,
                from: Option<DateTime<Utc>> as Nullable<Timestamptz>,
                to: Option<DateTime<Utc>> as Nullable<Timestamptz>,
            } => PayoutSql
              = concat!("WITH ask AS MATERIALIZED (SELECT ?::text AS tenant, ?::timestamptz AS at, ?::uuid AS id, ?::bigint AS size, \
                     ?::text AS status, ?::timestamptz AS since, ?::timestamptz AS before) \
                 SELECT ", payout_columns!(), " FROM payout p \
                 WHERE (p.partner_id::text || p.mode) = (SELECT tenant FROM ask) AND (p.created_at, p.id) ", $compare, " ((SELECT at FROM ask), (SELECT id FROM ask)) \
                     AND ((SELECT status FROM ask) IS NULL OR p.status = (SELECT status FROM ask)) \
                     AND ((SELECT since FROM ask) IS NULL OR p.created_at >= (SELECT since FROM ask)) AND ((SELECT before FROM ask) IS NULL OR p.created_at < (SELECT before FROM ask)) \
                 ORDER BY p.created_at ", $order, ", p.id ", $order, " LIMIT (SELECT size FROM ask)")
        }
    };
}
list_of_payouts!(PayoutsNewest, "<", "DESC");
list_of_payouts!(PayoutsOldest, ">", "ASC");

/// Which requests a list has; what is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    pub status: Option<RequestStatus>,
    pub service: Option<String>,
    pub reference_id: Option<String>,
    /// The partner's own reference of its customer.
    pub customer: Option<String>,
    pub batch: Option<BatchId>,
    pub point_id: Option<PayoutPointId>,
    /// Made at or after.
    pub created_from: Option<DateTime<Utc>>,
    /// Made before.
    pub created_to: Option<DateTime<Utc>>,
}

impl RequestFilter {
    /// Whether `row` keeps all but the customer's reference, which the row doesn't have.
    fn fits(&self, row: &PayoutRequest) -> bool {
        self.status.is_none_or(|status| row.status == status)
            && self.service.as_ref().is_none_or(|service| row.service == *service)
            && self.reference_id.as_ref().is_none_or(|reference| row.reference_id == *reference)
            && self.batch.is_none_or(|batch| row.terms.batch_id == Some(batch))
            && self.point_id.is_none_or(|point| row.point_id == point)
            && self.created_from.is_none_or(|from| row.created_at >= from)
            && self.created_to.is_none_or(|to| row.created_at < to)
    }
}

/// Which payouts a list has; what is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayoutFilter {
    pub status: Option<PayoutStatus>,
    pub request_id: Option<PayoutRequestId>,
    /// Made at or after.
    pub created_from: Option<DateTime<Utc>>,
    /// Made before.
    pub created_to: Option<DateTime<Utc>>,
}

impl PayoutFilter {
    fn fits(&self, row: &Payout) -> bool {
        self.status.is_none_or(|status| row.status == status)
            && self.request_id.is_none_or(|request| row.request_id == request)
            && self.created_from.is_none_or(|from| row.created_at >= from)
            && self.created_to.is_none_or(|to| row.created_at < to)
    }
}

/// The tenant's requests of these references.
pub async fn by_references(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    references: Vec<String>,
) -> QueryResult<Vec<PayoutRequest>> {
    if references.is_empty() {
        return Ok(Vec::new());
    }
    ByReferences { partner_id: tenant.partner_id, mode: tenant.mode, references }.load(&mut &*conn).await
}

pub async fn list(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    filter: &RequestFilter,
    slice: Slice,
) -> QueryResult<Vec<PayoutRequest>> {
    macro_rules! ask {
        ($statement:ident) => {
            $statement {
                tenant: of_tenant(tenant),
                at: slice.after.0,
                id: slice.after.1,
                size: slice.limit,
                status: filter.status,
                service: filter.service.clone(),
                reference: filter.reference_id.clone(),
                customer: filter.customer.clone(),
                point: filter.point_id,
                from: filter.created_from,
                to: filter.created_to,
            }
            .load(&mut &*conn)
            .await
        };
    }
    // A reference names one request, and a batch is a file's: they aren't looked for in the whole list.
    let named = match (&filter.reference_id, filter.batch) {
        (Some(reference), _) => Some(by_references(conn, tenant, vec![reference.clone()]).await?),
        (None, Some(batch)) => Some(of_batch(conn, tenant, batch, 0, i64::MAX).await?),
        (None, None) => None,
    };
    if let Some(mut found) = named {
        if let Some(reference) = &filter.customer {
            let whose =
                super::customers::find_profile_by_reference(conn, tenant, reference).await?.map(|profile| profile.id);
            found.retain(|row| whose.is_some() && row.customer_id == whose);
        }
        found.retain(|row| filter.fits(row));
        return Ok(slice.of(found, |row| (row.created_at, row.id.0)));
    }
    if slice.newest_first { ask!(ListNewest) } else { ask!(ListOldest) }
}

pub async fn list_payouts(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    filter: &PayoutFilter,
    slice: Slice,
) -> QueryResult<Vec<Payout>> {
    macro_rules! ask {
        ($statement:ident) => {
            $statement {
                tenant: of_tenant(tenant),
                at: slice.after.0,
                id: slice.after.1,
                size: slice.limit,
                status: filter.status,
                from: filter.created_from,
                to: filter.created_to,
            }
            .load(&mut &*conn)
            .await
        };
    }
    // A request has few payouts: they aren't looked for in the whole list.
    if let Some(request) = filter.request_id {
        let mut found = super::payouts::of_requests(conn, &[(tenant, request)]).await?;
        found.retain(|row| filter.fits(row));
        return Ok(slice.of(found, |row| (row.created_at, row.id.0)));
    }
    if slice.newest_first { ask!(PayoutsNewest) } else { ask!(PayoutsOldest) }
}

/// The tenant's payout of that id.
pub async fn find_payout(conn: &AsyncPgConnection, tenant: Tenant, id: PayoutId) -> QueryResult<Option<Payout>> {
    Ok(super::payouts::find(conn, &[(tenant, id.0)]).await?.pop())
}

/// Locks requests whose time is over and that nobody has told to stop yet; others' locks are passed over.
pub async fn lock_expired(
    conn: &AsyncPgConnection,
    now: DateTime<Utc>,
    batch_size: i64,
) -> QueryResult<Vec<PayoutRequest>> {
    LockExpired { now, batch_size }.load(&mut &*conn).await
}

/// The same of one request.
pub async fn lock_one_expired(
    conn: &AsyncPgConnection,
    now: DateTime<Utc>,
    tenant: Tenant,
    id: PayoutRequestId,
) -> QueryResult<Vec<PayoutRequest>> {
    LockOneExpired { now, id, partner_id: tenant.partner_id, mode: tenant.mode }.load(&mut &*conn).await
}

/// Locks a batch's items after `after` in the order of their rows, those of one status if it is given.
pub async fn lock_of_batch(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    batch_id: BatchId,
    status: Option<RequestStatus>,
    after: i32,
    size: i64,
) -> QueryResult<Vec<PayoutRequest>> {
    LockOfBatch { batch_id, partner_id: tenant.partner_id, mode: tenant.mode, status, after, size }
        .load(&mut &*conn)
        .await
}

/// A batch's items after the row `after`, in their order.
pub async fn of_batch(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    batch_id: BatchId,
    after: i32,
    size: i64,
) -> QueryResult<Vec<PayoutRequest>> {
    OfBatch { batch_id, partner_id: tenant.partner_id, mode: tenant.mode, after, size }.load(&mut &*conn).await
}

/// From now on these locked requests are dispatched by themselves.
pub async fn mark_processed(conn: &AsyncPgConnection, requests: &[PayoutRequest]) -> QueryResult<()> {
    if requests.is_empty() {
        return Ok(());
    }
    MarkProcessed {
        partner_ids: requests.iter().map(|r| r.partner_id).collect(),
        modes: requests.iter().map(|r| r.mode).collect(),
        ids: requests.iter().map(|r| r.id).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Writes what a caller changed of a locked request.
pub async fn write_details(conn: &AsyncPgConnection, request: &PayoutRequest) -> QueryResult<()> {
    WriteDetails {
        partner_id: request.partner_id,
        mode: request.mode,
        id: request.id,
        fields: request.fields.clone(),
        description: request.description.clone(),
        attempts_limit: request.attempts_limit,
        allow_partially: request.allow_partially,
        auto_process: request.terms.auto_process,
        amount: request.amount,
        point_amount: request.terms.point_amount,
        fee: request.terms.fee,
        exchange: request.terms.exchange.clone(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}
