//! What money is counted in: crypto assets and fiat currencies, each with its code and scale.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// An asset's code: 2 to 10 characters of `A-Z0-9`, starting with a letter (`EUR`, `USDT`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssetCode {
    bytes: [u8; 10],
    len: u8,
}

/// A text that is not an asset code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an asset code has 2 to 10 characters of A-Z and 0-9, the first a letter")]
pub struct AssetCodeError;

impl AssetCode {
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever stored.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("")
    }
}

impl FromStr for AssetCode {
    type Err = AssetCodeError;

    fn from_str(text: &str) -> Result<Self, AssetCodeError> {
        let code = text.as_bytes();
        let well_formed = (2..=10).contains(&code.len())
            && code[0].is_ascii_uppercase()
            && code.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !well_formed {
            return Err(AssetCodeError);
        }
        let mut bytes = [0; 10];
        bytes[..code.len()].copy_from_slice(code);
        Ok(Self { bytes, len: u8::try_from(code.len()).map_err(|_| AssetCodeError)? })
    }
}

impl fmt::Display for AssetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AssetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for AssetCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for AssetCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetKind {
    Crypto,
    Fiat,
}

/// An asset with the number of decimals it is counted in (fiat: ISO 4217; crypto: configuration, 0 to 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asset {
    pub code: AssetCode,
    pub kind: AssetKind,
    pub scale: u8,
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)
    }
}

/// The assets that this installation knows, by code.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    by_code: BTreeMap<AssetCode, Asset>,
}

impl Assets {
    pub fn new(assets: impl IntoIterator<Item = Asset>) -> Self {
        Self { by_code: assets.into_iter().map(|asset| (asset.code, asset)).collect() }
    }

    pub fn get(&self, code: AssetCode) -> Option<Asset> {
        self.by_code.get(&code).copied()
    }

    /// The asset that `text` names, if it is a code and known.
    pub fn find(&self, text: &str) -> Option<Asset> {
        text.parse().ok().and_then(|code| self.get(code))
    }

    pub fn iter(&self) -> impl Iterator<Item = Asset> + '_ {
        self.by_code.values().copied()
    }
}

/// The currencies that may be configured as fiat, with their decimals (ISO 4217, list one: "minor unit").
const ISO_4217: [(&str, u8); 44] = [
    ("AED", 2),
    ("AMD", 2),
    ("ARS", 2),
    ("AUD", 2),
    ("AZN", 2),
    ("BHD", 3),
    ("BRL", 2),
    ("CAD", 2),
    ("CHF", 2),
    ("CLP", 0),
    ("CNY", 2),
    ("COP", 2),
    ("CZK", 2),
    ("DKK", 2),
    ("EGP", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("GEL", 2),
    ("HKD", 2),
    ("HUF", 2),
    ("IDR", 2),
    ("ILS", 2),
    ("INR", 2),
    ("JPY", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("KZT", 2),
    ("MXN", 2),
    ("MYR", 2),
    ("NGN", 2),
    ("NOK", 2),
    ("NZD", 2),
    ("PHP", 2),
    ("PLN", 2),
    ("RON", 2),
    ("SEK", 2),
    ("SGD", 2),
    ("THB", 2),
    ("TND", 3),
    ("TRY", 2),
    ("UAH", 2),
    ("USD", 2),
    ("VND", 0),
    ("ZAR", 2),
];

/// The decimals of a fiat currency after ISO 4217; `None` for what the table doesn't have.
pub fn iso_4217_scale(code: AssetCode) -> Option<u8> {
    ISO_4217.iter().find(|(known, _)| *known == code.as_str()).map(|(_, scale)| *scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fiat_scales_are_those_of_iso_4217() {
        let scale = |code: &str| iso_4217_scale(code.parse().unwrap());
        assert_eq!((scale("EUR"), scale("JPY"), scale("KWD")), (Some(2), Some(0), Some(3)));
        assert_eq!((scale("USDT"), scale("ZZZ")), (None, None));
    }

    #[test]
    fn an_asset_code_is_short_capital_and_starts_with_a_letter() {
        for bad in ["", "E", "eur", "1INCH", "EUR ", "ABCDEFGHIJK", "ÉUR"] {
            assert_eq!(bad.parse::<AssetCode>(), Err(AssetCodeError), "{bad:?}");
        }
        assert_eq!("USDT".parse::<AssetCode>().map(|code| code.to_string()), Ok("USDT".into()));
    }
}
