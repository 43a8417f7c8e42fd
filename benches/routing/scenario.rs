//! What decisions are measured on: 50 routes and a tree of 20 nodes, for each strategy.

use std::collections::HashMap;

use landfall::domain::asset::AssetCode;
use landfall::domain::card::CardScheme;
use landfall::domain::ids::{DepositAccountId, Mode, PayoutRequestId, PayoutSchemeId, ProviderAccountId, RouteId};
use landfall::domain::routing::{
    BreakerGate, Decision, Facts, Known, KnownRoute, Outcomes, Route, Scheme, SchemeRef, Situation, Statistics,
    Strategy, decide,
};
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use uuid::Uuid;

pub const ROUTES: u32 = 50;
/// Ten branches, nine refusals and the leaf that is reached last.
pub const BRANCHES: u32 = 10;

fn route(n: u32, currency: AssetCode) -> Route {
    Route {
        id: RouteId(Uuid::from_u128(u128::from(n) * 7_919)),
        code: format!("provider-{n}-card-eur"),
        service: "card_eur".to_owned(),
        mode: Mode::Live,
        currency,
        currency_scale: 2,
        deposit_account_id: DepositAccountId::new(),
        provider_account_id: ProviderAccountId::new(),
        provider: "provider".to_owned(),
        enabled: true,
        amount_min: Some(dec!(1)),
        amount_max: Some(dec!(5000)),
        cost_percent: dec!(1.25),
        cost_fixed: dec!(0.3),
        cost_min: Some(dec!(0.5)),
        cost_max: Some(dec!(20)),
        weight: n % 7 + 1,
        fast_funds: true,
        card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard],
        breaker: BreakerGate::Closed,
        deposit_currency: currency,
        deposit_scale: 2,
        deposit_rate: Some(dec!(1)),
        exchange_spread_percent: dec!(0),
        exchange_buffer_percent: dec!(0),
        available: Decimal::new(1_000_000 + i64::from(n) * 997 % 5_000, 2),
        turnover_left: None,
    }
}

fn tree(strategy: Strategy, routes: &[Route]) -> Value {
    let codes: Vec<&str> = routes.iter().map(|route| route.code.as_str()).collect();
    let mut node = json!({"strategies": [{"strategy": strategy, "routes": codes}]});
    for n in 1..BRANCHES {
        let country = ["DE", "FR", "IT", "ES"];
        let condition = json!({"all": [
            {"attribute": "amount", "operator": ">=", "value": 1_000 * n},
            {"attribute": "customer.country", "operator": "in", "value": country},
        ]});
        node = json!({"if": condition, "then": {"reject": format!("limit {n}")}, "else": node});
    }
    json!({"services": {"card_eur": node}})
}

/// Everything that a decision of one strategy is made from.
pub struct Scenario {
    scheme: Scheme,
    routes: Vec<Route>,
    statistics: Statistics,
    facts: Facts<'static>,
}

impl Scenario {
    pub fn new(strategy: Strategy) -> Self {
        let currency: AssetCode = "EUR".parse().unwrap();
        let routes: Vec<Route> = (0..ROUTES).map(|n| route(n, currency)).collect();
        let services = HashMap::from([("card_eur".to_owned(), currency)]);
        let known_routes: Vec<KnownRoute> = routes.iter().map(KnownRoute::from).collect();
        let scheme = SchemeRef { id: PayoutSchemeId::new(), version: 1 };
        let known = Known { scheme, services: &services, routes: &known_routes };
        let scheme = Scheme::compile(&tree(strategy, &routes), &known).unwrap();
        let mut statistics = Statistics::default();
        for (n, route) in routes.iter().enumerate() {
            let n = u64::try_from(n).unwrap();
            statistics.outcomes.insert(route.id, Outcomes { succeeded: 900 + n, failed: 100 });
            for pool in scheme.pools() {
                statistics.usage.insert((pool.id, route.id), Decimal::from(1_000 + n * 31 % 97));
                statistics.floors.insert(pool.id, dec!(100));
            }
        }
        let facts = Facts {
            request_id: PayoutRequestId::new(),
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
            ..Facts::bare(Mode::Live, currency, "card_eur", dec!(250.75), Some(CardScheme::Visa))
        };
        Self { scheme, routes, statistics, facts }
    }

    pub fn decide(&self) -> Decision {
        let situation = Situation {
            request_id: self.facts.request_id,
            part: 0,
            attempt: 1,
            amount: self.facts.amount,
            facts: &self.facts,
            attempted: &[],
            attempts_per_route_limit: 1,
        };
        decide(&self.scheme, &self.routes, &situation, &self.statistics)
    }
}
