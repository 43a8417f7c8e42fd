//! Everything that is sealed, in one list: which tables, which columns, and as what each value is bound to its row. Whoever seals something
//! in a new place writes it here: what isn't in the list is neither sealed anew nor counted before a key is destroyed. A test compares it
//! with the schema (`tests/gateway/key_life.rs`), and each of these tables has a trigger that knows which keys may seal.

use super::card_vault::{BILLING_COLUMN, HOLDER_COLUMN, PAN_COLUMN};

/// The column, as ciphertexts are bound to it, of a provider account's credentials.
pub const CREDENTIALS_COLUMN: &str = "provider_credentials";
/// The same for keys of callbacks that were replaced: one column's ciphertext doesn't open as the other's.
pub const CALLBACK_KEYS_COLUMN: &str = "provider_callback_keys";

/// The same for what an API key's requests are signed with.
pub const SIGNING_COLUMN: &str = "api_key_signing";
/// The same for a staff account's second factor, offered or proved: what was offered becomes the one that counts as it is.
pub const TOTP_COLUMN: &str = "staff_totp";
/// The same for a change that waits for a second person.
pub const CHANGE_COLUMN: &str = "approval_change";
/// The same for what that person is shown of it.
pub const TOLD_COLUMN: &str = "approval_told";
/// The same for what webhooks are signed with.
pub const WEBHOOK_COLUMN: &str = "webhook_secrets";

/// The most sealed columns that a table has.
pub const SEALED_COLUMNS_MAX: usize = 3;

/// A table with sealed columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SealedTable {
    /// Cards of the wallet's users, bound to their customer and number.
    Card,
    /// Cards that came in with partners' requests, bound to the request.
    RequestCard,
    /// Accounts at providers, bound to the account.
    ProviderAccount,
    /// What requests of API keys are signed with, bound to the key.
    ApiKey,
    /// Second factors of staff, bound to the account, under the house's keys.
    Staff,
    /// Changes that wait, or waited, for a second person, bound to the approval.
    Approval,
    /// What webhooks are signed with, bound to the endpoint.
    WebhookEndpoint,
}

/// A column of sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedColumn {
    /// In the table.
    pub name: &'static str,
    /// What its ciphertexts are bound to (`Context::column`).
    pub bound_as: &'static str,
}

const fn column(name: &'static str, bound_as: &'static str) -> SealedColumn {
    SealedColumn { name, bound_as }
}

impl SealedTable {
    /// In the order in which they are sealed anew.
    pub const ALL: [SealedTable; 7] = [
        SealedTable::ProviderAccount,
        SealedTable::ApiKey,
        SealedTable::Staff,
        SealedTable::Approval,
        SealedTable::WebhookEndpoint,
        SealedTable::RequestCard,
        SealedTable::Card,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            SealedTable::Card => "card",
            SealedTable::RequestCard => "request_card",
            SealedTable::ProviderAccount => "provider_account",
            SealedTable::ApiKey => "api_key",
            SealedTable::Staff => "staff",
            SealedTable::Approval => "approval",
            SealedTable::WebhookEndpoint => "webhook_endpoint",
        }
    }

    /// At most [`SEALED_COLUMNS_MAX`].
    pub const fn columns(self) -> &'static [SealedColumn] {
        const CARD: [SealedColumn; 3] = [
            column("pan_sealed", PAN_COLUMN),
            column("holder_sealed", HOLDER_COLUMN),
            column("billing_sealed", BILLING_COLUMN),
        ];
        const REQUEST_CARD: [SealedColumn; 2] =
            [column("pan_sealed", PAN_COLUMN), column("holder_sealed", HOLDER_COLUMN)];
        const PROVIDER_ACCOUNT: [SealedColumn; 2] =
            [column("credentials_sealed", CREDENTIALS_COLUMN), column("callback_keys_sealed", CALLBACK_KEYS_COLUMN)];
        const API_KEY: [SealedColumn; 1] = [column("signing_sealed", SIGNING_COLUMN)];
        const STAFF: [SealedColumn; 2] = [column("totp_secret", TOTP_COLUMN), column("totp_offered", TOTP_COLUMN)];
        const APPROVAL: [SealedColumn; 2] = [column("change", CHANGE_COLUMN), column("told", TOLD_COLUMN)];
        const WEBHOOK_ENDPOINT: [SealedColumn; 1] = [column("secrets_sealed", WEBHOOK_COLUMN)];
        match self {
            SealedTable::Card => &CARD,
            SealedTable::RequestCard => &REQUEST_CARD,
            SealedTable::ProviderAccount => &PROVIDER_ACCOUNT,
            SealedTable::ApiKey => &API_KEY,
            SealedTable::Staff => &STAFF,
            SealedTable::Approval => &APPROVAL,
            SealedTable::WebhookEndpoint => &WEBHOOK_ENDPOINT,
        }
    }

    /// The table of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The table after this one.
    pub fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|table| *table == self)?;
        Self::ALL.get(at + 1).copied()
    }
}
