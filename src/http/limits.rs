//! How often a caller may call. Each process counts for itself: what several of them take together is theirs added up. What is counted
//! can't be made to grow: a subject is known by its hash alone, under a key that is drawn at the start, so that nobody can look for one
//! that shares its count with another.

use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::config::http::{Rate, RateLimitSettings};

/// How many counts one limit has, at some 30 bytes each once they were all used. Of a thousand callers at a time, one in 260 shares its
/// count with another.
const COUNTS: u64 = 1 << 18;

/// The limits of a process.
pub struct RateLimits {
    pub address: Limit,
    pub user: Limit,
    pub key: Limit,
    pub sign_in: Limit,
    pub stray_callback: Limit,
}

impl RateLimits {
    pub fn new(settings: &RateLimitSettings) -> Self {
        Self {
            address: Limit::new(settings.address),
            user: Limit::new(settings.user),
            key: Limit::new(settings.key),
            sign_in: Limit::new(settings.sign_in),
            stray_callback: Limit::new(settings.stray_callback),
        }
    }
}

/// That something was done too often, and after how many seconds it may be done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    pub retry_after_secs: u64,
}

type Counts<C> = RateLimiter<u64, HashMapStateStore<u64>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// One limit over many subjects.
pub struct Limit<C: Clock = DefaultClock> {
    /// `None`: nothing is counted.
    limiter: Option<Counts<C>>,
    hasher: RandomState,
    clock: C,
}

impl Limit {
    fn new(rate: Rate) -> Self {
        Self::with_clock(rate, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limit<C> {
    fn with_clock(rate: Rate, clock: C) -> Self {
        let quota = NonZeroU32::new(rate.per_minute).zip(NonZeroU32::new(rate.burst));
        let limiter = quota.map(|(per_minute, burst)| {
            RateLimiter::new(
                Quota::per_minute(per_minute).allow_burst(burst),
                HashMapStateStore::default(),
                clock.clone(),
            )
        });
        Self { limiter, hasher: RandomState::new(), clock }
    }

    /// Counts one more of `subject`.
    ///
    /// # Errors
    /// [`TooOften`] where it has had its share; such a try isn't counted.
    pub fn take(&self, subject: impl Hash) -> Result<(), TooOften> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(&(self.hasher.hash_one(subject) % COUNTS)).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            TooOften { retry_after_secs: wait.as_secs().saturating_add(1) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limit(per_minute: u32, burst: u32) -> (Limit<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Limit::with_clock(Rate { per_minute, burst }, clock.clone()), clock)
    }

    #[test]
    fn a_subject_has_its_burst_and_then_its_rate_whatever_others_do() {
        let (limit, clock) = limit(6, 3);
        for _ in 0..3 {
            assert_eq!(limit.take("one"), Ok(()));
        }
        let refused = limit.take("one").unwrap_err();
        assert!((10..=11).contains(&refused.retry_after_secs), "{refused:?}");
        assert_eq!(limit.take("another"), Ok(()));
        clock.advance(Duration::from_secs(refused.retry_after_secs));
        assert_eq!(limit.take("one"), Ok(()));
        assert!(limit.take("one").is_err());
    }

    #[test]
    fn a_rate_of_zero_counts_nothing() {
        let (limit, _) = limit(0, 0);
        assert!((0..10_000).all(|_| limit.take("one").is_ok()));
    }

    #[test]
    fn a_stranger_with_many_names_takes_no_more_memory() {
        let (limit, _) = limit(1, 1);
        for name in 0..1_000_000_u32 {
            let _ = limit.take(name);
        }
        let limiter = limit.limiter.as_ref().unwrap();
        assert!(limiter.len() <= usize::try_from(COUNTS).unwrap(), "{}", limiter.len());
    }
}
