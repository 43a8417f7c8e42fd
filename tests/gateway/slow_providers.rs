//! A provider that hangs holds up its own payouts and nobody else's.

use std::time::Duration;

use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::{RequestStatus, SplitMode};
use landfall::gateway::requests::RequestOptions;
use landfall::providers::provider::ResendSafety;
use rust_decimal::dec;

use crate::scripted::{Lane, Says, Scripted, by, lane, payouts_of, routed_over};
use crate::world::World;

/// Amounts up to 50 go to a provider account that hangs, others to one that pays. No call comes to its end by itself meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_account_that_hangs_takes_no_place_from_the_others() {
    let scripted = Scripted::that(|capabilities| capabilities.send_timeout = std::time::Duration::from_secs(120));
    let lanes = [
        Lane { max: Some(dec!(50)), ..lane("a", dec!(10000)) },
        Lane { min: Some(dec!(60)), ..lane("b", dec!(10000)) },
    ];
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |settings| {
        settings.worker.calls_max = 3;
        settings.worker.account_calls_max = 2;
        settings.worker.lease_ms = 600_000;
    })
    .await;
    scripted.always("a", Says::Hangs);
    let mut waiting = Vec::new();
    // Many more than this process may have under way, to whomever.
    for n in 0..20 {
        waiting.push(partner.make(&world, partner.sample_of(dec!(10), &format!("slow-{n}"))).await.id);
    }
    let running = world.start();
    until(&world, || async { scripted.sends_to("a") == 2 }).await;
    for n in 0..5 {
        let id = partner.make(&world, partner.sample_of(dec!(100), &format!("fast-{n}"))).await.id;
        until(&world, || async { partner.find(&world, id).await.status == RequestStatus::Processed }).await;
    }
    assert_eq!(scripted.sends_to("a"), 2, "no more calls than the account has places");
    let mut begun = 0;
    for id in &waiting {
        let payouts = payouts_of(&world, &partner, *id).await;
        begun += payouts.len();
        let expected = if payouts.is_empty() { RequestStatus::Ready } else { RequestStatus::Pending };
        assert_eq!(partner.find(&world, *id).await.status, expected);
    }
    assert_eq!(
        begun, 2,
        "of what waits nothing is written down, so that nothing of it is in doubt should the process die"
    );

    // The others get their turn once the first have come to their end.
    scripted.let_go();
    until(&world, || async { scripted.sends_to("a") == 20 }).await;
    running.stopped().await;
    for id in waiting {
        let payouts = payouts_of(&world, &partner, id).await;
        assert_eq!(payouts.iter().map(|p| p.status).collect::<Vec<_>>(), [PayoutStatus::Unknown]);
    }
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");
}

/// A backlog longer than the process may have in hand waits as jobs: no lease runs out over it, and nothing fails for our own queue.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_waits_for_a_slow_provider_and_fails_nothing() {
    let scripted = Scripted::that(|capabilities| capabilities.send_timeout = std::time::Duration::from_secs(1));
    let lanes = [lane("a", dec!(10000))];
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |settings| {
        settings.worker.calls_max = 2;
        settings.worker.account_calls_max = 1;
        // Leaves a payout half a second to wait for its turn: the backlog takes three.
        settings.worker.lease_ms = 2_000;
        for provider in [
            &mut settings.providers.adyen,
            &mut settings.providers.checkout,
            &mut settings.providers.tabapay,
            &mut settings.providers.worldpay,
        ] {
            provider.send_timeout_ms = 1_000;
        }
        settings.providers.test.send_timeout_ms = 1_000;
        settings.providers.http.send_timeout_ms = 1_000;
    })
    .await;
    scripted.always("a", Says::PaysSlowly);
    let mut asked = Vec::new();
    for n in 0..40 {
        asked.push(partner.make(&world, partner.sample_of(dec!(10), &format!("one-{n}"))).await.id);
    }
    let running = world.start();
    for id in asked {
        until(&world, || async { partner.find(&world, id).await.status.is_final() }).await;
        assert_eq!(partner.find(&world, id).await.status, RequestStatus::Processed);
    }
    running.stopped().await;
    assert_eq!(scripted.sends_to("a"), 40);
    world.finish().await;
}

/// Of parts that go out at once over one account, the first takes its place and the others wait for theirs.
#[tokio::test(flavor = "multi_thread")]
async fn parts_that_go_out_at_once_wait_for_their_account_one_after_the_other() {
    let scripted = Scripted::new();
    let lanes = [Lane { max: Some(dec!(40)), ..lane("a", dec!(10000)) }];
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |settings| {
        settings.worker.calls_max = 1;
        settings.worker.account_calls_max = 1;
    })
    .await;
    scripted.always("a", Says::PaysSlowly);
    let mut sample = partner.sample_of(dec!(100), "in-parts");
    sample.options =
        RequestOptions { split_mode: Some(SplitMode::Auto), parallel_mode: Some(true), ..RequestOptions::default() };
    let id = partner.make(&world, sample).await.id;
    let running = world.start();
    until(&world, || async { partner.find(&world, id).await.status.is_final() }).await;
    running.stopped().await;
    assert_eq!(partner.find(&world, id).await.status, RequestStatus::Processed);
    assert_eq!(scripted.sends_to("a"), 3);
    world.finish().await;
}

/// What is to be sent or asked about again finds its account full: it stays due as if nobody had looked, and nobody is in its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_resend_and_an_inquiry_that_find_their_account_full_are_due_again() {
    let scripted = Scripted::that(|capabilities| {
        capabilities.resend = ResendSafety::SameReferenceWithin(Duration::from_secs(86_400));
    });
    let lanes = [lane("a", dec!(10000))];
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |settings| {
        settings.worker.account_calls_max = 1;
    })
    .await;
    let gateway = &world.app.gateway;
    scripted.next("a", &[Says::Loses]);
    let id = partner.make(&world, partner.sample_of(dec!(10), "again")).await.id;
    world.step().await;
    let account = payouts_of(&world, &partner, id).await[0].provider_account_id;
    let mut kept_waiting = (0, 0);
    for _ in 0..20 {
        world.advance(61_000);
        let in_the_way = gateway.account_calls.permit(account).unwrap();
        let invokes = gateway.claim_invokes(10).await.unwrap();
        assert_eq!((invokes.tasks.len(), invokes.reports.len()), (0, 0));
        assert_eq!(gateway.claim_inquiries(10).await.unwrap().len(), 0);
        kept_waiting.0 += invokes.claimed;
        kept_waiting.1 += usize::from(invokes.claimed == 0);
        assert_eq!(gateway.claim_invokes(10).await.unwrap().claimed, 0, "not again before its time");
        drop(in_the_way);
        world.advance(1_000);
        world.step().await;
        if partner.find(&world, id).await.status.is_final() {
            break;
        }
    }
    assert!(kept_waiting.0 > 0 && kept_waiting.1 > 0, "both were to be kept waiting: {kept_waiting:?}");
    assert_eq!(partner.find(&world, id).await.status, RequestStatus::Processed);
    let payouts = payouts_of(&world, &partner, id).await;
    assert_eq!(payouts.iter().map(|p| (p.status, p.sends)).collect::<Vec<_>>(), [(PayoutStatus::Processed, 2)]);
    world.finish().await;
}

/// Time goes on as it does, until it holds.
async fn until<F: Future<Output = bool>>(world: &World, holds: impl Fn() -> F) {
    while !holds().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.advance(20);
    }
}
