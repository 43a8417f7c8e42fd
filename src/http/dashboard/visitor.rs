//! Who is looking: every page but the sign-in asks for a [`Visitor`], and nobody gets past it without a living session.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::cookies::Cookie;
use super::error::PageError;
use crate::staff::{SignedIn, Staff};

/// Somebody who is signed in.
pub struct Visitor(pub SignedIn);

impl FromRequest for Visitor {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let staff = request.app_data::<web::Data<Staff>>().cloned();
        let token = Cookie::Session.read(request);
        Box::pin(async move {
            let staff = staff.ok_or_else(|| PageError::Internal("the dashboard isn't wired".to_owned()))?;
            let token = token.ok_or(PageError::SignedOut)?;
            staff.session(token).await?.map(Visitor).ok_or(PageError::SignedOut)
        })
    }
}

/// Refuses a form that wasn't given to this session's browser.
pub fn check_form(visitor: &Visitor, sent: &str) -> Result<(), PageError> {
    if visitor.0.token.is_form_token(sent) { Ok(()) } else { Err(PageError::Form) }
}
