//! Rate sources over real HTTP and WebSockets on loopback: what each makes of answers in the published shapes (`tests/rates_data`), of
//! refusals and of nonsense; and a board that goes through outages, staleness and outliers.

mod board;
mod exchange;
mod sources;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use landfall::clock::ManualClock;
use landfall::domain::rate::Pair;
use landfall::rates::pair_text;
use landfall::rates::symbols::Symbol;
use landfall::rates::web::{Setup, Web};

fn pair(text: &str) -> Pair {
    pair_text::parse(text).unwrap()
}

fn symbols(named: &[(&str, &str)]) -> Vec<Symbol> {
    named.iter().map(|(name, text)| Symbol { name: (*name).to_owned(), pair: pair(text) }).collect()
}

/// A recorded answer.
fn recorded(name: &str) -> String {
    let path = format!("{}/tests/rates_data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A Saturday: the central bank's last rates are of the day before.
fn saturday() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn clock() -> ManualClock {
    ManualClock::at(saturday())
}

fn setup(base_url: &str, clock: &ManualClock) -> Setup {
    let clock = Arc::new(clock.clone());
    Setup {
        name: "source".to_owned(),
        base_url: base_url.to_owned(),
        poll_interval: Duration::from_millis(10),
        timeout: Duration::from_millis(500),
        web: Arc::new(Web::new(clock.clone()).unwrap()),
        clock,
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
