//! One API key: making it, which shows it once; looking at it; revoking it.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use serde::Deserialize;

use super::cell::Cell;
use super::detail::{Action, Body, Detail, Input, InputKind};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Badge, Tone, html, outside};
use super::visitor::{Visitor, check_form, whence};
use crate::domain::ids::Mode;
use crate::staff::books::KeyLine;
use crate::staff::desk::Desk;
use crate::staff::manage::{Done, KEEPS_KEYS, MadeKey, NewKey, Scope};

/// What was typed. Boxes come under the names of the scopes.
pub type Typed = Vec<(String, String)>;

fn of<'t>(typed: &'t [(String, String)], name: &str) -> &'t str {
    typed.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    done: Option<String>,
}

/// The form.
pub async fn form(visitor: Visitor, desk: web::Data<Desk>, mode: web::Path<String>) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(KEEPS_KEYS)?;
    let page = making(&visitor, &desk, mode, &[]).await?;
    Ok(html(HttpResponse::Ok(), &page)?)
}

async fn making(visitor: &Visitor, desk: &Desk, mode: Mode, typed: &[(String, String)]) -> Result<Detail, PageError> {
    let partners = desk.partners().await?;
    let partners = partners
        .into_iter()
        .map(|partner| (partner.code.clone(), format!("{} ({})", outside(&partner.name), partner.code)));
    let text = |name, label: &str, is_required| Input {
        name,
        label: label.to_owned(),
        value: outside(of(typed, name)),
        kind: InputKind::Text,
        is_required,
    };
    let is_chosen = |name: &str| of(typed, name) == "yes";
    let scopes =
        Scope::ALL.map(|scope| (scope.as_str().to_owned(), scope.as_str().to_owned(), is_chosen(scope.as_str())));
    let boxes = |name, label: &str, boxes| Input {
        name,
        label: label.to_owned(),
        value: String::new(),
        kind: InputKind::Boxes(boxes),
        is_required: false,
    };
    let signed = ("signed".to_owned(), "Its requests are signed with a second secret".to_owned(), is_chosen("signed"));
    let action = Action {
        href: format!("/dashboard/{mode}/keys/new"),
        hint: "The key is shown once, on the next page. Give it no more than its holder needs.".to_owned(),
        hidden: Vec::new(),
        inputs: vec![
            Input {
                name: "partner",
                label: "For".to_owned(),
                value: of(typed, "partner").to_owned(),
                kind: InputKind::Choice(partners.collect()),
                is_required: true,
            },
            text("name", "Name, by which people know it again", true),
            boxes("scopes", "What it may do", scopes.to_vec()),
            text(
                "allowed_ips",
                "Addresses or networks that it may be used from, with commas between; empty: any",
                false,
            ),
            text("days", "Days until it expires; empty: never", false),
            boxes("signing", "Signing", vec![signed]),
        ],
        button: "Make the key".to_owned(),
        why_not: None,
    };
    let mut page = Detail::new(Frame::new(visitor, desk, mode, Section::Keys), "Make an API key");
    page.crumb = Some((format!("/dashboard/{mode}/keys"), "API keys"));
    page.section("make", "The key", Body::Action(action));
    Ok(page)
}

pub async fn make(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    mode: web::Path<String>,
    typed: web::Form<Typed>,
) -> Result<HttpResponse, PageError> {
    check_form(&visitor, of(&typed, "form_token"))?;
    visitor.needs(KEEPS_KEYS)?;
    let mode = served(&desk, &mode)?;
    let days = of(&typed, "days");
    let made = match days.parse::<u16>() {
        Err(_) if !days.is_empty() => Err("Days are a number up to 65535.".to_owned()),
        parsed => {
            let allowed_ips = of(&typed, "allowed_ips").split(',').map(str::trim).filter(|text| !text.is_empty());
            let new = NewKey {
                name: of(&typed, "name").to_owned(),
                scopes: Scope::ALL.into_iter().filter(|scope| of(&typed, scope.as_str()) == "yes").collect(),
                allowed_ips: allowed_ips.map(str::to_owned).collect(),
                expires_at: parsed.ok().map(|days| desk.now() + TimeDelta::days(i64::from(days))),
                signing_required: of(&typed, "signed") == "yes",
            };
            let origin = whence(&http).origin();
            desk.make_partner_key(&visitor.0.owner, origin, (mode, of(&typed, "partner")), new).await?
        }
    };
    match made {
        Ok(made) => {
            let frame = Frame::new(&visitor, &desk, mode, Section::Keys);
            Ok(html(HttpResponse::Ok(), &shown_once(frame, mode, made))?)
        }
        Err(problem) => {
            let mut page = making(&visitor, &desk, mode, &typed).await?;
            page.notice(false, format!("No key was made. {problem}"));
            Ok(html(HttpResponse::UnprocessableEntity(), &page)?)
        }
    }
}

