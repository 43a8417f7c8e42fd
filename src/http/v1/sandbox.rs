//! `/v1/sandbox`: what test mode does on demand. In live mode nothing of it is there.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{Document, Resource, answer};
use super::error::V1Error;
use crate::gateway::Gateway;
use crate::gateway::access::{Caller, Refusal, Scope};
use crate::gateway::sandbox::{Expiring, Returning};
use crate::http::routes::resource;

pub const KIND: &str = "expiration";
pub const RETURN_KIND: &str = "return";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/v1/sandbox/offers/{id}/expire", "POST", [web::post().to(offer)]))
        .service(resource("/v1/sandbox/payout-requests/{id}/expire", "POST", [web::post().to(request)]))
        .service(resource("/v1/sandbox/cards/{id}/expire", "POST", [web::post().to(card)]))
        .service(resource("/v1/sandbox/offers/{id}/return", "POST", [web::post().to(return_offer)]))
        .service(resource("/v1/sandbox/payout-requests/{id}/return", "POST", [web::post().to(return_request)]));
}

/// What has expired by the partner's word.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpirationAttributes {
    /// When.
    expired: DateTime<Utc>,
}

/// What has come back by the partner's word.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReturnAttributes {
    /// When.
    returned: DateTime<Utc>,
}

/// Does it once for each idempotency key, and answers with when.
async fn act<A, F>(
    call: PartnerCall,
    payload: web::Payload,
    kind: &'static str,
    path: String,
    done: impl FnOnce(Arc<Gateway>, Caller) -> F + Send + 'static,
) -> Result<HttpResponse, V1Error>
where
    A: Serialize + Send,
    F: Future<Output = Result<A, Refusal>> + Send,
{
    let body = call.empty_body(payload).await?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    let id = call.request.match_info().query("id").to_owned();
    call.write(&body, async move {
        let shown = Resource::new(kind, "", id, done(gateway, caller).await?).found_at(path);
        answer(200, &Document::from(shown))
    })
    .await
}

async fn expire(
    call: PartnerCall,
    payload: web::Payload,
    what: Expiring,
    path: String,
) -> Result<HttpResponse, V1Error> {
    act(call, payload, KIND, path, move |gateway, caller| async move {
        Ok(ExpirationAttributes { expired: gateway.expire_now(&caller, what).await? })
    })
    .await
}

async fn give_back(
    call: PartnerCall,
    payload: web::Payload,
    what: Returning,
    path: String,
) -> Result<HttpResponse, V1Error> {
    act(call, payload, RETURN_KIND, path, move |gateway, caller| async move {
        Ok(ReturnAttributes { returned: gateway.return_now(&caller, what).await? })
    })
    .await
}

/// Let an offer expire.
///
/// Needs `payouts:write`. Test mode only: in live mode it isn't there. The offer's time is over from now on, as if it had passed.
#[utoipa::path(
    post, path = "/v1/sandbox/offers/{id}/expire", operation_id = "expireSandboxOffer", tag = "sandbox",
    responses(
        (status = 200, description = "It has expired.", body = Document<ExpirationAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn offer(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let id = call.path_id("id")?;
    expire(call, payload, Expiring::Offer(id), format!("/v4/payout/offer/{id}")).await
}

/// Let a payout request expire.
///
/// Needs `payouts:write`. Test mode only: in live mode it isn't there. What waits ends as `expired`; of what is under way nothing more is
/// sent, and its end follows the truth.
#[utoipa::path(
    post, path = "/v1/sandbox/payout-requests/{id}/expire", operation_id = "expireSandboxPayoutRequest", tag = "sandbox",
    responses(
        (status = 200, description = "Its time is over.", body = Document<ExpirationAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn request(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let id = call.path_id("id")?;
    expire(call, payload, Expiring::Request(id), format!("/v1/payout-gateway/payout-requests/{id}")).await
}

/// Let a user's card expire.
///
/// Needs `payouts:write`. Test mode only: in live mode it isn't there. The card's last month has passed; added again, it has the expiry that
/// it is given.
#[utoipa::path(
    post, path = "/v1/sandbox/cards/{id}/expire", operation_id = "expireSandboxCard", tag = "sandbox",
    responses(
        (status = 200, description = "It has expired.", body = Document<ExpirationAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn card(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let id = call.path_id("id")?;
    expire(call, payload, Expiring::Card(id), format!("/v4/payout/card/{id}")).await
}

/// Have an offer's payout come back.
///
/// Needs `payouts:write`. Test mode only: in live mode it isn't there. The bank returns what the sandbox paid of it.
#[utoipa::path(
    post, path = "/v1/sandbox/offers/{id}/return", operation_id = "returnSandboxOffer", tag = "sandbox",
    responses(
        (status = 200, description = "It came back.", body = Document<ReturnAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn return_offer(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let id = call.path_id("id")?;
    give_back(call, payload, Returning::Offer(id), format!("/v4/payout/offer/{id}")).await
}

/// Have a payout request come back.
///
/// Needs `payouts:write`. Test mode only: in live mode it isn't there. The bank returns what the sandbox paid of it: the request is `returned`,
/// and what was paid is on the balance again.
#[utoipa::path(
    post, path = "/v1/sandbox/payout-requests/{id}/return", operation_id = "returnSandboxPayoutRequest", tag = "sandbox",
    responses(
        (status = 200, description = "It came back.", body = Document<ReturnAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn return_request(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let id = call.path_id("id")?;
    give_back(call, payload, Returning::Request(id), format!("/v1/payout-gateway/payout-requests/{id}")).await
}
