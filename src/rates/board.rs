//! The board of one mode: what each source says of each pair, and the price that comes of it. Sources' tasks write,
//! quotes read, and neither waits for the other: a reader takes a snapshot and computes on its own.
//!
//! It keeps no history, fetches nothing and knows no clock: callers hand in `now`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::consensus::{Candidate, Consensus, Quote, Rules, agree, outliers};
use super::cross::Crosses;
use super::health::SourceHealth;
use super::pair_text::inverse;
use super::price::{BoardPrice, RateError, SourceQuote, WhyUnavailable};
use super::source::{Tick, TickError};
use crate::domain::ids::Mode;
use crate::domain::rate::Pair;

/// What is known of a pair, by source.
type Quotes = BTreeMap<Arc<str>, Quote>;
/// Pairs are shared between what is published and what is changed next: an update copies the one pair that it changes.
type Snapshot = HashMap<Pair, Arc<Quotes>>;

/// What became of a source's ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How many can be prices. One that is older than what is held counts, though it changes nothing.
    pub taken: usize,
    pub refused: Vec<TickError>,
}

/// What a source said last of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub pair: Pair,
    pub source: String,
    pub age: TimeDelta,
    /// Whether it may still make a price.
    pub is_fresh: bool,
    /// Whether it is left out of the price since it is too far from the others.
    pub is_outlier: bool,
}

#[derive(Debug)]
pub struct Board {
    mode: Mode,
    rules: Rules,
    crosses: Crosses,
    /// How long a source's quotes are fresh, where that isn't the rules' age.
    max_ages: BTreeMap<String, TimeDelta>,
    /// What readers see. Locked for as long as it takes to copy or swap a pointer.
    published: RwLock<Arc<Snapshot>>,
    /// What writers change, one after the other, before they publish it.
    draft: Mutex<Draft>,
}

#[derive(Debug)]
struct Draft {
    quotes: Snapshot,
    health: BTreeMap<Arc<str>, SourceHealth>,
}

impl Draft {
    fn health_of(&mut self, source: &str) -> &mut SourceHealth {
        self.health.entry(source.into()).or_insert_with(|| SourceHealth::of(source))
    }
}

impl Board {
    /// An empty board; `sources` are shown in its health from the start.
    pub fn new(mode: Mode, rules: Rules, crosses: Crosses, sources: &[String]) -> Self {
        let health = sources.iter().map(|name| (name.as_str().into(), SourceHealth::of(name))).collect();
        Self {
            mode,
            rules,
            crosses,
            max_ages: BTreeMap::new(),
            published: RwLock::default(),
            draft: Mutex::new(Draft { quotes: Snapshot::default(), health }),
        }
    }

