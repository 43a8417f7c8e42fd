//! The adapter `http`, for a provider that speaks the simulator's API (`docs/simulator.md`): the same work as for any other
//! provider, with a network that can be exchanged. It decides nothing and stores nothing, serves test mode only, and only accounts
//! of the house, which configuration names.
//!
//! An account's settings: `base_url`; `account`, its name at the provider, which callbacks carry; optionally `callback_url`, where
//! the provider is told to post them, and `balance = "provider"` where the provider keeps its balances. Its credentials:
//! `api_key` and `callback_secret`.

pub mod map;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, CredentialKind, Destination, Inquiry, Outcome,
    PayoutOrder, Provider, ProviderError, ReportPage, ReportedOutcome, ResendSafety,
};
use super::transport::{TcpTransport, Transport, TransportError, WireRequest, WireResponse};
use super::{signature, told};
use crate::config::providers::{HttpProviderSettings, Resend, is_base_url};
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::exact;
use crate::domain::ids::Mode;

/// The adapter's code.
pub const CODE: &str = "http";

/// Carries a callback's signature.
pub const SIGNATURE_HEADER: &str = "X-Simulator-Signature";
pub const API_KEY: &str = "api_key";
pub const CALLBACK_SECRET: &str = "callback_secret";
pub const BASE_URL: &str = "base_url";
pub const ACCOUNT: &str = "account";
pub const CALLBACK_URL: &str = "callback_url";
pub const BALANCE: &str = "balance";
pub const BALANCE_BY_PROVIDER: &str = "provider";

const REFERENCE_LENGTH_MAX: usize = 64;
const REFERENCE_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const RESEND_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
const TEST_MODE_ONLY: &str = "the http adapter serves test mode only";

/// See the module's head.
pub struct HttpProvider {
    capabilities: Capabilities,
    transport: Arc<dyn Transport>,
}

