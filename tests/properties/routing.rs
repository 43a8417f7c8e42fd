//! Routing: shares come out exactly, what comes back starts fairly, chance is fair and replays, conditions mean what they say.

use std::cmp::Ordering;
use std::collections::HashMap;

use chrono::{DateTime, Datelike, Timelike, Utc};
use landfall::domain::asset::AssetCode;
use landfall::domain::card::CardScheme;
use landfall::domain::exact;
use landfall::domain::ids::{DepositAccountId, Mode, PayoutRequestId, PayoutSchemeId, ProviderAccountId, RouteId};
use landfall::domain::routing::{
    BreakerGate, CardFacts, CustomerFacts, Decision, Facts, Known, KnownRoute, Outcomes, Route, Scheme, SchemeRef,
    Situation, Statistics, Trace, decide,
};
use proptest::prelude::*;
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use uuid::Uuid;

const SERVICE: &str = "card_eur";

fn euro() -> AssetCode {
    "EUR".parse().unwrap()
}

/// The `n`-th route: no limits, no cost, all the money there is.
fn route(n: usize) -> Route {
    Route {
        id: RouteId(Uuid::from_u128(0x1000 + n as u128)),
        code: format!("r{n}"),
        service: SERVICE.to_owned(),
        mode: Mode::Test,
        currency: euro(),
        currency_scale: 2,
        deposit_account_id: DepositAccountId(Uuid::from_u128(n as u128)),
        provider_account_id: ProviderAccountId(Uuid::from_u128(n as u128)),
        provider: "test".to_owned(),
        enabled: true,
        amount_min: None,
        amount_max: None,
        cost_percent: dec!(0),
        cost_fixed: dec!(0),
        cost_min: None,
        cost_max: None,
        weight: 1,
        fast_funds: true,
        card_schemes: vec![CardScheme::Visa],
        breaker: BreakerGate::Closed,
        deposit_currency: euro(),
        deposit_scale: 2,
        deposit_rate: Some(dec!(1)),
        exchange_spread_percent: dec!(0),
        exchange_buffer_percent: dec!(0),
        available: dec!(1000000000),
        turnover_left: None,
    }
}

fn scheme_of(node: Value, routes: &[Route]) -> Scheme {
    let services = HashMap::from([(SERVICE.to_owned(), euro())]);
    let routes: Vec<KnownRoute> = routes.iter().map(KnownRoute::from).collect();
    let scheme = SchemeRef { id: PayoutSchemeId(Uuid::from_u128(7)), version: 1 };
    Scheme::compile(&json!({"services": {SERVICE: node}}), &Known { scheme, services: &services, routes: &routes })
        .unwrap()
}

fn leaf(strategy: &str, routes: Vec<Value>) -> Value {
    json!({"strategies": [{"strategy": strategy, "routes": routes}]})
}

fn codes(routes: &[Route]) -> Vec<Value> {
    routes.iter().map(|route| json!(route.code)).collect()
}

fn facts(n: u128, amount: Decimal) -> Facts<'static> {
    Facts {
        request_id: PayoutRequestId(Uuid::from_u128(n)),
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
        ..Facts::bare(Mode::Test, euro(), SERVICE, amount, Some(CardScheme::Visa))
    }
}

/// The decision on the `n`-th request, a first try; replayed from its trace as it is stored.
fn decided(scheme: &Scheme, routes: &[Route], stats: &Statistics, facts: &Facts<'_>) -> Decision {
    let situation = Situation {
        request_id: facts.request_id,
        part: 0,
        attempt: 1,
        amount: facts.amount,
        facts,
        attempted: &[],
        attempts_per_route_limit: 1,
    };
    let decision = decide(scheme, routes, &situation, stats);
    let stored: Trace = serde_json::from_str(&serde_json::to_string(&decision.trace).unwrap()).unwrap();
    let ids: Vec<RouteId> = decision.ranked.iter().map(|index| routes[*index].id).collect();
    assert_eq!(stored.replay(), ids);
    decision
}

