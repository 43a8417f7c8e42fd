//! Claims on schemes: what is taken, what is refused, and where the mistake is said to be.

use serde_json::{Value, json};

use super::*;
use crate::domain::ids::PayoutSchemeId;
use crate::domain::routing::samples::route;

fn compile(body: &Value) -> Result<Scheme, Vec<SchemeProblem>> {
    let services = [("card_eur", "EUR"), ("card_usd", "USD")];
    let services = services.map(|(service, currency)| (service.to_owned(), currency.parse().unwrap())).into();
    let mut routes = ["a", "b", "c"].map(|code| KnownRoute::from(&route(code))).to_vec();
    let dollars = "USD".parse().unwrap();
    routes.push(KnownRoute { service: "card_usd".into(), currency: dollars, ..KnownRoute::from(&route("dollars")) });
    routes.push(KnownRoute { currency: dollars, ..KnownRoute::from(&route("wrong")) });
    routes.push(KnownRoute { enabled: false, ..KnownRoute::from(&route("off")) });
    let scheme = SchemeRef { id: PayoutSchemeId(uuid::Uuid::from_u128(5)), version: 3 };
    Scheme::compile(body, &Known { scheme, services: &services, routes: &routes })
}

fn euro(node: Value) -> Value {
    json!({"services": {"card_eur": node}})
}

fn direct(routes: Value) -> Value {
    json!({"strategies": [{"strategy": "direct", "routes": routes}]})
}

fn found(body: &Value) -> Vec<(String, &'static str)> {
    compile(body).err().unwrap_or_default().into_iter().map(|problem| (problem.pointer, problem.code)).collect()
}

/// A condition in front of two good leaves; answers what is wrong with it, seen from the condition.
fn found_in(condition: Value) -> Vec<(String, &'static str)> {
    let body = euro(json!({"if": condition, "then": direct(json!(["a"])), "else": direct(json!(["b"]))}));
    let seen_from = |(pointer, code): (String, &'static str)| {
        (pointer.strip_prefix("/services/card_eur/").unwrap_or(&pointer).to_owned(), code)
    };
    found(&body).into_iter().map(seen_from).collect()
}

fn compare(attribute: &str, operator: &str, value: Value) -> Value {
    json!({"attribute": attribute, "operator": operator, "value": value})
}

/// A body that uses everything.
fn whole() -> Value {
    json!({
        "services": {
            "card_eur": {
                "if": {"any": [
                    {"all": [compare("amount", ">=", json!("100.50")), compare("card.scheme", "in", json!(["VISA", "MIR"]))]},
                    {"attribute": "time.hour", "operator": "between", "value": [8, 18], "time_zone": "Europe/Berlin"},
                    compare("metadata.shop", "starts_with", json!("x/~")),
                    compare("customer.country", "exists", json!(false)),
                ]},
                "then": {"ref": "usual"},
                "else": {"if": compare("draw", "<", json!(12.5)), "then": {"ref": "usual"}, "else": {"reject": "Not now."}},
            },
            "card_usd": direct(json!([{"route": "dollars"}])),
        },
        "nodes": {"usual": {"strategies": [
            {"strategy": "weight", "routes": [{"route": "a", "weight": 3}, "b", {"route": "off", "weight": 0}], "window_hours": 48},
            {"strategy": "optimal", "routes": ["c"], "split_always": true, "require_fast_funds": true},
            {"strategy": "conversion", "routes": [route("a").id.to_string(), "b"]},
        ]}},
    })
}

#[test]
fn a_whole_scheme_compiles_and_matches_its_schema() {
    let scheme = compile(&whole()).unwrap();
    assert!(scheme.serves("card_eur") && scheme.serves("card_usd") && !scheme.serves("card_gbp"));
    assert_eq!(scheme.pools().len(), 2);
    assert!(scheme.reads_outcomes());
    assert!(jsonschema::is_valid(&scheme_schema(), &whole()));
}

