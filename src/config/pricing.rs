//! The `[pricing]` section.

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricingSettings {}

impl PricingSettings {
    pub fn check(&self, problems: &mut Problems) {
        let _ = problems;
    }
}
