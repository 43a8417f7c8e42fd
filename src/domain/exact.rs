//! Exact decimal arithmetic: products, quotients and sums that name their rounding, and never lose a digit unasked.
//!
//! `rust_decimal` drops digits beyond 28 silently, so nothing here uses its operators: mantissas are multiplied and divided as
//! `i128` while they fit, and as big integers when they don't. A result that doesn't fit a [`Decimal`] is an error, never a
//! truncation. No binary floating point, parsing included ([`parse_amount`]).

mod parse;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, ToPrimitive, Zero};
use rust_decimal::Decimal;

pub use parse::{AmountError, parse_amount, parse_whole};

/// The most decimals that a [`Decimal`] holds.
const SCALE_MAX: u8 = 28;

/// Which way a result goes when it has more digits than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Towards zero.
    Down,
    /// Away from zero.
    Up,
}

/// Why an operation has no exact answer. Nothing is ever truncated or wrapped instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArithmeticError {
    #[error("the result has more digits than an amount can hold")]
    Overflow,
    #[error("division by zero")]
    DivisionByZero,
}

/// `a x b`, rounded to `scale` decimals.
///
/// ```
/// use landfall::domain::exact::{Rounding, mul};
/// use rust_decimal::Decimal;
///
/// let (amount, rate) = (Decimal::new(76_006_209_697, 8), Decimal::new(911_106, 6));
/// assert_eq!(mul(amount, rate, 2, Rounding::Down)?.to_string(), "692.49");
/// assert_eq!(mul(amount, rate, 2, Rounding::Up)?.to_string(), "692.50");
/// # Ok::<(), landfall::domain::exact::ArithmeticError>(())
/// ```
pub fn mul(a: Decimal, b: Decimal, scale: u8, rounding: Rounding) -> Result<Decimal, ArithmeticError> {
    mul_div(a, b, Decimal::ONE, scale, rounding)
}

/// `a / b`, rounded to `scale` decimals.
pub fn div(a: Decimal, b: Decimal, scale: u8, rounding: Rounding) -> Result<Decimal, ArithmeticError> {
    mul_div(a, Decimal::ONE, b, scale, rounding)
}

/// `a x b / c`, exact up to the one rounding to `scale` decimals: for shares of a whole.
///
/// ```
/// use landfall::domain::exact::{Rounding, mul_div};
/// use rust_decimal::Decimal;
///
/// // Two thirds of 100.00: the quotient alone would already have lost the answer.
/// let share = mul_div(Decimal::new(100_00, 2), Decimal::TWO, Decimal::new(3, 0), 2, Rounding::Up)?;
/// assert_eq!(share.to_string(), "66.67");
/// # Ok::<(), landfall::domain::exact::ArithmeticError>(())
/// ```
pub fn mul_div(a: Decimal, b: Decimal, c: Decimal, scale: u8, rounding: Rounding) -> Result<Decimal, ArithmeticError> {
    let shift = i64::from(scale) + i64::from(c.scale()) - i64::from(a.scale()) - i64::from(b.scale());
    let mantissa = match quotient_fast(a.mantissa(), b.mantissa(), c.mantissa(), shift, rounding) {
        Some(mantissa) => mantissa,
        None => quotient_big(BigInt::from(a.mantissa()) * b.mantissa(), BigInt::from(c.mantissa()), shift, rounding)?,
    };
    from_units(mantissa, scale)
}

/// The sum of `a x b / c` over `terms`, exact up to the one rounding to `scale` decimals.
pub fn sum_mul_div(
    terms: &[(Decimal, Decimal, Decimal)],
    scale: u8,
    rounding: Rounding,
) -> Result<Decimal, ArithmeticError> {
    if let [(a, b, c)] = terms {
        return mul_div(*a, *b, *c, scale, rounding);
    }
    let ten = BigInt::from(10_u8);
    let (mut numerator, mut denominator) = (BigInt::zero(), BigInt::one());
    for (a, b, c) in terms {
        let above = BigInt::from(a.mantissa()) * b.mantissa() * ten.pow(c.scale());
        let below = BigInt::from(c.mantissa()) * ten.pow(a.scale()) * ten.pow(b.scale());
        numerator = numerator * &below + above * &denominator;
        denominator *= below;
    }
    from_units(quotient_big(numerator, denominator, i64::from(scale), rounding)?, scale)
}

