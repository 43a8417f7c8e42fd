//! Who is being called by this process, and how that goes, so that the living don't wait for the dead, nor one partner for another's
//! receivers, nor live mode for test mode:
//!
//! - A receiver has a few places; one that keeps failing has one, and all that fail never have more than half of them all together.
//! - A tenant's share is a quarter. Whoever has less comes first; what is left over goes beyond shares up to three quarters of all places: a
//!   lone tenant is nearly as quick as it could be, and for whoever comes next there is room at once, however long calls take.
//! - Test mode never has more than seven eighths.
//!
//! What is known of receivers is kept here alone, for an hour and of a thousand: forgotten, one has all its places again until it fails anew.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::ids::{Mode, Tenant};
use crate::gateway::webhooks::telling::{LanePlaces, Places};

/// After so many failures in a row a receiver has one place.
const FAILURES: u32 = 3;
/// How long a receiver's failures are remembered while it isn't called.
const REMEMBERED: Duration = Duration::from_secs(3_600);
/// Of how many that aren't called.
const REMEMBERED_MAX: usize = 1_000;

/// See the module's head.
pub(super) struct Lanes {
    lanes: Mutex<HashMap<String, Lane>>,
    per_lane: usize,
    places_max: usize,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    tenant: Tenant,
    under_way: usize,
    /// In a row.
    failures: u32,
    /// When a call of it last ended.
    ended_at: Option<Instant>,
}

impl Lane {
    fn is_failing(self) -> bool {
        self.failures >= FAILURES
    }

    fn is_idle(self) -> bool {
        self.under_way == 0
    }
}

