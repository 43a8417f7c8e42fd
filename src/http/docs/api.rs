//! The API's description as a file and as a page. The page's scripts are our own copies: nothing comes from another
//! host.

use std::sync::LazyLock;

use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::http::error::ApiError;
use crate::http::fresh::Public;
use crate::http::openapi;

/// Swagger UI writes styles into its page; no other page may.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Made once: anybody may ask for it, and it is more than a megabyte.
static YAML: LazyLock<Result<Public, openapi::DescriptionError>> =
    LazyLock::new(|| Ok(Public::new("application/yaml", openapi::openapi_yaml()?)));

/// `/openapi.yaml`, as it stands at the root of the project.
pub async fn yaml(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let yaml = YAML.as_ref().map_err(|error| ApiError::internal(error))?;
    Ok(yaml.answer(&request))
}

/// `/docs/api`: what the page loads lies beside it, under the slash.
pub async fn to_page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header(("Location", "/docs/api/")).finish()
}

/// Everything below `/docs/api/`. It answers for every path that nobody took before it.
pub fn configure(cfg: &mut web::ServiceConfig) {
    cfg.service(
        web::scope("")
            .wrap(DefaultHeaders::new().add((CONTENT_SECURITY_POLICY, PAGE_POLICY)))
            .service(SwaggerUi::new("/docs/api/{_:.*}").config(Config::from("/openapi.yaml").validator_url("none"))),
    );
}
