//! What providers may well say and rarely do.

use landfall::domain::payout::PayoutStatus;
use landfall::providers::provider::Outcome;

use crate::world::{PAID, World};

#[tokio::test(flavor = "multi_thread")]
async fn two_answers_that_leave_a_payout_open_are_applied_in_one_batch() {
    let world = World::new().await;
    let accepted = world.accepted("alice", "4000000000130106", "100").await;
    let reports = world.send_due().await;
    let unknown = Outcome::Unknown { why: "no answer".to_owned() };
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
    let unknown = Outcome::Unknown { why: "no answer".to_owned() };
    world.app.gateway.complete(&[world.callback(&payout, unknown), reports[0].clone()]).await.unwrap();
    assert_eq!(world.payouts(&accepted).await[0].status, PayoutStatus::Processed);
    world.advance(60_000);
    assert!(world.app.gateway.claim_inquiries(10).await.unwrap().is_empty());
    world.finish().await;
}
