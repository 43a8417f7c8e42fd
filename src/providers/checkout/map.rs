//! What Checkout.com's answers mean for a payout. The codes stand in [`codes`](super::codes), the statuses and event types here; whatever
//! stands in no table is [`Outcome::Unknown`], never a decline.

use rust_decimal::Decimal;

use super::codes::{self, Said};
use super::currencies;
use super::wire::{Accepted, Action, Event, EventData, Payment, Payments, Processing, Refused};
use crate::domain::asset::AssetCode;
use crate::domain::payout::Resolution;
use crate::providers::provider::{Outcome, ProviderError, ProviderIds};
use crate::providers::told::{clipped, unknown, unreadable};
use crate::providers::transport::WireResponse;

/// What a payment's status means for a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending,
    Paid,
    /// The actions tell why.
    Declined,
    /// The actions tell how much.
    Returned,
    /// Documented, but of payments that are taken rather than made, or silent on whether the money moved.
    Open,
}

/// Source: the statuses of `GET /payments/{id}` in the API reference and in the official SDKs (`PaymentStatus`), with `Returned` from "Get
/// payout details" (<https://www.checkout.com/docs/payouts/get-payout-details>). Nothing says that a payout that is `Canceled` or `Expired`
/// moved no money, so a person decides.
const STATUSES: &[(&str, Status)] = &[
    ("Pending", Status::Pending),
    ("Paid", Status::Paid),
    ("Declined", Status::Declined),
    ("Returned", Status::Returned),
    ("Active", Status::Open),
    ("Requested", Status::Open),
    ("Authentication Requested", Status::Open),
    ("Authorized", Status::Open),
    ("Card Verified", Status::Open),
    ("Canceled", Status::Open),
    ("Expired", Status::Open),
    ("Voided", Status::Open),
    ("Partially Captured", Status::Open),
    ("Captured", Status::Open),
    ("Partially Refunded", Status::Open),
    ("Refunded", Status::Open),
];

/// Actions of a payout, and the one that a card payment begins with. Source: "Get payout actions"
/// (<https://www.checkout.com/docs/payouts/get-payout-actions>) and the API reference's `ActionType`.
const PAYOUT_ACTION: &str = "Payout";
const AUTHORIZATION_ACTION: &str = "Authorization";
const RETURN_ACTION: &str = "Return";

/// The refusal of a request's key, with an empty body. Source: the API reference, `POST /payments`.
const UNAUTHORIZED: u16 = 401;
/// "Invalid data was sent". Source: the same.
const UNPROCESSABLE: u16 = 422;
const REQUEST_INVALID: &str = "request_invalid";

/// The payout that an answer is expected to be about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub reference: &'a str,
    pub amount: Decimal,
    pub currency: AssetCode,
}

/// What the answer to an order means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepting {
    Done(Outcome),
    /// Taken, and further than pending: the payment with this id tells how far.
    Look(String),
}

/// What the answer to an order means. "Successful payout requests will always return a 202 response" (API reference).
pub fn accepted(response: &WireResponse, reference: &str) -> Accepting {
    if response.status != 202 {
        return Accepting::Done(not_accepted(response));
    }
    let Ok(taken) = serde_json::from_slice::<Accepted>(&response.body) else {
        return Accepting::Done(unreadable(response));
    };
    if taken.reference != reference {
        return Accepting::Done(unknown("the answer is about another payout".to_owned()));
    }
    if !is_payment_id(&taken.id) {
        return Accepting::Done(unknown("the answer has no payment's id".to_owned()));
    }
    match status(&taken.status) {
        Some(Status::Pending) => Accepting::Done(Outcome::Pending { ids: ids(&taken.id, None) }),
        Some(Status::Paid | Status::Declined | Status::Returned | Status::Open) => Accepting::Look(taken.id),
        None => Accepting::Done(unmapped_status(&taken.status).naming(&ids(&taken.id, None))),
    }
}

/// What it means that an order wasn't taken. 429 is no refusal: "too many requests or duplicate request detected" may be the echo of a
/// request that is under way. 5xx says nothing at all.
fn not_accepted(response: &WireResponse) -> Outcome {
    let status = response.status;
    if status == UNAUTHORIZED {
        let (resolution, code) = (Resolution::InvalidCredentials, status.to_string());
        return Outcome::Declined { resolution, code, message: String::new() };
    }
    let Ok(refused) = serde_json::from_slice::<Refused>(&response.body) else { return unreadable(response) };
    let told = clipped(&refused.error_codes.join(", "));
    match codes::refused(&refused.error_codes) {
        Some((code, resolution)) if status == UNPROCESSABLE && refused.error_type == REQUEST_INVALID => {
            Outcome::Declined { resolution, code: code.to_owned(), message: told }
        }
        _ => unknown(format!("HTTP {status}: {:?} {told:?}", clipped(&refused.error_type))),
    }
}