#[test]
fn every_mistake_is_told_at_once_and_where_it_is() {
    let body = json!({
        "services": {"card_eur": {
            "if": {"all": [compare("card.pan", "=", json!("4")), compare("amount", "starts_with", json!("1"))]},
            "then": {"strategies": [{"strategy": "wieght", "routes": ["a", "a", "nowhere", "dollars", "wrong"], "window_hours": 0}]},
            "else": {"ref": "a/b~c"},
        }, "card_gbp": direct(json!(["a"]))},
        "colour": "red",
    });
    let mut told = found(&body);
    told.sort_unstable();
    let here = |path: &str| format!("/services/card_eur/{path}");
    let mut expected = vec![
        ("/colour".to_owned(), "unknown_key"),
        (here("else/ref"), "unknown_ref"),
        (here("if/all/0/attribute"), "unknown_attribute"),
        (here("if/all/1/operator"), "operator_type"),
        (here("then/strategies/0/routes/1"), "duplicate_route"),
        (here("then/strategies/0/routes/2"), "unknown_route"),
        (here("then/strategies/0/routes/3"), "route_of_other_service"),
        (here("then/strategies/0/routes/4"), "route_of_other_currency"),
        (here("then/strategies/0/strategy"), "unknown_strategy"),
        (here("then/strategies/0/window_hours"), "window_invalid"),
        ("/services/card_gbp".to_owned(), "unknown_service"),
        ("/services/card_gbp/strategies/0/routes/0".to_owned(), "route_of_other_service"),
    ];
    expected.sort_unstable();
    assert_eq!(told, expected);
}

#[test]
fn operators_and_values_go_with_their_attribute() {
    let at = |place: &str, code| vec![(place.to_owned(), code)];
    for (condition, place, code) in [
        (compare("card.brand", "<", json!("x")), "if/operator", "operator_type"),
        (compare("card.scheme", "starts_with", json!("VI")), "if/operator", "operator_type"),
        (compare("amount", "=", json!("ten")), "if/value", "value_type"),
        (compare("amount", "=", json!(true)), "if/value", "value_type"),
        (compare("amount", "in", json!(10)), "if/value", "value_type"),
        (compare("amount", "in", json!([])), "if/value", "value_count"),
        (compare("amount", "in", json!([1, {}])), "if/value/1", "value_type"),
        (compare("amount", "between", json!([1, 2, 3])), "if/value", "value_count"),
        (compare("amount", "between", json!([2, 1])), "if/value", "empty_range"),
        (compare("amount", "exists", json!("yes")), "if/value", "value_type"),
        (compare("amount", ">", json!([1])), "if/value", "value_type"),
        (compare("card.scheme", "=", json!("VISTA")), "if/value", "unknown_value"),
        (compare("mode", "not_in", json!(["prod"])), "if/value/0", "unknown_value"),
        (compare("currency", "=", json!(978)), "if/value", "value_type"),
        (compare("metadata.x", "<", json!("a")), "if/value", "value_type"),
        (compare("metadata.x", "in", json!(["a", 1])), "if/value", "value_type"),
        (compare("metadata.x", "starts_with", json!("")), "if/value", "value_length"),
        (compare("amount", "~", json!(1)), "if/operator", "unknown_operator"),
        (json!({"attribute": "amount", "operator": "="}), "if", "missing_key"),
        (json!({"attribute": "amount", "value": 1}), "if", "missing_key"),
        (json!({"all": []}), "if/all", "empty_group"),
        (json!({"all": [], "any": []}), "if", "unknown_condition"),
        (json!([]), "if", "wrong_type"),
        (
            json!({"attribute": "time.hour", "operator": "=", "value": 1, "time_zone": "Mars/Olympus"}),
            "if/time_zone",
            "unknown_time_zone",
        ),
        (
            json!({"attribute": "amount", "operator": "=", "value": 1, "time_zone": "UTC"}),
            "if/time_zone",
            "time_zone_unused",
        ),
    ] {
        assert_eq!(found_in(condition.clone()), at(place, code), "{condition}");
    }
}

#[test]
fn weights_are_whole_and_not_all_zero() {
    let weighted = |weights: Value| {
        let routes: Vec<Value> = ["a", "b"]
            .iter()
            .zip(weights.as_array().unwrap())
            .map(|(route, weight)| json!({"route": route, "weight": weight}))
            .collect();
        found(&euro(json!({"strategies": [{"strategy": "weight", "routes": routes}]})))
    };
    let routes = "/services/card_eur/strategies/0/routes";
    assert_eq!(weighted(json!([0, 1])), []);
    assert_eq!(weighted(json!([0, 0])), [(routes.to_owned(), "weights_zero")]);
    for bad in [json!(-1), json!(0.5), json!("1"), json!(1_000_001), json!(null)] {
        assert_eq!(weighted(json!([1, bad])), [(format!("{routes}/1/weight"), "weight_invalid")], "{bad}");
    }
}