/// Why a request isn't even written.
struct Unwritten(&'static str);

impl HttpProvider {
    /// Over TCP.
    pub fn new(settings: &HttpProviderSettings) -> Result<Self, reqwest::Error> {
        Ok(Self::with_transport(settings, Arc::new(TcpTransport::new()?)))
    }

    /// Over any transport: a simulation has one without a network.
    pub fn with_transport(settings: &HttpProviderSettings, transport: Arc<dyn Transport>) -> Self {
        let capabilities = Capabilities {
            resend: match settings.resend {
                Resend::SameReference => ResendSafety::SameReferenceWithin(RESEND_WINDOW),
                Resend::Never => ResendSafety::Never,
            },
            reference_length_max: REFERENCE_LENGTH_MAX,
            reference_alphabet: REFERENCE_ALPHABET,
            settling_time: Duration::from_millis(settings.settling_time_ms),
            not_found_confirmations: settings.not_found_confirmations,
            send_timeout: Duration::from_millis(settings.send_timeout_ms),
            currencies: map::CURRENCIES.iter().filter_map(|(code, _)| code.parse().ok()).collect(),
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
        Self { capabilities, transport }
    }

    fn request(
        &self,
        account: &AccountContext,
        method: &'static str,
        path: String,
        query: Vec<(&'static str, String)>,
    ) -> Result<WireRequest, Unwritten> {
        let base_url = account.settings.get(BASE_URL).map(|url| url.trim_end_matches('/').to_owned());
        let base_url =
            base_url.filter(|url| is_base_url(url)).ok_or(Unwritten("base_url is missing or no http URL"))?;
        let api_key = account.credentials.get(API_KEY).map(ExposeSecret::expose_secret);
        let api_key = api_key.filter(|key| !key.is_empty()).ok_or(Unwritten("api_key is missing"))?;
        let headers = vec![
            ("Authorization", Zeroizing::new(format!("Bearer {api_key}"))),
            ("Accept", Zeroizing::new("application/json".to_owned())),
        ];
        let timeout = self.capabilities.send_timeout;
        Ok(WireRequest { method, base_url, path, query, headers, body: Zeroizing::new(Vec::new()), timeout })
    }

    fn order_to_pay(
        &self,
        account: &AccountContext,
        order: &PayoutOrder,
        to: &Destination,
    ) -> Result<WireRequest, Unwritten> {
        let card = to.card.as_ref().map(|card| wire::Card {
            number: card.pan.expose(),
            expiry_year: card.expiry.year,
            expiry_month: card.expiry.month,
            holder: card.holder.expose(),
        });
        let pay = wire::Pay {
            reference: &order.reference,
            amount: amount_text(order).ok_or(Unwritten("the amount can't be written in the currency's minor units"))?,
            currency: order.currency.as_str(),
            card,
            fields: &to.fields,
            description: order.description.as_deref(),
            callback_url: account.settings.get(CALLBACK_URL).map(String::as_str),
        };
        let mut request = self.request(account, "POST", "/v1/payouts".to_owned(), Vec::new())?;
        request.headers.push(("Content-Type", Zeroizing::new("application/json".to_owned())));
        request.body = Zeroizing::new(serde_json::to_vec(&pay).map_err(|_| Unwritten("the order can't be written"))?);
        Ok(request)
    }

    /// Within the send time-out, whatever the transport does.
    async fn call(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.transport.call(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(TransportError::Broken(format!("no answer within {} ms", timeout.as_millis()))),
        }
    }

    /// A question that isn't about a payout.
    async fn ask<T>(
        &self,
        account: &AccountContext,
        path: String,
        query: Vec<(&'static str, String)>,
        read: impl FnOnce(&[u8]) -> Option<T> + Send,
    ) -> Result<T, ProviderError> {
        let request = self.request(account, "GET", path, query);
        let request = request.map_err(|Unwritten(why)| ProviderError::Credentials(why.to_owned()))?;
        map::answered(self.call(request).await, read)
    }
}

/// The amount with the currency's decimals; `None` if that would lose some, or the currency isn't the provider's.
fn amount_text(order: &PayoutOrder) -> Option<String> {
    let (_, scale) = map::CURRENCIES.iter().find(|(code, _)| *code == order.currency.as_str())?;
    let amount = exact::rescale(order.amount, *scale).ok()??;
    (amount > Decimal::ZERO).then(|| amount.to_string())
}

fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_LENGTH_MAX).contains(&text.len()) && text.chars().all(|c| REFERENCE_ALPHABET.contains(c))
}

/// The reference that an unverified body names, if it names one that could be ours.
fn named_reference(body: &[u8]) -> Option<String> {
    let named = serde_json::from_slice::<wire::Named>(body).ok()?;
    Some(named.payout.reference).filter(|reference| is_reference(reference))
}

#[async_trait]
impl Provider for HttpProvider {
    fn code(&self) -> &'static str {
        CODE
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn modes(&self) -> &[Mode] {
        &[Mode::Test]
    }

    /// The base URL is a setting: whoever could set it would send requests from our network.
    fn is_house_only(&self) -> bool {
        true
    }

    fn credentials_schema(&self) -> &[CredentialField] {
        &[
            CredentialField {
                name: API_KEY,
                kind: CredentialKind::Required,
                description: "The account's API key at the provider.",
            },
            CredentialField {
                name: CALLBACK_SECRET,
                kind: CredentialKind::Required,
                description: "The key that the provider signs callbacks with.",
            },
        ]
    }

    fn callback_credentials(&self) -> &[&'static str] {
        &[CALLBACK_SECRET]
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        if account.mode == Mode::Live {
            return Outcome::NotSent { why: TEST_MODE_ONLY.to_owned() };
        }
        let request = match self.order_to_pay(account, order, to) {
            Ok(request) => request,
            Err(Unwritten(why)) => return Outcome::NotSent { why: why.to_owned() },
        };
        match self.call(request).await {
            Ok(response) => map::sent(&response, order),
            Err(error) => told::unanswered(&error),
        }
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let query = vec![("reference", inquiry.reference.clone())];
        let request = match self.request(account, "GET", "/v1/payouts".to_owned(), query) {
            Ok(request) => request,
            Err(Unwritten(why)) => return Outcome::Unknown { why: why.to_owned() },
        };
        match self.call(request).await {
            Ok(response) => map::found(&response, inquiry),
            // That the question wasn't sent says nothing of the payout.
            Err(error) => Outcome::Unknown { why: error.to_string() },
        }
    }

    fn parse_callback(
        &self,
        account: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        let not_verified = || CallbackError::NotVerified { references: named_reference(body).into_iter().collect() };
        if !signature::is_signed(account.credentials.get(CALLBACK_SECRET), SIGNATURE_HEADER, headers, body) {
            return Err(not_verified());
        }
        let notice: wire::Notice = serde_json::from_slice(body)
            .map_err(|_| CallbackError::Malformed("not a notice of a payout".to_owned()))?;
        if account.settings.get(ACCOUNT) != Some(&notice.account) {
            // Signed, but for someone else.
            return Err(not_verified());
        }
        if !is_reference(&notice.payout.reference) {
            return Err(CallbackError::Malformed("the reference is not one of ours".to_owned()));
        }
        let outcome = map::told(&notice.payout);
        let sequence = Some(notice.payout.sequence);
        Ok(vec![ReportedOutcome { reference: notice.payout.reference, outcome, sequence }])
    }

    /// Where the account's setting `balance` is `provider`.
    fn has_balance(&self, account: &AccountContext, _currency: AssetCode) -> bool {
        account.settings.get(BALANCE).is_some_and(|value| value == BALANCE_BY_PROVIDER)
    }

    async fn balance(&self, account: &AccountContext, currency: AssetCode) -> Result<Decimal, ProviderError> {
        if !self.has_balance(account, currency) {
            return Err(ProviderError::NotSupported);
        }
        let read = |body: &[u8]| {
            let balance: wire::Balance = serde_json::from_slice(body).ok()?;
            map::balance(&balance.available).filter(|_| balance.currency == currency.as_str())
        };
        self.ask(account, format!("/v1/balances/{currency}"), Vec::new(), read).await
    }

    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        let refused = |why: &str| Err(ProviderError::Credentials(why.to_owned()));
        if account.mode == Mode::Live {
            return refused(TEST_MODE_ONLY);
        }
        if account.credentials.get(CALLBACK_SECRET).is_none_or(|secret| secret.expose_secret().is_empty()) {
            return refused("callback_secret is missing");
        }
        let Some(name) = account.settings.get(ACCOUNT) else { return refused("the setting `account` is missing") };
        let read = |body: &[u8]| serde_json::from_slice::<wire::Account>(body).ok();
        let told = self.ask(account, "/v1/account".to_owned(), Vec::new(), read).await?;
        if told.account == *name { Ok(()) } else { refused("the API key is another account's") }
    }

    fn has_report(&self) -> bool {
        true
    }

    async fn report(
        &self,
        account: &AccountContext,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        cursor: Option<&str>,
    ) -> Result<ReportPage, ProviderError> {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let mut query = vec![("from", time(from)), ("until", time(until))];
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        self.ask(account, "/v1/report".to_owned(), query, map::report_page).await
    }
}