/// The payments under the reference that was asked for, newest first; an outcome where they don't settle anything.
pub fn listed(response: &WireResponse, asked: &Asked<'_>) -> Result<Vec<Payment>, Outcome> {
    if response.status != 200 {
        return Err(not_told(response));
    }
    let Ok(list) = serde_json::from_slice::<Payments>(&response.body) else { return Err(unreadable(response)) };
    if list.total_count == 0 && list.data.is_empty() {
        return Err(Outcome::NotFound);
    }
    if u64::try_from(list.data.len()) != Ok(list.total_count) {
        return Err(unknown(format!(
            "{} payments of {} under the reference are told",
            list.data.len(),
            list.total_count
        )));
    }
    for payment in &list.data {
        is_asked(payment, asked)?;
    }
    Ok(list.data)
}

/// The payment of an id that Checkout.com gave. That it doesn't know it contradicts what it said before.
pub fn detailed(response: &WireResponse, id: &str, asked: &Asked<'_>) -> Result<Payment, Outcome> {
    if response.status != 200 {
        return Err(not_told(response));
    }
    let Ok(payment) = serde_json::from_slice::<Payment>(&response.body) else { return Err(unreadable(response)) };
    if payment.id != id {
        return Err(unknown("the answer is about another payment".to_owned()));
    }
    is_asked(&payment, asked)?;
    Ok(payment)
}

pub fn actions(response: &WireResponse) -> Result<Vec<Action>, Outcome> {
    if response.status != 200 {
        return Err(not_told(response));
    }
    serde_json::from_slice(&response.body).map_err(|_| unreadable(response))
}

fn not_told(response: &WireResponse) -> Outcome {
    unknown(format!("not told: HTTP {}", response.status))
}

/// Whether a payment is the payout that was asked about: its reference, its amount and its currency, all of them.
fn is_asked(payment: &Payment, asked: &Asked<'_>) -> Result<(), Outcome> {
    if payment.reference.as_deref() != Some(asked.reference) {
        return Err(unknown("the answer is about another payout".to_owned()));
    }
    if !is_payment_id(&payment.id) {
        return Err(unknown("the answer has no payment's id".to_owned()));
    }
    let amount = currencies::of_minor(payment.amount, asked.currency);
    if payment.currency != asked.currency.as_str() || amount != Some(asked.amount) {
        return Err(unknown("the provider has another amount or currency under this reference".to_owned()));
    }
    Ok(())
}

/// Whether a payment's actions have to be asked for: why it is declined, or how much came back, stands there only.
pub fn needs_actions(payment: &Payment) -> bool {
    matches!(status(&payment.status), Some(Status::Declined | Status::Returned))
}

/// What a payment says, with its actions where [`needs_actions`] says so, and with its id even where its fate can't be told.
pub fn told(payment: &Payment, actions: &[Action], asked: &Asked<'_>) -> Outcome {
    fate(payment, actions, asked).naming(&ids(&payment.id, payment.processing.as_ref()))
}

fn fate(payment: &Payment, actions: &[Action], asked: &Asked<'_>) -> Outcome {
    let ids = ids(&payment.id, payment.processing.as_ref());
    let contradicts = |what: &str| unknown(format!("{what}, which contradicts itself"));
    match status(&payment.status) {
        Some(Status::Pending) => Outcome::Pending { ids },
        Some(Status::Paid) if payment.approved == Some(false) => contradicts("paid and not approved"),
        Some(Status::Paid) => Outcome::Processed { amount: asked.amount, ids },
        Some(Status::Declined) if payment.approved == Some(true) => contradicts("declined and approved"),
        Some(Status::Declined) => declined_by(actions),
        Some(Status::Returned) => returned_by(actions, asked, ids),
        Some(Status::Open) => unknown(format!("the status {:?}, which settles nothing", clipped(&payment.status))),
        None => unmapped_status(&payment.status),
    }
}

fn declined_by(actions: &[Action]) -> Outcome {
    let own = |action: &&Action| matches!(action.kind.as_str(), PAYOUT_ACTION | AUTHORIZATION_ACTION);
    if actions.iter().filter(own).any(|action| action.approved != Some(false)) {
        return unknown("declined, with an action that isn't".to_owned());
    }
    match actions.iter().find(own) {
        Some(action) => declined(action.response_code.as_deref(), action.response_summary.as_deref()),
        None => unknown("declined, without the action that says why".to_owned()),
    }
}

