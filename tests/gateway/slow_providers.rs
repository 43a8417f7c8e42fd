//! A provider that hangs holds up its own payouts and nobody else's.

use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::RequestStatus;
use rust_decimal::dec;

use crate::scripted::{Lane, Says, Scripted, by, lane, payouts_of, routed_over};

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
    for n in 0..4 {
        waiting.push(partner.make(&world, partner.sample_of(dec!(10), &format!("slow-{n}"))).await.id);
    }
    let running = world.start();
    until(|| async { scripted.sends_to("a") == 2 }).await;
    for n in 0..5 {
        let id = partner.make(&world, partner.sample_of(dec!(100), &format!("fast-{n}"))).await.id;
        until(|| async { partner.find(&world, id).await.status == RequestStatus::Processed }).await;
    }
    assert_eq!(scripted.sends_to("a"), 2, "no more calls than the account has places");

    // The others get their turn once the first have come to their end.
    scripted.let_go();
    until(|| async { scripted.sends_to("a") == 4 }).await;
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
        until(|| async { partner.find(&world, id).await.status.is_final() }).await;
        assert_eq!(partner.find(&world, id).await.status, RequestStatus::Processed);
    }
    running.stopped().await;
    assert_eq!(scripted.sends_to("a"), 40);
    world.finish().await;
}

async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    while !holds().await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
