//! Fees: what is charged on top of an amount, in the source currency. Owns the rules of one schedule and their arithmetic, and
//! in [`schedules`] which schedule applies; posts nothing.
//!
//! Every fee grows with the amount or stays: a schedule that could charge less for more is refused when it is made, and the search for
//! the largest affordable amount relies on it.

pub mod schedules;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::card::CardScheme;
use super::exact::{self, ArithmeticError, Rounding};
use super::rate::{Pair, Price};

pub use schedules::{FeeSchedules, FeeTariff, ScheduleEntry};

const PERCENT_SCALE_MAX: u32 = 6;
/// The finest that a crypto asset is counted.
const AMOUNT_SCALE_MAX: u32 = 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeKind {
    /// Usually a percentage of the amount.
    Transaction,
    /// Usually a fixed sum in fiat.
    Fixed,
    Additional,
    /// What the source network costs (`crypteriumGas` on the wire).
    NetworkGas,
    /// Belongs to the partner, not to the house.
    Partner,
}

impl FeeKind {
    pub const ALL: [FeeKind; 5] =
        [FeeKind::Transaction, FeeKind::Fixed, FeeKind::Additional, FeeKind::NetworkGas, FeeKind::Partner];

    pub const fn as_str(self) -> &'static str {
        match self {
            FeeKind::Transaction => "transaction",
            FeeKind::Fixed => "fixed",
            FeeKind::Additional => "additional",
            FeeKind::NetworkGas => "network_gas",
            FeeKind::Partner => "partner",
        }
    }
}

impl fmt::Display for FeeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no fee kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of fee")]
pub struct FeeKindError;

impl FromStr for FeeKind {
    type Err = FeeKindError;

    fn from_str(text: &str) -> Result<Self, FeeKindError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(FeeKindError)
    }
}

/// One line of a schedule. Its parts add up; then the minimum and the maximum apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeRule {
    pub kind: FeeKind,
    /// Percent of the amount: 3.5 is 3.5 %. At most 100, 6 decimals.
    pub percent: Option<Decimal>,
    /// In units of the target fiat; divided by the price.
    pub fixed_target: Option<Decimal>,
    /// In units of the source.
    pub fixed_source: Option<Decimal>,
    /// The least that is charged, in units of the source.
    pub min: Option<Decimal>,
    /// The most that is charged, in units of the source.
    pub max: Option<Decimal>,
}

impl FeeRule {
    /// A rule of `kind` that charges nothing yet.
    pub fn of(kind: FeeKind) -> Self {
        Self { kind, percent: None, fixed_target: None, fixed_source: None, min: None, max: None }
    }

    /// What is charged for `amount`, rounded up to `scale` decimals (the source's) after minimum and maximum.
    pub fn charge(&self, amount: Decimal, price: Price, scale: u8) -> Result<Decimal, ArithmeticError> {
        const ONE: Decimal = Decimal::ONE;
        let parts = [
            self.percent.map(|percent| (percent, amount, Decimal::ONE_HUNDRED)),
            self.fixed_target.map(|fiat| (fiat, ONE, price.value())),
            self.fixed_source.map(|fixed| (fixed, ONE, ONE)),
        ];
        let charged = match parts {
            [Some((a, b, c)), None, None] | [None, Some((a, b, c)), None] | [None, None, Some((a, b, c))] => {
                exact::mul_div(a, b, c, scale, Rounding::Up)?
            }
            several => {
                let parts: Vec<_> = several.into_iter().flatten().collect();
                exact::sum_mul_div(&parts, scale, Rounding::Up)?
            }
        };
        // Rounding up never reverses an order, so rounding first and bounding by the rounded bounds is the same.
        let charged = match self.min {
            Some(min) => charged.max(exact::round(min, scale, Rounding::Up)?),
            None => charged,
        };
        match self.max {
            Some(max) => Ok(charged.min(exact::round(max, scale, Rounding::Up)?)),
            None => Ok(charged),
        }
    }

