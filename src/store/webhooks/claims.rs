//! Deliveries that are due: claimed lane by lane and tenant by tenant, so that neither a receiver with a long queue nor a partner with many
//! receivers takes more than its places, and written back with what came of them.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::domain::ids::{EventId, Mode, PartnerId, PayoutRequestId, Tenant, WebhookEndpointId};
use crate::store::statement::statement;

statement! {
    // The lanes with something due are found by hopping along their index, one probe each, and of a tenant no more of them are looked into
    // than there are places. `wanted` is each place that a lane could use; tenants and lanes take turns at them (`turn`: how many the tenant
    // has then), those that fail after the others of their tenant. In no other order: where there aren't enough places for all, nobody is
    // always last. Of `quota`, what is due for longest is claimed.
    struct ClaimDue {
        now: DateTime<Utc> as Timestamptz, lease_until: DateTime<Utc> as Timestamptz, per_lane: i32 as Integer, places: i64 as BigInt,
        share: i64 as BigInt, beyond: i64 as BigInt, test: i64 as BigInt, failing: i64 as BigInt, lanes: Vec<String> as Array<Text>,
        free: Vec<i32> as Array<Integer>, are_failing: Vec<bool> as Array<Bool>, partner_ids: Vec<PartnerId> as Array<SqlUuid>,
        modes: Vec<Mode> as Array<Text>, under_way: Vec<i32> as Array<Integer>,
    } -> pub ClaimedDelivery {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, endpoint_id: WebhookEndpointId as SqlUuid, message_id: EventId as SqlUuid,
        kind: String as Text, request_id: Option<PayoutRequestId> as Nullable<SqlUuid>, sequence: Option<i32> as Nullable<Integer>,
        lane: String as Text, url: String as Text, endpoint_kind: String as Text, secrets_sealed: Vec<u8> as Bytea,
        epoch: i32 as Integer, tries: i32 as Integer,
    } = "WITH RECURSIVE ask AS MATERIALIZED ( \
             SELECT ?::timestamptz AS now, ?::timestamptz AS lease_until, ?::int AS per_lane, ?::bigint AS places, ?::bigint AS share, \
                 ?::bigint AS beyond, ?::bigint AS test, ?::bigint AS failing), \
         busy AS MATERIALIZED (SELECT * FROM UNNEST(?::text[], ?::int[], ?::bool[]) AS b (lane, free, failing)), \
         held AS MATERIALIZED (SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::int[]) AS t (partner_id, mode, under_way)), \
         hop AS ( \
             (SELECT d.lane, d.due_at FROM webhook_delivery d WHERE d.due_at IS NOT NULL ORDER BY d.lane, d.due_at LIMIT 1) \
             UNION ALL \
             SELECT n.lane, n.due_at FROM hop h CROSS JOIN LATERAL ( \
                 SELECT d.lane, d.due_at FROM webhook_delivery d WHERE d.due_at IS NOT NULL AND d.lane > h.lane \
                 ORDER BY d.lane, d.due_at LIMIT 1) n), \
         open AS ( \
             SELECT h.lane, LEAST(COALESCE(b.free, a.per_lane), a.places) AS free, COALESCE(b.failing, false) AS failing, w.partner_id, w.mode, \
                 COALESCE(t.under_way, 0) AS under_way, row_number() OVER ( \
                     PARTITION BY w.partner_id, w.mode, COALESCE(b.failing, false) ORDER BY random()) AS nth \
             FROM hop h CROSS JOIN ask a LEFT JOIN busy b ON b.lane = h.lane \
             JOIN webhook_endpoint w ON w.id = left(h.lane, 36)::uuid AND w.disabled_at IS NULL AND w.deleted_at IS NULL \
             LEFT JOIN held t ON (t.partner_id, t.mode) = (w.partner_id, w.mode) \
             WHERE h.due_at <= a.now AND COALESCE(b.free, a.per_lane) > 0), \
         wanted AS MATERIALIZED ( \
             SELECT o.lane, o.failing, o.partner_id, o.mode, o.under_way, k.n, random() AS chance \
             FROM open o CROSS JOIN LATERAL (SELECT row_number() OVER () AS n FROM ( \
                 SELECT FROM webhook_delivery d WHERE d.lane = o.lane AND d.due_at <= (SELECT now FROM ask) LIMIT o.free) one) k \
             WHERE o.nth <= (SELECT places FROM ask)), \
         of_tenants AS ( \
             SELECT *, row_number() OVER (PARTITION BY partner_id, mode, failing ORDER BY n, chance) AS nth FROM wanted), \
         of_failing AS ( \
             SELECT t.*, row_number() OVER (PARTITION BY t.failing ORDER BY t.under_way + t.nth, t.chance) AS among \
             FROM of_tenants t WHERE t.nth <= (SELECT places FROM ask)), \
         turns AS ( \
             SELECT f.lane, f.mode, f.chance, \
                 f.under_way + row_number() OVER (PARTITION BY f.partner_id, f.mode ORDER BY f.n, f.failing, f.chance) AS turn \
             FROM of_failing f WHERE NOT f.failing OR f.among <= (SELECT failing FROM ask)), \
         of_modes AS (SELECT *, row_number() OVER (PARTITION BY mode ORDER BY turn, chance) AS among FROM turns), \
         in_line AS ( \
             SELECT lane, turn, row_number() OVER (ORDER BY turn, chance) AS place FROM of_modes \
             WHERE mode = 'live' OR among <= (SELECT test FROM ask)), \
         quota AS MATERIALIZED ( \
             SELECT l.lane, count(*) AS places FROM in_line l CROSS JOIN ask a \
             WHERE l.place <= a.places AND (l.turn <= a.share OR l.place <= a.beyond) GROUP BY l.lane), \
         due AS MATERIALIZED ( \
             SELECT d.message_id, d.endpoint_id, d.partner_id, d.mode, w.url, w.kind, w.secrets_sealed \
             FROM quota q JOIN webhook_endpoint w ON w.id = left(q.lane, 36)::uuid CROSS JOIN LATERAL ( \
                 SELECT d.message_id, d.endpoint_id, d.partner_id, d.mode FROM webhook_delivery d \
                 WHERE d.lane = q.lane AND d.due_at <= (SELECT now FROM ask) ORDER BY d.due_at LIMIT q.places FOR UPDATE SKIP LOCKED) d) \
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
    /// How many a tenant has under way, these included, before it takes what others may want.
    pub share: usize,
    /// Of tenants that have their share. Others' places are taken off it.
    pub beyond: usize,
    /// Of test mode.
    pub test: usize,
    /// Of lanes that fail.
    pub failing: usize,
    /// Those with something under way, and those that fail.
    pub lanes: Vec<LanePlaces>,
    /// How much is under way of whom, where anything is.
    pub tenants: Vec<(Tenant, usize)>,
}

