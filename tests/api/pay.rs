//! Paying, the payout as it stands, the history and the balances.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::offers::balance;
use crate::world::{PAID, World};

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_paid_and_paying_again_changes_nothing() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("789.35330985").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "760.06209697").await;
    let first = alice.pay(&offer["offerId"]).await;
    let paid = first.ok();
    for (field, text) in [
        ("status", "\"SUCCESS\""),
        ("amountFrom", "760.06209697"),
        ("amountTo", "692.49"),
        ("feeAmount", "29.29121288"),
        ("totalFrom", "789.35330985"),
        ("currencyFrom", "\"USDT\""),
        ("currencyTo", "\"EUR\""),
        ("resolution", "\"ok\""),
    ] {
        assert_eq!(paid[field].to_string(), text, "{field}");
    }
    assert_eq!(paid["offerId"], offer["offerId"]);
    assert_eq!(alice.pay(&offer["offerId"]).await.ok(), paid);
    assert_eq!(alice.get(&format!("/v4/payout/pay/{}", offer["offerId"])).await.ok(), paid);
    assert_eq!(balance(&alice.get("/v4/wallet/balances").await.ok()), ("0".into(), "0".into()));
    let update = json!({ "amount": 200, "fromCurrency": "USDT", "toCurrency": "EUR" });
    let path = format!("/v4/payout/offer/{}", offer["offerId"]);
    alice.put(&path, &update).await.refused(400, "OFFER_ALREADY_EXECUTED");
    assert_eq!(alice.get(&path).await.ok()["status"], "PAID");

    let history = alice.get("/v4/payout/history").await.ok();
    let entry = &history["payouts"][0];
    assert_eq!((&entry["offerId"], &entry["maskedPan"]), (&offer["offerId"], &json!("4111***1111")));
    assert_eq!(entry["amountTo"].to_string(), "692.49");
    assert!(entry["acceptedAt"].as_str().unwrap().ends_with('Z') && entry["finalAt"].is_string());
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pay_may_name_the_version_that_its_user_saw() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/pay/{}", offer["offerId"]);
    let refusal =
        alice.text(Method::POST, &format!("{path}?version=2"), "{}").await.refused(409, "OFFER_VERSION_CONFLICT");
    assert_eq!(refusal["data"], json!({ "version": 1 }));
    alice.header("If-Match", "\"7\"").text(Method::POST, &path, "").await.refused(409, "OFFER_VERSION_CONFLICT");
    alice.header("If-Match", "7").text(Method::POST, &path, "").await.invalid("If-Match");
    alice.header("If-Match", "\"2\"").text(Method::POST, &format!("{path}?version=1"), "").await.invalid("If-Match");
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 0);
    let paid = alice.header("If-Match", "\"1\"").text(Method::POST, &format!("{path}?version=1"), "{}").await.ok();
    assert_eq!(paid["status"], "SUCCESS");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_of_zero_answers_at_once_and_the_payout_goes_on() {
    let world = World::with(|settings| settings.providers.test.latency_ms = 1_500).await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let started = Instant::now();
    let answer = alice.header("Prefer", "wait=0").pay(&offer["offerId"]).await;
    assert_eq!(answer.ok()["status"], "PENDING");
    assert_eq!(answer.ok()["resolution"], json!(null));
    assert_eq!(answer.header("preference-applied"), Some("wait=0"));
    assert!(started.elapsed() < Duration::from_millis(1_400));
    assert_eq!(alice.pay(&offer["offerId"]).await.ok()["status"], "SUCCESS");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pay_outlives_its_caller() {
    let world = World::with(|settings| settings.providers.test.latency_ms = 300).await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/pay/{}", offer["offerId"]);
    let gone = alice.request(Method::POST, &path).timeout(Duration::from_millis(100)).send().await;
    assert!(gone.is_err());
    assert_eq!(alice.pay(&offer["offerId"]).await.ok()["status"], "SUCCESS");
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_card_gives_everything_back() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card("4000000000130205").await;
    let offer = alice.offer(&card_id, "100").await;
    let answer = alice.pay(&offer["offerId"]).await.ok();
    assert_eq!(answer["status"], "FAILED");
    assert_eq!(answer["resolution"], "card_restricted");
    assert_eq!(balance(&alice.get("/v4/wallet/balances").await.ok()), ("3000".into(), "0".into()));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_comes_in_pages() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    for _ in 0..3 {
        let offer = alice.offer(&card_id, "50").await;
        world.advance(1);
        alice.pay(&offer["offerId"]).await.ok();
    }
    let first = alice.get("/v4/payout/history?limit=2").await.ok();
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = alice.get(&format!("/v4/payout/history?limit=2&cursor={cursor}")).await.ok();
    assert_eq!((first["payouts"].as_array().unwrap().len(), second["payouts"].as_array().unwrap().len()), (2, 1));
    assert_eq!(second["nextCursor"], json!(null));
    assert!(first["payouts"][0]["acceptedAt"].as_str() > second["payouts"][0]["acceptedAt"].as_str());
    for bad in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1&limit=2", "offset=1", "cursor=x", "limit=1e1"] {
        assert_eq!(alice.get(&format!("/v4/payout/history?{bad}")).await.refusal()["error"], "NOT_VALID_REQUEST_DATA");
    }
    world.stop().await;
}