    /// Gives sources ages of their own, by name: one that speaks once a day isn't stale after seconds.
    pub fn with_max_ages(self, max_ages: BTreeMap<String, TimeDelta>) -> Self {
        Self { max_ages, ..self }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The price of `pair` now, or why there is none; never an old price.
    pub fn price(&self, pair: Pair, now: DateTime<Utc>) -> Result<BoardPrice, RateError> {
        self.consensus(pair, now)
            .and_then(|agreed| board_price(pair, agreed))
            .map_err(|why| RateError::Unavailable { pair, why })
    }

    /// What one source says of `pair`, bid and ask, if it is fresh; no cross, no other way round, and nobody else is asked.
    pub fn quote_of(&self, source: &str, pair: Pair, now: DateTime<Utc>) -> Option<(Decimal, Decimal)> {
        let snapshot = Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner));
        let quote = snapshot.get(&pair)?.get(source)?;
        quote.is_fresh(now, self.rules.max_age).then_some((quote.bid, quote.ask))
    }

    /// Whether each of `pairs` has a price now.
    pub fn is_ready(&self, pairs: &[Pair], now: DateTime<Utc>) -> bool {
        pairs.iter().all(|pair| self.price(*pair, now).is_ok())
    }

    /// Those of `pairs` that have no price now, and why.
    pub fn unavailable(&self, pairs: &[Pair], now: DateTime<Utc>) -> Vec<RateError> {
        pairs.iter().filter_map(|pair| self.price(*pair, now).err()).collect()
    }

    /// How each source is doing, by name.
    pub fn health(&self) -> Vec<SourceHealth> {
        self.lock_draft().health.values().cloned().collect()
    }

    /// What every source said last of every pair, fresh or not, by pair and source: for those who watch, not for prices.
    pub fn heard(&self, now: DateTime<Utc>) -> Vec<Heard> {
        let snapshot = Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner));
        let mut heard = Vec::new();
        for (pair, quotes) in snapshot.iter() {
            let outliers = outliers(self.candidates(&snapshot, *pair, now), &self.rules, now);
            heard.extend(quotes.iter().map(|(source, quote)| Heard {
                pair: *pair,
                source: source.as_ref().to_owned(),
                age: (now - quote.at()).max(TimeDelta::zero()),
                is_fresh: quote.is_fresh(now, self.rules.max_age),
                is_outlier: outliers.contains(source),
            }));
        }
        heard.sort_by(|a, b| (a.pair, &a.source).cmp(&(b.pair, &b.source)));
        heard
    }

    /// Takes what `source` brought at `now`. A tick that can't be a price is refused, one that is older than what is held
    /// is passed over.
    pub fn record(&self, source: &str, ticks: &[Tick], now: DateTime<Utc>) -> Recorded {
        let mut recorded = Recorded::default();
        let mut draft = self.lock_draft();
        let name: Arc<str> = source.into();
        let max_age = self.max_ages.get(source).copied();
        let mut is_changed = false;
        for tick in ticks {
            if let Err(error) = tick.check(now) {
                recorded.refused.push(error);
                continue;
            }
            recorded.taken += 1;
            let quote = Quote::of(tick, now).lasting(max_age);
            let quotes = draft.quotes.entry(tick.pair).or_default();
            if quotes.get(&name).is_none_or(|held| quote.supersedes(held)) {
                Arc::make_mut(quotes).insert(Arc::clone(&name), quote);
                is_changed = true;
            }
        }

        let refusal = recorded.refused.first().map(TickError::to_string);
        let health = draft.health_of(source);
        match (recorded.taken, refusal) {
            (0, refusal) => health.note_failure(&refusal.unwrap_or_else(|| "brought no price".to_owned()), now),
            (_, None) => health.note_success(now),
            (_, Some(refusal)) => {
                health.note_success(now);
                health.note_error(&refusal, now);
            }
        }
        if is_changed {
            let snapshot = Arc::new(draft.quotes.clone());
            *self.published.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        }
        recorded
    }

    /// Notes that `source` brought nothing at `now`. What it said before ages on.
    pub fn record_failure(&self, source: &str, error: &str, now: DateTime<Utc>) {
        self.lock_draft().health_of(source).note_failure(error, now);
    }

    /// Notes that something of `source` was wrong at `now`, though it isn't without prices.
    pub fn record_error(&self, source: &str, error: &str, now: DateTime<Utc>) {
        self.lock_draft().health_of(source).note_error(error, now);
    }

    fn consensus(&self, pair: Pair, now: DateTime<Utc>) -> Result<Consensus, WhyUnavailable> {
        let snapshot = Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner));
        let on_leg = |leg| agree(leg, self.candidates(&snapshot, leg, now), &self.rules, now);
        let Some([first, rest @ ..]) = self.crosses.legs_of(pair) else {
            return on_leg(pair);
        };
        rest.iter().try_fold(on_leg(*first)?, |so_far, leg| Ok(so_far.then(on_leg(*leg)?)))
    }

    /// The fresh quotes of `leg`, one a source: as it is, or the other way round if that is all the source has.
    fn candidates(&self, snapshot: &Snapshot, leg: Pair, now: DateTime<Utc>) -> Vec<Candidate> {
        let mut by_source = BTreeMap::new();
        for (pair, inverted) in [(leg, false), (inverse(leg), true)] {
            for (source, quote) in snapshot.get(&pair).into_iter().flat_map(|quotes| quotes.iter()) {
                if quote.is_fresh(now, self.rules.max_age) {
                    by_source.entry(source).or_insert_with(|| Candidate {
                        source: Arc::clone(source),
                        pair,
                        inverted,
                        quote: quote.clone(),
                    });
                }
            }
        }
        by_source.into_values().collect()
    }

    /// A writer that panicked left nothing half done that matters: each quote is whole.
    fn lock_draft(&self) -> std::sync::MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rounds, once, and writes down what was used.
fn board_price(pair: Pair, agreed: Consensus) -> Result<BoardPrice, WhyUnavailable> {
    let as_of = agreed.used.iter().map(|candidate| candidate.quote.at()).min();
    let (Some(price), Some(mid), Some(as_of)) = (agreed.bid.round_down(), agreed.mid.round_down(), as_of) else {
        return Err(WhyUnavailable::OutOfBounds);
    };
    let sources = agreed.used.into_iter().map(|candidate| SourceQuote {
        source: candidate.source.as_ref().to_owned(),
        pair: candidate.pair,
        inverted: candidate.inverted,
        bid: candidate.quote.bid,
        ask: candidate.quote.ask,
        at: candidate.quote.at(),
    });
    Ok(BoardPrice { pair, price, mid, as_of, sources: sources.collect() })
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
