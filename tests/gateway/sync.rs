//! Deposit accounts whose balance the provider reports: two books, ours and the sandbox's, that have to agree in the end. What was paid
//! stays reserved until a balance has it in it.

use chrono::TimeDelta;
use landfall::clock::{Clock, SystemClock};
use landfall::config::Settings;
use landfall::config::providers::Outage;
use landfall::domain::payout::PayoutStatus;
use landfall::gateway::balance_syncs::{SyncTask, Synced};
use landfall::providers::provider::{Outcome, ProviderIds};
use rust_decimal::{Decimal, dec};

use crate::world::{PAID, World, eventually};

/// The deposit account that is synced: 1 000 EUR at the sandbox, which our books know nothing of.
const SYNCED: &str = "sandbox-a-eur";
/// What a payout of 100 takes of it: 0.5 percent and 0.10 are its cost.
const TAKEN: Decimal = dec!(100.60);

fn synced(settings: &mut Settings) {
    let account = &mut settings.gateway.provider_accounts[0];
    account.settings.insert("balance".to_owned(), "provider".to_owned());
    account.settings.insert("balance_eur".to_owned(), "1000.00".to_owned());
    settings.gateway.balance_sync_secs = 1;
}

async fn with_lag(lag_ms: u64) -> World {
    let change = |settings: &mut Settings| {
        synced(settings);
        settings.providers.test.posting_lag_ms = lag_ms;
    };
    World::with(change, Vec::new()).await
}

#[derive(Debug, PartialEq)]
struct Deposit {
    balance: Decimal,
    reserved: Decimal,
    error: Option<String>,
    synced_at: Option<String>,
}

async fn deposit(world: &World) -> Deposit {
    let sql = "SELECT balance::text, reserved::text, sync_error, synced_at::text FROM deposit_account WHERE code = $1";
    let row = world.row(sql, &[&SYNCED]).await;
    let number = |n: usize| row.get::<_, String>(n).parse::<Decimal>().unwrap().normalize();
    Deposit { balance: number(0), reserved: number(1), error: row.get(2), synced_at: row.get(3) }
}

/// Balance and reservation.
async fn sums(world: &World) -> (Decimal, Decimal) {
    let deposit = deposit(world).await;
    (deposit.balance, deposit.reserved)
}

/// The one sync that is due.
async fn claim(world: &World) -> SyncTask {
    let mut tasks = world.app.gateway.claim_syncs(10).await.unwrap();
    assert_eq!(tasks.len(), 1);
    tasks.remove(0)
}

