//! Endpoints: made, listed, changed, given new secrets, deleted. A secret is answered once, when it is drawn, and saved nowhere in the clear.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::COLLECTION;
use super::deliveries;
use crate::domain::ids::{Mode, WebhookEndpointId};
use crate::domain::webhook::{TYPES, Wanted};
use crate::gateway::access::{Problem, Scope};
use crate::gateway::webhooks::URL_CHARS_MAX;
use crate::gateway::webhooks::endpoints::{Endpoint, EndpointChange, NewEndpoint};
use crate::gateway::webhooks::secrets::SigningSecret;
use crate::http::call::Answer;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, Note, RequestDocument, Resource, answer, secret_answer};
use crate::http::v1::error::V1Error;
use crate::http::v1::reader::Reader;

pub const KIND: &str = "webhook-endpoint";
/// Of the document that asks for a new secret.
pub const ROTATION_KIND: &str = "webhook-secret-rotation";
const REPLAYED: &str = "This is a replay: the secret was answered once, and isn't kept.";
/// The longest that a replaced secret goes on signing, in seconds: 30 days.
const OVERLAP_SECS_MAX: i64 = 30 * 86_400;

/// Where a partner is told what happened.
#[derive(Clone, Serialize, ToSchema)]
pub struct WebhookEndpointAttributes {
    /// The address; null: the endpoint of the addresses that payout requests name themselves (`callback_url`).
    #[schema(example = "https://shop.example/landfall")]
    url: Option<String>,
    /// What its owner says of it.
    #[schema(example = "orders")]
    description: String,
    /// What it wants to hear of; empty: everything. `payout.*` stands for all of an object.
    #[schema(example = json!(["payout_request.*", "payout.failed"]))]
    event_types: Vec<String>,
    /// Whether it is of test mode.
    test_mode: bool,
    /// Whether messages are sent there.
    enabled: bool,
    /// Why not: `asked` by a key, `gone` (it answered 410), `failing` (nothing arrived for days); null: it is enabled.
    #[schema(example = "failing")]
    disabled_reason: Option<String>,
    /// Since when; null: it is enabled.
    disabled_at: Option<DateTime<Utc>>,
    /// Since when nothing has arrived there; null: the last message did.
    failing_since: Option<DateTime<Utc>>,
    /// What messages are signed with (`whsec_`, and base64). Only in the answer that drew it, and null in a replay of that answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: Option<Option<String>>,
    /// Who made it: an API key's id, or `gateway`.
    #[schema(example = "key_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    created_by: String,
    /// When it was made.
    created: DateTime<Utc>,
}

/// An endpoint that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct NewWebhookEndpointRequest {
    /// The address: http or https, in live mode https only, on the internet, without user name, password and fragment.
    #[schema(min_length = 8, max_length = 2000, example = "https://shop.example/landfall")]
    url: String,
    /// What its owner says of it.
    #[schema(max_length = 500, example = "orders")]
    description: Option<String>,
    /// What it wants to hear of; none: everything. `payout.*` stands for all of an object.
    #[schema(max_items = 50, example = json!(["payout_request.*", "payout.failed"]))]
    event_types: Option<Vec<String>>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// What is to be changed of an endpoint. What isn't there stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct WebhookEndpointChangeRequest {
    /// The address.
    #[schema(min_length = 8, max_length = 2000, example = "https://shop.example/landfall")]
    url: Option<String>,
    /// What its owner says of it.
    #[schema(max_length = 500, example = "orders")]
    description: Option<String>,
    /// What it wants to hear of; an empty list: everything.
    #[schema(max_items = 50, example = json!(["payout_request.*"]))]
    event_types: Option<Vec<String>>,
    /// Whether messages are sent there. Switched on again, it goes on with what still waits; what happened meanwhile can be replayed.
    enabled: Option<bool>,
}

/// How a secret is to be replaced.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct SecretRotationRequest {
    /// How long the secret before it signs as well, in seconds; 0 for one that others know. None: as long as is configured, a day by default.
    #[schema(minimum = 0, maximum = 2592000, example = 86400)]
    overlap_secs: Option<i64>,
}

