//! Who is looking: every page but the sign-in asks for a [`Visitor`], and nobody gets past it without a living session.

use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::cookies::Cookie;
use super::error::PageError;
use super::zone;
use crate::domain::card::strike_numbers;
use crate::domain::staff::Role;
use crate::http::proxies::Origin;
use crate::staff::own::Demand;
use crate::staff::sign_in::From as Whence;
use crate::staff::{SessionToken, SignedIn, Staff};

/// Somebody who is signed in, and has nothing to do before they look at anything.
pub struct Visitor(pub SignedIn);

impl Visitor {
    /// Refuses whoever has a lower role.
    pub fn needs(&self, role: Role) -> Result<(), PageError> {
        if self.0.owner.role >= role { Ok(()) } else { Err(PageError::Role(role)) }
    }
}

/// Somebody who is signed in, and may first have to change their password or to enrol a second factor.
pub struct Newcomer(pub SignedIn);

impl FromRequest for Visitor {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (staff, token) = parts(request);
        Box::pin(async move {
            let (staff, signed_in) = signed_in(staff, token).await?;
            match staff.demands(&signed_in.owner) {
                None => Ok(Self(signed_in)),
                Some(Demand::ChangePassword) => Err(PageError::First("/dashboard/account/password")),
                Some(Demand::EnrolTotp) => Err(PageError::First("/dashboard/account/totp")),
            }
        })
    }
}

/// Somebody who is signed in, asked by a page by itself: it doesn't count as use of the session, which so ends when nobody does anything.
pub struct Onlooker {
    pub staff: web::Data<Staff>,
    pub token: SessionToken,
}

impl Onlooker {
    /// Whether the session still shows them something.
    pub async fn may_look(&self) -> Result<bool, PageError> {
        let owner = self.staff.living_session(&self.token).await?;
        Ok(owner.is_some_and(|owner| self.staff.demands(&owner).is_none()))
    }
}

impl FromRequest for Onlooker {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (staff, token) = parts(request);
        Box::pin(async move {
            let staff = staff.ok_or_else(|| PageError::Internal("the dashboard isn't wired".to_owned()))?;
            let onlooker = Self { staff, token: token.ok_or(PageError::SignedOut)? };
            if onlooker.may_look().await? { Ok(onlooker) } else { Err(PageError::SignedOut) }
        })
    }
}

impl FromRequest for Newcomer {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (staff, token) = parts(request);
        Box::pin(async move { Ok(Self(signed_in(staff, token).await?.1)) })
    }
}

fn parts(request: &HttpRequest) -> (Option<web::Data<Staff>>, Option<SessionToken>) {
    (request.app_data::<web::Data<Staff>>().cloned(), Cookie::Session.read(request))
}

async fn signed_in(
    staff: Option<web::Data<Staff>>,
    token: Option<SessionToken>,
) -> Result<(web::Data<Staff>, SignedIn), PageError> {
    let staff = staff.ok_or_else(|| PageError::Internal("the dashboard isn't wired".to_owned()))?;
    let signed_in = staff.session(token.ok_or(PageError::SignedOut)?).await?.ok_or(PageError::SignedOut)?;
    zone::read_by(signed_in.owner.zone.as_deref());
    Ok((staff, signed_in))
}

/// Where a request comes from.
pub fn whence(request: &HttpRequest) -> Whence {
    Whence {
        ip: Origin::of(request).caller,
        user_agent: request
            .headers()
            .get(USER_AGENT)
            .and_then(|text| text.to_str().ok())
            .map(|text| strike_numbers(text).into_owned()),
        device: Cookie::Device.read(request),
    }
}

/// Refuses a form that wasn't given to this session's browser.
pub fn check_form(visitor: &Visitor, sent: &str) -> Result<(), PageError> {
    check_form_of(&visitor.0, sent)
}

/// The same for whoever is signed in.
pub fn check_form_of(signed_in: &SignedIn, sent: &str) -> Result<(), PageError> {
    if signed_in.token.is_form_token(sent) { Ok(()) } else { Err(PageError::Form) }
}
