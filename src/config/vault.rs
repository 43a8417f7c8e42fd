//! The `[vault]` section.

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSettings {}

impl VaultSettings {
    pub fn check(&self, live: bool, problems: &mut Problems) {
        let _ = (live, problems);
    }
}
