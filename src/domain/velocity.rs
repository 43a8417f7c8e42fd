//! Velocity rules: how often, and how much, may be paid out in a rolling window, by customer, by card number or by partner. Pure: what
//! was counted is handed in. What counts is what was accepted, whatever became of it: a rule is about how somebody behaves.

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::asset::Asset;
use super::card::CardScheme;
use super::exact;
use super::money::Money;
use super::offer::{RuleRefusal, RuleResult, RuleVerdict};
use super::rate::Pair;

/// Whose payouts are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VelocitySubject {
    Customer,
    /// One card number, whichever of the partner's customers added it.
    Card,
    /// All of a partner's payouts in one mode.
    Partner,
}

/// What a rule does once its bound is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VelocityEffect {
    /// The offer can't be paid.
    Refuse,
    /// It is accepted, and nothing is sent before a person has looked at it.
    Moderate,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VelocityRule {
    pub name: String,
    /// A partner's code; `None`: every partner, each counted by itself.
    pub partner: Option<String>,
    pub subject: VelocitySubject,
    /// How far back is counted, to the microsecond: what was accepted at `now - window` has left it.
    pub window: TimeDelta,
    /// The most payouts in a window, the present one counted.
    pub count_max: Option<u32>,
    /// The most of them together, in the currency of limits, the present one counted.
    pub sum_max: Option<Decimal>,
    /// Only payouts of this pair are counted and judged.
    pub pair: Option<Pair>,
    /// Only payouts to cards of this scheme are counted and judged.
    pub card_scheme: Option<CardScheme>,
    /// Only payouts of customers at this level are judged. All are counted: what level an earlier one had nobody wrote down.
    pub kyc_level: Option<u8>,
    pub effect: VelocityEffect,
}

/// What was accepted in a window so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub count: u64,
    /// In the currency of limits.
    pub sum: Decimal,
}

impl Counted {
    /// With one more. A sum that can't be held exactly stays where it is and the count rises: amounts are bounded long before.
    pub fn with(self, amount: Decimal) -> Self {
        Self { count: self.count.saturating_add(1), sum: exact::add(self.sum, amount).unwrap_or(self.sum) }
    }
}

/// What of a payout a rule asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VelocityFacts<'a> {
    pub partner: &'a str,
    pub pair: Pair,
    pub card_scheme: CardScheme,
    pub kyc_level: u8,
}

impl VelocityRule {
    /// Whether such a payout is among those that the rule counts.
    pub fn counts(&self, facts: &VelocityFacts<'_>) -> bool {
        self.partner.as_deref().is_none_or(|partner| partner == facts.partner)
            && self.pair.is_none_or(|pair| pair == facts.pair)
            && self.card_scheme.is_none_or(|scheme| scheme == facts.card_scheme)
    }

    /// Whether the rule says anything about such a payout.
    pub fn judges(&self, facts: &VelocityFacts<'_>) -> bool {
        self.counts(facts) && self.kyc_level.is_none_or(|level| level == facts.kyc_level)
    }

