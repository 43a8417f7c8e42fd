//! Exchange-rate schemes: which rate converts what a caller is charged into what a service pays.
//!
//! A scheme is a list of rules, at most one per currency pair, `from` what the caller is charged in, `to` the service's currency. Owns
//! the rules' form ([`ExchangeScheme::compile`], [`exchange_schema`]), the rate that a rule gives for prices that are handed in, and
//! both conversions. Fetches no price, stores nothing, and doesn't apply where a wallet's offer has fixed the amount already.
//!
//! The rate is `(price - markup_fixed) x (1 - markup_percent / 100)`, as a [`Rate`]: the fixed mark-up lowers its price, the percentage
//! is its spread. So an amount converted with it settles as an offer does, and what rounding leaves is never below zero.

mod applied;
mod compile;
mod schema;

use serde_json::Value;

use crate::domain::exact::{self, Rounding};
use crate::domain::rate::{Pair, Price, Rate, RateError, Spread};
use rust_decimal::Decimal;

pub use applied::{AppliedRate, ConversionError, StoredRateError};
pub use compile::{Problem, ProblemCode};
pub use schema::exchange_schema;

/// The source that a rule names for the price that it states itself.
pub const SOURCE_FIXED: &str = "fixed";

/// Decimals of a price that was divided, before it is cut to what a [`Price`] holds.
const QUOTIENT_SCALE: u8 = 12;

/// What a source says of a pair: how many `to` it gives and takes for one `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BidAsk {
    pub bid: Decimal,
    pub ask: Decimal,
}

/// How a rule comes by its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// The rule states it.
    Fixed,
    /// The side of the market on which `from` is sold.
    Commercial,
}

/// The rule of one pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub pair: Pair,
    pub kind: RuleKind,
    pub source: String,
    pub fallback_source: Option<String>,
    /// The price that [`SOURCE_FIXED`] gives: `to` for one `from`, or the other way round if `inverted`.
    pub price: Option<Decimal>,
    /// The source quotes the pair the other way round.
    pub inverted: bool,
    /// The mark-up in percent, as a fraction.
    pub markup: Spread,
    /// In `to` for one `from`.
    pub markup_fixed: Decimal,
    /// As it was written.
    pub body: Value,
}

/// A scheme whose rules are all sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeScheme {
    rules: Vec<Rule>,
}

/// Why there is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRate {
    #[error("the scheme has no rule for {0}")]
    NoRule(Pair),
    /// Neither the rule's source nor its fallback has a price.
    #[error("no price for {pair} from {sources}")]
    NoPrice { pair: Pair, sources: String },
    #[error("the mark-up on {pair} takes all of the price {price}")]
    MarkupTakesAll { pair: Pair, price: Decimal },
    #[error("the price for {pair} is out of bounds: {why}")]
    OutOfBounds { pair: Pair, why: RateError },
}

/// Prices by source name and pair, as they stand now; `None` where there is none that may be used.
pub type Prices<'a> = dyn Fn(&str, Pair) -> Option<BidAsk> + 'a;

impl ExchangeScheme {
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rate of a pair by its rule. One of a currency to itself is exactly 1, without a rule and without mark-up.
    ///
    /// The rate goes against the caller in every rounding: a price is cut down, never up.
    pub fn quote(&self, pair: Pair, prices: &Prices<'_>) -> Result<AppliedRate, NoRate> {
        if pair.from == pair.to {
            return AppliedRate::identity(pair);
        }
        let rule = self.rules.iter().find(|rule| rule.pair == pair).ok_or(NoRate::NoRule(pair))?;
        let sources = std::iter::once(&rule.source).chain(&rule.fallback_source);
        let priced = sources.clone().find_map(|source| Some((source, rule.price_from(source, prices)?)));
        let Some((source, price)) = priced else {
            let sources = sources.map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(NoRate::NoPrice { pair, sources });
        };
        Ok(AppliedRate {
            pair,
            rule: rule.body.clone(),
            scheme_version: None,
            source: source.clone(),
            fallback: *source != rule.source,
            price_quoted: price,
            rate: rule.rate(price)?,
        })
    }
}

impl Rule {
    /// `to` for one `from`, before any mark-up. A market that is crossed or not positive has no price.
    fn price_from(&self, source: &str, prices: &Prices<'_>) -> Option<Decimal> {
        let inverse = |price| exact::div(Decimal::ONE, price, QUOTIENT_SCALE, Rounding::Down).ok();
        let price = match (source == SOURCE_FIXED, self.inverted) {
            (true, false) => self.price?,
            (true, true) => inverse(self.price?)?,
            (false, false) => sound(prices(source, self.pair)?)?.bid,
            (false, true) => inverse(sound(prices(source, Pair { from: self.pair.to, to: self.pair.from })?)?.ask)?,
        };
        (price > Decimal::ZERO).then_some(price)
    }

    fn rate(&self, price: Decimal) -> Result<Rate, NoRate> {
        let pair = self.pair;
        let takes_all = NoRate::MarkupTakesAll { pair, price };
        let out_of_bounds = |why| NoRate::OutOfBounds { pair, why };
        let left = exact::sub(price, self.markup_fixed).map_err(|_| out_of_bounds(RateError::PriceTooLong))?;
        if left <= Decimal::ZERO {
            return Err(takes_all);
        }
        Ok(Rate { price: Price::round_down(left).map_err(out_of_bounds)?, spread: self.markup })
    }
}

fn sound(quote: BidAsk) -> Option<BidAsk> {
    (quote.bid > Decimal::ZERO && quote.ask >= quote.bid).then_some(quote)
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
