//! Webhooks: where a partner wants to be told what happened, what it is told, and how telling went. What is to be told is written with the
//! event itself (`store/events.rs`); who sends it, and how it is signed, is the `webhooks` room's.

pub mod deliveries;
pub mod endpoints;
pub mod message;
pub mod secrets;
pub mod telling;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

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
        && text.len() <= URL_CHARS_MAX
        && url.host_str().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
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
        ] {
            assert_eq!((is_receiver(url, Mode::Test), is_receiver(url, Mode::Live)), (test, live), "{url}");
        }
        assert!(!is_receiver(&format!("https://partner.example/{}", "x".repeat(2_000)), Mode::Live));
    }
}
