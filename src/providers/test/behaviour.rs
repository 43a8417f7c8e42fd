//! What a payout meets at the sandbox provider, picked by its fields, its card or its amount, and what that means in
//! money, answers and callbacks. Pure and deterministic: the same order always meets the same. Which card or amount
//! picks what is in [`table`](super::table); nothing here sends, waits or remembers.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use super::draw;
use super::table::{self, CURRENCIES};
use crate::domain::payout::{Resolution, ResolutionClass};
use crate::providers::provider::{Destination, PayoutOrder};

/// The plain field that a payout without a card must carry.
pub const FIELD_ACCOUNT: &str = "account";
/// How the payout shall end: `processed`, `partially_processed`, `pending`, `unknown`, `failed`, `returned`.
pub const FIELD_STATUS: &str = "test_details_payout_status";
/// With what resolution it shall end.
pub const FIELD_RESOLUTION: &str = "test_details_payout_resolution";
/// Whole percent, 0 to 100: how many of many payouts are paid; the rest are declined.
pub const FIELD_SUCCESS_RATE: &str = "test_details_success_rate";

/// What one payout meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Paid and answered at once.
    Paid,
    /// Answered as pending, paid `after` that time (the configured one if `None`), then told by a callback.
    PaidLater { after: Option<Duration> },
    /// Declined with a resolution that is final for the card.
    DeclinedForCard(Resolution),
    /// Declined with a resolution that is final for the route.
    DeclinedForRoute(Resolution),
    /// Declined: the house has no money at the provider.
    InsufficientFunds,
    /// Paid, but the answer never comes.
    TimeoutThenPaid,
    /// Never taken, and no answer comes.
    TimeoutThenNotFound,
    /// Paid, answered with an internal error, and told by a callback later.
    ErrorThenPaid,
    /// Half is paid, rounded down to the minor unit.
    PaidPartly,
    /// Paid, and returned `after` that time (the configured one if `None`), which a callback tells.
    PaidThenReturned { after: Option<Duration> },
    /// Paid later; the callback comes twice, at the same time.
    DuplicateCallback,
    /// Paid; the callback comes before the answer.
    CallbackBeforeAnswer,
    /// Paid later; the callback that says "pending" comes after the one that says "paid".
    CallbackOutOfOrder,
    /// Paid at once, answered after this many seconds.
    Slow { seconds: u64 },
    /// Nothing listens: not one byte is sent.
    ConnectionRefused,
}

/// How a send ends for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With what the book says, at once.
    AtOnce,
    /// With what the book says, after this time.
    After(Duration),
    /// With what the book says, after the callback was delivered.
    AfterCallback,
    /// Not at all.
    TimesOut,
    /// With an internal error.
    InternalError,
    /// The connection was refused.
    Refused,
}

/// Which callbacks follow a payment that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callbacks {
    None,
    /// One, before the answer.
    BeforeAnswer,
    /// One, when it is paid and the usual delay is over.
    Later,
    /// The same one twice, concurrently.
    LaterTwice,
    /// The final one, and then the one that came first.
    LaterOutOfOrder,
    /// One, when the money is back.
    WhenReturned,
}

impl Behaviour {
    /// What `order` to `to` meets. What the provider can't take at all is declined whatever card or fields say.
    pub fn of(order: &PayoutOrder, to: &Destination) -> Self {
        if !CURRENCIES.contains(&order.currency.as_str()) {
            return Self::DeclinedForRoute(Resolution::InvalidMethod);
        }
        if order.amount <= Decimal::ZERO || order.amount.normalize().scale() > table::MINOR_UNIT_SCALE {
            return Self::DeclinedForRoute(Resolution::LimitViolation);
        }
        Self::pick(&order.reference, order.amount, to.card.as_ref().map(|card| card.pan.expose()), &to.fields)
    }

    /// The same from its parts, for an order that came over the wire: `pan` in digits only.
    ///
    /// The fields come first, then a card from the table, then the amount's ending; everything else is paid.
    pub fn pick(reference: &str, amount: Decimal, pan: Option<&str>, fields: &BTreeMap<String, String>) -> Self {
        let has_account = fields.get(FIELD_ACCOUNT).is_some_and(|account| !account.trim().is_empty());
        if pan.is_none() && !has_account {
            return Self::DeclinedForCard(Resolution::InvalidDetails);
        }
        Self::asked_for(reference, fields)
            .or_else(|| pan.and_then(table::behaviour_of_card))
            .or_else(|| table::behaviour_of_amount(amount))
            .unwrap_or(Self::Paid)
    }

