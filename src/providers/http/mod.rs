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

use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, Destination, Inquiry, Outcome, PayoutOrder, Provider,
    ProviderError, ReportPage, ReportedOutcome, ResendSafety,
};
use super::remote::{self, JSON, REFERENCE_ALPHABET, Remote, Unwritten};
use super::signature;
use super::transport::{TcpTransport, Transport, WireRequest};
use crate::config::providers::{HttpProviderSettings, Resend, is_base_url};
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::exact;
use crate::domain::ids::Mode;
use crate::outgoing::Guard;

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
const RESEND_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
const TEST_MODE_ONLY: Unwritten = Unwritten("the http adapter serves test mode only");

/// See the module's head.
pub struct HttpProvider {
    capabilities: Capabilities,
    remote: Remote,
}

impl HttpProvider {
    /// Over TCP, to the internet and the inner networks that are configured: where it calls is a setting of each account.
    pub fn new(settings: &HttpProviderSettings) -> Result<Self, reqwest::Error> {
        let guard = Guard::new(settings.inner_networks.clone(), false);
        Ok(Self::with_transport(settings, Arc::new(TcpTransport::guarded(Arc::new(guard))?)))
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
        let remote = Remote::of_accounts(capabilities.send_timeout, transport);
        Self { capabilities, remote }
    }

    fn request(
        &self,
        account: &AccountContext,
        method: &'static str,
        path: impl Into<String>,
    ) -> Result<WireRequest, Unwritten> {
        let base_url = account.setting(BASE_URL).map(|url| url.trim_end_matches('/'));
        let base_url =
            base_url.filter(|url| is_base_url(url)).ok_or(Unwritten("base_url is missing or no http URL"))?;
        let api_key = account.secret(API_KEY).ok_or(Unwritten("api_key is missing"))?;
        let request = self.remote.request_at(base_url, method, path);
        Ok(request.with_header("Authorization", format!("Bearer {api_key}")).with_header("Accept", JSON.to_owned()))
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
        Ok(self.request(account, "POST", "/v1/payouts")?.with_body(JSON, remote::json(&pay)?))
    }

    /// A question that isn't about a payout.
    async fn ask<T>(
        &self,
        account: &AccountContext,
        path: String,
        query: Vec<(&'static str, String)>,
        read: impl FnOnce(&[u8]) -> Option<T> + Send,
    ) -> Result<T, ProviderError> {
        let request = self.request(account, "GET", path).map(|request| request.with_query(query));
        self.remote.fetch(request, |response| map::answered(response, read)).await
    }
}

/// The amount with the currency's decimals; `None` if that would lose some, or the currency isn't the provider's.
fn amount_text(order: &PayoutOrder) -> Option<String> {
    let (_, scale) = map::CURRENCIES.iter().find(|(code, _)| *code == order.currency.as_str())?;
    let amount = exact::rescale(order.amount, *scale).ok()??;
    (amount > Decimal::ZERO).then(|| amount.to_string())
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
        const FIELDS: [CredentialField; 2] = [
            CredentialField::required(API_KEY, "The account's API key at the provider."),
            CredentialField::required(CALLBACK_SECRET, "The key that the provider signs callbacks with."),
        ];
        &FIELDS
    }

    fn callback_credentials(&self) -> &[&'static str] {
        &[CALLBACK_SECRET]
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        if account.mode == Mode::Live {
            return TEST_MODE_ONLY.unsent();
        }
        let request = self.order_to_pay(account, order, to);
        self.remote.pay(request, |response| map::sent(response, order)).await
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let query = vec![("reference", inquiry.reference.clone())];
        let request = self.request(account, "GET", "/v1/payouts").map(|request| request.with_query(query));
        self.remote.ask(request, |response| map::found(response, inquiry)).await
    }

    fn parse_callback(
        &self,
        account: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        let named = || self.capabilities.named_reference(body, "/payout/reference");
        let not_verified = || CallbackError::NotVerified { references: named().into_iter().collect() };
        if !signature::is_signed(account.credentials.get(CALLBACK_SECRET), SIGNATURE_HEADER, headers, body) {
            return Err(not_verified());
        }
        let notice: wire::Notice = serde_json::from_slice(body)
            .map_err(|_| CallbackError::Malformed("not a notice of a payout".to_owned()))?;
        if account.settings.get(ACCOUNT) != Some(&notice.account) {
            // Signed, but for someone else.
            return Err(not_verified());
        }
        if !self.capabilities.takes_reference(&notice.payout.reference) {
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
        if account.mode == Mode::Live {
            return Err(TEST_MODE_ONLY.into());
        }
        account.secret(CALLBACK_SECRET).ok_or(Unwritten("callback_secret is missing"))?;
        let name = account.setting(ACCOUNT).ok_or(Unwritten("the setting `account` is missing"))?;
        let read = |body: &[u8]| serde_json::from_slice::<wire::Account>(body).ok();
        let told = self.ask(account, "/v1/account".to_owned(), Vec::new(), read).await?;
        if told.account == name { Ok(()) } else { Err(Unwritten("the API key is another account's").into()) }
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
