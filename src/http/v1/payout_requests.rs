//! `/v1/payout-gateway/payout-requests`: what partners ask to be paid out.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};

use super::call::PartnerCall;
use super::document::{Document, ListDocument, RequestDocument, answer};
use super::error::V1Error;
use super::events::{self, EventAttributes};
use super::list::ListQuery;
use super::numbered::{FilterTime, NumberedQuery};
use super::payouts::{self, PayoutAttributes};
use super::request_body::{ATTRIBUTES, CHANGEABLE, NewPayoutRequest, PayoutRequestChangeRequest, change, new_request};
use super::request_view::{COLLECTION, KIND, PayoutRequestAttributes, document, resources};
use crate::domain::ids::PayoutRequestId;
use crate::gateway::access::Scope;
use crate::gateway::requests::{NewRequest, RequestFilter};
use crate::http::prefer::Wait;
use crate::http::routes::resource;

/// What a list of requests can be filtered by.
const FILTERS: [&str; 8] = [
    "status",
    "service",
    "reference_id",
    "point_id",
    "customer_reference_id",
    "batch_id",
    "created_from",
    "created_to",
];

pub fn routes(cfg: &mut web::ServiceConfig) {
    let path = |rest: &str| format!("{COLLECTION}/{{id}}{rest}");
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)]))
        .service(resource(&path(""), "GET, PATCH", [web::get().to(get), web::patch().to(patch)]))
        .service(resource(&path("/process"), "POST", [web::post().to(process)]))
        .service(resource(&path("/cancel"), "POST", [web::post().to(cancel)]))
        .service(resource(&path("/terminate"), "POST", [web::post().to(terminate)]))
        .service(resource(&path("/payouts"), "GET", [web::get().to(payouts_of)]))
        .service(resource(&path("/events"), "GET", [web::get().to(events_of)]));
}

