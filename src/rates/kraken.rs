//! Kraken: best bid and ask of each market, `GET /0/public/Ticker?pair=XBTEUR,USDTEUR`.
//!
//! Errors arrive with HTTP 200, in `error`: a letter for how bad it is (E or W), the part that failed, and the text. Kraken answers under
//! its own names, which differ from those that were asked for: XXBTZEUR for XBTEUR. The answer has no time: a quote ages from its receipt.
//! One unknown name refuses the whole request. <https://docs.kraken.com/api/docs/rest-api/get-ticker-information>

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use super::binance::tick;
use super::source::{Fetched, RateSource, SourceError, Tick};
use super::symbols::{Asked, Exchange, Symbol, Symbols};
use super::web::{Setup, WebAnswer, clipped};

/// How long to stay away after "too many requests", which says no time: a call a second and market is what Kraken suggests, so this is
/// long enough for any counter.
const PATIENCE: Duration = Duration::from_secs(30);
/// What Kraken puts before the names of old assets: X before crypto, Z before fiat.
const PREFIXES: [&str; 3] = ["", "X", "Z"];

pub struct KrakenSource {
    setup: Setup,
    symbols: Symbols,
}

#[derive(Deserialize)]
struct Answer {
    error: Vec<String>,
    #[serde(default)]
    result: BTreeMap<String, Value>,
}

/// Price, whole lot volume, lot volume; only the price is read.
#[derive(Deserialize)]
struct Ticker {
    a: Vec<String>,
    b: Vec<String>,
}

impl KrakenSource {
    pub fn new(setup: Setup, symbols: Vec<Symbol>) -> Self {
        Self { setup, symbols: Symbols::new(symbols) }
    }
}

#[async_trait]
impl RateSource for KrakenSource {
    fn name(&self) -> &str {
        &self.setup.name
    }

    fn poll_interval(&self) -> Duration {
        self.setup.poll_interval
    }

    fn fetch_timeout(&self) -> Duration {
        self.setup.fetch_timeout(self.symbols.all().len() + 1)
    }

    async fn fetch(&self) -> Result<Fetched, SourceError> {
        self.symbols.fetch(self, self.setup.clock.now()).await
    }
}

#[async_trait]
impl Exchange for KrakenSource {
    async fn ask(&self, symbols: &[&Symbol]) -> Result<Asked, SourceError> {
        let names: Vec<&str> = symbols.iter().map(|symbol| symbol.name.as_str()).collect();
        let answer = self.setup.get("/0/public/Ticker", &[("pair", &names.join(","))]).await?;
        let Answer { error, result } = read(&answer)?;
        // Warnings come with a result.
        let (warnings, errors): (Vec<_>, Vec<_>) =
            error.iter().map(|text| clipped(text)).partition(|e| e.starts_with('W'));
        if let Some(first) = errors.first() {
            return refusal(first);
        }
        let mut lacking = warnings;
        let mut ticks = Vec::new();
        for symbol in symbols {
            let others: Vec<&str> = names.iter().copied().filter(|name| *name != symbol.name).collect();
            match ticker(&result, &symbol.name, &others).and_then(|ticker| read_ticker(symbol, &ticker, &answer)) {
                Some(tick) => ticks.push(tick),
                None => lacking.push(format!("no bid and ask of {}", symbol.name)),
            }
        }
        Ok(Asked::Brought { ticks, lacking })
    }
}

fn read(answer: &WebAnswer) -> Result<Answer, SourceError> {
    let body = answer.good(|body| serde_json::from_slice::<Answer>(body).ok()?.error.into_iter().next())?;
    serde_json::from_slice(body).map_err(|_| SourceError::Malformed("no ticker".to_owned()))
}

/// What an error means, such as `EQuery:Unknown asset pair`.
fn refusal(error: &str) -> Result<Asked, SourceError> {
    let lower = error.to_ascii_lowercase();
    if ["too many requests", "rate limit exceeded", "throttled"].iter().any(|sign| lower.contains(sign)) {
        return Err(SourceError::Throttled { retry_after: PATIENCE });
    }
    if lower.starts_with("equery:") { Ok(Asked::UnknownName) } else { Err(SourceError::Unavailable(error.to_owned())) }
}

/// The entry for `name`: under that very name, or under the one that it has with prefixes, if that stands for no other of the asked.
fn ticker(result: &BTreeMap<String, Value>, name: &str, others: &[&str]) -> Option<Ticker> {
    let entry = result.get(name).or_else(|| {
        let mut named = result.iter().filter(|(answered, _)| {
            stands_for(answered, name) && !others.iter().any(|other| stands_for(answered, other))
        });
        let (_, entry) = named.next()?;
        named.next().is_none().then_some(entry)
    })?;
    serde_json::from_value(entry.clone()).ok()
}

/// Whether `answered` is `asked` with Kraken's prefixes before one or both of its assets.
fn stands_for(answered: &str, asked: &str) -> bool {
    answered == asked
        || asked.char_indices().skip(1).any(|(at, _)| {
            let (base, quote) = asked.split_at(at);
            PREFIXES.iter().any(|x| {
                answered
                    .strip_prefix(x)
                    .and_then(|rest| rest.strip_prefix(base))
                    .is_some_and(|rest| PREFIXES.iter().any(|z| rest.strip_prefix(z) == Some(quote)))
            })
        })
}

fn read_ticker(symbol: &Symbol, ticker: &Ticker, answer: &WebAnswer) -> Option<Tick> {
    tick(symbol.pair, ticker.b.first()?, ticker.a.first()?, Some(answer.as_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_seen_through_and_nothing_else_is() {
        for (answered, asked) in [
            ("XXBTZEUR", "XBTEUR"),
            ("XETHZEUR", "ETHEUR"),
            ("USDTZUSD", "USDTUSD"),
            ("ZEURZUSD", "EURUSD"),
            ("USDTEUR", "USDTEUR"),
            ("XETHXXBT", "ETHXBT"),
        ] {
            assert!(stands_for(answered, asked), "{answered} {asked}");
        }
        for (answered, asked) in [
            ("XXBTZUSD", "XBTEUR"),
            ("XBTEUR", "XXBTZEUR"),
            ("XXBTZEURX", "XBTEUR"),
            ("XBTYEUR", "XBTEUR"),
            ("XBTCZEUR", "XBTEUR"),
            ("", "XBTEUR"),
        ] {
            assert!(!stands_for(answered, asked), "{answered} {asked}");
        }
    }
}