/// Uses the first route of the decision and counts it, as dispatch does.
fn used(decision: &Decision, routes: &[Route], stats: &mut Statistics, amount: Decimal) -> usize {
    let chosen = decision.ranked[0];
    let pool = decision.pool.as_ref().unwrap();
    let id = routes[chosen].id;
    let usage = stats.usage.entry((pool.id, id)).or_default();
    let lift = pool.lifts.iter().find(|(lifted, _)| *lifted == id).map_or(dec!(0), |(_, lift)| *lift);
    *usage = exact::add(exact::add(*usage, lift).unwrap(), amount).unwrap();
    let before = stats.floors.insert(pool.id, pool.floor).unwrap_or_default();
    assert!(pool.floor >= before, "a floor never sinks");
    chosen
}

fn amount() -> impl Strategy<Value = Decimal> {
    (1..100_000_i64).prop_map(|cents| Decimal::new(cents, 2))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn weight_gives_each_route_its_share_to_within_one_request(
        weights in prop_oneof![
            proptest::collection::vec(1..20_u32, 1..8),
            proptest::collection::vec(prop_oneof![Just(1_u32), Just(97), 1..1_000_u32], 2..12),
        ],
        amount in amount(),
    ) {
        let routes: Vec<Route> = (0..weights.len()).map(route).collect();
        let named = weights.iter().enumerate().map(|(n, w)| json!({"route": format!("r{n}"), "weight": w})).collect();
        let scheme = scheme_of(leaf("weight", named), &routes);
        let weight_sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut stats = Statistics::default();
        let mut counts = vec![0_u64; routes.len()];
        for n in 1..=1_000_u64 {
            let decision = decided(&scheme, &routes, &stats, &facts(n.into(), amount));
            prop_assert_eq!(&decision.pool.as_ref().unwrap().lifts, &vec![]);
            counts[used(&decision, &routes, &mut stats, amount)] += 1;
            for (count, weight) in counts.iter().zip(&weights) {
                // |count - n x weight / sum| <= 1
                let (have, due) = (count * weight_sum, n * u64::from(*weight));
                prop_assert!(have.abs_diff(due) <= weight_sum, "after {n}: {counts:?} of {weights:?}");
            }
        }
    }

    #[test]
    fn optimal_debits_equal_amounts_to_within_one_request(
        count in 1..9_usize,
        amounts in proptest::collection::vec(amount(), 1..6),
    ) {
        let routes: Vec<Route> = (0..count).map(route).collect();
        let scheme = scheme_of(leaf("optimal", codes(&routes)), &routes);
        let most = amounts.iter().max().copied().unwrap();
        let mut stats = Statistics::default();
        for (n, amount) in amounts.iter().cycle().take(1_000).enumerate() {
            let decision = decided(&scheme, &routes, &stats, &facts(n as u128, *amount));
            used(&decision, &routes, &mut stats, *amount);
            if n >= count {
                let debited = || routes.iter().map(|route| stats.usage.iter().find(|((_, id), _)| *id == route.id).map_or(dec!(0), |(_, usage)| *usage));
                prop_assert!(debited().max().unwrap() - debited().min().unwrap() <= most);
            }
        }
    }

    #[test]
    fn a_route_that_comes_back_starts_at_its_peers_least(
        strategy in prop_oneof![Just("optimal"), Just("weight")],
        weights in proptest::collection::vec(1..9_u32, 2..6),
        away in 1..300_usize,
        amount in amount(),
    ) {
        let mut routes: Vec<Route> = (0..weights.len()).map(route).collect();
        let named = weights.iter().enumerate().map(|(n, w)| json!({"route": format!("r{n}"), "weight": w})).collect();
        let scheme = scheme_of(leaf(strategy, named), &routes);
        let mut stats = Statistics::default();
        routes[0].enabled = false;
        for n in 0..away {
            let decision = decided(&scheme, &routes, &stats, &facts(n as u128, amount));
            used(&decision, &routes, &mut stats, amount);
        }
        routes[0].enabled = true;
        let weight = |n: usize| if strategy == "weight" { u64::from(weights[n]) } else { 1 };
        let weight_sum: u64 = (0..routes.len()).map(weight).sum();
        let mut counts = vec![0_u64; routes.len()];
        for n in 1..=200_u64 {
            let decision = decided(&scheme, &routes, &stats, &facts(1_000 + u128::from(n), amount));
            counts[used(&decision, &routes, &mut stats, amount)] += 1;
            // It gets its share from now on and catches nothing up: peers may be ahead of the least by a request each.
            let (have, due) = (counts[0] * weight_sum, n * weight(0));
            let slack = (weights.len() as u64 + 1) * weight_sum;
            prop_assert!(have <= due + slack, "after {n}: {counts:?} of {weights:?}");
            prop_assert!(have + slack >= due, "after {n}: {counts:?} of {weights:?}");
        }
    }

    #[test]
    fn cost_agrees_with_an_exhaustive_search(
        tariffs in proptest::collection::vec((0..500_i64, 0..300_i64, 0..200_i64, 100..900_i64, 0..300_i64, any::<bool>()), 1..8),
        amount in amount(),
    ) {
        let routes: Vec<Route> = tariffs
            .iter()
            .enumerate()
            .map(|(n, (percent, fixed, least, most, spread, converts))| Route {
                cost_percent: Decimal::new(*percent, 2),
                cost_fixed: Decimal::new(*fixed, 2),
                cost_min: Some(Decimal::new(*least, 2)),
                cost_max: Some(Decimal::new(*most, 2)),
                exchange_spread_percent: Decimal::new(*spread, 2),
                deposit_currency: if *converts { "USD".parse().unwrap() } else { euro() },
                deposit_rate: Some(if *converts { dec!(1.08) } else { dec!(1) }),
                ..route(n)
            })
            .collect();
        let scheme = scheme_of(leaf("cost", codes(&routes)), &routes);
        let decision = decided(&scheme, &routes, &Statistics::default(), &facts(1, amount));
        // In units of 10^-4 of a cent, by integers alone.
        let cost = |n: usize| {
            let (percent, fixed, least, most, spread, converts) = tariffs[n];
            let cents = i64::try_from(amount.mantissa()).unwrap();
            let by_percent = (cents * percent + 9_999) / 10_000;
            let charged = (by_percent + fixed).max(least).min(most);
            charged * 10_000 + if converts { cents * spread } else { 0 }
        };
        let mut expected: Vec<usize> = (0..routes.len()).collect();
        expected.sort_by_key(|n| (cost(*n), *n));
        prop_assert_eq!(decision.ranked, expected);
    }

    #[test]
    fn balance_puts_the_highest_first_and_nothing_that_does_not_suffice(
        balances in proptest::collection::vec(0..200_000_i64, 1..8),
        amount in amount(),
    ) {
        let routes: Vec<Route> = balances
            .iter()
            .enumerate()
            .map(|(n, cents)| Route { available: Decimal::new(*cents, 2), ..route(n) })
            .collect();
        let scheme = scheme_of(leaf("balance", codes(&routes)), &routes);
        let decision = decided(&scheme, &routes, &Statistics::default(), &facts(1, amount));
        let mut expected: Vec<usize> = (0..routes.len()).filter(|n| routes[*n].available >= amount).collect();
        expected.sort_by_key(|n| (-balances[*n], *n));
        prop_assert_eq!(decision.ranked, expected);
    }
}

