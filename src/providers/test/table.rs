//! The sandbox's table: which card numbers and amounts meet which [`Behaviour`]. Data only, shared by the provider, by
//! whatever else plays it, and by the page for integrators that is generated from it.
//!
//! Every number is one that providers publish for tests, or lies beside those in the same ranges (4000 00.., 5555
//! 55..).

use std::time::Duration;

use rust_decimal::Decimal;

use super::behaviour::Behaviour;
use crate::domain::payout::Resolution;

/// The currencies that the sandbox pays in.
pub const CURRENCIES: [&str; 3] = ["EUR", "GBP", "USD"];

/// Decimals of each of [`CURRENCIES`] (ISO 4217).
pub const MINOR_UNIT_SCALE: u32 = 2;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its title in the documentation.
    pub title: &'static str,
    pub behaviour: Behaviour,
    /// Card numbers that pick it, digits only.
    pub cards: &'static [&'static str],
    /// What an amount ends in to pick it, in minor units and below 100.00: 1305 for 13.05, 113.05 and 2 713.05.
    pub amount_ending: Option<u32>,
    /// What the provider does, for a reader who integrates.
    pub what: &'static str,
}

/// What happens at a partner's word.
#[derive(Clone, Copy, Debug)]
pub struct OnDemand {
    pub what: &'static str,
    /// What is asked of the partners' API, by POST.
    pub path: &'static str,
    /// What then is.
    pub effect: &'static str,
}

pub const ON_DEMAND: [OnDemand; 5] = [
    OnDemand {
        what: "an offer expires",
        path: "/v1/sandbox/offers/{id}/expire",
        effect: "it is `EXPIRED`: it can't be changed or paid (`OFFER_EXPIRED`)",
    },
    OnDemand {
        what: "a payout request expires",
        path: "/v1/sandbox/payout-requests/{id}/expire",
        effect: "one that waits ends as `expired`; of one under way nothing more is sent, and its end follows the truth",
    },
    OnDemand {
        what: "a user's card expires",
        path: "/v1/sandbox/cards/{id}/expire",
        effect: "it is `EXPIRED`, and a pay to it is refused (`CARD_EXPIRED`); added again, it holds as long as it then says",
    },
    OnDemand {
        what: "a payout request comes back",
        path: "/v1/sandbox/payout-requests/{id}/return",
        effect: "the bank returns what the sandbox paid of it: it is `returned`, and what was paid is on the balance again",
    },
    OnDemand {
        what: "an offer's payout comes back",
        path: "/v1/sandbox/offers/{id}/return",
        effect: "the same of a paid offer: it is `RETURNED`, and its user has what was paid again",
    },
];

const fn row(
    title: &'static str,
    behaviour: Behaviour,
    cards: &'static [&'static str],
    amount_ending: Option<u32>,
    what: &'static str,
) -> Row {
    Row { title, behaviour, cards, amount_ending, what }
}

