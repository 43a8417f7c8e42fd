//! The [`WalletUser`] extractor: one `Authorization: Bearer <token>` header, or a 401 that does not say why (403 for a
//! scope that a sound token lacks, 503 while the issuer's keys can't be had).

use std::fmt;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use futures_util::future::LocalBoxFuture;

use super::{AuthError, Authenticator, Principal};
use crate::http::error::ApiError;

/// A verified wallet user. Needs an `Arc<Authenticator>` in the app data.
#[derive(Clone, Debug)]
pub struct WalletUser(pub Principal);

impl FromRequest for WalletUser {
    type Error = AuthFailure;
    type Future = LocalBoxFuture<'static, Result<Self, AuthFailure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let authenticator = request.app_data::<Arc<Authenticator>>().cloned();
        let token = bearer_token(request.headers()).map(str::to_owned);
        Box::pin(async move {
            let authenticated = match (authenticator, token) {
                (None, _) => Err(AuthError::NotWired),
                (Some(_), Err(error)) => Err(error),
                (Some(authenticator), Ok(token)) => authenticator.authenticate(&token).await,
            };
            authenticated.map(WalletUser).map_err(|error| {
                match error {
                    AuthError::NotWired => tracing::error!(%error, "request refused"),
                    AuthError::KeysUnavailable => tracing::warn!(%error, "request refused"),
                    _ => tracing::info!(%error, "request refused"),
                }
                AuthFailure(error)
            })
        })
    }
}

/// RFC 6750 section 2.1. The scheme is case-insensitive; what follows its one space is the token.
fn bearer_token(headers: &HeaderMap) -> Result<&str, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next().ok_or(AuthError::Missing)?;
    if values.next().is_some() {
        return Err(AuthError::HeaderRepeated);
    }
    let text = value.to_str().map_err(|_| AuthError::NotBearer)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => Ok(token),
        _ => Err(AuthError::NotBearer),
    }
}

/// A refused request on its way to the caller. The reason inside is for us; it is logged already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthFailure(pub AuthError);

impl AuthFailure {
    /// The `WWW-Authenticate` header of a refused token.
    pub const CHALLENGE: &'static str = "Bearer error=\"invalid_token\"";
    /// The same for a sound token that doesn't grant what is needed (RFC 6750 section 3.1).
    pub const SCOPE_CHALLENGE: &'static str = "Bearer error=\"insufficient_scope\"";
}

impl fmt::Display for AuthFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.public_reason())
    }
}

impl ResponseError for AuthFailure {
    fn status_code(&self) -> StatusCode {
        ApiError::from(self).status_code()
    }

    fn error_response(&self) -> HttpResponse {
        ApiError::from(self).error_response()
    }
}