/// Sends `count` requests over routes that succeed in `percents` of a hundred; answers how many each got.
fn simulated(percents: &[u64], start: &[(u64, u64)], count: u128, seed: u128) -> Vec<u64> {
    let routes: Vec<Route> = (0..percents.len()).map(route).collect();
    let scheme = scheme_of(leaf("conversion", codes(&routes)), &routes);
    let mut stats = Statistics::default();
    for (route, (succeeded, failed)) in routes.iter().zip(start) {
        stats.outcomes.insert(route.id, Outcomes { succeeded: *succeeded, failed: *failed });
    }
    let mut counts = vec![0; routes.len()];
    let mut state = u64::try_from(seed).unwrap();
    for n in 0..count {
        let decision = decided(&scheme, &routes, &stats, &facts((seed << 64) + n, dec!(10)));
        let chosen = decision.ranked[0];
        counts[chosen] += 1;
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let outcomes = stats.outcomes.entry(routes[chosen].id).or_default();
        if (state >> 33) % 100 < percents[chosen] { outcomes.succeeded += 1 } else { outcomes.failed += 1 }
    }
    counts
}

#[test]
fn conversion_finds_the_better_route() {
    for seed in 1..=5 {
        let counts = simulated(&[70, 95], &[(0, 0), (0, 0)], 2_000, seed);
        assert!(counts[1] > 1_500, "{counts:?}");
    }
}

