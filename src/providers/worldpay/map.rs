//! What Worldpay's answers mean. Every documented outcome and error name stands in a table here, one by one, and every scheme's refusal
//! code in [`codes`]; whatever doesn't is [`Outcome::Unknown`], never a decline.
//!
//! An answer names neither a reference nor an amount: it is about the order that was sent, or about the one reference that was asked for.

use rust_decimal::Decimal;

use super::codes;
use super::wire::{Payout, Refused};
use crate::domain::payout::{Resolution, ResolutionClass};
use crate::providers::minor_units::MinorUnits;
use crate::providers::provider::{Inquiry, Outcome, PayoutOrder, ProviderError, ProviderIds};
use crate::providers::told::{clipped, unknown, unreadable};
use crate::providers::transport::WireResponse;

/// Currencies that Worldpay pays in and that have two decimals with everybody ("a whole number with an exponent"). Where providers differ
/// in the decimals (CLP, HUF, IDR, ISK, JPY, KRW, TWD, VND and the like), an amount would be a hundred times too much or too little: those
/// are left out.
pub const CURRENCIES: MinorUnits = MinorUnits(&[
    ("AUD", 2),
    ("BRL", 2),
    ("CAD", 2),
    ("CHF", 2),
    ("CNY", 2),
    ("CZK", 2),
    ("DKK", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HKD", 2),
    ("MXN", 2),
    ("MYR", 2),
    ("NOK", 2),
    ("NZD", 2),
    ("PHP", 2),
    ("PLN", 2),
    ("SEK", 2),
    ("SGD", 2),
    ("THB", 2),
    ("USD", 2),
    ("ZAR", 2),
]);

/// What is known of a payout by its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Paid,
    Taken,
    Refused,
    /// Documented, and says nothing sure: it may have been paid.
    Open,
}

/// Outcomes of a basic disbursement (the description's examples of `POST /payouts/basicDisbursement` and of both look-ups).
///
/// `requestReceived` is the success: no other outcome follows it, and the funds arrive in days. `error` isn't explained.
pub const BASIC: [(&str, Fate); 3] =
    [("requestReceived", Fate::Paid), ("refused", Fate::Refused), ("error", Fate::Open)];

/// Outcomes of a Fast Access payout (`payouts_fastAccess_201_response`, each with its description). A look-up has the same, a basic
/// disbursement's included.
///
/// `requestReceived`: the card doesn't support Fast Access, and Worldpay took it as a basic disbursement. `error` is said of a failure and
/// also of 48 hours without an answer from the scheme, which is no proof of anything.
pub const FAST_ACCESS: [(&str, Fate); 8] = [
    ("requested", Fate::Taken),
    ("pending", Fate::Taken),
    ("inReview", Fate::Taken),
    ("approved", Fate::Paid),
    ("disbursed", Fate::Paid),
    ("requestReceived", Fate::Paid),
    ("refused", Fate::Refused),
    ("error", Fate::Open),
];

/// Errors that say that the request wasn't processed, by status and name: the description's, and those that the reference "Worldpay error
/// responses" and Worldpay's own client libraries name (a 4xx is about the request, and it is safe to send a mended one). A 5xx is never
/// among them.
pub const NOT_PROCESSED: [(u16, &str, Resolution); 8] = [
    // What the fields say goes first: see `by_fields`.
    (400, MISMATCH, Resolution::DeclinedError),
    (400, "bodyIsEmpty", Resolution::DeclinedError),
    (400, "bodyIsNotJson", Resolution::DeclinedError),
    (401, "accessDenied", Resolution::AccessDenied),
    (404, "endpointNotFound", Resolution::InvalidMethod),
    (405, "methodNotAllowed", Resolution::InvalidMethod),
    (415, "unsupportedContentType", Resolution::InvalidMethod),
    // Of the entity only: see `refusal`.
    (422, "fieldHasInvalidValue", Resolution::AccessDenied),
];

