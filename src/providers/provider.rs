//! The trait that every provider adapter implements, and the one type that every answer is turned into.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::domain::asset::AssetCode;
use crate::domain::card::{BillingAddress, CardDetails, CardScheme};
use crate::domain::ids::{DepositAccountId, Mode, ProviderAccountId};
use crate::domain::payout::Resolution;

/// The account at the provider that a call is made for.
#[derive(Clone, Debug)]
pub struct AccountContext {
    pub account_id: ProviderAccountId,
    pub mode: Mode,
    /// Adapter-specific settings that are not secret (base URL, merchant ids).
    pub settings: BTreeMap<String, String>,
    /// Adapter-specific secrets, by name.
    pub credentials: BTreeMap<String, SecretString>,
}

impl AccountContext {
    /// A setting that is given; an empty one isn't.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A secret that is given; an empty one isn't.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.credentials.get(name).map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty())
    }
}

/// The keys of a payout's fields that hold the card holder's address: the first and the second line, the city, the country (ISO 3166-1
/// alpha-2), the postal code, and the state, province or region.
pub const ADDRESS_FIELDS: [&str; 6] = ["address", "address2", "city", "country_code", "zip", "state"];

/// Where the fiat goes: a card from the vault, or a service's plain fields (`test_usd`: `account`).
///
/// `Debug` names the fields and redacts their values: they can be account numbers and names.
#[derive(Clone)]
pub struct Destination {
    pub card: Option<CardDetails>,
    /// The billing address that the card's owner gave with it, as it was written. Adapters ask [`Destination::address`].
    pub billing: Option<BillingAddress>,
    pub fields: BTreeMap<String, String>,
}

impl Destination {
    /// The card holder's address: that of the request's own fields ([`ADDRESS_FIELDS`]) where they hold any part of one, and else the
    /// card's. Never a mixture of both, which would be nobody's.
    pub fn address(&self) -> Option<Cow<'_, BillingAddress>> {
        let [line1, line2, city, country, postal_code, state] = ADDRESS_FIELDS.map(|key| {
            let text = self.fields.get(key).map(|text| text.trim());
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        });
        let of_fields = BillingAddress { line1, line2, city, country, postal_code, state };
        if of_fields.is_empty() {
            return self.billing.as_ref().filter(|address| !address.is_empty()).map(Cow::Borrowed);
        }
        Some(Cow::Owned(of_fields))
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("card", &self.card)
            .field("billing", &self.billing)
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// One payout to be sent. The same order sent again carries the same reference.
#[derive(Clone, Debug)]
pub struct PayoutOrder {
    /// Our reference at the provider, stable across resends.
    pub reference: String,
    pub deposit_account_id: DepositAccountId,
    /// In units of `currency`; positive, within the currency's scale.
    pub amount: Decimal,
    pub currency: AssetCode,
    pub description: Option<String>,
    /// What the card holder reads on the statement, as it is: [`crate::domain::terms::StatementDescriptor`]. `None`: what the account's
    /// settings say. The same whenever the order is sent.
    pub statement_descriptor: Option<String>,
    /// How often this order was sent before: 0 the first time.
    pub resend: u32,
}

/// A question about a payout whose fate is open.
#[derive(Clone, Debug)]
pub struct Inquiry {
    pub reference: String,
    pub provider_original_id: Option<String>,
    pub amount: Decimal,
    pub currency: AssetCode,
    /// Whether the last that the provider told is that it took the payout and hasn't finished.
    pub is_pending: bool,
    /// No later than the first send, and as close to it as is known. What is looked for from here on can't have been sent before it, and
    /// what counts only so long after a send doesn't count longer. Clocks differ: a range begins earlier than this.
    pub first_sent_at: DateTime<Utc>,
    /// When the last send was written down. It left then, or as long after as it waited for its turn, at most a lease.
    pub last_sent_at: DateTime<Utc>,
}

/// What the provider tells of a payout beside its fate: its own identifiers, as far as it told them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderIds {
    pub original_id: Option<String>,
    /// Retrieval reference number (ISO 8583 field 37).
    pub rrn: Option<String>,
    /// Acquirer reference number.
    pub arn: Option<String>,
    /// What left the deposit account, in its currency and without the provider's charge, where the provider tells.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub debited: Option<Decimal>,
}

