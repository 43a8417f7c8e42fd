//! Every documented status and code has its meaning, and nothing else has one.

use super::*;
use crate::domain::ids::DepositAccountId;
use crate::domain::payout::ResolutionClass;

fn order(resend: u32) -> PayoutOrder {
    PayoutOrder {
        reference: "po_1".to_owned(),
        deposit_account_id: DepositAccountId::new(),
        amount: Decimal::new(1000, 2),
        currency: "EUR".parse().unwrap(),
        description: None,
        statement_descriptor: None,
        resend,
    }
}

fn payout(status: &str, processed: &str, returned: &str, code: Option<&str>) -> serde_json::Value {
    serde_json::json!({
        "id": "sp_a", "reference": "po_1", "status": status, "amount": "10.00", "currency": "EUR",
        "processed_amount": processed, "returned_amount": returned, "rrn": "123", "code": code, "message": "why",
        "sequence": 1, "taken_at": "2026-03-01T12:00:00Z",
    })
}

fn answer(status: u16, body: &serde_json::Value) -> WireResponse {
    WireResponse { status, body: body.to_string().into_bytes() }
}

fn means(status: &str, processed: &str, returned: &str, code: Option<&str>) -> Outcome {
    sent(&answer(200, &payout(status, processed, returned, code)), &order(0))
}

