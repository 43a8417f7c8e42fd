//! `/v1/partner-terms`: what the key's partner is priced and limited by now: its own terms over the house's, merged.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{Document, Resource};
use super::error::V1Error;
use super::request_view::amount;
use crate::domain::fee::{FeeRule, FeeSchedule};
use crate::domain::ids::Mode;
use crate::domain::limit::{LimitRules, PeriodLimits};
use crate::domain::terms::TermsInForce;
use crate::gateway::access::Scope;
use crate::http::routes::resource;

pub(in crate::http::v1) const KIND: &str = "partner-terms";
const PATH: &str = "/v1/partner-terms";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(PATH, "GET", [web::get().to(get)]));
}

/// What a partner's payouts are priced and limited by.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartnerTermsAttributes {
    /// The version of the partner's own terms that is in force; null: it has none, and everything is as the house has it.
    #[schema(example = 3)]
    version: Option<u32>,
    /// The pairs that offers are made for.
    pairs: Vec<PairTerms>,
    /// Fee schedules in the order in which they are tried: the first that fits a payout's pair, card and amount is charged.
    fee_schedules: Vec<FeeScheduleTerms>,
    /// What may be paid out.
    limits: LimitTerms,
    /// What the card holder reads on the statement; null: as the provider has it.
    #[schema(example = "ACME PAYOUTS")]
    statement_descriptor: Option<String>,
    /// Whether these are the terms of test mode.
    test_mode: bool,
}

/// A pair that is offered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PairTerms {
    /// The pair, crypto to fiat.
    #[schema(example = "BTC/EUR")]
    pair: String,
    /// What an offer's rate lies below the market's price, as a fraction, as a decimal string: 0.02 is 2 %.
    #[schema(example = "0.02")]
    spread: String,
}

/// A set of fees that apply together, on top of the amount.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeeScheduleTerms {
    /// Its name; a partner's own has the partner's code and the version of its terms in it.
    #[schema(example = "acme@3/cards")]
    id: String,
    /// Its version.
    #[schema(example = 3)]
    version: u32,
    /// The pairs that it is for; none: every pair.
    pairs: Vec<String>,
    /// The card schemes that it is for; none: every scheme.
    card_schemes: Vec<String>,
    /// The least amount that it is for, in units of the pair's crypto, as a decimal string; null: any.
    #[schema(example = "100")]
    amount_from: Option<String>,
    /// The amount below which it is for, in units of the pair's crypto, as a decimal string; null: any.
    #[schema(example = "1000")]
    amount_below: Option<String>,
    /// Its fees; none: it is free.
    rules: Vec<FeeRuleTerms>,
}

/// A fee: its parts add up, and then the least and the most apply.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeeRuleTerms {
    /// `transaction`, `fixed`, `additional`, `network_gas`, or `partner`, which is the partner's own.
    #[schema(example = "transaction")]
    kind: String,
    /// Percent of the amount, as a decimal string: 3.5 is 3.5 %.
    #[schema(example = "3.5")]
    percent: Option<String>,
    /// In units of the pair's fiat, as a decimal string.
    #[schema(example = "2.5")]
    fixed_target: Option<String>,
    /// In units of the pair's crypto, as a decimal string.
    #[schema(example = "0.1")]
    fixed_source: Option<String>,
    /// The least that is charged, in units of the pair's crypto, as a decimal string.
    #[schema(example = "1")]
    min: Option<String>,
    /// The most that is charged, in units of the pair's crypto, as a decimal string.
    #[schema(example = "50")]
    max: Option<String>,
}

/// Limits, in one currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LimitTerms {
    /// The currency that limits are counted in.
    #[schema(example = "EUR")]
    currency: String,
    /// The least that an offer pays out, as a decimal string.
    #[schema(example = "21")]
    offer_min: String,
    /// The most that an offer pays out, as a decimal string.
    #[schema(example = "1980")]
    offer_max: String,
    /// Of each customer.
    customer: PeriodTerms,
    /// Of each card.
    card: PeriodTerms,
    /// Of the partner.
    partner: PeriodTerms,
}

/// The most in a rolling stretch of time; null doesn't restrict.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PeriodTerms {
    /// In 24 hours, as a decimal string.
    #[schema(example = "5000")]
    day: Option<String>,
    /// In 30 days, as a decimal string.
    #[schema(example = "20000")]
    month: Option<String>,
    /// In 365 days, as a decimal string.
    #[schema(example = "100000")]
    year: Option<String>,
}

/// What the partner is priced and limited by.
///
/// Needs `funds:read`. The partner's own terms in the key's mode, with the house's where they say nothing: what the next offer is quoted
/// under. KYC levels and velocity rules narrow it further for single customers.
#[utoipa::path(
    get, path = "/v1/partner-terms", operation_id = "getPartnerTerms", tag = "partner accounts",
    responses((status = 200, description = "The terms in force.", body = Document<PartnerTermsAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::FundsRead)?;
    call.no_parameters()?;
    let (partner, in_force) = call.gateway.own_terms(&call.caller).await?;
    let attributes = shown(&in_force, &partner, call.mode());
    call.ok(&Document::from(Resource::new(KIND, PATH, call.mode(), attributes).found_at(PATH)))
}

fn shown(terms: &TermsInForce, partner: &str, mode: Mode) -> PartnerTermsAttributes {
    let book = &terms.book;
    let pairs = book
        .pairs
        .iter()
        .map(|pair| PairTerms { pair: pair.to_string(), spread: amount(book.spreads.get(partner, *pair).value()) });
    PartnerTermsAttributes {
        version: book.terms_version,
        pairs: pairs.collect(),
        fee_schedules: book.fees.of_partner(partner, mode).map(schedule).collect(),
        limits: limits(&book.limits),
        statement_descriptor: terms.descriptor.as_ref().map(ToString::to_string),
        test_mode: mode == Mode::Test,
    }
}

fn schedule(schedule: &FeeSchedule) -> FeeScheduleTerms {
    let conditions = schedule.conditions();
    FeeScheduleTerms {
        id: schedule.id().to_owned(),
        version: schedule.version(),
        pairs: conditions.pairs.iter().map(ToString::to_string).collect(),
        card_schemes: conditions.card_schemes.iter().map(ToString::to_string).collect(),
        amount_from: conditions.amount_from.map(amount),
        amount_below: conditions.amount_below.map(amount),
        rules: schedule.rules().iter().map(rule).collect(),
    }
}

fn rule(rule: &FeeRule) -> FeeRuleTerms {
    FeeRuleTerms {
        kind: rule.kind.to_string(),
        percent: rule.percent.map(amount),
        fixed_target: rule.fixed_target.map(amount),
        fixed_source: rule.fixed_source.map(amount),
        min: rule.min.map(amount),
        max: rule.max.map(amount),
    }
}

fn limits(rules: &LimitRules) -> LimitTerms {
    LimitTerms {
        currency: rules.reference.code.to_string(),
        offer_min: amount(rules.offer_min),
        offer_max: amount(rules.offer_max),
        customer: periods(&rules.customer),
        card: periods(&rules.card),
        partner: periods(&rules.partner),
    }
}

fn periods(limits: &PeriodLimits) -> PeriodTerms {
    PeriodTerms { day: limits.day.map(amount), month: limits.month.map(amount), year: limits.year.map(amount) }
}
