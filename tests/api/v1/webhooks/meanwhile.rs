//! What is asked for, or changed, while a message is under way.

use chrono::TimeDelta;
use landfall::gateway::webhooks::telling::{Places, Ready, Tried};
use serde_json::json;

use super::*;

/// What is due, as a process claims it that then waits for the receiver's answer.
async fn claimed(world: &World) -> Vec<Ready> {
    let places = Places::for_all(10);
    world.app.gateway.claim_deliveries(places).await.unwrap()
}

/// The claimed one's try, answered now with that status.
async fn answered(world: &World, ready: &Ready, status: u16) {
    let error = (status >= 300).then(|| format!("answered {status}"));
    let (claimed, at) = (ready.claimed.clone(), world.app.clock.now());
    let tried = Tried { claimed, at, took: TimeDelta::zero(), status: Some(status), error, asked: None };
    world.app.gateway.complete_deliveries(&[tried]).await.unwrap();
}

async fn pinged(partner: &Partner<'_>, endpoint: &Endpoint) -> String {
    let ping = partner.act(&format!("{}/ping", endpoint.path)).await.data(201);
    ping["links"]["self"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_anew_is_not_put_off_by_the_try_before_it() {
    let world = World::without_workers(settings).await;
    let partner = world.backend().await;
    let endpoint = endpoint(&partner, "http://127.0.0.1:9000/", &[]).await;
    let path = pinged(&partner, &endpoint).await;
    let hangs = claimed(&world).await;
    assert_eq!(hangs.len(), 1);
    partner.act(&format!("{path}/resend")).await.data(200);
    answered(&world, &hangs[0], 503).await;
    let again = claimed(&world).await;
    assert_eq!(again.len(), 1, "it waits for a later try");
    assert_eq!((again[0].claimed.tries, &again[0].body), (1, &hangs[0].body));
    answered(&world, &again[0], 200).await;
    assert_eq!(partner.get(&path).await.data(200)["attributes"]["status"], "delivered");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_is_given_back_once() {
    let world = World::without_workers(settings).await;
    let partner = world.backend().await;
    let endpoint = endpoint(&partner, "http://127.0.0.1:9000/", &[]).await;
    pinged(&partner, &endpoint).await;
    let one = claimed(&world).await;
    let claims: Vec<_> = one.iter().map(|ready| &ready.claimed).collect();
    let conn = world.app.db.get().await.unwrap();
    for _ in 0..2 {
        landfall::store::webhooks::claims::give_back(&conn, &claims, world.app.clock.now()).await.unwrap();
    }
    drop(conn);
    let counted = "SELECT count(*) FROM webhook_delivery WHERE attempts = 0 AND tries = 0 AND state = 'pending'";
    assert_eq!(world.count(counted).await, 1);
    assert_eq!(claimed(&world).await.len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_address_did_says_nothing_of_the_one_after_it() {
    let world = World::without_workers(settings).await;
    let partner = world.backend().await;
    let endpoint = endpoint(&partner, "http://127.0.0.1:9000/old", &[]).await;
    pinged(&partner, &endpoint).await;
    let old = claimed(&world).await;
    answered(&world, &old[0], 500).await;
    assert!(!partner.get(&endpoint.path).await.data(200)["attributes"]["failing_since"].is_null());
    let path = pinged(&partner, &endpoint).await;
    let old = claimed(&world).await;
    let moved = json!({ "url": "http://127.0.0.1:9000/new" });
    let moved = partner.patch(&endpoint.path, "webhook-endpoint", moved).await.data(200);
    assert!(moved["attributes"]["failing_since"].is_null(), "{moved}");
    // The one that is gone is the old one.
    answered(&world, &old[0], 410).await;
    let now = partner.get(&endpoint.path).await.data(200);
    assert_eq!((&now["attributes"]["enabled"], &now["attributes"]["disabled_reason"]), (&json!(true), &json!(null)));
    // The new one says so itself.
    partner.act(&format!("{path}/resend")).await.data(200);
    let new = claimed(&world).await;
    answered(&world, &new[0], 410).await;
    assert_eq!(partner.get(&endpoint.path).await.data(200)["attributes"]["disabled_reason"], "gone");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_does_not_wait_for_a_later_try() {
    let world = World::without_workers(settings).await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let endpoint = endpoint(&partner, "http://127.0.0.1:9000/", &["payout_request.created"]).await;
    for _ in 0..3 {
        partner.asked(super::super::requests::manual(&world.point().await)).await;
    }
    for ready in claimed(&world).await.iter().skip(1) {
        answered(&world, ready, 500).await;
    }
    assert!(claimed(&world).await.is_empty());
    // Two wait for their next try; the third is under way.
    let path = format!("{}/replay", endpoint.path);
    let replay = json!({ "from": "2020-01-01T00:00:00Z" });
    let answer = partner.post(&path, "webhook-replay", replay.clone()).await.json();
    assert_eq!(answer["meta"]["count"], 0, "they are due within the time of a try");
    for _ in 0..2 {
        world.clock.advance(TimeDelta::hours(2));
        for ready in claimed(&world).await {
            answered(&world, &ready, 500).await;
        }
    }
    assert!(claimed(&world).await.is_empty());
    let answer = partner.post(&path, "webhook-replay", replay).await.json();
    assert_eq!(answer["meta"]["count"], 3);
    assert_eq!(claimed(&world).await.len(), 3);
    world.stop().await;
}
