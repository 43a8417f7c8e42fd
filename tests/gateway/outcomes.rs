//! What providers answer and what follows: failover only on a final failure of the route, unknown is asked about,
//! truth is applied once, whenever and however often it comes.

use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::complete::Source;
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::wallet::view::PayStatus;
use rust_decimal::{Decimal, dec};

use crate::world::{PAID, World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_of_the_card_releases_everything_and_tries_no_other_route() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130205", "100").await;
    world.step().await;
    assert_eq!(world.state(&accepted.user, accepted.offer.id).await.status, PayStatus::Failed);
    let payouts = world.payouts(&accepted).await;
    assert_eq!(payouts.len(), 1);
    assert_eq!(payouts[0].resolution, Some(Resolution::CardRestricted));
    assert_eq!(world.balance(&accepted.user).await, (dec!(3000), Decimal::ZERO));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_of_the_route_tries_the_next_and_ends_when_none_is_left() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000000002", "100").await;
    for _ in 0..4 {
        world.step().await;
    }
    let payouts = world.payouts(&accepted).await;
    assert_eq!(payouts.iter().map(|p| p.status).collect::<Vec<_>>(), [PayoutStatus::Failed; 2]);
    assert_ne!(payouts[0].route_id, payouts[1].route_id);
    let request = world.request(&accepted).await;
    assert_eq!((request.status, request.resolution), (RequestStatus::Failed, Some(Resolution::DeclinedError)));
    assert_eq!(world.balance(&accepted.user).await, (dec!(3000), Decimal::ZERO));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_payout_is_asked_about_and_never_failed_over() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130502", "100").await;
    world.step().await;
    let payouts = world.payouts(&accepted).await;
    assert_eq!(payouts.iter().map(|p| p.status).collect::<Vec<_>>(), [PayoutStatus::Unknown]);
    world.step().await;
    assert_eq!(world.payouts(&accepted).await.len(), 1);
    world.advance(2_000);
    world.step().await;
    assert_eq!(world.state(&accepted.user, accepted.offer.id).await.status, PayStatus::Success);
    assert_eq!(world.payouts(&accepted).await.len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_is_never_found_is_resent_under_its_reference_and_then_left_to_a_person() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130601", "100").await;
    for _ in 0..40 {
        world.step().await;
        world.advance(20_000);
    }
    let payouts = world.payouts(&accepted).await;
    assert_eq!(payouts.len(), 1);
    assert_eq!((payouts[0].status, payouts[0].sends), (PayoutStatus::Unknown, 3));
    let request = world.request(&accepted).await;
    assert_eq!(request.moderation_reason.as_deref(), Some("not_found_at_provider"));
    assert_eq!(world.state(&accepted.user, accepted.offer.id).await.status, PayStatus::Pending);
    // Nothing is released while a person has not decided.
    assert_eq!(world.balance(&accepted.user).await.1, accepted.offer.total_from);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_whose_sender_dies_before_the_send_is_resent_once_it_is_proven_absent() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    // Written down, and the process dies before the first byte.
    let (tasks, _) = world.app.gateway.dispatch(10).await.unwrap();
    assert_eq!(tasks.len(), 1);
    drop(tasks);
    world.step().await;
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Invoking, "the lease isn't over");
    for _ in 0..10 {
        world.advance(61_000);
        world.step().await;
    }
    let payouts = world.payouts(&accepted).await;
    assert_eq!(payouts.len(), 1);
    assert_eq!((payouts[0].status, payouts[0].sends), (PayoutStatus::Processed, 2));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_whose_sender_dies_after_the_send_is_found_paid_and_not_sent_again() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let reports = world.send_due().await;
    assert_eq!(reports.len(), 1);
    // The answer is lost with the process.
    drop(reports);
    for _ in 0..5 {
        world.advance(61_000);
        world.step().await;
    }
    let payouts = world.payouts(&accepted).await;
    assert_eq!(payouts.len(), 1);
    assert_eq!((payouts[0].status, payouts[0].sends), (PayoutStatus::Processed, 1));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_over_sends_nothing() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let (tasks, _) = world.app.gateway.dispatch(10).await.unwrap();
    world.advance(50_000);
    let withheld = world.app.gateway.send(&tasks[0]).await.expect("it says that it didn't send");
    assert!(matches!(withheld.source, Source::Withheld { .. }), "the lease doesn't outlast the send: {withheld:?}");
    // Nobody heard of that: what may have been sent is asked about.
    world.advance(11_000);
    world.step().await;
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Unknown);
    // Said too late, it contradicts nobody.
    world.app.gateway.complete(&[withheld]).await.unwrap();
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Unknown);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_whose_turn_came_too_late_is_known_as_not_sent_and_goes_out_later() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let (tasks, _) = world.app.gateway.dispatch(10).await.unwrap();
    world.advance(50_000);
    let withheld = world.app.gateway.send(&tasks[0]).await.expect("it says that it didn't send");
    world.app.gateway.complete(&[withheld]).await.unwrap();
    let payout = world.payouts(&accepted).await.remove(0);
    assert_eq!((payout.status, payout.sends), (PayoutStatus::Created, 0));
    assert!(world.verify().await.is_clean());
    for _ in 0..3 {
        world.advance(60_000);
        world.step().await;
    }
    let payouts = world.payouts(&accepted).await;
    assert_eq!(payouts.iter().map(|p| (p.status, p.sends)).collect::<Vec<_>>(), [(PayoutStatus::Processed, 1)]);
    world.finish().await;
}

