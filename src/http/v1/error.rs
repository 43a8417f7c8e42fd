//! This API's errors and the one place that puts them on the wire: JSON:API error objects under a request id. What failed inside
//! goes to the log; nothing internal is shown.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::codes;
use super::media::Media;
use crate::gateway::GatewayError;
use crate::gateway::access::{Problem, Refusal, Scope};
use crate::http::call::Answer;
use crate::http::context::{RequestContext, security_headers};
use crate::http::error::{ApiError, Code};
use crate::http::idempotency::Replayable;
use crate::http::messages::{self, Language};
use crate::wallet::WalletError;

/// How a caller without a valid key is told what is wanted.
const CHALLENGE: &str = "Bearer realm=\"landfall\", Basic realm=\"landfall\", charset=\"UTF-8\"";

/// A refused or failed request on its way to the caller. Everything in it may be shown.
#[derive(Clone, Debug)]
pub struct V1Error {
    pub status: StatusCode,
    /// Apart, so that an error is small where it only passes by.
    details: Box<Details>,
}

#[derive(Clone, Debug, Default)]
struct Details {
    errors: Vec<ErrorObject>,
    retry_after_secs: Option<u64>,
    /// Allowed methods, for a 405.
    allow: Option<&'static str>,
    /// Set where no later code can, see [`ResponseError::error_response`].
    context: Option<(RequestContext, Media)>,
}

/// One problem, as JSON:API has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorObject {
    /// The HTTP status, as a string.
    #[schema(example = "422")]
    pub status: String,
    /// The stable code, from the table of errors.
    #[schema(value_type = String, example = "WRONG_TYPE")]
    pub code: Cow<'static, str>,
    /// What the code means; it never changes with the occurrence.
    #[schema(example = "A value is of another JSON type")]
    pub title: &'static str,
    /// What is wrong here, for a person, in English.
    #[schema(example = "This is a number, or a string that holds one.")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Where a problem stands: one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// JSON pointer (RFC 6901) into the request's document.
    Pointer(String),
    /// A query parameter.
    Parameter(String),
    /// A request header.
    Header(String),
}

/// The errors of a refused request.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDocument {
    /// All problems that were found.
    errors: Vec<ErrorObject>,
    /// About the answer.
    meta: ErrorMeta,
}

/// About a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorMeta {
    /// What support asks for; the same as the header `X-Request-Id`.
    #[schema(example = "0f8e6c1c-8a5e-4c36-9a4e-2f6d1b7c9a10")]
    request_id: String,
}

impl V1Error {
    fn one(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: Option<String>,
        source: Option<Source>,
    ) -> Self {
        let error = object(status, code.into(), detail, source);
        Self { status, details: Box::new(Details { errors: vec![error], ..Details::default() }) }
    }

    /// A code of the table, with its status.
    pub fn new(code: &'static str) -> Self {
        let status = codes::find(code).and_then(|row| StatusCode::from_u16(row.status).ok());
        Self::one(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, None, None)
    }

    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        if let Some(error) = self.details.errors.first_mut() {
            error.detail = Some(detail.into());
        }
        self
    }

    #[must_use]
    pub fn at(mut self, source: Source) -> Self {
        if let Some(error) = self.details.errors.first_mut() {
            error.source = Some(source);
        }
        self
    }

    /// Everything that is wrong with a document.
    pub fn problems(problems: Vec<Problem>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let errors = problems
            .into_iter()
            .map(|problem| object(status, problem.code, Some(problem.detail), Some(Source::Pointer(problem.pointer))))
            .collect();
        Self { status, details: Box::new(Details { errors, ..Details::default() }) }
    }

    /// A query parameter that can't be taken.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::new("INVALID_PARAMETER").with_detail(detail).at(Source::Parameter(name.to_owned()))
    }

    /// Of the name only its beginning is told again.
    pub fn unknown_parameter(name: &str) -> Self {
        Self::new("UNKNOWN_PARAMETER").at(Source::Parameter(name.chars().take(64).collect()))
    }

    pub fn scope_missing(scope: Scope) -> Self {
        Self::new("SCOPE_MISSING").with_detail(format!("This needs the scope {scope}."))
    }

    /// A failure of ours: told to the log only.
    pub fn internal(what: &dyn fmt::Display) -> Self {
        ApiError::internal(what).into()
    }

    #[must_use]
    pub fn in_context(mut self, context: RequestContext, media: Media) -> Self {
        self.details.context = Some((context, media));
        self
    }

    #[cfg(test)]
    pub fn errors(&self) -> &[ErrorObject] {
        &self.details.errors
    }

    fn document(&self, context: &RequestContext) -> ErrorDocument {
        ErrorDocument { errors: self.details.errors.clone(), meta: ErrorMeta { request_id: context.id.to_string() } }
    }

    /// The whole answer.
    pub fn render(&self, context: &RequestContext, media: Media) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(secs) = self.details.retry_after_secs {
            response.insert_header((RETRY_AFTER, secs.to_string()));
        }
        if let Some(allow) = self.details.allow {
            response.insert_header(("Allow", allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, CHALLENGE));
        }
        let body = serde_json::to_string(&self.document(context)).unwrap_or_default();
        let mut response = response.insert_header((CONTENT_TYPE, media.as_str())).body(body);
        security_headers(response.headers_mut(), context);
        response
    }
}

