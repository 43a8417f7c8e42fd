//! Changes by keys where a second person is needed: nothing changes before another person approves, and then that very change, once.

use landfall::config::staff::MakerChecker;
use landfall::domain::ids::{ApprovalId, Mode};
use landfall::gateway::access::Scope;
use landfall::gateway::approvals::ApprovalError;
use landfall::gateway::moderation::Decider;
use serde_json::{Value, json};

use crate::world::{Answer, World};

const SCHEMES: &str = "/v1/payout-gateway/payout-schemes";
const ROUTES: &str = "/v1/payout-gateway/payout-routes";

async fn world() -> World {
    World::without_workers(|settings| settings.staff.maker_checker = MakerChecker::Always).await
}

fn checker() -> Decider {
    Decider { actor: "staff:ora@landfall.example".to_owned(), origin: Some("192.0.2.7".to_owned()) }
}

async fn approve(world: &World, id: ApprovalId) -> Result<(), ApprovalError> {
    world.app.gateway.approve(&checker(), Mode::Test, id, "looked at").await
}

/// The approval that an answer names.
fn waits(answer: &Answer) -> ApprovalId {
    assert_eq!(answer.status, 202, "{answer:?}");
    let body = answer.json();
    assert!(body["data"].is_null() && body["meta"]["note"].is_string(), "{body}");
    body["meta"]["approval"]["id"].as_str().unwrap().parse().unwrap()
}

