//! The `[rates]` section: named sources, and one board a mode that listens to some of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::TimeDelta;
use rust_decimal::{Decimal, dec};
use serde::Deserialize;

use super::Problems;
use super::rate_sources::{BinanceSettings, DailySettings, KrakenSettings, PairsSettings};
use crate::domain::ids::Mode;
use crate::rates::consensus::Rules;
use crate::rates::cross::Crosses;
use crate::rates::{Tick, pair_text};

/// Nobody may call an older price fresh, but what is published once a day.
pub(super) const AGE_MS_MAX: u64 = 600_000;
/// Sources are not asked more often than this.
const POLL_MS_MIN: u64 = 10;
/// Sources that differ by more don't quote the same thing.
const DEVIATION_MAX: Decimal = dec!(0.5);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesSettings {
    /// Sources by name. Those that no board lists are not asked.
    pub sources: BTreeMap<String, SourceSettings>,
    pub test: BoardSettings,
    /// Required to serve live money.
    pub live: Option<BoardSettings>,
}

/// Where prices come from. A new source is a variant here, a file in `rates/` and a line in its registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SourceSettings {
    Fixed(FixedSettings),
    Replay(ReplaySettings),
    Binance(BinanceSettings),
    Kraken(KrakenSettings),
    Coinbase(PairsSettings),
    Ecb(DailySettings),
}

/// Prices from right here. Test mode only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedSettings {
    pub poll_ms: u64,
    /// By pair: `"USDT/EUR" = { bid = "0.9297", ask = "0.9301" }`. A file of one's own adds to the defaults.
    pub quotes: BTreeMap<String, QuoteSettings>,
}

/// Decimals as text, so that no digit is lost on the way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteSettings {
    pub bid: String,
    pub ask: String,
}

/// Prices played from a file. Test mode only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaySettings {
    pub poll_ms: u64,
    /// JSON lines, as `config/rates.sample.jsonl`. Relative to the working directory.
    pub path: PathBuf,
    /// Begin again after so long; absent, the last lines stay.
    pub loop_after_ms: Option<u64>,
}

/// How the quotes of some sources become a mode's prices.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardSettings {
    pub sources: Vec<String>,
    pub max_age_ms: u64,
    /// A fraction of the median, as text: `"0.02"`.
    pub max_deviation: String,
    pub min_sources: usize,
    #[serde(default)]
    pub crosses: Vec<CrossSettings>,
}

/// A pair that is priced over others: `{ pair = "BTC/GBP", via = ["BTC/USDT", "USDT/GBP"] }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossSettings {
    pub pair: String,
    pub via: Vec<String>,
}

impl RatesSettings {
    /// The board of `mode`, if it is configured.
    pub fn board(&self, mode: Mode) -> Option<&BoardSettings> {
        match mode {
            Mode::Test => Some(&self.test),
            Mode::Live => self.live.as_ref(),
        }
    }

    pub fn check(&self, live: bool, problems: &mut Problems) {
        for (name, source) in &self.sources {
            source.check(&format!("rates.sources.{name}"), problems);
        }
        self.check_board("rates.test", &self.test, problems);
        match &self.live {
            None if live => problems.add("rates.live", "required when modes contain \"live\""),
            None => {}
            Some(board) => {
                self.check_board("rates.live", board, problems);
                for name in &board.sources {
                    if self.sources.get(name).is_some_and(SourceSettings::is_made_up) {
                        problems
                            .add("rates.live.sources", format!("{name:?} is not a market: it is for test mode only"));
                    }
                }
            }
        }
    }

    fn check_board(&self, key: &str, board: &BoardSettings, problems: &mut Problems) {
        let mut seen = BTreeSet::new();
        for name in &board.sources {
            let sources = format!("{key}.sources");
            if !seen.insert(name) {
                problems.add(sources, format!("{name:?} is listed twice"));
                continue;
            }
            match self.sources.get(name) {
                None => problems.add(sources, format!("there is no [rates.sources.{name}]")),
                Some(source) if source.poll_ms() >= source.max_age_ms().unwrap_or(board.max_age_ms) => {
                    let of = source.max_age_ms().map_or(key.to_owned(), |_| format!("rates.sources.{name}"));
                    problems.add(sources, format!("{name:?} is asked too seldom for {of}.max_age_ms"));
                }
                Some(_) => {}
            }
        }
        // A price is never made of old quotes alone, however well they agree.
        let slow = board.sources.iter().filter(|name| {
            self.sources.get(*name).and_then(SourceSettings::max_age_ms).is_some_and(|age| age > board.max_age_ms)
        });
        let slow = slow.count();
        if slow >= board.min_sources.max(1) {
            let why = format!("above {slow}, the number of sources whose own max_age_ms is longer than this board's");
            problems.add(format!("{key}.min_sources"), why);
        }
        board.rules(key, problems);
    }
}

impl SourceSettings {
    pub fn poll_ms(&self) -> u64 {
        match self {
            SourceSettings::Fixed(fixed) => fixed.poll_ms,
            SourceSettings::Replay(replay) => replay.poll_ms,
            SourceSettings::Binance(binance) => binance.poll_ms,
            SourceSettings::Kraken(kraken) => kraken.poll_ms,
            SourceSettings::Coinbase(coinbase) => coinbase.poll_ms,
            SourceSettings::Ecb(ecb) => ecb.poll_ms,
        }
    }

