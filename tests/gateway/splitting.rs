//! Requests that are divided over routes: exact sums, whole plans reserved at once, parts that fail over by themselves, and ends
//! in which a part was paid.

use landfall::domain::ids::PayoutRequestId;
use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::{RequestStatus, SplitMode};
use landfall::gateway::requests::{NewRequest, RequestOptions};
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::store::payouts::Payout;
use landfall::store::requests::PayoutRequest;
use rust_decimal::{Decimal, dec};

use crate::partner::Partner;
use crate::scripted::{Lane, Says, by, events_of, lane, lanes_of, payouts_of, reserved, routed};
use crate::world::World;

fn splits() -> RequestOptions {
    RequestOptions { split_mode: Some(SplitMode::Auto), ..RequestOptions::default() }
}

fn ask(partner: &Partner, amount: Decimal, name: &str, options: RequestOptions) -> NewRequest {
    NewRequest { options, ..partner.sample_of(amount, name) }
}

/// Three lanes with 100 each.
fn three() -> [Lane; 3] {
    [lane("a", dec!(100)), lane("b", dec!(100)), lane("c", dec!(100))]
}

fn amounts(payouts: &[Payout]) -> Vec<Decimal> {
    payouts.iter().map(|payout| payout.amount.normalize()).collect()
}

fn sum(amounts: &[Decimal]) -> Decimal {
    amounts.iter().sum()
}

async fn reserved_in_all(world: &World) -> i64 {
    reserved(world, "a").await + reserved(world, "b").await + reserved(world, "c").await
}

async fn steps(world: &World, count: usize) {
    for _ in 0..count {
        world.step().await;
    }
}

