//! Drawn numbers, the same for the same seed. Nothing else in a simulation is random.

use rust_decimal::Decimal;

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A generator of its own, so that what one part draws doesn't shift what another does.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// From `from` up to `to`.
    pub fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// One of the items, as often as its weight says.
    pub fn weighted<T: Clone>(&mut self, items: &[(usize, T)]) -> T {
        let mut at = self.below(items.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in items {
            if at < *weight {
                return item.clone();
            }
            at -= weight;
        }
        items[0].1.clone()
    }

    /// Cents between two whole amounts.
    pub fn amount(&mut self, from: usize, to: usize) -> Decimal {
        let whole = self.percent(60);
        let cents = from * 100 + self.below((to - from) * 100);
        let cents = if whole { cents / 1_000 * 1_000 + 1_000 } else { cents };
        Decimal::new(i64::try_from(cents).unwrap(), 2)
    }

    /// Milliseconds, more often few than many.
    pub fn millis(&mut self) -> i64 {
        let most = self.weighted(&[(15, 200), (30, 3_000), (30, 20_000), (20, 120_000), (4, 900_000), (1, 14_400_000)]);
        i64::try_from(1 + self.below(most)).unwrap()
    }
}