/// Every row, in the order of the documentation. The first is what any other card and amount meet too.
pub const ROWS: [Row; 26] = [
    row(
        "Paid",
        Behaviour::Paid,
        &[
            "4111111111111111",
            "4242424242424242",
            "5555555555554444",
            "2223003122003222",
            "6759649826438453",
            "378282246310005",
            "6200000000000005",
            "3566002020360505",
            "6011111111111117",
            "30569309025904",
            "2200000000000004",
        ],
        None,
        "The money goes out at once. So it does for every other valid card and amount.",
    ),
    row(
        "Paid later",
        Behaviour::PaidLater { after: None },
        &["4000000000130106", "5555555555130104"],
        Some(1301),
        "Taken and pending first, then paid. A callback tells.",
    ),
    row(
        "Paid a minute later",
        Behaviour::PaidLater { after: Some(Duration::from_secs(60)) },
        &["4000000000131500", "5555555555131508"],
        Some(1315),
        "Taken and pending for 60 seconds, then paid. A callback tells.",
    ),
    row(
        "Paid partly",
        Behaviour::PaidPartly,
        &["4000000000130809", "5555555555130807"],
        Some(1308),
        "Half goes out, rounded down to the cent; the other half never does under this payout.",
    ),
    row(
        "Paid, then returned",
        Behaviour::PaidThenReturned { after: None },
        &["4000000000130908", "5555555555130906"],
        Some(1309),
        "Paid at once; some time later all of it comes back. A callback tells of the return.",
    ),
    row(
        "Slow",
        Behaviour::Slow { seconds: 3 },
        &["4000000000131401", "5555555555131409"],
        Some(1314),
        "Paid at once, but the answer takes 3 seconds.",
    ),
    row(
        "Card restricted",
        Behaviour::DeclinedForCard(Resolution::CardRestricted),
        &["4000000000130205", "5555555555130203"],
        Some(1302),
        "Declined. No other route is tried, since none would do better.",
    ),
    row(
        "Card stolen",
        Behaviour::DeclinedForCard(Resolution::StolenCard),
        &["4000000000009979", "5555555555132100"],
        None,
        "Declined. No other route is tried.",
    ),
    row(
        "Card expired",
        Behaviour::DeclinedForCard(Resolution::CardExpired),
        &["4000000000000069", "5555555555132209"],
        None,
        "Declined, whatever expiry date you gave. No other route is tried.",
    ),
    row(
        "Suspected fraud",
        Behaviour::DeclinedForCard(Resolution::AntifraudError),
        &["4100000000000019", "5555555555132308"],
        None,
        "Declined. No other route is tried.",
    ),
    row(
        "Invalid details",
        Behaviour::DeclinedForCard(Resolution::InvalidDetails),
        &["4000000000132409", "5555555555132407"],
        None,
        "Declined. No other route is tried.",
    ),
    row(
        "Recipient not found",
        Behaviour::DeclinedForCard(Resolution::RecipientNotFound),
        &["4000000000132508", "5555555555132506"],
        None,
        "Declined. No other route is tried.",
    ),
    row(
        "Invalid recipient",
        Behaviour::DeclinedForCard(Resolution::InvalidRecipient),
        &["4000000000132607", "5555555555132605"],
        None,
        "Declined. No other route is tried.",
    ),
    row(
        "Declined for the route",
        Behaviour::DeclinedForRoute(Resolution::DeclinedError),
        &["4000000000000002", "5555555555130302"],
        Some(1303),
        "Declined. Another route may be tried, and meets the same here.",
    ),
    row(
        "Limit exceeded",
        Behaviour::DeclinedForRoute(Resolution::LimitViolation),
        &["4000000000132706", "5555555555132704"],
        None,
        "Declined. Another route may be tried.",
    ),
    row(
        "Access denied",
        Behaviour::DeclinedForRoute(Resolution::AccessDenied),
        &["4000000000132805", "5555555555132803"],
        None,
        "Declined. Another route may be tried.",
    ),
    row(
        "Rate limited",
        Behaviour::DeclinedForRoute(Resolution::RateLimited),
        &["4000000000132904", "5555555555132902"],
        None,
        "Declined. Another route may be tried.",
    ),
    row(
        "Method not served",
        Behaviour::DeclinedForRoute(Resolution::InvalidMethod),
        &["4000000000133001", "5555555555133009"],
        None,
        "Declined. Another route may be tried.",
    ),
    row(
        "Insufficient funds",
        Behaviour::InsufficientFunds,
        &["4000000000009995", "5555555555130401"],
        Some(1304),
        "Declined: the house's own balance at the provider is too low. Another route may be tried.",
    ),
    row(
        "Connection refused",
        Behaviour::ConnectionRefused,
        &["4000000000131005", "5555555555131003"],
        Some(1310),
        "Nothing is sent, which is certain. Another route may be tried at once.",
    ),
    row(
        "Time-out, then paid",
        Behaviour::TimeoutThenPaid,
        &["4000000000130502", "5555555555130500"],
        Some(1305),
        "Paid, but no answer comes: the payout is unknown until an inquiry finds it paid.",
    ),
    row(
        "Time-out, then not found",
        Behaviour::TimeoutThenNotFound,
        &["4000000000130601", "5555555555130609"],
        Some(1306),
        "Never taken, and no answer comes. Inquiries find nothing, and every resend meets the same: a person decides in the end.",
    ),
    row(
        "Error, then paid",
        Behaviour::ErrorThenPaid,
        &["4000000000130700", "4000000000000119", "5555555555130708"],
        Some(1307),
        "Paid, but answered with an internal error: the payout is unknown until an inquiry or the callback tells.",
    ),
    row(
        "Duplicate callback",
        Behaviour::DuplicateCallback,
        &["4000000000131104", "5555555555131102"],
        Some(1311),
        "Paid later; the callback comes twice at the same time.",
    ),
    row(
        "Callback before the answer",
        Behaviour::CallbackBeforeAnswer,
        &["4000000000131203", "5555555555131201"],
        Some(1312),
        "Paid at once; the callback is delivered before the send is answered.",
    ),
    row(
        "Callbacks out of order",
        Behaviour::CallbackOutOfOrder,
        &["4000000000131302", "5555555555131300"],
        Some(1313),
        "Paid later; the callback of `pending` comes after the one of `processed`.",
    ),
];

