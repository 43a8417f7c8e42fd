//! States, reasons and events in plain words, for people who answer "where is my money?". What comes from outside is quoted as it is;
//! pages escape it.

mod events;
mod routing;

pub use events::event;
pub use routing::trace;

use super::parts::{Badge, Tone};
use crate::domain::moderation::DecisionKind;
use crate::domain::offer::{OfferStatus, RefusalCode};
use crate::domain::payout::{PayoutStatus, Resolution};
use crate::domain::payout_request::{Funding, RequestStatus};

pub fn offer_status(status: OfferStatus) -> Badge {
    match status {
        OfferStatus::Quoted => Badge::new(Tone::Neutral, "Quoted"),
        OfferStatus::Accepted => Badge::new(Tone::Open, "Accepted, being paid"),
        OfferStatus::Paid => Badge::new(Tone::Good, "Paid"),
        OfferStatus::PartlyPaid => Badge::new(Tone::Open, "Paid in part"),
        OfferStatus::Released => Badge::new(Tone::Bad, "Not paid, released"),
        OfferStatus::Expired => Badge::new(Tone::Neutral, "Expired"),
        OfferStatus::Returned => Badge::new(Tone::Bad, "Came back"),
    }
}

pub fn request_status(status: RequestStatus) -> Badge {
    match status {
        RequestStatus::Created => Badge::new(Tone::Neutral, "Created"),
        RequestStatus::WaitingDetails => Badge::new(Tone::Open, "Waits for details"),
        RequestStatus::Ready => Badge::new(Tone::Open, "Ready"),
        RequestStatus::Dispatching => Badge::new(Tone::Open, "Being routed"),
        RequestStatus::Pending => Badge::new(Tone::Open, "At the provider"),
        RequestStatus::Processed => Badge::new(Tone::Good, "Paid"),
        RequestStatus::PartiallyProcessed => Badge::new(Tone::Open, "Paid in part"),
        RequestStatus::Failed => Badge::new(Tone::Bad, "Failed"),
        RequestStatus::Expired => Badge::new(Tone::Bad, "Expired"),
        RequestStatus::Canceled => Badge::new(Tone::Neutral, "Canceled"),
        RequestStatus::Terminated => Badge::new(Tone::Bad, "Terminated"),
        RequestStatus::Returned => Badge::new(Tone::Bad, "Came back"),
    }
}

/// A request's status, or that it waits for a person: nothing goes on by itself then, whatever its status says.
pub fn request_state(status: RequestStatus, moderation_reason: Option<&str>) -> Badge {
    match moderation_reason {
        Some(_) if !status.is_final() => Badge::new(Tone::Bad, "Waits for a person"),
        _ => request_status(status),
    }
}

pub fn payout_status(status: PayoutStatus) -> Badge {
    match status {
        PayoutStatus::Created => Badge::new(Tone::Neutral, "Created"),
        PayoutStatus::Invoking => Badge::new(Tone::Open, "Being sent"),
        PayoutStatus::Pending => Badge::new(Tone::Open, "Taken, not finished"),
        PayoutStatus::Unknown => Badge::new(Tone::Bad, "Unknown"),
        PayoutStatus::Processed => Badge::new(Tone::Good, "Paid"),
        PayoutStatus::Failed => Badge::new(Tone::Bad, "Failed"),
        PayoutStatus::Returned => Badge::new(Tone::Bad, "Came back"),
        PayoutStatus::Canceled => Badge::new(Tone::Neutral, "Canceled"),
        PayoutStatus::LateProcessed => Badge::new(Tone::Bad, "Paid late"),
    }
}

/// A resolution as the second half of a sentence: "because …".
pub const fn resolution(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Ok => "it was paid",
        Resolution::InvalidDetails => "the card's details aren't valid",
        Resolution::RecipientNotFound => "the provider doesn't find the recipient",
        Resolution::CardExpired => "the card has expired",
        Resolution::CardRestricted => "the card is restricted by its bank",
        Resolution::StolenCard => "the card is reported stolen",
        Resolution::AntifraudError => "the provider suspects fraud",
        Resolution::InvalidRecipient => "the recipient isn't accepted",
        Resolution::InsufficientFunds => "our balance at the provider was too low",
        Resolution::LimitViolation => "a limit of the provider or the card was exceeded",
        Resolution::DeclinedError => "the provider declined it",
        Resolution::AccessDenied => "the provider denied us access",
        Resolution::InvalidCredentials => "the provider refused our credentials",
        Resolution::SignatureError => "the provider refused our signature",
        Resolution::ProviderUnavailable => "the provider couldn't be reached, and nothing was sent",
        Resolution::InvalidMethod => "the provider doesn't serve this method",
        Resolution::RateLimited => "the provider wants fewer requests",
        Resolution::ConnectionTimeout => "the provider didn't answer in time, so its fate is open",
        Resolution::ProviderInternalError => "the provider failed inside, so its fate is open",
        Resolution::Unknown => "its fate isn't known yet",
        Resolution::StrategyReceivedNoRoutes => "no route serves this currency and method",
        Resolution::StrategyConfiguredRoutesWereFiltered => "no route could carry it",
        Resolution::AttemptLimitReached => "all allowed attempts were used",
        Resolution::OperationExpired => "its time was over",
    }
}

