//! Partners and their terms: who has which in force, one partner's beside the house's, what they were, and the form that puts others in
//! force. The draft travels in its form; what is wrong with it is told by the gateway.

pub mod edit;
pub mod list;
pub mod one;

use super::error::PageError;
use super::frame::served;
use super::parts::{Moment, outside};
use crate::domain::ids::Mode;
use crate::staff::desk::Desk;
use crate::staff::terms::{TermsPage, TermsVersion};

/// Where a partner's page is.
fn href(mode: Mode, partner: &str) -> String {
    format!("/dashboard/{mode}/partners/{partner}")
}

/// The terms that an address names.
async fn terms_at(desk: &Desk, (mode, partner): (&str, &str)) -> Result<(Mode, TermsPage), PageError> {
    let mode = served(desk, mode)?;
    Ok((mode, desk.partner_terms(mode, partner).await?))
}

/// A version in a page's history.
struct Version {
    version: i32,
    at: Moment,
    by: String,
    reason: String,
}

impl From<&TermsVersion> for Version {
    fn from(version: &TermsVersion) -> Self {
        Self {
            version: version.version,
            at: Moment::of(version.created_at),
            by: outside(&version.created_by),
            reason: outside(&version.reason),
        }
    }
}
