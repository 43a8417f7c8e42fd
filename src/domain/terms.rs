//! Terms of a partner: where its payouts are priced and limited otherwise than the house's, and what its card holders read. Owns how terms
//! change the house's price book; they are read from a document elsewhere (`config::pricing::terms`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::card::strike_numbers;
use super::fee::{FeeSchedules, ScheduleEntry};
use super::limit::{LimitRules, Period, PeriodLimits};
use super::offer::PriceBook;
use super::rate::{Pair, Spread};

/// As many characters as every card network shows of who pays (ISO 8583 field 43: 22 to 25), and every provider takes.
const DESCRIPTOR_CHARS_MAX: usize = 22;

/// What a card holder reads on the statement. Every provider takes it as it is: 1 to 22 letters and digits of ASCII, single spaces and
/// hyphens, at least one letter, no space at its ends, and no card number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementDescriptor(String);

/// A text that not every provider would show as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "1 to 22 letters and digits without marks, single spaces and hyphens, with a letter, and no space at its ends: every provider takes that"
)]
pub struct DescriptorError;

impl FromStr for StatementDescriptor {
    type Err = DescriptorError;

    fn from_str(text: &str) -> Result<Self, DescriptorError> {
        let is_taken = (1..=DESCRIPTOR_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-'))
            && text.bytes().any(|b| b.is_ascii_alphabetic())
            && text.trim() == text
            && !text.contains("  ")
            && strike_numbers(text) == text;
        if is_taken { Ok(Self(text.to_owned())) } else { Err(DescriptorError) }
    }
}

impl StatementDescriptor {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StatementDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Limits in place of the house's, each by itself; `None` leaves the house's. In the reference currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitTerms {
    pub offer_min: Option<Decimal>,
    pub offer_max: Option<Decimal>,
    pub customer: PeriodLimits,
    pub card: PeriodLimits,
    pub partner: PeriodLimits,
}

/// Why limits that are right by themselves are wrong over the house's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitTermsError {
    #[error("above limits.offer_max, or the house's where that isn't given")]
    MinAboveMax,
    #[error("a longer period has a lower limit; what isn't given is the house's")]
    Periods(&'static str),
}

impl LimitTermsError {
    /// The attribute of the terms.
    pub const fn key(self) -> &'static str {
        match self {
            LimitTermsError::MinAboveMax => "limits.offer_min",
            LimitTermsError::Periods(key) => key,
        }
    }
}

impl LimitTerms {
    /// The house's rules with these in place of them.
    pub fn over(&self, house: &LimitRules) -> LimitRules {
        LimitRules {
            offer_min: self.offer_min.unwrap_or(house.offer_min),
            offer_max: self.offer_max.unwrap_or(house.offer_max),
            customer: over(&self.customer, &house.customer),
            card: over(&self.card, &house.card),
            partner: over(&self.partner, &house.partner),
            ..house.clone()
        }
    }

    /// Everything that is wrong with them over the house's.
    pub fn check(&self, house: &LimitRules) -> Vec<LimitTermsError> {
        let rules = self.over(house);
        let periods =
            [("limits.customer", rules.customer), ("limits.card", rules.card), ("limits.partner", rules.partner)];
        let fall = |limits: &PeriodLimits| !Period::ALL.into_iter().filter_map(|p| limits.get(p)).is_sorted();
        let falling = periods.iter().filter(|(_, limits)| fall(limits)).map(|(key, _)| LimitTermsError::Periods(key));
        let reversed = (rules.offer_min > rules.offer_max).then_some(LimitTermsError::MinAboveMax);
        reversed.into_iter().chain(falling).collect()
    }
}

fn over(own: &PeriodLimits, house: &PeriodLimits) -> PeriodLimits {
    PeriodLimits { day: own.day.or(house.day), month: own.month.or(house.month), year: own.year.or(house.year) }
}

/// Terms of a partner in a mode. What is left out is the house's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartnerTerms {
    /// For all pairs, in place of every spread that the house has for the partner or a pair.
    pub spread: Option<Spread>,
    /// For single pairs.
    pub spreads: BTreeMap<Pair, Spread>,
    /// Tried before the house's, in this order.
    pub fees: Vec<ScheduleEntry>,
    pub limits: LimitTerms,
    /// Which of the house's are offered.
    pub pairs: Option<BTreeSet<Pair>>,
    pub descriptor: Option<StatementDescriptor>,
}

