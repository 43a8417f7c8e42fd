//! Until when a card works.

use chrono::{DateTime, Datelike, Utc};

/// Cards are issued for at most this many years ahead; a later year is a typing mistake.
const YEARS_AHEAD_MAX: i32 = 20;

/// The month after which a card no longer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardExpiry {
    /// Four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

/// Why a year and a month are not the expiry of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    #[error("an expiration year has 2 or 4 digits and starts with 20")]
    Year,
    #[error("an expiration month is 1 to 12")]
    Month,
    #[error("a card's expiration is at most 20 years ahead")]
    TooFarAhead,
}

impl CardExpiry {
    /// Reads `year` (`27` or `2027`) and `month` (`1`, `01` to `12`). A past expiry is read too: see [`CardExpiry::is_past`].
    pub fn parse(year: &str, month: &str, now: DateTime<Utc>) -> Result<Self, ExpiryError> {
        let year = match (year.len(), number(year)) {
            (2, Some(year)) => 2000 + year,
            (4, Some(year @ 2000..=2099)) => year,
            _ => return Err(ExpiryError::Year),
        };
        let month = match (month.len(), number(month)) {
            (1 | 2, Some(month @ 1..=12)) => u8::try_from(month).map_err(|_| ExpiryError::Month)?,
            _ => return Err(ExpiryError::Month),
        };
        if i32::from(year) > now.year() + YEARS_AHEAD_MAX {
            return Err(ExpiryError::TooFarAhead);
        }
        Ok(Self { year, month })
    }

    /// A card works until the end of its month, UTC.
    pub fn is_past(self, now: DateTime<Utc>) -> bool {
        (i32::from(self.year), u32::from(self.month)) < (now.year(), now.month())
    }
}

/// ASCII digits only: `u16::from_str` alone would take a plus sign.
fn number(text: &str) -> Option<u16> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn years_have_two_or_four_digits() {
        let now = at("2026-11-21T00:00:00Z");
        let june = CardExpiry { year: 2028, month: 6 };
        for (year, month) in [("28", "6"), ("28", "06"), ("2028", "6"), ("2028", "06")] {
            assert_eq!(CardExpiry::parse(year, month, now), Ok(june));
        }
        for year in ["", "8", "028", "02028", "1999", "2100", "-1", "+28", "2o28", "٢٨"] {
            assert_eq!(CardExpiry::parse(year, "6", now), Err(ExpiryError::Year), "{year}");
        }
        for month in ["", "0", "00", "13", "006", "-1", "+6", "six", "1.0"] {
            assert_eq!(CardExpiry::parse("28", month, now), Err(ExpiryError::Month), "{month}");
        }
    }

    #[test]
    fn an_expiry_is_at_most_twenty_years_ahead() {
        let now = at("2026-11-21T00:00:00Z");
        assert!(CardExpiry::parse("2046", "12", now).is_ok());
        assert_eq!(CardExpiry::parse("2047", "01", now), Err(ExpiryError::TooFarAhead));
        assert_eq!(CardExpiry::parse("99", "01", now), Err(ExpiryError::TooFarAhead));
    }

    #[test]
    fn a_card_works_to_the_last_moment_of_its_month() {
        let expiry = CardExpiry { year: 2026, month: 12 };
        assert!(!expiry.is_past(at("2026-01-31T00:00:00Z")));
        assert!(!expiry.is_past(at("2026-12-31T23:59:59.999999Z")));
        assert!(expiry.is_past(at("2027-01-01T00:00:00Z")));
        assert!(expiry.is_past(at("2030-06-01T00:00:00Z")));
    }

    #[test]
    fn a_past_expiry_is_read_and_told_apart() {
        let now = at("2026-11-21T00:00:00Z");
        assert!(CardExpiry::parse("26", "10", now).unwrap().is_past(now));
        assert!(!CardExpiry::parse("26", "11", now).unwrap().is_past(now));
    }
}
