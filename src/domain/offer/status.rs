//! An offer's states and the one table of what may follow what. Decides nothing about money or time.

use std::fmt;
use std::str::FromStr;

/// Where an offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferStatus {
    /// Open to be changed or paid until it expires.
    Quoted,
    /// Its total is held and its payout request exists.
    Accepted,
    /// All of it reached the card.
    Paid,
    /// Some of it reached the card, and the rest was given back.
    PartlyPaid,
    /// Nothing reached the card, and all of it was given back.
    Released,
    /// Nobody paid it in time.
    Expired,
    /// It reached the card and came back, all of it or some.
    Returned,
}

/// What happens to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OfferEvent {
    /// Priced anew: the version rises and the clock restarts.
    Reprice,
    Accept,
    Expire,
    PayInFull,
    PayInPart,
    Release,
    /// A card credit came back. It may come back in several pieces, each an event of its own.
    Return,
}

/// An event that can't happen to an offer as it stands. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an offer that is {from} can't {event}")]
pub struct TransitionError {
    pub from: OfferStatus,
    pub event: OfferEvent,
}

impl OfferStatus {
    pub const ALL: [OfferStatus; 7] = [
        OfferStatus::Quoted,
        OfferStatus::Accepted,
        OfferStatus::Paid,
        OfferStatus::PartlyPaid,
        OfferStatus::Released,
        OfferStatus::Expired,
        OfferStatus::Returned,
    ];

    /// The status after `event`: `quoted -> accepted -> paid | partly_paid | released`, `quoted -> expired`,
    /// `paid | partly_paid -> returned`.
    ///
    /// ```
    /// use landfall::domain::offer::{OfferEvent, OfferStatus};
    ///
    /// assert_eq!(OfferStatus::Quoted.apply(OfferEvent::Accept), Ok(OfferStatus::Accepted));
    /// assert!(OfferStatus::Expired.apply(OfferEvent::Accept).is_err());
    /// ```
    pub fn apply(self, event: OfferEvent) -> Result<OfferStatus, TransitionError> {
        use OfferEvent::{Accept, Expire, PayInFull, PayInPart, Release, Reprice, Return};
        use OfferStatus::{Accepted, Expired, Paid, PartlyPaid, Quoted, Released, Returned};

        match (self, event) {
            (Quoted, Reprice) => Ok(Quoted),
            (Quoted, Accept) => Ok(Accepted),
            (Quoted, Expire) => Ok(Expired),
            (Accepted, PayInFull) => Ok(Paid),
            (Accepted, PayInPart) => Ok(PartlyPaid),
            (Accepted, Release) => Ok(Released),
            (Paid | PartlyPaid | Returned, Return) => Ok(Returned),

            (Quoted, PayInFull | PayInPart | Release | Return)
            | (Accepted, Reprice | Accept | Expire | Return)
            | (Paid | PartlyPaid | Returned, Reprice | Accept | Expire | PayInFull | PayInPart | Release)
            | (Released | Expired, Reprice | Accept | Expire | PayInFull | PayInPart | Release | Return) => {
                Err(TransitionError { from: self, event })
            }
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            OfferStatus::Quoted => "quoted",
            OfferStatus::Accepted => "accepted",
            OfferStatus::Paid => "paid",
            OfferStatus::PartlyPaid => "partly_paid",
            OfferStatus::Released => "released",
            OfferStatus::Expired => "expired",
            OfferStatus::Returned => "returned",
        }
    }
}

impl fmt::Display for OfferStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no offer status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an offer status")]
pub struct OfferStatusError;

impl FromStr for OfferStatus {
    type Err = OfferStatusError;

    fn from_str(text: &str) -> Result<Self, OfferStatusError> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(OfferStatusError)
    }
}

impl OfferEvent {
    pub const ALL: [OfferEvent; 7] = [
        OfferEvent::Reprice,
        OfferEvent::Accept,
        OfferEvent::Expire,
        OfferEvent::PayInFull,
        OfferEvent::PayInPart,
        OfferEvent::Release,
        OfferEvent::Return,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            OfferEvent::Reprice => "be priced anew",
            OfferEvent::Accept => "be accepted",
            OfferEvent::Expire => "expire",
            OfferEvent::PayInFull => "be paid in full",
            OfferEvent::PayInPart => "be paid in part",
            OfferEvent::Release => "be released",
            OfferEvent::Return => "be returned",
        }
    }
}

impl fmt::Display for OfferEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_transitions_happen() {
        use OfferStatus::{Accepted, Expired, Paid, PartlyPaid, Quoted, Released, Returned};
        let allowed = [
            (Quoted, OfferEvent::Reprice, Quoted),
            (Quoted, OfferEvent::Accept, Accepted),
            (Quoted, OfferEvent::Expire, Expired),
            (Accepted, OfferEvent::PayInFull, Paid),
            (Accepted, OfferEvent::PayInPart, PartlyPaid),
            (Accepted, OfferEvent::Release, Released),
            (Paid, OfferEvent::Return, Returned),
            (PartlyPaid, OfferEvent::Return, Returned),
            (Returned, OfferEvent::Return, Returned),
        ];
        for from in OfferStatus::ALL {
            for event in OfferEvent::ALL {
                let wanted = allowed
                    .iter()
                    .find(|(status, happens, _)| (*status, *happens) == (from, event))
                    .map_or(Err(TransitionError { from, event }), |(_, _, to)| Ok(*to));
                assert_eq!(from.apply(event), wanted, "{from} {event}");
            }
        }
    }

    #[test]
    fn statuses_survive_the_trip() {
        for status in OfferStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("QUOTED".parse::<OfferStatus>(), Err(OfferStatusError));
    }

    #[test]
    fn a_refused_transition_says_what_and_why() {
        let refused = OfferStatus::Expired.apply(OfferEvent::Accept).unwrap_err();
        assert_eq!(refused.to_string(), "an offer that is expired can't be accepted");
    }
}
