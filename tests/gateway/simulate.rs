//! Simulating payout schemes: on a sample, and on requests that were really made. Nothing is changed by it.

use landfall::domain::ids::PayoutSchemeId;
use landfall::gateway::access::Caller;
use landfall::gateway::simulate::{Found, Replay, Simulation};
use rust_decimal::dec;
use serde_json::{Value, json};

use crate::manage::{caller, code_of, expect_problems, given, world};
use crate::world::{PAID, World};

fn over(strategy: &str, routes: Value) -> Value {
    json!({ "services": { "card_eur": { "strategies": [{ "strategy": strategy, "routes": routes }] } } })
}

fn both(strategy: &str) -> Value {
    over(strategy, json!(["sandbox-a-card-eur", "sandbox-b-card-eur"]))
}

/// The house's scheme that really routes: everything over the first account.
async fn default_scheme(world: &World, house: &Caller) -> PayoutSchemeId {
    let body = over("direct", json!(["sandbox-a-card-eur"]));
    let made = given(json!({ "code": "default", "name": "Default", "body": body }));
    world.app.gateway.create_scheme::<PayoutSchemeId>(house, &made).await.unwrap().0.id
}

/// Requests that were really made and paid.
async fn paid(world: &World, amounts: &[&str]) {
    for (n, amount) in amounts.iter().enumerate() {
        world.accepted(&format!("user-{n}"), PAID, amount).await;
        world.advance(1_000);
    }
    for _ in 0..3 {
        world.step().await;
    }
}

fn replay(simulation: Simulation) -> Replay {
    match simulation.found {
        Found::Replay(replay) => replay,
        Found::Sample(sample) => panic!("a sample: {sample:?}"),
    }
}

