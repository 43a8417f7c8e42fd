//! One's own account: the password and the second factor. Also where somebody is led who has to see to one of them first.

use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::assets::STYLE_SHEET_HREF;
use super::cookies::Cookie;
use super::error::PageError;
use super::parts::{Moment, html};
use super::visitor::{Newcomer, check_form_of, whence};
use super::zone;
use crate::staff::own::{Demand, Offer};
use crate::staff::session::OpenSession;
use crate::staff::{SignedIn, Staff, StaffError};

#[derive(Template)]
#[template(path = "account.html", config = "web/askama.toml")]
struct AccountPage<'a> {
    css: &'a str,
    form_token: String,
    name: &'a str,
    email: &'a str,
    role: &'a str,
    has_totp: bool,
    codes_left: i64,
    is_changed: bool,
    is_ended: bool,
    is_zone_set: bool,
    /// The zone's name, or nothing.
    zone: &'a str,
    zones: Vec<&'static str>,
    sessions: Vec<SessionLine>,
}

struct SessionLine {
    /// What the form sends back; nobody signs in with it.
    id: String,
    ip: String,
    user_agent: String,
    begun_at: Moment,
    seen_at: Moment,
    is_this: bool,
}

impl SessionLine {
    fn of(session: OpenSession, signed_in: &SignedIn) -> Self {
        Self {
            is_this: session.id == signed_in.token.id(),
            id: URL_SAFE_NO_PAD.encode(&session.id),
            ip: session.ip.unwrap_or_else(|| "not known".to_owned()),
            user_agent: session.user_agent.unwrap_or_else(|| "not told".to_owned()),
            begun_at: Moment::of(session.created_at),
            seen_at: Moment::of(session.last_seen_at),
        }
    }
}

#[derive(Template)]
#[template(path = "password.html", config = "web/askama.toml")]
struct PasswordPage<'a> {
    css: &'a str,
    form_token: String,
    email: &'a str,
    is_demanded: bool,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "totp.html", config = "web/askama.toml")]
struct TotpPage<'a> {
    css: &'a str,
    form_token: String,
    is_demanded: bool,
    has_totp: bool,
    offer: Option<Offer>,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "codes.html", config = "web/askama.toml")]
struct CodesPage<'a> {
    css: &'a str,
    codes: Vec<Zeroizing<String>>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    changed: Option<String>,
    ended: Option<String>,
    zone: Option<String>,
}

/// In which zone times are told beside UTC.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ZoneForm {
    form_token: String,
    zone: String,
}

