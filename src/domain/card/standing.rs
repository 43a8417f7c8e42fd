//! Whether a stored card may be paid out to: the `validationStatus` that the wallet shows.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::CardExpiry;

/// A stored card's standing, as the wallet API names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ValidationStatus {
    Approved,
    /// Waits for a screening or a provider's check, which a job or staff settles.
    Pending,
    Declined,
    Expired,
}

/// A text that names no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a known validation status")]
pub struct UnknownStatus;

impl ValidationStatus {
    pub const ALL: [Self; 4] = [Self::Approved, Self::Pending, Self::Declined, Self::Expired];

    /// The name on the wire and in rows: `APPROVED`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::Pending => "PENDING",
            Self::Declined => "DECLINED",
            Self::Expired => "EXPIRED",
        }
    }
}

impl fmt::Display for ValidationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ValidationStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// What a configured screening, or a provider's own check of the card, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screening {
    /// None is configured: the checks on the number alone decide.
    NotRequired,
    Open,
    Passed,
    Refused,
}

/// The standing at `now` of a card whose number passed [`super::identify`]. `blocked` says that a block list names it.
/// A refusal outlives the expiry: a blocked card must not look merely old.
pub fn validation_status(
    expiry: CardExpiry,
    blocked: bool,
    screening: Screening,
    now: DateTime<Utc>,
) -> ValidationStatus {
    match screening {
        _ if blocked => ValidationStatus::Declined,
        Screening::Refused => ValidationStatus::Declined,
        _ if expiry.is_past(now) => ValidationStatus::Expired,
        Screening::Open => ValidationStatus::Pending,
        Screening::Passed | Screening::NotRequired => ValidationStatus::Approved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY: CardExpiry = CardExpiry { year: 2027, month: 5 };

    fn status(blocked: bool, screening: Screening, now: &str) -> ValidationStatus {
        validation_status(EXPIRY, blocked, screening, now.parse().unwrap())
    }

    #[test]
    fn a_card_is_pending_only_while_a_screening_is_open() {
        let now = "2027-05-31T23:59:59Z";
        assert_eq!(status(false, Screening::NotRequired, now), ValidationStatus::Approved);
        assert_eq!(status(false, Screening::Passed, now), ValidationStatus::Approved);
        assert_eq!(status(false, Screening::Open, now), ValidationStatus::Pending);
        assert_eq!(status(false, Screening::Refused, now), ValidationStatus::Declined);
    }

    #[test]
    fn a_blocked_card_is_declined_whatever_else_holds() {
        for screening in [Screening::NotRequired, Screening::Open, Screening::Passed, Screening::Refused] {
            assert_eq!(status(true, screening, "2027-05-01T00:00:00Z"), ValidationStatus::Declined);
            assert_eq!(status(true, screening, "2029-05-01T00:00:00Z"), ValidationStatus::Declined);
        }
    }

    #[test]
    fn an_old_card_expires_unless_it_was_refused() {
        let after = "2027-06-01T00:00:00Z";
        assert_eq!(status(false, Screening::NotRequired, after), ValidationStatus::Expired);
        assert_eq!(status(false, Screening::Open, after), ValidationStatus::Expired);
        assert_eq!(status(false, Screening::Refused, after), ValidationStatus::Declined);
    }

    #[test]
    fn rows_and_wire_name_a_status_alike() {
        for status in ValidationStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("approved".parse::<ValidationStatus>(), Err(UnknownStatus));
    }
}
