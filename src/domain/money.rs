//! Money: an amount with its asset. Owns the rule that amounts of different assets never meet, and that no amount has more
//! decimals than its asset; knows no rate, so it never converts.

use std::cmp::Ordering;
use std::fmt;

use rust_decimal::Decimal;

use super::asset::Asset;
use super::exact::{self, AmountError, ArithmeticError, Rounding};

/// The most digits before the point that an amount read from outside may have.
const INTEGER_DIGITS_MAX: u8 = 15;

/// An amount of one asset, counted in whole units of 10^-scale. It may be negative: a posting is.
///
/// ```
/// use landfall::domain::asset::{Asset, AssetKind};
/// use landfall::domain::money::{Money, MoneyError};
/// use rust_decimal::Decimal;
///
/// let eur = Asset { code: "EUR".parse()?, kind: AssetKind::Fiat, scale: 2 };
/// let usd = Asset { code: "USD".parse()?, kind: AssetKind::Fiat, scale: 2 };
///
/// let fee = Money::new(Decimal::new(125, 1), eur)?;
/// assert_eq!(fee.to_string(), "12.50 EUR");
/// assert_eq!(fee.add(&fee)?.to_string(), "25.00 EUR");
/// assert_eq!(fee.sub(&Money::zero(usd)), Err(MoneyError::MixedAssets { left: eur.code, right: usd.code }));
/// assert_eq!(Money::new(Decimal::new(12_505, 3), eur), Err(MoneyError::TooPrecise { asset: eur.code, scale: 2 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Has exactly the asset's decimals, so that equal money has one form.
    amount: Decimal,
    asset: Asset,
}

/// Why an operation on money has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("{left} and {right} can't be mixed")]
    MixedAssets { left: super::asset::AssetCode, right: super::asset::AssetCode },
    #[error("{asset} has only {scale} decimals")]
    TooPrecise { asset: super::asset::AssetCode, scale: u8 },
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

impl Money {
    /// Refuses an amount with more decimals than the asset has; trailing zeros don't count.
    pub fn new(amount: Decimal, asset: Asset) -> Result<Self, MoneyError> {
        match exact::rescale(amount, asset.scale)? {
            Some(amount) => Ok(Self { amount, asset }),
            None => Err(MoneyError::TooPrecise { asset: asset.code, scale: asset.scale }),
        }
    }

    /// `amount` with the digits beyond the asset's scale rounded as named.
    pub fn rounded(amount: Decimal, asset: Asset, rounding: Rounding) -> Result<Self, MoneyError> {
        Ok(Self { amount: exact::round(amount, asset.scale, rounding)?, asset })
    }

    /// Reads a JSON number's or string's own text; see [`exact::parse_amount`].
    pub fn parse(text: &str, asset: Asset) -> Result<Self, AmountError> {
        Ok(Self { amount: exact::parse_amount(text, asset.scale, INTEGER_DIGITS_MAX)?, asset })
    }

    /// `count` of the asset's smallest units: cents, satoshi.
    pub fn from_units(count: i128, asset: Asset) -> Result<Self, MoneyError> {
        Ok(Self { amount: exact::from_units(count, asset.scale)?, asset })
    }

    pub fn zero(asset: Asset) -> Self {
        // A scale beyond what a decimal holds can't be configured; zero without decimals is still zero.
        Self { amount: exact::from_units(0, asset.scale).unwrap_or(Decimal::ZERO), asset }
    }

    pub fn amount(&self) -> Decimal {
        self.amount
    }

    pub fn asset(&self) -> Asset {
        self.asset
    }

    /// The amount in the asset's smallest units.
    pub fn units(&self) -> i128 {
        self.amount.mantissa()
    }

    pub fn is_zero(&self) -> bool {
        self.amount.is_zero()
    }

    /// Below zero; zero itself is not.
    pub fn is_negative(&self) -> bool {
        self.amount.mantissa() < 0
    }

    /// Above zero.
    pub fn is_positive(&self) -> bool {
        self.amount.mantissa() > 0
    }

    pub fn add(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same_asset(other)?;
        Self::new(exact::add(self.amount, other.amount)?, self.asset)
    }

