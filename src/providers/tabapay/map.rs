//! What TabaPay's answers mean. Its HTTP status codes are documented at <https://developers.tabapay.com/reference/http-status-codes>, a
//! transaction's statuses at <https://developers.tabapay.com/reference/transaction-resource-status>, the networks' codes as
//! [`codes`](super::codes) says. The body repeats the HTTP status as `SC`: only where both say the same is either believed. The internal
//! error code (`EC`) isn't looked at beyond `0`, as TabaPay asks.

use rust_decimal::Decimal;

use super::codes::{APPROVED, DECLINES, OPEN};
use super::currencies;
use super::wire::Answer;
use crate::domain::asset::AssetCode;
use crate::domain::payout::Resolution::{
    self, AccessDenied, DeclinedError, InvalidCredentials, InvalidMethod, LimitViolation, RateLimited,
};
use crate::providers::provider::{Inquiry, Outcome, PayoutOrder, ProviderError, ProviderIds};
use crate::providers::told::{clipped, refused_call, unknown, unreadable};
use crate::providers::transport::WireResponse;

/// What a transaction's status says of a push to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Paid,
    PaidPartly,
    /// The network refused; its code says why, and whether that is final.
    Refused,
    /// Processing failed: the transaction was unsuccessful.
    Failed,
    /// Created or being processed.
    Taken,
    /// TabaPay doesn't know either.
    Open,
}

/// Statuses by the status code that they are documented with. `Pending` is how the specification's own example writes it. What a pull, an
/// authorization, a bank transfer or a reversal has (`AUTHORIZED`, `CAPTURED`, `COMPLETE`, `REVERSED`) isn't a push's.
const STATUSES: &[(u16, &str, Standing)] = &[
    (200, "COMPLETED", Standing::Paid),
    (200, "PARTIAL_COMPLETED", Standing::PaidPartly),
    (200, "ERROR", Standing::Refused),
    (200, "FAILED", Standing::Failed),
    (200, "OK", Standing::Taken),
    (200, "PENDING", Standing::Taken),
    (200, "Pending", Standing::Taken),
    (200, "BATCH", Standing::Taken),
    (201, "OK", Standing::Taken),
    (201, "PENDING", Standing::Taken),
    (201, "Pending", Standing::Taken),
    (201, "BATCH", Standing::Taken),
    (200, "UNKNOWN", Standing::Open),
    (201, "UNKNOWN", Standing::Open),
    (207, "UNKNOWN", Standing::Open),
];

/// Refusals of a create that are documented to have taken nothing, by status code and what `EM` says or begins with, the more special ones
/// first. Not among them: 409, since the reference that was used already may be this payout's own; 421, which is a question's; and all
/// from 500 on.
const REFUSALS: &[(u16, Option<&str>, Resolution)] = &[
    (400, None, DeclinedError),
    (401, None, InvalidCredentials),
    (403, None, AccessDenied),
    (404, None, AccessDenied),
    (405, None, InvalidMethod),
    (406, None, DeclinedError),
    (410, None, AccessDenied),
    (415, None, InvalidMethod),
    (422, Some("Transaction Limit"), LimitViolation),
    // The card can't be pushed to with this client's networks; another provider may reach it.
    (422, Some("Destination Disabled"), InvalidMethod),
    (422, Some("Source Disabled"), AccessDenied),
    (423, None, AccessDenied),
    (429, Some("Limit"), LimitViolation),
    (429, None, RateLimited),
    (431, None, DeclinedError),
];

/// The reference was used already.
const REUSED: u16 = 409;
/// It is too late to ask by reference.
const TOO_LATE: u16 = 421;
const NOT_FOUND: u16 = 404;

/// What refuses a client altogether: the token or the address, a right, its id, and a lock.
const NOT_LET_IN: [u16; 4] = [401, 403, NOT_FOUND, 423];

/// What a question names the payout by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    Reference,
    /// TabaPay's own id.
    TransactionId(&'a str),
}

