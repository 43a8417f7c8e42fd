//! `POST /v4/payout/card`, its billing address, its end, and `GET /v4/payout/data`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{PAID, World, card};

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_added_once_however_it_is_written() {
    let world = World::new().await;
    let alice = world.user_at("alice", 0);
    let added = alice.post("/v4/payout/card", &card(PAID)).await.ok();
    assert_eq!((&added["cardType"], &added["maskedPan"]), (&json!("VISA"), &json!("4111***1111")));
    assert_eq!((&added["validationStatus"], &added["billingAddressRequired"]), (&json!("APPROVED"), &json!(false)));
    let id = added["cardId"].as_u64().unwrap();
    assert!((1_000_000_000_000_000..1 << 53).contains(&id));
    for same in [
        r#"{"cardNumber":4111111111111111,"cardHolder":"ALICE","cardExpirationYear":2035,"cardExpirationMonth":1}"#,
        r#"{"cardNumber":"4111 1111 1111 1111","cardHolder":"ALICE","cardExpirationYear":"2035","cardExpirationMonth":"01"}"#,
    ] {
        assert_eq!(alice.text(Method::POST, "/v4/payout/card", same).await.ok()["cardId"], id, "{same}");
    }
    let data = alice.get("/v4/payout/data").await.ok();
    assert_eq!(data["cards"].as_array().unwrap().len(), 1);
    // The same card of another user is another card.
    assert_ne!(world.user("bob").card(PAID).await, json!(id));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_is_ever_written_down_or_told() {
    let world = World::new().await;
    let alice = world.user("alice").header("Idempotency-Key", "add-1");
    let added = alice.post("/v4/payout/card", &card(PAID)).await;
    assert!(!added.text.contains(PAID));
    let mistyped = alice.header("X-Request-Id", "x-1").post("/v4/payout/card", &card("4111111111111112")).await;
    assert!(!mistyped.text.contains("4111111111111112"));
    let dump = world.dump().await;
    assert!(dump.contains("1111") && !dump.contains(PAID) && !dump.contains("4111111111111112"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_have_exact_numbers() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("789.35330985").await;
    alice.card(PAID).await;
    let answer = alice.get("/v4/payout/data").await;
    let data = answer.ok();
    assert_eq!(data["validSeconds"], 30);
    let pair = data["pairs"].as_array().unwrap().iter().find(|pair| pair["currencyFrom"] == "USDT").unwrap();
    let text = |value: &Value| value.to_string();
    assert_eq!((pair["currencyTo"].as_str(), text(&pair["rate"])), (Some("EUR"), "0.911106".into()));
    assert_eq!((&pair["amountScaleFrom"], &pair["amountScaleTo"]), (&json!(8), &json!(2)));
    let names = ["rate", "transactionFee", "fixFee", "additionalFee", "crypteriumGas", "partnerFee"];
    assert_eq!(names.map(|name| text(&data["fees"][name])), ["2", "3.5", "2.5", "0", "0", "0"]);
    let limits = data["cards"][0]["pairsLimits"].as_array().unwrap();
    let of_pair = limits.iter().find(|limit| limit["currencyFrom"] == "USDT" && limit["currencyTo"] == "EUR").unwrap();
    assert_eq!(text(&of_pair["allAmountFrom"]), "760.06209697");
    assert!(!answer.text.contains('E') || !answer.text.contains("E-"), "an exponent");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_billing_address_is_taken_and_never_shown() {
    let world = World::new().await;
    let alice = world.user("alice");
    let id = alice.card(PAID).await;
    let path = format!("/v4/payout/card/{id}/billing-address");
    let address = json!({ "address": "10 Rue Été", "city": "Zürich", "countryCode": "CH", "zip": "8001", "state": "" });
    let answer = alice.put(&path, &address).await;
    assert_eq!(answer.ok()["cardId"], id);
    assert!(!answer.text.contains("Zürich"));
    assert!(!world.dump().await.contains("Zürich"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_card_is_gone_and_can_come_back() {
    let world = World::new().await;
    let alice = world.user("alice");
    let id = alice.card(PAID).await;
    let path = format!("/v4/payout/card/{id}");
    let deleted = alice.delete(&path).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    alice.delete(&path).await.refused(404, "NOT_FOUND");
    assert_eq!(alice.get("/v4/payout/data").await.ok()["cards"], json!([]));
    alice.post("/v4/payout/offer", &crate::world::offer(&id, "100")).await.refused(404, "NOT_FOUND");
    alice.card(PAID).await;
    assert_eq!(alice.get("/v4/payout/data").await.ok()["cards"].as_array().unwrap().len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_only_so_many_cards() {
    let world = World::with(|settings| settings.wallet.cards_per_customer_max = 1).await;
    let alice = world.user("alice");
    alice.card(PAID).await;
    alice.post("/v4/payout/card", &card("4242424242424242")).await.refused(400, "TOO_MANY_CARDS");
    alice.card(PAID).await;
    world.stop().await;
}
