//! `/v1/payout-gateway/payouts`: single tries at providers. Routing makes them; a partner can ask for one on a named route.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{Document, ListDocument, RequestDocument, Resource, answer};
use super::error::V1Error;
use super::numbered::FilterTime;
use super::request_body::{ATTRIBUTES, NewSinglePayoutRequest, new_single};
use super::request_view::{self, PayoutRequestAttributes, amount, document};
use crate::domain::ids::{Mode, PayoutId, PayoutRequestId};
use crate::gateway::access::Scope;
use crate::gateway::requests::NewRequest;
use crate::gateway::requests::{Payout, PayoutFilter};
use crate::http::routes::resource;

pub(in crate::http::v1) const KIND: &str = "payout";
const COLLECTION: &str = "/v1/payout-gateway/payouts";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)])).service(resource(
        "/v1/payout-gateway/payouts/{id}",
        "GET",
        [web::get().to(get)],
    ));
}

/// One try at one provider.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutAttributes {
    /// The payout request that it is of.
    #[schema(example = "porq_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    request_id: String,
    /// Which part of the amount it pays, from 0.
    #[schema(example = 0)]
    part: i16,
    /// The part that it is a piece of, where that was planned anew; null: none.
    parent_part: Option<i16>,
    /// Which attempt at the part it is, from 1.
    #[schema(example = 1)]
    attempt: i16,
    /// Whether it is of test mode.
    test_mode: bool,
    /// The route that it takes.
    #[schema(example = "prt_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    route_id: String,
    /// The deposit account that pays it.
    #[schema(example = "dac_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    deposit_account_id: String,
    /// The provider's code.
    #[schema(example = "test")]
    provider: String,
    /// Where it stands: created, invoking, pending, unknown, processed, failed, canceled, late_processed or returned.
    #[schema(value_type = String, example = "processed")]
    status: &'static str,
    /// Whether nothing more is expected of it.
    #[serde(rename = "final")]
    is_final: bool,
    /// Why it stands there; null: nothing is to be said yet.
    #[schema(value_type = Option<String>, example = "ok")]
    resolution: Option<&'static str>,
    /// What it is to pay, in units of `currency`, as a decimal string.
    #[schema(example = "1")]
    amount: String,
    /// The service's currency.
    #[schema(example = "USD")]
    currency: String,
    /// What it paid, in units of `currency`, as a decimal string.
    #[schema(example = "1")]
    processed_amount: String,
    /// What came back of it, in units of `currency`, as a decimal string.
    #[schema(example = "0")]
    returned_amount: String,
    /// What the route takes for it, in units of the deposit account's currency, as a decimal string.
    #[schema(example = "0.11")]
    cost: String,
    /// Our name for it at the provider; the same however often it is sent.
    #[schema(example = "019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    provider_reference: String,
    /// The provider's own name for it; null: it hasn't told one.
    provider_original_id: Option<String>,
    /// The retrieval reference number of the card schemes; null: there is none.
    #[schema(example = "532419384756")]
    rrn: Option<String>,
    /// The acquirer's reference number; null: there is none.
    arn: Option<String>,
    /// The provider's own code; null: it told none.
    #[schema(example = "00")]
    provider_code: Option<String>,
    /// The provider's own message; null: it told none.
    #[schema(example = "approved")]
    provider_message: Option<String>,
    /// How often it was sent.
    #[schema(example = 1)]
    sends: i16,
    /// When it was first sent; null: it wasn't.
    sent_at: Option<DateTime<Utc>>,
    /// When it was written down.
    created: DateTime<Utc>,
    /// When it last changed.
    updated: DateTime<Utc>,
    /// When it ended; null: it hasn't.
    finished: Option<DateTime<Utc>>,
}

