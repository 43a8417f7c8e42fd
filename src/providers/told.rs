//! What all adapters tell alike: a call without an answer, an answer that can't be read, and texts of a provider that are repeated in
//! ours.

use super::provider::{Outcome, PayoutOrder};
use super::transport::{TransportError, WireResponse};
use crate::domain::card::strike_and_cut;
use crate::domain::payout::Resolution;

/// The longest text of a provider that is repeated in ours, in characters.
pub const TEXT_CHARS_MAX: usize = 100;

/// What a send that ended without an answer means.
pub fn unanswered(error: &TransportError) -> Outcome {
    match error {
        TransportError::NotConnected(why) => Outcome::not_sent(why.clone()),
        TransportError::Broken(why) => unknown(why.clone()),
    }
}

/// What a question without an answer means: that it wasn't even sent says nothing of the payout.
pub fn unasked(error: &TransportError) -> Outcome {
    unknown(error.to_string())
}

/// Nobody knows, and why.
pub fn unknown(why: String) -> Outcome {
    Outcome::unknown(why)
}

/// A call that the provider refused, and that took nothing. That is about this call, and may have been said before anybody looked at its
/// reference: of a resend it proves nothing about the send before.
pub fn refused_call(order: &PayoutOrder, resolution: Resolution, code: String, message: String) -> Outcome {
    if order.resend > 0 {
        return unknown(format!("a resend was refused: {code} ({resolution}); the first send may have been taken"));
    }
    Outcome::Declined { resolution, code, message }
}

/// An answer whose body isn't what the provider documents.
pub fn unreadable(response: &WireResponse) -> Outcome {
    unknown(format!("HTTP {} with a body that can't be read", response.status))
}

/// A provider's text, short, and without what looks like a card number.
pub fn clipped(text: &str) -> String {
    strike_and_cut(text, TEXT_CHARS_MAX)
}
