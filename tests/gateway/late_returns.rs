//! Money that comes back of what counted as failed: the truth is booked, and nobody is given back what nobody was charged.

use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::cases::{CaseClosing, CaseEnd};
use landfall::gateway::moderation::Decider;
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::store::payouts::Payout;
use rust_decimal::{Decimal, dec};

use crate::partner::Partner;
use crate::scripted::{Lane, Says, by, lane, payouts_of, routed};
use crate::world::World;

fn processed(amount: Decimal) -> Outcome {
    Outcome::Processed { amount, ids: ProviderIds::default() }
}

fn returned(amount: Decimal) -> Outcome {
    Outcome::Returned { amount, ids: ProviderIds::default() }
}

async fn tell(world: &World, payout: &Payout, outcome: Outcome) {
    world.app.gateway.complete(&[world.callback(payout, outcome)]).await.unwrap();
}

/// A request over `amount` whose card was refused, and its payout.
async fn refused(world: &World, partner: &Partner, amount: Decimal) -> Payout {
    let row = partner.make(world, partner.sample_of(amount, "refused")).await;
    world.step().await;
    assert_eq!(partner.find(world, row.id).await.status, RequestStatus::Failed);
    payouts_of(world, partner, row.id).await.remove(0)
}

async fn again(world: &World, partner: &Partner, payout: &Payout) -> Payout {
    payouts_of(world, partner, payout.request_id).await.remove(0)
}

/// What the books say is at the lane's deposit account, in cents.
async fn at_lane(world: &World) -> i64 {
    world.test_db.count("SELECT (balance * 100)::bigint AS count FROM deposit_account WHERE code = 'a'").await
}

/// What is recoverable, in cents.
async fn recoverable(world: &World) -> i64 {
    let sql = "SELECT (COALESCE(sum(p.amount), 0) * 100)::bigint AS count FROM posting p JOIN account a \
         ON (a.partner_id, a.mode, a.id) = (p.partner_id, p.mode, p.account_id) WHERE a.kind = 'recoverable'";
    world.test_db.count(sql).await
}

