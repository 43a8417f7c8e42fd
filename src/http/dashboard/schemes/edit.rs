//! The editor of a payout scheme.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use super::diff::Diff;
use super::draft::{Look, Op, apply};
use super::fields::Fields;
use super::json::pretty;
use super::one::Head;
use super::replay::ReplayView;
use super::tree::{Drawing, Tree};
use super::{href, not_json, scheme_at};
use crate::gateway::access::Problem;
use crate::http::dashboard::approvals;
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::frame::{Frame, Section};
use crate::http::dashboard::parts::{html, outside};
use crate::http::dashboard::visitor::{Visitor, check_form, whence};
use crate::staff::desk::Desk;
use crate::staff::moderation::Word;
use crate::staff::schemes::{Draft, REPLAYED_MAX, ROUTES, SchemeError, SchemePage};

/// How many requests are replayed unless somebody says otherwise.
const REPLAYED: i64 = 100;

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    /// The version that the draft begins with; else the one in force.
    from: Option<i32>,
}

#[derive(Template)]
#[template(path = "schemes/edit.html", config = "web/askama.toml")]
struct EditPage {
    frame: Frame,
    head: Head,
    needs_second_person: bool,
    /// The version that the draft follows.
    base: i32,
    json: String,
    tree: Option<Tree>,
    diff: Option<Diff>,
    /// What Enter does in a field.
    default_op: String,
    comment: String,
    last: String,
    last_max: i64,
    /// About the whole.
    problem: Option<String>,
    /// How many problems stand at nodes.
    faults: usize,
    is_sound: bool,
    replay: Option<ReplayView>,
    services: Vec<String>,
}

/// What is said of a draft.
#[derive(Default)]
struct Said {
    problem: Option<String>,
    problems: Vec<Problem>,
    look: Look,
    replay: Option<ReplayView>,
    is_checked: bool,
    status: StatusCode,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id) = path.into_inner();
    let (_, page) = scheme_at(&desk, (&mode, &partner, &id)).await?;
    visitor.needs(ROUTES)?;
    let body = match query.from {
        Some(version) => desk.scheme_version(&page, version).await?.body,
        None => page.current.body.clone(),
    };
    let typed = Typed { base: page.line.version, comment: String::new(), last: REPLAYED.to_string() };
    let (text, said) = (pretty(&body), Said::default());
    show(&visitor, &desk, &page, (text, Some(body)), typed, said)
}

/// What was typed beside the draft.
struct Typed {
    base: i32,
    comment: String,
    last: String,
}

