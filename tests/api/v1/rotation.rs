//! A provider account's secrets are changed while payouts go out over it: the adapter is Adyen's, the provider a stage on loopback that
//! knows two API keys and answers as Adyen does.

use std::sync::{Arc, Condvar, Mutex};

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use landfall::providers::adyen::signature;
use reqwest::Method;
use serde_json::{Value, json};

use super::Partner;
use super::requests::REQUESTS;
use crate::stage::{Answer as Told, Seen, Stage};
use crate::world::{Answer, World};

const BASE: &str = "/v1/payout-gateway";
const KIND: &str = "provider-account";
const BALANCE_ACCOUNT: &str = "BA00000000000000000000001";
const API_KEYS: [&str; 2] = ["the first API key", "the second API key"];
/// As Adyen makes them: 32 bytes in hexadecimal.
const HMAC_KEYS: [&str; 4] = [
    "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
    "55782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA057",
    "66782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA058",
    "77782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA059",
];
const DAY_SECS: i64 = 86_400;

/// Shut, the provider answers no payment.
#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn set(&self, is_shut: bool) {
        *self.is_shut.lock().unwrap() = is_shut;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let _open = self.moved.wait_while(self.is_shut.lock().unwrap(), |is_shut| *is_shut).unwrap();
    }
}

/// A transfer as Adyen tells of it.
fn transfer(reference: &Value, value: i64, status: &str) -> Value {
    let (balance, received, sequence) = if status == "booked" { (-value, 0, 3) } else { (0, -value, 1) };
    json!({
        "amount": { "currency": "EUR", "value": value }, "balanceAccount": { "id": BALANCE_ACCOUNT },
        "balances": [{ "balance": balance, "currency": "EUR", "received": received, "reserved": 0 }],
        "category": "card", "creationDate": "2026-03-01T13:00:00+01:00", "direction": "outgoing",
        "id": "6JKRLZ8LOT000001", "reason": if status == "booked" { "approved" } else { "pending" }, "reference": reference,
        "sequenceNumber": sequence, "status": status, "type": "cardTransfer",
    })
}

fn provider(seen: &Seen, gate: &Gate) -> Told {
    if !seen.header("X-API-Key").is_some_and(|key| API_KEYS.contains(&key)) {
        let refusal = json!({ "status": 401, "errorCode": "000", "message": "Unauthorized", "errorType": "security" });
        return Told::json(401, &refusal);
    }
    if seen.is_order() {
        gate.pass();
        let asked = seen.json();
        let value = asked["amount"]["value"].as_i64().unwrap();
        return Told::json(202, &transfer(&asked["reference"], value, "received"));
    }
    // Nothing is told by asking: only callbacks end a payout here.
    Told::json(503, &json!({}))
}

struct Scene {
    world: World,
    stage: Stage,
    gate: Arc<Gate>,
    account: Value,
    point: Value,
}

impl Scene {
    async fn new() -> Self {
        let gate = Arc::new(Gate::default());
        let kept = Arc::clone(&gate);
        let stage = Stage::open(move |seen| provider(seen, &kept));
        let world = World::with(|settings| {
            settings.providers.adyen.test_url.clone_from(&stage.url);
            settings.worker.housekeeping_ms = 100;
        })
        .await;
        let partner = world.backend().await;
        let made = async |collection: &str, kind: &str, attributes: Value| {
            partner.post(&format!("{BASE}/{collection}"), kind, attributes).await.data(201)
        };
        let account = json!({ "code": "adyen", "provider": "adyen", "settings": { "balance_account_id": BALANCE_ACCOUNT },
            "credentials": { "api_key": API_KEYS[0], "hmac_key": HMAC_KEYS[0] } });
        let account = made("provider-accounts", KIND, account).await;
        let deposit = json!({ "code": "adyen", "provider_account_id": account["id"], "currency": "EUR" });
        let deposit = made("deposit-accounts", "deposit-account", deposit).await;
        // As a sync would bring it: the stage tells no balance.
        world.execute("UPDATE deposit_account SET balance = 10000 WHERE code = 'adyen'").await;
        let route = json!({ "code": "adyen", "service": "card_eur", "deposit_account_id": deposit["id"] });
        made("payout-routes", "payout-route", route).await;
        let body =
            json!({ "services": { "card_eur": { "strategies": [{ "strategy": "direct", "routes": ["adyen"] }] } } });
        let scheme = made("payout-schemes", "payout-scheme", json!({ "name": "Adyen", "body": body })).await;
        let point =
            json!({ "name": "Own", "currencies": ["EUR"], "funding": "own_deposit", "payout_scheme_id": scheme["id"] });
        let point = made("payout-points", "payout-point", point).await["id"].clone();
        Self { world, stage, gate, account, point }
    }

