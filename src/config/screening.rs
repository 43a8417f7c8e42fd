//! The `[screening]` section: by which list payouts are screened, and when.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreeningSettings {
    /// A list of names and references (docs/rules.md). Read again when it changes.
    pub file: Option<PathBuf>,
    /// When it is asked; empty: never.
    pub at: Vec<ScreenAt>,
    /// How long one question may take, in milliseconds.
    pub timeout_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScreenAt {
    /// When a card is added: it is pending until the answer.
    Card,
    /// Before a pay is accepted.
    Pay,
}

impl ScreeningSettings {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub fn check(&self, problems: &mut Problems) {
        if !self.at.is_empty() && self.file.is_none() {
            problems.add("screening.file", "name the list that screening.at asks for");
        }
        if !(10..=30_000).contains(&self.timeout_ms) {
            problems.add("screening.timeout_ms", "must be 10 to 30000");
        }
    }
}