/// Whoever isn't told that its COMMIT came through reports again, however late: the next try is under way by then, under a job and a count of
/// sends that look the same.
#[tokio::test(flavor = "multi_thread")]
async fn that_a_send_was_withheld_says_nothing_of_the_next_one() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let (tasks, _) = world.app.gateway.dispatch(10).await.unwrap();
    world.advance(50_000);
    let withheld = world.app.gateway.send(&tasks[0]).await.expect("it says that it didn't send");
    world.app.gateway.complete(std::slice::from_ref(&withheld)).await.unwrap();
    world.advance(60_000);
    let (again, _) = world.app.gateway.dispatch(10).await.unwrap();
    assert_eq!((again.len(), again[0].epoch, again[0].payout.sends), (1, tasks[0].epoch, 1));

    world.app.gateway.complete(&[withheld]).await.unwrap();
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Invoking, "the next one is under way");
    world.advance(5_000);
    assert!(world.app.gateway.dispatch(10).await.unwrap().0.is_empty(), "and isn't begun beside itself");
    let report = world.app.gateway.send(&again[0]).await.unwrap();
    world.app.gateway.complete(&[report]).await.unwrap();
    let payouts = world.payouts(&accepted).await;
    assert_eq!(payouts.iter().map(|p| (p.status, p.sends)).collect::<Vec<_>>(), [(PayoutStatus::Processed, 1)]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_says_counts_once_however_often_it_comes() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    let reports = world.send_due().await;
    let twice: Vec<_> = reports.iter().chain(&reports).cloned().collect();
    let (a, b) = tokio::join!(world.app.gateway.complete(&twice), world.app.gateway.complete(&reports));
    a.unwrap();
    b.unwrap();
    world.app.gateway.complete(&twice).await.unwrap();
    let (available, held) = world.balance(&accepted.user).await;
    assert_eq!((available, held), (dec!(3000) - accepted.offer.total_from, Decimal::ZERO));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_after_a_failure_is_written_down_with_a_case_and_debits_nobody() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130205", "100").await;
    world.step().await;
    let failed = world.payouts(&accepted).await.remove(0);
    let late = Outcome::Processed { amount: dec!(100), ids: ProviderIds::default() };
    let report = world.callback(&failed, late);
    world.app.gateway.complete(std::slice::from_ref(&report)).await.unwrap();
    world.app.gateway.complete(&[report]).await.unwrap();
    let payout = world.payouts(&accepted).await.remove(0);
    assert_eq!((payout.status, payout.amount_processed), (PayoutStatus::LateProcessed, dec!(100)));
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Failed);
    assert_eq!(world.balance(&accepted.user).await, (dec!(3000), Decimal::ZERO));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_paid_stays_paid_and_the_rest_goes_another_way_or_back() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130809", "100").await;
    for _ in 0..4 {
        world.step().await;
    }
    let payouts = world.payouts(&accepted).await;
    let amounts: Vec<_> = payouts.iter().map(|p| (p.part, p.amount_processed)).collect();
    assert_eq!(amounts, [(0, dec!(50)), (1, dec!(25))]);
    let state = world.state(&accepted.user, accepted.offer.id).await;
    assert_eq!((state.status, state.amount_to), (PayStatus::Partial, dec!(75)));
    let (available, held) = world.balance(&accepted.user).await;
    assert_eq!((available, held), (dec!(3000) - state.total_from, Decimal::ZERO));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_gives_the_amount_back_and_keeps_the_fees() {
    let world = World::new().await;
    let accepted = world.accepted("alice", PAID, "100").await;
    world.step().await;
    let paid = world.payouts(&accepted).await.remove(0);
    let back = Outcome::Returned { amount: dec!(100), ids: ProviderIds::default() };
    let report = world.callback(&paid, back);
    world.app.gateway.complete(std::slice::from_ref(&report)).await.unwrap();
    world.app.gateway.complete(&[report]).await.unwrap();
    assert_eq!(world.state(&accepted.user, accepted.offer.id).await.status, PayStatus::Returned);
    let kept = accepted.offer.total_from - accepted.offer.amount;
    assert_eq!(world.balance(&accepted.user).await, (dec!(3000) - kept, Decimal::ZERO));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_that_overtakes_its_success_is_both() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130106", "100").await;
    world.step().await;
    let pending = world.payouts(&accepted).await.remove(0);
    assert_eq!(pending.status, PayoutStatus::Pending);
    let back = Outcome::Returned { amount: dec!(100), ids: ProviderIds::default() };
    let paid = Outcome::Processed { amount: dec!(100), ids: ProviderIds::default() };
    let reports = [world.callback(&pending, back), world.callback(&pending, paid)];
    world.app.gateway.complete(&reports).await.unwrap();
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Returned);
    assert_eq!(world.state(&accepted.user, accepted.offer.id).await.status, PayStatus::Returned);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_of_the_sandbox_end_a_payout_without_an_inquiry() {
    let world = World::new().await;
    let background = world.start();
    for (n, number) in ["4000000000131104", "4000000000131203", "4000000000131302"].into_iter().enumerate() {
        let accepted = world.accepted(&format!("user-{n}"), number, "100").await;
        eventually("paid", async || {
            world.advance(100);
            world.state(&accepted.user, accepted.offer.id).await.status == PayStatus::Success
        })
        .await;
        assert_eq!(world.payouts(&accepted).await.len(), 1);
    }
    background.stopped().await;
    world.finish().await;
}