/// `secret`: none in an answer that draws none, and none in that once it isn't kept.
fn shown(endpoint: Endpoint, secret: Option<Option<&SigningSecret>>) -> Resource<WebhookEndpointAttributes> {
    let attributes = WebhookEndpointAttributes {
        url: endpoint.url,
        description: endpoint.description,
        event_types: endpoint.types,
        test_mode: endpoint.mode == Mode::Test,
        enabled: endpoint.disabled_at.is_none(),
        disabled_reason: endpoint.disabled_why,
        disabled_at: endpoint.disabled_at,
        failing_since: endpoint.failing_since,
        secret: secret.map(|drawn| drawn.map(|secret| secret.expose().to_owned())),
        created_by: endpoint.created_by,
        created: endpoint.created_at,
    };
    Resource::new(KIND, COLLECTION, endpoint.id, attributes)
}

fn with_secret(status: u16, endpoint: Endpoint, secret: &SigningSecret) -> Result<Answer, V1Error> {
    let kept = Document { data: shown(endpoint.clone(), Some(None)), meta: Some(Note { note: REPLAYED }) };
    secret_answer(status, &Document::from(shown(endpoint, Some(Some(secret)))), &kept)
}

fn types(a: &Reader<'_>) -> Option<Vec<Wanted>> {
    a.optional_parsed_list("event_types", TYPES.len())
}

/// Make a webhook endpoint.
///
/// Needs `webhooks:write`. From then on the messages of the key's mode are sent there, signed by the Standard Webhooks specification with the
/// secret in this answer. A replay by `Idempotency-Key` shows the endpoint without it.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints", operation_id = "createWebhookEndpoint", tag = "webhook endpoints",
    request_body(content = RequestDocument<NewWebhookEndpointRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The endpoint, with its secret.", body = Document<WebhookEndpointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksWrite)?;
    call.no_parameters()?;
    let body = call.body(payload).await?;
    let a = call.document(&body, KIND, &["url", "description", "event_types", "test_mode"])?;
    a.test_mode(call.mode());
    for name in ["url", "description"] {
        a.no_card_number(name);
    }
    let new = NewEndpoint {
        url: a.text("url", 8..=URL_CHARS_MAX),
        description: a.optional_text("description", 0..=500).unwrap_or_default(),
        types: types(&a).unwrap_or_default(),
    };
    a.finish()?;
    let (gateway, author) = (Arc::clone(&call.gateway), call.author());
    call.write(&body, async move {
        let (endpoint, secret) = gateway.create_endpoint(&author, new).await?;
        with_secret(201, endpoint, &secret)
    })
    .await
}

/// The webhook endpoints.
///
/// Needs `webhooks:read`. Of the key's mode, those that are switched off too.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints", operation_id = "listWebhookEndpoints", tag = "webhook endpoints",
    responses((status = 200, description = "A page of endpoints.", body = ListDocument<WebhookEndpointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksRead)?;
    let list = call.list(&[])?;
    let endpoints = call.gateway.list_endpoints(call.caller.tenant, list.slice()).await?;
    call.ok(&list.page(endpoints, |one| (one.created_at, one.id.0), |one| shown(one, None)))
}

/// One webhook endpoint.
///
/// Needs `webhooks:read`.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{id}", operation_id = "getWebhookEndpoint", tag = "webhook endpoints",
    responses((status = 200, description = "The endpoint.", body = Document<WebhookEndpointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksRead)?;
    call.no_parameters()?;
    let id: WebhookEndpointId = call.path_id("id")?;
    let endpoint = call.gateway.find_endpoint(call.caller.tenant, id).await?;
    call.ok(&Document::from(shown(endpoint, None)))
}

