//! What stands around every page: where one is, in which mode, who one is.

use super::assets::STYLE_SHEET_HREF;
use super::error::PageError;
use super::visitor::Visitor;
use crate::domain::ids::Mode;
use crate::staff::desk::Desk;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Overview,
    Offers,
    Requests,
    Moderation,
    Approvals,
}

pub struct Frame {
    pub css: &'static str,
    pub mode: Mode,
    /// The other modes that are served.
    pub others: Vec<Mode>,
    pub name: String,
    pub role: &'static str,
    pub form_token: String,
    section: Section,
}

impl Frame {
    pub fn new(visitor: &Visitor, desk: &Desk, mode: Mode, section: Section) -> Self {
        let owner = &visitor.0.owner;
        Self {
            css: &STYLE_SHEET_HREF,
            mode,
            others: desk.modes().iter().copied().filter(|other| *other != mode).collect(),
            name: owner.name.clone(),
            role: owner.role.as_str(),
            form_token: visitor.0.token.form_token(),
            section,
        }
    }

    /// The `aria-current` of a link of the navigation: `section` is the last part of its address.
    pub fn current(&self, section: &str) -> &'static str {
        let is_current = match self.section {
            Section::Overview => section.is_empty(),
            Section::Offers => section == "offers",
            Section::Requests => section == "requests",
            Section::Moderation => section == "moderation",
            Section::Approvals => section == "approvals",
        };
        if is_current { "page" } else { "false" }
    }
}

/// The mode that an address names, if it is served.
pub fn served(desk: &Desk, text: &str) -> Result<Mode, PageError> {
    text.parse().ok().filter(|mode| desk.modes().contains(mode)).ok_or(PageError::NotFound)
}
