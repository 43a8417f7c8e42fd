//! Logs: what happened, for operators. Never a card number, a token or a secret: types that hold them print none.

use std::any::Any;

use tracing_subscriber::EnvFilter;

use crate::config::telemetry::{LogFormat, TelemetrySettings};

/// Starts logging to standard error. Called once, by a process's `main`.
pub fn start(settings: &TelemetrySettings) {
    let filter = EnvFilter::try_new(filtered(&settings.level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, said = said_by(panic.payload()), "a panic");
    }));
}

/// The level, without what any stranger can have written as often as they like: the server below takes each head that isn't HTTP for an
/// error of its own, before anybody is counted. Whoever asks for details is told that too.
fn filtered(level: &str) -> String {
    let asks_for_details = ["actix", "debug", "trace"].iter().any(|word| level.to_ascii_lowercase().contains(word));
    if asks_for_details { level.to_owned() } else { format!("{level},actix_http::h1::dispatcher=off") }
}

/// What a panic says, where it is our own words. What is put together when it happens can hold anything: the text that was cut at a wrong
/// place, or what an error shows of itself.
fn said_by(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(withheld: it may hold what was worked on)")
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn strangers_write_no_errors_unless_details_are_wanted() {
        for level in ["info", "warn", "landfall=info,warn"] {
            let filter = filtered(level);
            assert!(filter.starts_with(level) && filter.ends_with("dispatcher=off"), "{filter}");
            assert!(EnvFilter::try_new(&filter).is_ok(), "{filter}");
        }
        for level in ["trace", "info,actix_http=warn", "DEBUG"] {
            assert_eq!(filtered(level), level);
        }
    }

    #[test]
    fn a_panic_tells_our_own_words_and_nothing_that_was_worked_on() {
        let ours = catch_unwind(|| panic!("no such thing")).unwrap_err();
        assert_eq!(said_by(&*ours), "no such thing");
        let text = "4111111111111111\u{e9}".to_owned();
        let cut = catch_unwind(move || text[..17].len()).unwrap_err();
        assert!(
            cut.downcast_ref::<String>().is_some_and(|told| told.contains("4111111111111111")),
            "the standard library does"
        );
        let error =
            catch_unwind(|| "4111111111111111x".parse::<u64>().map_err(|_| "4111111111111111x").unwrap()).unwrap_err();
        for payload in [cut, error] {
            assert!(!said_by(&*payload).contains("4111"), "{}", said_by(&*payload));
        }
    }
}
