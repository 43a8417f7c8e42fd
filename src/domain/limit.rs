//! Limits: how much a customer, a card and a partner may pay out. Owns the rules and the one comparison; [`window`] keeps the rolling
//! sums, [`stripes`] spreads a partner's sum over several rows. Locks nothing and stores nothing.
//!
//! Everything is counted in a reference currency, whose unit a limit, a sum and an amount share.

pub mod stripes;
pub mod window;

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;

use super::asset::Asset;
use super::exact::{self, ArithmeticError, Rounding};
use super::money::{Money, MoneyError};
use super::rate::Price;
use super::velocity::VelocityRule;

pub use stripes::{StripeError, StripeShare, plan_striped, stripe_limits};
pub use window::{Sums, UsageError, UsageWindow};

/// A rolling stretch of time, ending now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// 24 hours.
    Day,
    /// 30 days.
    Month,
    /// 365 days.
    Year,
}

impl Period {
    /// Shortest first: the order in which limits are checked.
    pub const ALL: [Period; 3] = [Period::Day, Period::Month, Period::Year];

    pub const fn as_str(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Month => "month",
            Period::Year => "year",
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The most that a subject may pay out in each period, in the reference currency. `None` doesn't restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeriodLimits {
    pub day: Option<Decimal>,
    pub month: Option<Decimal>,
    pub year: Option<Decimal>,
}

impl PeriodLimits {
    pub fn get(&self, period: Period) -> Option<Decimal> {
        match period {
            Period::Day => self.day,
            Period::Month => self.month,
            Period::Year => self.year,
        }
    }

    /// The stricter of the two in each period.
    pub fn stricter(&self, other: &Self) -> Self {
        let least = |a: Option<Decimal>, b: Option<Decimal>| a.into_iter().chain(b).min();
        Self {
            day: least(self.day, other.day),
            month: least(self.month, other.month),
            year: least(self.year, other.year),
        }
    }
}

/// A limit that an amount would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {period}'s limit is {limit}, of which {remaining} remain")]
pub struct LimitRefusal {
    pub period: Period,
    pub limit: Decimal,
    /// What may still be paid out in this period. Never negative.
    pub remaining: Decimal,
}

/// Whether `amount` more stays within `limits`, the shortest period first. `amount` isn't negative.
pub fn check(sums: &Sums, limits: &PeriodLimits, amount: Decimal) -> Result<(), LimitRefusal> {
    for period in Period::ALL {
        let Some(limit) = limits.get(period) else { continue };
        let remaining = room(limit, sums.get(period));
        if amount > remaining {
            return Err(LimitRefusal { period, limit, remaining });
        }
    }
    Ok(())
}

/// What a limit leaves above a sum. A difference that can't be told counts as no room.
fn room(limit: Decimal, sum: Decimal) -> Decimal {
    exact::sub(limit, sum).unwrap_or(Decimal::ZERO).max(Decimal::ZERO)
}

/// The limits of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRules {
    /// The currency that limits and sums are counted in.
    pub reference: Asset,
    /// The least that an offer may pay out, in the reference currency.
    pub offer_min: Decimal,
    /// The most that an offer may pay out, in the reference currency.
    pub offer_max: Decimal,
    /// By KYC level, the most in a year. A level that isn't named has the limit of the next lower one; below the lowest, nothing may be paid.
    pub kyc_yearly: BTreeMap<u8, Decimal>,
    pub customer: PeriodLimits,
    pub card: PeriodLimits,
    pub partner: PeriodLimits,
    /// How often and how much in a rolling window, in the order in which they are asked.
    pub velocity: Vec<VelocityRule>,
}

impl LimitRules {
    /// The lowest KYC level that may pay; `None` if none may.
    pub fn kyc_level_required(&self) -> Option<u8> {
        self.kyc_yearly.keys().next().copied()
    }

