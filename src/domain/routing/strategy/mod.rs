//! Strategies: how the routes that passed the filters are ranked. One file and one variant each. What a route is ranked by
//! is a value of its own ([`Inputs`]), so that a trace that stores it can be ranked again.

mod balance;
mod conversion;
mod cost;
mod direct;
mod optimal;
mod weight;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::draw::Seed;
use super::route::Route;
use super::statistics::Outcomes;

pub(super) use conversion::draw as conversion_draw;
pub(super) use weight::LEVEL_SCALE;

/// How routes are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Equal shares: the least debited in the window first.
    Optimal,
    /// Shares by weight, in proportion over time.
    Weight,
    /// The highest available balance first.
    Balance,
    /// By success rate, with as much doubt as there are few payouts.
    Conversion,
    /// The least expected cost first.
    Cost,
    /// The given order.
    Direct,
}

/// What a route is ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Its place alone.
    Place,
    /// What it counts as debited: its usage in the window, raised to the pool's floor.
    Debited {
        debited: Decimal,
        weight: u32,
    },
    /// In the service's currency.
    Available {
        available: Decimal,
    },
    Draw {
        outcomes: Outcomes,
        draw: u64,
    },
    /// In the service's currency, with what the conversion loses.
    Cost {
        cost: Decimal,
    },
}

/// A route among those that are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the configured order, which breaks ties.
    pub place: usize,
    pub inputs: Inputs,
}

/// What the inputs are gathered from, beside the route itself.
#[derive(Clone, Copy, Debug)]
pub struct Gathering {
    pub amount: Decimal,
    pub seed: Seed,
    pub usage: Decimal,
    pub floor: Decimal,
    pub weight: u32,
    pub outcomes: Outcomes,
    /// What the provider is expected to charge, if it is known already.
    pub cost: Decimal,
}

impl Strategy {
    pub const ALL: [Self; 6] = [Self::Optimal, Self::Weight, Self::Balance, Self::Conversion, Self::Cost, Self::Direct];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Optimal => "optimal",
            Self::Weight => "weight",
            Self::Balance => "balance",
            Self::Conversion => "conversion",
            Self::Cost => "cost",
            Self::Direct => "direct",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == text)
    }

    /// Whether it counts what its routes were debited.
    pub const fn counts_usage(self) -> bool {
        matches!(self, Self::Optimal | Self::Weight)
    }

    /// What the route is ranked by; `None` if it can't be computed in 28 digits.
    pub fn inputs(self, route: &Route, gathering: &Gathering) -> Option<Inputs> {
        match self {
            Self::Optimal => optimal::inputs(gathering),
            Self::Weight => weight::inputs(gathering),
            Self::Balance => balance::inputs(route),
            Self::Conversion => Some(conversion::inputs(route, gathering)),
            Self::Cost => cost::inputs(route, gathering),
            Self::Direct => Some(Inputs::Place),
        }
    }

    /// Ranks, best first; `entries` are in the configured order.
    pub fn rank(self, entries: &mut [Entry], amount: Decimal) {
        match self {
            Self::Optimal => optimal::rank(entries),
            Self::Weight => weight::rank(entries, amount),
            Self::Balance => balance::rank(entries),
            Self::Conversion => conversion::rank(entries),
            Self::Cost => cost::rank(entries),
            Self::Direct => direct::rank(entries),
        }
    }
}