#[test]
fn a_scheme_that_can_never_route_is_refused() {
    let dead = ("/services/card_eur".to_owned(), "never_routes");
    assert_eq!(found(&euro(json!({"reject": "closed"}))), std::slice::from_ref(&dead));
    assert_eq!(found(&euro(direct(json!(["off"])))), [dead]);
    assert_eq!(found(&euro(direct(json!(["off", "a"])))), []);
    let empty = ("/services/card_eur/strategies/0/routes".to_owned(), "routes_count");
    assert_eq!(found(&euro(direct(json!([])))), [empty]);
    assert_eq!(found(&euro(json!({"strategies": []})))[0].1, "strategies_count");
    assert_eq!(found(&json!({"services": {}})), [("/services".to_owned(), "no_services")]);
    assert_eq!(found(&json!({})), [(String::new(), "missing_key")]);
    assert_eq!(found(&json!([])), [(String::new(), "wrong_type")]);
}

#[test]
fn a_node_that_leads_back_to_itself_is_refused() {
    let branch =
        |to: &str| json!({"if": compare("amount", ">", json!(1)), "then": {"ref": to}, "else": direct(json!(["a"]))});
    let body = json!({
        "services": {"card_eur": {"ref": "x"}},
        "nodes": {"x": branch("y"), "y": branch("x"), "z": {"ref": "z"}},
    });
    let expected = [("/nodes/y/then/ref".to_owned(), "cycle"), ("/nodes/z".to_owned(), "unused_node")];
    assert_eq!(found(&body), expected);
}

#[test]
fn references_that_multiply_are_stopped_at_the_limit_of_nodes() {
    let mut nodes = serde_json::Map::new();
    for n in 0..30 {
        let next = json!({"ref": format!("n{}", n + 1)});
        nodes.insert(format!("n{n}"), json!({"if": compare("draw", "<", json!(n + 1)), "then": next, "else": next}));
    }
    nodes.insert("n30".into(), direct(json!(["a"])));
    let told = found(&json!({"services": {"card_eur": {"ref": "n0"}}, "nodes": nodes}));
    assert!(told.iter().any(|(_, code)| *code == "too_many_nodes" || *code == "too_deep"), "{told:?}");
}

#[test]
fn deep_and_large_bodies_are_refused() {
    let mut condition = compare("amount", ">", json!(1));
    for _ in 0..60 {
        condition = json!({"all": [condition]});
    }
    assert_eq!(found_in(condition)[0].1, "too_deep");
    let long = "x".repeat(BODY_BYTES_MAX);
    assert_eq!(found(&euro(json!({"reject": long}))), [(String::new(), "body_too_large")]);
    let many: Vec<Value> = (0..600).map(|n| compare("amount", "!=", json!(n))).collect();
    assert_eq!(found_in(json!({"any": many}))[0], (String::new(), "too_many_nodes"));
}

#[test]
fn what_no_request_can_reach_is_refused() {
    let nest = |first: Value, second: Value| {
        found(&euro(json!({
            "if": first,
            "then": {"if": second, "then": direct(json!(["a"])), "else": direct(json!(["b"]))},
            "else": direct(json!(["c"])),
        })))
    };
    let below = |branch: &str| vec![(format!("/services/card_eur/then/{branch}"), "unreachable_branch")];
    let amount = |operator: &str, value: Value| compare("amount", operator, value);
    let country = |operator: &str, value: Value| compare("customer.country", operator, value);
    // The same again.
    let metadata = compare("metadata.x", "=", json!("y"));
    assert_eq!(nest(metadata.clone(), metadata.clone()), below("else"));
    // Ranges.
    assert_eq!(nest(amount(">=", json!(100)), amount("<", json!(100))), below("then"));
    assert_eq!(nest(amount(">=", json!(100)), amount(">", json!("99.99"))), below("else"));
    assert_eq!(nest(amount("between", json!([1, 5])), amount("in", json!([6, 7]))), below("then"));
    assert_eq!(nest(amount("=", json!(7)), amount("!=", json!("7.0"))), below("then"));
    // Lists.
    assert_eq!(nest(country("in", json!(["DE", "FR"])), country("=", json!("GB"))), below("then"));
    assert_eq!(nest(country("=", json!("DE")), country("exists", json!(true))), below("else"));
    // Reachable after all.
    for (first, second) in [
        (amount(">=", json!(100)), amount("<=", json!(100))),
        (amount("!=", json!(5)), amount("between", json!([4, 5]))),
        (country("!=", json!("DE")), country("=", json!("FR"))),
        (country("exists", json!(true)), country("=", json!("FR"))),
        (compare("metadata.x", "=", json!("1")), compare("metadata.x", "=", json!("2"))),
    ] {
        assert_eq!(nest(first.clone(), second.clone()), [], "{first} {second}");
    }
    // Values that the attribute can't have, and groups that contradict themselves.
    let never = [("then".to_owned(), "unreachable_branch")];
    assert_eq!(found_in(compare("time.hour", ">", json!(23))), never);
    assert_eq!(found_in(compare("time.day_of_week", "=", json!(0))), never);
    assert_eq!(found_in(json!({"all": [amount(">", json!(5)), amount("<", json!(4))]})), never);
    assert_eq!(found_in(compare("draw", "<", json!(100))), [("else".to_owned(), "unreachable_branch")]);
    let either = json!({"any": [amount(">", json!(5)), amount("<=", json!(5))]});
    assert_eq!(found_in(either), [("else".to_owned(), "unreachable_branch")]);
    // A customer of unknown country is neither from Germany nor from elsewhere.
    assert_eq!(found_in(json!({"any": [country("=", json!("DE")), country("!=", json!("DE"))]})), []);
}

