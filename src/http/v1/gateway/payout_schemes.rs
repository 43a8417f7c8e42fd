//! `/v1/payout-gateway/payout-schemes`: which routes carry what. A version never changes; a new one takes its
//! place at once.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::schemes::{
    NewSchemeRequest, NewSchemeVersionRequest, SchemeAttributes, SchemeVersionAttributes, path_version, schema_answer,
    version_shown,
};
use super::simulate::simulate;
use crate::domain::ids::{Mode, PayoutSchemeId};
use crate::domain::routing::scheme_schema;
use crate::gateway::access::Scope;
use crate::gateway::approvals::Configure;
use crate::gateway::manage::payout_schemes::{Scheme, SchemeVersion};
use crate::gateway::manage::version_key;
use crate::http::routes::resource;
use crate::http::v1::approvals::configured_later;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, RequestDocument, Resource, answer};
use crate::http::v1::error::V1Error;

pub(in crate::http::v1) const KIND: &str = "payout-scheme";
pub(in crate::http::v1) const KIND_VERSION: &str = "payout-scheme-version";
const COLLECTION: &str = "/v1/payout-gateway/payout-schemes";

pub fn routes(cfg: &mut web::ServiceConfig) {
    let one = "/v1/payout-gateway/payout-schemes/{id}";
    let [versions, version] = ["versions", "versions/{version}"].map(|rest| format!("{one}/{rest}"));
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)]))
        .service(resource(&format!("{COLLECTION}/schema"), "GET", [web::get().to(schema)]))
        .service(resource(one, "GET", [web::get().to(get)]))
        .service(resource(&versions, "GET, POST", [web::get().to(versions_list), web::post().to(publish)]))
        .service(resource(&format!("{one}/simulate"), "POST", [web::post().to(simulate)]))
        .service(resource(&version, "GET", [web::get().to(get_version)]));
}

fn shown(scheme: Scheme, current: Option<SchemeVersion>) -> Resource<SchemeAttributes> {
    let (body, comment) = current.map(|version| (version.body, version.comment)).unzip();
    let attributes = SchemeAttributes {
        code: scheme.code,
        name: scheme.name,
        version: scheme.version,
        body,
        comment,
        test_mode: scheme.mode == Mode::Test,
        created: scheme.created_at,
        updated: scheme.updated_at,
    };
    Resource::new(KIND, COLLECTION, scheme.id, attributes)
}

fn of(id: PayoutSchemeId, version: SchemeVersion) -> Resource<SchemeVersionAttributes> {
    version_shown(KIND_VERSION, COLLECTION, &id.to_string(), version)
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
    call.require(Scope::RoutingWrite)?;
    call.no_parameters()?;
    let body = call.body(payload).await?;
    let given = call.attributes(&body, KIND, None)?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write(&body, async move {
        if let Some(waits) = configured_later(&gateway, &caller, Configure::CreatePayoutScheme, &given).await? {
            return Ok(waits);
        }
        let (scheme, first) = gateway.create_payout_scheme(&caller, &given).await?;
        answer(201, &Document::from(shown(scheme, Some(first))))
    })
    .await
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
    call.require(Scope::RoutingRead)?;
    let list = call.list(&["code"])?;
    let schemes = call.gateway.list_payout_schemes(&call.caller, list.parsed_filter("code")?, list.slice()).await?;
    call.ok(&list.page(schemes, |scheme| (scheme.created_at, scheme.id.0), |scheme| shown(scheme, None)))
}

/// The published JSON Schema of a payout scheme's body.
///
/// Needs `routing:read`. It says what form a body has; what only the check on save can know, such as which routes there are, it doesn't.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-schemes/schema", operation_id = "getPayoutSchemeSchema", tag = "payout schemes",
    responses((status = 200, description = "A JSON Schema, draft 2020-12.", body = Object, content_type = "application/schema+json"))
)]
pub async fn schema(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    call.no_parameters()?;
    schema_answer(&scheme_schema())
}

/// One scheme, with its version in force.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-schemes/{id}", operation_id = "getPayoutScheme", tag = "payout schemes",
    responses((status = 200, description = "The scheme.", body = Document<SchemeAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    call.no_parameters()?;
    let id: PayoutSchemeId = call.path_id("id")?;
    let (scheme, current) = call.gateway.find_payout_scheme(&call.caller, id).await?;
    call.ok(&Document::from(shown(scheme, Some(current))))
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
    call.require(Scope::RoutingWrite)?;
    call.no_parameters()?;
    let id: PayoutSchemeId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let given = call.attributes(&body, KIND_VERSION, None)?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write(&body, async move {
        if let Some(waits) = configured_later(&gateway, &caller, Configure::PublishPayoutScheme(id), &given).await? {
            return Ok(waits);
        }
        let version = gateway.publish_payout_scheme(&caller, id, &given).await?;
        answer(201, &Document::from(of(id, version)))
    })
    .await
}

/// The versions of a scheme, the one in force and those before it.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-schemes/{id}/versions", operation_id = "listPayoutSchemeVersions", tag = "payout schemes",
    responses((status = 200, description = "A page of versions.", body = ListDocument<SchemeVersionAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn versions_list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    let id: PayoutSchemeId = call.path_id("id")?;
    let list = call.list(&[])?;
    let versions = call.gateway.list_payout_scheme_versions(&call.caller, id, list.slice()).await?;
    let key = |version: &SchemeVersion| (version.created_at, version_key(version.version));
    call.ok(&list.page(versions, key, |version| of(id, version)))
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
    call.require(Scope::RoutingRead)?;
    call.no_parameters()?;
    let id: PayoutSchemeId = call.path_id("id")?;
    let version = call.gateway.find_payout_scheme_version(&call.caller, id, path_version(&call)?).await?;
    call.ok(&Document::from(of(id, version)))
}