/// What a provider's answer means. Whatever is not understood is [`Outcome::Unknown`], never a decline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The money went out. `amount` can be less than asked.
    Processed {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
        ids: ProviderIds,
    },
    /// Taken, not final.
    Pending { ids: ProviderIds },
    /// Finally refused: no money went out and none will.
    Declined { resolution: Resolution, code: String, message: String },
    /// The money went out and came back; `amount` is what came back.
    Returned {
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
        ids: ProviderIds,
    },
    /// The provider says it has no such payout. Counts only after its settling time and repeated answers.
    NotFound,
    /// Proven that not one byte of the request left (a refused connection). Says nothing of an earlier send of the same order.
    NotSent {
        why: String,
        /// This order isn't one that the provider takes, which may be well: another route may take it.
        is_unfit: bool,
    },
    /// Anything else: a time-out, a reset, a 5xx, an unreadable body, a code that isn't mapped. `ids` are those of the payment where the
    /// provider told them all the same: a later question can go by them.
    Unknown {
        why: String,
        #[serde(default)]
        ids: ProviderIds,
    },
}

impl Outcome {
    /// Not one byte left, since the provider couldn't be reached, and why.
    pub fn not_sent(why: impl Into<String>) -> Self {
        Self::NotSent { why: why.into(), is_unfit: false }
    }

    /// Nobody knows, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into(), ids: ProviderIds::default() }
    }

    /// What can't be told, with what the provider called the payment in the same answer. Every other outcome stays as it is, and so do ids
    /// that are there already.
    pub fn naming(self, ids: &ProviderIds) -> Self {
        match self {
            Self::Unknown { why, ids: none } if none == ProviderIds::default() => {
                Self::Unknown { why, ids: ids.clone() }
            }
            told => told,
        }
    }
}

/// What a verified callback says of one payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedOutcome {
    pub reference: String,
    pub outcome: Outcome,
    /// The provider's own order of its messages on this payout, where it has one.
    pub sequence: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// The signature is absent or wrong: at most an inquiry may follow. Holds the references that the body names, if readable.
    #[error("the callback's signature can't be verified")]
    NotVerified { references: Vec<String> },
    #[error("the callback can't be read: {0}")]
    Malformed(String),
    #[error("this provider sends no callbacks")]
    NotSupported,
}

/// How a provider's report says that a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedStatus {
    Pending,
    Processed,
    Declined,
    /// Paid, and all or a part of it came back.
    Returned,
}

/// A line of a provider's report: what it says became of one payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRow {
    /// Our reference.
    pub reference: String,
    pub original_id: Option<String>,
    pub status: ReportedStatus,
    /// What left towards the card, in units of `currency`; zero while pending and where declined.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount_processed: Decimal,
    /// What of it came back.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount_returned: Decimal,
    pub currency: AssetCode,
    /// When the provider took the payment: what a report's range is about.
    pub taken_at: DateTime<Utc>,
}

/// A page of a provider's report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportPage {
    pub rows: Vec<ReportRow>,
    /// Asks for the next page; `None`: this is the last.
    pub next: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    #[error("the provider has no such operation")]
    NotSupported,
    #[error("the provider refused our credentials: {0}")]
    Credentials(String),
    #[error("the provider can't be reached or can't be understood: {0}")]
    Unavailable(String),
}

/// Whether an order may be sent a second time after an ambiguous answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendSafety {
    /// The provider answers a repeat of the same reference with the first one's fate, for this long after the first.
    SameReferenceWithin(Duration),
    /// A repeat may pay again.
    Never,
}