/// `a + b`, with as many decimals as the longer of the two.
pub fn add(a: Decimal, b: Decimal) -> Result<Decimal, ArithmeticError> {
    // Trailing zeros may be what keeps a sum from fitting.
    aligned_sum(a, b).or_else(|_| aligned_sum(a.normalize(), b.normalize()))
}

/// `a - b`, with as many decimals as the longer of the two.
pub fn sub(a: Decimal, b: Decimal) -> Result<Decimal, ArithmeticError> {
    add(a, -b)
}

/// `value` with `scale` decimals, digits beyond them rounded.
pub fn round(value: Decimal, scale: u8, rounding: Rounding) -> Result<Decimal, ArithmeticError> {
    from_units(units(value, scale, rounding)?, scale)
}

/// `value` with `scale` decimals if it has no more of them, trailing zeros aside; `None` if digits would be lost.
pub fn rescale(value: Decimal, scale: u8) -> Result<Option<Decimal>, ArithmeticError> {
    let rounded = round(value, scale, Rounding::Down)?;
    Ok((rounded == value).then_some(rounded))
}

/// How many units of 10^-`scale` there are in `value`.
pub fn units(value: Decimal, scale: u8, rounding: Rounding) -> Result<i128, ArithmeticError> {
    let shift = i64::from(scale) - i64::from(value.scale());
    quotient_fast(value.mantissa(), 1, 1, shift, rounding).ok_or(ArithmeticError::Overflow)
}

/// `count` units of 10^-`scale`.
pub fn from_units(count: i128, scale: u8) -> Result<Decimal, ArithmeticError> {
    if scale > SCALE_MAX {
        return Err(ArithmeticError::Overflow);
    }
    Decimal::try_from_i128_with_scale(count, u32::from(scale)).map_err(|_| ArithmeticError::Overflow)
}

fn aligned_sum(a: Decimal, b: Decimal) -> Result<Decimal, ArithmeticError> {
    let scale = u8::try_from(a.scale().max(b.scale())).map_err(|_| ArithmeticError::Overflow)?;
    let sum = units(a, scale, Rounding::Down)?.checked_add(units(b, scale, Rounding::Down)?);
    from_units(sum.ok_or(ArithmeticError::Overflow)?, scale)
}

/// `a x b x 10^shift / c`; `None` when it can't be told in 128 bits, a division by zero included.
fn quotient_fast(a: i128, b: i128, c: i128, shift: i64, rounding: Rounding) -> Option<i128> {
    let power = 10_i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?)?;
    let product = a.checked_mul(b)?;
    let (above, below) = if shift < 0 { (product, c.checked_mul(power)?) } else { (product.checked_mul(power)?, c) };
    let (quotient, rest) = (above.checked_div(below)?, above.checked_rem(below)?);
    match rounding {
        Rounding::Up if rest != 0 => quotient.checked_add(above.signum() * below.signum()),
        Rounding::Up | Rounding::Down => Some(quotient),
    }
}

