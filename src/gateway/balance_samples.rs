//! Balances over time: what is on each deposit account is written down every quarter of an hour, whether a provider tells it or our own books
//! do. What a provider hasn't told lately is left out: a gap says more than a line that only looks steady.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Gateway, GatewayError};
use crate::store::balance_samples;
use crate::store::retry::transaction;

/// How often, and so how many rows an account has: 96 a day.
pub const EVERY: TimeDelta = TimeDelta::minutes(15);

/// The quarter of an hour that this process wrote last.
#[derive(Debug, Default)]
pub struct Last(Mutex<Option<DateTime<Utc>>>);

impl Gateway {
    /// Writes this quarter's rows, unless they are there.
    pub(super) async fn sample_balances(&self) -> Result<(), GatewayError> {
        let quarter = quarter_of(self.clock.now());
        if *self.balances_sampled.0.lock().unwrap_or_else(PoisonError::into_inner) == Some(quarter) {
            return Ok(());
        }
        transaction(&self.db, async |conn| {
            balance_samples::take(conn, quarter, quarter - EVERY).await?;
            Ok::<_, GatewayError>(())
        })
        .await?;
        *self.balances_sampled.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(quarter);
        Ok(())
    }
}

fn quarter_of(at: DateTime<Utc>) -> DateTime<Utc> {
    let secs = EVERY.num_seconds();
    let begun = at.timestamp().div_euclid(secs).saturating_mul(secs);
    DateTime::from_timestamp(begun, 0).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_begins_at_the_full_hour_and_thrice_after_it() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (moment, quarter) in [
            ("2026-03-14T12:00:00Z", "2026-03-14T12:00:00Z"),
            ("2026-03-14T12:14:59.999Z", "2026-03-14T12:00:00Z"),
            ("2026-03-14T12:15:00Z", "2026-03-14T12:15:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:45:00Z"),
        ] {
            assert_eq!(quarter_of(at(moment)), at(quarter), "{moment}");
        }
    }
}
