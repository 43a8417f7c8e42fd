//! The event log's chain: each event of a request carries a MAC over itself and the one before it, so that an
//! edited, deleted or reordered event is found by whoever has the key (`landfall verify`).

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::domain::ids::{EventId, PayoutId, PayoutRequestId, Tenant};
use crate::store::events::Event;
use crate::store::requests::PayoutRequest;
use crate::vault::Vault;

/// What the first event's MAC covers in place of a predecessor.
pub use crate::vault::EVENT_CHAIN_START as CHAIN_START;

/// Every kind of event. The dashboard has words for each.
pub const KINDS: &[&str] = &[
    "request_created",
    "request_changed",
    "details_supplied",
    "processing_requested",
    "request_split",
    "request_not_routed",
    "request_waits",
    "request_goes_on",
    "request_ended",
    "request_canceled",
    "request_terminated",
    "request_expired",
    "stop_requested",
    "payout_planned",
    "payout_started",
    "payout_withheld",
    "payout_pending",
    "payout_unknown",
    "payout_id_differs",
    "payout_to_be_resent",
    "payout_resent",
    "payout_processed",
    "payout_processed_late",
    "payout_failed",
    "payout_canceled",
    "payout_returned",
    "payout_recovered",
    "moderation_started",
    "moderation_decided",
    "moderation_ended",
    "case_opened",
    "case_closed",
];

/// An event about to be appended.
#[derive(Clone, Debug)]
pub struct Draft {
    pub payout_id: Option<PayoutId>,
    /// One of [`KINDS`].
    pub kind: &'static str,
    pub actor: &'static str,
    pub data: Value,
}

/// Appends an event to a request's chain and moves the request's head to it. The request's row is locked by the caller.
///
/// The event keeps the request's status after it, so that a status edited by hand is found too.
pub fn append(vault: &Vault, request: &mut PayoutRequest, draft: Draft, now: DateTime<Utc>) -> Event {
    let actor = draft.actor;
    append_by(vault, request, draft, actor, now)
}

/// [`append`] for somebody whom only the call names: `actor` in place of the draft's.
pub fn append_by(vault: &Vault, request: &mut PayoutRequest, draft: Draft, actor: &str, now: DateTime<Utc>) -> Event {
    let Draft { payout_id, kind, actor: _, mut data } = draft;
    debug_assert!(KINDS.contains(&kind), "{kind} isn't among the kinds of events");
    note_status(request, &mut data);
    let mut event = Event {
        partner_id: request.partner_id,
        mode: request.mode,
        request_id: request.id,
        seq: request.event_seq + 1,
        id: EventId::new(),
        payout_id,
        kind: kind.to_owned(),
        actor: actor.to_owned(),
        data,
        mac: Vec::new(),
        at: now,
    };
    event.mac = mac(vault, &request.event_mac, &event).to_vec();
    request.event_seq = event.seq;
    request.event_mac.clone_from(&event.mac);
    event
}

/// Keeps the status that the request has now with the event, unless it was kept already.
pub fn note_status(request: &PayoutRequest, data: &mut Value) {
    if let Value::Object(fields) = data {
        fields.entry("request_status").or_insert_with(|| json!(request.status.as_str()));
    }
}

/// The MAC that `event` must carry after an event with the MAC `previous`.
pub fn mac(vault: &Vault, previous: &[u8], event: &Event) -> [u8; 32] {
    // A head of another length can only be a row edited by hand: it covers nothing, and no event fits it.
    let previous = <&[u8; 32]>::try_from(previous).unwrap_or(&[0xff; 32]);
    vault.event_mac(previous, canonical(event).as_bytes())
}

/// The event as one text, the same before it is stored and after it is read back.
fn canonical(event: &Event) -> String {
    let Tenant { partner_id, mode } = event.tenant();
    let PayoutRequestId(request_id) = event.request_id;
    let mut text = String::with_capacity(512);
    let head = json!([
        partner_id.0,
        mode.as_str(),
        request_id,
        event.seq,
        event.id.0,
        event.payout_id.map(|id| id.0),
        event.kind,
        event.actor,
        event.at.to_rfc3339_opts(SecondsFormat::Micros, true),
    ]);
    write_canonical(&head, &mut text);
    write_canonical(&event.data, &mut text);
    text
}

/// A value as one text, whatever the order of its keys.
pub(super) fn canonical_json(value: &Value) -> String {
    let mut text = String::with_capacity(512);
    write_canonical(value, &mut text);
    text
}

/// JSON with sorted keys and no spaces. `jsonb` keeps no order of keys, so none may be relied on.
pub(super) fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (n, key) in keys.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(&fields[key], out);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let text = |json: &str| {
            let mut out = String::new();
            write_canonical(&serde_json::from_str(json).unwrap(), &mut out);
            out
        };
        assert_eq!(text(r#"{"b": [1, {"d": null, "c": "x"}], "a": true}"#), r#"{"a":true,"b":[1,{"c":"x","d":null}]}"#);
        assert_ne!(text(r#"{"a": "1"}"#), text(r#"{"a": 1}"#));
        assert_ne!(text(r#"["a,b"]"#), text(r#"["a","b"]"#));
    }
}