#[test]
fn conversion_does_not_lock_on_to_a_lucky_newcomer() {
    for seed in 1..=5 {
        // Five of five for a route that really succeeds half the time.
        let counts = simulated(&[90, 50], &[(900, 100), (5, 0)], 1_000, seed);
        assert!(counts[1] < 150, "{counts:?}");
    }
}

#[test]
fn conversion_does_not_starve_an_unlucky_route() {
    for seed in 1..=5 {
        // None of five for a route that really is the better one.
        let counts = simulated(&[60, 95], &[(600, 400), (0, 5)], 3_000, seed);
        assert!(counts[1] > 1_500, "{counts:?}");
        // Six of twenty failed, by bad luck: seldom tried at first, and never given up.
        let counts = simulated(&[90, 95], &[(900, 100), (14, 6)], 3_000, seed);
        assert!(counts[1] > 100, "{counts:?}");
    }
}

/// A comparison of every kind, with the facts that it may meet.
fn comparison() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        Just("amount"),
        Just("amount_reference"),
        Just("customer.kyc_level"),
        Just("customer.paid_count"),
        Just("time.hour"),
        Just("time.day_of_week"),
    ];
    let small = 0..6_i64;
    let numbers =
        (number, prop_oneof![Just("="), Just("!="), Just("<"), Just("<="), Just(">="), Just(">")], small.clone())
            .prop_map(
                |(attribute, operator, value)| json!({"attribute": attribute, "operator": operator, "value": value}),
            );
    let ranges = (small.clone(), 0..4_i64, any::<bool>()).prop_map(|(low, more, list)| {
        let operator = if list { "in" } else { "between" };
        json!({"attribute": "amount", "operator": operator, "value": [low, low + more]})
    });
    let text = prop_oneof![Just("customer.country"), Just("card.iin6"), Just("metadata.k")];
    let word = prop_oneof![Just("a"), Just("ab"), Just("b")];
    let texts = (text, 0..5_usize, word.clone(), word).prop_map(|(attribute, which, a, b)| match which {
        0 => json!({"attribute": attribute, "operator": "=", "value": a}),
        1 => json!({"attribute": attribute, "operator": "!=", "value": a}),
        2 => json!({"attribute": attribute, "operator": "in", "value": [b, a]}),
        3 => json!({"attribute": attribute, "operator": "not_in", "value": [b, a]}),
        _ => json!({"attribute": attribute, "operator": "starts_with", "value": a}),
    });
    let exists = any::<bool>().prop_map(|v| json!({"attribute": "metadata.k", "operator": "exists", "value": v}));
    prop_oneof![numbers, ranges, texts, exists]
}

fn condition() -> impl Strategy<Value = Value> {
    comparison().prop_recursive(3, 12, 4, |inner| {
        (any::<bool>(), proptest::collection::vec(inner, 1..4))
            .prop_map(|(all, inner)| if all { json!({"all": inner}) } else { json!({"any": inner}) })
    })
}

/// What a reader of the documentation would say.
fn naive(condition: &Value, world: &HashMap<&str, Value>) -> bool {
    if let Some(all) = condition.get("all") {
        return all.as_array().unwrap().iter().filter(|one| !naive(one, world)).count() == 0;
    }
    if let Some(any) = condition.get("any") {
        return any.as_array().unwrap().iter().filter(|one| naive(one, world)).count() > 0;
    }
    let actual = world.get(condition["attribute"].as_str().unwrap());
    let value = &condition["value"];
    let operator = condition["operator"].as_str().unwrap();
    if operator == "exists" {
        return actual.is_some() == value.as_bool().unwrap();
    }
    let Some(actual) = actual else { return false };
    if actual.is_number() != value.is_number() && !value.is_array() {
        return false;
    }
    let order = |a: &Value, b: &Value| match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_str().unwrap_or("").cmp(b.as_str().unwrap_or("")),
    };
    let list = || value.as_array().unwrap();
    let same_type = || list().iter().all(|one| one.is_number() == actual.is_number());
    match operator {
        "=" => order(actual, value) == Ordering::Equal,
        "!=" => order(actual, value) != Ordering::Equal,
        "<" => order(actual, value) == Ordering::Less,
        "<=" => order(actual, value) != Ordering::Greater,
        ">=" => order(actual, value) != Ordering::Less,
        ">" => order(actual, value) == Ordering::Greater,
        "in" => list().contains(actual),
        "not_in" => same_type() && !list().contains(actual),
        "between" => actual.as_i64() >= list()[0].as_i64() && actual.as_i64() <= list()[1].as_i64(),
        "starts_with" => actual.as_str().unwrap().starts_with(value.as_str().unwrap()),
        other => unreachable!("{other}"),
    }
}

