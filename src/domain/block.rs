//! The block list: whom and what is not paid out to. What is listed is read elsewhere; here is what an entry is about, and whether what is
//! listed concerns a payout.

use std::fmt;
use std::str::FromStr;

use super::offer::{RuleRefusal, RuleResult, RuleVerdict};

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockKind {
    /// A customer, by the partner's own reference.
    Customer,
    /// One card number, by its fingerprint.
    Card,
    /// All numbers that begin so.
    Iin,
    /// The country of the card's issuer, of its billing address or of the customer.
    Country,
}

/// A text that names no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry is about a customer, a card, an iin or a country")]
pub struct UnknownKind;

impl BlockKind {
    pub const ALL: [Self; 4] = [Self::Customer, Self::Card, Self::Iin, Self::Country];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Card => "card",
            Self::Iin => "iin",
            Self::Country => "country",
        }
    }

    /// As a rule that refuses.
    pub fn refusal(self) -> RuleResult {
        let verdict = RuleVerdict::Refuse { code: RuleRefusal::Blocked, limit: None };
        RuleResult { rule: format!("block list: {self}"), verdict }
    }
}

impl fmt::Display for BlockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BlockKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

/// What is listed that may concern one payout: what names its customer or its card, and every country.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Entries that name the customer, the number or its first digits.
    pub named: Vec<BlockKind>,
    /// ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
}

impl Listed {
    /// The first kind of entry, in their order, that blocks a payout which has to do with `countries`; one that isn't known blocks nothing.
    pub fn blocks(&self, countries: &[Option<&str>]) -> Option<BlockKind> {
        let is_listed = |country: &&str| self.countries.iter().any(|listed| listed == country);
        let by_country = countries.iter().flatten().any(is_listed);
        self.named.iter().copied().chain(by_country.then_some(BlockKind::Country)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_the_payout_blocks_it_and_a_country_only_where_it_is_known() {
        let listed = Listed { named: Vec::new(), countries: vec!["KP".to_owned()] };
        assert_eq!(listed.blocks(&[Some("LT"), None, Some("KP")]), Some(BlockKind::Country));
        assert_eq!(listed.blocks(&[Some("LT"), None]), None);
        assert_eq!(Listed::default().blocks(&[Some("KP")]), None);
        let both = Listed { named: vec![BlockKind::Iin, BlockKind::Customer], ..listed };
        assert_eq!(both.blocks(&[Some("KP")]), Some(BlockKind::Customer));
        assert_eq!(both.blocks(&[]), Some(BlockKind::Customer));
    }

    #[test]
    fn kinds_are_read_back() {
        for kind in BlockKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("bin".parse::<BlockKind>(), Err(UnknownKind));
    }
}
