//! Signing in, in one step or two, and out. The sign-in form carries a token too, tied to a cookie of its own: nobody signs a victim in to
//! another account. The form of the second factor carries the token of the session that waits for it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use askama::Template;
use secrecy::SecretString;
use serde::Deserialize;

use super::assets::STYLE_SHEET_HREF;
use super::cookies::Cookie;
use super::error::PageError;
use super::parts::html;
use super::visitor::{Newcomer, check_form_of, whence};
use crate::domain::card::strike_numbers;
use crate::domain::ids::Mode;
use crate::http::call::Edge;
use crate::http::proxies::Origin;
use crate::staff::desk::Desk;
use crate::staff::sign_in::{Entered, SignIn};
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

#[derive(Template)]
#[template(path = "sign_in_code.html", config = "web/askama.toml")]
struct CodePage<'a> {
    css: &'a str,
    modes: &'a [Mode],
    form_token: String,
    is_refused: bool,
}

#[derive(Deserialize)]
pub struct CodeForm {
    form_token: String,
    code: String,
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
    let origin = Origin::of(&request);
    if let (Some(edge), Some(address)) = (request.app_data::<Arc<Edge>>(), origin.subject()) {
        edge.limits.sign_in.take(address)?;
    }
    let attempt =
        SignIn { email: email.clone(), password, from: whence(&request), replaces: Cookie::Session.read(&request) };
    match staff.sign_in(attempt).await {
        Ok(entered) => Ok(entered_answer(&entered)),
        Err(StaffError::Refused) => render(&request, &desk, StatusCode::FORBIDDEN, &email),
        Err(error) => Err(error.into()),
    }
}

/// The way on, with the cookies that belong to it.
fn entered_answer(entered: &Entered) -> HttpResponse {
    match entered {
        Entered::In { signed_in, device } => to_dashboard()
            .append_header((SET_COOKIE, Cookie::Session.keep(&signed_in.token)))
            .append_header((SET_COOKIE, Cookie::Device.keep(device)))
            .append_header((SET_COOKIE, Cookie::SignIn.forget()))
            .finish(),
        Entered::NeedsCode(token) => HttpResponse::SeeOther()
            .insert_header((LOCATION, CODE_PAGE))
            .append_header((SET_COOKIE, Cookie::Session.keep(token)))
            .append_header((SET_COOKIE, Cookie::SignIn.forget()))
            .finish(),
    }
}

/// Where the second factor is asked for.
const CODE_PAGE: &str = "/dashboard/sign-in/code";

/// The page that asks for the second factor; whoever isn't asked begins with the password.
pub async fn code_form(
    request: HttpRequest,
    staff: web::Data<Staff>,
    desk: web::Data<Desk>,
) -> Result<HttpResponse, PageError> {
    let token = Cookie::Session.read(&request).ok_or(PageError::SignedOut)?;
    if !staff.is_pending(&token).await? {
        return Err(PageError::SignedOut);
    }
    code_page(&desk, &token, StatusCode::OK)
}

fn code_page(desk: &Desk, token: &SessionToken, status: StatusCode) -> Result<HttpResponse, PageError> {
    let page = CodePage {
        css: &STYLE_SHEET_HREF,
        modes: desk.modes(),
        form_token: token.form_token(),
        is_refused: status != StatusCode::OK,
    };
    Ok(html(HttpResponseBuilder::new(status), &page)?)
}

pub async fn code_submit(
    request: HttpRequest,
    staff: web::Data<Staff>,
    desk: web::Data<Desk>,
    form: web::Form<CodeForm>,
) -> Result<HttpResponse, PageError> {
    let pending = Cookie::Session.read(&request).filter(|token| token.is_form_token(&form.form_token));
    let pending = pending.ok_or(PageError::Form)?;
    match staff.sign_in_code(&pending, &form.code, &whence(&request)).await {
        Ok(entered) => Ok(entered_answer(&entered)),
        Err(StaffError::WrongCode) => code_page(&desk, &pending, StatusCode::FORBIDDEN),
        Err(StaffError::Refused) => render(&request, &desk, StatusCode::FORBIDDEN, ""),
        Err(error) => Err(error.into()),
    }
}

pub async fn sign_out(
    Newcomer(signed_in): Newcomer,
    request: HttpRequest,
    staff: web::Data<Staff>,
    form: web::Form<SignOutForm>,
) -> Result<HttpResponse, PageError> {
    check_form_of(&signed_in, &form.form_token)?;
    staff.sign_out(&signed_in, whence(&request).origin()).await?;
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, "/dashboard/sign-in"))
        .append_header((SET_COOKIE, Cookie::Session.forget()))
        .finish())
}