    pub fn sub(&self, other: &Self) -> Result<Self, MoneyError> {
        self.same_asset(other)?;
        Self::new(exact::sub(self.amount, other.amount)?, self.asset)
    }

    #[must_use]
    pub fn neg(&self) -> Self {
        // Negating through the mantissa leaves no negative zero behind.
        match Self::from_units(-self.units(), self.asset) {
            Ok(negated) => negated,
            Err(_) => Self { amount: -self.amount, asset: self.asset },
        }
    }

    /// Compares within an asset.
    pub fn compare(&self, other: &Self) -> Result<Ordering, MoneyError> {
        self.same_asset(other)?;
        Ok(self.amount.cmp(&other.amount))
    }

    /// Whether this is at least `other` and of the same asset: what a balance must be to an amount.
    pub fn covers(&self, other: &Self) -> bool {
        self.compare(other).is_ok_and(Ordering::is_ge)
    }

    fn same_asset(&self, other: &Self) -> Result<(), MoneyError> {
        if self.asset == other.asset {
            Ok(())
        } else {
            Err(MoneyError::MixedAssets { left: self.asset.code, right: other.asset.code })
        }
    }
}

impl PartialOrd for Money {
    /// `None` between different assets.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.compare(other).ok()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.asset)
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::asset::AssetKind;

    fn asset(code: &str, scale: u8) -> Asset {
        Asset { code: code.parse().unwrap(), kind: AssetKind::Fiat, scale }
    }

    fn eur(amount: Decimal) -> Money {
        Money::new(amount, asset("EUR", 2)).unwrap()
    }

    #[test]
    fn equal_money_has_one_form() {
        assert_eq!(eur(dec!(12.5)), eur(dec!(12.500)));
        assert_eq!(eur(dec!(12.5)).to_string(), "12.50 EUR");
        assert_eq!(eur(dec!(12.5)).units(), 1250);
        assert_eq!(eur(dec!(0)).neg(), eur(dec!(0)));
        assert_eq!(Money::zero(asset("JPY", 0)).to_string(), "0 JPY");
    }

    #[test]
    fn assets_never_mix() {
        let (euro, dollar) = (eur(dec!(1)), Money::new(dec!(1), asset("USD", 2)).unwrap());
        assert!(matches!(euro.add(&dollar), Err(MoneyError::MixedAssets { .. })));
        assert!(matches!(euro.sub(&dollar), Err(MoneyError::MixedAssets { .. })));
        assert!(matches!(euro.compare(&dollar), Err(MoneyError::MixedAssets { .. })));
        assert_eq!(euro.partial_cmp(&dollar), None);
        assert!(!euro.covers(&dollar));
        // One code at two scales is a mistake somewhere, and is not added up either.
        assert!(euro.add(&Money::zero(asset("EUR", 3))).is_err());
    }

    #[test]
    fn digits_beyond_the_scale_are_refused_or_rounded_by_name() {
        assert!(Money::new(dec!(0.001), asset("EUR", 2)).is_err());
        assert_eq!(Money::rounded(dec!(0.001), asset("EUR", 2), Rounding::Up), Ok(eur(dec!(0.01))));
        assert_eq!(Money::rounded(dec!(0.009), asset("EUR", 2), Rounding::Down), Ok(eur(dec!(0))));
    }

    #[test]
    fn sums_and_comparisons_hold_below_zero_too() {
        let owed = eur(dec!(1.10)).sub(&eur(dec!(2.20))).unwrap();
        assert_eq!(owed, eur(dec!(1.1)).neg());
        assert!(owed.is_negative() && !owed.is_positive() && !owed.is_zero());
        assert!(owed < eur(dec!(0)));
        assert!(eur(dec!(2.20)).covers(&eur(dec!(2.2))) && !eur(dec!(2.19)).covers(&eur(dec!(2.2))));
    }

    #[test]
    fn money_too_large_to_hold_is_an_error() {
        let most = Money::from_units(Decimal::MAX.mantissa(), asset("EUR", 2)).unwrap();
        assert_eq!(most.add(&most), Err(MoneyError::Arithmetic(ArithmeticError::Overflow)));
        assert_eq!(most.neg().neg(), most);
    }
}