    /// How long its quotes are fresh, where that isn't what its board says.
    pub fn max_age_ms(&self) -> Option<u64> {
        match self {
            SourceSettings::Fixed(_) | SourceSettings::Replay(_) => None,
            SourceSettings::Binance(binance) => binance.max_age_ms,
            SourceSettings::Kraken(kraken) => kraken.max_age_ms,
            SourceSettings::Coinbase(coinbase) => coinbase.max_age_ms,
            SourceSettings::Ecb(ecb) => Some(ecb.max_age_ms),
        }
    }

    /// Whether its prices are invented, and so never good for live money.
    fn is_made_up(&self) -> bool {
        match self {
            SourceSettings::Fixed(_) | SourceSettings::Replay(_) => true,
            SourceSettings::Binance(_)
            | SourceSettings::Kraken(_)
            | SourceSettings::Coinbase(_)
            | SourceSettings::Ecb(_) => false,
        }
    }

    fn check(&self, key: &str, problems: &mut Problems) {
        if self.poll_ms() < POLL_MS_MIN {
            problems.add(format!("{key}.poll_ms"), format!("at least {POLL_MS_MIN}"));
        }
        match self {
            SourceSettings::Fixed(fixed) => {
                fixed.ticks(key, problems);
            }
            SourceSettings::Replay(replay) => {
                if replay.path.as_os_str().is_empty() {
                    problems.add(format!("{key}.path"), "names a file of JSON lines");
                }
                if replay.loop_after_ms == Some(0) {
                    problems.add(format!("{key}.loop_after_ms"), "after the last line, or absent");
                }
            }
            SourceSettings::Binance(binance) => binance.check(key, problems),
            SourceSettings::Kraken(kraken) => kraken.check(key, problems),
            SourceSettings::Coinbase(coinbase) => coinbase.check(key, problems),
            SourceSettings::Ecb(ecb) => ecb.check(key, problems),
        }
    }
}

impl FixedSettings {
    /// The quotes as ticks; what is wrong with the others is added to `problems`.
    pub fn ticks(&self, key: &str, problems: &mut Problems) -> Vec<Tick> {
        if self.quotes.is_empty() {
            problems.add(format!("{key}.quotes"), "no pair has a price");
        }
        let mut ticks = Vec::new();
        for (text, quote) in &self.quotes {
            match quote.tick(text) {
                Ok(tick) => ticks.push(tick),
                Err(what) => problems.add(format!("{key}.quotes.\"{text}\""), what),
            }
        }
        ticks
    }
}

impl QuoteSettings {
    fn tick(&self, pair: &str) -> Result<Tick, String> {
        let tick = Tick {
            pair: pair_text::parse(pair).map_err(|error| error.to_string())?,
            bid: decimal(&self.bid)?,
            ask: decimal(&self.ask)?,
            source_time: None,
        };
        tick.check_market().map_err(|error| error.to_string())?;
        Ok(tick)
    }
}

impl BoardSettings {
    /// The board's rules; nothing if something is wrong, which is then added to `problems`.
    pub fn rules(&self, key: &str, problems: &mut Problems) -> Option<(Rules, Crosses)> {
        let before = problems.0.len();
        if self.sources.is_empty() {
            problems.add(format!("{key}.sources"), "no source, no price");
        }
        if !(1..=AGE_MS_MAX).contains(&self.max_age_ms) {
            problems.add(format!("{key}.max_age_ms"), format!("1 to {AGE_MS_MAX}"));
        }
        if !(1..=self.sources.len().max(1)).contains(&self.min_sources) {
            problems.add(format!("{key}.min_sources"), "at least 1, and no more than there are sources");
        }
        let max_deviation = match decimal(&self.max_deviation) {
            Ok(fraction) if fraction > Decimal::ZERO && fraction <= DEVIATION_MAX => fraction,
            Ok(_) => {
                problems.add(format!("{key}.max_deviation"), format!("a fraction above 0, up to {DEVIATION_MAX}"));
                Decimal::ZERO
            }
            Err(what) => {
                problems.add(format!("{key}.max_deviation"), what);
                Decimal::ZERO
            }
        };
        let crosses = self.crosses(key, problems);
        let max_age = i64::try_from(self.max_age_ms).ok().and_then(TimeDelta::try_milliseconds)?;
        let rules = Rules { max_age, max_deviation, min_sources: self.min_sources };
        (problems.0.len() == before).then_some((rules, crosses))
    }

    fn crosses(&self, key: &str, problems: &mut Problems) -> Crosses {
        let mut crosses = Crosses::default();
        for (n, cross) in self.crosses.iter().enumerate() {
            if let Err(what) = cross.add_to(&mut crosses) {
                problems.add(format!("{key}.crosses[{n}]"), what);
            }
        }
        if let Err(error) = crosses.check_nesting() {
            problems.add(format!("{key}.crosses"), error.to_string());
        }
        crosses
    }
}

impl CrossSettings {
    fn add_to(&self, crosses: &mut Crosses) -> Result<(), String> {
        let pair = pair_text::parse(&self.pair).map_err(|error| error.to_string())?;
        let legs: Result<Vec<_>, _> = self.via.iter().map(|leg| pair_text::parse(leg)).collect();
        crosses.add(pair, legs.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    }
}

fn decimal(text: &str) -> Result<Decimal, String> {
    Decimal::from_str_exact(text).map_err(|_| format!("{text:?} is not a decimal number"))
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
