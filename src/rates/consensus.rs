//! The pure judgement over one pair's quotes: which are fresh, which agree, and what their price is. No locks, no clock.
//!
//! The median of an even count is the **lower** middle, not the mean of both: it favours the house (the user gets less fiat
//! for the crypto) and is always a price that some source really quoted.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::price::WhyUnavailable;
use super::ratio::Ratio;
use super::source::{FUTURE_TOLERANCE, Tick};
use crate::domain::rate::Pair;

/// When a pair's quotes make a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A quote is fresh up to this age, included, unless its source has an age of its own.
    pub max_age: TimeDelta,
    /// How far from the median of the fresh a quote may be, as a fraction of the median, included.
    pub max_deviation: Decimal,
    /// How many sources have to be fresh, and to agree.
    pub min_sources: usize,
}

/// A tick that passed [`Tick::check`], with the time of its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    pub bid: Decimal,
    pub ask: Decimal,
    source_time: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    /// How long it is fresh, where its source has an age of its own.
    max_age: Option<TimeDelta>,
}

impl Quote {
    pub fn of(tick: &Tick, received_at: DateTime<Utc>) -> Self {
        Self { bid: tick.bid, ask: tick.ask, source_time: tick.source_time, received_at, max_age: None }
    }

    /// The same, fresh for as long as its source's quotes are; nothing: as long as the rules say.
    pub fn lasting(self, max_age: Option<TimeDelta>) -> Self {
        Self { max_age, ..self }
    }

    /// What it ages from: the source's time, or the receipt where there is none. A source's clock that is ahead of
    /// ours makes nothing younger.
    pub fn at(&self) -> DateTime<Utc> {
        self.source_time.map_or(self.received_at, |time| time.min(self.received_at))
    }

    /// A quote far in the future (the clock was set back) is of unknown age, so it is not fresh.
    /// `max_age` is the board's, for sources without one of their own.
    pub fn is_fresh(&self, now: DateTime<Utc>, max_age: TimeDelta) -> bool {
        let age = now - self.at();
        -FUTURE_TOLERANCE <= age && age <= self.max_age.unwrap_or(max_age)
    }

    /// Whether this one takes the place of `held`, received from the same source: never if it is older. Of two with the
    /// same source time the later receipt counts.
    pub fn supersedes(&self, held: &Quote) -> bool {
        // After the clock was set back, what is held would otherwise bar everything new until the clock caught up.
        if held.received_at > self.received_at + FUTURE_TOLERANCE {
            return true;
        }
        let order = |quote: &Quote| (quote.source_time.unwrap_or(quote.received_at), quote.received_at);
        order(self) >= order(held)
    }
}

/// A source's quote of the pair in question, or of its inverse.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub source: Arc<str>,
    /// The pair that the source quotes: the one in question, or its inverse.
    pub pair: Pair,
    pub inverted: bool,
    pub quote: Quote,
}

/// What the agreeing sources say.
#[derive(Debug)]
pub struct Consensus {
    pub bid: Ratio,
    pub mid: Ratio,
    /// Those that agree: they made the price.
    pub used: Vec<Candidate>,
}

impl Consensus {
    /// The price over both: this one of A in B, `next` of B in C.
    pub fn then(mut self, next: Consensus) -> Self {
        self.used.extend(next.used);
        Self { bid: self.bid.times(&next.bid), mid: self.mid.times(&next.mid), used: self.used }
    }
}

struct Valued {
    bid: Ratio,
    mid: Ratio,
    candidate: Candidate,
}

impl Valued {
    /// Nothing if the quote is not positive, which a checked tick is.
    fn of(candidate: Candidate) -> Option<Self> {
        let mut bid = Ratio::from_decimal(candidate.quote.bid)?;
        let mut ask = Ratio::from_decimal(candidate.quote.ask)?;
        if candidate.inverted {
            (bid, ask) = (ask.inverse(), bid.inverse());
        }
        Some(Self { mid: bid.middle(&ask), bid, candidate })
    }
}

/// The price of `leg` by majority: the median of the fresh, outliers dropped, and the median again.
///
/// `candidates` holds at most one quote a source. Refused when fewer than `min_sources` are fresh or agree, and when those that
/// agree are not more than half of the fresh: two sources that contradict each other don't tell which one is right.
pub fn agree(
    leg: Pair,
    candidates: Vec<Candidate>,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Result<Consensus, WhyUnavailable> {
    let needed = rules.min_sources.max(1);
    let mut valued = fresh_of(candidates, rules, now);
    let fresh = valued.len();
    let Some(center) = median(valued.iter().map(|v| &v.bid)) else {
        return Err(WhyUnavailable::TooFewFresh { leg, fresh, needed });
    };
    if fresh < needed {
        return Err(WhyUnavailable::TooFewFresh { leg, fresh, needed });
    }

    valued.retain(|v| v.bid.is_within(rules.max_deviation, &center));
    let agreeing = valued.len();
    let middles = (median(valued.iter().map(|v| &v.bid)), median(valued.iter().map(|v| &v.mid)));
    match middles {
        (Some(bid), Some(mid)) if agreeing >= needed && agreeing * 2 > fresh => {
            Ok(Consensus { bid, mid, used: valued.into_iter().map(|v| v.candidate).collect() })
        }
        _ => Err(WhyUnavailable::Disagreement { leg, fresh, agreeing, needed }),
    }
}

/// The sources among `candidates` whose fresh quotes are too far from the median of all: those that [`agree`] leaves out.
pub fn outliers(candidates: Vec<Candidate>, rules: &Rules, now: DateTime<Utc>) -> Vec<Arc<str>> {
    let valued = fresh_of(candidates, rules, now);
    let Some(center) = median(valued.iter().map(|v| &v.bid)) else { return Vec::new() };
    let is_far = |v: &&Valued| !v.bid.is_within(rules.max_deviation, &center);
    valued.iter().filter(is_far).map(|v| Arc::clone(&v.candidate.source)).collect()
}

fn fresh_of(candidates: Vec<Candidate>, rules: &Rules, now: DateTime<Utc>) -> Vec<Valued> {
    let fresh = candidates.into_iter().filter(|candidate| candidate.quote.is_fresh(now, rules.max_age));
    fresh.filter_map(Valued::of).collect()
}

/// The middle one, the lower of two; nothing of nothing.
fn median<'a>(values: impl Iterator<Item = &'a Ratio>) -> Option<Ratio> {
    let mut sorted: Vec<&Ratio> = values.collect();
    sorted.sort();
    let middle = sorted.len().checked_sub(1)? / 2;
    sorted.get(middle).map(|ratio| (*ratio).clone())
}

#[cfg(test)]
#[path = "consensus_tests.rs"]
mod tests;