/// Ask for a payout.
///
/// Needs `payouts:write`. The payout point says which currencies may be charged and how the payout is routed. Amount and fee are held on
/// the partner's balance at once. The same `reference_id` asked for again with the same body is answered with the original (200), with
/// another body it is a conflict: in live mode it is required, so that a retry can't pay twice. A request with fields missing waits for
/// them (`waiting_details`); a card's number is answered as a mask only.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-requests", operation_id = "createPayoutRequest", tag = "payout requests",
    params(("Accept-Language" = Option<String>, Header, description = "The language of the fields' hints: en, es, de, uk or ru.")),
    request_body(content = RequestDocument<NewPayoutRequest>, content_type = "application/vnd.api+json"),
    responses(
        (status = 201, description = "The payout request.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"),
        (status = 200, description = "The same was asked before under the same reference: the original as it is now.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let body = call.body(payload).await?;
    let language = call.context.language.as_str();
    let ask = new_request(&call.document(&body, KIND, &ATTRIBUTES)?, call.mode(), language)?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write_once(&body, move |once| async move {
        let ask = NewRequest { once_id: once.map(|once| PayoutRequestId(once.0)), ..ask };
        let made = gateway.create_request(&caller, ask).await?;
        let view = gateway.request(&caller, made.request.id).await?;
        answer(if made.is_new { 201 } else { 200 }, &document(&gateway, &caller, view, language).await?)
    })
    .await
}

/// The payout requests.
///
/// Needs `payouts:read`. Those of the key's partner and mode, the wallet's own among them.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-requests", operation_id = "listPayoutRequests", tag = "payout requests",
    params(
        ("filter[status]" = Option<String>, Query, description = "Requests that stand there: created, waiting_details, ready, dispatching, pending, processed, partially_processed, failed, expired, canceled, terminated or returned."),
        ("filter[service]" = Option<String>, Query, description = "Requests for that payout service."),
        ("filter[reference_id]" = Option<String>, Query, description = "The request with that very reference."),
        ("filter[point_id]" = Option<String>, Query, description = "Requests through that payout point."),
        ("filter[customer_reference_id]" = Option<String>, Query, description = "Requests for the customer with that reference."),
        ("filter[batch_id]" = Option<String>, Query, description = "A batch's items."),
        ("filter[created_from]" = Option<String>, Query, description = "Requests made at that time (RFC 3339) or later."),
        ("filter[created_to]" = Option<String>, Query, description = "Requests made before that time (RFC 3339)."),
    ),
    responses((status = 200, description = "A page of requests.", body = ListDocument<PayoutRequestAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    let list = call.list(&FILTERS)?;
    let views = call.gateway.requests(&call.caller, &filter(&list)?, list.slice()).await?;
    let language = call.context.language.as_str();
    let keys: Vec<_> = views.iter().map(|view| (view.request.created_at, view.request.id.0)).collect();
    let shown = resources(&call.gateway, &call.caller, views, language).await?;
    let rows: Vec<_> = keys.into_iter().zip(shown).collect();
    call.ok(&list.page(rows, |(key, _)| *key, |(_, shown)| shown))
}

fn filter(list: &ListQuery) -> Result<RequestFilter, V1Error> {
    let text = |name| list.filter(name).map(str::to_owned);
    let time = |name| Ok::<_, V1Error>(list.parsed_filter::<FilterTime>(name)?.map(|time| time.0));
    Ok(RequestFilter {
        status: list.parsed_filter("status")?,
        service: text("service"),
        reference_id: text("reference_id"),
        customer: text("customer_reference_id"),
        batch: list.parsed_filter("batch_id")?,
        point_id: list.parsed_filter("point_id")?,
        created_from: time("created_from")?,
        created_to: time("created_to")?,
    })
}

/// One payout request.
///
/// Needs `payouts:read`. `Prefer: wait=N` waits for its end, up to as long as the installation allows (10 seconds unless configured).
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-requests/{id}", operation_id = "getPayoutRequest", tag = "payout requests",
    params(("Prefer" = Option<String>, Header, description = "`wait=N` waits up to N seconds for the request's end (RFC 7240).", example = "wait=5")),
    responses((status = 200, description = "The request.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    call.no_parameters()?;
    let id: PayoutRequestId = call.path_id("id")?;
    let wait = Wait::of(&call.request, call.wallet.pay_wait(), Duration::ZERO);
    let view = call.gateway.request_at_end(&call.caller, id, wait.time).await?;
    let language = call.context.language.as_str();
    Ok(wait.applied(call.ok(&document(&call.gateway, &call.caller, view, language).await?)?))
}

/// Change a payout request.
///
/// Needs `payouts:write`. Attempts and whether a part will do, until it is over; fields, while they are waited for; an item of a batch
/// altogether, until it is processed. A request that was waiting and isn't any more goes on by itself, if it is to.
#[utoipa::path(
    patch, path = "/v1/payout-gateway/payout-requests/{id}", operation_id = "changePayoutRequest", tag = "payout requests",
    params(("Accept-Language" = Option<String>, Header, description = "The language of the fields' hints: en, es, de, uk or ru.")),
    request_body(content = RequestDocument<PayoutRequestChangeRequest>, content_type = "application/vnd.api+json"),
    responses(
        (status = 200, description = "The request as it is now.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn patch(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let id: PayoutRequestId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let language = call.context.language.as_str();
    let patch = change(&call.change_document(&body, KIND, id, &CHANGEABLE)?, language)?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    Box::pin(call.write(&body, async move {
        gateway.patch_request(&caller, id, &patch).await?;
        let view = gateway.request(&caller, id).await?;
        answer(200, &document(&gateway, &caller, view, language).await?)
    }))
    .await
}

/// What can be done with a request.
#[derive(Clone, Copy)]
enum Verb {
    Process,
    Cancel,
    Terminate,
}

async fn act(call: PartnerCall, payload: web::Payload, verb: Verb) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let id: PayoutRequestId = call.path_id("id")?;
    let body = call.empty_body(payload).await?;
    let language = call.context.language.as_str();
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    Box::pin(call.write(&body, async move {
        match verb {
            Verb::Process => gateway.process_request(&caller, id).await?,
            Verb::Cancel => gateway.cancel_request(&caller, id).await?,
            Verb::Terminate => gateway.terminate_request(&caller, id).await?,
        };
        let view = gateway.request(&caller, id).await?;
        answer(200, &document(&gateway, &caller, view, language).await?)
    }))
    .await
}

/// Send a payout request on.
///
/// Needs `payouts:write`. For a request that was made without `auto_process`. Again, it changes nothing.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-requests/{id}/process", operation_id = "processPayoutRequest", tag = "payout requests",
    responses(
        (status = 200, description = "The request as it is now.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn process(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    act(call, payload, Verb::Process).await
}

/// Cancel a payout request.
///
/// Needs `payouts:write`. At once while nothing is under way. Otherwise nothing more is sent (`stop_requested`) and the end follows the
/// truth: what is paid is `processed`, a part is `partially_processed`, nothing is `canceled`. Again, it changes nothing.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-requests/{id}/cancel", operation_id = "cancelPayoutRequest", tag = "payout requests",
    responses(
        (status = 200, description = "The request as it is now.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn cancel(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    act(call, payload, Verb::Cancel).await
}

/// Terminate a payout request that is ready.
///
/// Needs `payouts:write`. Only before it was dispatched. Again, it changes nothing.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-requests/{id}/terminate", operation_id = "terminatePayoutRequest", tag = "payout requests",
    responses(
        (status = 200, description = "The request as it is now.", body = Document<PayoutRequestAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn terminate(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    act(call, payload, Verb::Terminate).await
}

/// A payout request's payouts.
///
/// Needs `payouts:read`. In the order of part and attempt.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-requests/{id}/payouts", operation_id = "listPayoutRequestPayouts", tag = "payout requests",
    responses((status = 200, description = "A page of payouts.", body = ListDocument<PayoutAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn payouts_of(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    let list = NumberedQuery::parse(call.request.path(), call.request.query_string())?;
    let id: PayoutRequestId = call.path_id("id")?;
    let found = call.gateway.payouts_of_request(&call.caller, id).await?;
    // Part and attempt don't tell apart what was planned anew: the place in the list does.
    let numbered: Vec<_> = (1_i32..).zip(found).collect();
    let rows = list.of(numbered, |(n, _)| (*n, 0));
    call.ok(&list.page(rows, |(n, _)| (*n, 0), |(_, payout)| payouts::shown(payout)))
}

/// A payout request's events.
///
/// Needs `events:read`. Everything that happened to it and its payouts, and why, in order.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-requests/{id}/events", operation_id = "listPayoutRequestEvents", tag = "payout requests",
    responses((status = 200, description = "A page of events.", body = ListDocument<EventAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn events_of(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::EventsRead)?;
    let list = NumberedQuery::parse(call.request.path(), call.request.query_string())?;
    let id: PayoutRequestId = call.path_id("id")?;
    let found = call.gateway.events_of_request(&call.caller, id).await?;
    let rows = list.of(found, |event| (event.seq, 0));
    call.ok(&list.page(rows, |event| (event.seq, 0), events::shown))
}
