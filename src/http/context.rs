//! What is known of a request before anything of it is believed: its id and its language; and the edge around every
//! route, which logs the request once, turns failures into the published shape, and outlives panics.
//!
//! It never logs a body, a token, a query or a path's own ids.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError};
use futures_util::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::auth::AuthFailure;
use super::call::Edge;
use super::dashboard::{self, PageError};
use super::deprecation;
use super::error::{ApiError, Code};
use super::gate::{self, Passed};
use super::messages::Language;
use super::v1;
use super::v1::error::V1Error;
use super::v1::media::Media;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 64;
/// No card number has fewer digits.
const CARD_DIGITS_MIN: usize = 12;

/// A request's id: the caller's own where it is one, else a new UUID. 1 to 64 characters of `A-Za-z0-9._-`, and no twelve digits in a row
/// but in a UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    fn choose(inbound: Option<&str>) -> Self {
        let taken = inbound.filter(|id| {
            (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || is_separator(b))
                // An id that could hold a card number must not reach the log.
                && (is_uuid(id) || digits_in_a_row(id) < CARD_DIGITS_MIN)
        });
        Self(taken.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned))
    }
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b'-')
}

/// A UUID of one of the standard's versions. Its digits are nobody's card number, however many come in a row.
fn is_uuid(id: &str) -> bool {
    let is_of_standard = |uuid: Uuid| uuid.get_variant() == uuid::Variant::RFC4122 && uuid.get_version().is_some();
    id.len() == uuid::fmt::Hyphenated::LENGTH && Uuid::try_parse(id).is_ok_and(is_of_standard)
}

/// The longest run of digits, separators between them left out.
fn digits_in_a_row(id: &str) -> usize {
    let mut longest = 0_usize;
    let mut run = 0_usize;
    for byte in id.bytes().filter(|byte| !is_separator(*byte)) {
        run = if byte.is_ascii_digit() { run.saturating_add(1) } else { 0 };
        longest = longest.max(run);
    }
    longest
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an answer needs to know of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestContext {
    pub id: RequestId,
    pub language: Language,
    /// For how long the caller's browser is told to come over TLS alone; 0: it isn't told.
    hsts_secs: u32,
}

impl RequestContext {
    pub fn new(inbound_id: Option<&str>, language: Language) -> Self {
        Self { id: RequestId::choose(inbound_id), language, hsts_secs: 0 }
    }

    fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        Self::new(text(X_REQUEST_ID), Language::negotiate(text(ACCEPT_LANGUAGE).unwrap_or("")))
    }

    /// The context that [`edge`] has put into the request.
    pub fn from_request(request: &impl HttpMessage) -> Self {
        let known = request.extensions().get::<RequestContext>().cloned();
        known.unwrap_or_else(|| Self::of(request.headers()))
    }
}

