//! One staff account: made with a first password that is shown once, given another role, ended and let in again. Passwords and second
//! factors of others are reset by `landfall staff` alone.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::cell::Cell;
use super::detail::{Action, Body, Detail, Input, InputKind};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Badge, Tone, html, outside};
use super::staff::state;
use super::visitor::{Visitor, check_form, whence};
use crate::domain::ids::{Mode, StaffId};
use crate::domain::staff::Role;
use crate::staff::accounts::Listed;
use crate::staff::desk::Desk;
use crate::staff::manage::Done;
use crate::staff::people::{Invited, KEEPS_STAFF, StaffVerb};
use crate::staff::{Staff, StaffError};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Inviting {
    form_token: String,
    email: String,
    name: String,
    role: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Changing {
    form_token: String,
    /// `role`, `disable` or `enable`.
    to: String,
    role: String,
}

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    done: Option<String>,
}

type Sources = (web::Data<Desk>, web::Data<Staff>);

pub async fn form(
    visitor: Visitor,
    (desk, staff): Sources,
    mode: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(KEEPS_STAFF)?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Staff);
    Ok(html(HttpResponse::Ok(), &inviting(frame, &desk, &staff, &Inviting::default()))?)
}

fn inviting(frame: Frame, desk: &Desk, staff: &Staff, typed: &Inviting) -> Detail {
    let mode = frame.mode;
    let text = |name, label: &str, value: &str| Input {
        name,
        label: label.to_owned(),
        value: outside(value),
        kind: InputKind::Text,
        is_required: true,
    };
    let action = Action {
        href: format!("/dashboard/{mode}/staff/new"),
        hint: hint(
            desk,
            staff,
            "A first password is drawn and shown once, on the next page. It is changed at the first sign-in.",
        ),
        hidden: Vec::new(),
        inputs: vec![
            text("email", "E-mail address, which they sign in with", &typed.email),
            text("name", "Name, as pages call them", &typed.name),
            roles(&typed.role),
        ],
        button: "Make the account".to_owned(),
        why_not: None,
    };
    let mut page = Detail::new(frame, "Let somebody in");
    page.crumb = Some((format!("/dashboard/{mode}/staff"), "Staff"));
    page.section("make", "The account", Body::Action(action));
    page
}

fn hint(desk: &Desk, staff: &Staff, text: &str) -> String {
    let waits = if desk.needs_second_person(staff.mode()) { " Somebody else has to approve it." } else { "" };
    format!("{text}{waits}")
}

fn roles(chosen: &str) -> Input {
    let told = |role: Role| match role {
        Role::Viewer => "viewer: looks",
        Role::Support => "support: looks for card numbers too",
        Role::Operator => "operator: decides cases, runs routing",
        Role::Admin => "admin: keeps keys and staff",
    };
    Input {
        name: "role",
        label: "Role".to_owned(),
        value: chosen.to_owned(),
        kind: InputKind::Choice(Role::ALL.map(|role| (role.as_str().to_owned(), told(role).to_owned())).to_vec()),
        is_required: true,
    }
}

pub async fn invite(
    visitor: Visitor,
    (desk, staff): Sources,
    http: HttpRequest,
    mode: web::Path<String>,
    typed: web::Form<Inviting>,
) -> Result<HttpResponse, PageError> {
    check_form(&visitor, &typed.form_token)?;
    visitor.needs(KEEPS_STAFF)?;
    let mode = served(&desk, &mode)?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Staff);
    let made = match typed.role.parse::<Role>() {
        Ok(role) => {
            let origin = whence(&http).origin();
            staff.invite(&desk, &visitor.0.owner, origin, (&typed.email, &typed.name, role)).await
        }
        Err(error) => Err(StaffError::NotSo(error.to_string())),
    };
    match made {
        Ok(made) => Ok(html(HttpResponse::Ok(), &shown_once(frame, &typed, &made))?),
        Err(error @ (StaffError::Email(_) | StaffError::Name | StaffError::EmailTaken | StaffError::NotSo(_))) => {
            let mut page = inviting(frame, &desk, &staff, &typed);
            page.notice(false, format!("No account was made. {}", super::account::sentence(&error)));
            Ok(html(HttpResponse::UnprocessableEntity(), &page)?)
        }
        Err(error) => Err(error.into()),
    }
}

fn shown_once(frame: Frame, typed: &Inviting, made: &Invited) -> Detail {
    let mode = frame.mode;
    let mut page = Detail::new(frame, "The first password, this once");
    page.crumb = Some((format!("/dashboard/{mode}/staff"), "Staff"));
    page.badge = Some(match made.waits {
        Some(_) => Badge::new(Tone::Open, "Waits for a second person"),
        None => Badge::new(Tone::Good, "May sign in"),
    });
    page.notice(true, "Hand it over in person: it is kept nowhere and can't be shown again.");
    if made.waits.is_some() {
        page.notice(false, "There is no such account before somebody else has approved it, under Approvals.");
    }
    page.secrets.push(("First password", made.password.expose_secret().to_owned()));
    page.facts("account", "For", [("Address", Cell::text(&typed.email)), ("Id", Cell::id(made.id))]);
    page
}

