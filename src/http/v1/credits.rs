//! `/v1/wallet/credits`: crypto that reached a customer's wallet.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::customers;
use super::document::{Document, RequestDocument, Resource, answer};
use super::error::V1Error;
use super::reader::Reader;
use crate::domain::ids::{Mode, Tenant};
use crate::gateway::access::audit::Author;
use crate::gateway::access::{Problem, Scope};
use crate::http::routes::resource;
use crate::wallet::WalletError;
use crate::wallet::credit::{Credit, CreditedCustomer, NewCredit};

pub(in crate::http::v1) const KIND: &str = "wallet-credit";
const COLLECTION: &str = "/v1/wallet/credits";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "POST", [web::post().to(create)])).service(resource(
        "/v1/wallet/credits/{reference_id}",
        "GET",
        [web::get().to(get)],
    ));
}

/// Crypto that reached a customer's wallet. Its id is its reference.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CreditAttributes {
    /// The caller's own name for the credit.
    #[schema(example = "deposit-1")]
    reference_id: String,
    /// Whether it is test money.
    test_mode: bool,
    /// The customer's reference.
    #[schema(example = "user-4711")]
    customer_reference_id: String,
    /// The currency's code.
    #[schema(example = "USDT")]
    asset: String,
    /// How much, in units of the asset, as a decimal string.
    #[schema(example = "760.06209697")]
    amount: String,
    /// When it was booked.
    created: DateTime<Utc>,
}

/// A credit that is wanted. The customer is named by one of `customer_id` and `customer_reference_id`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct NewCreditRequest {
    /// The caller's own name for the credit: 1 to 120 of `A-Za-z0-9._:-`. The same one is booked once.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,120}$", example = "deposit-1")]
    reference_id: String,
    /// The customer's id.
    customer_id: Option<String>,
    /// The customer's reference. A customer who isn't known yet is written down.
    #[schema(min_length = 1, max_length = 255, example = "user-4711")]
    customer_reference_id: Option<String>,
    /// The currency's code.
    #[schema(example = "USDT")]
    asset: String,
    /// How much, in units of the asset: a decimal string, or a number.
    #[schema(example = "760.06209697")]
    amount: String,
    /// Whose customer it is, by the partner's code: for the house's keys alone.
    #[schema(min_length = 1, max_length = 64, example = "demo")]
    partner: Option<String>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

fn shown(credit: Credit, mode: Mode) -> Resource<CreditAttributes> {
    let attributes = CreditAttributes {
        reference_id: credit.reference.clone(),
        test_mode: mode == Mode::Test,
        customer_reference_id: credit.customer_reference,
        asset: credit.asset.to_string(),
        amount: credit.amount.normalize().to_string(),
        created: credit.booked_at,
    };
    Resource::new(KIND, COLLECTION, credit.reference, attributes).related(
        "customer",
        customers::KIND,
        Some(credit.customer_id),
    )
}

fn is_reference(text: &str) -> bool {
    (1..=120).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-'))
}

/// The credit, and the partner whose customer it is, where that is said.
fn read(a: &Reader<'_>, call: &PartnerCall) -> Result<(NewCredit, Option<String>), V1Error> {
    a.test_mode(call.mode());
    let reference = a.text("reference_id", 1..=120);
    if !reference.is_empty() && !is_reference(&reference) {
        a.problem("reference_id", "INVALID_VALUE", "This has letters, digits and any of . _ : - only.");
    }
    for name in ["reference_id", "customer_reference_id"] {
        a.no_card_number(name);
    }
    let customer = match (a.has("customer_id"), a.has("customer_reference_id")) {
        (true, false) => a.parsed("customer_id").map(CreditedCustomer::Id),
        (false, true) => Some(CreditedCustomer::Reference(a.text("customer_reference_id", 1..=255))),
        (false, false) => {
            a.problem("customer_reference_id", "MISSING", "This or customer_id is missing.");
            None
        }
        (true, true) => {
            a.problem("customer_id", "INVALID_VALUE", "The customer is named by this or by customer_reference_id.");
            None
        }
    };
    let asset = a.text("asset", 1..=12);
    let amount = a.amount("amount");
    let partner = a.optional_text("partner", 1..=64);
    if partner.is_some() && !call.caller.is_house {
        a.problem("partner", "INVALID_VALUE", "Only the house's keys name a partner.");
    }
    a.finish()?;
    let missing = || V1Error::problems(vec![Problem::new("/data/attributes", "MISSING", "The customer is missing.")]);
    Ok((NewCredit { customer: customer.ok_or_else(missing)?, asset, amount, reference }, partner))
}

/// Credit a customer's wallet.
///
/// Needs `funds:write`, which in live mode only the house's keys have. The same reference is booked once: asked again with the same
/// customer, asset and amount it is answered as it was booked, with others it is a conflict.
#[utoipa::path(
    post, path = "/v1/wallet/credits", operation_id = "createWalletCredit", tag = "wallet credits",
    request_body(content = RequestDocument<NewCreditRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The credit.", body = Document<CreditAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::FundsWrite)?;
    call.no_parameters()?;
    let body = call.body(payload).await?;
    let known = ["reference_id", "customer_id", "customer_reference_id", "asset", "amount", "partner", "test_mode"];
    let (new, partner) = read(&call.document(&body, KIND, &known)?, &call)?;
    let mode = call.mode();
    let tenant = tenant_of(&call, partner.as_deref()).await?;
    let (wallet, author) = (Arc::clone(&call.wallet), Author { tenant, ..call.author() });
    call.write(&body, async move {
        let credit = wallet.credit_customer(&author, new).await?;
        answer(201, &Document::from(shown(credit, mode)))
    })
    .await
}

/// Whose customer is credited: the caller's own, or the named partner's in the caller's mode.
pub async fn tenant_of(call: &PartnerCall, partner: Option<&str>) -> Result<Tenant, V1Error> {
    let Some(code) = partner else { return Ok(call.caller.tenant) };
    match call.wallet.user(code, call.mode(), "", None).await {
        Ok(user) => Ok(user.tenant),
        Err(WalletError::UnknownPartner) => {
            let problem = Problem::new("/data/attributes/partner", "INVALID_VALUE", "There is no such partner.");
            Err(V1Error::problems(vec![problem]))
        }
        Err(error) => Err(error.into()),
    }
}

/// One credit.
///
/// Needs `funds:read`.
#[utoipa::path(
    get, path = "/v1/wallet/credits/{reference_id}", operation_id = "getWalletCredit", tag = "wallet credits",
    params(("reference_id" = String, Path, description = "The credit's reference.")),
    responses((status = 200, description = "The credit.", body = Document<CreditAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::FundsRead)?;
    call.no_parameters()?;
    let reference: String = call.path_id("reference_id")?;
    let credit = call.wallet.find_credit(call.caller.tenant, &reference).await?;
    call.ok(&Document::from(shown(credit, call.mode())))
}
