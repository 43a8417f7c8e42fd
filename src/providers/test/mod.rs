//! The built-in sandbox provider, `test`: it pays nobody, remembers in a [`Book`] of its own what it took, and
//! misbehaves on demand as real providers do, by card, amount or field. It never serves live mode, and it decides
//! nothing for the gateway.

pub mod behaviour;
pub mod book;
pub mod callback;
pub mod docs;
pub mod table;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use self::behaviour::{Answer, Behaviour, Callbacks};
use self::book::{Book, Payment, Taken};
use self::callback::{Callback, CallbackSink};
use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, CredentialKind, Destination, Inquiry, Outcome,
    PayoutOrder, Provider, ProviderError, ReportedOutcome, ResendSafety,
};
use crate::clock::Clock;
use crate::config::providers::TestProviderSettings;
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::ids::Mode;
use crate::domain::payout::Resolution;

/// The adapter's code.
pub const CODE: &str = "test";

/// The account's setting that says who keeps its balances.
const BALANCE: &str = "balance";
const BALANCE_BY_PROVIDER: &str = "provider";
/// A payout's prefixed id fits.
const REFERENCE_LENGTH_MAX: usize = 36;
const REFERENCE_ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789_-";
const RESEND_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The sandbox provider. Its accounts may carry the credential `callback_secret`; without it no callback is sent or
/// believed.
pub struct TestProvider {
    settings: TestProviderSettings,
    capabilities: Capabilities,
    clock: Arc<dyn Clock>,
    book: Arc<dyn Book>,
    sink: OnceLock<Arc<dyn CallbackSink>>,
}

impl TestProvider {
    pub fn new(settings: TestProviderSettings, clock: Arc<dyn Clock>, book: Arc<dyn Book>) -> Self {
        let capabilities = Capabilities {
            resend: ResendSafety::SameReferenceWithin(RESEND_WINDOW),
            reference_length_max: REFERENCE_LENGTH_MAX,
            reference_alphabet: REFERENCE_ALPHABET,
            settling_time: Duration::from_millis(settings.settling_time_ms),
            not_found_confirmations: settings.not_found_confirmations,
            send_timeout: Duration::from_millis(settings.send_timeout_ms),
            currencies: table::CURRENCIES.iter().filter_map(|code| code.parse().ok()).collect(),
            card_schemes: vec![
                CardScheme::Visa,
                CardScheme::Mastercard,
                CardScheme::Maestro,
                CardScheme::Amex,
                CardScheme::UnionPay,
                CardScheme::Jcb,
                CardScheme::Discover,
                CardScheme::Diners,
                CardScheme::Mir,
            ],
            fast_funds: true,
            has_balance: true,
            posting_lag: Duration::from_millis(settings.posting_lag_ms),
            has_callbacks: true,
        };
        Self { settings, capabilities, clock, book, sink: OnceLock::new() }
    }

    /// Says where callbacks go, once; until then none are sent. The sink usually leads back to the application that
    /// owns this provider, so it should hold that weakly.
    pub fn connect(&self, sink: Arc<dyn CallbackSink>) {
        // A second sink is ignored: callbacks must not change their way while payments are open.
        let _ = self.sink.set(sink);
    }

    /// What the account held in that currency before the first payment: its own setting (`balance_eur`), else what the
    /// configuration gives every account. `None`: it never runs out.
    fn first_balance(&self, account: &AccountContext, currency: AssetCode) -> Option<Decimal> {
        let own = account.settings.get(&format!("{BALANCE}_{}", currency.as_str().to_ascii_lowercase()));
        let own = own.and_then(|text| Decimal::from_str_exact(text).ok()).filter(|amount| !amount.is_sign_negative());
        own.or_else(|| self.settings.balances.get(currency))
    }

    fn is_out(&self, now: DateTime<Utc>) -> bool {
        self.settings.outages.iter().any(|outage| outage.covers(now))
    }

    /// Whether configuration makes this send fail, and if so, whether it is taken all the same. A resend draws anew.
    fn drawn_error(&self, order: &PayoutOrder) -> Option<bool> {
        let share = u64::from(self.settings.error_rate.millionths());
        let fails = draw(self.settings.seed, "error", &order.reference, order.resend) % 1_000_000 < share;
        fails.then(|| draw(self.settings.seed, "taken", &order.reference, order.resend).is_multiple_of(2))
    }

