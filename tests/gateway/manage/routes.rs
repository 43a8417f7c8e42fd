//! Payout routes.

use landfall::domain::ids::Mode;
use landfall::domain::payout_request::Funding;
use landfall::gateway::manage::deposit_accounts::DepositAccount;
use landfall::gateway::manage::routes::RouteFilter;
use rust_decimal::dec;
use serde_json::json;

use super::{caller, code_of, expect_problems, first, given, world};
use crate::world::World;

async fn deposit(world: &World, partner: &str, currency: &str) -> DepositAccount {
    let caller = caller(world, partner).await;
    let gateway = &world.app.gateway;
    let account = gateway.create_provider_account(&caller, &given(json!({ "provider": "test" }))).await.unwrap();
    let attributes = json!({ "provider_account_id": account.id.to_string(), "currency": currency });
    gateway.create_deposit_account(&caller, &given(attributes)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_route_serves_its_own_deposits_and_nobody_else() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let account = deposit(&world, "acme", "EUR").await;
    let attributes = json!({ "code": "mine", "service": "card_eur", "deposit_account_id": account.id.to_string(),
        "amount_min": "1", "amount_max": 500, "cost_percent": "1.25", "cost_fixed": "0.10", "cost_min": "0.5", "cost_max": "9",
        "weight": 3, "position": 2 });
    let made = gateway.create_route(&acme, &given(attributes)).await.unwrap();
    assert_eq!(gateway.find_route(&acme, made.id).await.unwrap(), made);
    assert_eq!((made.amount_max, made.cost_min), (Some(dec!(500)), Some(dec!(0.5))));

    let snapshot = gateway.snapshot().await.unwrap();
    let named = |funding, tenant| snapshot.routes_for(tenant, funding).iter().any(|route| route.id == made.id);
    assert!(named(Funding::OwnDeposit, acme.tenant));
    assert!(!named(Funding::PartnerBalance, acme.tenant));
    assert!(!named(Funding::OwnDeposit, caller(&world, "demo").await.tenant));
    assert!(snapshot.routes(Mode::Test).iter().all(|route| route.id != made.id), "the wallet never pays from it");

    let demo = caller(&world, "demo").await;
    assert_eq!(code_of(gateway.find_route(&demo, made.id).await), "NOT_FOUND");
    let change = given(json!({ "enabled": false, "version": 1 }));
    assert_eq!(code_of(gateway.change_route(&demo, made.id, &change).await), "NOT_FOUND");
    let changed = gateway.change_route(&acme, made.id, &change).await.unwrap();
    assert_eq!((changed.enabled, changed.version), (false, 2));
    assert_eq!(code_of(gateway.change_route(&acme, made.id, &change).await), "VERSION_CONFLICT");
    let filter = RouteFilter { service: Some("card_eur".into()), ..RouteFilter::default() };
    assert_eq!(gateway.list_routes(&acme, &filter, first(10)).await.unwrap().len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_with_a_route_is_told_at_once() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let account = deposit(&world, "acme", "EUR").await;
    let attributes = json!({ "service": "card_xyz", "deposit_account_id": account.id.to_string(), "amount_min": "10.001",
        "amount_max": "-1", "cost_percent": "100.5", "cost_fixed": "1x3", "cost_min": 2, "cost_max": 1, "weight": -1, "position": "x" });
    expect_problems(
        gateway.create_route(&acme, &given(attributes)).await,
        &[
            ("/amount_max", "INVALID_VALUE"),
            ("/amount_min", "TOO_PRECISE"),
            ("/cost_fixed", "INVALID_VALUE"),
            ("/cost_max", "OUT_OF_RANGE"),
            ("/cost_percent", "OUT_OF_RANGE"),
            ("/position", "WRONG_TYPE"),
            ("/service", "UNKNOWN_SERVICE"),
            ("/weight", "OUT_OF_RANGE"),
        ],
    );
    let upside_down = json!({ "service": "card_eur", "deposit_account_id": account.id.to_string(), "amount_min": 5, "amount_max": 4 });
    expect_problems(gateway.create_route(&acme, &given(upside_down)).await, &[("/amount_max", "OUT_OF_RANGE")]);
    let demo = caller(&world, "demo").await;
    let foreign = json!({ "service": "card_eur", "deposit_account_id": account.id.to_string() });
    expect_problems(gateway.create_route(&demo, &given(foreign)).await, &[("/deposit_account_id", "UNKNOWN_ACCOUNT")]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_hold_another_fiat_than_its_service_pays() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let account = deposit(&world, "acme", "USD").await;
    let attributes = json!({ "service": "card_eur", "deposit_account_id": account.id.to_string() });
    assert!(gateway.create_route(&acme, &given(attributes)).await.is_ok());
    world.finish().await;
}
