//! Each field of each call, written wrongly in every way: refused by a stable code that names it, nothing changed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Client, PAID, World, card, offer, with, without};

/// A call with a sound body.
struct Call<'a> {
    client: &'a Client<'a>,
    method: Method,
    path: String,
    body: Value,
}

impl Call<'_> {
    async fn send(&self, body: &Value) -> Answer {
        self.text(&body.to_string()).await
    }

    async fn text(&self, body: &str) -> Answer {
        self.client.text(self.method.clone(), &self.path, body).await
    }

    /// Every value is refused because of `field`.
    async fn refuses(&self, field: &str, values: &[Value]) {
        for value in values {
            let answer = self.send(&with(&self.body, field, value.clone())).await;
            let body = answer.refused(400, "NOT_VALID_REQUEST_DATA");
            assert_eq!(body["field"], field, "{value}: {answer:?}");
        }
    }

    /// What no field of any call takes.
    async fn refuses_nonsense(&self, fields: &[&str]) {
        for field in fields {
            self.refuses(
                field,
                &[json!(true), json!([]), json!({}), json!(["1"]), json!("a\u{0}b"), json!("\u{1b}[1m")],
            )
            .await;
            self.send(&without(&self.body, field)).await.invalid(field);
            self.send(&with(&self.body, field, Value::Null)).await.invalid(field);
            self.send(&with(&self.body, field, json!("x".repeat(300)))).await.invalid(field);
            self.send(&with(&self.body, field, json!(""))).await.refused(400, "NOT_VALID_REQUEST_DATA");
        }
    }

    async fn refuses_what_is_no_request(&self) {
        for text in ["", "{", "null", "[]", "\"x\"", "7", "{}x", "{'a':1}", "\u{feff}{}", "<xml/>", "a=1", "{\"a\":1,}"]
        {
            self.text(text).await.invalid("");
        }
        let deep = "[".repeat(30_000);
        self.text(&deep).await.invalid("");
        self.text(&format!("{{\"deep\":{deep}{}}}", "]".repeat(30_000))).await.invalid("deep");
        let request = self.client.request(self.method.clone(), &self.path);
        let broken = request.header("Content-Type", "application/json").body(b"{\"a\":\"\xff\xfe\"}".to_vec());
        let response = broken.send().await.unwrap();
        assert_eq!(response.status(), 400);
        for code in ["cvv", "CVV", "cvv2", "cvc", "cardCvc", "cvvCode", "securityCode"] {
            let answer = self.send(&with(&self.body, code, json!("123"))).await;
            answer.invalid(code);
            assert_eq!(answer.json()["data"]["problem"], "forbidden");
        }
        for unknown in ["extra", "cardid", "AMOUNT", "__proto__", "card_id"] {
            self.send(&with(&self.body, unknown, json!(1))).await.invalid(unknown);
        }
        let sound = self.body.to_string();
        let first = self.body.as_object().unwrap().keys().next().unwrap();
        let twice = format!("{},\"{first}\":1}}", sound.trim_end_matches('}'));
        self.text(&twice).await.invalid(first);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cards() {
    let world = World::new().await;
    let alice = world.user("alice");
    let call =
        Call { client: &alice, method: Method::POST, path: "/v4/payout/card".into(), body: card("4242424242424242") };
    call.refuses_what_is_no_request().await;
    call.refuses_nonsense(&["cardNumber", "cardHolder", "cardExpirationYear", "cardExpirationMonth"]).await;
    let numbers = [
        json!("4111111111111112"),
        json!("41111111111"),
        json!("41111111111111111111"),
        json!(-4111111111111111_i64),
        json!(4111.5),
        json!(0),
        json!("４１１１１１１１１１１１１１１１"),
        json!("4111111111111111e0"),
        json!("O111111111111111"),
    ];
    for number in &numbers {
        let answer = call.send(&with(&call.body, "cardNumber", number.clone())).await;
        answer.invalid("cardNumber");
        assert!(!answer.text.contains("111111111"), "{answer:?}");
    }
    call.text(&call.body.to_string().replace("\"4242424242424242\"", "4.242424242424242e15"))
        .await
        .invalid("cardNumber");
    call.refuses("cardExpirationMonth", &[json!(0), json!(13), json!(-1), json!("1x"), json!(1.5), json!("１")]).await;
    call.refuses("cardExpirationYear", &[json!(0), json!(203), json!(-2035), json!("20x5"), json!(9999), json!(20355)])
        .await;
    call.refuses("cardHolder", &[json!("   "), json!("4111 1111 1111 1111"), json!(7)]).await;
    let expired = with(&with(&call.body, "cardExpirationYear", json!(2020)), "cardExpirationMonth", json!(1));
    call.send(&expired).await.refused(400, "CARD_EXPIRED");
    call.send(&with(&call.body, "cardNumber", json!("9999999999999995"))).await.refusal();
    assert_eq!(world.count("SELECT count(*) FROM card").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM customer").await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let body = offer(&card_id, "100");
    let create = Call { client: &alice, method: Method::POST, path: "/v4/payout/offer".into(), body: body.clone() };
    create.refuses_what_is_no_request().await;
    create.refuses_nonsense(&["fromCurrency", "toCurrency", "cardId"]).await;
    let ids = [json!(0), json!(-1), json!(1.5), json!(9007199254740992_i64), json!("x"), json!("-1"), json!("１２")];
    create.refuses("cardId", &ids).await;
    create.send(&with(&body, "cardId", json!(1234567890123456_i64))).await.refused(404, "NOT_FOUND");

    let made = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/offer/{}", made["offerId"]);
    let update = Call { client: &alice, method: Method::PUT, path, body: without(&body, "cardId") };
    update.refuses_what_is_no_request().await;
    update.refuses_nonsense(&["fromCurrency", "toCurrency"]).await;
    for call in [&create, &update] {
        refuses_amounts(&world, call).await;
        for (from, to) in
            [("USDT", "CHF"), ("EUR", "USDT"), ("DOGE", "EUR"), ("EUR", "EUR"), ("usdt", "EUR"), ("USDT", "eur")]
        {
            let pair = with(&with(&call.body, "fromCurrency", json!(from)), "toCurrency", json!(to));
            call.send(&pair).await.refused(400, "PAIR_NOT_SUPPORTED");
        }
        for odd in ["ÉUR", "💶💶", "E R"] {
            assert_eq!(
                call.send(&with(&call.body, "toCurrency", json!(odd))).await.refusal()["error"],
                "PAIR_NOT_SUPPORTED"
            );
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM offer").await, 1);
    let seen = alice.get(&update.path).await.ok();
    assert_eq!((&seen["version"], seen["amount"].to_string()), (&json!(1), "100".into()));
    world.stop().await;
}

async fn refuses_amounts(world: &World, call: &Call<'_>) {
    world.rates_ready().await;
    let none = without(&call.body, "amount");
    call.send(&none).await.invalid("amount");
    call.send(&with(&none, "amount", Value::Null)).await.invalid("amount");
    call.send(&with(&call.body, "amountTo", json!(1))).await.invalid("amountTo");
    for field in ["amount", "amountTo"] {
        let bad = [
            json!(true),
            json!([]),
            json!({}),
            json!(""),
            json!(" "),
            json!("x"),
            json!("1,5"),
            json!("1 000"),
            json!("0x10"),
            json!("NaN"),
            json!("Infinity"),
            json!(0),
            json!("0.00"),
            json!(-1),
            json!("-1"),
            json!("1.123456789"),
            json!("+1"),
            json!("１"),
            json!("9".repeat(65)),
            json!("1e99999999999"),
            json!({ "$serde_json::private::Number": "1" }),
        ];
        for value in bad {
            call.send(&with(&none, field, value)).await.invalid(field);
        }
        for text in ["1e400", "-0.1", "99999999999999999999999999999999", "0.00000000000000000001"] {
            let written = with(&none, field, json!("?")).to_string().replace("\"?\"", text);
            call.text(&written).await.invalid(field);
        }
        for text in ["01", ".5", "5.", "1e", "+1", "NaN", "0x1"] {
            let written = with(&none, field, json!("?")).to_string().replace("\"?\"", text);
            call.text(&written).await.invalid("");
        }
    }
    let nothing = call.send(&with(&none, "amount", json!("0.00000001"))).await.refused(400, "AMOUNT_TOO_SMALL");
    assert!(nothing["data"]["limit"]["value"].is_number(), "{nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn billing_addresses() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let body = json!({ "address": "1 High Street", "city": "London", "countryCode": "GB", "zip": "SW1A 2AA" });
    let call =
        Call { client: &alice, method: Method::PUT, path: format!("/v4/payout/card/{card_id}/billing-address"), body };
    call.refuses_what_is_no_request().await;
    call.refuses_nonsense(&["address", "city", "countryCode", "zip"]).await;
    call.refuses("countryCode", &[json!("gb"), json!("GBR"), json!("G"), json!("1!"), json!("ÉÉ"), json!(44)]).await;
    call.refuses("zip", &[json!("1".repeat(17)), json!(8001)]).await;
    call.refuses("city", &[json!(PAID), json!("   ")]).await;
    call.refuses("state", &[json!(7), json!("x".repeat(101))]).await;
    assert_eq!(world.count("SELECT count(*) FROM card WHERE billing_sealed IS NOT NULL").await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_in_paths() {
    let world = World::new().await;
    let alice = world.user("alice");
    let body = json!({ "amount": 1, "fromCurrency": "USDT", "toCurrency": "EUR" });
    for id in
        ["x", "-1", "0", "1.5", "9007199254740992", "12345678901234567", "%D9%A1", "1%00", "1%20", "null", "1;DROP"]
    {
        alice.get(&format!("/v4/payout/offer/{id}")).await.invalid("offerId");
        alice.put(&format!("/v4/payout/offer/{id}"), &body).await.invalid("offerId");
        alice.text(Method::POST, &format!("/v4/payout/pay/{id}"), "").await.invalid("offerId");
        alice.get(&format!("/v4/payout/pay/{id}")).await.invalid("offerId");
        alice.delete(&format!("/v4/payout/card/{id}")).await.invalid("cardId");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pays_take_nothing() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let made = alice.offer(&card_id, "100").await;
    let path = format!("/v4/payout/pay/{}", made["offerId"]);
    for body in ["{\"cvv\":\"123\"}", "{\"amount\":1}", "null", "[]", "x", "{", "{}{}"] {
        alice.text(Method::POST, &path, body).await.invalid("body");
    }
    for query in ["version=x", "version=", "version=1.5", "version=1&version=2", "v=1", "version=99999999999"] {
        alice.text(Method::POST, &format!("{path}?{query}"), "").await.refused(400, "NOT_VALID_REQUEST_DATA");
    }
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 0);
    // A wait that can't be read is ignored, as RFC 7240 has it.
    assert_eq!(alice.header("Prefer", "wait=soon").pay(&made["offerId"]).await.ok()["status"], "SUCCESS");
    world.stop().await;
}