pub async fn page(
    visitor: Visitor,
    (desk, staff): Sources,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    visitor.needs(KEEPS_STAFF)?;
    let (mode, id) = place(&desk, &path)?;
    let mut page = view(&visitor, &desk, &staff, mode, id).await?;
    match query.done.as_deref() {
        Some("done") => {
            page.notice(true, "Done. It holds from their next click on.");
        }
        Some("waits") => {
            page.notice(true, "It waits for a second person, under Approvals.");
        }
        _ => {}
    }
    Ok(html(HttpResponse::Ok(), &page)?)
}

fn place(desk: &Desk, (mode, id): &(String, String)) -> Result<(Mode, StaffId), PageError> {
    Ok((served(desk, mode)?, id.parse().map_err(|_| PageError::NotFound)?))
}

async fn view(visitor: &Visitor, desk: &Desk, staff: &Staff, mode: Mode, id: StaffId) -> Result<Detail, PageError> {
    let account = staff.account(id).await?.ok_or(PageError::NotFound)?;
    let mut page = Detail::new(Frame::new(visitor, desk, mode, Section::Staff), outside(&account.name));
    page.crumb = Some((format!("/dashboard/{mode}/staff"), "Staff"));
    page.badge = Some(state(&account));
    page.facts(
        "account",
        "The account",
        [
            ("Address", Cell::text(account.email.as_str())),
            ("Id", Cell::id(account.id)),
            ("Role", Cell::text(account.role.as_str())),
            ("Second factor", Cell::text(if account.has_totp { "enrolled" } else { "none" })),
            (
                "Password",
                Cell::text(if account.must_change_password { "to be changed at the sign-in" } else { "their own" }),
            ),
            ("Locked until", Cell::maybe_moment(account.locked_until)),
            ("Disabled", Cell::maybe_moment(account.disabled_at)),
            ("Last signed in, made or enabled", Cell::moment(account.active_at)),
            ("Made", Cell::moment(account.created_at)),
        ],
    );
    let is_own = account.id == visitor.0.owner.id;
    for (id, title, action) in actions(desk, staff, mode, &account, is_own) {
        page.section(id, title, Body::Action(action));
    }
    Ok(page)
}

/// What can be done to the account as it is.
fn actions(
    desk: &Desk,
    staff: &Staff,
    mode: Mode,
    account: &Listed,
    is_own: bool,
) -> Vec<(&'static str, &'static str, Action)> {
    let action = |to: &str, text: String, inputs, button: &str| Action {
        href: format!("/dashboard/{mode}/staff/{}/change", account.id),
        hint: text,
        hidden: vec![("to", to.to_owned())],
        inputs,
        button: button.to_owned(),
        why_not: is_own.then(|| "This is your own account: another admin changes it.".to_owned()),
    };
    let role = hint(desk, staff, "What they may do, from their next click on.");
    let mut actions =
        vec![("role", "Role", action("role", role, vec![roles(account.role.as_str())], "Change the role"))];
    let may_not = account.disabled_at.is_some() || account.is_unused || account.locked_until.is_some();
    if may_not {
        let text = hint(desk, staff, "Lets them in again, with the password and the second factor that they had.");
        actions.push(("enable", "Let in again", action("enable", text, Vec::new(), "Enable the account")));
    }
    if account.disabled_at.is_none() {
        let text =
            "Their sessions end at once, and what they asked for can't be approved any more. That waits for nobody.";
        actions.push((
            "disable",
            "Let in no more",
            action("disable", text.to_owned(), Vec::new(), "Disable the account"),
        ));
    }
    actions
}

pub async fn change(
    visitor: Visitor,
    (desk, staff): Sources,
    http: HttpRequest,
    path: web::Path<(String, String)>,
    typed: web::Form<Changing>,
) -> Result<HttpResponse, PageError> {
    check_form(&visitor, &typed.form_token)?;
    visitor.needs(KEEPS_STAFF)?;
    let (mode, id) = place(&desk, &path)?;
    let verb = match (typed.to.as_str(), typed.role.parse::<Role>()) {
        ("role", Ok(role)) => Some(StaffVerb::Role(role)),
        ("disable", _) => Some(StaffVerb::Disable),
        ("enable", _) => Some(StaffVerb::Enable),
        _ => None,
    };
    let outcome = match verb {
        Some(verb) => staff.manage(&desk, &visitor.0.owner, whence(&http).origin(), id, verb).await,
        None => Ok(Done::Refused("choose what is to be changed".to_owned())),
    };
    let done = match outcome {
        Ok(Done::Done) => "done",
        Ok(Done::Waits(_)) => "waits",
        Ok(Done::Refused(problem)) => {
            let mut page = view(&visitor, &desk, &staff, mode, id).await?;
            page.notice(false, format!("Nothing was done. {}", super::account::sentence(&problem)));
            return Ok(html(HttpResponse::UnprocessableEntity(), &page)?);
        }
        Err(StaffError::NoAccount) => return Err(PageError::NotFound),
        Err(error) => return Err(error.into()),
    };
    let location = format!("/dashboard/{mode}/staff/{id}?done={done}");
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
}
