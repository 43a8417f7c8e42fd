//! Market prices, as exchange-rate schemes ask for them. The rates themselves are another room's; the wiring puts them behind this.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::exact::{self, Rounding};
use crate::domain::exchange::BidAsk;
use crate::domain::ids::Mode;
use crate::domain::rate::Pair;

/// Where exchange-rate rules find their prices.
pub trait MarketPrices: Send + Sync {
    /// The names that a rule may ask of, in a mode.
    fn sources(&self, mode: Mode) -> Vec<String>;

    /// What a source says of a pair now; `None` if it says nothing that may be used.
    fn quote(&self, mode: Mode, source: &str, pair: Pair, now: DateTime<Utc>) -> Option<BidAsk>;
}

/// The decimals of a rate between two currencies that nobody quoted in that direction.
const RATE_SCALE: u8 = 12;

/// What one unit of `pair.from` costs in `pair.to` now: the ask, or what the bid of the other direction comes to, rounded up. `None`
/// without a fresh price.
pub fn cost_of_one(
    prices: &dyn MarketPrices,
    mode: Mode,
    source: &str,
    pair: Pair,
    now: DateTime<Utc>,
) -> Option<Decimal> {
    if pair.from == pair.to {
        return Some(Decimal::ONE);
    }
    let asked = prices.quote(mode, source, pair, now).map(|quote| quote.ask);
    let other_way = || {
        let back = prices.quote(mode, source, Pair { from: pair.to, to: pair.from }, now)?;
        exact::div(Decimal::ONE, back.bid, RATE_SCALE, Rounding::Up).ok()
    };
    asked.or_else(other_way).filter(|rate| *rate > Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    struct OneWay;

    impl MarketPrices for OneWay {
        fn sources(&self, _: Mode) -> Vec<String> {
            vec!["board".to_owned()]
        }

        fn quote(&self, _: Mode, _: &str, pair: Pair, _: DateTime<Utc>) -> Option<BidAsk> {
            (pair.to_string() == "USD/EUR").then_some(BidAsk { bid: dec!(0.9), ask: dec!(0.91) })
        }
    }

    #[test]
    fn a_price_is_asked_in_either_direction_and_never_made_up() {
        let cost = |pair: &str| cost_of_one(&OneWay, Mode::Test, "board", pair.parse().unwrap(), DateTime::UNIX_EPOCH);
        assert_eq!(cost("USD/EUR"), Some(dec!(0.91)));
        assert_eq!(cost("EUR/USD"), Some(dec!(1.111111111112)));
        assert_eq!(cost("EUR/EUR"), Some(Decimal::ONE));
        assert_eq!(cost("EUR/GBP"), None);
    }
}
