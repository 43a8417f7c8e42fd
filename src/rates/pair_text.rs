//! How a pair is written in configuration, replay files and stored prices: `USDT/EUR`. Used as `#[serde(with = "pair_text")]`.

use serde::{Deserialize, Deserializer, Serializer};

use crate::domain::rate::Pair;

/// A text that is not a pair of two different assets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a pair of two different assets like USDT/EUR")]
pub struct PairTextError {
    text: String,
}

/// Reads `USDT/EUR`. A pair of an asset with itself is refused.
pub fn parse(text: &str) -> Result<Pair, PairTextError> {
    let refused = || PairTextError { text: text.chars().take(40).collect() };
    let (from, to) = text.split_once('/').ok_or_else(refused)?;
    let pair = Pair { from: from.parse().map_err(|_| refused())?, to: to.parse().map_err(|_| refused())? };
    if pair.from == pair.to { Err(refused()) } else { Ok(pair) }
}

/// The same market read the other way: `EUR/USDT` for `USDT/EUR`.
pub fn inverse(pair: Pair) -> Pair {
    Pair { from: pair.to, to: pair.from }
}

pub fn serialize<S: Serializer>(pair: &Pair, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(pair)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pair, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_two_different_codes_and_a_slash() {
        assert_eq!(parse("USDT/EUR").unwrap().to_string(), "USDT/EUR");
        assert_eq!(inverse(parse("USDT/EUR").unwrap()), parse("EUR/USDT").unwrap());
        for bad in ["", "/", "USDT", "USDT/", "/EUR", "USDT/EUR/USD", "usdt/eur", "EUR/EUR", "USDT-EUR", " USDT/EUR"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
