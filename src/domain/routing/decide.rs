//! The decision: walk the tree, and from the leaf's strategies take the first that gives a route.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::attributes::Facts;
use super::draw::Seed;
use super::filter::{Demands, Dropped, check};
use super::route::{Needs, Route};
use super::scheme::{Leaf, LeafRoutes, Node, Scheme};
use super::statistics::{PoolId, Statistics, window_start};
use super::strategy::{Entry, Gathering, Inputs, LEVEL_SCALE, Strategy};
use super::trace::{RouteTrace, Step, StrategyTrace, Trace};
use crate::domain::card::CardScheme;
use crate::domain::exact::{self, Rounding};
use crate::domain::ids::{PayoutRequestId, RouteId};

/// What is to be routed now.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    pub request_id: PayoutRequestId,
    /// The part of the request, from 0.
    pub part: i16,
    /// The try of that part, from 1.
    pub attempt: i16,
    /// What this payout is to carry, in the service's currency; conditions look at the facts' amount.
    pub amount: Decimal,
    pub facts: &'a Facts<'a>,
    /// The routes that were tried, one entry a try.
    pub attempted: &'a [RouteId],
    pub attempts_per_route_limit: u16,
}

/// How a decision came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// At least one route can carry the amount.
    Routed,
    /// The scheme refuses the request.
    Rejected { reason: String },
    /// The scheme has no route for the service that is still there.
    NoRoutes,
    /// There are routes, and each was dropped.
    AllFiltered,
}

/// What the pool's counters become when a route of the decision is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUse {
    pub id: PoolId,
    /// When the window of its counters began.
    pub window_start: DateTime<Utc>,
    pub window_hours: u32,
    /// The pool's floor from now on; never below the one handed in.
    pub floor: Decimal,
    /// What is to be added to a route's usage beside the amount when that route is used: it was below the floor. For the
    /// ranked and the splittable routes; adding it for a route that isn't used changes nothing.
    pub lifts: Vec<(RouteId, Decimal)>,
}

/// The routes that can carry the amount, best first, with the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Indices into the routes that were handed in.
    pub ranked: Vec<usize>,
    pub outcome: Outcome,
    /// The strategy that gave `ranked`, or else `splittable`.
    pub strategy: Option<Strategy>,
    /// Of a strategy that counts usage.
    pub pool: Option<PoolUse>,
    /// The strategy's routes that could carry a part at least, best first: those that passed every filter but the amount's
    /// maximum, the available balance and the turnover. Of the first strategy that has any, if none gave a route.
    pub splittable: Vec<usize>,
    /// Whether the strategy divides every request that may be divided.
    pub split_always: bool,
    pub trace: Trace,
}

/// Decides. `routes` are in the configured order; no route is taken that isn't among them.
pub fn decide(scheme: &Scheme, routes: &[Route], situation: &Situation<'_>, stats: &Statistics) -> Decision {
    let facts = situation.facts;
    let mut decision = Decision {
        ranked: Vec::new(),
        outcome: Outcome::NoRoutes,
        strategy: None,
        pool: None,
        splittable: Vec::new(),
        split_always: false,
        trace: Trace {
            amount: situation.amount,
            scheme: Some(scheme.scheme),
            service: Some(facts.service.to_owned()),
            currency: Some(facts.currency),
            request_id: Some(situation.request_id),
            part: situation.part,
            attempt: situation.attempt,
            branch: Vec::new(),
            rejected: None,
            strategies: Vec::new(),
        },
    };
    let leaves = match walk(scheme, facts, &mut decision.trace.branch) {
        Some(Node::Leaf(leaves)) => leaves,
        Some(Node::Reject(reason)) => {
            decision.trace.rejected = Some(reason.clone());
            decision.outcome = Outcome::Rejected { reason: reason.clone() };
            return decision;
        }
        Some(Node::Branch { .. }) | None => return decision,
    };
    let mut by_id = None;
    for leaf in leaves {
        let tried = Tried::new(leaf, routes, situation, stats, &mut by_id);
        if tried.has_candidates() {
            decision.outcome = Outcome::AllFiltered;
        }
        let ranked = tried.rank(situation.amount, |dropped| dropped.is_none());
        if !ranked.is_empty() || decision.splittable.is_empty() {
            let by_size = tried.candidates.iter().any(|one| one.dropped.as_ref().is_some_and(Dropped::is_by_size));
            let splittable = if by_size {
                tried.rank(situation.amount, |dropped| dropped.is_none_or(Dropped::is_by_size))
            } else {
                ranked.clone()
            };
            decision.splittable = tried.indices(&splittable);
            if !decision.splittable.is_empty() {
                decision.strategy = Some(leaf.strategy);
                decision.split_always = leaf.split_always;
                let places = if ranked.is_empty() { &splittable } else { &ranked };
                decision.pool = tried.pool_use(places, situation, stats);
            }
        }
        decision.ranked = tried.indices(&ranked);
        decision.trace.strategies.push(tried.into_trace(&ranked));
        if !decision.ranked.is_empty() {
            decision.outcome = Outcome::Routed;
            break;
        }
    }
    decision
}

