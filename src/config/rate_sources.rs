//! The rate sources on the internet, in `[rates.sources]`: where they are, how often and how long they are asked, and for which markets.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::Problems;
use super::providers::is_private;
use super::rates::AGE_MS_MAX;
use crate::domain::asset::AssetCode;
use crate::domain::rate::Pair;
use crate::rates::ecb;
use crate::rates::pair_text;
use crate::rates::symbols::Symbol;

/// The longest name of a market.
const SYMBOL_CHARS_MAX: usize = 20;
/// The most markets of one source: a request and a fetch have an end.
const MARKETS_MAX: usize = 50;
/// A request that takes longer brings nothing fresh.
const TIMEOUT_MS_MAX: u64 = 30_000;
/// The shortest and the longest silence of a stream before it is given up.
const SILENCE_MS: std::ops::RangeInclusive<u64> = 300..=300_000;
/// What is published on working days is a week old at most.
const DAILY_AGE_MS_MAX: u64 = 7 * 24 * 3_600 * 1_000;

/// A market, and the pair that it is to us: `{ symbol = "EURUSDT", pair = "EUR/USDT" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymbolSettings {
    pub symbol: String,
    pub pair: String,
}

/// Binance, asked and listened to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinanceSettings {
    /// Without a slash at the end.
    pub url: String,
    pub poll_ms: u64,
    /// Of one request, from its start to the last byte of the answer.
    pub timeout_ms: u64,
    /// Instead of the board's.
    pub max_age_ms: Option<u64>,
    pub symbols: Vec<SymbolSettings>,
    /// The WebSocket streams' base URL; empty: it is only asked.
    pub stream_url: String,
    /// How long nothing may come on the stream, not even the answer to a ping, before it is opened anew.
    pub stream_silence_ms: u64,
}

/// Kraken. Names without the prefixes X and Z find what Kraken answers with them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KrakenSettings {
    /// Without a slash at the end.
    pub url: String,
    pub poll_ms: u64,
    /// Of one request, from its start to the last byte of the answer.
    pub timeout_ms: u64,
    /// Instead of the board's.
    pub max_age_ms: Option<u64>,
    pub symbols: Vec<SymbolSettings>,
}

/// A source that is asked by our own names of assets: Coinbase.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairsSettings {
    /// Without a slash at the end.
    pub url: String,
    pub poll_ms: u64,
    /// Of one request, from its start to the last byte of the answer.
    pub timeout_ms: u64,
    /// Instead of the board's.
    pub max_age_ms: Option<u64>,
    /// `["BTC/EUR"]`. There is a request for each asset that they begin with.
    pub pairs: Vec<String>,
}

/// A source that speaks once a working day: the European Central Bank.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailySettings {
    /// Without a slash at the end.
    pub url: String,
    pub poll_ms: u64,
    /// Of one request, from its start to the last byte of the answer.
    pub timeout_ms: u64,
    /// How old what it says may be, from when its rates were fixed.
    pub max_age_ms: u64,
    /// `["EUR/GBP"]`, all from the euro.
    pub pairs: Vec<String>,
}

impl BinanceSettings {
    pub(super) fn check(&self, key: &str, problems: &mut Problems) {
        check_way(key, &self.url, self.timeout_ms, problems);
        check_age(key, self.max_age_ms, AGE_MS_MAX, problems);
        self.symbols(key, problems);
        if !self.stream_url.is_empty() {
            check_url(&format!("{key}.stream_url"), &self.stream_url, ["wss", "ws"], problems);
        }
        if !SILENCE_MS.contains(&self.stream_silence_ms) {
            let (least, most) = SILENCE_MS.into_inner();
            problems.add(format!("{key}.stream_silence_ms"), format!("{least} to {most}"));
        }
    }

    /// The markets; what is wrong with the others is added to `problems`.
    pub fn symbols(&self, key: &str, problems: &mut Problems) -> Vec<Symbol> {
        symbols(key, &self.symbols, problems)
    }

    pub fn stream_silence(&self) -> Duration {
        Duration::from_millis(self.stream_silence_ms)
    }
}

impl KrakenSettings {
    pub(super) fn check(&self, key: &str, problems: &mut Problems) {
        check_way(key, &self.url, self.timeout_ms, problems);
        check_age(key, self.max_age_ms, AGE_MS_MAX, problems);
        self.symbols(key, problems);
    }

    /// The markets; what is wrong with the others is added to `problems`.
    pub fn symbols(&self, key: &str, problems: &mut Problems) -> Vec<Symbol> {
        symbols(key, &self.symbols, problems)
    }
}

