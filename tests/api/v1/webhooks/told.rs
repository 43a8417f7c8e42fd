//! What is told, and to whom.

use chrono::TimeDelta;
use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use serde_json::json;

use super::receiver::Answers;
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_is_told_step_by_step_and_signed() {
    let world = world().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let receiver = Receiver::new();
    let endpoint = endpoint(&partner, &format!("{}/hook?a=1", receiver.url), &[]).await;
    let made = paid(&partner, |wanted| wanted["metadata"] = json!({ "order": "4711" })).await;
    receiver.until_told("payout_request.processed").await;
    let messages = receiver.until(4).await;
    let mut kinds: Vec<_> = messages.iter().map(|message| message.kind()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["payout.processed", "payout.started", "payout_request.created", "payout_request.processed"]);
    let events = partner.get("/v1/events?page%5Bsize%5D=100").await.data(200);
    for message in &messages {
        assert_eq!(message.path, "/hook");
        assert!(message.is_signed_with(&endpoint.secret), "{message:?}");
        assert_eq!(message.headers["content-type"], "application/json");
        let (body, sent) = (message.json(), message.headers["webhook-timestamp"].parse::<i64>().unwrap());
        assert!((sent - world.app.clock.now().timestamp()).abs() <= 1);
        // The message is an event's, and says which.
        let event = events.as_array().unwrap().iter().find(|event| event["id"] == message.id()).unwrap();
        assert_eq!(body["data"]["event_id"], event["id"]);
        assert_eq!(body["data"]["sequence"], event["attributes"]["sequence"]);
        assert_eq!(body["timestamp"], event["attributes"]["created"]);
        assert_eq!(body["data"]["request_id"], made["id"]);
        assert_eq!(body["data"]["reference_id"], made["attributes"]["reference_id"]);
        assert_eq!(body["data"]["metadata"], json!({ "order": "4711" }));
    }
    let last = receiver.until_told("payout_request.processed").await.json();
    assert_eq!((&last["data"]["status"], &last["data"]["final"]), (&json!("processed"), &json!(true)));
    assert_eq!((&last["data"]["processed_amount"], &last["data"]["service_amount"]), (&json!("1"), &json!("1")));
    // Each was taken at once, and stands as such in the log.
    let log = until_over(&partner, &endpoint, 4).await;
    for delivery in log {
        assert_eq!(
            (&delivery["attributes"]["status"], &delivery["attributes"]["attempts"]),
            (&json!("delivered"), &json!(1))
        );
        let one = partner.get(delivery["links"]["self"].as_str().unwrap()).await.data(200);
        assert_eq!(one["attributes"]["tries"][0]["status"], 200);
    }
    assert_eq!(receiver.received().len(), 4, "something was told twice");
    world.stop().await;
}