fn declined(code: Option<&str>, summary: Option<&str>) -> Outcome {
    let code = code.unwrap_or_default();
    match codes::said(code) {
        Some(Said::Declined(resolution)) => {
            Outcome::Declined { resolution, code: clipped(code), message: clipped(summary.unwrap_or_default()) }
        }
        Some(Said::Open) => unknown(format!("declined with {}, after which the money may have moved", clipped(code))),
        Some(Said::Approved) => unknown(format!("declined with the approval {}", clipped(code))),
        None => unknown(format!("declined with the unmapped code {:?}", clipped(code))),
    }
}

/// One return of at most what was paid. Several would have to be told apart from the same one told twice.
fn returned_by(actions: &[Action], asked: &Asked<'_>, ids: ProviderIds) -> Outcome {
    let mut returns = actions.iter().filter(|action| action.kind == RETURN_ACTION && action.approved == Some(true));
    let (Some(one), None) = (returns.next(), returns.next()) else {
        return unknown("returned, without the one action that says how much".to_owned());
    };
    match one.amount.and_then(|minor| currencies::of_minor(minor, asked.currency)) {
        Some(amount) if amount <= asked.amount => Outcome::Returned { amount, ids },
        _ => unknown("returned, with an amount that doesn't fit".to_owned()),
    }
}

/// What several payments under one reference say together, newest first: a first one that failed and a second one that was made by hand or
/// by a repeat. Only where at most one of them can have paid does that one's outcome count.
pub fn together(outcomes: Vec<Outcome>) -> Outcome {
    let count = outcomes.len();
    let unknowns = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Unknown { .. }));
    match unknowns {
        Some(only) if count == 1 => return only.clone(),
        // Which of them is the payout can't be told: no id is.
        Some(Outcome::Unknown { why, .. }) => {
            return unknown(format!("one of {count} payments under the reference: {why}"));
        }
        _ => {}
    }
    let mut undeclined = outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Declined { .. }));
    match (undeclined.next(), undeclined.next()) {
        (Some(one), None) => one.clone(),
        (Some(_), Some(_)) => unknown(format!("of {count} payments under the reference more than one may have paid")),
        (None, _) => outcomes.into_iter().next().unwrap_or(Outcome::NotFound),
    }
}

/// What an event says of the payout that it names.
///
/// Source: "Event types" (<https://www.checkout.com/docs/developer-resources/event-notifications/event-types>), of which four tell a
/// payout's fate. The others, documented or not, only make us ask.
pub fn event(event: &Event, data: &EventData) -> Outcome {
    if !is_payment_id(&data.id) {
        return unknown("the event has no payment's id".to_owned());
    }
    let ids = ids(&data.id, data.processing.as_ref());
    fate_by(event, data, ids.clone()).naming(&ids)
}

fn fate_by(event: &Event, data: &EventData, ids: ProviderIds) -> Outcome {
    let amount = data.currency.parse().ok().and_then(|currency| currencies::of_minor(data.amount, currency));
    let Some(amount) = amount else { return unknown("the event's amount can't be read".to_owned()) };
    match event.kind.as_str() {
        "payment_paid" => match data.response_code.as_deref().and_then(codes::said) {
            Some(Said::Approved) => Outcome::Processed { amount, ids },
            _ => {
                unknown(format!("paid with {:?}, which isn't an approval", data.response_code.as_deref().map(clipped)))
            }
        },
        "payment_pending" => Outcome::Pending { ids },
        "payment_declined" => declined(data.response_code.as_deref(), data.response_summary.as_deref()),
        "payment_returned" => Outcome::Returned { amount, ids },
        other => unknown(format!("the event {:?}, which settles nothing", clipped(other))),
    }
}

/// What the answer to a question that isn't about a payout means.
pub fn answered(response: &WireResponse) -> Result<(), ProviderError> {
    match response.status {
        200 if serde_json::from_slice::<Payments>(&response.body).is_ok() => Ok(()),
        200 => Err(ProviderError::Unavailable("the answer can't be understood".to_owned())),
        status @ (401 | 403) => Err(ProviderError::Credentials(format!("HTTP {status}"))),
        status => Err(ProviderError::Unavailable(format!("HTTP {status}"))),
    }
}

fn status(text: &str) -> Option<Status> {
    STATUSES.iter().find(|(known, _)| *known == text).map(|(_, status)| *status)
}

fn unmapped_status(text: &str) -> Outcome {
    unknown(format!("the unmapped status {:?}", clipped(text)))
}

/// A payment's id as it may stand in a path; the documented form is `^(pay)_(\w{26})$`, and the prefix may change.
pub fn is_payment_id(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub fn ids(id: &str, processing: Option<&Processing>) -> ProviderIds {
    let rrn = processing.and_then(|processing| processing.retrieval_reference_number.clone());
    ProviderIds { original_id: Some(id.to_owned()), rrn, ..ProviderIds::default() }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
