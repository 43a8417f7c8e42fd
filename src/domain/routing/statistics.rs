//! What is remembered between decisions, as it is handed in: what each route of a pool was debited in the window, how far
//! the pool has come, and how each route's payouts ended. Kept and stored elsewhere.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ids::{PayoutSchemeId, RouteId};

/// Seconds of an hour.
const HOUR_SECS: i64 = 3_600;

/// One strategy's counters. Derived from the scheme, the service and the strategy as it is written, so that a strategy
/// that stays the same keeps its counters over versions of its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PoolId(pub Uuid);

impl PoolId {
    /// Names of pools lie in a space of their own (UUIDv5, RFC 9562).
    const SPACE: Uuid = Uuid::from_u128(0x6f1c_8a52_0d3e_5b47_9a86_2f40_c7be_11d9);

    /// `canonical` is the strategy's canonical JSON.
    pub fn of(scheme: PayoutSchemeId, service: &str, canonical: &str) -> Self {
        Self(Uuid::new_v5(&Self::SPACE, format!("{scheme}\n{service}\n{canonical}").as_bytes()))
    }
}

/// How a route's payouts ended within the window of `conversion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub succeeded: u64,
    /// Failures of the route only: what was wrong with the card doesn't count.
    pub failed: u64,
}

/// What is remembered between decisions.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// What a route was debited in its pool's current window, in the service's currency, lifts included.
    pub usage: HashMap<(PoolId, RouteId), Decimal>,
    /// The least level that a route of the pool can start from in the current window; none yet: zero.
    pub floors: HashMap<PoolId, Decimal>,
    pub outcomes: HashMap<RouteId, Outcomes>,
}

/// When the window that holds `now` began. Windows follow one another, aligned to the epoch. `window_hours` of 0 counts as 1.
pub fn window_start(now: DateTime<Utc>, window_hours: u32) -> DateTime<Utc> {
    let length = i64::from(window_hours.max(1)) * HOUR_SECS;
    let secs = now.timestamp();
    DateTime::from_timestamp(secs - secs.rem_euclid(length), 0).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_one_another_from_the_epoch() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(window_start(at("2026-11-21T23:59:59.9Z"), 24), at("2026-11-21T00:00:00Z"));
        assert_eq!(window_start(at("2026-11-22T00:00:00Z"), 24), at("2026-11-22T00:00:00Z"));
        assert_eq!(window_start(at("2026-11-22T05:01:00Z"), 1), at("2026-11-22T05:00:00Z"));
        assert_eq!(window_start(at("1969-12-31T23:59:59Z"), 24), at("1969-12-31T00:00:00Z"));
    }

    #[test]
    fn a_pool_is_its_scheme_its_service_and_its_text() {
        let (a, b) = (PayoutSchemeId::new(), PayoutSchemeId::new());
        assert_eq!(PoolId::of(a, "card_eur", "{}"), PoolId::of(a, "card_eur", "{}"));
        assert_ne!(PoolId::of(a, "card_eur", "{}"), PoolId::of(b, "card_eur", "{}"));
        assert_ne!(PoolId::of(a, "card_eur", "{}"), PoolId::of(a, "card_usd", "{}"));
    }
}
