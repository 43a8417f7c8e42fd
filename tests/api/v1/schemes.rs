//! Versions of schemes, their published schemas, and simulating.

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use serde_json::{Value, json};

use crate::world::{PAID, World};

const SCHEMES: &str = "/v1/payout-gateway/payout-schemes";
const RATES: &str = "/v1/payout-gateway/exchange-rate-schemes";

fn direct(routes: Value) -> Value {
    json!({ "services": { "card_eur": { "strategies": [{ "strategy": "direct", "routes": routes }] } } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_published_once_and_every_version_stays() {
    let world = World::new().await;
    let house = world.backend_of("house", Mode::Test, &Scope::ALL).await;
    let (a, b) = (direct(json!(["sandbox-a-card-eur"])), direct(json!(["sandbox-b-card-eur", "sandbox-a-card-eur"])));
    let rules = |price: &str| json!({ "rules": [{ "from": "USD", "to": "EUR", "kind": "fixed", "price": price }] });
    for (collection, kind, one, two) in
        [(SCHEMES, "payout-scheme", &a, &b), (RATES, "exchange-rate-scheme", &rules("0.91"), &rules("0.92"))]
    {
        let wish = json!({ "code": "std", "name": "Standard", "body": one, "comment": "First" });
        let made = house.post(collection, kind, wish).await.data(201);
        assert_eq!((&made["attributes"]["version"], &made["attributes"]["body"]), (&json!(1), one));
        let path = made["links"]["self"].as_str().unwrap();
        let (versions, kind_version) = (format!("{path}/versions"), format!("{kind}-version"));
        let keyed = house.header("Idempotency-Key", kind);
        let next = json!({ "version": 1, "body": two });
        let published = keyed.post(&versions, &kind_version, next.clone()).await;
        let second = published.data(201);
        assert_eq!(second["id"], format!("{}.2", made["id"].as_str().unwrap()));
        assert_eq!(keyed.post(&versions, &kind_version, next.clone()).await.text, published.text);
        house.post(&versions, &kind_version, next).await.errors(409, &[("VERSION_CONFLICT", "")]);
        house
            .post(&versions, &kind_version, json!({ "body": [] }))
            .await
            .errors(422, &[("WRONG_TYPE", "/data/attributes/body")]);

        let current = house.get(path).await.data(200);
        assert_eq!((&current["attributes"]["version"], &current["attributes"]["body"]), (&json!(2), two));
        let listed = house.get(&format!("{collection}?filter[code]=std")).await.data(200);
        assert_eq!((&listed[0]["attributes"]["version"], &listed[0]["attributes"]["body"]), (&json!(2), &json!(null)));
        let first = house.get(&format!("{versions}/1")).await.data(200);
        assert_eq!((&first["attributes"]["body"], &first["attributes"]["comment"]), (one, &json!("First")));
        assert_eq!(house.get(second["links"]["self"].as_str().unwrap()).await.data(200), second);
        for gone in ["3", "0", "x"] {
            house.get(&format!("{versions}/{gone}")).await.errors(404, &[("NOT_FOUND", "")]);
        }
        let page = house.get(&format!("{versions}?page[size]=1")).await;
        assert_eq!(page.data(200)[0]["attributes"]["version"], 2);
        let page = house.get(page.json()["links"]["next"].as_str().unwrap()).await;
        assert_eq!((&page.data(200)[0], &page.json()["links"]["next"]), (&first, &json!(null)));

        let schema = house.get(&format!("{collection}/schema")).await;
        assert_eq!(schema.header("content-type"), Some("application/schema+json"));
        let schema = schema.ok();
        assert!(jsonschema::is_valid(&schema, two) && !jsonschema::is_valid(&schema, &json!({})), "{schema}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_decided_and_told_in_words() {
    let world = World::new().await;
    let house = world.backend_of("house", Mode::Test, &Scope::ALL).await;
    let gold = json!({ "all": [
        { "attribute": "card.scheme", "operator": "=", "value": "VISA" },
        { "attribute": "card.iin6", "operator": "starts_with", "value": "4111" },
        { "attribute": "customer.kyc_level", "operator": ">=", "value": 2 },
        { "attribute": "metadata.shop", "operator": "=", "value": "north" },
        { "attribute": "time.hour", "operator": "between", "value": [9, 17], "time_zone": "Europe/Berlin" },
    ] });
    let leaf = |routes: Value| json!({ "strategies": [{ "strategy": "direct", "routes": routes }] });
    let body = json!({ "services": { "card_eur": { "if": gold, "then": leaf(json!(["sandbox-b-card-eur"])),
        "else": leaf(json!(["sandbox-a-card-eur", "sandbox-b-card-eur"])) } } });
    let made = house.post(SCHEMES, "payout-scheme", json!({ "name": "x", "body": body })).await.data(201);
    let path = format!("{}/simulate", made["links"]["self"].as_str().unwrap());
    let simulate = async |attributes: Value| house.post(&path, "payout-scheme-simulation", attributes).await;
    let sample = |amount: &str, hour: u8| {
        json!({ "sample": { "service": "card_eur", "service_amount": amount, "card": { "scheme": "VISA", "iin": "41111111" },
            "customer": { "reference_id": "u", "kyc_level": 2 }, "metadata": { "shop": "north" },
            "at": format!("2026-01-15T{hour:02}:30:00Z"), "split_mode": "auto" } })
    };
    let found = simulate(sample("100", 12)).await.data(200);
    let (version, decision) = (&found["attributes"]["version"], &found["attributes"]["decision"]);
    assert_eq!((version, &decision["outcome"], &decision["resolution"]), (&json!(1), &json!("routed"), &json!(null)));
    assert_eq!(
        (&decision["parts"][0]["route"], &decision["parts"][0]["amount"]),
        (&json!("sandbox-b-card-eur"), &json!("100"))
    );
    let words = decision["words"].as_array().unwrap();
    assert!(words.iter().any(|line| line.as_str().unwrap().contains("time.hour (Europe/Berlin) was 13")), "{words:?}");
    assert_eq!(decision["trace"]["branch"][0]["taken"], json!(true));
    assert_eq!(
        simulate(sample("100", 20)).await.data(200)["attributes"]["decision"]["parts"][0]["route"],
        "sandbox-a-card-eur"
    );
    let split = simulate(sample("6000", 20)).await.data(200)["attributes"]["decision"].clone();
    assert_eq!((&split["outcome"], split["parts"].as_array().unwrap().len()), (&json!("split"), 2), "{split}");
    let small = simulate(sample("0.50", 20)).await.data(200)["attributes"]["decision"].clone();
    assert_eq!(small["outcome"], "filtered");
    assert_eq!(small["resolution"], "strategy_configured_routes_were_filtered");

    let mut draft = sample("100", 12);
    draft["body"] = json!({ "services": { "card_eur": { "if": { "attribute": "amount", "operator": "<", "value": 500 },
        "then": { "reject": "Too small." }, "else": leaf(json!(["sandbox-a-card-eur"])) } } });
    let rejected = simulate(draft.clone()).await.data(200);
    assert_eq!(
        (&rejected["attributes"]["version"], &rejected["attributes"]["decision"]["outcome"]),
        (&json!(null), &json!("rejected"))
    );
    draft["body"] = direct(json!(["nowhere"]));
    let at = "/data/attributes/body/services/card_eur/strategies/0/routes/0";
    simulate(draft).await.errors(422, &[("UNKNOWN_ROUTE", at)]);
    simulate(json!({ "sample": { "service": "card_eur" } }))
        .await
        .errors(422, &[("MISSING", "/data/attributes/sample/service_amount")]);
    simulate(json!({})).await.errors(422, &[("MISSING", "/data/attributes/sample")]);
    for (other, status, code) in [
        (world.backend_of("house", Mode::Live, &Scope::ALL).await, 404, "NOT_FOUND"),
        (world.backend().await, 404, "NOT_FOUND"),
        (world.backend_of("house", Mode::Test, &[Scope::RoutingWrite]).await, 403, "SCOPE_MISSING"),
    ] {
        other.post(&path, "payout-scheme-simulation", sample("1", 1)).await.errors(status, &[(code, "")]);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_requests_are_routed_again_on_paper_only() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    for _ in 0..2 {
        let offer = alice.offer(&card_id, "100").await;
        alice.pay(&offer["offerId"]).await.ok();
        world.advance(1);
    }
    let house = world.backend_of("house", Mode::Test, &Scope::ALL).await;
    let wish = json!({ "name": "x", "body": direct(json!(["sandbox-b-card-eur"])) });
    let made = house.post(SCHEMES, "payout-scheme", wish).await.data(201);
    let path = format!("{}/simulate", made["links"]["self"].as_str().unwrap());
    let money = "SELECT sum((balance * 100 + reserved * 7)::bigint)::bigint FROM deposit_account";
    let before = (world.count("SELECT count(*) FROM payout").await, world.count(money).await);
    let found = house.post(&path, "payout-scheme-simulation", json!({ "last": 1000 })).await.data(200);
    let replay = &found["attributes"]["replay"];
    assert_eq!((&replay["requests"], &replay["moved"]), (&json!(2), &json!(2)), "{replay}");
    let shares: Vec<_> = replay["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| {
            (
                share["route"].as_str().unwrap(),
                share["before"]["percent"].as_str().unwrap(),
                share["after"]["percent"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(shares, [("sandbox-a-card-eur", "100", "0"), ("sandbox-b-card-eur", "0", "100")]);
    assert!(replay["examples"][0]["after"]["words"].as_array().is_some_and(|words| words.len() > 1));
    assert_eq!((world.count("SELECT count(*) FROM payout").await, world.count(money).await), before);
    world.stop().await;
}