fn shown_once(frame: Frame, mode: Mode, made: MadeKey) -> Detail {
    let mut page = Detail::new(frame, "The key, this once");
    page.crumb = Some((format!("/dashboard/{mode}/keys"), "API keys"));
    page.badge = Some(match made.waits {
        Some(_) => Badge::new(Tone::Open, "Waits for a second person"),
        None => Badge::new(Tone::Good, "Works now"),
    });
    page.notice(true, "Copy it now and hand it over in a safe way: it is kept nowhere and can't be shown again.");
    if made.waits.is_some() {
        page.notice(false, "It opens nothing before somebody else has approved it, under Approvals.");
    }
    page.secrets.push(("The key", made.secrets.expose().to_owned()));
    if let Some(signing) = &made.secrets.signing {
        page.secrets.push(("What its requests are signed with", signing.expose().to_owned()));
    }
    page.facts("key", "Known as", [("Id", Cell::id(made.id))]);
    page
}

/// One key, without its secrets.
pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    visitor.needs(KEEPS_KEYS)?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let key = desk.partner_key(mode, &partner, id).await?.ok_or(PageError::NotFound)?;
    let mut page = view(Frame::new(&visitor, &desk, mode, Section::Keys), &key);
    if query.done.is_some() {
        page.notice(true, "It is revoked: no request is let in with it any more.");
    }
    Ok(html(HttpResponse::Ok(), &page)?)
}

fn view(frame: Frame, key: &KeyLine) -> Detail {
    let mode = frame.mode;
    let mut page = Detail::new(frame, format!("API key {}", outside(&key.name)));
    page.crumb = Some((format!("/dashboard/{mode}/keys"), "API keys"));
    page.badge = Some(match key.revoked_at {
        Some(_) => Badge::new(Tone::Neutral, "Revoked"),
        None => Badge::new(Tone::Good, "Not revoked"),
    });
    let from = if key.allowed_ips.is_empty() { "anywhere".to_owned() } else { key.allowed_ips.join(", ") };
    page.facts(
        "key",
        "The key",
        [
            ("Partner", Cell::text(&key.partner)),
            ("Begins with", Cell::code(&key.prefix)),
            ("Id", Cell::id(key.id)),
            ("May", Cell::text(key.scopes.join(", "))),
            ("From", Cell::text(from)),
            ("Its requests are signed", Cell::text(if key.is_signed { "yes" } else { "no" })),
            ("Expires", Cell::maybe_moment(key.expires_at)),
            ("Last used", Cell::maybe_moment(key.last_used_at)),
            ("Made by", Cell::text(&key.created_by)),
            ("Made", Cell::moment(key.created_at)),
            ("Revoked", Cell::maybe_moment(key.revoked_at)),
        ],
    );
    if key.revoked_at.is_none() {
        let action = Action {
            href: format!("/dashboard/{mode}/keys/{}/{}/revoke", key.partner, key.id),
            hint: "It is dead at once, on every server, and can't be brought back.".to_owned(),
            hidden: Vec::new(),
            inputs: Vec::new(),
            button: "Revoke the key".to_owned(),
            why_not: None,
        };
        page.section("revoke", "Revoke", Body::Action(action));
    }
    page
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Revoking {
    form_token: String,
}

pub async fn revoke(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    path: web::Path<(String, String, String)>,
    typed: web::Form<Revoking>,
) -> Result<HttpResponse, PageError> {
    check_form(&visitor, &typed.form_token)?;
    visitor.needs(KEEPS_KEYS)?;
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    match desk.revoke_partner_key(&visitor.0.owner, whence(&http).origin(), (mode, &partner), id).await? {
        Done::Refused(_) => Err(PageError::NotFound),
        Done::Done | Done::Waits(_) => {
            let location = format!("/dashboard/{mode}/keys/{partner}/{id}?done=revoked");
            Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
        }
    }
}
