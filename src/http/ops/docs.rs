//! The API's description as a file and as a page. The page's scripts are our own copies: nothing comes from another
//! host.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpResponse, web};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::http::error::ApiError;
use crate::http::openapi;

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// `/openapi.yaml`, as it stands at the root of the project.
pub async fn yaml() -> Result<HttpResponse, ApiError> {
    let yaml = openapi::openapi_yaml().map_err(|error| ApiError::internal(&error))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/yaml")).body(yaml))
}

/// `/docs`
pub async fn page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header(("Location", "/docs/")).finish()
}

/// Everything below `/docs/`.
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::scope("")
            .wrap(DefaultHeaders::new().add((CONTENT_SECURITY_POLICY, PAGE_POLICY)))
            .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.yaml").validator_url("none"))),
    );
}