    fn check(&self) -> Result<(), FeeError> {
        let parts = [self.percent, self.fixed_target, self.fixed_source, self.min, self.max];
        if parts.iter().flatten().any(|part| *part < Decimal::ZERO) {
            return Err(FeeError::Negative(self.kind));
        }
        if self.percent.is_some_and(|percent| percent > Decimal::ONE_HUNDRED) {
            return Err(FeeError::PercentAbove100(self.kind));
        }
        let too_fine = |part: Option<Decimal>, scale| part.is_some_and(|part| part.normalize().scale() > scale);
        if too_fine(self.percent, PERCENT_SCALE_MAX) || parts.iter().any(|part| too_fine(*part, AMOUNT_SCALE_MAX)) {
            return Err(FeeError::TooPrecise(self.kind));
        }
        if self.min.zip(self.max).is_some_and(|(min, max)| min > max) {
            return Err(FeeError::MinAboveMax(self.kind));
        }
        if parts[..4].iter().all(Option::is_none) {
            return Err(FeeError::ChargesNothing(self.kind));
        }
        Ok(())
    }
}

/// Why a fee schedule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeeError {
    #[error("the {0} fee has a negative part")]
    Negative(FeeKind),
    #[error("the {0} fee is above 100 %")]
    PercentAbove100(FeeKind),
    #[error("the {0} fee has more decimals than are counted (6 for a percentage, 18 for an amount)")]
    TooPrecise(FeeKind),
    #[error("the {0} fee has a minimum above its maximum")]
    MinAboveMax(FeeKind),
    #[error("the {0} fee names nothing to charge")]
    ChargesNothing(FeeKind),
    #[error("the amount band is empty or negative")]
    EmptyBand,
}

/// When a schedule applies. Whatever is empty or absent doesn't restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeeConditions {
    pub pairs: BTreeSet<Pair>,
    pub card_schemes: BTreeSet<CardScheme>,
    /// In units of the source; the bound itself belongs to the band.
    pub amount_from: Option<Decimal>,
    /// In units of the source; the bound itself doesn't belong to the band.
    pub amount_below: Option<Decimal>,
}

impl FeeConditions {
    /// Whether everything but the amount fits.
    fn fit(&self, pair: Pair, scheme: CardScheme) -> bool {
        (self.pairs.is_empty() || self.pairs.contains(&pair))
            && (self.card_schemes.is_empty() || self.card_schemes.contains(&scheme))
    }

    fn hold(&self, amount: Decimal) -> bool {
        self.amount_from.is_none_or(|from| amount >= from) && self.amount_below.is_none_or(|below| amount < below)
    }
}

/// One charged fee, in units of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FeeItem {
    pub kind: FeeKind,
    /// Never negative, within the source's scale.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
}

/// A set of fees that apply together. An offer remembers the id and the version that it was priced with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeSchedule {
    id: String,
    version: u32,
    rules: Vec<FeeRule>,
    conditions: FeeConditions,
}

