//! What partners prefund, over HTTP.

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::requests::{manual, path_of, sample};
use crate::world::{World, with};

const CREDITS: &str = "/v1/partner-accounts/credits";
const KIND: &str = "partner-credit";

fn credit(reference: &str) -> Value {
    json!({ "reference_id": reference, "currency": "USD", "amount": "12.50" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_adds_up_to_the_balance() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    partner.funded("EUR", "5").await;
    let point = world.point().await;
    let paid = partner.asked(sample(&point)).await;
    partner.until(&paid["id"], "processed").await;
    let canceled = partner.asked(manual(&point)).await;
    partner.act(&format!("{}/cancel", path_of(&canceled))).await.data(200);
    partner.asked(manual(&point)).await;
    let lines = partner.get("/v1/partner-accounts/statement?sort=created&page[size]=100").await.data(200);
    let of = |name: &str, currency: &str| -> Decimal {
        let lines = lines.as_array().unwrap().iter().map(|line| &line["attributes"]);
        let amounts = lines.filter(|line| line["currency"] == currency).map(|line| line[name].as_str().unwrap());
        amounts.map(|amount| amount.parse::<Decimal>().unwrap()).sum()
    };
    let balance = partner.funds("USD").await;
    assert_eq!(balance, ("98".to_owned(), "1".to_owned()));
    assert_eq!((of("available", "USD").to_string(), of("held", "USD").to_string()), balance);
    assert_eq!(of("available", "EUR").to_string(), "5");
    let kinds: Vec<&str> =
        lines.as_array().unwrap().iter().map(|line| line["attributes"]["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["credit", "credit", "hold", "settle", "hold", "release", "hold"]);
    assert_eq!(lines[2]["attributes"]["request_id"], paid["id"]);
    assert!(lines[3]["attributes"]["payout_id"].as_str().is_some_and(|id| id.starts_with("po_")));
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_credited_once_and_live_money_by_the_house_alone() {
    let world = World::new().await;
    let partner = world.backend().await;
    let first = partner.post(CREDITS, KIND, credit("c1")).await.data(201);
    assert_eq!((&first["attributes"]["amount"], &first["attributes"]["available"]), (&json!("12.5"), &json!("12.5")));
    let answers = futures_util::future::join_all(
        (0..10).map(|_| async { partner.post(CREDITS, KIND, credit("c2")).await.status }),
    );
    assert!(answers.await.iter().all(|status| *status == 201));
    assert_eq!(partner.funds("USD").await.0, "25");
    let other = with(&credit("c1"), "amount", json!(13));
    partner.post(CREDITS, KIND, other).await.errors(409, &[("REFERENCE_REUSED", "")]);
    for (member, value, code) in [
        ("amount", json!(0), "INVALID_AMOUNT"),
        ("amount", json!("0.001"), "INVALID_AMOUNT"),
        ("currency", json!("XYZ"), "UNKNOWN_CURRENCY"),
        ("reference_id", json!("4111111111111111"), "CARD_NUMBER"),
        ("partner", json!("demo"), "INVALID_VALUE"),
        ("test_mode", json!(false), "MODE_MISMATCH"),
        ("point", json!("x"), "UNKNOWN_MEMBER"),
    ] {
        let at = format!("/data/attributes/{member}");
        partner.post(CREDITS, KIND, with(&credit("c3"), member, value)).await.errors(422, &[(code, &at)]);
    }
    let house = world.backend_of("house", Mode::Live, &Scope::ALL).await;
    house.post(CREDITS, KIND, credit("l1")).await.errors(422, &[("PARTNER_REQUIRED", "/data/attributes/partner")]);
    house
        .post(CREDITS, KIND, with(&credit("l1"), "partner", json!("nobody")))
        .await
        .errors(422, &[("INVALID_VALUE", "/data/attributes/partner")]);
    house.post(CREDITS, KIND, with(&credit("l1"), "partner", json!("demo"))).await.data(201);
    let live = world.backend_of("demo", Mode::Live, &[Scope::FundsRead]).await;
    assert_eq!(live.funds("USD").await.0, "12.5");
    assert_eq!(partner.funds("USD").await.0, "25");
    world.verified().await;
    world.stop().await;
}
