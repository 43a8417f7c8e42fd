//! The `[database]` section.

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {}

impl DatabaseSettings {
    pub fn check(&self, problems: &mut Problems) {
        let _ = problems;
    }
}
