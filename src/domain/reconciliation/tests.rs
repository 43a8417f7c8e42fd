//! Every pair of what we and a provider may say.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, dec};
use uuid::Uuid;

use super::*;
use crate::domain::ids::{Mode, PartnerId};

const REFERENCE: &str = "ours";

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

/// A run at minute 100; what happened after minute 50 isn't settled.
fn scope() -> Scope {
    Scope { started_at: at(100), settled_until: at(50) }
}

fn code(text: &str) -> AssetCode {
    text.parse().unwrap()
}

fn ours(status: PayoutStatus) -> Ours {
    let has_paid = matches!(status, PayoutStatus::Processed | PayoutStatus::Returned | PayoutStatus::LateProcessed);
    Ours {
        tenant: Tenant { partner_id: PartnerId(Uuid::nil()), mode: Mode::Test },
        request_id: PayoutRequestId(Uuid::nil()),
        payout_id: PayoutId(Uuid::nil()),
        reference: REFERENCE.to_owned(),
        original_id: None,
        status,
        was_sent: !matches!(status, PayoutStatus::Created | PayoutStatus::Canceled),
        amount_processed: if has_paid { dec!(100) } else { Decimal::ZERO },
        amount_returned: if status == PayoutStatus::Returned { dec!(100) } else { Decimal::ZERO },
        currency: code("EUR"),
        updated_at: at(10),
        is_expected: has_paid,
    }
}

fn row(status: TheirStatus, processed: Decimal, returned: Decimal) -> Theirs {
    Theirs {
        reference: REFERENCE.to_owned(),
        original_id: None,
        status,
        amount_processed: processed,
        amount_returned: returned,
        currency: code("EUR"),
        taken_at: at(5),
    }
}

fn they(status: TheirStatus) -> Theirs {
    match status {
        TheirStatus::Processed => row(status, dec!(100), dec!(0)),
        TheirStatus::Returned => row(status, dec!(100), dec!(100)),
        TheirStatus::Pending | TheirStatus::Declined => row(status, dec!(0), dec!(0)),
    }
}

/// What one reference comes to.
fn found(ours: Option<Ours>, theirs: Vec<Theirs>) -> Finding {
    let mut lines = reconcile(ours.into_iter().collect(), theirs, scope()).unwrap();
    assert_eq!(lines.len(), 1);
    lines.remove(0).finding
}

fn differs(kind: DifferenceKind, surplus: Decimal) -> Finding {
    Finding::Differs { kind, surplus: Some((surplus, code("EUR"))) }
}

/// A difference of which nothing can be booked.
fn untold(kind: DifferenceKind) -> Finding {
    Finding::Differs { kind, surplus: None }
}

fn processed(amount: Decimal) -> Finding {
    Finding::Apply(Truth::Processed { amount, original_id: None })
}

fn returned(amount: Decimal) -> Finding {
    Finding::Apply(Truth::Returned { processed: dec!(100), amount, original_id: None })
}

