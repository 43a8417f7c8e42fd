//! `weight`: shares by weight, exact over time, without dice.
//!
//! A route's level is what it was debited over its weight. Were the least level always first, weights of 97, 1, 1 and 1 would
//! send the three small routes their first payouts one after another and leave the large one three short. So only routes
//! that are not ahead of the pool's common level are eligible, and of these the one whose level after this payout is least
//! comes first; the others follow by the same measure. No route is then ever further than one payout from its share, above
//! or below (worst-case fair queueing, WF2Q: Bennett and Zhang, 1996).
//!
//! Levels are fractions that often have no end in decimals; they are never divided, only compared crosswise.

use std::cmp::Ordering;

use num_bigint::BigInt;
use rust_decimal::Decimal;

use super::{Entry, Gathering, Inputs};
use crate::domain::exact::{self, Rounding};

/// Decimals of a lift; a floor has as many.
pub(in crate::domain::routing) const LEVEL_SCALE: u8 = 12;

pub fn inputs(gathering: &Gathering) -> Option<Inputs> {
    let floor = exact::mul(gathering.floor, Decimal::from(gathering.weight), LEVEL_SCALE, Rounding::Down).ok()?;
    Some(Inputs::Debited { debited: gathering.usage.max(floor.normalize()), weight: gathering.weight })
}

pub fn rank(entries: &mut [Entry], amount: Decimal) {
    let parts = |entry: &Entry| match entry.inputs {
        Inputs::Debited { debited, weight } => (debited, weight),
        _ => (Decimal::MAX, 1),
    };
    let scale = entries.iter().map(|entry| parts(entry).0.scale()).max().unwrap_or(0).max(amount.scale());
    if let Some(keys) = keys(entries.iter().map(parts), amount, scale) {
        // The keys are in the order of the entries, and in places of their own.
        let mut ranked: Vec<(Key<i128>, Entry)> = keys.into_iter().zip(entries.iter().copied()).collect();
        ranked.sort_by(|(a, x), (b, y)| a.order(b).then_with(|| x.place.cmp(&y.place)));
        place(entries, ranked);
    } else {
        let keys = keys_big(entries.iter().map(parts), amount, scale);
        let mut ranked: Vec<(Key<BigInt>, Entry)> = keys.into_iter().zip(entries.iter().copied()).collect();
        ranked.sort_by(|(a, x), (b, y)| a.order_big(b).then_with(|| x.place.cmp(&y.place)));
        place(entries, ranked);
    }
}

fn place<T>(entries: &mut [Entry], ranked: Vec<(Key<T>, Entry)>) {
    for (slot, (_, entry)) in entries.iter_mut().zip(ranked) {
        *slot = entry;
    }
}

/// What a route is sorted by: whether it is ahead of its share, then the level that this payout would bring it to.
struct Key<T> {
    ahead: bool,
    debited_after: T,
    weight: u32,
}

impl Key<i128> {
    /// Products stay within 128 bits: [`keys`] has seen to it.
    fn order(&self, other: &Self) -> Ordering {
        let mine = self.debited_after.saturating_mul(other.weight.into());
        let theirs = other.debited_after.saturating_mul(self.weight.into());
        self.ahead.cmp(&other.ahead).then(mine.cmp(&theirs))
    }
}

impl Key<BigInt> {
    fn order_big(&self, other: &Self) -> Ordering {
        let mine = &self.debited_after * other.weight;
        let theirs = &other.debited_after * self.weight;
        self.ahead.cmp(&other.ahead).then(mine.cmp(&theirs))
    }
}

/// Keys in units of 10^-`scale`; `None` when some product doesn't fit 128 bits.
fn keys(parts: impl Iterator<Item = (Decimal, u32)> + Clone, amount: Decimal, scale: u32) -> Option<Vec<Key<i128>>> {
    let scale = u8::try_from(scale).ok()?;
    let units = |value| exact::units(value, scale, Rounding::Down).ok();
    let amount = units(amount)?;
    let (mut debited_sum, mut weight_sum) = (0_i128, 0_i128);
    for (debited, weight) in parts.clone() {
        debited_sum = debited_sum.checked_add(units(debited)?)?;
        weight_sum = weight_sum.checked_add(weight.into())?;
    }
    parts
        .map(|(debited, weight)| {
            let debited = units(debited)?;
            let ahead = debited.checked_mul(weight_sum)? > debited_sum.checked_mul(weight.into())?;
            let debited_after = debited.checked_add(amount)?;
            // No weight is above the sum of all, so that this bounds every product of `order`.
            debited_after.checked_mul(weight_sum)?;
            Some(Key { ahead, debited_after, weight })
        })
        .collect()
}

fn keys_big(parts: impl Iterator<Item = (Decimal, u32)> + Clone, amount: Decimal, scale: u32) -> Vec<Key<BigInt>> {
    let units = |value: Decimal| BigInt::from(value.mantissa()) * BigInt::from(10_u8).pow(scale - value.scale());
    let amount = units(amount);
    let (mut debited_sum, mut weight_sum) = (BigInt::ZERO, BigInt::ZERO);
    for (debited, weight) in parts.clone() {
        debited_sum += units(debited);
        weight_sum += weight;
    }
    parts
        .map(|(debited, weight)| {
            let debited = units(debited);
            let ahead = &debited * &weight_sum > &debited_sum * weight;
            Key { ahead, debited_after: debited + &amount, weight }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn places(levels: &[(Decimal, u32)], amount: Decimal) -> Vec<usize> {
        let mut entries: Vec<Entry> = levels
            .iter()
            .enumerate()
            .map(|(place, (debited, weight))| Entry {
                place,
                inputs: Inputs::Debited { debited: *debited, weight: *weight },
            })
            .collect();
        rank(&mut entries, amount);
        entries.into_iter().map(|entry| entry.place).collect()
    }

    #[test]
    fn big_and_small_numbers_rank_alike() {
        let small = [(dec!(30), 3), (dec!(9.99), 1), (dec!(10), 1), (dec!(0), 7)];
        let scale = Decimal::from_i128_with_scale(10_i128.pow(24), 0);
        let big: Vec<_> = small.iter().map(|(debited, weight)| (debited * scale, *weight)).collect();
        assert!(keys(big.iter().copied(), dec!(1) * scale, 28).is_none());
        assert_eq!(places(&small, dec!(1)), places(&big, dec!(1) * scale));
        assert_eq!(places(&small, dec!(1)), [3, 0, 1, 2]);
    }

    #[test]
    fn ties_break_by_the_configured_order() {
        assert_eq!(places(&[(dec!(2), 2), (dec!(1.0), 1), (dec!(1), 1)], dec!(0)), [0, 1, 2]);
    }
}
