//! Prices and rates: how much fiat a unit of crypto is worth, and what the user is given for it. Fetches nothing: where a price
//! comes from is the rate board's business.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::asset::AssetCode;
use super::exact::{self, Rounding};

/// The most decimals of a price.
const PRICE_SCALE_MAX: u8 = 12;
/// The most significant digits of a price: with the 8 decimals of a spread, a rate stays exact within a [`Decimal`]'s 28 digits.
const PRICE_DIGITS_MAX: u32 = 20;
/// The most decimals of a spread.
const SPREAD_SCALE_MAX: u32 = 8;
/// The decimals that a rate is shown with.
const RATE_SCALE_SHOWN: u8 = 6;

/// A currency pair, read "how many `to` for one `from`".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    pub from: AssetCode,
    pub to: AssetCode,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.from, self.to)
    }
}

/// A text that is not a pair of asset codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pair is written as two asset codes, as in BTC/EUR")]
pub struct PairError;

impl FromStr for Pair {
    type Err = PairError;

    fn from_str(text: &str) -> Result<Self, PairError> {
        let (from, to) = text.split_once('/').ok_or(PairError)?;
        Ok(Self { from: from.parse().map_err(|_| PairError)?, to: to.parse().map_err(|_| PairError)? })
    }
}

/// Why a number is not a price or a spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    #[error("a price is above zero")]
    PriceNotPositive,
    #[error("a price has at most 12 decimals and 20 significant digits")]
    PriceTooLong,
    #[error("a spread is at least 0 and below 1")]
    SpreadOutOfRange,
    #[error("a spread has at most 8 decimals")]
    SpreadTooLong,
}

/// How much of the target one unit of the source is worth, before any spread: positive, at most 12 decimals and 20 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Price(Decimal);

impl Price {
    /// Refuses digits that it would have to drop.
    pub fn new(price: Decimal) -> Result<Self, RateError> {
        let rounded = Self::round_down(price)?;
        if rounded.0 == price { Ok(rounded) } else { Err(RateError::PriceTooLong) }
    }

    /// Drops the digits that a price has no room for. Downwards is in the house's favour: less fiat for the same crypto.
    pub fn round_down(price: Decimal) -> Result<Self, RateError> {
        if price.mantissa() <= 0 {
            return Err(RateError::PriceNotPositive);
        }
        (0..=PRICE_SCALE_MAX)
            .rev()
            .filter_map(|scale| exact::round(price, scale, Rounding::Down).ok())
            .find(|rounded| rounded.mantissa() < 10_i128.pow(PRICE_DIGITS_MAX))
            .map_or(Err(RateError::PriceTooLong), |rounded| match rounded.normalize() {
                zero if zero.is_zero() => Err(RateError::PriceNotPositive),
                price => Ok(Self(price)),
            })
    }