    /// What the test service's optional fields ask for, if any is there. What contradicts itself or isn't known is
    /// `invalid_details`.
    fn asked_for(reference: &str, fields: &BTreeMap<String, String>) -> Option<Self> {
        let status = fields.get(FIELD_STATUS).map(|text| normalize(text));
        let resolution = fields.get(FIELD_RESOLUTION).map(|text| normalize(text));
        let rate = fields.get(FIELD_SUCCESS_RATE).map(|text| text.trim());
        let contradiction = Self::DeclinedForCard(Resolution::InvalidDetails);
        let resolution: Option<Resolution> = match resolution.as_deref().filter(|text| !text.is_empty()).map(str::parse)
        {
            None => None,
            Some(Ok(resolution)) => Some(resolution),
            Some(Err(_)) => return Some(contradiction),
        };
        let asked = match (status.as_deref().unwrap_or(""), rate.unwrap_or("")) {
            ("", "") => Self::from_resolution(resolution?),
            ("", rate) => match rate.parse::<u64>() {
                Ok(percent) if percent <= 100 && draw(0, "success-rate", reference, 0) % 100 < percent => Self::Paid,
                Ok(percent) if percent <= 100 => Self::from_resolution(resolution.unwrap_or(Resolution::DeclinedError)),
                _ => contradiction,
            },
            ("processed", _) => match resolution.map(|resolution| (resolution, Self::from_resolution(resolution))) {
                None => Self::Paid,
                Some((_, paid @ (Self::Paid | Self::TimeoutThenPaid | Self::ErrorThenPaid))) => paid,
                Some(_) => contradiction,
            },
            ("failed", _) => match resolution.unwrap_or(Resolution::DeclinedError) {
                Resolution::Ok => contradiction,
                open if open.class() == ResolutionClass::NotFinal => Self::TimeoutThenNotFound,
                resolution => Self::from_resolution(resolution),
            },
            ("partially_processed", _) => Self::PaidPartly,
            ("pending", _) => Self::PaidLater { after: None },
            ("unknown", _) => Self::TimeoutThenPaid,
            ("returned", _) => Self::PaidThenReturned { after: None },
            _ => contradiction,
        };
        Some(asked)
    }

    /// What leads to `resolution`.
    fn from_resolution(resolution: Resolution) -> Self {
        match (resolution.class(), resolution) {
            (ResolutionClass::Paid, _) => Self::Paid,
            (ResolutionClass::FinalForCard, _) => Self::DeclinedForCard(resolution),
            (ResolutionClass::FinalForRoute, Resolution::InsufficientFunds) => Self::InsufficientFunds,
            (ResolutionClass::FinalForRoute, Resolution::ProviderUnavailable) => Self::ConnectionRefused,
            (ResolutionClass::FinalForRoute, _) => Self::DeclinedForRoute(resolution),
            (ResolutionClass::NotFinal, Resolution::ProviderInternalError) => Self::ErrorThenPaid,
            (ResolutionClass::NotFinal, _) => Self::TimeoutThenPaid,
            // Routing's own resolutions are not a provider's to give.
            (ResolutionClass::Routing, _) => Self::DeclinedForCard(Resolution::InvalidDetails),
        }
    }

