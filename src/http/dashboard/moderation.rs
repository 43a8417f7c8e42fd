//! What waits for a person, oldest first. Each case leads to its page, and to its payout request's, where it is decided.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::cell::{Cell, Kind, Table};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::list::{Form, Listed, Lists, Nothing};
use super::parts::{Amount, Badge, Moment, html, outside, raw, span};
use super::query::{after_text, parse_after};
use super::visitor::Visitor;
use super::words;
use crate::domain::asset::Assets;
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::desk::{CaseLine, Desk, PAGE_LINES, age};

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
impl Lists for Query {
    const SECTION: Section = Section::Moderation;
    const PATH: &'static str = "moderation";
    const READS: Role = Role::Viewer;

    fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    fn set_after(&mut self, after: String) {
        self.after = Some(after);
    }

    async fn read(&self, desk: &Desk, mode: Mode, lines_max: usize) -> Result<Listed, PageError> {
        let (found, _) = desk.waiting(mode, parse_after(self.after())?, lines_max).await?;
        let row = |case: &CaseLine| {
            let href = format!("/dashboard/{mode}/cases/{}", case.id.simple());
            let request = case.request.as_ref();
            [
                Cell::link(href, words::case(&case.kind)),
                Cell::moment(case.opened_at),
                Cell::maybe(request.map(|request| &request.reference_id).or(case.subject.as_ref())),
                Cell::text(&case.partner),
                request.map_or(Cell::Empty, |request| {
                    Cell::Badge(words::request_state(request.status, request.moderation_reason.as_deref()))
                }),
                request.map_or(Cell::Empty, |request| Cell::amount(request.amount, request.currency, desk.assets())),
            ]
        };
        let columns = [
            ("What", Kind::Plain),
            ("Since", Kind::Plain),
            ("Payout request", Kind::Outside),
            ("Partner", Kind::Plain),
            ("Status", Kind::Plain),
            ("Amount", Kind::Money),
        ];
        Ok(Listed {
            title: "Moderation",
            intro: None,
            form: Form::default(),
            caption: "Open cases",
            table: Table::new(columns, found.lines.iter().map(row).collect()),
            next: found.next.as_ref().map(after_text),
            nothing: Nothing { yet: String::new(), fits: String::new() },
        })
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
