//! `/v1/payout-gateway/payout-routes`: a service over one of the partner's deposit accounts.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{configure, decimal};
use crate::domain::ids::Mode;
use crate::gateway::access::Scope;
use crate::gateway::approvals::Configure;
use crate::gateway::manage::routes::{PayoutRoute, RouteFilter};
use crate::http::routes::resource;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, RequestDocument, Resource};
use crate::http::v1::error::V1Error;

pub(in crate::http::v1) const KIND: &str = "payout-route";
const COLLECTION: &str = "/v1/payout-gateway/payout-routes";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)])).service(resource(
        "/v1/payout-gateway/payout-routes/{id}",
        "GET, PATCH",
        [web::get().to(get), web::patch().to(change)],
    ));
}

/// A payout route. Its amounts are in the service's currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutRouteAttributes {
    /// Its short name, by which schemes name it; unique in its mode.
    #[schema(example = "bank-a-card-eur")]
    code: String,
    /// What its owner calls it.
    name: Option<String>,
    /// The payout service.
    #[schema(example = "card_eur")]
    service: String,
    /// The deposit account that pays.
    #[schema(example = "dac_0198c0ffee007abc8def0123456789ab")]
    deposit_account_id: String,
    /// Whether payouts go over it.
    enabled: bool,
    /// The least that it carries in one payout; null: no limit of its own.
    #[schema(example = "1")]
    amount_min: Option<String>,
    /// The most that it carries in one payout; null: no limit of its own.
    #[schema(example = "5000")]
    amount_max: Option<String>,
    /// What a payout is expected to cost, in percent of its amount.
    #[schema(example = "0.5")]
    cost_percent: String,
    /// What a payout is expected to cost on top of the percentage.
    #[schema(example = "0.1")]
    cost_fixed: String,
    /// The least that a payout costs.
    cost_min: Option<String>,
    /// The most that a payout costs.
    cost_max: Option<String>,
    /// Its share under the strategy `weight`, where the scheme names none.
    #[schema(example = 1)]
    weight: i32,
    /// Its place where no scheme orders the routes; the lowest first.
    #[schema(example = 1)]
    position: i32,
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

/// A payout route that is wanted. Amounts are numbers or strings, in the service's currency.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct NewPayoutRouteRequest {
    /// Its short name: `a-z`, `0-9`, `_` and `-`. Its id unless given.
    #[schema(min_length = 1, max_length = 64, example = "bank-a-card-eur")]
    code: Option<String>,
    /// What its owner calls it.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// The payout service.
    #[schema(example = "card_eur")]
    service: String,
    /// The deposit account that pays: one of the key's partner.
    #[schema(example = "dac_0198c0ffee007abc8def0123456789ab")]
    deposit_account_id: String,
    /// Whether payouts go over it; true unless given.
    enabled: Option<bool>,
    /// The least that it carries in one payout.
    #[schema(example = "1")]
    amount_min: Option<String>,
    /// The most that it carries in one payout.
    #[schema(example = "5000")]
    amount_max: Option<String>,
    /// What a payout is expected to cost, in percent of its amount: 0 to 100, up to 6 decimals; 0 unless given.
    #[schema(example = "0.5")]
    cost_percent: Option<String>,
    /// What a payout is expected to cost on top of the percentage; 0 unless given.
    #[schema(example = "0.10")]
    cost_fixed: Option<String>,
    /// The least that a payout costs.
    cost_min: Option<String>,
    /// The most that a payout costs.
    cost_max: Option<String>,
    /// Its share under the strategy `weight`; 1 unless given.
    #[schema(minimum = 0, maximum = 1_000_000)]
    weight: Option<i32>,
    /// Its place where no scheme orders the routes; 0 unless given.
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: Option<i32>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// What is to be changed of a payout route. What isn't there stays; null empties.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct PayoutRouteChangeRequest {
    /// The version that the change is of; none: whatever it is.
    version: Option<i32>,
    /// What its owner calls it.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Whether payouts go over it. Schemes that name a disabled route pass it over.
    enabled: Option<bool>,
    /// The least that it carries in one payout.
    amount_min: Option<String>,
    /// The most that it carries in one payout.
    amount_max: Option<String>,
    /// What a payout is expected to cost, in percent of its amount.
    cost_percent: Option<String>,
    /// What a payout is expected to cost on top of the percentage.
    cost_fixed: Option<String>,
    /// The least that a payout costs.
    cost_min: Option<String>,
    /// The most that a payout costs.
    cost_max: Option<String>,
    /// Its share under the strategy `weight`.
    #[schema(minimum = 0, maximum = 1_000_000)]
    weight: Option<i32>,
    /// Its place where no scheme orders the routes.
    #[schema(minimum = 0, maximum = 1_000_000)]
    position: Option<i32>,
}

