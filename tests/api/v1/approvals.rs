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
    let at_once = futures_util::future::join_all((0..8).map(|_| approve(&world, waits(&asked)))).await;
    assert_eq!(at_once.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(at_once.iter().flat_map(|answer| answer.as_ref().err()).all(|error| matches!(error, ApprovalError::Over)));
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
    let wish = page.wish.unwrap();
    assert_eq!(wish, json!({ "provider": "test", "credentials": { "callback_secret": "(not shown)" } }));
    assert_eq!(world.count(&format!("SELECT count(*) FROM audit WHERE audit::text LIKE '%{secret}%'")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asked_is_told_what_became_of_it_and_nobody_else() {
    let world = world().await;
    let house = world.backend_of("house", Mode::Test, &Scope::ALL).await;
    let told = |id: ApprovalId| format!("/v1/approvals/{id}");
    let body = direct(json!(["sandbox-a-card-eur"]));
    let made = house.post(SCHEMES, "payout-scheme", json!({ "code": "std", "name": "Standard", "body": body })).await;
    let id = waits(&made);
    let open = house.get(&told(id)).await.data(200);
    assert_eq!((&open["id"], &open["attributes"]["status"]), (&json!(id.to_string()), &json!("open")));
    assert!(open["attributes"]["made"].is_null() && open["attributes"]["asked_by"] == house.key_id, "{open}");

    // Neither another partner, nor another mode, nor a key that couldn't have asked.
    world.backend().await.get(&told(id)).await.errors(404, &[("NOT_FOUND", "")]);
    let live = world.backend_of("house", Mode::Live, &Scope::ALL).await;
    live.get(&told(id)).await.errors(404, &[("NOT_FOUND", "")]);
    let reader = world.backend_of("house", Mode::Test, &[Scope::RoutingRead, Scope::KeysWrite]).await;
    reader.get(&told(id)).await.errors(403, &[("SCOPE_MISSING", "")]);
    let none = world.backend_of("house", Mode::Test, &[Scope::RoutingRead]).await;
    none.get(&told(ApprovalId::new())).await.errors(403, &[("SCOPE_MISSING", "")]);
    house.get(&told(ApprovalId::new())).await.errors(404, &[("NOT_FOUND", "")]);

    approve(&world, id).await.unwrap();
    let applied = house.get(&told(id)).await.data(200);
    let scheme = house.get(&format!("{SCHEMES}?filter[code]=std")).await.data(200)[0]["id"].clone();
    assert_eq!((&applied["attributes"]["status"], &applied["attributes"]["made"]), (&json!("applied"), &scheme));
    assert!(applied["attributes"]["reason"].is_null() && !applied.to_string().contains("ora@"), "{applied}");

    let route = format!("{ROUTES}/{}", world.route("sandbox-a-test-usd").await);
    let declined = waits(&house.patch(&route, "payout-route", json!({ "weight": 7 })).await);
    world.app.gateway.decline(&checker(), Mode::Test, declined, "not this week").await.unwrap();
    let told_so = house.get(&told(declined)).await.data(200);
    let attributes = &told_so["attributes"];
    assert_eq!((&attributes["status"], &attributes["reason"]), (&json!("declined"), &json!("not this week")));

    let late = waits(&house.patch(&route, "payout-route", json!({ "weight": 8 })).await);
    world.advance(4 * 24 * 3600);
    assert_eq!(house.get(&told(late)).await.data(200)["attributes"]["status"], "expired");
}

/// The largest body that is taken, and what is sealed of it is longer than it.
#[tokio::test(flavor = "multi_thread")]
async fn a_scheme_as_long_as_a_body_may_be_waits_like_any_other_and_is_shown_whole() {
    let world = world().await;
    let house = world.backend_of("house", Mode::Test, &Scope::ALL).await;
    let names: Vec<String> = (0..900).map(|n| format!("{n:0>62}")).collect();
    let condition = json!({ "attribute": "customer.reference", "operator": "in", "value": names });
    let strategies = json!({ "strategies": [{ "strategy": "direct", "routes": ["sandbox-a-card-eur"] }] });
    let mut wish = json!({ "code": "long", "name": "Long",
        "body": { "services": { "card_eur": { "if": condition, "then": strategies, "else": strategies } } } });
    let whole = |wish: &Value| json!({ "data": { "type": "payout-scheme", "attributes": wish } }).to_string().len();
    // Up to the last byte, but for a few of the document's own.
    let room = 65_500 - whole(&wish);
    wish["body"]["services"]["card_eur"]["if"]["value"][0] = json!("x".repeat(62 + room.min(130)));
    let mut n = 1;
    while whole(&wish) < 65_400 {
        let room = (65_400 - whole(&wish)).min(130);
        wish["body"]["services"]["card_eur"]["if"]["value"][n] = json!(format!("{n}{}", "y".repeat(60 + room)));
        n += 1;
    }
    assert!((65_300..65_536).contains(&whole(&wish)), "{}", whole(&wish));
    let id = waits(&house.post(SCHEMES, "payout-scheme", wish.clone()).await);
    let page = world.app.gateway.approval(Mode::Test, id).await.unwrap().unwrap();
    assert_eq!(page.wish.unwrap()["body"], wish["body"], "whoever approves sees what they approve");
    approve(&world, id).await.unwrap();
    let scheme = house.get(&format!("{SCHEMES}?filter[code]=long")).await.data(200)[0]["id"].clone();
    let made = house.get(&format!("{SCHEMES}/{}", scheme.as_str().unwrap())).await.data(200);
    assert_eq!(made["attributes"]["body"], wish["body"]);
}
