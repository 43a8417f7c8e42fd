//! Payout requests over HTTP: asked for, paid, changed, ended.

use landfall::gateway::access::Scope;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Partner;
use crate::world::{Answer, PAID, World, with};

pub const REQUESTS: &str = "/v1/payout-gateway/payout-requests";
const KIND: &str = "payout-request";

impl World {
    pub async fn text(&self, sql: &str) -> String {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let text = client.query_one(sql, &[]).await.unwrap().get(0);
        driver.abort();
        text
    }

    /// The configured partner's payout point.
    pub async fn point(&self) -> String {
        self.text("SELECT 'pop_' || replace(id::text, '-', '') FROM payout_point WHERE code = 'wallet'").await
    }

    pub async fn route(&self, code: &str) -> String {
        self.text(&format!("SELECT 'prt_' || replace(id::text, '-', '') FROM payout_route WHERE code = '{code}'")).await
    }

    /// Every invariant holds over the whole database.
    pub async fn verified(&self) {
        let (vault, house) = (&self.app.vault, &self.app.wallet.house);
        let report = landfall::verify::run(&self.app.db, vault, house, self.app.clock.now()).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

impl Partner<'_> {
    pub async fn funded(&self, currency: &str, amount: &str) {
        let reference = format!("funded-{}", uuid::Uuid::now_v7().simple());
        let credit = json!({ "reference_id": reference, "currency": currency, "amount": amount });
        self.post("/v1/partner-accounts/credits", "partner-credit", credit).await.data(201);
    }

    /// Available and held.
    pub async fn funds(&self, currency: &str) -> (String, String) {
        let accounts = self.get("/v1/partner-accounts").await.data(200);
        let account = accounts.as_array().unwrap().iter().find(|account| account["id"] == currency).cloned();
        let text = |name: &str| account.as_ref().unwrap()["attributes"][name].as_str().unwrap().to_owned();
        (text("available"), text("held"))
    }

    pub async fn ask(&self, attributes: Value) -> Answer {
        self.post(REQUESTS, KIND, attributes).await
    }

    /// Asks for what is taken, and answers the request.
    pub async fn asked(&self, attributes: Value) -> Value {
        self.ask(attributes).await.data(201)
    }

    /// The request, once it stands there.
    pub async fn until(&self, id: &Value, status: &str) -> Value {
        let path = format!("{REQUESTS}/{}", id.as_str().unwrap());
        for _ in 0..500 {
            let request = self.get(&path).await.data(200);
            if request["attributes"]["status"] == status {
                return request;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{status} was never reached: {}", self.get(&path).await.text);
    }
}

/// The documented sample's attributes.
pub fn sample(point: &str) -> Value {
    json!({
        "point_amount": 1, "point_id": point, "point_currency": "USD", "service": "test_usd", "test_mode": true,
        "fields": { "account": "some_random_string" },
    })
}

pub fn manual(point: &str) -> Value {
    with(&sample(point), "options", json!({ "auto_process": false }))
}

fn to_card(point: &str, number: &str) -> Value {
    json!({
        "point_id": point, "point_currency": "EUR", "service": "card_eur", "service_amount": "10.50",
        "fields": { "card_number": number, "card_expiry_month": "12", "card_expiry_year": "2035", "card_holder": "ADA LOVELACE" },
    })
}

/// The path of a resource.
pub fn path_of(resource: &Value) -> String {
    resource["links"]["self"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_sample_works_as_it_stands() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let documented = r#"{"data":{"type":"payout-request","attributes":{"point_amount":1,"point_id":"pop_...","point_currency":"USD","service":"test_usd","test_mode":true,"fields":{"account":"some_random_string"}}}}"#;
    let body = documented.replace("pop_...", &world.point().await);
    let made = partner.text(Method::POST, REQUESTS, &body).await.data(201);
    let attributes = &made["attributes"];
    for (name, value) in [
        ("point_amount", json!("1")),
        ("point_currency", json!("USD")),
        ("service", json!("test_usd")),
        ("service_amount", json!("1")),
        ("test_mode", json!(true)),
        ("fields", json!({ "account": "some_random_string" })),
        ("exchange_rate", json!("1")),
        ("reference_id", made["id"].clone()),
        ("customer", json!(null)),
        ("missing_fields", json!([])),
    ] {
        assert_eq!(attributes[name], value, "{name}");
    }
    let paid = partner.until(&made["id"], "processed").await;
    let attributes = &paid["attributes"];
    assert_eq!((&attributes["final"], &attributes["resolution"]), (&json!(true), &json!("ok")));
    assert_eq!((&attributes["processed_amount"], &attributes["attempts_made"]), (&json!("1"), &json!(1)));
    assert_eq!(attributes["payouts"][0]["status"], "processed");
    assert_eq!(partner.funds("USD").await, ("99".to_owned(), "0".to_owned()));
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_by_its_number_is_paid_and_never_shown() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("EUR", "100").await;
    let point = world.point().await;
    let keyed = partner.header("Idempotency-Key", "card-1");
    let wish = with(&to_card(&point, PAID), "customer", json!({ "reference_id": "ada", "email": "ada@example.com" }));
    let made = keyed.asked(wish.clone()).await;
    let card = json!({ "scheme": "VISA", "mask": "4111***1111", "expiry_month": 12, "expiry_year": 2035 });
    assert_eq!((&made["attributes"]["card"], &made["attributes"]["fields"]), (&card, &json!({})));
    assert_eq!(made["attributes"]["customer"]["reference_id"], "ada");
    let again = keyed.ask(wish).await;
    assert_eq!((again.header("idempotency-replayed"), &again.data(201)["id"]), (Some("true"), &made["id"]));
    let paid = partner.until(&made["id"], "processed").await;
    assert_eq!(paid["attributes"]["processed_amount"], "10.5");

    let path = path_of(&made);
    let payouts = partner.get(&format!("{path}/payouts")).await.data(200);
    let payout = partner.get(&path_of(&payouts[0])).await.data(200);
    assert_eq!((&payout, &payout["attributes"]["request_id"]), (&payouts[0], &made["id"]));
    assert_eq!((&payout["attributes"]["amount"], &payout["attributes"]["currency"]), (&json!("10.5"), &json!("EUR")));
    let events = partner.get(&format!("{path}/events?page[size]=100")).await;
    let kinds: Vec<Value> =
        events.data(200).as_array().unwrap().iter().map(|event| event["attributes"]["kind"].clone()).collect();
    assert_eq!(
        (kinds.first(), kinds.last()),
        (Some(&json!("request_created")), Some(&json!("request_ended"))),
        "{kinds:?}"
    );
    let all =
        partner.get(&format!("/v1/events?filter[request_id]={}&sort=created", made["id"].as_str().unwrap())).await;
    assert_eq!(all.data(200).as_array().unwrap().len(), kinds.len());
    for shown in [&events.text, &all.text, &partner.get(&path).await.text, &world.dump().await] {
        assert!(!shown.contains(PAID) && !shown.contains("LOVELACE"), "{shown}");
    }
    partner.act(&format!("{path}/cancel")).await.errors(409, &[("REQUEST_FINAL", "")]);
    partner.act(&format!("{path}/terminate")).await.errors(409, &[("REQUEST_NOT_READY", "")]);
    partner.act(&format!("{path}/process")).await.data(200);
    let change = json!({ "options": { "attempts_limit": 5 } });
    partner.patch(&path, KIND, change).await.errors(409, &[("REQUEST_FINAL", "")]);
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reference_or_one_key_asked_for_in_parallel_is_one_request() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "1000").await;
    let point = world.point().await;
    let wish = with(&sample(&point), "reference_id", json!("order-1"));
    let answers = futures_util::future::join_all((0..20).map(|_| partner.ask(wish.clone()))).await;
    let ids: std::collections::BTreeSet<_> =
        answers.iter().map(|answer| answer.data(answer.status)["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 19);
    partner.ask(with(&wish, "point_amount", json!("1.00"))).await.data(200);
    for (member, value) in
        [("point_amount", json!(2)), ("description", json!("x")), ("fields", json!({ "account": "b" }))]
    {
        partner.ask(with(&wish, member, value)).await.errors(409, &[("REFERENCE_REUSED", "")]);
    }

    let keyed = partner.header("Idempotency-Key", "k");
    let answers = futures_util::future::join_all((0..20).map(|_| keyed.ask(sample(&point)))).await;
    let made: std::collections::BTreeSet<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.data(201)["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(made.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.errors(409, &[("REQUEST_IN_PROGRESS", "")]);
    }
    keyed.ask(with(&sample(&point), "point_amount", json!(2))).await.errors(422, &[("IDEMPOTENCY_MISMATCH", "")]);
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 2);
    for id in ids.into_iter().chain(made) {
        partner.until(&json!(id), "processed").await;
    }
    assert_eq!(partner.funds("USD").await, ("998".to_owned(), "0".to_owned()));
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_until_it_is_processed_canceled_or_terminated() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "10").await;
    let point = world.point().await;
    let made = partner.asked(manual(&point)).await;
    assert_eq!(made["attributes"]["status"], "ready");
    for _ in 0..2 {
        partner.act(&format!("{}/process", path_of(&made))).await.data(200);
    }
    partner.until(&made["id"], "processed").await;

    for (verb, status) in [("cancel", "canceled"), ("terminate", "terminated")] {
        let made = partner.asked(manual(&point)).await;
        assert_eq!(partner.funds("USD").await, ("8".to_owned(), "1".to_owned()));
        for _ in 0..2 {
            let ended = partner.act(&format!("{}/{verb}", path_of(&made))).await.data(200);
            assert_eq!((&ended["attributes"]["status"], &ended["attributes"]["final"]), (&json!(status), &json!(true)));
        }
        partner.act(&format!("{}/process", path_of(&made))).await.errors(409, &[("REQUEST_NOT_READY", "")]);
        assert_eq!(partner.funds("USD").await, ("9".to_owned(), "0".to_owned()));
    }
    // Each of the two is done once for its key.
    let made = partner.asked(manual(&point)).await;
    let keyed = partner.header("Idempotency-Key", "cancel-1");
    let first = keyed.act(&format!("{}/cancel", path_of(&made))).await;
    let second = keyed.act(&format!("{}/cancel", path_of(&made))).await;
    assert_eq!((first.text.as_str(), second.header("idempotency-replayed")), (second.text.as_str(), Some("true")));
    partner
        .text(Method::POST, &format!("{}/cancel", path_of(&made)), r#"{"data":1}"#)
        .await
        .errors(422, &[("UNKNOWN_MEMBER", "")]);
    partner.ask(with(&sample(&point), "point_amount", json!(10))).await.errors(409, &[("INSUFFICIENT_FUNDS", "")]);
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_fields_are_told_in_the_asked_language_and_supplied_later() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("EUR", "100").await;
    let point = world.point().await;
    let german = partner.header("Accept-Language", "de-AT, en;q=0.5");
    let made = german.asked(with(&to_card(&point, PAID), "fields", json!({}))).await;
    assert_eq!(made["attributes"]["status"], "waiting_details");
    let missing = made["attributes"]["missing_fields"].as_array().unwrap();
    let keys: Vec<_> = missing.iter().map(|field| field["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["card_number", "card_expiry_month", "card_expiry_year", "card_holder"]);
    assert_eq!(missing[0]["label"], "Kartennummer");
    assert_eq!(partner.get(&path_of(&made)).await.data(200)["attributes"]["missing_fields"][0]["label"], "Card number");
    let path = path_of(&made);
    let refused = german.patch(&path, KIND, json!({ "fields": { "card_number": "4111111111111112" } })).await;
    refused.errors(422, &[("FIELD_INVALID", "/data/attributes/fields/card_number")]);
    assert!(refused.text.contains("Geben Sie die Nummer") && !refused.text.contains("4111111111111112"), "{refused:?}");
    german
        .patch(&path, KIND, json!({ "fields": { "nothing": "x", "cvv": "123" } }))
        .await
        .errors(422, &[("FORBIDDEN_MEMBER", "/data/attributes/fields/cvv")]);
    partner
        .patch(&path, KIND, json!({ "fields": { "nothing": "x" } }))
        .await
        .errors(422, &[("FIELD_UNKNOWN", "/data/attributes/fields/nothing")]);
    let fields = to_card(&point, PAID)["fields"].clone();
    let ready =
        partner.patch(&path, KIND, json!({ "fields": fields, "options": { "attempts_limit": 2 } })).await.data(200);
    assert_eq!(
        (&ready["attributes"]["missing_fields"], &ready["attributes"]["options"]["attempts_limit"]),
        (&json!([]), &json!(2))
    );
    partner.until(&made["id"], "processed").await;
    partner.patch(&path, KIND, json!({})).await.errors(422, &[("MISSING", "/data/attributes")]);
    partner
        .patch(&path, KIND, json!({ "fields": null }))
        .await
        .errors(422, &[("WRONG_TYPE", "/data/attributes/fields")]);
    partner
        .patch(&path, KIND, json!({ "point_amount": 1 }))
        .await
        .errors(422, &[("UNKNOWN_MEMBER", "/data/attributes/point_amount")]);
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_is_told_at_its_member_and_nothing_is_written() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let point = world.point().await;
    let told = async |change: &[(&str, Value)], wanted: &[(&str, &str)]| {
        let wish = change.iter().fold(sample(&point), |wish, (member, value)| with(&wish, member, value.clone()));
        let wanted: Vec<(&str, String)> =
            wanted.iter().map(|(code, at)| (*code, format!("/data/attributes{at}"))).collect();
        let wanted: Vec<(&str, &str)> = wanted.iter().map(|(code, at)| (*code, at.as_str())).collect();
        partner.ask(wish).await.errors(422, &wanted);
    };
    let other_point = "pop_00000000000000000000000000000000";
    told(&[("point_id", json!(other_point))], &[("UNKNOWN_POINT", "/point_id")]).await;
    told(&[("point_id", json!("x"))], &[("INVALID_VALUE", "/point_id")]).await;
    told(&[("point_id", json!(null)), ("service", json!(null))], &[("MISSING", "/point_id"), ("MISSING", "/service")])
        .await;
    told(&[("service", json!("card_xyz"))], &[("UNKNOWN_SERVICE", "/service")]).await;
    told(&[("point_amount", json!(0))], &[("INVALID_AMOUNT", "/point_amount")]).await;
    told(&[("point_amount", json!(-1))], &[("INVALID_VALUE", "/point_amount")]).await;
    told(&[("point_amount", json!("1.001"))], &[("TOO_PRECISE", "/point_amount")]).await;
    told(&[("point_amount", json!(null))], &[("AMOUNT_REQUIRED", "/point_amount")]).await;
    told(&[("service_amount", json!(2))], &[("AMOUNTS_DISAGREE", "/service_amount")]).await;
    told(&[("point_currency", json!("USDT"))], &[("UNKNOWN_CURRENCY", "/point_currency")]).await;
    told(&[("test_mode", json!(false))], &[("MODE_MISMATCH", "/test_mode")]).await;
    told(&[("fields", json!([]))], &[("WRONG_TYPE", "/fields")]).await;
    told(&[("fields", json!({ "account": { "a": 1 } }))], &[("FIELD_INVALID", "/fields/account")]).await;
    told(&[("fields", json!({ "account": PAID }))], &[("CARD_NUMBER", "/fields/account")]).await;
    told(&[("metadata", json!({ "a": [1] }))], &[("WRONG_TYPE", "/metadata/a")]).await;
    told(&[("metadata", json!({ "pan": PAID }))], &[("CARD_NUMBER", "/metadata/pan")]).await;
    told(&[("description", json!(PAID))], &[("CARD_NUMBER", "/description")]).await;
    told(&[("callback_url", json!("ftp://x"))], &[("INVALID_URL", "/callback_url")]).await;
    told(&[("reference_id", json!("offer-1"))], &[("RESERVED_REFERENCE", "/reference_id")]).await;
    told(&[("customer", json!({ "email": "x@y.z" }))], &[("MISSING", "/customer/reference_id")]).await;
    told(
        &[("customer", json!({ "reference_id": "a", "email": "nobody", "country": "de" }))],
        &[("INVALID_EMAIL", "/customer/email"), ("INVALID_COUNTRY", "/customer/country")],
    )
    .await;
    told(&[("options", json!({ "attempts_limit": 0 }))], &[("OUT_OF_RANGE", "/options/attempts_limit")]).await;
    told(&[("options", json!({ "split_mode": "sometimes" }))], &[("INVALID_VALUE", "/options/split_mode")]).await;
    told(&[("options", json!({ "speed": 1 }))], &[("UNKNOWN_MEMBER", "/options/speed")]).await;
    told(&[("options", json!({ "expires_at": "2020-01-01T00:00:00Z" }))], &[("OUT_OF_RANGE", "/options/expires_at")])
        .await;
    told(&[("token", json!("1234567890123456"))], &[("TOKEN_NOT_TAKEN", "/token")]).await;
    told(&[("single_route_id", json!("x"))], &[("UNKNOWN_MEMBER", "/single_route_id")]).await;
    let card = with(&to_card(&point, "4111 1111 1111 1112"), "token", json!(null));
    partner.ask(card).await.errors(422, &[("FIELD_INVALID", "/data/attributes/fields/card_number")]);
    let mut old = to_card(&point, PAID);
    old["fields"]["card_expiry_year"] = json!("2020");
    partner.ask(old).await.errors(422, &[("CARD_EXPIRED", "/data/attributes/fields/card_expiry_year")]);
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 0);
    assert_eq!(partner.funds("USD").await, ("100".to_owned(), "0".to_owned()));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_taken_up_to_their_last_character_and_no_further() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let point = world.point().await;
    let metadata = |key: usize, value: usize| -> Value {
        Value::Object(Map::from_iter([("k".repeat(key), json!("ä".repeat(value)))]))
    };
    let fields = |chars: usize| json!({ "account": "ü".repeat(chars) });
    for (member, longest, longer, at) in [
        ("reference_id", json!("r".repeat(128)), json!("r".repeat(129)), "/reference_id"),
        ("description", json!("é".repeat(500)), json!("é".repeat(501)), "/description"),
        ("service", json!("test_usd"), json!("s".repeat(65)), "/service"),
        ("metadata", metadata(64, 500), metadata(65, 1), "/metadata"),
        ("fields", fields(200), fields(201), "/fields/account"),
        (
            "customer",
            json!({ "reference_id": "c".repeat(128) }),
            json!({ "reference_id": "c".repeat(129) }),
            "/customer/reference_id",
        ),
        (
            "customer",
            json!({ "reference_id": "d", "name": "n".repeat(200) }),
            json!({ "reference_id": "d", "name": "n".repeat(201) }),
            "/customer/name",
        ),
    ] {
        let made = partner.asked(with(&manual(&point), member, longest.clone())).await;
        if member != "customer" {
            assert_eq!(made["attributes"][member], longest, "{member}");
        }
        let refused = partner.ask(with(&manual(&point), member, longer)).await;
        let at = format!("/data/attributes{at}");
        assert_eq!(
            (refused.status, &refused.json()["errors"][0]["source"]["pointer"]),
            (422, &json!(at)),
            "{refused:?}"
        );
    }
    for id in [
        "",
        "x",
        "porq_",
        &"porq_".repeat(13),
        &format!("porq_{}", "0".repeat(64)),
        "porq_0000000000000000000000000000000g",
        "%2e%2e",
    ] {
        let answer = partner.get(&format!("{REQUESTS}/{id}")).await;
        assert!(answer.status == 404, "{id}: {answer:?}");
    }
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_payout_takes_its_route_and_no_other() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "300").await;
    let (point, route) = (world.point().await, world.route("sandbox-b-test-usd").await);
    let mut wish = with(&sample(&point), "route_id", json!(route));
    wish.as_object_mut().unwrap().remove("service");
    let payouts = "/v1/payout-gateway/payouts";
    let made = partner.post(payouts, "payout", wish.clone()).await.data(201);
    assert_eq!((&made["type"], &made["attributes"]["route_id"]), (&json!(KIND), &json!(route)));
    let paid = partner.until(&made["id"], "processed").await;
    assert_eq!(paid["attributes"]["payouts"][0]["route_id"], json!(route));
    // Declined for the route, and there is no other one.
    let declined = partner.post(payouts, "payout", with(&wish, "point_amount", json!("13.03"))).await.data(201);
    let failed = partner.until(&declined["id"], "failed").await;
    assert_eq!(failed["attributes"]["payouts"].as_array().unwrap().len(), 1);
    assert_eq!(failed["attributes"]["resolution"], "declined_error");
    let listed = partner.get(&format!("{payouts}?filter[status]=failed")).await.data(200);
    assert_eq!(listed[0]["attributes"]["resolution"], "declined_error");
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let none = partner.get(&format!("{payouts}?filter[created_from]=2999-01-01T00:00:00Z")).await.data(200);
    assert_eq!(none, json!([]));
    partner
        .post(payouts, "payout", with(&wish, "service", json!("test_eur")))
        .await
        .errors(422, &[("ROUTE_MISMATCH", "/data/attributes/service")]);
    partner
        .post(payouts, "payout", with(&wish, "route_id", json!("prt_00000000000000000000000000000000")))
        .await
        .errors(422, &[("UNKNOWN_ROUTE", "/data/attributes/route_id")]);
    partner
        .post(payouts, "payout", with(&wish, "options", json!({ "attempts_limit": 3 })))
        .await
        .errors(422, &[("UNKNOWN_MEMBER", "/data/attributes/options/attempts_limit")]);
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_without_the_scope_can_neither_look_nor_act() {
    let world = World::new().await;
    let point = world.point().await;
    let id = "porq_00000000000000000000000000000000";
    let reader = world.backend_with(&[Scope::PayoutsRead]).await;
    reader.ask(sample(&point)).await.errors(403, &[("SCOPE_MISSING", "")]);
    for verb in ["process", "cancel", "terminate"] {
        reader.act(&format!("{REQUESTS}/{id}/{verb}")).await.errors(403, &[("SCOPE_MISSING", "")]);
        let answer = reader.get(&format!("{REQUESTS}/{id}/{verb}")).await;
        answer.errors(405, &[("METHOD_NOT_ALLOWED", "")]);
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let writer = world.backend_with(&[Scope::PayoutsWrite]).await;
    for path in [
        REQUESTS.to_owned(),
        format!("{REQUESTS}/{id}"),
        format!("{REQUESTS}/{id}/payouts"),
        format!("{REQUESTS}/{id}/events"),
        "/v1/payout-gateway/payouts".to_owned(),
        "/v1/payout-gateway/batches".to_owned(),
        "/v1/partner-accounts".to_owned(),
        "/v1/partner-accounts/statement".to_owned(),
        "/v1/events".to_owned(),
    ] {
        writer.get(&path).await.errors(403, &[("SCOPE_MISSING", "")]);
        let answer = writer.text(Method::DELETE, &path, "").await;
        answer.errors(405, &[("METHOD_NOT_ALLOWED", "")]);
        assert!(answer.header("allow").is_some_and(|allow| allow.starts_with("GET")), "{path}");
    }
    let credit = json!({ "reference_id": "a", "currency": "USD", "amount": 1 });
    writer.post("/v1/partner-accounts/credits", "partner-credit", credit).await.errors(403, &[("SCOPE_MISSING", "")]);
    world.stop().await;
}
