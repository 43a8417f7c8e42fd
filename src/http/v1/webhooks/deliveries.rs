//! Deliveries of an endpoint: what was told, how each try went, and telling it again.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{COLLECTION, endpoints};
use crate::domain::ids::{EventId, WebhookEndpointId};
use crate::gateway::access::Scope;
use crate::gateway::webhooks::deliveries::{Replay, Replayal};
use crate::gateway::webhooks::{Attempt, Delivery, Place};
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, RequestDocument, Resource, answer};
use crate::http::v1::error::V1Error;
use crate::http::v1::request_view;

pub const KIND: &str = "webhook-delivery";
/// Of the document that asks for a replay.
pub const REPLAY_KIND: &str = "webhook-replay";
/// How a delivery can stand.
pub const STATES: [&str; 3] = ["pending", "delivered", "failed"];

/// A message on its way to an endpoint. Its id is the event's, which the message has as `webhook-id`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookDeliveryAttributes {
    /// What the message is about.
    #[schema(example = "payout_request.processed")]
    event_type: String,
    /// The payout request; null: it is about none.
    #[schema(example = "porq_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    request_id: Option<String>,
    /// Which of the request's events it is; null: it is none.
    #[schema(example = 5)]
    sequence: Option<i32>,
    /// Where it goes, where a payout request named the address; null: to the endpoint's.
    #[schema(example = "https://shop.example/payouts/4711")]
    url: Option<String>,
    /// `pending`, `delivered` or `failed` (given up).
    #[schema(example = "delivered")]
    status: String,
    /// How often it was tried.
    #[schema(example = 1)]
    attempts: i32,
    /// When it is tried next; null: not again.
    next_attempt: Option<DateTime<Utc>>,
    /// What the receiver answered last; null: nothing.
    #[schema(example = 200)]
    last_status: Option<i16>,
    /// Why the last try doesn't count; null: it does, or there was none.
    #[schema(example = "no answer in time")]
    last_error: Option<String>,
    /// The tries, in order. Only where one delivery is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tries: Vec<WebhookTry>,
    /// When there was something to tell.
    created: DateTime<Utc>,
    /// When it was over; null: it isn't.
    finished: Option<DateTime<Utc>>,
}

/// One try at telling.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookTry {
    /// Which try, from 1.
    #[schema(example = 1)]
    number: i32,
    /// When it was sent.
    at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    #[schema(example = 87)]
    duration_ms: i32,
    /// The HTTP status of the answer; null: there was none.
    #[schema(example = 200)]
    status: Option<i16>,
    /// Why it doesn't count as told; null: it does.
    #[schema(example = "answered 500")]
    error: Option<String>,
}

/// What is to be told again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct WebhookReplayRequest {
    /// Events of that time or later.
    from: DateTime<Utc>,
    /// Events before that time; none: until now.
    to: Option<DateTime<Utc>>,
    /// Whether those are told again too that were delivered; none: no.
    all: Option<bool>,
}

/// What a replay came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookReplayDocument {
    /// About the replay.
    meta: WebhookReplayMeta,
}

/// How much is told again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookReplayMeta {
    /// How many messages are told again.
    #[schema(example = 42)]
    count: usize,
    /// There were more events than one replay takes: ask again with this as `from`. Null: that was all.
    next_from: Option<DateTime<Utc>>,
}

pub(super) fn shown(delivery: Delivery, tries: Vec<Attempt>) -> Resource<WebhookDeliveryAttributes> {
    let collection = format!("{COLLECTION}/{}/deliveries", delivery.endpoint_id);
    let attributes = WebhookDeliveryAttributes {
        event_type: delivery.kind,
        request_id: delivery.request_id.map(|id| id.to_string()),
        sequence: delivery.sequence,
        url: delivery.url,
        status: delivery.state,
        attempts: delivery.attempts,
        next_attempt: delivery.due_at,
        last_status: delivery.last_status,
        last_error: delivery.last_error,
        tries: tries
            .into_iter()
            .map(|tried| WebhookTry {
                number: tried.n,
                at: tried.at,
                duration_ms: tried.took_ms,
                status: tried.status,
                error: tried.error,
            })
            .collect(),
        created: delivery.created_at,
        finished: delivery.finished_at,
    };
    let resource = Resource::new(KIND, &collection, delivery.message_id, attributes);
    let resource = resource.related("endpoint", endpoints::KIND, Some(delivery.endpoint_id));
    resource.related("request", request_view::KIND, delivery.request_id)
}

