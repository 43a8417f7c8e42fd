//! The circuit breaker of a provider account: takes its routes out of routing while its calls fail, and lets them back in by probes.
//!
//! A pure state machine: counts and `now` are handed in, rows are the caller's. It never touches payouts under way: those are asked
//! about, resent and settled as ever, whatever the breaker says. It only answers whether a **new** payout may choose the account.
//!
//! ```text
//!            a rate is reached              until is over, a probe is sent
//!   closed ----------------------> open --------------------------------> half-open
//!     ^                             ^         a probe fails: twice as long    |  |
//!     |                             +-----------------------------------------+  |
//!     +--------------------------------------------------------------------------+
//!                              as many probes as are allowed succeeded
//! ```
//!
//! **What counts.** A call is a payout that was sent and whose outcome was learnt within the window, by [`CallOutcome::of`]: failures
//! of the route are errors, failures of the card are none (the provider did its work), and what is unknown is counted apart, since it
//! costs more than a failure. What was never sent is no call, and a deposit account that ran out says nothing either way.
//!
//! **What closing forgets.** Counts begin at the later of the window's start and [`Breaker::since`] ([`Breaker::counts_from`]), so
//! what opened a breaker can't open it again once it was closed.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::payout::{Resolution, ResolutionClass};

/// When a breaker opens, for how long, and what closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerSettings {
    /// How far back calls are counted.
    pub window_secs: u32,
    /// Fewer calls in the window say nothing.
    pub calls_min: u32,
    /// Opens at this share of errors. Above 100: never. Without a single error it doesn't open even at 0.
    pub error_percent_max: u32,
    /// Opens at this share of unknown outcomes. Above 100: never.
    pub unknown_percent_max: u32,
    /// How long it stays open at first; twice as long each time that a probe fails.
    pub open_secs: u32,
    /// The longest that it stays open.
    pub open_secs_max: u32,
    /// Probes that may be under way at once, and successes that close it. At least one, whatever it says.
    pub probes_max: u32,
}

/// How the calls in the window ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub ok: u64,
    pub errors: u64,
    pub unknowns: u64,
}

/// What a payout's resolution says of the provider account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    Ok,
    Error,
    Unknown,
}

impl CallOutcome {
    /// `None` for what was never sent, and for what says nothing of the account's health: one deposit account that is empty, a limit
    /// that is used up, or a payout that isn't of the provider's kind, is no reason to leave the provider account's other routes alone.
    pub fn of(resolution: Resolution) -> Option<Self> {
        if matches!(resolution, Resolution::InsufficientFunds | Resolution::LimitViolation | Resolution::InvalidMethod)
        {
            return None;
        }
        match resolution.class() {
            ResolutionClass::Paid | ResolutionClass::FinalForCard => Some(CallOutcome::Ok),
            ResolutionClass::FinalForRoute => Some(CallOutcome::Error),
            ResolutionClass::NotFinal => Some(CallOutcome::Unknown),
            ResolutionClass::Routing => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    Closed,
    /// Nothing new is sent before `until`; from then on probes are.
    Open {
        until: DateTime<Utc>,
    },
    HalfOpen,
}

/// A provider account's breaker, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    pub state: BreakerState,
    /// When it came into this state; in [`BreakerState::HalfOpen`], when the present round of probes began.
    pub since: DateTime<Utc>,
    /// How often it opened since it was last closed.
    pub openings: u32,
    /// Probes sent in this round.
    pub probes_sent: u32,
    /// Probes that succeeded since it is half-open.
    pub probes_ok: u32,
}

/// What routing is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gate {
    Closed,
    /// Only so many more may be sent, each told to [`Breaker::probe_sent`]. With none left the route is out.
    HalfOpen {
        probes_left: u32,
    },
    /// The route is out.
    Open {
        until: DateTime<Utc>,
    },
}