const MISMATCH: &str = "bodyDoesNotMatchSchema";
const NO_SUCH_PAYOUT: (u16, &str) = (404, "resourceNotFound");
const ENTITY: &str = "$.merchant.entity";
/// The sandbox refuses a reference that it has already (reference "Formatting"): what happened to the payout that has it, that doesn't
/// tell.
const REFERENCE: &str = "$.transactionReference";

/// What a mistake in a field of the request means, by the fields of the description.
pub const FIELDS: [(&str, Resolution); 14] = [
    ("$.instruction.payoutInstrument.cardNumber", Resolution::InvalidDetails),
    // "Must be a date in the future."
    ("$.instruction.payoutInstrument.cardExpiryDate", Resolution::CardExpired),
    ("$.instruction.payoutInstrument.cardExpiryDate.month", Resolution::CardExpired),
    ("$.instruction.payoutInstrument.cardExpiryDate.year", Resolution::CardExpired),
    ("$.instruction.payoutInstrument.cardHolderName", Resolution::DeclinedError),
    ("$.instruction.payoutInstrument.type", Resolution::InvalidMethod),
    ("$.instruction.value.amount", Resolution::LimitViolation),
    ("$.instruction.value.currency", Resolution::InvalidMethod),
    ("$.instruction.narrative", Resolution::DeclinedError),
    ("$.instruction.narrative.line1", Resolution::DeclinedError),
    ("$.instruction.narrative.line2", Resolution::DeclinedError),
    ("$.instruction.routing", Resolution::DeclinedError),
    ("$.instruction.routing.fallbackToBasic", Resolution::DeclinedError),
    (ENTITY, Resolution::AccessDenied),
];

/// What the answer to an order means, by the outcomes of the operation that it was sent to.
pub fn sent(response: &WireResponse, order: &PayoutOrder, outcomes: &[(&str, Fate)]) -> Outcome {
    if response.status == 201 {
        return match serde_json::from_slice(&response.body) {
            Ok(payout) => told(&payout, order.amount, outcomes),
            Err(_) => unreadable(response),
        };
    }
    match refusal(response) {
        Ok((resolution, code, message)) => Outcome::Declined { resolution, code, message },
        Err(why) => unknown(why),
    }
}

/// What the answer to a question about a payout means.
pub fn found(response: &WireResponse, inquiry: &Inquiry) -> Outcome {
    if response.status == 200 {
        return match serde_json::from_slice(&response.body) {
            Ok(payout) => told(&payout, inquiry.amount, &FAST_ACCESS),
            Err(_) => unreadable(response),
        };
    }
    match serde_json::from_slice::<Refused>(&response.body) {
        Ok(refused) if (response.status, refused.error_name.as_str()) == NO_SUCH_PAYOUT => Outcome::NotFound,
        // A refused question says nothing of the payout.
        Ok(refused) => unknown(format!("not told: HTTP {}: {:?}", response.status, clipped(&refused.error_name))),
        Err(_) => unreadable(response),
    }
}

/// What a payout's outcome means, with the scheme's reference even where its fate can't be told. `amount` is what was asked: Worldpay pays
/// it whole or not at all.
fn told(payout: &Payout, amount: Decimal, outcomes: &[(&str, Fate)]) -> Outcome {
    fate(payout, amount, outcomes).naming(&ids(payout))
}

fn fate(payout: &Payout, amount: Decimal, outcomes: &[(&str, Fate)]) -> Outcome {
    let Some((outcome, fate)) = outcomes.iter().find(|(known, _)| *known == payout.outcome) else {
        return unknown(format!("the unmapped outcome {:?}", clipped(&payout.outcome)));
    };
    let code = payout.refusal_code.as_deref().filter(|code| !code.is_empty());
    match (fate, code) {
        (Fate::Open, _) => unknown(format!("the outcome {outcome:?}, which doesn't tell whether it was paid")),
        (Fate::Refused, code) => refused(payout, code),
        (Fate::Paid | Fate::Taken, Some(code)) => {
            unknown(format!("the outcome {outcome:?} with the refusal code {:?}", clipped(code)))
        }
        (Fate::Paid, None) => Outcome::Processed { amount, ids: ids(payout) },
        (Fate::Taken, None) => Outcome::Pending { ids: ids(payout) },
    }
}

