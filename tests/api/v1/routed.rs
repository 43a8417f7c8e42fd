//! A partner brings provider accounts of its own, sets up routing over them and has payouts made out of its own deposits: all of it
//! over HTTP, with a provider that answers by a script.

use std::sync::Arc;

use landfall::providers::provider::Provider;
use serde_json::{Value, json};

use super::Partner;
use super::requests::REQUESTS;
use crate::support::scripted::{Says, Scripted};
use crate::world::World;

const BASE: &str = "/v1/payout-gateway";

async fn world() -> (World, Arc<Scripted>) {
    let scripted = Scripted::new();
    let world = World::with_adapters(|_| {}, vec![Arc::clone(&scripted) as Arc<dyn Provider>]).await;
    (world, scripted)
}

async fn made(partner: &Partner<'_>, collection: &str, kind: &str, attributes: Value) -> Value {
    partner.post(&format!("{BASE}/{collection}"), kind, attributes).await.data(201)
}

/// A route to a deposit account with `usd` at a provider account of the partner's own.
async fn lane(partner: &Partner<'_>, code: &str, usd: u32) -> Value {
    let account = json!({ "code": code, "provider": "scripted", "settings": { "lane": code } });
    let account = made(partner, "provider-accounts", "provider-account", account).await;
    let deposit = json!({ "code": code, "provider_account_id": account["id"], "currency": "USD" });
    let deposit = made(partner, "deposit-accounts", "deposit-account", deposit).await;
    let top_up = format!("{}/top-up", deposit["links"]["self"].as_str().unwrap());
    let money = json!({ "amount": usd, "reference": format!("first-{code}") });
    partner.post(&top_up, "deposit-account-top-up", money).await.data(200);
    let route = json!({ "code": code, "service": "test_usd", "deposit_account_id": deposit["id"] });
    made(partner, "payout-routes", "payout-route", route).await;
    deposit
}

/// A point that is paid for out of the partner's deposits, with three lanes of 100 USD each in the given order.
async fn three_lanes(partner: &Partner<'_>) -> (String, Vec<Value>) {
    let mut deposits = Vec::new();
    for code in ["a", "b", "c"] {
        deposits.push(lane(partner, code, 100).await);
    }
    let direct = json!({ "strategies": [{ "strategy": "direct", "routes": ["a", "b", "c"] }] });
    let scheme = json!({ "name": "In order", "body": { "services": { "test_usd": direct } } });
    let scheme = made(partner, "payout-schemes", "payout-scheme", scheme).await;
    let point =
        json!({ "name": "Own", "currencies": ["USD"], "funding": "own_deposit", "payout_scheme_id": scheme["id"] });
    let point = made(partner, "payout-points", "payout-point", point).await;
    (point["id"].as_str().unwrap().to_owned(), deposits)
}

fn ask(point: &str, amount: &str, options: Value) -> Value {
    json!({ "point_id": point, "point_currency": "USD", "service": "test_usd", "service_amount": amount,
        "fields": { "account": "some_random_string" }, "options": options })
}

async fn payouts_of(partner: &Partner<'_>, request: &Value) -> Vec<(String, String)> {
    let path = format!("{REQUESTS}/{}/payouts", request["id"].as_str().unwrap());
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let rows = partner.get(&path).await.data(200);
    let row = |row: &Value| (text(&row["attributes"]["status"]), text(&row["attributes"]["resolution"]));
    rows.as_array().unwrap().iter().map(row).collect()
}

