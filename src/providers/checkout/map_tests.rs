//! Every documented status and code has its meaning, and nothing else has one.

use std::collections::BTreeSet;

use rust_decimal::dec;
use serde_json::{Value, json};

use super::*;
use crate::domain::payout::ResolutionClass;

const REFERENCE: &str = "PO-215-5721";
const ID: &str = "pay_mbabizu24mvu3mela5njyhpit4";

fn asked() -> Asked<'static> {
    Asked { reference: REFERENCE, amount: dec!(10.00), currency: "GBP".parse().unwrap() }
}

fn answer(status: u16, body: &Value) -> WireResponse {
    WireResponse { status, body: body.to_string().into_bytes() }
}

/// As "Get payout details" has it.
fn payment(status: &str) -> Value {
    json!({
        "id": ID, "requested_on": "2020-06-12T13:49:19.085546Z",
        "source": {"id": "ca_y3oqhf46pyzuxjbcn2giaqnb44", "type": "currency_account"},
        "destination": {"id": "src_4pakgjwmv5re5m5ivqohsqpxnm", "type": "card"},
        "amount": 1000, "currency": "GBP", "reference": REFERENCE, "status": status,
        "processing": {"retrieval_reference_number": "909913440644"},
        "_links": {"self": {"href": "https://api.sandbox.checkout.com/payments/pay_mbabizu24mvu3mela5njyhpit4"}},
    })
}

/// As "Get payout actions" has it.
fn action(kind: &str, approved: bool, code: &str, amount: i64) -> Value {
    json!({"id": "act_cvrbczl5llgehjzjqdupeezwt4", "type": kind, "processed_on": "2020-06-12T13:49:19.145592Z",
        "amount": amount, "approved": approved, "response_code": code, "response_summary": "why"})
}

fn means(payment: Value, actions: Value) -> Outcome {
    let payment: Payment = serde_json::from_value(payment).unwrap();
    told(&payment, &serde_json::from_value::<Vec<Action>>(actions).unwrap(), &asked())
}

fn declines(code: &str) -> Outcome {
    means(payment("Declined"), json!([action("Payout", false, code, 1000)]))
}