async fn cases(world: &World, kind: &str) -> (i64, i64) {
    let of = |closed: &str| {
        format!("SELECT count(*) AS count FROM staff_case WHERE kind = '{kind}' AND closed_at IS {closed} NULL")
    };
    (world.test_db.count(&of("")).await, world.test_db.count(&of("NOT")).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_success_that_comes_back_is_booked_as_recovered_and_its_case_is_closed() {
    let lanes = [lane("a", dec!(100))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::DeclinesCard]);
    let payout = refused(&world, &partner, dec!(50)).await;
    tell(&world, &payout, processed(dec!(50))).await;
    assert_eq!((at_lane(&world).await, recoverable(&world).await), (5_000, 5_000));
    for _ in 0..2 {
        tell(&world, &payout, returned(dec!(50))).await;
    }
    let payout = again(&world, &partner, &payout).await;
    assert_eq!((payout.status, payout.amount_returned), (PayoutStatus::LateProcessed, dec!(50)));
    assert_eq!((at_lane(&world).await, recoverable(&world).await), (10_000, 0));
    assert_eq!((cases(&world, "late_success").await, cases(&world, "return_does_not_fit").await), ((0, 1), (0, 0)));
    assert_eq!(partner.funds(&world, "USD").await, (dec!(100000), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_in_part_leaves_the_case_open_for_the_rest() {
    let lanes = [lane("a", dec!(100))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::DeclinesCard]);
    let payout = refused(&world, &partner, dec!(50)).await;
    tell(&world, &payout, processed(dec!(50))).await;
    tell(&world, &payout, returned(dec!(20))).await;
    assert_eq!((at_lane(&world).await, recoverable(&world).await), (7_000, 3_000));
    assert_eq!(cases(&world, "late_success").await, (1, 0));
    // The rest is written off by hand; what the provider says after that is for a person.
    let id = world.row("SELECT id::text FROM staff_case WHERE kind = 'late_success'", &[]).await;
    let id = id.get::<_, &str>(0).parse().unwrap();
    let end = CaseEnd::Settled { recovered: dec!(0), written_off: dec!(30) };
    let closing = CaseClosing { end, reason: "the bank won't".to_owned(), evidence: None };
    world.app.gateway.close_case(&Decider { actor: "tester".to_owned(), origin: None }, id, closing).await.unwrap();
    tell(&world, &payout, returned(dec!(50))).await;
    assert_eq!((at_lane(&world).await, recoverable(&world).await), (7_000, 0));
    assert_eq!(cases(&world, "return_does_not_fit").await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_of_what_counts_as_failed_tells_of_its_late_success_too() {
    let lanes = [lane("a", dec!(100))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::DeclinesCard]);
    let payout = refused(&world, &partner, dec!(50)).await;
    // Only a whole return tells how much had been paid.
    tell(&world, &payout, returned(dec!(20))).await;
    assert_eq!(cases(&world, "return_does_not_fit").await, (1, 0));
    tell(&world, &payout, returned(dec!(50))).await;
    let payout = again(&world, &partner, &payout).await;
    assert_eq!((payout.status, payout.resolution), (PayoutStatus::LateProcessed, Some(Resolution::CardRestricted)));
    assert_eq!((payout.amount_processed, payout.amount_returned), (dec!(50), dec!(50)));
    assert_eq!((at_lane(&world).await, recoverable(&world).await), (10_000, 0));
    assert_eq!(cases(&world, "late_success").await, (0, 1));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_while_the_request_waits_for_a_person_leaves_the_decision_to_the_person() {
    let lanes = [lane("a", dec!(100)), lane("b", dec!(100))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::DeclinesRoute]);
    scripted.next("b", &[Says::DeclinesLater]);
    let row = partner.make(&world, partner.sample_of(dec!(50), "waits")).await;
    world.step().await;
    world.step().await;
    let payouts = payouts_of(&world, &partner, row.id).await;
    assert_eq!(payouts.len(), 2);
    tell(&world, &payouts[0], processed(dec!(50))).await;
    tell(&world, &payouts[0], returned(dec!(50))).await;
    for _ in 0..3 {
        world.advance(61_000);
        world.step().await;
    }
    let row = partner.find(&world, row.id).await;
    assert_eq!((row.moderation_reason.as_deref(), row.amount_returned), (Some("late_success"), dec!(0)));
    assert_eq!((recoverable(&world).await, cases(&world, "late_success").await), (0, (1, 0)));
    assert_eq!(scripted.paid(), dec!(0));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_of_less_than_the_deposit_account_has_units_for_is_left_to_a_person() {
    let lanes = [Lane { currency: "BTC", ..lane("a", dec!(10)) }];
    let (world, _, partner) = routed(&lanes, by("balance", &lanes)).await;
    let tick = |pair: &str, price| landfall::rates::source::Tick {
        pair: pair.parse().unwrap(),
        bid: price,
        ask: price,
        source_time: None,
    };
    let board = world.app.rates.board(landfall::domain::ids::Mode::Test).unwrap();
    let ticks = [tick("USDT/USD", dec!(1)), tick("BTC/USD", dec!(4000000))];
    board.record("fixed", &ticks, world.app.clock.now());
    let row = partner.make(&world, partner.sample_of(dec!(10), "tiny")).await;
    world.step().await;
    let payout = payouts_of(&world, &partner, row.id).await.remove(0);
    assert_eq!(payout.status, PayoutStatus::Processed);
    tell(&world, &payout, returned(dec!(0.01))).await;
    assert_eq!(again(&world, &partner, &payout).await.status, PayoutStatus::Processed);
    assert_eq!(cases(&world, "return_does_not_fit").await, (1, 0));
    world.finish().await;
}
