//! Amounts as whole numbers of a currency's smallest unit, by a table of the provider's own: providers differ from ISO 4217, and from each
//! other, in how many decimals a currency has.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::asset::AssetCode;
use crate::domain::exact;

/// The currencies that a provider pays in, with the decimals that it counts them with.
#[derive(Clone, Copy, Debug)]
pub struct MinorUnits(pub &'static [(&'static str, u8)]);

impl MinorUnits {
    /// The decimals of a currency; `None` if the provider doesn't pay in it.
    pub fn scale(self, currency: AssetCode) -> Option<u8> {
        self.0.iter().find(|(code, _)| *code == currency.as_str()).map(|(_, scale)| *scale)
    }

    /// A positive amount in minor units; `None` if digits would be lost, it doesn't fit, or the currency isn't the provider's.
    pub fn to_minor(self, amount: Decimal, currency: AssetCode) -> Option<i64> {
        let rescaled = exact::rescale(amount, self.scale(currency)?).ok()??;
        Decimal::from(rescaled.mantissa()).to_i64().filter(|minor| *minor > 0)
    }

    /// The amount with the currency's decimals; `None` as in [`Self::to_minor`].
    pub fn to_text(self, amount: Decimal, currency: AssetCode) -> Option<String> {
        let rescaled = exact::rescale(amount, self.scale(currency)?).ok()??;
        (rescaled > Decimal::ZERO).then(|| rescaled.to_string())
    }

    /// What a number of minor units is; `None` if the currency isn't the provider's.
    pub fn of_minor(self, minor: i64, currency: AssetCode) -> Option<Decimal> {
        Some(Decimal::new(minor, u32::from(self.scale(currency)?)))
    }

    /// The currencies, in the table's order.
    pub fn currencies(self) -> Vec<AssetCode> {
        self.0.iter().filter_map(|(code, _)| code.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    const UNITS: MinorUnits = MinorUnits(&[("EUR", 2), ("JPY", 0), ("KWD", 3)]);

    fn asset(code: &str) -> AssetCode {
        code.parse().unwrap()
    }

    #[test]
    fn amounts_are_written_exactly_or_not_at_all() {
        assert_eq!(UNITS.to_minor(dec!(692.49), asset("EUR")), Some(69_249));
        assert_eq!(UNITS.to_minor(dec!(692.490), asset("EUR")), Some(69_249));
        assert_eq!(UNITS.to_minor(dec!(692), asset("JPY")), Some(692));
        assert_eq!(UNITS.to_minor(dec!(1.234), asset("KWD")), Some(1_234));
        for (amount, currency) in [
            (dec!(692.491), "EUR"),
            (dec!(692.5), "JPY"),
            (dec!(1), "USD"),
            (dec!(0), "EUR"),
            (dec!(-1), "EUR"),
            (dec!(92233720368547758.08), "EUR"),
        ] {
            assert_eq!(UNITS.to_minor(amount, asset(currency)), None, "{amount} {currency}");
        }
        assert_eq!(UNITS.to_text(dec!(5), asset("EUR")).as_deref(), Some("5.00"));
        assert_eq!(UNITS.to_text(dec!(5), asset("JPY")).as_deref(), Some("5"));
        assert_eq!(UNITS.to_text(dec!(5.5), asset("JPY")), None);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for (amount, currency) in
            [(dec!(0.01), "EUR"), (dec!(123456.78), "EUR"), (dec!(7), "JPY"), (dec!(0.001), "KWD")]
        {
            let minor = UNITS.to_minor(amount, asset(currency)).unwrap();
            assert_eq!(UNITS.of_minor(minor, asset(currency)), Some(amount));
        }
        assert_eq!(UNITS.of_minor(1, asset("USD")), None);
    }
}
