//! The list of payout requests.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Amount, Badge, CardPart, Moment, html, outside};
use super::query::{CARD_NUMBER_TYPED, Typed, after_text, parse_after, typed};
use super::visitor::Visitor;
use super::words;
use crate::domain::asset::Assets;
use crate::staff::desk::{Desk, Group, Page, RequestLine, RequestSearch};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    reference: Option<String>,
    group: Option<String>,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "requests.html", config = "web/askama.toml")]
struct RequestsPage {
    frame: Frame,
    reference: String,
    group: &'static str,
    groups: [(&'static str, &'static str); 5],
    problem: Option<&'static str>,
    lines: Vec<LineView>,
    next: Option<String>,
    is_first: bool,
}

struct LineView {
    href: String,
    reference: String,
    partner: String,
    customer: Option<String>,
    card: Option<CardPart>,
    status: Badge,
    service: String,
    amount: Amount,
    processed: Amount,
    created_at: Moment,
}

const GROUPS: [(&str, &str, Group); 5] = [
    ("", "All", Group::All),
    ("open", "Not ended", Group::Open),
    ("paid", "Paid", Group::Paid),
    ("unpaid", "Ended, not all of it paid", Group::Unpaid),
    ("returned", "Came back", Group::Returned),
];

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    let after = parse_after(query.after.as_deref())?;
    let is_first = after.is_none();
    let wanted = query.group.as_deref().unwrap_or("");
    let (group, _, chosen) = GROUPS.into_iter().find(|(key, ..)| *key == wanted).ok_or(PageError::NotFound)?;
    let (reference, found, problem) = match typed(query.reference.as_deref()) {
        Typed::Nothing => (String::new(), Some(RequestSearch::Group(chosen)), None),
        Typed::Text(text) => {
            let search = text.parse().map_or_else(|_| RequestSearch::Reference(text.clone()), RequestSearch::Id);
            (text, Some(search), None)
        }
        Typed::CardNumber => (String::new(), None, Some(CARD_NUMBER_TYPED)),
        Typed::TooLong => (String::new(), None, Some("A reference has up to 128 characters.")),
    };
    let found = match found {
        Some(search) => desk.requests(mode, &search, after).await?,
        None => Page { lines: Vec::new(), next: None },
    };
    let page = RequestsPage {
        frame: Frame::new(&visitor, &desk, mode, Section::Requests),
        reference,
        group,
        groups: GROUPS.map(|(key, text, _)| (key, text)),
        problem,
        next: found.next.as_ref().map(after_text),
        lines: found.lines.iter().map(|line| line_view(line, mode.as_str(), desk.assets())).collect(),
        is_first,
    };
    Ok(html(HttpResponse::Ok(), &page)?)
}

fn line_view(line: &RequestLine, mode: &str, assets: &Assets) -> LineView {
    LineView {
        href: format!("/dashboard/{mode}/requests/{}/{}", line.partner, line.id),
        reference: outside(&line.reference_id),
        partner: line.partner.clone(),
        customer: line.customer.as_deref().map(outside),
        card: line.card.as_ref().map(CardPart::from),
        status: words::request_state(line.status, line.moderation_reason.as_deref()),
        service: line.service.clone(),
        amount: Amount::of(line.amount, line.currency, assets),
        processed: Amount::of(line.amount_processed, line.currency, assets),
        created_at: Moment::of(line.created_at),
    }
}
