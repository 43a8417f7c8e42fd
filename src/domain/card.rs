//! Card numbers and what can be told from them: scheme, IIN, last four, expiry. Never a CVV.

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A primary account number: 12 to 19 digits (ISO/IEC 7812-1) that pass the Luhn check. It redacts `Debug`, can't be serialized and is
/// wiped on drop (PCI DSS 3.5.1: unreadable anywhere it is stored).
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
    #[error("the card number is mistyped")]
    Checksum,
}

impl Pan {
    /// Reads a card number; spaces and hyphens between digits are dropped.
    pub fn parse(text: &str) -> Result<Self, PanError> {
        let mut digits = String::with_capacity(19);
        for c in text.trim().chars() {
            match c {
                '0'..='9' if digits.len() < 19 => digits.push(c),
                '0'..='9' => return Err(PanError::Length),
                ' ' | '-' => {}
                _ => return Err(PanError::NotDigits),
            }
        }
        if digits.len() < 12 {
            return Err(PanError::Length);
        }
        let pan = Self { digits };
        if pan.passes_luhn() { Ok(pan) } else { Err(PanError::Checksum) }
    }

    /// The digits in the clear: for encryption and for a provider's request body only (invariant 7).
    pub fn expose(&self) -> &str {
        &self.digits
    }

    pub fn last_four(&self) -> &str {
        &self.digits[self.digits.len() - 4..]
    }

    /// ISO/IEC 7812-1 annex B.
    fn passes_luhn(&self) -> bool {
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

/// The month after which a card no longer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardExpiry {
    pub year: u16,
    pub month: u8,
}

impl CardExpiry {
    /// A card works until the end of its month, UTC.
    pub fn is_past(self, now: DateTime<Utc>) -> bool {
        (i32::from(self.year), u32::from(self.month)) < (now.year(), now.month())
    }
}

/// A card in the clear, on its way from the vault to a provider's request. Lives in memory only.
#[derive(Clone, Debug)]
pub struct CardDetails {
    pub pan: Pan,
    pub expiry: CardExpiry,
    pub holder: HolderName,
}

/// A card holder's name: personal data, so it redacts `Debug` and is wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct HolderName(String);

impl HolderName {
    pub fn new(name: String) -> Self {
        Self(name)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HolderName(redacted)")
    }
}

/// A card scheme, as the wallet API names it (`cardType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CardScheme {
    Visa,
    Mastercard,
    Maestro,
    Amex,
    UnionPay,
    Jcb,
    Discover,
    Diners,
    Mir,
}