/// What an adapter's provider can do and what it needs.
#[derive(Clone, Debug)]
pub struct Capabilities {
    pub resend: ResendSafety,
    /// The longest reference that it takes, in characters.
    pub reference_length_max: usize,
    /// The characters that a reference may have. The gateway's are digits and lower-case letters, whatever stands here.
    pub reference_alphabet: &'static str,
    /// How long after a send "not found" means nothing.
    pub settling_time: Duration,
    /// How many "not found" answers in a row count, after the settling time.
    pub not_found_confirmations: u32,
    /// The longest that a send may take before its outcome is unknown.
    pub send_timeout: Duration,
    pub currencies: Vec<AssetCode>,
    pub card_schemes: Vec<CardScheme>,
    /// Whether it pays to cards within minutes; of which account, [`Provider::has_fast_funds`] says.
    pub fast_funds: bool,
    /// Whether `balance` tells anything at all; of which account, [`Provider::has_balance`] says.
    pub has_balance: bool,
    /// How long after a payout was final its balance may still be without it.
    pub posting_lag: Duration,
    pub has_callbacks: bool,
}

/// Whether a credential has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    Required,
    Optional,
    /// Drawn at random where it isn't given.
    Generated,
}

/// A credential that an adapter's accounts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialField {
    pub name: &'static str,
    pub kind: CredentialKind,
    /// What it is and where the provider shows it, for a person.
    pub description: &'static str,
}

impl CredentialField {
    pub const fn required(name: &'static str, description: &'static str) -> Self {
        Self { name, kind: CredentialKind::Required, description }
    }

    pub const fn optional(name: &'static str, description: &'static str) -> Self {
        Self { name, kind: CredentialKind::Optional, description }
    }
}

/// What a setting may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// What the adapter looks at when the account is checked.
    Text,
    OneOf(&'static [&'static str]),
    /// One or several of them, with commas between.
    SomeOf(&'static [&'static str]),
}

/// A setting that an adapter's accounts have: not secret, such as a merchant's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingField {
    pub name: &'static str,
    pub is_required: bool,
    pub value: SettingValue,
    /// What it is and where the provider shows it, for a person.
    pub description: &'static str,
}

impl SettingField {
    pub const fn required(name: &'static str, description: &'static str) -> Self {
        Self { name, is_required: true, value: SettingValue::Text, description }
    }

    pub const fn optional(name: &'static str, description: &'static str) -> Self {
        Self { name, is_required: false, value: SettingValue::Text, description }
    }

    pub const fn one_of(self, choices: &'static [&'static str]) -> Self {
        Self { value: SettingValue::OneOf(choices), ..self }
    }

    pub const fn some_of(self, choices: &'static [&'static str]) -> Self {
        Self { value: SettingValue::SomeOf(choices), ..self }
    }

    /// Whether the setting may say this.
    pub fn takes(&self, text: &str) -> bool {
        match self.value {
            SettingValue::Text => true,
            SettingValue::OneOf(choices) => choices.contains(&text),
            SettingValue::SomeOf(choices) => text.split(',').all(|piece| choices.contains(&piece.trim())),
        }
    }
}

/// Whether an account pays within minutes, `yes` or `no`: a matter of what its provider has agreed with the client.
pub const FAST_FUNDS: &str = "fast_funds";
/// The card schemes that an account may pay to, by their names on the wire, with commas between.
pub const CARD_SCHEMES: &str = "card_schemes";

impl SettingField {
    /// [`FAST_FUNDS`], for an adapter whose accounts differ in it.
    pub const FAST_FUNDS: Self = Self::optional(
        FAST_FUNDS,
        "Whether the provider pays to cards within minutes for this account: yes or no. Without it what the provider says of its service \
         counts.",
    )
    .one_of(&["yes", "no"]);

    /// [`CARD_SCHEMES`], of those that the adapter pays to.
    pub const fn card_schemes(schemes: &'static [&'static str]) -> Self {
        Self::optional(
            CARD_SCHEMES,
            "The card schemes that the provider has enabled for this account, with commas between. Without it all that it pays to.",
        )
        .some_of(schemes)
    }
}

