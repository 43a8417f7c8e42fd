//! Deliveries as they are shown, asked for anew, and forgotten. How they are sent is in [`super::claims`].

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::messages::NewMessage;
use crate::domain::ids::{EventId, Mode, PartnerId, PayoutRequestId, Tenant, WebhookEndpointId};
use crate::store::Slice;
use crate::store::statement::statement;

type DeliverySql = (
    SqlUuid,
    SqlUuid,
    Text,
    Nullable<SqlUuid>,
    Nullable<Integer>,
    Nullable<Text>,
    Text,
    Nullable<Timestamptz>,
    Integer,
    Nullable<SmallInt>,
    Nullable<Text>,
    Timestamptz,
    Nullable<Timestamptz>,
);

/// A delivery as stored.
#[derive(Clone, Debug, PartialEq, Eq, diesel::Queryable)]
pub struct Delivery {
    pub endpoint_id: WebhookEndpointId,
    pub message_id: EventId,
    /// What the message is about (`payout.failed`).
    pub kind: String,
    pub request_id: Option<PayoutRequestId>,
    pub sequence: Option<i32>,
    /// Where it goes, if the endpoint doesn't say it.
    pub url: Option<String>,
    /// `pending`, `delivered` or `failed`.
    pub state: String,
    /// When it is tried next.
    pub due_at: Option<DateTime<Utc>>,
    pub attempts: i32,
    pub last_status: Option<i16>,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Whose delivery it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub tenant: Tenant,
    pub endpoint_id: WebhookEndpointId,
    pub message_id: EventId,
}

macro_rules! deliveries {
    ($rest:literal) => {
        concat!(
            "SELECT d.endpoint_id, d.message_id, d.type, d.request_id, d.sequence, d.url, d.state, d.due_at, d.attempts, d.last_status, \
                 d.last_error, d.created_at, d.finished_at FROM webhook_delivery d ",
            $rest
        )
    };
}

macro_rules! list_of_deliveries {
    ($name:ident, $rest:literal) => {
        statement! {
            struct $name {
                state: Option<String> as Nullable<Text>, endpoint_id: WebhookEndpointId as SqlUuid, partner_id: PartnerId as SqlUuid,
                mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt,
            } => DeliverySql
              = deliveries!($rest)
        }
    };
}
list_of_deliveries!(
    Newest,
    "CROSS JOIN (SELECT ?::text AS state) ask WHERE d.endpoint_id = ? AND d.partner_id = ? AND d.mode = ? \
         AND (d.created_at, d.message_id) < (?, ?) AND (ask.state IS NULL OR d.state = ask.state) \
     ORDER BY d.created_at DESC, d.message_id DESC LIMIT ?"
);
list_of_deliveries!(
    Oldest,
    "CROSS JOIN (SELECT ?::text AS state) ask WHERE d.endpoint_id = ? AND d.partner_id = ? AND d.mode = ? \
         AND (d.created_at, d.message_id) > (?, ?) AND (ask.state IS NULL OR d.state = ask.state) \
     ORDER BY d.created_at, d.message_id LIMIT ?"
);

statement! {
    struct Find { message_id: EventId as SqlUuid, endpoint_id: WebhookEndpointId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text }
        => DeliverySql
      = deliveries!("WHERE d.message_id = ? AND d.endpoint_id = ? AND d.partner_id = ? AND d.mode = ?")
}

statement! {
    struct AttemptsOf { message_id: EventId as SqlUuid, endpoint_id: WebhookEndpointId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text }
        -> #[derive(PartialEq, Eq)] pub Attempt {
            n: i32 as Integer, at: DateTime<Utc> as Timestamptz, took_ms: i32 as Integer, status: Option<i16> as Nullable<SmallInt>,
            error: Option<String> as Nullable<Text>,
        }
      = "SELECT n, at, took_ms, status, error FROM webhook_attempt \
         WHERE message_id = ? AND endpoint_id = ? AND partner_id = ? AND mode = ? ORDER BY n"
}

statement! {
    // The count of tries begins anew, and with it the pauses. A try that is under way counts no more: what comes of it must not put off
    // what is asked for now.
    struct Resend {
        now: DateTime<Utc> as Timestamptz, message_id: EventId as SqlUuid, endpoint_id: WebhookEndpointId as SqlUuid,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text,
    } = "UPDATE webhook_delivery SET state = 'pending', due_at = ?, tries = 0, finished_at = NULL, epoch = epoch + 1 \
         WHERE message_id = ? AND endpoint_id = ? AND partner_id = ? AND mode = ?"
}

