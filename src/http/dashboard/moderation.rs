//! What waits for a person, oldest first. Each case leads to its page, and to its payout request's, where it is decided.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::cell::{Cell, Column};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::list::{Lines, List, Said, Source, Wanted};
use super::parts::{Amount, Badge, Moment, html, outside, raw, span};
use super::query::{after_text, parse_after};
use super::visitor::Visitor;
use super::words;
use crate::domain::asset::Assets;
use crate::staff::desk::{CaseLine, CaseRequest, Desk, PAGE_LINES, age};

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
    href: String,
    /// `None`: it is about a provider's payment that no request stands for.
    request: Option<RequestView>,
    /// What it is about then.
    subject: Option<String>,
    /// Where the payment went out.
    account: Option<String>,
    opened_at: Moment,
    waits: String,
    raw: String,
}

struct RequestView {
    href: String,
    reference: String,
    status: Badge,
    amount: Amount,
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
    let (found, now) = desk.waiting(mode, after, PAGE_LINES).await?;
    let view = |case: &CaseLine| view(case, mode.as_str(), span(age(now, case.opened_at)), desk.assets());
    let page = ModerationPage {
        frame: Frame::new(&visitor, &desk, mode, Section::Moderation),
        cases: found.lines.iter().map(view).collect(),
        next: found.next.as_ref().map(after_text),
        is_first,
    };
    Ok(html(HttpResponse::Ok(), &page)?)
}

/// The same as a file.
pub struct Waiting;

impl List for Waiting {
    type Line = CaseLine;
    type Search = ();
    const SECTION: Section = Section::Moderation;
    const PATH: &'static str = "moderation";
    const SAID: Said = Said::FILE;
    const COLUMNS: &'static [Column<CaseLine>] = &[
        Column::plain("What", |case, at| {
            Cell::link(at.href(format_args!("cases/{}", case.id.simple())), words::case(&case.kind))
        }),
        Column::plain("Since", |case, _| Cell::moment(case.opened_at)),
        Column::outside("Payout request", |case, _| {
            Cell::maybe(case.request.as_ref().map(|request| &request.reference_id).or(case.subject.as_ref()))
        }),
        Column::plain("Partner", |case, _| Cell::text(&case.partner)),
        Column::plain("Status", |case, _| {
            let state =
                |request: &CaseRequest| words::request_state(request.status, request.moderation_reason.as_deref());
            case.request.as_ref().map_or(Cell::Empty, |request| Cell::Badge(state(request)))
        }),
        Column::money("Amount", |case, at| {
            case.request.as_ref().map_or(Cell::Empty, |request| at.amount(request.amount, request.currency))
        }),
    ];

    async fn lines(source: &Source, wanted: Wanted<'_, ()>) -> Result<Lines<CaseLine>, PageError> {
        Ok(source.desk.waiting(wanted.mode, wanted.after()?, wanted.lines_max).await?.0.into())
    }
}

fn view(case: &CaseLine, mode: &str, waits: String, assets: &Assets) -> CaseView {
    CaseView {
        about: words::case(&case.kind),
        partner: case.partner.clone(),
        href: format!("/dashboard/{mode}/cases/{}", case.id.simple()),
        request: case.request.as_ref().map(|request| RequestView {
            href: format!("/dashboard/{mode}/requests/{}/{}", case.partner, request.id),
            reference: outside(&request.reference_id),
            status: words::request_state(request.status, request.moderation_reason.as_deref()),
            amount: Amount::of(request.amount, request.currency, assets),
        }),
        subject: case.subject.as_deref().map(outside),
        account: case.provider_account.as_deref().map(outside),
        opened_at: Moment::of(case.opened_at),
        waits,
        raw: raw(&case.evidence),
    }
}