    /// Its name in the provider's book.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::PaidLater { .. } => "paid_later",
            Self::DeclinedForCard(_) => "declined_for_card",
            Self::DeclinedForRoute(_) => "declined_for_route",
            Self::InsufficientFunds => "insufficient_funds",
            Self::TimeoutThenPaid => "timeout_then_paid",
            Self::TimeoutThenNotFound => "timeout_then_not_found",
            Self::ErrorThenPaid => "error_then_paid",
            Self::PaidPartly => "paid_partly",
            Self::PaidThenReturned { .. } => "paid_then_returned",
            Self::DuplicateCallback => "duplicate_callback",
            Self::CallbackBeforeAnswer => "callback_before_answer",
            Self::CallbackOutOfOrder => "callback_out_of_order",
            Self::Slow { .. } => "slow",
            Self::ConnectionRefused => "connection_refused",
        }
    }

    pub const fn answer(self) -> Answer {
        match self {
            Self::Paid
            | Self::PaidLater { .. }
            | Self::DeclinedForCard(_)
            | Self::DeclinedForRoute(_)
            | Self::InsufficientFunds
            | Self::PaidPartly
            | Self::PaidThenReturned { .. }
            | Self::DuplicateCallback
            | Self::CallbackOutOfOrder => Answer::AtOnce,
            Self::CallbackBeforeAnswer => Answer::AfterCallback,
            Self::Slow { seconds } => Answer::After(Duration::from_secs(seconds)),
            Self::TimeoutThenPaid | Self::TimeoutThenNotFound => Answer::TimesOut,
            Self::ErrorThenPaid => Answer::InternalError,
            Self::ConnectionRefused => Answer::Refused,
        }
    }

    pub const fn callbacks(self) -> Callbacks {
        match self {
            Self::Paid
            | Self::DeclinedForCard(_)
            | Self::DeclinedForRoute(_)
            | Self::InsufficientFunds
            | Self::TimeoutThenPaid
            | Self::TimeoutThenNotFound
            | Self::PaidPartly
            | Self::Slow { .. }
            | Self::ConnectionRefused => Callbacks::None,
            Self::PaidLater { .. } | Self::ErrorThenPaid => Callbacks::Later,
            Self::PaidThenReturned { .. } => Callbacks::WhenReturned,
            Self::DuplicateCallback => Callbacks::LaterTwice,
            Self::CallbackBeforeAnswer => Callbacks::BeforeAnswer,
            Self::CallbackOutOfOrder => Callbacks::LaterOutOfOrder,
        }
    }

    /// Whether the provider takes the payment into its book, paid or declined. What it never takes is "not found" for
    /// good.
    pub const fn is_taken(self) -> bool {
        !matches!(self, Self::TimeoutThenNotFound | Self::ConnectionRefused)
    }

    /// Why it is declined; [`Resolution::Ok`] if it isn't.
    pub const fn resolution(self) -> Resolution {
        match self {
            Self::DeclinedForCard(resolution) | Self::DeclinedForRoute(resolution) => resolution,
            Self::InsufficientFunds => Resolution::InsufficientFunds,
            Self::ConnectionRefused => Resolution::ProviderUnavailable,
            Self::Paid
            | Self::PaidLater { .. }
            | Self::TimeoutThenPaid
            | Self::TimeoutThenNotFound
            | Self::ErrorThenPaid
            | Self::PaidPartly
            | Self::PaidThenReturned { .. }
            | Self::DuplicateCallback
            | Self::CallbackBeforeAnswer
            | Self::CallbackOutOfOrder
            | Self::Slow { .. } => Resolution::Ok,
        }
    }

    /// How much of `amount` goes out if it isn't declined. Half of the smallest unit would be nothing, so that is paid
    /// whole.
    pub fn amount_processed(self, amount: Decimal) -> Decimal {
        match self {
            Self::PaidPartly => amount
                .checked_div(Decimal::TWO)
                .map_or(amount, |half| half.trunc_with_scale(table::MINOR_UNIT_SCALE))
                .max(Decimal::new(1, table::MINOR_UNIT_SCALE)),
            _ => amount,
        }
    }

    /// How long after it was taken it is paid, if what says no more of it takes `later`.
    pub fn paid_after(self, later: Duration) -> Duration {
        match self {
            Self::PaidLater { after } => after.unwrap_or(later),
            Self::DuplicateCallback | Self::CallbackOutOfOrder => later,
            _ => Duration::ZERO,
        }
    }

    /// How long after it was taken the money is back, if it comes back; `usually`, if nothing else is said.
    pub fn returned_after(self, usually: Duration) -> Option<Duration> {
        match self {
            Self::PaidThenReturned { after } => Some(after.unwrap_or(usually)),
            _ => None,
        }
    }
}

