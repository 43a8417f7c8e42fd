//! What a person decides about a request that waits for one: every decision for every reason, with the money after it; what is refused
//! changes nothing; and of two people, or a person and a provider, one comes first.

mod waiting;

use std::sync::Arc;
use std::time::Duration;

use landfall::domain::ids::PayoutId;
use landfall::domain::moderation::{DecisionKind, NotNow, Reason};
use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::{RequestStatus, SplitMode};
use landfall::gateway::complete::Source;
use landfall::gateway::moderation::{Choice, DecideError, Decided, Decision};
use landfall::gateway::requests::{NewRequest, Patch, RequestOptions};
use landfall::providers::provider::{ProviderIds, ResendSafety};
use landfall::torture::Action;
use rust_decimal::{Decimal, dec};
use tokio::sync::Notify;

use self::waiting::{REASONS, Waiting, ada, bob, declined, ids, lanes, processed};
use crate::partner::execute;
use crate::scripted::{Says, Scripted, by, events_of, routed, routed_over};

tokio::task_local! {
    /// After whose commit this task stands still for good, and who is told.
    static DIES_AFTER: (&'static str, Arc<Notify>);
}

/// Does a step until the first commit of the transaction that begins in `file`: whoever did it died there.
async fn dies_after<T>(file: &'static str, step: impl Future<Output = T>) {
    landfall::torture::set_hook(Some(Arc::new(|place: &str| {
        let is_there = |(file, dead): &(&str, Arc<Notify>)| {
            let is_there = place.contains(*file) && place.ends_with("after commit");
            is_there.then(|| dead.notify_one())
        };
        DIES_AFTER.try_with(is_there).ok().flatten().map(|()| Action::Hang)
    })));
    let dead = Arc::new(Notify::new());
    tokio::select! {
        biased;
        _ = DIES_AFTER.scope((file, Arc::clone(&dead)), step) => panic!("nothing was committed by {file}"),
        () = dead.notified() => {}
    }
}

fn refused(result: Result<Decided, DecideError>) -> NotNow {
    match result {
        Err(DecideError::NotNow(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proved_to_be_paid_is_settled_as_any_success_and_told_with_its_proof() {
    let waiting = Waiting::not_found().await;
    let payout_id = waiting.open().await.id;
    let decided = waiting.decide(Choice::MarkPaid { payout_id, amount: dec!(50), ids: ids() }).await.unwrap();
    assert_eq!((decided.request.status, decided.is_repeat), (RequestStatus::Processed, false));
    let payout = waiting.payouts().await.remove(0);
    assert_eq!((payout.provider_original_id.as_deref(), payout.rrn.as_deref()), (Some("tr-1"), Some("rrn-1")));
    let events = events_of(&waiting.world, &waiting.partner, waiting.id).await;
    let event = events.iter().find(|event| event.kind == "moderation_decided").unwrap();
    assert_eq!((event.payout_id, event.actor.as_str()), (Some(payout_id), "staff:ada@landfall.example"));
    assert_eq!(event.data["evidence"], "statement 2026-11-21, line 7");
    assert_eq!(event.data["moderation"], "not_found_at_provider");
    assert!(waiting.open_cases().await.is_empty());
    let closed = "SELECT closing || ' ' || closed_by FROM staff_case";
    assert_eq!(waiting.world.row(closed, &[]).await.get::<_, String>(0), "mark_paid staff:ada@landfall.example");
    let audited = "SELECT count(*) AS count FROM audit WHERE action = 'moderation.decide'";
    assert_eq!(waiting.world.test_db.count(audited).await, 1);
    // The provider says the same, later: nothing more happens.
    waiting.tell(&payout, processed(dec!(50))).await;
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proved_to_be_paid_in_part_leaves_a_rest_that_goes_on() {
    let waiting = Waiting::not_found().await;
    let payout_id = waiting.open().await.id;
    let ids = ProviderIds::default();
    waiting.decide(Choice::MarkPaid { payout_id, amount: dec!(20.5), ids }).await.unwrap();
    waiting.steps(3).await;
    assert_eq!(waiting.scripted.paid(), dec!(29.5), "what the second lane paid");
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_is_no_providers_id() {
    let waiting = Waiting::not_found().await;
    let payout_id = waiting.open().await.id;
    let typed = |text: &str| Some(text.to_owned());
    for ids in [
        ProviderIds { original_id: typed("4111111111111111"), ..ProviderIds::default() },
        ProviderIds { original_id: typed("tr-4111-1111-1111-1111"), ..ProviderIds::default() },
        ProviderIds { rrn: typed("4111111111111111"), ..ProviderIds::default() },
        ProviderIds { arn: typed("378282246310005"), ..ProviderIds::default() },
    ] {
        let refused = waiting.decide(Choice::MarkPaid { payout_id, amount: dec!(50), ids }).await.unwrap_err();
        assert!(matches!(refused, DecideError::Invalid(why) if why.contains("card number")), "{refused:?}");
    }
    let ids = ProviderIds {
        original_id: typed("4111111111111112"),
        rrn: typed("411111111111"),
        arn: typed("74537604221222012345678"),
        debited: None,
    };
    waiting.decide(Choice::MarkPaid { payout_id, amount: dec!(50), ids }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proved_unpaid_gives_everything_back() {
    let waiting = Waiting::not_found().await;
    let payout_id = waiting.open().await.id;
    waiting.decide(Choice::MarkFailedRelease { payout_id }).await.unwrap();
    waiting.steps(2).await;
    let row = waiting.row().await;
    assert_eq!(row.resolution, Some(Resolution::ProviderUnavailable));
    assert_eq!((waiting.payouts().await.len(), waiting.scripted.paid()), (1, dec!(0)));
    assert!(waiting.open_cases().await.is_empty());
    waiting.ends(RequestStatus::Failed, dec!(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proved_unpaid_may_go_another_way_and_once() {
    let waiting = Waiting::not_found().await;
    let payout_id = waiting.open().await.id;
    waiting.decide(Choice::MarkFailedFailover { payout_id }).await.unwrap();
    waiting.steps(2).await;
    assert_eq!((waiting.scripted.paid_by("b"), waiting.scripted.paid()), (dec!(50), dec!(50)));
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_after_a_person_said_failed_is_late_and_has_a_case() {
    for kind in [DecisionKind::MarkFailedRelease, DecisionKind::MarkFailedFailover] {
        let waiting = Waiting::not_found().await;
        let lost = waiting.open().await;
        waiting.decide(waiting.choice(kind).await).await.unwrap();
        waiting.steps(2).await;
        waiting.tell(&lost, processed(dec!(50))).await;
        assert_eq!(waiting.payouts().await[0].status, PayoutStatus::LateProcessed);
        assert_eq!(waiting.open_cases().await, ["late_success"]);
        match kind {
            DecisionKind::MarkFailedRelease => waiting.ends(RequestStatus::Failed, dec!(0)).await,
            _ => waiting.ends(RequestStatus::Processed, dec!(50)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_is_asked_about_again_and_not_sent_where_that_is_not_safe() {
    let waiting = Waiting::not_found().await;
    waiting.decide(Choice::Continue).await.unwrap();
    assert_eq!(waiting.reason().await, None);
    assert!(waiting.open_cases().await.is_empty());
    waiting.world.step().await;
    assert_eq!(waiting.reason().await, None, "one answer isn't enough");
    waiting.steps(20).await;
    // It comes back, with a case of its own, and was sent once.
    assert_eq!(waiting.reason().await.as_deref(), Some("not_found_at_provider"));
    assert_eq!(waiting.open_cases().await, ["not_found_at_provider"]);
    let payout = waiting.open().await;
    assert_eq!((payout.sends, waiting.scripted.sends_to("a"), waiting.payouts().await.len()), (1, 1, 1));
    waiting.tell(&payout, processed(dec!(50))).await;
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_while_its_fate_is_open_ends_by_its_truth() {
    for (outcome, status, paid) in [
        (processed(dec!(50)), RequestStatus::Processed, dec!(50)),
        (processed(dec!(20)), RequestStatus::PartiallyProcessed, dec!(20)),
        (declined(), RequestStatus::Failed, dec!(0)),
    ] {
        let waiting = Waiting::not_found().await;
        waiting.decide(Choice::Reject).await.unwrap();
        let row = waiting.row().await;
        assert_eq!((row.status, row.stop_requested.as_deref()), (RequestStatus::Pending, Some("rejected")));
        assert_eq!(waiting.partner.funds(&waiting.world, "USD").await.1, dec!(50), "nothing is given back yet");
        waiting.tell(&waiting.open().await, outcome).await;
        waiting.steps(2).await;
        assert_eq!(waiting.scripted.paid(), dec!(0), "nothing went out");
        waiting.ends(status, paid).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_partly_paid_and_rejected_ends_with_what_was_paid() {
    let waiting = Waiting::partly_paid().await;
    let paid = waiting.scripted.paid();
    waiting.decide(Choice::Reject).await.unwrap();
    assert!(waiting.open_cases().await.is_empty());
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_partly_paid_ends_once_the_caller_takes_a_part_or_cancels() {
    let waiting = Waiting::partly_paid().await;
    let paid = waiting.scripted.paid();
    let patch = Patch { allow_partially: Some(true), ..Patch::default() };
    let row = waiting.world.app.gateway.patch_request(&waiting.partner.caller, waiting.id, &patch).await.unwrap();
    assert_eq!(row.moderation_reason, None);
    assert!(waiting.open_cases().await.is_empty());
    // What wasn't given up yet is tried first, as it would have been.
    waiting.steps(6).await;
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;

    let waiting = Waiting::partly_paid().await;
    let paid = waiting.scripted.paid();
    let row = waiting.world.app.gateway.cancel_request(&waiting.partner.caller, waiting.id).await.unwrap();
    assert_eq!((row.status, row.moderation_reason), (RequestStatus::PartiallyProcessed, None));
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;

    // Whoever canceled died between the stop and what follows of it: canceled again, it ends.
    let waiting = Waiting::partly_paid().await;
    let paid = waiting.scripted.paid();
    let stop = format!("UPDATE payout_request SET stop_requested = 'cancel' WHERE id = '{}'", waiting.id.0);
    execute(&waiting.world, &stop).await;
    let row = waiting.world.app.gateway.cancel_request(&waiting.partner.caller, waiting.id).await.unwrap();
    assert_eq!((row.status, row.moderation_reason), (RequestStatus::PartiallyProcessed, None));
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;

    let waiting = Waiting::partly_paid().await;
    let paid = waiting.scripted.paid();
    waiting.world.advance(25 * 3_600_000);
    assert_eq!(waiting.world.app.gateway.expire_requests().await.unwrap(), 1);
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;
}

/// What follows a stop is done by whoever asked for it. If that one dies right after its first commit, dispatch does it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_partly_paid_ends_though_whoever_stopped_it_died() {
    let waiting = Waiting::partly_paid().await;
    let paid = waiting.scripted.paid();
    let caller = &waiting.partner.caller;
    dies_after("cancel.rs", waiting.world.app.gateway.cancel_request(caller, waiting.id)).await;
    assert_eq!(waiting.open_cases().await, ["partly_paid"]);
    waiting.steps(1).await;
    assert!(waiting.open_cases().await.is_empty());
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;

    let waiting = Waiting::partly_paid().await;
    let patch = Patch { allow_partially: Some(true), ..Patch::default() };
    let caller = &waiting.partner.caller;
    dies_after("patch.rs", waiting.world.app.gateway.patch_request(caller, waiting.id, &patch)).await;
    waiting.steps(6).await;
    assert!(waiting.open_cases().await.is_empty());
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;

    let waiting = Waiting::partly_paid().await;
    waiting.world.advance(25 * 3_600_000);
    dies_after("expire.rs", waiting.world.app.gateway.expire_requests()).await;
    waiting.steps(1).await;
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_wait_for_their_turn_are_given_back_though_whoever_stopped_them_died() {
    let (world, scripted, partner) = routed(&lanes(), by("balance", &lanes())).await;
    for lane in ["a", "b", "c"] {
        scripted.always(lane, Says::PaysLater);
    }
    let waiting = Waiting::split(world, scripted, partner, false).await;
    let gateway = &waiting.world.app.gateway;
    gateway.complete(&waiting.world.send_due().await).await.unwrap();
    let all = waiting.reserved().await;
    dies_after("cancel.rs", gateway.cancel_request(&waiting.partner.caller, waiting.id)).await;
    assert_eq!(waiting.reserved().await, all);
    assert!(waiting.world.send_due().await.is_empty());
    assert!(waiting.reserved().await < all, "what wasn't sent is given back before what was has come out");
    assert_eq!(waiting.row().await.status, RequestStatus::Pending);
    waiting.steps(6).await;
    let paid = waiting.scripted.paid();
    assert!(paid > Decimal::ZERO);
    waiting.ends(RequestStatus::PartiallyProcessed, paid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_partly_paid_goes_on_where_there_is_a_way_again() {
    let waiting = Waiting::partly_paid().await;
    let paid = waiting.scripted.paid();
    // The other lanes take it now; each may be tried a second time.
    waiting.scripted.always("b", Says::Pays);
    waiting.scripted.always("c", Says::Pays);
    let per_route = format!("UPDATE payout_request SET attempts_per_route_limit = 5 WHERE id = '{}'", waiting.id.0);
    crate::partner::execute(&waiting.world, &per_route).await;
    waiting.decide(Choice::Continue).await.unwrap();
    waiting.steps(6).await;
    assert_eq!((paid, waiting.scripted.paid()), (dec!(100), dec!(250)));
    waiting.ends(RequestStatus::Processed, dec!(250)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_partly_paid_and_finds_no_way_again_comes_back_to_a_person() {
    let waiting = Waiting::partly_paid().await;
    waiting.decide(Choice::Continue).await.unwrap();
    assert_eq!(waiting.reason().await, None);
    waiting.steps(6).await;
    assert_eq!(waiting.reason().await.as_deref(), Some("partly_paid"));
    assert_eq!(waiting.open_cases().await, ["partly_paid"]);
    waiting.decide(Choice::Reject).await.unwrap();
    waiting.ends(RequestStatus::PartiallyProcessed, dec!(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_more_was_paid_than_asked_the_rest_goes_on_and_never_beyond_the_whole() {
    let waiting = Waiting::more_than_asked().await;
    waiting.decide(Choice::Continue).await.unwrap();
    waiting.steps(6).await;
    assert_eq!(waiting.scripted.paid(), dec!(250));
    // What was paid too much on one payout is a question of its own.
    assert_eq!(waiting.open_cases().await, ["processed_more_than_asked"]);
    waiting.ends(RequestStatus::Processed, dec!(250)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_more_was_paid_than_asked_the_rest_may_be_rejected() {
    let waiting = Waiting::more_than_asked().await;
    waiting.decide(Choice::Reject).await.unwrap();
    waiting.steps(2).await;
    assert_eq!(waiting.scripted.paid(), dec!(120));
    waiting.ends(RequestStatus::PartiallyProcessed, dec!(120)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_late_success_nothing_more_goes_out_in_its_place() {
    // Whether it goes on or is rejected: what the second lane has is its own truth, and no third one is tried.
    for choice in [Choice::Continue, Choice::Reject] {
        let waiting = Waiting::paid_late().await;
        waiting.decide(choice).await.unwrap();
        assert_eq!(waiting.reason().await, None);
        waiting.tell(&waiting.open().await, declined()).await;
        waiting.steps(3).await;
        assert_eq!((waiting.payouts().await.len(), waiting.scripted.paid()), (2, dec!(50)));
        assert_eq!(waiting.open_cases().await, ["late_success"], "the money of it is still to be settled");
        waiting.ends(RequestStatus::Failed, dec!(0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_late_success_the_payout_that_followed_it_may_be_marked_and_no_other_route_is_tried() {
    let waiting = Waiting::paid_late().await;
    let failover = waiting.choice(DecisionKind::MarkFailedFailover).await;
    assert_eq!(refused(waiting.decide(failover).await), NotNow::MayHavePaid);
    waiting.decide(waiting.choice(DecisionKind::MarkFailedRelease).await).await.unwrap();
    waiting.steps(2).await;
    waiting.ends(RequestStatus::Failed, dec!(0)).await;

    let waiting = Waiting::paid_late().await;
    waiting.decide(waiting.choice(DecisionKind::MarkPaid).await).await.unwrap();
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_parts_go_on_after_a_late_success_where_a_part_will_do() {
    let (world, scripted, partner) = routed(&lanes(), by("direct", &lanes())).await;
    scripted.next("a", &[Says::LiesAndPays]);
    let options = RequestOptions {
        split_mode: Some(SplitMode::Auto),
        attempts_limit: Some(10),
        allow_partially: Some(true),
        ..RequestOptions::default()
    };
    let ask = NewRequest { options, ..partner.sample_of(dec!(200), "late-part") };
    let id = partner.make(&world, ask).await.id;
    let waiting = Waiting { world, scripted, partner, id };
    waiting.world.step().await;
    let first = waiting.payouts().await.remove(0);
    assert_eq!(first.status, PayoutStatus::Failed);
    waiting.tell(&first, processed(first.amount)).await;
    waiting.until(Reason::LateSuccess).await;
    waiting.decide(Choice::Continue).await.unwrap();
    waiting.steps(5).await;
    let row = waiting.row().await;
    // The first part's money is out, once, beside the others'.
    assert_eq!(waiting.scripted.paid(), first.amount + row.amount_processed);
    assert_eq!(waiting.scripted.paid(), dec!(200));
    waiting.ends(RequestStatus::PartiallyProcessed, dec!(200) - first.amount).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_cannot_be_booked_is_answered_by_a_person_without_a_stop() {
    let (world, scripted, partner) = routed(&lanes(), by("direct", &lanes())).await;
    scripted.next("a", &[Says::PaysOnly(dec!(33.333))]);
    let id = partner.make(&world, partner.sample_of(dec!(50), "decimals")).await.id;
    let waiting = Waiting { world, scripted, partner, id };
    waiting.steps(6).await;
    assert_eq!(waiting.open_cases().await, ["processed_amount_unpayable"]);
    let payout_id = waiting.open().await.id;
    assert_eq!(refused(waiting.decide(Choice::Continue).await), NotNow::NothingWaits);
    let failover = Choice::MarkFailedFailover { payout_id };
    waiting.world.advance(120_000);
    assert_eq!(refused(waiting.decide(failover).await), NotNow::MayHavePaid);
    let ids = ProviderIds::default();
    waiting.decide(Choice::MarkPaid { payout_id, amount: dec!(33.33), ids }).await.unwrap();
    waiting.steps(3).await;
    assert!(waiting.open_cases().await.is_empty());
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_changes_nothing() {
    for reason in REASONS {
        let waiting = Waiting::for_reason(reason).await;
        let before = (waiting.row().await, waiting.open_cases().await, waiting.reserved().await);
        let final_one = waiting.payouts().await.into_iter().find(|payout| !payout.status.is_open());
        let mut refusals = vec![waiting.decide(Choice::MarkFailedRelease { payout_id: PayoutId::new() }).await];
        if let Some(payout) = final_one {
            refusals.push(waiting.decide(Choice::MarkFailedFailover { payout_id: payout.id }).await);
            let ids = ProviderIds::default();
            let again = Choice::MarkPaid { payout_id: payout.id, amount: dec!(1), ids };
            assert_eq!(refused(waiting.decide(again).await), NotNow::PayoutFinal);
        }
        if reason == Reason::ProcessedMoreThanAsked {
            let planned = waiting.payouts().await.into_iter().find(|p| p.status == PayoutStatus::Created).unwrap();
            let release = Choice::MarkFailedRelease { payout_id: planned.id };
            assert_eq!(refused(waiting.decide(release).await), NotNow::PayoutUnsent);
        }
        let untold = Decision { reason: " ".to_owned(), ..waiting.decision(Choice::Continue).await };
        refusals.push(waiting.world.app.gateway.decide(&ada(), &untold).await);
        let unseen = Decision { seen: 1, ..waiting.decision(Choice::Reject).await };
        refusals.push(waiting.world.app.gateway.decide(&ada(), &unseen).await);
        assert!(refusals.iter().all(Result::is_err), "{refusals:?}");
        let after = (waiting.row().await, waiting.open_cases().await, waiting.reserved().await);
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
        waiting.world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_needs_its_proof_and_an_amount_that_can_be_paid() {
    let waiting = Waiting::not_found().await;
    let payout_id = waiting.open().await.id;
    let unproved =
        Decision { evidence: String::new(), ..waiting.decision(Choice::MarkFailedFailover { payout_id }).await };
    let refusal = waiting.world.app.gateway.decide(&ada(), &unproved).await.unwrap_err();
    assert!(matches!(refusal, DecideError::Invalid(_)), "{refusal}");
    for amount in [dec!(0), dec!(-1), dec!(50.01), dec!(1.001)] {
        let ids = ProviderIds::default();
        let refusal = waiting.decide(Choice::MarkPaid { payout_id, amount, ids }).await.unwrap_err();
        assert!(matches!(refusal, DecideError::Invalid(_)), "{amount}: {refusal}");
    }
    // A card number that somebody pasted isn't kept.
    let pasted = Decision {
        evidence: "paid to 4111 1111 1111 1111".to_owned(),
        ..waiting.decision(Choice::MarkFailedRelease { payout_id }).await
    };
    waiting.world.app.gateway.decide(&ada(), &pasted).await.unwrap();
    waiting.ends(RequestStatus::Failed, dec!(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_decision_again_answers_as_it_is_and_somebody_elses_is_told_to_look_again() {
    let waiting = Waiting::not_found().await;
    let payout_id = waiting.open().await.id;
    let decision = waiting.decision(Choice::MarkFailedFailover { payout_id }).await;
    let gateway = &waiting.world.app.gateway;
    assert!(!gateway.decide(&ada(), &decision).await.unwrap().is_repeat);
    let again = gateway.decide(&ada(), &decision).await.unwrap();
    assert!(again.is_repeat);
    assert!(matches!(gateway.decide(&bob(), &decision).await, Err(DecideError::Changed { .. })));
    let other = Decision { choice: Choice::Reject, ..decision };
    assert!(matches!(gateway.decide(&ada(), &other).await, Err(DecideError::Changed { .. })));
    waiting.steps(2).await;
    assert_eq!(waiting.scripted.paid(), dec!(50));
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_people_at_once_one_decides() {
    for round in 0..4 {
        let waiting = Waiting::not_found().await;
        let payout_id = waiting.open().await.id;
        let ids = ProviderIds::default();
        let paid = waiting.decision(Choice::MarkPaid { payout_id, amount: dec!(50), ids }).await;
        let failed = waiting.decision(Choice::MarkFailedFailover { payout_id }).await;
        let gateway = &waiting.world.app.gateway;
        let (ada, bob) = (ada(), bob());
        let (one, two) = tokio::join!(gateway.decide(&ada, &paid), gateway.decide(&bob, &failed));
        assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1, "round {round}");
        assert!([one, two].into_iter().any(|result| matches!(result, Err(DecideError::Changed { .. }))));
        waiting.steps(2).await;
        let decided = "SELECT count(*) AS count FROM event WHERE kind = 'moderation_decided'";
        assert_eq!(waiting.world.test_db.count(decided).await, 1);
        waiting.ends(RequestStatus::Processed, dec!(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_truth_that_comes_between_the_look_and_the_decision_comes_first() {
    let waiting = Waiting::not_found().await;
    let lost = waiting.open().await;
    let failover = waiting.decision(Choice::MarkFailedFailover { payout_id: lost.id }).await;
    waiting.tell(&lost, processed(dec!(50))).await;
    assert!(waiting.open_cases().await.is_empty(), "nobody has to decide it any more");
    let late = waiting.world.app.gateway.decide(&ada(), &failover).await;
    assert!(matches!(late, Err(DecideError::Changed { .. })), "{late:?}");
    // Having looked again, there is nothing to decide.
    assert_eq!(refused(waiting.decide(Choice::Continue).await), NotNow::NothingWaits);
    let release = Choice::MarkFailedRelease { payout_id: lost.id };
    assert_eq!(refused(waiting.decide(release).await), NotNow::NothingWaits);
    waiting.steps(2).await;
    assert_eq!(waiting.scripted.paid(), dec!(0), "the second lane was not tried");
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_and_a_callback_at_once_pay_once_in_either_order() {
    for round in 0..6 {
        let waiting = Waiting::not_found().await;
        let lost = waiting.open().await;
        let failover = waiting.decision(Choice::MarkFailedFailover { payout_id: lost.id }).await;
        let report = [waiting.world.callback(&lost, processed(dec!(50)))];
        let gateway = &waiting.world.app.gateway;
        let ada = ada();
        let decided = async {
            if round % 2 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            gateway.decide(&ada, &failover).await
        };
        let (decided, told) = tokio::join!(decided, gateway.complete(&report));
        told.unwrap();
        waiting.steps(3).await;
        let statuses: Vec<_> = waiting.payouts().await.iter().map(|payout| payout.status).collect();
        match decided {
            // The person was wrong about it: the truth stands beside the payout that followed, with a case.
            Ok(_) => {
                assert_eq!(statuses[0], PayoutStatus::LateProcessed, "round {round}");
                assert!(waiting.open_cases().await.contains(&"late_success".to_owned()));
                if waiting.reason().await.is_some() {
                    // It came before the other route was tried: nothing goes out.
                    waiting.decide(Choice::Continue).await.unwrap();
                    waiting.steps(3).await;
                    waiting.ends(RequestStatus::Failed, dec!(0)).await;
                } else {
                    waiting.ends(RequestStatus::Processed, dec!(50)).await;
                }
            }
            Err(error) => {
                assert!(matches!(error, DecideError::Changed { .. }), "{error}");
                assert_eq!(statuses, [PayoutStatus::Processed], "round {round}");
                waiting.ends(RequestStatus::Processed, dec!(50)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_comes_by_itself_lifts_the_stop_and_another_route_is_tried() {
    let waiting = Waiting::not_found().await;
    waiting.tell(&waiting.open().await, declined()).await;
    assert_eq!(waiting.reason().await, None);
    assert!(waiting.open_cases().await.is_empty());
    waiting.steps(2).await;
    assert_eq!(waiting.scripted.paid_by("b"), dec!(50));
    waiting.ends(RequestStatus::Processed, dec!(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_failed_while_a_send_may_be_under_way_or_the_provider_may_still_work() {
    let scripted = Scripted::that(|capabilities| {
        capabilities.resend = ResendSafety::SameReferenceWithin(Duration::from_secs(86_400));
        capabilities.settling_time = Duration::from_secs(10);
    });
    let (world, partner) = routed_over(&scripted, &lanes(), by("direct", &lanes()), |_| {}).await;
    scripted.always("a", Says::Loses);
    scripted.always("b", Says::Loses);
    let options = RequestOptions {
        split_mode: Some(SplitMode::Auto),
        attempts_limit: Some(10),
        parallel_mode: Some(true),
        ..RequestOptions::default()
    };
    let ask = NewRequest { options, ..partner.sample_of(dec!(200), "resent") };
    let id = partner.make(&world, ask).await.id;
    let waiting = Waiting { world, scripted, partner, id };
    waiting.world.step().await;
    // The second part is sent again as often as it may be; the first is about to be sent again, under a lease.
    let mut tasks = Vec::new();
    for part in [1, 1, 0, 1] {
        waiting.world.advance(20_000);
        waiting.not_found_at(part).await;
        for task in waiting.world.app.gateway.claim_invokes(1).await.unwrap().tasks {
            match part {
                0 => tasks.push(task),
                _ => {
                    let report = waiting.world.app.gateway.send(&task).await.unwrap();
                    waiting.world.app.gateway.complete(&[report]).await.unwrap();
                }
            }
        }
    }
    assert_eq!((waiting.reason().await.as_deref(), tasks.len()), (Some("not_found_at_provider"), 1));
    let [first, second] = &waiting.payouts().await[..] else { panic!("two parts") };
    assert_eq!((first.sends, second.sends), (2, 3));
    let ids = ProviderIds::default();
    for choice in [
        Choice::MarkPaid { payout_id: first.id, amount: dec!(100), ids },
        Choice::MarkFailedRelease { payout_id: first.id },
        Choice::MarkFailedFailover { payout_id: first.id },
    ] {
        assert_eq!(refused(waiting.decide(choice).await), NotNow::BeingSent);
    }
    for choice in
        [Choice::MarkFailedRelease { payout_id: second.id }, Choice::MarkFailedFailover { payout_id: second.id }]
    {
        assert_eq!(refused(waiting.decide(choice).await), NotNow::NotSettled);
    }
    // The lease is over; the provider may still be working on what was sent under it.
    waiting.world.advance(41_000);
    let failover = Choice::MarkFailedFailover { payout_id: first.id };
    assert_eq!(refused(waiting.decide(failover.clone()).await), NotNow::NotSettled);
    waiting.world.advance(11_000);
    waiting.decide(failover).await.unwrap();
    // The sender that was gone comes back: nothing leaves.
    let late = waiting.world.app.gateway.send(&tasks[0]).await.expect("it says that it didn't send");
    assert!(matches!(late.source, Source::Withheld { .. }), "{late:?}");
    waiting.world.app.gateway.complete(&[late]).await.unwrap();
    waiting.steps(1).await;
    assert_eq!((waiting.scripted.paid_by("c"), waiting.scripted.paid()), (dec!(100), dec!(100)));
    waiting.until(Reason::NotFoundAtProvider).await;
    waiting.decide(Choice::MarkFailedRelease { payout_id: second.id }).await.unwrap();
    waiting.ends(RequestStatus::PartiallyProcessed, dec!(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_canceled_while_it_waits_is_given_back_once_it_is_proved_unpaid() {
    let waiting = Waiting::not_found().await;
    waiting.world.app.gateway.cancel_request(&waiting.partner.caller, waiting.id).await.unwrap();
    let row = waiting.row().await;
    assert_eq!((row.status, row.moderation_reason.as_deref()), (RequestStatus::Pending, Some("not_found_at_provider")));
    let failover = waiting.choice(DecisionKind::MarkFailedFailover).await;
    assert_eq!(refused(waiting.decide(failover).await), NotNow::NothingToTry);
    waiting.decide(waiting.choice(DecisionKind::MarkFailedRelease).await).await.unwrap();
    waiting.ends(RequestStatus::Canceled, dec!(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_while_it_waits_ends_by_what_is_proved() {
    for kind in [DecisionKind::MarkPaid, DecisionKind::MarkFailedRelease] {
        let waiting = Waiting::not_found().await;
        waiting.world.advance(25 * 3_600_000);
        waiting.world.app.gateway.expire_requests().await.unwrap();
        assert_eq!(waiting.reason().await.as_deref(), Some("not_found_at_provider"));
        waiting.decide(waiting.choice(kind).await).await.unwrap();
        match kind {
            DecisionKind::MarkPaid => waiting.ends(RequestStatus::Processed, dec!(50)).await,
            _ => waiting.ends(RequestStatus::Expired, dec!(0)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partners_request_is_not_there_to_be_decided() {
    let waiting = Waiting::not_found().await;
    let mut tenant = waiting.partner.tenant();
    tenant.mode = landfall::domain::ids::Mode::Live;
    let decision = Decision { tenant, ..waiting.decision(Choice::Reject).await };
    let refusal = waiting.world.app.gateway.decide(&ada(), &decision).await.unwrap_err();
    assert!(matches!(refusal, DecideError::NoRequest));
    assert!(waiting.world.app.gateway.decisions(tenant, waiting.id).await.unwrap().is_none());
    waiting.world.finish().await;
}
