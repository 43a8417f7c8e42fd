//! `/v1/customers/{id}/tokens`: short-lived tokens of the wallet API for a partner's own customers.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{Document, Note, RequestDocument, Resource, answer, secret_answer};
use super::error::V1Error;
use super::reader::Reader;
use crate::domain::ids::CustomerId;
use crate::gateway::access::Scope;
use crate::gateway::customers::KYC_LEVEL_MAX;
use crate::http::auth::Authenticator;
use crate::http::auth::customer_tokens::{LIFETIME_SECS, NewToken, NotMinted, SCOPES};
use crate::http::call::Edge;
use crate::http::routes::resource;

pub const KIND: &str = "customer-token";
pub const REVOCATION_KIND: &str = "customer-token-revocation";
const LIFETIME_SECS_DEFAULT: i64 = 900;

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/v1/customers/{id}/tokens", "POST", [web::post().to(create)])).service(resource(
        "/v1/customers/{id}/tokens/revoke",
        "POST",
        [web::post().to(revoke)],
    ));
}

/// A token of a customer.
#[derive(Serialize, ToSchema)]
pub struct CustomerTokenAttributes {
    /// For the customer's app: `Authorization: Bearer <token>` under `/v4/`. In this answer only.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What it may do: `wallet`, or `wallet:read`.
    #[schema(example = "wallet")]
    scope: &'static str,
    /// The KYC level that it vouches for; null: the customer's record, as it is at each call.
    kyc_level: Option<u8>,
    /// From when on it isn't taken any more.
    expires_at: DateTime<Utc>,
}

/// A token that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct NewCustomerTokenRequest {
    /// What it may do: `wallet` (everything), or `wallet:read` (GET alone); `wallet` unless given.
    #[schema(example = "wallet")]
    scope: Option<String>,
    /// The KYC level that it vouches for, no higher than the customer's; the customer's, as it is at each call, unless given.
    #[schema(minimum = 0, maximum = 3)]
    kyc_level: Option<u8>,
    /// How long it lasts, in seconds; 900 unless given.
    #[schema(minimum = 60, maximum = 3600, example = 900)]
    expires_in: Option<i64>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// When a customer's tokens were revoked.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenRevocationAttributes {
    /// Tokens that were signed until then aren't taken.
    revoked: DateTime<Utc>,
}

/// Scope, KYC level and lifetime.
fn read(a: &Reader<'_>, call: &PartnerCall) -> Result<(&'static str, Option<u8>, i64), V1Error> {
    a.test_mode(call.mode());
    let [all, reads] = SCOPES;
    let scope = match a.optional_text("scope", 1..=64).as_deref() {
        None => all,
        Some(wanted) if wanted == all => all,
        Some(wanted) if wanted == reads => reads,
        Some(_) => {
            a.problem("scope", "INVALID_VALUE", format!("This is {all} or {reads}."));
            all
        }
    };
    let level =
        a.optional_integer("kyc_level", 0..=i64::from(KYC_LEVEL_MAX)).and_then(|level| u8::try_from(level).ok());
    let lifetime = a.optional_integer("expires_in", LIFETIME_SECS).unwrap_or(LIFETIME_SECS_DEFAULT);
    a.finish()?;
    Ok((scope, level, lifetime))
}

/// Obtain a token for a customer.
///
/// Needs `customers:write`. Your app calls the wallet API (`/v4/`) with it in the customer's name, and needs no other sign-in. Hand it over
/// after you know who asks. It is refused as soon as the customer is blocked or their tokens are revoked. A replay by `Idempotency-Key`
/// shows the answer without the token.
#[utoipa::path(
    post, path = "/v1/customers/{id}/tokens", operation_id = "createCustomerToken", tag = "customers",
    request_body(content = RequestDocument<NewCustomerTokenRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The token.", body = Document<CustomerTokenAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::CustomersWrite)?;
    call.no_parameters()?;
    let customer_id: CustomerId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let known = ["scope", "kyc_level", "expires_in", "test_mode"];
    let (scope, kyc_level, lifetime_secs) = read(&call.document(&body, KIND, &known)?, &call)?;
    let authenticator: Arc<Authenticator> = Edge::part(&call.request)?;
    let (gateway, tenant) = (Arc::clone(&call.gateway), call.caller.tenant);
    call.write(&body, async move {
        let ground = gateway.token_customer(tenant, customer_id, kyc_level).await?;
        let new = NewToken {
            partner_code: ground.partner_code,
            mode: tenant.mode,
            customer_id,
            reference: ground.reference,
            generation: ground.generation,
            kyc_level,
            reads_only: scope != SCOPES[0],
            lifetime_secs,
        };
        let minted = authenticator.mint_for_customer(&new).map_err(|error| match error {
            NotMinted::Subject => {
                V1Error::new("INVALID_VALUE").with_detail("The customer's reference_id can't stand in a token.")
            }
            NotMinted::Sign => V1Error::internal(&error),
        })?;
        let path = format!("/v1/customers/{customer_id}");
        let shown = |token| {
            let attributes = CustomerTokenAttributes { token, scope, kyc_level, expires_at: minted.expires_at };
            Resource::new(KIND, "", minted.id, attributes).found_at(path.clone())
        };
        let note = Note { note: "The token was told in the first answer only. Obtain another." };
        let kept = Document { data: shown(None), meta: Some(note) };
        secret_answer(201, &Document::from(shown(Some(minted.token.clone()))), &kept)
    })
    .await
}

/// Revoke a customer's tokens.
///
/// Needs `customers:write`. All that were signed until now; those that are obtained after it hold.
#[utoipa::path(
    post, path = "/v1/customers/{id}/tokens/revoke", operation_id = "revokeCustomerTokens", tag = "customers",
    responses((status = 200, description = "When they were revoked.", body = Document<TokenRevocationAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn revoke(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::CustomersWrite)?;
    call.no_parameters()?;
    let id: CustomerId = call.path_id("id")?;
    let body = call.empty_body(payload).await?;
    let (gateway, author) = (Arc::clone(&call.gateway), call.author());
    call.write(&body, async move {
        let revoked = gateway.revoke_tokens(&author, id).await?;
        let shown = Resource::new(REVOCATION_KIND, "", id, TokenRevocationAttributes { revoked });
        answer(200, &Document::from(shown.found_at(format!("/v1/customers/{id}"))))
    })
    .await
}
