//! The append-only log of payout requests and their payouts. The chain of MACs is computed by the gateway; the
//! store only keeps it.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Bytea, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::statement::statement;
use crate::domain::ids::{EventId, Mode, PartnerId, PayoutId, PayoutRequestId, Tenant};

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
}

statement! {
    struct InsertEvents {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, request_ids: Vec<PayoutRequestId> as Array<SqlUuid>,
        seqs: Vec<i32> as Array<Integer>, ids: Vec<EventId> as Array<SqlUuid>, payout_ids: Vec<Option<PayoutId>> as Array<Nullable<SqlUuid>>,
        kinds: Vec<String> as Array<Text>, actors: Vec<String> as Array<Text>, data: Vec<Value> as Array<Jsonb>,
        macs: Vec<Vec<u8>> as Array<Bytea>, ats: Vec<DateTime<Utc>> as Array<Timestamptz>,
    } = "INSERT INTO event (partner_id, mode, request_id, seq, id, payout_id, kind, actor, data, mac, at) \
         SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::int[], ?::uuid[], ?::uuid[], ?::text[], ?::text[], ?::jsonb[], \
             ?::bytea[], ?::timestamptz[])"
}

statement! {
    struct OfRequest { partner_id: PartnerId as SqlUuid, mode: Mode as Text, request_id: PayoutRequestId as SqlUuid } => EventSql
      = "SELECT partner_id, mode, request_id, seq, id, payout_id, kind, actor, data, mac, at FROM event \
         WHERE partner_id = ? AND mode = ? AND request_id = ? ORDER BY seq"
}

/// Appends events. A sequence number that is taken is a unique violation: somebody else wrote meanwhile.
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
