//! The simulator's callbacks: a JSON body, signed with HMAC-SHA256 over its bytes under the account's callback secret. Composed
//! here; sending them is the driver's.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::Sha256;

use super::bank::BankAccount;
use super::payment::{Payment, status_name};
use crate::domain::exact::{Rounding, round};
use crate::domain::payout::Resolution;
use crate::providers::test::{draw, letters};

/// Carries the signature in hexadecimal.
pub const SIGNATURE_HEADER: &str = "X-Simulator-Signature";

/// A callback to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCallback {
    /// The payment's number in the ledger.
    pub number: u64,
    /// Which of its callbacks this is, from 0.
    pub telling: usize,
    /// The account's name.
    pub account: String,
    pub reference: String,
    pub at: DateTime<Utc>,
    /// Where to; `None`: nobody wants it.
    pub url: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A payment as the published API shows it. Amounts are decimals in text, in the currency's minor units.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    id: String,
    reference: String,
    status: &'static str,
    amount: String,
    currency: String,
    processed_amount: String,
    returned_amount: String,
    rrn: String,
    /// Why it is declined.
    code: Option<&'static str>,
    message: Option<String>,
    /// Orders what is said of one payment: a higher one is newer.
    sequence: usize,
    taken_at: DateTime<Utc>,
}

impl Shown {
    /// The payment as its change number `change` left it.
    pub fn of(payment: &Payment, change: usize) -> Option<Self> {
        let state = payment.changes.get(change)?;
        let declined = (state.resolution != Resolution::Ok).then_some(state.resolution);
        let amount = |amount| Some(round(amount, 2, Rounding::Down).ok()?.to_string());
        Some(Self {
            id: payment.id.clone(),
            reference: payment.reference.clone(),
            status: status_name(state.status),
            amount: amount(payment.amount_asked)?,
            currency: payment.currency.to_string(),
            processed_amount: amount(state.amount_processed)?,
            returned_amount: amount(state.amount_returned)?,
            rrn: payment.rrn.clone(),
            code: declined.map(Resolution::as_str),
            message: declined.map(|resolution| format!("the simulator declines this payment: {resolution}")),
            sequence: change + 1,
            taken_at: payment.taken_at,
        })
    }
}

#[derive(Serialize)]
struct Notice {
    /// The same for each delivery of the same message.
    event_id: String,
    /// Whom it is for, so that one account's callback proves nothing to another with the same secret.
    account: String,
    payout: Shown,
}

/// The callback number `telling` of `payment`.
pub fn compose(payment: &Payment, telling: usize, account: &BankAccount) -> Option<DueCallback> {
    let planned = payment.tellings.get(telling)?;
    let message_key = format!("{}/{}", payment.id, planned.change);
    let notice = Notice {
        event_id: format!("se_{}", letters(draw(0, "event", &message_key, 0))),
        account: account.name.clone(),
        payout: Shown::of(payment, planned.change)?,
    };
    let body = serde_json::to_vec(&notice).ok()?;
    let headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        (SIGNATURE_HEADER.to_owned(), signature(&account.callback_secret, &body)?),
    ];
    Some(DueCallback {
        number: payment.number,
        telling,
        account: account.name.clone(),
        reference: payment.reference.clone(),
        at: planned.at,
        url: payment.callback_url.clone().or_else(|| account.callback_url.clone()),
        headers,
        body,
    })
}

fn signature(secret: &SecretString, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(body);
    Some(hex::encode(mac.finalize().into_bytes()))
}