pub async fn submit(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    path: web::Path<(String, String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, PageError> {
    // Nothing is read of whoever may not change anything anyway.
    let is_allowed = visitor.needs(ROUTES);
    let fields = match &is_allowed {
        Ok(()) => Fields::read(payload).await?,
        Err(_) => Fields::default(),
    };
    is_allowed?;
    check_form(&visitor, fields.get("form_token"))?;
    let (mode, partner, id) = path.into_inner();
    let (mode, page) = scheme_at(&desk, (&mode, &partner, &id)).await?;
    let typed = Typed {
        base: fields.get("version").parse().unwrap_or(page.line.version),
        comment: fields.get("comment").to_owned(),
        last: fields.get("last").to_owned(),
    };
    let text = fields.raw("body").replace("\r\n", "\n");
    let mut said = Said::default();
    let mut body: Value = match serde_json::from_str(&text) {
        Ok(body) => body,
        Err(error) => {
            said.problem = Some(not_json(&error));
            said.status = StatusCode::UNPROCESSABLE_ENTITY;
            return show(&visitor, &desk, &page, (text, None), typed, said);
        }
    };
    let op = Op::parse(fields.get("op")).ok_or(PageError::Form)?;
    match apply(&mut body, &op, &fields, &page.ground) {
        Ok(look) => said.look = look,
        Err(why) => {
            said.problem = Some(outside(&why));
            said.status = StatusCode::UNPROCESSABLE_ENTITY;
        }
    }
    if said.problem.is_none() {
        let done = match op {
            Op::Publish => match publish(&visitor, &desk, &http, &page, &body, &typed).await {
                Ok(Word::Waits(waits)) => return Ok(approvals::to_waiting(mode, &waits)),
                Ok(Word::Done(())) => {
                    let location = format!("{}?done=published", href(mode, &partner, page.line.id));
                    return Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish());
                }
                Err(error) => Err(error),
            },
            Op::Simulate => replay(&desk, &page, &body, &typed.last).await.map(|replay| said.replay = Some(replay)),
            _ => desk.check_scheme(&page, &body).await,
        };
        refused(done, &mut said)?;
    }
    let text = pretty(&body);
    show(&visitor, &desk, &page, (text, Some(body)), typed, said)
}

async fn publish(
    visitor: &Visitor,
    desk: &Desk,
    http: &HttpRequest,
    page: &SchemePage,
    body: &Value,
    typed: &Typed,
) -> Result<Word<()>, SchemeError> {
    let comment = (!typed.comment.is_empty()).then(|| typed.comment.clone());
    let draft = Draft { body: body.clone(), comment, version: typed.base };
    let origin = whence(http).origin();
    Ok(match desk.publish_scheme(&visitor.0.owner, origin, page, &draft).await? {
        Word::Done(_) => Word::Done(()),
        Word::Waits(waits) => Word::Waits(waits),
    })
}

async fn replay(desk: &Desk, page: &SchemePage, body: &Value, last: &str) -> Result<ReplayView, SchemeError> {
    let last = last.parse().ok().filter(|last| (1..=REPLAYED_MAX).contains(last));
    let last = last.ok_or_else(|| {
        SchemeError::Refused(format!("How many requests are replayed is a number from 1 to {REPLAYED_MAX}."))
    })?;
    Ok(ReplayView::of(&desk.replay_scheme(page, body, last).await?, desk.assets()))
}

/// Writes down what was refused, for the page.
fn refused(done: Result<(), SchemeError>, said: &mut Said) -> Result<(), PageError> {
    match done {
        Ok(()) => said.is_checked = true,
        Err(SchemeError::Invalid(problems)) => {
            said.status = StatusCode::UNPROCESSABLE_ENTITY;
            for problem in problems {
                match problem.pointer.strip_prefix("/body") {
                    Some(pointer) => said.problems.push(Problem { pointer: pointer.to_owned(), ..problem }),
                    None => {
                        let name = problem.pointer.trim_start_matches('/').to_owned();
                        said.problem = Some(outside(&format!("{name}: {}", problem.detail)));
                    }
                }
            }
        }
        Err(SchemeError::Refused(why)) => {
            said.status = StatusCode::CONFLICT;
            said.problem = Some(outside(&why));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn show(
    visitor: &Visitor,
    desk: &Desk,
    page: &SchemePage,
    (text, body): (String, Option<Value>),
    typed: Typed,
    said: Said,
) -> Result<HttpResponse, PageError> {
    let mut drawing = Drawing::of(&page.ground);
    (drawing.problems, drawing.is_edited) = (&said.problems, true);
    (drawing.open, drawing.focus) = (said.look.open.as_deref(), said.look.focus.as_deref());
    let has = |code: &String| body.as_ref().is_some_and(|body| body["services"].get(code).is_some());
    let mut services: Vec<String> = page.ground.services.keys().filter(|code| !has(code)).cloned().collect();
    services.sort();
    let diff = body.as_ref().map(|body| Diff::of(&page.current.body, body)).filter(|diff| !diff.is_empty());
    let view = EditPage {
        frame: Frame::new(visitor, desk, page.tenant.mode, Section::Schemes),
        head: Head::of(page),
        needs_second_person: page.needs_second_person,
        base: typed.base,
        tree: body.as_ref().map(|body| Tree::of(body, &drawing)),
        diff,
        default_op: said.look.open.as_ref().map_or_else(|| "check".to_owned(), |at| format!("set:{at}")),
        comment: outside(&typed.comment),
        last: outside(&typed.last),
        last_max: REPLAYED_MAX,
        faults: said.problems.len(),
        is_sound: said.is_checked,
        problem: said.problem,
        replay: said.replay,
        services,
        json: outside(&text),
    };
    Ok(html(HttpResponse::build(said.status), &view)?)
}