    /// What the rule says of one more payout of `amount`, in units of `reference`, beside what was counted.
    pub fn judge(&self, counted: Counted, amount: Decimal, reference: Asset) -> RuleResult {
        let too_many = self.count_max.is_some_and(|most| counted.count >= u64::from(most));
        // A sum that can't be held exactly is above any bound.
        let is_above = |most: Decimal| exact::add(counted.sum, amount).map_or(true, |sum| sum > most);
        let too_much = self.sum_max.is_some_and(is_above);
        let verdict = match self.effect {
            _ if !too_many && !too_much => RuleVerdict::Pass,
            VelocityEffect::Moderate => RuleVerdict::Moderate,
            VelocityEffect::Refuse => {
                let limit = self.sum_max.filter(|_| too_much && !too_many);
                let limit = limit.and_then(|limit| Money::new(limit, reference).ok());
                RuleVerdict::Refuse { code: RuleRefusal::Velocity, limit }
            }
        };
        RuleResult { rule: self.name.clone(), verdict }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::asset::AssetKind;

    fn rule() -> VelocityRule {
        VelocityRule {
            name: "three a day".to_owned(),
            partner: None,
            subject: VelocitySubject::Customer,
            window: TimeDelta::days(1),
            count_max: Some(3),
            sum_max: Some(dec!(1000)),
            pair: None,
            card_scheme: None,
            kyc_level: None,
            effect: VelocityEffect::Refuse,
        }
    }

    fn eur() -> Asset {
        Asset { code: "EUR".parse().unwrap(), kind: AssetKind::Fiat, scale: 2 }
    }

    fn facts() -> VelocityFacts<'static> {
        let pair = "USDT/EUR".parse().unwrap();
        VelocityFacts { partner: "demo", pair, card_scheme: CardScheme::Visa, kyc_level: 1 }
    }

    fn judged(rule: &VelocityRule, count: u64, sum: Decimal, amount: Decimal) -> RuleVerdict {
        rule.judge(Counted { count, sum }, amount, eur()).verdict
    }

    fn refused(limit: Option<Decimal>) -> RuleVerdict {
        let limit = limit.map(|limit| Money::new(limit, eur()).unwrap());
        RuleVerdict::Refuse { code: RuleRefusal::Velocity, limit }
    }

    #[test]
    fn the_present_payout_is_counted_and_a_bound_is_met_exactly() {
        let rule = rule();
        assert_eq!(judged(&rule, 2, dec!(900), dec!(100)), RuleVerdict::Pass);
        assert_eq!(judged(&rule, 3, dec!(0), dec!(1)), refused(None));
        assert_eq!(judged(&rule, 2, dec!(900), dec!(100.01)), refused(Some(dec!(1000))));
        // Both bounds are passed: less wouldn't help, so no limit is told.
        assert_eq!(judged(&rule, 3, dec!(900), dec!(101)), refused(None));
    }

    #[test]
    fn a_bound_that_is_not_set_bounds_nothing() {
        let counts = VelocityRule { sum_max: None, ..rule() };
        assert_eq!(judged(&counts, 2, dec!(1000000), dec!(1000000)), RuleVerdict::Pass);
        let sums = VelocityRule { count_max: None, ..rule() };
        assert_eq!(judged(&sums, 1_000_000, dec!(0), dec!(1000)), RuleVerdict::Pass);
    }

    #[test]
    fn a_sum_that_cannot_be_held_exactly_is_refused() {
        assert_eq!(judged(&rule(), 0, Decimal::MAX, dec!(0.01)), refused(Some(dec!(1000))));
    }

    #[test]
    fn a_rule_that_moderates_refuses_nothing() {
        let rule = VelocityRule { effect: VelocityEffect::Moderate, ..rule() };
        assert_eq!(judged(&rule, 3, dec!(0), dec!(1)), RuleVerdict::Moderate);
        assert_eq!(judged(&rule, 2, dec!(0), dec!(1)), RuleVerdict::Pass);
    }

    #[test]
    fn conditions_narrow_what_is_counted_and_what_is_judged() {
        assert!(rule().judges(&facts()));
        let narrowed: [VelocityRule; 3] = [
            VelocityRule { partner: Some("other".to_owned()), ..rule() },
            VelocityRule { pair: Some("BTC/EUR".parse().unwrap()), ..rule() },
            VelocityRule { card_scheme: Some(CardScheme::Mastercard), ..rule() },
        ];
        for rule in narrowed {
            assert!(!rule.counts(&facts()) && !rule.judges(&facts()));
        }
        let of_level = VelocityRule { kyc_level: Some(2), ..rule() };
        assert!(of_level.counts(&facts()) && !of_level.judges(&facts()));
        assert!(of_level.judges(&VelocityFacts { kyc_level: 2, ..facts() }));
    }
}
