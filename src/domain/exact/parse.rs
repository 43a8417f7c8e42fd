//! Reading amounts by their digits. Owns the grammar (JSON's numbers, RFC 8259 section 6); never goes through a float.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::from_units;

/// No amount that we take needs more characters; longer texts are refused unread.
const TEXT_LENGTH_MAX: usize = 64;

/// Why a text is not an amount that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("an amount is written with digits, as in 12.5")]
    Malformed,
    #[error("the amount has more decimals than its currency")]
    TooPrecise,
    #[error("the amount is too large")]
    TooLarge,
    #[error("an amount can't be negative")]
    Negative,
}

/// Reads a JSON number's or string's own text as an amount with at most `scale` decimals and `integer_digits_max` digits before
/// them. The answer has `scale` decimals. Zero is an amount; whether it is allowed is the caller's business.
///
/// ```
/// use landfall::domain::exact::{AmountError, parse_amount};
///
/// assert_eq!(parse_amount("760.06209697", 8, 12)?.to_string(), "760.06209697");
/// assert_eq!(parse_amount("1.5E2", 2, 12)?.to_string(), "150.00");
/// assert_eq!(parse_amount("0.001", 2, 12), Err(AmountError::TooPrecise));
/// # Ok::<(), AmountError>(())
/// ```
pub fn parse_amount(text: &str, scale: u8, integer_digits_max: u8) -> Result<Decimal, AmountError> {
    if text.len() > TEXT_LENGTH_MAX {
        return Err(AmountError::Malformed);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let number = JsonNumber::split(unsigned).ok_or(AmountError::Malformed)?;
    if negative {
        return Err(AmountError::Negative);
    }

    let digits = [number.integer, number.fraction].concat();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        return from_units(0, scale).map_err(|_| AmountError::TooPrecise);
    }
    let zeros_after = digits.len() - digits.trim_end_matches('0').len();
    // The value is `significant x 10^power`. Lengths are at most 64, exponents saturate far below where this could wrap.
    let power = number.exponent() - length(number.fraction) + i64::try_from(zeros_after).unwrap_or(0);
    if -power > i64::from(scale) {
        return Err(AmountError::TooPrecise);
    }
    if length(significant) + power > i64::from(integer_digits_max) {
        return Err(AmountError::TooLarge);
    }
    let shift = u32::try_from(power + i64::from(scale)).map_err(|_| AmountError::TooLarge)?;
    let units = significant
        .parse::<i128>()
        .ok()
        .zip(10_i128.checked_pow(shift))
        .and_then(|(digits, power)| digits.checked_mul(power))
        .ok_or(AmountError::TooLarge)?;
    from_units(units, scale).map_err(|_| AmountError::TooLarge)
}

/// Reads a whole number of at most 18 digits from the text of a JSON number, however it is written: `24`, `24.0`, `2.4e1`. `None`: it
/// isn't whole, or no number.
///
/// ```
/// use landfall::domain::exact::parse_whole;
///
/// assert_eq!(parse_whole("24.0"), Some(24));
/// assert_eq!(parse_whole("-2.4e1"), Some(-24));
/// assert_eq!(parse_whole("24.5"), None);
/// ```
pub fn parse_whole(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let number = parse_amount(unsigned, 0, 18).ok()?.to_i64()?;
    if negative { number.checked_neg() } else { Some(number) }
}

/// The parts of an unsigned JSON number. `exponent` still has its sign.
struct JsonNumber<'a> {
    integer: &'a str,
    fraction: &'a str,
    exponent: &'a str,
}

