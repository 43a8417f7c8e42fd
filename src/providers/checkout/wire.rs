//! What goes over the wire to Checkout.com, as this side writes and reads it. No meaning: that is [`map`](super::map)'s.
//!
//! Sources: the API reference (`checkout/checkout-api-reference`, `nas_spec/paths/payments.yaml` and
//! `components/schemas/Payments/PayoutSuccessfulResponse.yaml`) and the official SDKs (`checkout-sdk-net`, `PayoutsIntegrationTest`, which
//! pays a card in the sandbox).

use serde::{Deserialize, Serialize};

/// `POST /payments`. Holds a card number: never shown and never kept.
#[derive(Serialize)]
pub struct Payout<'a> {
    pub source: Source<'a>,
    pub destination: Destination<'a>,
    /// In minor units.
    pub amount: i64,
    pub currency: &'a str,
    pub reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_descriptor: Option<BillingDescriptor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender<'a>>,
    pub instruction: Instruction<'a>,
    pub processing_channel_id: &'a str,
}

#[derive(Serialize)]
pub struct Source<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: &'a str,
}

#[derive(Serialize)]
pub struct Destination<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub number: &'a str,
    pub expiry_month: u8,
    pub expiry_year: u16,
    pub account_holder: AccountHolder<'a>,
}

#[derive(Serialize)]
pub struct AccountHolder<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub first_name: &'a str,
    pub last_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<BillingAddress<'a>>,
}

#[derive(Serialize)]
pub struct BillingAddress<'a> {
    pub address_line1: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_line2: Option<&'a str>,
    pub city: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip: Option<&'a str>,
    /// Two letters of ISO 3166-1.
    pub country: &'a str,
}

#[derive(Serialize)]
pub struct BillingDescriptor<'a> {
    pub reference: &'a str,
}

#[derive(Debug, Serialize)]
pub struct Sender<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub company_name: &'a str,
    pub address: Address<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub struct Address<'a> {
    pub address_line1: &'a str,
    pub city: &'a str,
    pub zip: &'a str,
    pub country: &'a str,
}

#[derive(Serialize)]
pub struct Instruction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'a str>,
    pub funds_transfer_type: &'a str,
}

/// The answer to `POST /payments` with 202: the payout was taken. It has neither an amount nor a code.
#[derive(Debug, Deserialize)]
pub struct Accepted {
    pub id: String,
    pub status: String,
    pub reference: String,
}

/// `GET /payments?reference=`.
#[derive(Debug, Deserialize)]
pub struct Payments {
    pub total_count: u64,
    pub data: Vec<Payment>,
}

/// `GET /payments/{id}`, and each of the above.
#[derive(Clone, Debug, Deserialize)]
pub struct Payment {
    pub id: String,
    /// In minor units.
    pub amount: i64,
    pub currency: String,
    /// A payment that was made without one has none.
    #[serde(default)]
    pub reference: Option<String>,
    pub status: String,
    #[serde(default)]
    pub approved: Option<bool>,
    #[serde(default)]
    pub processing: Option<Processing>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Processing {
    #[serde(default)]
    pub retrieval_reference_number: Option<String>,
}

/// `GET /payments/{id}/actions` is a list of these: each step of a payment's life.
#[derive(Clone, Debug, Deserialize)]
pub struct Action {
    #[serde(rename = "type")]
    pub kind: String,
    /// In minor units.
    #[serde(default)]
    pub amount: Option<i64>,
    #[serde(default)]
    pub approved: Option<bool>,
    #[serde(default)]
    pub response_code: Option<String>,
    #[serde(default)]
    pub response_summary: Option<String>,
}

/// An answer with 422.
#[derive(Debug, Deserialize)]
pub struct Refused {
    pub error_type: String,
    #[serde(default)]
    pub error_codes: Vec<String>,
}

/// A webhook's body.
#[derive(Debug, Deserialize)]
pub struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    pub data: serde_json::Value,
}

/// What is read of an event that names one of our references.
#[derive(Debug, Deserialize)]
pub struct EventData {
    pub id: String,
    /// In minor units.
    pub amount: i64,
    pub currency: String,
    #[serde(default)]
    pub response_code: Option<String>,
    #[serde(default)]
    pub response_summary: Option<String>,
    #[serde(default)]
    pub processing: Option<Processing>,
}
