//! The gateway's entities: points, services, routes, provider and deposit accounts.

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use serde_json::{Value, json};

use super::Partner;
use crate::world::World;

const BASE: &str = "/v1/payout-gateway";
const SECRET: &str = "a-secret-that-nobody-reads-back";

/// Each kind of entity with a collection.
const KINDS: [(&str, &str); 6] = [
    ("payout-points", "payout-point"),
    ("payout-routes", "payout-route"),
    ("payout-schemes", "payout-scheme"),
    ("exchange-rate-schemes", "exchange-rate-scheme"),
    ("provider-accounts", "provider-account"),
    ("deposit-accounts", "deposit-account"),
];

fn link(data: &Value) -> String {
    data["links"]["self"].as_str().unwrap().to_owned()
}

async fn made(partner: &Partner<'_>, collection: &str, kind: &str, attributes: Value) -> Value {
    partner.post(&format!("{BASE}/{collection}"), kind, attributes).await.data(201)
}

/// A partner's own of each kind, as their documents.
pub async fn own(partner: &Partner<'_>) -> Vec<Value> {
    let account = made(
        partner,
        "provider-accounts",
        "provider-account",
        json!({ "code": "own", "provider": "test", "credentials": { "callback_secret": SECRET }, "turnover_limits": { "EUR": 500.5 } }),
    )
    .await;
    let deposit = json!({ "code": "own", "provider_account_id": account["id"], "currency": "EUR" });
    let deposit = made(partner, "deposit-accounts", "deposit-account", deposit).await;
    let route =
        json!({ "code": "own", "service": "card_eur", "deposit_account_id": deposit["id"], "cost_percent": 1.250 });
    let route = made(partner, "payout-routes", "payout-route", route).await;
    let direct = json!({ "strategies": [{ "strategy": "direct", "routes": ["own"] }] });
    let scheme = json!({ "code": "own", "name": "Own", "body": { "services": { "card_eur": direct } } });
    let scheme = made(partner, "payout-schemes", "payout-scheme", scheme).await;
    let rules = json!([{ "from": "USD", "to": "EUR", "kind": "fixed", "price": "0.92" }]);
    let rates = json!({ "code": "own", "name": "Own", "body": { "rules": rules }, "test_mode": true });
    let rates = made(partner, "exchange-rate-schemes", "exchange-rate-scheme", rates).await;
    let point = json!({ "code": "own", "name": "Own", "currencies": ["EUR", "USD"], "funding": "own_deposit",
        "payout_scheme_id": scheme["id"], "exchange_rate_scheme_id": rates["id"], "options": { "split_mode": "auto" } });
    let point = made(partner, "payout-points", "payout-point", point).await;
    vec![point, route, scheme, rates, account, deposit]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entity_is_made_shown_listed_and_changed() {
    let world = World::new().await;
    let partner = world.backend().await;
    let own = own(&partner).await;
    for ((collection, kind), data) in KINDS.iter().zip(&own) {
        assert_eq!((&data["type"], &data["attributes"]["test_mode"]), (&json!(kind), &json!(true)), "{data}");
        assert_eq!(&partner.get(&link(data)).await.data(200), data);
        let listed = partner.get(&format!("{BASE}/{collection}?filter[code]=own")).await.data(200);
        assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &data["id"]));
        assert!(
            partner
                .get(&format!("{BASE}/{collection}?filter[code]=other"))
                .await
                .data(200)
                .as_array()
                .unwrap()
                .is_empty()
        );
        partner
            .get(&format!("{BASE}/{collection}?filter[name]=x"))
            .await
            .errors(400, &[("UNKNOWN_PARAMETER", "filter[name]")]);
    }
    let [point, route, _, _, account, deposit] = own.as_slice() else { panic!() };
    assert_eq!(route["attributes"]["cost_percent"], "1.25");
    assert_eq!(account["attributes"]["turnover_limits"], json!({ "EUR": "500.50" }));
    assert_eq!(
        (&deposit["attributes"]["available"], &deposit["attributes"]["balance_source"]),
        (&json!("0"), &json!("books"))
    );
    for (data, kind, change) in [
        (point, "payout-point", json!({ "version": 1, "enabled": false, "callback_url": "https://a.example/x" })),
        (route, "payout-route", json!({ "version": 1, "weight": 5, "amount_max": null })),
        (account, "provider-account", json!({ "version": 1, "name": "Mine" })),
        (deposit, "deposit-account", json!({ "version": 1, "enabled": false })),
    ] {
        let path = link(data);
        let changed = partner.patch(&path, kind, change.clone()).await.data(200);
        assert_eq!((&changed["attributes"]["version"], &changed["id"]), (&json!(2), &data["id"]));
        partner.patch(&path, kind, change).await.errors(409, &[("VERSION_CONFLICT", "")]);
        partner.patch(&path, kind, json!({ "code": "x" })).await.errors(422, &[("READ_ONLY", "/data/attributes/code")]);
        partner.patch(&path, "other", json!({ "code": "x" })).await.errors(409, &[("TYPE_MISMATCH", "/data/type")]);
    }
    let disabled = format!("{BASE}/payout-points?filter[enabled]=false&filter[funding]=own_deposit");
    assert_eq!(partner.get(&disabled).await.data(200)[0]["id"], point["id"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_is_its_tenants_and_modes_alone_and_needs_the_scope() {
    let world = World::new().await;
    let own = own(&world.backend().await).await;
    world.partner("acme").await;
    let foreign = world.backend_of("acme", Mode::Test, &Scope::ALL).await;
    let live = world.backend_of("demo", Mode::Live, &[Scope::RoutingRead, Scope::RoutingWrite]).await;
    let house = world.backend_of("house", Mode::Test, &Scope::ALL).await;
    let blind: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| !scope.as_str().starts_with("routing")).collect();
    let blind = world.backend_with(&blind).await;
    let reader = world.backend_with(&[Scope::RoutingRead]).await;
    for ((collection, kind), data) in KINDS.iter().zip(&own) {
        let (list, path) = (format!("{BASE}/{collection}"), link(data));
        for other in [&foreign, &live, &house] {
            other.get(&path).await.errors(404, &[("NOT_FOUND", "")]);
            let listed = other.get(&format!("{list}?filter[code]=own")).await.data(200);
            assert!(listed.as_array().unwrap().is_empty(), "{listed}");
            if !collection.ends_with("schemes") {
                other.patch(&path, kind, json!({ "enabled": false })).await.errors(404, &[("NOT_FOUND", "")]);
            } else {
                let version = format!("{path}/versions");
                other.get(&version).await.errors(404, &[("NOT_FOUND", "")]);
                other
                    .post(&version, &format!("{kind}-version"), json!({ "body": {} }))
                    .await
                    .errors(404, &[("NOT_FOUND", "")]);
            }
        }
        blind.get(&list).await.errors(403, &[("SCOPE_MISSING", "")]);
        blind.get(&path).await.errors(403, &[("SCOPE_MISSING", "")]);
        reader.get(&path).await.data(200);
        reader.post(&list, kind, json!({})).await.errors(403, &[("SCOPE_MISSING", "")]);
    }
    // What is another's can't be built upon either.
    let [point, route, scheme, ..] = own.as_slice() else { panic!() };
    let account = &route["attributes"]["deposit_account_id"];
    let attributes = json!({ "service": "card_eur", "deposit_account_id": account });
    foreign
        .post(&format!("{BASE}/payout-routes"), "payout-route", attributes)
        .await
        .errors(422, &[("UNKNOWN_ACCOUNT", "/data/attributes/deposit_account_id")]);
    let attributes =
        json!({ "name": "x", "currencies": ["EUR"], "funding": "own_deposit", "payout_scheme_id": scheme["id"] });
    foreign
        .post(&format!("{BASE}/payout-points"), "payout-point", attributes)
        .await
        .errors(422, &[("UNKNOWN_SCHEME", "/data/attributes/payout_scheme_id")]);
    foreign
        .post(
            &format!("{BASE}/payout-points"),
            "payout-point",
            json!({ "name": "x", "currencies": ["EUR"], "test_mode": false }),
        )
        .await
        .errors(422, &[("MODE_MISMATCH", "/data/attributes/test_mode")]);
    assert_eq!(world.count("SELECT count(*) FROM payout_point WHERE code <> 'wallet'").await, 1, "{point}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_told_with_its_pointer() {
    let world = World::new().await;
    let partner = world.backend().await;
    let point = json!({ "code": "A B", "currencies": ["EUR", "ZZZ"], "callback_url": "ftp://x", "options": { "attempts_limit": 0 }, "nope": 1 });
    let answer = partner.post(&format!("{BASE}/payout-points"), "payout-point", point).await;
    let mut found: Vec<String> = answer.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| format!("{} {}", error["source"]["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    found.sort();
    let at = "/data/attributes";
    let wanted = [
        "callback_url INVALID_VALUE",
        "code INVALID_VALUE",
        "currencies/1 UNKNOWN_CURRENCY",
        "name MISSING",
        "nope UNKNOWN_MEMBER",
        "options/attempts_limit OUT_OF_RANGE",
    ]
    .map(|what| format!("{at}/{what}"));
    assert_eq!((answer.status, found), (422, wanted.to_vec()), "{answer:?}");
    let account = json!({ "provider": "nobody" });
    let answer = partner.post(&format!("{BASE}/provider-accounts"), "provider-account", account).await;
    answer.errors(422, &[("UNKNOWN_PROVIDER", "/data/attributes/provider")]);
    let scheme = json!({ "name": "x", "body": { "services": { "card_eur": { "strategies": [{ "strategy": "direct", "routes": ["nowhere"] }] } } } });
    let answer = partner.post(&format!("{BASE}/payout-schemes"), "payout-scheme", scheme).await;
    answer.errors(422, &[("UNKNOWN_ROUTE", "/data/attributes/body/services/card_eur/strategies/0/routes/0")]);
    let rates =
        json!({ "name": "x", "body": { "rules": [{ "from": "USD", "to": "USD", "kind": "fixed", "price": 1 }] } });
    let answer = partner.post(&format!("{BASE}/exchange-rate-schemes"), "exchange-rate-scheme", rates).await;
    answer.errors(422, &[("SAME_CURRENCY", "/data/attributes/body/rules/0/to")]);
    partner
        .get(&format!("{BASE}/payout-points?filter[enabled]=maybe"))
        .await
        .errors(400, &[("INVALID_PARAMETER", "filter[enabled]")]);
    partner.get(&format!("{BASE}/payout-points/pop_1")).await.errors(404, &[("NOT_FOUND", "")]);
    assert_eq!(
        world
            .count("SELECT count(*) FROM payout_scheme WHERE partner_id = (SELECT id FROM partner WHERE code = 'demo')")
            .await,
        0
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_makes_one_and_a_list_goes_page_by_page() {
    let world = World::new().await;
    let partner = world.backend().await;
    let list = format!("{BASE}/payout-points");
    let wish = |n: usize| json!({ "code": format!("p{n}"), "name": "x", "currencies": ["EUR"] });
    let keyed = partner.header("Idempotency-Key", "once");
    let first = keyed.post(&list, "payout-point", wish(0)).await;
    let again = keyed.post(&list, "payout-point", wish(0)).await;
    assert_eq!((first.status, &first.text, again.header("idempotency-replayed")), (201, &again.text, Some("true")));
    keyed.post(&list, "payout-point", wish(1)).await.errors(422, &[("IDEMPOTENCY_MISMATCH", "")]);
    partner.post(&list, "payout-point", wish(0)).await.errors(409, &[("CODE_TAKEN", "")]);
    for n in 1..5 {
        partner.post(&list, "payout-point", wish(n)).await.data(201);
    }
    let mut codes = Vec::new();
    let mut next = Some(format!("{list}?page[size]=2&filter[funding]=partner_balance&sort=created"));
    while let Some(path) = next {
        let answer = partner.get(&path).await;
        codes.extend(answer.data(200).as_array().unwrap().iter().map(|point| point["attributes"]["code"].clone()));
        next = answer.json()["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(codes, ["wallet", "p0", "p1", "p2", "p3", "p4"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_go_in_and_never_come_out() {
    let world = World::new().await;
    let partner = world.backend().await.header("Idempotency-Key", "k");
    let list = format!("{BASE}/provider-accounts");
    let wish = json!({ "provider": "test", "credentials": { "callback_secret": SECRET } });
    let first = partner.post(&list, "provider-account", wish.clone()).await;
    let path = link(&first.data(201));
    let again = partner.post(&list, "provider-account", wish).await;
    let partner = world.backend().await;
    let change = json!({ "credentials": { "callback_secret": format!("{SECRET}-2") } });
    let changed = partner.patch(&path, "provider-account", change).await;
    let checked = partner.act(&format!("{path}/check")).await;
    for answer in [first, again, changed, partner.get(&path).await, partner.get(&list).await, checked] {
        assert!(answer.text.contains("callback_secret") && !answer.text.contains(SECRET), "{answer:?}");
    }
    let bad = json!({ "credentials": { "callback_secret": 5, "nope": SECRET } });
    let refused = partner.patch(&path, "provider-account", bad).await;
    assert!(refused.status == 422 && !refused.text.contains(SECRET), "{refused:?}");
    assert!(!world.dump().await.contains(SECRET));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_is_noted_once_a_reference() {
    let world = World::new().await;
    let partner = world.backend().await;
    let deposit = own(&partner).await.pop().unwrap();
    let path = format!("{}/top-up", link(&deposit));
    let wish = |amount: Value| json!({ "amount": amount, "reference": "t1" });
    let topped = partner.post(&path, "deposit-account-top-up", wish(json!("100.50"))).await.data(200);
    assert_eq!(topped["attributes"]["available"], "100.5");
    assert_eq!(partner.post(&path, "deposit-account-top-up", wish(json!(100.5))).await.data(200), topped);
    partner.post(&path, "deposit-account-top-up", wish(json!(7))).await.errors(409, &[("REFERENCE_TAKEN", "")]);
    partner.post(&path, "deposit-account-top-up", json!({ "amount": "0.001", "extra": 1 })).await.errors(
        422,
        &[
            ("UNKNOWN_MEMBER", "/data/attributes/extra"),
            ("MISSING", "/data/attributes/reference"),
            ("TOO_PRECISE", "/data/attributes/amount"),
        ],
    );
    let router = world.backend_with(&[Scope::RoutingRead, Scope::RoutingWrite]).await;
    router.post(&path, "deposit-account-top-up", wish(json!(1))).await.errors(403, &[("SCOPE_MISSING", "")]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_told_in_the_language_that_is_asked_for() {
    let world = World::new().await;
    let partner = world.backend().await;
    let path = format!("{BASE}/payout-services/card_eur");
    let english = partner.get(&path).await.data(200);
    let german = partner.header("Accept-Language", "de-AT, en;q=0.5").get(&path).await.data(200);
    let label = |service: &Value| service["attributes"]["fields"][0]["label"].as_str().unwrap().to_owned();
    assert_eq!((label(&english).as_str(), label(&german).as_str()), ("Card number", "Kartennummer"));
    assert!(german["attributes"]["fields"][0]["hint"].as_str().unwrap().starts_with("Geben Sie"));
    assert_eq!((&english["id"], &english["attributes"]["method"]), (&json!("card_eur"), &json!("card")));
    let list = format!("{BASE}/payout-services");
    let ids = |answer: Value| answer.as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(partner.get(&format!("{list}?filter[method]=test")).await.data(200)), ["test_eur", "test_usd"]);
    let live = world.backend_of("demo", Mode::Live, &[Scope::RoutingRead]).await;
    assert_eq!(ids(live.get(&list).await.data(200)), ["card_eur", "card_gbp", "card_usd"]);
    live.get(&format!("{list}/test_usd")).await.errors(404, &[("NOT_FOUND", "")]);
    partner.get(&format!("{list}?sort=created")).await.errors(400, &[("UNKNOWN_PARAMETER", "sort")]);
    world.stop().await;
}
