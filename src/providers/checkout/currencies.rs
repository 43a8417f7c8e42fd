//! Amounts as Checkout.com counts them. Its minor units aren't ISO 4217's: a Chilean peso, which has none there, has two here, and the last
//! digit of what has three is always a zero.
//!
//! Source: "Format the amount value" (<https://www.checkout.com/docs/payments/accept-payments/format-the-amount-value>), December 2025, for
//! the decimals; the official SDKs' list of currencies for which there are, without those that are withdrawn or under sanctions. Which of
//! them an account may pay out in is agreed with Checkout.com.

use rust_decimal::Decimal;

use crate::domain::asset::AssetCode;
use crate::providers::minor_units::MinorUnits;

/// "Not contain more than nine digits".
const MINOR_MAX: i64 = 999_999_999;

pub const UNITS: MinorUnits = MinorUnits(&[
    // "The full amount".
    ("BIF", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("ISK", 0),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("PYG", 0),
    ("RWF", 0),
    ("UGX", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
    // "Divided by 1000".
    ("BHD", 3),
    ("IQD", 3),
    ("JOD", 3),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("TND", 3),
    // "Divided by 100": all others.
    ("AED", 2),
    ("ALL", 2),
    ("AMD", 2),
    ("AOA", 2),
    ("ARS", 2),
    ("AUD", 2),
    ("AWG", 2),
    ("AZN", 2),
    ("BAM", 2),
    ("BBD", 2),
    ("BDT", 2),
    ("BMD", 2),
    ("BND", 2),
    ("BOB", 2),
    ("BRL", 2),
    ("BSD", 2),
    ("BTN", 2),
    ("BWP", 2),
    ("BZD", 2),
    ("CAD", 2),
    ("CDF", 2),
    ("CHF", 2),
    ("CLP", 2),
    ("CNY", 2),
    ("COP", 2),
    ("CRC", 2),
    ("CVE", 2),
    ("CZK", 2),
    ("DKK", 2),
    ("DOP", 2),
    ("DZD", 2),
    ("EGP", 2),
    ("ETB", 2),
    ("EUR", 2),
    ("FJD", 2),
    ("FKP", 2),
    ("GBP", 2),
    ("GEL", 2),
    ("GHS", 2),
    ("GIP", 2),
    ("GMD", 2),
    ("GTQ", 2),
    ("GYD", 2),
    ("HKD", 2),
    ("HNL", 2),
    ("HTG", 2),
    ("HUF", 2),
    ("IDR", 2),
    ("ILS", 2),
    ("INR", 2),
    ("JMD", 2),
    ("KES", 2),
    ("KGS", 2),
    ("KHR", 2),
    ("KYD", 2),
    ("KZT", 2),
    ("LAK", 2),
    ("LBP", 2),
    ("LKR", 2),
    ("LRD", 2),
    ("LSL", 2),
    ("MAD", 2),
    ("MDL", 2),
    ("MGA", 2),
    ("MKD", 2),
    ("MNT", 2),
    ("MOP", 2),
    ("MRU", 2),
    ("MUR", 2),
    ("MVR", 2),
    ("MWK", 2),
    ("MXN", 2),
    ("MYR", 2),
    ("MZN", 2),
    ("NAD", 2),
    ("NGN", 2),
    ("NIO", 2),
    ("NOK", 2),
    ("NPR", 2),
    ("NZD", 2),
    ("PAB", 2),
    ("PEN", 2),
    ("PGK", 2),
    ("PHP", 2),
    ("PKR", 2),
    ("PLN", 2),
    ("QAR", 2),
    ("RON", 2),
    ("RSD", 2),
    ("SAR", 2),
    ("SBD", 2),
    ("SCR", 2),
    ("SEK", 2),
    ("SGD", 2),
    ("SHP", 2),
    ("SRD", 2),
    ("SZL", 2),
    ("THB", 2),
    ("TJS", 2),
    ("TMT", 2),
    ("TOP", 2),
    ("TRY", 2),
    ("TTD", 2),
    ("TWD", 2),
    ("TZS", 2),
    ("UAH", 2),
    ("USD", 2),
    ("UYU", 2),
    ("UZS", 2),
    ("WST", 2),
    ("XCD", 2),
    ("ZAR", 2),
    ("ZMW", 2),
]);

/// An amount in minor units; `None` if Checkout.com wouldn't take it: digits would be lost, there are too many of them, or the currency
/// isn't in the table.
pub fn to_minor(amount: Decimal, currency: AssetCode) -> Option<i64> {
    let minor = UNITS.to_minor(amount, currency)?;
    // "The last digit must always be a 0"; for the Chilean peso the last two.
    let step = match (UNITS.scale(currency)?, currency.as_str()) {
        (_, "CLP") => 100,
        (3, _) => 10,
        _ => 1,
    };
    (minor <= MINOR_MAX && minor % step == 0).then_some(minor)
}

/// What an answer's number of minor units is; `None` if it is no amount of the currency.
pub fn of_minor(minor: i64, currency: AssetCode) -> Option<Decimal> {
    UNITS.of_minor(minor, currency).filter(|amount| *amount > Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rust_decimal::dec;

    use super::*;

    fn asset(code: &str) -> AssetCode {
        code.parse().unwrap()
    }

    #[test]
    fn no_currency_stands_there_twice_and_each_is_a_code() {
        let codes: BTreeSet<_> = UNITS.0.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), UNITS.0.len());
        assert_eq!(UNITS.currencies().len(), UNITS.0.len());
    }

    #[test]
    fn amounts_are_the_providers_minor_units() {
        for (amount, currency, minor) in [
            (dec!(692.49), "EUR", 69_249),
            (dec!(100), "JPY", 100),
            (dec!(100), "ISK", 100),
            (dec!(100), "BHD", 100_000),
            (dec!(1.31), "KWD", 1_310),
            (dec!(5000), "CLP", 500_000),
            (dec!(9999999.99), "EUR", 999_999_999),
        ] {
            assert_eq!(to_minor(amount, asset(currency)), Some(minor), "{amount} {currency}");
            assert_eq!(of_minor(minor, asset(currency)), Some(amount), "{minor} {currency}");
        }
    }

    #[test]
    fn amounts_that_the_provider_would_refuse_are_not_written() {
        for (amount, currency) in [
            (dec!(1.312), "KWD"),
            (dec!(5000.50), "CLP"),
            (dec!(0.5), "JPY"),
            (dec!(1.001), "EUR"),
            (dec!(10000000.00), "EUR"),
            (dec!(0), "EUR"),
            (dec!(-1), "EUR"),
            (dec!(1), "XBT"),
            (dec!(1), "RUB"),
        ] {
            assert_eq!(to_minor(amount, asset(currency)), None, "{amount} {currency}");
        }
        assert_eq!(
            (of_minor(0, asset("EUR")), of_minor(-1, asset("EUR")), of_minor(1, asset("XBT"))),
            (None, None, None)
        );
    }
}
