//! What goes over the wire to a provider that speaks the simulator's API (`docs/simulator.md`), as this side writes and reads it. No
//! meaning: that is [`map`](super::map)'s.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `POST /v1/payouts`. Holds a card number: never shown and never kept.
#[derive(Serialize)]
pub struct Pay<'a> {
    pub reference: &'a str,
    /// A decimal in the currency's minor units.
    pub amount: String,
    pub currency: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<Card<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Card<'a> {
    pub number: &'a str,
    pub expiry_year: u16,
    pub expiry_month: u8,
    pub holder: &'a str,
}

/// A payout as the provider tells of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Payout {
    pub id: String,
    pub reference: String,
    pub status: String,
    /// What was asked.
    pub amount: String,
    pub currency: String,
    pub processed_amount: String,
    pub returned_amount: String,
    #[serde(default)]
    pub rrn: Option<String>,
    /// Why it is declined.
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub message: Option<String>,
    pub sequence: i64,
}

/// `GET /v1/payouts?reference=`.
#[derive(Debug, Deserialize)]
pub struct Payouts {
    pub payouts: Vec<Payout>,
}

/// `GET /v1/balances/EUR`.
#[derive(Debug, Deserialize)]
pub struct Balance {
    pub currency: String,
    pub available: String,
}

/// `GET /v1/report`.
#[derive(Debug, Deserialize)]
pub struct Report {
    pub rows: Vec<Row>,
    pub next: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Row {
    pub reference: String,
    #[serde(default)]
    pub id: Option<String>,
    pub status: String,
    pub processed_amount: String,
    pub returned_amount: String,
    pub currency: String,
    pub taken_at: DateTime<Utc>,
}

/// `GET /v1/account`.
#[derive(Debug, Deserialize)]
pub struct Account {
    pub account: String,
}

/// Every answer that isn't a 200.
#[derive(Debug, Deserialize)]
pub struct Refused {
    pub error: Refusal,
}

#[derive(Debug, Deserialize)]
pub struct Refusal {
    pub code: String,
    #[serde(default)]
    pub message: String,
}

/// A callback's body.
#[derive(Debug, Deserialize)]
pub struct Notice {
    /// Whom it is for.
    pub account: String,
    pub payout: Payout,
}
