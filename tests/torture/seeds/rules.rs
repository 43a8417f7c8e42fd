//! Rules switched off, one at a time: each one's absence is found, or the simulation is missing something.

use landfall::torture::{self, Rule};

use super::Simulation;
use super::suite::ALONE;

/// Seeds that a rule's absence has to be found within.
const WITHIN: u64 = 20;

async fn is_found(rule: Rule) {
    let _alone = ALONE.lock().await;
    let mut simulation = Simulation::new().await;
    torture::set_off(rule, true);
    let mut found = None;
    for seed in 0..WITHIN {
        let outcome = simulation.run(seed).await;
        if let Some(violation) = outcome.violations.first() {
            found = Some((seed, violation.clone()));
            break;
        }
    }
    torture::set_off(rule, false);
    let (seed, violation) = found.unwrap_or_else(|| panic!("{} is off, and nobody noticed", rule.as_str()));
    println!("{} off: found at seed {seed} by {violation}", rule.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn failing_over_on_a_guess_is_found() {
    is_found(Rule::NoFailoverOnUnknown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn believing_a_lease_that_is_over_is_found() {
    is_found(Rule::LeaseEpoch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn making_a_request_twice_is_found() {
    is_found(Rule::Idempotency).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn reserving_nothing_is_found() {
    is_found(Rule::Reservation).await;
}