/// `above x 10^shift / below`.
fn quotient_big(above: BigInt, below: BigInt, shift: i64, rounding: Rounding) -> Result<i128, ArithmeticError> {
    if below.is_zero() {
        return Err(ArithmeticError::DivisionByZero);
    }
    // Scales are at most 255 and 28, so the power is small.
    let power = BigInt::from(10_u8).pow(u32::try_from(shift.unsigned_abs()).map_err(|_| ArithmeticError::Overflow)?);
    let (above, below) = if shift < 0 { (above, below * power) } else { (above * power, below) };
    let (quotient, rest) = above.abs().div_rem(&below.abs());
    let magnitude = match rounding {
        Rounding::Up if !rest.is_zero() => quotient + 1,
        Rounding::Up | Rounding::Down => quotient,
    };
    let signed = if above.is_negative() == below.is_negative() { magnitude } else { -magnitude };
    signed.to_i128().ok_or(ArithmeticError::Overflow)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn rounding_is_towards_or_away_from_zero_on_both_sides_of_it() {
        assert_eq!(div(dec!(10), dec!(3), 2, Rounding::Down), Ok(dec!(3.33)));
        assert_eq!(div(dec!(10), dec!(3), 2, Rounding::Up), Ok(dec!(3.34)));
        assert_eq!(div(dec!(-10), dec!(3), 2, Rounding::Down), Ok(dec!(-3.33)));
        assert_eq!(div(dec!(10), dec!(-3), 2, Rounding::Up), Ok(dec!(-3.34)));
        assert_eq!(div(dec!(-9), dec!(-3), 0, Rounding::Up), Ok(dec!(3)));
    }

    #[test]
    fn a_product_beyond_28_digits_keeps_every_digit_until_its_one_rounding() {
        // The product ends in ...998 and 10^-46: rust_decimal's own forgets the latter, so that rounding it up is a unit short.
        let (a, b) = (dec!(9999999999.999999999999999999), dec!(0.9999999999999999999999999999));
        assert_eq!(mul(a, b, 18, Rounding::Down), Ok(dec!(9999999999.999999999999999998)));
        assert_eq!(mul(a, b, 18, Rounding::Up), Ok(dec!(9999999999.999999999999999999)));
        assert_eq!(mul_div(Decimal::MAX, Decimal::MAX, Decimal::MAX, 0, Rounding::Down), Ok(Decimal::MAX));
    }

    #[test]
    fn what_does_not_fit_is_an_error_and_never_a_shorter_number() {
        assert_eq!(mul(Decimal::MAX, dec!(2), 0, Rounding::Down), Err(ArithmeticError::Overflow));
        assert_eq!(mul(dec!(1), dec!(1), 29, Rounding::Down), Err(ArithmeticError::Overflow));
        assert_eq!(div(dec!(1), dec!(0), 2, Rounding::Up), Err(ArithmeticError::DivisionByZero));
        assert_eq!(mul_div(Decimal::MAX, Decimal::MAX, dec!(0), 2, Rounding::Up), Err(ArithmeticError::DivisionByZero));
        assert_eq!(add(Decimal::MAX, dec!(1)), Err(ArithmeticError::Overflow));
        assert_eq!(add(Decimal::MAX, dec!(0.1)), Err(ArithmeticError::Overflow));
        assert_eq!(round(Decimal::MAX, 1, Rounding::Down), Err(ArithmeticError::Overflow));
    }

    #[test]
    fn a_sum_keeps_all_decimals_and_drops_only_zeros_to_fit() {
        assert_eq!(add(dec!(0.1), dec!(0.25)).map(|sum| sum.to_string()), Ok("0.35".into()));
        assert_eq!(sub(dec!(0.1), dec!(0.25)), Ok(dec!(-0.15)));
        let long_zero = dec!(0.0000000000000000000000000000);
        assert_eq!(add(Decimal::MAX, long_zero), Ok(Decimal::MAX));
    }

    #[test]
    fn terms_are_summed_before_they_are_rounded() {
        let third = (dec!(1), dec!(1), dec!(3));
        assert_eq!(sum_mul_div(&[third, third, third], 2, Rounding::Up), Ok(dec!(1.00)));
        assert_eq!(sum_mul_div(&[third, third], 2, Rounding::Up), Ok(dec!(0.67)));
        assert_eq!(sum_mul_div(&[third, (dec!(1), dec!(0.5), dec!(-2))], 3, Rounding::Down), Ok(dec!(0.083)));
        assert_eq!(sum_mul_div(&[], 2, Rounding::Up), Ok(dec!(0)));
        assert_eq!(
            sum_mul_div(&[third, (dec!(1), dec!(1), dec!(0))], 2, Rounding::Up),
            Err(ArithmeticError::DivisionByZero)
        );
    }

    #[test]
    fn rescaling_refuses_to_lose_a_digit() {
        assert_eq!(rescale(dec!(1.500), 1), Ok(Some(dec!(1.5))));
        assert_eq!(rescale(dec!(1.501), 1), Ok(None));
        assert_eq!(rescale(dec!(7), 3).map(|v| v.map(|v| v.to_string())), Ok(Some("7.000".into())));
    }
}