statement! {
    // Messages that aren't an event's: to one endpoint, or to all that want to hear of it but the one that it is about.
    struct InsertFor {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, message_id: EventId as SqlUuid, kind: String as Text,
        to: Option<WebhookEndpointId> as Nullable<SqlUuid>, but: Option<WebhookEndpointId> as Nullable<SqlUuid>, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO webhook_delivery (partner_id, mode, endpoint_id, message_id, type, lane, state, due_at, created_at) \
         SELECT w.partner_id, w.mode, w.id, k.message_id, k.type, w.id::text, 'pending', k.now, k.now \
         FROM (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::uuid AS message_id, ?::text AS type, ?::uuid AS endpoint_id, ?::uuid AS but, \
             ?::timestamptz AS now) k \
         JOIN webhook_endpoint w ON w.partner_id = k.partner_id AND w.mode = k.mode AND w.kind = 'url' AND w.disabled_at IS NULL \
             AND w.deleted_at IS NULL \
         WHERE CASE WHEN k.endpoint_id IS NOT NULL THEN w.id = k.endpoint_id \
             ELSE w.id <> k.but AND (w.types = '{}' OR k.type = ANY (w.types) OR split_part(k.type, '.', 1) || '.*' = ANY (w.types)) END \
         ON CONFLICT DO NOTHING"
}

statement! {
    // What was delivered is told again only where that is asked for. What waits for a later try is tried now; what is under way, or is
    // about to be, goes on.
    struct Replay {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, endpoint_id: WebhookEndpointId as SqlUuid, all: bool as Bool,
        now: DateTime<Utc> as Timestamptz, later: DateTime<Utc> as Timestamptz, message_ids: Vec<EventId> as Array<SqlUuid>, kinds: Vec<String> as Array<Text>,
        request_ids: Vec<PayoutRequestId> as Array<SqlUuid>, sequences: Vec<i32> as Array<Integer>,
    } = "WITH ask AS (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::uuid AS endpoint_id, ?::bool AS everything, ?::timestamptz AS now, \
             ?::timestamptz AS later) \
         INSERT INTO webhook_delivery AS d (partner_id, mode, endpoint_id, message_id, type, request_id, sequence, lane, state, due_at, \
             created_at) \
         SELECT a.partner_id, a.mode, a.endpoint_id, k.message_id, k.type, k.request_id, k.sequence, a.endpoint_id::text, 'pending', a.now, \
             a.now \
         FROM ask a, UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::int[]) AS k (message_id, type, request_id, sequence) ORDER BY k.message_id \
         ON CONFLICT (message_id, endpoint_id, partner_id, mode) DO UPDATE \
             SET state = 'pending', due_at = EXCLUDED.due_at, tries = 0, finished_at = NULL, epoch = d.epoch + 1 \
             WHERE d.state = 'failed' OR d.due_at > (SELECT later FROM ask) \
                 OR (d.state = 'delivered' AND (SELECT everything FROM ask))"
}

statement! {
    // Attempts go with their delivery; what of a deleted endpoint still waits goes too.
    struct Forget { before: DateTime<Utc> as Timestamptz, limit: i64 as BigInt, limit_deleted: i64 as BigInt }
      = "WITH old AS MATERIALIZED ( \
             SELECT message_id, endpoint_id, partner_id, mode FROM webhook_delivery WHERE finished_at < ? ORDER BY finished_at LIMIT ? \
             FOR UPDATE SKIP LOCKED), \
         unwanted AS MATERIALIZED ( \
             SELECT d.message_id, d.endpoint_id, d.partner_id, d.mode FROM webhook_endpoint w \
             JOIN webhook_delivery d ON d.lane >= w.id::text AND d.lane < w.id::text || '0' AND d.due_at IS NOT NULL \
             WHERE w.deleted_at IS NOT NULL LIMIT ? FOR UPDATE OF d SKIP LOCKED), \
         due AS MATERIALIZED (SELECT * FROM old UNION ALL SELECT * FROM unwanted), \
         attempts AS (DELETE FROM webhook_attempt a USING due \
             WHERE (a.message_id, a.endpoint_id, a.partner_id, a.mode) = (due.message_id, due.endpoint_id, due.partner_id, due.mode)) \
         DELETE FROM webhook_delivery d USING due \
         WHERE (d.message_id, d.endpoint_id, d.partner_id, d.mode) = (due.message_id, due.endpoint_id, due.partner_id, due.mode)"
}

statement! {
    struct ForgetMessages { before: DateTime<Utc> as Timestamptz, limit: i64 as BigInt }
      = "WITH due AS MATERIALIZED ( \
             SELECT m.id, m.partner_id, m.mode FROM webhook_message m \
             WHERE m.created_at < ? AND NOT EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.message_id = m.id) \
             ORDER BY m.created_at LIMIT ? FOR UPDATE SKIP LOCKED) \
         DELETE FROM webhook_message m USING due WHERE (m.id, m.partner_id, m.mode) = (due.id, due.partner_id, due.mode)"
}

statement! {
    struct Backlog { now: DateTime<Utc> as Timestamptz }
        -> #[derive(Copy, Default, PartialEq, Eq)] pub Waiting {
            pending: i64 as BigInt, oldest_due_secs: i64 as BigInt, endpoints_disabled: i64 as BigInt,
        }
      = "SELECT (SELECT count(*) FROM webhook_delivery WHERE due_at IS NOT NULL), \
             COALESCE((SELECT GREATEST(extract(epoch FROM ask.now - min(due_at))::bigint, 0) FROM webhook_delivery WHERE due_at IS NOT NULL), 0), \
             (SELECT count(*) FROM webhook_endpoint WHERE disabled_why IN ('gone', 'failing') AND deleted_at IS NULL) \
         FROM (SELECT ?::timestamptz AS now) ask"
}

