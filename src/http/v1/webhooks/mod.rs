//! `/v1/webhook-endpoints`: where the partner wants to be told what happened, and how telling went.

pub mod deliveries;
pub mod described;
pub mod endpoints;

use actix_web::web;

use crate::http::routes::resource;

pub const COLLECTION: &str = "/v1/webhook-endpoints";

pub fn routes(cfg: &mut web::ServiceConfig) {
    let delete = web::delete().to(endpoints::delete);
    let one = [web::get().to(endpoints::get), web::patch().to(endpoints::change), delete];
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(endpoints::list), web::post().to(endpoints::create)]))
        .service(resource("/v1/webhook-endpoints/{id}", "GET, PATCH, DELETE", one))
        .service(resource(
            "/v1/webhook-endpoints/{id}/rotate-secret",
            "POST",
            [web::post().to(endpoints::rotate_secret)],
        ))
        .service(resource("/v1/webhook-endpoints/{id}/ping", "POST", [web::post().to(endpoints::ping)]))
        .service(resource("/v1/webhook-endpoints/{id}/replay", "POST", [web::post().to(deliveries::replay)]))
        .service(resource("/v1/webhook-endpoints/{id}/deliveries", "GET", [web::get().to(deliveries::list)]))
        .service(resource("/v1/webhook-endpoints/{id}/deliveries/{event_id}", "GET", [web::get().to(deliveries::get)]))
        .service(resource(
            "/v1/webhook-endpoints/{id}/deliveries/{event_id}/resend",
            "POST",
            [web::post().to(deliveries::resend)],
        ));
}
