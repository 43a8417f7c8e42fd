//! Media types: JSON:API's own and plain JSON are both taken and answered.

use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};

/// What the answer is declared as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    #[default]
    JsonApi,
    Json,
}

impl Media {
    pub const fn as_str(self) -> &'static str {
        match self {
            Media::JsonApi => "application/vnd.api+json",
            Media::Json => "application/json",
        }
    }

    fn parse(essence: &str) -> Option<Self> {
        [Media::JsonApi, Media::Json].into_iter().find(|media| essence.eq_ignore_ascii_case(media.as_str()))
    }

    /// What to answer: what is accepted, and where anything is, what was sent. `None`: neither is accepted.
    pub fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let sent = || text(headers, CONTENT_TYPE).and_then(|text| Self::parse(essence(text))).unwrap_or_default();
        let mut ranges = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok()).peekable();
        if ranges.peek().is_none() {
            return Some(sent());
        }
        let mut any = false;
        for range in ranges.flat_map(|ranges| ranges.split(',')) {
            let essence = essence(range);
            let refused = range.split(';').skip(1).any(|parameter| is_zero(parameter.trim()));
            match Self::parse(essence) {
                _ if refused => {}
                Some(media) => return Some(media),
                None => any |= matches!(essence, "*/*" | "application/*"),
            }
        }
        any.then(sent)
    }

    /// What an error is answered as, whatever is accepted.
    pub fn of_error(headers: &HeaderMap) -> Self {
        Self::negotiate(headers).unwrap_or_default()
    }
}

/// Whether a parameter of a range says "never".
fn is_zero(parameter: &str) -> bool {
    parameter.strip_prefix("q=").is_some_and(|weight| weight.bytes().all(|byte| matches!(byte, b'0' | b'.')))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn essence(range: &str) -> &str {
    range.split(';').next().unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn media(headers: &[(&'static str, &'static str)]) -> Option<Media> {
        let request = headers.iter().fold(TestRequest::get(), |request, header| request.append_header(*header));
        Media::negotiate(request.to_http_request().headers())
    }

    #[test]
    fn the_answer_is_what_is_accepted_or_what_was_sent() {
        assert_eq!(media(&[]), Some(Media::JsonApi));
        assert_eq!(media(&[("Content-Type", "application/json; charset=utf-8")]), Some(Media::Json));
        assert_eq!(media(&[("Accept", "*/*"), ("Content-Type", "application/json")]), Some(Media::Json));
        assert_eq!(media(&[("Accept", "*/*")]), Some(Media::JsonApi));
        assert_eq!(media(&[("Accept", "text/html, application/json;q=0.5")]), Some(Media::Json));
        assert_eq!(media(&[("Accept", "Application/VND.api+json, application/json")]), Some(Media::JsonApi));
        assert_eq!(media(&[("Accept", "text/html, application/*;q=0.1")]), Some(Media::JsonApi));
        assert_eq!(media(&[("Accept", "text/html")]), None);
        assert_eq!(media(&[("Accept", "application/json;q=0, text/html")]), None);
    }
}
