//! The trait that every rate source implements, and what it brings: ticks. A source reports what it read and judges
//! nothing; whether a tick is possible at all is told by [`Tick::check`], whether it is fresh and in line by the board.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, dec};

use crate::domain::rate::Pair;

/// How far ahead of our clock a source's time may be: clocks differ, prices from the future don't exist.
pub const FUTURE_TOLERANCE: TimeDelta = TimeDelta::seconds(2);
/// The least price that makes sense: the price's last decimal.
pub const PRICE_MIN: Decimal = dec!(0.000000000001);
/// The greatest price that makes sense, some hundred times a bitcoin in the smallest currency.
pub const PRICE_MAX: Decimal = dec!(1000000000000);
/// The most things that are said to be missing in one answer.
const LACKING_MAX: usize = 5;
/// An ask above this many times the bid is no market (swapped fields, another unit).
const ASK_TO_BID_MAX: Decimal = dec!(2);

/// What a source says of one pair at one moment, as it says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    pub pair: Pair,
    /// How many `to` a seller gets for one `from`. A source without bid and ask gives its last price as both.
    pub bid: Decimal,
    /// How many `to` a buyer pays for one `from`.
    pub ask: Decimal,
    /// The source's own time of this price, if it tells one. Without it the price ages from its receipt.
    pub source_time: Option<DateTime<Utc>>,
}

/// Why a tick is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TickError {
    #[error("{0} has a bid or ask that is not positive")]
    NotPositive(Pair),
    #[error("{0} has a bid or ask that no market has")]
    OutOfBounds(Pair),
    #[error("{0} has its bid above its ask")]
    Crossed(Pair),
    #[error("{0} has an ask more than twice its bid")]
    TooWide(Pair),
    #[error("{0} is a pair of an asset with itself")]
    SameAsset(Pair),
    #[error("{0} has a time in the future")]
    FromTheFuture(Pair),
}

impl Tick {
    /// Whether this can be a price at all, at `now`. Says nothing of its age.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), TickError> {
        if self.source_time.is_some_and(|time| time > now + FUTURE_TOLERANCE) {
            return Err(TickError::FromTheFuture(self.pair));
        }
        self.check_market()
    }

    /// Whether bid and ask can be those of a market, whenever.
    pub fn check_market(&self) -> Result<(), TickError> {
        let pair = self.pair;
        if pair.from == pair.to {
            return Err(TickError::SameAsset(pair));
        }
        if self.bid <= Decimal::ZERO || self.ask <= Decimal::ZERO {
            return Err(TickError::NotPositive(pair));
        }
        if self.bid < PRICE_MIN || self.ask < PRICE_MIN || self.bid > PRICE_MAX || self.ask > PRICE_MAX {
            return Err(TickError::OutOfBounds(pair));
        }
        if self.bid > self.ask {
            return Err(TickError::Crossed(pair));
        }
        // Can't overflow below PRICE_MAX; that a product of 28 digits may round its last one doesn't matter to a rough bound.
        if self.ask > self.bid * ASK_TO_BID_MAX {
            return Err(TickError::TooWide(pair));
        }
        Ok(())
    }
}

/// Why a source brought nothing. Texts hold no credentials: they are logged and shown to staff.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("can't be reached: {0}")]
    Unavailable(String),
    /// The source asks for patience (429, 418); it is left alone for at least `retry_after`.
    #[error("refuses more requests for {} s", retry_after.as_secs())]
    Throttled { retry_after: Duration },
    #[error("can't be understood: {0}")]
    Malformed(String),
}

impl SourceError {
    /// How long the source asked to be left alone.
    pub fn patience(&self) -> Duration {
        match self {
            SourceError::Throttled { retry_after } => *retry_after,
            SourceError::Unavailable(_) | SourceError::Malformed(_) => Duration::ZERO,
        }
    }
}

/// What a source brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    pub ticks: Vec<Tick>,
    /// What was asked for and isn't there or can't be read; the ticks count all the same.
    pub lacking: Option<String>,
}

