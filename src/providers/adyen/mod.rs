//! The adapter `adyen`, for payouts to cards by Adyen's Transfers API version 4. It decides nothing and stores nothing.
//!
//! A payout is a transfer of category `card` from one balance account. Its `Idempotency-Key` is our reference, so that a repeat gets the
//! first one's answer. Adyen takes it at once and finishes it later: the fate comes by a callback or a look-up by reference.

pub mod codes;
pub mod holder;
pub mod map;
pub mod order;
pub mod refusal;
pub mod signature;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, CredentialKind, Destination, Inquiry, Outcome,
    PayoutOrder, Provider, ProviderError, ReportPage, ReportedOutcome, ResendSafety, SettingField,
};
use super::told;
use super::transport::{Transport, TransportError, WireRequest, WireResponse};
use crate::config::providers::RemoteProviderSettings;
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::ids::Mode;

/// The adapter's code.
pub const CODE: &str = "adyen";

pub const API_KEY: &str = "api_key";
pub const HMAC_KEY: &str = "hmac_key";
pub const BALANCE_ACCOUNT_ID: &str = "balance_account_id";

/// The callbacks that are about transfers.
const NOTICES: [&str; 2] = ["balancePlatform.transfer.created", "balancePlatform.transfer.updated"];

/// Keys are valid for seven days at least ("API idempotency"), less an hour: a resend that is decided at the last moment arrives later.
const RESEND_WINDOW: Duration = Duration::from_secs((7 * 24 - 1) * 60 * 60);
/// How long before the first send and after it a look-up begins and ends, in days: a clock may be off, a resend makes the transfer later,
/// and money may come back as a transfer of its own. Adyen takes ranges of up to six months.
const LOOK_UP_DAYS: (i64, i64) = (1, 150);
/// How many pages of transfers under one reference are read: there is one transfer, or a few where money came back.
const PAGES_MAX: usize = 4;
/// The most transfers that Adyen puts on a page.
const PAGE_LENGTH: &str = "100";

/// See the module's head.
pub struct AdyenProvider {
    settings: RemoteProviderSettings,
    capabilities: Capabilities,
    transport: Arc<dyn Transport>,
}

/// Why a request isn't even written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritten(pub &'static str);

