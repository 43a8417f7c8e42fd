//! Switching an account, a route or a point on or off. Where a second person is needed, switching on waits for one; switching off never does.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::accounts;
use super::detail::{Action, Input, InputKind};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::html;
use super::visitor::{Visitor, check_form, whence};
use crate::domain::ids::Mode;
use crate::staff::books::Accounts;
use crate::staff::desk::Desk;
use crate::staff::manage::{Done, MANAGES, Switched};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    form_token: String,
    /// `pac_....3.demo`: its id, the version that was seen, and its owner.
    what: String,
    to: String,
}

/// The form, with everything that can be switched and how it stands now.
pub fn action(mode: Mode, read: &Accounts, may_manage: bool) -> Action {
    let mut options: Vec<(String, String)> = Vec::new();
    let mut option = |id: String, version: i32, partner: &str, kind: &str, code: &str, enabled: bool| {
        let state = if enabled { "on" } else { "off" };
        options.push((format!("{id}.{version}.{partner}"), format!("{kind} {code} of {partner}, which is {state}")));
    };
    for one in &read.accounts {
        option(one.id.to_string(), one.version, &one.partner, "Provider account", &one.code, one.enabled);
    }
    for one in &read.deposits {
        option(one.id.to_string(), one.version, &one.partner, "Deposit account", &one.code, one.enabled);
    }
    for one in &read.routes {
        option(one.id.to_string(), one.version, &one.partner, "Route", &one.code, one.enabled);
    }
    for one in &read.points {
        option(one.id.to_string(), one.version, &one.partner, "Payout point", &one.code, one.enabled);
    }
    let to = vec![("off".to_owned(), "Off: nothing more goes over it".to_owned()), ("on".to_owned(), "On".to_owned())];
    let choice = |name, label: &str, options| Input {
        name,
        label: label.to_owned(),
        value: String::new(),
        kind: InputKind::Choice(options),
        is_required: true,
    };
    Action {
        href: format!("/dashboard/{mode}/accounts/switch"),
        hint: "What was sent already goes on. Where a second person is needed, switching on waits for one.".to_owned(),
        hidden: Vec::new(),
        inputs: vec![choice("what", "What", options), choice("to", "To", to)],
        button: "Switch".to_owned(),
        why_not: (!may_manage).then(|| format!("A role of {MANAGES} or above does this.")),
    }
}

pub async fn submit(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    path: web::Path<String>,
    typed: web::Form<Typed>,
) -> Result<HttpResponse, PageError> {
    check_form(&visitor, &typed.form_token)?;
    visitor.needs(MANAGES)?;
    let mode = served(&desk, &path)?;
    let mut parts = typed.what.splitn(3, '.');
    let (id, version, partner) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let outcome = match (switched(id), version.parse::<i32>(), typed.to.as_str()) {
        (Some(what), Ok(version), "on" | "off") => {
            let is_on = typed.to == "on";
            let origin = whence(&http).origin();
            desk.switch(&visitor.0.owner, origin, (mode, partner), (what, version), is_on).await?
        }
        _ => Done::Refused("Choose what is to be switched, and how.".to_owned()),
    };
    let done = match outcome {
        Done::Done => "done",
        Done::Waits(_) => "waits",
        Done::Refused(problem) => {
            let read = desk.accounts(mode).await?;
            let frame = Frame::new(&visitor, &desk, mode, Section::Accounts);
            let mut page = accounts::view(frame, &read, desk.assets());
            page.notice(false, format!("Nothing was done. {problem}"));
            return Ok(html(HttpResponse::UnprocessableEntity(), &page)?);
        }
    };
    let location = format!("/dashboard/{mode}/accounts?done={done}");
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
}

fn switched(id: &str) -> Option<Switched> {
    let account = || id.parse().ok().map(Switched::Account);
    let deposit = || id.parse().ok().map(Switched::Deposit);
    let route = || id.parse().ok().map(Switched::Route);
    account().or_else(deposit).or_else(route).or_else(|| id.parse().ok().map(Switched::Point))
}