/// Waits until as many deliveries are over.
async fn until_over(partner: &Partner<'_>, endpoint: &Endpoint, count: usize) -> Vec<serde_json::Value> {
    for _ in 0..500 {
        let found = partner.get(&format!("{}/deliveries", endpoint.path)).await.data(200);
        let over: Vec<_> =
            found.as_array().unwrap().iter().filter(|one| one["attributes"]["status"] != "pending").cloned().collect();
        if over.len() >= count {
            return over;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{count} deliveries were waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_hears_of_nothing_that_it_does_not_want() {
    let world = world().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let (all, some) = (Receiver::new(), Receiver::new());
    endpoint(&partner, &all.url, &["payout_request.*", "payout.*"]).await;
    endpoint(&partner, &some.url, &["payout_request.processed"]).await;
    paid(&partner, |_| {}).await;
    all.until(4).await;
    some.until(1).await;
    let kinds: Vec<_> = some.received().iter().map(|message| message.kind()).collect();
    assert_eq!(kinds, ["payout_request.processed"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_anothers_payouts_nor_of_those_of_the_other_mode() {
    let world = world().await;
    let (own, strange, live) = (Receiver::new(), Receiver::new(), Receiver::new());
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    world.partner("other").await;
    let other = world.backend_of("other", Mode::Test, &Scope::ALL).await;
    endpoint(&partner, &own.url, &[]).await;
    let theirs = endpoint(&other, &strange.url, &[]).await;
    // The other mode takes no address of this machine: its row is written by hand.
    let live_id = uuid::Uuid::now_v7();
    world
        .execute(&format!(
            "INSERT INTO webhook_endpoint SELECT partner_id, 'live', '{live_id}', kind, '{}', description, types, secrets_sealed, NULL, NULL, \
             NULL, NULL, created_by, created_at FROM webhook_endpoint WHERE url = '{}'",
            live.url, own.url
        ))
        .await;
    paid(&partner, |_| {}).await;
    own.until_told("payout_request.processed").await;
    assert!(strange.received().is_empty() && live.received().is_empty());
    assert_eq!(world.count("SELECT count(*) FROM webhook_delivery WHERE mode = 'live'").await, 0);
    for path in [theirs.path.clone(), format!("{}/deliveries", theirs.path)] {
        partner.get(&path).await.errors(404, &[("NOT_FOUND", "")]);
    }
    partner.act(&format!("{}/ping", theirs.path)).await.errors(404, &[("NOT_FOUND", "")]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_an_address_of_its_own() {
    let world = world().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let receiver = Receiver::new();
    let address = format!("{}/orders/4711", receiver.url);
    paid(&partner, |wanted| wanted["callback_url"] = json!(address)).await;
    let told = receiver.until_told("payout_request.processed").await;
    assert_eq!(told.path, "/orders/4711");
    // What signs it is nobody's yet: whoever wants to check it asks for a secret.
    let endpoints = partner.get("/v1/webhook-endpoints").await.data(200);
    assert_eq!((endpoints.as_array().unwrap().len(), &endpoints[0]["attributes"]["url"]), (1, &json!(null)));
    let path = endpoints[0]["links"]["self"].as_str().unwrap().to_owned();
    let rotated = partner.post(&format!("{path}/rotate-secret"), "webhook-secret-rotation", json!({})).await.data(200);
    let secret = rotated["attributes"]["secret"].as_str().unwrap();
    paid(&partner, |wanted| wanted["callback_url"] = json!(address)).await;
    let messages = receiver.until(8).await;
    assert_eq!(messages.iter().filter(|message| message.is_signed_with(secret)).count(), 4);
    // It stays, and can be switched off.
    partner.text(reqwest::Method::DELETE, &path, "").await.errors(409, &[("ENDPOINT_KEPT", "")]);
    partner.patch(&path, "webhook-endpoint", json!({ "enabled": false })).await.data(200);
    paid(&partner, |wanted| wanted["callback_url"] = json!(address)).await;
    assert_eq!(world.count("SELECT count(*) FROM webhook_delivery").await, 8);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_secret_signs_until_its_time_is_over() {
    let world = world().await;
    let partner = world.backend().await;
    let receiver = Receiver::new();
    let first = endpoint(&partner, &receiver.url, &[]).await;
    let rotate = format!("{}/rotate-secret", first.path);
    let rotated = partner.post(&rotate, "webhook-secret-rotation", json!({ "overlap_secs": 600 })).await.data(200);
    let second = rotated["attributes"]["secret"].as_str().unwrap().to_owned();
    partner.act(&format!("{}/ping", first.path)).await.data(201);
    let ping = receiver.until(1).await.remove(0);
    assert_eq!(ping.kind(), "webhook_endpoint.ping");
    assert!(ping.is_signed_with(&first.secret) && ping.is_signed_with(&second));
    world.clock.advance(TimeDelta::seconds(601));
    partner.act(&format!("{}/ping", first.path)).await.data(201);
    let ping = receiver.until(2).await.remove(1);
    assert!(!ping.is_signed_with(&first.secret) && ping.is_signed_with(&second));
    // Known to others: at once.
    let rotated = partner.post(&rotate, "webhook-secret-rotation", json!({ "overlap_secs": 0 })).await.data(200);
    partner.act(&format!("{}/ping", first.path)).await.data(201);
    let ping = receiver.until(3).await.remove(2);
    assert!(!ping.is_signed_with(&second) && ping.is_signed_with(rotated["attributes"]["secret"].as_str().unwrap()));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_keeps_nobody_waiting() {
    let world = World::with(|settings| {
        super::settings(settings);
        settings.webhooks.timeout_ms = 60_000;
        settings.webhooks.calls_max = 8;
        settings.webhooks.receiver_calls_max = 2;
    })
    .await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let (dead, living) = (Receiver::new(), Receiver::new());
    dead.answer(Answers::Never);
    endpoint(&partner, &dead.url, &[]).await;
    endpoint(&partner, &living.url, &[]).await;
    for _ in 0..5 {
        paid(&partner, |_| {}).await;
    }
    living.until(20).await;
    assert_eq!(dead.received().len(), 2, "it has its places and no more");
    // Its calls break off, and nobody has to wait a minute for them.
    drop(dead);
    world.stop().await;
}