/// A request of which each part may be missing.
#[derive(Clone, Debug)]
struct World {
    now: DateTime<Utc>,
    amount: i64,
    reference: Option<i64>,
    kyc_level: Option<u8>,
    paid_count: Option<u64>,
    country: Option<&'static str>,
    iin6: Option<&'static str>,
    metadata: Option<Value>,
}

fn world() -> impl Strategy<Value = World> {
    let word = || proptest::option::of(prop_oneof![Just("a"), Just("ab"), Just("b"), Just("c")]);
    let metadata =
        proptest::option::of(prop_oneof![Just(json!("a")), Just(json!("abc")), Just(json!(2)), Just(json!("b"))]);
    let counts = (proptest::option::of(0..6_u8), proptest::option::of(0..6_u64));
    (0..1_000_000_i64, 0..6_i64, proptest::option::of(0..6_i64), counts, word(), word(), metadata).prop_map(
        |(secs, amount, reference, (kyc_level, paid_count), country, iin6, metadata)| World {
            now: DateTime::from_timestamp(1_790_000_000 + secs, 0).unwrap(),
            amount,
            reference,
            kyc_level,
            paid_count,
            country,
            iin6,
            metadata,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_condition_means_what_it_says(condition in condition(), world in world()) {
        let routes = [route(0), route(1)];
        let node = json!({"if": condition, "then": leaf("direct", vec![json!("r0")]), "else": leaf("direct", vec![json!("r1")])});
        let services = HashMap::from([(SERVICE.to_owned(), euro())]);
        let known_routes: Vec<KnownRoute> = routes.iter().map(KnownRoute::from).collect();
        let scheme = SchemeRef { id: PayoutSchemeId(Uuid::from_u128(7)), version: 1 };
        let known = Known { scheme, services: &services, routes: &known_routes };
        let compiled = Scheme::compile(&json!({"services": {SERVICE: node}}), &known);

        let mut values: HashMap<&str, Value> = HashMap::from([
            ("amount", json!(world.amount)),
            ("time.hour", json!(world.now.hour())),
            ("time.day_of_week", json!(world.now.weekday().number_from_monday())),
        ]);
        let optional = [
            ("amount_reference", world.reference.map(|v| json!(v))),
            ("customer.kyc_level", world.kyc_level.map(|v| json!(v))),
            ("customer.paid_count", world.paid_count.map(|v| json!(v))),
            ("customer.country", world.country.map(|v| json!(v))),
            ("card.iin6", world.iin6.map(|v| json!(v))),
            ("metadata.k", world.metadata.clone()),
        ];
        values.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let expected = naive(&condition, &values);

        let scheme = match compiled {
            Ok(scheme) => scheme,
            Err(problems) => {
                // Refused for a branch that no request can reach: then this one doesn't reach it either.
                let dead = if expected { "then" } else { "else" };
                for problem in &problems {
                    prop_assert_eq!(problem.code, "unreachable_branch");
                    prop_assert!(!problem.pointer.ends_with(dead), "{condition}: {problem:?}");
                }
                return Ok(());
            }
        };
        let metadata = world.metadata.as_ref().map(|value| json!({"k": value}));
        let facts = Facts {
            now: world.now,
            amount_reference: world.reference.map(Decimal::from),
            card: CardFacts { iin6: world.iin6, ..CardFacts::default() },
            customer: CustomerFacts {
                country: world.country,
                kyc_level: world.kyc_level,
                paid_count: world.paid_count,
                ..CustomerFacts::default()
            },
            metadata: metadata.as_ref(),
            ..facts(1, Decimal::from(world.amount))
        };
        let decision = decided(&scheme, &routes, &Statistics::default(), &facts);
        prop_assert_eq!(decision.ranked, [usize::from(!expected)], "{}", condition);
    }
}