impl AdyenProvider {
    pub fn new(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>) -> Self {
        let capabilities = Capabilities {
            resend: ResendSafety::SameReferenceWithin(RESEND_WINDOW),
            reference_length_max: order::REFERENCE_LENGTH_MAX,
            reference_alphabet: order::REFERENCE_ALPHABET,
            settling_time: settings.settling_time(),
            not_found_confirmations: settings.not_found_confirmations,
            send_timeout: settings.send_timeout(),
            currencies: codes::CURRENCIES.currencies(),
            card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard],
            fast_funds: true,
            has_balance: true,
            posting_lag: settings.posting_lag(),
            has_callbacks: true,
        };
        Self { settings: settings.clone(), capabilities, transport }
    }

    fn request(
        &self,
        account: &AccountContext,
        method: &'static str,
        path: String,
        query: Vec<(&'static str, String)>,
    ) -> Result<WireRequest, Unwritten> {
        let base_url = self.settings.base_url(account.mode).ok_or(Unwritten("Adyen has no URL for this mode"))?;
        let api_key = account.credentials.get(API_KEY).map(ExposeSecret::expose_secret);
        let api_key = api_key.filter(|key| !key.is_empty()).ok_or(Unwritten("api_key is missing"))?;
        let headers = vec![
            ("X-API-Key", Zeroizing::new(api_key.to_owned())),
            ("Accept", Zeroizing::new("application/json".to_owned())),
        ];
        let (base_url, timeout) = (base_url.to_owned(), self.capabilities.send_timeout);
        Ok(WireRequest { method, base_url, path, query, headers, body: Zeroizing::new(Vec::new()), timeout })
    }

    fn order_to_pay(
        &self,
        account: &AccountContext,
        order: &PayoutOrder,
        to: &Destination,
    ) -> Result<WireRequest, Unwritten> {
        let body = order::body(order, to, balance_account_id(account)?)?;
        let mut request = self.request(account, "POST", "/btl/v4/transfers".to_owned(), Vec::new())?;
        request.headers.push(("Content-Type", Zeroizing::new("application/json".to_owned())));
        request.headers.push(("Idempotency-Key", Zeroizing::new(order.reference.clone())));
        request.body = body;
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

    /// All transfers under the inquiry's reference, judged together.
    async fn look_up(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let balance_account_id = match balance_account_id(account) {
            Ok(id) => id,
            Err(Unwritten(why)) => return told::unknown(why.to_owned()),
        };
        let (before, after) = LOOK_UP_DAYS;
        let since = inquiry.sent_at - TimeDelta::days(before);
        let until = inquiry.sent_at + TimeDelta::days(after);
        let mut transfers = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut query = of_range(balance_account_id, since, until);
            query.push(("reference", inquiry.reference.clone()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let request = match self.request(account, "GET", "/btl/v4/transfers".to_owned(), query) {
                Ok(request) => request,
                Err(Unwritten(why)) => return told::unknown(why.to_owned()),
            };
            let page = match self.call(request).await {
                Ok(response) => map::page(&response),
                Err(error) => return told::unasked(&error),
            };
            match page {
                Ok(page) => {
                    transfers.extend(page.transfers);
                    cursor = page.next;
                }
                Err(why) => return told::unknown(why),
            }
            if cursor.is_none() {
                return map::found(&transfers, &map::Asked::by_inquiry(inquiry, balance_account_id));
            }
        }
        told::unknown("Adyen has more transfers under this reference than are read".to_owned())
    }

    /// The balance account, as Adyen tells of it.
    async fn balance_account(&self, account: &AccountContext) -> Result<wire::BalanceAccount, ProviderError> {
        let id = balance_account_id(account).map_err(unasked)?;
        let request = self.request(account, "GET", format!("/bcl/v2/balanceAccounts/{id}"), Vec::new());
        refusal::answered(self.call(request.map_err(unasked)?).await, |response| map::balance_account(response, id))
    }

    async fn list(
        &self,
        account: &AccountContext,
        query: Vec<(&'static str, String)>,
    ) -> Result<map::Page, ProviderError> {
        let request = self.request(account, "GET", "/btl/v4/transfers".to_owned(), query).map_err(unasked)?;
        refusal::answered(self.call(request).await, |response| map::page(response).ok())
    }
}

fn unasked(Unwritten(why): Unwritten) -> ProviderError {
    ProviderError::Credentials(why.to_owned())
}

/// The setting, which goes into paths as it is.
fn balance_account_id(account: &AccountContext) -> Result<&str, Unwritten> {
    let id = account.settings.get(BALANCE_ACCOUNT_ID).ok_or(Unwritten("balance_account_id is missing"))?;
    let is_id = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_id { Ok(id) } else { Err(Unwritten("balance_account_id is no id of a balance account")) }
}

/// Transfers to and from cards that a balance account has in a range of time: no look-up goes without all three.
fn of_range(balance_account_id: &str, since: DateTime<Utc>, until: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    vec![
        ("balanceAccountId", balance_account_id.to_owned()),
        ("createdSince", time(since)),
        ("createdUntil", time(until)),
        ("limit", PAGE_LENGTH.to_owned()),
    ]
}

/// The reference that an unverified body names, if it names one that could be ours.
fn named_reference(body: &[u8]) -> Option<String> {
    let named = serde_json::from_slice::<wire::Named>(body).ok()?;
    Some(named.data.reference).filter(|reference| order::is_reference(reference))
}

/// What a callback calls the mode's environment.
fn environment(mode: Mode) -> &'static str {
    match mode {
        Mode::Test => "test",
        Mode::Live => "live",
    }
}

#[async_trait]
impl Provider for AdyenProvider {
    fn code(&self) -> &'static str {
        CODE
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn modes(&self) -> &[Mode] {
        self.settings.modes()
    }

    fn credentials_schema(&self) -> &[CredentialField] {
        &[
            CredentialField {
                name: API_KEY,
                kind: CredentialKind::Required,
                description: "The API key of the balance platform's API credential (ws@BalancePlatform.…), from the \
                              Customer Area under Developers, API credentials.",
            },
            CredentialField {
                name: HMAC_KEY,
                kind: CredentialKind::Required,
                description: "The HMAC key of the transfer webhook, in hexadecimal, from the Customer Area under \
                              Developers, Webhooks, Security.",
            },
        ]
    }

    fn callback_credentials(&self) -> &[&'static str] {
        &[HMAC_KEY]
    }

    fn settings_schema(&self) -> Option<&[SettingField]> {
        Some(&[SettingField {
            name: BALANCE_ACCOUNT_ID,
            is_required: true,
            description: "The id of the balance account that pays (BA…), from the Customer Area under Accounts, Balance \
                          accounts.",
        }])
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        let request = match self.order_to_pay(account, order, to) {
            Ok(request) => request,
            Err(Unwritten(why)) => return Outcome::NotSent { why: why.to_owned() },
        };
        match (self.call(request).await, balance_account_id(account)) {
            (Ok(response), Ok(id)) => map::sent(&response, order, id),
            (Ok(_), Err(Unwritten(why))) => told::unknown(why.to_owned()),
            (Err(error), _) => told::unanswered(&error),
        }
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let timeout = self.capabilities.send_timeout;
        match tokio::time::timeout(timeout, self.look_up(account, inquiry)).await {
            Ok(outcome) => outcome,
            Err(_) => told::unknown(format!("no answer within {} ms", timeout.as_millis())),
        }
    }

    /// One webhook brings the messages of a whole balance platform: what is signed and about another balance account, or about no payout to
    /// a card, is taken and says nothing, since Adyen holds back all messages after one that is refused.
    fn parse_callback(
        &self,
        account: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        let not_verified = || CallbackError::NotVerified { references: named_reference(body).into_iter().collect() };
        let malformed = |what: &str| CallbackError::Malformed(what.to_owned());
        if !signature::is_signed(account.credentials.get(HMAC_KEY), headers, body) {
            return Err(not_verified());
        }
        let notice: wire::Notice<'_> =
            serde_json::from_slice(body).map_err(|_| malformed("not a webhook of Adyen's"))?;
        let Ok(balance_account_id) = balance_account_id(account) else { return Err(not_verified()) };
        if notice.environment != environment(account.mode) {
            // Signed, but for someone else.
            return Err(not_verified());
        }
        if notice.kind.is_some_and(|kind| !NOTICES.contains(&kind.as_str())) {
            return Ok(Vec::new());
        }
        let transfer: wire::Transfer =
            serde_json::from_str(notice.data.get()).map_err(|_| malformed("not a webhook about a transfer"))?;
        Ok(map::reported(&transfer, balance_account_id, order::is_reference).into_iter().collect())
    }

    async fn balance(&self, account: &AccountContext, currency: AssetCode) -> Result<Decimal, ProviderError> {
        let balance_account = self.balance_account(account).await?;
        map::balance(&balance_account, currency)
            .ok_or_else(|| ProviderError::Unavailable("the balance can't be understood".to_owned()))
    }

    /// Asks with both rights that are needed beside the one to pay: to see the balance account, and to look transfers up.
    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        let refused = |why: &str| Err(ProviderError::Credentials(why.to_owned()));
        if account.credentials.get(HMAC_KEY).and_then(signature::key).is_none() {
            return refused("hmac_key is missing or not hexadecimal");
        }
        let balance_account = self.balance_account(account).await?;
        if !map::is_active(&balance_account) {
            return refused("the balance account is not active");
        }
        // Any day does.
        let day = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        self.list(account, of_range(&balance_account.id, day, day + TimeDelta::days(1))).await.map(|_| ())
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
        let balance_account_id = balance_account_id(account).map_err(unasked)?;
        // The range is written in whole seconds; what it has too much is left out of the page.
        let mut query = of_range(balance_account_id, from, until + TimeDelta::seconds(1));
        query.extend([("category", map::CATEGORY.to_owned()), ("sortOrder", "asc".to_owned())]);
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        let page = self.list(account, query).await?;
        map::report_page(page, balance_account_id, from, until, order::is_reference)
            .ok_or_else(|| ProviderError::Unavailable("the report can't be understood".to_owned()))
    }
}