/// Why an offer can't be paid now.
pub const fn refusal(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::OfferAlreadyExecuted => "it was accepted already",
        RefusalCode::OfferExpired => "it has expired: the customer needs a new one",
        RefusalCode::KycRequired => "the customer's KYC level is too low",
        RefusalCode::CustomerBlocked => "the customer is blocked",
        RefusalCode::CardNotSupported => "the card was declined or deleted",
        RefusalCode::CardPending => "the card's check isn't finished",
        RefusalCode::CardExpired => "the card has expired",
        RefusalCode::BillingAddressRequired => "the card needs a billing address",
        RefusalCode::AmountTooSmall => "the amount is below the least that is paid",
        RefusalCode::AmountTooLarge => "the amount is above the most that is paid",
        RefusalCode::LimitExceeded => "a rolling limit would be exceeded",
        RefusalCode::VelocityExceeded => "the customer pays too often",
        RefusalCode::InsufficientFunds => "the customer's balance doesn't cover it with its fees",
        RefusalCode::NoRoute => "no route can carry it now",
    }
}

pub const fn funding(funding: Funding) -> &'static str {
    match funding {
        Funding::WalletHold => "the customer's balance, held when the offer was accepted",
        Funding::PartnerBalance => "the partner's prepaid balance",
        Funding::OwnDeposit => "the partner's own account at the provider",
    }
}

/// What an entry of the ledger was made for.
pub fn entry(kind: &str) -> String {
    let words = match kind {
        "credit" => "Credited",
        "debit" => "Debited",
        "hold" => "Held for a payout",
        "release" => "Given back from a hold",
        "settle" => "Paid out",
        "return" => "Came back",
        "payout_cost" => "Cost of a payout",
        "late_success" => "Paid after it counted as failed",
        "top_up" => "Put in",
        "unmatched" => "A provider's payment that isn't ours",
        "recovery" => "Recovered",
        "write_off" => "Written off",
        "correction" => "Corrected",
        other => return other.replace('_', " "),
    };
    words.to_owned()
}

/// A decision, as its button says it.
pub const fn decision(kind: DecisionKind) -> &'static str {
    match kind {
        DecisionKind::Continue => "Let it go on",
        DecisionKind::Reject => "Send nothing more",
        DecisionKind::MarkPaid => "It was paid",
        DecisionKind::MarkFailedRelease => "It was never paid: give the rest back",
        DecisionKind::MarkFailedFailover => "It was never paid: try another route",
    }
}

/// How a case ended: by a rule or a decision. What isn't known here is shown as it is called.
pub fn closing(how: &str) -> String {
    if let Ok(kind) = how.parse::<DecisionKind>() {
        return format!("a person decided: {}", decision(kind).to_lowercase());
    }
    let words = match how {
        "ended" => "its payout request has ended",
        "came_out" => "it has come out by itself",
        "recovered" => "the money came back",
        "written_off" => "the money was written off",
        "recovered_in_part" => "a part came back, and the rest was written off",
        "explained" => "it was explained",
        "agrees" => "the provider agrees now",
        other => return other.replace('_', " "),
    };
    words.to_owned()
}

/// What a case is about. Kinds are ours; one that isn't known here is shown as it is called.
pub fn case(kind: &str) -> String {
    let words = match kind {
        "late_success" => "Paid after it counted as failed",
        "not_found_at_provider" => "The provider doesn't find a payout that we sent",
        "fate_open" => "The provider doesn't say what became of a payout that we sent",
        "screening" => "A rule or a screening wants somebody to look before anything is sent",
        "processed_more_than_asked" => "The provider paid more than we asked for",
        "processed_amount_unpayable" => "The provider reports an amount that its currency doesn't have",
        "partly_paid" => "Paid in part, and the rest can't be",
        "processed_amount_changed" => "The provider changed the amount that it paid",
        "processed_unsent" => "The provider reports a payment that we didn't send",
        "return_does_not_fit" => "The provider reports a return that doesn't fit",
        "declined_after_success" => "The provider declines what it had reported as paid",
        "missing_at_provider" => "The provider's report doesn't have a payout that we paid",
        "unmatched_at_provider" => "The provider's report has a payment that isn't ours",
        "paid_twice_at_provider" => "The provider's report has a payout of ours more than once",
        "unsent_at_provider" => "The provider's report has a payout that we never sent",
        "status_differs" => "The provider's report has another status",
        "amount_differs" => "The provider's report has another amount",
        "currency_differs" => "The provider's report has another currency",
        "return_differs" => "The provider's report has a return that doesn't fit",
        other => return other.replace('_', " "),
    };
    words.to_owned()
}
