//! What is honest passes.

use landfall::verify::FINDINGS_KEPT;

use crate::populated;
use crate::support::TestDb;
use crate::tampering::Original;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_which_everything_happened_passes_and_every_check_looked_at_rows() {
    let world = populated::world().await;
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");
    // No job to apply a callback is left, and no delta without one: these look at what may not be there.
    let may_be_idle = ["callbacks go on", "modes of callbacks"];
    for check in &report.checks {
        assert!(check.rows_checked > 0 || may_be_idle.contains(&check.name), "{} looked at nothing", check.name);
    }
    let states: i64 = {
        let original = Original::of(world).await;
        original.query("SELECT count(DISTINCT status)::text FROM payout_request", "").await[0].parse().unwrap()
    };
    assert!(states >= 6, "only {states} kinds of ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_passes() {
    let world = World::new().await;
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_tables_is_an_error_and_not_clean() {
    let world = World::new().await;
    let empty = TestDb::empty().await;
    let (vault, house) = (&world.app.vault, &world.app.wallet.house);
    assert!(landfall::verify::run(&empty.db(), vault, house, world.app.clock.now()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_broken_is_counted_and_the_first_rows_are_named() {
    let original = Original::new().await;
    let report = original
        .tampered(
            "INSERT INTO job (partner_id, mode, kind, subject_id, run_at, created_at) \
             SELECT id, 'test', 'invoke', gen_random_uuid(), now(), now() FROM partner, generate_series(1, 30) WHERE code = 'demo'",
        )
        .await;
    let check = report.checks.iter().find(|check| check.name == "jobs have subjects").unwrap();
    assert_eq!((check.findings_total, check.findings.len()), (30, FINDINGS_KEPT));
    assert!(report.to_string().contains("... and 10 more"), "{report}");
}
