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

use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, Destination, Inquiry, Outcome, PayoutOrder, Provider,
    ProviderError, ReportPage, ReportedOutcome, ResendSafety, SettingField,
};
pub use super::remote::Unwritten;
use super::remote::{JSON, Remote};
use super::told;
use super::transport::{Transport, WireRequest, WireResponse};
use crate::config::providers::RemoteProviderSettings;
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::ids::Mode;

/// The adapter's code.
pub const CODE: &str = "adyen";

pub const API_KEY: &str = "api_key";
pub const HMAC_KEY: &str = "hmac_key";
pub const BALANCE_ACCOUNT_ID: &str = "balance_account_id";

/// Where transfers are made and listed.
const TRANSFERS: &str = "/btl/v4/transfers";
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
    capabilities: Capabilities,
    remote: Remote,
}

impl AdyenProvider {
    pub fn new(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>) -> Self {
        let capabilities = Capabilities {
            resend: ResendSafety::SameReferenceWithin(RESEND_WINDOW),
            reference_length_max: order::REFERENCE_LENGTH_MAX,
            reference_alphabet: order::REFERENCE_ALPHABET,
            currencies: codes::CURRENCIES.currencies(),
            card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard],
            fast_funds: true,
            has_balance: true,
            has_callbacks: true,
            ..Capabilities::configured(settings)
        };
        Self { capabilities, remote: Remote::new(settings, transport) }
    }

    fn request(
        &self,
        account: &AccountContext,
        method: &'static str,
        path: impl Into<String>,
    ) -> Result<WireRequest, Unwritten> {
        let api_key = account.secret(API_KEY).ok_or(Unwritten("api_key is missing"))?;
        let request = self.remote.request(account.mode, method, path)?;
        Ok(request.with_header("X-API-Key", api_key.to_owned()).with_header("Accept", JSON.to_owned()))
    }

    fn order_to_pay(
        &self,
        account: &AccountContext,
        order: &PayoutOrder,
        to: &Destination,
        balance_account_id: &str,
    ) -> Result<WireRequest, Unwritten> {
        let body = order::body(order, to, balance_account_id)?;
        let request = self.request(account, "POST", TRANSFERS)?.with_body(JSON, body);
        Ok(request.with_header("Idempotency-Key", order.reference.clone()))
    }

    /// All transfers under the inquiry's reference, judged together.
    async fn look_up(&self, account: &AccountContext, inquiry: &Inquiry) -> Result<Outcome, Outcome> {
        let balance_account_id = balance_account_id(account).map_err(Unwritten::unasked)?;
        let (before, after) = LOOK_UP_DAYS;
        let since = inquiry.first_sent_at - TimeDelta::days(before);
        let until = inquiry.first_sent_at + TimeDelta::days(after);
        let mut transfers = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut query = of_range(balance_account_id, since, until);
            query.push(("reference", inquiry.reference.clone()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page = self.remote.answer_to_question(self.listing(account, query)).await?;
            let page = map::page(&page).map_err(told::unknown)?;
            transfers.extend(page.transfers);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(map::found(&transfers, &map::Asked::by_inquiry(inquiry, balance_account_id)));
            }
        }
        Err(told::unknown("Adyen has more transfers under this reference than are read".to_owned()))
    }

    /// The balance account, as Adyen tells of it.
    async fn balance_account(&self, account: &AccountContext) -> Result<wire::BalanceAccount, ProviderError> {
        let id = balance_account_id(account)?;
        let request = self.request(account, "GET", format!("/bcl/v2/balanceAccounts/{id}"));
        let read = |response: &WireResponse| refusal::answered(response, |response| map::balance_account(response, id));
        self.remote.fetch(request, read).await
    }

    /// Asks for a list of transfers.
    fn listing(&self, account: &AccountContext, query: Vec<(&'static str, String)>) -> Result<WireRequest, Unwritten> {
        Ok(self.request(account, "GET", TRANSFERS)?.with_query(query))
    }

    async fn list(
        &self,
        account: &AccountContext,
        query: Vec<(&'static str, String)>,
    ) -> Result<map::Page, ProviderError> {
        let read = |response: &WireResponse| refusal::answered(response, |response| map::page(response).ok());
        self.remote.fetch(self.listing(account, query), read).await
    }
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
        self.remote.modes()
    }

    fn credentials_schema(&self) -> &[CredentialField] {
        const FIELDS: [CredentialField; 2] = [
            CredentialField::required(
                API_KEY,
                "The API key of the balance platform's API credential (ws@BalancePlatform.…), from the \
                 Customer Area under Developers, API credentials.",
            ),
            CredentialField::required(
                HMAC_KEY,
                "The HMAC key of the transfer webhook, in hexadecimal, from the Customer Area under \
                 Developers, Webhooks, Security.",
            ),
        ];
        &FIELDS
    }

    fn callback_credentials(&self) -> &[&'static str] {
        &[HMAC_KEY]
    }

    fn settings_schema(&self) -> Option<&[SettingField]> {
        const FIELDS: [SettingField; 3] = [
            SettingField::required(
                BALANCE_ACCOUNT_ID,
                "The id of the balance account that pays (BA…), from the Customer Area under Accounts, Balance accounts.",
            ),
            SettingField::FAST_FUNDS,
            SettingField::card_schemes(&["VISA", "MASTERCARD"]),
        ];
        Some(&FIELDS)
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        let balance_account_id = match balance_account_id(account) {
            Ok(id) => id,
            Err(why) => return why.unsent(),
        };
        let request = self.order_to_pay(account, order, to, balance_account_id);
        self.remote.pay(request, |response| map::sent(response, order, balance_account_id)).await
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        self.remote.within(async { self.look_up(account, inquiry).await.unwrap_or_else(|open| open) }).await
    }

    /// One webhook brings the messages of a whole balance platform: what is signed and about another balance account, or about no payout to
    /// a card, is taken and says nothing, since Adyen holds back all messages after one that is refused.
    fn parse_callback(
        &self,
        account: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        let named = || self.capabilities.named_reference(body, "/data/reference");
        let not_verified = || CallbackError::NotVerified { references: named().into_iter().collect() };
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
        let balance_account_id = balance_account_id(account)?;
        // The range is written in whole seconds; what it has too much is left out of the page.
        let mut query = of_range(balance_account_id, from, until + TimeDelta::seconds(1));
        query.extend([("category", map::CATEGORY.to_owned()), ("sortOrder", "asc".to_owned())]);
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        let page = self.list(account, query).await?;
        map::report_page(page, balance_account_id, from, until, order::is_reference)
            .ok_or_else(|| ProviderError::Unavailable("the report can't be understood".to_owned()))
    }
}
