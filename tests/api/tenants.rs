//! What isn't yours doesn't exist, and without a token nothing does.

use reqwest::Method;
use serde_json::json;

use crate::world::{PAID, World, offer};

#[tokio::test(flavor = "multi_thread")]
async fn another_users_card_and_offer_are_not_found() {
    let world = World::new().await;
    let (alice, mallory) = (world.user("alice"), world.user("mallory"));
    alice.fund("3000").await;
    mallory.fund("3000").await;
    let card_id = alice.card(PAID).await;
    mallory.card(PAID).await;
    let made = alice.offer(&card_id, "100").await;
    let update = json!({ "amount": 200, "fromCurrency": "USDT", "toCurrency": "EUR" });
    let address = json!({ "address": "a", "city": "c", "countryCode": "DE", "zip": "1" });
    let offer_path = format!("/v4/payout/offer/{}", made["offerId"]);
    let pay_path = format!("/v4/payout/pay/{}", made["offerId"]);
    let card_path = format!("/v4/payout/card/{card_id}");
    for answer in [
        mallory.post("/v4/payout/offer", &offer(&card_id, "100")).await,
        mallory.put(&offer_path, &update).await,
        mallory.get(&offer_path).await,
        mallory.pay(&made["offerId"]).await,
        mallory.get(&pay_path).await,
        mallory.put(&format!("{card_path}/billing-address"), &address).await,
        mallory.delete(&card_path).await,
    ] {
        answer.refused(404, "NOT_FOUND");
    }
    // The same answer as for what nobody has.
    mallory.get("/v4/payout/offer/1234567890123456").await.refused(404, "NOT_FOUND");
    let seen = alice.get(&offer_path).await.ok();
    assert_eq!((&seen["version"], &seen["status"]), (&json!(1), &json!("QUOTED")));
    assert_eq!(alice.pay(&made["offerId"]).await.ok()["status"], "SUCCESS");
    assert_eq!(mallory.get("/v4/payout/history").await.ok()["payouts"], json!([]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_needs_a_token() {
    let world = World::new().await;
    let calls = [
        (Method::POST, "/v4/payout/card"),
        (Method::PUT, "/v4/payout/card/1/billing-address"),
        (Method::DELETE, "/v4/payout/card/1"),
        (Method::GET, "/v4/payout/data"),
        (Method::POST, "/v4/payout/offer"),
        (Method::PUT, "/v4/payout/offer/1"),
        (Method::GET, "/v4/payout/offer/1"),
        (Method::POST, "/v4/payout/pay/1"),
        (Method::GET, "/v4/payout/pay/1"),
        (Method::GET, "/v4/payout/pay/1/events"),
        (Method::GET, "/v4/payout/history"),
        (Method::GET, "/v4/wallet/balances"),
    ];
    let spec: serde_json::Value = serde_json::to_value(landfall::http::openapi::openapi().unwrap()).unwrap();
    let described: usize = spec["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, _)| path.starts_with("/v4/"))
        .map(|(_, item)| item.as_object().unwrap().len())
        .sum();
    assert_eq!(described, calls.len());
    for (method, path) in calls {
        // The body isn't looked at before the token.
        let request = world.client.request(method.clone(), format!("{}{path}", world.url));
        let answer = world.send(request.body("{nonsense").header("Accept-Language", "de")).await;
        let body = answer.refused(401, "invalid_token");
        assert_eq!((&body["systemId"], &body["data"]["reason"]), (&json!("auth"), &json!("token_missing")), "{path}");
        assert_eq!(body["message"], "Bitte melden Sie sich erneut an.");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
        let request = world.client.request(method, format!("{}{path}", world.url)).bearer_auth("a.b.c");
        world.send(request).await.refused(401, "invalid_token");
    }
    let expired = world.user("alice");
    world.advance(3_700);
    let body = expired.get("/v4/payout/data").await.refused(401, "invalid_token");
    assert_eq!(body["data"]["reason"], "token_expired");
    world.stop().await;
}