/// Without a code, which Worldpay tells only those that have it enabled, another route may do better.
fn refused(payout: &Payout, code: Option<&str>) -> Outcome {
    let Some(code) = code else {
        let message = "refused by the scheme or the card's issuer".to_owned();
        return Outcome::Declined { resolution: Resolution::DeclinedError, code: payout.outcome.clone(), message };
    };
    match codes::of(payout.scheme.as_ref().map(|scheme| scheme.name.as_str()), code) {
        Some((code, resolution, message)) => {
            Outcome::Declined { resolution: *resolution, code: (*code).to_owned(), message: (*message).to_owned() }
        }
        None => unknown(format!("refused with the unmapped code {:?}", clipped(code))),
    }
}

/// The scheme's reference is what a card's issuer finds a payout by.
fn ids(payout: &Payout) -> ProviderIds {
    let reference = payout.scheme.as_ref().and_then(|scheme| scheme.reference.as_deref());
    let is_id = |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    ProviderIds { original_id: reference.filter(is_id).map(str::to_owned), ..ProviderIds::default() }
}

/// A refusal that processed nothing: its resolution, code and message; for what isn't one, why it says nothing.
fn refusal(response: &WireResponse) -> Result<(Resolution, String, String), String> {
    let status = response.status;
    let Ok(refused) = serde_json::from_slice::<Refused>(&response.body) else {
        return Err(format!("HTTP {status} with a body that can't be read"));
    };
    let name = refused.error_name.as_str();
    let Some((_, code, resolution)) =
        NOT_PROCESSED.iter().find(|(of_status, known, _)| *of_status == status && *known == name)
    else {
        return Err(format!("HTTP {status}: {:?}", clipped(name)));
    };
    let paths: Vec<&str> = refused
        .validation_errors
        .iter()
        .map(|e| &e.json_path)
        .chain([&refused.json_path])
        .flatten()
        .map(String::as_str)
        .collect();
    if paths.contains(&REFERENCE) {
        return Err(format!("HTTP {status}: {code} of the reference, which may be a payout's already"));
    }
    if status == 422 && paths != [ENTITY] {
        return Err(format!("HTTP {status}: {code} of something else than the entity"));
    }
    let resolution = if *code == MISMATCH { by_fields(&paths).unwrap_or(*resolution) } else { *resolution };
    let message = match paths.first() {
        Some(path) => format!("{path}: {}", refused.message),
        None => refused.message.clone(),
    };
    Ok((resolution, (*code).to_owned(), clipped(&message)))
}

/// What the mistakes in fields mean together: a card that is no good here is no good elsewhere, whatever else is wrong.
fn by_fields(paths: &[&str]) -> Option<Resolution> {
    let known = |path: &&str| FIELDS.iter().find(|(field, _)| field == path).map(|(_, resolution)| *resolution);
    let resolutions: Vec<Resolution> = paths.iter().filter_map(known).collect();
    let of_card = resolutions.iter().find(|resolution| resolution.class() == ResolutionClass::FinalForCard);
    of_card.or(resolutions.first()).copied()
}

/// Whether the answer to a look-up of a payout that nobody has sent shows that the credentials and the entity are good.
pub fn checked(response: &WireResponse) -> Result<(), ProviderError> {
    let status = response.status;
    let name =
        serde_json::from_slice(&response.body).map_or_else(|_| String::new(), |Refused { error_name, .. }| error_name);
    match (status, name.as_str()) {
        NO_SUCH_PAYOUT => Ok(()),
        (200, _) if serde_json::from_slice::<Payout>(&response.body).is_ok() => Ok(()),
        (401, _) => Err(ProviderError::Credentials(format!("HTTP 401: {:?}", clipped(&name)))),
        (422, _) => Err(ProviderError::Credentials(format!("HTTP 422: {:?}: is the entity right?", clipped(&name)))),
        _ => Err(ProviderError::Unavailable(format!("HTTP {status}: {:?}", clipped(&name)))),
    }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
