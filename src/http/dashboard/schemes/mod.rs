//! Payout schemes: the list of them, one with its tree and its versions, the differences between versions, and the editor, in which a
//! draft is changed by form or as JSON, checked, simulated and published.
//!
//! The editor keeps nothing here: its draft travels in its form, so that it works without a script, in two tabs, and over any node. What is
//! sound and what a draft would do is told by the gateway.

pub(super) mod diff;
mod draft;
mod draft_form;
pub mod drafted;
pub mod edit;
pub(super) mod fields;
pub(super) mod json;
pub mod list;
pub mod new;
pub mod one;
mod replay;
mod tree;
mod words;

use super::error::PageError;
use super::frame::served;
use crate::domain::ids::{Mode, PayoutSchemeId};
use crate::staff::desk::Desk;
use crate::staff::schemes::{SchemeError, SchemePage};

impl From<SchemeError> for PageError {
    fn from(error: SchemeError) -> Self {
        match error {
            SchemeError::Role => PageError::Role(crate::staff::schemes::ROUTES),
            SchemeError::NotFound => PageError::NotFound,
            SchemeError::Desk(error) => error.into(),
            // Told on a page, where there is one.
            SchemeError::Invalid(_) | SchemeError::Refused(_) => PageError::Internal(error.to_string()),
        }
    }
}

/// The scheme that an address names.
async fn scheme_at(desk: &Desk, (mode, partner, id): (&str, &str, &str)) -> Result<(Mode, SchemePage), PageError> {
    let mode = served(desk, mode)?;
    let id: PayoutSchemeId = id.parse().map_err(|_| PageError::NotFound)?;
    Ok((mode, desk.scheme(mode, partner, id).await?))
}

/// Where a text stops being JSON.
pub(super) fn not_json(error: &serde_json::Error) -> String {
    format!("This isn't JSON. It ends being so in line {}, at character {}.", error.line(), error.column())
}

/// Where a scheme's page is.
fn href(mode: Mode, partner: &str, id: PayoutSchemeId) -> String {
    format!("/dashboard/{mode}/schemes/{partner}/{id}")
}
