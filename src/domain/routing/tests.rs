//! Claims on decisions as a whole: filters, strategy sets, traces. The strategies' own properties are in
//! `tests/properties/routing.rs`.

use std::collections::HashMap;

use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use uuid::Uuid;

use super::samples::{decided, facts, route, situation};
use super::*;
use crate::domain::card::CardScheme;
use crate::domain::ids::{Mode, PayoutSchemeId, RouteId};

fn scheme_of(node: Value, routes: &[Route]) -> Scheme {
    let services = HashMap::from([("card_eur".to_owned(), "EUR".parse().unwrap())]);
    let routes: Vec<KnownRoute> = routes.iter().map(KnownRoute::from).collect();
    let scheme = SchemeRef { id: PayoutSchemeId(Uuid::from_u128(9)), version: 2 };
    let known = Known { scheme, services: &services, routes: &routes };
    Scheme::compile(&json!({"services": {"card_eur": node}}), &known).unwrap()
}

fn dropped(decision: &Decision) -> Vec<Option<Dropped>> {
    decision.trace.strategies[0].routes.iter().map(|route| route.dropped.clone()).collect()
}

#[test]
fn the_default_keeps_the_given_order_and_tells_why_it_dropped() {
    let dollars = Route { deposit_currency: "USD".parse().unwrap(), deposit_rate: None, ..route("norate") };
    let routes = [
        Route { enabled: false, ..route("off") },
        Route { amount_min: Some(dec!(500)), ..route("big") },
        Route { amount_max: Some(dec!(99.99)), ..route("small") },
        Route { available: dec!(101.24), ..route("poor") },
        Route { card_schemes: vec![CardScheme::Mir], ..route("mir") },
        Route { service: "card_usd".into(), ..route("other") },
        Route { mode: Mode::Live, ..route("live") },
        Route { breaker: BreakerGate::Open, ..route("broken") },
        Route { breaker: BreakerGate::HalfOpen { probes_left: 0 }, ..route("probed") },
        Route { turnover_left: Some(dec!(99)), ..route("busy") },
        Route { cost_percent: Decimal::MAX, ..route("dear") },
        dollars,
        Route { available: dec!(101.25), turnover_left: Some(dec!(100)), ..route("first") },
        Route { breaker: BreakerGate::HalfOpen { probes_left: 1 }, ..route("second") },
    ];
    let decision = decided(&Scheme::default_for("card_eur"), &routes, dec!(100));
    assert_eq!(decision.outcome, Outcome::Routed);
    assert_eq!(decision.ranked, [12, 13]);
    assert_eq!(decision.splittable, [2, 3, 9, 12, 13]);
    assert_eq!(
        dropped(&decision),
        [
            Some(Dropped::Disabled),
            Some(Dropped::BelowMinimum { amount_min: dec!(500) }),
            Some(Dropped::AboveMaximum { amount_max: dec!(99.99) }),
            Some(Dropped::InsufficientAvailable { available: dec!(101.24) }),
            Some(Dropped::CardSchemeNotTaken),
            Some(Dropped::OtherMode),
            Some(Dropped::BreakerOpen),
            Some(Dropped::BreakerOpen),
            Some(Dropped::TurnoverUsedUp { turnover_left: dec!(99) }),
            Some(Dropped::CostOverflow),
            Some(Dropped::NoRate),
            None,
            None,
        ]
    );
}

#[test]
fn a_route_is_tried_as_often_as_is_allowed() {
    let routes = [route("a"), route("b")];
    let facts = facts(dec!(10));
    let attempted = [routes[0].id];
    let scheme = Scheme::default_for("card_eur");
    let again = Situation { attempted: &attempted, attempt: 2, ..situation(&facts) };
    let decision = decide(&scheme, &routes, &again, &Statistics::default());
    assert_eq!(decision.ranked, [1]);
    assert_eq!(dropped(&decision)[0], Some(Dropped::TriedAlready));
    let twice = Situation { attempts_per_route_limit: 2, ..again };
    assert_eq!(decide(&scheme, &routes, &twice, &Statistics::default()).ranked, [0, 1]);
}

#[test]
fn the_next_strategy_is_tried_when_one_gives_no_route() {
    let routes =
        [Route { amount_max: Some(dec!(5)), ..route("a") }, route("b"), Route { fast_funds: false, ..route("c") }];
    let node = json!({"strategies": [
        {"strategy": "optimal", "routes": ["a"], "split_always": true},
        {"strategy": "direct", "routes": ["c"], "require_fast_funds": true},
        {"strategy": "cost", "routes": ["a", "b"]},
    ]});
    let scheme = scheme_of(node, &routes);
    let decision = decided(&scheme, &routes, dec!(10));
    assert_eq!((decision.ranked.as_slice(), decision.strategy), (&[1][..], Some(Strategy::Cost)));
    assert_eq!(decision.trace.strategies.len(), 3);
    assert_eq!(decision.trace.strategies[1].routes[0].dropped, Some(Dropped::NoFastFunds));
    // Nothing carries it whole: what the first strategy could divide.
    let decision = decided(&scheme, &routes, dec!(2000));
    assert_eq!(decision.outcome, Outcome::AllFiltered);
    assert_eq!((decision.splittable.as_slice(), decision.split_always), (&[0][..], true));
    assert_eq!(decision.strategy, Some(Strategy::Optimal));
    assert!(decision.pool.is_some());
}

