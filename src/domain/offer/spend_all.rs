//! "Spend everything": the largest amount whose total a balance covers, to the last unit.
//!
//! A closed formula overspends by a unit for about half of all balances once fees round and have minimums, so this searches. It is cheap:
//! each step divides the uncertainty by the fee's percentage (or at worst by two), so a dozen totals are enough.

use super::pricing::Terms;
use crate::domain::exact;
use crate::domain::fee::schedules::FeeBand;
use crate::domain::money::Money;

impl Terms {
    /// The largest amount of at most `max` whose total is within `balance`; `None` if not even one unit is, or the money isn't the source's.
    ///
    /// Where amount bands make a larger amount cheaper than a smaller one, the larger one is still found.
    pub fn all_amount(&self, balance: &Money, max: &Money) -> Option<Money> {
        if balance.asset() != self.source || max.asset() != self.source {
            return None;
        }
        // No total is below its amount, so the balance itself is a bound.
        let most = balance.units().min(max.units());
        // Highest band first: the first that has an answer has the largest.
        self.tariff
            .bands(self.source.scale)
            .into_iter()
            .find_map(|band| self.largest_in(&band, balance.units(), most))
            .and_then(|units| Money::from_units(units, self.source).ok())
    }

    /// The largest amount of a band, in units, whose total is within `balance`, and which is at most `most`.
    fn largest_in(&self, band: &FeeBand<'_>, balance: i128, most: i128) -> Option<i128> {
        // Fees beyond what a decimal holds are above any balance.
        let fees = |units: i128| self.fee_units(band, units).unwrap_or(balance);
        let affordable = |units: i128| units.checked_add(fees(units)).is_some_and(|total| total <= balance);

        // The answer lies within low..=high, and low is always affordable.
        let (mut low, mut high) = (band.first, band.last.min(most));
        if low > high || !affordable(low) {
            return None;
        }
        while low < high {
            // The answer's fees are at least those of `low`, so they leave it no more than this.
            high = high.min(balance - fees(low));
            if affordable(high) {
                return Some(high);
            }
            // The unit above the answer has fees of at most those of `high`, and still costs too much.
            low = low.max(balance - fees(high));
            high -= 1;
            let middle = low + (high - low + 1) / 2;
            if affordable(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Some(low)
    }

    fn fee_units(&self, band: &FeeBand<'_>, units: i128) -> Option<i128> {
        let scale = self.source.scale;
        let amount = exact::from_units(units, scale).ok()?;
        band.schedule.sum(amount, self.rate.price, scale).ok().map(|sum| sum.mantissa())
    }
}
