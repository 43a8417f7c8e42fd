//! What is told: bodies as they were first sent, and what the body of an event is made of.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::domain::asset::AssetCode;
use crate::domain::ids::{CustomerId, EventId, Mode, PartnerId, PayoutId, PayoutPointId, PayoutRequestId, Tenant};
use crate::domain::payout::Resolution;
use crate::store::statement::statement;

statement! {
    struct Find { partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<EventId> as Array<SqlUuid> }
        -> pub Message { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: EventId as SqlUuid, body: String as Text }
      = "SELECT m.partner_id, m.mode, m.id, m.body FROM webhook_message m \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) ON (m.id, m.partner_id, m.mode) = (k.id, k.partner_id, k.mode)"
}

statement! {
    // Somebody else may have been faster: what is there was sent.
    struct Insert {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<EventId> as Array<SqlUuid>,
        kinds: Vec<String> as Array<Text>, bodies: Vec<String> as Array<Text>, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO webhook_message (partner_id, mode, id, type, body, created_at) \
         SELECT k.*, n.now FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::text[], ?::text[]) AS k, (SELECT ?::timestamptz AS now) n \
         ORDER BY 3 ON CONFLICT DO NOTHING"
}

statement! {
    struct Sources {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, request_ids: Vec<PayoutRequestId> as Array<SqlUuid>,
        sequences: Vec<i32> as Array<Integer>,
    } -> pub EventSource {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, event_id: EventId as SqlUuid, kind: String as Text,
        at: DateTime<Utc> as Timestamptz, sequence: i32 as Integer, payout_id: Option<PayoutId> as Nullable<SqlUuid>, data: Value as Jsonb,
        request_id: PayoutRequestId as SqlUuid, reference_id: String as Text, point_id: PayoutPointId as SqlUuid,
        customer_id: Option<CustomerId> as Nullable<SqlUuid>, service: String as Text, amount: Decimal as Numeric,
        currency: AssetCode as Text, amount_processed: Decimal as Numeric, amount_returned: Decimal as Numeric,
        point_amount: Decimal as Numeric, point_currency: AssetCode as Text, fee: Decimal as Numeric,
        resolution: Option<Resolution> as Nullable<Text>, metadata: Value as Jsonb,
    } = "SELECT e.partner_id, e.mode, e.id, e.kind, e.at, e.seq, e.payout_id, e.data, r.id, r.reference_id, r.point_id, r.customer_id, r.service, \
             r.amount, r.currency, r.amount_processed, r.amount_returned, r.point_amount, r.point_currency, r.fee, r.resolution, r.metadata \
         FROM event e JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::int[]) AS k (partner_id, mode, request_id, seq) \
             ON (e.request_id, e.seq, e.partner_id, e.mode) = (k.request_id, k.seq, k.partner_id, k.mode) \
         JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (e.partner_id, e.mode, e.request_id)"
}

impl EventSource {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// A message that is about to be told.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub tenant: Tenant,
    pub id: EventId,
    pub kind: String,
    pub body: String,
}

/// Those that are there.
pub async fn find(conn: &AsyncPgConnection, ids: &[(Tenant, EventId)]) -> QueryResult<Vec<Message>> {
    Find {
        partner_ids: ids.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: ids.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: ids.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// Keeps messages. One that is there stays as it is.
pub async fn insert(conn: &AsyncPgConnection, messages: &[NewMessage], now: DateTime<Utc>) -> QueryResult<()> {
    if messages.is_empty() {
        return Ok(());
    }
    Insert {
        partner_ids: messages.iter().map(|m| m.tenant.partner_id).collect(),
        modes: messages.iter().map(|m| m.tenant.mode).collect(),
        ids: messages.iter().map(|m| m.id).collect(),
        kinds: messages.iter().map(|m| m.kind.clone()).collect(),
        bodies: messages.iter().map(|m| m.body.clone()).collect(),
        now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// What the messages of events are made of; an event that is gone isn't among them.
pub async fn sources(
    conn: &AsyncPgConnection,
    events: &[(Tenant, PayoutRequestId, i32)],
) -> QueryResult<Vec<EventSource>> {
    Sources {
        partner_ids: events.iter().map(|(tenant, _, _)| tenant.partner_id).collect(),
        modes: events.iter().map(|(tenant, _, _)| tenant.mode).collect(),
        request_ids: events.iter().map(|(_, request, _)| *request).collect(),
        sequences: events.iter().map(|(_, _, sequence)| *sequence).collect(),
    }
    .load(&mut &*conn)
    .await
}