    pub fn value(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The fraction of the price that the house keeps: 0.02 is 2 %. At least 0, below 1, at most 8 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spread(Decimal);

impl Spread {
    pub const NONE: Spread = Spread(Decimal::ZERO);

    pub fn new(fraction: Decimal) -> Result<Self, RateError> {
        let fraction = fraction.normalize();
        if fraction < Decimal::ZERO || fraction >= Decimal::ONE {
            return Err(RateError::SpreadOutOfRange);
        }
        if fraction.scale() > SPREAD_SCALE_MAX {
            return Err(RateError::SpreadTooLong);
        }
        Ok(Self(fraction))
    }

    pub fn value(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a user is given for one unit of the source: the price less the spread.
///
/// ```
/// use landfall::domain::rate::{Price, Rate, Spread};
/// use rust_decimal::Decimal;
///
/// let rate = Rate { price: Price::new(Decimal::new(9297, 4))?, spread: Spread::new(Decimal::new(2, 2))? };
/// assert_eq!(rate.value().to_string(), "0.911106");
/// # Ok::<(), landfall::domain::rate::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    pub price: Price,
    pub spread: Spread,
}

impl Rate {
    /// `price x (1 - spread)`, every digit of it: this is what amounts are computed with. Always above zero.
    pub fn value(&self) -> Decimal {
        let spread = self.spread.value();
        let kept = 10_i128.pow(spread.scale()) - spread.mantissa();
        // Below 10^20 x 10^8 with at most 12 + 8 decimals, by the bounds above, so it always fits.
        let mantissa = self.price.value().mantissa() * kept;
        Decimal::from_i128_with_scale(mantissa, self.price.value().scale() + spread.scale())
    }

    /// The rate as it is shown: 6 decimals, rounded down. Never computed with.
    pub fn shown(&self) -> Decimal {
        exact::round(self.value(), RATE_SCALE_SHOWN, Rounding::Down).unwrap_or_else(|_| self.value())
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn rate(price: Decimal, spread: Decimal) -> Rate {
        Rate { price: Price::new(price).unwrap(), spread: Spread::new(spread).unwrap() }
    }

    #[test]
    fn a_pair_survives_the_trip() {
        assert_eq!("BTC/EUR".parse::<Pair>().map(|pair| pair.to_string()), Ok("BTC/EUR".into()));
        for bad in ["", "BTC", "BTC/", "/EUR", "BTC/EUR/USD", "btc/eur"] {
            assert_eq!(bad.parse::<Pair>(), Err(PairError), "{bad:?}");
        }
    }

    #[test]
    fn a_price_is_positive_and_bounded() {
        assert_eq!(Price::new(dec!(0)), Err(RateError::PriceNotPositive));
        assert_eq!(Price::new(dec!(-1)), Err(RateError::PriceNotPositive));
        assert_eq!(Price::new(dec!(0.0000000000001)), Err(RateError::PriceNotPositive));
        assert_eq!(Price::new(dec!(1.0000000000001)), Err(RateError::PriceTooLong));
        assert_eq!(Price::new(dec!(1.0000000000000)).map(Price::value), Ok(dec!(1)));
        assert_eq!(Price::new(Decimal::MAX), Err(RateError::PriceTooLong));
        assert!(Price::new(dec!(99999999999999999999)).is_ok());
        assert_eq!(Price::new(dec!(100000000000000000000)), Err(RateError::PriceTooLong));
    }

    #[test]
    fn a_long_price_is_cut_down_never_up() {
        assert_eq!(Price::round_down(dec!(0.1234567890129)).map(Price::value), Ok(dec!(0.123456789012)));
        assert_eq!(
            Price::round_down(dec!(1644000000.9999999999999)).map(Price::value),
            Ok(dec!(1644000000.9999999999))
        );
        assert_eq!(Price::round_down(dec!(0.0000000000009)), Err(RateError::PriceNotPositive));
    }

    #[test]
    fn a_spread_is_a_fraction_below_one() {
        assert_eq!(Spread::new(dec!(-0.01)), Err(RateError::SpreadOutOfRange));
        assert_eq!(Spread::new(dec!(1)), Err(RateError::SpreadOutOfRange));
        assert_eq!(Spread::new(dec!(0.000000001)), Err(RateError::SpreadTooLong));
        assert_eq!(Spread::new(dec!(0.020)).map(Spread::value), Ok(dec!(0.02)));
        assert_eq!(Spread::new(dec!(0)), Ok(Spread::NONE));
    }

    #[test]
    fn a_rate_keeps_every_digit_and_shows_six() {
        let long = rate(dec!(0.929756789012), dec!(0.01234567));
        assert_eq!(long.value(), dec!(0.91827831851459822196));
        assert_eq!(long.shown(), dec!(0.918278));
        assert_eq!(rate(dec!(99999999999999999999), dec!(0.99999999)).value(), dec!(999999999999.99999999));
        assert_eq!(rate(dec!(0.000000000001), dec!(0.99999999)).shown(), dec!(0));
    }
}
