//! Deposit accounts.

use landfall::domain::ids::{Mode, ProviderAccountId};
use landfall::gateway::manage::deposit_accounts::{DepositAccount, DepositAccountFilter};
use rust_decimal::dec;
use serde_json::json;

use super::{caller, caller_in, code_of, expect_problems, first, given, world};
use crate::world::World;

async fn deposit(world: &World, partner: &str) -> DepositAccount {
    let caller = caller(world, partner).await;
    let gateway = &world.app.gateway;
    let account = gateway.create_provider_account(&caller, &given(json!({ "provider": "test" }))).await.unwrap();
    let attributes = json!({ "provider_account_id": account.id.to_string(), "currency": "EUR", "name": "Euros" });
    gateway.create_deposit_account(&caller, &given(attributes)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_noted_once_per_reference_and_in_the_ledger() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let account = deposit(&world, "acme").await;
    let top_up = given(json!({ "amount": "100.50", "reference": "wire-1" }));
    for _ in 0..2 {
        let topped = gateway.top_up_deposit_account(&acme, account.id, &top_up).await.unwrap();
        assert_eq!((topped.balance, topped.reserved), (dec!(100.50), dec!(0)));
    }
    let other = given(json!({ "amount": 1, "reference": "wire-1" }));
    assert_eq!(code_of(gateway.top_up_deposit_account(&acme, account.id, &other).await), "REFERENCE_TAKEN");
    let (five, five_again) = (
        given(json!({ "amount": 5, "reference": "wire-2" })),
        given(json!({ "amount": "5.00", "reference": "wire-2" })),
    );
    let (again, at_once) = tokio::join!(
        gateway.top_up_deposit_account(&acme, account.id, &five),
        gateway.top_up_deposit_account(&acme, account.id, &five_again),
    );
    assert!(again.is_ok() && at_once.is_ok());
    assert_eq!(gateway.find_deposit_account(&acme, account.id).await.unwrap().balance, dec!(105.50));
    expect_problems(
        gateway.top_up_deposit_account(&acme, account.id, &given(json!({ "amount": "0.001" }))).await,
        &[("/amount", "TOO_PRECISE"), ("/reference", "MISSING")],
    );
    let live = caller_in(&world, "acme", Mode::Live).await;
    assert_eq!(code_of(gateway.top_up_deposit_account(&live, account.id, &top_up).await), "HOUSE_ONLY");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_stands_at_ones_own_provider_account_in_a_currency_that_it_pays() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let account = deposit(&world, "acme").await;
    let make = |id: ProviderAccountId, currency: &str| {
        given(json!({ "provider_account_id": id.to_string(), "currency": currency }))
    };
    expect_problems(
        gateway.create_deposit_account(&acme, &make(account.provider_account_id, "BTC")).await,
        &[("/currency", "UNKNOWN_CURRENCY")],
    );
    let demo = caller(&world, "demo").await;
    expect_problems(
        gateway.create_deposit_account(&demo, &make(account.provider_account_id, "EUR")).await,
        &[("/provider_account_id", "UNKNOWN_ACCOUNT")],
    );
    expect_problems(
        gateway.create_deposit_account(&acme, &given(json!({ "provider_account_id": "dac_1", "balance": 5 }))).await,
        &[("/balance", "UNKNOWN_MEMBER"), ("/currency", "MISSING"), ("/provider_account_id", "INVALID_VALUE")],
    );
    assert_eq!(code_of(gateway.find_deposit_account(&demo, account.id).await), "NOT_FOUND");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_name_and_its_switch_change() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let account = deposit(&world, "acme").await;
    let change = given(json!({ "name": null, "enabled": false, "version": 1 }));
    let changed = gateway.change_deposit_account(&acme, account.id, &change).await.unwrap();
    assert_eq!((changed.name, changed.enabled, changed.version), (None, false, 2));
    assert_eq!(code_of(gateway.change_deposit_account(&acme, account.id, &change).await), "VERSION_CONFLICT");
    expect_problems(
        gateway.change_deposit_account(&acme, account.id, &given(json!({ "currency": "USD" }))).await,
        &[("/currency", "READ_ONLY")],
    );
    let filter = DepositAccountFilter { enabled: Some(false), ..DepositAccountFilter::default() };
    assert_eq!(gateway.list_deposit_accounts(&acme, &filter, first(5)).await.unwrap().len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_that_the_provider_reports_is_asked_for_and_a_top_up_is_not_added_to_it() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let settings = json!({ "balance": "provider", "balance_eur": "250.00" });
    let attributes = given(json!({ "provider": "test", "settings": settings }));
    let account = gateway.create_provider_account(&acme, &attributes).await.unwrap();
    let id = account.id.to_string();
    let make = |currency: &str| given(json!({ "provider_account_id": id, "currency": currency }));
    let reported = gateway.create_deposit_account(&acme, &make("EUR")).await.unwrap();
    let ours = gateway.create_deposit_account(&acme, &make("USD")).await.unwrap();
    assert_eq!((reported.balance_source.as_str(), ours.balance_source.as_str()), ("provider", "books"));

    let tasks = gateway.claim_syncs(10).await.unwrap();
    assert_eq!(tasks.iter().map(|task| task.deposit.id).collect::<Vec<_>>(), [reported.id]);
    gateway.sync(&tasks[0]).await.unwrap();
    let top_up = given(json!({ "amount": "10", "reference": "wire-1" }));
    gateway.top_up_deposit_account(&acme, reported.id, &top_up).await.unwrap();
    let after = gateway.find_deposit_account(&acme, reported.id).await.unwrap();
    assert_eq!((after.balance, after.synced_at.is_some()), (dec!(250), true));
    world.finish().await;
}
