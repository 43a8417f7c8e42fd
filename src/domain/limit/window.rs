//! Rolling sums in one small row: amounts by hour for the last day and by day for the last year. Owns the counting; knows no limit.
//!
//! A bucket counts while any instant of it lies within the period, so a sum may count an amount for up to an hour (or a day) too long,
//! and never leaves one out.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Period;
use crate::domain::exact::{self, ArithmeticError};

const HOUR_SECS: i64 = 3_600;
const DAY_SECS: i64 = 86_400;
/// Hours kept: those that can count, and one in case another process's clock is behind.
const HOURS_KEPT: i64 = 26;
/// Days kept, in the same way.
const DAYS_KEPT: i64 = 367;

impl Period {
    const fn secs(self) -> i64 {
        match self {
            Period::Day => DAY_SECS,
            Period::Month => 30 * DAY_SECS,
            Period::Year => 365 * DAY_SECS,
        }
    }
}

/// What a subject has used, in the reference currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub day: Decimal,
    pub month: Decimal,
    pub year: Decimal,
}

impl Sums {
    pub fn get(&self, period: Period) -> Decimal {
        match period {
            Period::Day => self.day,
            Period::Month => self.month,
            Period::Year => self.year,
        }
    }
}

/// Why an amount can't be reserved or given back. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    #[error("an amount to reserve or to give back can't be negative")]
    Negative,
    #[error("more would be given back than was reserved at that time")]
    NotReserved,
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// What one subject has reserved, and when. Serializes compactly, amounts as text:
///
/// ```
/// use chrono::DateTime;
/// use landfall::domain::limit::UsageWindow;
/// use rust_decimal::Decimal;
///
/// let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a valid time");
/// let mut usage = UsageWindow::default();
/// usage.reserve(now, Decimal::new(125, 1))?;
/// let row = serde_json::to_string(&usage)?;
/// assert_eq!(row, r#"{"hours":{"472222":"12.5"},"days":{"19675":"12.5"},"hours_from":472197,"days_from":19309}"#);
/// assert_eq!(serde_json::from_str::<UsageWindow>(&row)?, usage);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageWindow {
    /// By hours since 1970.
    #[serde(with = "buckets")]
    hours: BTreeMap<i64, Decimal>,
    /// By days since 1970.
    #[serde(with = "buckets")]
    days: BTreeMap<i64, Decimal>,
    /// The first hour that is kept: what lies before it was dropped and can't be given back, nor does it count.
    hours_from: i64,
    /// The first day that is kept.
    days_from: i64,
}

impl UsageWindow {
    /// Counts `amount` as of `now` and drops what is too old to count ever again.
    pub fn reserve(&mut self, now: DateTime<Utc>, amount: Decimal) -> Result<(), UsageError> {
        if amount < Decimal::ZERO {
            return Err(UsageError::Negative);
        }
        let (hour, day) = buckets_of(now);
        let hourly = exact::add(self.hours.get(&hour).copied().unwrap_or_default(), amount)?;
        let daily = exact::add(self.days.get(&day).copied().unwrap_or_default(), amount)?;
        self.hours.insert(hour, hourly);
        self.days.insert(day, daily);
        self.prune(now);
        Ok(())
    }

    /// Gives back `amount` of what was reserved at `reserved_at`. What has become too old to count has nothing to give back.
    pub fn release(&mut self, reserved_at: DateTime<Utc>, amount: Decimal) -> Result<(), UsageError> {
        if amount < Decimal::ZERO {
            return Err(UsageError::Negative);
        }
        let (hour, day) = buckets_of(reserved_at);
        let less = |kept: &BTreeMap<i64, Decimal>, bucket, from| match kept.get(&bucket) {
            Some(reserved) if *reserved >= amount => Ok(Some(exact::sub(*reserved, amount)?)),
            None if bucket < from || amount.is_zero() => Ok(None),
            Some(_) | None => Err(UsageError::NotReserved),
        };
        let hourly = less(&self.hours, hour, self.hours_from)?;
        let daily = less(&self.days, day, self.days_from)?;
        set(&mut self.hours, hour, hourly);
        set(&mut self.days, day, daily);
        Ok(())
    }

    /// What counts as of `now`. Buckets ahead of `now`, by another process's clock, count too.
    pub fn sums(&self, now: DateTime<Utc>) -> Result<Sums, ArithmeticError> {
        let sum = |kept: &BTreeMap<i64, Decimal>, bucket_secs: i64, period: Period| {
            // A bucket counts if it ends after the period's start: its last instant is then within.
            let first = now.timestamp().saturating_sub(period.secs()).div_euclid(bucket_secs);
            kept.range(first..).try_fold(Decimal::ZERO, |sum, (_, amount)| exact::add(sum, *amount))
        };
        Ok(Sums {
            day: sum(&self.hours, HOUR_SECS, Period::Day)?,
            month: sum(&self.days, DAY_SECS, Period::Month)?,
            year: sum(&self.days, DAY_SECS, Period::Year)?,
        })
    }

    fn prune(&mut self, now: DateTime<Utc>) {
        let (hour, day) = buckets_of(now);
        self.hours_from = self.hours_from.max(hour - HOURS_KEPT + 1);
        self.days_from = self.days_from.max(day - DAYS_KEPT + 1);
        self.hours = self.hours.split_off(&self.hours_from);
        self.days = self.days.split_off(&self.days_from);
    }
}

/// The hour and the day that hold an instant, counted from 1970.
fn buckets_of(at: DateTime<Utc>) -> (i64, i64) {
    (at.timestamp().div_euclid(HOUR_SECS), at.timestamp().div_euclid(DAY_SECS))
}

