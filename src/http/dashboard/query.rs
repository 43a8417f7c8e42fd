//! What an address may carry after its question mark.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;

use super::error::PageError;
use crate::domain::asset::AssetCode;
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
pub const CARD_NUMBER_TYPED: &str = "This looks like a card number. Never type one here: search by its last four digits, or paste it into the search at the top.";

/// An amount as people say it: `1 000.50`, `1000,50 EUR`. `None`: it is none, or more digits than can be one.
pub fn parse_amount(text: &str) -> Option<(Decimal, Option<AssetCode>)> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '\'').collect();
    let digits = plain.trim_matches(|c: char| c.is_ascii_alphabetic());
    let code = plain.replacen(digits, "", 1);
    let code = if code.is_empty() { None } else { Some(code.to_ascii_uppercase().parse().ok()?) };
    let number = match (digits.contains('.'), digits.matches(',').count()) {
        // Commas between thousands, or the decimal point of much of the world.
        (true, _) => digits.replace(',', ""),
        (false, 1) => digits.replace(',', "."),
        (false, _) => digits.replace(',', ""),
    };
    let is_number = number.len() <= 28 && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let amount = Decimal::from_str_exact(&number).ok().filter(|amount| is_number && *amount > Decimal::ZERO)?;
    Some((amount, code))
}

/// A day, or a day and a time, in UTC.
pub fn parse_when(text: &str, of_a_day: NaiveTime) -> Option<DateTime<Utc>> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(of_a_day));
    let minute = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok();
    let second = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok();
    let at = second().or_else(minute).or_else(day)?.and_utc();
    // What lies beyond PostgreSQL might not take.
    (0..253_402_300_800).contains(&at.timestamp()).then_some(at)
}

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

    #[test]
    fn an_amount_is_read_as_people_say_it() {
        use rust_decimal::dec;
        let amount = |text| parse_amount(text).map(|(amount, code)| (amount, code.map(|code| code.to_string())));
        assert_eq!(amount("91.11"), Some((dec!(91.11), None)));
        assert_eq!(amount("1 000,50 eur"), Some((dec!(1000.50), Some("EUR".to_owned()))));
        assert_eq!(amount("USDT 1,000.5"), Some((dec!(1000.5), Some("USDT".to_owned()))));
        assert_eq!(amount("1\u{202f}000\u{a0}000.00"), Some((dec!(1000000.00), None)));
        for none in ["", "EUR", "-1", "0", "1.2.3", "1e5", "abc1def2", "99999999999999999999999999999999"] {
            assert_eq!(amount(none), None, "{none}");
        }
    }
}