/// The documented services take letters, spaces and hyphens: `Declined error` means `declined_error`.
fn normalize(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    fn meets(pairs: &[(&str, &str)]) -> Behaviour {
        let mut all = fields(pairs);
        all.insert(FIELD_ACCOUNT.into(), "some_random_string".into());
        Behaviour::pick("po_1", Decimal::ONE, None, &all)
    }

    #[test]
    fn an_account_alone_is_paid_and_nothing_at_all_is_invalid() {
        assert_eq!(meets(&[]), Behaviour::Paid);
        let invalid = Behaviour::DeclinedForCard(Resolution::InvalidDetails);
        assert_eq!(Behaviour::pick("po_1", Decimal::ONE, None, &fields(&[])), invalid);
        assert_eq!(Behaviour::pick("po_1", Decimal::ONE, None, &fields(&[(FIELD_ACCOUNT, " ")])), invalid);
    }

    #[test]
    fn every_status_can_be_asked_for() {
        for (status, expected) in [
            ("processed", Behaviour::Paid),
            ("Partially processed", Behaviour::PaidPartly),
            ("pending", Behaviour::PaidLater { after: None }),
            ("unknown", Behaviour::TimeoutThenPaid),
            ("FAILED", Behaviour::DeclinedForRoute(Resolution::DeclinedError)),
            ("returned", Behaviour::PaidThenReturned { after: None }),
            ("made-up", Behaviour::DeclinedForCard(Resolution::InvalidDetails)),
        ] {
            assert_eq!(meets(&[(FIELD_STATUS, status)]), expected, "{status}");
        }
    }

    #[test]
    fn every_resolution_that_a_provider_can_give_can_be_asked_for() {
        for resolution in Resolution::ALL {
            let asked = meets(&[(FIELD_RESOLUTION, resolution.as_str())]);
            match resolution.class() {
                ResolutionClass::Paid => assert_eq!(asked, Behaviour::Paid),
                ResolutionClass::FinalForCard => assert_eq!(asked, Behaviour::DeclinedForCard(resolution)),
                ResolutionClass::FinalForRoute => assert_eq!(asked.resolution(), resolution),
                ResolutionClass::NotFinal => {
                    assert!(matches!(asked, Behaviour::TimeoutThenPaid | Behaviour::ErrorThenPaid));
                }
                ResolutionClass::Routing => assert_eq!(asked.resolution(), Resolution::InvalidDetails),
            }
            let failed = meets(&[(FIELD_STATUS, "failed"), (FIELD_RESOLUTION, resolution.as_str())]);
            assert!(failed.resolution() != Resolution::Ok || failed == Behaviour::TimeoutThenNotFound, "{resolution}");
        }
        let contradiction = meets(&[(FIELD_STATUS, "processed"), (FIELD_RESOLUTION, "stolen_card")]);
        assert_eq!(contradiction, Behaviour::DeclinedForCard(Resolution::InvalidDetails));
        let unknown_name = meets(&[(FIELD_RESOLUTION, "no such thing")]);
        assert_eq!(unknown_name, Behaviour::DeclinedForCard(Resolution::InvalidDetails));
    }

    #[test]
    fn the_success_rate_is_kept_over_many_references_and_steady_for_one() {
        let at = |percent: &str, n: u32| {
            let asked = fields(&[(FIELD_ACCOUNT, "1"), (FIELD_SUCCESS_RATE, percent)]);
            Behaviour::pick(&format!("po_{n}"), Decimal::ONE, None, &asked)
        };
        let paid = |percent: &str| (0..1_000).filter(|n| at(percent, *n) == Behaviour::Paid).count();
        assert_eq!((paid("0"), paid("100")), (0, 1_000));
        assert!((650..=750).contains(&paid("70")), "{}", paid("70"));
        assert!((0..1_000).all(|n| at("70", n) == at("70", n)));
        for bad in ["101", "-1", "0.5", "often"] {
            assert_eq!(at(bad, 1), Behaviour::DeclinedForCard(Resolution::InvalidDetails), "{bad}");
        }
    }

    #[test]
    fn half_is_rounded_down_to_the_minor_unit_and_never_to_nothing() {
        for (amount, half) in [("13.09", "6.54"), ("10", "5"), ("0.03", "0.01"), ("0.01", "0.01")] {
            let (amount, half): (Decimal, Decimal) = (amount.parse().unwrap(), half.parse().unwrap());
            assert_eq!(Behaviour::PaidPartly.amount_processed(amount), half);
        }
    }
}
