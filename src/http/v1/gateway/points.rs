//! `/v1/payout-gateway/payout-points`: what payout requests are submitted to.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::configure;
use crate::domain::ids::Mode;
use crate::gateway::access::Scope;
use crate::gateway::approvals::Configure;
use crate::gateway::manage::points::{Point, PointFilter};
use crate::http::routes::resource;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, RequestDocument, Resource};
use crate::http::v1::error::V1Error;

pub(in crate::http::v1) const KIND: &str = "payout-point";
const COLLECTION: &str = "/v1/payout-gateway/payout-points";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)])).service(resource(
        "/v1/payout-gateway/payout-points/{id}",
        "GET, PATCH",
        [web::get().to(get), web::patch().to(change)],
    ));
}

/// A payout point.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutPointAttributes {
    /// Its short name; unique in its mode.
    #[schema(example = "shop")]
    code: String,
    /// What its owner calls it.
    #[schema(example = "Web shop")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// The currencies that its requests may be charged in, ISO 4217.
    #[schema(example = json!(["EUR", "USD"]))]
    currencies: Vec<String>,
    /// Whether it takes requests.
    enabled: bool,
    /// Whose money pays: `partner_balance`, the balance that is held at the house, over the house's accounts; or `own_deposit`, the
    /// partner's own accounts at providers.
    #[schema(example = "partner_balance")]
    funding: &'static str,
    /// The payout scheme that routes its requests; null: the house's scheme `default`, or the routes in their order.
    #[schema(example = "posc_0198c0ffee007abc8def0123456789ab")]
    payout_scheme_id: Option<String>,
    /// The exchange-rate scheme that converts what is charged; null: nothing is converted.
    #[schema(example = "ers_0198c0ffee007abc8def0123456789ab")]
    exchange_rate_scheme_id: Option<String>,
    /// Where changes of its requests are told, unless a request says otherwise.
    #[schema(example = "https://shop.example/payouts")]
    callback_url: Option<String>,
    /// Defaults of its requests' options; what isn't there is the installation's default.
    #[schema(value_type = PayoutPointOptionsRequest)]
    options: Value,
    /// Whether it is of test mode.
    test_mode: bool,
    /// Counts the changes: a change may name the version that it is of.
    #[schema(example = 1)]
    version: i32,
    /// When it was made.
    created: DateTime<Utc>,
    /// When it was last changed; null: never.
    updated: Option<DateTime<Utc>>,
}

/// Defaults of requests' options.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is taken and answered")]
pub struct PayoutPointOptionsRequest {
    /// How many payouts a request may start.
    #[schema(minimum = 1, maximum = 100, example = 3)]
    attempts_limit: Option<u16>,
    /// How many of them on one route.
    #[schema(minimum = 1, maximum = 100, example = 1)]
    attempts_per_route_limit: Option<u16>,
    /// Whether a request may end with a part of its amount paid.
    allow_partially: Option<bool>,
    /// Whether a request is processed at once, or waits for `process`.
    auto_process: Option<bool>,
    /// Whether an amount is divided over routes: `never`; `auto`, where no single route can carry it; `always`, in equal shares where
    /// the strategy asks for them.
    #[schema(example = "auto")]
    split_mode: Option<String>,
    /// Whether parts are sent at once, or one after the other.
    parallel_mode: Option<bool>,
    /// How long after its creation a request starts payouts, in seconds.
    #[schema(minimum = 60, maximum = 7_776_000, example = 86_400)]
    expires_in_secs: Option<u32>,
}

