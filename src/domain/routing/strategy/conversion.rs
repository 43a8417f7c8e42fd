//! `conversion`: a draw from what is known of each route's success rate; the highest draw is first (Thompson sampling).
//!
//! After `s` successes and `f` failures the rate is Beta(s + 1, f + 1) distributed. A route with few payouts draws from all
//! over, so it is tried now and then whatever its luck was; a route with many draws close to its rate. Beta(a, b) is the
//! distribution of the a-th smallest of a + b - 1 uniform numbers, which are drawn as integers: no floats. Counts are scaled
//! down in proportion so that a + b is at most 128: the cost is bounded, and a little doubt always remains.

use std::cmp::Reverse;

use super::{Entry, Gathering, Inputs};
use crate::domain::ids::RouteId;
use crate::domain::routing::Route;
use crate::domain::routing::draw::{Draws, Seed};
use crate::domain::routing::statistics::Outcomes;

/// The most that the two parameters of a distribution add up to.
const PARAMETERS_SUM_MAX: u8 = 128;

pub fn inputs(route: &Route, gathering: &Gathering) -> Inputs {
    let outcomes = gathering.outcomes;
    Inputs::Draw { outcomes, draw: draw(outcomes, gathering.seed, route.id) }
}

pub fn rank(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| match entry.inputs {
        Inputs::Draw { draw, .. } => (Reverse(Some(draw)), entry.place),
        _ => (Reverse(None), entry.place),
    });
}

/// The route's draw in one try of a request.
pub(in crate::domain::routing) fn draw(outcomes: Outcomes, seed: Seed, route: RouteId) -> u64 {
    beta(outcomes, seed.of(route))
}

/// A draw from the posterior, as a fraction of 2^64.
fn beta(outcomes: Outcomes, mut draws: Draws) -> u64 {
    let (a, b) = parameters(outcomes);
    let count = usize::from(a) + usize::from(b) - 1;
    let mut numbers = [0_u64; PARAMETERS_SUM_MAX as usize];
    let drawn = &mut numbers[..count];
    drawn.fill_with(|| draws.next_u64());
    let (_, nth, _) = drawn.select_nth_unstable(usize::from(a) - 1);
    *nth
}

/// `succeeded + 1` and `failed + 1`, scaled down to a sum of at most [`PARAMETERS_SUM_MAX`], neither below 1.
fn parameters(outcomes: Outcomes) -> (u8, u8) {
    let (a, b) = (u128::from(outcomes.succeeded) + 1, u128::from(outcomes.failed) + 1);
    let most = u128::from(PARAMETERS_SUM_MAX);
    let small = |value: u128| u8::try_from(value).unwrap_or(PARAMETERS_SUM_MAX - 1);
    if a + b <= most {
        return (small(a), small(b));
    }
    let a = (a * most / (a + b)).clamp(1, most - 1);
    (small(a), small(most - a))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::PayoutRequestId;

    fn mean_of_draws(succeeded: u64, failed: u64) -> u64 {
        let route = RouteId(Uuid::from_u128(1));
        let count = 4_000;
        let draws = (0..count).map(|n| {
            let seed = Seed::new(PayoutRequestId(Uuid::from_u128(n)), 0, 1);
            u128::from(beta(Outcomes { succeeded, failed }, seed.of(route)))
        });
        let sum: u128 = draws.sum();
        u64::try_from(sum * 1_000 / count / (1 << 64)).unwrap()
    }

    #[test]
    fn draws_average_to_the_rate() {
        // (s + 1) / (s + f + 2), in thousandths.
        for (succeeded, failed, expected) in [(0, 0, 500), (3, 0, 800), (0, 8, 100), (9_000, 1_000, 898), (70, 30, 696)]
        {
            let mean = mean_of_draws(succeeded, failed);
            assert!(mean.abs_diff(expected) <= 12, "{succeeded} {failed}: {mean}");
        }
    }

    #[test]
    fn counts_are_scaled_down_and_never_to_certainty() {
        let of = |succeeded, failed| parameters(Outcomes { succeeded, failed });
        assert_eq!(of(0, 0), (1, 1));
        assert_eq!(of(100, 26), (101, 27));
        assert_eq!(of(1_000_000, 0), (127, 1));
        assert_eq!(of(0, u64::MAX), (1, 127));
        assert_eq!(of(u64::MAX, u64::MAX), (64, 64));
    }
}
