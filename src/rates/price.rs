//! What the board answers: a price with everything that it was made from, so that an offer can keep the evidence.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::pair_text;
use crate::domain::rate::Pair;

/// The price of a pair at a moment. Serialized with decimals as strings, for storing in the offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardPrice {
    #[serde(with = "pair_text")]
    pub pair: Pair,
    /// The bid: how many `to` the market gives for one `from`. Rounded down to 12 decimals.
    pub price: Decimal,
    /// Half way between bid and ask, rounded down to 12 decimals; for showing, never for paying. At least `price`.
    pub mid: Decimal,
    /// The time of the oldest quote used.
    pub as_of: DateTime<Utc>,
    /// The quotes that made the price: those that agreed, leg by leg, by source name within a leg.
    pub sources: Vec<SourceQuote>,
}

/// One source's quote, as the source gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceQuote {
    pub source: String,
    /// The pair that the source quotes.
    #[serde(with = "pair_text")]
    pub pair: Pair,
    /// Whether the pair was needed the other way round: then 1 / ask was its bid.
    pub inverted: bool,
    pub bid: Decimal,
    pub ask: Decimal,
    /// The source's time of the quote, or its receipt where the source gives none.
    pub at: DateTime<Utc>,
}

/// Why there is no price. The wallet API says `RATES_UNAVAILABLE`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    #[error("no rate for {pair}: {why}")]
    Unavailable {
        /// The pair asked for.
        pair: Pair,
        why: WhyUnavailable,
    },
}

/// What was missing, of the pair itself or of the first leg that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyUnavailable {
    #[error("{fresh} fresh sources of {leg}, {needed} needed")]
    TooFewFresh { leg: Pair, fresh: usize, needed: usize },
    /// Too many of the fresh sources deviate: fewer than needed agree, or not the greater part.
    #[error("{agreeing} of {fresh} fresh sources of {leg} agree, {needed} needed")]
    Disagreement { leg: Pair, fresh: usize, agreeing: usize, needed: usize },
    #[error("the price has no digit within 12 decimals, or too many before them")]
    OutOfBounds,
}