fn place(call: &PartnerCall) -> Result<Place, V1Error> {
    let endpoint_id: WebhookEndpointId = call.path_id("id")?;
    let message_id: EventId = call.path_id("event_id")?;
    Ok(Place { tenant: call.caller.tenant, endpoint_id, message_id })
}

/// A webhook endpoint's deliveries.
///
/// Needs `webhooks:read`. They are kept for a while after they are over, 30 days unless the installation says otherwise.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{id}/deliveries", operation_id = "listWebhookDeliveries", tag = "webhook endpoints",
    params(("filter[status]" = Option<String>, Query, description = "Deliveries that are `pending`, `delivered` or `failed`.")),
    responses((status = 200, description = "A page of deliveries.", body = ListDocument<WebhookDeliveryAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksRead)?;
    let list = call.list(&["status"])?;
    let id: WebhookEndpointId = call.path_id("id")?;
    let state = list.filter("status").map(str::to_owned);
    if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(V1Error::parameter("filter[status]", "There is no such value."));
    }
    let deliveries = call.gateway.list_deliveries(call.caller.tenant, id, state, list.slice()).await?;
    call.ok(&list.page(deliveries, |one| (one.created_at, one.message_id.0), |one| shown(one, Vec::new())))
}

/// One delivery, with its tries.
///
/// Needs `webhooks:read`.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{id}/deliveries/{event_id}", operation_id = "getWebhookDelivery", tag = "webhook endpoints",
    params(("event_id" = String, Path, description = "The event's id: the message's `webhook-id`.", example = "evt_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")),
    responses((status = 200, description = "The delivery.", body = Document<WebhookDeliveryAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksRead)?;
    call.no_parameters()?;
    let (delivery, tries) = call.gateway.find_delivery(place(&call)?).await?;
    call.ok(&Document::from(shown(delivery, tries)))
}

/// Tell a message again.
///
/// Needs `webhooks:write`. It is sent at once, under the same id and with the same body, whatever came of it before; if it doesn't arrive, it is
/// tried again at the usual times.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/deliveries/{event_id}/resend", operation_id = "resendWebhookDelivery", tag = "webhook endpoints",
    params(("event_id" = String, Path, description = "The event's id: the message's `webhook-id`.", example = "evt_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")),
    responses((status = 200, description = "The delivery as it is now.", body = Document<WebhookDeliveryAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn resend(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksWrite)?;
    call.no_parameters()?;
    let place = place(&call)?;
    let body = call.empty_body(payload).await?;
    let (gateway, author) = (Arc::clone(&call.gateway), call.author());
    call.write(&body, async move {
        let delivery = gateway.resend_delivery(&author, place).await?;
        answer(200, &Document::from(shown(delivery, Vec::new())))
    })
    .await
}

/// Tell a webhook endpoint what it has missed.
///
/// Needs `webhooks:write`. All that it wants to hear of and that happened from a time on is told, unless it was delivered there; with `all`, that
/// too. At most 10 000 events are looked at in one request.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/replay", operation_id = "replayWebhooks", tag = "webhook endpoints",
    request_body(content = RequestDocument<WebhookReplayRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "How much is told again.", body = WebhookReplayDocument, content_type = "application/vnd.api+json"))
)]
pub async fn replay(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksWrite)?;
    call.no_parameters()?;
    let id: WebhookEndpointId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let a = call.document(&body, REPLAY_KIND, &["from", "to", "all"])?;
    let (from, to) = (a.time("from"), a.optional_time("to"));
    let all = a.optional_flag("all").unwrap_or(false);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        a.problem("to", "OUT_OF_RANGE", "It begins after it ends.");
    }
    a.finish()?;
    let Some(from) = from else { return Err(V1Error::new("MISSING")) };
    let (gateway, author) = (Arc::clone(&call.gateway), call.author());
    call.write(&body, async move {
        let Replayal { count, next_from } = gateway.replay_events(&author, id, Replay { from, to, all }).await?;
        answer(200, &WebhookReplayDocument { meta: WebhookReplayMeta { count, next_from } })
    })
    .await
}