/// The payout that an answer has to be about.
struct Ours<'a> {
    reference: &'a str,
    transaction_id: Option<&'a str>,
    amount: Decimal,
    currency: AssetCode,
}

/// What the answer to a send means.
pub fn sent(response: &WireResponse, order: &PayoutOrder) -> Outcome {
    let answer = match read(response) {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    if answer.sc < 300 {
        let amount = order.amount;
        let ours = Ours { reference: &order.reference, transaction_id: None, amount, currency: order.currency };
        return about(&answer, &ours);
    }
    match refusal(&answer) {
        Some(resolution) => {
            refused_call(order, resolution, answer.sc.to_string(), clipped(answer.em.as_deref().unwrap_or_default()))
        }
        None if answer.sc == REUSED => {
            unknown(format!("{}: the reference is known already, and what became of it isn't told", said(&answer)))
        }
        None => unknown(said(&answer)),
    }
}

/// What the answer to a question about a payout means.
pub fn found(response: &WireResponse, inquiry: &Inquiry, by: By<'_>) -> Outcome {
    let answer = match read(response) {
        Ok(answer) => answer,
        Err(outcome) => return outcome,
    };
    match (answer.sc, by) {
        (200 | 201, _) => {
            let transaction_id = match by {
                By::Reference => inquiry.provider_original_id.as_deref(),
                By::TransactionId(id) => Some(id),
            };
            let (amount, currency) = (inquiry.amount, inquiry.currency);
            about(&answer, &Ours { reference: &inquiry.reference, transaction_id, amount, currency })
        }
        (NOT_FOUND, By::Reference) => Outcome::NotFound,
        // TabaPay gave the id itself, and keeps transactions for about 120 days.
        (NOT_FOUND, By::TransactionId(_)) => unknown("TabaPay doesn't find its own transaction".to_owned()),
        (TOO_LATE, _) => unknown(format!("{}: too late to ask by reference", said(&answer))),
        // A refusal refuses the question and says nothing of the payout.
        _ => unknown(format!("not told: {}", said(&answer))),
    }
}

/// What the answer to a question about the client says.
pub fn checked(response: &WireResponse) -> Result<(), ProviderError> {
    let Ok(answer) = read(response) else {
        return Err(ProviderError::Unavailable(format!("HTTP {} that can't be understood", response.status)));
    };
    match answer.sc {
        200 => Ok(()),
        sc if NOT_LET_IN.contains(&sc) => Err(ProviderError::Credentials(said(&answer))),
        _ => Err(ProviderError::Unavailable(said(&answer))),
    }
}

/// An answer whose body says the same status as its head.
fn read(response: &WireResponse) -> Result<Answer, Outcome> {
    let answer: Answer = serde_json::from_slice(&response.body).map_err(|_| unreadable(response))?;
    if answer.sc != response.status {
        return Err(unknown(format!("HTTP {} with the status code {}", response.status, answer.sc)));
    }
    Ok(answer)
}

/// The status code with its message, for people.
fn said(answer: &Answer) -> String {
    match given(answer.em.as_ref()) {
        Some(em) => format!("SC {}: {:?}", answer.sc, clipped(em)),
        None => format!("SC {}", answer.sc),
    }
}

/// A text that isn't empty: TabaPay writes `""` for what it doesn't have.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn refusal(answer: &Answer) -> Option<Resolution> {
    let em = answer.em.as_deref().unwrap_or_default();
    // `Destination Disabled` may be followed by a colon and the card's first digits.
    let fits = |wanted: &str| em.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    REFUSALS
        .iter()
        .find(|(sc, wanted, _)| *sc == answer.sc && wanted.is_none_or(fits))
        .map(|(_, _, resolution)| *resolution)
}

