//! What goes over the wire to Worldpay's Card Payouts API, version 4, as this side writes and reads it. Names and shapes are those of its
//! OpenAPI description (`Card Payouts`, version 4). No meaning: that is [`map`](super::map)'s.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// What every request accepts and every body is: the API's version is in the media type, and nowhere else.
pub const MEDIA_TYPE: &str = "application/vnd.worldpay.payouts-v4+json";

/// `POST /payouts/basicDisbursement` and `POST /payouts/fastAccess`. Holds a card number: never shown and never kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disbursement<'a> {
    pub merchant: Merchant<'a>,
    pub instruction: Instruction<'a>,
    pub transaction_reference: &'a str,
}

#[derive(Serialize)]
pub struct Merchant<'a> {
    pub entity: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instruction<'a> {
    pub value: Value<'a>,
    pub payout_instrument: PlainCard<'a>,
    pub narrative: Narrative<'a>,
    /// Of Fast Access only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing<'a>>,
}

#[derive(Serialize)]
pub struct Value<'a> {
    /// In the currency's minor units.
    pub amount: i64,
    pub currency: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlainCard<'a> {
    /// `card/plain`: a card by its number.
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_holder_name: Option<&'a str>,
    pub card_expiry_date: ExpiryDate,
    pub card_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<BillingAddress<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingAddress<'a> {
    /// Not without a city, nor a city without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address2: Option<&'a str>,
    pub postal_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a str>,
    /// ISO 3166-1 alpha-2.
    pub country_code: &'a str,
}

#[derive(Serialize)]
pub struct ExpiryDate {
    pub month: u8,
    /// Four digits.
    pub year: u16,
}

#[derive(Serialize)]
pub struct Narrative<'a> {
    pub line1: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Routing<'a> {
    /// `enabled` or `disabled`.
    pub fallback_to_basic: &'a str,
}

/// A payout, as the answer to an order (201) and to a look-up (200) tells of it. It names neither our reference nor an amount.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payout {
    pub outcome: String,
    pub received_at: String,
    /// The scheme's own response code, for accounts that have it enabled.
    #[serde(default)]
    pub refusal_code: Option<String>,
    #[serde(default)]
    pub scheme: Option<Scheme>,
    /// Never followed: what is looked up is looked up by our reference, at the host that configuration names.
    #[serde(rename = "_links")]
    pub links: BTreeMap<String, IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub struct Scheme {
    /// `visa` or `mastercard`.
    pub name: String,
    #[serde(default)]
    pub reference: Option<String>,
}

/// An error, whatever its status.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    pub error_name: String,
    #[serde(default)]
    pub message: String,
    /// Where in the request the mistake is, if there is one place.
    #[serde(default)]
    pub json_path: Option<String>,
    #[serde(default)]
    pub validation_errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    #[serde(default)]
    pub error_name: String,
    /// Where in the request; mistakes in a query have `queryParameter` instead.
    #[serde(default)]
    pub json_path: Option<String>,
}