fn refuses(status: u16, code: &str, resend: u32) -> Outcome {
    let body = serde_json::json!({"error": {"code": code, "message": "no"}});
    sent(&answer(status, &body), &order(resend))
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

#[test]
fn every_status_has_its_meaning_and_the_rest_is_unknown() {
    assert!(matches!(means("pending", "0.00", "0.00", None), Outcome::Pending { .. }));
    assert!(
        matches!(means("processed", "9.50", "0.00", None), Outcome::Processed { amount, .. } if amount == Decimal::new(950, 2))
    );
    assert!(
        matches!(means("returned", "10.00", "4.00", None), Outcome::Returned { amount, .. } if amount == Decimal::new(400, 2))
    );
    for (status, processed, returned) in [
        ("Processed", "10.00", "0.00"),
        ("settled", "10.00", "0.00"),
        ("processed", "0.00", "0.00"),
        ("processed", "10.00", "10.00"),
        ("processed", "-1.00", "0.00"),
        ("processed", "ten", "0.00"),
        ("pending", "10.00", "0.00"),
        ("returned", "10.00", "11.00"),
        ("returned", "10.00", "0.00"),
    ] {
        assert!(is_unknown(&means(status, processed, returned, None)), "{status} {processed} {returned}");
    }
}

#[test]
fn declines_are_mapped_one_by_one_and_only_final_ones() {
    for (code, resolution) in DECLINES {
        assert!(matches!(resolution.class(), ResolutionClass::FinalForCard | ResolutionClass::FinalForRoute));
        assert!(matches!(means("declined", "0.00", "0.00", Some(code)),
            Outcome::Declined { resolution: told, .. } if told == resolution));
    }
    for code in [None, Some(""), Some("do_not_honor"), Some("unknown"), Some("provider_internal_error"), Some("ok")] {
        assert!(is_unknown(&means("declined", "0.00", "0.00", code)), "{code:?}");
    }
    assert!(is_unknown(&means("declined", "10.00", "0.00", Some("card_expired"))), "declined, but paid");
}

#[test]
fn a_refusal_that_took_nothing_is_final_for_a_first_send_only() {
    for (status, code, resolution) in NOT_TAKEN {
        assert!(matches!(refuses(status, code, 0), Outcome::Declined { resolution: told, .. } if told == resolution));
        assert!(is_unknown(&refuses(status, code, 1)), "{code}: the first send may have been taken");
    }
    for (status, code) in [
        (500, "internal_error"),
        (500, "not_taken"),
        (503, "internal_error"),
        (502, "not_taken"),
        (429, "slow_down"),
        (404, "payout_not_found"),
        (409, "duplicate"),
        (302, "moved"),
        (201, "unauthorized"),
    ] {
        assert!(is_unknown(&refuses(status, code, 0)), "{status} {code}");
    }
}

#[test]
fn bodies_that_cannot_be_read_say_nothing() {
    for status in [200, 400, 401, 404, 429, 500, 503] {
        for body in ["", "{", "null", "[]", "<html>", "{\"payouts\":7}", "{\"error\":\"rate_limited\"}"] {
            let response = WireResponse { status, body: body.as_bytes().to_vec() };
            assert!(is_unknown(&sent(&response, &order(0))), "{status} {body}");
            assert!(is_unknown(&found(&response, &inquiry())), "{status} {body}");
        }
    }
}

fn inquiry() -> Inquiry {
    let order = order(0);
    Inquiry {
        reference: order.reference,
        provider_original_id: None,
        amount: order.amount,
        currency: order.currency,
        is_pending: false,
        first_sent_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        last_sent_at: "2026-03-01T12:00:00Z".parse().unwrap(),
    }
}

#[test]
fn a_look_up_finds_one_of_ours_or_nothing() {
    let found =
        |payouts: serde_json::Value| found(&answer(200, &serde_json::json!({ "payouts": payouts })), &inquiry());
    let ours = payout("processed", "10.00", "0.00", None);
    assert_eq!(found(serde_json::json!([])), Outcome::NotFound);
    assert!(matches!(found(serde_json::json!([ours])), Outcome::Processed { .. }));
    assert!(is_unknown(&found(serde_json::json!([ours, ours]))), "two under one reference");
    for (member, other) in [("reference", "po_2"), ("currency", "USD"), ("amount", "10.01")] {
        let mut theirs = ours.clone();
        theirs[member] = other.into();
        assert!(is_unknown(&found(serde_json::json!([theirs]))), "{member}");
    }
}

#[test]
fn a_refused_question_says_nothing_of_the_payout() {
    for (status, code, _) in NOT_TAKEN {
        let body = serde_json::json!({"error": {"code": code, "message": "no"}});
        assert!(is_unknown(&found(&answer(status, &body), &inquiry())), "{code}");
    }
}

#[test]
fn what_the_provider_says_is_repeated_short_and_without_card_numbers() {
    let body = serde_json::json!({"error": {"code": "4111 1111 1111 1111", "message": "x"}});
    let Outcome::Unknown { why, .. } = sent(&answer(500, &body), &order(0)) else { panic!("not unknown") };
    assert!(!why.contains("1111"), "{why}");
    let long = serde_json::json!({"error": {"code": "rate_limited", "message": "x".repeat(9_000)}});
    let Outcome::Declined { message, .. } = sent(&answer(429, &long), &order(0)) else { panic!("not declined") };
    assert_eq!(message.len(), crate::providers::told::TEXT_CHARS_MAX);
}

#[test]
fn half_a_report_is_none() {
    let row = |status: &str| {
        serde_json::json!({"reference": "po_1", "id": "sp_a", "status": status, "processed_amount": "10.00",
            "returned_amount": "0.00", "currency": "EUR", "taken_at": "2026-03-01T12:00:00Z"})
    };
    let page =
        |rows: serde_json::Value| report_page(serde_json::json!({"rows": rows, "next": "7"}).to_string().as_bytes());
    let good = page(serde_json::json!([row("processed")])).unwrap();
    assert_eq!((good.rows.len(), good.next.as_deref()), (1, Some("7")));
    assert_eq!(page(serde_json::json!([row("processed"), row("settled")])), None);
}

#[test]
fn an_account_can_be_overdrawn_and_a_payment_cannot_be_negative() {
    assert_eq!(balance("-60.00"), Some(Decimal::new(-6000, 2)));
    assert_eq!((amount("-60.00"), balance("lots")), (None, None));
}