/// The headers of every answer. What a route has set itself stands.
pub fn security_headers(headers: &mut HeaderMap, context: &RequestContext) {
    let mut set = |name: HeaderName, value: &str| {
        if let (false, Ok(value)) = (headers.contains_key(&name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    set(X_REQUEST_ID, &context.id.0);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "no-referrer");
    set(CACHE_CONTROL, "no-store");
    set(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if context.hsts_secs > 0 {
        set(STRICT_TRANSPORT_SECURITY, &format!("max-age={}", context.hsts_secs));
    }
}

/// The middleware around every route.
pub async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let mut context = RequestContext::of(request.headers());
    let time_limit = match request.app_data::<Arc<Edge>>() {
        Some(edge) => {
            context.hsts_secs = edge.settings.hsts_max_age_secs;
            Duration::from_millis(edge.settings.request_timeout_ms)
        }
        None => Duration::MAX,
    };
    request.extensions_mut().insert(context.clone());
    let shape = Shape::of(&request);
    let span = tracing::info_span!("request", request_id = %context.id, method = %request.method());
    let (passed, entered) = Passed::enter(&request);
    if let Err(refused) = entered {
        let _entered = span.enter();
        tracing::info!(status = refused.code.status().as_u16(), "turned away");
        passed.is_last();
        let mut answer = in_shape(request.error_response(refused), shape, &context);
        security_headers(answer.response_mut().headers_mut(), &context);
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        return Ok(answer);
    }
    if matches!(shape, Shape::Staff) {
        gate::bound_body(&mut request);
    }

    let answering = AssertUnwindSafe(next.call(request)).catch_unwind().instrument(span.clone());
    let answered = tokio::time::timeout(time_limit, answering).await;

    let _entered = span.enter();
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let answer = match answered {
        Ok(Ok(Ok(answer))) => answer.map_into_boxed_body(),
        Ok(Ok(Err(error))) => {
            let (status, error) = shape.of_failure(&error, context);
            tracing::info!(status = status.as_u16(), ms, "answered");
            return Err(error);
        }
        // The hook has written the panic down; the caller is told nothing of it.
        Ok(Err(_)) => {
            tracing::error!(status = 500, ms, "a handler panicked");
            return Err(shape.of_failure(&ApiError::new(Code::Common).into(), context).1);
        }
        // A write goes on by itself.
        Err(_) => {
            tracing::error!(status = 503, ms, "a request took too long");
            return Err(shape.of_failure(&ApiError::new(Code::ServiceUnavailable).into(), context).1);
        }
    };
    let mut answer = in_shape(answer, shape, &context);
    security_headers(answer.response_mut().headers_mut(), &context);
    let request = answer.request().clone();
    let pattern = || request.match_pattern();
    deprecation::announce(deprecation::LEAVING, request.method(), pattern, answer.response_mut().headers_mut());
    let status = answer.status();
    if status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::PAYLOAD_TOO_LARGE {
        // What is left of the body isn't waited for.
        passed.is_last();
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let route = answer.request().match_pattern().unwrap_or_else(|| "none".into());
    tracing::info!(route, status = status.as_u16(), ms, "answered");
    Ok(answer)
}

/// The form of an API's errors, or of the dashboard's.
#[derive(Clone, Copy)]
enum Shape {
    Wallet,
    Partners(Media),
    Staff,
}

impl Shape {
    fn of(request: &ServiceRequest) -> Self {
        if v1::owns(request.path()) {
            Shape::Partners(Media::of_error(request.headers()))
        } else if dashboard::owns(request.path()) {
            Shape::Staff
        } else {
            Shape::Wallet
        }
    }

    /// What leaves the app as an error is answered by the server, which asks it for its answer.
    fn of_failure(self, error: &Error, context: RequestContext) -> (StatusCode, Error) {
        match self {
            Shape::Wallet => {
                let error = known(error).unwrap_or_else(|| ApiError::internal(error));
                (error.code.status(), error.in_context(context).into())
            }
            Shape::Partners(media) => {
                let error = known_to_partners(error).unwrap_or_else(|| V1Error::internal(error));
                (error.status, error.in_context(context, media).into())
            }
            Shape::Staff => {
                let error = known(error).unwrap_or_else(|| ApiError::internal(error));
                let page = PageError::from(&error);
                let mut response = page.error_response();
                security_headers(response.headers_mut(), &context);
                (error.code.status(), InternalError::from_response(page.to_string(), response).into())
            }
        }
    }
}

/// Gives a failure the published shape, in the language of its request.
fn in_shape(answer: ServiceResponse<BoxBody>, shape: Shape, context: &RequestContext) -> ServiceResponse<BoxBody> {
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let error = answer.response().error();
    // A route's own answer, with a body of its own.
    if error.is_none() && answer.response().headers().contains_key(CONTENT_TYPE) {
        return answer;
    }
    let response = match shape {
        Shape::Wallet => error.and_then(known).unwrap_or_else(|| by_status(status)).render(context),
        Shape::Partners(media) => {
            let error = error.and_then(known_to_partners).unwrap_or_else(|| by_status(status).into());
            error.render(context, media)
        }
        Shape::Staff => PageError::from(&error.and_then(known).unwrap_or_else(|| by_status(status))).error_response(),
    };
    answer.into_response(response)
}

fn known(error: &Error) -> Option<ApiError> {
    let failure = error.as_error::<AuthFailure>().map(ApiError::from);
    error.as_error::<ApiError>().cloned().or(failure)
}

fn known_to_partners(error: &Error) -> Option<V1Error> {
    error.as_error::<V1Error>().cloned().or_else(|| known(error).map(V1Error::from))
}

/// For what actix-web refuses by itself.
fn by_status(status: StatusCode) -> ApiError {
    match status {
        StatusCode::NOT_FOUND => ApiError::new(Code::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new(Code::MethodNotAllowed),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(Code::RequestTooLarge),
        StatusCode::REQUEST_TIMEOUT => ApiError::new(Code::RequestTimeout),
        status if status.is_client_error() => ApiError::new(Code::NotValidRequestData),
        status => ApiError::internal(&format_args!("an answer of {status}")),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, read_body_json, try_call_service};
    use actix_web::{App, HttpResponse, web};
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_request_id_is_taken_only_when_it_is_one() {
        for good in [
            "abc-1.2_3",
            "20261122",
            "order-12345678901",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "01234567-8901-7123-8901-234567890123",
        ] {
            assert_eq!(RequestId::choose(Some(good)).to_string(), good);
        }
        for bad in [
            "",
            "a b",
            "a\n",
            "é",
            "<x>",
            &"a".repeat(65),
            "4907000000003896",
            "4907-0000-0000-3896",
            "a4111111111111111",
            "4111111111111111f",
            "card_4111.1111-1111_1111",
            "x-411111111111",
            "41111111-1111-1111-1111-111111111111",
        ] {
            assert_ne!(RequestId::choose(Some(bad)).to_string(), bad, "{bad:?}");
        }
    }

    async fn panics() -> HttpResponse {
        panic!("the secret")
    }

    async fn refuses() -> Result<HttpResponse, ApiError> {
        Err(ApiError::new(Code::OfferExpired))
    }

    async fn answer(request: TestRequest) -> (StatusCode, HeaderMap, Value) {
        let routes = |cfg: &mut web::ServiceConfig| {
            cfg.service(web::resource("/panics").route(web::get().to(panics)))
                .service(web::resource("/refuses").route(web::get().to(refuses)));
        };
        let app = init_service(App::new().wrap(from_fn(edge)).configure(routes)).await;
        let request = request.insert_header(("X-Request-Id", "req-1")).to_request();
        // An error that leaves the app is answered by the server, in its own words.
        let response = match try_call_service(&app, request).await {
            Ok(response) => response,
            Err(error) => {
                let response = error.error_response();
                let (status, headers) = (response.status(), response.headers().clone());
                let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
                return (status, headers, serde_json::from_slice(&body).unwrap());
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, read_body_json(response).await)
    }

    #[actix_web::test]
    async fn a_panic_is_a_common_error_with_nothing_internal() {
        let (status, headers, body) = answer(TestRequest::get().uri("/panics")).await;
        assert_eq!(status, 500);
        assert_eq!(
            (&body["error"], &body["errorId"], &body["requestId"]),
            (&"COMMON".into(), &0.into(), &"req-1".into())
        );
        assert!(!body.to_string().contains("secret"));
        assert_eq!(headers.get("x-request-id").unwrap(), "req-1");
    }

    #[actix_web::test]
    async fn refusals_and_unknown_paths_have_one_shape() {
        let german = ("Accept-Language", "de");
        let (status, headers, body) = answer(TestRequest::get().uri("/refuses").insert_header(german)).await;
        assert_eq!((status.as_u16(), &body["error"]), (400, &"OFFER_EXPIRED".into()));
        assert!(body["message"].as_str().unwrap().starts_with("Das Angebot"));
        assert_eq!(headers.get("cache-control").unwrap(), "no-store");
        let (status, _, body) = answer(TestRequest::get().uri("/nowhere")).await;
        assert_eq!((status.as_u16(), &body["error"], &body["requestId"]), (404, &"NOT_FOUND".into(), &"req-1".into()));
        let (status, _, body) = answer(TestRequest::post().uri("/refuses")).await;
        assert_eq!((status.as_u16(), &body["error"]), (405, &"METHOD_NOT_ALLOWED".into()));
    }
}