    async fn partner(&self) -> Partner<'_> {
        self.world.backend().await
    }

    fn path(&self) -> &str {
        self.account["links"]["self"].as_str().unwrap()
    }

    /// Changes the account, and answers its attributes.
    async fn change(&self, attributes: Value) -> Value {
        self.partner().await.patch(self.path(), KIND, attributes).await.data(200)["attributes"].clone()
    }

    async fn ask(&self, amount: &str) -> Value {
        let asked = json!({ "point_id": self.point, "point_currency": "EUR", "service": "card_eur", "service_amount": amount,
            "fields": { "card_number": "4111111111111111", "card_expiry_month": "12", "card_expiry_year": "2035",
                "card_holder": "GRACE HOPPER", "address": "274 Brannan St", "city": "San Francisco", "country_code": "US",
                "zip": "94107", "state": "CA" } });
        self.partner().await.asked(asked).await["id"].clone()
    }

    /// The orders that the provider got, once there are `count`.
    async fn orders(&self, count: usize) -> Vec<Seen> {
        for _ in 0..500 {
            let orders: Vec<Seen> = self.stage.seen().into_iter().filter(Seen::is_order).collect();
            if orders.len() >= count {
                return orders;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{count} orders never came: {:?}", self.stage.seen());
    }

    /// Waits until the provider's answer to the one payout was read.
    async fn until_sent(&self, partner: &Partner<'_>, payouts: &str) {
        for _ in 0..500 {
            let listed = partner.get(payouts).await.data(200);
            if listed[0]["attributes"]["status"] == "pending" {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("no answer was read: {}", partner.get(payouts).await.text);
    }

    /// Posts the callback that books the order, signed with a key.
    async fn books(&self, order: &Seen, key: &str) -> Answer {
        let asked = order.json();
        let data = transfer(&asked["reference"], asked["amount"]["value"].as_i64().unwrap(), "booked");
        let notice = json!({ "data": data, "environment": "test", "timestamp": "2026-03-01T13:00:02+01:00",
            "type": "balancePlatform.transfer.updated" });
        let body = notice.to_string();
        let signature = signature::sign(&key.into(), body.as_bytes()).unwrap();
        let url = format!("{}/v1/provider-callbacks/{}", self.world.url, self.account["id"].as_str().unwrap());
        let request = self.world.client.request(Method::POST, url).header(signature::HEADER, signature);
        self.world.send(request.body(body)).await
    }

    /// No secret stands anywhere in the database, whatever happened.
    async fn ends(self) {
        let dump = self.world.dump().await;
        for secret in API_KEYS.iter().chain(&HMAC_KEYS) {
            assert!(!dump.contains(secret) && !dump.contains(&secret.to_lowercase()));
        }
        self.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn the_next_send_takes_the_new_secret_and_one_under_way_keeps_its_own() {
    let scene = Scene::new().await;
    scene.gate.set(true);
    let first = scene.ask("10").await;
    assert_eq!(scene.orders(1).await[0].header("X-API-Key"), Some(API_KEYS[0]));

    let changed = scene.change(json!({ "credentials": { "api_key": API_KEYS[1] } })).await;
    assert_eq!(changed["credentials_set"], json!(["api_key", "hmac_key"]));
    assert_eq!(changed["previous_callback_keys_until"], Value::Null, "no callback is verified with it");
    let second = scene.ask("20").await;
    let orders = scene.orders(2).await;
    assert_eq!(orders[1].header("X-API-Key"), Some(API_KEYS[1]));

    // The first one's answer comes after the change, and counts.
    scene.gate.set(false);
    let partner = scene.partner().await;
    for (id, order) in [(&first, &orders[0]), (&second, &orders[1])] {
        let path = format!("{REQUESTS}/{}/payouts", id.as_str().unwrap());
        scene.until_sent(&partner, &path).await;
        assert_eq!(scene.books(order, HMAC_KEYS[0]).await.status, 200);
        partner.until(id, "processed").await;
    }
    assert_eq!(scene.orders(2).await.len(), 2, "each was sent once");
    scene.world.verified().await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn callbacks_under_the_key_before_are_taken_for_a_day() {
    let scene = Scene::new().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(scene.ask("10").await);
    }
    let orders = scene.orders(6).await;
    assert_eq!(scene.books(&orders[0], HMAC_KEYS[1]).await.status, 401, "not ours yet: asked about, and not believed");

    let changed = scene.change(json!({ "credentials": { "hmac_key": HMAC_KEYS[1] } })).await;
    let until = |attributes: &Value| -> chrono::DateTime<chrono::Utc> {
        attributes["previous_callback_keys_until"].as_str().unwrap().parse().unwrap()
    };
    let now = landfall::clock::Clock::now(&scene.world.clock);
    assert!((until(&changed) - now).num_seconds().abs_diff(DAY_SECS) <= 1, "{changed}");
    // The old key, the new one, and a signature under neither.
    assert_eq!(scene.books(&orders[0], HMAC_KEYS[0]).await.status, 200);
    assert_eq!(scene.books(&orders[1], HMAC_KEYS[1]).await.status, 200);
    assert_eq!(scene.books(&orders[2], HMAC_KEYS[2]).await.status, 401);
    // A key that was mistyped and put right: what came before it still counts. The last word of who says how long is the shorter one.
    scene.change(json!({ "credentials": { "hmac_key": HMAC_KEYS[2] } })).await;
    scene.change(json!({ "credentials": { "hmac_key": HMAC_KEYS[3] }, "name": "Adyen" })).await;
    assert_eq!(scene.books(&orders[2], HMAC_KEYS[0]).await.status, 200);
    assert_eq!(scene.books(&orders[3], HMAC_KEYS[1]).await.status, 200);
    let renamed = scene.change(json!({ "name": "Adyen in Europe" })).await;
    let shorter = scene.change(json!({ "callback_key_overlap_secs": 3600 })).await;
    let not_longer = scene.change(json!({ "callback_key_overlap_secs": 2 * DAY_SECS })).await;
    assert!(until(&shorter) < until(&renamed), "{shorter}");
    assert_eq!(not_longer["previous_callback_keys_until"], shorter["previous_callback_keys_until"]);

    scene.world.advance(3_601);
    assert_eq!(scene.books(&orders[4], HMAC_KEYS[0]).await.status, 401, "its time is over");
    assert_eq!(scene.books(&orders[4], HMAC_KEYS[3]).await.status, 200);
    // A key that leaked is refused from now on.
    let changed =
        scene.change(json!({ "credentials": { "hmac_key": HMAC_KEYS[0] }, "callback_key_overlap_secs": 0 })).await;
    assert_eq!(changed["previous_callback_keys_until"], Value::Null);
    assert_eq!(scene.books(&orders[5], HMAC_KEYS[3]).await.status, 401);
    assert_eq!(scene.books(&orders[5], HMAC_KEYS[0]).await.status, 200);

    let partner = scene.partner().await;
    for id in &ids {
        partner.until(id, "processed").await;
    }
    scene.world.verified().await;
    scene.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_whose_time_is_over_leave_the_database() {
    let scene = Scene::new().await;
    scene.change(json!({ "credentials": { "hmac_key": HMAC_KEYS[1] }, "callback_key_overlap_secs": 60 })).await;
    let kept = "SELECT count(*) FROM provider_account WHERE callback_keys_sealed IS NOT NULL";
    assert_eq!(scene.world.count(kept).await, 1);
    scene.world.advance(61);
    for _ in 0..500 {
        if scene.world.count(kept).await == 0 {
            let account = scene.partner().await.get(scene.path()).await.data(200);
            assert_eq!(account["attributes"]["previous_callback_keys_until"], Value::Null);
            assert_eq!(account["attributes"]["version"], 2, "nobody changed it");
            return scene.ends().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("they stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_is_checked_and_only_a_change_says_it() {
    let scene = Scene::new().await;
    let partner = scene.partner().await;
    let at = "/data/attributes/callback_key_overlap_secs";
    let change = |value: Value| json!({ "callback_key_overlap_secs": value });
    for value in [json!(-1), json!(2_592_001)] {
        partner.patch(scene.path(), KIND, change(value)).await.errors(422, &[("OUT_OF_RANGE", at)]);
    }
    partner.patch(scene.path(), KIND, change(json!("a day"))).await.errors(422, &[("WRONG_TYPE", at)]);
    let new = json!({ "provider": "test", "callback_key_overlap_secs": 60 });
    let path = format!("{BASE}/provider-accounts");
    partner.post(&path, KIND, new).await.errors(422, &[("UNKNOWN_MEMBER", at)]);
    // Who may only read doesn't change secrets.
    let reader = scene.world.backend_of("demo", Mode::Test, &[Scope::RoutingRead]).await;
    assert_eq!(
        reader.patch(scene.path(), KIND, json!({ "credentials": { "hmac_key": HMAC_KEYS[1] } })).await.status,
        403
    );
    scene.ends().await;
}