    /// A customer's limits at a KYC level; `None` if that level may not pay at all.
    pub fn customer_limits(&self, kyc_level: u8) -> Option<PeriodLimits> {
        let (_, yearly) = self.kyc_yearly.range(..=kyc_level).next_back()?;
        Some(self.customer.stricter(&PeriodLimits { year: Some(*yearly), ..PeriodLimits::default() }))
    }

    /// An offer's least and most in `target`, of which one unit is worth `price` in the reference currency: the least rounded up, the
    /// most rounded down.
    pub fn offer_range(&self, target: Asset, price: Price) -> Result<(Money, Money), MoneyError> {
        let converted = |limit, rounding| Money::new(exact::div(limit, price.value(), target.scale, rounding)?, target);
        Ok((converted(self.offer_min, Rounding::Up)?, converted(self.offer_max, Rounding::Down)?))
    }

    /// What a payout of `amount` counts as in the reference currency, rounded up; `price` as in [`offer_range`](Self::offer_range).
    pub fn counted(&self, amount: &Money, price: Price) -> Result<Decimal, ArithmeticError> {
        exact::mul(amount.amount(), price.value(), self.reference.scale, Rounding::Up)
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::asset::AssetKind;

    fn fiat(code: &str) -> Asset {
        Asset { code: code.parse().unwrap(), kind: AssetKind::Fiat, scale: 2 }
    }

    fn rules() -> LimitRules {
        LimitRules {
            reference: fiat("EUR"),
            offer_min: dec!(21),
            offer_max: dec!(1980),
            kyc_yearly: [(1, dec!(9700)), (2, dec!(15000)), (3, dec!(32000))].into(),
            customer: PeriodLimits { day: Some(dec!(5000)), month: None, year: Some(dec!(20000)) },
            card: PeriodLimits::default(),
            partner: PeriodLimits::default(),
            velocity: Vec::new(),
        }
    }

    #[test]
    fn a_customer_without_kyc_may_not_pay() {
        assert_eq!(rules().customer_limits(0), None);
        assert_eq!(rules().kyc_level_required(), Some(1));
    }

    #[test]
    fn the_stricter_of_level_and_customer_limit_holds() {
        let yearly = |level| rules().customer_limits(level).and_then(|limits| limits.year);
        assert_eq!(yearly(1), Some(dec!(9700)));
        assert_eq!(yearly(2), Some(dec!(15000)));
        assert_eq!(yearly(3), Some(dec!(20000)));
        assert_eq!(yearly(200), Some(dec!(20000)));
        assert_eq!(rules().customer_limits(1).and_then(|limits| limits.day), Some(dec!(5000)));
    }

    #[test]
    fn a_limit_can_be_used_up_but_not_passed() {
        let limits = PeriodLimits { day: Some(dec!(100)), month: None, year: Some(dec!(150)) };
        let sums = Sums { day: dec!(40), month: dec!(90), year: dec!(90) };
        assert_eq!(check(&sums, &limits, dec!(60)), Ok(()));
        let refused = LimitRefusal { period: Period::Day, limit: dec!(100), remaining: dec!(60) };
        assert_eq!(check(&sums, &limits, dec!(60.01)), Err(refused));
        let over = Sums { day: dec!(0), month: dec!(0), year: dec!(151) };
        let refused = LimitRefusal { period: Period::Year, limit: dec!(150), remaining: dec!(0) };
        assert_eq!(check(&over, &limits, dec!(0.01)), Err(refused));
        assert_eq!(check(&over, &PeriodLimits::default(), dec!(1e9)), Ok(()));
    }

    #[test]
    fn offer_limits_in_another_currency_round_to_the_strict_side() {
        let price = Price::new(dec!(0.9)).unwrap();
        let (least, most) = rules().offer_range(fiat("USD"), price).unwrap();
        assert_eq!((least.to_string(), most.to_string()), ("23.34 USD".into(), "2200.00 USD".into()));
        assert_eq!(rules().counted(&Money::new(dec!(10.01), fiat("USD")).unwrap(), price), Ok(dec!(9.01)));
    }
}
