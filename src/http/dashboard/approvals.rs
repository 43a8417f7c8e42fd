//! Changes that wait for a second person: what would be changed, before and after, and the form with which somebody else than whoever
//! asked approves or declines it.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::cell::{At, Cell, Column, Table};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::{Badge, Moment, Tone, html, outside, raw};
use super::schemes::drafted::Drafted;
use super::visitor::{Visitor, check_form, whence};
use crate::domain::ids::{ApprovalId, Mode};
use crate::staff::approvals::{Approval, ApprovalError, SettleError};
use crate::staff::desk::Desk;
use crate::staff::moderation::{DECIDES, Waits, may_decide};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    asked: Option<String>,
}

/// What waits, and below it what is over.
pub struct Approvals;

const fn what() -> Column<Approval> {
    Column::plain("What", |line, at| Cell::link(at.href(format_args!("approvals/{}", line.id)), action(line)))
}

const fn of() -> Column<Approval> {
    Column::outside("Of", |line, _| Cell::text(&line.object))
}

const fn partner() -> Column<Approval> {
    Column::plain("Partner", |line, _| Cell::text(&line.partner))
}

const fn asked_by() -> Column<Approval> {
    Column::outside("Asked by", |line, _| Cell::text(&line.asked_by))
}

const fn asked_at() -> Column<Approval> {
    Column::plain("At", |line, _| Cell::moment(line.asked_at))
}

/// Those that are over.
const DECIDED: &[Column<Approval>] = &[
    what(),
    of(),
    partner(),
    asked_by(),
    asked_at(),
    Column::plain("Ended", |line, _| Cell::Badge(status(line))),
    Column::outside("By", |line, _| Cell::maybe(line.decided_by.as_ref())),
];

impl List for Approvals {
    type Line = Approval;
    type Search = ();
    const SECTION: Section = Section::Approvals;
    const PATH: &'static str = "approvals";
    const SAID: Said = Said {
        title: "Approvals",
        intro: Some("Changes that wait for somebody else than whoever asked, oldest first."),
        caption: "Waiting",
        order: Order::OldestFirst,
        nothing_yet: "No change waits for a second person in {mode} mode.",
        nothing_fits: "",
    };
    const COLUMNS: &'static [Column<Approval>] = &[
        what(),
        of(),
        partner(),
        asked_by(),
        asked_at(),
        Column::plain("Ends", |line, _| Cell::moment(line.expires_at)),
    ];

    async fn lines(source: &Source, wanted: Wanted<'_, ()>) -> Result<Lines<Approval>, PageError> {
        Ok(source.desk.waiting_approvals(wanted.mode, wanted.after()?, wanted.lines_max).await?.into())
    }

    async fn besides(source: &Source, mode: Mode) -> Result<Option<(&'static str, Table)>, PageError> {
        let decided = source.desk.decided_approvals(mode).await?;
        let at = At { mode, assets: source.desk.assets() };
        Ok(Some(("Asked last and over", Table::of(DECIDED, &decided, at))))
    }
}

