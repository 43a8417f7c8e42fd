//! What a payout scheme would do: with a sample request, or with the last requests that were really made. Decides with what dispatch
//! decides with, over what is there now, and changes nothing: no lock is taken and nothing is written.

mod replay;
mod sample;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::access::{Caller, Refusal};
use super::dispatch::{Basis, Choice, Ground};
use super::manage::Attributes;
use super::manage::form::Form;
use super::progress::Due;
use super::route_book::{Routing, Snapshot};
use super::{Gateway, GatewayError};
use crate::domain::ids::{PayoutRequestId, PayoutSchemeId, RouteId};
use crate::domain::payout::Resolution;
use crate::domain::routing::{Route, Scheme, SchemeRef, Trace};
use crate::store::requests::PayoutRequest;

pub use replay::{Example, NotRouted, Replay, Share, Taking};

/// The most requests that are replayed.
pub const REPLAYED_MAX: i64 = 1_000;
/// The most examples that are told in words.
pub const EXAMPLES_MAX: usize = 20;

const KNOWN: &[&str] = &["version", "body", "sample", "last"];

/// What was found.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The stored version that was simulated; `None`: the body of the call.
    pub version: Option<i32>,
    pub found: Found,
}

#[derive(Clone, Debug)]
pub enum Found {
    Sample(Decided),
    Replay(Replay),
}

/// Where an amount would go, and why.
#[derive(Clone, Debug)]
pub struct Decided {
    /// One is no split; none: it would go nowhere.
    pub parts: Vec<Part>,
    /// Why it would go nowhere.
    pub resolution: Option<Resolution>,
    pub trace: Option<Trace>,
}

/// What a route would carry, in the service's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub route_id: RouteId,
    pub route: String,
    pub amount: Decimal,
}

impl Decided {
    fn of(choice: Choice) -> Self {
        match choice {
            Choice::Parts(decision, parts) => {
                let part = |(route, amount): (Route, Decimal)| Part { route_id: route.id, route: route.code, amount };
                Self { parts: parts.into_iter().map(part).collect(), resolution: None, trace: Some(decision.trace) }
            }
            Choice::Nowhere(nowhere) => Self {
                parts: Vec::new(),
                resolution: Some(nowhere.resolution),
                trace: serde_json::from_value(nowhere.trace).ok(),
            },
        }
    }

    /// `routed`, `split`, `rejected` by the scheme, `filtered` (every route was dropped) or `no_routes`.
    pub fn outcome(&self) -> &'static str {
        let is_rejected = self.trace.as_ref().is_some_and(|trace| trace.rejected.is_some());
        match (self.parts.len(), self.resolution) {
            (1, _) => "routed",
            (2.., _) => "split",
            (0, _) if is_rejected => "rejected",
            (0, Some(Resolution::StrategyConfiguredRoutesWereFiltered)) => "filtered",
            (0, _) => "no_routes",
        }
    }

    /// The decision told, a sentence a line.
    pub fn in_words(&self) -> Vec<String> {
        let mut words = self.trace.as_ref().map(Trace::in_words).unwrap_or_default();
        if self.parts.len() > 1 {
            let parts: Vec<String> =
                self.parts.iter().map(|part| format!("{} over {}", part.amount.normalize(), part.route)).collect();
            words.push(format!("So it would be divided: {}.", parts.join(", ")));
        }
        words
    }
}

/// The whole of a request that nothing was tried for.
fn whole(amount: Decimal) -> Due {
    Due { amount, origin: None, part: 0, attempt: 1, parent_part: None, split_of: None, attempted: Vec::new() }
}

impl Gateway {
    /// Simulates one of the caller's payout schemes: the version in force, another that is stored, or a body of the call.
    pub async fn simulate_payout_scheme(
        &self,
        caller: &Caller,
        id: PayoutSchemeId,
        given: &Attributes,
    ) -> Result<Simulation, Refusal> {
        let (known, current) = self.find_scheme(caller, id).await?;
        let mut form = Form::create(given, KNOWN, &[]);
        let asked_version = form.integer("version", 1..=i64::from(i32::MAX)).and_then(|n| i32::try_from(n).ok());
        let draft = form.any("body");
        if draft.is_some() && form.has("version") {
            form.add("version", "SUPERFLUOUS", "means nothing beside a body");
        }
        let last = form.integer("last", 1..=REPLAYED_MAX);
        let sample = form.object("sample");
        match (form.has("sample"), form.has("last")) {
            (false, false) => form.add("sample", "MISSING", "is required, or else last"),
            (true, true) => form.add("last", "SUPERFLUOUS", "means nothing beside a sample"),
            _ => {}
        }
        let scheme = match draft {
            Some(body) => {
                let scheme = SchemeRef { id, version: known.version.saturating_add(1) };
                self.compile_payout_scheme(&mut form, caller.tenant, scheme, body).await?
            }
            None => None,
        };
        let snapshot = self.snapshot().await?;
        let sample = sample.map(|sample| sample::read(&mut form, sample, caller.tenant, &snapshot, self));
        form.finish()?;
        let (version, scheme) = match scheme {
            Some(scheme) => (None, scheme),
            None => {
                let stored = match asked_version {
                    Some(version) if version != current.version => {
                        self.find_scheme_version(caller, id, version).await?
                    }
                    _ => current,
                };
                let ground = snapshot.known_to(caller.tenant).as_if_enabled();
                let compiled = Scheme::compile(&stored.body, &ground.of(SchemeRef { id, version: stored.version }));
                let broken = |_| Refusal::conflict("SCHEME_BROKEN", "this version names what isn't there any more");
                (Some(stored.version), compiled.map_err(broken)?)
            }
        };
        let scheme = Arc::new(scheme);
        let found = match (sample, last) {
            (Some(Some(sample)), _) => {
                Found::Sample(self.decide_sample(caller.tenant, &snapshot, &scheme, sample).await?)
            }
            (_, Some(last)) => Found::Replay(self.replay(caller, &snapshot, &scheme, last).await?),
            _ => return Err(GatewayError::Corrupt("a simulation of nothing".to_owned()).into()),
        };
        Ok(Simulation { version, found })
    }

    /// What stands now for requests that all go by the scheme.
    async fn ground_for(
        &self,
        snapshot: &Snapshot,
        scheme: &Arc<Scheme>,
        rows: &[PayoutRequest],
        now: DateTime<Utc>,
    ) -> Result<Ground, GatewayError> {
        let routing: BTreeMap<PayoutRequestId, Routing> =
            rows.iter().map(|row| (row.id, Routing::Scheme(Arc::clone(scheme)))).collect();
        let conn = self.db.get().await?;
        self.ground_on(&conn, snapshot, rows, Basis { routing, lease_until: now, now, holds: false }).await
    }
}
