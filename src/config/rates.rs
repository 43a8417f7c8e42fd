//! The `[rates]` section.

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesSettings {}

impl RatesSettings {
    pub fn check(&self, live: bool, problems: &mut Problems) {
        let _ = (live, problems);
    }
}