pub fn shown(payout: Payout) -> Resource<PayoutAttributes> {
    let attributes = PayoutAttributes {
        request_id: payout.request_id.to_string(),
        part: payout.part,
        parent_part: payout.placement.parent_part,
        attempt: payout.attempt,
        test_mode: payout.mode == Mode::Test,
        route_id: payout.route_id.to_string(),
        deposit_account_id: payout.deposit_account_id.to_string(),
        provider: payout.provider,
        status: payout.status.as_str(),
        is_final: payout.final_at.is_some(),
        resolution: payout.resolution.map(|resolution| resolution.as_str()),
        amount: amount(payout.amount),
        currency: payout.currency.to_string(),
        processed_amount: amount(payout.amount_processed),
        returned_amount: amount(payout.amount_returned),
        cost: amount(payout.cost),
        provider_reference: payout.provider_reference,
        provider_original_id: payout.provider_original_id,
        rrn: payout.rrn,
        arn: payout.arn,
        provider_code: payout.provider_code,
        provider_message: payout.provider_message,
        sends: payout.sends,
        sent_at: payout.sent_at,
        created: payout.created_at,
        updated: payout.updated_at,
        finished: payout.final_at,
    };
    let resource = Resource::new(KIND, COLLECTION, payout.id, attributes);
    resource.related("request", request_view::KIND, Some(payout.request_id))
}

/// Ask for a single payout on a named route.
///
/// Needs `payouts:write`. Without routing, failover and splitting. It is answered with its payout request, which goes through the same
/// states as any other; the payout itself is under `payouts` once it was started. References are those of payout requests.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payouts", operation_id = "createSinglePayout", tag = "payouts",
    params(("Accept-Language" = Option<String>, Header, description = "The language of the fields' hints: en, es, de, uk or ru.")),
    request_body(content = RequestDocument<NewSinglePayoutRequest>, content_type = "application/vnd.api+json"),
    responses(
        (status = 201, description = "The payout request that it is made by.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"),
        (status = 200, description = "The same was asked before under the same reference: the original as it is now.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let body = call.body(payload).await?;
    let language = call.context.language.as_str();
    let known: Vec<&str> = std::iter::once("route_id").chain(ATTRIBUTES).collect();
    let ask = new_single(&call.document(&body, KIND, &known)?, call.mode(), language)?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write_once(&body, move |once| async move {
        let ask = NewRequest { once_id: once.map(|once| PayoutRequestId(once.0)), ..ask };
        let made = gateway.create_request(&caller, ask).await?;
        let view = gateway.request(&caller, made.request.id).await?;
        answer(if made.is_new { 201 } else { 200 }, &document(&gateway, &caller, view, language).await?)
    })
    .await
}

/// The payouts.
///
/// Needs `payouts:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payouts", operation_id = "listPayouts", tag = "payouts",
    params(
        ("filter[status]" = Option<String>, Query, description = "Payouts that stand there: created, invoking, pending, unknown, processed, failed, canceled, late_processed or returned."),
        ("filter[request_id]" = Option<String>, Query, description = "Payouts of that payout request."),
        ("filter[created_from]" = Option<String>, Query, description = "Payouts made at that time (RFC 3339) or later."),
        ("filter[created_to]" = Option<String>, Query, description = "Payouts made before that time (RFC 3339)."),
    ),
    responses((status = 200, description = "A page of payouts.", body = ListDocument<PayoutAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    let list = call.list(&["status", "request_id", "created_from", "created_to"])?;
    let time = |name| Ok::<_, V1Error>(list.parsed_filter::<FilterTime>(name)?.map(|time| time.0));
    let filter = PayoutFilter {
        status: list.parsed_filter("status")?,
        request_id: list.parsed_filter("request_id")?,
        created_from: time("created_from")?,
        created_to: time("created_to")?,
    };
    let payouts = call.gateway.payouts(&call.caller, &filter, list.slice()).await?;
    call.ok(&list.page(payouts, |payout| (payout.created_at, payout.id.0), shown))
}

/// One payout.
///
/// Needs `payouts:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payouts/{id}", operation_id = "getPayout", tag = "payouts",
    responses((status = 200, description = "The payout.", body = Document<PayoutAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    call.no_parameters()?;
    let id: PayoutId = call.path_id("id")?;
    let payout = call.gateway.payout(&call.caller, id).await?;
    call.ok(&Document::from(shown(payout)))
}
