//! What is shown instead of a page. Nothing internal is told; what went wrong is logged, once, here.

use std::{fmt, io};

use actix_web::error::{PayloadError, UrlencodedError};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use askama::Template;

use super::CONTENT_SECURITY_POLICY as POLICY;
use super::assets::STYLE_SHEET_HREF;
use super::parts::html;
use crate::domain::staff::Role;
use crate::http::error::{ApiError, Code};
use crate::http::limits::TooOften;
use crate::staff::approvals::{ApprovalError, SettleError};
use crate::staff::desk::DeskError;
use crate::staff::moderation::WordError;
use crate::staff::{self, StaffError};

#[derive(Debug)]
pub enum PageError {
    /// Nobody is signed in: the way leads to the sign-in page.
    SignedOut,
    /// Something has to be done first, on the page with this address.
    First(&'static str),
    NotFound,
    /// Nobody below this role sees or does this.
    Role(Role),
    /// A form that can't be read, or that this browser wasn't given.
    Form,
    /// A form that didn't come in time, or a head that is too large: what the status says.
    Request(StatusCode),
    /// Too often: after so many seconds it may be tried again.
    TooOften(u64),
    /// Too much to do, or the database can't be reached: later it may work.
    Unavailable(String),
    Internal(String),
}

#[derive(Template)]
#[template(path = "error.html", config = "web/askama.toml")]
struct ErrorPage<'a> {
    css: &'a str,
    title: &'a str,
    what_to_do: &'a str,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.told().0)
    }
}

impl PageError {
    fn failed(is_passing: bool, error: &impl fmt::Display) -> Self {
        if is_passing { PageError::Unavailable(error.to_string()) } else { PageError::Internal(error.to_string()) }
    }

    /// What is said, and what the reader can do.
    fn told(&self) -> (&'static str, &'static str) {
        match self {
            PageError::SignedOut => ("Sign in first", "Your session has ended."),
            PageError::First(_) => ("There is something to do first", "Nothing else is shown before it is done."),
            PageError::NotFound => (
                "There is no such page",
                "Check the address, and that the mode in it, test or live, is the one you mean.",
            ),
            PageError::Role(role) => (
                match role {
                    Role::Viewer => "A role of viewer or above is needed",
                    Role::Support => "A role of support or above is needed",
                    Role::Operator => "A role of operator or above is needed",
                    Role::Admin => "A role of admin is needed",
                },
                "Nothing was done. Ask an admin for the role, or somebody who has it to do this.",
            ),
            PageError::Form => (
                "This form can't be used any more",
                "It was opened in another session, or too long ago. Nothing was done. Open the page again and repeat it.",
            ),
            PageError::Request(_) => (
                "Your browser's request can't be taken",
                "It was too slow or too large. Nothing was done. Open the page again and repeat it.",
            ),
            PageError::TooOften(_) => (
                "Too often",
                "There were too many tries from your network. Nothing was done. Wait a moment and try again.",
            ),
            PageError::Unavailable(_) => (
                "Landfall can't answer now",
                "It is too busy, or can't reach its database. Nothing was changed. Try again in a moment.",
            ),
            PageError::Internal(_) => (
                "Something went wrong here",
                "Nothing was changed. What happened is in the server's log; tell an operator the time and the address.",
            ),
        }
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            PageError::SignedOut | PageError::First(_) => StatusCode::SEE_OTHER,
            PageError::NotFound => StatusCode::NOT_FOUND,
            PageError::Form | PageError::Role(_) => StatusCode::FORBIDDEN,
            PageError::Request(status) => *status,
            PageError::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            PageError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            PageError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            PageError::SignedOut => {
                return HttpResponse::SeeOther().insert_header((LOCATION, "/dashboard/sign-in")).finish();
            }
            PageError::First(page) => return HttpResponse::SeeOther().insert_header((LOCATION, *page)).finish(),
            PageError::Unavailable(why) => tracing::warn!(why, "a dashboard page is unavailable"),
            PageError::Internal(why) => tracing::error!(why, "a dashboard page failed"),
            PageError::NotFound
            | PageError::Role(_)
            | PageError::Form
            | PageError::Request(_)
            | PageError::TooOften(_) => {}
        }
        let (title, what_to_do) = self.told();
        let page = ErrorPage { css: &STYLE_SHEET_HREF, title, what_to_do };
        let mut response = HttpResponse::build(self.status_code());
        match self {
            PageError::Unavailable(_) => drop(response.insert_header((RETRY_AFTER, "5"))),
            PageError::TooOften(secs) => drop(response.insert_header((RETRY_AFTER, secs.to_string()))),
            _ => {}
        }
        // Also where the edge answers, outside of the dashboard's own headers.
        response.insert_header((CONTENT_SECURITY_POLICY, POLICY));
        html(response, &page).unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
    }
}

impl From<DeskError> for PageError {
    fn from(error: DeskError) -> Self {
        Self::failed(error.is_passing(), &error)
    }
}

impl From<StaffError> for PageError {
    fn from(error: StaffError) -> Self {
        Self::failed(error.is_passing(), &error)
    }
}

impl From<WordError> for PageError {
    fn from(error: WordError) -> Self {
        let is_passing = matches!(&error, WordError::Decision(error) if error.is_passing());
        Self::failed(is_passing, &error)
    }
}

impl From<TooOften> for PageError {
    fn from(refused: TooOften) -> Self {
        PageError::TooOften(refused.retry_after_secs)
    }
}

impl From<UrlencodedError> for PageError {
    fn from(error: UrlencodedError) -> Self {
        match error {
            UrlencodedError::Payload(PayloadError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                PageError::Request(StatusCode::REQUEST_TIMEOUT)
            }
            _ => PageError::Form,
        }
    }
}

/// What the edge refuses or gives up.
impl From<&ApiError> for PageError {
    fn from(error: &ApiError) -> Self {
        match error.code {
            Code::NotFound => PageError::NotFound,
            Code::TooManyRequests => PageError::TooOften(error.retry_after_secs().unwrap_or(1)),
            Code::ServiceUnavailable => PageError::Unavailable("too much to do".to_owned()),
            Code::Common => PageError::Internal("a page failed".to_owned()),
            code => PageError::Request(code.status()),
        }
    }
}

impl From<SettleError> for PageError {
    fn from(error: SettleError) -> Self {
        let is_passing =
            matches!(&error, SettleError::Approval(ApprovalError::Failed(error)) if staff::is_passing_failure(error));
        Self::failed(is_passing, &error)
    }
}

impl From<ApprovalError> for PageError {
    fn from(error: ApprovalError) -> Self {
        SettleError::from(error).into()
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        PageError::Internal(error.to_string())
    }
}

pub async fn not_found() -> Result<HttpResponse, PageError> {
    Err(PageError::NotFound)
}
