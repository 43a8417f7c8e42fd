//! Webhooks: where a partner wants to be told what happened, what it is told, and how telling went. What is to be told is written with the
//! event itself (`store/events.rs`); who sends it, and how it is signed, is the `webhooks` room's.

pub mod deliveries;
pub mod endpoints;
pub mod message;
pub mod secrets;
pub mod telling;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use reqwest::Url;

use crate::config::webhooks::WebhookSettings;
use crate::domain::ids::{Mode, Tenant};
use crate::outgoing::Guard;

pub use crate::store::webhooks::deliveries::{Attempt, Delivery, Place, Waiting};

/// The longest address.
pub const URL_CHARS_MAX: usize = 2_000;

/// Whether messages may be sent there: http or https, in live mode only https, without user name, password and fragment. Where its name
/// leads is looked at when something is sent.
pub fn is_receiver(text: &str, mode: Mode) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && mode == Mode::Test);
    scheme
        && is_written_out(text)
        && text.len() <= URL_CHARS_MAX
        && url.host_str().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
}

/// Whether scheme and host stand there as they are meant. `https:host`, `https:\\host` and `https:///host` parse as well, but it is the text
/// that is kept, shown, and taken apart by statements.
fn is_written_out(text: &str) -> bool {
    let behind = |scheme: &str| {
        let (head, rest) = text.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let rest = behind("https://").or_else(|| behind("http://"));
    rest.is_some_and(|rest| !rest.starts_with('/'))
        && !text.chars().any(|c| c == '\\' || c.is_whitespace() || c.is_control())
}

/// What the use cases of webhooks need of the process.
pub struct Webhooks {
    pub settings: WebhookSettings,
    test: Arc<Guard>,
    live: Arc<Guard>,
    /// Whose endpoint for addresses of requests is known to be there.
    with_callbacks: Mutex<HashSet<Tenant>>,
}

impl Webhooks {
    pub fn new(settings: WebhookSettings) -> Self {
        Self {
            test: Arc::new(Guard::new(settings.inner_networks.clone(), false)),
            live: Arc::new(Guard::new(Vec::new(), true)),
            with_callbacks: Mutex::default(),
            settings,
        }
    }

    /// Which addresses may be called in a mode.
    pub fn guard(&self, mode: Mode) -> &Arc<Guard> {
        match mode {
            Mode::Test => &self.test,
            Mode::Live => &self.live,
        }
    }

    /// How long a claimed delivery is its claimer's.
    fn lease(&self) -> TimeDelta {
        TimeDelta::from_std(self.settings.lease()).unwrap_or(TimeDelta::minutes(1))
    }

    fn has_callbacks(&self, tenant: Tenant) -> bool {
        self.with_callbacks.lock().unwrap_or_else(PoisonError::into_inner).contains(&tenant)
    }

    fn note_callbacks(&self, tenant: Tenant) {
        self.with_callbacks.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_to_plain_urls_and_in_live_mode_only_over_tls() {
        for (url, test, live) in [
            ("https://partner.example/callbacks?x=1", true, true),
            ("http://127.0.0.1:9000/", true, false),
            ("ftp://partner.example/", false, false),
            ("https://user:secret@partner.example/", false, false),
            ("https://partner.example/#part", false, false),
            ("partner.example/callbacks", false, false),
            ("https://", false, false),
            ("HTTPS://Partner.Example", true, true),
            ("http://a", true, false),
            ("https://bücher.example/callbacks", true, true),
            ("http:ab", false, false),
            ("https:partner.example", false, false),
            ("https:/partner.example", false, false),
            ("https:///partner.example", false, false),
            ("https:\\\\partner.example", false, false),
            ("https://partner.example\\callbacks", false, false),
            (" https://partner.example/", false, false),
            ("https://partner.example/a\tb", false, false),
        ] {
            assert_eq!((is_receiver(url, Mode::Test), is_receiver(url, Mode::Live)), (test, live), "{url}");
        }
        assert!(!is_receiver(&format!("https://partner.example/{}", "x".repeat(2_000)), Mode::Live));
    }
}
