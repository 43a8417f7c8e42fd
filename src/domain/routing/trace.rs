//! The trace of a decision: small, complete, stored with the payout's event. From it alone the order is derived again
//! ([`Trace::replay`]) and the decision told in words.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::condition::ComparisonTrace;
use super::draw::Seed;
use super::filter::Dropped;
use super::statistics::{Outcomes, PoolId};
use super::strategy::{Entry, Inputs, Strategy, conversion_draw};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{PayoutRequestId, PayoutSchemeId, RouteId};

/// A version of a payout scheme. The built-in scheme has version 0 and the nil id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemeRef {
    pub id: PayoutSchemeId,
    pub version: i32,
}

impl SchemeRef {
    /// The scheme that serves where none is named.
    pub const BUILT_IN: Self = Self { id: PayoutSchemeId(uuid::Uuid::nil()), version: 0 };
}

/// A decision and how it came about. Amounts are in the service's currency unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredTrace")]
pub struct Trace {
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// Absent in traces of before there were schemes, as are all parts but the amount and the strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<SchemeRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<AssetCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<PayoutRequestId>,
    pub part: i16,
    pub attempt: i16,
    /// The branches taken, from the root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branch: Vec<Step>,
    /// Where the tree ends in a refusal: the operator's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The strategies tried, in order. Only the last can have given a route.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strategies: Vec<StrategyTrace>,
}

/// A branch taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Whether the condition was true: `then` was taken.
    pub taken: bool,
    /// The comparisons that decided it; those after them weren't made.
    pub comparisons: Vec<ComparisonTrace>,
}

/// A strategy tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyTrace {
    pub strategy: Strategy,
    /// Of a strategy that counts usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolId>,
    /// In the configured order.
    pub routes: Vec<RouteTrace>,
}

/// What became of one route, with what was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTrace {
    pub route: RouteId,
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Dropped>,
    /// 1 is tried first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub amount_min: Option<Decimal>,
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub amount_max: Option<Decimal>,
    /// In the deposit currency.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub available: Option<Decimal>,
    /// What is to be reserved, in the deposit currency.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Decimal>,
    /// `optimal`, `weight`: what it counts as debited in the window.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub debited: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// `balance`: what is available, in the service's currency.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub balance: Option<Decimal>,
    /// `conversion`: what was known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// `conversion`: what it drew, of a million, rounded down. Short, so that no draw passes for a card number; a replay draws
    /// again and doesn't need the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<u32>,
    /// `cost`: in the service's currency, with what the conversion loses.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub cost: Option<Decimal>,
}

impl RouteTrace {
    /// A route of which nothing was looked at yet.
    pub fn new(route: RouteId, code: String) -> Self {
        Self {
            route,
            code,
            dropped: None,
            rank: None,
            amount_min: None,
            amount_max: None,
            available: None,
            reserved: None,
            debited: None,
            weight: None,
            balance: None,
            succeeded: None,
            failed: None,
            draw: None,
            cost: None,
        }
    }

    pub(super) fn record(&mut self, inputs: Inputs) {
        match inputs {
            Inputs::Place => {}
            Inputs::Debited { debited, weight } => {
                self.debited = Some(debited);
                self.weight = Some(weight);
            }
            Inputs::Available { available } => self.balance = Some(available),
            Inputs::Draw { outcomes, draw } => {
                self.succeeded = Some(outcomes.succeeded);
                self.failed = Some(outcomes.failed);
                self.draw = u32::try_from((u128::from(draw) * 1_000_000) >> 64).ok();
            }
            Inputs::Cost { cost } => self.cost = Some(cost),
        }
    }

    /// What [`Self::record`] recorded; a draw is drawn again.
    fn inputs(&self, strategy: Strategy, seed: Option<Seed>) -> Option<Inputs> {
        Some(match strategy {
            Strategy::Direct => Inputs::Place,
            Strategy::Optimal | Strategy::Weight => Inputs::Debited { debited: self.debited?, weight: self.weight? },
            Strategy::Balance => Inputs::Available { available: self.balance? },
            Strategy::Conversion => {
                let outcomes = Outcomes { succeeded: self.succeeded?, failed: self.failed? };
                Inputs::Draw { outcomes, draw: conversion_draw(outcomes, seed?, self.route) }
            }
            Strategy::Cost => Inputs::Cost { cost: self.cost? },
        })
    }

    /// Whether the filters let it pass, by what is recorded: the numbers are compared again.
    fn passes(&self, amount: Decimal) -> bool {
        self.dropped.is_none()
            && self.amount_min.is_none_or(|least| amount >= least)
            && self.amount_max.is_none_or(|most| amount <= most)
            && match (self.reserved, self.available) {
                (Some(reserved), Some(available)) => reserved <= available,
                _ => true,
            }
    }
}

impl Trace {
    /// The order derived again from the trace alone: the comparisons made again, the routes filtered and ranked by what is
    /// recorded of them. Empty where no route was found, and where the trace contradicts itself.
    pub fn replay(&self) -> Vec<RouteId> {
        let holds = |step: &Step| step.comparisons.iter().all(|made| made.replay() == Some(made.result));
        if self.rejected.is_some() || !self.branch.iter().all(holds) {
            return Vec::new();
        }
        let seed = self.request_id.map(|id| Seed::new(id, self.part, self.attempt));
        for tried in &self.strategies {
            let mut entries = Vec::new();
            for (place, route) in tried.routes.iter().enumerate().filter(|(_, route)| route.passes(self.amount)) {
                let Some(inputs) = route.inputs(tried.strategy, seed) else { return Vec::new() };
                entries.push(Entry { place, inputs });
            }
            if !entries.is_empty() {
                tried.strategy.rank(&mut entries, self.amount);
                return entries.iter().filter_map(|entry| Some(tried.routes.get(entry.place)?.route)).collect();
            }
        }
        Vec::new()
    }

    /// The strategy that decided, or the last that was tried.
    pub fn strategy(&self) -> Option<&StrategyTrace> {
        self.strategies.last()
    }
}

/// A trace as it was ever stored: until there were schemes, one strategy and its routes stood at the top.
#[derive(Deserialize)]
struct StoredTrace {
    #[serde(with = "rust_decimal::serde::str")]
    amount: Decimal,
    #[serde(default)]
    scheme: Option<SchemeRef>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    currency: Option<AssetCode>,
    #[serde(default)]
    request_id: Option<PayoutRequestId>,
    #[serde(default)]
    part: i16,
    #[serde(default)]
    attempt: i16,
    #[serde(default)]
    branch: Vec<Step>,
    #[serde(default)]
    rejected: Option<String>,
    #[serde(default)]
    strategies: Vec<StrategyTrace>,
    #[serde(default)]
    strategy: Option<Strategy>,
    #[serde(default)]
    routes: Vec<RouteTrace>,
}

impl From<StoredTrace> for Trace {
    fn from(stored: StoredTrace) -> Self {
        let mut strategies = stored.strategies;
        if let Some(strategy) = stored.strategy {
            strategies.push(StrategyTrace { strategy, pool: None, routes: stored.routes });
        }
        Self {
            amount: stored.amount,
            scheme: stored.scheme,
            service: stored.service,
            currency: stored.currency,
            request_id: stored.request_id,
            part: stored.part,
            attempt: stored.attempt,
            branch: stored.branch,
            rejected: stored.rejected,
            strategies,
        }
    }
}
