//! The documentation for those who integrate: the repository's own pages as a small site under `/docs`, and the API's description. Needs no
//! script and nothing from elsewhere; knows no user. A setting switches it off (`http.docs`).

mod api;
mod list;
mod markdown;
mod site;
#[cfg(test)]
mod tests;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::error::{ApiError, Code};
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

async fn landing(request: HttpRequest) -> HttpResponse {
    answer(&request, "")
}

async fn page(request: HttpRequest, slug: web::Path<String>) -> HttpResponse {
    // The landing page has one name.
    if slug.is_empty() { missing() } else { answer(&request, &slug) }
}

fn answer(request: &HttpRequest, slug: &str) -> HttpResponse {
    site::SITE.get(slug).map_or_else(missing, |page| page.answer(request))
}

fn missing() -> HttpResponse {
    HttpResponse::NotFound().insert_header((CONTENT_TYPE, site::HTML)).body(site::MISSING.as_str())
}

async fn style_sheet(request: HttpRequest) -> HttpResponse {
    site::STYLE_SHEET.answer(&request)
}

async fn icon(request: HttpRequest) -> HttpResponse {
    site::ICON.answer(&request)
}

async fn picture(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let mut answer = site::picture(&name).ok_or_else(|| ApiError::new(Code::NotFound))?.answer(&request);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PICTURE_POLICY));
    Ok(answer)
}