/// What may be claimed of one lane.
#[derive(Clone, Debug)]
pub struct LanePlaces {
    pub lane: String,
    pub free: usize,
    pub is_failing: bool,
}

impl Places {
    /// So many, for whoever wants them.
    pub fn for_all(total: usize) -> Self {
        let (per_lane, share, beyond, test, failing) = (total, total, total, total, total);
        Self { total, per_lane, share, beyond, test, failing, lanes: Vec::new(), tenants: Vec::new() }
    }
}

/// Claims due deliveries until `lease_until`, those of each lane that have been due for longest.
pub async fn claim(
    conn: &AsyncPgConnection,
    places: Places,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> QueryResult<Vec<ClaimedDelivery>> {
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let claim = ClaimDue {
        now,
        lease_until,
        per_lane: count(places.per_lane),
        places: count(places.total).into(),
        share: count(places.share).into(),
        beyond: count(places.beyond).into(),
        test: count(places.test).into(),
        failing: count(places.failing).into(),
        free: places.lanes.iter().map(|lane| count(lane.free)).collect(),
        are_failing: places.lanes.iter().map(|lane| lane.is_failing).collect(),
        lanes: places.lanes.into_iter().map(|lane| lane.lane).collect(),
        partner_ids: places.tenants.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: places.tenants.iter().map(|(tenant, _)| tenant.mode).collect(),
        under_way: places.tenants.iter().map(|(_, under_way)| count(*under_way)).collect(),
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
