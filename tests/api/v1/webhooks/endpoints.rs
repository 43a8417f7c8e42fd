//! Endpoints as a resource: what they may be, and what of them is told.

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use reqwest::Method;
use serde_json::json;

use super::*;

const COLLECTION: &str = "/v1/webhook-endpoints";
const KIND: &str = "webhook-endpoint";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_told_once_and_kept_nowhere_in_the_clear() {
    let world = world().await;
    let partner = world.backend().await.header("Idempotency-Key", "made-once");
    let wanted =
        json!({ "url": "https://shop.example/landfall", "description": "orders", "event_types": ["payout.*"] });
    let made = partner.post(COLLECTION, KIND, wanted.clone()).await.data(201);
    let secret = made["attributes"]["secret"].as_str().unwrap().to_owned();
    let again = partner.post(COLLECTION, KIND, wanted).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let replayed = again.data(201);
    assert_eq!((&replayed["id"], &replayed["attributes"]["secret"]), (&made["id"], &json!(null)));
    let found = partner.get(made["links"]["self"].as_str().unwrap()).await.data(200);
    assert!(found["attributes"].get("secret").is_none());
    assert_eq!(found["attributes"]["event_types"], json!(["payout.*"]));
    assert!(!world.dump().await.contains(&secret[10..40]), "a secret is in the database");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_may_not_be_is_told_and_changes_nothing() {
    let world = World::new().await;
    let partner = world.backend().await;
    for url in [
        "ftp://shop.example/",
        "https://user:word@shop.example/",
        "https://shop.example/#there",
        "http://127.0.0.1:9000/",
        "http://[::1]/hook",
        "http://169.254.169.254/latest",
        "http://2130706433/",
        "https://shop.example:22/",
        "nowhere at all",
    ] {
        let answer = partner.post(COLLECTION, KIND, json!({ "url": url })).await;
        answer.errors(422, &[("INVALID_URL", "/data/attributes/url")]);
    }
    let wanted = json!({ "url": "https://shop.example/4111111111111111", "event_types": ["card.made"], "more": 1 });
    assert_eq!(partner.post(COLLECTION, KIND, wanted).await.status, 422);
    let live = world.backend_of("demo", Mode::Live, &[Scope::WebhooksRead, Scope::WebhooksWrite]).await;
    let answer = live.post(COLLECTION, KIND, json!({ "url": "http://shop.example/" })).await;
    answer.errors(422, &[("INVALID_URL", "/data/attributes/url")]);
    assert_eq!(world.count("SELECT count(*) FROM webhook_endpoint").await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_endpoints_than_are_configured() {
    let world = World::with(|settings| settings.webhooks.endpoints_max = 2).await;
    let partner = world.backend().await;
    let make = || partner.post(COLLECTION, KIND, json!({ "url": "https://shop.example/" }));
    let first = make().await.data(201);
    make().await.data(201);
    make().await.errors(409, &[("TOO_MANY_ENDPOINTS", "")]);
    let path = first["links"]["self"].as_str().unwrap();
    assert_eq!(partner.text(Method::DELETE, path, "").await.status, 204);
    partner.get(path).await.errors(404, &[("NOT_FOUND", "")]);
    make().await.data(201);
    assert_eq!(partner.get(COLLECTION).await.data(200).as_array().unwrap().len(), 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_inside_is_not_called() {
    // Nothing of this machine is to be called, and the name leads to it.
    let world = World::with(|settings| settings.webhooks.poll_ms = 20).await;
    let partner = world.backend().await;
    let receiver = Receiver::new();
    let port = receiver.url.rsplit_once(':').unwrap().1;
    let endpoint = super::endpoint(&partner, &format!("http://localhost:{port}/"), &[]).await;
    let ping = partner.act(&format!("{}/ping", endpoint.path)).await.data(201);
    let path = ping["links"]["self"].as_str().unwrap();
    let mut tried = json!(null);
    for _ in 0..500 {
        tried = partner.get(path).await.data(200)["attributes"]["last_error"].clone();
        if !tried.is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // Neither the address nor why is told.
    assert_eq!(tried, "can't be connected to");
    assert!(receiver.received().is_empty());
    world.stop().await;
}
