//! Routing: which route carries a payout. First filter, then rank; every dropped route says why, and the whole
//! decision is a trace that can be stored, told and replayed.
//!
//! Pure: available balances and what failed before are handed in; nothing is reserved here.

pub mod failover;
pub mod strategy;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::asset::AssetCode;
use super::card::CardScheme;
use super::exact::{self, ArithmeticError, Rounding};
use super::ids::{DepositAccountId, ProviderAccountId, RouteId};
use strategy::Strategy;

/// A payout service over a deposit account.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub id: RouteId,
    pub code: String,
    /// `method_currency`: `card_eur`.
    pub service: String,
    pub currency: AssetCode,
    /// Decimals of the currency.
    pub currency_scale: u8,
    pub deposit_account_id: DepositAccountId,
    pub provider_account_id: ProviderAccountId,
    pub provider: String,
    /// The route's and its account's switches together.
    pub enabled: bool,
    pub amount_min: Option<Decimal>,
    pub amount_max: Option<Decimal>,
    /// Percent of the amount.
    pub cost_percent: Decimal,
    /// In the currency.
    pub cost_fixed: Decimal,
    /// What the deposit account has left: its balance less what is reserved.
    pub available: Decimal,
    /// The schemes that the provider takes.
    pub card_schemes: Vec<CardScheme>,
}

impl Route {
    /// What the provider is expected to charge for `amount`, rounded up to the currency's scale.
    pub fn expected_cost(&self, amount: Decimal) -> Result<Decimal, ArithmeticError> {
        let by_percent =
            exact::mul_div(amount, self.cost_percent, Decimal::ONE_HUNDRED, self.currency_scale, Rounding::Up)?;
        exact::round(exact::add(by_percent, self.cost_fixed)?, self.currency_scale, Rounding::Up)
    }
}

/// What is to be routed.
#[derive(Clone, Debug)]
pub struct RouteRequest<'a> {
    pub service: &'a str,
    pub amount: Decimal,
    pub card_scheme: Option<CardScheme>,
    /// Routes that this request was tried on already.
    pub tried: &'a [RouteId],
}

/// Why a route was not considered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Dropped {
    Disabled,
    BelowMinimum {
        #[serde(with = "rust_decimal::serde::str")]
        amount_min: Decimal,
    },
    AboveMaximum {
        #[serde(with = "rust_decimal::serde::str")]
        amount_max: Decimal,
    },
    /// The deposit account can't carry the amount and its expected cost.
    InsufficientAvailable {
        #[serde(with = "rust_decimal::serde::str")]
        available: Decimal,
    },
    CardSchemeNotTaken,
    TriedAlready,
    CostOverflow,
}

/// What became of one route in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTrace {
    pub route: RouteId,
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Dropped>,
    /// 1 is tried first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
}

/// A decision and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub strategy: Strategy,
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    pub routes: Vec<RouteTrace>,
}

/// The routes that can carry the request, best first, with the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Indices into the routes that were handed in.
    pub ranked: Vec<usize>,
    /// Whether any route serves the service at all, before filters.
    pub had_candidates: bool,
    pub trace: Trace,
}

/// Filters and ranks. `routes` are in the configured order.
pub fn decide(strategy: Strategy, routes: &[Route], request: &RouteRequest<'_>) -> Decision {
    let mut traces = Vec::new();
    let mut kept = Vec::new();
    for (index, route) in routes.iter().enumerate().filter(|(_, route)| route.service == request.service) {
        let dropped = filter(route, request).err();
        if dropped.is_none() {
            kept.push(index);
        }
        traces.push((index, RouteTrace { route: route.id, code: route.code.clone(), dropped, rank: None }));
    }
    let ranked = strategy.rank(routes, kept);
    for (place, index) in ranked.iter().enumerate() {
        if let Some((_, trace)) = traces.iter_mut().find(|(i, _)| i == index) {
            trace.rank = Some(place + 1);
        }
    }
    Decision {
        ranked,
        had_candidates: !traces.is_empty(),
        trace: Trace { strategy, amount: request.amount, routes: traces.into_iter().map(|(_, trace)| trace).collect() },
    }
}

