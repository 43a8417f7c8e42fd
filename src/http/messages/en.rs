//! English.

use super::super::error::Code;
use super::super::v4::FeeType;

/// Before a limit that is shown.
pub const LIMIT: &str = "Limit";

pub const fn message(code: Code) -> &'static str {
    match code {
        Code::Common => "Something went wrong on our side. Please try again later.",
        Code::NotValidRequestData => "The request is not valid.",
        Code::NotFound => "There is nothing here by that name.",
        Code::MethodNotAllowed => "This can't be done here.",
        Code::RequestTooLarge => "The request is too large.",
        Code::HeadersTooLarge => "The request's headers are too large.",
        Code::RequestTimeout => "The request took too long to arrive.",
        Code::TooManyRequests => "Too many requests. Please wait a moment.",
        Code::ServiceUnavailable => "The service is unavailable for a moment. Please try again.",
        Code::IdempotencyMismatch => "This idempotency key was used for another request.",
        Code::RequestInProgress => "The same request is still being worked on.",
        Code::InvalidToken => "Please sign in again.",
        Code::InsufficientScope => "You are not allowed to do this.",
        Code::CardNotSupported => "This card is not supported.",
        Code::CardExpired => "The card has expired.",
        Code::BillingAddressRequired => "Please add the card's billing address first.",
        Code::CardPending => "The card is still being checked.",
        Code::TooManyCards => "You have as many cards as may be added.",
        Code::OfferExpired => "The offer has expired. Please ask for a new one.",
        Code::OfferAlreadyExecuted => "The offer was executed already.",
        Code::OfferVersionConflict => "The offer has changed. Please look at it again.",
        Code::InsufficientFunds => "There is not enough money on your balance.",
        Code::LimitExceeded => "This would exceed your limit.",
        Code::VelocityExceeded => "Too many payouts in a short time. Please try again later.",
        Code::AmountTooSmall => "The amount is too small.",
        Code::AmountTooLarge => "The amount is too large.",
        Code::PairNotSupported => "This pair of currencies is not supported.",
        Code::KycRequired => "Please verify your identity first.",
        Code::CustomerBlocked => "Payouts are blocked for you. Please contact support.",
        Code::RatesUnavailable => "There is no rate at the moment. Please try again.",
        Code::ScreeningUnavailable => "The payout can't be checked right now. Please try again.",
        Code::TermsUnavailable => "Payouts aren't available right now. Please try again later.",
        Code::NoRoute => "The payout can't be made at the moment. Please try again later.",
        Code::CallbackNotVerified => "The callback could not be verified.",
    }
}

pub const fn fee_name(fee: FeeType) -> &'static str {
    match fee {
        FeeType::Transaction => "Transaction fee",
        FeeType::Gas => "Network gas",
        FeeType::Additional => "Additional fee",
        FeeType::Partner => "Partner fee",
    }
}