#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The adapter's name in configuration and rows: `test`, `adyen`.
    fn code(&self) -> &'static str;

    fn capabilities(&self) -> &Capabilities;

    /// The modes that its accounts may have.
    fn modes(&self) -> &[Mode] {
        &[Mode::Test, Mode::Live]
    }

    /// Whether only configuration makes accounts of it: a partner must not choose where it connects to.
    fn is_house_only(&self) -> bool {
        false
    }

    /// The credentials of its accounts. All of them are secret: none is ever told again.
    fn credentials_schema(&self) -> &[CredentialField] {
        &[]
    }

    /// Which of its credentials callbacks are verified with: where one of them is replaced, callbacks under the one before are taken for
    /// a while longer.
    fn callback_credentials(&self) -> &[&'static str] {
        &[]
    }

    /// The settings of its accounts; `None`: any are taken, and it looks at those that it knows.
    fn settings_schema(&self) -> Option<&[SettingField]> {
        None
    }

    /// Whether an account pays to cards within minutes: as its setting [`FAST_FUNDS`] says, and else as the adapter does.
    fn has_fast_funds(&self, account: &AccountContext) -> bool {
        account.setting(FAST_FUNDS).map_or(self.capabilities().fast_funds, |setting| setting == "yes")
    }

    /// The card schemes that an account pays to: the adapter's, as far as its setting [`CARD_SCHEMES`] has them.
    fn card_schemes(&self, account: &AccountContext) -> Vec<CardScheme> {
        let enabled = account.setting(CARD_SCHEMES);
        let is_enabled = |scheme: &CardScheme| {
            enabled.is_none_or(|enabled| enabled.split(',').any(|name| name.trim() == scheme.as_str()))
        };
        self.capabilities().card_schemes.iter().copied().filter(is_enabled).collect()
    }

    /// Sends one order. Never panics, never retries by itself, and returns within its own time-out.
    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome;

    /// Asks about an order by our reference.
    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome;

    /// Reads and verifies a callback.
    fn parse_callback(
        &self,
        _account: &AccountContext,
        _headers: &[(String, String)],
        _body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        Err(CallbackError::NotSupported)
    }

    /// Whether `balance` tells what the account holds in `currency`; without it our own ledger keeps that balance.
    fn has_balance(&self, _account: &AccountContext, _currency: AssetCode) -> bool {
        self.capabilities().has_balance
    }

    /// The balance of a deposit account as the provider reports it, in units of `currency`.
    async fn balance(&self, _account: &AccountContext, _currency: AssetCode) -> Result<Decimal, ProviderError> {
        Err(ProviderError::NotSupported)
    }

    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError>;

    /// Has what was paid under this reference come back now, as a bank returns it. Only a provider that moves no money can; `false`: nothing
    /// of it is paid. Asked again, nothing more comes back.
    async fn give_back(&self, _account: &AccountContext, _reference: &str) -> Result<bool, ProviderError> {
        Err(ProviderError::NotSupported)
    }

    /// Whether `report` tells anything.
    fn has_report(&self) -> bool {
        false
    }

    /// A page of what the provider took from `from` until just before `until`, as it stands now, in a steady order.
    async fn report(
        &self,
        _account: &AccountContext,
        _from: DateTime<Utc>,
        _until: DateTime<Utc>,
        _cursor: Option<&str>,
    ) -> Result<ReportPage, ProviderError> {
        Err(ProviderError::NotSupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_card() -> BillingAddress {
        let text =
            br#"{"address": "1 Main St", "city": "Springfield", "country_code": "US", "zip": "62701", "state": "IL"}"#;
        BillingAddress::from_plaintext(text).unwrap()
    }

    fn to(billing: Option<BillingAddress>, fields: &[(&str, &str)]) -> Destination {
        let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Destination { card: None, billing, fields }
    }

    #[test]
    fn a_requests_own_address_wins_whole_over_the_cards() {
        assert!(to(None, &[("account", "x"), ("city", " ")]).address().is_none());
        assert!(to(Some(BillingAddress::default()), &[]).address().is_none());
        assert_eq!(to(Some(of_card()), &[("account", "x"), ("city", "")]).address().as_deref(), Some(&of_card()));
        let both = to(Some(of_card()), &[("city", " Delft "), ("country_code", "NL")]);
        let address = both.address().unwrap();
        assert_eq!((address.city.as_deref(), address.country.as_deref()), (Some("Delft"), Some("NL")));
        assert_eq!((&address.line1, &address.postal_code, &address.state), (&None, &None, &None));
    }

    #[test]
    fn nothing_printed_holds_an_address() {
        let shown = format!("{:?}", to(Some(of_card()), &[("city", "Delft")]));
        for secret in ["Main", "Springfield", "62701", "Delft"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