async fn read(world: &World, partner: &Partner, id: PayoutRequestId) -> (PayoutRequest, Vec<Payout>) {
    (partner.find(world, id).await, payouts_of(world, partner, id).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_go_out_one_after_the_other_and_the_whole_plan_is_reserved_at_once() {
    let (world, scripted, partner) = routed(&three(), by("balance", &three())).await;
    let row = partner.make(&world, ask(&partner, dec!(250), "split", splits())).await;
    let reports = world.send_due().await;
    let (_, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((payouts.len(), sum(&amounts(&payouts))), (3, dec!(250)));
    let statuses: Vec<_> = payouts.iter().map(|payout| payout.status).collect();
    assert_eq!(statuses, [PayoutStatus::Invoking, PayoutStatus::Created, PayoutStatus::Created]);
    assert_eq!(reserved_in_all(&world).await, 25_000);
    // Nobody else gets what is planned.
    let other = partner.make(&world, partner.sample_of(dec!(60), "other")).await;
    assert!(world.send_due().await.is_empty());
    assert_eq!(partner.find(&world, other.id).await.resolution, Some(Resolution::StrategyConfiguredRoutesWereFiltered));
    world.app.gateway.complete(&reports).await.unwrap();
    steps(&world, 3).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, row.amount_processed.normalize()), (RequestStatus::Processed, dec!(250)));
    assert!(payouts.iter().all(|payout| payout.status == PayoutStatus::Processed));
    assert_eq!((scripted.paid(), reserved_in_all(&world).await), (dec!(250), 0));
    let kinds: Vec<_> = events_of(&world, &partner, row.id).await.into_iter().map(|event| event.kind).collect();
    assert!(kinds.iter().any(|kind| kind == "request_split"), "{kinds:?}");
    world.finish().await;
}

/// It was written down hours before: a provider that is asked about it by time, or only so long after a send, isn't to go by that.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_waited_for_its_turn_is_asked_about_by_its_own_send() {
    let (world, scripted, partner) = routed(&three(), by("balance", &three())).await;
    let row = partner.make(&world, ask(&partner, dec!(200), "waits", splits())).await;
    let first = world.send_due().await;
    for lane in ["a", "b", "c"] {
        scripted.always(lane, Says::PaysSilently);
    }
    world.advance(2 * 3_600_000);
    world.app.gateway.complete(&first).await.unwrap();
    let second = world.send_due().await;
    world.app.gateway.complete(&second).await.unwrap();
    let (_, payouts) = read(&world, &partner, row.id).await;
    let waited = payouts.iter().find(|payout| payout.status == PayoutStatus::Unknown).unwrap();
    let sent_at = waited.sent_at.unwrap();
    assert!(sent_at - waited.created_at >= chrono::TimeDelta::hours(2));
    world.advance(60_000);
    world.step().await;
    let asked = scripted.asked();
    let asked = asked.iter().rfind(|inquiry| inquiry.reference == waited.provider_reference).unwrap();
    assert_eq!((asked.first_sent_at, asked.last_sent_at, asked.is_pending), (sent_at, sent_at, false));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_parallel_mode_all_parts_go_out_together() {
    let (world, scripted, partner) = routed(&three(), by("balance", &three())).await;
    let options = RequestOptions { parallel_mode: Some(true), ..splits() };
    let row = partner.make(&world, ask(&partner, dec!(300), "parallel", options)).await;
    world.step().await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, payouts.len()), (RequestStatus::Processed, 3));
    assert_eq!(["a", "b", "c"].map(|lane| scripted.paid_by(lane)), [dec!(100); 3]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_split_mode_an_amount_that_no_route_carries_is_refused() {
    let (world, scripted, partner) = routed(&three(), by("balance", &three())).await;
    let row = partner.make(&world, partner.sample_of(dec!(250), "whole")).await;
    world.step().await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, payouts.len()), (RequestStatus::Failed, 0));
    assert_eq!(row.resolution, Some(Resolution::StrategyConfiguredRoutesWereFiltered));
    assert_eq!(scripted.paid(), Decimal::ZERO);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_remainder_falls_under_the_least_that_a_route_takes() {
    let lanes = three().map(|lane| Lane { min: Some(dec!(30)), max: Some(dec!(90)), ..lane });
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    // 90 and 10 would leave too little; 180 and 5 too.
    for (n, (amount, parts)) in (0..).zip([(dec!(100), 2), (dec!(95.5), 2)]) {
        let row = partner.make(&world, ask(&partner, amount, &format!("least-{n}"), splits())).await;
        steps(&world, 4).await;
        let (row, payouts) = read(&world, &partner, row.id).await;
        assert_eq!((row.status, payouts.len()), (RequestStatus::Processed, parts));
        assert!(
            payouts.iter().all(|payout| payout.amount >= dec!(30) && payout.amount <= dec!(90)),
            "{:?}",
            amounts(&payouts)
        );
    }
    assert_eq!(scripted.paid(), dec!(195.5));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_fails_over_by_itself_and_is_divided_again_where_no_single_route_fits() {
    let lanes = [lane("a", dec!(100)), lane("b", dec!(100)), lane("c", dec!(60)), lane("d", dec!(60))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.always("b", Says::DeclinesRoute);
    let row = partner
        .make(&world, ask(&partner, dec!(200), "again", RequestOptions { attempts_limit: Some(10), ..splits() }))
        .await;
    steps(&world, 8).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, row.amount_processed.normalize()), (RequestStatus::Processed, dec!(200)));
    assert_eq!(scripted.paid_by("a"), dec!(100));
    assert_eq!(scripted.paid_by("c") + scripted.paid_by("d"), dec!(100));
    let pieces: Vec<_> = payouts.iter().filter(|payout| payout.placement.parent_part.is_some()).collect();
    assert_eq!((pieces.len(), pieces.iter().map(|piece| piece.amount).sum::<Decimal>()), (2, dec!(100)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_partly_paid_ends_so_where_that_is_allowed_and_waits_for_a_person_elsewhere() {
    for allow_partially in [true, false] {
        let (world, scripted, partner) = routed(&three(), by("balance", &three())).await;
        scripted.always("b", Says::DeclinesRoute);
        scripted.always("c", Says::DeclinesRoute);
        let options = RequestOptions {
            allow_partially: Some(allow_partially),
            attempts_limit: Some(10),
            parallel_mode: Some(true),
            ..splits()
        };
        // Over all three, of which one pays.
        let row = partner.make(&world, ask(&partner, dec!(250), "partly", options)).await;
        steps(&world, 6).await;
        let row = partner.find(&world, row.id).await;
        let paid = scripted.paid();
        assert!(paid > Decimal::ZERO && paid <= dec!(100), "{paid}");
        assert_eq!(row.amount_processed, paid);
        if allow_partially {
            assert_eq!(row.status, RequestStatus::PartiallyProcessed);
            assert_eq!(partner.funds(&world, "USD").await, (dec!(100000) - paid, dec!(0)));
        } else {
            // It stood at routing the rest again.
            assert_eq!(
                (row.status, row.moderation_reason.as_deref()),
                (RequestStatus::Dispatching, Some("partly_paid"))
            );
            // What isn't paid stays held until a person decides.
            assert_eq!(partner.funds(&world, "USD").await, (dec!(99750), dec!(250) - paid));
        }
        assert_eq!(reserved_in_all(&world).await, 0);
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_paid_less_goes_out_as_a_part_of_its_own() {
    let (world, scripted, partner) = routed(&three(), by("direct", &three())).await;
    scripted.next("a", &[Says::PaysOnly(dec!(40))]);
    let row = partner.make(&world, ask(&partner, dec!(90), "less", RequestOptions::default())).await;
    steps(&world, 4).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, row.amount_processed.normalize()), (RequestStatus::Processed, dec!(90)));
    assert_eq!((amounts(&payouts), scripted.paid()), (vec![dec!(90), dec!(50)], dec!(90)));
    assert_eq!(partner.funds(&world, "USD").await, (dec!(99910), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_shares_are_what_optimal_always_splits_into() {
    let (world, scripted, partner) = routed(&three(), by("optimal", &three())).await;
    let options = RequestOptions { split_mode: Some(SplitMode::Always), parallel_mode: Some(true), ..splits() };
    let row = partner.make(&world, ask(&partner, dec!(100), "shares", options)).await;
    steps(&world, 2).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, payouts.len()), (RequestStatus::Processed, 3));
    let mut parts = amounts(&payouts);
    parts.sort();
    assert_eq!(parts, [dec!(33.33), dec!(33.33), dec!(33.34)]);
    assert_eq!(scripted.paid(), dec!(100));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_part_is_unknown_nothing_takes_its_place_and_the_request_stays_open() {
    let (world, scripted, partner) = routed(&three(), by("balance", &three())).await;
    scripted.next("a", &[Says::PaysSilently]);
    let options = RequestOptions { parallel_mode: Some(true), allow_partially: Some(true), ..splits() };
    let row = partner.make(&world, ask(&partner, dec!(300), "unknown", options)).await;
    steps(&world, 3).await;
    let (open, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((open.status, payouts.len()), (RequestStatus::Pending, 3));
    assert_eq!(payouts.iter().filter(|payout| payout.status == PayoutStatus::Unknown).count(), 1);
    assert_eq!(reserved(&world, "a").await, 10_000);
    for _ in 0..4 {
        world.advance(20_000);
        world.step().await;
    }
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, payouts.len(), scripted.paid()), (RequestStatus::Processed, 3, dec!(300)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_between_parts_stops_the_rest_and_gives_it_back() {
    let (world, scripted, partner) = routed(&three(), by("balance", &three())).await;
    // Who cancels takes what was paid by then, though all or nothing was asked for.
    let options = RequestOptions { allow_partially: Some(false), ..splits() };
    let row = partner.make(&world, ask(&partner, dec!(250), "canceled", options)).await;
    let reports = world.send_due().await;
    world.app.gateway.cancel_request(&partner.caller, row.id).await.unwrap();
    world.app.gateway.complete(&reports).await.unwrap();
    steps(&world, 3).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    let paid = scripted.paid();
    assert_eq!((row.status, row.amount_processed), (RequestStatus::PartiallyProcessed, paid));
    assert_eq!(payouts.iter().filter(|payout| payout.status == PayoutStatus::Canceled).count(), 2);
    assert_eq!(partner.funds(&world, "USD").await, (dec!(100000) - paid, dec!(0)));
    assert_eq!(reserved_in_all(&world).await, 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_comes_back_is_given_back_to_the_partner() {
    let (world, _, partner) = routed(&three(), by("balance", &three())).await;
    let row = partner.make(&world, ask(&partner, dec!(250), "returned", splits())).await;
    steps(&world, 4).await;
    let (_, payouts) = read(&world, &partner, row.id).await;
    let back = Outcome::Returned { amount: payouts[0].amount, ids: ProviderIds::default() };
    for _ in 0..2 {
        world.app.gateway.complete(&[world.callback(&payouts[0], back.clone())]).await.unwrap();
    }
    let (row, after) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, row.amount_returned), (RequestStatus::Returned, payouts[0].amount));
    assert_eq!(after[0].status, PayoutStatus::Returned);
    assert_eq!(lanes_of(&world, &after).await.len(), 3);
    assert_eq!(partner.funds(&world, "USD").await, (dec!(99750) + payouts[0].amount.normalize(), dec!(0)));
    world.finish().await;
}
