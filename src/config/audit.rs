//! The `[audit]` section: where the heads of the audit trail are anchored.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// A file that workers append the head of every chain to, with its MAC; best on storage that the database's administrators can't
    /// change. Relative to the working directory.
    pub anchor_file: Option<PathBuf>,
    /// How often, in seconds. Heads that haven't moved aren't written again.
    pub anchor_every_secs: u32,
}

impl AuditSettings {
    pub fn anchor_every(&self) -> Duration {
        Duration::from_secs(u64::from(self.anchor_every_secs))
    }

    pub fn check(&self, problems: &mut Problems) {
        if !(1..=86_400).contains(&self.anchor_every_secs) {
            problems.add("audit.anchor_every_secs", "must be 1 to 86400");
        }
    }
}
