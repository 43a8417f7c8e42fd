//! The currencies that TabaPay is asked to pay in: their ISO 4217 numbers, which is how it names them, and how many decimals an amount has.
//! Only currencies with two decimals stand here: for the others TabaPay documents no way of writing an amount.

use crate::domain::asset::AssetCode;
use crate::providers::minor_units::MinorUnits;

/// Codes with their numbers: ISO 4217.
pub const NUMBERS: [(&str, &str); 17] = [
    ("USD", "840"),
    ("CAD", "124"),
    ("EUR", "978"),
    ("GBP", "826"),
    ("AUD", "036"),
    ("CHF", "756"),
    ("CZK", "203"),
    ("DKK", "208"),
    ("HKD", "344"),
    ("HUF", "348"),
    ("MXN", "484"),
    ("NOK", "578"),
    ("NZD", "554"),
    ("PLN", "985"),
    ("RON", "946"),
    ("SEK", "752"),
    ("SGD", "702"),
];

/// Codes with their decimals, in the same order.
pub const UNITS: MinorUnits = MinorUnits(&[
    ("USD", 2),
    ("CAD", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("AUD", 2),
    ("CHF", 2),
    ("CZK", 2),
    ("DKK", 2),
    ("HKD", 2),
    ("HUF", 2),
    ("MXN", 2),
    ("NOK", 2),
    ("NZD", 2),
    ("PLN", 2),
    ("RON", 2),
    ("SEK", 2),
    ("SGD", 2),
]);

/// What TabaPay calls a currency: three digits. `None` if it isn't asked to pay in it.
pub fn number(currency: AssetCode) -> Option<&'static str> {
    NUMBERS.iter().find(|(code, _)| *code == currency.as_str()).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_currency_has_a_number_of_its_own_and_its_decimals() {
        let codes: Vec<_> = NUMBERS.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, UNITS.0.iter().map(|(code, _)| *code).collect::<Vec<_>>());
        assert_eq!(UNITS.currencies().len(), codes.len(), "each is a currency's code");
        let mut numbers: Vec<_> = NUMBERS.iter().map(|(_, number)| *number).collect();
        assert!(numbers.iter().all(|number| number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit())));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), codes.len());
        assert_eq!(number("USD".parse().unwrap()), Some("840"));
        assert_eq!(number("AUD".parse().unwrap()), Some("036"), "its zero is a part of it");
        assert_eq!(number("JPY".parse().unwrap()), None);
    }
}
