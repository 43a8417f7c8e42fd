//! The way from an adapter to its provider, the same for all of them: where a mode's accounts call, requests that are written or aren't, calls
//! within the send time-out, and what it means where no answer comes. It never looks into an answer: what that means is each adapter's.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

use super::provider::{Capabilities, Outcome, ProviderError, ResendSafety};
use super::told;
use super::transport::{Transport, TransportError, WireRequest, WireResponse};
use crate::config::providers::RemoteProviderSettings;
use crate::domain::ids::Mode;

/// The media type of most providers' bodies.
pub const JSON: &str = "application/json";
/// What most providers take in a reference.
pub const REFERENCE_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
/// More than any order has, in bytes: a buffer that grew would leave a copy of the card's number behind.
const BODY_BYTES: usize = 8 * 1024;

/// Why a request isn't even written. Holds nothing of the order, nor of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten(pub &'static str);

impl Unwritten {
    /// Of an order: not one byte left.
    pub fn unsent(self) -> Outcome {
        Outcome::NotSent { why: self.0.to_owned(), is_unfit: true }
    }

    /// Of a question: that it isn't asked says nothing of the payout.
    pub fn unasked(self) -> Outcome {
        told::unknown(self.0.to_owned())
    }
}

impl From<Unwritten> for ProviderError {
    /// What is missing for a question is missing in the account.
    fn from(Unwritten(why): Unwritten) -> Self {
        Self::Credentials(why.to_owned())
    }
}

/// A request's body, packed: written without growing.
///
/// # Errors
/// [`Unwritten`] for what has no form in JSON.
pub fn json(body: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Unwritten> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BODY_BYTES));
    serde_json::to_writer(&mut *bytes, body).map_err(|_| Unwritten("the order can't be written"))?;
    Ok(bytes)
}

/// A provider as its adapter calls it.
pub struct Remote {
    test_url: Option<String>,
    live_url: Option<String>,
    timeout: Duration,
    transport: Arc<dyn Transport>,
}

impl Remote {
    pub fn new(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>) -> Self {
        let (test_url, live_url) = (Some(settings.test_url.clone()), settings.live_url.clone());
        Self { test_url, live_url, timeout: settings.send_timeout(), transport }
    }

    /// A provider whose accounts say where they call.
    pub fn of_accounts(timeout: Duration, transport: Arc<dyn Transport>) -> Self {
        Self { test_url: None, live_url: None, timeout, transport }
    }

    /// Where accounts of `mode` call.
    ///
    /// # Errors
    /// [`Unwritten`] where the configuration has no URL for the mode.
    pub fn base_url(&self, mode: Mode) -> Result<&str, Unwritten> {
        let url = match mode {
            Mode::Test => &self.test_url,
            Mode::Live => &self.live_url,
        };
        url.as_deref().ok_or(Unwritten("no URL is configured for this mode"))
    }

