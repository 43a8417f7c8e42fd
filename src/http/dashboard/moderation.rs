//! What waits for a person, oldest first. Read-only: settling a case isn't offered here yet.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Amount, Badge, Moment, html, outside, raw, span};
use super::query::{after_text, parse_after};
use super::visitor::Visitor;
use super::words;
use crate::domain::asset::Assets;
use crate::staff::desk::{Desk, WaitingCase, age};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "moderation.html", config = "web/askama.toml")]
struct ModerationPage {
    frame: Frame,
    cases: Vec<CaseView>,
    next: Option<String>,
    is_first: bool,
}

struct CaseView {
    about: String,
    partner: String,
    /// `None`: no request of ours stands for it.
    href: Option<String>,
    /// The request's, or what the provider's report has.
    reference: String,
    status: Option<Badge>,
    amount: Option<Amount>,
    /// Where the payment went out, where the case is about a provider's report.
    account: Option<String>,
    opened_at: Moment,
    waits: String,
    raw: String,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    let after = parse_after(query.after.as_deref())?;
    let is_first = after.is_none();
    let (found, now) = desk.waiting(mode, after).await?;
    let view = |case: &WaitingCase| view(case, mode.as_str(), span(age(now, case.opened_at)), desk.assets());
    let page = ModerationPage {
        frame: Frame::new(&visitor, &desk, mode, Section::Moderation),
        cases: found.lines.iter().map(view).collect(),
        next: found.next.as_ref().map(after_text),
        is_first,
    };
    Ok(html(HttpResponse::Ok(), &page)?)
}

fn view(case: &WaitingCase, mode: &str, waits: String, assets: &Assets) -> CaseView {
    CaseView {
        about: words::case(&case.kind),
        partner: case.partner.clone(),
        href: case.request_id.map(|id| format!("/dashboard/{mode}/requests/{}/{id}", case.partner)),
        reference: outside(case.reference_id.as_ref().or(case.subject.as_ref()).map_or("", String::as_str)),
        status: case.status.map(words::request_status),
        amount: case.amount.zip(case.currency).map(|(amount, currency)| Amount::of(amount, currency, assets)),
        account: case.provider_account.as_deref().map(outside),
        opened_at: Moment::of(case.opened_at),
        waits,
        raw: raw(&case.evidence),
    }
}
