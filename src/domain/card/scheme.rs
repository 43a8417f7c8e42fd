//! The card schemes, by the names that the wallet API gives them.

use std::fmt;
use std::str::FromStr;

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

/// A text that names no card scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a known card scheme")]
pub struct UnknownScheme;

impl CardScheme {
    pub const ALL: [Self; 9] = [
        Self::Visa,
        Self::Mastercard,
        Self::Maestro,
        Self::Amex,
        Self::UnionPay,
        Self::Jcb,
        Self::Discover,
        Self::Diners,
        Self::Mir,
    ];

    /// The name on the wire and in rows: `VISA`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Visa => "VISA",
            Self::Mastercard => "MASTERCARD",
            Self::Maestro => "MAESTRO",
            Self::Amex => "AMEX",
            Self::UnionPay => "UNIONPAY",
            Self::Jcb => "JCB",
            Self::Discover => "DISCOVER",
            Self::Diners => "DINERS",
            Self::Mir => "MIR",
        }
    }
}

impl fmt::Display for CardScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CardScheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Self, UnknownScheme> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == text).ok_or(UnknownScheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_wire_name_a_scheme_alike() {
        for scheme in CardScheme::ALL {
            assert_eq!(serde_json::to_value(scheme).unwrap(), scheme.as_str());
            assert_eq!(scheme.as_str().parse(), Ok(scheme));
        }
        assert_eq!("visa".parse::<CardScheme>(), Err(UnknownScheme));
        assert_eq!("".parse::<CardScheme>(), Err(UnknownScheme));
    }
}
