//! `/v1/payout-gateway/provider-accounts`: whose credentials payouts go out under. Credentials go in and never come out.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::configure;
use crate::domain::ids::{Mode, ProviderAccountId};
use crate::gateway::access::Scope;
use crate::gateway::approvals::Configure;
use crate::gateway::manage::provider_accounts::{ProviderAccount, ProviderAccountFilter};
use crate::http::routes::resource;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, RequestDocument, Resource, answer};
use crate::http::v1::error::V1Error;

pub(in crate::http::v1) const KIND: &str = "provider-account";
const COLLECTION: &str = "/v1/payout-gateway/provider-accounts";
const HEALTH: [&str; 3] = ["unknown", "healthy", "unhealthy"];

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)]))
        .service(resource(
            "/v1/payout-gateway/provider-accounts/{id}",
            "GET, PATCH",
            [web::get().to(get), web::patch().to(change)],
        ))
        .service(resource("/v1/payout-gateway/provider-accounts/{id}/check", "POST", [web::post().to(check)]));
}

/// A provider account. Its credentials are never answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderAccountAttributes {
    /// Its short name; unique in its mode.
    #[schema(example = "bank-a")]
    code: String,
    /// What its owner calls it.
    name: Option<String>,
    /// The provider's code.
    #[schema(example = "test")]
    provider: String,
    /// Whether payouts go over it.
    enabled: bool,
    /// What its provider's adapter is told beside credentials.
    #[schema(value_type = BTreeMap<String, String>, example = json!({"merchant": "4711"}))]
    settings: Value,
    /// The names of the credentials that are set.
    #[schema(example = json!(["api_key"]))]
    credentials_set: Vec<String>,
    /// Until when callbacks under a key that was replaced are still taken; null: they aren't.
    previous_callback_keys_until: Option<DateTime<Utc>>,
    /// The most that may be paid out over it a day (UTC), by deposit currency.
    #[schema(value_type = BTreeMap<String, String>, example = json!({"EUR": "250000"}))]
    turnover_limits: Value,
    /// What its provider said of its credentials last: `unknown`, `healthy`, `unhealthy`.
    #[schema(example = "healthy")]
    health: String,
    /// Why it is unhealthy.
    health_detail: Option<String>,
    /// When its provider was asked last; null: never.
    health_checked_at: Option<DateTime<Utc>>,
    /// Whether its calls fail so often that it is rested.
    breaker: BreakerState,
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

/// A circuit breaker.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BreakerState {
    /// `closed`: payouts pass. `open`: none do. `half_open`: a few do, to learn whether it works again.
    #[schema(example = "closed")]
    state: String,
    /// Since when; null: always.
    since: Option<DateTime<Utc>>,
    /// Until when it is open at least.
    until: Option<DateTime<Utc>>,
}

/// A provider account that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct NewProviderAccountRequest {
    /// Its short name: `a-z`, `0-9`, `_` and `-`. Its id unless given.
    #[schema(min_length = 1, max_length = 64, example = "bank-a")]
    code: Option<String>,
    /// What its owner calls it.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// The provider's code.
    #[schema(example = "test")]
    provider: String,
    /// Whether payouts go over it; true unless given.
    enabled: Option<bool>,
    /// What its provider's adapter is told beside credentials: up to 50 strings.
    #[schema(example = json!({"merchant": "4711"}))]
    settings: Option<BTreeMap<String, String>>,
    /// The credentials that the provider asks for, by name. Kept sealed, and never answered.
    #[schema(write_only, example = json!({"api_key": "..."}))]
    credentials: Option<BTreeMap<String, String>>,
    /// The most that may be paid out over it a day (UTC), by deposit currency.
    #[schema(example = json!({"EUR": "250000"}))]
    turnover_limits: Option<BTreeMap<String, String>>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// What is to be changed of a provider account. What isn't there stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct ProviderAccountChangeRequest {
    /// The version that the change is of; none: whatever it is.
    version: Option<i32>,
    /// What its owner calls it; null empties.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Whether payouts go over it. Payouts under way go on.
    enabled: Option<bool>,
    /// What its provider's adapter is told beside credentials, all of it.
    settings: Option<BTreeMap<String, String>>,
    /// Credentials to be replaced, by name, or removed by null; the others stay. In force at the next send.
    #[schema(write_only)]
    credentials: Option<BTreeMap<String, Option<String>>>,
    /// For how long from now callbacks under keys that are or were replaced are still taken, in seconds: never longer than they would be
    /// already, and 0 ends it at once. `gateway.callback_key_overlap_secs` of the configuration unless given.
    #[schema(minimum = 0, maximum = 2_592_000, example = 86400)]
    callback_key_overlap_secs: Option<u32>,
    /// The most that may be paid out over it a day (UTC), by deposit currency, all of them.
    turnover_limits: Option<BTreeMap<String, String>>,
}