/// Whether any route of the service could carry the amount now, whatever the scheme.
pub fn any_route_carries(routes: &[Route], service: &str, amount: Decimal, card_scheme: Option<CardScheme>) -> bool {
    routes.iter().filter(|route| route.service == service).any(|route| {
        let facts = Facts::bare(route.mode, route.currency, service, amount, card_scheme);
        let situation = Situation {
            request_id: facts.request_id,
            part: 0,
            attempt: 1,
            amount,
            facts: &facts,
            attempted: &[],
            attempts_per_route_limit: 1,
        };
        check(route, &situation, Demands { fast_funds: false, weight: None }).dropped.is_none()
    })
}

fn walk<'a>(scheme: &'a Scheme, facts: &Facts<'_>, branch: &mut Vec<Step>) -> Option<&'a Node> {
    let mut node = scheme.root(facts.service)?;
    while let Node::Branch { condition, then, otherwise } = node {
        let mut comparisons = Vec::new();
        let taken = condition.evaluate(facts, &mut comparisons);
        branch.push(Step { taken, comparisons });
        // A node comes before the nodes that lead to it, so that this ends.
        node = scheme.node(if taken { *then } else { *otherwise })?;
    }
    Some(node)
}

/// Routes by their ids, sorted for searching.
type ById = Vec<(RouteId, usize)>;

/// A strategy with what its routes came to.
struct Tried<'a> {
    leaf: &'a Leaf,
    /// In the configured order, as in the trace.
    candidates: Vec<Candidate<'a>>,
}

struct Candidate<'a> {
    id: RouteId,
    /// The route and its index; `None`: gone.
    route: Option<(usize, &'a Route)>,
    needs: Option<Needs>,
    dropped: Option<Dropped>,
    inputs: Option<Inputs>,
    lift: Decimal,
}

impl<'a> Tried<'a> {
    fn new(
        leaf: &'a Leaf,
        routes: &'a [Route],
        situation: &Situation<'_>,
        stats: &Statistics,
        by_id: &mut Option<ById>,
    ) -> Self {
        let seed = Seed::new(situation.request_id, situation.part, situation.attempt);
        let floor = leaf.pool.and_then(|pool| stats.floors.get(&pool).copied()).unwrap_or_default();
        let gather = |id, route: Option<(usize, &'a Route)>, weight: Option<u32>| {
            Candidate::new(id, route, weight, leaf, situation, stats, seed, floor)
        };
        let candidates = match &leaf.routes {
            LeafRoutes::Every => routes
                .iter()
                .enumerate()
                .filter(|(_, route)| route.service == situation.facts.service)
                .map(|(index, route)| gather(route.id, Some((index, route)), None))
                .collect(),
            LeafRoutes::Listed(listed) => {
                let by_id = by_id.get_or_insert_with(|| {
                    let mut sorted: ById = routes.iter().enumerate().map(|(index, route)| (route.id, index)).collect();
                    sorted.sort_unstable();
                    sorted
                });
                listed
                    .iter()
                    .map(|listed| {
                        let found = by_id.binary_search_by_key(&listed.id, |(id, _)| *id).ok();
                        let route = found.map(|at| (by_id[at].1, &routes[by_id[at].1]));
                        gather(listed.id, route, listed.weight)
                    })
                    .collect()
            }
        };
        Self { leaf, candidates }
    }

