//! What goes over the wire to Adyen's Transfers API version 4 and to `GET /balanceAccounts/{id}` of its Configuration API version 2, as
//! this side writes and reads it: the names are those of the OpenAPI descriptions. No meaning: that is [`map`](super::map)'s.
//!
//! Of answers only what has a meaning here is read. Cards are never read back.

use serde::{Deserialize, Serialize};

/// `POST /btl/v4/transfers` (`TransferInfo`). Holds a card number: never shown and never kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferInfo<'a> {
    pub amount: AmountToSend<'a>,
    pub balance_account_id: &'a str,
    pub category: &'static str,
    pub counterparty: Counterparty<'a>,
    pub reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
}

#[derive(Serialize)]
pub struct AmountToSend<'a> {
    pub currency: &'a str,
    /// In the currency's minor units, as Adyen counts them.
    pub value: i64,
}

#[derive(Serialize)]
pub struct Counterparty<'a> {
    pub card: Card<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Card<'a> {
    pub card_holder: CardHolder<'a>,
    pub card_identification: CardIdentification<'a>,
}

/// `PartyIdentification`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardHolder<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub address: Address<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Address<'a> {
    pub line1: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<&'a str>,
    pub city: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_or_province: Option<&'a str>,
    pub country: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardIdentification<'a> {
    /// Digits only.
    pub number: &'a str,
    /// Two digits.
    pub expiry_month: &'a str,
    /// Four digits.
    pub expiry_year: &'a str,
}

/// A transfer as Adyen tells of it: `Transfer` in the answer to a send, `TransferData` in look-ups and callbacks. What only the latter
/// has is optional, and so is what the description doesn't require.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    pub id: Option<String>,
    pub amount: Amount,
    pub balance_account: Option<Resource>,
    pub balances: Option<Vec<Mutation>>,
    pub category: String,
    pub created_at: Option<String>,
    /// Deprecated, and the only time in the examples.
    pub creation_date: Option<String>,
    pub direction: Option<String>,
    pub events: Option<Vec<Event>>,
    pub reason: Option<String>,
    pub reference: Option<String>,
    pub sequence_number: Option<i64>,
    pub status: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Amount {
    pub currency: String,
    /// In minor units.
    pub value: i64,
}

/// `ResourceReference`.
#[derive(Clone, Debug, Deserialize)]
pub struct Resource {
    pub id: Option<String>,
}

/// `BalanceMutation`, in minor units: below zero, what left the balance account.
#[derive(Clone, Debug, Deserialize)]
pub struct Mutation {
    pub currency: Option<String>,
    pub balance: Option<i64>,
}

/// `TransferEvent`.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub arn: Option<String>,
    pub mutations: Option<Vec<Mutation>>,
    pub status: Option<String>,
}

/// `GET /btl/v4/transfers` (`FindTransfersResponse`).
#[derive(Debug, Deserialize)]
pub struct Transfers {
    pub data: Vec<Transfer>,
    #[serde(rename = "_links")]
    pub links: Option<Links>,
}

#[derive(Debug, Deserialize)]
pub struct Links {
    pub next: Option<Link>,
}

#[derive(Debug, Deserialize)]
pub struct Link {
    pub href: Option<String>,
}

/// `GET /bcl/v2/balanceAccounts/{id}`.
#[derive(Debug, Deserialize)]
pub struct BalanceAccount {
    pub id: String,
    pub status: Option<String>,
    pub balances: Option<Vec<Balance>>,
}

#[derive(Debug, Deserialize)]
pub struct Balance {
    pub currency: String,
    /// In minor units; below zero: overdrawn.
    pub available: i64,
}

/// An answer that isn't a success, in its newer form (`TransferServiceRestServiceError`) or its older one (`ServiceError`). The values of
/// invalid fields aren't read: they may be card numbers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    pub status: u16,
    pub error_code: String,
    #[serde(rename = "type")]
    pub problem: Option<String>,
    pub detail: Option<String>,
    pub invalid_fields: Option<Vec<InvalidField>>,
    pub error_type: Option<String>,
    pub message: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct InvalidField {
    pub name: Option<String>,
    pub message: Option<String>,
}

/// A callback's body (`TransferNotificationRequest`), before it is known whether it is about a transfer.
#[derive(Debug, Deserialize)]
pub struct Notice<'a> {
    #[serde(borrow)]
    pub data: &'a serde_json::value::RawValue,
    pub environment: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}
