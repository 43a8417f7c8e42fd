//! Which fee schedule applies: the first, in the operator's order, whose partner, mode and conditions fit.
//!
//! Amount bands may make a larger amount cheaper than a smaller one across a band's edge, so everything that searches by amount
//! walks the [bands](FeeTariff::bands), within which one schedule applies and fees only grow.

use std::collections::BTreeSet;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::FeeSchedule;
use crate::domain::card::CardScheme;
use crate::domain::exact::{self, Rounding};
use crate::domain::ids::Mode;
use crate::domain::rate::Pair;

/// A schedule with whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// The partner's code; `None` is every partner.
    pub partner: Option<String>,
    /// `None` is both modes.
    pub mode: Option<Mode>,
    pub schedule: Arc<FeeSchedule>,
}

/// All schedules, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeeSchedules {
    entries: Vec<ScheduleEntry>,
}

impl FeeSchedules {
    pub fn new(entries: Vec<ScheduleEntry>) -> Self {
        Self { entries }
    }

    pub fn entries(&self) -> &[ScheduleEntry] {
        &self.entries
    }

    /// The schedules of a partner in a mode, in the order in which they are tried.
    pub fn of_partner<'a>(&'a self, partner: &'a str, mode: Mode) -> impl Iterator<Item = &'a FeeSchedule> {
        self.entries_of(partner, mode).map(|entry| &*entry.schedule)
    }

    fn entries_of<'a>(&'a self, partner: &'a str, mode: Mode) -> impl Iterator<Item = &'a ScheduleEntry> {
        let is_for = move |entry: &&ScheduleEntry| {
            entry.partner.as_deref().is_none_or(|code| code == partner)
                && entry.mode.is_none_or(|entry_mode| entry_mode == mode)
        };
        self.entries.iter().filter(is_for)
    }

    /// The schedules that may apply to payouts of this kind, before the amount is known.
    pub fn tariff(&self, partner: &str, mode: Mode, pair: Pair, scheme: CardScheme) -> FeeTariff {
        let schedules = self
            .entries_of(partner, mode)
            .filter(|entry| entry.schedule.conditions().fit(pair, scheme))
            .map(|entry| Arc::clone(&entry.schedule))
            .collect();
        FeeTariff { schedules }
    }
}

/// The schedules of one partner, mode, pair and card scheme, of which the amount picks one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeTariff {
    schedules: Vec<Arc<FeeSchedule>>,
}

/// Amounts in units of the source's scale, both ends included, that share one schedule.
#[derive(Clone, Copy, Debug)]
pub struct FeeBand<'a> {
    pub first: i128,
    pub last: i128,
    pub schedule: &'a FeeSchedule,
}

impl FeeTariff {
    /// A tariff of one schedule.
    pub fn single(schedule: FeeSchedule) -> Self {
        Self { schedules: vec![Arc::new(schedule)] }
    }

    /// The schedule that applies to `amount`. `None`: this amount can't be priced, which never means that it is free.
    pub fn schedule_for(&self, amount: Decimal) -> Option<&FeeSchedule> {
        self.schedules.iter().map(Arc::as_ref).find(|schedule| schedule.conditions().hold(amount))
    }

    /// The stretches of positive amounts that have a schedule, highest first, when counted at `scale`.
    pub fn bands(&self, scale: u8) -> Vec<FeeBand<'_>> {
        // The first unit at or above an edge, which is where another schedule may start to apply.
        let unit_at = |edge: Decimal| exact::units(edge, scale, Rounding::Up).unwrap_or(i128::MAX);
        let starts: BTreeSet<i128> = self
            .schedules
            .iter()
            .flat_map(|schedule| [schedule.conditions().amount_from, schedule.conditions().amount_below])
            .flatten()
            .map(|edge| unit_at(edge).max(1))
            .chain([1])
            .collect();
        let mut last = i128::MAX;
        let mut bands = Vec::with_capacity(starts.len());
        for first in starts.into_iter().rev() {
            let start = exact::from_units(first, scale).ok();
            if let Some(schedule) = start.and_then(|amount| self.schedule_for(amount)) {
                bands.push(FeeBand { first, last, schedule });
            }
            last = first.saturating_sub(1);
        }
        bands
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::fee::{FeeConditions, FeeKind, FeeRule};

