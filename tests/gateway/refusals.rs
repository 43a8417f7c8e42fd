//! Refusals that say less than they seem to: at the provider's door, and of one of several sends.

use std::sync::Arc;
use std::time::Duration;

use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::complete::{Report, Source};
use landfall::gateway::invoke::SendTask;
use landfall::providers::provider::{Outcome, ResendSafety};
use landfall::store::requests::PayoutRequest;
use landfall::wallet::accept::Answer;
use rust_decimal::dec;

use crate::partner::{Partner, execute};
use crate::scripted::{Says, Scripted, by, lane, payouts_of, routed_over};
use crate::world::World;

fn refused(resolution: Resolution) -> Outcome {
    Outcome::Declined { resolution, code: resolution.to_string(), message: "refused".to_owned() }
}

fn answer(world: &World, task: &SendTask, outcome: Outcome) -> Report {
    let source = Source::Send { epoch: task.epoch, sends: task.payout.sends };
    Report { source, ..world.callback(&task.payout, outcome) }
}

/// A request whose first send nobody heard of, and that is about to be sent again; a second route would take it.
async fn about_to_be_resent() -> (World, Arc<Scripted>, Partner, PayoutRequest, SendTask, SendTask) {
    let lanes = [lane("a", dec!(100)), lane("b", dec!(100))];
    let scripted = Scripted::that(|capabilities| {
        capabilities.resend = ResendSafety::SameReferenceWithin(Duration::from_secs(86_400));
    });
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |_| {}).await;
    let row = partner.make(&world, partner.sample_of(dec!(50), "resent")).await;
    let (mut tasks, _) = world.app.gateway.dispatch(10).await.unwrap();
    for _ in 0..20 {
        world.advance(61_000);
        let invokes = world.app.gateway.claim_invokes(10).await.unwrap();
        if let Some(again) = invokes.tasks.into_iter().next() {
            return (world, scripted, partner, row, tasks.remove(0), again);
        }
        let mut reports = invokes.reports;
        for payout in world.app.gateway.claim_inquiries(10).await.unwrap() {
            reports.extend(world.app.gateway.inquire(&payout).await);
        }
        world.app.gateway.complete(&reports).await.unwrap();
    }
    panic!("it is never sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_that_is_turned_away_at_the_door_says_nothing_of_the_first_send() {
    for resolution in [Resolution::RateLimited, Resolution::AccessDenied, Resolution::ProviderUnavailable] {
        let (world, scripted, partner, row, first, again) = about_to_be_resent().await;
        // The first one arrives after all, while the second is turned away.
        scripted.next("a", &[Says::PaysSilently]);
        world.app.gateway.complete(&[answer(&world, &again, refused(resolution))]).await.unwrap();
        let provider = world.app.gateway.providers.get("scripted").unwrap().clone();
        let snapshot = world.app.gateway.snapshot().await.unwrap();
        let (_, account) = snapshot.account(first.payout.provider_account_id).unwrap();
        let order = landfall::providers::provider::PayoutOrder {
            reference: first.payout.provider_reference.clone(),
            deposit_account_id: first.payout.deposit_account_id,
            amount: first.payout.amount,
            currency: first.payout.currency,
            description: None,
            statement_descriptor: None,
            resend: 0,
        };
        let to = landfall::providers::provider::Destination { card: None, billing: None, fields: Default::default() };
        provider.send(account, &order, &to).await;
        for _ in 0..6 {
            world.step().await;
            world.advance(61_000);
        }
        let payouts = payouts_of(&world, &partner, row.id).await;
        assert_eq!((payouts.len(), payouts[0].status), (1, PayoutStatus::Processed), "{resolution}");
        assert_eq!((partner.find(&world, row.id).await.status, scripted.paid()), (RequestStatus::Processed, dec!(50)));
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_that_the_provider_declines_is_declined() {
    let (world, scripted, partner, row, _, again) = about_to_be_resent().await;
    world.app.gateway.complete(&[answer(&world, &again, refused(Resolution::DeclinedError))]).await.unwrap();
    world.step().await;
    let payouts = payouts_of(&world, &partner, row.id).await;
    assert_eq!(payouts.iter().map(|p| p.status).collect::<Vec<_>>(), [PayoutStatus::Failed, PayoutStatus::Processed]);
    assert_eq!((scripted.paid_by("a"), scripted.paid_by("b")), (dec!(0), dec!(50)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_sends_refusal_after_the_success_of_another_opens_no_case() {
    let (world, scripted, _, _, first, again) = about_to_be_resent().await;
    let paid = world.app.gateway.send(&again).await.unwrap();
    let late = answer(&world, &first, refused(Resolution::RateLimited));
    world.app.gateway.complete(&[paid]).await.unwrap();
    world.app.gateway.complete(&[late]).await.unwrap();
    assert_eq!(scripted.paid(), dec!(50));
    assert_eq!(world.test_db.count("SELECT count(*) AS count FROM staff_case").await, 0);
    world.finish().await;
}

/// Whoever writes the database, and has no key, leads a payout to another customer's card.
#[tokio::test(flavor = "multi_thread")]
async fn money_is_not_led_to_another_customers_card() {
    let world = World::new().await;
    let bob = world.user("bob").await;
    let of_bob = world.card(&bob, "4242424242424242").await;
    let alice = world.funded("alice", "3000").await;
    let of_alice = world.card(&alice, "4111111111111111").await;
    let offer = world.offer_to(&alice, of_alice, "50").await;
    let led = |table: &str, id: &str| format!("UPDATE {table} SET card_id = {} WHERE id = {id}", of_bob.0);
    execute(&world, &led("offer", &offer.id.0.to_string())).await;
    assert!(matches!(world.accept(&alice, offer.id).await, Answer::NotFound));

    let accepted = world.accepted("carol", "4111111111111111", "50").await;
    execute(&world, &led("payout_request", &format!("'{}'", accepted.request_id.0))).await;
    for _ in 0..8 {
        world.step().await;
        world.advance(10_000);
    }
    let request = world.request(&accepted).await;
    assert_eq!((request.status, request.amount_processed), (RequestStatus::Failed, dec!(0)));
    assert!(world.payouts(&accepted).await.iter().all(|payout| payout.provider_original_id.is_none()));
    assert_eq!(world.balance(&accepted.user).await, (dec!(3000), dec!(0)));
}
