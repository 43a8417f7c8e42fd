//! What a source brought, written to the boards that listen to it, and its trouble told once: an outage of an hour is two lines in the
//! log and not thousands.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::board::Board;
use super::source::Fetched;
use crate::clock::Clock;

/// How long a trouble must have been gone before it is called over: a stream may be well and not so a hundred times a second.
const CALM: TimeDelta = TimeDelta::seconds(10);
/// More different troubles than this at once are told again.
const COMPLAINTS_MAX: usize = 16;

/// One feed's pen.
pub(super) struct Scribe {
    /// The source's name.
    pub source: String,
    /// "poll" or "stream": a source may be heard both ways.
    pub way: &'static str,
    pub boards: Vec<Arc<Board>>,
    pub clock: Arc<dyn Clock>,
    /// What was logged and isn't over, and when it was last true.
    complaints: Vec<(String, DateTime<Utc>)>,
}

impl Scribe {
    pub fn new(source: &str, way: &'static str, boards: Vec<Arc<Board>>, clock: Arc<dyn Clock>) -> Self {
        Self { source: source.to_owned(), way, boards, clock, complaints: Vec::new() }
    }

    /// Writes what an answer brought. One without any price is a failure.
    pub fn write(&mut self, fetched: &Fetched) {
        let now = self.clock.now();
        let mut complaint = None;
        for board in &self.boards {
            let recorded = board.record(&self.source, &fetched.ticks, now);
            complaint = recorded.refused.first().map(|refused| format!("{refused}, and is not taken"));
            if let Some(lacking) = &fetched.lacking {
                board.record_error(&self.source, lacking, now);
                complaint.get_or_insert_with(|| lacking.clone());
            }
        }
        self.complain(complaint);
    }

    /// Writes that nothing came.
    pub fn write_failure(&mut self, error: &str) {
        let now = self.clock.now();
        for board in &self.boards {
            board.record_failure(&self.source, error, now);
        }
        self.complain(Some(error.to_owned()));
    }

    /// Writes that something is wrong with a source that is heard another way too.
    pub fn write_error(&mut self, error: &str) {
        let now = self.clock.now();
        for board in &self.boards {
            board.record_error(&self.source, error, now);
        }
        self.complain(Some(error.to_owned()));
    }

    /// Logs a complaint that is new, and the end of all.
    fn complain(&mut self, complaint: Option<String>) {
        let now = self.clock.now();
        let (source, way) = (&self.source, self.way);
        let Some(complaint) = complaint else {
            let was_troubled = !self.complaints.is_empty();
            self.complaints.retain(|(_, seen_at)| now - *seen_at < CALM);
            if was_troubled && self.complaints.is_empty() {
                tracing::info!(source, way, "rate source well again");
            }
            return;
        };
        if let Some((_, seen_at)) = self.complaints.iter_mut().find(|(known, _)| *known == complaint) {
            *seen_at = now;
            return;
        }
        tracing::warn!(source, way, complaint, "rate source in trouble");
        if self.complaints.len() >= COMPLAINTS_MAX {
            self.complaints.clear();
        }
        self.complaints.push((complaint, now));
    }
}
