//! Offers: asked for, priced anew, run out.

use serde_json::{Value, json};

use crate::world::{PAID, World, offer, with};

#[tokio::test(flavor = "multi_thread")]
async fn the_published_example_is_met_to_the_last_digit() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("789.35330985").await;
    let card_id = alice.card(PAID).await;
    for amount in ["760.06209697", "\"760.06209697\"", "76006209697e-8"] {
        let body = format!(r#"{{"amount":{amount},"fromCurrency":"USDT","toCurrency":"EUR","cardId":{card_id}}}"#);
        let answer = alice.text(reqwest::Method::POST, "/v4/payout/offer", &body).await;
        let offer = answer.ok();
        for (field, text) in [
            ("amount", "760.06209697"),
            ("rate", "0.911106"),
            ("amountTo", "692.49"),
            ("totalFrom", "789.35330985"),
            ("validSeconds", "20"),
            ("version", "1"),
            ("possibleToExecute", "true"),
            ("status", "\"QUOTED\""),
            ("reason", "null"),
            ("limit", "null"),
        ] {
            assert_eq!(offer[field].to_string(), text, "{field}");
        }
        let fee = json!({ "currency": "USDT", "name": "Transaction fee", "scale": 8, "type": "TRANSACTION_FEE" });
        let shown = &offer["feeInfo"][0];
        assert_eq!(shown["value"].to_string(), "29.29121288");
        for (name, value) in fee.as_object().unwrap() {
            assert_eq!(&shown[name], value);
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_can_be_fixed_instead() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let body = json!({ "amountTo": 692.49, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": card_id });
    let offer = alice.post("/v4/payout/offer", &body).await.ok();
    assert_eq!(offer["amountTo"].to_string(), "692.49");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_prices_the_same_offer_anew() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let made = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/offer/{}", made["offerId"]);
    world.advance(15);
    world.rates_ready().await;
    let body = json!({ "amount": 200, "fromCurrency": "USDT", "toCurrency": "EUR" });
    let updated = alice.put(&path, &body).await.ok();
    assert_eq!((&updated["offerId"], &updated["version"]), (&made["offerId"], &json!(2)));
    assert_eq!((&updated["validSeconds"], updated["amount"].to_string()), (&json!(20), "200".into()));
    let seen = alice.get(&path).await.ok();
    assert_eq!((&seen["version"], &seen["amountTo"]), (&updated["version"], &updated["amountTo"]));
    // A card is fixed when the offer is made.
    alice.put(&path, &with(&body, "cardId", card_id)).await.invalid("cardId");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_offer_can_be_seen_but_neither_updated_nor_paid() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let made = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/offer/{}", made["offerId"]);
    world.advance(20);
    world.rates_ready().await;
    let body = json!({ "amount": 200, "fromCurrency": "USDT", "toCurrency": "EUR" });
    alice.put(&path, &body).await.refused(400, "OFFER_EXPIRED");
    alice.pay(&made["offerId"]).await.refused(400, "OFFER_EXPIRED");
    alice.get(&format!("/v4/payout/pay/{}", made["offerId"])).await.refused(404, "NOT_FOUND");
    let seen = alice.get(&path).await.ok();
    assert_eq!((&seen["validSeconds"], &seen["possibleToExecute"]), (&json!(0), &json!(false)));
    assert_eq!(seen["reason"], "OFFER_EXPIRED");
    assert_eq!(balance(&alice.get("/v4/wallet/balances").await.ok()), ("3000".into(), "0".into()));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_paid_says_why() {
    let world = World::new().await;
    let poor = world.user("poor");
    let card_id = poor.card(PAID).await;
    let offer = poor.offer(&card_id, "100").await;
    assert_eq!((&offer["possibleToExecute"], &offer["reason"]), (&json!(false), &json!("INSUFFICIENT_FUNDS")));
    let refusal = poor.pay(&offer["offerId"]).await.refused(400, "INSUFFICIENT_FUNDS");
    assert_eq!(refusal["data"]["limit"], json!({ "value": 0, "currency": "USDT" }));
    for (field, value, reason) in [
        ("amount", "1", "AMOUNT_TOO_SMALL"),
        ("amountTo", "20.99", "AMOUNT_TOO_SMALL"),
        ("amount", "100000", "AMOUNT_TOO_LARGE"),
        ("amountTo", "1980.01", "AMOUNT_TOO_LARGE"),
    ] {
        let mut body = json!({ "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": card_id });
        body[field] = json!(value);
        let offer = poor.post("/v4/payout/offer", &body).await.ok();
        assert_eq!((&offer["possibleToExecute"], &offer["reason"]), (&json!(false), &json!(reason)));
        let refusal = poor.pay(&offer["offerId"]).await.refused(400, reason);
        assert_eq!(refusal["data"]["limit"], offer["limit"]);
    }
    let known = world.user_at("poor", 0);
    let offer = known.offer(&card_id, "100").await;
    assert_eq!(offer["reason"], "KYC_REQUIRED");
    known.pay(&offer["offerId"]).await.refused(403, "KYC_REQUIRED");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_rate_there_is_no_offer() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let mut refused = None;
    for _ in 0..20 {
        // Faster than the source fetches again.
        world.advance(11);
        let answer = alice.post("/v4/payout/offer", &offer(&card_id, "100")).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    refused.refused(503, "RATES_UNAVAILABLE");
    assert!(refused.header("retry-after").is_some());
    world.stop().await;
}

/// Available and held.
pub fn balance(balances: &Value) -> (String, String) {
    let of = &balances["balances"][0];
    assert_eq!((&of["currency"], &of["scale"]), (&json!("USDT"), &json!(8)));
    (of["available"].to_string(), of["held"].to_string())
}

/// What limits were counted by stays with the offer, quotes and all, and with each earlier version.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_keeps_the_price_that_its_limits_were_counted_by() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let stored = async |part: &str| -> Value {
        let sql = format!("SELECT ({part})::text FROM offer ORDER BY quoted_at DESC LIMIT 1");
        serde_json::from_str(&world.text(&sql).await).unwrap()
    };
    let in_gbp = json!({ "amount": "100", "fromCurrency": "USDT", "toCurrency": "GBP", "cardId": card_id });
    let offer = alice.post("/v4/payout/offer", &in_gbp).await.ok();
    let reference = stored("rate_sources->'reference'").await;
    let board = &reference["board"];
    assert_eq!((&reference["currency"], &board["pair"]), (&json!("EUR"), &json!("GBP/EUR")), "{reference}");
    assert_eq!(reference["price"], board["price"]);
    let legs: Vec<_> = board["sources"].as_array().unwrap().iter().map(|quote| quote["pair"].clone()).collect();
    assert_eq!(legs, ["USDT/GBP", "USDT/EUR"], "over two legs, the first turned round");
    // The stored price makes the stored amount: nothing else went into it.
    let price: rust_decimal::Decimal = reference["price"].as_str().unwrap().parse().unwrap();
    let arrives: rust_decimal::Decimal = offer["amountTo"].to_string().parse().unwrap();
    let counted: rust_decimal::Decimal =
        stored("to_jsonb(amount_reference::text)").await.as_str().unwrap().parse().unwrap();
    assert_eq!(counted, (price * arrives).round_dp_with_strategy(2, rust_decimal::RoundingStrategy::AwayFromZero));

    let changed = json!({ "amount": "200", "fromCurrency": "USDT", "toCurrency": "EUR" });
    alice.put(&format!("/v4/payout/offer/{}", offer["offerId"]), &changed).await.ok();
    let reference_now = stored("rate_sources->'reference'").await;
    assert_eq!(reference_now, json!({ "currency": "EUR", "price": "1", "board": null }));
    assert_eq!(stored("history->0->'rate_sources'->'reference'").await, reference);
    world.stop().await;
}
