//! The append-only log of payout requests and their payouts. The chain of MACs is computed by the gateway; the
//! store only keeps it.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::ids::{EventId, Mode, PartnerId, PayoutId, PayoutRequestId, Tenant};
use crate::domain::webhook;

pub(super) type EventSql =
    (SqlUuid, Text, SqlUuid, Integer, SqlUuid, Nullable<SqlUuid>, Text, Text, Jsonb, Bytea, Timestamptz);

/// An event as stored.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct Event {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub request_id: PayoutRequestId,
    pub seq: i32,
    pub id: EventId,
    pub payout_id: Option<PayoutId>,
    pub kind: String,
    pub actor: String,
    pub data: Value,
    pub mac: Vec<u8>,
    pub at: DateTime<Utc>,
}

impl Event {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }

    /// As what webhooks tell it; `None`: they don't.
    pub fn told_as(&self) -> Option<&'static str> {
        let status = self.data.get("request_status").and_then(Value::as_str).unwrap_or_default();
        webhook::type_of(&self.kind, status)
    }
}

statement! {
    // With each event the deliveries of it, to the endpoints that are there and want to hear of it: neither is there without the other.
    struct InsertEvents {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, request_ids: Vec<PayoutRequestId> as Array<SqlUuid>,
        seqs: Vec<i32> as Array<Integer>, ids: Vec<EventId> as Array<SqlUuid>, payout_ids: Vec<Option<PayoutId>> as Array<Nullable<SqlUuid>>,
        kinds: Vec<String> as Array<Text>, actors: Vec<String> as Array<Text>, data: Vec<Value> as Array<Jsonb>,
        macs: Vec<Vec<u8>> as Array<Bytea>, ats: Vec<DateTime<Utc>> as Array<Timestamptz>,
        told_as: Vec<Option<&'static str>> as Array<Nullable<Text>>,
    } = "WITH given AS MATERIALIZED ( \
             SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::int[], ?::uuid[], ?::uuid[], ?::text[], ?::text[], ?::jsonb[], \
                 ?::bytea[], ?::timestamptz[], ?::text[]) \
                 AS g (partner_id, mode, request_id, seq, id, payout_id, kind, actor, data, mac, at, told_as)), \
         told AS ( \
             INSERT INTO webhook_delivery (partner_id, mode, endpoint_id, message_id, type, request_id, sequence, lane, url, state, due_at, \
                 created_at) \
             SELECT g.partner_id, g.mode, w.id, g.id, g.told_as, g.request_id, g.seq, \
                 CASE w.kind WHEN 'url' THEN w.id::text \
                     ELSE w.id::text || '/' || left(lower(split_part(split_part(r.callback_url, '/', 3), chr(63), 1)), 300) END, \
                 CASE w.kind WHEN 'callback' THEN r.callback_url END, 'pending', g.at, g.at \
             FROM given g JOIN webhook_endpoint w ON w.partner_id = g.partner_id AND w.mode = g.mode AND w.disabled_at IS NULL \
                 AND w.deleted_at IS NULL \
                 AND (w.types = '{}' OR g.told_as = ANY (w.types) OR split_part(g.told_as, '.', 1) || '.*' = ANY (w.types)) \
             LEFT JOIN payout_request r ON w.kind = 'callback' AND (r.partner_id, r.mode, r.id) = (g.partner_id, g.mode, g.request_id) \
             WHERE g.told_as IS NOT NULL AND (w.kind = 'url' OR r.callback_url IS NOT NULL)) \
         INSERT INTO event (partner_id, mode, request_id, seq, id, payout_id, kind, actor, data, mac, at) \
         SELECT partner_id, mode, request_id, seq, id, payout_id, kind, actor, data, mac, at FROM given"
}

statement! {
    struct OfRequest { partner_id: PartnerId as SqlUuid, mode: Mode as Text, request_id: PayoutRequestId as SqlUuid } => EventSql
      = "SELECT partner_id, mode, request_id, seq, id, payout_id, kind, actor, data, mac, at FROM event \
         WHERE partner_id = ? AND mode = ? AND request_id = ? ORDER BY seq"
}

statement! {
    /// The last event of each stays, and of the one before it its MAC.
    struct Forget { before: DateTime<Utc> as Timestamptz, untouched_since: DateTime<Utc> as Timestamptz, batch_size: i64 as BigInt }
      = "WITH due AS MATERIALIZED ( \
             SELECT r.partner_id, r.mode, r.id, r.event_seq FROM payout_request r \
             WHERE r.final_at < ? AND r.updated_at < ? AND r.events_from IS NULL AND r.event_seq > 1 \
                 AND NOT EXISTS (SELECT 1 FROM payout p WHERE (p.partner_id, p.mode, p.request_id) = (r.partner_id, r.mode, r.id) \
                     AND p.final_at IS NULL) \
                 AND NOT EXISTS (SELECT 1 FROM staff_case c WHERE (c.partner_id, c.mode, c.request_id) = (r.partner_id, r.mode, r.id) \
                     AND c.closed_at IS NULL) \
             ORDER BY r.final_at LIMIT ? FOR UPDATE OF r SKIP LOCKED), \
         kept AS (SELECT d.partner_id, d.mode, d.id, d.event_seq, e.mac FROM due d JOIN event e \
             ON (e.partner_id, e.mode, e.request_id, e.seq) = (d.partner_id, d.mode, d.id, d.event_seq - 1)), \
         gone AS (DELETE FROM event e USING kept k \
             WHERE (e.partner_id, e.mode, e.request_id) = (k.partner_id, k.mode, k.id) AND e.seq < k.event_seq) \
         UPDATE payout_request r SET events_from = k.event_seq, events_before = k.mac FROM kept k \
         WHERE (r.partner_id, r.mode, r.id) = (k.partner_id, k.mode, k.id)"
}