impl<'a> JsonNumber<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                is_digits(digits).then_some((mantissa, exponent))?
            }
            None => (text, "0"),
        };
        let (integer, fraction) = match mantissa.split_once('.') {
            Some((integer, fraction)) => is_digits(fraction).then_some((integer, fraction))?,
            None => (mantissa, ""),
        };
        let well_formed = is_digits(integer) && (integer == "0" || !integer.starts_with('0'));
        well_formed.then_some(Self { integer, fraction, exponent })
    }

    /// Saturates: anything beyond four digits is out of every amount's reach, either way.
    fn exponent(&self) -> i64 {
        let magnitude = self.exponent.trim_start_matches(['+', '-']).parse().unwrap_or(10_000_i64).min(10_000);
        if self.exponent.starts_with('-') { -magnitude } else { magnitude }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, AmountError> {
        parse_amount(text, 8, 12).map(|amount| amount.to_string())
    }

    #[test]
    fn digits_are_read_as_they_stand() {
        assert_eq!(read("760.06209697"), Ok("760.06209697".into()));
        assert_eq!(read("999999999999.99999999"), Ok("999999999999.99999999".into()));
        assert_eq!(read("0.1"), Ok("0.10000000".into()));
        assert_eq!(read("0"), Ok("0.00000000".into()));
        assert_eq!(read("1.500000000000000000000000"), Ok("1.50000000".into()));
    }

    #[test]
    fn exponents_are_read_exactly() {
        assert_eq!(read("1e2"), Ok("100.00000000".into()));
        assert_eq!(read("1.5E-3"), Ok("0.00150000".into()));
        assert_eq!(read("150000e-7"), Ok("0.01500000".into()));
        assert_eq!(read("0.00001e+0005"), Ok("1.00000000".into()));
        assert_eq!(read("0e999999999999999999999"), Ok("0.00000000".into()));
        assert_eq!(read("1000000000e-17"), Ok("0.00000001".into()));
    }

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        for (text, number) in [
            ("0", 0),
            ("-0.0", 0),
            ("24", 24),
            ("24.000", 24),
            ("2.4e1", 24),
            ("2400E-2", 24),
            ("-1", -1),
            ("0e99999999999999999999", 0),
            ("999999999999999999.0", 999_999_999_999_999_999),
        ] {
            assert_eq!(parse_whole(text), Some(number), "{text}");
        }
        for text in
            ["24.5", "1e-1", "1000000000000000000", "1e18", "1e99999999999", "", "-", "--1", "+1", "01", "1.", "x"]
        {
            assert_eq!(parse_whole(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_json_number_is_refused() {
        for text in [
            "", " ", "+1", " 1", "1 ", "1\n", ".5", "5.", "1.e2", "e5", "1e", "1e+", "1e1.5", "01", "00", "1_000",
            "1,5", "0x10", "NaN", "Infinity", "inf", "١٢", "１２", "1e２", "--1", "1.2.3", "1e5e5", "null", "-", "-+1",
            "\u{0}1",
        ] {
            assert_eq!(read(text), Err(AmountError::Malformed), "{text:?}");
        }
        assert_eq!(read(&"0".repeat(65)), Err(AmountError::Malformed));
        assert_eq!(read(&format!("1.{}", "0".repeat(63))), Err(AmountError::Malformed));
    }

    #[test]
    fn what_is_too_fine_too_large_or_negative_is_refused_for_that() {
        assert_eq!(read("0.000000001"), Err(AmountError::TooPrecise));
        assert_eq!(read("1e-9"), Err(AmountError::TooPrecise));
        assert_eq!(read("1e-99999999999999999999"), Err(AmountError::TooPrecise));
        assert_eq!(read("1000000000000"), Err(AmountError::TooLarge));
        assert_eq!(read("1e12"), Err(AmountError::TooLarge));
        assert_eq!(read("1e99999999999999999999"), Err(AmountError::TooLarge));
        assert_eq!(parse_amount("79228162514264337593543950336", 0, 255), Err(AmountError::TooLarge));
        assert_eq!(parse_amount("99999999999", 18, 255), Err(AmountError::TooLarge));
        assert_eq!(read("-1"), Err(AmountError::Negative));
        assert_eq!(read("-0"), Err(AmountError::Negative));
    }
}
