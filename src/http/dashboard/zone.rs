//! The time zone of whoever reads the page that is being made: times stand in it beside UTC, without a script. It is known once the session
//! is, and holds for one answer; what is made for everybody at once (the overview's stream) has none.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

tokio::task_local! {
    static READER: Cell<Option<Tz>>;
}

/// Answers a request; nobody's zone is known yet.
pub async fn answering<T>(answer: impl Future<Output = T>) -> T {
    READER.scope(Cell::new(None), answer).await
}

/// Makes what everybody sees alike.
pub fn for_everybody<T>(make: impl FnOnce() -> T) -> T {
    READER.sync_scope(Cell::new(None), make)
}

/// From now on it is known who reads the answer.
pub fn read_by(zone: Option<&str>) {
    let zone = zone.and_then(|name| name.parse().ok());
    // Outside of an answer there is nobody.
    let _ = READER.try_with(|reader| reader.set(zone));
}

/// A point in time as the reader's clock has it: the day only where it is another one than in UTC.
pub fn own(at: DateTime<Utc>) -> Option<String> {
    let zone = READER.try_with(Cell::get).ok().flatten()?;
    let there = at.with_timezone(&zone);
    let pattern = if there.date_naive() == at.date_naive() { "%H:%M:%S %Z" } else { "%Y-%m-%d %H:%M:%S %Z" };
    Some(there.format(pattern).to_string())
}

/// Every zone's name.
pub fn names() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_time_is_told_in_the_readers_zone_and_in_nobody_elses() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let told = answering(async {
            let before = own(at("2026-03-14T12:00:00Z"));
            read_by(Some("Europe/Berlin"));
            let of_everybody = for_everybody(|| own(at("2026-03-14T12:00:00Z")));
            [before, own(at("2026-03-14T12:00:00Z")), own(at("2026-07-14T23:30:00Z")), of_everybody]
        });
        let told = told.await;
        assert_eq!(
            told.each_ref().map(Option::as_deref),
            [None, Some("13:00:00 CET"), Some("2026-07-15 01:30:00 CEST"), None]
        );
        assert_eq!(own(at("2026-03-14T12:00:00Z")), None);
        answering(async { read_by(Some("Nowhere/None")) }).await;
        assert!(names().any(|name| name == "Europe/Berlin"));
    }
}
