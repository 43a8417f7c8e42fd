//! Signing in and out. The sign-in form carries a token too, tied to a cookie of its own: nobody signs a victim in to another account.

use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, SET_COOKIE, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use askama::Template;
use secrecy::SecretString;
use serde::Deserialize;

use super::assets::STYLE_SHEET_HREF;
use super::cookies::Cookie;
use super::error::PageError;
use super::parts::html;
use super::visitor::{Visitor, check_form};
use crate::domain::card::strike_numbers;
use crate::domain::ids::Mode;
use crate::staff::desk::Desk;
use crate::staff::sign_in::SignIn;
use crate::staff::{SessionToken, Staff, StaffError};

#[derive(Template)]
#[template(path = "sign_in.html", config = "web/askama.toml")]
struct SignInPage<'a> {
    css: &'a str,
    modes: &'a [Mode],
    form_token: String,
    email: &'a str,
    is_refused: bool,
}

#[derive(Deserialize)]
pub struct SignInForm {
    form_token: String,
    email: String,
    password: String,
}

#[derive(Deserialize)]
pub struct SignOutForm {
    form_token: String,
}

fn render(request: &HttpRequest, desk: &Desk, status: StatusCode, email: &str) -> Result<HttpResponse, PageError> {
    let known = Cookie::SignIn.read(request);
    let mut response = HttpResponseBuilder::new(status);
    let token = match known {
        Some(token) => token,
        None => {
            let token = SessionToken::random().map_err(StaffError::from)?;
            response.append_header((SET_COOKIE, Cookie::SignIn.keep(&token)));
            token
        }
    };
    let page = SignInPage {
        css: &STYLE_SHEET_HREF,
        modes: desk.modes(),
        form_token: token.form_token(),
        email,
        is_refused: status != StatusCode::OK,
    };
    Ok(html(response, &page)?)
}

fn to_dashboard() -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, "/dashboard"));
    response
}

pub async fn form(
    request: HttpRequest,
    staff: web::Data<Staff>,
    desk: web::Data<Desk>,
) -> Result<HttpResponse, PageError> {
    if let Some(token) = Cookie::Session.read(&request)
        && staff.session(token).await?.is_some()
    {
        return Ok(to_dashboard().finish());
    }
    render(&request, &desk, StatusCode::OK, "")
}

pub async fn submit(
    request: HttpRequest,
    staff: web::Data<Staff>,
    desk: web::Data<Desk>,
    form: web::Form<SignInForm>,
) -> Result<HttpResponse, PageError> {
    let SignInForm { form_token, email, password } = form.into_inner();
    let password = SecretString::from(password);
    // Whatever was pasted there is looked up, and shown again.
    let email = strike_numbers(&email).into_owned();
    let was_given_here = Cookie::SignIn.read(&request).is_some_and(|token| token.is_form_token(&form_token));
    if !was_given_here {
        return Err(PageError::Form);
    }
    let attempt = SignIn {
        email: email.clone(),
        password,
        ip: request.peer_addr().map(|peer| peer.ip()),
        user_agent: request
            .headers()
            .get(USER_AGENT)
            .and_then(|text| text.to_str().ok())
            .map(|text| strike_numbers(text).into_owned()),
        replaces: Cookie::Session.read(&request),
    };
    match staff.sign_in(attempt).await {
        Ok(signed_in) => Ok(to_dashboard()
            .append_header((SET_COOKIE, Cookie::Session.keep(&signed_in.token)))
            .append_header((SET_COOKIE, Cookie::SignIn.forget()))
            .finish()),
        Err(StaffError::Refused) => render(&request, &desk, StatusCode::FORBIDDEN, &email),
        Err(error) => Err(error.into()),
    }
}

pub async fn sign_out(
    visitor: Visitor,
    staff: web::Data<Staff>,
    form: web::Form<SignOutForm>,
) -> Result<HttpResponse, PageError> {
    check_form(&visitor, &form.form_token)?;
    staff.sign_out(&visitor.0).await?;
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, "/dashboard/sign-in"))
        .append_header((SET_COOKIE, Cookie::Session.forget()))
        .finish())
}
