//! Making a payout scheme: whose it is and what it is called. It begins with each service's routes in their order, and is then edited.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;

use super::draft::first_body;
use super::href;
use crate::domain::ids::Mode;
use crate::http::dashboard::approvals;
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::frame::{Frame, Section, served};
use crate::http::dashboard::parts::{html, outside};
use crate::http::dashboard::visitor::{Visitor, check_form, whence};
use crate::staff::desk::Desk;
use crate::staff::moderation::Word;
use crate::staff::schemes::{ROUTES, SchemeError};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    form_token: String,
    partner: String,
    name: String,
    code: String,
}

#[derive(Template)]
#[template(path = "schemes/new.html", config = "web/askama.toml")]
struct NewPage {
    frame: Frame,
    partners: Vec<String>,
    typed: Typed,
    problems: Vec<String>,
}

pub async fn page(visitor: Visitor, desk: web::Data<Desk>, mode: web::Path<String>) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(ROUTES)?;
    answer(&visitor, &desk, mode, Typed::default(), Vec::new(), StatusCode::OK).await
}

async fn answer(
    visitor: &Visitor,
    desk: &Desk,
    mode: Mode,
    typed: Typed,
    problems: Vec<String>,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::new(visitor, desk, mode, Section::Schemes);
    // What passes for a card number isn't shown again.
    let typed = Typed { name: outside(&typed.name), code: outside(&typed.code), ..typed };
    let page = NewPage { frame, partners: desk.partner_codes().await?, typed, problems };
    Ok(html(HttpResponse::build(status), &page)?)
}

pub async fn submit(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    mode: web::Path<String>,
    typed: web::Form<Typed>,
) -> Result<HttpResponse, PageError> {
    let typed = typed.into_inner();
    check_form(&visitor, &typed.form_token)?;
    let mode = served(&desk, &mode)?;
    visitor.needs(ROUTES)?;
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    let Some(ground) = desk.scheme_ground(mode, &typed.partner).await? else {
        let problems = vec!["Choose the partner whose routes it is about.".to_owned()];
        return answer(&visitor, &desk, mode, typed, problems, unprocessable).await;
    };
    let mut given = json!({"name": typed.name.trim(), "body": first_body(&ground)});
    if !typed.code.trim().is_empty() {
        given["code"] = typed.code.trim().into();
    }
    let given = given.as_object().cloned().unwrap_or_default();
    let origin = whence(&http).origin();
    match desk.create_scheme(&visitor.0.owner, origin, (mode, &typed.partner), &given).await {
        Ok(Word::Waits(waits)) => Ok(approvals::to_waiting(mode, &waits)),
        Ok(Word::Done(id)) => {
            let location = format!("{}/edit", href(mode, &typed.partner, id));
            Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
        }
        Err(SchemeError::Invalid(found)) => {
            let told = |pointer: &str, detail: &str| match pointer.split('/').nth(1) {
                Some("name") => format!("Name: {detail}"),
                Some("code") => format!("Code: {detail}"),
                // Of the body that it would begin with.
                _ => format!("It can't begin with this partner's routes: {detail}"),
            };
            let problems = found.iter().map(|problem| outside(&told(&problem.pointer, &problem.detail))).collect();
            answer(&visitor, &desk, mode, typed, problems, unprocessable).await
        }
        Err(SchemeError::Refused(why)) => {
            answer(&visitor, &desk, mode, typed, vec![outside(&why)], StatusCode::CONFLICT).await
        }
        Err(error) => Err(error.into()),
    }
}