    async fn send_unbounded(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        if account.mode == Mode::Live {
            return Outcome::not_sent("the sandbox provider serves test mode only");
        }
        let now = self.clock.now();
        if self.is_out(now) {
            return Outcome::not_sent("connection refused: the sandbox is in an outage");
        }
        if !is_reference(&order.reference) {
            return Outcome::Declined {
                resolution: Resolution::DeclinedError,
                code: "bad_reference".to_owned(),
                message: format!("a reference has 1 to {REFERENCE_LENGTH_MAX} characters of a-z, 0-9, _ and -"),
            };
        }
        let behaviour = Behaviour::of(order, to);
        if behaviour.answer() == Answer::Refused {
            return Outcome::not_sent("connection refused");
        }
        let error = self.drawn_error(order);
        if error == Some(false) {
            self.travel().await;
            return internal_error();
        }
        let Some(payment) = Payment::of(account.account_id, order, behaviour, &self.settings, now) else {
            return self.time_out().await;
        };
        let funds = self.first_balance(account, order.currency);
        let taken = match self.book.take(payment, funds).await {
            Ok(taken) => taken,
            // The write may have happened.
            Err(error) => return Outcome::unknown(error.to_string()),
        };
        match taken {
            // The first one's fate, even if this order asks for something else under its reference.
            Taken::Already(first) => {
                self.travel().await;
                if error.is_some() { internal_error() } else { first.outcome(self.clock.now()) }
            }
            Taken::New(payment) => {
                let callbacks = self.spawn_callbacks(account, behaviour.callbacks(), &payment);
                self.travel().await;
                match behaviour.answer() {
                    _ if error.is_some() => return internal_error(),
                    Answer::InternalError => return internal_error(),
                    Answer::TimesOut => return self.time_out().await,
                    Answer::After(delay) => tokio::time::sleep(delay).await,
                    Answer::AfterCallback => {
                        if let Some(delivery) = callbacks {
                            // A receiver that hangs doesn't hang the payment.
                            let _ = tokio::time::timeout(self.timeout(), delivery).await;
                        }
                    }
                    Answer::AtOnce | Answer::Refused => {}
                }
                payment.outcome(self.clock.now())
            }
        }
    }

    /// The way of an answer. The book is written before it, so that a caller who gives up leaves a payment behind, as
    /// in life.
    async fn travel(&self) {
        if self.settings.latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.settings.latency_ms)).await;
        }
    }

    async fn time_out(&self) -> Outcome {
        tokio::time::sleep(self.timeout()).await;
        Outcome::unknown(format!("timed out after {} ms", self.settings.timeout_ms))
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.settings.timeout_ms)
    }

    /// Starts the deliveries that `callbacks` names, if there is a sink and a secret. They outlive the send; a crash
    /// loses them, and inquiries find the truth.
    fn spawn_callbacks(
        &self,
        account: &AccountContext,
        callbacks: Callbacks,
        payment: &Payment,
    ) -> Option<tokio::task::JoinHandle<()>> {
        let sink = Arc::clone(self.sink.get()?);
        let secret = account.credentials.get(callback::SECRET)?;
        let later = book::after(payment.taken_at, Duration::from_millis(self.settings.later_ms)).max(payment.due_at);
        let (at, messages) = match callbacks {
            Callbacks::None => return None,
            Callbacks::BeforeAnswer => (payment.taken_at, vec![payment.due_at]),
            Callbacks::Later | Callbacks::LaterTwice => (later, vec![payment.due_at]),
            Callbacks::LaterOutOfOrder => (later, vec![payment.due_at, payment.taken_at]),
            Callbacks::WhenReturned => (payment.returned_at?, vec![payment.returned_at?]),
        };
        let messages = compose_all(payment, &messages, secret);
        let twice = callbacks == Callbacks::LaterTwice;
        let (clock, account_id) = (Arc::clone(&self.clock), account.account_id);
        Some(tokio::spawn(async move {
            sleep_until(clock.as_ref(), at).await;
            for Callback { headers, body } in messages {
                if twice {
                    let copy = sink.deliver(account_id, headers.clone(), body.clone());
                    tokio::join!(copy, sink.deliver(account_id, headers, body));
                } else {
                    sink.deliver(account_id, headers, body).await;
                }
            }
        }))
    }
}

fn compose_all(payment: &Payment, as_of: &[DateTime<Utc>], secret: &SecretString) -> Vec<Callback> {
    as_of.iter().filter_map(|as_of| callback::compose(payment, *as_of, secret)).collect()
}

