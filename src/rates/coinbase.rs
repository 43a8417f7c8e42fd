//! Coinbase: what one unit of an asset is worth in every other, `GET /v2/exchange-rates?currency=BTC`; a request for each asset that
//! pairs begin with, all at once.
//!
//! There is no bid and no ask: the rate counts as both. There is no time either: a quote ages from its receipt, though the rate itself may
//! be up to a minute behind the market; where that is too far, the board drops it. Errors come as `errors`, with their status.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::Value;

use super::source::{Fetched, RateSource, SourceError, Tick};
use super::web::{Setup, price};
use crate::domain::asset::AssetCode;
use crate::domain::rate::Pair;

pub struct CoinbaseSource {
    setup: Setup,
    /// By the asset that they begin with.
    pairs: BTreeMap<AssetCode, Vec<Pair>>,
}

#[derive(Deserialize)]
struct Answer {
    data: Rates,
}

#[derive(Deserialize)]
struct Rates {
    currency: String,
    rates: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorBody>,
}

#[derive(Deserialize)]
struct ErrorBody {
    id: String,
    message: String,
}

impl CoinbaseSource {
    pub fn new(setup: Setup, pairs: &[Pair]) -> Self {
        let mut by_asset: BTreeMap<AssetCode, Vec<Pair>> = BTreeMap::new();
        for pair in pairs {
            by_asset.entry(pair.from).or_default().push(*pair);
        }
        Self { setup, pairs: by_asset }
    }

    /// The pairs that begin with `asset`, and what is missing of them.
    async fn ask(&self, asset: AssetCode, pairs: &[Pair]) -> Result<(Vec<Tick>, Vec<String>), SourceError> {
        let currency = asset.to_string();
        let answer = self.setup.get("/v2/exchange-rates", &[("currency", &currency)]).await?;
        let body = answer.good(|body| {
            let said: Errors = serde_json::from_slice(body).ok()?;
            said.errors.first().map(|error| format!("{} ({})", error.message, error.id))
        })?;
        let Answer { data } = serde_json::from_slice(body)
            .map_err(|_| SourceError::Malformed(format!("no exchange rates of {currency}")))?;
        if data.currency != currency {
            return Err(SourceError::Malformed(format!("another currency's rates than those of {currency}")));
        }
        let (mut ticks, mut lacking) = (Vec::new(), Vec::new());
        for pair in pairs {
            match data.rates.get(pair.to.as_str()).and_then(Value::as_str).and_then(price) {
                Some(rate) => ticks.push(Tick { pair: *pair, bid: rate, ask: rate, source_time: Some(answer.as_of) }),
                None => lacking.push(format!("no rate of {pair}")),
            }
        }
        Ok((ticks, lacking))
    }
}

#[async_trait]
impl RateSource for CoinbaseSource {
    fn name(&self) -> &str {
        &self.setup.name
    }

    fn poll_interval(&self) -> Duration {
        self.setup.poll_interval
    }

    fn fetch_timeout(&self) -> Duration {
        // More than a request may take: one that gets no answer costs only its own pairs.
        self.setup.fetch_timeout(2)
    }

    async fn fetch(&self) -> Result<Fetched, SourceError> {
        let answers = join_all(self.pairs.iter().map(|(asset, pairs)| self.ask(*asset, pairs))).await;
        let (mut ticks, mut lacking) = (Vec::new(), Vec::new());
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok((more, missing)) => {
                    ticks.extend(more);
                    lacking.extend(missing);
                }
                // It asks for patience: obeyed, whatever else came.
                Err(throttled @ SourceError::Throttled { .. }) => return Err(throttled),
                Err(error) => {
                    lacking.push(error.to_string());
                    failure.get_or_insert(error);
                }
            }
        }
        match failure {
            Some(failure) if ticks.is_empty() => Err(failure),
            _ => Fetched::of(ticks, &lacking),
        }
    }
}
