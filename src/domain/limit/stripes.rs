//! A partner's sum over several rows ("stripes"), so that its payouts don't all wait for one lock. Owns who may hold how much; the rows
//! and their locks are the store's.
//!
//! Each stripe may hold its share of the limit and no more, so a sum over all of them never passes the limit, whichever stripes the
//! decisions were taken on.

use rust_decimal::Decimal;

use super::{LimitRefusal, Period, PeriodLimits, Sums, check, room};
use crate::domain::exact::{self, ArithmeticError, Rounding};

/// What one stripe takes of an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripeShare {
    pub stripe: usize,
    /// Above zero.
    pub amount: Decimal,
}

/// Why an amount can't be placed on the stripes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    #[error(transparent)]
    Limit(#[from] LimitRefusal),
    #[error("there is no stripe to hold the amount")]
    NoStripes,
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// The limits of one of `count` stripes, which together make up `limits`. An amount that [`check`] lets onto one stripe under these
/// needs no look at the others.
pub fn stripe_limits(
    limits: &PeriodLimits,
    stripe: usize,
    count: usize,
    scale: u8,
) -> Result<PeriodLimits, ArithmeticError> {
    let share = |limit: Option<Decimal>| limit.map(|limit| share_of(limit, stripe, count, scale)).transpose();
    Ok(PeriodLimits { day: share(limits.day)?, month: share(limits.month)?, year: share(limits.year)? })
}

/// Where `amount` goes: all of it to the `preferred` stripe if it fits there, else spread over that one and those that follow it. The
/// answer is sorted by stripe, which is the order to lock them in. `scale` is the reference currency's.
pub fn plan_striped(
    stripes: &[Sums],
    limits: &PeriodLimits,
    amount: Decimal,
    preferred: usize,
    scale: u8,
) -> Result<Vec<StripeShare>, StripeError> {
    if stripes.is_empty() {
        return Err(StripeError::NoStripes);
    }
    // Shares alone would let a lowered limit be passed: a stripe above its new share takes the room of the others.
    let total = total(stripes)?;
    check(&total, limits, amount)?;

    let mut shares = Vec::new();
    let mut rest = amount;
    for stripe in (0..stripes.len()).map(|step| (preferred % stripes.len() + step) % stripes.len()) {
        let own = stripe_limits(limits, stripe, stripes.len(), scale)?;
        let taken = tightest(&stripes[stripe], &own).map_or(rest, |refusal| refusal.remaining.min(rest));
        if taken > Decimal::ZERO {
            shares.push(StripeShare { stripe, amount: taken });
            rest = exact::sub(rest, taken)?;
        }
    }
    if rest > Decimal::ZERO {
        // Each period has the room, but not on the same stripes. Without limits every stripe takes everything.
        let refusal = tightest(&total, limits).ok_or(ArithmeticError::Overflow)?;
        return Err(LimitRefusal { remaining: exact::sub(amount, rest)?, ..refusal }.into());
    }
    shares.sort_by_key(|share| share.stripe);
    Ok(shares)
}

fn total(stripes: &[Sums]) -> Result<Sums, ArithmeticError> {
    stripes.iter().try_fold(Sums::default(), |total, sums| {
        Ok(Sums {
            day: exact::add(total.day, sums.day)?,
            month: exact::add(total.month, sums.month)?,
            year: exact::add(total.year, sums.year)?,
        })
    })
}

/// The limit with the least room above its sum; `None` without limits.
fn tightest(sums: &Sums, limits: &PeriodLimits) -> Option<LimitRefusal> {
    let refusal = |period| {
        let limit = limits.get(period)?;
        Some(LimitRefusal { period, limit, remaining: room(limit, sums.get(period)) })
    };
    Period::ALL.into_iter().filter_map(refusal).min_by_key(|refusal| refusal.remaining)
}

/// A stripe's share of a limit. The units that don't divide evenly go to the first stripes, so that the shares add up to the limit.
fn share_of(limit: Decimal, stripe: usize, count: usize, scale: u8) -> Result<Decimal, ArithmeticError> {
    let number = |n: usize| i128::try_from(n).map_err(|_| ArithmeticError::Overflow);
    let units = exact::units(limit, scale, Rounding::Down)?;
    let (each, left_over) = (units / number(count)?, units % number(count)?);
    exact::from_units(if number(stripe)? < left_over { each + 1 } else { each }, scale)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn day(limit: Decimal) -> PeriodLimits {
        PeriodLimits { day: Some(limit), ..PeriodLimits::default() }
    }

    fn used(days: &[Decimal]) -> Vec<Sums> {
        days.iter().map(|day| Sums { day: *day, month: *day, year: *day }).collect()
    }

    fn plan(
        days: &[Decimal],
        limit: Decimal,
        amount: Decimal,
        preferred: usize,
    ) -> Result<Vec<(usize, Decimal)>, StripeError> {
        let shares = plan_striped(&used(days), &day(limit), amount, preferred, 2)?;
        Ok(shares.into_iter().map(|share| (share.stripe, share.amount)).collect())
    }

    #[test]
    fn an_amount_that_fits_its_stripe_stays_on_it() {
        assert_eq!(plan(&[dec!(0), dec!(20), dec!(0)], dec!(90), dec!(10), 1), Ok(vec![(1, dec!(10))]));
    }

    #[test]
    fn an_amount_that_does_not_fit_is_spread_from_its_stripe_on() {
        let spread = plan(&[dec!(0), dec!(25), dec!(20)], dec!(90), dec!(20), 1);
        assert_eq!(spread, Ok(vec![(0, dec!(5)), (1, dec!(5)), (2, dec!(10))]));
    }

    #[test]
    fn the_last_unit_of_a_limit_that_does_not_divide_evenly_can_be_used() {
        let spread = plan(&[dec!(0), dec!(0), dec!(0)], dec!(1.00), dec!(1.00), 0);
        assert_eq!(spread, Ok(vec![(0, dec!(0.34)), (1, dec!(0.33)), (2, dec!(0.33))]));
    }

    #[test]
    fn what_no_stripe_has_room_for_is_refused() {
        let refused = LimitRefusal { period: Period::Day, limit: dec!(90), remaining: dec!(15) };
        assert_eq!(plan(&[dec!(30), dec!(25), dec!(20)], dec!(90), dec!(15.01), 0), Err(refused.into()));
        assert_eq!(plan(&[], dec!(90), dec!(1), 0), Err(StripeError::NoStripes));
    }

    #[test]
    fn a_lowered_limit_is_not_passed_by_stripes_that_still_have_room() {
        // 80 lie on a stripe whose share has become 30; the whole has 10 left, not 60.
        assert_eq!(plan(&[dec!(80), dec!(0), dec!(0)], dec!(90), dec!(10), 0), Ok(vec![(1, dec!(10))]));
        let refused = LimitRefusal { period: Period::Day, limit: dec!(90), remaining: dec!(10) };
        assert_eq!(plan(&[dec!(80), dec!(0), dec!(0)], dec!(90), dec!(10.01), 0), Err(refused.into()));
    }

    #[test]
    fn room_of_different_periods_on_different_stripes_does_not_add_up() {
        let stripes = [
            Sums { day: dec!(0), month: dec!(50), year: dec!(50) },
            Sums { day: dec!(5), month: dec!(5), year: dec!(5) },
        ];
        let limits = PeriodLimits { day: Some(dec!(10)), month: Some(dec!(100)), year: None };
        let refused = LimitRefusal { period: Period::Day, limit: dec!(10), remaining: dec!(0) };
        assert_eq!(plan_striped(&stripes, &limits, dec!(1), 0, 2), Err(refused.into()));
    }

    #[test]
    fn without_limits_one_stripe_takes_everything() {
        let shares = plan_striped(&used(&[dec!(5), dec!(5)]), &PeriodLimits::default(), dec!(1e6), 5, 2);
        assert_eq!(shares, Ok(vec![StripeShare { stripe: 1, amount: dec!(1e6) }]));
    }
}
