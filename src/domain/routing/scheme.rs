//! Payout schemes: per service a tree of conditions that ends in strategies or in a refusal. Owns the body's shape, its
//! check and its compiled form, in which nothing is looked up by name any more.
//!
//! A body is JSON: [`scheme_schema`] publishes its structure, [`Scheme::compile`] checks that and everything else, and tells
//! all that is wrong at once. A compiled scheme is a tree even where the body names nodes and refers to them: it has no
//! cycles, and at most [`NODES_MAX`] nodes.

mod compile;
mod conditions;
mod knowledge;
mod leaves;
mod problems;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::Value;

use super::condition::Condition;
use super::route::Route;
use super::statistics::PoolId;
use super::strategy::Strategy;
use super::trace::SchemeRef;
use crate::domain::asset::AssetCode;
use crate::domain::ids::RouteId;

pub use problems::SchemeProblem;

/// How deep a tree may be, nodes and nested conditions together.
pub const DEPTH_MAX: usize = 32;
/// How many nodes and conditions a scheme may have, with every reference counted as what it refers to.
pub const NODES_MAX: usize = 500;
/// How large a body may be, in bytes of compact JSON.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// The window of a strategy that names none, in hours.
pub const WINDOW_HOURS_DEFAULT: u32 = 24;
/// The longest window: a year.
pub const WINDOW_HOURS_MAX: u32 = 8_760;
/// The greatest weight.
pub const WEIGHT_MAX: u32 = 1_000_000;

/// A payout scheme, ready to decide.
#[derive(Clone, Debug)]
pub struct Scheme {
    pub scheme: SchemeRef,
    /// The root of each service's tree.
    roots: HashMap<String, usize>,
    /// A node comes after all nodes that it leads to.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Branch {
        condition: Condition,
        then: usize,
        otherwise: usize,
    },
    /// Tried in order.
    Leaf(Vec<Leaf>),
    Reject(String),
}

/// A strategy over routes.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub strategy: Strategy,
    pub routes: LeafRoutes,
    pub window_hours: u32,
    pub split_always: bool,
    pub require_fast_funds: bool,
    /// Of a strategy that counts usage.
    pub pool: Option<PoolId>,
}

#[derive(Clone, Debug)]
pub(super) enum LeafRoutes {
    /// Every route of the service, in the configured order.
    Every,
    Listed(Vec<LeafRoute>),
}

#[derive(Clone, Debug)]
pub(super) struct LeafRoute {
    pub id: RouteId,
    /// `None`: the route's own.
    pub weight: Option<u32>,
}

/// A strategy's counters, as they have to be read before a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    pub id: PoolId,
    pub strategy: Strategy,
    pub window_hours: u32,
}

/// What a scheme's body may refer to, and which scheme it is the body of.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    pub scheme: SchemeRef,
    /// Services with their currencies.
    pub services: &'a HashMap<String, AssetCode>,
    /// The routes of the scheme's mode.
    pub routes: &'a [KnownRoute],
}

/// A route as far as a scheme's check needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRoute {
    pub id: RouteId,
    pub code: String,
    pub service: String,
    pub currency: AssetCode,
    pub enabled: bool,
}

impl From<&Route> for KnownRoute {
    fn from(route: &Route) -> Self {
        Self {
            id: route.id,
            code: route.code.clone(),
            service: route.service.clone(),
            currency: route.currency,
            enabled: route.enabled,
        }
    }
}

impl Scheme {
    /// Checks a body and compiles it; or tells everything that is wrong with it.
    pub fn compile(body: &Value, known: &Known<'_>) -> Result<Self, Vec<SchemeProblem>> {
        compile::compile(body, known)
    }

    /// The scheme that serves where a point names none: `direct` over all routes of the service in the configured order.
    pub fn default_for(service: &str) -> Self {
        let leaf = Leaf {
            strategy: Strategy::Direct,
            routes: LeafRoutes::Every,
            window_hours: WINDOW_HOURS_DEFAULT,
            split_always: false,
            require_fast_funds: false,
            pool: None,
        };
        Self {
            scheme: SchemeRef::BUILT_IN,
            roots: HashMap::from([(service.to_owned(), 0)]),
            nodes: vec![Node::Leaf(vec![leaf])],
        }
    }

    /// Whether it says anything of the service.
    pub fn serves(&self, service: &str) -> bool {
        self.roots.contains_key(service)
    }

    /// The services that it says something of.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.roots.keys().map(String::as_str)
    }

    /// The pools that decisions of this scheme may read and write, each once.
    pub fn pools(&self) -> Vec<Pool> {
        let mut pools: Vec<Pool> = self
            .leaves()
            .filter_map(|leaf| Some(Pool { id: leaf.pool?, strategy: leaf.strategy, window_hours: leaf.window_hours }))
            .collect();
        pools.sort_by_key(|pool| pool.id);
        pools.dedup();
        pools
    }

    /// Whether any strategy goes by success rates, so that outcomes have to be read.
    pub fn reads_outcomes(&self) -> bool {
        self.leaves().any(|leaf| leaf.strategy == Strategy::Conversion)
    }

    fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.nodes.iter().flat_map(|node| match node {
            Node::Leaf(leaves) => leaves.as_slice(),
            Node::Branch { .. } | Node::Reject(_) => &[],
        })
    }

    pub(super) fn root(&self, service: &str) -> Option<&Node> {
        self.node(*self.roots.get(service)?)
    }

    pub(super) fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }
}

/// The published JSON Schema of a scheme's body (draft 2020-12): its structure. What only the check can know, such as which
/// routes there are, [`Scheme::compile`] tells.
pub fn scheme_schema() -> Value {
    serde_json::from_str(include_str!("scheme.schema.json")).unwrap_or(Value::Bool(true))
}
