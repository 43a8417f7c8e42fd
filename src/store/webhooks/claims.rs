//! Deliveries that are due: claimed lane by lane, so that a receiver with a long queue takes no more than its places, and written back with
//! what came of them.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::domain::ids::{EventId, Mode, PartnerId, PayoutRequestId, Tenant, WebhookEndpointId};
use crate::store::statement::statement;

statement! {
    // The lanes with something pending are found by hopping along their index, one probe each; of each, what is due and what it has
    // places for. In no order: where there aren't enough places for all, nobody is always last.
    struct ClaimDue {
        now: DateTime<Utc> as Timestamptz, lease_until: DateTime<Utc> as Timestamptz, per_lane: i32 as Integer, places: i64 as BigInt,
        lanes: Vec<String> as Array<Text>, free: Vec<i32> as Array<Integer>,
    } -> pub ClaimedDelivery {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, endpoint_id: WebhookEndpointId as SqlUuid, message_id: EventId as SqlUuid,
        kind: String as Text, request_id: Option<PayoutRequestId> as Nullable<SqlUuid>, sequence: Option<i32> as Nullable<Integer>,
        lane: String as Text, url: String as Text, endpoint_kind: String as Text, secrets_sealed: Vec<u8> as Bytea,
        epoch: i32 as Integer, tries: i32 as Integer,
    } = "WITH RECURSIVE ask AS MATERIALIZED ( \
             SELECT ?::timestamptz AS now, ?::timestamptz AS lease_until, ?::int AS per_lane, ?::bigint AS places), \
         busy AS MATERIALIZED (SELECT * FROM UNNEST(?::text[], ?::int[]) AS b (lane, free)), \
         hop AS ( \
             (SELECT d.lane FROM webhook_delivery d WHERE d.due_at IS NOT NULL ORDER BY d.lane LIMIT 1) \
             UNION ALL \
             SELECT (SELECT d.lane FROM webhook_delivery d WHERE d.due_at IS NOT NULL AND d.lane > h.lane ORDER BY d.lane LIMIT 1) \
             FROM hop h WHERE h.lane IS NOT NULL), \
         open AS MATERIALIZED ( \
             SELECT h.lane, LEAST(COALESCE(b.free, a.per_lane), a.places) AS free, w.url, w.kind, w.secrets_sealed \
             FROM hop h CROSS JOIN ask a LEFT JOIN busy b ON b.lane = h.lane \
             JOIN webhook_endpoint w ON w.id = left(h.lane, 36)::uuid AND w.disabled_at IS NULL AND w.deleted_at IS NULL \
             WHERE COALESCE(b.free, a.per_lane) > 0 ORDER BY random()), \
         due AS MATERIALIZED ( \
             SELECT d.message_id, d.endpoint_id, d.partner_id, d.mode, o.url, o.kind, o.secrets_sealed \
             FROM open o CROSS JOIN LATERAL ( \
                 SELECT d.message_id, d.endpoint_id, d.partner_id, d.mode FROM webhook_delivery d \
                 WHERE d.lane = o.lane AND d.due_at <= (SELECT now FROM ask) ORDER BY d.due_at LIMIT o.free FOR UPDATE SKIP LOCKED) d \
             LIMIT (SELECT places FROM ask)) \
         UPDATE webhook_delivery d SET due_at = a.lease_until, epoch = d.epoch + 1, attempts = d.attempts + 1, tries = d.tries + 1 \
         FROM due, ask a \
         WHERE (d.message_id, d.endpoint_id, d.partner_id, d.mode) = (due.message_id, due.endpoint_id, due.partner_id, due.mode) \
         RETURNING d.partner_id, d.mode, d.endpoint_id, d.message_id, d.type, d.request_id, d.sequence, d.lane, COALESCE(d.url, due.url), \
             due.kind, due.secrets_sealed, d.epoch, d.tries"
}

impl ClaimedDelivery {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// What came of a try.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub tenant: Tenant,
    pub endpoint_id: WebhookEndpointId,
    pub message_id: EventId,
    /// Of the claim.
    pub epoch: i32,
    /// `pending`, `delivered` or `failed`.
    pub state: &'static str,
    /// When it is tried again, where it is pending.
    pub due_at: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
    pub took_ms: i32,
    pub status: Option<i16>,
    pub error: Option<String>,
}

