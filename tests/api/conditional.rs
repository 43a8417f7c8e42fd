//! Reads that are asked for again: 304 where nothing changed, to whom it was told before; and looks that wait for an end.

use serde_json::json;

use crate::world::{Answer, PAID, World};

fn unchanged(answer: &Answer, tag: &str) {
    assert_eq!((answer.status, answer.text.as_str(), answer.header("etag")), (304, "", Some(tag)), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_not_sent_again_until_it_changed() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    alice.pay(&offer["offerId"]).await.ok();
    let pay = format!("/v4/payout/pay/{}", offer["offerId"]);
    for path in [pay.as_str(), "/v4/payout/history", "/v4/wallet/balances", "/v4/payout/data"] {
        let first = alice.get(path).await;
        let tag = first.header("etag").unwrap_or_else(|| panic!("{path}")).to_owned();
        assert!(tag.starts_with('"'), "{path}: byte for byte");
        unchanged(&alice.header("If-None-Match", &tag).get(path).await, &tag);
        unchanged(&alice.header("If-None-Match", &format!("\"x\", W/{tag}")).get(path).await, &tag);
        assert_eq!(alice.header("If-None-Match", "\"x\"").get(path).await.text, first.text, "{path}");
    }
    let balances = alice.get("/v4/wallet/balances").await;
    alice.fund("1").await;
    let again = alice.header("If-None-Match", balances.header("etag").unwrap()).get("/v4/wallet/balances").await;
    assert_ne!(again.ok(), balances.ok());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_has_changed_when_it_says_something_else_and_not_by_the_time_that_passes() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/offer/{}", offer["offerId"]);
    let first = alice.get(&path).await;
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("W/\""), "not byte for byte: {tag}");
    world.advance(2);
    world.rates_ready().await;
    let known = alice.header("If-None-Match", &tag);
    unchanged(&known.get(&path).await, &tag);
    assert_ne!(alice.get(&path).await.ok()["serverTime"], first.ok()["serverTime"]);
    world.advance(60);
    world.rates_ready().await;
    assert_eq!(known.get(&path).await.ok()["status"], "EXPIRED");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_says_nothing_to_another_user() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice"), world.user("bob"));
    // Both have nothing, so both are answered the same.
    let (hers, his) = (alice.get("/v4/wallet/balances").await, bob.get("/v4/wallet/balances").await);
    assert_eq!(hers.text, his.text);
    assert_ne!(hers.header("etag"), his.header("etag"));
    let with_hers = bob.header("If-None-Match", hers.header("etag").unwrap());
    assert_eq!(with_hers.get("/v4/wallet/balances").await.status, 200);
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/offer/{}", offer["offerId"]);
    let tag = alice.get(&path).await.header("etag").unwrap().to_owned();
    for seen in [tag.as_str(), "*"] {
        bob.header("If-None-Match", seen).get(&path).await.refused(404, "NOT_FOUND");
    }
    let (one, other) = (world.backend().await, world.backend().await);
    let first = one.get("/v1/customers").await;
    let tag = first.header("etag").unwrap();
    unchanged(&one.header("If-None-Match", tag).get("/v1/customers").await, tag);
    assert_eq!(other.header("If-None-Match", tag).get("/v1/customers").await.status, 200);
    assert_eq!(
        one.header("If-None-Match", tag).header("Accept", "application/json").get("/v1/customers").await.status,
        200
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_payout_waits_for_its_end_where_it_is_asked_to() {
    let world = World::with(|settings| settings.providers.test.latency_ms = 700).await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/pay/{}", offer["offerId"]);
    alice.header("Prefer", "wait=5").get(&path).await.refused(404, "NOT_FOUND");
    alice.header("Prefer", "wait=0").pay(&offer["offerId"]).await.ok();
    let now = alice.get(&path).await;
    assert_eq!((&now.ok()["status"], now.header("preference-applied")), (&json!("PENDING"), None));
    let end = alice.header("Prefer", "wait=3600").get(&path).await;
    assert_eq!((&end.ok()["status"], end.header("preference-applied")), (&json!("SUCCESS"), Some("wait=10")));

    let backend = world.backend().await;
    let requests = backend.get("/v1/payout-gateway/payout-requests").await.json();
    let id = requests["data"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/payout-gateway/payout-requests/{id}");
    let end = backend.header("Prefer", "wait=9").get(&path).await;
    assert_eq!(
        (end.data(200)["attributes"]["final"].clone(), end.header("preference-applied")),
        (json!(true), Some("wait=9"))
    );
    world.stop().await;
}