impl FeeSchedule {
    /// Refuses rules that could charge less for a larger amount, or a negative fee. No rules at all is a free schedule.
    pub fn new(
        id: impl Into<String>,
        version: u32,
        rules: Vec<FeeRule>,
        conditions: FeeConditions,
    ) -> Result<Self, FeeError> {
        for rule in &rules {
            rule.check()?;
        }
        let from = conditions.amount_from.unwrap_or(Decimal::ZERO);
        if from < Decimal::ZERO || conditions.amount_below.is_some_and(|below| below <= from) {
            return Err(FeeError::EmptyBand);
        }
        Ok(Self { id: id.into(), version, rules, conditions })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn version(&self) -> u32 {
        self.version
    }

    pub fn rules(&self) -> &[FeeRule] {
        &self.rules
    }

    pub fn conditions(&self) -> &FeeConditions {
        &self.conditions
    }

    /// The fees of `amount`, one item a rule, each rounded up to `scale` decimals (the source's).
    pub fn items(&self, amount: Decimal, price: Price, scale: u8) -> Result<Vec<FeeItem>, ArithmeticError> {
        let item = |rule: &FeeRule| Ok(FeeItem { kind: rule.kind, amount: rule.charge(amount, price, scale)? });
        self.rules.iter().map(item).collect()
    }

    /// The sum of [`items`](Self::items), without making them.
    pub fn sum(&self, amount: Decimal, price: Price, scale: u8) -> Result<Decimal, ArithmeticError> {
        let none = exact::from_units(0, scale)?;
        self.rules.iter().try_fold(none, |sum, rule| exact::add(sum, rule.charge(amount, price, scale)?))
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn rule(change: impl FnOnce(&mut FeeRule)) -> FeeRule {
        let mut rule = FeeRule::of(FeeKind::Transaction);
        change(&mut rule);
        rule
    }

    fn charge(rule: &FeeRule, amount: Decimal) -> Decimal {
        rule.charge(amount, Price::new(dec!(0.9297)).unwrap(), 8).unwrap()
    }

    fn refused(rule: FeeRule) -> FeeError {
        FeeSchedule::new("refused", 1, vec![rule], FeeConditions::default()).unwrap_err()
    }

    #[test]
    fn each_fee_is_rounded_up_once() {
        assert_eq!(charge(&rule(|r| r.percent = Some(dec!(3.5))), dec!(760.06209697)), dec!(26.60217340));
        assert_eq!(charge(&rule(|r| r.fixed_target = Some(dec!(2.5))), dec!(1)), dec!(2.68903948));
        // Half a unit of percentage and half a unit of fixed fee make one unit, not two.
        let halves = rule(|r| {
            r.percent = Some(dec!(0.5));
            r.fixed_source = Some(dec!(0.000000005));
        });
        assert_eq!(charge(&halves, dec!(0.000001)), dec!(0.00000001));
    }

    #[test]
    fn minimum_and_maximum_apply_before_the_rounding() {
        let bounded = rule(|r| {
            r.percent = Some(dec!(1));
            r.min = Some(dec!(0.5));
            r.max = Some(dec!(2.000000001));
        });
        assert_eq!(charge(&bounded, dec!(10)), dec!(0.5));
        assert_eq!(charge(&bounded, dec!(100)), dec!(1));
        assert_eq!(charge(&bounded, dec!(1000)), dec!(2.00000001));
        assert_eq!(charge(&rule(|r| r.min = Some(dec!(3))), dec!(10)), dec!(3));
    }

    #[test]
    fn a_rule_that_is_negative_reversed_or_empty_is_refused() {
        assert_eq!(refused(rule(|r| r.percent = Some(dec!(-1)))), FeeError::Negative(FeeKind::Transaction));
        assert_eq!(refused(rule(|r| r.percent = Some(dec!(100.1)))), FeeError::PercentAbove100(FeeKind::Transaction));
        assert_eq!(refused(rule(|r| r.percent = Some(dec!(1.0000001)))), FeeError::TooPrecise(FeeKind::Transaction));
        assert_eq!(refused(FeeRule::of(FeeKind::Transaction)), FeeError::ChargesNothing(FeeKind::Transaction));
        assert_eq!(refused(rule(|r| r.max = Some(dec!(1)))), FeeError::ChargesNothing(FeeKind::Transaction));
        let reversed = rule(|r| (r.min, r.max) = (Some(dec!(2)), Some(dec!(1))));
        assert_eq!(refused(reversed), FeeError::MinAboveMax(FeeKind::Transaction));
    }

    #[test]
    fn an_empty_band_is_refused() {
        let band = |from, below| FeeConditions { amount_from: from, amount_below: below, ..FeeConditions::default() };
        for (from, below) in [(Some(dec!(5)), Some(dec!(5))), (None, Some(dec!(0))), (Some(dec!(-1)), None)] {
            assert_eq!(FeeSchedule::new("band", 1, vec![], band(from, below)), Err(FeeError::EmptyBand));
        }
    }

    #[test]
    fn fee_kinds_survive_the_trip() {
        for kind in FeeKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("gas".parse::<FeeKind>(), Err(FeeKindError));
    }
}
