//! The one error of the API and the one place that puts it on the wire. Owns the published shape; never shows an
//! internal error, a request's body or a token: what failed inside goes to the log, under the request id that the
//! caller is told.

pub mod advice;
mod code;
mod from_wallet;

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

pub use code::{Code, System, errors_markdown};

use super::auth::{AuthError, AuthFailure};
use super::context::{RequestContext, security_headers};
use super::exact_number::ExactNumber;
use super::limits::TooOften;
use super::messages::{self, Language};
use crate::domain::asset::AssetCode;

/// What is wrong with a field: `data.problem` of `NOT_VALID_REQUEST_DATA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldProblem {
    Missing,
    /// Not of the JSON type that is wanted.
    Type,
    Length,
    Value,
    Unknown,
    /// A card verification code: never accepted, so that it can't be kept.
    Forbidden,
    Duplicate,
    /// The body is no JSON object.
    Json,
}

impl FieldProblem {
    pub const fn as_str(self) -> &'static str {
        match self {
            FieldProblem::Missing => "missing",
            FieldProblem::Type => "type",
            FieldProblem::Length => "length",
            FieldProblem::Value => "value",
            FieldProblem::Unknown => "unknown",
            FieldProblem::Forbidden => "forbidden",
            FieldProblem::Duplicate => "duplicate",
            FieldProblem::Json => "json",
        }
    }
}

/// A refused or failed request on its way to the caller. Everything in it may be shown.
#[derive(Clone, Debug)]
pub struct ApiError {
    pub code: Code,
    /// Apart, so that an error is small where it only passes by.
    pub details: Box<Details>,
}

/// What an error says beside its code.
#[derive(Clone, Debug, Default)]
pub struct Details {
    pub field: Option<String>,
    pub data: Option<serde_json::Value>,
    /// Shown behind the message, in units of the currency.
    limit: Option<(Decimal, AssetCode)>,
    retry_after_secs: Option<u64>,
    /// Allowed methods, for a 405.
    allow: Option<&'static str>,
    /// Set where no later code can, see [`ResponseError::error_response`].
    context: Option<RequestContext>,
}

/// The published shape of an error, without its stack trace.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// The stable code, from the table of errors.
    #[schema(example = "AMOUNT_TOO_SMALL")]
    error: &'static str,
    /// The code's stable number.
    #[schema(example = 306)]
    error_id: u32,
    /// The part of the system that refuses: `core`, `auth`, `card` or `payout`.
    #[schema(example = "payout")]
    system_id: &'static str,
    /// For the user, in the language that `Accept-Language` asks for.
    #[schema(example = "The amount is too small. Limit: 23.04890979 USDT.")]
    message: String,
    /// The field, parameter or header that is wrong; null if it is none of them.
    #[schema(example = "amount")]
    field: Option<String>,
    /// Details: `problem` and `detail` of a field, `limit{value, currency}`, `version`, `reason`; null if there are
    /// none.
    #[schema(value_type = Option<Object>, example = json!({"limit": {"value": 23.04890979, "currency": "USDT"}}))]
    data: Option<serde_json::Value>,
    /// What support asks for; the same as the header `X-Request-Id`.
    #[schema(example = "0f8e6c1c-8a5e-4c36-9a4e-2f6d1b7c9a10")]
    request_id: String,
}

impl ApiError {
    pub fn new(code: Code) -> Self {
        Self { code, details: Box::default() }
    }

    fn having(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(&mut self.details);
        self
    }

    /// A field, parameter or header that can't be taken. `field` may be shown; an empty one names none.
    pub fn field(field: impl Into<String>, problem: FieldProblem) -> Self {
        let field = Some(field.into()).filter(|field| !field.is_empty());
        Self::new(Code::NotValidRequestData)
            .with_data(json!({ "problem": problem.as_str() }))
            .having(|details| details.field = field)
    }