impl PairsSettings {
    pub(super) fn check(&self, key: &str, problems: &mut Problems) {
        check_way(key, &self.url, self.timeout_ms, problems);
        check_age(key, self.max_age_ms, AGE_MS_MAX, problems);
        self.pairs(key, problems);
    }

    /// The pairs; what is wrong with the others is added to `problems`.
    pub fn pairs(&self, key: &str, problems: &mut Problems) -> Vec<Pair> {
        pairs(key, &self.pairs, problems)
    }
}

impl DailySettings {
    pub(super) fn check(&self, key: &str, problems: &mut Problems) {
        check_way(key, &self.url, self.timeout_ms, problems);
        check_age(key, Some(self.max_age_ms), DAILY_AGE_MS_MAX, problems);
        self.pairs(key, problems);
    }

    /// The pairs; what is wrong with the others is added to `problems`.
    pub fn pairs(&self, key: &str, problems: &mut Problems) -> Vec<Pair> {
        let pairs = pairs(key, &self.pairs, problems);
        if pairs.iter().any(|pair| ecb::BASE.parse::<AssetCode>() != Ok(pair.from)) {
            problems.add(format!("{key}.pairs"), format!("its rates are all from {}", ecb::BASE));
        }
        pairs
    }
}

fn check_way(key: &str, url: &str, timeout_ms: u64, problems: &mut Problems) {
    check_url(&format!("{key}.url"), url, ["https", "http"], problems);
    if !(1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
        problems.add(format!("{key}.timeout_ms"), format!("1 to {TIMEOUT_MS_MAX}"));
    }
}

/// Of `schemes` the first is the one that nobody listens in to.
fn check_url(key: &str, url: &str, schemes: [&str; 2], problems: &mut Problems) {
    let is_base = reqwest::Url::parse(url).is_ok_and(|parsed| {
        schemes.contains(&parsed.scheme())
            && parsed.has_host()
            && parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.query().is_none()
            && parsed.fragment().is_none()
            && !url.ends_with('/')
    });
    let [private, open] = schemes;
    if !is_base {
        problems.add(key, format!("{private}://HOST, perhaps with a path, without a slash at the end"));
    } else if !is_private(url) {
        problems
            .add(key, format!("{private}, as anybody could change prices on the way; {open} only to 127.0.0.1 or ::1"));
    }
}

fn check_age(key: &str, max_age_ms: Option<u64>, longest: u64, problems: &mut Problems) {
    if max_age_ms.is_some_and(|age| !(1..=longest).contains(&age)) {
        problems.add(format!("{key}.max_age_ms"), format!("1 to {longest}"));
    }
}

fn symbols(key: &str, written: &[SymbolSettings], problems: &mut Problems) -> Vec<Symbol> {
    let key = format!("{key}.symbols");
    check_count(&key, written.len(), problems);
    let mut names = BTreeSet::new();
    let mut markets = BTreeSet::new();
    let mut symbols = Vec::new();
    for SymbolSettings { symbol, pair } in written {
        let is_name = (1..=SYMBOL_CHARS_MAX).contains(&symbol.len())
            && symbol.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'.');
        if !is_name {
            problems
                .add(&key, format!("{symbol:?} is no market's name: up to {SYMBOL_CHARS_MAX} of A-Z, 0-9 and the dot"));
            continue;
        }
        if !names.insert(symbol) {
            problems.add(&key, format!("{symbol} is listed twice"));
        }
        match pair_of(pair, &mut markets) {
            Ok(pair) => symbols.push(Symbol { name: symbol.clone(), pair }),
            Err(what) => problems.add(&key, what),
        }
    }
    symbols
}

fn pairs(key: &str, written: &[String], problems: &mut Problems) -> Vec<Pair> {
    let key = format!("{key}.pairs");
    check_count(&key, written.len(), problems);
    let mut markets = BTreeSet::new();
    let mut pairs = Vec::new();
    for text in written {
        match pair_of(text, &mut markets) {
            Ok(pair) => pairs.push(pair),
            Err(what) => problems.add(&key, what),
        }
    }
    pairs
}

fn check_count(key: &str, count: usize, problems: &mut Problems) {
    if !(1..=MARKETS_MAX).contains(&count) {
        problems.add(key, format!("1 to {MARKETS_MAX} of them"));
    }
}

/// The pair, unless it was among `seen`.
fn pair_of(text: &str, seen: &mut BTreeSet<Pair>) -> Result<Pair, String> {
    let pair = pair_text::parse(text).map_err(|error| error.to_string())?;
    if seen.insert(pair) { Ok(pair) } else { Err(format!("{pair} is listed twice")) }
}
