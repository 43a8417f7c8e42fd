//! What stands around every page: where one is, in which mode, who one is.

use super::assets::{SCRIPT_HREF, STYLE_SHEET_HREF};
use super::error::PageError;
use super::visitor::Visitor;
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::desk::Desk;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Overview,
    Search,
    Offers,
    Requests,
    Payouts,
    Customers,
    Moderation,
    Approvals,
    Schemes,
    Partners,
    Accounts,
    Rates,
    Webhooks,
    Keys,
    Staff,
    Audit,
}

impl Section {
    /// The part of its address behind the mode.
    pub const fn path(self) -> &'static str {
        match self {
            Section::Overview => "",
            Section::Search => "search",
            Section::Offers => "offers",
            Section::Requests => "requests",
            Section::Payouts => "payouts",
            Section::Customers => "customers",
            Section::Moderation => "moderation",
            Section::Approvals => "approvals",
            Section::Accounts => "accounts",
            Section::Rates => "rates",
            Section::Webhooks => "webhooks",
            Section::Keys => "keys",
            Section::Staff => "staff",
            Section::Audit => "audit",
            Section::Schemes => "schemes",
            Section::Partners => "partners",
        }
    }
}

pub struct Frame {
    pub css: &'static str,
    pub script: &'static str,
    pub mode: Mode,
    /// The other modes that are served.
    pub others: Vec<Mode>,
    pub name: String,
    pub role: &'static str,
    pub form_token: String,
    /// Whether whoever looks manages staff and keys.
    pub is_admin: bool,
    /// Whether they run routing and settle cases.
    pub is_operator: bool,
    section: Section,
}

impl Frame {
    pub fn new(visitor: &Visitor, desk: &Desk, mode: Mode, section: Section) -> Self {
        let owner = &visitor.0.owner;
        Self {
            css: &STYLE_SHEET_HREF,
            script: &SCRIPT_HREF,
            mode,
            others: desk.modes().iter().copied().filter(|other| *other != mode).collect(),
            name: owner.name.clone(),
            role: owner.role.as_str(),
            form_token: visitor.0.token.form_token(),
            is_admin: owner.role >= Role::Admin,
            is_operator: owner.role >= Role::Operator,
            section,
        }
    }

    /// The `aria-current` of a link of the navigation: `section` is the last part of its address.
    pub fn current(&self, section: &str) -> &'static str {
        let is_current = self.section.path() == section;
        if is_current { "page" } else { "false" }
    }
}

/// The mode that an address names, if it is served.
pub fn served(desk: &Desk, text: &str) -> Result<Mode, PageError> {
    text.parse().ok().filter(|mode| desk.modes().contains(mode)).ok_or(PageError::NotFound)
}
