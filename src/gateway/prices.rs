//! Market prices, as exchange-rate schemes ask for them. The rates themselves are another room's; the wiring puts them behind this.

use chrono::{DateTime, Utc};

use crate::domain::exchange::BidAsk;
use crate::domain::ids::Mode;
use crate::domain::rate::Pair;

/// Where exchange-rate rules find their prices.
pub trait MarketPrices: Send + Sync {
    /// The names that a rule may ask of, in a mode.
    fn sources(&self, mode: Mode) -> Vec<String>;

    /// What a source says of a pair now; `None` if it says nothing that may be used.
    fn quote(&self, mode: Mode, source: &str, pair: Pair, now: DateTime<Utc>) -> Option<BidAsk>;
}