/// What is available on each deposit account.
async fn available(partner: &Partner<'_>, deposits: &[Value]) -> Vec<String> {
    let mut left = Vec::new();
    for deposit in deposits {
        let found = partner.get(deposit["links"]["self"].as_str().unwrap()).await.data(200);
        left.push(found["attributes"]["available"].as_str().unwrap().to_owned());
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn a_routes_decline_fails_over_and_a_cards_or_an_unknown_fate_does_not() {
    let (world, scripted) = world().await;
    let partner = world.backend().await;
    let (point, deposits) = three_lanes(&partner).await;

    scripted.next("a", &[Says::DeclinesRoute]);
    let made = partner.asked(ask(&point, "10", json!({}))).await;
    partner.until(&made["id"], "processed").await;
    let ends = [("failed", "declined_error"), ("processed", "ok")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(payouts_of(&partner, &made).await, ends);
    assert_eq!(available(&partner, &deposits).await, ["100", "90", "100"]);

    scripted.next("a", &[Says::DeclinesCard]);
    let made = partner.asked(ask(&point, "10", json!({}))).await;
    let failed = partner.until(&made["id"], "failed").await;
    assert_eq!(failed["attributes"]["resolution"], "card_restricted");
    assert_eq!(payouts_of(&partner, &made).await.len(), 1);

    scripted.next("a", &[Says::PaysSilently]);
    let made = partner.asked(ask(&point, "10", json!({}))).await;
    partner.until(&made["id"], "pending").await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(payouts_of(&partner, &made).await, [("unknown".to_owned(), "unknown".to_owned())]);
    for _ in 0..3 {
        world.clock.advance(chrono::TimeDelta::seconds(20));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    partner.until(&made["id"], "processed").await;
    assert_eq!(payouts_of(&partner, &made).await.len(), 1);
    assert_eq!(scripted.paid_by("a") + scripted.paid_by("b"), "20".parse().unwrap());

    // What happened is told in words that name no number and no secret.
    let events = partner.get(&format!("{REQUESTS}/{}/events", made["id"].as_str().unwrap())).await.data(200);
    let kinds: Vec<_> = events.as_array().unwrap().iter().map(|event| &event["attributes"]["kind"]).collect();
    assert!(kinds.contains(&&json!("payout_started")) && kinds.contains(&&json!("payout_unknown")), "{kinds:?}");
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_is_split_over_three_deposit_accounts_whole_or_in_part() {
    let (world, scripted) = world().await;
    let partner = world.backend().await;
    let (point, deposits) = three_lanes(&partner).await;
    partner.funded("USD", "5").await;

    let whole = partner.asked(ask(&point, "240", json!({}))).await;
    let refused = partner.until(&whole["id"], "failed").await;
    assert_eq!(refused["attributes"]["resolution"], "strategy_configured_routes_were_filtered");

    let made = partner.asked(ask(&point, "240.50", json!({ "split_mode": "auto", "parallel_mode": true }))).await;
    let paid = partner.until(&made["id"], "processed").await;
    assert_eq!(paid["attributes"]["processed_amount"], "240.5");
    assert_eq!(payouts_of(&partner, &made).await.len(), 3);
    assert_eq!(scripted.paid(), "240.5".parse().unwrap());

    // 59.50 USD are left, all on one account after the other two were emptied or nearly so.
    let left = available(&partner, &deposits).await;
    let sum: rust_decimal::Decimal = left.iter().map(|text| text.parse::<rust_decimal::Decimal>().unwrap()).sum();
    assert_eq!(sum, "59.5".parse().unwrap(), "{left:?}");

    // Half is paid, the rest declined everywhere: who allows it gets what was paid.
    for code in ["a", "b", "c"] {
        scripted.next(code, &[Says::PaysOnly("5".parse().unwrap())]);
        scripted.always(code, Says::DeclinesRoute);
    }
    let options = json!({ "split_mode": "auto", "allow_partially": true, "attempts_limit": 9 });
    let made = partner.asked(ask(&point, "20", options)).await;
    let partly = partner.until(&made["id"], "partially_processed").await;
    let processed: rust_decimal::Decimal = partly["attributes"]["processed_amount"].as_str().unwrap().parse().unwrap();
    assert_eq!(processed + "240.5".parse::<rust_decimal::Decimal>().unwrap(), scripted.paid());
    // The partner's balance at the house has no part in it.
    assert_eq!(partner.funds("USD").await, ("5".to_owned(), "0".to_owned()));
    world.verified().await;
    world.stop().await;
}
