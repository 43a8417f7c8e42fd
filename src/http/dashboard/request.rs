//! One payout request: its fields and amounts, its payouts, everything that happened, in words with the data beside them, and what
//! may be decided about it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::decide::{self, DecideForm, Typed};
use super::detail::Happened;
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Amount, Badge, CardPart, Moment, html, outside, raw};
use super::story;
use super::visitor::Visitor;
use super::words;
use crate::domain::asset::Assets;
use crate::domain::payout::PayoutStatus;
use crate::domain::payout_request::RequestStatus;
use crate::staff::desk::{Desk, PayoutLine, PayoutRequest, RequestCase, RequestPage};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "request.html", config = "web/askama.toml")]
struct View {
    frame: Frame,
    id: String,
    status: Badge,
    in_short: String,
    moderation: Option<String>,
    reference: String,
    partner: String,
    point: String,
    customer: Option<String>,
    customer_href: Option<String>,
    card: Option<CardPart>,
    offer: Option<(String, String)>,
    service: String,
    funding: &'static str,
    description: Option<String>,
    amount: Amount,
    processed: Amount,
    returned: Amount,
    attempts: String,
    allow_partially: bool,
    fields: Vec<(String, String)>,
    moments: Vec<(&'static str, Moment)>,
    payouts: Vec<PayoutView>,
    events: Vec<Happened>,
    cases: Vec<CaseView>,
    decide: Option<DecideForm>,
    /// What a decision that was just taken came to.
    done: Option<&'static str>,
}

struct PayoutView {
    href: String,
    id: String,
    place: String,
    status: Badge,
    why: Option<&'static str>,
    route: String,
    deposit: String,
    provider: String,
    amount: Amount,
    processed: Amount,
    returned: Amount,
    /// What the provider charges, or would if it paid.
    cost: Option<(&'static str, Amount)>,
    references: Vec<(&'static str, String)>,
    answer: Option<String>,
    sends: i16,
    inquiries: i32,
    started_at: Moment,
    final_at: Option<Moment>,
}

struct CaseView {
    href: String,
    how: Option<String>,
    about: String,
    opened_at: Moment,
    closed_at: Option<Moment>,
    raw: String,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let read = desk.request(mode, &partner, id).await?.ok_or(PageError::NotFound)?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Requests);
    let form = decide::form(&visitor, &desk, &partner, &read, Typed::default(), None);
    let mut view = view(frame, &partner, &read, form, desk.assets());
    view.done = match query.done.as_deref() {
        Some("decided") => Some("Decided. What followed stands below."),
        Some("repeated") => Some("You had decided that already: nothing was done again."),
        _ => None,
    };
    Ok(html(HttpResponse::Ok(), &view)?)
}

/// The page with what was typed and why it wasn't taken.
pub fn answer(
    visitor: &Visitor,
    desk: &Desk,
    partner: &str,
    read: &RequestPage,
    typed: Typed,
    problem: String,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::new(visitor, desk, read.request.mode, Section::Requests);
    let form = decide::form(visitor, desk, partner, read, typed, Some(problem));
    Ok(html(HttpResponse::build(status), &view(frame, partner, read, form, desk.assets()))?)
}

fn view(frame: Frame, partner: &str, read: &RequestPage, decide: Option<DecideForm>, assets: &Assets) -> View {
    let RequestPage { request, around, .. } = read;
    let money = |amount| Amount::of(amount, request.currency, assets);
    let offer_href = |id| format!("/dashboard/{}/offers/{partner}/{id}", request.mode);
    View {
        id: request.id.to_string(),
        status: words::request_state(request.status, request.moderation_reason.as_deref()),
        in_short: in_short(request, assets),
        moderation: request.moderation_reason.as_deref().map(words::case),
        reference: outside(&request.reference_id),
        partner: format!("{} ({partner})", around.partner_name),
        point: around.point.clone(),
        customer: around.customer.as_deref().map(outside),
        customer_href: request.customer_id.map(|id| format!("/dashboard/{}/customers/{partner}/{id}", request.mode)),
        card: around.card.as_ref().map(CardPart::from),
        offer: request.offer_id.map(|id| (offer_href(id), id.to_string())),
        service: request.service.clone(),
        funding: words::funding(request.funding),
        description: request.description.as_deref().map(outside),
        amount: money(request.amount),
        processed: money(request.amount_processed),
        returned: money(request.amount_returned),
        attempts: format!("{} of {}", request.attempts_made, request.attempts_limit),
        allow_partially: request.allow_partially,
        fields: fields(&request.fields),
        moments: moments(request),
        payouts: read
            .payouts
            .iter()
            .map(|payout| payout_view(payout, request.mode.as_str(), partner, assets))
            .collect(),
        events: story::of_request(read, assets),
        cases: read.cases.iter().map(|case| case_view(case, request)).collect(),
        decide,
        done: None,
        frame,
    }
}

/// Where the money is, in a sentence.
fn in_short(request: &PayoutRequest, assets: &Assets) -> String {
    let money = |amount| Amount::of(amount, request.currency, assets).text();
    let because = request.resolution.map_or("the reason isn't known", words::resolution);
    if request.moderation_reason.is_some() && !request.status.is_final() {
        return format!("{} of {} was paid so far.", money(request.amount_processed), money(request.amount));
    }
    match request.status {
        RequestStatus::Created | RequestStatus::WaitingDetails => {
            "Nothing was sent yet: details are missing.".to_owned()
        }
        RequestStatus::Ready | RequestStatus::Dispatching => format!("{} waits for a route.", money(request.amount)),
        RequestStatus::Pending => format!("{} is with a provider, whose answer isn't final.", money(request.amount)),
        RequestStatus::Processed => format!("{} was paid.", money(request.amount_processed)),
        RequestStatus::PartiallyProcessed => {
            format!(
                "{} of {} was paid; it went no further: {because}.",
                money(request.amount_processed),
                money(request.amount)
            )
        }
        RequestStatus::Failed | RequestStatus::Expired | RequestStatus::Canceled | RequestStatus::Terminated => {
            format!("Nothing was paid: {because}.")
        }
        RequestStatus::Returned => {
            format!(
                "{} was paid and {} of it came back.",
                money(request.amount_processed),
                money(request.amount_returned)
            )
        }
    }
}

fn fields(fields: &Value) -> Vec<(String, String)> {
    let shown = |value: &Value| match value {
        Value::String(text) => outside(text),
        other => outside(&other.to_string()),
    };
    fields.as_object().into_iter().flatten().map(|(key, value)| (outside(key), shown(value))).collect()
}

fn moments(request: &PayoutRequest) -> Vec<(&'static str, Moment)> {
    let all = [
        ("Created", Some(request.created_at)),
        ("Starts nothing after", Some(request.expires_at)),
        ("Ended", request.final_at),
    ];
    all.into_iter().filter_map(|(what, at)| Some((what, Moment::of(at?)))).collect()
}

fn payout_view(payout: &PayoutLine, mode: &str, partner: &str, assets: &Assets) -> PayoutView {
    let money = |amount| Amount::of(amount, payout.currency, assets);
    let references = [
        ("Our reference", Some(payout.provider_reference.clone())),
        ("The provider's id", payout.provider_original_id.clone()),
        ("RRN", payout.rrn.clone()),
        ("ARN", payout.arn.clone()),
    ];
    let answer: Vec<String> =
        [&payout.provider_code, &payout.provider_message].into_iter().flatten().map(|text| outside(text)).collect();
    PayoutView {
        href: format!("/dashboard/{mode}/payouts/{partner}/{}", payout.id),
        id: payout.id.to_string(),
        place: format!("Part {}, attempt {}", payout.part.saturating_add(1), payout.attempt),
        status: words::payout_status(payout.status),
        why: payout.resolution.map(words::resolution),
        route: payout.route.clone(),
        deposit: payout.deposit.clone(),
        provider: payout.provider.clone(),
        amount: money(payout.amount),
        processed: money(payout.amount_processed),
        returned: money(payout.amount_returned),
        cost: cost(payout, assets),
        references: references.into_iter().filter_map(|(what, text)| Some((what, text?))).collect(),
        answer: (!answer.is_empty()).then(|| answer.join(": ")),
        sends: payout.sends,
        inquiries: payout.inquiries,
        started_at: Moment::of(payout.created_at),
        final_at: payout.final_at.map(Moment::of),
    }
}

/// Written down when the payout started; owed only if it paid.
fn cost(payout: &PayoutLine, assets: &Assets) -> Option<(&'static str, Amount)> {
    let what = match payout.status {
        PayoutStatus::Created | PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown => {
            "Expected cost"
        }
        PayoutStatus::Processed | PayoutStatus::Returned | PayoutStatus::LateProcessed => "Cost",
        PayoutStatus::Failed | PayoutStatus::Canceled => return None,
    };
    Some((what, Amount::of(payout.cost, payout.currency, assets)))
}

fn case_view(case: &RequestCase, request: &PayoutRequest) -> CaseView {
    CaseView {
        href: format!("/dashboard/{}/cases/{}", request.mode, case.id.simple()),
        how: case.closing.as_deref().map(words::closing),
        about: words::case(&case.kind),
        opened_at: Moment::of(case.opened_at),
        closed_at: case.closed_at.map(Moment::of),
        raw: raw(&case.evidence),
    }
}
