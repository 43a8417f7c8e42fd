//! `/v1/partner-accounts`: what a partner prefunded: its balances, what moved them, and credits.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::call::PartnerCall;
use super::credits::tenant_of;
use super::document::{Document, ListDocument, PageInfo, PageLinks, PageMeta, RequestDocument, Resource, answer};
use super::error::V1Error;
use super::reader::Reader;
use super::request_view::amount;
use crate::domain::ids::{Mode, PayoutId, PayoutRequestId};
use crate::gateway::access::{Problem, Scope};
use crate::gateway::funds::{PartnerCredit, PartnerFunds, StatementLine};
use crate::http::routes::resource;

pub(in crate::http::v1) const KIND: &str = "partner-account";
pub(in crate::http::v1) const LINE_KIND: &str = "statement-line";
pub(in crate::http::v1) const CREDIT_KIND: &str = "partner-credit";
const COLLECTION: &str = "/v1/partner-accounts";
const STATEMENT: &str = "/v1/partner-accounts/statement";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET", [web::get().to(balances)]))
        .service(resource(STATEMENT, "GET", [web::get().to(statement)]))
        .service(resource("/v1/partner-accounts/credits", "POST", [web::post().to(credit)]));
}

/// A partner's balance in one currency. Its id is the currency's code.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartnerAccountAttributes {
    /// The currency's code.
    #[schema(example = "USD")]
    currency: String,
    /// What new payout requests can hold, in units of `currency`, as a decimal string.
    #[schema(example = "99")]
    available: String,
    /// What open payout requests hold, in units of `currency`, as a decimal string.
    #[schema(example = "1")]
    held: String,
    /// Whether it is test money.
    test_mode: bool,
}

/// A line of a partner's statement: what one entry moved.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatementLineAttributes {
    /// What happened: `credit`, `debit`, `hold`, `release`, `settle` or `return`.
    #[schema(example = "hold")]
    kind: String,
    /// The currency's code.
    #[schema(example = "USD")]
    currency: String,
    /// What it moved on the available balance, in units of `currency`, as a decimal string; below zero: away from it.
    #[schema(example = "-1")]
    available: String,
    /// What it moved on the held balance, in units of `currency`, as a decimal string; below zero: away from it.
    #[schema(example = "1")]
    held: String,
    /// What it was booked under: a credit's reference, or an id without its prefix.
    #[schema(example = "019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    reference: String,
    /// The payout request that held or got back; null: none did.
    #[schema(example = "porq_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    request_id: Option<String>,
    /// The payout that was settled or came back; null: none was.
    #[schema(example = "po_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    payout_id: Option<String>,
    /// When it was booked.
    created: DateTime<Utc>,
}

/// Money that reached a partner's balance. Its id is its reference.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartnerCreditAttributes {
    /// The caller's own name for the credit.
    #[schema(example = "top-up-1")]
    reference_id: String,
    /// The currency's code.
    #[schema(example = "USD")]
    currency: String,
    /// How much, in units of `currency`, as a decimal string.
    #[schema(example = "100")]
    amount: String,
    /// Whether it is test money.
    test_mode: bool,
    /// The balance as it is now, in units of `currency`, as a decimal string.
    #[schema(example = "199")]
    available: String,
    /// What is held of it now, in units of `currency`, as a decimal string.
    #[schema(example = "1")]
    held: String,
}

/// A credit that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct NewPartnerCreditRequest {
    /// The caller's own name for the credit. The same one is booked once.
    #[schema(min_length = 1, max_length = 128, example = "top-up-1")]
    reference_id: String,
    /// The currency's code.
    #[schema(example = "USD")]
    currency: String,
    /// How much, in units of `currency`: a decimal string or a number.
    #[schema(example = "100")]
    amount: String,
    /// Whose balance it is, by the partner's code: for the house's keys, which must say it.
    #[schema(min_length = 1, max_length = 64, example = "demo")]
    partner: Option<String>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

fn shown(funds: &PartnerFunds, mode: Mode) -> Resource<PartnerAccountAttributes> {
    let attributes = PartnerAccountAttributes {
        currency: funds.currency.to_string(),
        available: amount(funds.available),
        held: amount(funds.held),
        test_mode: mode == Mode::Test,
    };
    Resource::new(KIND, COLLECTION, funds.currency, attributes).found_at(COLLECTION)
}