/// Sleeps until `clock` says `at`. Looks again in steps, since a clock that isn't the machine's is moved by hand.
async fn sleep_until(clock: &dyn Clock, at: DateTime<Utc>) {
    const STEP_MIN: Duration = Duration::from_millis(10);
    loop {
        let left = at.signed_duration_since(clock.now());
        if left <= TimeDelta::zero() {
            return;
        }
        tokio::time::sleep(left.to_std().map_or(STEP_MIN, |left| (left / 4).max(STEP_MIN))).await;
    }
}

fn internal_error() -> Outcome {
    Outcome::unknown("HTTP 500: internal error")
}

/// Whether the provider takes `text` as a reference.
fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_LENGTH_MAX).contains(&text.len()) && text.chars().all(|c| REFERENCE_ALPHABET.contains(c))
}

/// A number that is the same for the same arguments, in every process and version, and spread like dice otherwise.
pub fn draw(seed: u64, purpose: &str, reference: &str, resend: u32) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(resend.to_be_bytes());
    hash.update(purpose.as_bytes());
    hash.update([0]);
    hash.update(reference.as_bytes());
    hash.finalize().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Sixteen letters of a draw: ids without digits can't look like card numbers.
pub fn letters(drawn: u64) -> String {
    drawn
        .to_be_bytes()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|nibble| char::from(b'a' + nibble))
        .collect()
}

#[async_trait]
impl Provider for TestProvider {
    fn code(&self) -> &'static str {
        CODE
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn modes(&self) -> &[Mode] {
        &[Mode::Test]
    }

    fn credentials_schema(&self) -> &[CredentialField] {
        &[CredentialField {
            name: callback::SECRET,
            kind: CredentialKind::Generated,
            description: "The key that callbacks are signed with.",
        }]
    }

    fn callback_credentials(&self) -> &[&'static str] {
        &[callback::SECRET]
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        let send_timeout = self.capabilities.send_timeout;
        match tokio::time::timeout(send_timeout, self.send_unbounded(account, order, to)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::unknown(format!("timed out after {} ms", send_timeout.as_millis())),
        }
    }

    /// [`Outcome::NotFound`] only if the book never took the reference.
    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        if self.is_out(self.clock.now()) {
            return Outcome::unknown("connection refused: the sandbox is in an outage");
        }
        self.travel().await;
        match self.book.find(account.account_id, &inquiry.reference).await {
            Ok(Some(payment)) => payment.outcome(self.clock.now()),
            Ok(None) => Outcome::NotFound,
            Err(error) => Outcome::unknown(error.to_string()),
        }
    }

    fn parse_callback(
        &self,
        account: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        callback::parse(account, headers, body)
    }

    /// Where the account's setting `balance` is `provider` and a first balance is known.
    fn has_balance(&self, account: &AccountContext, currency: AssetCode) -> bool {
        let reports = account.settings.get(BALANCE).is_some_and(|value| value == BALANCE_BY_PROVIDER);
        reports && self.first_balance(account, currency).is_some()
    }

    async fn balance(&self, account: &AccountContext, currency: AssetCode) -> Result<Decimal, ProviderError> {
        let funds = self.first_balance(account, currency).ok_or(ProviderError::NotSupported)?;
        let now = self.clock.now();
        if self.is_out(now) {
            return Err(ProviderError::Unavailable("the sandbox is in an outage".to_owned()));
        }
        self.travel().await;
        let debited = self
            .book
            .debited(account.account_id, currency, now)
            .await
            .map_err(|error| ProviderError::Unavailable(error.to_string()))?;
        funds.checked_sub(debited).ok_or_else(|| ProviderError::Unavailable("the balance is out of range".to_owned()))
    }

    /// A callback tells of it too, as of any return.
    async fn give_back(&self, account: &AccountContext, reference: &str) -> Result<bool, ProviderError> {
        let unavailable = |error: book::BookError| ProviderError::Unavailable(error.to_string());
        let now = self.clock.now();
        let payment = self.book.give_back(account.account_id, reference, now).await.map_err(unavailable)?;
        if let Some(payment) = &payment {
            self.spawn_callbacks(account, Callbacks::WhenReturned, payment);
        }
        Ok(payment.is_some())
    }

    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        if account.mode == Mode::Live {
            return Err(ProviderError::Credentials("the sandbox provider serves test mode only".to_owned()));
        }
        if self.is_out(self.clock.now()) {
            return Err(ProviderError::Unavailable("the sandbox is in an outage".to_owned()));
        }
        match account.credentials.get(callback::SECRET) {
            Some(secret) if !secret.expose_secret().is_empty() => Ok(()),
            _ => Err(ProviderError::Credentials(format!("{} is missing", callback::SECRET))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
