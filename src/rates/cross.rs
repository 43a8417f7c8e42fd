//! Cross rates: a pair priced over others, only ever through a path that configuration names.
//!
//! A pair with a path is always priced over it, and one without never crosses: which way a price was made doesn't flap with
//! the sources, and sources that contradict each other on a pair can't be evaded through another one.

use std::collections::{BTreeMap, BTreeSet};

use super::pair_text::inverse;
use crate::domain::rate::Pair;

/// The most legs that a path may have.
pub const LEGS_MAX: usize = 4;

/// Why a path doesn't price its pair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrossError {
    #[error("a path has 2 to {LEGS_MAX} legs")]
    Length,
    #[error("the legs don't lead from {from} to {to}, each starting where the one before it ends", from = .0.from, to = .0.to)]
    Broken(Pair),
    #[error("the path passes an asset twice")]
    Loop,
    #[error("{0} has two paths")]
    Twice(Pair),
    #[error("the leg {0} has a path itself; write its legs out")]
    Nested(Pair),
}

/// The configured paths, each checked to lead from its pair's one asset to the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crosses {
    legs_of: BTreeMap<Pair, Vec<Pair>>,
}

impl Crosses {
    /// Adds the path `legs` for `pair`. A leg is written in the direction of the path, whichever way the sources quote it.
    pub fn add(&mut self, pair: Pair, legs: Vec<Pair>) -> Result<(), CrossError> {
        if !(2..=LEGS_MAX).contains(&legs.len()) {
            return Err(CrossError::Length);
        }
        let mut reached = pair.from;
        let mut passed = BTreeSet::from([reached]);
        for leg in &legs {
            if leg.from != reached {
                return Err(CrossError::Broken(pair));
            }
            reached = leg.to;
            if !passed.insert(reached) {
                return Err(CrossError::Loop);
            }
        }
        if reached != pair.to {
            return Err(CrossError::Broken(pair));
        }
        if self.legs_of.contains_key(&pair) {
            return Err(CrossError::Twice(pair));
        }
        self.legs_of.insert(pair, legs);
        Ok(())
    }

    /// The first leg that has a path itself, in either direction: paths don't nest.
    pub fn check_nesting(&self) -> Result<(), CrossError> {
        let has_path = |leg: Pair| self.legs_of.contains_key(&leg) || self.legs_of.contains_key(&inverse(leg));
        match self.legs_of.values().flatten().find(|leg| has_path(**leg)) {
            Some(leg) => Err(CrossError::Nested(*leg)),
            None => Ok(()),
        }
    }

    /// The legs that price `pair`, if it is priced over others.
    pub fn legs_of(&self, pair: Pair) -> Option<&[Pair]> {
        self.legs_of.get(&pair).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rates::pair_text::parse;

    fn add(crosses: &mut Crosses, pair: &str, legs: &[&str]) -> Result<(), CrossError> {
        crosses.add(parse(pair).unwrap(), legs.iter().map(|leg| parse(leg).unwrap()).collect())
    }

    #[test]
    fn a_path_leads_from_one_asset_to_the_other() {
        let mut crosses = Crosses::default();
        assert_eq!(add(&mut crosses, "BTC/GBP", &["BTC/USDT", "USDT/GBP"]), Ok(()));
        assert_eq!(crosses.legs_of(parse("BTC/GBP").unwrap()).map(<[Pair]>::len), Some(2));
        assert_eq!(crosses.legs_of(parse("GBP/BTC").unwrap()), None, "a path is not read backwards");
    }

    #[test]
    fn a_path_that_does_not_is_refused() {
        let crosses = &mut Crosses::default();
        let pair = parse("BTC/GBP").unwrap();
        assert_eq!(add(crosses, "BTC/GBP", &[]), Err(CrossError::Length));
        assert_eq!(add(crosses, "BTC/GBP", &["BTC/GBP"]), Err(CrossError::Length));
        assert_eq!(add(crosses, "BTC/GBP", &["BTC/USDT", "USD/GBP"]), Err(CrossError::Broken(pair)), "USDT is not USD");
        assert_eq!(add(crosses, "BTC/GBP", &["BTC/USDT", "GBP/USDT"]), Err(CrossError::Broken(pair)));
        assert_eq!(add(crosses, "BTC/GBP", &["BTC/USDT", "USDT/EUR"]), Err(CrossError::Broken(pair)));
        assert_eq!(add(crosses, "BTC/GBP", &["BTC/USDT", "USDT/BTC", "BTC/GBP"]), Err(CrossError::Loop));
        assert_eq!(add(crosses, "BTC/GBP", &["BTC/USDT", "USDT/GBP"]), Ok(()));
        assert_eq!(add(crosses, "BTC/GBP", &["BTC/EUR", "EUR/GBP"]), Err(CrossError::Twice(pair)));
    }

    #[test]
    fn paths_do_not_nest() {
        let crosses = &mut Crosses::default();
        add(crosses, "BTC/GBP", &["BTC/USDT", "USDT/GBP"]).unwrap();
        assert_eq!(crosses.check_nesting(), Ok(()));
        add(crosses, "GBP/USDT", &["GBP/EUR", "EUR/USDT"]).unwrap();
        assert_eq!(crosses.check_nesting(), Err(CrossError::Nested(parse("USDT/GBP").unwrap())));
    }
}
