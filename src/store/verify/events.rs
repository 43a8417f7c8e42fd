//! The event log, with the head that each request keeps of its chain.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bytea, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{NO_TENANT, PAGE_ROWS, broken_rows, row_key};
use crate::domain::ids::{Mode, PartnerId, PayoutRequestId};
use crate::store::events::{Event, EventSql};
use crate::store::statement::statement;

broken_rows! {
    /// Requests without any event.
    requests_have_events, of "payout_request",
    concat!("SELECT ", row_key!("payout_request", "r", "id"), ", 'has no events, its head is event ' || r.event_seq \
     FROM payout_request r WHERE NOT EXISTS ( \
         SELECT 1 FROM event e WHERE (e.partner_id, e.mode, e.request_id) = (r.partner_id, r.mode, r.id))")
}

broken_rows! {
    /// Requests whose older events are gone before their time: no setting is shorter than 90 days.
    logs_are_kept_long_enough, of "payout_request",
    concat!("SELECT ", row_key!("payout_request", "r", "id"), ", 'is over since ' || r.final_at || ', and its events before ' || r.events_from || ' are gone' \
     FROM payout_request r WHERE r.events_from IS NOT NULL \
     AND r.final_at > (SELECT max(updated_at) FROM payout_request) - interval '90 days'")
}

type EventWithHeadSql =
    (EventSql, Nullable<Text>, Nullable<Integer>, Nullable<Bytea>, Nullable<Integer>, Nullable<Bytea>);

statement! {
    struct Events {
        request_id: PayoutRequestId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, seq: i32 as Integer,
        limit: i64 as BigInt,
    } => EventWithHeadSql
      = "SELECT e.partner_id, e.mode, e.request_id, e.seq, e.id, e.payout_id, e.kind, e.actor, e.data, e.mac, e.at, \
             r.status, r.event_seq, r.event_mac, r.events_from, r.events_before \
         FROM event e LEFT JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (e.partner_id, e.mode, e.request_id) \
         WHERE (e.request_id, e.partner_id, e.mode, e.seq) > (?, ?, ?, ?) \
         ORDER BY e.request_id, e.partner_id, e.mode, e.seq LIMIT ?"
}

/// What a request says of its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: String,
    pub seq: i32,
    pub mac: Vec<u8>,
    /// Where the log begins that is left of it, and the MAC of the event before: the rest was kept long enough.
    pub kept: Option<(i32, Vec<u8>)>,
}

/// A page of events after `last`, in the order of their requests and sequence, each with its request's head; `None`: there is
/// no such request.
pub async fn page(conn: &mut AsyncPgConnection, last: Option<&Event>) -> QueryResult<Vec<(Event, Option<Head>)>> {
    let (partner_id, mode, request_id, seq) = last
        .map_or((NO_TENANT.partner_id, NO_TENANT.mode, PayoutRequestId(Uuid::nil()), 0), |event| {
            (event.partner_id, event.mode, event.request_id, event.seq)
        });
    type Row = (Event, Option<String>, Option<i32>, Option<Vec<u8>>, Option<i32>, Option<Vec<u8>>);
    let rows: Vec<Row> = Events { partner_id, mode, request_id, seq, limit: PAGE_ROWS }.load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(event, status, seq, mac, from, before)| {
            let kept = from.zip(before);
            let head = status.zip(seq).zip(mac).map(|((status, seq), mac)| Head { status, seq, mac, kept });
            (event, head)
        })
        .collect())
}
