//! The `[staff]` section: how members of staff prove who they are, and what needs two of them.

use chrono::TimeDelta;
use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffSettings {
    /// Whether everybody needs a second factor. Without it: where live mode is served.
    pub totp: Option<SecondFactor>,
    /// Which changes need a second person.
    pub maker_checker: MakerChecker,
    /// How long a change waits for its second person, in seconds.
    pub approval_ttl_secs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    Required,
    Optional,
}

/// In which mode configuration, keys and decisions about money need a second person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MakerChecker {
    /// In live mode alone.
    Live,
    /// In test mode too.
    Always,
    Never,
}

impl StaffSettings {
    /// Whether somebody without a second factor is shown nothing but the page on which they enrol one.
    pub fn needs_totp(&self, is_live: bool) -> bool {
        self.totp.map_or(is_live, |totp| totp == SecondFactor::Required)
    }

    pub fn approval_ttl(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.approval_ttl_secs))
    }

    pub fn check(&self, is_live: bool, problems: &mut Problems) {
        if is_live && self.totp == Some(SecondFactor::Optional) {
            problems.add("staff.totp", "live mode requires a second factor (PCI DSS 8.4.1)");
        }
        if !(60..=2_592_000).contains(&self.approval_ttl_secs) {
            problems.add("staff.approval_ttl_secs", "must be 60 to 2592000 (30 days)");
        }
    }
}
