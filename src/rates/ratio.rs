//! A positive fraction of whole numbers, exact: `Decimal` rounds products to 28 digits without a word, and 1 / ask seldom
//! ends. Prices stay fractions until they leave the board, where they are rounded once, and down.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint};
use num_traits::{Signed, ToPrimitive, Zero};
use rust_decimal::Decimal;

/// The decimals that a price leaves the board with.
pub const PRICE_DECIMALS: u32 = 12;

/// `numerator / denominator`, both positive; not reduced. Equal when the fractions are: 1/2 is 2/4.
#[derive(Clone, Debug)]
pub struct Ratio {
    numerator: BigUint,
    denominator: BigUint,
}

impl Ratio {
    /// The same number, or nothing for zero and below.
    pub fn from_decimal(value: Decimal) -> Option<Self> {
        if value <= Decimal::ZERO {
            return None;
        }
        let numerator = BigUint::from(value.mantissa().unsigned_abs());
        Some(Self { numerator, denominator: BigUint::from(10_u32).pow(value.scale()) })
    }

    pub fn inverse(self) -> Self {
        Self { numerator: self.denominator, denominator: self.numerator }
    }

    pub fn times(&self, other: &Self) -> Self {
        Self { numerator: &self.numerator * &other.numerator, denominator: &self.denominator * &other.denominator }
    }

    /// Half way between the two.
    pub fn middle(&self, other: &Self) -> Self {
        Self {
            numerator: &self.numerator * &other.denominator + &other.numerator * &self.denominator,
            denominator: (&self.denominator * &other.denominator) << 1_u32,
        }
    }

    /// Whether `self` is at most `fraction` of `center` away from `center`. A negative fraction is nobody's distance.
    pub fn is_within(&self, fraction: Decimal, center: &Self) -> bool {
        let of_self = BigInt::from(&self.numerator * &center.denominator);
        let of_center = BigInt::from(&center.numerator * &self.denominator);
        let distance = (&of_self - &of_center).abs();
        distance * BigInt::from(10_u32).pow(fraction.scale()) <= of_center * BigInt::from(fraction.mantissa())
    }

    /// As a decimal with [`PRICE_DECIMALS`] decimals, rounded **down**, trailing zeros dropped; nothing if that is zero or
    /// more than a `Decimal` holds.
    pub fn round_down(&self) -> Option<Decimal> {
        let units = &self.numerator * BigUint::from(10_u32).pow(PRICE_DECIMALS) / &self.denominator;
        if units.is_zero() {
            return None;
        }
        Decimal::try_from_i128_with_scale(units.to_i128()?, PRICE_DECIMALS).ok().map(|price| price.normalize())
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.numerator * &other.denominator).cmp(&(&other.numerator * &self.denominator))
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ratio {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ratio {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::dec;

    use super::*;

    fn ratio(value: Decimal) -> Ratio {
        Ratio::from_decimal(value).unwrap()
    }

    #[test]
    fn nothing_but_positive_numbers_is_a_ratio() {
        assert!(Ratio::from_decimal(dec!(0)).is_none());
        assert!(Ratio::from_decimal(dec!(-1)).is_none());
        assert!(Ratio::from_decimal(dec!(0.000000000000000001)).is_some());
    }

    #[test]
    fn a_third_is_rounded_down_once() {
        assert_eq!(ratio(dec!(3)).inverse().round_down(), Some(dec!(0.333333333333)));
        assert_eq!(ratio(dec!(1.5)).inverse().round_down(), Some(dec!(0.666666666666)));
        // Rounded in between it would come out as 0.999999999999.
        assert_eq!(ratio(dec!(3)).inverse().times(&ratio(dec!(3))).round_down(), Some(dec!(1)));
    }

    #[test]
    fn a_product_that_decimal_would_round_up_is_rounded_down() {
        let (a, b) = (dec!(1.99999999999999), dec!(1.999999999999999));
        // 3.99999999999997800000000000001
        assert_eq!(ratio(a).times(&ratio(b)).round_down(), Some(dec!(3.999999999999)));
    }

    #[test]
    fn too_small_and_too_large_are_no_price() {
        assert_eq!(ratio(dec!(0.0000000000009)).round_down(), None);
        assert_eq!(ratio(dec!(0.000000000001)).round_down(), Some(dec!(0.000000000001)));
        let huge = ratio(Decimal::MAX);
        assert_eq!(huge.round_down(), None);
        assert_eq!(huge.times(&huge).round_down(), None);
    }

    #[test]
    fn the_distance_is_exact_at_its_edge() {
        let center = ratio(dec!(100));
        assert!(ratio(dec!(102)).is_within(dec!(0.02), &center));
        assert!(ratio(dec!(98)).is_within(dec!(0.02), &center));
        assert!(!ratio(dec!(102.000000000000000001)).is_within(dec!(0.02), &center));
        assert!(!ratio(dec!(97.999999999999999999)).is_within(dec!(0.02), &center));
        assert!(center.is_within(dec!(0), &center));
        assert!(!center.is_within(dec!(-0.1), &center));
    }

    proptest! {
        #[test]
        fn order_middle_and_rounding_agree(a in 1_u64.., b in 1_u64.., scale_a in 0_u32..18, scale_b in 0_u32..18) {
            let a = ratio(Decimal::from_i128_with_scale(a.into(), scale_a));
            let b = ratio(Decimal::from_i128_with_scale(b.into(), scale_b));
            let (low, high) = if a <= b { (&a, &b) } else { (&b, &a) };
            let middle = a.middle(&b);
            prop_assert!(*low <= middle && middle <= *high);
            prop_assert!(low.clone().inverse() >= high.clone().inverse());
            if let Some(price) = a.round_down() {
                prop_assert!(ratio(price) <= a);
                prop_assert!(ratio(price.checked_add(dec!(0.000000000001)).unwrap()) > a);
            }
        }
    }
}