/// What an answer says of the payout that it has to be about; unknown if it may be about something else.
fn about(answer: &Answer, ours: &Ours<'_>) -> Outcome {
    let transaction_id = given(answer.transaction_id.as_ref());
    let reference = given(answer.reference_id.as_ref());
    if transaction_id.is_none() && reference.is_none() {
        return unknown(format!("{} names no transaction", said(answer)));
    }
    // References aren't case sensitive.
    let is_other = reference.is_some_and(|reference| !reference.eq_ignore_ascii_case(ours.reference))
        || ours.transaction_id.is_some_and(|known| transaction_id.is_some_and(|told| told != known));
    if is_other {
        return unknown("the answer is about another transaction".to_owned());
    }
    let other_amount = given(answer.amount.as_ref()).is_some_and(|told| amount(told) != Some(ours.amount));
    let other_currency =
        given(answer.currency.as_ref()).is_some_and(|told| Some(told) != currencies::number(ours.currency));
    if other_amount || other_currency {
        return unknown("TabaPay has another amount or currency under this reference".to_owned());
    }
    let original_id = transaction_id.or(ours.transaction_id).map(str::to_owned);
    let ids = ProviderIds { original_id, ..ProviderIds::default() };
    if given(answer.reversal_status.as_ref()).is_some() || answer.reversal.is_some() || answer.reversals.is_some() {
        // Documented for pulls only.
        return unknown("TabaPay tells of a reversal, which a push can't have".to_owned()).naming(&ids);
    }
    // Also where the fate is open (HTTP 207): by reference TabaPay answers for a day, by its id for months.
    told(answer, ours, ids.clone()).naming(&ids)
}

/// What a transaction's status says.
fn told(answer: &Answer, ours: &Ours<'_>, ids: ProviderIds) -> Outcome {
    let status = answer.status.as_deref().unwrap_or_default();
    let known = STATUSES.iter().find(|(sc, known, _)| *sc == answer.sc && *known == status);
    let Some((_, _, standing)) = known else {
        return unknown(format!("SC {} with the unmapped status {:?}", answer.sc, clipped(status)));
    };
    match standing {
        Standing::Paid => approved(answer, ours.amount, ids),
        Standing::PaidPartly => {
            let part = given(answer.partial_amount.as_ref()).and_then(amount);
            match part.filter(|part| *part > Decimal::ZERO && *part < ours.amount) {
                Some(part) => approved(answer, part, ids),
                None => unknown("paid in part, and the part can't be read".to_owned()),
            }
        }
        Standing::Refused => match given(answer.network_rc.as_ref()) {
            Some(code) => declined(code),
            None => unknown("refused without the network's code".to_owned()),
        },
        Standing::Failed => match given(answer.network_rc.as_ref()) {
            Some(code) => declined(code),
            None => Outcome::Declined {
                resolution: DeclinedError,
                code: status.to_owned(),
                message: clipped(answer.em.as_deref().unwrap_or_default()),
            },
        },
        Standing::Taken => Outcome::Pending { ids },
        Standing::Open => unknown(format!("SC {} with the status {status}", answer.sc)),
    }
}

/// Paid, unless something else in the answer says otherwise.
fn approved(answer: &Answer, amount: Decimal, ids: ProviderIds) -> Outcome {
    if answer.ec.as_deref() != Some("0") {
        return unknown("completed, and with an internal error code".to_owned());
    }
    match given(answer.network_rc.as_ref()) {
        Some(code) if !APPROVED.contains(&code) => {
            unknown(format!("completed, and with the network's code {:?}", clipped(code)))
        }
        _ => Outcome::Processed { amount, ids },
    }
}

fn declined(code: &str) -> Outcome {
    if let Some((code, resolution, meaning)) = DECLINES.iter().find(|(known, ..)| *known == code) {
        return Outcome::Declined { resolution: *resolution, code: (*code).to_owned(), message: (*meaning).to_owned() };
    }
    match OPEN.iter().find(|(known, _)| *known == code) {
        Some((code, meaning)) => unknown(format!("the network's code {code} leaves it open: {meaning}")),
        None if APPROVED.contains(&code) => unknown(format!("refused, and with the network's approval {code}")),
        None => unknown(format!("the network's unmapped code {:?}", clipped(code))),
    }
}

/// An amount as TabaPay writes it; it never writes less than nothing.
fn amount(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok().filter(|amount| *amount >= Decimal::ZERO)
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