fn list(payments: Value) -> Value {
    let count = payments.as_array().unwrap().len();
    json!({"limit": 100, "skip": 0, "total_count": count, "data": payments})
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

fn ids_of_payment() -> ProviderIds {
    ProviderIds { original_id: Some(ID.to_owned()), rrn: Some("909913440644".to_owned()), ..ProviderIds::default() }
}

#[test]
fn no_table_has_an_entry_twice() {
    fn is_set<T>(table: &[(&str, T)]) -> bool {
        table.iter().map(|(code, _)| *code).collect::<BTreeSet<_>>().len() == table.len()
    }
    assert!(is_set(codes::RESPONSE_CODES) && is_set(codes::ERROR_CODES) && is_set(STATUSES));
    assert!(codes::RESPONSE_CODES.iter().all(|(code, _)| code.len() == 5));
}

#[test]
fn only_final_resolutions_stand_in_the_tables() {
    let is_final = |r: Resolution| matches!(r.class(), ResolutionClass::FinalForCard | ResolutionClass::FinalForRoute);
    for (code, said) in codes::RESPONSE_CODES {
        assert!(!matches!(said, Said::Declined(resolution) if !is_final(*resolution)), "{code}");
        let outcome = declines(code);
        match said {
            Said::Declined(expected) => assert!(
                matches!(&outcome, Outcome::Declined { resolution, code: told, .. } if resolution == expected && told == code),
                "{code}: {outcome:?}"
            ),
            Said::Approved | Said::Open => assert!(is_unknown(&outcome), "{code}: {outcome:?}"),
        }
    }
    assert!(codes::ERROR_CODES.iter().all(|(_, resolution)| is_final(*resolution)));
}

#[test]
fn codes_are_mapped_one_by_one_and_not_by_their_range() {
    for code in ["20000", "20999", "30000", "30999", "40000", "40102", "50000", "2005", "200051", "", "ok", "20005 "] {
        assert_eq!(codes::said(code), None, "{code}");
        assert!(is_unknown(&declines(code)), "{code}");
    }
    // Both ranges of declines hold what may have moved the money.
    for code in ["20068", "20094", "20096", "50260", "50490"] {
        assert_eq!(codes::said(code), Some(Said::Open), "{code}");
    }
}

#[test]
fn every_status_has_its_meaning_and_the_rest_is_unknown() {
    assert_eq!(means(payment("Pending"), json!([])), Outcome::Pending { ids: ids_of_payment() });
    assert_eq!(means(payment("Paid"), json!([])), Outcome::Processed { amount: dec!(10.00), ids: ids_of_payment() });
    for (status, meaning) in STATUSES {
        assert_eq!(
            *meaning == Status::Open,
            is_unknown(&means(
                payment(status),
                json!([action("Payout", false, "20005", 0), action("Return", true, "30046", 1000)])
            )),
            "{status}"
        );
    }
    for status in ["", "paid", "PAID", "Settled", "Cancelled", "Paid "] {
        assert!(is_unknown(&means(payment(status), json!([]))), "{status}");
    }
}

#[test]
fn a_payment_that_contradicts_itself_says_nothing() {
    for (status, approved) in [("Paid", false), ("Declined", true)] {
        let mut payment = payment(status);
        payment["approved"] = approved.into();
        assert!(is_unknown(&means(payment, json!([action("Payout", false, "20005", 1000)]))), "{status}");
    }
    for actions in [
        json!([]),
        json!([action("Return", true, "20005", 1000)]),
        json!([action("Payout", true, "20005", 1000)]),
        json!([action("Payout", false, "20005", 1000), action("Payout", true, "10000", 1000)]),
        json!([{"type": "Payout", "response_code": "20005"}]),
    ] {
        assert!(is_unknown(&means(payment("Declined"), actions.clone())), "{actions}");
    }
}

#[test]
fn a_return_says_how_much_came_back() {
    let paid = action("Payout", true, "10000", 1000);
    let returned = |amount: i64| means(payment("Returned"), json!([action("Return", true, "30046", amount), paid]));
    assert_eq!(returned(1000), Outcome::Returned { amount: dec!(10.00), ids: ids_of_payment() });
    assert_eq!(returned(400), Outcome::Returned { amount: dec!(4.00), ids: ids_of_payment() });
    for amount in [0, -1, 1001] {
        assert!(is_unknown(&returned(amount)), "{amount}");
    }
    let twice = json!([action("Return", true, "30046", 400), action("Return", true, "30046", 400), paid]);
    assert!(is_unknown(&means(payment("Returned"), twice)));
    assert!(is_unknown(&means(payment("Returned"), json!([paid]))));
}

#[test]
fn an_order_is_taken_with_202_and_nothing_else() {
    let body = |status: &str| json!({"id": ID, "status": status, "reference": REFERENCE, "instruction": {}});
    let taken = |code: u16, status: &str| accepted(&answer(code, &body(status)), REFERENCE);
    let ids = ProviderIds { original_id: Some(ID.to_owned()), ..ProviderIds::default() };
    assert_eq!(taken(202, "Pending"), Accepting::Done(Outcome::Pending { ids }));
    for status in ["Paid", "Declined", "Returned", "Expired"] {
        assert_eq!(taken(202, status), Accepting::Look(ID.to_owned()), "{status}");
    }
    for code in [200, 201, 204, 302, 400, 403, 404, 409, 422, 429, 500, 502, 503, 504] {
        assert!(matches!(taken(code, "Paid"), Accepting::Done(Outcome::Unknown { .. })), "{code}");
    }
    assert!(matches!(taken(202, "Teleported"), Accepting::Done(Outcome::Unknown { .. })));
    for (member, other) in [("reference", "PO-1"), ("id", "../x"), ("id", "")] {
        let mut body = body("Pending");
        body[member] = other.into();
        assert!(
            matches!(accepted(&answer(202, &body), REFERENCE), Accepting::Done(Outcome::Unknown { .. })),
            "{other}"
        );
    }
}

fn refuses(status: u16, kind: &str, codes: &[&str]) -> Outcome {
    let body = json!({"request_id": "0HL80RJLS76I7", "error_type": kind, "error_codes": codes});
    match accepted(&answer(status, &body), REFERENCE) {
        Accepting::Done(outcome) => outcome,
        Accepting::Look(id) => panic!("taken as {id}"),
    }
}

#[test]
fn an_invalid_request_took_nothing_if_each_of_its_codes_is_documented() {
    for (code, expected) in codes::ERROR_CODES {
        assert!(
            matches!(refuses(422, "request_invalid", &[code]),
            Outcome::Declined { resolution, .. } if resolution == *expected),
            "{code}"
        );
        for (status, kind) in
            [(429, "request_invalid"), (422, "processing_error"), (502, "request_invalid"), (400, "request_invalid")]
        {
            assert!(is_unknown(&refuses(status, kind, &[code])), "{status} {kind} {code}");
        }
    }
    for codes in [
        &[][..],
        &["teleport_required"],
        &["card_expired", "teleport_required"],
        &["duplicate_request"],
        &["processing_error"],
    ] {
        assert!(is_unknown(&refuses(422, "request_invalid", codes)), "{codes:?}");
    }
    // What is final for the card goes before what is final for the route.
    assert!(matches!(
        refuses(422, "request_invalid", &["amount_invalid", "card_expired"]),
        Outcome::Declined { resolution: Resolution::CardExpired, .. }
    ));
    assert!(is_unknown(&refuses(429, "request_invalid", &["duplicate_request"])), "one is under way");
}

#[test]
fn a_refused_key_is_final_and_a_refused_question_says_nothing() {
    let refused = WireResponse { status: 401, body: Vec::new() };
    assert!(matches!(
        accepted(&refused, REFERENCE),
        Accepting::Done(Outcome::Declined { resolution: Resolution::InvalidCredentials, .. })
    ));
    for status in [401, 403, 404, 429, 500, 502] {
        let response = WireResponse { status, body: Vec::new() };
        assert!(is_unknown(&listed(&response, &asked()).unwrap_err()), "{status}");
        assert!(is_unknown(&detailed(&response, ID, &asked()).unwrap_err()), "{status}");
        assert!(is_unknown(&actions(&response).unwrap_err()), "{status}");
        assert!(answered(&response).is_err(), "{status}");
    }
}

#[test]
fn bodies_that_cannot_be_read_say_nothing() {
    for status in [200, 202, 422, 429, 500] {
        for body in
            ["", "{", "null", "[]", "<html>", "{\"data\":7}", "{\"total_count\":0}", "{\"data\":[]}", "{\"id\":1}"]
        {
            let response = WireResponse { status, body: body.as_bytes().to_vec() };
            assert!(
                matches!(accepted(&response, REFERENCE), Accepting::Done(Outcome::Unknown { .. })),
                "{status} {body}"
            );
            assert!(is_unknown(&listed(&response, &asked()).unwrap_err()), "{status} {body}");
            assert!(is_unknown(&detailed(&response, ID, &asked()).unwrap_err()), "{status} {body}");
            assert!(actions(&response).is_err() || (status, body) == (200, "[]"), "{status} {body}");
        }
    }
}

#[test]
fn a_list_finds_ours_or_nothing() {
    let found = |body: &Value| listed(&answer(200, body), &asked());
    assert_eq!(found(&list(json!([]))).unwrap_err(), Outcome::NotFound);
    assert_eq!(found(&list(json!([payment("Paid"), payment("Declined")]))).unwrap().len(), 2);
    // An empty page of a list that has something isn't "no such payment".
    assert!(is_unknown(&found(&json!({"total_count": 1, "data": []})).unwrap_err()));
    assert!(is_unknown(&found(&json!({"total_count": 2, "data": [payment("Paid")]})).unwrap_err()));
    for (member, other) in [
        ("reference", json!("PO-215-5722")),
        ("reference", json!("po-215-5721")),
        ("reference", Value::Null),
        ("currency", json!("EUR")),
        ("amount", json!(1001)),
        ("amount", json!(-1000)),
        ("id", json!("pay_/../x")),
    ] {
        let mut theirs = payment("Paid");
        theirs[member] = other.clone();
        assert!(is_unknown(&found(&list(json!([payment("Paid"), theirs]))).unwrap_err()), "{member} {other}");
        assert!(is_unknown(&detailed(&answer(200, &theirs), ID, &asked()).unwrap_err()), "{member} {other}");
    }
    assert!(is_unknown(&detailed(&answer(200, &payment("Paid")), "pay_another_one", &asked()).unwrap_err()));
}

#[test]
fn of_several_payments_one_counts_only_if_no_other_can_have_paid() {
    let ids = ProviderIds::default;
    let paid = Outcome::Processed { amount: dec!(10), ids: ids() };
    let pending = Outcome::Pending { ids: ids() };
    let lost = unknown("lost".to_owned());
    let declined = |code: &str| Outcome::Declined {
        resolution: Resolution::DeclinedError,
        code: code.to_owned(),
        message: String::new(),
    };
    for outcome in [&paid, &pending, &declined("1"), &lost] {
        assert_eq!(together(vec![outcome.clone()]), *outcome);
    }
    assert_eq!(together(vec![paid.clone(), declined("1")]), paid, "the failed first and a second that was paid");
    assert_eq!(together(vec![declined("1"), pending.clone(), declined("2")]), pending);
    assert_eq!(together(vec![declined("2"), declined("1")]), declined("2"), "the newest says why");
    for several in [
        vec![paid.clone(), paid.clone()],
        vec![paid.clone(), pending.clone()],
        vec![pending.clone(), pending],
        vec![paid, lost.clone()],
        vec![declined("1"), lost],
    ] {
        assert!(is_unknown(&together(several)));
    }
}

fn event_says(kind: &str, code: Option<&str>, amount: i64, currency: &str) -> Outcome {
    let data = json!({"id": ID, "reference": REFERENCE, "action_id": "act_fgmhgzodurievpxbdzgl3ftxce", "amount": amount,
        "currency": currency, "response_code": code, "response_summary": "why",
        "processing": {"retrieval_reference_number": "909913440644"}});
    let body = json!({"id": "evt_hbnxegj3dqyu5fsd4p2b4bxvpa", "type": kind, "version": "1.0.43", "data": data});
    let told: Event = serde_json::from_value(body).unwrap();
    event(&told, &serde_json::from_value(data).unwrap())
}

#[test]
fn events_of_a_payouts_fate_have_a_meaning_and_the_rest_only_makes_us_ask() {
    let ids = ids_of_payment;
    let says = |kind, code| event_says(kind, code, 1000, "GBP");
    assert_eq!(says("payment_paid", Some("10000")), Outcome::Processed { amount: dec!(10.00), ids: ids() });
    assert_eq!(says("payment_pending", None), Outcome::Pending { ids: ids() });
    assert_eq!(says("payment_returned", Some("10000")), Outcome::Returned { amount: dec!(10.00), ids: ids() });
    assert!(matches!(
        says("payment_declined", Some("20054")),
        Outcome::Declined { resolution: Resolution::CardExpired, .. }
    ));
    for code in [None, Some("10010"), Some("10100"), Some("20005"), Some("99999")] {
        assert!(is_unknown(&says("payment_paid", code)), "{code:?}");
    }
    // "Occurs when a payment authorization or a payout times out, or is rejected."
    for code in [None, Some("20068"), Some("10000"), Some("99999")] {
        assert!(is_unknown(&says("payment_declined", code)), "{code:?}");
    }
    for kind in [
        "payment_approved",
        "payment_captured",
        "payment_expired",
        "payment_canceled",
        "payment_refunded",
        "payout_paid",
        "",
        "Payment_Paid",
    ] {
        assert!(is_unknown(&says(kind, Some("10000"))), "{kind}");
    }
    for (amount, currency) in [(0, "GBP"), (-1, "GBP"), (1000, "gbp"), (1000, "XBT")] {
        assert!(is_unknown(&event_says("payment_paid", Some("10000"), amount, currency)), "{amount} {currency}");
    }
}

#[test]
fn what_the_provider_says_is_repeated_short_and_without_card_numbers() {
    let Outcome::Unknown { why, .. } = refuses(422, "request_invalid", &["4111 1111 1111 1111"]) else {
        panic!("not unknown")
    };
    assert!(!why.contains("1111"), "{why}");
    let mut long = action("Payout", false, "20005", 1000);
    long["response_summary"] = "4111111111111111 ".repeat(900).into();
    let Outcome::Declined { message, .. } = means(payment("Declined"), json!([long])) else { panic!("not declined") };
    assert!(message.len() <= 100 && !message.contains("1111"), "{message}");
    for text in [payment("4111 1111 1111 1111"), payment(&"x".repeat(9_000))] {
        let Outcome::Unknown { why, .. } = means(text, json!([])) else { panic!("not unknown") };
        assert!(why.len() < 200 && !why.contains("1111"), "{why}");
    }
}