/// A second later, the next sync.
async fn sync(world: &World) -> Synced {
    world.advance(1_100);
    let task = claim(world).await;
    world.app.gateway.sync(&task).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_synced_account_holds_nothing_before_its_first_sync() {
    let world = with_lag(0).await;
    assert_eq!(deposit(&world).await, Deposit { balance: dec!(0), reserved: dec!(0), error: None, synced_at: None });
    let accepted = world.accepted("alice", PAID, "100").await;
    world.step().await;
    let payout = world.payouts(&accepted).await.remove(0);
    let id: String = world.row("SELECT id::text FROM deposit_account WHERE code = $1", &[&SYNCED]).await.get(0);
    assert_ne!(id, payout.deposit_account_id.0.to_string());

    assert_eq!(sync(&world).await, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    let after = deposit(&world).await;
    assert_eq!((after.balance, after.reserved, after.synced_at.is_some()), (dec!(1000), dec!(0), true));
    assert!(world.app.gateway.claim_syncs(10).await.unwrap().is_empty(), "due again only after the interval");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_stays_reserved_until_a_sync_that_began_after_its_end_and_the_posting_lag() {
    let world = with_lag(60_000).await;
    sync(&world).await;
    let accepted = world.accepted("alice", PAID, "100").await;
    world.step().await;
    let paid = world.payouts(&accepted).await.remove(0);
    assert_eq!((paid.status, paid.amount_reserved), (PayoutStatus::Processed, TAKEN));
    assert_eq!(sums(&world).await, (dec!(1000), TAKEN), "the balance is the provider's word, not our sum");

    // The balance is without it already, but it might not be: it is counted twice rather than never.
    assert_eq!(sync(&world).await, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    assert_eq!(sums(&world).await, (dec!(900), TAKEN));
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");

    world.advance(57_000);
    assert_eq!(sync(&world).await, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    world.advance(1_000);
    assert_eq!(sync(&world).await, Synced::Written { released: TAKEN, payouts: 1 });
    assert_eq!(sums(&world).await, (dec!(900), dec!(0)));
    assert_eq!(world.payouts(&accepted).await[0].amount_reserved, Decimal::ZERO);
    assert_eq!(sync(&world).await, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    assert_eq!(sums(&world).await, (dec!(900), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_free_at_once_and_what_is_unknown_stays_reserved() {
    let world = with_lag(0).await;
    sync(&world).await;
    world.accepted("alice", "4000000000130205", "100").await;
    world.step().await;
    assert_eq!(sums(&world).await, (dec!(1000), dec!(0)));
    world.accepted("bob", "4000000000130601", "100").await;
    world.step().await;
    assert_eq!(sync(&world).await, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    assert_eq!(sums(&world).await, (dec!(1000), TAKEN));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_began_before_the_end_releases_nothing() {
    let world = with_lag(0).await;
    sync(&world).await;
    world.advance(1_100);
    let task = claim(&world).await;
    let asked = world.app.gateway.ask_balance(&task).await.unwrap();
    world.advance(10);
    world.accepted("alice", PAID, "100").await;
    world.step().await;
    let written = world.app.gateway.write_balance(&task, &asked).await.unwrap();
    assert_eq!(written, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    assert_eq!(sums(&world).await, (dec!(1000), TAKEN), "what is available is short of it");
    assert_eq!(sync(&world).await, Synced::Written { released: TAKEN, payouts: 1 });
    assert_eq!(sums(&world).await, (dec!(900), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_zeroes_nothing_says_why_and_comes_back_later() {
    let start = SystemClock.now();
    let change = |settings: &mut Settings| {
        synced(settings);
        let (from, until) = (start + TimeDelta::hours(1), start + TimeDelta::hours(2));
        settings.providers.test.outages = vec![Outage { from, until }];
    };
    let world = World::with(change, Vec::new()).await;
    sync(&world).await;
    world.accepted("alice", PAID, "100").await;
    world.step().await;
    let before = deposit(&world).await;
    world.advance(3_600_000);
    assert_eq!(sync(&world).await, Synced::Failed);
    let after = deposit(&world).await;
    assert!(after.error.as_ref().is_some_and(|error| error.contains("outage")), "{after:?}");
    assert_eq!(Deposit { error: None, ..after }, before);
    // Seldom, then more seldom: one second, two, four.
    let mut tries = Vec::new();
    for second in 1..=20 {
        world.advance(1_000);
        for task in world.app.gateway.claim_syncs(10).await.unwrap() {
            assert_eq!(world.app.gateway.sync(&task).await.unwrap(), Synced::Failed);
            tries.push(second);
        }
    }
    assert!((2..=4).contains(&tries.len()), "{tries:?}");
    world.advance(3_600_000);
    assert_eq!(sync(&world).await, Synced::Written { released: TAKEN, payouts: 1 });
    assert_eq!(deposit(&world).await.error, None);
    assert_eq!(sums(&world).await, (dec!(900), dec!(0)));
    // Back to the interval.
    assert_eq!(sync(&world).await, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_workers_the_one_that_lost_its_lease_changes_nothing() {
    let world = with_lag(0).await;
    sync(&world).await;
    world.advance(1_100);
    let gateway = &world.app.gateway;
    let (a, b) = tokio::join!(gateway.claim_syncs(10), gateway.claim_syncs(10));
    let mut claimed = [a.unwrap(), b.unwrap()].concat();
    assert_eq!(claimed.len(), 1, "one of them has it");
    let slow = claimed.remove(0);
    let asked = gateway.ask_balance(&slow).await.unwrap();

    world.accepted("alice", PAID, "100").await;
    world.step().await;
    world.advance(61_000);
    let next = claim(&world).await;
    // The slow one comes back before the other one has an answer, and after.
    assert_eq!(gateway.write_balance(&slow, &asked).await.unwrap(), Synced::Stale);
    assert_eq!(sums(&world).await, (dec!(1000), TAKEN));
    let later = gateway.ask_balance(&next).await.unwrap();
    let (first, again) = tokio::join!(gateway.write_balance(&next, &later), gateway.write_balance(&slow, &asked));
    assert_eq!(first.unwrap(), Synced::Written { released: TAKEN, payouts: 1 });
    assert_eq!(again.unwrap(), Synced::Stale);
    let mut failed = asked.clone();
    failed.answer = Err("no answer".to_owned());
    assert_eq!(gateway.write_balance(&slow, &failed).await.unwrap(), Synced::Stale);
    let after = deposit(&world).await;
    assert_eq!((after.balance, after.reserved, after.error), (dec!(900), dec!(0), None));
    // The same answer twice changes nothing more.
    gateway.write_balance(&next, &later).await.unwrap();
    assert_eq!(sums(&world).await, (dec!(900), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_the_answer_and_its_writing_changes_nothing_and_another_worker_goes_on() {
    let world = with_lag(0).await;
    sync(&world).await;
    world.accepted("alice", PAID, "100").await;
    world.step().await;
    let before = deposit(&world).await;
    world.advance(1_100);
    let task = claim(&world).await;
    world.app.gateway.ask_balance(&task).await.unwrap();
    drop(task);
    assert_eq!(deposit(&world).await, before);
    assert!(world.app.gateway.claim_syncs(10).await.unwrap().is_empty(), "under a lease");
    world.advance(60_000);
    assert_eq!(sync(&world).await, Synced::Written { released: TAKEN, payouts: 1 });
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_success_is_reserved_from_its_writing_on() {
    let world = with_lag(60_000).await;
    sync(&world).await;
    let accepted = world.accepted("alice", "4000000000130205", "100").await;
    world.step().await;
    world.advance(120_000);
    sync(&world).await;
    let failed = world.payouts(&accepted).await.remove(0);
    let late = world.callback(&failed, Outcome::Processed { amount: dec!(100), ids: ProviderIds::default() });
    world.app.gateway.complete(std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(sums(&world).await, (dec!(1000), TAKEN));
    // It ended as failed long ago, but the balance may be without what is known only now.
    assert_eq!(sync(&world).await, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");
    world.advance(60_000);
    assert_eq!(sync(&world).await, Synced::Written { released: TAKEN, payouts: 1 });
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_in_the_next_balance_and_breaks_no_reservation() {
    let world = with_lag(0).await;
    sync(&world).await;
    // Paid, and back five seconds later.
    let accepted = world.accepted("alice", "4000000000130908", "100").await;
    world.step().await;
    let paid = world.payouts(&accepted).await.remove(0);
    assert_eq!((paid.status, paid.amount_reserved), (PayoutStatus::Processed, TAKEN));
    let back = world.callback(&paid, Outcome::Returned { amount: dec!(100), ids: ProviderIds::default() });
    world.app.gateway.complete(std::slice::from_ref(&back)).await.unwrap();
    assert_eq!(sums(&world).await, (dec!(1000), TAKEN));
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");
    world.advance(10_000);
    assert_eq!(sync(&world).await, Synced::Written { released: TAKEN, payouts: 1 });
    assert_eq!(sums(&world).await, (dec!(1000), dec!(0)));
    // Told again after the release: nothing is reserved anew.
    world.app.gateway.complete(&[back]).await.unwrap();
    assert_eq!(sums(&world).await, (dec!(1000), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_in_the_moment_of_the_question_stays_reserved() {
    let world = with_lag(0).await;
    sync(&world).await;
    world.advance(1_100);
    let task = claim(&world).await;
    // The answer is on its way while a payout goes out and ends, as fast as clocks can tell.
    let asked = world.app.gateway.ask_balance(&task).await.unwrap();
    world.accepted("alice", PAID, "100").await;
    world.step().await;
    let written = world.app.gateway.write_balance(&task, &asked).await.unwrap();
    assert_eq!(written, Synced::Written { released: Decimal::ZERO, payouts: 0 });
    assert_eq!(sums(&world).await, (dec!(1000), TAKEN));
    assert_eq!(sync(&world).await, Synced::Written { released: TAKEN, payouts: 1 });
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_beside_payouts_that_end_keeps_the_sums() {
    let world = with_lag(0).await;
    let background = world.start();
    eventually("the first sync", async || {
        world.advance(200);
        sums(&world).await.0 == dec!(1000)
    })
    .await;
    let mut all = Vec::new();
    for n in 0..8 {
        all.push(world.accepted(&format!("user-{n}"), PAID, "100").await);
        world.advance(300);
    }
    eventually("all is paid and nothing is reserved", async || {
        world.advance(500);
        sums(&world).await == (dec!(200), dec!(0))
    })
    .await;
    background.stopped().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_just_started_keeps_what_was_paid_reserved_too() {
    let world = with_lag(60_000).await;
    sync(&world).await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let reports = world.send_due().await;
    let other = world.another_process(synced, Vec::new()).await;
    other.gateway.complete(&reports).await.unwrap();
    let paid = world.payouts(&accepted).await.remove(0);
    assert_eq!((paid.status, paid.amount_reserved), (PayoutStatus::Processed, TAKEN));
    assert_eq!(sums(&world).await, (dec!(1000), TAKEN));
    world.finish().await;
}