fn shown_line(line: StatementLine) -> Resource<StatementLineAttributes> {
    // A request that was edited holds anew under its id and the number of the change.
    let id = line.reference.split('.').next().and_then(|text| Uuid::try_parse(text).ok());
    let (request_id, payout_id) = match line.kind.as_str() {
        "hold" | "release" => (id.map(|id| PayoutRequestId(id).to_string()), None),
        "settle" | "return" => (None, id.map(|id| PayoutId(id).to_string())),
        _ => (None, None),
    };
    let attributes = StatementLineAttributes {
        kind: line.kind,
        currency: line.asset.to_string(),
        available: amount(line.available),
        held: amount(line.held),
        reference: line.reference,
        request_id,
        payout_id,
        created: line.created_at,
    };
    Resource::new(LINE_KIND, STATEMENT, line.id.simple(), attributes).found_at(STATEMENT)
}

/// The partner's balances.
///
/// Needs `funds:read`. In every currency that it ever had one in.
#[utoipa::path(
    get, path = "/v1/partner-accounts", operation_id = "listPartnerAccounts", tag = "partner accounts",
    responses((status = 200, description = "The balances, all on one page.", body = ListDocument<PartnerAccountAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn balances(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::FundsRead)?;
    call.no_parameters()?;
    let funds = call.gateway.partner_funds(&call.caller).await?;
    let mode = call.mode();
    let size = i64::try_from(funds.len()).unwrap_or(i64::MAX);
    call.ok(&ListDocument {
        data: funds.iter().map(|funds| shown(funds, mode)).collect(),
        links: PageLinks { own: COLLECTION.to_owned(), next: None },
        meta: PageMeta { page: PageInfo { size, next_cursor: None } },
    })
}

/// The partner's statement.
///
/// Needs `funds:read`. What moved its balances, entry by entry: the lines of a currency add up to its balances.
#[utoipa::path(
    get, path = "/v1/partner-accounts/statement", operation_id = "listStatementLines", tag = "partner accounts",
    responses((status = 200, description = "A page of lines.", body = ListDocument<StatementLineAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn statement(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::FundsRead)?;
    let list = call.list(&[])?;
    let lines = call.gateway.partner_statement(&call.caller, list.slice()).await?;
    call.ok(&list.page(lines, |line| (line.created_at, line.id), shown_line))
}

/// The credit, and the code of the partner whose balance it is, where that is said.
fn read(a: &Reader<'_>, call: &PartnerCall) -> Result<(PartnerCredit, Option<String>), V1Error> {
    a.test_mode(call.mode());
    let reference = a.text("reference_id", 1..=128);
    let currency = a.parsed("currency");
    let amount = a.amount("amount");
    let partner = a.optional_text("partner", 1..=64);
    if partner.is_some() && !call.caller.is_house {
        a.problem("partner", "INVALID_VALUE", "Only the house's keys name a partner.");
    }
    a.finish()?;
    let missing = || V1Error::problems(vec![Problem::new("/data/attributes/currency", "MISSING", "This is missing.")]);
    let currency = currency.ok_or_else(missing)?;
    Ok((PartnerCredit { partner_id: None, currency, amount, reference }, partner))
}

/// Credit a partner's balance.
///
/// Needs `funds:write`. In test mode partners credit themselves; live balances are credited by the house's keys, which name the partner.
/// The same reference is booked once: asked again with the same amount it changes nothing, with another it is a conflict.
#[utoipa::path(
    post, path = "/v1/partner-accounts/credits", operation_id = "createPartnerCredit", tag = "partner accounts",
    request_body(content = RequestDocument<NewPartnerCreditRequest>, content_type = "application/vnd.api+json"),
    responses(
        (status = 201, description = "The credit, with the balance as it is now.", body = Document<PartnerCreditAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn credit(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::FundsWrite)?;
    call.no_parameters()?;
    let body = call.body(payload).await?;
    let known = ["reference_id", "currency", "amount", "partner", "test_mode"];
    let (mut credit, partner) = read(&call.document(&body, CREDIT_KIND, &known)?, &call)?;
    if partner.is_some() {
        credit.partner_id = Some(tenant_of(&call, partner.as_deref()).await?.partner_id);
    }
    let (gateway, caller, mode) = (Arc::clone(&call.gateway), call.caller.clone(), call.mode());
    call.write(&body, async move {
        let funds = gateway.credit_partner(&caller, &credit).await?;
        let attributes = PartnerCreditAttributes {
            reference_id: credit.reference.clone(),
            currency: credit.currency.to_string(),
            amount: amount(credit.amount),
            test_mode: mode == Mode::Test,
            available: amount(funds.available),
            held: amount(funds.held),
        };
        let shown = Resource::new(CREDIT_KIND, COLLECTION, credit.reference, attributes).found_at(STATEMENT);
        answer(201, &Document::from(shown))
    })
    .await
}
