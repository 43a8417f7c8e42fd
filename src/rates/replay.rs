//! Prices played from a file against the clock: markets that move, go stale or fall silent, the same way each time. For
//! test mode only, like fixed prices.
//!
//! The file has one JSON object a line, in order of time:
//!
//! ```text
//! {"after_ms": 0, "pair": "USDT/EUR", "bid": "0.9297", "ask": "0.9301"}
//! {"after_ms": 2000, "pair": "USDT/EUR", "bid": "0.9295", "ask": "0.9299", "source_age_ms": 60000}
//! {"after_ms": 5000, "error": "maintenance"}
//! ```
//!
//! A fetch brings the latest line of each pair that is due. A line with `source_age_ms` has a source time, so long before it
//! came due, and ages; one without is received anew at each fetch. From an `error` line on, fetches fail until the
//! next line comes due. Whether a price makes sense is not judged here, so that a file can play impossible markets too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::pair_text;
use super::source::{Fetched, RateSource, SourceError, Tick};
use crate::clock::Clock;
use crate::domain::rate::Pair;

/// What is wrong with a replay file.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("the replay file {} can't be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    /// Lines count from 1.
    #[error("line {line}: {what}")]
    Line { line: usize, what: String },
    #[error("the replay has no line")]
    Empty,
    #[error("the replay's last line is at {last_ms} ms, so it can't start again after {loop_after_ms} ms")]
    LoopTooShort { last_ms: u64, loop_after_ms: u64 },
}

/// A parsed file: what each moment of it says.
#[derive(Clone, Debug)]
pub struct Script {
    /// Each line's time, and the error if it is one; in order of time.
    lines: Vec<(u64, Option<String>)>,
    /// Each pair's lines, in order of time.
    quotes: BTreeMap<Pair, Vec<QuoteLine>>,
}

#[derive(Clone, Debug)]
struct QuoteLine {
    after_ms: u64,
    bid: Decimal,
    ask: Decimal,
    source_age_ms: Option<u64>,
}

/// A line as it is written; which fields go together is told by `read_line`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLine {
    after_ms: u64,
    pair: Option<String>,
    bid: Option<String>,
    ask: Option<String>,
    source_age_ms: Option<u64>,
    error: Option<String>,
}

enum Line {
    Quote(Pair, QuoteLine),
    Error { after_ms: u64, text: String },
}

/// Some 300 years: more would leave the calendar.
const MS_MAX: u64 = 10_000_000_000_000;

fn read_line(text: &str) -> Result<Line, String> {
    let wire: WireLine = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if wire.after_ms > MS_MAX || wire.source_age_ms.is_some_and(|age| age > MS_MAX) {
        return Err(format!("a time is above {MS_MAX} ms"));
    }
    let after_ms = wire.after_ms;
    match wire {
        WireLine { error: Some(text), pair: None, bid: None, ask: None, source_age_ms: None, .. } => {
            Ok(Line::Error { after_ms, text })
        }
        WireLine { error: None, pair: Some(pair), bid: Some(bid), ask: Some(ask), source_age_ms, .. } => {
            let pair = pair_text::parse(&pair).map_err(|error| error.to_string())?;
            let decimal = |name: &str, text: &str| {
                Decimal::from_str_exact(text).map_err(|_| format!("{name} {text:?} is not a decimal number"))
            };
            let (bid, ask) = (decimal("bid", &bid)?, decimal("ask", &ask)?);
            Ok(Line::Quote(pair, QuoteLine { after_ms, bid, ask, source_age_ms }))
        }
        _ => Err("a line has either pair, bid and ask, or error".to_owned()),
    }
}

