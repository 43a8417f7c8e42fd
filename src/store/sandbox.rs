//! What test mode does on demand. Each end that is moved to now answers `None` where there is no such thing of the tenant's, and `Some(false)` where it
//! is over or under way and nothing was changed.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::{CardId, Mode, OfferId, PartnerId, PayoutRequestId, Tenant};

statement! {
    struct ExpireOffer { now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: OfferId as BigInt }
      => (Bool,)
      = "WITH n AS (SELECT ?::timestamptz AS now), \
         found AS MATERIALIZED (SELECT o.partner_id, o.mode, o.id, (o.status = 'quoted' AND o.expires_at > n.now) AS is_open \
             FROM offer o, n WHERE o.partner_id = ? AND o.mode = ? AND o.id = ? FOR UPDATE OF o), \
         moved AS (UPDATE offer o SET expires_at = n.now FROM found f, n \
             WHERE (o.partner_id, o.mode, o.id) = (f.partner_id, f.mode, f.id) AND f.is_open) \
         SELECT is_open FROM found"
}

statement! {
    struct ExpireRequest {
        now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutRequestId as SqlUuid,
    } => (Bool,)
      = "WITH n AS (SELECT ?::timestamptz AS now), \
         found AS MATERIALIZED (SELECT r.partner_id, r.mode, r.id, r.final_at IS NULL AS is_open \
             FROM payout_request r WHERE r.partner_id = ? AND r.mode = ? AND r.id = ? FOR UPDATE OF r), \
         moved AS (UPDATE payout_request r SET expires_at = least(r.expires_at, n.now) FROM found f, n \
             WHERE (r.id, r.partner_id, r.mode) = (f.id, f.partner_id, f.mode) AND f.is_open) \
         SELECT is_open FROM found"
}

statement! {
    struct ExpireCard {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CardId as BigInt,
        year: i32 as Integer, month: i32 as Integer, now: DateTime<Utc> as Timestamptz,
    } => (Bool,)
      = "WITH found AS MATERIALIZED (SELECT c.partner_id, c.mode, c.id, c.hidden_at IS NULL AS is_open \
             FROM card c WHERE c.partner_id = ? AND c.mode = ? AND c.id = ? FOR UPDATE OF c), \
         moved AS (UPDATE card c SET expiry_year = ?, expiry_month = ?, updated_at = ? FROM found f \
             WHERE (c.partner_id, c.mode, c.id) = (f.partner_id, f.mode, f.id) AND f.is_open) \
         SELECT is_open FROM found"
}

statement! {
    struct Request { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutRequestId as SqlUuid } => (Nullable<SqlUuid>,)
      = "SELECT id FROM payout_request WHERE partner_id = ? AND mode = ? AND id = ?"
}

statement! {
    struct RequestOfOffer { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: OfferId as BigInt } => (Nullable<SqlUuid>,)
      = "SELECT request_id FROM offer WHERE partner_id = ? AND mode = ? AND id = ?"
}

/// The request itself; `None`: there is no such one.
pub async fn request(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: PayoutRequestId,
) -> QueryResult<Option<Option<PayoutRequestId>>> {
    let found = Request { partner_id: tenant.partner_id, mode: tenant.mode, id };
    first(found.get_result(&mut &*conn).await)
}

/// What paying the offer submitted; `None`: there is no such offer, `Some(None)`: it isn't paid.
pub async fn request_of_offer(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: OfferId,
) -> QueryResult<Option<Option<PayoutRequestId>>> {
    let found = RequestOfOffer { partner_id: tenant.partner_id, mode: tenant.mode, id };
    first(found.get_result(&mut &*conn).await)
}

pub async fn expire_offer(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: OfferId,
    now: DateTime<Utc>,
) -> QueryResult<Option<bool>> {
    let moved = ExpireOffer { now, partner_id: tenant.partner_id, mode: tenant.mode, id };
    first(moved.get_result(&mut &*conn).await)
}

pub async fn expire_request(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: PayoutRequestId,
    now: DateTime<Utc>,
) -> QueryResult<Option<bool>> {
    let moved = ExpireRequest { now, partner_id: tenant.partner_id, mode: tenant.mode, id };
    first(moved.get_result(&mut &*conn).await)
}

/// The card's last month is then the given one.
pub async fn expire_card(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: CardId,
    year: i32,
    month: u32,
    now: DateTime<Utc>,
) -> QueryResult<Option<bool>> {
    let month = i32::try_from(month).unwrap_or(1);
    let moved = ExpireCard { partner_id: tenant.partner_id, mode: tenant.mode, id, year, month, now };
    first(moved.get_result(&mut &*conn).await)
}

fn first<T>(found: QueryResult<(T,)>) -> QueryResult<Option<T>> {
    Ok(found.optional()?.map(|(value,)| value))
}