    /// A failure of ours: told to the log only.
    pub fn internal(what: &dyn fmt::Display) -> Self {
        tracing::error!(error = %what, "request failed");
        Self::new(Code::Common)
    }

    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(Code::MethodNotAllowed).having(|details| details.allow = Some(allow))
    }

    #[must_use]
    pub fn with_data(self, data: serde_json::Value) -> Self {
        self.having(|details| details.data = Some(data))
    }

    /// The limit that refuses, in units of `currency`.
    #[must_use]
    pub fn with_limit(self, value: Decimal, currency: AssetCode) -> Self {
        let data = json!({ "limit": { "value": ExactNumber(value), "currency": currency } });
        self.with_data(data).having(|details| details.limit = Some((value, currency)))
    }

    #[must_use]
    pub fn retry_after(self, secs: u64) -> Self {
        self.having(|details| details.retry_after_secs = Some(secs))
    }

    /// After how many seconds another try may help.
    pub fn retry_after_secs(&self) -> Option<u64> {
        self.details.retry_after_secs.or(self.code.retry_after_secs())
    }

    /// The methods that the path has, of a 405.
    pub fn allow(&self) -> Option<&'static str> {
        self.details.allow
    }

    #[must_use]
    pub fn in_context(self, context: RequestContext) -> Self {
        self.having(|details| details.context = Some(context))
    }

    /// The body for the caller.
    pub fn body(&self, context: &RequestContext) -> ErrorBody {
        let mut message = messages::message(self.code, context.language).to_owned();
        if let Some((value, currency)) = self.details.limit {
            let word = messages::limit_word(context.language);
            message = format!("{message} {word}: {} {currency}.", value.normalize());
        }
        ErrorBody {
            error: self.code.as_str(),
            error_id: self.code.number(),
            system_id: self.code.system().as_str(),
            message,
            field: self.details.field.clone(),
            data: self.details.data.clone(),
            request_id: context.id.to_string(),
        }
    }

    /// The whole answer.
    pub fn render(&self, context: &RequestContext) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        if let Some(secs) = self.retry_after_secs() {
            response.insert_header((RETRY_AFTER, secs.to_string()));
        }
        if let Some(allow) = self.details.allow {
            response.insert_header(("Allow", allow));
        }
        match self.code {
            Code::InvalidToken => {
                response.insert_header((WWW_AUTHENTICATE, AuthFailure::CHALLENGE));
            }
            Code::InsufficientScope => {
                response.insert_header((WWW_AUTHENTICATE, AuthFailure::SCOPE_CHALLENGE));
            }
            _ => {}
        }
        let mut response = response.json(self.body(context));
        security_headers(response.headers_mut(), context);
        response
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// Where the edge has not put the request's own context in: in English, under a new request id.
    fn error_response(&self) -> HttpResponse {
        match &self.details.context {
            Some(context) => self.render(context),
            None => self.render(&RequestContext::new(None, Language::En)),
        }
    }
}

impl From<TooOften> for ApiError {
    fn from(refused: TooOften) -> Self {
        Self::new(Code::TooManyRequests).retry_after(refused.retry_after_secs)
    }
}

impl From<&AuthFailure> for ApiError {
    fn from(failure: &AuthFailure) -> Self {
        match failure.0 {
            AuthError::ScopeMissing => Self::new(Code::InsufficientScope),
            // The token may be sound: an app that got a 401 would sign its user out.
            AuthError::KeysUnavailable => Self::new(Code::ServiceUnavailable),
            AuthError::NotWired => Self::new(Code::Common),
            _ => Self::new(Code::InvalidToken).with_data(json!({ "reason": failure.0.public_reason() })),
        }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn context(language: Language) -> RequestContext {
        RequestContext::new(Some("req-1"), language)
    }

    #[test]
    fn an_error_has_the_published_shape() {
        let error = ApiError::new(Code::AmountTooSmall)
            .having(|details| details.field = Some("amount".into()))
            .with_limit(dec!(23.04890970), "USDT".parse().unwrap());
        let body = serde_json::to_string(&error.body(&context(Language::En))).unwrap();
        assert_eq!(
            body,
            r#"{"error":"AMOUNT_TOO_SMALL","errorId":306,"systemId":"payout","message":"The amount is too small. Limit: 23.0489097 USDT.","field":"amount","data":{"limit":{"currency":"USDT","value":23.0489097}},"requestId":"req-1"}"#
        );
    }

    #[test]
    fn an_error_speaks_the_language_asked_for() {
        let error = ApiError::new(Code::AmountTooLarge).with_limit(dec!(1980), "EUR".parse().unwrap());
        assert_eq!(error.body(&context(Language::Uk)).message, "Сума завелика. Ліміт: 1980 EUR.");
    }

    #[test]
    fn what_may_be_tried_again_says_when() {
        let header = |error: ApiError| {
            let response = error.render(&context(Language::En));
            response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(ApiError::new(Code::RatesUnavailable)), Some("2".into()));
        assert_eq!(header(ApiError::new(Code::RequestInProgress).retry_after(7)), Some("7".into()));
        assert_eq!(header(ApiError::new(Code::OfferExpired)), None);
    }
}