#[test]
fn every_status_of_ours_against_every_status_of_theirs() {
    use DifferenceKind::{MissingAtProvider, StatusDiffers, UnsentAtProvider};
    use PayoutStatus as P;
    use TheirStatus as T;
    let table = [
        // ours, theirs, what it comes to
        (P::Created, T::Processed, differs(UnsentAtProvider, dec!(100))),
        (P::Created, T::Pending, differs(UnsentAtProvider, dec!(0))),
        (P::Created, T::Declined, Finding::Agrees),
        (P::Created, T::Returned, Finding::Agrees),
        (P::Canceled, T::Processed, differs(UnsentAtProvider, dec!(100))),
        (P::Canceled, T::Pending, differs(UnsentAtProvider, dec!(0))),
        (P::Canceled, T::Declined, Finding::Agrees),
        (P::Canceled, T::Returned, Finding::Agrees),
        (P::Invoking, T::Processed, processed(dec!(100))),
        (P::Invoking, T::Pending, Finding::Left),
        (P::Invoking, T::Declined, Finding::Left),
        (P::Invoking, T::Returned, returned(dec!(100))),
        (P::Pending, T::Processed, processed(dec!(100))),
        (P::Pending, T::Pending, Finding::Left),
        (P::Pending, T::Declined, Finding::Apply(Truth::Declined)),
        (P::Pending, T::Returned, returned(dec!(100))),
        (P::Unknown, T::Processed, processed(dec!(100))),
        (P::Unknown, T::Pending, Finding::Left),
        (P::Unknown, T::Declined, Finding::Apply(Truth::Declined)),
        (P::Unknown, T::Returned, returned(dec!(100))),
        (P::Processed, T::Processed, Finding::Agrees),
        (P::Processed, T::Pending, untold(StatusDiffers)),
        (P::Processed, T::Declined, untold(StatusDiffers)),
        (P::Processed, T::Returned, returned(dec!(100))),
        (P::Failed, T::Processed, processed(dec!(100))),
        (P::Failed, T::Pending, Finding::Left),
        (P::Failed, T::Declined, Finding::Agrees),
        (P::Failed, T::Returned, processed(dec!(100))),
        (P::Returned, T::Processed, differs(StatusDiffers, dec!(100))),
        (P::Returned, T::Pending, untold(StatusDiffers)),
        (P::Returned, T::Declined, untold(StatusDiffers)),
        (P::Returned, T::Returned, Finding::Agrees),
        (P::LateProcessed, T::Processed, Finding::Agrees),
        (P::LateProcessed, T::Pending, untold(StatusDiffers)),
        (P::LateProcessed, T::Declined, untold(StatusDiffers)),
        (P::LateProcessed, T::Returned, Finding::LateSuccessReturned { amount: dec!(100) }),
    ];
    for (status, theirs, expected) in table {
        assert_eq!(found(Some(ours(status)), vec![they(theirs)]), expected, "{status:?} and {theirs:?}");
    }
    for (status, expected) in [
        (P::Unknown, Finding::Left),
        (P::Failed, Finding::Agrees),
        (P::Canceled, Finding::Agrees),
        (P::Processed, untold(MissingAtProvider)),
        (P::Returned, untold(MissingAtProvider)),
        (P::LateProcessed, untold(MissingAtProvider)),
    ] {
        assert_eq!(found(Some(ours(status)), Vec::new()), expected, "{status:?} and nothing");
    }
}

#[test]
fn what_a_report_needn_t_have_is_not_missing() {
    let outside = Ours { is_expected: false, ..ours(PayoutStatus::Processed) };
    assert_eq!(found(Some(outside), Vec::new()), Finding::Left);
}

#[test]
fn amounts_and_currencies_differ() {
    let paid = || Some(ours(PayoutStatus::Processed));
    let more = row(TheirStatus::Processed, dec!(120), dec!(0));
    assert_eq!(found(paid(), vec![more]), differs(DifferenceKind::AmountDiffers, dec!(20)));
    let less = row(TheirStatus::Processed, dec!(80), dec!(0));
    assert_eq!(found(paid(), vec![less]), differs(DifferenceKind::AmountDiffers, dec!(0)));
    let same = row(TheirStatus::Processed, dec!(100.00), dec!(0.0));
    assert_eq!(found(paid(), vec![same]), Finding::Agrees);
    for status in [PayoutStatus::Processed, PayoutStatus::Unknown, PayoutStatus::Failed] {
        let dollars = Theirs { currency: code("USD"), ..they(TheirStatus::Processed) };
        let expected = untold(DifferenceKind::CurrencyDiffers);
        assert_eq!(found(Some(ours(status)), vec![dollars]), expected, "{status:?}");
    }
}

#[test]
fn a_return_is_applied_once_and_whole_or_in_part() {
    let part = row(TheirStatus::Returned, dec!(100), dec!(40));
    assert_eq!(found(Some(ours(PayoutStatus::Processed)), vec![part.clone()]), returned(dec!(40)));
    let known = Ours { amount_returned: dec!(40), ..ours(PayoutStatus::Returned) };
    assert_eq!(found(Some(known.clone()), vec![part]), Finding::Agrees);
    // A second one, and more than there was, can't be booked.
    let second = row(TheirStatus::Returned, dec!(100), dec!(70));
    assert_eq!(found(Some(known), vec![second]), differs(DifferenceKind::ReturnDiffers, dec!(0)));
    let more = row(TheirStatus::Returned, dec!(100), dec!(101));
    let paid = Some(ours(PayoutStatus::Processed));
    assert_eq!(found(paid, vec![more]), differs(DifferenceKind::ReturnDiffers, dec!(0)));
    let late = row(TheirStatus::Returned, dec!(100), dec!(40));
    let expected = differs(DifferenceKind::ReturnDiffers, dec!(0));
    assert_eq!(found(Some(ours(PayoutStatus::LateProcessed)), vec![late]), expected);
}

