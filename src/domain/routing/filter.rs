//! Which routes can carry an amount, and why the others can't. The first reason found is told; the order is from what is
//! settled for good to what may be otherwise in a minute.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Situation;
use super::route::{Needs, Route};

/// Why a route was not considered. Amounts are in the service's currency unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Dropped {
    /// The scheme names it, and it isn't there any more.
    Gone,
    OtherService,
    OtherMode,
    Disabled,
    /// As often as a route may be tried for one request.
    TriedAlready,
    CardSchemeNotTaken,
    /// The strategy asks for fast funds.
    NoFastFunds,
    /// Its weight is zero.
    NoWeight,
    /// There is no rate now for the deposit account's currency.
    NoRate,
    BreakerOpen,
    CostOverflow,
    BelowMinimum {
        #[serde(with = "rust_decimal::serde::str")]
        amount_min: Decimal,
    },
    AboveMaximum {
        #[serde(with = "rust_decimal::serde::str")]
        amount_max: Decimal,
    },
    /// The account's turnover of the day; in the deposit currency.
    TurnoverUsedUp {
        #[serde(with = "rust_decimal::serde::str")]
        turnover_left: Decimal,
    },
    /// The deposit account can't carry the amount and its expected cost; in the deposit currency.
    InsufficientAvailable {
        #[serde(with = "rust_decimal::serde::str")]
        available: Decimal,
    },
}

impl Dropped {
    /// Whether the route could carry a part of the amount all the same.
    pub fn is_by_size(&self) -> bool {
        matches!(
            self,
            Dropped::AboveMaximum { .. } | Dropped::TurnoverUsedUp { .. } | Dropped::InsufficientAvailable { .. }
        )
    }
}

/// What of the strategy bears on its routes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demands {
    pub fast_funds: bool,
    /// The route's share, where the strategy goes by weight.
    pub weight: Option<u32>,
}

/// What the filters found.
pub(super) struct Checked {
    pub needs: Option<Needs>,
    /// What the provider is expected to charge, in the service's currency.
    pub cost: Option<Decimal>,
    pub dropped: Option<Dropped>,
}

/// Whether the route can carry the situation's amount, and what it needs for that if it can be computed.
pub(super) fn check(route: &Route, situation: &Situation<'_>, demands: Demands) -> Checked {
    let dropped = |cost, dropped| Checked { needs: None, cost, dropped: Some(dropped) };
    if let Some(unfit) = unfit(route, situation, demands) {
        return dropped(None, unfit);
    }
    let Ok(cost) = route.expected_cost(situation.amount) else { return dropped(None, Dropped::CostOverflow) };
    let Ok(needs) = route.needs_with(situation.amount, cost) else {
        return dropped(Some(cost), Dropped::CostOverflow);
    };
    Checked { needs: Some(needs), cost: Some(cost), dropped: too_small_for(route, situation.amount, &needs) }
}

/// What is against the route whatever the amount, or because the amount is too small.
fn unfit(route: &Route, situation: &Situation<'_>, demands: Demands) -> Option<Dropped> {
    let facts = situation.facts;
    if route.service != facts.service {
        return Some(Dropped::OtherService);
    }
    if route.mode != facts.mode {
        return Some(Dropped::OtherMode);
    }
    if !route.enabled {
        return Some(Dropped::Disabled);
    }
    let tries = situation.attempted.iter().filter(|tried| **tried == route.id).count();
    if tries > 0 && tries >= usize::from(situation.attempts_per_route_limit) {
        return Some(Dropped::TriedAlready);
    }
    if facts.card.scheme.is_some_and(|scheme| !route.card_schemes.contains(&scheme)) {
        return Some(Dropped::CardSchemeNotTaken);
    }
    if demands.fast_funds && !route.fast_funds {
        return Some(Dropped::NoFastFunds);
    }
    if demands.weight == Some(0) {
        return Some(Dropped::NoWeight);
    }
    if route.deposit_rate.is_none_or(|rate| rate <= Decimal::ZERO) {
        return Some(Dropped::NoRate);
    }
    if !route.breaker.lets_through() {
        return Some(Dropped::BreakerOpen);
    }
    match route.amount_min {
        Some(amount_min) if situation.amount < amount_min => Some(Dropped::BelowMinimum { amount_min }),
        _ => None,
    }
}

/// Why the route could carry a smaller amount only.
fn too_small_for(route: &Route, amount: Decimal, needs: &Needs) -> Option<Dropped> {
    if let Some(amount_max) = route.amount_max
        && amount > amount_max
    {
        return Some(Dropped::AboveMaximum { amount_max });
    }
    if let Some(turnover_left) = route.turnover_left
        && needs.deposit_amount > turnover_left
    {
        return Some(Dropped::TurnoverUsedUp { turnover_left });
    }
    (needs.reserved > route.available).then_some(Dropped::InsufficientAvailable { available: route.available })
}