macro_rules! list_of_events {
    ($name:ident, $compare:literal, $order:literal) => {
        statement! {
            struct $name {
                tenant: String as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, size: i64 as BigInt,
                kind: Option<String> as Nullable<Text>, from: Option<DateTime<Utc>> as Nullable<Timestamptz>,
                to: Option<DateTime<Utc>> as Nullable<Timestamptz>,
            } => EventSql
              = concat!("WITH ask AS MATERIALIZED (SELECT ?::text AS tenant, ?::timestamptz AS at, ?::uuid AS id, ?::bigint AS size, \
                     ?::text AS kind, ?::timestamptz AS since, ?::timestamptz AS before) \
                 SELECT e.partner_id, e.mode, e.request_id, e.seq, e.id, e.payout_id, e.kind, e.actor, e.data, e.mac, e.at FROM event e \
                 WHERE (e.partner_id::text || e.mode) = (SELECT tenant FROM ask) \
                     AND (e.at, e.id) ", $compare, " ((SELECT at FROM ask), (SELECT id FROM ask)) \
                     AND ((SELECT kind FROM ask) IS NULL OR e.kind = (SELECT kind FROM ask)) \
                     AND ((SELECT since FROM ask) IS NULL OR e.at >= (SELECT since FROM ask)) AND ((SELECT before FROM ask) IS NULL OR e.at < (SELECT before FROM ask)) \
                 ORDER BY e.at ", $order, ", e.id ", $order, " LIMIT (SELECT size FROM ask)")
        }
    };
}
list_of_events!(EventsNewest, "<", "DESC");
list_of_events!(EventsOldest, ">", "ASC");

/// Which events a list has; what is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub kind: Option<String>,
    pub request_id: Option<PayoutRequestId>,
    /// Happened at or after.
    pub from: Option<DateTime<Utc>>,
    /// Happened before.
    pub to: Option<DateTime<Utc>>,
}

impl EventFilter {
    fn fits(&self, event: &Event) -> bool {
        self.kind.as_ref().is_none_or(|kind| event.kind == *kind)
            && self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at < to)
    }
}

/// A page of a tenant's events, by when they happened.
pub async fn list(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    filter: &EventFilter,
    slice: Slice,
) -> QueryResult<Vec<Event>> {
    // A request has few events: they aren't looked for in the whole log.
    if let Some(request) = filter.request_id {
        let mut found = of_request(conn, tenant, request).await?;
        found.retain(|event| filter.fits(event));
        return Ok(slice.of(found, |event| (event.at, event.id.0)));
    }
    let (at, id) = slice.after;
    let (size, kind, from, to) = (slice.limit, filter.kind.clone(), filter.from, filter.to);
    let tenant = of_tenant(tenant);
    match slice.newest_first {
        true => EventsNewest { tenant, at, id, size, kind, from, to }.load(&mut &*conn).await,
        false => EventsOldest { tenant, at, id, size, kind, from, to }.load(&mut &*conn).await,
    }
}

/// Appends events, and what webhooks are to tell of them. A sequence number that is taken is a unique violation: somebody else wrote
/// meanwhile.
pub async fn insert(conn: &AsyncPgConnection, events: &[Event]) -> QueryResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    InsertEvents {
        partner_ids: events.iter().map(|e| e.partner_id).collect(),
        modes: events.iter().map(|e| e.mode).collect(),
        request_ids: events.iter().map(|e| e.request_id).collect(),
        seqs: events.iter().map(|e| e.seq).collect(),
        ids: events.iter().map(|e| e.id).collect(),
        payout_ids: events.iter().map(|e| e.payout_id).collect(),
        kinds: events.iter().map(|e| e.kind.clone()).collect(),
        actors: events.iter().map(|e| e.actor.clone()).collect(),
        data: events.iter().map(|e| e.data.clone()).collect(),
        macs: events.iter().map(|e| e.mac.clone()).collect(),
        ats: events.iter().map(|e| e.at).collect(),
        told_as: events.iter().map(Event::told_as).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// A request's events in order.
pub async fn of_request(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    request_id: PayoutRequestId,
) -> QueryResult<Vec<Event>> {
    OfRequest { partner_id: tenant.partner_id, mode: tenant.mode, request_id }.load(&mut &*conn).await
}

/// Deletes all but the last event of up to `batch_size` requests that were over before `before`, untouched since, with nothing open; answers
/// of how many.
pub async fn forget(conn: &AsyncPgConnection, before: DateTime<Utc>, batch_size: i64) -> QueryResult<usize> {
    Forget { before, untouched_since: before, batch_size }.execute(&mut &*conn).await
}