fn object(status: StatusCode, code: Cow<'static, str>, detail: Option<String>, source: Option<Source>) -> ErrorObject {
    let title = codes::title(&code, status);
    ErrorObject { status: status.as_u16().to_string(), code, title, detail, source }
}

impl fmt::Display for V1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.details.errors.first().map_or("refused", |error| &error.code))
    }
}

impl ResponseError for V1Error {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Where the edge has not put the request's own context in: under a new request id.
    fn error_response(&self) -> HttpResponse {
        match &self.details.context {
            Some((context, media)) => self.render(context, *media),
            None => self.render(&RequestContext::new(None, Language::En), Media::default()),
        }
    }
}

/// What the parts that serve both APIs refuse, and the wallet's codes.
impl From<ApiError> for V1Error {
    fn from(error: ApiError) -> Self {
        let field = error.details.field.as_deref();
        let mut mapped = match error.code {
            Code::NotValidRequestData => match field {
                None => Self::new("MALFORMED_JSON"),
                Some("Content-Type" | "Content-Encoding") => Self::new("UNSUPPORTED_MEDIA_TYPE"),
                Some("body") => Self::problems(vec![Problem::new("", "UNKNOWN_MEMBER", "This takes no body.")]),
                Some(header) if header.starts_with(|first: char| first.is_ascii_uppercase()) => {
                    Self::new("INVALID_HEADER").at(Source::Header(header.to_owned()))
                }
                Some(name) => Self::new("INVALID_PARAMETER").at(Source::Parameter(name.to_owned())),
            },
            Code::Common => Self::new("INTERNAL_ERROR"),
            Code::InvalidToken | Code::CallbackNotVerified => Self::new("UNAUTHORIZED"),
            Code::InsufficientScope => Self::new("SCOPE_MISSING"),
            code => match codes::find(code.as_str()) {
                Some(row) => Self::new(row.code),
                None => {
                    let status = match code.status() {
                        StatusCode::BAD_REQUEST => StatusCode::UNPROCESSABLE_ENTITY,
                        status => status,
                    };
                    let message = messages::message(code, Language::En).to_owned();
                    Self::one(status, code.as_str(), Some(message), None)
                }
            },
        };
        if let Some("Content-Type" | "Content-Encoding") = field
            && mapped.status == StatusCode::UNSUPPORTED_MEDIA_TYPE
        {
            mapped = mapped.at(Source::Header(field.unwrap_or_default().to_owned()));
        }
        mapped.details.retry_after_secs = error.retry_after_secs();
        mapped.details.allow = error.allow();
        mapped
    }
}

impl From<Refusal> for V1Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(problems) => Self::problems(problems),
            Refusal::NotFound { what } => Self::new("NOT_FOUND").with_detail(format!("There is no such {what}.")),
            Refusal::Conflict { code, detail } => Self::one(StatusCode::CONFLICT, code, Some(detail), None),
            Refusal::Forbidden { code, detail } => Self::one(StatusCode::FORBIDDEN, code, Some(detail), None),
            Refusal::Failed(error) => error.into(),
        }
    }
}

impl From<GatewayError> for V1Error {
    fn from(error: GatewayError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<WalletError> for V1Error {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::NotValid { field, what } => {
                let pointer = format!("/data/attributes/{field}");
                Self::problems(vec![Problem::new(pointer, "INVALID_VALUE", what)])
            }
            error => ApiError::from(error).into(),
        }
    }
}

