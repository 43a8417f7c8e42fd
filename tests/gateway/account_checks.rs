//! Provider accounts' credentials, tried now and then: what is found is shown, and no route goes by it.

use chrono::TimeDelta;
use landfall::clock::{Clock, SystemClock};
use landfall::config::Settings;
use landfall::config::providers::Outage;
use landfall::domain::ids::{Mode, PartnerId, ProviderAccountId, Tenant};
use landfall::gateway::GatewayError;
use landfall::gateway::account_checks::Health;

use crate::world::{PAID, World, eventually};

async fn accounts(world: &World) -> (Tenant, ProviderAccountId) {
    let row = world.row("SELECT partner_id::text, id::text FROM provider_account WHERE code = 'sandbox-a'", &[]).await;
    let id = |n: usize| row.get::<_, String>(n).parse::<uuid::Uuid>().unwrap();
    (Tenant { partner_id: PartnerId(id(0)), mode: Mode::Test }, ProviderAccountId(id(1)))
}

async fn health(world: &World) -> (String, Option<String>, bool) {
    let sql =
        "SELECT health, health_detail, health_checked_at IS NOT NULL FROM provider_account WHERE code = 'sandbox-a'";
    let row = world.row(sql, &[]).await;
    (row.get(0), row.get(1), row.get(2))
}

/// Does the checks that are due; how many they were.
async fn check_due(world: &World) -> usize {
    let tasks = world.app.gateway.claim_checks(10).await.unwrap();
    for task in &tasks {
        world.app.gateway.check(task).await.unwrap();
    }
    tasks.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_account_is_shown_as_such_and_its_routes_stay_in() {
    let start = SystemClock.now();
    let change = |settings: &mut Settings| {
        let (from, until) = (start + TimeDelta::hours(1), start + TimeDelta::hours(2));
        settings.providers.test.outages = vec![Outage { from, until }];
        settings.gateway.account_check_secs = 60;
    };
    let world = World::with(change, Vec::new()).await;
    let (owner, id) = accounts(&world).await;
    assert_eq!(health(&world).await, ("unknown".to_owned(), None, false));
    assert_eq!(check_due(&world).await, 2);
    assert_eq!(health(&world).await, ("healthy".to_owned(), None, true));
    assert_eq!(check_due(&world).await, 0, "not before the interval");

    world.advance(3_600_500);
    assert_eq!(check_due(&world).await, 2);
    let (found, detail, _) = health(&world).await;
    assert_eq!(found, "unhealthy");
    assert!(detail.is_some_and(|detail| detail.contains("outage")));
    let accepted = world.accepted("alice", PAID, "100").await;
    world.step().await;
    assert!(!world.payouts(&accepted).await.is_empty(), "the breaker decides, not the check");

    world.advance(3_600_000);
    let checked = world.app.gateway.check_account(owner, id).await.unwrap();
    assert_eq!((checked.health, checked.detail), (Health::Healthy, None));
    assert_eq!(health(&world).await, ("healthy".to_owned(), None, true));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_checks_an_account_of_somebody_else() {
    let world = World::new().await;
    let (owner, id) = accounts(&world).await;
    let user = world.user("alice").await;
    for tenant in [user.tenant, Tenant { mode: Mode::Live, ..owner }] {
        let refused = world.app.gateway.check_account(tenant, id).await;
        assert!(matches!(refused, Err(GatewayError::NoProviderAccount(named)) if named == id));
    }
    assert_eq!(health(&world).await.0, "unknown");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_switched_off_is_left_alone() {
    let change = |settings: &mut Settings| settings.gateway.provider_accounts[0].enabled = false;
    let world = World::with(change, Vec::new()).await;
    assert_eq!(check_due(&world).await, 1);
    assert_eq!(health(&world).await.0, "unknown");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_check_accounts_by_themselves() {
    let world = World::new().await;
    let background = world.start();
    eventually("checked", async || health(&world).await.0 == "healthy").await;
    background.stopped().await;
    world.finish().await;
}
