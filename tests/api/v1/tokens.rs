//! Tokens that a partner's server obtains for its customers: what they open, for how long, and what ends them.

use std::sync::Arc;

use chrono::TimeDelta;
use landfall::clock::Clock;
use landfall::domain::ids::{CustomerId, Mode};
use landfall::gateway::access::Scope;
use landfall::http::auth::customer_tokens::{CustomerTokens, NewToken};
use reqwest::Method;
use serde_json::{Value, json};

use super::Partner;
use crate::keys::{Signer, b64};
use crate::world::{Answer, PAID, World, card};

async fn customer(backend: &Partner<'_>, reference: &str, kyc_level: u8) -> String {
    let new = json!({ "reference_id": reference, "kyc_level": kyc_level });
    let made = backend.post("/v1/customers", "customer", new).await.data(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn obtain(backend: &Partner<'_>, customer_id: &str, wanted: Value) -> Answer {
    backend.post(&format!("/v1/customers/{customer_id}/tokens"), "customer-token", wanted).await
}

async fn token(backend: &Partner<'_>, customer_id: &str, wanted: Value) -> String {
    obtain(backend, customer_id, wanted).await.data(201)["attributes"]["token"].as_str().unwrap().to_owned()
}

async fn ask(world: &World, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = world.client.request(method, format!("{}{path}", world.url)).bearer_auth(token);
    world
        .send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_pays_in_its_customers_name_until_the_token_is_over() {
    let world = World::new().await;
    let backend = world.backend().await;
    let id = customer(&backend, "user-7", 2).await;
    let answer = obtain(&backend, &id, json!({})).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let attributes = answer.data(201)["attributes"].clone();
    assert_eq!((&attributes["scope"], &attributes["kyc_level"]), (&json!("wallet"), &Value::Null));
    let token = attributes["token"].as_str().unwrap().to_owned();
    world.user("user-7").fund("3000").await;
    let card_id = ask(&world, &token, Method::POST, "/v4/payout/card", Some(card(PAID))).await.ok()["cardId"].clone();
    world.rates_ready().await;
    let wish = crate::world::offer(&card_id, "100");
    let offer = ask(&world, &token, Method::POST, "/v4/payout/offer", Some(wish)).await.ok();
    let pay = format!("/v4/payout/pay/{}", offer["offerId"]);
    assert_eq!(ask(&world, &token, Method::POST, &pay, None).await.ok()["status"], "SUCCESS");
    assert_eq!(world.user("user-7").get("/v4/payout/history").await.ok()["payouts"].as_array().unwrap().len(), 1);
    world.advance(901);
    ask(&world, &token, Method::GET, "/v4/wallet/balances", None).await.refused(401, "invalid_token");
    assert!(!world.dump().await.contains(&token), "it is nowhere kept");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_no_more_than_it_was_asked_for() {
    let world = World::new().await;
    let backend = world.backend().await;
    let id = customer(&backend, "user-7", 1).await;
    let reads = token(&backend, &id, json!({ "scope": "wallet:read" })).await;
    ask(&world, &reads, Method::GET, "/v4/wallet/balances", None).await.ok();
    ask(&world, &reads, Method::POST, "/v4/payout/card", Some(card(PAID))).await.refused(403, "insufficient_scope");
    // A token of level 0 may look and not pay, whatever its customer is.
    let low = token(&backend, &id, json!({ "kyc_level": 0 })).await;
    world.user("user-7").fund("3000").await;
    let card_id = ask(&world, &low, Method::POST, "/v4/payout/card", Some(card(PAID))).await.ok()["cardId"].clone();
    world.rates_ready().await;
    let wish = crate::world::offer(&card_id, "100");
    let offer = ask(&world, &low, Method::POST, "/v4/payout/offer", Some(wish)).await.ok();
    let pay = format!("/v4/payout/pay/{}", offer["offerId"]);
    ask(&world, &low, Method::POST, &pay, None).await.refused(403, "KYC_REQUIRED");
    for (wanted, code, pointer) in [
        (json!({ "kyc_level": 2 }), "OUT_OF_RANGE", "/data/attributes/kyc_level"),
        (json!({ "kyc_level": 4 }), "OUT_OF_RANGE", "/data/attributes/kyc_level"),
        (json!({ "expires_in": 59 }), "OUT_OF_RANGE", "/data/attributes/expires_in"),
        (json!({ "expires_in": 3601 }), "OUT_OF_RANGE", "/data/attributes/expires_in"),
        (json!({ "scope": "admin" }), "INVALID_VALUE", "/data/attributes/scope"),
        (json!({ "sub": "bob" }), "UNKNOWN_MEMBER", "/data/attributes/sub"),
    ] {
        obtain(&backend, &id, wanted).await.errors(422, &[(code, pointer)]);
    }
    let without = world.backend_with(&[Scope::CustomersRead]).await;
    obtain(&without, &id, json!({})).await.errors(403, &[("SCOPE_MISSING", "")]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_a_customer_or_revoking_ends_their_tokens_for_good() {
    let world = World::new().await;
    let backend = world.backend().await;
    let (id, other) = (customer(&backend, "user-7", 1).await, customer(&backend, "user-8", 1).await);
    let (first, others) = (token(&backend, &id, json!({})).await, token(&backend, &other, json!({})).await);
    let balances = "/v4/wallet/balances";
    let change = |version: i32, blocked: bool| json!({ "version": version, "blocked": blocked });
    let customer = format!("/v1/customers/{id}");
    backend.patch(&customer, "customer", change(1, true)).await.data(200);
    ask(&world, &first, Method::GET, balances, None).await.refused(401, "invalid_token");
    obtain(&backend, &id, json!({})).await.errors(409, &[("CUSTOMER_BLOCKED", "")]);
    world.advance(1);
    backend.patch(&customer, "customer", change(2, false)).await.data(200);
    ask(&world, &first, Method::GET, balances, None).await.refused(401, "invalid_token");
    let second = token(&backend, &id, json!({})).await;
    ask(&world, &second, Method::GET, balances, None).await.ok();
    world.advance(1);
    backend.act(&format!("{customer}/tokens/revoke")).await.data(200);
    ask(&world, &second, Method::GET, balances, None).await.refused(401, "invalid_token");
    world.advance(1);
    let third = token(&backend, &id, json!({})).await;
    ask(&world, &third, Method::GET, balances, None).await.ok();
    ask(&world, &others, Method::GET, balances, None).await.ok();
    world.stop().await;
}

/// What another node signs, by a clock of its own, of a customer whom it read when their tokens were of that generation.
fn signed_elsewhere(world: &World, customer_id: &str, generation: i64, ahead: TimeDelta) -> String {
    let new = NewToken {
        partner_code: "demo".to_owned(),
        mode: Mode::Test,
        customer_id: CustomerId(customer_id.rsplit('_').next().unwrap().parse().unwrap()),
        reference: "user-7".to_owned(),
        generation,
        kyc_level: None,
        reads_only: false,
        lifetime_secs: 3_600,
    };
    CustomerTokens::new(Arc::clone(&world.app.vault)).mint(&new, world.clock.now() + ahead).unwrap().token
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_being_signed_while_it_was_revoked_never_stands() {
    let world = World::new().await;
    let backend = world.backend().await;
    let id = customer(&backend, "user-7", 1).await;
    let customer = format!("/v1/customers/{id}");
    let looks = async |token: &str| ask(&world, token, Method::GET, "/v4/wallet/balances", None).await;
    let change = |version: i32, blocked: bool| json!({ "version": version, "blocked": blocked });
    // Read before the customer was blocked, and signed after it: by a clock that is right, and by one that is ahead.
    backend.patch(&customer, "customer", change(1, true)).await.data(200);
    world.advance(1);
    let late = [TimeDelta::zero(), TimeDelta::seconds(29)].map(|ahead| signed_elsewhere(&world, &id, 0, ahead));
    backend.patch(&customer, "customer", change(2, false)).await.data(200);
    for secs in [0, 60, 1_800] {
        world.advance(secs);
        for token in &late {
            looks(token).await.refused(401, "invalid_token");
        }
    }
    // Nor does one that was read while they were blocked, were there any.
    looks(&signed_elsewhere(&world, &id, 1, TimeDelta::zero())).await.refused(401, "invalid_token");
    // As of a node whose clock is ahead: taken, until they are revoked by one whose clock isn't.
    let ahead = signed_elsewhere(&world, &id, 2, TimeDelta::seconds(29));
    looks(&ahead).await.ok();
    backend.act(&format!("{customer}/tokens/revoke")).await.data(200);
    world.advance(60);
    looks(&ahead).await.refused(401, "invalid_token");
    // The next one holds at once, within the same microsecond.
    let next = token(&backend, &id, json!({})).await;
    looks(&next).await.ok();
    // Whoever else changes them ends none.
    backend.patch(&customer, "customer", json!({ "version": 3, "name": "Ada" })).await.data(200);
    looks(&next).await.ok();
    // In whichever way they are blocked.
    world.execute("UPDATE customer SET blocked_at = now(); UPDATE customer SET blocked_at = NULL").await;
    looks(&next).await.refused(401, "invalid_token");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_little_ahead_at_midnight_signs_what_others_take() {
    let world = World::new().await;
    let backend = world.backend().await;
    let id = customer(&backend, "user-7", 1).await;
    let looks = async |token: &str| ask(&world, token, Method::GET, "/v4/wallet/balances", None).await;
    let of_day = world.clock.now().timestamp().rem_euclid(86_400);
    world.advance(86_400 - of_day - 10);
    let signed = |secs| signed_elsewhere(&world, &id, 0, TimeDelta::seconds(secs));
    let [before, after, too_late] = [5, 29, 32].map(signed);
    looks(&before).await.ok();
    looks(&after).await.ok();
    looks(&too_late).await.refused(401, "invalid_token");
    // And the key of the day that is over is taken after midnight.
    world.advance(20);
    for token in [&before, &after, &too_late] {
        looks(token).await.ok();
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_of_its_partner_its_mode_and_our_key_alone() {
    let world = World::new().await;
    world.partner("acme").await;
    let backend = world.backend().await;
    let acme = world.backend_of("acme", Mode::Test, &Scope::ALL).await;
    let live = world.backend_of("demo", Mode::Live, &[Scope::CustomersWrite]).await;
    let id = customer(&backend, "user-7", 1).await;
    for stranger in [&acme, &live] {
        obtain(stranger, &id, json!({})).await.errors(404, &[("NOT_FOUND", "")]);
        stranger.act(&format!("/v1/customers/{id}/tokens/revoke")).await.errors(404, &[("NOT_FOUND", "")]);
    }
    // The same name with two partners is two people.
    let theirs = customer(&acme, "user-7", 1).await;
    let theirs = token(&acme, &theirs, json!({})).await;
    world.user("user-7").fund("3000").await;
    assert_eq!(ask(&world, &theirs, Method::GET, "/v4/wallet/balances", None).await.ok()["balances"], json!([]));

    let sound = token(&backend, &id, json!({})).await;
    let parts: Vec<&str> = sound.split('.').collect();
    let claims: Value = {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let mut other = claims.clone();
    other["sub"] = json!("user-8");
    let edited = format!("{}.{}.{}", parts[0], b64(other.to_string()), parts[2]);
    let forged =
        Signer::hmac("a secret that is long enough for HS256, and not ours".as_bytes()).token("20000", &claims);
    let by_issuer = Signer::ec().token("ec", &claims);
    let unsigned = format!("{}.{}.", b64(json!({ "alg": "none" }).to_string()), parts[1]);
    for token in [edited, forged, by_issuer, unsigned] {
        ask(&world, &token, Method::GET, "/v4/wallet/balances", None).await.refused(401, "invalid_token");
    }
    ask(&world, &sound, Method::GET, "/v4/wallet/balances", None).await.ok();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_replayed_has_no_token_in_it() {
    let world = World::new().await;
    let backend = world.backend().await;
    let id = customer(&backend, "user-7", 1).await;
    let keyed = backend.header("Idempotency-Key", "once");
    let first = obtain(&keyed, &id, json!({})).await;
    let again = obtain(&keyed, &id, json!({})).await;
    assert_eq!((first.status, again.status, again.header("idempotency-replayed")), (201, 201, Some("true")));
    assert_eq!(first.json()["data"]["id"], again.json()["data"]["id"]);
    assert!(first.text.contains("\"token\"") && !again.text.contains("\"token\""), "{again:?}");
    world.stop().await;
}
