//! The sandbox provider's callbacks: a JSON body, signed with HMAC-SHA256 over its bytes under the account's
//! `callback_secret`. Composed and read here and nowhere else; delivering them is the [`CallbackSink`]'s.

use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::book::Payment;
use super::{CODE, draw, is_reference, letters};
use crate::domain::ids::ProviderAccountId;
use crate::domain::payout::{Resolution, ResolutionClass};
use crate::providers::provider::{AccountContext, CallbackError, Outcome, ProviderIds, ReportedOutcome};
use crate::providers::signature;

/// Carries the signature in hexadecimal.
pub const SIGNATURE_HEADER: &str = "X-Test-Signature";

/// The credential that callbacks are signed with. One that is absent or empty verifies nothing.
pub const SECRET: &str = "callback_secret";

/// Where finished callbacks go: the very use case that the HTTP endpoint for provider callbacks calls.
#[async_trait]
pub trait CallbackSink: Send + Sync + 'static {
    /// Returns when the callback was accepted or refused, as the HTTP endpoint would answer.
    async fn deliver(&self, account_id: ProviderAccountId, headers: Vec<(String, String)>, body: Vec<u8>);
}

/// A callback as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a callback says. Amounts are decimals in text.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Notice {
    /// The same for each delivery of the same message.
    id: String,
    provider: String,
    /// Which account it is for, so that one account's callback proves nothing to another that has the same secret.
    account_id: String,
    reference: String,
    original_id: String,
    rrn: Option<String>,
    /// `pending`, `processed`, `declined` or `returned`.
    status: String,
    processed_amount: Option<String>,
    currency: String,
    resolution: Option<String>,
    message: Option<String>,
    /// Orders the messages on one payment: a higher one is newer.
    sequence: i64,
    /// What it says held at this time.
    as_of: DateTime<Utc>,
}

/// Composes the callback that tells what `payment` is worth at `as_of`.
pub fn compose(payment: &Payment, as_of: DateTime<Utc>, secret: &SecretString) -> Option<Callback> {
    let (status, sequence, amount, declined) = match payment.outcome(as_of) {
        Outcome::Pending { .. } => ("pending", 1, None, None),
        Outcome::Processed { amount, .. } => ("processed", 2, Some(amount), None),
        Outcome::Declined { resolution, message, .. } => ("declined", 2, None, Some((resolution, message))),
        Outcome::Returned { amount, .. } => ("returned", 3, Some(amount), None),
        Outcome::NotFound | Outcome::NotSent { .. } | Outcome::Unknown { .. } => return None,
    };
    let message_key = format!("{}/{}/{sequence}", payment.account_id, payment.reference);
    let (resolution, message) = declined.unzip();
    let notice = Notice {
        id: format!("tpe_{}", letters(draw(0, "callback", &message_key, 0))),
        provider: CODE.to_owned(),
        account_id: payment.account_id.to_string(),
        reference: payment.reference.clone(),
        original_id: payment.original_id.clone(),
        rrn: Some(payment.rrn.clone()),
        status: status.to_owned(),
        processed_amount: amount.map(|amount| amount.to_string()),
        currency: payment.currency.to_string(),
        resolution: resolution.map(|resolution| resolution.to_string()),
        message,
        sequence,
        as_of,
    };
    let body = serde_json::to_vec(&notice).ok()?;
    let signature = signature::sign(secret, &body)?;
    let headers =
        vec![("Content-Type".to_owned(), "application/json".to_owned()), (SIGNATURE_HEADER.to_owned(), signature)];
    Some(Callback { headers, body })
}

/// Verifies, then reads. The comparison takes the same time wherever the signature is wrong.
pub fn parse(
    account: &AccountContext,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Vec<ReportedOutcome>, CallbackError> {
    let not_verified = || CallbackError::NotVerified { references: named_reference(body).into_iter().collect() };
    if !signature::is_signed(account.credentials.get(SECRET), SIGNATURE_HEADER, headers, body) {
        return Err(not_verified());
    }
    let notice: Notice = serde_json::from_slice(body).map_err(|error| CallbackError::Malformed(error.to_string()))?;
    if notice.account_id != account.account_id.to_string() {
        // Signed, but for someone else.
        return Err(not_verified());
    }
    if !is_reference(&notice.reference) {
        return Err(CallbackError::Malformed("the reference is not one of ours".to_owned()));
    }
    let outcome = notice.outcome()?;
    Ok(vec![ReportedOutcome { reference: notice.reference, outcome, sequence: Some(notice.sequence) }])
}

impl Notice {
    fn outcome(&self) -> Result<Outcome, CallbackError> {
        let ids = ProviderIds {
            original_id: Some(self.original_id.clone()),
            rrn: self.rrn.clone(),
            ..ProviderIds::default()
        };
        let outcome = match self.status.as_str() {
            "pending" => Outcome::Pending { ids: ids.clone() },
            "processed" => Outcome::Processed { amount: self.amount()?, ids: ids.clone() },
            "returned" => Outcome::Returned { amount: self.amount()?, ids: ids.clone() },
            "declined" => self.declined(),
            other => Outcome::unknown(format!("a callback with the unmapped status {other:?}")),
        };
        Ok(outcome.naming(&ids))
    }

    /// A resolution that we don't know, or that isn't final, declines nothing.
    fn declined(&self) -> Outcome {
        let name = self.resolution.as_deref().unwrap_or_default();
        match Resolution::from_str(name) {
            Ok(resolution)
                if matches!(resolution.class(), ResolutionClass::FinalForCard | ResolutionClass::FinalForRoute) =>
            {
                Outcome::Declined {
                    resolution,
                    code: name.to_owned(),
                    message: self.message.clone().unwrap_or_default(),
                }
            }
            _ => Outcome::unknown(format!("a callback that declines with the unmapped resolution {name:?}")),
        }
    }

    fn amount(&self) -> Result<Decimal, CallbackError> {
        self.processed_amount
            .as_deref()
            .and_then(|text| Decimal::from_str_exact(text).ok())
            .filter(|amount| *amount > Decimal::ZERO)
            .ok_or_else(|| CallbackError::Malformed("processed_amount is not a positive decimal".to_owned()))
    }
}

/// The reference that an unverified body names, if it names one that could be ours.
fn named_reference(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        reference: String,
    }
    serde_json::from_slice::<Named>(body).ok().map(|named| named.reference).filter(|reference| is_reference(reference))
}
