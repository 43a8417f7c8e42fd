//! Requests that were really made, routed again: as if they came in now, in their old order, with the amounts, cards, customers and
//! times that they had. What one would take of the accounts the next doesn't find.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{Decided, EXAMPLES_MAX, Part, whole};
use crate::domain::asset::AssetCode;
use crate::domain::exact::{self, Rounding};
use crate::domain::ids::{PayoutRequestId, RouteId};
use crate::domain::routing::{Route, Scheme};
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::dispatch::{Choice, Ground, Taken, Wish, choose_by, facts_of};
use crate::gateway::route_book::Snapshot;
use crate::gateway::{Gateway, GatewayError};
use crate::store::requests::{self, PayoutRequest};

/// Decimals of a share in percent.
const PERCENT_SCALE: u8 = 2;

/// What became of the last requests.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The requests that were routed again.
    pub requests: u64,
    /// Requests among the last ones that the scheme says nothing of: of services that it doesn't have.
    pub of_other_services: u64,
    /// Requests that would have begun on other routes than they did.
    pub moved: u64,
    /// When the first and the last of the requests were made.
    pub between: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// By service, then by route code.
    pub shares: Vec<Share>,
    pub not_routed: Vec<NotRouted>,
    /// Requests that would have begun on other routes, the newest first.
    pub examples: Vec<Example>,
}

/// What a route carried of a service, and what it would carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub service: String,
    pub currency: AssetCode,
    pub route_id: RouteId,
    /// The route's code; empty: it isn't there any more.
    pub route: String,
    pub before: Taking,
    pub after: Taking,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taking {
    /// Payouts that began on it.
    pub payouts: u64,
    /// What they were to carry, in the service's currency.
    pub amount: Decimal,
    /// Of what all routes of the service were to carry.
    pub percent: Decimal,
}

/// Requests that would go nowhere, by what became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRouted {
    /// `rejected`, `filtered` or `no_routes`.
    pub outcome: &'static str,
    pub before: u64,
    pub after: u64,
}

/// A request that would have begun elsewhere.
#[derive(Clone, Debug)]
pub struct Example {
    pub request_id: PayoutRequestId,
    pub before: Vec<Part>,
    pub after: Decided,
}

type RouteKey = (String, RouteId);

#[derive(Default)]
struct Tally {
    takings: BTreeMap<RouteKey, (Option<AssetCode>, Taking, Taking)>,
    nowhere: BTreeMap<&'static str, (u64, u64)>,
}

impl Gateway {
    pub(super) async fn replay(
        &self,
        caller: &Caller,
        snapshot: &Snapshot,
        scheme: &Arc<Scheme>,
        last: i64,
    ) -> Result<Replay, Refusal> {
        let tenant = caller.tenant;
        let conn = self.db.get().await?;
        let mut rows = match snapshot.house() == tenant.partner_id {
            true => requests::latest_of_house(&conn, tenant.mode, last).await?,
            false => requests::latest_of_owner(&conn, tenant, last).await?,
        };
        drop(conn);
        let all = rows.len();
        rows.retain(|row| scheme.serves(&row.service));
        rows.reverse();
        let mut replay = Replay {
            requests: count(rows.len()),
            of_other_services: count(all.saturating_sub(rows.len())),
            between: rows.first().zip(rows.last()).map(|(first, last)| (first.created_at, last.created_at)),
            ..Replay::default()
        };
        let mut ground = self.ground_for(snapshot, scheme, &rows, self.clock.now()).await?;
        let mut tally = Tally::default();
        for row in &rows {
            let before = begun(&ground, snapshot, row);
            let after = Decided::of(again(&mut ground, scheme, row, caller)?);
            tally.add(row, &before, &after)?;
            let routes = |parts: &[Part]| parts.iter().map(|part| (part.route_id, part.amount)).collect::<Vec<_>>();
            if routes(&before) != routes(&after.parts) {
                replay.moved = replay.moved.saturating_add(1);
                if replay.examples.len() == EXAMPLES_MAX {
                    replay.examples.remove(0);
                }
                replay.examples.push(Example { request_id: row.id, before, after });
            }
        }
        replay.examples.reverse();
        replay.shares = tally.shares(snapshot)?;
        let not_routed = |(outcome, (before, after))| NotRouted { outcome, before, after };
        replay.not_routed = tally.nowhere.into_iter().map(not_routed).collect();
        Ok(replay)
    }
}