    fn pair(from: &str, to: &str) -> Pair {
        Pair { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    fn schedule(id: &str, conditions: FeeConditions) -> FeeSchedule {
        let rule = FeeRule { percent: Some(dec!(1)), ..FeeRule::of(FeeKind::Transaction) };
        FeeSchedule::new(id, 1, vec![rule], conditions).unwrap()
    }

    fn entry(id: &str, partner: Option<&str>, mode: Option<Mode>, conditions: FeeConditions) -> ScheduleEntry {
        ScheduleEntry { partner: partner.map(Into::into), mode, schedule: Arc::new(schedule(id, conditions)) }
    }

    fn picked(schedules: &FeeSchedules, partner: &str, mode: Mode, from: &str, scheme: CardScheme) -> Option<String> {
        let tariff = schedules.tariff(partner, mode, pair(from, "EUR"), scheme);
        tariff.schedule_for(dec!(10)).map(|schedule| schedule.id().to_owned())
    }

    #[test]
    fn the_first_schedule_that_fits_is_picked() {
        let btc = FeeConditions { pairs: [pair("BTC", "EUR")].into(), ..FeeConditions::default() };
        let visa = FeeConditions { card_schemes: [CardScheme::Visa].into(), ..FeeConditions::default() };
        let small = FeeConditions { amount_below: Some(dec!(10)), ..FeeConditions::default() };
        let schedules = FeeSchedules::new(vec![
            entry("small", None, None, small),
            entry("acme-live", Some("acme"), Some(Mode::Live), FeeConditions::default()),
            entry("btc", None, None, btc),
            entry("visa", Some("acme"), None, visa),
            entry("rest", None, Some(Mode::Test), FeeConditions::default()),
        ]);
        let pick = |partner, mode, from, scheme| picked(&schedules, partner, mode, from, scheme);
        assert_eq!(pick("acme", Mode::Live, "BTC", CardScheme::Visa).as_deref(), Some("acme-live"));
        assert_eq!(pick("acme", Mode::Test, "BTC", CardScheme::Visa).as_deref(), Some("btc"));
        assert_eq!(pick("acme", Mode::Test, "ETH", CardScheme::Visa).as_deref(), Some("visa"));
        assert_eq!(pick("acme", Mode::Test, "ETH", CardScheme::Amex).as_deref(), Some("rest"));
        assert_eq!(pick("other", Mode::Live, "ETH", CardScheme::Amex), None);
    }

    #[test]
    fn bands_meet_at_their_edges_without_overlap_and_leave_gaps_open() {
        let band = |from, below| FeeConditions { amount_from: from, amount_below: below, ..FeeConditions::default() };
        let tariff = FeeSchedules::new(vec![
            entry("low", None, None, band(None, Some(dec!(0.105)))),
            entry("high", None, None, band(Some(dec!(0.2)), None)),
        ])
        .tariff("any", Mode::Test, pair("BTC", "EUR"), CardScheme::Visa);
        let bands: Vec<_> =
            tariff.bands(2).iter().map(|band| (band.schedule.id().to_owned(), band.first, band.last)).collect();
        assert_eq!(bands, [("high".to_owned(), 20, i128::MAX), ("low".to_owned(), 1, 10)]);
        assert_eq!(tariff.schedule_for(dec!(0.104)).map(FeeSchedule::id), Some("low"));
        assert_eq!(tariff.schedule_for(dec!(0.105)), None);
        assert_eq!(tariff.schedule_for(dec!(0.2)).map(FeeSchedule::id), Some("high"));
    }
}
