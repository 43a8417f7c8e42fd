//! The list of payout schemes.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::href;
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::frame::{Frame, Section, served};
use crate::http::dashboard::parts::{Moment, html, outside};
use crate::http::dashboard::query::{after_text, parse_after};
use crate::http::dashboard::visitor::Visitor;
use crate::staff::desk::Desk;

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "schemes/list.html", config = "web/askama.toml")]
struct ListPage {
    frame: Frame,
    lines: Vec<Line>,
    next: Option<String>,
    is_first: bool,
}

struct Line {
    href: String,
    name: String,
    code: String,
    partner: String,
    version: i32,
    changed: Moment,
    points: i64,
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
    let found = desk.schemes(mode, after).await?;
    let lines = found.lines.iter().map(|line| Line {
        href: href(mode, &line.partner, line.id),
        name: outside(&line.name),
        code: line.code.clone(),
        partner: line.partner.clone(),
        version: line.version,
        changed: Moment::of(line.updated_at),
        points: line.points,
    });
    let page = ListPage {
        lines: lines.collect(),
        next: found.next.as_ref().map(after_text),
        is_first,
        frame: Frame::new(&visitor, &desk, mode, Section::Schemes),
    };
    Ok(html(HttpResponse::Ok(), &page)?)
}