/// Which sessions are to end: the named one, or all others.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct EndForm {
    form_token: String,
    session: Option<String>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct PasswordForm {
    form_token: String,
    old: String,
    new: String,
    again: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct OfferForm {
    form_token: String,
    password: String,
    code: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct EnrolForm {
    form_token: String,
    code: String,
}

pub async fn page(
    Newcomer(signed_in): Newcomer,
    staff: web::Data<Staff>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let owner = &signed_in.owner;
    let sessions = staff.sessions_of(owner).await?;
    let page = AccountPage {
        css: &STYLE_SHEET_HREF,
        form_token: signed_in.token.form_token(),
        name: &owner.name,
        email: owner.email.as_str(),
        role: owner.role.as_str(),
        has_totp: owner.has_totp,
        codes_left: staff.recovery_codes_left(owner).await?,
        is_changed: query.changed.is_some(),
        is_ended: query.ended.is_some(),
        is_zone_set: query.zone.is_some(),
        zone: owner.zone.as_deref().unwrap_or(""),
        zones: zone::names().collect(),
        sessions: sessions.into_iter().map(|session| SessionLine::of(session, &signed_in)).collect(),
    };
    Ok(html(HttpResponse::Ok(), &page)?)
}

/// Sets one's own time zone. A name that the page doesn't offer leads nowhere.
pub async fn zone_submit(
    Newcomer(signed_in): Newcomer,
    staff: web::Data<Staff>,
    form: web::Form<ZoneForm>,
) -> Result<HttpResponse, PageError> {
    check_form_of(&signed_in, &form.form_token)?;
    match staff.set_zone(&signed_in.owner, &form.zone).await {
        Ok(()) => Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/dashboard/account?zone=set")).finish()),
        Err(StaffError::Zone) => Err(PageError::NotFound),
        Err(error) => Err(error.into()),
    }
}

/// Ends sessions elsewhere. One that is over already is as good as ended.
pub async fn end_sessions(
    Newcomer(signed_in): Newcomer,
    staff: web::Data<Staff>,
    form: web::Form<EndForm>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    check_form_of(&signed_in, &form.form_token)?;
    let id = match form.session.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(URL_SAFE_NO_PAD.decode(text).map_err(|_| PageError::NotFound)?),
    };
    staff.end_sessions(&signed_in, id, whence(&request).origin()).await?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/dashboard/account?ended=1")).finish())
}

pub async fn password_page(Newcomer(signed_in): Newcomer, staff: web::Data<Staff>) -> Result<HttpResponse, PageError> {
    password_answer(&staff, &signed_in, None, StatusCode::OK)
}

fn password_answer(
    staff: &Staff,
    signed_in: &SignedIn,
    problem: Option<String>,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let page = PasswordPage {
        css: &STYLE_SHEET_HREF,
        form_token: signed_in.token.form_token(),
        email: signed_in.owner.email.as_str(),
        is_demanded: staff.demands(&signed_in.owner) == Some(Demand::ChangePassword),
        problem,
    };
    Ok(html(HttpResponseBuilder::new(status), &page)?)
}

pub async fn password_submit(
    Newcomer(signed_in): Newcomer,
    request: HttpRequest,
    staff: web::Data<Staff>,
    form: web::Form<PasswordForm>,
) -> Result<HttpResponse, PageError> {
    let PasswordForm { form_token, old, new, again } = form.into_inner();
    let (old, again) = (SecretString::from(old), Zeroizing::new(again));
    check_form_of(&signed_in, &form_token)?;
    let are_alike = *again == new;
    let new = SecretString::from(new);
    if !are_alike {
        let problem = "The new password was typed in two ways.".to_owned();
        return password_answer(&staff, &signed_in, Some(problem), StatusCode::UNPROCESSABLE_ENTITY);
    }
    match staff.change_password(&signed_in, &old, &new, &whence(&request)).await {
        Ok(changed) => Ok(gone_on(&changed, "/dashboard/account?changed=password")),
        Err(error) => {
            let (problem, status) = told(error, "The old password is wrong, or was wrong too often.")?;
            password_answer(&staff, &signed_in, Some(problem), status)
        }
    }
}

pub async fn totp_page(Newcomer(signed_in): Newcomer, staff: web::Data<Staff>) -> Result<HttpResponse, PageError> {
    totp_answer(&staff, &signed_in, None, StatusCode::OK).await
}

async fn totp_answer(
    staff: &Staff,
    signed_in: &SignedIn,
    problem: Option<String>,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let page = TotpPage {
        css: &STYLE_SHEET_HREF,
        form_token: signed_in.token.form_token(),
        is_demanded: staff.demands(&signed_in.owner) == Some(Demand::EnrolTotp),
        has_totp: signed_in.owner.has_totp,
        offer: staff.offered_totp(&signed_in.owner).await?,
        problem,
    };
    Ok(html(HttpResponseBuilder::new(status), &page)?)
}

/// Draws a secret, which the page then shows.
pub async fn totp_offer(
    Newcomer(signed_in): Newcomer,
    request: HttpRequest,
    staff: web::Data<Staff>,
    form: web::Form<OfferForm>,
) -> Result<HttpResponse, PageError> {
    let OfferForm { form_token, password, code } = form.into_inner();
    let password = SecretString::from(password);
    check_form_of(&signed_in, &form_token)?;
    match staff.offer_totp(&signed_in, &password, &code, &whence(&request)).await {
        Ok(()) => Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/dashboard/account/totp")).finish()),
        Err(error) => {
            let (problem, status) = told(error, "The password is wrong, or was wrong too often.")?;
            totp_answer(&staff, &signed_in, Some(problem), status).await
        }
    }
}

/// Enrols what was shown, and shows the recovery codes.
pub async fn totp_submit(
    Newcomer(signed_in): Newcomer,
    request: HttpRequest,
    staff: web::Data<Staff>,
    form: web::Form<EnrolForm>,
) -> Result<HttpResponse, PageError> {
    check_form_of(&signed_in, &form.form_token)?;
    match staff.enrol_totp(&signed_in, &form.code, &whence(&request)).await {
        Ok((enrolled, codes)) => {
            let mut response = HttpResponse::Ok();
            response.append_header((SET_COOKIE, Cookie::Session.keep(&enrolled.token)));
            Ok(html(response, &CodesPage { css: &STYLE_SHEET_HREF, codes })?)
        }
        Err(error) => {
            let (problem, status) = told(error, "")?;
            totp_answer(&staff, &signed_in, Some(problem), status).await
        }
    }
}

/// Leads on under the new token.
fn gone_on(signed_in: &SignedIn, to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, to))
        .append_header((SET_COOKIE, Cookie::Session.keep(&signed_in.token)))
        .finish()
}

/// How a refusal is told; a failure of ours is a page of its own.
fn told(error: StaffError, refused: &str) -> Result<(String, StatusCode), PageError> {
    match error {
        StaffError::Refused => Ok((refused.to_owned(), StatusCode::FORBIDDEN)),
        StaffError::WrongCode => Ok((sentence(&error), StatusCode::FORBIDDEN)),
        StaffError::PasswordLength
        | StaffError::PasswordKinds
        | StaffError::PasswordWeak
        | StaffError::PasswordUsed
        | StaffError::NothingOffered => Ok((sentence(&error), StatusCode::UNPROCESSABLE_ENTITY)),
        error => Err(error.into()),
    }
}

/// An error as a sentence for people.
pub fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).chain(['.']).collect()
}