impl PartnerTerms {
    /// The house's price book as the partner is priced and limited by, under a version of these terms.
    pub fn over(&self, house: &PriceBook, partner: &str, version: u32) -> PriceBook {
        let mut book = house.clone();
        book.terms_version = Some(version);
        let whom = || Some(partner.to_owned());
        if let Some(spread) = self.spread {
            book.spreads.exceptions.retain(|(code, _), _| code.as_deref() != Some(partner));
            book.spreads.exceptions.insert((whom(), None), spread);
        }
        book.spreads.exceptions.extend(self.spreads.iter().map(|(pair, spread)| ((whom(), Some(*pair)), *spread)));
        if !self.fees.is_empty() {
            let entries = self.fees.iter().chain(house.fees.entries()).cloned();
            book.fees = FeeSchedules::new(entries.collect());
        }
        book.limits = self.limits.over(&house.limits);
        if let Some(pairs) = &self.pairs {
            book.pairs = house.pairs.intersection(pairs).copied().collect();
        }
        book
    }
}

/// What a partner goes by now.
#[derive(Clone, Debug)]
pub struct TermsInForce {
    pub book: PriceBook,
    pub descriptor: Option<StatementDescriptor>,
}

impl TermsInForce {
    /// The house's own.
    pub fn house(book: PriceBook) -> Self {
        Self { book, descriptor: None }
    }

    pub fn of(house: &PriceBook, partner: &str, version: u32, terms: &PartnerTerms) -> Arc<Self> {
        Arc::new(Self { book: terms.over(house, partner, version), descriptor: terms.descriptor.clone() })
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::asset::{Asset, AssetKind};

    #[test]
    fn a_descriptor_is_what_every_provider_takes() {
        for good in ["ACME", "Acme Payouts-24", "A", "1-A", "ABCDEFGHIJKLMNOPQRSTUV"] {
            assert_eq!(good.parse::<StatementDescriptor>().map(|text| text.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            " ",
            " ACME",
            "ACME ",
            "AC  ME",
            "12345",
            "-",
            "Acme.com",
            "Acme_1",
            "Söhne",
            "ACME\n",
            "A&B",
            "ABCDEFGHIJKLMNOPQRSTUVW",
            "A 4111111111111111",
        ] {
            assert_eq!(bad.parse::<StatementDescriptor>(), Err(DescriptorError), "{bad:?}");
        }
    }

    #[test]
    fn limits_replace_the_houses_one_by_one_and_are_judged_together() {
        let eur = Asset { code: "EUR".parse().unwrap(), kind: AssetKind::Fiat, scale: 2 };
        let house = LimitRules {
            reference: eur,
            offer_min: dec!(21),
            offer_max: dec!(1980),
            kyc_yearly: [(1, dec!(9700))].into(),
            customer: PeriodLimits { day: Some(dec!(100)), month: Some(dec!(1000)), year: None },
            card: PeriodLimits::default(),
            partner: PeriodLimits::default(),
            velocity: Vec::new(),
        };
        let own = LimitTerms {
            offer_max: Some(dec!(50)),
            customer: PeriodLimits { month: Some(dec!(500)), ..PeriodLimits::default() },
            ..LimitTerms::default()
        };
        assert_eq!(own.check(&house), []);
        let merged = own.over(&house);
        assert_eq!((merged.offer_min, merged.offer_max), (dec!(21), dec!(50)));
        assert_eq!((merged.customer.day, merged.customer.month), (Some(dec!(100)), Some(dec!(500))));
        assert_eq!(merged.kyc_yearly, house.kyc_yearly);
        let wrong = LimitTerms {
            offer_max: Some(dec!(20)),
            customer: PeriodLimits { month: Some(dec!(99)), ..PeriodLimits::default() },
            ..LimitTerms::default()
        };
        assert_eq!(wrong.check(&house), [LimitTermsError::MinAboveMax, LimitTermsError::Periods("limits.customer")]);
    }
}
