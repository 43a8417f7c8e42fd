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
    for n in 0..8 {
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
    until(|| async { scripted.sends_to("a") == 8 }).await;
    running.stopped().await;
    for id in waiting {
        let payouts = payouts_of(&world, &partner, id).await;
        assert_eq!(payouts.iter().map(|p| p.status).collect::<Vec<_>>(), [PayoutStatus::Unknown]);
    }
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");
}

async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    while !holds().await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