/// Everything that is written down, as text, with who wrote or locked each row last.
async fn dump(world: &World) -> Vec<String> {
    let (client, driver) = world.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let mut dump = Vec::new();
    for table in client.query(tables, &[]).await.unwrap() {
        let table: &str = table.get(0);
        for row in client
            .query(&format!("SELECT '{table} ' || xmin || ' ' || t::text FROM {table} t ORDER BY 1"), &[])
            .await
            .unwrap()
        {
            dump.push(row.get(0));
        }
    }
    driver.abort();
    dump
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_compares_what_was_with_what_would_be_and_changes_nothing() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let house = caller(&world, "house").await;
    let id = default_scheme(&world, &house).await;
    paid(&world, &["100", "100", "100", "100", "50"]).await;
    let before = dump(&world).await;
    assert!(before.iter().any(|row| row.starts_with("payout ")));

    let same = replay(gateway.simulate_payout_scheme(&house, id, &given(json!({ "last": 10 }))).await.unwrap());
    assert_eq!((same.requests, same.moved, same.of_other_services), (5, 0, 0));
    let [share] = same.shares.as_slice() else { panic!("{same:?}") };
    assert_eq!(
        (share.route.as_str(), share.before, share.before.amount),
        ("sandbox-a-card-eur", share.after, dec!(450))
    );
    assert_eq!(share.before.percent, dec!(100));

    let draft = given(json!({ "last": 4, "body": both("optimal") }));
    let equal = replay(gateway.simulate_payout_scheme(&house, id, &draft).await.unwrap());
    let shares: Vec<_> = equal.shares.iter().map(|s| (s.route.as_str(), s.before.payouts, s.after.payouts)).collect();
    assert_eq!(shares, [("sandbox-a-card-eur", 4, 2), ("sandbox-b-card-eur", 0, 2)]);
    assert_eq!((equal.moved, equal.examples.len()), (2, 2));
    let example = &equal.examples[0];
    assert_eq!(
        (example.before[0].route.as_str(), example.after.parts[0].route.as_str()),
        ("sandbox-a-card-eur", "sandbox-b-card-eur")
    );
    assert!(example.after.in_words().iter().any(|line| line.contains("sandbox-b-card-eur: chosen")));

    // Conditions look at each request as it was.
    let large = json!({ "attribute": "amount", "operator": ">=", "value": 100 });
    let split = json!({ "services": { "card_eur": { "if": large,
        "then": { "strategies": [{ "strategy": "direct", "routes": ["sandbox-b-card-eur"] }] }, "else": { "reject": "Too small." } } } });
    let draft = given(json!({ "last": 100, "body": split }));
    let cut = replay(gateway.simulate_payout_scheme(&house, id, &draft).await.unwrap());
    assert_eq!(cut.shares.iter().map(|s| s.after.amount).sum::<rust_decimal::Decimal>(), dec!(400));
    let nowhere: Vec<_> = cut.not_routed.iter().map(|n| (n.outcome, n.before, n.after)).collect();
    assert_eq!(nowhere, [("rejected", 0, 1)]);

    let others = json!({ "services": { "card_usd": { "strategies": [{ "strategy": "direct", "routes": ["sandbox-a-card-usd"] }] } } });
    let draft = given(json!({ "last": 3, "body": others }));
    let none = replay(gateway.simulate_payout_scheme(&house, id, &draft).await.unwrap());
    assert_eq!((none.requests, none.of_other_services), (0, 3));
    assert_eq!(dump(&world).await, before);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_decides_as_dispatch_does() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let house = caller(&world, "house").await;
    let id = default_scheme(&world, &house).await;
    for strategy in ["optimal", "weight", "balance", "conversion", "cost"] {
        gateway.publish_scheme(&house, id, &given(json!({ "body": both(strategy) }))).await.unwrap();
        let accepted = world.accepted(strategy, PAID, "70").await;
        let asked = given(json!({ "last": 1 }));
        let [foreseen] =
            replay(gateway.simulate_payout_scheme(&house, id, &asked).await.unwrap()).examples.try_into().unwrap();
        world.step().await;
        let [payout] = world.payouts(&accepted).await.try_into().unwrap();
        assert_eq!(foreseen.request_id, accepted.request_id);
        assert_eq!(foreseen.after.parts[0].route_id, payout.route_id, "{strategy}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheme_is_simulated_by_its_owner_on_its_owners_requests() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let (house, acme) = (caller(&world, "house").await, caller(&world, "acme").await);
    let id = default_scheme(&world, &house).await;
    paid(&world, &["100"]).await;
    let last = given(json!({ "last": 10 }));
    assert_eq!(code_of(gateway.simulate_payout_scheme(&acme, id, &last).await), "NOT_FOUND");

    let account = gateway.create_provider_account(&acme, &given(json!({ "provider": "test" }))).await.unwrap();
    let deposit = json!({ "provider_account_id": account.id.to_string(), "currency": "EUR" });
    let deposit = gateway.create_deposit_account(&acme, &given(deposit)).await.unwrap();
    let route = json!({ "code": "mine", "service": "card_eur", "deposit_account_id": deposit.id.to_string() });
    gateway.create_route(&acme, &given(route)).await.unwrap();
    let own = given(json!({ "name": "Own", "body": over("direct", json!(["mine"])) }));
    let (own, _) = gateway.create_scheme::<PayoutSchemeId>(&acme, &own).await.unwrap();
    let own = replay(gateway.simulate_payout_scheme(&acme, own.id, &last).await.unwrap());
    assert_eq!(own.requests, 0, "what goes over the house's accounts is not a partner's to see");

    let sample = json!({ "service": "card_xyz", "service_amount": "1.001", "card": { "scheme": "visa", "iin": "4111x" },
        "customer": { "kyc_level": 9, "shoe_size": 44 }, "at": "yesterday" });
    expect_problems(
        gateway.simulate_payout_scheme(&house, id, &given(json!({ "version": 1, "body": {}, "sample": sample }))).await,
        &[
            ("/body", "MISSING"),
            ("/sample/at", "INVALID_VALUE"),
            ("/sample/card/iin", "INVALID_VALUE"),
            ("/sample/card/scheme", "INVALID_VALUE"),
            ("/sample/customer/kyc_level", "OUT_OF_RANGE"),
            ("/sample/customer/shoe_size", "UNKNOWN_MEMBER"),
            ("/sample/service", "UNKNOWN_SERVICE"),
            ("/version", "SUPERFLUOUS"),
        ],
    );
    for (asked, pointer, code) in [
        (json!({}), "/sample", "MISSING"),
        (json!({ "last": 0 }), "/last", "OUT_OF_RANGE"),
        (json!({ "last": 1001 }), "/last", "OUT_OF_RANGE"),
        (json!({ "last": 1, "sample": { "service": "card_eur", "service_amount": 1 } }), "/last", "SUPERFLUOUS"),
    ] {
        expect_problems(gateway.simulate_payout_scheme(&house, id, &given(asked)).await, &[(pointer, code)]);
    }
    let gone = given(json!({ "last": 1, "version": 7 }));
    assert_eq!(code_of(gateway.simulate_payout_scheme(&house, id, &gone).await), "NOT_FOUND");
    world.finish().await;
}

/// A condition on a card's issuer is met by what the file knows of the digits that are kept, in dispatch and in a simulation alike.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_routed_by_who_issued_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines = "# Source: a test\n# Date: 2026-11-21\nfirst,last,scheme,type,brand,issuer,country\n\
                 411111,411111,VISA,prepaid,,,LT\n";
    std::fs::write(file.path(), lines).unwrap();
    let path = file.path().to_owned();
    let world = World::with(|settings| settings.gateway.issuers_file = Some(path), Vec::new()).await;
    let gateway = &world.app.gateway;
    let house = caller(&world, "house").await;
    let id = default_scheme(&world, &house).await;
    let direct = |route: &str| json!({ "strategies": [{ "strategy": "direct", "routes": [route] }] });
    let is_prepaid = json!({ "all": [
        { "attribute": "card.type", "operator": "=", "value": "prepaid" },
        { "attribute": "card.issuer_country", "operator": "=", "value": "LT" },
    ] });
    let body = json!({ "services": { "card_eur": { "if": is_prepaid,
        "then": direct("sandbox-b-card-eur"), "else": direct("sandbox-a-card-eur") } } });
    gateway.publish_scheme(&house, id, &given(json!({ "body": body }))).await.unwrap();

    for (user, number, route) in
        [("alice", PAID, "sandbox-b-card-eur"), ("bob", "5555555555554444", "sandbox-a-card-eur")]
    {
        let accepted = world.accepted(user, number, "70").await;
        world.step().await;
        let [payout] = world.payouts(&accepted).await.try_into().unwrap();
        let snapshot = gateway.snapshot().await.unwrap();
        assert_eq!(snapshot.route(payout.route_id).unwrap().code, route);
    }
    let again = replay(gateway.simulate_payout_scheme(&house, id, &given(json!({ "last": 2 }))).await.unwrap());
    assert_eq!((again.requests, again.moved), (2, 0));
    world.finish().await;
}
