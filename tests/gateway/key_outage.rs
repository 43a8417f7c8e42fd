//! A key provider that is away: payouts whose key is known go on, and those whose card can't be opened are sent later, as not sent.

use std::path::PathBuf;

use landfall::app::App;
use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::complete::{Report, Source};
use landfall::providers::provider::Outcome;
use landfall::store::deks::PgDeks;
use landfall::vault::DekStore;
use landfall::vault::keys::add_kek;
use rust_decimal::Decimal;

use crate::world::{Accepted, PAID, World};

/// The key file, out of the way: whoever needs a key that it hasn't read yet can't have it.
struct Away {
    path: PathBuf,
    hidden: PathBuf,
}

impl Away {
    /// The tenant's data key moves under a new key-encryption key, which nobody but `world` has read, and the file goes.
    async fn new(world: &World, accepted: &Accepted) -> Self {
        let path = world.app.settings.data_dir.join("keys/kek.json");
        add_kek(&path).unwrap();
        let deks = PgDeks { db: world.app.db.clone(), clock: world.app.clock.clone() };
        let row = deks.primary(accepted.user.tenant).await.unwrap().unwrap();
        let wrapped = world.app.vault.rewrap(&row).await.unwrap().unwrap();
        let update = "UPDATE dek SET kek_id = $1, wrapped = $2 WHERE id = $3::text::uuid RETURNING 1";
        world.row(update, &[&wrapped.kek_id, &wrapped.bytes, &row.id.to_string()]).await;
        let away = Self { hidden: path.with_extension("hidden"), path };
        away.again();
        away
    }

    fn again(&self) {
        std::fs::rename(&self.path, &self.hidden).unwrap();
    }

    fn back(&self) {
        std::fs::rename(&self.hidden, &self.path).unwrap();
    }
}

/// Dispatches what is due there and sends it: what is reported, unapplied.
async fn send_due(app: &App) -> Vec<Report> {
    let (tasks, _) = app.gateway.dispatch(10).await.unwrap();
    let mut reports = Vec::new();
    for task in &tasks {
        reports.push(app.gateway.send(task).await.expect("a send that wasn't begun is reported"));
    }
    reports
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_whose_card_cannot_be_opened_is_sent_later_and_is_never_unknown() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let other = world.another_process(|_| {}, Vec::new()).await;
    let away = Away::new(&world, &accepted).await;

    let reports = send_due(&other).await;
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    assert!(matches!(report.outcome, Outcome::NotSent { .. }), "{report:?}");
    assert!(matches!(report.source, Source::Withheld { .. }), "{report:?}");
    other.gateway.complete(&reports).await.unwrap();
    let payout = world.payouts(&accepted).await.remove(0);
    assert_eq!((payout.status, payout.sends, payout.sent_at), (PayoutStatus::Created, 0, None));
    assert!(!world.request(&accepted).await.status.is_final());
    // The invariants hold while it waits; every key has to open for that, in this process alone.
    away.back();
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");
    away.again();

    // Neither at once, nor as another try; nor does a long outage use any up.
    assert!(send_due(&other).await.is_empty());
    let mut tries = 0;
    for _ in 0..200 {
        world.advance(3_000);
        let reports = send_due(&other).await;
        tries += reports.len();
        other.gateway.complete(&reports).await.unwrap();
        assert!(other.gateway.claim_invokes(10).await.unwrap().reports.is_empty(), "nothing is taken for unknown");
    }
    assert!((10..40).contains(&tries), "{tries} tries in ten minutes");
    let first = world.payouts(&accepted).await;
    assert_eq!((first.len(), first[0].status, first[0].attempt), (1, PayoutStatus::Created, 1));

    away.back();
    world.advance(300_000);
    let reports = send_due(&other).await;
    other.gateway.complete(&reports).await.unwrap();
    let payouts = world.payouts(&accepted).await;
    assert_eq!((payouts.len(), payouts[0].status, payouts[0].sends), (1, PayoutStatus::Processed, 1));
    assert_eq!(payouts[0].provider_reference, first[0].provider_reference);
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Processed);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_knows_the_key_pays_while_the_provider_is_away() {
    let world = World::new().await;
    let accepted = world.accepted("bob", PAID, "100").await;
    let away = Away::new(&world, &accepted).await;
    assert!(world.app.vault.health().await.is_err());
    world.step().await;
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Processed);
    away.back();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_waits_for_its_key_is_given_back_when_its_time_is_over() {
    let world = World::new().await;
    let accepted = world.accepted("carol", PAID, "100").await;
    let (_, held) = world.balance(&accepted.user).await;
    assert!(held > Decimal::ZERO);
    let other = world.another_process(|_| {}, Vec::new()).await;
    let away = Away::new(&world, &accepted).await;
    other.gateway.complete(&send_due(&other).await).await.unwrap();
    let expires_at = world.request(&accepted).await.expires_at;
    world.advance((expires_at - world.app.clock.now()).num_milliseconds() + 1_000);
    let reports = send_due(&other).await;
    assert!(reports.is_empty(), "nothing is begun after the end: {reports:?}");
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Expired);
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Canceled);
    assert_eq!(world.balance(&accepted.user).await.1, Decimal::ZERO);
    away.back();
    world.finish().await;
}
