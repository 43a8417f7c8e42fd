//! Logs: what happened, for operators. Never a card number, a token or a secret: types that hold them print none.

use tracing_subscriber::EnvFilter;

use crate::config::telemetry::{LogFormat, TelemetrySettings};

/// Starts logging to standard error. Called once, by a process's `main`.
pub fn start(settings: &TelemetrySettings) {
    let filter = EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}