impl Fetched {
    /// What an answer came to: ticks, and `lacking` what else was asked for. Without any tick it is of no use.
    pub fn of(ticks: Vec<Tick>, lacking: &[String]) -> Result<Self, SourceError> {
        let first = lacking.iter().take(LACKING_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
        let told = match lacking.len() {
            0 => None,
            count if count <= LACKING_MAX => Some(first),
            count => Some(format!("{first}; and {} more", count - LACKING_MAX)),
        };
        match told {
            Some(lacking) if ticks.is_empty() => Err(SourceError::Malformed(lacking)),
            lacking => Ok(Self { ticks, lacking }),
        }
    }
}

impl From<Vec<Tick>> for Fetched {
    fn from(ticks: Vec<Tick>) -> Self {
        Self { ticks, lacking: None }
    }
}

/// Where prices come from. One instance may feed the boards of both modes.
#[async_trait]
pub trait RateSource: Send + Sync + 'static {
    /// The name it has in configuration, health and stored prices.
    fn name(&self) -> &str;

    /// How long to wait between a successful fetch and the next one.
    fn poll_interval(&self) -> Duration;

    /// How long a fetch may take before it is given up.
    fn fetch_timeout(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// What the source says now, of all its pairs. It never retries by itself; the runner does.
    async fn fetch(&self) -> Result<Fetched, SourceError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::pair_text;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_750_000_000, 0).unwrap()
    }

    fn tick(bid: Decimal, ask: Decimal) -> Tick {
        Tick { pair: pair_text::parse("USDT/EUR").unwrap(), bid, ask, source_time: None }
    }

    #[test]
    fn a_market_is_taken() {
        assert_eq!(tick(dec!(0.9297), dec!(0.9301)).check(now()), Ok(()));
        assert_eq!(tick(dec!(0.9297), dec!(0.9297)).check(now()), Ok(()), "a last price as both");
        assert_eq!(tick(PRICE_MIN, PRICE_MIN).check(now()), Ok(()));
        assert_eq!(tick(PRICE_MAX, PRICE_MAX).check(now()), Ok(()));
        assert_eq!(tick(dec!(1), dec!(2)).check(now()), Ok(()));
    }

    #[test]
    fn what_no_market_says_is_refused() {
        let pair = tick(dec!(1), dec!(1)).pair;
        for (bid, ask, error) in [
            (dec!(0), dec!(1), TickError::NotPositive(pair)),
            (dec!(-1), dec!(1), TickError::NotPositive(pair)),
            (dec!(1), dec!(0), TickError::NotPositive(pair)),
            (dec!(0.9301), dec!(0.9297), TickError::Crossed(pair)),
            (dec!(1), dec!(2.0000000001), TickError::TooWide(pair)),
            (dec!(0.0000000000001), dec!(1), TickError::OutOfBounds(pair)),
            (dec!(1), dec!(1000000000000.1), TickError::OutOfBounds(pair)),
            (Decimal::MAX, Decimal::MAX, TickError::OutOfBounds(pair)),
        ] {
            assert_eq!(tick(bid, ask).check(now()), Err(error), "{bid} {ask}");
        }
        let twin = Pair { from: pair.to, to: pair.to };
        let same = Tick { pair: twin, ..tick(dec!(1), dec!(1)) };
        assert_eq!(same.check(now()), Err(TickError::SameAsset(twin)));
    }

    #[test]
    fn a_clock_slightly_ahead_is_forgiven_and_the_future_is_not() {
        let at = |ahead| Tick { source_time: Some(now() + ahead), ..tick(dec!(1), dec!(1)) };
        assert_eq!(at(FUTURE_TOLERANCE).check(now()), Ok(()));
        let late = at(FUTURE_TOLERANCE + TimeDelta::microseconds(1));
        assert_eq!(late.check(now()), Err(TickError::FromTheFuture(late.pair)));
        assert_eq!(at(TimeDelta::days(-4)).check(now()), Ok(()), "age is the board's to judge");
    }
}
