//! Housekeeping: what no window reaches any more is forgotten, bite by bite, and the rest stays.

use landfall::clock::{Clock, SystemClock};
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::requests::{NewRequest, RequestOptions};
use rust_decimal::dec;

use crate::partner::{Partner, execute, with_test_service};
use crate::world::World;

/// Counts of a route and of a provider account that are there: days of each, of so many ago.
const COUNTS: &str = "WITH \
     r AS (SELECT id FROM payout_route LIMIT 1), a AS (SELECT id FROM provider_account LIMIT 1), \
     now AS (SELECT $1::text::timestamptz AS now), \
     usage AS (INSERT INTO route_usage SELECT gen_random_uuid(), now - interval '3 years', r.id, 1 FROM r, now, generate_series(1, 1500) \
         UNION ALL SELECT gen_random_uuid(), now - interval '300 days', r.id, 1 FROM r, now), \
     pools AS (INSERT INTO route_pool SELECT gen_random_uuid(), now - n * interval '1 year', 0 FROM now, generate_series(1, 3) n), \
     outcomes AS (INSERT INTO route_outcome SELECT r.id, now + interval '1 hour' - n * interval '1 day', 1, 1 FROM r, now, generate_series(6, 9) n), \
     calls AS (INSERT INTO provider_account_outcome SELECT a.id, now + interval '30 minutes' - n * interval '1 hour', 1, 0, 0 FROM a, now, generate_series(22, 25) n), \
     turnovers AS (INSERT INTO provider_turnover SELECT a.id, (now AT TIME ZONE 'UTC' - n * interval '1 day')::date, 'EUR', 1 FROM a, now, generate_series(399, 402) n) \
     SELECT 1::bigint";

const REFUSING: &str = "CREATE FUNCTION spoilt() RETURNS trigger LANGUAGE plpgsql AS $$ \
     BEGIN RAISE check_violation USING CONSTRAINT = 'spoilt'; END $$";

async fn left(world: &World) -> [i64; 5] {
    let tables = ["route_usage", "route_pool", "route_outcome", "provider_account_outcome", "provider_turnover"];
    let mut left = [0; 5];
    for (count, table) in left.iter_mut().zip(tables) {
        *count = world.row(&format!("SELECT count(*) FROM {table}"), &[]).await.get(0);
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_no_window_reaches_are_forgotten_bite_by_bite() {
    let world = World::new().await;
    let now = SystemClock.now().to_rfc3339();
    world.row(COUNTS, &[&now]).await;
    assert_eq!(left(&world).await, [1_501, 3, 4, 4, 4]);
    world.app.gateway.keep_house().await.unwrap();
    // Two years, eight days, a day, 400 days.
    assert_eq!(left(&world).await, [501, 2, 3, 3, 2], "a thousand of each table at a time");
    world.app.gateway.keep_house().await.unwrap();
    assert_eq!(left(&world).await, [1, 2, 3, 3, 2]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_ended_keeps_nothing_else_from_being_done() {
    let world = World::with(with_test_service, Vec::new()).await;
    let partner = Partner::with(&world, dec!(100)).await;
    let mut made = Vec::new();
    for name in ["spoilt", "sound", "as-sound"] {
        let options = RequestOptions { auto_process: Some(false), ..RequestOptions::default() };
        made.push(partner.make(&world, NewRequest { options, ..partner.sample_of(dec!(10), name) }).await.id);
    }
    // Its time is over first, and its end can't be written down.
    let id = made[0].0;
    execute(
        &world,
        &format!("UPDATE payout_request SET expires_at = expires_at - interval '1 minute' WHERE id = '{id}'"),
    )
    .await;
    execute(&world, REFUSING).await;
    let of_the_first = format!("FOR EACH ROW WHEN (NEW.request_id = '{id}') EXECUTE FUNCTION spoilt()");
    execute(&world, &format!("CREATE TRIGGER spoilt BEFORE INSERT ON event {of_the_first}")).await;
    world.row(COUNTS, &[&SystemClock.now().to_rfc3339()]).await;
    world.advance(86_400_000);
    let error = world.app.gateway.keep_house().await.unwrap_err();
    assert!(error.to_string().contains("spoilt"), "{error}");
    for (id, status) in made.iter().zip([RequestStatus::Ready, RequestStatus::Expired, RequestStatus::Expired]) {
        assert_eq!(partner.find(&world, *id).await.status, status);
    }
    assert_eq!(left(&world).await[0], 501, "the steps behind it were left out");
    // Once it can, it is.
    execute(&world, "DROP TRIGGER spoilt ON event").await;
    world.app.gateway.keep_house().await.unwrap();
    assert_eq!(partner.find(&world, made[0]).await.status, RequestStatus::Expired);
    world.finish().await;
}