impl Gate {
    /// Whether a new payout may choose the account.
    pub fn lets_through(self) -> bool {
        match self {
            Gate::Closed => true,
            Gate::HalfOpen { probes_left } => probes_left > 0,
            Gate::Open { .. } => false,
        }
    }
}

/// A stored state that isn't one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no breaker's state, or an open one has no end")]
pub struct BreakerStateError(String);

impl BreakerState {
    /// As it is stored.
    pub const fn as_str(&self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open { .. } => "open",
            BreakerState::HalfOpen => "half_open",
        }
    }

    /// When an open one lets probes through.
    pub const fn until(&self) -> Option<DateTime<Utc>> {
        match self {
            BreakerState::Open { until } => Some(*until),
            BreakerState::Closed | BreakerState::HalfOpen => None,
        }
    }

    /// From the two columns.
    pub fn stored(state: &str, until: Option<DateTime<Utc>>) -> Result<Self, BreakerStateError> {
        match (state, until) {
            ("closed", _) => Ok(BreakerState::Closed),
            ("half_open", _) => Ok(BreakerState::HalfOpen),
            ("open", Some(until)) => Ok(BreakerState::Open { until }),
            _ => Err(BreakerStateError(state.chars().take(20).collect())),
        }
    }
}

impl Breaker {
    /// Of an account that is new, or that staff closed by hand.
    pub fn closed(now: DateTime<Utc>) -> Self {
        Self { state: BreakerState::Closed, since: now, openings: 0, probes_sent: 0, probes_ok: 0 }
    }

    /// From when on calls count: the window's start, but nothing from before the last change of state.
    pub fn counts_from(&self, settings: &BreakerSettings, now: DateTime<Utc>) -> DateTime<Utc> {
        let window = TimeDelta::seconds(i64::from(settings.window_secs));
        now.checked_sub_signed(window).unwrap_or(DateTime::<Utc>::MIN_UTC).max(self.since)
    }

    /// Looks at the calls since [`Breaker::counts_from`]: a closed breaker opens when there are enough of them and a rate is reached.
    /// Any other stays as it is, since only time and probes change it.
    #[must_use]
    pub fn observe(&self, settings: &BreakerSettings, counts: Counts, now: DateTime<Utc>) -> Self {
        match self.state {
            BreakerState::Closed if counts.reach(settings) => self.opened(settings, now),
            BreakerState::Closed | BreakerState::Open { .. } | BreakerState::HalfOpen => *self,
        }
    }

    /// What a new payout finds. An open breaker whose time is over is half-open here before its row says so.
    ///
    /// Probes whose outcomes stay unheard for as long as the breaker was open are given up on, and a new round of them is let through:
    /// a lost probe doesn't keep an account out for good.
    pub fn gate(&self, settings: &BreakerSettings, now: DateTime<Utc>) -> Gate {
        match self.state {
            BreakerState::Closed => Gate::Closed,
            BreakerState::Open { until } if now < until => Gate::Open { until },
            BreakerState::Open { .. } => Gate::HalfOpen { probes_left: settings.probes_needed() },
            BreakerState::HalfOpen => {
                let needed = settings.probes_needed();
                let probes_left = match self.is_round_over(settings, now) {
                    true => needed.saturating_sub(self.probes_ok),
                    false => needed.saturating_sub(self.probes_sent),
                };
                Gate::HalfOpen { probes_left }
            }
        }
    }

    /// Counts a payout that goes out as a probe, in the transaction that creates it. `None` if none may, and where none is needed,
    /// as the breaker is closed.
    #[must_use]
    pub fn probe_sent(&self, settings: &BreakerSettings, now: DateTime<Utc>) -> Option<Self> {
        let Gate::HalfOpen { probes_left: 1.. } = self.gate(settings, now) else { return None };
        match self.state {
            BreakerState::Closed => None,
            BreakerState::Open { .. } => {
                Some(Self { state: BreakerState::HalfOpen, since: now, probes_sent: 1, probes_ok: 0, ..*self })
            }
            // A new round counts as sent what has succeeded, so that the rest makes up the number needed.
            BreakerState::HalfOpen if self.is_round_over(settings, now) => {
                Some(Self { since: now, probes_sent: self.probes_ok.saturating_add(1), ..*self })
            }
            BreakerState::HalfOpen => Some(Self { probes_sent: self.probes_sent.saturating_add(1), ..*self }),
        }
    }

