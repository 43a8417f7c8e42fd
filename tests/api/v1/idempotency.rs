//! `Idempotency-Key`: a write is done once, and no secret is kept for it.

use serde_json::json;

use super::requests::manual;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_a_new_key_shows_it_without_its_secret() {
    let world = World::new().await;
    let partner = world.backend().await;
    let keyed = partner.header("Idempotency-Key", "k1");
    let wish = json!({ "name": "shop", "scopes": ["payouts:read"] });
    let first = keyed.post("/v1/api-keys", "api-key", wish.clone()).await;
    let secret = first.data(201)["attributes"]["secret"].as_str().unwrap().to_owned();
    let second = keyed.post("/v1/api-keys", "api-key", wish).await;
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    let replayed = second.data(201);
    assert_eq!((&replayed["id"], &replayed["attributes"]["secret"]), (&first.json()["data"]["id"], &json!(null)));
    assert!(second.json()["meta"]["note"].is_string());
    assert_eq!(world.count("SELECT count(*) FROM api_key").await, 2);
    assert!(!world.dump().await.contains(&secret[13..40]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_a_partners_key_s_own_and_of_one_request() {
    let world = World::new().await;
    let (one, two) = (world.backend().await, world.backend().await);
    let wish = |name: &str| json!({ "reference_id": name });
    let (one, two) = (one.header("Idempotency-Key", "k"), two.header("Idempotency-Key", "k"));
    let first = one.post("/v1/customers", "customer", wish("a")).await;
    first.data(201);
    assert_eq!(one.post("/v1/customers", "customer", wish("a")).await.text, first.text);
    one.post("/v1/customers", "customer", wish("b")).await.errors(422, &[("IDEMPOTENCY_MISMATCH", "")]);
    two.post("/v1/customers", "customer", wish("b")).await.data(201);
    for bad in ["", "a b", &"k".repeat(256)] {
        let bad = world.backend().await.header("Idempotency-Key", bad);
        bad.post("/v1/customers", "customer", wish("c")).await.errors(400, &[("INVALID_HEADER", "Idempotency-Key")]);
    }
    one.header("Idempotency-Key", "l")
        .post("/v1/customers", "customer", wish("c"))
        .await
        .errors(400, &[("INVALID_HEADER", "Idempotency-Key")]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_carried_out_lets_go_of_its_key_and_a_conflict_does_not() {
    let world = World::new().await;
    let partner = world.backend().await;
    let mended = partner.header("Idempotency-Key", "mended");
    let bad = json!({ "reference_id": "a", "email": "nobody" });
    mended.post("/v1/customers", "customer", bad).await.errors(422, &[("INVALID_VALUE", "/data/attributes/email")]);
    mended.post("/v1/customers", "customer", json!({ "reference_id": "a" })).await.data(201);
    let conflict = partner.header("Idempotency-Key", "conflict");
    let first = conflict.post("/v1/customers", "customer", json!({ "reference_id": "a" })).await;
    first.errors(409, &[("REFERENCE_TAKEN", "")]);
    let second = conflict.post("/v1/customers", "customer", json!({ "reference_id": "a" })).await;
    assert_eq!((second.text.as_str(), second.header("idempotency-replayed")), (first.text.as_str(), Some("true")));
    world.stop().await;
}

/// A process died after its work was committed and before its answer was saved, and its lease is over.
async fn forget_answers(world: &World) {
    world
        .execute("UPDATE idempotency_key SET response_status = NULL, response_body = NULL, lease_until = created_at")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_only_its_key_names_is_made_once_though_its_process_died() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let keyed = partner.header("Idempotency-Key", "nameless");
    let wish = manual(&world.point().await);
    let first = keyed.ask(wish.clone()).await.data(201);
    for _ in 0..2 {
        forget_answers(&world).await;
        assert_eq!(keyed.ask(wish.clone()).await.data(200)["id"], first["id"]);
    }
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 1);
    assert_eq!(partner.funds("USD").await, ("99".to_owned(), "1".to_owned()));
    // Another key is another request, as is the same one a day later.
    partner.header("Idempotency-Key", "other").ask(wish.clone()).await.data(201);
    world.clock.advance(chrono::TimeDelta::hours(25));
    keyed.ask(wish).await.data(201);
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 3);
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_made_once_though_its_process_died() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let keyed = partner.header("Idempotency-Key", "wages");
    let point = world.point().await;
    let file = "service,service_amount,fields.account,reference_id\ntest_usd,10,a,one\ntest_usd,11,a,\n";
    let first = keyed.upload(&point, "wages", file).await.data(201);
    forget_answers(&world).await;
    let second = keyed.upload(&point, "wages", file).await.data(201);
    assert_eq!((&second["id"], &second["attributes"]["items"]), (&first["id"], &json!(2)));
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 2);
    assert_eq!(partner.funds("USD").await, ("79".to_owned(), "21".to_owned()));
    // Without the key it is another batch.
    assert_ne!(partner.upload(&point, "wages", file).await.data(201)["id"], first["id"]);
    world.verified().await;
    world.stop().await;
}
