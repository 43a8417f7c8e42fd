//! What follows when a provider has no answer: never a guess. An unknown outcome is asked about, resent under the same reference
//! where the provider makes that safe, or left to a person.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// What is looked at when the provider says that it has no such payout.
#[derive(Clone, Copy, Debug)]
pub struct NotFoundFacts {
    pub now: DateTime<Utc>,
    /// When it was first sent.
    pub first_sent_at: DateTime<Utc>,
    /// When the last send must have been over: "not found" before it and the settling time means nothing.
    pub last_send_over_at: DateTime<Utc>,
    pub settling_time: Duration,
    /// "Not found" answers in a row that counted, this one included if it counts.
    pub confirmations: u32,
    pub confirmations_needed: u32,
    /// For how long after the first send a repeat of the same reference is safe; `None`: never.
    pub resend_window: Option<Duration>,
    pub sends: u16,
    pub sends_max: u16,
}

/// What follows a "not found".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterNotFound {
    /// Too early to mean anything, or not yet confirmed: ask again.
    AskAgain,
    /// The same payout goes out again under the same reference.
    Resend,
    /// Nothing safe is left to do: a person decides.
    Moderate,
}

/// Whether a "not found" counts at all yet.
pub fn not_found_counts(facts: &NotFoundFacts) -> bool {
    facts.now >= after(facts.last_send_over_at, facts.settling_time)
}

pub fn after_not_found(facts: &NotFoundFacts) -> AfterNotFound {
    if !not_found_counts(facts) || facts.confirmations < facts.confirmations_needed {
        return AfterNotFound::AskAgain;
    }
    match facts.resend_window {
        Some(window) if facts.sends < facts.sends_max && facts.now < after(facts.first_sent_at, window) => {
            AfterNotFound::Resend
        }
        Some(_) | None => AfterNotFound::Moderate,
    }
}

/// When to ask next after `asked` inquiries: by rising intervals, in milliseconds, the last of them for as long as it takes.
pub fn inquiry_delay(intervals_ms: &[u64], asked: u32) -> Duration {
    let step = usize::try_from(asked).unwrap_or(usize::MAX);
    let interval = intervals_ms.get(step).or(intervals_ms.last());
    // Without any, as seldom as is sensible.
    interval.map_or(Duration::from_secs(3_600), |ms| Duration::from_millis(*ms))
}

/// Whether an open question becomes a person's with the inquiry just made, the `asked`th: for each `period_ms` that the provider has been
/// asked for, once. A person who leaves it at asking is asked again a period later.
pub fn is_for_a_person(intervals_ms: &[u64], asked: u32, period_ms: u64) -> bool {
    let Some(last) = asked.checked_sub(1) else { return false };
    let steps = intervals_ms.iter().copied().take(usize::try_from(last).unwrap_or(usize::MAX));
    let rising: u64 = steps.fold(0, u64::saturating_add);
    let beyond = u64::from(last).saturating_sub(intervals_ms.len().try_into().unwrap_or(u64::MAX));
    let usual = intervals_ms.last().copied().unwrap_or(3_600_000);
    let before = rising.saturating_add(beyond.saturating_mul(usual));
    let step = u64::try_from(inquiry_delay(intervals_ms, last).as_millis()).unwrap_or(u64::MAX);
    let periods = |asked_for: u64| asked_for.checked_div(period_ms).unwrap_or(0);
    periods(before.saturating_add(step)) > periods(before)
}

fn after(start: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(duration).ok().and_then(|d| start.checked_add_signed(d)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn not_found() -> NotFoundFacts {
        NotFoundFacts {
            now: at(1_000),
            first_sent_at: at(0),
            last_send_over_at: at(30),
            settling_time: Duration::from_secs(60),
            confirmations: 2,
            confirmations_needed: 2,
            resend_window: Some(Duration::from_secs(86_400)),
            sends: 1,
            sends_max: 3,
        }
    }

    #[test]
    fn not_found_counts_only_after_the_settling_time_and_repeated_answers() {
        assert_eq!(after_not_found(&not_found()), AfterNotFound::Resend);
        assert_eq!(after_not_found(&NotFoundFacts { now: at(89), ..not_found() }), AfterNotFound::AskAgain);
        assert_eq!(after_not_found(&NotFoundFacts { confirmations: 1, ..not_found() }), AfterNotFound::AskAgain);
    }

    #[test]
    fn where_a_repeat_might_pay_again_a_person_decides() {
        assert_eq!(after_not_found(&NotFoundFacts { resend_window: None, ..not_found() }), AfterNotFound::Moderate);
        assert_eq!(after_not_found(&NotFoundFacts { now: at(86_400), ..not_found() }), AfterNotFound::Moderate);
        assert_eq!(after_not_found(&NotFoundFacts { sends: 3, ..not_found() }), AfterNotFound::Moderate);
    }

    #[test]
    fn inquiries_go_on_for_good_at_rising_intervals() {
        let delays: Vec<_> = (0..20).map(|asked| inquiry_delay(&[1_000, 2_000, 3_600_000], asked)).collect();
        assert_eq!(delays[..3], [1, 2, 3_600].map(Duration::from_secs));
        assert!(delays[3..].iter().all(|delay| *delay == Duration::from_secs(3_600)));
        assert_eq!(inquiry_delay(&[], 0), Duration::from_secs(3_600));
    }

    #[test]
    fn a_person_is_asked_once_a_period_of_asking() {
        let intervals = [1_000, 2_000, 3_000];
        // Asked for 1, 3, 6, 9, 12 ... seconds.
        let asked: Vec<_> = (0..20).filter(|asked| is_for_a_person(&intervals, *asked, 10_000)).collect();
        assert_eq!(asked, [5, 8, 11, 15, 18]);
        // A period shorter than a step: with each inquiry.
        assert!((1..50).all(|asked| is_for_a_person(&intervals, asked, 500)));
        assert!(!is_for_a_person(&intervals, 0, 500));
        assert!(!is_for_a_person(&intervals, 9, 0), "no period, nobody");
        assert!(!is_for_a_person(&[], 23, 86_400_000) && is_for_a_person(&[], 24, 86_400_000));
        assert!(!is_for_a_person(&[u64::MAX], u32::MAX, u64::MAX));
    }
}