fn shown(account: ProviderAccount) -> Resource<ProviderAccountAttributes> {
    let attributes = ProviderAccountAttributes {
        code: account.code,
        name: account.name,
        provider: account.provider,
        enabled: account.enabled,
        settings: account.settings,
        credentials_set: account.credential_names,
        previous_callback_keys_until: account.callback_keys_until,
        turnover_limits: account.turnover_limits,
        health: account.health,
        health_detail: account.health_detail,
        health_checked_at: account.health_checked_at,
        breaker: BreakerState {
            state: account.breaker_state,
            since: account.breaker_since,
            until: account.breaker_until,
        },
        test_mode: account.mode == Mode::Test,
        version: account.version,
        created: account.created_at,
        updated: account.updated_at,
    };
    Resource::new(KIND, COLLECTION, account.id, attributes)
}

/// Make a provider account.
///
/// Needs `routing:write`.
#[utoipa::path(
    post, path = "/v1/payout-gateway/provider-accounts", operation_id = "createProviderAccount", tag = "provider accounts",
    request_body(content = RequestDocument<NewProviderAccountRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The provider account, without its credentials.", body = Document<ProviderAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::create(call, payload, KIND, Configure::CreateProviderAccount, |gateway, caller, given| async move {
        gateway.create_provider_account(&caller, &given).await.map(shown)
    })
    .await
}

/// The provider accounts.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/provider-accounts", operation_id = "listProviderAccounts", tag = "provider accounts",
    params(
        ("filter[code]" = Option<String>, Query, description = "The account with that very code."),
        ("filter[provider]" = Option<String>, Query, description = "Accounts at that provider."),
        ("filter[enabled]" = Option<bool>, Query, description = "Accounts that payouts go over, or don't."),
        ("filter[health]" = Option<String>, Query, description = "Accounts of that health: `unknown`, `healthy`, `unhealthy`."),
    ),
    responses((status = 200, description = "A page of accounts.", body = ListDocument<ProviderAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    let list = call.list(&["code", "provider", "enabled", "health"])?;
    let health: Option<String> = list.parsed_filter("health")?;
    if health.as_deref().is_some_and(|health| !HEALTH.contains(&health)) {
        return Err(V1Error::parameter("filter[health]", format!("This is one of {}.", HEALTH.join(", "))));
    }
    let filter = ProviderAccountFilter {
        code: list.parsed_filter("code")?,
        provider: list.parsed_filter("provider")?,
        enabled: list.parsed_filter("enabled")?,
        health,
    };
    let accounts = call.gateway.list_provider_accounts(&call.caller, &filter, list.slice()).await?;
    call.ok(&list.page(accounts, |account| (account.created_at, account.id.0), shown))
}

/// One provider account.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/provider-accounts/{id}", operation_id = "getProviderAccount", tag = "provider accounts",
    responses((status = 200, description = "The provider account, without its credentials.", body = Document<ProviderAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    configure::one(&call, async |id| Ok(shown(call.gateway.find_provider_account(&call.caller, id).await?))).await
}

/// Change a provider account.
///
/// Needs `routing:write`. Of two changes that name one version the second is a conflict.
#[utoipa::path(
    patch, path = "/v1/payout-gateway/provider-accounts/{id}", operation_id = "changeProviderAccount", tag = "provider accounts",
    request_body(content = RequestDocument<ProviderAccountChangeRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "The account as it is now, without its credentials.", body = Document<ProviderAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn change(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::change(call, payload, KIND, Configure::ChangeProviderAccount, |gateway, caller, id, given| async move {
        gateway.change_provider_account(&caller, id, &given).await.map(shown)
    })
    .await
}

/// Ask the provider whether it takes the account's credentials.
///
/// Needs `routing:write`. What it says is kept as the account's health; a provider that can't be asked is a conflict.
#[utoipa::path(
    post, path = "/v1/payout-gateway/provider-accounts/{id}/check", operation_id = "checkProviderAccount", tag = "provider accounts",
    responses((status = 200, description = "The account with its health.", body = Document<ProviderAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn check(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingWrite)?;
    call.no_parameters()?;
    let id: ProviderAccountId = call.path_id("id")?;
    let body = call.empty_body(payload).await?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write(&body, async move {
        let account = gateway.check_provider_account(&caller, id).await?;
        answer(200, &Document::from(shown(account)))
    })
    .await
}
