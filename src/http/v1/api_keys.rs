//! `/v1/api-keys`: made, listed, changed, revoked. The secret is answered once, when the key is made, and saved nowhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::approvals::{asked_for, waits_answer, waits_with_secret};
use super::call::PartnerCall;
use super::document::{Document, ListDocument, Note, RequestDocument, Resource, answer, secret_answer};
use super::error::V1Error;
use super::reader::Reader;
use crate::domain::ids::{ApiKeyId, Mode};
use crate::gateway::access::keys::{ALLOWED_IPS_MAX, ApiKey, Drawn, KeyChange, NewKey, Secret, Secrets};
use crate::gateway::access::{Problem, Scope};
use crate::gateway::approvals::{Change, Maker};
use crate::http::routes::resource;

pub(in crate::http::v1) const KIND: &str = "api-key";
const COLLECTION: &str = "/v1/api-keys";
const REPLAYED: &str = "This is a replay: the key's secret was answered once, and isn't kept.";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)]))
        .service(resource("/v1/api-keys/{id}", "GET, PATCH", [web::get().to(get), web::patch().to(change)]))
        .service(resource("/v1/api-keys/{id}/revoke", "POST", [web::post().to(revoke)]));
}

/// An API key.
#[derive(Clone, Serialize, ToSchema)]
pub struct ApiKeyAttributes {
    /// What its owner calls it.
    #[schema(example = "shop backend")]
    name: String,
    /// Whether it is a key of test mode.
    test_mode: bool,
    /// Its first characters, to tell keys apart by.
    #[schema(example = "sk_test_Jx0w")]
    prefix: String,
    /// The whole key. Only in the answer that made it, and null in a replay of that answer: keep it, it can't be had again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Option<String>>,
    /// Whether its requests have to be signed.
    signing_required: bool,
    /// What they are signed with. As `secret`, and only where they have to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<Option<String>>,
    /// What it may do.
    #[schema(example = json!(["payouts:read", "payouts:write"]))]
    scopes: Vec<&'static str>,
    /// Addresses and networks that it may be used from; empty: any.
    #[schema(example = json!(["192.0.2.0/24", "2001:db8::/32"]))]
    allowed_ips: Vec<String>,
    /// When it ends; null: never.
    expires_at: Option<DateTime<Utc>>,
    /// When it was revoked; null: it wasn't.
    revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute; null: never.
    last_used_at: Option<DateTime<Utc>>,
    /// Who made it: another key's id, or `command`.
    created_by: String,
    /// When it was made.
    created: DateTime<Utc>,
}

/// A key that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct NewApiKeyRequest {
    /// What its owner calls it.
    #[schema(min_length = 1, max_length = 200, example = "shop backend")]
    name: String,
    /// What it may do: scopes that the asking key has itself.
    #[schema(example = json!(["payouts:read", "payouts:write"]))]
    scopes: Vec<String>,
    /// Addresses and networks (CIDR, IPv4 and IPv6) that it may be used from; none: any.
    #[schema(max_items = 50, example = json!(["192.0.2.0/24", "2001:db8::/32"]))]
    allowed_ips: Option<Vec<String>>,
    /// When it ends; none: never.
    expires_at: Option<DateTime<Utc>>,
    /// Whether its requests have to be signed; none: no, which a key whose own are can't ask for.
    signing_required: Option<bool>,
    /// May say the mode again; a mode that isn't the asking key's is refused.
    test_mode: Option<bool>,
}

/// What is to be changed of a key. What isn't there stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct ApiKeyChangeRequest {
    /// What its owner calls it.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Addresses and networks that it may be used from; an empty list: any.
    #[schema(max_items = 50)]
    allowed_ips: Option<Vec<String>>,
    /// When it ends; null: never.
    expires_at: Option<DateTime<Utc>>,
}

/// `secrets`: none in an answer that makes no key, and none in them once they aren't kept.
fn shown(key: ApiKey, secrets: Option<Option<&Secrets>>) -> Resource<ApiKeyAttributes> {
    let signs = key.signing_required;
    let text = |secret: &Secret| secret.expose().to_owned();
    let secret = secrets.map(|made| made.map(|made| text(&made.key)));
    let signing_secret = secrets.filter(|_| signs).map(|made| made.and_then(|made| made.signing.as_ref()).map(text));
    let attributes = ApiKeyAttributes {
        name: key.name,
        test_mode: key.mode == Mode::Test,
        prefix: key.prefix,
        secret,
        signing_required: signs,
        signing_secret,
        scopes: key.scopes.into_iter().map(Scope::as_str).collect(),
        allowed_ips: key.allowed_ips,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        last_used_at: key.last_used_at,
        created_by: key.created_by,
        created: key.created_at,
    };
    Resource::new(KIND, COLLECTION, key.id, attributes)
}

fn read_new(a: &Reader<'_>, mode: Mode) -> Result<NewKey, V1Error> {
    a.test_mode(mode);
    let name = a.text("name", 1..=200);
    a.no_card_number("name");
    let scopes: BTreeSet<Scope> =
        a.optional_parsed_list("scopes", Scope::ALL.len()).unwrap_or_default().into_iter().collect();
    let allowed_ips = a.optional_texts("allowed_ips", ALLOWED_IPS_MAX, 1..=64).unwrap_or_default();
    let expires_at = a.optional_time("expires_at");
    let signing_required = a.optional_flag("signing_required").unwrap_or(false);
    a.finish()?;
    Ok(NewKey { name, scopes, allowed_ips, expires_at, signing_required })
}

