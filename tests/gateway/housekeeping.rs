//! Housekeeping: what no window reaches any more is forgotten, bite by bite, and the rest stays.

use landfall::clock::{Clock, SystemClock};

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
