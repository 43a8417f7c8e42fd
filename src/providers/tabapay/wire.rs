//! What goes over the wire to TabaPay, as this side writes and reads it (its transaction API, version 1). No meaning: that is
//! [`map`](super::map)'s.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// `POST /v1/clients/{ClientID}/transactions`. Holds a card number: never shown and never kept.
#[derive(Serialize)]
pub struct CreateTransaction<'a> {
    #[serde(rename = "referenceID")]
    pub reference_id: &'a str,
    /// Who pays, as the card networks want to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corresponding: Option<Sender<'a>>,
    /// `push`: from the settlement account to a card.
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub accounts: Accounts<'a>,
    /// The ISO 4217 number.
    pub currency: &'a str,
    /// A decimal with the currency's decimals.
    pub amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
    /// What the card holder reads.
    #[serde(rename = "softDescriptor", skip_serializing_if = "Option::is_none")]
    pub soft_descriptor: Option<SoftDescriptor<'a>>,
}

#[derive(Serialize)]
pub struct SoftDescriptor<'a> {
    pub name: &'a str,
    pub address: DescriptorAddress<'a>,
}

/// Every part but the country is required.
#[derive(Serialize)]
pub struct DescriptorAddress<'a> {
    pub line1: &'a str,
    pub city: &'a str,
    pub state: &'a str,
    pub county: &'a str,
    pub zipcode: &'a str,
    /// The ISO 3166-1 number. Without it TabaPay takes `840`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Accounts<'a> {
    /// The settlement account.
    #[serde(rename = "sourceAccountID")]
    pub source_account_id: &'a str,
    #[serde(rename = "destinationAccount")]
    pub destination_account: DestinationAccount<'a>,
}

#[derive(Serialize)]
pub struct DestinationAccount<'a> {
    pub card: Card<'a>,
    pub owner: Owner<'a>,
}

#[derive(Serialize)]
pub struct Card<'a> {
    #[serde(rename = "accountNumber")]
    pub account_number: &'a str,
    /// `YYYYMM`.
    #[serde(rename = "expirationDate")]
    pub expiration_date: &'a str,
}

#[derive(Serialize)]
pub struct Owner<'a> {
    pub name: Name<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<OwnerAddress<'a>>,
}

#[derive(Serialize)]
pub struct OwnerAddress<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipcode: Option<&'a str>,
    /// The ISO 3166-1 number. Without it TabaPay takes `840`.
    pub country: &'a str,
}

#[derive(Serialize)]
pub struct Name<'a> {
    pub first: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Sender<'a> {
    pub name: Name<'a>,
    #[serde(skip_serializing_if = "SenderAddress::is_empty")]
    pub address: SenderAddress<'a>,
}

#[derive(Default, Serialize)]
pub struct SenderAddress<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipcode: Option<&'a str>,
    /// The ISO 3166-1 number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<&'a str>,
}

impl SenderAddress<'_> {
    pub fn is_empty(&self) -> bool {
        [self.line, self.city, self.state, self.zipcode, self.country].iter().all(Option::is_none)
    }
}

/// Every answer: to a create, to a retrieve by either id, and an error. Members come in any order, and others beside them.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// The status code. It is said to be HTTP's, and is read beside it.
    #[serde(rename = "SC")]
    pub sc: u16,
    /// `0`, or an internal error code, which TabaPay asks not to look at.
    #[serde(rename = "EC")]
    pub ec: Option<String>,
    /// What was wrong, in short.
    #[serde(rename = "EM")]
    pub em: Option<String>,
    #[serde(rename = "transactionID")]
    pub transaction_id: Option<String>,
    #[serde(rename = "referenceID")]
    pub reference_id: Option<String>,
    #[serde(rename = "networkRC")]
    pub network_rc: Option<String>,
    pub status: Option<String>,
    pub amount: Option<String>,
    /// The ISO 4217 number.
    pub currency: Option<String>,
    #[serde(rename = "partialAmount")]
    pub partial_amount: Option<String>,
    #[serde(rename = "reversalStatus")]
    pub reversal_status: Option<String>,
    pub reversal: Option<IgnoredAny>,
    pub reversals: Option<IgnoredAny>,
}