    /// A probe's outcome. Ok: closed, once as many succeeded as are allowed at once. Error or unknown: open again, for twice as long.
    /// Outcomes that come when the breaker isn't half-open any more say nothing.
    ///
    /// Only for payouts that went out as probes: one from before the opening that ends now was sent into the old trouble.
    #[must_use]
    pub fn probe_ended(&self, settings: &BreakerSettings, outcome: CallOutcome, now: DateTime<Utc>) -> Self {
        match (self.state, outcome) {
            (BreakerState::Closed | BreakerState::Open { .. }, _) => *self,
            (BreakerState::HalfOpen, CallOutcome::Error | CallOutcome::Unknown) => self.opened(settings, now),
            (BreakerState::HalfOpen, CallOutcome::Ok) => {
                let probes_ok = self.probes_ok.saturating_add(1);
                if probes_ok >= settings.probes_needed() { Self::closed(now) } else { Self { probes_ok, ..*self } }
            }
        }
    }

    fn opened(&self, settings: &BreakerSettings, now: DateTime<Utc>) -> Self {
        let openings = self.openings.saturating_add(1);
        let until = now.checked_add_signed(settings.open_for(openings)).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { state: BreakerState::Open { until }, since: now, openings, probes_sent: 0, probes_ok: 0 }
    }

    /// Whether a half-open breaker waited for its probes long enough.
    fn is_round_over(&self, settings: &BreakerSettings, now: DateTime<Utc>) -> bool {
        self.since.checked_add_signed(settings.open_for(self.openings)).is_some_and(|end| end <= now)
    }
}

impl BreakerSettings {
    fn probes_needed(&self) -> u32 {
        self.probes_max.max(1)
    }

    /// How long the so-many-th opening in a row lasts.
    fn open_for(&self, openings: u32) -> TimeDelta {
        let doublings = openings.saturating_sub(1).min(32);
        let secs = u64::from(self.open_secs) << doublings;
        let most = u64::from(self.open_secs_max.max(self.open_secs));
        TimeDelta::seconds(i64::try_from(secs.min(most)).unwrap_or(i64::from(u32::MAX)))
    }
}

impl Counts {
    pub fn calls(&self) -> u64 {
        self.ok.saturating_add(self.errors).saturating_add(self.unknowns)
    }

