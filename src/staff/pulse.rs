//! How payouts go, hour by hour. An hour that is over is counted once and kept for a while; only the hour that goes on is counted at each
//! look. So a look costs the same after a million payouts, and what it counts it reads by an index, an hour at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike, Utc};
use diesel_async::AsyncPgConnection;

use super::desk::{Desk, DeskError};
use crate::domain::ids::Mode;
use crate::store::dashboard::pulse;

pub use crate::store::dashboard::pulse::{Ended, TimeToPaid, UnknownAges};

/// How many hours are drawn, the one that goes on among them.
pub const HOURS: i64 = 24;
/// An hour may still change for so long after its end: transactions that began in it are being committed.
const GRACE: TimeDelta = TimeDelta::minutes(5);
/// How long a count is good: what ended may still come back.
const COUNT_AGE_MAX: TimeDelta = TimeDelta::minutes(10);
/// How long one look may count. What is left, later looks do.
const LOOK_MAX: Duration = Duration::from_millis(1_500);

/// What ended within an hour.
#[derive(Clone, Debug)]
pub struct Hour {
    /// Its beginning.
    pub at: DateTime<Utc>,
    /// `None`: not counted yet.
    pub counted: Option<Counted>,
}

#[derive(Clone, Debug)]
pub struct Counted {
    pub ended: Vec<Ended>,
    pub paid: TimeToPaid,
}

/// How payouts go.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// The last [`HOURS`], oldest first.
    pub hours: Vec<Hour>,
    /// When the day began, in UTC: never before the first of the hours.
    pub today: DateTime<Utc>,
    pub unknown: UnknownAges,
}

impl Pulse {
    /// What ended today, by how and in which currency.
    pub fn ended_today(&self) -> Vec<Ended> {
        let hours = self.hours.iter().filter(|hour| hour.at >= self.today);
        let mut sums: Vec<Ended> = Vec::new();
        for ended in hours.filter_map(|hour| hour.counted.as_ref()).flat_map(|counted| &counted.ended) {
            match sums.iter_mut().find(|sum| (sum.status, sum.currency) == (ended.status, ended.currency)) {
                Some(sum) => {
                    sum.count = sum.count.saturating_add(ended.count);
                    sum.amount_processed = sum.amount_processed.saturating_add(ended.amount_processed);
                }
                None => sums.push(ended.clone()),
            }
        }
        sums.sort_by(|a, b| (a.status.as_str(), a.currency.as_str()).cmp(&(b.status.as_str(), b.currency.as_str())));
        sums
    }

    /// Whether some hours aren't counted yet: there was too much in them for one look.
    pub fn is_counting(&self) -> bool {
        self.hours.iter().any(|hour| hour.counted.is_none())
    }
}

/// The counts that are kept.
#[derive(Default)]
pub struct Hours(Mutex<HashMap<Mode, BTreeMap<DateTime<Utc>, Kept>>>);

#[derive(Clone)]
struct Kept {
    read_at: DateTime<Utc>,
    counted: Counted,
}

impl Hours {
    fn of(&self, mode: Mode) -> BTreeMap<DateTime<Utc>, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&mode).cloned().unwrap_or_default()
    }

    fn keep(&self, mode: Mode, at: DateTime<Utc>, kept: Kept, first: DateTime<Utc>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hours = all.entry(mode).or_default();
        hours.insert(at, kept);
        hours.retain(|at, _| *at >= first);
    }
}

impl Desk {
    pub(super) async fn pulse(
        &self,
        conn: &mut AsyncPgConnection,
        mode: Mode,
        now: DateTime<Utc>,
    ) -> Result<Pulse, DeskError> {
        let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let this = today + TimeDelta::hours(i64::from(now.hour()));
        let first = this - TimeDelta::hours(HOURS - 1);
        let (began, mut known) = (Instant::now(), self.hours.of(mode));
        let mut hours = Vec::new();
        let mut rereads = 0_u32;
        // The newest first: it is looked at most, and what there is no time for is the oldest.
        for ago in 0..HOURS {
            let at = this - TimeDelta::hours(ago);
            let until = at + TimeDelta::hours(1);
            let kept = known.remove(&at);
            let is_over = now >= until + GRACE;
            let is_good = kept.as_ref().is_some_and(|kept| is_over && now - kept.read_at <= COUNT_AGE_MAX);
            // Of the old ones one a look is counted again.
            let may_count = ago == 0 || (began.elapsed() < LOOK_MAX && (kept.is_none() || !is_over || rereads == 0));
            let counted = match kept {
                Some(kept) if is_good || !may_count => Some(kept.counted),
                kept if may_count => {
                    rereads = rereads.saturating_add(u32::from(kept.is_some() && is_over));
                    let counted = count(conn, mode, at, until).await?;
                    if is_over {
                        let kept = Kept { read_at: now, counted: counted.clone() };
                        self.hours.keep(mode, at, kept, first);
                    }
                    Some(counted)
                }
                _ => None,
            };
            hours.push(Hour { at, counted });
        }
        hours.reverse();
        Ok(Pulse { hours, today, unknown: pulse::unknown_ages(conn, mode, now).await? })
    }
}

async fn count(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Counted, DeskError> {
    let ended = pulse::ended_within(conn, mode, from, until).await?;
    let paid = match ended.is_empty() {
        true => TimeToPaid { median_ms: None, slow_ms: None },
        false => pulse::time_to_paid(conn, mode, from, until).await?,
    };
    Ok(Counted { ended, paid })
}