impl Replayable for V1Error {
    /// What contradicts the state, what is forbidden, and what a rule of the wallet refuses was carried out; what points at the
    /// request was not.
    fn to_save(&self, context: &RequestContext) -> Option<Answer> {
        let errors = &self.details.errors;
        let by_rule = match self.status {
            StatusCode::FORBIDDEN | StatusCode::CONFLICT => true,
            StatusCode::UNPROCESSABLE_ENTITY => errors.iter().all(|error| error.source.is_none()),
            _ => false,
        };
        let is_about_the_key =
            errors.iter().any(|error| matches!(&*error.code, "REQUEST_IN_PROGRESS" | "IDEMPOTENCY_MISMATCH"));
        if !by_rule || is_about_the_key {
            return None;
        }
        let body = serde_json::to_string(&self.document(context)).ok()?;
        Some(Answer::new(self.status.as_u16(), body))
    }

    fn may_be_done(&self) -> bool {
        self.status.is_server_error()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::error::FieldProblem;

    fn document(error: &V1Error) -> Value {
        serde_json::to_value(error.document(&RequestContext::new(Some("req-1"), Language::En))).unwrap()
    }

    #[test]
    fn problems_are_told_all_at_once_with_their_pointers() {
        let error = V1Error::problems(vec![
            Problem::new("/data/attributes/a", "MISSING", "This is missing."),
            Problem::new("/data/attributes/b", "WRONG_TYPE", "This is a string."),
        ]);
        assert_eq!(
            document(&error),
            json!({
                "errors": [
                    { "status": "422", "code": "MISSING", "title": "A value is missing", "detail": "This is missing.",
                      "source": { "pointer": "/data/attributes/a" } },
                    { "status": "422", "code": "WRONG_TYPE", "title": "A value is of another JSON type",
                      "detail": "This is a string.", "source": { "pointer": "/data/attributes/b" } },
                ],
                "meta": { "request_id": "req-1" },
            })
        );
    }

    #[test]
    fn refusals_of_shared_parts_get_this_apis_codes() {
        for (error, status, code) in [
            (ApiError::new(Code::NotFound), 404, "NOT_FOUND"),
            (ApiError::new(Code::Common), 500, "INTERNAL_ERROR"),
            (ApiError::new(Code::RequestTooLarge), 413, "REQUEST_TOO_LARGE"),
            (ApiError::method_not_allowed("GET"), 405, "METHOD_NOT_ALLOWED"),
            (ApiError::field("", FieldProblem::Json), 400, "MALFORMED_JSON"),
            (ApiError::field("Content-Type", FieldProblem::Value), 415, "UNSUPPORTED_MEDIA_TYPE"),
            (ApiError::field("Idempotency-Key", FieldProblem::Length), 400, "INVALID_HEADER"),
            (ApiError::new(Code::IdempotencyMismatch), 422, "IDEMPOTENCY_MISMATCH"),
            (ApiError::new(Code::InsufficientFunds), 422, "INSUFFICIENT_FUNDS"),
            (ApiError::new(Code::ServiceUnavailable), 503, "SERVICE_UNAVAILABLE"),
        ] {
            let error = V1Error::from(error);
            assert_eq!((error.status.as_u16(), &*error.errors()[0].code), (status, code));
        }
        let slow = V1Error::from(ApiError::new(Code::RequestInProgress).retry_after(3));
        let context = RequestContext::new(None, Language::En);
        assert_eq!(slow.render(&context, Media::Json).headers().get(RETRY_AFTER).unwrap(), "3");
        let not_allowed = V1Error::from(ApiError::method_not_allowed("GET")).render(&context, Media::Json);
        assert_eq!(not_allowed.headers().get("Allow").unwrap(), "GET");
    }

    #[test]
    fn only_what_was_carried_out_is_saved_for_a_replay() {
        let context = RequestContext::new(None, Language::En);
        let saved = |error: V1Error| error.to_save(&context).is_some();
        assert!(saved(Refusal::conflict("KEY_REVOKED", "x").into()));
        assert!(saved(ApiError::new(Code::InsufficientFunds).into()));
        assert!(!saved(Refusal::invalid("/data", "MISSING", "x").into()));
        assert!(!saved(Refusal::NotFound { what: "key" }.into()));
        assert!(!saved(ApiError::new(Code::RequestInProgress).into()));
        assert!(!saved(ApiError::new(Code::IdempotencyMismatch).into()));
        assert!(!saved(V1Error::internal(&"x")));
    }
}
