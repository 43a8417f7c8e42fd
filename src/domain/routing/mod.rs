//! Routing: which route carries a payout. A compiled scheme leads to strategies; their routes are filtered, then ranked;
//! every dropped route says why, and the whole decision is a trace that can be stored, told and replayed.
//!
//! Pure: balances, statistics and what failed before are handed in; nothing is counted, reserved or stored here.

pub mod attributes;
pub mod breaker;
pub mod condition;
mod decide;
mod draw;
pub mod failover;
mod filter;
mod route;
#[cfg(test)]
mod samples;
pub mod scheme;
pub mod split;
pub mod statistics;
pub mod strategy;
#[cfg(test)]
mod tests;
mod trace;
mod words;

pub use attributes::{CardFacts, CustomerFacts, Facts};
pub use decide::{Decision, Outcome, PoolUse, Situation, any_route_carries, decide};
pub use filter::Dropped;
pub use route::{BreakerGate, Needs, Route};
pub use scheme::{Known, KnownRoute, Scheme, SchemeProblem, scheme_schema};
pub use statistics::{Outcomes, PoolId, Statistics, window_start};
pub use strategy::Strategy;
pub use trace::{RouteTrace, SchemeRef, Step, StrategyTrace, Trace};