impl Script {
    /// Reads the lines of a file; anything but what the module's description shows is refused, blank lines too.
    pub fn parse(text: &str) -> Result<Self, ReplayError> {
        let mut script = Self { lines: Vec::new(), quotes: BTreeMap::new() };
        for (n, line) in text.lines().enumerate() {
            let refused = |what| ReplayError::Line { line: n + 1, what };
            let (after_ms, error) = match read_line(line).map_err(refused)? {
                Line::Error { after_ms, text } => (after_ms, Some(text)),
                Line::Quote(pair, quote) => {
                    let after_ms = quote.after_ms;
                    script.quotes.entry(pair).or_default().push(quote);
                    (after_ms, None)
                }
            };
            if after_ms < script.last_ms() {
                return Err(refused(format!("{after_ms} ms is before the line above it")));
            }
            script.lines.push((after_ms, error));
        }
        if script.lines.is_empty() { Err(ReplayError::Empty) } else { Ok(script) }
    }

    fn last_ms(&self) -> u64 {
        self.lines.last().map_or(0, |(after_ms, _)| *after_ms)
    }

    /// What the source says `elapsed_ms` into a pass that began at `pass_start`.
    fn at(&self, elapsed_ms: u64, pass_start: DateTime<Utc>) -> Result<Vec<Tick>, SourceError> {
        let due = self.lines.partition_point(|(after_ms, _)| *after_ms <= elapsed_ms);
        if let Some((_, Some(error))) = due.checked_sub(1).and_then(|last| self.lines.get(last)) {
            return Err(SourceError::Unavailable(error.clone()));
        }
        let ticks = self.quotes.iter().filter_map(|(pair, lines)| {
            let due = lines.partition_point(|line| line.after_ms <= elapsed_ms);
            let line = lines.get(due.checked_sub(1)?)?;
            let source_time = line.source_age_ms.map(|age| pass_start + delta(line.after_ms) - delta(age));
            Some(Tick { pair: *pair, bid: line.bid, ask: line.ask, source_time })
        });
        Ok(ticks.collect())
    }
}

/// Bounded by [`MS_MAX`] or by the clock, so it always fits.
fn delta(ms: u64) -> TimeDelta {
    i64::try_from(ms).ok().and_then(TimeDelta::try_milliseconds).unwrap_or(TimeDelta::MAX)
}

/// Plays a [`Script`] from the moment that it is made.
pub struct ReplaySource {
    name: String,
    poll_interval: Duration,
    script: Script,
    loop_after_ms: Option<u64>,
    started_at: DateTime<Utc>,
    clock: Arc<dyn Clock>,
}

impl ReplaySource {
    /// Starts to play `script`; with `loop_after_ms` it begins again after so long, which is past its last line.
    pub fn new(
        name: String,
        poll_interval: Duration,
        script: Script,
        loop_after_ms: Option<u64>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ReplayError> {
        let last_ms = script.last_ms();
        if let Some(loop_after_ms) = loop_after_ms.filter(|end| *end <= last_ms) {
            return Err(ReplayError::LoopTooShort { last_ms, loop_after_ms });
        }
        Ok(Self { name, poll_interval, script, loop_after_ms, started_at: clock.now(), clock })
    }

    /// Reads the whole file at once: this is for start-up, not for a running server.
    pub fn open(
        name: String,
        poll_interval: Duration,
        path: &Path,
        loop_after_ms: Option<u64>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ReplayError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ReplayError::Unreadable { path: path.to_owned(), error })?;
        Self::new(name, poll_interval, Script::parse(&text)?, loop_after_ms, clock)
    }
}

#[async_trait]
impl RateSource for ReplaySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll_interval(&self) -> Duration {
        self.poll_interval
    }

    async fn fetch(&self) -> Result<Fetched, SourceError> {
        let elapsed = (self.clock.now() - self.started_at).num_milliseconds();
        // Before its start (the clock was set back) the play stands at its beginning.
        let elapsed_ms = u64::try_from(elapsed).unwrap_or(0);
        let into_pass_ms = self.loop_after_ms.map_or(elapsed_ms, |end| elapsed_ms % end);
        let pass_start = self.started_at + delta(elapsed_ms - into_pass_ms);
        self.script.at(into_pass_ms, pass_start).map(Fetched::from)
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