    /// The modes that it can be called in.
    pub fn modes(&self) -> &'static [Mode] {
        if self.live_url.is_some() { &[Mode::Test, Mode::Live] } else { &[Mode::Test] }
    }

    /// A request of an account of `mode`, which has neither headers nor a body yet.
    ///
    /// # Errors
    /// As [`Self::base_url`].
    pub fn request(&self, mode: Mode, method: &'static str, path: impl Into<String>) -> Result<WireRequest, Unwritten> {
        Ok(self.request_at(self.base_url(mode)?, method, path))
    }

    /// The same, at a base URL of the account's own.
    pub fn request_at(&self, base_url: &str, method: &'static str, path: impl Into<String>) -> WireRequest {
        WireRequest {
            method,
            base_url: base_url.to_owned(),
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Zeroizing::new(Vec::new()),
            timeout: self.timeout,
        }
    }

    /// Calls once, and ends within the time-out whatever the transport does.
    ///
    /// # Errors
    /// [`TransportError`] where there is no answer.
    pub fn call(&self, request: WireRequest) -> impl Future<Output = Result<WireResponse, TransportError>> + Send {
        // Not an `async fn`: each would keep a place for the request for as long as the answer takes, and so would those below.
        let answer = tokio::time::timeout(self.timeout, self.transport.call(request));
        async move { answer.await.unwrap_or_else(|_| Err(TransportError::Broken(self.too_late()))) }
    }

    /// The answer to an order.
    ///
    /// # Errors
    /// The outcome of an order without an answer: not sent if that is proven, and else unknown.
    pub fn answer_to_order(
        &self,
        order: Result<WireRequest, Unwritten>,
    ) -> impl Future<Output = Result<WireResponse, Outcome>> + Send {
        let call = order.map(|order| self.call(order));
        async move { call.map_err(Unwritten::unsent)?.await.map_err(|error| told::unanswered(&error)) }
    }

    /// The answer to a question about a payout.
    ///
    /// # Errors
    /// Unknown: that there is no answer says nothing of the payout.
    pub fn answer_to_question(
        &self,
        question: Result<WireRequest, Unwritten>,
    ) -> impl Future<Output = Result<WireResponse, Outcome>> + Send {
        let call = question.map(|question| self.call(question));
        async move { call.map_err(Unwritten::unasked)?.await.map_err(|error| told::unasked(&error)) }
    }

    /// Sends an order: what it meets, read off its answer.
    pub fn pay(
        &self,
        order: Result<WireRequest, Unwritten>,
        read: impl FnOnce(&WireResponse) -> Outcome + Send,
    ) -> impl Future<Output = Outcome> + Send {
        let answer = self.answer_to_order(order);
        async move { answer.await.map_or_else(std::convert::identity, |answer| read(&answer)) }
    }

    /// Asks about a payout: its fate, read off the answer.
    pub fn ask(
        &self,
        question: Result<WireRequest, Unwritten>,
        read: impl FnOnce(&WireResponse) -> Outcome + Send,
    ) -> impl Future<Output = Outcome> + Send {
        let answer = self.answer_to_question(question);
        async move { answer.await.map_or_else(std::convert::identity, |answer| read(&answer)) }
    }

    /// Asks about anything but a payout.
    ///
    /// # Errors
    /// [`ProviderError`] where the question can't be written or isn't answered, and what `read` says.
    pub async fn fetch<T>(
        &self,
        question: Result<WireRequest, Unwritten>,
        read: impl FnOnce(&WireResponse) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let answer = self.call(question?).await.map_err(|error| ProviderError::Unavailable(error.to_string()))?;
        read(&answer)
    }

    /// Several calls about one payout, within the time-out of one: what isn't over by then is unknown.
    pub async fn within(&self, conversation: impl Future<Output = Outcome> + Send) -> Outcome {
        match tokio::time::timeout(self.timeout, conversation).await {
            Ok(outcome) => outcome,
            Err(_) => told::unknown(self.too_late()),
        }
    }

    fn too_late(&self) -> String {
        format!("no answer within {} ms", self.timeout.as_millis())
    }
}

impl Capabilities {
    /// What the configuration says of a provider, and of everything else the least: nothing may be sent twice, nothing is paid at once,
    /// there are no balances and no callbacks. An adapter adds what its provider documents.
    pub fn configured(settings: &RemoteProviderSettings) -> Self {
        Self {
            resend: ResendSafety::Never,
            reference_length_max: 0,
            reference_alphabet: REFERENCE_ALPHABET,
            settling_time: settings.settling_time(),
            not_found_confirmations: settings.not_found_confirmations,
            send_timeout: settings.send_timeout(),
            currencies: Vec::new(),
            card_schemes: Vec::new(),
            fast_funds: false,
            has_balance: false,
            posting_lag: settings.posting_lag(),
            has_callbacks: false,
        }
    }

    /// Whether the provider takes a text as a reference.
    pub fn takes_reference(&self, text: &str) -> bool {
        (1..=self.reference_length_max).contains(&text.len())
            && text.chars().all(|c| self.reference_alphabet.contains(c))
    }

