//! `/v1/payout-gateway/payout-schemes`: which routes carry what. A version never changes; a new one takes its
//! place at once.

use actix_web::{HttpResponse, web};

use super::schemes::{
    self, NewSchemeRequest, NewSchemeVersionRequest, SchemeAttributes, SchemeResource, SchemeVersionAttributes,
};
use super::simulate::simulate;
use crate::domain::ids::PayoutSchemeId;
use crate::domain::routing::scheme_schema;
use crate::gateway::approvals::Configure;
use crate::http::routes::resource;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, RequestDocument};
use crate::http::v1::error::V1Error;

impl SchemeResource for PayoutSchemeId {
    const KIND: &'static str = "payout-scheme";
    const KIND_VERSION: &'static str = "payout-scheme-version";
    const COLLECTION: &'static str = "/v1/payout-gateway/payout-schemes";
    const CREATING: Configure = Configure::CreatePayoutScheme;

    fn publishing(self) -> Configure {
        Configure::PublishPayoutScheme(self)
    }
}

pub fn routes(cfg: &mut web::ServiceConfig) {
    let collection = PayoutSchemeId::COLLECTION;
    let one = format!("{collection}/{{id}}");
    let [versions, version] = ["versions", "versions/{version}"].map(|rest| format!("{one}/{rest}"));
    cfg.service(resource(collection, "GET, POST", [web::get().to(list), web::post().to(create)]))
        .service(resource(&format!("{collection}/schema"), "GET", [web::get().to(schema)]))
        .service(resource(&one, "GET", [web::get().to(get)]))
        .service(resource(&versions, "GET, POST", [web::get().to(versions_list), web::post().to(publish)]))
        .service(resource(&format!("{one}/simulate"), "POST", [web::post().to(simulate)]))
        .service(resource(&version, "GET", [web::get().to(get_version)]));
}

/// Make a payout scheme with its version 1.
///
/// Needs `routing:write`. A body that can't route as it says is refused, with every problem's
/// pointer into it, and nothing is saved.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-schemes", operation_id = "createPayoutScheme", tag = "payout schemes",
    request_body(content = RequestDocument<NewSchemeRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The scheme.", body = Document<SchemeAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    schemes::create::<PayoutSchemeId>(call, payload).await
}

/// The payout schemes, without their bodies.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-schemes", operation_id = "listPayoutSchemes", tag = "payout schemes",
    params(("filter[code]" = Option<String>, Query, description = "The scheme with that very code.")),
    responses((status = 200, description = "A page of schemes.", body = ListDocument<SchemeAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    schemes::list::<PayoutSchemeId>(&call).await
}

/// The published JSON Schema of a payout scheme's body.
///
/// Needs `routing:read`. It says what form a body has; what only the check on save can know, such as which routes there are, it doesn't.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-schemes/schema", operation_id = "getPayoutSchemeSchema", tag = "payout schemes",
    responses((status = 200, description = "A JSON Schema, draft 2020-12.", body = Object, content_type = "application/schema+json"))
)]
pub async fn schema(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    schemes::schema(&call, scheme_schema)
}

/// One scheme, with its version in force.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-schemes/{id}", operation_id = "getPayoutScheme", tag = "payout schemes",
    responses((status = 200, description = "The scheme.", body = Document<SchemeAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    schemes::get::<PayoutSchemeId>(&call).await
}

/// Publish a version: it is in force at once.
///
/// Needs `routing:write`. It may name the version that it follows; if another is in force by then, it is a conflict. A body that can't route as it says is refused, with every problem's
/// pointer into it, and nothing is saved.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-schemes/{id}/versions", operation_id = "publishPayoutSchemeVersion", tag = "payout schemes",
    request_body(content = RequestDocument<NewSchemeVersionRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The version.", body = Document<SchemeVersionAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn publish(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    schemes::publish::<PayoutSchemeId>(call, payload).await
}

/// The versions of a scheme, the one in force and those before it.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-schemes/{id}/versions", operation_id = "listPayoutSchemeVersions", tag = "payout schemes",
    responses((status = 200, description = "A page of versions.", body = ListDocument<SchemeVersionAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn versions_list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    schemes::list_versions::<PayoutSchemeId>(&call).await
}

/// One version of a scheme, whether it is in force or was.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-schemes/{id}/versions/{version}", operation_id = "getPayoutSchemeVersion", tag = "payout schemes",
    params(("version" = i32, Path, description = "Which version, from 1.")),
    responses((status = 200, description = "The version.", body = Document<SchemeVersionAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get_version(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    schemes::get_version::<PayoutSchemeId>(&call).await
}
