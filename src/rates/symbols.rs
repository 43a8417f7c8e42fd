//! Which of a source's markets are asked for. Exchanges refuse a whole request for one name that they don't know, and delist markets on
//! short notice: a name that is refused is left out for a while, so that it doesn't take the others along.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::source::{Fetched, SourceError, Tick};
use crate::domain::rate::Pair;

/// How long a refused name is left out before it is tried again: markets are halted, and come back.
const LEFT_OUT: TimeDelta = TimeDelta::minutes(10);

/// A market of an exchange, and the pair that it is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// As the exchange writes it.
    pub name: String,
    pub pair: Pair,
}

/// What came of a request for some markets.
pub(super) enum Asked {
    Brought {
        ticks: Vec<Tick>,
        /// What else was asked for, or is wrong, for staff to read.
        lacking: Vec<String>,
    },
    /// The exchange doesn't know one of the names, and says nothing of the others.
    UnknownName,
}

/// An exchange that is asked by name.
#[async_trait]
pub(super) trait Exchange: Sync {
    async fn ask(&self, symbols: &[&Symbol]) -> Result<Asked, SourceError>;
}

/// A source's markets.
#[derive(Debug)]
pub struct Symbols {
    all: Vec<Symbol>,
    /// Those that were refused, and until when they are left out.
    refused: Mutex<Vec<(String, DateTime<Utc>)>>,
}

impl Symbols {
    pub fn new(all: Vec<Symbol>) -> Self {
        Self { all, refused: Mutex::default() }
    }

    pub fn all(&self) -> &[Symbol] {
        &self.all
    }

    /// Asks `exchange` for all that aren't left out; one by one if it doesn't know one of them, as it doesn't say which.
    pub(super) async fn fetch(&self, exchange: &impl Exchange, now: DateTime<Utc>) -> Result<Fetched, SourceError> {
        let (asked, left_out) = self.asked(now);
        let mut missing: Vec<String> = left_out.iter().map(|name| unknown(name)).collect();
        if let Asked::Brought { ticks, lacking } = exchange.ask(&asked).await? {
            missing.extend(lacking);
            return Fetched::of(ticks, &missing);
        }
        let mut brought = Vec::new();
        let mut refused = Vec::new();
        for symbol in asked {
            match exchange.ask(&[symbol]).await? {
                Asked::Brought { ticks, lacking } => {
                    brought.extend(ticks);
                    missing.extend(lacking);
                }
                Asked::UnknownName => {
                    missing.push(unknown(&symbol.name));
                    refused.push(symbol.name.as_str());
                }
            }
        }
        // Where none is known, the names are hardly to blame.
        if !brought.is_empty() {
            refused.iter().for_each(|name| self.leave_out(name, now));
        }
        Fetched::of(brought, &missing)
    }

    /// Those to ask for now, never none, and the names of those that are left out.
    fn asked(&self, now: DateTime<Utc>) -> (Vec<&Symbol>, Vec<String>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        // A time further ahead than any was set: the clock was set back.
        refused.retain(|(_, until)| now < *until && *until <= now + LEFT_OUT);
        let is_refused = |symbol: &&Symbol| refused.iter().any(|(name, _)| *name == symbol.name);
        let (out, asked): (Vec<_>, Vec<_>) = self.all.iter().partition(is_refused);
        if asked.is_empty() {
            return (out, Vec::new());
        }
        (asked, out.into_iter().map(|symbol| symbol.name.clone()).collect())
    }

    /// Leaves `name` out for a while.
    fn leave_out(&self, name: &str, now: DateTime<Utc>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.push((name.to_owned(), now + LEFT_OUT));
    }
}

/// What staff read of a market that the exchange refuses.
fn unknown(name: &str) -> String {
    format!("doesn't know {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::pair_text::parse;

    #[test]
    fn a_refused_name_is_left_out_for_a_while() {
        let symbol = |name: &str, pair| Symbol { name: name.to_owned(), pair: parse(pair).unwrap() };
        let symbols = Symbols::new(vec![symbol("BTCEUR", "BTC/EUR"), symbol("EURUSDT", "EUR/USDT")]);
        let now = DateTime::from_timestamp(1_750_000_000, 0).unwrap();
        let asked = |now| symbols.asked(now).0.iter().map(|symbol| symbol.name.clone()).collect::<Vec<_>>();
        assert_eq!(asked(now), ["BTCEUR", "EURUSDT"]);
        symbols.leave_out("BTCEUR", now);
        assert_eq!(asked(now), ["EURUSDT"]);
        assert_eq!(symbols.asked(now).1, ["BTCEUR"]);
        assert_eq!(asked(now + LEFT_OUT), ["BTCEUR", "EURUSDT"]);
        symbols.leave_out("BTCEUR", now);
        assert_eq!(asked(now - TimeDelta::hours(1)), ["BTCEUR", "EURUSDT"], "the clock was set back");
    }
}
