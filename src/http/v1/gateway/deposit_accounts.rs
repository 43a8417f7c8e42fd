//! `/v1/payout-gateway/deposit-accounts`: the money that payouts take.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use super::{configure, decimal};
use crate::domain::exact;
use crate::domain::ids::{DepositAccountId, Mode};
use crate::gateway::access::Scope;
use crate::gateway::approvals::Configure;
use crate::gateway::manage::deposit_accounts::{DepositAccount, DepositAccountFilter};
use crate::http::routes::resource;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, RequestDocument, Resource, answer};
use crate::http::v1::error::V1Error;

pub(in crate::http::v1) const KIND: &str = "deposit-account";
pub(in crate::http::v1) const KIND_TOP_UP: &str = "deposit-account-top-up";
const COLLECTION: &str = "/v1/payout-gateway/deposit-accounts";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)]))
        .service(resource(
            "/v1/payout-gateway/deposit-accounts/{id}",
            "GET, PATCH",
            [web::get().to(get), web::patch().to(change)],
        ))
        .service(resource("/v1/payout-gateway/deposit-accounts/{id}/top-up", "POST", [web::post().to(top_up)]));
}

/// A deposit account. Its amounts are in its currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DepositAccountAttributes {
    /// Its short name; unique in its mode.
    #[schema(example = "bank-a-eur")]
    code: String,
    /// What its owner calls it.
    name: Option<String>,
    /// The provider account that it stands at.
    #[schema(example = "pac_0198c0ffee007abc8def0123456789ab")]
    provider_account_id: String,
    /// What it holds, ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// Whether payouts take from it.
    enabled: bool,
    /// What is on it.
    #[schema(example = "10000")]
    balance: String,
    /// What payouts have reserved of it.
    #[schema(example = "250.5")]
    reserved: String,
    /// What new payouts can take: the balance less what is reserved.
    #[schema(example = "9749.5")]
    available: String,
    /// Who says what is on it: `provider`, or `books`, our own.
    #[schema(example = "books")]
    balance_source: String,
    /// When its provider last reported the balance; null: never.
    synced_at: Option<DateTime<Utc>>,
    /// Why the balance couldn't be read last time.
    sync_error: Option<String>,
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

/// A deposit account that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct NewDepositAccountRequest {
    /// Its short name: `a-z`, `0-9`, `_` and `-`. Its id unless given.
    #[schema(min_length = 1, max_length = 64, example = "bank-a-eur")]
    code: Option<String>,
    /// What its owner calls it.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// The provider account that it stands at: one of the key's partner.
    #[schema(example = "pac_0198c0ffee007abc8def0123456789ab")]
    provider_account_id: String,
    /// What it holds, ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// Whether payouts take from it; true unless given.
    enabled: Option<bool>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// What is to be changed of a deposit account. What isn't there stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct DepositAccountChangeRequest {
    /// The version that the change is of; none: whatever it is.
    version: Option<i32>,
    /// What its owner calls it; null empties.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Whether payouts take from it.
    enabled: Option<bool>,
}

/// Money that was put on a deposit account.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct TopUpRequest {
    /// How much, in the account's currency; a number or a string.
    #[schema(example = "10000")]
    amount: String,
    /// Names the top-up: once per account.
    #[schema(min_length = 1, max_length = 64, example = "transfer-2026-11-21")]
    reference: String,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

fn shown(account: DepositAccount) -> Resource<DepositAccountAttributes> {
    let available: Decimal = exact::sub(account.balance, account.reserved).unwrap_or_default();
    let attributes = DepositAccountAttributes {
        code: account.code,
        name: account.name,
        provider_account_id: account.provider_account_id.to_string(),
        currency: account.currency.to_string(),
        enabled: account.enabled,
        balance: decimal(account.balance),
        reserved: decimal(account.reserved),
        available: decimal(available),
        balance_source: account.balance_source,
        synced_at: account.synced_at,
        sync_error: account.sync_error,
        test_mode: account.mode == Mode::Test,
        version: account.version,
        created: account.created_at,
        updated: account.updated_at,
    };
    Resource::new(KIND, COLLECTION, account.id, attributes)
}

/// Make a deposit account.
///
/// Needs `routing:write`. Nothing is on it yet.
#[utoipa::path(
    post, path = "/v1/payout-gateway/deposit-accounts", operation_id = "createDepositAccount", tag = "deposit accounts",
    request_body(content = RequestDocument<NewDepositAccountRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The deposit account.", body = Document<DepositAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::create(call, payload, KIND, Configure::CreateDepositAccount, |gateway, caller, given| async move {
        gateway.create_deposit_account(&caller, &given).await.map(shown)
    })
    .await
}

/// The deposit accounts.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/deposit-accounts", operation_id = "listDepositAccounts", tag = "deposit accounts",
    params(
        ("filter[code]" = Option<String>, Query, description = "The account with that very code."),
        ("filter[currency]" = Option<String>, Query, description = "Accounts that hold that currency."),
        ("filter[enabled]" = Option<bool>, Query, description = "Accounts that payouts take from, or don't."),
        ("filter[provider_account_id]" = Option<String>, Query, description = "Accounts at that provider account."),
    ),
    responses((status = 200, description = "A page of accounts.", body = ListDocument<DepositAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    let list = call.list(&["code", "currency", "enabled", "provider_account_id"])?;
    let filter = DepositAccountFilter {
        code: list.parsed_filter("code")?,
        currency: list.parsed_filter("currency")?,
        enabled: list.parsed_filter("enabled")?,
        provider_account_id: list.parsed_filter("provider_account_id")?,
    };
    let accounts = call.gateway.list_deposit_accounts(&call.caller, &filter, list.slice()).await?;
    call.ok(&list.page(accounts, |account| (account.created_at, account.id.0), shown))
}

/// One deposit account.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/deposit-accounts/{id}", operation_id = "getDepositAccount", tag = "deposit accounts",
    responses((status = 200, description = "The deposit account.", body = Document<DepositAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    configure::one(&call, async |id| Ok(shown(call.gateway.find_deposit_account(&call.caller, id).await?))).await
}

/// Change a deposit account.
///
/// Needs `routing:write`. Of two changes that name one version the second is a conflict.
#[utoipa::path(
    patch, path = "/v1/payout-gateway/deposit-accounts/{id}", operation_id = "changeDepositAccount", tag = "deposit accounts",
    request_body(content = RequestDocument<DepositAccountChangeRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "The account as it is now.", body = Document<DepositAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn change(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::change(call, payload, KIND, Configure::ChangeDepositAccount, |gateway, caller, id, given| async move {
        gateway.change_deposit_account(&caller, id, &given).await.map(shown)
    })
    .await
}

/// Note money that was put on a deposit account.
///
/// Needs `funds:write`; in live mode the house's keys alone. Once per reference: the same again changes nothing, and with another
/// amount it is a conflict.
#[utoipa::path(
    post, path = "/v1/payout-gateway/deposit-accounts/{id}/top-up", operation_id = "topUpDepositAccount", tag = "deposit accounts",
    request_body(content = RequestDocument<TopUpRequest>, content_type = "application/vnd.api+json",
        description = "A document of type `deposit-account-top-up`."),
    responses((status = 200, description = "The account as it is now.", body = Document<DepositAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn top_up(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::FundsWrite)?;
    call.no_parameters()?;
    let id: DepositAccountId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let given = call.attributes(&body, KIND_TOP_UP, None)?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write(&body, async move {
        let account = gateway.top_up_deposit_account(&caller, id, &given).await?;
        answer(200, &Document::from(shown(account)))
    })
    .await
}
