//! The form that puts a document in force: checked first, with what it changes.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::{href, terms_at};
use crate::config::pricing::terms::parse;
use crate::http::dashboard::approvals;
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::frame::{Frame, Section};
use crate::http::dashboard::parts::{html, outside};
use crate::http::dashboard::schemes::diff::Diff;
use crate::http::dashboard::schemes::fields::Fields;
use crate::http::dashboard::schemes::json::pretty;
use crate::http::dashboard::schemes::not_json;
use crate::http::dashboard::visitor::{Visitor, check_form, whence};
use crate::staff::desk::Desk;
use crate::staff::moderation::Word;
use crate::staff::schemes::SchemeError;
use crate::staff::terms::{NewTerms, TERMS, TermsPage};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// The version that the draft begins with; else the one in force.
    from: Option<i32>,
}

#[derive(Template)]
#[template(path = "partners/edit.html", config = "web/askama.toml")]
struct EditPage {
    frame: Frame,
    href: String,
    partner: String,
    needs_second_person: bool,
    /// The version that the draft follows.
    base: i32,
    in_force: i32,
    json: String,
    reason: String,
    diff: Option<Diff>,
    problems: Vec<String>,
    is_sound: bool,
}

/// What was typed, and what is said of it.
struct Draft {
    text: String,
    body: Option<Value>,
    base: i32,
    reason: String,
    problems: Vec<String>,
    is_sound: bool,
    status: StatusCode,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    visitor.needs(TERMS)?;
    let (mode, partner) = path.into_inner();
    let (_, page) = terms_at(&desk, (&mode, &partner)).await?;
    let body = match query.from {
        Some(version) => desk.partner_terms_version(&page, version).await?.body,
        None => page.body(),
    };
    let draft = Draft {
        text: pretty(&body),
        body: Some(body),
        base: page.version(),
        reason: String::new(),
        problems: Vec::new(),
        is_sound: false,
        status: StatusCode::OK,
    };
    show(&visitor, &desk, &page, draft)
}

pub async fn submit(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, PageError> {
    // Nothing is read of whoever may not change anything anyway.
    visitor.needs(TERMS)?;
    let fields = Fields::read(payload).await?;
    check_form(&visitor, fields.get("form_token"))?;
    let (mode, partner) = path.into_inner();
    let (mode, page) = terms_at(&desk, (&mode, &partner)).await?;
    let text = fields.raw("body").replace("\r\n", "\n");
    let mut draft = Draft {
        body: None,
        base: fields.get("version").parse().unwrap_or(page.version()),
        reason: fields.get("reason").to_owned(),
        problems: Vec::new(),
        is_sound: false,
        status: StatusCode::OK,
        text,
    };
    let document: Value = match parse(&draft.text) {
        Ok(document) => document,
        Err(error) => {
            // Of a member that is there twice no place is known.
            let is_placed = error.line() > 0 && !error.is_data();
            draft.problems.push(if is_placed { not_json(&error) } else { error.to_string() });
            draft.status = StatusCode::UNPROCESSABLE_ENTITY;
            return show(&visitor, &desk, &page, draft);
        }
    };
    let is_check = match fields.get("op") {
        "check" => true,
        "set" => false,
        _ => return Err(PageError::Form),
    };
    let done = if is_check {
        desk.check_partner_terms(&page, &document).await
    } else {
        let new = NewTerms { document: document.clone(), reason: draft.reason.clone(), follows: draft.base };
        match desk.set_partner_terms(&visitor.0.owner, whence(&http).origin(), &page, new).await {
            Ok(Word::Waits(waits)) => return Ok(approvals::to_waiting(mode, &waits)),
            Ok(Word::Done(_)) => {
                let location = format!("{}?done=set", href(mode, &page.partner));
                return Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish());
            }
            Err(error) => Err(error),
        }
    };
    match done {
        Ok(()) => draft.is_sound = true,
        Err(SchemeError::Invalid(problems)) => {
            draft.status = StatusCode::UNPROCESSABLE_ENTITY;
            draft.problems = problems.into_iter().map(|problem| problem.detail).collect();
        }
        Err(SchemeError::Refused(why)) => {
            draft.status = StatusCode::CONFLICT;
            draft.problems.push(why);
        }
        Err(error) => return Err(error.into()),
    }
    draft.text = pretty(&document);
    draft.body = Some(document);
    show(&visitor, &desk, &page, draft)
}

fn show(visitor: &Visitor, desk: &Desk, page: &TermsPage, draft: Draft) -> Result<HttpResponse, PageError> {
    let diff = draft.body.as_ref().map(|body| Diff::of(&page.body(), body)).filter(|diff| !diff.is_empty());
    let view = EditPage {
        frame: Frame::new(visitor, desk, page.tenant.mode, Section::Partners),
        href: href(page.tenant.mode, &page.partner),
        partner: outside(&page.partner),
        needs_second_person: page.needs_second_person,
        base: draft.base,
        in_force: page.version(),
        json: outside(&draft.text),
        reason: outside(&draft.reason),
        diff,
        problems: draft.problems.iter().map(|problem| outside(problem)).collect(),
        is_sound: draft.is_sound,
    };
    Ok(html(HttpResponse::build(draft.status), &view)?)
}