#[test]
fn a_reference_that_is_not_ours_is_unmatched_as_far_as_money_is_out() {
    let unmatched = |amount| differs(DifferenceKind::UnmatchedAtProvider, amount);
    assert_eq!(found(None, vec![they(TheirStatus::Processed)]), unmatched(dec!(100)));
    let part = row(TheirStatus::Returned, dec!(100), dec!(40));
    assert_eq!(found(None, vec![part]), unmatched(dec!(60)));
    assert_eq!(found(None, vec![they(TheirStatus::Returned)]), Finding::Agrees);
    assert_eq!(found(None, vec![they(TheirStatus::Declined)]), Finding::Agrees);
    assert_eq!(found(None, vec![they(TheirStatus::Pending)]), Finding::Left);
    let dollars = Theirs { currency: code("USD"), ..they(TheirStatus::Processed) };
    let mixed = found(None, vec![they(TheirStatus::Processed), dollars]);
    assert_eq!(mixed, untold(DifferenceKind::UnmatchedAtProvider), "no sum over two currencies");
}

#[test]
fn two_payments_under_one_reference_are_a_surplus_and_one_told_twice_is_not() {
    let named = |id: &str, status| Theirs { original_id: Some(id.to_owned()), ..they(status) };
    let paid = || Some(ours(PayoutStatus::Processed));
    let twice = vec![named("a", TheirStatus::Processed), named("b", TheirStatus::Processed)];
    assert_eq!(found(paid(), twice.clone()), differs(DifferenceKind::PaidTwiceAtProvider, dec!(100)));
    let told_twice = vec![named("a", TheirStatus::Pending), named("a", TheirStatus::Processed)];
    assert_eq!(found(paid(), told_twice), Finding::Agrees);
    let came_back = vec![named("a", TheirStatus::Processed), named("b", TheirStatus::Returned)];
    assert_eq!(found(paid(), came_back), Finding::Agrees);
    let both_back = vec![named("a", TheirStatus::Returned), named("b", TheirStatus::Returned)];
    assert_eq!(found(paid(), both_back), differs(DifferenceKind::ReturnDiffers, dec!(0)));
    let nameless = vec![they(TheirStatus::Processed), they(TheirStatus::Processed)];
    assert_eq!(found(paid(), nameless), differs(DifferenceKind::PaidTwiceAtProvider, dec!(100)));
    // Declined at first and then paid is one payment.
    let then_paid = vec![named("a", TheirStatus::Declined), named("b", TheirStatus::Processed)];
    assert_eq!(found(paid(), then_paid), Finding::Agrees);
    // An open payout takes the one that is its own; what is too much, the next run finds.
    let ours = Ours { original_id: Some("b".to_owned()), ..ours(PayoutStatus::Unknown) };
    let expected = Finding::Apply(Truth::Processed { amount: dec!(100), original_id: Some("b".to_owned()) });
    assert_eq!(found(Some(ours), twice), expected);
}

#[test]
fn nothing_is_decided_on_what_moves() {
    let young = Theirs { taken_at: at(51), ..they(TheirStatus::Processed) };
    assert_eq!(found(None, vec![young.clone()]), Finding::Left);
    assert_eq!(found(Some(ours(PayoutStatus::Unknown)), vec![young.clone()]), Finding::Left);
    assert_eq!(found(Some(ours(PayoutStatus::Processed)), vec![they(TheirStatus::Processed), young]), Finding::Left);
    for status in [PayoutStatus::Unknown, PayoutStatus::Failed, PayoutStatus::Created, PayoutStatus::Processed] {
        let moving = Ours { updated_at: at(101), ..ours(status) };
        assert_eq!(found(Some(moving), vec![they(TheirStatus::Processed)]), Finding::Left, "{status:?}");
    }
    // What we learnt after what is settled: the truth may be taken over, a difference may be the report's age.
    let fresh = |status| Some(Ours { updated_at: at(60), ..ours(status) });
    assert_eq!(found(fresh(PayoutStatus::Unknown), vec![they(TheirStatus::Processed)]), processed(dec!(100)));
    assert_eq!(found(fresh(PayoutStatus::Processed), vec![they(TheirStatus::Processed)]), Finding::Agrees);
    assert_eq!(found(fresh(PayoutStatus::Processed), vec![they(TheirStatus::Declined)]), Finding::Left);
    assert_eq!(found(fresh(PayoutStatus::Returned), vec![they(TheirStatus::Processed)]), Finding::Left);
    assert_eq!(found(fresh(PayoutStatus::Processed), Vec::new()), Finding::Left);
}