/// An endpoint's deliveries, in the slice's order; in one state, or in any.
pub async fn list(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    endpoint_id: WebhookEndpointId,
    state: Option<String>,
    slice: Slice,
) -> QueryResult<Vec<Delivery>> {
    let Slice { newest_first, after: (at, id), limit } = slice;
    let Tenant { partner_id, mode } = tenant;
    match newest_first {
        true => Newest { state, endpoint_id, partner_id, mode, at, id, limit }.load(&mut &*conn).await,
        false => Oldest { state, endpoint_id, partner_id, mode, at, id, limit }.load(&mut &*conn).await,
    }
}

pub async fn find(conn: &AsyncPgConnection, place: Place) -> QueryResult<Option<Delivery>> {
    let Place { tenant: Tenant { partner_id, mode }, endpoint_id, message_id } = place;
    Find { message_id, endpoint_id, partner_id, mode }.get_result(&mut &*conn).await.optional()
}

/// A delivery's attempts, in order.
pub async fn attempts(conn: &AsyncPgConnection, place: Place) -> QueryResult<Vec<Attempt>> {
    let Place { tenant: Tenant { partner_id, mode }, endpoint_id, message_id } = place;
    AttemptsOf { message_id, endpoint_id, partner_id, mode }.load(&mut &*conn).await
}

/// Makes a delivery due at once. Answers whether it is there.
pub async fn resend(conn: &AsyncPgConnection, place: Place, now: DateTime<Utc>) -> QueryResult<bool> {
    let Place { tenant: Tenant { partner_id, mode }, endpoint_id, message_id } = place;
    Ok(Resend { now, message_id, endpoint_id, partner_id, mode }.execute(&mut &*conn).await? == 1)
}

/// To whom a message goes that isn't an event's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// One endpoint, whatever it wants to hear of.
    One(WebhookEndpointId),
    /// All that want to hear of it, but one.
    AllBut(WebhookEndpointId),
}

/// Writes the deliveries of a message; answers how many.
pub async fn insert_for(
    conn: &AsyncPgConnection,
    message: &NewMessage,
    to: To,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let Tenant { partner_id, mode } = message.tenant;
    let (to, but) = match to {
        To::One(id) => (Some(id), None),
        To::AllBut(id) => (None, Some(id)),
    };
    let kind = message.kind.clone();
    InsertFor { partner_id, mode, message_id: message.id, kind, to, but, now }.execute(&mut &*conn).await
}

/// An event that is to be told again.
#[derive(Clone, Debug)]
pub struct Replayed {
    pub message_id: EventId,
    pub kind: String,
    pub request_id: PayoutRequestId,
    pub sequence: i32,
}

/// When events are told again: `now`, and what would be tried only after `later`, too.
#[derive(Clone, Copy, Debug)]
pub struct When {
    pub now: DateTime<Utc>,
    /// Beyond all leases: what is due before it is under way, or about to be.
    pub later: DateTime<Utc>,
}

/// Makes events due at an endpoint that weren't delivered there, or all of them; answers how many.
pub async fn replay(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    endpoint_id: WebhookEndpointId,
    events: &[Replayed],
    all: bool,
    when: When,
) -> QueryResult<usize> {
    if events.is_empty() {
        return Ok(0);
    }
    Replay {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        endpoint_id,
        all,
        now: when.now,
        later: when.later,
        message_ids: events.iter().map(|event| event.message_id).collect(),
        kinds: events.iter().map(|event| event.kind.clone()).collect(),
        request_ids: events.iter().map(|event| event.request_id).collect(),
        sequences: events.iter().map(|event| event.sequence).collect(),
    }
    .execute(&mut &*conn)
    .await
}

/// Deletes up to `limit` deliveries that were over before `before`, as many that no endpoint waits for any more, and messages that nobody
/// is told any more. Answers how many deliveries.
pub async fn forget(conn: &AsyncPgConnection, before: DateTime<Utc>, limit: i64) -> QueryResult<usize> {
    let gone = Forget { before, limit, limit_deleted: limit }.execute(&mut &*conn).await?;
    ForgetMessages { before, limit }.execute(&mut &*conn).await?;
    Ok(gone)
}

/// What waits, for metrics.
pub async fn waiting(conn: &AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<Waiting> {
    Backlog { now }.get_result(&mut &*conn).await
}