fn direct(routes: Value) -> Value {
    json!({ "services": { "card_eur": { "strategies": [{ "strategy": "direct", "routes": routes }] } } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_in_force_once_another_person_approved_it() {
    let world = world().await;
    let house = world.backend_of("house", Mode::Test, &Scope::ALL).await;
    let body = direct(json!(["sandbox-a-card-eur"]));
    let made = house.post(SCHEMES, "payout-scheme", json!({ "code": "std", "name": "Standard", "body": body })).await;
    assert_eq!(made.json()["meta"]["approval"]["object"], "new");
    let listed = format!("{SCHEMES}?filter[code]=std");
    assert_eq!(house.get(&listed).await.data(200), json!([]), "nothing is there yet");
    approve(&world, waits(&made)).await.unwrap();
    assert!(matches!(approve(&world, waits(&made)).await, Err(ApprovalError::Over)), "once");
    let scheme = house.get(&listed).await.data(200)[0].clone();
    let versions = format!("{SCHEMES}/{}/versions", scheme["id"].as_str().unwrap());

    // What is wrong is told at once, and waits for nobody.
    house
        .post(&versions, "payout-scheme-version", json!({ "body": [] }))
        .await
        .errors(422, &[("WRONG_TYPE", "/data/attributes/body")]);
    let two = direct(json!(["sandbox-b-card-eur"]));
    let keyed = house.header("Idempotency-Key", "publish");
    let next = keyed.post(&versions, "payout-scheme-version", json!({ "body": two })).await;
    assert_eq!(
        keyed.post(&versions, "payout-scheme-version", json!({ "body": two })).await.text,
        next.text,
        "a replay"
    );
    house.post(&versions, "payout-scheme-version", json!({ "body": body })).await.errors(409, &[("WAITS_ALREADY", "")]);
    let current = format!("{SCHEMES}/{}", scheme["id"].as_str().unwrap());
    assert_eq!(house.get(&current).await.data(200)["attributes"]["version"], 1);
    let own = Decider { actor: house.key_id.clone(), origin: None };
    let refused = world.app.gateway.approve(&own, Mode::Test, waits(&next), "mine").await;
    assert!(matches!(refused, Err(ApprovalError::SamePerson)), "{refused:?}");
    let elsewhere = world.app.gateway.approve(&checker(), Mode::Live, waits(&next), "looked at").await;
    assert!(matches!(elsewhere, Err(ApprovalError::NotFound)), "{elsewhere:?}");
    approve(&world, waits(&next)).await.unwrap();
    let now = house.get(&current).await.data(200);
    assert_eq!((&now["attributes"]["version"], &now["attributes"]["body"]), (&json!(2), &two));
    let version = house.get(&format!("{versions}/2")).await.data(200);
    assert_eq!(version["attributes"]["created_by"], house.key_id, "by whoever asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_when_it_is_asked_for_and_opens_nothing_before_it_is_approved() {
    let world = world().await;
    let asking = world.backend().await;
    let wish = json!({ "name": "shop", "scopes": ["payouts:read", "keys:read"] });
    let keyed = asking.header("Idempotency-Key", "key");
    let asked = keyed.post("/v1/api-keys", "api-key", wish.clone()).await;
    let secret = asked.json()["meta"]["approval"]["secret"].as_str().unwrap().to_owned();
    let replay = keyed.post("/v1/api-keys", "api-key", wish).await;
    assert_eq!((waits(&replay), replay.json()["meta"]["approval"]["secret"].is_null()), (waits(&asked), true));
    let shop = world.holder(&secret, "");
    assert_eq!(shop.get("/v1/api-keys").await.status, 401);
    approve(&world, waits(&asked)).await.unwrap();
    assert_eq!(shop.get("/v1/api-keys").await.status, 200);

    // Whoever may do less later may not have had more made before.
    let wide = asking.post("/v1/api-keys", "api-key", json!({ "name": "wide", "scopes": ["keys:write"] })).await;
    let revoked = asking.act(&format!("/v1/api-keys/{}/revoke", asking.key_id)).await;
    assert_eq!(revoked.status, 200, "revoking waits for nobody: {revoked:?}");
    let stale = approve(&world, waits(&wide)).await;
    assert!(matches!(stale, Err(ApprovalError::Stale(_))), "{stale:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_meanwhile_is_not_overwritten_and_a_stop_waits_for_nobody() {
    let world = world().await;
    let house = world.backend_of("house", Mode::Test, &Scope::ALL).await;
    let id = world.route("sandbox-a-test-usd").await;
    let route = format!("{ROUTES}/{id}");
    let weight = house.patch(&route, "payout-route", json!({ "weight": 7 })).await;
    assert_eq!(house.get(&route).await.data(200)["attributes"]["weight"], 1);
    let stopped = house.patch(&route, "payout-route", json!({ "enabled": false })).await;
    assert_eq!(stopped.data(200)["attributes"]["enabled"], false);
    let stale = approve(&world, waits(&weight)).await;
    assert!(matches!(&stale, Err(ApprovalError::Stale(why)) if why.contains("has changed")), "{stale:?}");
    let now = house.get(&route).await.data(200);
    assert_eq!((&now["attributes"]["weight"], &now["attributes"]["enabled"]), (&json!(1), &json!(false)));
    let started = house.patch(&route, "payout-route", json!({ "enabled": true, "weight": 7 })).await;
    approve(&world, waits(&started)).await.unwrap();
    let now = house.get(&route).await.data(200);
    assert_eq!((&now["attributes"]["weight"], &now["attributes"]["enabled"]), (&json!(7), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_wait_stand_nowhere_in_the_clear_and_are_never_told() {
    let world = world().await;
    let backend = world.backend().await;
    let secret = "a-secret-of-the-provider-0123456789";
    let wish = json!({ "provider": "test", "credentials": { "callback_secret": secret } });
    let asked = backend.post("/v1/payout-gateway/provider-accounts", "provider-account", wish).await;
    let id = waits(&asked);
    let hex = hex::encode(secret);
    let stored = format!(
        "SELECT count(*) FROM approval WHERE encode(change || told, 'hex') LIKE '%{hex}%' OR approval::text LIKE '%{secret}%'"
    );
    assert_eq!(world.count(&stored).await, 0);
    let page = world.app.gateway.approval(Mode::Test, id).await.unwrap().unwrap();
    assert!(!serde_json::to_string(&page.told).unwrap().contains(secret));
    assert_eq!(world.count(&format!("SELECT count(*) FROM audit WHERE audit::text LIKE '%{secret}%'")).await, 0);
}