statement! {
    // Only where the claim still stands: another one's outcome isn't overwritten.
    struct WriteOutcomes {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, endpoint_ids: Vec<WebhookEndpointId> as Array<SqlUuid>,
        message_ids: Vec<EventId> as Array<SqlUuid>, epochs: Vec<i32> as Array<Integer>, states: Vec<&'static str> as Array<Text>,
        due_ats: Vec<Option<DateTime<Utc>>> as Array<Nullable<Timestamptz>>, ats: Vec<DateTime<Utc>> as Array<Timestamptz>,
        took_ms: Vec<i32> as Array<Integer>, statuses: Vec<Option<i16>> as Array<Nullable<SmallInt>>,
        errors: Vec<Option<String>> as Array<Nullable<Text>>,
    } = "WITH done AS ( \
             UPDATE webhook_delivery d SET state = k.state, due_at = k.due_at, last_status = k.status, last_error = k.error, \
                 finished_at = CASE WHEN k.due_at IS NULL THEN k.at END \
             FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::uuid[], ?::int[], ?::text[], ?::timestamptz[], ?::timestamptz[], ?::int[], \
                 ?::smallint[], ?::text[]) \
                 AS k (partner_id, mode, endpoint_id, message_id, epoch, state, due_at, at, took_ms, status, error) \
             WHERE (d.message_id, d.endpoint_id, d.partner_id, d.mode) = (k.message_id, k.endpoint_id, k.partner_id, k.mode) \
                 AND d.epoch = k.epoch AND d.state = 'pending' \
             RETURNING d.partner_id, d.mode, d.endpoint_id, d.message_id, d.attempts, k.at, k.took_ms, k.status, k.error) \
         INSERT INTO webhook_attempt (partner_id, mode, endpoint_id, message_id, n, at, took_ms, status, error) \
         SELECT * FROM done ON CONFLICT DO NOTHING"
}

statement! {
    // The claim is over: given back twice, a delivery's tries would be counted down twice.
    struct GiveBack {
        run_at: DateTime<Utc> as Timestamptz, partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>,
        endpoint_ids: Vec<WebhookEndpointId> as Array<SqlUuid>, message_ids: Vec<EventId> as Array<SqlUuid>, epochs: Vec<i32> as Array<Integer>,
    } = "UPDATE webhook_delivery d SET due_at = n.run_at, epoch = d.epoch + 1, attempts = d.attempts - 1, tries = d.tries - 1 \
         FROM (SELECT ?::timestamptz AS run_at) n, UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::uuid[], ?::int[]) \
             AS k (partner_id, mode, endpoint_id, message_id, epoch) \
         WHERE (d.message_id, d.endpoint_id, d.partner_id, d.mode) = (k.message_id, k.endpoint_id, k.partner_id, k.mode) \
             AND d.epoch = k.epoch AND d.state = 'pending'"
}

/// What may be claimed now.
#[derive(Clone, Debug)]
pub struct Places {
    /// In all.
    pub total: usize,
    /// Of a lane that isn't named.
    pub per_lane: usize,
    /// Of lanes with something under way, or that fail.
    pub free: Vec<(String, usize)>,
}

/// Claims due deliveries until `lease_until`, those of each lane that have been due for longest.
pub async fn claim(
    conn: &AsyncPgConnection,
    places: Places,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> QueryResult<Vec<ClaimedDelivery>> {
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let (lanes, free) = places.free.into_iter().map(|(lane, free)| (lane, count(free))).unzip();
    let claim = ClaimDue {
        now,
        lease_until,
        per_lane: count(places.per_lane),
        places: i64::from(count(places.total)),
        lanes,
        free,
    };
    claim.load(&mut &*conn).await
}

/// Writes what came of tries, where their claim still stands.
pub async fn write(conn: &AsyncPgConnection, outcomes: &[Outcome]) -> QueryResult<()> {
    if outcomes.is_empty() {
        return Ok(());
    }
    WriteOutcomes {
        partner_ids: outcomes.iter().map(|o| o.tenant.partner_id).collect(),
        modes: outcomes.iter().map(|o| o.tenant.mode).collect(),
        endpoint_ids: outcomes.iter().map(|o| o.endpoint_id).collect(),
        message_ids: outcomes.iter().map(|o| o.message_id).collect(),
        epochs: outcomes.iter().map(|o| o.epoch).collect(),
        states: outcomes.iter().map(|o| o.state).collect(),
        due_ats: outcomes.iter().map(|o| o.due_at).collect(),
        ats: outcomes.iter().map(|o| o.at).collect(),
        took_ms: outcomes.iter().map(|o| o.took_ms).collect(),
        statuses: outcomes.iter().map(|o| o.status).collect(),
        errors: outcomes.iter().map(|o| o.error.clone()).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Gives claimed deliveries back untried, due again at `run_at`.
pub async fn give_back(
    conn: &AsyncPgConnection,
    claimed: &[&ClaimedDelivery],
    run_at: DateTime<Utc>,
) -> QueryResult<()> {
    if claimed.is_empty() {
        return Ok(());
    }
    GiveBack {
        run_at,
        partner_ids: claimed.iter().map(|d| d.partner_id).collect(),
        modes: claimed.iter().map(|d| d.mode).collect(),
        endpoint_ids: claimed.iter().map(|d| d.endpoint_id).collect(),
        message_ids: claimed.iter().map(|d| d.message_id).collect(),
        epochs: claimed.iter().map(|d| d.epoch).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}