#[test]
fn a_refusal_says_the_operators_reason() {
    let routes = [route("a")];
    let node = json!({
        "if": {"attribute": "amount", "operator": ">", "value": 500},
        "then": {"reject": "Too much for one card."},
        "else": {"strategies": [{"strategy": "direct", "routes": ["a"]}]},
    });
    let scheme = scheme_of(node, &routes);
    let decision = decided(&scheme, &routes, dec!(501));
    assert_eq!(decision.outcome, Outcome::Rejected { reason: "Too much for one card.".into() });
    assert_eq!(decision.trace.branch.len(), 1);
    assert_eq!(decision.trace.replay(), []);
    let said = decision.trace.in_words().join("\n");
    assert!(said.contains("amount was 501, as it had to be above 500: the condition holds."), "{said}");
    assert!(said.contains("Too much for one card."), "{said}");
    assert_eq!(decided(&scheme, &routes, dec!(500)).ranked, [0]);
}

#[test]
fn routes_that_are_gone_and_services_that_are_not_served_give_none() {
    let routes = [route("a")];
    let scheme = scheme_of(json!({"strategies": [{"strategy": "balance", "routes": ["a"]}]}), &routes);
    let decision = decided(&scheme, &[], dec!(10));
    assert_eq!(decision.outcome, Outcome::NoRoutes);
    assert_eq!(dropped(&decision), [Some(Dropped::Gone)]);
    assert_eq!(decided(&Scheme::default_for("card_usd"), &routes, dec!(10)).outcome, Outcome::NoRoutes);
}

#[test]
fn a_route_of_no_weight_is_left_out() {
    let routes = [Route { weight: 0, ..route("a") }, route("b")];
    let node = json!({"strategies": [{"strategy": "weight", "routes": ["a", "b"]}]});
    let decision = decided(&scheme_of(node, &routes), &routes, dec!(10));
    assert_eq!(dropped(&decision), [Some(Dropped::NoWeight), None]);
    assert_eq!(decision.ranked, [1]);
}

#[test]
fn balances_of_other_currencies_are_compared_by_their_worth() {
    let yen = Route {
        deposit_currency: "JPY".parse().unwrap(),
        deposit_scale: 0,
        deposit_rate: Some(dec!(160)),
        available: dec!(160_000),
        ..route("yen")
    };
    let routes = [yen, Route { available: dec!(2000), ..route("euro") }];
    let node = json!({"strategies": [{"strategy": "balance", "routes": ["yen", "euro"]}]});
    let decision = decided(&scheme_of(node, &routes), &routes, dec!(10));
    assert_eq!(decision.ranked, [1, 0]);
    assert_eq!(decision.trace.strategies[0].routes[0].balance, Some(dec!(1000)));
}

#[test]
fn a_trace_survives_storage_and_replays() {
    let routes = [route("a"), Route { enabled: false, ..route("b") }, route("c")];
    for strategy in Strategy::ALL {
        let node = json!({"strategies": [{"strategy": strategy, "routes": ["a", "b", "c"]}]});
        let decision = decided(&scheme_of(node, &routes), &routes, dec!(10));
        let stored = serde_json::to_string(&decision.trace).unwrap();
        let read: Trace = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, decision.trace, "{stored}");
        let from_value: Trace = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
        assert_eq!(from_value, read);
        let ids: Vec<RouteId> = decision.ranked.iter().map(|index| routes[*index].id).collect();
        assert_eq!(read.replay(), ids);
        assert!(read.in_words().iter().any(|line| line.contains(": chosen")), "{:?}", read.in_words());
    }
}

#[test]
fn traces_of_before_there_were_schemes_are_still_read_and_told() {
    let (a, b) = (RouteId::new(), RouteId::new());
    let old = json!({
        "strategy": "direct",
        "amount": "91.11",
        "routes": [
            {"route": a, "code": "a", "dropped": {"why": "below_minimum", "amount_min": "100"}},
            {"route": b, "code": "b", "rank": 1},
        ],
    });
    let trace: Trace = serde_json::from_value(old).unwrap();
    assert_eq!(trace.replay(), [b]);
    let said =
        ["91.11 was to be routed, in the configured order.", "a: left out, it carries 100 at least.", "b: chosen."];
    assert_eq!(trace.in_words(), said);
}

#[test]
fn a_tampered_trace_replays_to_nothing() {
    let routes = [route("a")];
    let node = json!({
        "if": {"attribute": "card.scheme", "operator": "in", "value": ["VISA", "MIR"]},
        "then": {"strategies": [{"strategy": "direct", "routes": ["a"]}]},
        "else": {"reject": "no"},
    });
    let mut trace = decided(&scheme_of(node, &routes), &routes, dec!(10)).trace;
    assert_eq!(trace.replay(), [routes[0].id]);
    trace.branch[0].comparisons[0].actual = Some(json!("JCB"));
    assert_eq!(trace.replay(), []);
}

#[test]
fn a_route_that_comes_back_starts_at_its_peers_least() {
    let routes = [route("a"), route("b"), route("new")];
    let node = json!({"strategies": [{"strategy": "optimal", "routes": ["a", "b", "new"]}]});
    let scheme = scheme_of(node, &routes);
    let pool = scheme.pools()[0].id;
    let facts = facts(dec!(10));
    let stats = Statistics {
        usage: HashMap::from([((pool, routes[0].id), dec!(510)), ((pool, routes[1].id), dec!(500))]),
        floors: HashMap::from([(pool, dec!(500))]),
        outcomes: HashMap::new(),
    };
    let decision = decide(&scheme, &routes, &situation(&facts), &stats);
    assert_eq!(decision.ranked, [1, 2, 0]);
    let used = decision.pool.unwrap();
    assert_eq!((used.floor, used.lifts), (dec!(500), vec![(routes[2].id, dec!(500))]));
    assert_eq!(used.window_start.to_rfc3339(), "2026-11-21T00:00:00+00:00");
}
