//! The `[telemetry]` section: what is logged, and how.

use serde::Deserialize;

use super::Problems;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    pub format: LogFormat,
    /// Directives as of `RUST_LOG`: `info,landfall=debug`.
    pub level: String,
    /// Whether the process may be dumped and debugged. Never in live mode: its memory holds card numbers and keys.
    pub core_dumps: bool,
}

impl TelemetrySettings {
    pub fn check(&self, live: bool, problems: &mut Problems) {
        if live && self.core_dumps {
            problems.add("telemetry.core_dumps", "must be false in live mode: memory holds card numbers and keys");
        }
        if self.level.parse::<tracing_subscriber::EnvFilter>().is_err() {
            problems.add("telemetry.level", "is no list of log directives, such as \"info,landfall=debug\"");
        }
    }
}