fn filter(route: &Route, request: &RouteRequest<'_>) -> Result<(), Dropped> {
    if !route.enabled {
        return Err(Dropped::Disabled);
    }
    if request.tried.contains(&route.id) {
        return Err(Dropped::TriedAlready);
    }
    if let Some(scheme) = request.card_scheme
        && !route.card_schemes.contains(&scheme)
    {
        return Err(Dropped::CardSchemeNotTaken);
    }
    if let Some(amount_min) = route.amount_min
        && request.amount < amount_min
    {
        return Err(Dropped::BelowMinimum { amount_min });
    }
    if let Some(amount_max) = route.amount_max
        && request.amount > amount_max
    {
        return Err(Dropped::AboveMaximum { amount_max });
    }
    let cost = route.expected_cost(request.amount).map_err(|_| Dropped::CostOverflow)?;
    let needed = exact::add(request.amount, cost).map_err(|_| Dropped::CostOverflow)?;
    if needed > route.available {
        return Err(Dropped::InsufficientAvailable { available: route.available });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn route(code: &str) -> Route {
        Route {
            id: RouteId::new(),
            code: code.to_owned(),
            service: "card_eur".to_owned(),
            currency: "EUR".parse().unwrap(),
            currency_scale: 2,
            deposit_account_id: DepositAccountId::new(),
            provider_account_id: ProviderAccountId::new(),
            provider: "test".to_owned(),
            enabled: true,
            amount_min: Some(dec!(1)),
            amount_max: Some(dec!(1000)),
            cost_percent: dec!(1),
            cost_fixed: dec!(0.25),
            available: dec!(5000),
            card_schemes: vec![CardScheme::Visa],
        }
    }

    fn request(amount: Decimal) -> RouteRequest<'static> {
        RouteRequest { service: "card_eur", amount, card_scheme: Some(CardScheme::Visa), tried: &[] }
    }

    fn dropped(decision: &Decision) -> Vec<Option<Dropped>> {
        decision.trace.routes.iter().map(|r| r.dropped.clone()).collect()
    }

    #[test]
    fn direct_keeps_the_given_order_and_tells_why_it_dropped() {
        let routes = [
            Route { enabled: false, ..route("off") },
            Route { amount_min: Some(dec!(500)), ..route("big") },
            Route { amount_max: Some(dec!(99.99)), ..route("small") },
            Route { available: dec!(101.24), ..route("poor") },
            Route { card_schemes: vec![CardScheme::Mir], ..route("mir") },
            Route { service: "card_usd".into(), ..route("other") },
            Route { available: dec!(101.25), ..route("first") },
            route("second"),
        ];
        let decision = decide(Strategy::Direct, &routes, &request(dec!(100)));
        assert_eq!(decision.ranked, [6, 7]);
        assert_eq!(
            dropped(&decision),
            [
                Some(Dropped::Disabled),
                Some(Dropped::BelowMinimum { amount_min: dec!(500) }),
                Some(Dropped::AboveMaximum { amount_max: dec!(99.99) }),
                Some(Dropped::InsufficientAvailable { available: dec!(101.24) }),
                Some(Dropped::CardSchemeNotTaken),
                None,
                None,
            ]
        );
    }

    #[test]
    fn a_route_that_was_tried_is_not_tried_again() {
        let routes = [route("a"), route("b")];
        let tried = [routes[0].id];
        let decision = decide(Strategy::Direct, &routes, &RouteRequest { tried: &tried, ..request(dec!(10)) });
        assert_eq!(decision.ranked, [1]);
        assert_eq!(dropped(&decision)[0], Some(Dropped::TriedAlready));
    }

    #[test]
    fn a_trace_survives_storage() {
        let routes = [route("a"), Route { enabled: false, ..route("b") }];
        let trace = decide(Strategy::Direct, &routes, &request(dec!(10))).trace;
        let stored = serde_json::to_value(&trace).unwrap();
        assert_eq!(serde_json::from_value::<Trace>(stored).unwrap(), trace);
    }

    #[test]
    fn costs_round_up_against_us() {
        assert_eq!(route("a").expected_cost(dec!(100.01)).unwrap(), dec!(1.26));
    }
}
