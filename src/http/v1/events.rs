//! `/v1/events`: what happened to payout requests and payouts, why, and by whom. The log holds no secret and no card number.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{ListDocument, Resource};
use super::error::V1Error;
use super::numbered::FilterTime;
use super::request_view;
use crate::gateway::access::Scope;
use crate::gateway::requests::{Event, EventFilter};
use crate::http::routes::resource;

pub(in crate::http::v1) const KIND: &str = "event";
const COLLECTION: &str = "/v1/events";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET", [web::get().to(list)]));
}

/// Something that happened to a payout request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventAttributes {
    /// The payout request.
    #[schema(example = "porq_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    request_id: String,
    /// The payout, where it is one's; null: it is the request's.
    #[schema(example = "po_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    payout_id: Option<String>,
    /// Which of the request's events it is, from 1, without gaps; of one that was over long ago only the last are there.
    #[schema(example = 1)]
    sequence: i32,
    /// What happened.
    #[schema(example = "request_created")]
    kind: String,
    /// Who did it: an API key's id, `staff` for a person of the house, `wallet` or `gateway`.
    #[schema(example = "key_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    actor: String,
    /// What is known of it; its members depend on `kind`. A decision has its whole trace here.
    #[schema(value_type = Object)]
    data: Value,
    /// When it happened.
    created: DateTime<Utc>,
}

/// What people of the house decided is told; who they are, their reasons and proofs are theirs.
fn without_ours(mut event: Event) -> Event {
    let told: &[&str] = match event.kind.as_str() {
        "moderation_decided" => &["decision", "moderation", "amount", "provider_ids", "request_status"],
        "case_closed" => &["case", "how", "request_status"],
        _ => return event,
    };
    if let Value::Object(data) = &mut event.data {
        data.retain(|key, _| told.contains(&key.as_str()));
    }
    "staff".clone_into(&mut event.actor);
    event
}

pub fn shown(event: Event) -> Resource<EventAttributes> {
    let event = without_ours(event);
    let path = format!("{}/{}/events", request_view::COLLECTION, event.request_id);
    let attributes = EventAttributes {
        request_id: event.request_id.to_string(),
        payout_id: event.payout_id.map(|id| id.to_string()),
        sequence: event.seq,
        kind: event.kind,
        actor: event.actor,
        data: event.data,
        created: event.at,
    };
    let resource = Resource::new(KIND, COLLECTION, event.id, attributes).found_at(path);
    resource.related("request", request_view::KIND, Some(event.request_id))
}

/// The events.
///
/// Needs `events:read`. All that happened to the partner's payout requests in the key's mode. To follow the log, read it with `sort=created` and
/// go on by `links.next`; at its end ask again from a minute before the last event that you have (`filter[created_from]`) and pass over the
/// ids that you have: of two events of the same moment one can be written a little later than the other.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "listEvents", tag = "events",
    params(
        ("filter[kind]" = Option<String>, Query, description = "Events of that kind."),
        ("filter[request_id]" = Option<String>, Query, description = "Events of that payout request."),
        ("filter[created_from]" = Option<String>, Query, description = "Events of that time (RFC 3339) or later."),
        ("filter[created_to]" = Option<String>, Query, description = "Events before that time (RFC 3339)."),
    ),
    responses((status = 200, description = "A page of events.", body = ListDocument<EventAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::EventsRead)?;
    let list = call.list(&["kind", "request_id", "created_from", "created_to"])?;
    let time = |name| Ok::<_, V1Error>(list.parsed_filter::<FilterTime>(name)?.map(|time| time.0));
    let filter = EventFilter {
        kind: list.filter("kind").map(str::to_owned),
        request_id: list.parsed_filter("request_id")?,
        from: time("created_from")?,
        to: time("created_to")?,
    };
    let events = call.gateway.events(&call.caller, &filter, list.slice()).await?;
    call.ok(&list.page(events, |event| (event.at, event.id.0), shown))
}
