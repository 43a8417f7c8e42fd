//! What the provider's answers mean. Every documented status and code stands in a table of `docs/simulator.md` and here, one by
//! one; whatever doesn't is [`Outcome::Unknown`], never a decline.

use rust_decimal::Decimal;

use super::wire::{Payout, Payouts, Refused, Report, Row};
use crate::domain::asset::AssetCode;

use crate::domain::payout::Resolution;
use crate::providers::provider::{
    Inquiry, Outcome, PayoutOrder, ProviderError, ProviderIds, ReportPage, ReportRow, ReportedStatus,
};
use crate::providers::told::{clipped, refused_call, unknown, unreadable};
use crate::providers::transport::WireResponse;

/// The currencies that the provider pays in, with their decimals.
pub const CURRENCIES: [(&str, u8); 3] = [("EUR", 2), ("GBP", 2), ("USD", 2)];

/// Codes of a payout that was taken and declined (`docs/simulator.md`, "Declines").
const DECLINES: [(&str, Resolution); 16] = [
    ("invalid_details", Resolution::InvalidDetails),
    ("recipient_not_found", Resolution::RecipientNotFound),
    ("card_expired", Resolution::CardExpired),
    ("card_restricted", Resolution::CardRestricted),
    ("stolen_card", Resolution::StolenCard),
    ("antifraud_error", Resolution::AntifraudError),
    ("invalid_recipient", Resolution::InvalidRecipient),
    ("insufficient_funds", Resolution::InsufficientFunds),
    ("limit_violation", Resolution::LimitViolation),
    ("declined_error", Resolution::DeclinedError),
    ("access_denied", Resolution::AccessDenied),
    ("invalid_credentials", Resolution::InvalidCredentials),
    ("signature_error", Resolution::SignatureError),
    ("provider_unavailable", Resolution::ProviderUnavailable),
    ("invalid_method", Resolution::InvalidMethod),
    ("rate_limited", Resolution::RateLimited),
];

/// Refusals that say that the call took nothing (`docs/simulator.md`, "Refusals"), by status and code.
const NOT_TAKEN: [(u16, &str, Resolution); 6] = [
    (400, "invalid_request", Resolution::DeclinedError),
    (400, "invalid_card", Resolution::InvalidDetails),
    (401, "unauthorized", Resolution::InvalidCredentials),
    (404, "no_such_path", Resolution::InvalidMethod),
    (429, "rate_limited", Resolution::RateLimited),
    (503, "not_taken", Resolution::ProviderUnavailable),
];

/// A balance that isn't kept.
const NO_BALANCE: (u16, &str) = (404, "no_balance");

/// What the answer to a send means.
pub fn sent(response: &WireResponse, order: &PayoutOrder) -> Outcome {
    if response.status != 200 {
        return match refusal(response) {
            Ok((resolution, code, message)) => refused_call(order, resolution, code, message),
            Err(why) => unknown(why),
        };
    }
    match serde_json::from_slice::<Payout>(&response.body) {
        Ok(payout) => of_ours(&payout, &order.reference, order.amount, order.currency),
        Err(_) => unreadable(response),
    }
}

/// What the answer to a question about a payout means.
pub fn found(response: &WireResponse, inquiry: &Inquiry) -> Outcome {
    if response.status != 200 {
        // A refusal refuses the question and says nothing of the payout.
        return unknown(
            refusal(response).map_or_else(std::convert::identity, |(_, code, _)| format!("not told: {code}")),
        );
    }
    let Ok(Payouts { payouts }) = serde_json::from_slice(&response.body) else {
        return unreadable(response);
    };
    match payouts.as_slice() {
        [] => Outcome::NotFound,
        [payout] => of_ours(payout, &inquiry.reference, inquiry.amount, inquiry.currency),
        several => unknown(format!("the provider has {} payouts under one reference", several.len())),
    }
}

/// What the provider tells of the payout that we asked for; unknown if it tells of something else.
fn of_ours(payout: &Payout, reference: &str, asked: Decimal, currency: AssetCode) -> Outcome {
    if payout.reference != reference {
        return unknown("the answer is about another payout".to_owned());
    }
    if payout.currency != currency.as_str() || amount(&payout.amount) != Some(asked) {
        return unknown("the provider has another amount or currency under this reference".to_owned());
    }
    told(payout)
}