#[test]
fn a_strategy_that_stays_the_same_keeps_its_pool() {
    let pools = |routes: Value, hours: u32| {
        let leaf = json!({"strategies": [{"strategy": "optimal", "routes": routes, "window_hours": hours}]});
        compile(&euro(leaf)).unwrap().pools()
    };
    assert_eq!(pools(json!(["a", "b"]), 24), pools(json!([route("a").id.to_string(), {"route": "b"}]), 24));
    assert_ne!(pools(json!(["a", "b"]), 24), pools(json!(["a", "c"]), 24));
    assert_ne!(pools(json!(["a", "b"]), 24), pools(json!(["a", "b"]), 12));
}

#[test]
fn the_published_schema_and_the_check_agree_on_structure() {
    let schema = scheme_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let structural = [
        json!([]),
        json!({}),
        json!({"services": []}),
        json!({"services": {}}),
        json!({"services": {"card_eur": direct(json!(["a"]))}, "nodes": []}),
        json!({"services": {"card_eur": direct(json!(["a"]))}, "colour": 1}),
        euro(json!({})),
        euro(json!([])),
        euro(json!({"reject": " "})),
        euro(json!({"reject": 1})),
        euro(json!({"ref": 1})),
        euro(json!({"reject": "x", "strategies": []})),
        euro(json!({"strategies": []})),
        euro(json!({"strategies": [[]]})),
        euro(json!({"strategies": [{"strategy": "direct"}]})),
        euro(json!({"strategies": [{"routes": ["a"]}]})),
        euro(json!({"strategies": [{"strategy": "dice", "routes": ["a"]}]})),
        euro(json!({"strategies": [{"strategy": "direct", "routes": ["a"], "window_hours": 8761}]})),
        euro(json!({"strategies": [{"strategy": "direct", "routes": ["a"], "split_always": "no"}]})),
        euro(direct(json!("a"))),
        euro(direct(json!([]))),
        euro(direct(json!([1]))),
        euro(direct(json!([{"route": "a", "weight": -1}]))),
        euro(direct(json!([{"weight": 1}]))),
        euro(direct(json!([{"route": "a", "wieght": 1}]))),
        euro(json!({"if": compare("amount", ">", json!(1)), "then": direct(json!(["a"]))})),
        euro(json!({"then": direct(json!(["a"])), "else": direct(json!(["a"]))})),
    ];
    let conditions = [
        json!([]),
        json!({"all": []}),
        json!({"all": {}}),
        json!({"all": [compare("amount", ">", json!(1))], "any": []}),
        compare("card.pan", "=", json!("4")),
        compare("metadata.", "=", json!("4")),
        compare("amount", "like", json!("4")),
        compare("amount", "in", json!(1)),
        compare("amount", "in", json!([])),
        compare("amount", "between", json!([1])),
        compare("amount", "exists", json!(1)),
        compare("amount", "=", json!([1])),
        compare("amount", "=", json!({})),
        compare("amount", "=", json!(null)),
        json!({"attribute": "amount", "operator": "="}),
        json!({"attribute": "amount", "operator": "=", "value": 1, "zone": "UTC"}),
        json!({"attribute": "time.hour", "operator": "=", "value": 1, "time_zone": 0}),
    ];
    let conditions = conditions
        .map(|condition| euro(json!({"if": condition, "then": direct(json!(["a"])), "else": direct(json!(["b"]))})));
    for bad in structural.iter().chain(&conditions) {
        assert!(!validator.is_valid(bad), "the schema takes {bad}");
        assert!(compile(bad).is_err(), "the check takes {bad}");
    }
    for good in [whole(), euro(direct(json!(["a", {"route": "b", "weight": 2}])))] {
        assert!(validator.is_valid(&good) && compile(&good).is_ok(), "{good}");
    }
    let text = schema.to_string();
    for name in crate::domain::routing::attributes::Attribute::names() {
        assert!(text.contains(&format!("{name:?}")), "{name}");
    }
}