impl Lanes {
    pub fn new(per_lane: usize, places_max: usize) -> Self {
        Self { lanes: Mutex::default(), per_lane, places_max }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All places but the last of so many; one at least.
    fn all_but(&self, last: usize) -> usize {
        self.places_max.saturating_sub(self.places_max.div_ceil(last)).max(1)
    }

    /// What may be claimed when `total` places are free.
    pub fn places(&self, total: usize, now: Instant) -> Places {
        let mut lanes = self.lock();
        forget(&mut lanes, now);
        let (mut failing, mut test) = (0_usize, 0_usize);
        let mut tenants: HashMap<Tenant, usize> = HashMap::new();
        let mut named = Vec::new();
        for (name, lane) in lanes.iter() {
            let is_failing = lane.is_failing();
            if lane.under_way > 0 {
                failing += if is_failing { lane.under_way } else { 0 };
                test += if lane.tenant.mode == Mode::Test { lane.under_way } else { 0 };
                *tenants.entry(lane.tenant).or_default() += lane.under_way;
            }
            if lane.under_way > 0 || is_failing {
                let free = if is_failing { 1 } else { self.per_lane }.saturating_sub(lane.under_way);
                named.push(LanePlaces { lane: name.clone(), free, is_failing });
            }
        }
        let taken = self.places_max.saturating_sub(total);
        Places {
            total,
            per_lane: self.per_lane,
            share: (self.places_max / 4).max(1),
            beyond: self.all_but(4).saturating_sub(taken),
            test: self.all_but(8).saturating_sub(test),
            failing: (self.places_max / 2).max(1).saturating_sub(failing),
            lanes: named,
            tenants: tenants.into_iter().collect(),
        }
    }

    pub fn begin(&self, name: &str, tenant: Tenant) {
        let new = Lane { tenant, under_way: 0, failures: 0, ended_at: None };
        self.lock().entry(name.to_owned()).or_insert(new).under_way += 1;
    }

    pub fn end(&self, name: &str, has_arrived: bool, now: Instant) {
        let mut lanes = self.lock();
        let Some(lane) = lanes.get_mut(name) else { return };
        lane.under_way = lane.under_way.saturating_sub(1);
        lane.failures = if has_arrived { 0 } else { lane.failures.saturating_add(1) };
        lane.ended_at = Some(now);
        // What is known of a receiver that works is what is known of any.
        if lane.is_idle() && lane.failures == 0 {
            lanes.remove(name);
        }
    }
}

/// Forgets receivers that haven't been called for long, and of too many those that haven't been for longest.
fn forget(lanes: &mut HashMap<String, Lane>, now: Instant) {
    let since = |lane: &Lane| lane.ended_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
    lanes.retain(|_, lane| !lane.is_idle() || since(lane) < REMEMBERED);
    let mut idle: Vec<Duration> = lanes.values().filter(|lane| lane.is_idle()).map(since).collect();
    if idle.len() > REMEMBERED_MAX {
        // A tenth more than must be, so that it isn't sorted out at each claim.
        let (_, longest, _) = idle.select_nth_unstable(REMEMBERED_MAX - REMEMBERED_MAX / 10);
        let longest = *longest;
        lanes.retain(|_, lane| !lane.is_idle() || since(lane) < longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::PartnerId;

    fn tenant(mode: Mode) -> Tenant {
        Tenant { partner_id: PartnerId(uuid::Uuid::nil()), mode }
    }

    fn begin(lanes: &Lanes, name: &str) {
        lanes.begin(name, tenant(Mode::Test));
    }

    /// Called and failed as often as it takes.
    fn fail(lanes: &Lanes, name: &str, now: Instant) {
        for _ in 0..FAILURES {
            begin(lanes, name);
            lanes.end(name, false, now);
        }
    }

    fn free(lanes: &Lanes, name: &str) -> usize {
        let places = lanes.places(100, Instant::now());
        places.lanes.iter().find(|lane| lane.lane == name).map_or(places.per_lane, |lane| lane.free)
    }

    #[test]
    fn a_receiver_has_its_places_and_one_that_fails_has_one() {
        let (lanes, now) = (Lanes::new(3, 8), Instant::now());
        for _ in 0..3 {
            begin(&lanes, "a");
        }
        assert_eq!((free(&lanes, "a"), free(&lanes, "b")), (0, 3));
        for _ in 0..3 {
            lanes.end("a", false, now);
        }
        assert_eq!(free(&lanes, "a"), 1);
        begin(&lanes, "a");
        assert_eq!(free(&lanes, "a"), 0);
        lanes.end("a", true, now);
        assert_eq!(free(&lanes, "a"), 3);
        assert!(lanes.lock().is_empty());
    }

    #[test]
    fn all_that_fail_leave_half_of_the_places_and_only_while_they_are_called() {
        let (lanes, now) = (Lanes::new(3, 8), Instant::now());
        for name in ["a", "b", "c", "d", "e", "f"] {
            fail(&lanes, name, now);
        }
        let places = lanes.places(8, now);
        // Whoever has something due may have one of them: who is idle takes none away.
        assert_eq!((places.failing, places.lanes.iter().filter(|lane| lane.free == 1).count()), (4, 6));
        begin(&lanes, "a");
        begin(&lanes, "b");
        let places = lanes.places(6, now);
        assert_eq!((places.failing, places.lanes.iter().filter(|lane| lane.free == 1).count()), (2, 4));
    }

    #[test]
    fn a_tenant_and_test_mode_leave_room() {
        let (lanes, now) = (Lanes::new(8, 256), Instant::now());
        let places = lanes.places(256, now);
        assert_eq!((places.share, places.beyond, places.test, places.failing), (64, 192, 224, 128));
        for n in 0..200 {
            begin(&lanes, &n.to_string());
        }
        lanes.begin("live", tenant(Mode::Live));
        let places = lanes.places(55, now);
        assert_eq!((places.beyond, places.test, places.tenants.len()), (0, 24, 2));
        assert!(
            places.tenants.contains(&(tenant(Mode::Test), 200)) && places.tenants.contains(&(tenant(Mode::Live), 1))
        );
        // However few places there are, each has one of them.
        let places = Lanes::new(1, 1).places(1, now);
        assert_eq!((places.share, places.beyond, places.test, places.failing), (1, 1, 1, 1));
    }

    #[test]
    fn who_is_not_called_is_forgotten() {
        let (lanes, now) = (Lanes::new(3, 8), Instant::now());
        fail(&lanes, "old", now);
        fail(&lanes, "new", now + REMEMBERED / 2);
        begin(&lanes, "called");
        let later = now + REMEMBERED;
        let known: Vec<_> = lanes.places(7, later).lanes.into_iter().map(|lane| lane.lane).collect();
        assert!(known.len() == 2 && !known.contains(&"old".to_owned()), "{known:?}");
        assert_eq!(lanes.lock().len(), 2);
        for n in 0..3_000_u32 {
            fail(&lanes, &n.to_string(), later + Duration::from_millis(n.into()));
        }
        lanes.places(7, later + Duration::from_secs(3));
        let lanes = lanes.lock();
        assert!(lanes.len() <= REMEMBERED_MAX + 1 && lanes.contains_key("2999") && lanes.contains_key("called"));
        assert!(!lanes.contains_key("0") && !lanes.contains_key("new"));
    }
}