fn set(kept: &mut BTreeMap<i64, Decimal>, bucket: i64, amount: Option<Decimal>) {
    match amount {
        Some(zero) if zero.is_zero() => drop(kept.remove(&bucket)),
        Some(amount) => drop(kept.insert(bucket, amount)),
        None => {}
    }
}

/// Amounts as text, so that no reader between here and the row takes them for floats.
mod buckets {
    use std::collections::BTreeMap;

    use rust_decimal::Decimal;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(kept: &BTreeMap<i64, Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(kept.iter().map(|(bucket, amount)| (bucket, amount.to_string())))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<i64, Decimal>, D::Error> {
        let texts = BTreeMap::<i64, String>::deserialize(deserializer)?;
        let read = |(bucket, text): (i64, String)| match Decimal::from_str_exact(&text) {
            Ok(amount) if amount >= Decimal::ZERO => Ok((bucket, amount)),
            Ok(_) => Err(D::Error::custom("a reserved amount is negative")),
            Err(_) => Err(D::Error::custom("a reserved amount is not a decimal")),
        };
        texts.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rust_decimal::dec;

    use super::*;

    /// Half past an hour, in the middle of a day.
    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 / DAY_SECS * DAY_SECS + 12 * HOUR_SECS + 1_800, 0).unwrap()
    }

    fn used(amount: Decimal) -> UsageWindow {
        let mut usage = UsageWindow::default();
        usage.reserve(start(), amount).unwrap();
        usage
    }

    fn sums_after(usage: &UsageWindow, later: TimeDelta) -> (Decimal, Decimal, Decimal) {
        let sums = usage.sums(start() + later).unwrap();
        (sums.day, sums.month, sums.year)
    }

    #[test]
    fn an_amount_counts_for_the_whole_period_and_at_most_a_bucket_longer() {
        let usage = used(dec!(5));
        let (five, none) = (dec!(5), dec!(0));
        assert_eq!(sums_after(&usage, TimeDelta::zero()), (five, five, five));
        assert_eq!(sums_after(&usage, TimeDelta::hours(24)), (five, five, five));
        assert_eq!(sums_after(&usage, TimeDelta::hours(25)), (none, five, five));
        assert_eq!(sums_after(&usage, TimeDelta::days(30)), (none, five, five));
        assert_eq!(sums_after(&usage, TimeDelta::days(31)), (none, none, five));
        assert_eq!(sums_after(&usage, TimeDelta::days(365)), (none, none, five));
        assert_eq!(sums_after(&usage, TimeDelta::days(366)), (none, none, none));
    }

    #[test]
    fn what_another_clock_reserved_ahead_of_us_counts() {
        assert_eq!(sums_after(&used(dec!(5)), TimeDelta::hours(-3)), (dec!(5), dec!(5), dec!(5)));
    }

    #[test]
    fn old_buckets_are_dropped() {
        let mut usage = UsageWindow::default();
        for hour in 0..24 * 800 {
            usage.reserve(start() + TimeDelta::hours(hour), dec!(1)).unwrap();
        }
        assert_eq!((usage.hours.len(), usage.days.len()), (26, 367));
        assert!(serde_json::to_string(&usage).unwrap().len() < 8_000);
    }

    #[test]
    fn what_was_reserved_can_be_given_back_once() {
        let mut usage = used(dec!(5));
        assert_eq!(usage.release(start(), dec!(5.01)), Err(UsageError::NotReserved));
        assert_eq!(usage.release(start(), dec!(3)), Ok(()));
        assert_eq!(sums_after(&usage, TimeDelta::zero()), (dec!(2), dec!(2), dec!(2)));
        assert_eq!(usage.release(start(), dec!(2)), Ok(()));
        assert_eq!(usage.release(start(), dec!(0.01)), Err(UsageError::NotReserved));
        assert_eq!(sums_after(&usage, TimeDelta::zero()), (dec!(0), dec!(0), dec!(0)));
    }

    #[test]
    fn a_late_release_gives_back_what_still_counts() {
        let mut usage = used(dec!(5));
        usage.reserve(start() + TimeDelta::days(10), dec!(1)).unwrap();
        assert_eq!(usage.release(start(), dec!(5)), Ok(()));
        assert_eq!(sums_after(&usage, TimeDelta::days(10)), (dec!(1), dec!(1), dec!(1)));
        usage.reserve(start() + TimeDelta::days(900), dec!(1)).unwrap();
        assert_eq!(usage.release(start() + TimeDelta::days(10), dec!(1)), Ok(()));
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let mut usage = used(dec!(5));
        let before = usage.clone();
        assert_eq!(usage.reserve(start(), dec!(-1)), Err(UsageError::Negative));
        assert_eq!(usage.release(start(), dec!(-1)), Err(UsageError::Negative));
        assert_eq!(usage.release(start() + TimeDelta::hours(1), dec!(1)), Err(UsageError::NotReserved));
        assert!(matches!(usage.reserve(start(), Decimal::MAX), Err(UsageError::Arithmetic(_))));
        assert_eq!(usage, before);
    }

    #[test]
    fn a_damaged_row_is_refused() {
        for amount in ["-1", "x", "", "1e3"] {
            let row = format!(r#"{{"hours":{{"1":"{amount}"}},"days":{{}},"hours_from":0,"days_from":0}}"#);
            assert!(serde_json::from_str::<UsageWindow>(&row).is_err(), "{amount:?}");
        }
        assert!(
            serde_json::from_str::<UsageWindow>(r#"{"hours":{"1":2},"days":{},"hours_from":0,"days_from":0}"#).is_err()
        );
    }
}
