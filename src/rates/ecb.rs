//! The European Central Bank's reference rates: what a euro is worth, once a working day, `GET /stats/eurofxref/eurofxref-daily.xml`.
//!
//! They are fixed at a quarter past two in Frankfurt, published around four, and stand until the next working day's: five days over Easter.
//! They are no market's price, so nothing is priced by them alone: a board that lists this source needs more sources to agree than it
//! has such slow ones (see [`crate::config::rates`]). There they confirm a rate between fiat currencies that few markets have.
//! <https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/>

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Europe::Berlin;
use roxmltree::{Document, Node, ParsingOptions};

use super::source::{Fetched, RateSource, SourceError, Tick};
use super::web::{Setup, price};
use crate::domain::rate::Pair;

/// What the rates are of.
pub const BASE: &str = "EUR";
/// The time of day that the rates are of, in Frankfurt: 14:15.
const FIXED_AT: (u32, u32) = (14, 15);
/// The document has some 40 elements and as many lines.
const NODES_MAX: u32 = 2_000;

pub struct EcbSource {
    setup: Setup,
    pairs: Vec<Pair>,
}

impl EcbSource {
    /// `pairs` begin with the euro.
    pub fn new(setup: Setup, pairs: Vec<Pair>) -> Self {
        Self { setup, pairs }
    }
}

#[async_trait]
impl RateSource for EcbSource {
    fn name(&self) -> &str {
        &self.setup.name
    }

    fn poll_interval(&self) -> Duration {
        self.setup.poll_interval
    }

    fn fetch_timeout(&self) -> Duration {
        self.setup.fetch_timeout(2)
    }

    async fn fetch(&self) -> Result<Fetched, SourceError> {
        let answer = self.setup.get("/stats/eurofxref/eurofxref-daily.xml", &[]).await?;
        read(answer.good(|_| None)?, &self.pairs)
    }
}

/// Cubes within cubes: one with the time around those with a currency and its rate.
pub(super) fn read(body: &[u8], pairs: &[Pair]) -> Result<Fetched, SourceError> {
    let malformed = |what: &str| SourceError::Malformed(what.to_owned());
    let text = std::str::from_utf8(body).map_err(|_| malformed("not UTF-8"))?;
    // No DTD: nothing refers to anything, inside or out.
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|_| malformed("no XML, or too much of it"))?;
    let mut days = cubes(document.root_element()).filter(|cube| cube.has_attribute("time"));
    let (Some(day), None) = (days.next(), days.next()) else {
        return Err(malformed("not one day's rates"));
    };
    let time = day.attribute("time").and_then(fixed_at).ok_or_else(|| malformed("no date"))?;
    let rate_of = |currency: &str| {
        let mut named = cubes(day).filter(|cube| cube.attribute("currency") == Some(currency));
        let cube = named.next()?;
        if named.next().is_some() { None } else { cube.attribute("rate").and_then(price) }
    };
    let (mut ticks, mut lacking) = (Vec::new(), Vec::new());
    for pair in pairs {
        match rate_of(pair.to.as_str()) {
            Some(rate) => ticks.push(Tick { pair: *pair, bid: rate, ask: rate, source_time: Some(time) }),
            None => lacking.push(format!("no rate of {pair}")),
        }
    }
    Fetched::of(ticks, &lacking)
}

fn cubes<'a>(node: Node<'a, 'a>) -> impl Iterator<Item = Node<'a, 'a>> {
    node.descendants().filter(|node| node.is_element() && node.tag_name().name() == "Cube")
}

/// When the rates of a date were fixed.
fn fixed_at(date: &str) -> Option<DateTime<Utc>> {
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let (hour, minute) = FIXED_AT;
    let local = date.and_time(NaiveTime::from_hms_opt(hour, minute, 0)?);
    Berlin.from_local_datetime(&local).single().map(|time| time.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_a_quarter_past_two_in_frankfurt() {
        assert_eq!(fixed_at("2026-11-20").unwrap().to_rfc3339(), "2026-11-20T13:15:00+00:00");
        assert_eq!(fixed_at("2026-07-01").unwrap().to_rfc3339(), "2026-07-01T12:15:00+00:00", "summer time");
        for bad in ["", "today", "2026-13-01", "20-11-2026", "2026-11-20T00:00:00Z"] {
            assert!(fixed_at(bad).is_none(), "{bad:?}");
        }
    }
}
