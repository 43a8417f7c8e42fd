//! What a caller prefers (RFC 7240): how long to wait for an end.

use std::time::Duration;

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long a call waits, and whether its caller is told that it was heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    pub time: Duration,
    is_preferred: bool,
}

impl Wait {
    /// What `Prefer: wait=N` asks for, `longest` at most; without it, `otherwise`. One that can't be read is ignored.
    pub fn of(request: &HttpRequest, longest: Duration, otherwise: Duration) -> Self {
        let mut headers = request.headers().get_all("Prefer");
        let header = headers.next().filter(|_| headers.next().is_none()).and_then(|header| header.to_str().ok());
        let preferred = header.and_then(preferred_wait);
        Self { time: preferred.map_or(otherwise, |wait| wait.min(longest)), is_preferred: preferred.is_some() }
    }

    /// Says in the answer that the preference was heeded.
    pub fn applied(self, mut response: HttpResponse) -> HttpResponse {
        if let (true, Ok(applied)) = (self.is_preferred, format!("wait={}", self.time.as_secs()).try_into()) {
            response.headers_mut().insert(PREFERENCE_APPLIED, applied);
        }
        response
    }
}

/// The first `wait` counts.
fn preferred_wait(header: &str) -> Option<Duration> {
    let preference = header.split(',').filter_map(|preference| preference.split(';').next()?.split_once('='));
    let wait =
        preference.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| name.eq_ignore_ascii_case("wait"));
    wait.and_then(|(_, value)| value.trim_matches('"').parse().ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_from_its_preference() {
        let secs = |header: &str| preferred_wait(header).map(|wait| wait.as_secs());
        assert_eq!(secs("wait=3"), Some(3));
        assert_eq!(secs("respond-async, Wait = \"0\" ;x=1"), Some(0));
        for ignored in ["", "wait", "wait=-1", "wait=1.5", "wait=x", "waits=3", "wait=99999999999999999999"] {
            assert_eq!(secs(ignored), None, "{ignored}");
        }
    }
}