fn shown(route: PayoutRoute) -> Resource<PayoutRouteAttributes> {
    let attributes = PayoutRouteAttributes {
        code: route.code,
        name: route.name,
        service: route.service,
        deposit_account_id: route.deposit_account_id.to_string(),
        enabled: route.enabled,
        amount_min: route.amount_min.map(decimal),
        amount_max: route.amount_max.map(decimal),
        cost_percent: decimal(route.cost_percent),
        cost_fixed: decimal(route.cost_fixed),
        cost_min: route.cost_min.map(decimal),
        cost_max: route.cost_max.map(decimal),
        weight: route.weight,
        position: route.position,
        test_mode: route.mode == Mode::Test,
        version: route.version,
        created: route.created_at,
        updated: route.updated_at,
    };
    Resource::new(KIND, COLLECTION, route.id, attributes)
}

/// Make a payout route.
///
/// Needs `routing:write`.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-routes", operation_id = "createPayoutRoute", tag = "payout routes",
    request_body(content = RequestDocument<NewPayoutRouteRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The payout route.", body = Document<PayoutRouteAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::create(call, payload, KIND, Configure::CreateRoute, |gateway, caller, given| async move {
        gateway.create_route(&caller, &given).await.map(shown)
    })
    .await
}

/// The payout routes.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-routes", operation_id = "listPayoutRoutes", tag = "payout routes",
    params(
        ("filter[code]" = Option<String>, Query, description = "The route with that very code."),
        ("filter[service]" = Option<String>, Query, description = "Routes of that service."),
        ("filter[enabled]" = Option<bool>, Query, description = "Routes that payouts go over, or don't."),
        ("filter[deposit_account_id]" = Option<String>, Query, description = "Routes over that deposit account."),
    ),
    responses((status = 200, description = "A page of routes.", body = ListDocument<PayoutRouteAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    let list = call.list(&["code", "service", "enabled", "deposit_account_id"])?;
    let filter = RouteFilter {
        code: list.parsed_filter("code")?,
        service: list.parsed_filter("service")?,
        enabled: list.parsed_filter("enabled")?,
        deposit_account_id: list.parsed_filter("deposit_account_id")?,
    };
    let routes = call.gateway.list_routes(&call.caller, &filter, list.slice()).await?;
    call.ok(&list.page(routes, |route| (route.created_at, route.id.0), shown))
}

/// One payout route.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-routes/{id}", operation_id = "getPayoutRoute", tag = "payout routes",
    responses((status = 200, description = "The payout route.", body = Document<PayoutRouteAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    configure::one(&call, async |id| Ok(shown(call.gateway.find_route(&call.caller, id).await?))).await
}

/// Change a payout route.
///
/// Needs `routing:write`. Of two changes that name one version the second is a conflict. Payouts under way stay as they are.
#[utoipa::path(
    patch, path = "/v1/payout-gateway/payout-routes/{id}", operation_id = "changePayoutRoute", tag = "payout routes",
    request_body(content = RequestDocument<PayoutRouteChangeRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "The route as it is now.", body = Document<PayoutRouteAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn change(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::change(call, payload, KIND, Configure::ChangeRoute, |gateway, caller, id, given| async move {
        gateway.change_route(&caller, id, &given).await.map(shown)
    })
    .await
}
