//! Credits of customers' wallets.

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use serde_json::{Value, json};

use crate::world::{World, with};

fn credit(reference: &str) -> Value {
    json!({ "reference_id": reference, "customer_reference_id": "alice", "asset": "USDT", "amount": 12.5 })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_credited_once() {
    let world = World::new().await;
    let partner = world.backend().await;
    let first = partner.post("/v1/wallet/credits", "wallet-credit", credit("c1")).await.data(201);
    assert_eq!(first["attributes"]["amount"], json!("12.5"));
    let again = with(&credit("c1"), "amount", json!("12.50"));
    assert_eq!(partner.post("/v1/wallet/credits", "wallet-credit", again).await.data(201), first);
    assert_eq!(partner.get("/v1/wallet/credits/c1").await.data(200), first);
    for (member, value) in
        [("amount", json!("12.51")), ("asset", json!("BTC")), ("customer_reference_id", json!("bob"))]
    {
        let other = with(&credit("c1"), member, value);
        partner.post("/v1/wallet/credits", "wallet-credit", other).await.errors(409, &[("REFERENCE_TAKEN", "")]);
    }
    let balances = world.user("alice").get("/v4/wallet/balances").await.ok();
    assert_eq!(balances["balances"][0]["available"].to_string(), "12.5");
    let answers = futures_util::future::join_all((0..30).map(|n| {
        let wish = with(&credit("storm"), "customer_reference_id", json!(format!("user-{}", n % 3)));
        async { partner.post("/v1/wallet/credits", "wallet-credit", wish).await.status }
    }))
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 10, "{answers:?}");
    assert_eq!(world.count("SELECT count(*) FROM entry WHERE kind = 'credit'").await, 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_credits_are_refused() {
    let world = World::new().await;
    let partner = world.backend().await;
    for (member, value, code) in [
        ("amount", json!(0), "INVALID_VALUE"),
        ("amount", json!(-1), "INVALID_VALUE"),
        ("amount", json!("0.000000001"), "INVALID_VALUE"),
        ("amount", json!("1e30"), "INVALID_VALUE"),
        ("amount", json!(true), "WRONG_TYPE"),
        ("asset", json!("DOGE"), "INVALID_VALUE"),
        ("reference_id", json!("a b"), "INVALID_VALUE"),
        ("customer_id", json!("cus_1"), "INVALID_VALUE"),
        ("partner", json!("house"), "INVALID_VALUE"),
    ] {
        let pointer = format!("/data/attributes/{member}");
        let answer = partner.post("/v1/wallet/credits", "wallet-credit", with(&credit("c"), member, value)).await;
        answer.errors(422, &[(code, &pointer)]);
    }
    assert_eq!(world.count("SELECT count(*) FROM entry WHERE kind = 'credit'").await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_house_credits_customers_of_partners_in_live_mode() {
    let world = World::new().await;
    let house = world.backend_of("house", Mode::Live, &Scope::ALL).await;
    let wish = with(&credit("c1"), "partner", json!("demo"));
    house.post("/v1/wallet/credits", "wallet-credit", wish).await.data(201);
    let readers: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::FundsWrite).collect();
    let partner = world.backend_of("demo", Mode::Live, &readers).await;
    partner.get("/v1/wallet/credits/c1").await.data(200);
    partner.post("/v1/wallet/credits", "wallet-credit", credit("c2")).await.errors(403, &[("SCOPE_MISSING", "")]);
    world.backend().await.get("/v1/wallet/credits/c1").await.errors(404, &[("NOT_FOUND", "")]);
    world.stop().await;
}
