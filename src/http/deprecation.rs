//! Operations that are to go: since when that is said, and until when they stay. Their description says `deprecated`, and every answer of
//! theirs says both dates (`Deprecation`, RFC 9745; `Sunset`, RFC 8594). What they do stays as it is until they are gone. The rules are in
//! `docs/changes.md`.

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");
/// Where integrators read what to use instead.
const ABOUT: &str = "</docs/changelog>; rel=\"deprecation\"; type=\"text/html\"";

/// An operation that is to go.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    pub method: &'static str,
    /// As it is described: `/v4/payout/offer/{offerId}`.
    pub path: &'static str,
    /// The day, in UTC, on which it was published as deprecated.
    pub since: NaiveDate,
    /// The day before which it isn't taken away.
    pub sunset: NaiveDate,
}

/// All of them. A line here is all that is needed; `openapi.yaml` follows.
pub const LEAVING: &[Leaving] = &[];

/// Whether the operation, written as `GET /v4/payout/data`, is one of them.
pub fn is_leaving(leaving: &[Leaving], operation: &str) -> bool {
    leaving.iter().any(|one| operation.split_once(' ') == Some((one.method, one.path)))
}

/// Says in an answer's headers that its operation is to go. `path` is the pattern that was met.
pub fn announce(leaving: &[Leaving], method: &Method, path: impl Fn() -> Option<String>, headers: &mut HeaderMap) {
    let Some(one) = leaving.iter().find(|one| one.method == method && path().as_deref() == Some(one.path)) else {
        return;
    };
    let texts = [
        (DEPRECATION, format!("@{}", start(one.since).timestamp())),
        (SUNSET, start(one.sunset).format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        (LINK, ABOUT.to_owned()),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(name, value);
        }
    }
}

fn start(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi;

    fn day(year: i32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, 3, 1).unwrap()
    }

    #[test]
    fn an_operation_that_is_to_go_says_since_when_and_until_when() {
        let leaving = [Leaving { method: "GET", path: "/v4/payout/data", since: day(2027), sunset: day(2028) }];
        let told = |method: Method, path: &str| {
            let mut headers = HeaderMap::new();
            announce(&leaving, &method, || Some(path.to_owned()), &mut headers);
            headers
        };
        let headers = told(Method::GET, "/v4/payout/data");
        assert_eq!(headers.get("deprecation").unwrap(), "@1803859200");
        assert_eq!(headers.get("sunset").unwrap(), "Wed, 01 Mar 2028 00:00:00 GMT");
        assert_eq!(headers.get("link").unwrap(), "</docs/changelog>; rel=\"deprecation\"; type=\"text/html\"");
        assert!(told(Method::POST, "/v4/payout/data").is_empty() && told(Method::GET, "/v4/payout/dat").is_empty());
        assert!(is_leaving(&leaving, "GET /v4/payout/data") && !is_leaving(&leaving, "PUT /v4/payout/data"));
    }

    /// What `docs/changes.md` promises.
    #[test]
    fn what_is_to_go_is_there_and_stays_for_a_year() {
        let api = serde_json::to_value(openapi::openapi().unwrap()).unwrap();
        for one in LEAVING {
            let operation = &api["paths"][one.path][one.method.to_lowercase()];
            assert_eq!(operation["deprecated"], true, "{} {} isn't described as deprecated", one.method, one.path);
            assert!((one.sunset - one.since).num_days() >= 365, "{} {} goes too soon", one.method, one.path);
        }
        let page = include_str!("../../docs/changes.md");
        assert_eq!(LEAVING.is_empty(), page.contains("Nothing is deprecated today."));
        // And nothing is deprecated without its dates.
        for (path, item) in api["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = format!("{} {path}", method.to_uppercase());
                assert!(operation["deprecated"] != true || is_leaving(LEAVING, &name), "{name} has no dates");
            }
        }
    }
}