/// Change a webhook endpoint, or switch it off and on.
///
/// Needs `webhooks:write`.
#[utoipa::path(
    patch, path = "/v1/webhook-endpoints/{id}", operation_id = "changeWebhookEndpoint", tag = "webhook endpoints",
    request_body(content = RequestDocument<WebhookEndpointChangeRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "The endpoint as it is now.", body = Document<WebhookEndpointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn change(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksWrite)?;
    call.no_parameters()?;
    let id: WebhookEndpointId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let known = ["url", "description", "event_types", "enabled"];
    let a = call.change_document(&body, KIND, id, &known)?;
    for name in known {
        a.not_null(name);
    }
    for name in ["url", "description"] {
        a.no_card_number(name);
    }
    let change = EndpointChange {
        url: a.optional_text("url", 8..=URL_CHARS_MAX),
        description: a.optional_text("description", 0..=500),
        types: types(&a),
        enabled: a.optional_flag("enabled"),
    };
    a.finish()?;
    if change == EndpointChange::default() {
        let detail = "There is nothing to change.";
        return Err(V1Error::problems(vec![Problem::new("/data/attributes", "MISSING", detail)]));
    }
    let (gateway, author) = (Arc::clone(&call.gateway), call.author());
    call.write(&body, async move {
        let endpoint = gateway.change_endpoint(&author, id, change).await?;
        answer(200, &Document::from(shown(endpoint, None)))
    })
    .await
}

/// Replace a webhook endpoint's secret.
///
/// Needs `webhooks:write`. The new one is in this answer only. Until the overlap is over, messages are signed with the one before it as well:
/// a receiver may take either.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/rotate-secret", operation_id = "rotateWebhookSecret", tag = "webhook endpoints",
    request_body(content = RequestDocument<SecretRotationRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "The endpoint, with its new secret.", body = Document<WebhookEndpointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn rotate_secret(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksWrite)?;
    call.no_parameters()?;
    let id: WebhookEndpointId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let a = call.document(&body, ROTATION_KIND, &["overlap_secs"])?;
    let overlap = a.optional_integer("overlap_secs", 0..=OVERLAP_SECS_MAX).map(TimeDelta::seconds);
    a.finish()?;
    let (gateway, author) = (Arc::clone(&call.gateway), call.author());
    call.write(&body, async move {
        let (endpoint, secret) = gateway.rotate_endpoint_secret(&author, id, overlap).await?;
        with_secret(200, endpoint, &secret)
    })
    .await
}

/// Send a webhook endpoint a test message.
///
/// Needs `webhooks:write`. It is of type `webhook_endpoint.ping`, whatever the endpoint wants to hear of, and is delivered as any other.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/ping", operation_id = "pingWebhookEndpoint", tag = "webhook endpoints",
    responses((status = 201, description = "The delivery, which is yet to be made.", body = Document<deliveries::WebhookDeliveryAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn ping(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksWrite)?;
    call.no_parameters()?;
    let id: WebhookEndpointId = call.path_id("id")?;
    let body = call.empty_body(payload).await?;
    let (gateway, tenant) = (Arc::clone(&call.gateway), call.caller.tenant);
    call.write(&body, async move {
        let delivery = gateway.ping_endpoint(tenant, id).await?;
        answer(201, &Document::from(deliveries::shown(delivery, Vec::new())))
    })
    .await
}

/// Delete a webhook endpoint.
///
/// Needs `webhooks:write`. What still waited for it is told to nobody. The endpoint of payout requests' own addresses can only be switched off.
#[utoipa::path(
    delete, path = "/v1/webhook-endpoints/{id}", operation_id = "deleteWebhookEndpoint", tag = "webhook endpoints",
    responses((status = 204, description = "It is deleted."))
)]
pub async fn delete(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::WebhooksWrite)?;
    call.no_parameters()?;
    let id: WebhookEndpointId = call.path_id("id")?;
    let body = call.empty_body(payload).await?;
    let (gateway, author) = (Arc::clone(&call.gateway), call.author());
    call.write(&body, async move {
        gateway.delete_endpoint(&author, id).await?;
        Ok(Answer::no_content())
    })
    .await
}