fn read_change(a: &Reader<'_>) -> Result<KeyChange, V1Error> {
    for name in ["name", "allowed_ips"] {
        a.not_null(name);
    }
    a.no_card_number("name");
    let change = KeyChange {
        name: a.optional_text("name", 1..=200),
        allowed_ips: a.optional_texts("allowed_ips", ALLOWED_IPS_MAX, 1..=64),
        expires_at: a.change_time("expires_at"),
    };
    a.finish()?;
    if change == KeyChange::default() {
        let detail = "There is nothing to change.";
        return Err(V1Error::problems(vec![Problem::new("/data/attributes", "MISSING", detail)]));
    }
    Ok(change)
}

/// Make an API key.
///
/// Needs `keys:write`. The key is of the asking key's mode. It has no scope that the asking key hasn't, ends no later, may be used from
/// nowhere else, and signs its requests if that one does. Its secrets are in this answer only; a replay by `Idempotency-Key` shows the
/// key without them.
#[utoipa::path(
    post, path = "/v1/api-keys", operation_id = "createApiKey", tag = "api keys",
    request_body(content = RequestDocument<NewApiKeyRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The key, with its secret.", body = Document<ApiKeyAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::KeysWrite)?;
    call.no_parameters()?;
    let body = call.body(payload).await?;
    let known = ["name", "scopes", "allowed_ips", "expires_at", "signing_required", "test_mode"];
    let new = read_new(&call.document(&body, KIND, &known)?, call.mode())?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write(&body, async move {
        let (drawn, secrets) = Drawn::new(caller.tenant.mode, new.signing_required)?;
        let change = || Change::CreateKey { by: Maker::from(&caller), new: new.clone(), drawn: drawn.clone() };
        if let Some(waits) = asked_for(&gateway, &caller, change).await? {
            return waits_with_secret(&waits, &secrets);
        }
        let key = gateway.create_drawn_key(&caller, new, drawn).await?;
        let kept = Document { data: shown(key.clone(), Some(None)), meta: Some(Note { note: REPLAYED }) };
        let whole = Document::from(shown(key, Some(Some(&secrets))));
        secret_answer(201, &whole, &kept)
    })
    .await
}

/// The API keys.
///
/// Needs `keys:read`. Revoked ones too, of the asking key's mode.
#[utoipa::path(
    get, path = "/v1/api-keys", operation_id = "listApiKeys", tag = "api keys",
    responses((status = 200, description = "A page of keys.", body = ListDocument<ApiKeyAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::KeysRead)?;
    let list = call.list(&[])?;
    let keys = call.gateway.list_keys(call.caller.tenant, list.slice()).await?;
    call.ok(&list.page(keys, |key| (key.created_at, key.id.0), |key| shown(key, None)))
}

/// One API key.
///
/// Needs `keys:read`.
#[utoipa::path(
    get, path = "/v1/api-keys/{id}", operation_id = "getApiKey", tag = "api keys",
    responses((status = 200, description = "The key.", body = Document<ApiKeyAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::KeysRead)?;
    call.no_parameters()?;
    let id: ApiKeyId = call.path_id("id")?;
    let key = call.gateway.find_key(call.caller.tenant, id).await?;
    call.ok(&Document::from(shown(key, None)))
}

/// Change an API key's name, addresses or expiry.
///
/// Needs `keys:write`. Scopes and signing never change: make another key. Addresses and expiry change to nothing that the asking key
/// doesn't have itself.
#[utoipa::path(
    patch, path = "/v1/api-keys/{id}", operation_id = "changeApiKey", tag = "api keys",
    request_body(content = RequestDocument<ApiKeyChangeRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "The key as it is now.", body = Document<ApiKeyAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn change(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::KeysWrite)?;
    call.no_parameters()?;
    let id: ApiKeyId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let change = read_change(&call.change_document(&body, KIND, id, &["name", "allowed_ips", "expires_at"])?)?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write(&body, async move {
        let asked = || Change::ChangeKey { by: Maker::from(&caller), id, change: change.clone() };
        if let Some(waits) = asked_for(&gateway, &caller, asked).await? {
            return waits_answer(&waits);
        }
        let key = gateway.change_key_by(&caller, id, change).await?;
        answer(200, &Document::from(shown(key, None)))
    })
    .await
}

/// Revoke an API key for good.
///
/// Needs `keys:write`. Once it is answered, no request with the key passes on any node. Revoking again changes nothing.
#[utoipa::path(
    post, path = "/v1/api-keys/{id}/revoke", operation_id = "revokeApiKey", tag = "api keys",
    responses((status = 200, description = "The key as it is now.", body = Document<ApiKeyAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn revoke(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::KeysWrite)?;
    call.no_parameters()?;
    let id: ApiKeyId = call.path_id("id")?;
    let body = call.empty_body(payload).await?;
    let (gateway, author) = (Arc::clone(&call.gateway), call.author());
    call.write(&body, async move {
        let key = gateway.revoke_key(&author, id).await?;
        answer(200, &Document::from(shown(key, None)))
    })
    .await
}