/// What a card number picks, if it is in the table with something to say. Cards that are simply paid leave it to the
/// amount.
pub fn behaviour_of_card(pan: &str) -> Option<Behaviour> {
    ROWS.iter()
        .find(|row| row.cards.contains(&pan))
        .map(|row| row.behaviour)
        .filter(|picked| *picked != Behaviour::Paid)
}

/// What an amount's ending picks, if anything.
pub fn behaviour_of_amount(amount: Decimal) -> Option<Behaviour> {
    let ending = amount.checked_rem(Decimal::ONE_HUNDRED)?;
    ROWS.iter()
        .find(|row| row.amount_ending.is_some_and(|minor| Decimal::new(i64::from(minor), MINOR_UNIT_SCALE) == ending))
        .map(|row| row.behaviour)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::card::Pan;
    use crate::domain::payout::ResolutionClass;

    #[test]
    fn every_card_is_valid_and_stands_in_one_row() {
        let mut seen = BTreeSet::new();
        for row in ROWS {
            assert!(!row.cards.is_empty(), "{}", row.title);
            for card in row.cards {
                let pan = Pan::parse(card).unwrap_or_else(|error| panic!("{}: {error}", row.title));
                assert_eq!(pan.expose(), *card);
                assert!(seen.insert(*card), "{} stands twice", row.title);
            }
        }
    }

    #[test]
    fn every_amount_ending_and_title_stands_in_one_row() {
        let mut endings = BTreeSet::new();
        let mut titles = BTreeSet::new();
        for row in ROWS {
            assert!(titles.insert(row.title));
            if let Some(ending) = row.amount_ending {
                assert!(ending < 10_000 && endings.insert(ending), "{}", row.title);
            }
        }
    }

    #[test]
    fn declines_stand_under_their_own_class() {
        for row in ROWS {
            match row.behaviour {
                Behaviour::DeclinedForCard(why) => assert_eq!(why.class(), ResolutionClass::FinalForCard),
                Behaviour::DeclinedForRoute(why) => assert_eq!(why.class(), ResolutionClass::FinalForRoute),
                other => assert!(!matches!(other.resolution().class(), ResolutionClass::FinalForCard)),
            }
        }
    }

    #[test]
    fn an_amount_picks_by_its_last_four_digits() {
        let picked = |amount: &str| behaviour_of_amount(amount.parse().unwrap());
        for amount in ["13.05", "113.05", "2713.050"] {
            assert_eq!(picked(amount), Some(Behaviour::TimeoutThenPaid), "{amount}");
        }
        for amount in ["692.49", "692.4971369219488", "1", "13", "3.05", "130.5", "1305", "13.051", "13.16", "100"] {
            assert_eq!(picked(amount), None, "{amount}");
        }
    }

    #[test]
    fn a_card_that_is_simply_paid_leaves_it_to_the_amount() {
        assert_eq!(behaviour_of_card("4111111111111111"), None);
        assert_eq!(behaviour_of_card("4012888888881881"), None);
        assert_eq!(behaviour_of_card("4000000000130502"), Some(Behaviour::TimeoutThenPaid));
    }
}
