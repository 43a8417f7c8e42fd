//! Binance, asked: best bid and ask of each market, `GET /api/v3/ticker/bookTicker?symbols=["EURUSDT",...]`.
//!
//! The answer has no time: a quote ages from its receipt. 429 and 418 are obeyed (`Retry-After`); a market that isn't traded has prices of
//! zero, which the board refuses. One unknown symbol refuses the whole request (HTTP 400, code -1121).
//! <https://developers.binance.com/docs/binance-spot-api-docs/rest-api>

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::source::{Fetched, RateSource, SourceError, Tick};
use super::symbols::{Asked, Exchange, Symbol, Symbols};
use super::web::{Setup, price};
use crate::domain::rate::Pair;

/// "Invalid symbol."
const INVALID_SYMBOL: i64 = -1121;

pub struct BinanceSource {
    setup: Setup,
    symbols: Symbols,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookTicker {
    symbol: String,
    bid_price: String,
    ask_price: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: i64,
    msg: String,
}

impl BinanceSource {
    pub fn new(setup: Setup, symbols: Vec<Symbol>) -> Self {
        Self { setup, symbols: Symbols::new(symbols) }
    }
}

#[async_trait]
impl RateSource for BinanceSource {
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
impl Exchange for BinanceSource {
    async fn ask(&self, symbols: &[&Symbol]) -> Result<Asked, SourceError> {
        let names: Vec<&str> = symbols.iter().map(|symbol| symbol.name.as_str()).collect();
        let answer =
            self.setup.get("/api/v3/ticker/bookTicker", &[("symbols", &Value::from(names).to_string())]).await?;
        if answer.status == 400 && said(&answer.body).is_some_and(|said| said.code == INVALID_SYMBOL) {
            return Ok(Asked::UnknownName);
        }
        let body = answer.good(|body| said(body).map(|said| format!("{} ({})", said.msg, said.code)))?;
        let entries: Vec<Value> =
            serde_json::from_slice(body).map_err(|_| SourceError::Malformed("no list of book tickers".to_owned()))?;
        let tickers: Vec<BookTicker> =
            entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect();
        let (mut ticks, mut lacking) = (Vec::new(), Vec::new());
        for symbol in symbols {
            let mut named = tickers.iter().filter(|ticker| ticker.symbol == symbol.name);
            let tick = match (named.next(), named.next()) {
                (Some(ticker), None) => tick(symbol.pair, &ticker.bid_price, &ticker.ask_price, Some(answer.as_of)),
                _ => None,
            };
            match tick {
                Some(tick) => ticks.push(tick),
                None => lacking.push(format!("no bid and ask of {}", symbol.name)),
            }
        }
        Ok(Asked::Brought { ticks, lacking })
    }
}

/// What an error's body says.
fn said(body: &[u8]) -> Option<ErrorBody> {
    serde_json::from_slice(body).ok()
}

/// Nothing if one of the prices can't be read.
pub(super) fn tick(pair: Pair, bid: &str, ask: &str, source_time: Option<DateTime<Utc>>) -> Option<Tick> {
    Some(Tick { pair, bid: price(bid)?, ask: price(ask)?, source_time })
}