    fn reach(&self, settings: &BreakerSettings) -> bool {
        let calls = self.calls();
        let reached = |count: u64, percent_max: u32| {
            count > 0 && u128::from(count) * 100 >= u128::from(percent_max) * u128::from(calls)
        };
        calls >= u64::from(settings.calls_min)
            && (reached(self.errors, settings.error_percent_max)
                || reached(self.unknowns, settings.unknown_percent_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        window_secs: 60,
        calls_min: 10,
        error_percent_max: 50,
        unknown_percent_max: 20,
        open_secs: 30,
        open_secs_max: 100,
        probes_max: 2,
    };

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn counts(ok: u64, errors: u64, unknowns: u64) -> Counts {
        Counts { ok, errors, unknowns }
    }

    fn open(since: i64, until: i64, openings: u32) -> Breaker {
        Breaker { state: BreakerState::Open { until: at(until) }, openings, ..Breaker::closed(at(since)) }
    }

    fn half_open(since: i64, openings: u32, probes_sent: u32, probes_ok: u32) -> Breaker {
        Breaker { state: BreakerState::HalfOpen, since: at(since), openings, probes_sent, probes_ok }
    }

    #[test]
    fn it_opens_when_enough_calls_reach_a_rate() {
        let closed = Breaker::closed(at(0));
        for (counts, opens) in [
            (counts(0, 0, 0), false),
            (counts(0, 9, 0), false),
            (counts(5, 5, 0), true),
            (counts(6, 5, 0), false),
            (counts(8, 0, 2), true),
            (counts(9, 0, 2), false),
            (counts(8, 1, 1), false),
            (counts(1_000, 0, 0), false),
            (counts(0, u64::MAX, 0), true),
        ] {
            let after = closed.observe(&SETTINGS, counts, at(100));
            assert_eq!(after, if opens { open(100, 130, 1) } else { closed }, "{counts:?}");
        }
        // Rates of 0 don't open on nothing but successes, and rates above 100 never do.
        let touchy = BreakerSettings { error_percent_max: 0, unknown_percent_max: 0, ..SETTINGS };
        assert_eq!(closed.observe(&touchy, counts(10, 0, 0), at(100)), closed);
        assert_eq!(closed.observe(&touchy, counts(1_000, 1, 0), at(100)), open(100, 130, 1));
        let off = BreakerSettings { error_percent_max: 101, unknown_percent_max: 101, ..SETTINGS };
        assert_eq!(closed.observe(&off, counts(0, 50, 50), at(100)), closed);
    }

    #[test]
    fn every_state_and_event() {
        use CallOutcome::{Error, Ok, Unknown};
        let bad = counts(0, 100, 0);
        let (closed, opened) = (Breaker::closed(at(0)), open(0, 30, 1));
        let half = half_open(30, 1, 1, 0);
        // State x observe: only a closed one minds.
        assert_eq!(closed.observe(&SETTINGS, bad, at(10)), open(10, 40, 1));
        assert_eq!(opened.observe(&SETTINGS, bad, at(10)), opened);
        assert_eq!(opened.observe(&SETTINGS, bad, at(31)), opened);
        assert_eq!(half.observe(&SETTINGS, bad, at(31)), half);
        // State x gate.
        assert_eq!(closed.gate(&SETTINGS, at(10)), Gate::Closed);
        assert_eq!(opened.gate(&SETTINGS, at(29)), Gate::Open { until: at(30) });
        assert_eq!(opened.gate(&SETTINGS, at(30)), Gate::HalfOpen { probes_left: 2 });
        assert_eq!(half.gate(&SETTINGS, at(31)), Gate::HalfOpen { probes_left: 1 });
        assert_eq!(half_open(30, 1, 2, 1).gate(&SETTINGS, at(31)), Gate::HalfOpen { probes_left: 0 });
        // State x a probe sent.
        assert_eq!(closed.probe_sent(&SETTINGS, at(10)), None);
        assert_eq!(opened.probe_sent(&SETTINGS, at(29)), None);
        assert_eq!(opened.probe_sent(&SETTINGS, at(30)), Some(half_open(30, 1, 1, 0)));
        assert_eq!(half.probe_sent(&SETTINGS, at(31)), Some(half_open(30, 1, 2, 0)));
        assert_eq!(half_open(30, 1, 2, 0).probe_sent(&SETTINGS, at(31)), None);
        // State x a probe's end.
        for outcome in [Ok, Error, Unknown] {
            assert_eq!(closed.probe_ended(&SETTINGS, outcome, at(40)), closed);
            assert_eq!(opened.probe_ended(&SETTINGS, outcome, at(40)), opened);
        }
        assert_eq!(half.probe_ended(&SETTINGS, Ok, at(40)), half_open(30, 1, 1, 1));
        assert_eq!(half_open(30, 1, 2, 1).probe_ended(&SETTINGS, Ok, at(40)), Breaker::closed(at(40)));
        assert_eq!(half.probe_ended(&SETTINGS, Error, at(40)), open(40, 100, 2));
        assert_eq!(half_open(30, 1, 2, 1).probe_ended(&SETTINGS, Unknown, at(40)), open(40, 100, 2));
    }

    #[test]
    fn it_stays_open_twice_as_long_each_time_up_to_a_maximum() {
        let mut breaker = Breaker::closed(at(0)).observe(&SETTINGS, counts(0, 10, 0), at(0));
        let mut lasted = Vec::new();
        for _ in 0..80 {
            let until = breaker.state.until().unwrap();
            lasted.push((until - breaker.since).num_seconds());
            let probing = breaker.probe_sent(&SETTINGS, until).unwrap();
            breaker = probing.probe_ended(&SETTINGS, CallOutcome::Error, until);
        }
        assert_eq!(lasted[..4], [30, 60, 100, 100]);
        assert_eq!(lasted[79], 100);
        let capped_low = BreakerSettings { open_secs_max: 1, ..SETTINGS };
        assert_eq!(Breaker::closed(at(0)).observe(&capped_low, counts(0, 10, 0), at(0)), open(0, 30, 1));
    }

    #[test]
    fn what_opened_it_does_not_open_it_again_once_closed() {
        let half = half_open(30, 1, 2, 1);
        let closed = half.probe_ended(&SETTINGS, CallOutcome::Ok, at(40));
        assert_eq!(closed.openings, 0);
        // The window would begin at -19; counts begin at the closing.
        assert_eq!(closed.counts_from(&SETTINGS, at(41)), at(40));
        assert_eq!(closed.counts_from(&SETTINGS, at(200)), at(140));
    }

    #[test]
    fn probes_that_are_never_heard_of_do_not_keep_it_half_open_for_good() {
        let lost = half_open(30, 1, 2, 1);
        assert_eq!(lost.gate(&SETTINGS, at(59)), Gate::HalfOpen { probes_left: 0 });
        assert_eq!(lost.gate(&SETTINGS, at(60)), Gate::HalfOpen { probes_left: 1 });
        let again = lost.probe_sent(&SETTINGS, at(60)).unwrap();
        assert_eq!(again, half_open(60, 1, 2, 1));
        assert_eq!(again.gate(&SETTINGS, at(60)), Gate::HalfOpen { probes_left: 0 });
        assert_eq!(again.probe_ended(&SETTINGS, CallOutcome::Ok, at(61)), Breaker::closed(at(61)));
    }

    #[test]
    fn a_breaker_without_probes_still_takes_one() {
        let settings = BreakerSettings { probes_max: 0, ..SETTINGS };
        let probing = open(0, 30, 1).probe_sent(&settings, at(30)).unwrap();
        assert_eq!(probing.gate(&settings, at(31)), Gate::HalfOpen { probes_left: 0 });
        assert_eq!(probing.probe_ended(&settings, CallOutcome::Ok, at(31)), Breaker::closed(at(31)));
    }

    #[test]
    fn a_failure_of_the_card_is_no_failure_of_the_provider() {
        for resolution in Resolution::ALL {
            let expected = match resolution.class() {
                _ if matches!(
                    resolution,
                    Resolution::InsufficientFunds | Resolution::LimitViolation | Resolution::InvalidMethod
                ) =>
                {
                    None
                }
                ResolutionClass::Paid | ResolutionClass::FinalForCard => Some(CallOutcome::Ok),
                ResolutionClass::FinalForRoute => Some(CallOutcome::Error),
                ResolutionClass::NotFinal => Some(CallOutcome::Unknown),
                ResolutionClass::Routing => None,
            };
            assert_eq!(CallOutcome::of(resolution), expected, "{resolution:?}");
        }
        assert_eq!(CallOutcome::of(Resolution::StolenCard), Some(CallOutcome::Ok));
    }

    #[test]
    fn a_state_survives_storage() {
        for state in [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open { until: at(9) }] {
            assert_eq!(BreakerState::stored(state.as_str(), state.until()), Ok(state));
        }
        assert!(BreakerState::stored("open", None).is_err());
        assert!(BreakerState::stored("ajar", None).is_err());
    }
}