/// `moderation.decide` as `Moderation decide`.
fn action(approval: &Approval) -> String {
    let text = approval.action.replace(['.', '_'], " ");
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn status(approval: &Approval) -> Badge {
    match approval.status.as_str() {
        "open" => Badge::new(Tone::Open, "Waits"),
        "applied" => Badge::new(Tone::Good, "Approved and made"),
        "declined" => Badge::new(Tone::Bad, "Declined"),
        "stale" => Badge::new(Tone::Bad, "Couldn't be made any more"),
        _ => Badge::new(Tone::Neutral, "Expired"),
    }
}

struct LineView {
    action: String,
    object: String,
    partner: String,
    asked_by: String,
    asked_at: Moment,
    expires_at: Moment,
    status: Badge,
    decided_by: Option<String>,
}

impl LineView {
    fn of(approval: &Approval) -> Self {
        Self {
            action: action(approval),
            object: outside(&approval.object),
            partner: approval.partner.clone(),
            asked_by: outside(&approval.asked_by),
            asked_at: Moment::of(approval.asked_at),
            expires_at: Moment::of(approval.expires_at),
            status: status(approval),
            decided_by: approval.decided_by.as_deref().map(outside),
        }
    }
}

#[derive(Template)]
#[template(path = "approval.html", config = "web/askama.toml")]
struct View {
    frame: Frame,
    line: LineView,
    asked_origin: Option<String>,
    before: Option<String>,
    after: Option<String>,
    /// What was sent, where that is more than the audit trail keeps.
    wish: Option<String>,
    /// What is another value than before, member by member.
    changed: Vec<(String, String, String)>,
    decided_at: Option<Moment>,
    reason: Option<String>,
    form: Option<Form>,
    was_asked: bool,
    scheme: Option<Drafted>,
}

struct Form {
    action: String,
    why_not: Option<String>,
    typed: Typed,
    problem: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    form_token: String,
    /// `approve` or `decline`.
    decision: String,
    reason: String,
}

/// The way to a change that waits from now on.
pub fn to_waiting(mode: Mode, waits: &Waits) -> HttpResponse {
    let location = format!("/dashboard/{mode}/approvals/{}?asked=now", waits.id);
    HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()
}

pub async fn one(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (mode, id) = place(&desk, path.into_inner())?;
    answer(&visitor, &desk, (mode, id), Typed::default(), None, query.asked.is_some(), StatusCode::OK).await
}

fn place(desk: &Desk, (mode, id): (String, String)) -> Result<(Mode, ApprovalId), PageError> {
    Ok((served(desk, &mode)?, id.parse().map_err(|_| PageError::NotFound)?))
}

async fn answer(
    visitor: &Visitor,
    desk: &Desk,
    (mode, id): (Mode, ApprovalId),
    typed: Typed,
    problem: Option<String>,
    was_asked: bool,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let page = desk.approval(mode, id).await?.ok_or(PageError::NotFound)?;
    let (approval, told, least) = (&page.approval, &page.told, page.least);
    let scheme = match &page.scheme {
        Some(drafted) => Some(Drafted::of(desk, (mode, &approval.partner), drafted, approval.status == "open").await?),
        None => None,
    };
    let role = visitor.0.owner.role;
    let form = (approval.status == "open").then(|| Form {
        action: format!("/dashboard/{mode}/approvals/{id}/decide"),
        why_not: (role < least)
            .then(|| format!("You are signed in as {role}: somebody with the role {least} or above decides.")),
        typed,
        problem,
    });
    let view = View {
        frame: Frame::new(visitor, desk, mode, Section::Approvals),
        line: LineView::of(approval),
        asked_origin: approval.asked_origin.as_deref().map(outside),
        before: told.before.as_ref().map(raw),
        after: told.after.as_ref().map(raw),
        wish: page.wish.as_ref().map(raw),
        changed: changed(told.before.as_ref(), told.after.as_ref()),
        decided_at: approval.decided_at.map(Moment::of),
        reason: approval.reason.as_deref().map(outside),
        form,
        was_asked,
        scheme,
    };
    Ok(html(HttpResponse::build(status), &view)?)
}

/// The members that differ, with what they were and are. Members of members are told by themselves; what a decision makes of a request
/// (`is_now`) is compared with what the request was.
fn changed(before: Option<&serde_json::Value>, after: Option<&serde_json::Value>) -> Vec<(String, String, String)> {
    let (Some(before), Some(after)) = (before.filter(|it| it.is_object()), after.filter(|it| it.is_object())) else {
        return Vec::new();
    };
    let (mut were, mut are) = (Vec::new(), Vec::new());
    leaves(before, "", &mut were);
    leaves(after, "", &mut are);
    let was = |name: &str| were.iter().find(|(known, _)| known == name).map_or("none", |(_, text)| text.as_str());
    are.iter()
        .map(|(name, is)| (name.strip_prefix("is_now.").unwrap_or(name), is))
        .filter(|(name, is)| was(name) != is.as_str())
        .map(|(name, is)| (name.replace('.', " \u{203a} "), was(name).to_owned(), is.clone()))
        .collect()
}

fn leaves(value: &serde_json::Value, at: &str, told: &mut Vec<(String, String)>) {
    let text = match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                let dot = if at.is_empty() { "" } else { "." };
                leaves(value, &format!("{at}{dot}{}", outside(name)), told);
            }
            return;
        }
        serde_json::Value::Null => "none".to_owned(),
        serde_json::Value::String(text) => outside(text),
        other => outside(&other.to_string()),
    };
    told.push((at.to_owned(), text));
}

pub async fn submit(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    path: web::Path<(String, String)>,
    typed: web::Form<Typed>,
) -> Result<HttpResponse, PageError> {
    let typed = typed.into_inner();
    check_form(&visitor, &typed.form_token)?;
    let place = place(&desk, path.into_inner())?;
    if !may_decide(visitor.0.owner.role) {
        let problem = super::account::sentence(&SettleError::Role(DECIDES));
        return answer(&visitor, &desk, place, typed, Some(problem), false, StatusCode::FORBIDDEN).await;
    }
    let is_approved = match typed.decision.as_str() {
        "approve" => true,
        "decline" => false,
        _ => {
            let problem = "Choose what is to happen.".to_owned();
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return answer(&visitor, &desk, place, typed, Some(problem), false, status).await;
        }
    };
    let origin = whence(&http).origin();
    match desk.settle_approval(&visitor.0.owner, origin, place, is_approved, &typed.reason).await {
        Ok(()) => {
            let location = format!("/dashboard/{}/approvals/{}", place.0, place.1);
            Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
        }
        Err(error) => {
            let status = match &error {
                SettleError::Role(_) | SettleError::Approval(ApprovalError::SamePerson) => StatusCode::FORBIDDEN,
                SettleError::Approval(ApprovalError::NoReason) => StatusCode::UNPROCESSABLE_ENTITY,
                SettleError::Approval(ApprovalError::Over | ApprovalError::Stale(_)) => StatusCode::CONFLICT,
                SettleError::Approval(ApprovalError::NotFound) => return Err(PageError::NotFound),
                SettleError::Approval(ApprovalError::Failed(_)) => return Err(PageError::from(error)),
            };
            let problem = super::account::sentence(&error);
            answer(&visitor, &desk, place, typed, Some(problem), false, status).await
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_told_member_by_member() {
        let (before, after) = (json!({"a": 1, "b": "x", "c": null}), json!({"a": 1, "b": "y", "c": true, "d": [1]}));
        let told = changed(Some(&before), Some(&after));
        let told: Vec<_> = told.iter().map(|(name, was, is)| (name.as_str(), was.as_str(), is.as_str())).collect();
        assert_eq!(told, [("b", "x", "y"), ("c", "none", "true"), ("d", "none", "[1]")]);
        assert!(changed(None, Some(&after)).is_empty());
        let (before, after) = (
            json!({"status": "pending", "payout": {"id": 1, "status": "unknown"}}),
            json!({"decision": {"reason": "why"}, "is_now": {"status": "failed", "payout": {"id": 1, "status": "failed"}}}),
        );
        let told = changed(Some(&before), Some(&after));
        let told: Vec<_> = told.iter().map(|(name, was, is)| (name.as_str(), was.as_str(), is.as_str())).collect();
        let status = ("payout \u{203a} status", "unknown", "failed");
        assert_eq!(told, [("decision \u{203a} reason", "none", "why"), status, ("status", "pending", "failed")]);
    }
}
