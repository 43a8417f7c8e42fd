//! The dashboard's three cookies: the session's (also of one that still asks for the second factor), that of a browser which is about to
//! sign in, and that of a browser in which somebody has signed in. All are always `Secure`, `HttpOnly` and `SameSite=Strict` and hold a
//! random token only; the last one outlives the browser. By their prefix `__Host-` browsers take them from nobody but this very host.
//!
//! There is no exception for development: Chromium, Firefox and curl take such cookies over plain HTTP from a loopback address.

use actix_web::HttpRequest;
use actix_web::http::header::COOKIE;

use crate::domain::staff::DEVICE_AGE_MAX;
use crate::staff::SessionToken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    Session,
    SignIn,
    /// Signs nobody in: failures in a browser that has it are counted by themselves.
    Device,
}

impl Cookie {
    /// The token that the browser sent; `None` for anything that can't be one.
    pub fn read(self, request: &HttpRequest) -> Option<SessionToken> {
        request
            .headers()
            .get_all(COOKIE)
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == self.name())
            .and_then(|(_, value)| SessionToken::parse(value))
    }

    /// The `Set-Cookie` that keeps `token`.
    pub fn keep(self, token: &SessionToken) -> String {
        let age = match self {
            Cookie::Session | Cookie::SignIn => String::new(),
            Cookie::Device => format!("; Max-Age={}", DEVICE_AGE_MAX.num_seconds()),
        };
        format!("{}={}; {ATTRIBUTES}{age}", self.name(), token.encode())
    }

    /// The `Set-Cookie` that ends it.
    pub fn forget(self) -> String {
        format!("{}=; {ATTRIBUTES}; Max-Age=0", self.name())
    }

    const fn name(self) -> &'static str {
        match self {
            Cookie::Session => "__Host-landfall-staff",
            Cookie::SignIn => "__Host-landfall-sign-in",
            Cookie::Device => "__Host-landfall-device",
        }
    }
}

const ATTRIBUTES: &str = "Path=/; HttpOnly; Secure; SameSite=Strict";

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_is_a_token_or_nothing() {
        let token = SessionToken::random().unwrap();
        let read = |header: String| {
            let request = TestRequest::default().insert_header((COOKIE, header)).to_http_request();
            Cookie::Session.read(&request).map(|token| token.id())
        };
        assert_eq!(read(format!("a=b; __Host-landfall-staff={}; c=d", token.encode())), Some(token.id()));
        assert_eq!(read(format!("landfall-staff={}", token.encode())), None);
        assert_eq!(read("__Host-landfall-staff=guess".to_owned()), None);
    }
}
