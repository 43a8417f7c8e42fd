//! Retention: what is kept for a while only, and goes by itself when nothing open refers to it any more (PCI DSS 3.2.1). Each kind has its time
//! in `[gateway.retention]`; what is left keeps every invariant.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Gateway, GatewayError};
use crate::store::jobs::{self, JobKind, NewJob};
use crate::store::retry::transaction;
use crate::store::{balance_samples, callbacks, cards, events};

/// How many callbacks and cards, and how many requests' events, go in one step.
const BITE: i64 = 500;
const REQUESTS_BITE: i64 = 100;
/// How often it is looked for what is old, unless there was more than a bite.
const EVERY: TimeDelta = TimeDelta::hours(1);

/// When this process looks next.
#[derive(Debug, Default)]
pub struct Turn(Mutex<Option<DateTime<Utc>>>);

impl Turn {
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        let next = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A clock that went back holds nothing up.
        next.is_none_or(|next| next <= now || next > now + EVERY)
    }

    fn set(&self, next: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(next);
    }
}

/// How much went in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    pub callbacks: usize,
    /// Requests whose older events went.
    pub logs: usize,
    /// Cards that were deleted for their users.
    pub cards: usize,
    /// Deliveries of webhooks that were over.
    pub deliveries: usize,
    /// Balances of long ago.
    pub balances: usize,
}

impl Gateway {
    /// A round, when it is time for one.
    pub(super) async fn retain_when_due(&self) -> Result<(), GatewayError> {
        let now = self.clock.now();
        if !self.retention_turn.is_due(now) {
            return Ok(());
        }
        let gone = self.retain().await?;
        let counted = [
            (gone.callbacks, BITE),
            (gone.logs, REQUESTS_BITE),
            (gone.cards, BITE),
            (gone.deliveries, BITE),
            (gone.balances, BITE),
        ];
        let is_more = counted.iter().any(|(gone, bite)| i64::try_from(*gone).is_ok_and(|gone| gone >= *bite));
        self.retention_turn.set(if is_more { now } else { now + EVERY });
        Ok(())
    }

    /// One bite of each kind of what is too old.
    pub async fn retain(&self) -> Result<Gone, GatewayError> {
        let gone = Gone {
            callbacks: self.forget_callbacks().await?,
            logs: self.forget_events().await?,
            cards: self.delete_unused_cards().await?,
            deliveries: self.forget_deliveries().await?,
            balances: self.forget_balances().await?,
        };
        if gone != Gone::default() {
            let Gone { callbacks, logs, cards, deliveries, balances } = gone;
            tracing::info!(callbacks, logs, cards, deliveries, balances, "what was kept long enough is gone");
        }
        Ok(gone)
    }

    fn before(&self, days: u32) -> DateTime<Utc> {
        self.clock.now() - TimeDelta::days(i64::from(days))
    }

    /// Callbacks with their bodies. One that comes once more after that is taken again, which changes nothing of what is final.
    async fn forget_callbacks(&self) -> Result<usize, GatewayError> {
        let before = self.before(self.settings.retention.callback_days);
        transaction(&self.db, async |conn| Ok(callbacks::forget(conn, before, BITE).await?)).await
    }

    /// Events of requests that are over, but for the last: what comes late is still chained to it.
    async fn forget_events(&self) -> Result<usize, GatewayError> {
        let Some(days) = self.settings.retention.event_days else { return Ok(0) };
        let before = self.before(days);
        transaction(&self.db, async |conn| Ok(events::forget(conn, before, REQUESTS_BITE).await?)).await
    }

    /// What was on deposit accounts, for charts.
    async fn forget_balances(&self) -> Result<usize, GatewayError> {
        let before = self.before(self.settings.retention.balance_days);
        transaction(&self.db, async |conn| Ok(balance_samples::forget(conn, before, BITE).await?)).await
    }

    /// Cards that nobody has added or paid to for long are deleted as their users would do it.
    async fn delete_unused_cards(&self) -> Result<usize, GatewayError> {
        let Some(days) = self.settings.retention.unused_card_days else { return Ok(0) };
        let before = self.before(days);
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let hidden = cards::hide_unused(conn, before, BITE, now).await?;
            let destroyed: Vec<NewJob> = hidden
                .iter()
                .map(|(tenant, id)| NewJob {
                    tenant: *tenant,
                    kind: JobKind::DestroyCard,
                    subject_id: jobs::card_subject(*id),
                    run_at: now,
                    claimed: false,
                })
                .collect();
            jobs::insert(conn, &destroyed, now).await?;
            Ok(hidden.len())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_at_its_time_and_a_clock_that_goes_back_holds_nothing_up() {
        let at = |secs: i64| DateTime::from_timestamp(1_800_000_000 + secs, 0).unwrap();
        let turn = Turn::default();
        assert!(turn.is_due(at(0)));
        turn.set(at(3_600));
        assert!(!turn.is_due(at(0)) && !turn.is_due(at(3_599)) && turn.is_due(at(3_600)));
        assert!(turn.is_due(at(-1)));
    }
}
