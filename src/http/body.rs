//! Reading a request's body: bounded in size and in time, JSON by its declared type, wiped when dropped, since a body
//! can hold a card number.

use std::fmt;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use zeroize::Zeroizing;

use super::error::{ApiError, Code, FieldProblem};

/// How much of a body that is too large is still read, in its own bounds, so that the caller gets to see the answer.
const DRAIN_FACTOR: usize = 4;

/// A body as it came. It redacts `Debug` and is wiped on drop.
pub struct Body(Zeroizing<Vec<u8>>);

impl Body {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it: no byte, white space, or `{}`.
    pub fn is_blank(&self) -> bool {
        let text: Vec<u8> = self.0.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(3).collect();
        text.is_empty() || text == b"{}"
    }

    #[cfg(any(test, feature = "torture"))]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Zeroizing::new(bytes.as_ref().to_vec()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes, redacted)", self.0.len())
    }
}

/// The bounds of what is read.
#[derive(Clone, Copy, Debug)]
pub struct BodyBounds {
    pub bytes_max: usize,
    /// How long the whole body may take to arrive.
    pub timeout: Duration,
}

/// Reads a JSON body: a declared type other than JSON is refused, and so is any content coding.
pub async fn read_json(request: &HttpRequest, payload: web::Payload, bounds: BodyBounds) -> Result<Body, ApiError> {
    check_json_type(request.headers(), &["application/json"])?;
    read(request, payload, bounds).await
}

/// [`read_json`] for JSON:API documents, which may be declared as either.
pub async fn read_json_api(request: &HttpRequest, payload: web::Payload, bounds: BodyBounds) -> Result<Body, ApiError> {
    check_json_type(request.headers(), &["application/vnd.api+json", "application/json"])?;
    read(request, payload, bounds).await
}

/// Reads a body of any type.
pub async fn read(request: &HttpRequest, payload: web::Payload, bounds: BodyBounds) -> Result<Body, ApiError> {
    if let Some(coding) = request.headers().get(CONTENT_ENCODING)
        && coding.as_bytes() != b"identity"
    {
        return Err(ApiError::field("Content-Encoding", FieldProblem::Value));
    }
    match tokio::time::timeout(bounds.timeout, collect(request, payload, bounds.bytes_max)).await {
        Ok(read) => read,
        Err(_) => Err(ApiError::new(Code::RequestTimeout)),
    }
}

async fn collect(request: &HttpRequest, mut payload: web::Payload, bytes_max: usize) -> Result<Body, ApiError> {
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|declared: usize| declared > bytes_max.saturating_mul(DRAIN_FACTOR)) {
        return Err(ApiError::new(Code::RequestTooLarge));
    }
    // Never grown, since growing leaves copies behind that nobody wipes.
    let capacity = declared.map_or(bytes_max, |declared| declared.min(bytes_max));
    let mut body = Zeroizing::new(Vec::with_capacity(capacity));
    let mut seen = 0_usize;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            tracing::info!(%error, "the body did not come whole");
            ApiError::field("", FieldProblem::Json)
        })?;
        seen = seen.saturating_add(chunk.len());
        if seen > bytes_max.saturating_mul(DRAIN_FACTOR) {
            break;
        }
        if seen <= bytes_max {
            body.extend_from_slice(&chunk);
        }
    }
    if seen > bytes_max { Err(ApiError::new(Code::RequestTooLarge)) } else { Ok(Body(body)) }
}

/// No type at all is taken for JSON, since old apps may send none.
fn check_json_type(headers: &HeaderMap, taken: &[&str]) -> Result<(), ApiError> {
    let Some(declared) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let refused = || ApiError::field("Content-Type", FieldProblem::Value);
    let text = declared.to_str().map_err(|_| refused())?;
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or("");
    if !taken.iter().any(|taken| essence.eq_ignore_ascii_case(taken)) {
        return Err(refused());
    }
    let other_charset = parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset") && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if other_charset { Err(refused()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn accepts(content_type: &str) -> bool {
        let request = TestRequest::post().insert_header(("Content-Type", content_type)).to_http_request();
        check_json_type(request.headers(), &["application/json"]).is_ok()
    }

    #[test]
    fn only_json_in_utf_8_is_taken() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            assert!(accepts(good), "{good}");
        }
        for bad in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "",
            "application/jsonx",
        ] {
            assert!(!accepts(bad), "{bad}");
        }
    }

    #[test]
    fn a_body_never_shows_itself() {
        assert_eq!(format!("{:?}", Body::of("4907000000003896")), "Body(16 bytes, redacted)");
        assert!(Body::of(" {\n } ").is_blank());
        assert!(!Body::of("{}{}").is_blank());
        assert!(!Body::of("null").is_blank());
    }
}