/// What the provider tells of a payout, with its id even where its fate can't be told.
pub fn told(payout: &Payout) -> Outcome {
    let (original_id, rrn) = (Some(payout.id.clone()), payout.rrn.clone());
    let ids = ProviderIds { original_id, rrn, ..ProviderIds::default() };
    fate(payout, ids.clone()).naming(&ids)
}

fn fate(payout: &Payout, ids: ProviderIds) -> Outcome {
    let (Some(processed), Some(returned)) = (amount(&payout.processed_amount), amount(&payout.returned_amount)) else {
        return unknown("an amount can't be read".to_owned());
    };
    let is_whole = |amounts: bool, outcome| {
        if amounts {
            outcome
        } else {
            unknown(format!("amounts that don't fit the status {:?}", clipped(&payout.status)))
        }
    };
    let (moved, back) = (processed > Decimal::ZERO, returned > Decimal::ZERO);
    match payout.status.as_str() {
        "pending" => is_whole(!moved && !back, Outcome::Pending { ids }),
        "processed" => is_whole(moved && !back, Outcome::Processed { amount: processed, ids }),
        "returned" => is_whole(moved && back && returned <= processed, Outcome::Returned { amount: returned, ids }),
        "declined" => is_whole(!moved && !back, declined(payout)),
        other => unknown(format!("the unmapped status {:?}", clipped(other))),
    }
}

fn declined(payout: &Payout) -> Outcome {
    let code = payout.code.as_deref().unwrap_or_default();
    match DECLINES.iter().find(|(known, _)| *known == code) {
        Some((code, resolution)) => Outcome::Declined {
            resolution: *resolution,
            code: (*code).to_owned(),
            message: clipped(payout.message.as_deref().unwrap_or_default()),
        },
        None => unknown(format!("declined with the unmapped code {:?}", clipped(code))),
    }
}

/// A refusal that took nothing: its resolution, code and message; for what isn't one, why it says nothing.
fn refusal(response: &WireResponse) -> Result<(Resolution, String, String), String> {
    let status = response.status;
    let Ok(Refused { error }) = serde_json::from_slice(&response.body) else {
        return Err(format!("HTTP {status} with a body that can't be read"));
    };
    match NOT_TAKEN.iter().find(|(of_status, code, _)| *of_status == status && *code == error.code) {
        Some((_, code, resolution)) => Ok((*resolution, (*code).to_owned(), clipped(&error.message))),
        None => Err(format!("HTTP {status}: {:?}", clipped(&error.code))),
    }
}

/// What the answer to a question other than about a payout says; the reader turns a 200's body into it.
pub fn answered<T>(response: &WireResponse, read: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, ProviderError> {
    let status = response.status;
    if status == 200 {
        return read(&response.body)
            .ok_or_else(|| ProviderError::Unavailable("the answer can't be understood".to_owned()));
    }
    let code = serde_json::from_slice(&response.body).map_or_else(|_| String::new(), |Refused { error }| error.code);
    if (status, code.as_str()) == NO_BALANCE {
        return Err(ProviderError::NotSupported);
    }
    match status {
        401 => Err(ProviderError::Credentials(clipped(&code))),
        _ => Err(ProviderError::Unavailable(format!("HTTP {status}: {:?}", clipped(&code)))),
    }
}

/// A page of a report; `None` if any of it can't be read: half a report would be taken for a whole one.
pub fn report_page(body: &[u8]) -> Option<ReportPage> {
    let Report { rows, next } = serde_json::from_slice(body).ok()?;
    let rows = rows.into_iter().map(report_row).collect::<Option<Vec<_>>>()?;
    Some(ReportPage { rows, next })
}

fn report_row(row: Row) -> Option<ReportRow> {
    let status = match row.status.as_str() {
        "pending" => ReportedStatus::Pending,
        "processed" => ReportedStatus::Processed,
        "declined" => ReportedStatus::Declined,
        "returned" => ReportedStatus::Returned,
        _ => return None,
    };
    Some(ReportRow {
        reference: row.reference,
        original_id: row.id,
        status,
        amount_processed: amount(&row.processed_amount)?,
        amount_returned: amount(&row.returned_amount)?,
        currency: row.currency.parse().ok()?,
        taken_at: row.taken_at,
    })
}

/// An amount as the provider writes it; it never writes less than nothing.
pub fn amount(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok().filter(|amount| *amount >= Decimal::ZERO)
}

/// A balance, which may be below nothing: an account can be overdrawn.
pub fn balance(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok()
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
