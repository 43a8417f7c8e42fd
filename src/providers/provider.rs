//! The trait that every provider adapter implements, and the one type that every answer is turned into.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::domain::asset::AssetCode;
use crate::domain::card::CardDetails;
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

/// Where the fiat goes: a card from the vault, or a service's plain fields (`test_usd`: `account`).
///
/// `Debug` names the fields and redacts their values: they can be account numbers and names.
#[derive(Clone)]
pub struct Destination {
    pub card: Option<CardDetails>,
    pub fields: BTreeMap<String, String>,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("card", &self.card)
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
    /// When the payout was first sent: look-ups by time range start before it.
    pub sent_at: DateTime<Utc>,
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
    NotSent { why: String },
    /// Anything else: a time-out, a reset, a 5xx, an unreadable body, a code that isn't mapped.
    Unknown { why: String },
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
    /// The characters that a reference may have.
    pub reference_alphabet: &'static str,
    /// How long after a send "not found" means nothing.
    pub settling_time: Duration,
    /// How many "not found" answers in a row count, after the settling time.
    pub not_found_confirmations: u32,
    /// The longest that a send may take before its outcome is unknown.
    pub send_timeout: Duration,
    pub currencies: Vec<AssetCode>,
    pub card_schemes: Vec<crate::domain::card::CardScheme>,
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

/// A setting that an adapter's accounts have: not secret, such as a merchant's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingField {
    pub name: &'static str,
    pub is_required: bool,
    /// What it is and where the provider shows it, for a person.
    pub description: &'static str,
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

    /// Sends one order. Never panics, never retries by itself, and returns within its own time-out.
    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome;

    /// Asks about an order by our reference.
    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome;

    /// Reads and verifies a callback.
    fn parse_callback(
        &self,
        account: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError>;

    /// Whether `balance` tells what the account holds in `currency`; without it our own ledger keeps that balance.
    fn has_balance(&self, _account: &AccountContext, _currency: AssetCode) -> bool {
        self.capabilities().has_balance
    }

    /// The balance of a deposit account as the provider reports it, in units of `currency`.
    async fn balance(&self, account: &AccountContext, currency: AssetCode) -> Result<Decimal, ProviderError>;

    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError>;

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
