//! What an address may carry after its question mark.

use std::fmt::Display;
use std::str::FromStr;

use chrono::DateTime;

use super::error::PageError;
use crate::domain::card::strike_numbers;
use crate::staff::desk::After;

/// The longest text that is looked for, in characters: the longest customer reference.
const TEXT_CHARS_MAX: usize = 255;

/// Where the next page begins, as an address carries it.
pub fn after_text<Id: Display>(after: &After<Id>) -> String {
    format!("{}.{}", after.at.timestamp_micros(), after.id)
}

/// Reads [`after_text`]; an address that was tampered with leads nowhere.
pub fn parse_after<Id: FromStr>(text: Option<&str>) -> Result<Option<After<Id>>, PageError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let read = || {
        let (at, id) = text.split_once('.')?;
        // Four-digit years only: what lies beyond them PostgreSQL might not take.
        let at =
            DateTime::from_timestamp_micros(at.parse().ok()?).filter(|at| at.timestamp().abs() < 253_402_300_800)?;
        Some(After { at, id: id.parse().ok()? })
    };
    read().map(Some).ok_or(PageError::NotFound)
}

/// What became of a text that somebody looks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    Nothing,
    Text(String),
    /// It looks like a card number: it is neither looked for nor shown again.
    CardNumber,
    TooLong,
}

/// What somebody typed into a search field.
pub fn typed(text: Option<&str>) -> Typed {
    let text = text.unwrap_or("").trim();
    if text.is_empty() {
        Typed::Nothing
    } else if text.chars().count() > TEXT_CHARS_MAX || text.contains('\0') {
        Typed::TooLong
    } else if strike_numbers(text) != text {
        Typed::CardNumber
    } else {
        Typed::Text(text.to_owned())
    }
}

/// What is said to somebody who typed a card number.
pub const CARD_NUMBER_TYPED: &str =
    "This looks like a card number. Never type one here: search by its last four digits instead.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::OfferId;

    #[test]
    fn a_cursor_survives_its_address_and_a_broken_one_is_refused() {
        let after = After { at: DateTime::from_timestamp_micros(1_763_719_323_000_123).unwrap(), id: OfferId(42) };
        assert_eq!(parse_after(Some(&after_text(&after))).unwrap(), Some(after));
        assert_eq!(parse_after::<OfferId>(None).unwrap(), None);
        for bad in ["1", ".", "x.42", "1.x", "9223372036854775807.42", "1.42.42"] {
            assert!(parse_after::<OfferId>(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_card_number_is_not_looked_for() {
        assert_eq!(typed(Some(" 4111 1111 1111 1111 ")), Typed::CardNumber);
        assert_eq!(typed(Some(" ada ")), Typed::Text("ada".into()));
        assert_eq!(typed(Some("   ")), Typed::Nothing);
        assert_eq!(typed(Some(&"x".repeat(256))), Typed::TooLong);
    }
}
