//! The documentation for those who integrate: the repository's own pages as a small site under `/docs`, and the API's description. Needs no
//! script and nothing from elsewhere; knows no user. A setting switches it off (`http.docs`).

mod api;
mod list;
mod markdown;
mod site;
#[cfg(test)]
mod tests;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::error::{ApiError, Code};
use crate::http::fresh;
use crate::http::routes::resource;

/// Our own style sheet and pictures, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; \
                           frame-ancestors 'none'";
/// A picture holds its own styles, and is also looked at by itself.
const PICTURE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/openapi.yaml", "GET", [web::get().to(api::yaml)]))
        // Both answer: browsers keep a redirect from the one to the other that there once was, for good.
        .service(resource("/docs", "GET", [web::get().to(landing)]).wrap(policy()))
        .service(resource("/docs/", "GET", [web::get().to(landing)]).wrap(policy()))
        .service(resource("/docs/api", "GET", [web::get().to(api::to_page)]))
        .service(resource("/docs/assets/docs.css", "GET", [web::get().to(style_sheet)]))
        .service(resource("/docs/assets/icon.svg", "GET", [web::get().to(icon)]))
        .service(resource("/docs/images/{name}", "GET", [web::get().to(picture)]))
        .service(resource("/docs/{page}", "GET", [web::get().to(page)]).wrap(policy()))
        .configure(api::configure);
}

fn policy() -> DefaultHeaders {
    DefaultHeaders::new().add((CONTENT_SECURITY_POLICY, PAGE_POLICY))
}

async fn landing(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    answer(&request, "")
}

async fn page(request: HttpRequest, slug: web::Path<String>) -> Result<HttpResponse, ApiError> {
    // The landing page has one name.
    if slug.is_empty() { Err(ApiError::new(Code::NotFound)) } else { answer(&request, &slug) }
}

fn answer(request: &HttpRequest, slug: &str) -> Result<HttpResponse, ApiError> {
    let page = site::SITE.get(slug).ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(fresh::public(request, "text/html; charset=utf-8", page))
}

async fn style_sheet() -> HttpResponse {
    site::STYLE_SHEET.answer()
}

async fn icon() -> HttpResponse {
    site::ICON.answer()
}

async fn picture(name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let mut answer = site::picture(&name).ok_or_else(|| ApiError::new(Code::NotFound))?.answer();
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PICTURE_POLICY));
    Ok(answer)
}
