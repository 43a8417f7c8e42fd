//! Provider accounts' circuit breakers: opened and closed in the transaction that hears how a payout ended, read where routing
//! decides. They keep new payouts away and never touch those under way.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use super::{Gateway, GatewayError};
use crate::domain::ids::ProviderAccountId;
use crate::domain::routing::BreakerGate;
use crate::domain::routing::breaker::{Breaker, BreakerState, CallOutcome, Counts, Gate};
use crate::store::route_statistics::{self, GateRow};

/// What of a batch of outcomes may move a breaker.
#[derive(Debug, Default)]
pub struct BadNews {
    /// Accounts with a failure or an unknown outcome: their calls are counted.
    accounts: BTreeSet<ProviderAccountId>,
    probes: BTreeMap<ProviderAccountId, Vec<CallOutcome>>,
}

impl BadNews {
    pub fn note(&mut self, account: ProviderAccountId, outcome: CallOutcome, is_probe: bool) {
        if outcome != CallOutcome::Ok {
            self.accounts.insert(account);
        }
        if is_probe {
            self.probes.entry(account).or_default().push(outcome);
        }
    }
}

/// The breaker as it is stored.
pub fn breaker_of(row: &GateRow) -> Result<Breaker, GatewayError> {
    let state = BreakerState::stored(&row.state, row.until)
        .map_err(|error| GatewayError::Corrupt(format!("provider account {}: {error}", row.id)))?;
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    Ok(Breaker {
        state,
        since: row.since,
        openings: count(row.openings),
        probes_sent: count(row.probes_sent),
        probes_ok: count(row.probes_ok),
    })
}

/// What routing is told of it.
pub fn gate_of(gate: Gate) -> BreakerGate {
    match gate {
        Gate::Closed => BreakerGate::Closed,
        Gate::HalfOpen { probes_left } => BreakerGate::HalfOpen { probes_left },
        Gate::Open { .. } => BreakerGate::Open,
    }
}

async fn write(conn: &AsyncPgConnection, id: ProviderAccountId, breaker: &Breaker) -> Result<(), GatewayError> {
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    route_statistics::write_breaker(
        conn,
        id,
        breaker.state.as_str(),
        breaker.since,
        breaker.state.until(),
        count(breaker.openings),
        count(breaker.probes_sent),
        count(breaker.probes_ok),
    )
    .await?;
    Ok(())
}

/// Moves the breakers that a batch of outcomes may move. Their calls are counted already.
pub async fn hear(
    gateway: &Gateway,
    conn: &AsyncPgConnection,
    news: &BadNews,
    now: DateTime<Utc>,
) -> Result<(), GatewayError> {
    let settings = &gateway.settings.breaker;
    let ids: BTreeSet<_> = news.accounts.iter().chain(news.probes.keys()).copied().collect();
    let ids: Vec<_> = ids.into_iter().collect();
    for row in route_statistics::lock_gates(conn, &ids).await? {
        let before = breaker_of(&row)?;
        let mut breaker = before;
        for outcome in news.probes.get(&row.id).into_iter().flatten() {
            breaker = breaker.probe_ended(settings, *outcome, now);
        }
        if breaker.state == BreakerState::Closed && news.accounts.contains(&row.id) {
            let since = breaker.counts_from(settings, now);
            let calls = route_statistics::count_calls(conn, row.id, since).await?;
            let count = |number: i64| u64::try_from(number).unwrap_or(0);
            let counts = Counts { ok: count(calls.ok), errors: count(calls.errors), unknowns: count(calls.unknowns) };
            breaker = breaker.observe(settings, counts, now);
        }
        if breaker != before {
            tracing::warn!(account = %row.id, from = before.state.as_str(), to = breaker.state.as_str(), "a breaker moved");
            write(conn, row.id, &breaker).await?;
        }
    }
    Ok(())
}

/// Counts payouts that go out as probes, in the transaction that writes them down.
pub async fn probes_sent(
    gateway: &Gateway,
    conn: &AsyncPgConnection,
    probes: &BTreeMap<ProviderAccountId, u32>,
    now: DateTime<Utc>,
) -> Result<(), GatewayError> {
    let ids: Vec<_> = probes.keys().copied().collect();
    for row in route_statistics::lock_gates(conn, &ids).await? {
        let mut breaker = breaker_of(&row)?;
        for _ in 0..probes.get(&row.id).copied().unwrap_or(0) {
            // None left: another node sent its probe meanwhile. One more does no harm.
            breaker = breaker.probe_sent(&gateway.settings.breaker, now).unwrap_or(breaker);
        }
        write(conn, row.id, &breaker).await?;
    }
    Ok(())
}
