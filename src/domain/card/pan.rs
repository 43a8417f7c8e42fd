//! The card number itself and the parts of it that may be kept in the clear. Whether a number belongs to a scheme is `iin`'s to say.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The least and the most digits of a card number (ISO/IEC 7812-1).
const DIGITS_MIN: usize = 12;
const DIGITS_MAX: usize = 19;

/// A primary account number: 12 to 19 digits (ISO/IEC 7812-1). The scheme's own length and check digit are [`super::identify`]'s.
/// It redacts `Debug`, can't be serialized and is wiped on drop (PCI DSS 3.5.1: unreadable anywhere it is stored).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Pan {
    digits: String,
}

/// Why a text is not a card number. Says nothing of the number itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PanError {
    #[error("a card number has 12 to 19 digits")]
    Length,
    #[error("a card number has digits only")]
    NotDigits,
}

impl Pan {
    /// Reads a card number; spaces and hyphens between digits are dropped.
    pub fn parse(text: &str) -> Result<Self, PanError> {
        // Built in place, so that a refused text is wiped too; the capacity is never outgrown, so no copy stays behind.
        let mut pan = Self { digits: String::with_capacity(DIGITS_MAX) };
        for c in text.trim().chars() {
            match c {
                '0'..='9' if pan.digits.len() < DIGITS_MAX => pan.digits.push(c),
                '0'..='9' => return Err(PanError::Length),
                ' ' | '-' => {}
                _ => return Err(PanError::NotDigits),
            }
        }
        if pan.digits.len() < DIGITS_MIN { Err(PanError::Length) } else { Ok(pan) }
    }

    /// The digits in the clear: for encryption and for a provider's request body only (invariant 7).
    pub fn expose(&self) -> &str {
        &self.digits
    }

    pub fn last_four(&self) -> &str {
        &self.digits[self.digits.len() - 4..]
    }

    /// Whether the last digit is the check digit of ISO/IEC 7812-1 annex B.
    pub fn passes_luhn(&self) -> bool {
        let sum: u32 = self
            .digits
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, byte)| {
                let digit = u32::from(byte - b'0');
                match (place % 2, digit) {
                    (0, digit) => digit,
                    (_, digit) if digit > 4 => digit * 2 - 9,
                    (_, digit) => digit * 2,
                }
            })
            .sum();
        sum.is_multiple_of(10)
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pan(redacted)")
    }
}

/// How much of a card number is kept in the clear as its IIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IinDigits {
    Six,
    Eight,
}

/// A text that is not an IIN, or a number of digits that an IIN doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an IIN has 6 or 8 digits")]
pub struct IinError;

impl TryFrom<u32> for IinDigits {
    type Error = IinError;

    fn try_from(digits: u32) -> Result<Self, IinError> {
        match digits {
            6 => Ok(Self::Six),
            8 => Ok(Self::Eight),
            _ => Err(IinError),
        }
    }
}

/// An issuer identification number: the first six or eight digits of a card number. Public data; may be stored and shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Iin(String);

impl Iin {
    /// The IIN of `pan`. Eight digits are kept only of numbers with 16 or more: beside the last four, eight digits of a shorter number
    /// would leave too little hidden (PCI SSC FAQ 1091).
    pub fn of(pan: &Pan, digits: IinDigits) -> Self {
        let kept = match digits {
            IinDigits::Eight if pan.expose().len() >= 16 => 8,
            IinDigits::Eight | IinDigits::Six => 6,
        };
        Self(pan.expose()[..kept].to_owned())
    }

    /// Reads an IIN as a row keeps it.
    pub fn parse(text: &str) -> Result<Self, IinError> {
        let well_formed = matches!(text.len(), 6 | 8) && text.bytes().all(|b| b.is_ascii_digit());
        if well_formed { Ok(Self(text.to_owned())) } else { Err(IinError) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A card as the wallet API shows it: first four, three stars, last four (`4907***3896`).
pub fn masked_pan(iin: &Iin, last_four: &str) -> String {
    format!("{}***{last_four}", &iin.0[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_their_usual_gaps() {
        for text in ["4111111111111111", " 4111 1111 1111 1111 ", "4111-1111-1111-1111"] {
            assert_eq!(Pan::parse(text).unwrap().expose(), "4111111111111111");
        }
    }

    #[test]
    fn what_is_not_12_to_19_digits_is_no_card_number() {
        assert_eq!(Pan::parse(""), Err(PanError::Length));
        assert_eq!(Pan::parse("41111111111"), Err(PanError::Length));
        assert!(Pan::parse("411111111111").is_ok());
        assert!(Pan::parse("4111111111111111111").is_ok());
        assert_eq!(Pan::parse("41111111111111111111"), Err(PanError::Length));
        for text in ["4111111111111111x", "4111.1111.1111.1111", "+4111111111111111", "٤١١١١١١١١١١١١١١١", "4.111e15"]
        {
            assert_eq!(Pan::parse(text), Err(PanError::NotDigits), "{text}");
        }
    }

    #[test]
    fn a_pan_shows_nothing_cannot_be_serialized_and_is_wiped() {
        let mut pan = Pan::parse("4111111111111111").unwrap();
        assert!(!format!("{pan:?} {pan:#?}").chars().any(|c| c.is_ascii_digit()));

        // Compiles only while `Pan` is not `Serialize`: with it, the type parameter would be ambiguous.
        trait NotSerialize<A> {
            fn holds() {}
        }
        impl<T> NotSerialize<()> for T {}
        impl<T: serde::Serialize> NotSerialize<u8> for T {}
        <Pan as NotSerialize<_>>::holds();

        fn wiped_on_drop<T: ZeroizeOnDrop>() {}
        wiped_on_drop::<Pan>();
        pan.zeroize();
        assert_eq!(pan.expose(), "");
    }

    #[test]
    fn eight_digits_are_kept_only_of_long_numbers() {
        let visa = Pan::parse("4111111111111111").unwrap();
        let amex = Pan::parse("378282246310005").unwrap();
        assert_eq!(Iin::of(&visa, IinDigits::Six).as_str(), "411111");
        assert_eq!(Iin::of(&visa, IinDigits::Eight).as_str(), "41111111");
        assert_eq!(Iin::of(&amex, IinDigits::Eight).as_str(), "378282");
    }

    #[test]
    fn an_iin_is_six_or_eight_digits() {
        assert_eq!(Iin::parse("411111").unwrap().as_str(), "411111");
        assert!(Iin::parse("41111111").is_ok());
        for bad in ["", "4111", "4111111", "411111111", "41111a", "٤١١"] {
            assert_eq!(Iin::parse(bad), Err(IinError), "{bad}");
        }
        assert_eq!(IinDigits::try_from(7), Err(IinError));
    }

    #[test]
    fn the_mask_keeps_four_and_four() {
        let iin = Iin::parse("490712").unwrap();
        assert_eq!(masked_pan(&iin, "3896"), "4907***3896");
    }
}