/// A payout point that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct NewPayoutPointRequest {
    /// Its short name: `a-z`, `0-9`, `_` and `-`. Its id unless given.
    #[schema(min_length = 1, max_length = 64, example = "shop")]
    code: Option<String>,
    /// What its owner calls it.
    #[schema(min_length = 1, max_length = 200, example = "Web shop")]
    name: String,
    /// What it is for.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// The currencies that its requests may be charged in, ISO 4217.
    #[schema(min_items = 1, max_items = 64, example = json!(["EUR", "USD"]))]
    currencies: Vec<String>,
    /// Whether it takes requests; true unless given.
    enabled: Option<bool>,
    /// Whose money pays: `partner_balance` (unless given) or `own_deposit`.
    #[schema(example = "partner_balance")]
    funding: Option<String>,
    /// The payout scheme: one of the house's for `partner_balance`, one of the key's partner for `own_deposit`.
    payout_scheme_id: Option<String>,
    /// The exchange-rate scheme; whose, as with the payout scheme.
    exchange_rate_scheme_id: Option<String>,
    /// Where changes of its requests are told. In live mode `https` only.
    #[schema(max_length = 2000, example = "https://shop.example/payouts")]
    callback_url: Option<String>,
    /// Defaults of its requests' options.
    options: Option<PayoutPointOptionsRequest>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// What is to be changed of a payout point. What isn't there stays; null empties.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct PayoutPointChangeRequest {
    /// The version that the change is of; none: whatever it is.
    version: Option<i32>,
    /// What its owner calls it.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it is for.
    #[schema(max_length = 500)]
    description: Option<String>,
    /// The currencies that its requests may be charged in, all of them.
    #[schema(min_items = 1, max_items = 64)]
    currencies: Option<Vec<String>>,
    /// Whether it takes requests.
    enabled: Option<bool>,
    /// Whose money pays: `partner_balance` or `own_deposit`.
    funding: Option<String>,
    /// The payout scheme.
    payout_scheme_id: Option<String>,
    /// The exchange-rate scheme.
    exchange_rate_scheme_id: Option<String>,
    /// Where changes of its requests are told.
    #[schema(max_length = 2000)]
    callback_url: Option<String>,
    /// Defaults of its requests' options, all of them.
    options: Option<PayoutPointOptionsRequest>,
}

fn shown(point: Point) -> Resource<PayoutPointAttributes> {
    let attributes = PayoutPointAttributes {
        code: point.code,
        name: point.name,
        description: point.description,
        currencies: point.currencies.iter().map(ToString::to_string).collect(),
        enabled: point.enabled,
        funding: point.funding.as_str(),
        payout_scheme_id: point.payout_scheme_id.map(|id| id.to_string()),
        exchange_rate_scheme_id: point.exchange_scheme_id.map(|id| id.to_string()),
        callback_url: point.callback_url,
        options: point.options,
        test_mode: point.mode == Mode::Test,
        version: point.version,
        created: point.created_at,
        updated: point.updated_at,
    };
    Resource::new(KIND, COLLECTION, point.id, attributes)
}

/// Make a payout point.
///
/// Needs `routing:write`.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-points", operation_id = "createPayoutPoint", tag = "payout points",
    request_body(content = RequestDocument<NewPayoutPointRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The payout point.", body = Document<PayoutPointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::create(call, payload, KIND, Configure::CreatePoint, |gateway, caller, given| async move {
        gateway.create_point(&caller, &given).await.map(shown)
    })
    .await
}

/// The payout points.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-points", operation_id = "listPayoutPoints", tag = "payout points",
    params(
        ("filter[code]" = Option<String>, Query, description = "The point with that very code."),
        ("filter[currency]" = Option<String>, Query, description = "Points that take that currency."),
        ("filter[enabled]" = Option<bool>, Query, description = "Points that take requests, or that don't."),
        ("filter[funding]" = Option<String>, Query, description = "Points with that funding."),
    ),
    responses((status = 200, description = "A page of points.", body = ListDocument<PayoutPointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    let list = call.list(&["code", "currency", "enabled", "funding"])?;
    let filter = PointFilter {
        code: list.parsed_filter("code")?,
        currency: list.parsed_filter("currency")?,
        enabled: list.parsed_filter("enabled")?,
        funding: list.parsed_filter("funding")?,
    };
    let points = call.gateway.list_points(&call.caller, &filter, list.slice()).await?;
    call.ok(&list.page(points, |point| (point.created_at, point.id.0), shown))
}

/// One payout point.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-points/{id}", operation_id = "getPayoutPoint", tag = "payout points",
    responses((status = 200, description = "The payout point.", body = Document<PayoutPointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    configure::one(&call, async |id| Ok(shown(call.gateway.find_point(&call.caller, id).await?))).await
}

/// Change a payout point.
///
/// Needs `routing:write`. Of two changes that name one version the second is a conflict. Requests that were made before keep what
/// they were made with.
#[utoipa::path(
    patch, path = "/v1/payout-gateway/payout-points/{id}", operation_id = "changePayoutPoint", tag = "payout points",
    request_body(content = RequestDocument<PayoutPointChangeRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "The point as it is now.", body = Document<PayoutPointAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn change(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::change(call, payload, KIND, Configure::ChangePoint, |gateway, caller, id, given| async move {
        gateway.change_point(&caller, id, &given).await.map(shown)
    })
    .await
}
