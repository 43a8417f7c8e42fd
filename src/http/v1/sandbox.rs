//! `/v1/sandbox`: what test mode does on demand. In live mode nothing of it is there.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{Document, Resource, answer};
use super::error::V1Error;
use crate::gateway::access::Scope;
use crate::gateway::sandbox::Expiring;
use crate::http::routes::resource;

pub const KIND: &str = "expiration";

pub fn routes(cfg: &mut web::ServiceConfig) {
    let path = |kind: &str| format!("/v1/sandbox/{kind}/{{id}}/expire");
    cfg.service(resource(&path("offers"), "POST", [web::post().to(offer)]))
        .service(resource(&path("payout-requests"), "POST", [web::post().to(request)]))
        .service(resource(&path("cards"), "POST", [web::post().to(card)]));
}

/// What has expired by the partner's word.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExpirationAttributes {
    /// When.
    expired: DateTime<Utc>,
}

async fn expire(
    call: PartnerCall,
    payload: web::Payload,
    what: Expiring,
    path: String,
) -> Result<HttpResponse, V1Error> {
    let body = call.empty_body(payload).await?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    let id = call.request.match_info().query("id").to_owned();
    call.write(&body, async move {
        let expired = gateway.expire_now(&caller, what).await?;
        let shown = Resource::new(KIND, "", id, ExpirationAttributes { expired }).found_at(path);
        answer(200, &Document::from(shown))
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
