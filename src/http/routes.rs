//! Every route of the process, in one place.

use actix_web::{HttpResponse, Resource, Route, web};

use super::error::{ApiError, Code};
use super::ops::{health, metrics};
use super::{dashboard, docs, provider_callbacks, v1, v4};

/// What this process serves. Health is always served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    pub wallet: bool,
    /// The partners' API.
    pub partners: bool,
    pub provider_callbacks: bool,
    /// `/docs` and `/openapi.yaml`.
    pub docs: bool,
    pub metrics: bool,
    pub dashboard: bool,
}

impl Roles {
    pub const ALL: Roles =
        Roles { wallet: true, partners: true, provider_callbacks: true, docs: true, metrics: true, dashboard: true };
}

pub fn routes(cfg: &mut web::ServiceConfig, roles: Roles) {
    cfg.service(resource("/health/live", "GET, HEAD", [web::get().to(health::live), web::head().to(health::live)]))
        .service(resource("/health/ready", "GET, HEAD", [web::get().to(health::ready), web::head().to(health::ready)]));
    if roles.metrics {
        metrics_alone(cfg);
    }
    if roles.wallet {
        wallet(cfg);
    }
    if roles.provider_callbacks {
        let receive = web::post().to(provider_callbacks::receive);
        cfg.service(resource("/v1/provider-callbacks/{providerAccount}", "POST", [receive]));
    }
    if roles.partners {
        v1::routes(cfg);
    }
    // Before the description: its pages answer for every path that nobody took before them.
    if roles.dashboard {
        cfg.configure(dashboard::routes);
    }
    if roles.docs {
        cfg.configure(docs::routes);
    }
    cfg.default_service(web::to(not_found));
}

/// `/metrics`, wherever it is served.
pub fn metrics_alone(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/metrics", "GET", [web::get().to(metrics::metrics)]));
}

fn wallet(cfg: &mut web::ServiceConfig) {
    use v4::{balances, cards, data, events, history, offers, pay};
    let billing_address = "/v4/payout/card/{cardId}/billing-address";
    cfg.service(resource("/v4/payout/card", "POST", [web::post().to(cards::add)]))
        .service(resource("/v4/payout/card/{cardId}", "DELETE", [web::delete().to(cards::delete)]))
        .service(resource(billing_address, "PUT", [web::put().to(cards::set_billing_address)]))
        .service(resource("/v4/payout/data", "GET", [web::get().to(data::get)]))
        .service(resource("/v4/payout/offer", "POST", [web::post().to(offers::create)]))
        .service(resource(
            "/v4/payout/offer/{offerId}",
            "GET, PUT",
            [web::get().to(offers::get), web::put().to(offers::update)],
        ))
        .service(resource(
            "/v4/payout/pay/{offerId}",
            "GET, POST",
            [web::get().to(pay::state), web::post().to(pay::pay)],
        ))
        .service(resource("/v4/payout/pay/{offerId}/events", "GET", [web::get().to(events::watch)]))
        .service(resource("/v4/payout/history", "GET", [web::get().to(history::get)]))
        .service(resource("/v4/wallet/balances", "GET", [web::get().to(balances::get)]));
}

/// A path with its methods; another method is told which ones there are.
pub(super) fn resource<const N: usize>(path: &str, allow: &'static str, routes: [Route; N]) -> Resource {
    let other = web::to(move || async move { Err::<HttpResponse, _>(ApiError::method_not_allowed(allow)) });
    routes.into_iter().fold(web::resource(path), Resource::route).default_service(other)
}

async fn not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::new(Code::NotFound))
}
