//! How long a failing source is left alone. Pure: the runner hands in the chance.

use std::time::Duration;

/// Doubling waits with jitter, so that neither one source nor many installations knock in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure, before jitter.
    pub first: Duration,
    /// The longest wait, before and after jitter.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The wait after `failures` in a row (1 after the first): `first`, doubled with each, at most `longest`, of which the
    /// second half is drawn by `chance`, any number.
    pub fn delay(&self, failures: u32, chance: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        let half = whole / 2;
        let half_micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        half + Duration::from_micros(u64::from(chance) % half_micros.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
        let least: Vec<u128> = (1..8).map(|failures| backoff.delay(failures, 0).as_millis()).collect();
        assert_eq!(least, [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
        assert_eq!(backoff.delay(u32::MAX, 0), Duration::from_secs(5));
    }

    #[test]
    fn chance_adds_up_to_the_other_half() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
        for chance in [0, 1, 499_999, 500_000, 500_001, u32::MAX] {
            let delay = backoff.delay(1, chance);
            assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&delay), "{chance}: {delay:?}");
        }
        assert_eq!(backoff.delay(1, 500_000), Duration::from_secs(1));
        assert_eq!(Backoff { first: Duration::ZERO, ..backoff }.delay(3, 7), Duration::ZERO);
    }
}
