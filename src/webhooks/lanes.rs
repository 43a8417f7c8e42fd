//! Who is being called by this process, and how that goes: each receiver has a few places, one that keeps failing has one, and all that
//! fail together never have more than half of them all. So the living don't wait for the dead.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::gateway::webhooks::telling::Places;

/// After so many failures in a row a receiver has one place.
const FAILURES: u32 = 3;

/// See the module's head.
pub(super) struct Lanes {
    lanes: Mutex<HashMap<String, Lane>>,
    per_lane: usize,
    failing_max: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    under_way: usize,
    /// In a row.
    failures: u32,
}

impl Lane {
    fn is_failing(self) -> bool {
        self.failures >= FAILURES
    }
}

impl Lanes {
    pub fn new(per_lane: usize, places_max: usize) -> Self {
        Self { lanes: Mutex::default(), per_lane, failing_max: (places_max / 2).max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What may be claimed when `total` places are free.
    pub fn places(&self, total: usize) -> Places {
        let lanes = self.lock();
        let failing: usize = lanes.values().filter(|lane| lane.is_failing()).map(|lane| lane.under_way).sum();
        let mut left = self.failing_max.saturating_sub(failing);
        let free = lanes
            .iter()
            .map(|(name, lane)| {
                let free = match lane.is_failing() {
                    false => self.per_lane.saturating_sub(lane.under_way),
                    true => {
                        let free = 1_usize.saturating_sub(lane.under_way).min(left);
                        left -= free;
                        free
                    }
                };
                (name.clone(), free)
            })
            .collect();
        Places { total, per_lane: self.per_lane, free }
    }

    pub fn begin(&self, name: &str) {
        self.lock().entry(name.to_owned()).or_default().under_way += 1;
    }

    pub fn end(&self, name: &str, has_arrived: bool) {
        let mut lanes = self.lock();
        let Some(lane) = lanes.get_mut(name) else { return };
        lane.under_way = lane.under_way.saturating_sub(1);
        lane.failures = if has_arrived { 0 } else { lane.failures.saturating_add(1) };
        // What is known of a receiver that works is what is known of any.
        if lane.under_way == 0 && lane.failures == 0 {
            lanes.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(lanes: &Lanes, name: &str) -> usize {
        let places = lanes.places(100);
        places.free.iter().find(|(lane, _)| lane == name).map_or(places.per_lane, |(_, free)| *free)
    }

    #[test]
    fn a_receiver_has_its_places_and_one_that_fails_has_one() {
        let lanes = Lanes::new(3, 8);
        for _ in 0..3 {
            lanes.begin("a");
        }
        assert_eq!((free(&lanes, "a"), free(&lanes, "b")), (0, 3));
        for _ in 0..3 {
            lanes.end("a", false);
        }
        assert_eq!(free(&lanes, "a"), 1);
        lanes.begin("a");
        assert_eq!(free(&lanes, "a"), 0);
        lanes.end("a", true);
        assert_eq!(free(&lanes, "a"), 3);
        assert!(lanes.lock().is_empty());
    }

    #[test]
    fn all_that_fail_leave_half_of_the_places() {
        let lanes = Lanes::new(3, 8);
        for name in ["a", "b", "c", "d", "e", "f"] {
            for _ in 0..3 {
                lanes.begin(name);
                lanes.end(name, false);
            }
        }
        assert_eq!(lanes.places(8).free.iter().map(|(_, free)| free).sum::<usize>(), 4);
        lanes.begin("a");
        lanes.begin("b");
        assert_eq!(lanes.places(8).free.iter().map(|(_, free)| free).sum::<usize>(), 2);
    }
}
