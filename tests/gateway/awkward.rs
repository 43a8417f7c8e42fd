//! What providers may well say and rarely do: the same twice at once, a return between two parts, a NUL in a text.

use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::RequestStatus;
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::wallet::view::PayStatus;
use rust_decimal::{Decimal, dec};

use crate::world::{PAID, World};

#[tokio::test(flavor = "multi_thread")]
async fn two_answers_that_leave_a_payout_open_are_applied_in_one_batch() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130106", "100").await;
    let reports = world.send_due().await;
    let unknown = Outcome::unknown("no answer");
    let payout = world.payouts(&accepted).await.remove(0);
    let batch = [reports[0].clone(), world.callback(&payout, unknown), reports[0].clone()];
    world.app.gateway.complete(&batch).await.unwrap();
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Pending);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_a_payout_that_ends_in_the_same_batch_does_not_stay() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let reports = world.send_due().await;
    let payout = world.payouts(&accepted).await.remove(0);
    let unknown = Outcome::unknown("no answer");
    world.app.gateway.complete(&[world.callback(&payout, unknown), reports[0].clone()]).await.unwrap();
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Processed);
    world.advance(60_000);
    assert!(world.app.gateway.claim_inquiries(10).await.unwrap().is_empty());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_comes_back_while_the_rest_is_under_way_is_booked_at_once() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130809", "100").await;
    let reports = world.send_due().await;
    world.app.gateway.complete(&reports).await.unwrap();
    let first = world.payouts(&accepted).await.remove(0);
    assert_eq!((first.status, first.amount_processed), (PayoutStatus::Processed, dec!(50)));
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Dispatching);

    let (before, _) = world.balance(&accepted.user).await;
    let back = Outcome::Returned { amount: dec!(33.33), ids: ProviderIds::default() };
    world.app.gateway.complete(&[world.callback(&first, back)]).await.unwrap();
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Returned);
    assert!(world.balance(&accepted.user).await.0 > before, "what came back is given back");
    let report = world.verify().await;
    assert!(report.is_clean(), "{report}");

    // The rest goes on, and the end says that something came back.
    for _ in 0..4 {
        world.step().await;
    }
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Returned);
    assert_eq!(world.state(&accepted.user, accepted.offer.id).await.status, PayStatus::Returned);
    assert_eq!(world.balance(&accepted.user).await.1, Decimal::ZERO);
    let second = world.payouts(&accepted).await.remove(1);
    let back = Outcome::Returned { amount: dec!(7.77), ids: ProviderIds::default() };
    world.app.gateway.complete(&[world.callback(&second, back)]).await.unwrap();
    assert_eq!(world.request(&accepted).await.amount_returned, dec!(41.10));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_the_database_cannot_hold_does_not_keep_an_outcome_from_being_written() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let reports = world.send_due().await;
    let mut report = reports[0].clone();
    let ids = ProviderIds { original_id: Some("a\0b".to_owned()), ..ProviderIds::default() };
    report.outcome = Outcome::Processed { amount: dec!(100), ids };
    world.app.gateway.complete(&[report]).await.unwrap();
    let payout = world.payouts(&accepted).await.remove(0);
    assert_eq!((payout.status, payout.provider_original_id.as_deref()), (PayoutStatus::Processed, Some("a\u{fffd}b")));
    world.finish().await;
}
