//! A routing decision allocates what its trace holds, and nothing beside it that grows with routes or nodes.

#[path = "../../benches/routing/scenario.rs"]
mod scenario;

use allocation_counter::measure;
use landfall::domain::routing::Strategy;
use scenario::{BRANCHES, ROUTES, Scenario};

/// A route's code.
const A_ROUTE: u64 = 1;
/// A branch's list of comparisons, the attribute, and both values with their digits.
const A_COMPARISON: u64 = 6;
/// The lists of routes in their order, whatever their number.
const BESIDE: u64 = 24;

#[test]
fn a_decision_allocates_for_its_trace_and_little_else() {
    let most = A_ROUTE * u64::from(ROUTES) + A_COMPARISON * u64::from(BRANCHES) + BESIDE;
    for strategy in Strategy::ALL {
        let scenario = Scenario::new(strategy);
        let mut decision = None;
        let counted = measure(|| decision = Some(scenario.decide()));
        let ranked = decision.map_or(0, |decision| decision.ranked.len());
        assert_eq!(ranked, 50, "{strategy:?}");
        println!("{strategy:?}: {} allocations, {} bytes", counted.count_total, counted.bytes_total);
        assert!(counted.count_total <= most, "{strategy:?}: {} allocations, {most} at most", counted.count_total);
    }
}