    fn has_candidates(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.route.is_some())
    }

    /// The places of the routes that `keep` keeps, best first.
    fn rank(&self, amount: Decimal, keep: impl Fn(Option<&Dropped>) -> bool) -> Vec<usize> {
        let kept = self.candidates.iter().enumerate().filter(|(_, candidate)| keep(candidate.dropped.as_ref()));
        let mut entries: Vec<Entry> =
            kept.filter_map(|(place, candidate)| Some(Entry { place, inputs: candidate.inputs? })).collect();
        self.leaf.strategy.rank(&mut entries, amount);
        entries.into_iter().map(|entry| entry.place).collect()
    }

    fn indices(&self, places: &[usize]) -> Vec<usize> {
        places.iter().filter_map(|place| Some(self.candidates.get(*place)?.route?.0)).collect()
    }

    /// What becomes of the pool; its floor is the least level among the routes at `places`.
    fn pool_use(&self, places: &[usize], situation: &Situation<'_>, stats: &Statistics) -> Option<PoolUse> {
        let id = self.leaf.pool?;
        let level = |place: &usize| match self.candidates.get(*place)?.inputs? {
            // Rounded down: a floor above the level of a peer would give that peer's share away.
            Inputs::Debited { debited, weight } => {
                exact::div(debited, Decimal::from(weight), LEVEL_SCALE, Rounding::Down).ok()
            }
            _ => None,
        };
        let before = stats.floors.get(&id).copied().unwrap_or_default();
        let floor = places.iter().filter_map(level).min().unwrap_or_default().max(before).normalize();
        let lifted = self.candidates.iter().filter(|candidate| candidate.lift > Decimal::ZERO);
        Some(PoolUse {
            id,
            window_start: window_start(situation.facts.now, self.leaf.window_hours),
            window_hours: self.leaf.window_hours,
            floor,
            lifts: lifted.map(|candidate| (candidate.id, candidate.lift)).collect(),
        })
    }

    fn into_trace(self, ranked: &[usize]) -> StrategyTrace {
        let mut routes: Vec<RouteTrace> = self.candidates.into_iter().map(Candidate::into_trace).collect();
        for (rank, place) in ranked.iter().enumerate() {
            if let Some(route) = routes.get_mut(*place) {
                route.rank = Some(rank + 1);
            }
        }
        StrategyTrace { strategy: self.leaf.strategy, pool: self.leaf.pool, routes }
    }
}

impl<'a> Candidate<'a> {
    #[expect(clippy::too_many_arguments, reason = "what a route is judged by, called from one place")]
    fn new(
        id: RouteId,
        route: Option<(usize, &'a Route)>,
        weight: Option<u32>,
        leaf: &Leaf,
        situation: &Situation<'_>,
        stats: &Statistics,
        seed: Seed,
        floor: Decimal,
    ) -> Self {
        let Some((_, known)) = route else {
            let dropped = Some(Dropped::Gone);
            return Self { id, route, needs: None, dropped, inputs: None, lift: Decimal::ZERO };
        };
        let weight = weight.unwrap_or(known.weight);
        let demands = Demands {
            fast_funds: leaf.require_fast_funds,
            weight: (leaf.strategy == Strategy::Weight).then_some(weight),
        };
        let mut checked = check(known, situation, demands);
        if checked.dropped.as_ref().is_some_and(|dropped| !dropped.is_by_size()) {
            return Self {
                id,
                route,
                needs: checked.needs,
                dropped: checked.dropped,
                inputs: None,
                lift: Decimal::ZERO,
            };
        }
        let usage = leaf.pool.and_then(|pool| lookup(&stats.usage, &(pool, id))).unwrap_or_default();
        let gathering = Gathering {
            amount: situation.amount,
            seed,
            usage,
            floor,
            weight,
            outcomes: stats.outcomes.get(&id).copied().unwrap_or_default(),
            cost: checked.cost.unwrap_or_default(),
        };
        let inputs = leaf.strategy.inputs(known, &gathering);
        let lift = match inputs {
            Some(Inputs::Debited { debited, .. }) => exact::sub(debited, usage).unwrap_or_default(),
            Some(_) => Decimal::ZERO,
            None => {
                checked.dropped = Some(Dropped::CostOverflow);
                Decimal::ZERO
            }
        };
        Self { id, route, needs: checked.needs, dropped: checked.dropped, inputs, lift }
    }

    fn into_trace(self) -> RouteTrace {
        let code = self.route.map(|(_, route)| route.code.clone()).unwrap_or_default();
        let mut trace = RouteTrace::new(self.id, code);
        trace.dropped = self.dropped;
        trace.reserved = self.needs.map(|needs| needs.reserved);
        if let Some((_, route)) = self.route {
            trace.amount_min = route.amount_min;
            trace.amount_max = route.amount_max;
            trace.available = Some(route.available);
        }
        if let Some(inputs) = self.inputs {
            trace.record(inputs);
        }
        trace
    }
}

fn lookup<K: std::hash::Hash + Eq>(map: &HashMap<K, Decimal>, key: &K) -> Option<Decimal> {
    if map.is_empty() { None } else { map.get(key).copied() }
}
