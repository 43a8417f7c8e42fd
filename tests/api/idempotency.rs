//! `Idempotency-Key`: a write is done once.

use reqwest::Method;
use serde_json::json;

use crate::world::{PAID, World, card, offer, with};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_with_what_was_saved() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let keyed = alice.header("Idempotency-Key", "offer-1");
    let body = offer(&card_id, "100");
    let first = keyed.post("/v4/payout/offer", &body).await;
    first.ok();
    assert_eq!(first.header("idempotency-replayed"), None);
    world.advance(30);
    let second = keyed.post("/v4/payout/offer", &body).await;
    assert_eq!((second.text.as_str(), second.status), (first.text.as_str(), 200));
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(world.count("SELECT count(*) FROM offer").await, 1);
    // Keys are a user's own.
    let bob = world.user("bob");
    let bobs = bob.card(PAID).await;
    world.rates_ready().await;
    let answer = bob.header("Idempotency-Key", "offer-1").post("/v4/payout/offer", &offer(&bobs, "100")).await;
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (200, None));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_of_one_request_only() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let keyed = alice.header("Idempotency-Key", "k");
    let body = offer(&card_id, "100");
    keyed.post("/v4/payout/offer", &body).await.ok();
    keyed.post("/v4/payout/offer", &with(&body, "amount", json!("101"))).await.refused(422, "IDEMPOTENCY_MISMATCH");
    keyed.post("/v4/payout/card", &card(PAID)).await.refused(422, "IDEMPOTENCY_MISMATCH");
    keyed.delete(&format!("/v4/payout/card/{card_id}")).await.refused(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(world.count("SELECT count(*) FROM card WHERE hidden_at IS NULL").await, 1);
    for bad in ["", "a b", &"k".repeat(256)] {
        let answer = alice.header("Idempotency-Key", bad).post("/v4/payout/offer", &body).await;
        answer.invalid("Idempotency-Key");
    }
    let twice = keyed.header("Idempotency-Key", "l");
    twice.post("/v4/payout/offer", &body).await.invalid("Idempotency-Key");
    // The key is free again after 24 hours.
    world.advance(24 * 3_600);
    world.rates_ready().await;
    let later = world.user("alice").header("Idempotency-Key", "k");
    let answer = later.post("/v4/payout/offer", &with(&body, "amount", json!("101"))).await;
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (200, None));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_repeats_at_once_do_it_once() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let keyed = alice.header("Idempotency-Key", "storm");
    let body = offer(&card_id, "100");
    let answers = futures_util::future::join_all((0..100).map(|_| keyed.post("/v4/payout/offer", &body))).await;
    let mut ids = std::collections::BTreeSet::new();
    for answer in answers {
        match answer.status {
            200 => drop(ids.insert(answer.json()["offerId"].to_string())),
            _ => drop(answer.refused(409, "REQUEST_IN_PROGRESS")),
        }
    }
    assert_eq!((ids.len(), world.count("SELECT count(*) FROM offer").await), (1, 1));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_carried_out_lets_go_of_its_key() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let keyed = alice.header("Idempotency-Key", "mended");
    let body = offer(&card_id, "100");
    keyed.post("/v4/payout/offer", &with(&body, "amount", json!("1.123456789"))).await.invalid("amount");
    keyed.post("/v4/payout/offer", &with(&body, "cardId", json!(1234567890123456_i64))).await.refused(404, "NOT_FOUND");
    let answer = keyed.post("/v4/payout/offer", &body).await;
    assert_eq!((answer.status, answer.header("idempotency-replayed")), (200, None));
    // A refusal by a rule is an answer: it is replayed.
    let refused = alice.header("Idempotency-Key", "unknown pair");
    refused.post("/v4/payout/offer", &body).await.invalid("Idempotency-Key");
    let refused = alice.header("Idempotency-Key", "unknown-pair");
    let unknown = with(&body, "toCurrency", json!("CHF"));
    let first = refused.post("/v4/payout/offer", &unknown).await;
    first.refused(400, "PAIR_NOT_SUPPORTED");
    let second = refused.post("/v4/payout/offer", &unknown).await;
    assert_eq!((second.text.as_str(), second.header("idempotency-replayed")), (first.text.as_str(), Some("true")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_process_loses_its_key() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let keyed = alice.header("Idempotency-Key", "dead");
    let body = offer(&card_id, "100");
    keyed.post("/v4/payout/offer", &body).await.ok();
    // As a process leaves it that died before it answered.
    world.execute("UPDATE idempotency_key SET response_status = NULL, response_body = NULL").await;
    let waiting = keyed.post("/v4/payout/offer", &body).await;
    waiting.refused(409, "REQUEST_IN_PROGRESS");
    assert!(waiting.header("retry-after").is_some());
    world.advance(60);
    world.rates_ready().await;
    keyed.post("/v4/payout/offer", &body).await.ok();
    assert_eq!(keyed.post("/v4/payout/offer", &body).await.header("idempotency-replayed"), Some("true"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_and_addresses_are_replayed_too() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let address = json!({ "address": "a", "city": "c", "countryCode": "DE", "zip": "1" });
    let path = format!("/v4/payout/card/{card_id}");
    let keyed = alice.header("Idempotency-Key", "address");
    let first = keyed.put(&format!("{path}/billing-address"), &address).await;
    assert_eq!(keyed.put(&format!("{path}/billing-address"), &address).await.text, first.text);
    let keyed = alice.header("Idempotency-Key", "delete");
    for replayed in [None, Some("true")] {
        let answer = keyed.text(Method::DELETE, &path, "").await;
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (204, replayed));
    }
    world.stop().await;
}