    /// The reference that a callback's body has at `pointer` (RFC 6901), verified or not, if it could be one of ours.
    pub fn named_reference(&self, body: &[u8], pointer: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        let reference = body.pointer(pointer)?.as_str()?;
        self.takes_reference(reference).then(|| reference.to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::config::providers::ProvidersSettings;

    /// Answers nothing, ever, or refuses to connect.
    struct Dead {
        is_silent: bool,
    }

    #[async_trait]
    impl Transport for Dead {
        async fn call(&self, _: WireRequest) -> Result<WireResponse, TransportError> {
            if self.is_silent {
                std::future::pending::<()>().await;
            }
            Err(TransportError::NotConnected("connection refused".to_owned()))
        }
    }

    fn remote(is_silent: bool) -> Remote {
        let shipped = ProvidersSettings::shipped().tabapay;
        Remote::new(&RemoteProviderSettings { send_timeout_ms: 100, ..shipped }, Arc::new(Dead { is_silent }))
    }

    #[tokio::test]
    async fn only_what_is_proven_not_to_have_left_is_not_sent_and_no_question_proves_anything() {
        let nothing_is_read = |_: &WireResponse| -> Outcome { unreachable!("there is no answer") };
        for (is_silent, is_proof) in [(true, false), (false, true)] {
            let remote = remote(is_silent);
            let request = || remote.request(Mode::Test, "POST", "/payments");
            let paid = remote.pay(request(), nothing_is_read).await;
            assert_eq!(matches!(paid, Outcome::NotSent { .. }), is_proof, "{paid:?}");
            assert_eq!(matches!(paid, Outcome::Unknown { .. }), !is_proof, "{paid:?}");
            assert!(matches!(remote.ask(request(), nothing_is_read).await, Outcome::Unknown { .. }));
            let fetched = remote.fetch(request(), |_| Ok(())).await;
            assert!(matches!(fetched, Err(ProviderError::Unavailable(_))), "{fetched:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_sent_not_asked_and_the_accounts_fault() {
        let remote = remote(false);
        let live = || remote.request(Mode::Live, "GET", "/payments");
        assert!(live().is_err(), "this configuration has no live URL");
        assert_eq!(remote.modes(), [Mode::Test]);
        assert!(matches!(remote.pay(live(), |_| unreachable!()).await, Outcome::NotSent { .. }));
        assert!(matches!(remote.ask(live(), |_| unreachable!()).await, Outcome::Unknown { .. }));
        let fetched = remote.fetch(live(), |_| Ok(())).await;
        assert!(matches!(fetched, Err(ProviderError::Credentials(_))), "{fetched:?}");
    }

    #[tokio::test]
    async fn several_calls_end_within_the_time_of_one() {
        let remote = remote(true);
        let endless = async {
            loop {
                let _ = remote.call(remote.request(Mode::Test, "GET", "/payments").unwrap()).await;
            }
        };
        assert!(matches!(remote.within(endless).await, Outcome::Unknown { .. }));
    }

    #[test]
    fn a_reference_is_named_only_if_it_could_be_ours() {
        let mut capabilities = Capabilities::configured(&ProvidersSettings::shipped().tabapay);
        capabilities.reference_length_max = 4;
        let named = |body: &str| capabilities.named_reference(body.as_bytes(), "/data/reference");
        assert_eq!(named(r#"{"data":{"reference":"po_1"}}"#).as_deref(), Some("po_1"));
        for body in
            [r#"{"data":{"reference":"po_12"}}"#, r#"{"data":{"reference":"p 1"}}"#, r#"{"data":{"reference":""}}"#]
        {
            assert_eq!(named(body), None, "{body}");
        }
        for body in [r#"{"data":{"reference":7}}"#, r#"{"data":"po_1"}"#, r#"{"reference":"po_1"}"#, "null", "{"] {
            assert_eq!(named(body), None, "{body}");
        }
    }
}
