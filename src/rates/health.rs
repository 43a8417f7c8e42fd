//! How a source is doing: for `/health/ready` and for staff. Health decides nothing; the age of prices does.

use chrono::{DateTime, Utc};
use serde::Serialize;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceHealth {
    pub source: String,
    /// When it last brought at least one tick that was taken.
    pub last_success_at: Option<DateTime<Utc>>,
    pub last_error_at: Option<DateTime<Utc>>,
    /// The last error's text, kept after recovery.
    pub last_error: Option<String>,
    /// Failures since the last success.
    pub failures_consecutive: u32,
    /// Failures since this process began.
    pub failures: u64,
}

impl SourceHealth {
    pub fn of(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }

    /// Whether it was heard and has not failed since.
    pub fn is_up(&self) -> bool {
        self.last_success_at.is_some() && self.failures_consecutive == 0
    }

    pub fn note_success(&mut self, now: DateTime<Utc>) {
        self.last_success_at = Some(now);
        self.failures_consecutive = 0;
    }

    pub fn note_failure(&mut self, error: &str, now: DateTime<Utc>) {
        self.note_error(error, now);
        self.failures_consecutive = self.failures_consecutive.saturating_add(1);
        self.failures = self.failures.saturating_add(1);
    }

    /// Something was wrong, yet the source brought prices too.
    pub fn note_error(&mut self, error: &str, now: DateTime<Utc>) {
        self.last_error_at = Some(now);
        self.last_error = Some(error.to_owned());
    }
}