/// Where a request really began: the first tries of its parts.
fn begun(ground: &Ground, snapshot: &Snapshot, row: &PayoutRequest) -> Vec<Part> {
    let firsts = ground.payouts_of(row.id).iter();
    let mut firsts: Vec<_> =
        firsts.filter(|payout| payout.attempt == 1 && payout.placement.parent_part.is_none()).collect();
    firsts.sort_by_key(|payout| payout.part);
    let code = |id| snapshot.route(id).map(|route| route.code.clone()).unwrap_or_default();
    let part = |id, amount| Part { route_id: id, route: code(id), amount };
    firsts.into_iter().map(|payout| part(payout.route_id, payout.amount)).collect()
}

/// Routes a request again, and lets the later ones see what it takes.
fn again(ground: &mut Ground, scheme: &Scheme, row: &PayoutRequest, caller: &Caller) -> Result<Choice, GatewayError> {
    let choice = {
        let (card, customer) = ground.of_request(row);
        let issuers = Arc::clone(&ground.issuers);
        let issuer = card.as_ref().and_then(|card| issuers.find(card.iin()));
        let facts = facts_of(row, card.as_ref(), issuer, customer, ground.amount_reference(row), row.created_at);
        let routes = ground.routes_of(caller.tenant);
        choose_by(scheme, &Wish::of(row), &whole(row.amount), routes, &facts, &ground.statistics)?
    };
    if let Choice::Parts(decision, parts) = &choice {
        let mut lifted: Vec<RouteId> = Vec::new();
        for (route, amount) in parts {
            let lifts = !lifted.contains(&route.id);
            lifted.push(route.id);
            let taken = Taken::of(route, decision, *amount, lifts)?;
            ground.take(route, decision.pool.as_ref(), &taken)?;
        }
    }
    Ok(choice)
}

impl Tally {
    fn add(&mut self, row: &PayoutRequest, before: &[Part], after: &Decided) -> Result<(), GatewayError> {
        let sides = before.iter().map(|part| (part, false)).chain(after.parts.iter().map(|part| (part, true)));
        for (part, is_after) in sides {
            let (currency, was, is) = self.takings.entry((row.service.clone(), part.route_id)).or_default();
            *currency = Some(row.currency);
            let taking = if is_after { is } else { was };
            taking.payouts = taking.payouts.saturating_add(1);
            taking.amount = exact::add(taking.amount, part.amount)?;
        }
        if before.is_empty() {
            let (was, _) = self.nowhere.entry("no_routes").or_default();
            *was = was.saturating_add(1);
        }
        if after.parts.is_empty() {
            let (_, is) = self.nowhere.entry(after.outcome()).or_default();
            *is = is.saturating_add(1);
        }
        Ok(())
    }

    fn shares(&self, snapshot: &Snapshot) -> Result<Vec<Share>, GatewayError> {
        let mut sums: BTreeMap<&str, (Decimal, Decimal)> = BTreeMap::new();
        for ((service, _), (_, was, is)) in &self.takings {
            let (before, after) = sums.entry(service).or_default();
            (*before, *after) = (exact::add(*before, was.amount)?, exact::add(*after, is.amount)?);
        }
        let mut shares = Vec::new();
        for ((service, route_id), (currency, was, is)) in &self.takings {
            let (before, after) = sums.get(service.as_str()).copied().unwrap_or_default();
            let Some(currency) = *currency else { continue };
            shares.push(Share {
                service: service.clone(),
                currency,
                route_id: *route_id,
                route: snapshot.route(*route_id).map(|route: &Route| route.code.clone()).unwrap_or_default(),
                before: of_all(*was, before)?,
                after: of_all(*is, after)?,
            });
        }
        shares.sort_by(|a, b| (&a.service, &a.route, a.route_id).cmp(&(&b.service, &b.route, b.route_id)));
        Ok(shares)
    }
}

fn of_all(taking: Taking, sum: Decimal) -> Result<Taking, GatewayError> {
    if sum.is_zero() {
        return Ok(taking);
    }
    let percent = exact::mul_div(taking.amount, Decimal::ONE_HUNDRED, sum, PERCENT_SCALE, Rounding::Down)?;
    Ok(Taking { percent, ..taking })
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
