//! Balances over time: one sample an account and quarter of an hour, which the lists, the charts and the files show, and which go after
//! their time.

use chrono::TimeDelta;

use crate::world::World;

const SAMPLES: &str = "SELECT count(*) FROM balance_sample";
const ACCOUNTS: &str = "SELECT count(*) FROM deposit_account";

async fn keep_house(world: &World) {
    world.wallet.gateway.keep_house().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_one_sample_a_quarter_of_an_hour_and_none_that_nobody_told() {
    let world = World::new().await;
    let accounts = world.count(ACCOUNTS).await;
    keep_house(&world).await;
    keep_house(&world).await;
    world.clock.advance(TimeDelta::minutes(14));
    keep_house(&world).await;
    assert_eq!(world.count(SAMPLES).await, accounts);
    // Whose provider was silent since: what is known of it is old.
    let silent = "UPDATE deposit_account SET balance_source = 'provider', synced_at = '2026-03-14T11:00:00Z' WHERE code = 'sandbox-a-eur'";
    world.execute(silent).await;
    world.clock.advance(TimeDelta::minutes(1));
    keep_house(&world).await;
    assert_eq!(
        world.count(SAMPLES).await,
        accounts * 2 - world.count("SELECT count(*) FROM deposit_account WHERE code = 'sandbox-a-eur'").await
    );
    world.clock.advance(TimeDelta::days(401));
    keep_house(&world).await;
    let left = "SELECT count(DISTINCT at) FROM balance_sample";
    assert_eq!(world.count(left).await, 1, "what is too old is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_shows_its_day_and_month_and_the_list_every_sample() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    assert!(browser.get("/dashboard/test/balances").await.body.contains("Nothing was written down in test mode yet"));
    keep_house(&world).await;
    world.execute("UPDATE deposit_account SET balance = 1234.5, reserved = 200 WHERE code = 'sandbox-a-eur'").await;
    world.clock.advance(TimeDelta::hours(1));
    keep_house(&world).await;
    let sql = "SELECT 'dac_' || replace(id::text, '-', '') FROM deposit_account WHERE code = 'sandbox-a-eur' AND mode = 'test'";
    let id = world.texts(sql).await.remove(0);
    // An hour is longer than somebody may be idle.
    let browser = world.signed_in().await;
    let page = browser.get(&format!("/dashboard/test/deposit-accounts/house/{id}")).await.body;
    for said in [
        "The last 24 hours",
        "The last 30 days",
        "13:00 UTC: 1\u{202f}234.50\u{a0}EUR, 200.00\u{a0}EUR of it reserved",
        "not known",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(browser.get("/dashboard/test").await.body.contains("sandbox-a-eur at sandbox-a, the last 24 hours"));
    for nobody in ["demo", "acme"] {
        assert_eq!(browser.get(&format!("/dashboard/test/deposit-accounts/{nobody}/{id}")).await.status, 404);
    }
    assert_eq!(browser.get(&format!("/dashboard/live/deposit-accounts/house/{id}")).await.status, 404);
    let file = browser.get(&format!("/dashboard/test/balances.csv?account={id}")).await.body;
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(
        lines[0],
        "At,Deposit account,Owner,Balance,Balance currency,Reserved,Reserved currency,Available,Available currency"
    );
    assert_eq!(lines.len(), 3, "{file}");
    assert_eq!(lines[1], "2026-03-14T13:00:00.000000Z,sandbox-a-eur,house,1234.50,EUR,200.00,EUR,1034.50,EUR");
    assert_eq!(browser.get("/dashboard/test/balances?account=nonsense").await.status, 404);
}
