//! Every documented outcome, code and error has its meaning, and nothing else has one.

use std::collections::BTreeSet;

use rust_decimal::dec;
use serde_json::{Value, json};

use super::*;
use crate::domain::ids::DepositAccountId;

fn order() -> PayoutOrder {
    PayoutOrder {
        reference: "transaction-ref".to_owned(),
        deposit_account_id: DepositAccountId::new(),
        amount: dec!(3.00),
        currency: "GBP".parse().unwrap(),
        description: None,
        statement_descriptor: None,
        resend: 0,
    }
}

fn inquiry() -> Inquiry {
    let order = order();
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

fn answer(status: u16, body: &Value) -> WireResponse {
    WireResponse { status, body: body.to_string().into_bytes() }
}

/// An answer as the description's examples write it.
fn payout(outcome: &str) -> Value {
    json!({
        "outcome": outcome,
        "receivedAt": "2025-08-01T10:37:36.923Z",
        "_links": {
            "payouts:payout": {"href": "https://try.access.worldpay.com/payouts/{resource}"},
            "curies": [{"name": "payouts", "href": "https://try.access.worldpay.com/rels/payouts/{rel}", "templated": true}],
        },
    })
}

fn with_scheme(mut payout: Value, name: &str, reference: &str) -> Value {
    payout["scheme"] = json!({"name": name, "reference": reference});
    payout
}

fn refused_with(scheme: Option<&str>, code: &str) -> Value {
    let mut payout = payout("refused");
    payout["refusalCode"] = code.into();
    match scheme {
        Some(scheme) => with_scheme(payout, scheme, "400200004000009"),
        None => payout,
    }
}

fn basic(body: &Value) -> Outcome {
    sent(&answer(201, body), &order(), &BASIC)
}

fn fast_access(body: &Value) -> Outcome {
    sent(&answer(201, body), &order(), &FAST_ACCESS)
}

fn looked_up(body: &Value) -> Outcome {
    found(&answer(200, body), &inquiry())
}

fn refuses(status: u16, body: &Value) -> Outcome {
    sent(&answer(status, body), &order(), &FAST_ACCESS)
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

fn declined(outcome: &Outcome) -> Option<Resolution> {
    match outcome {
        Outcome::Declined { resolution, .. } => Some(*resolution),
        _ => None,
    }
}

fn fits(outcome: &Outcome, fate: Fate) -> bool {
    match fate {
        Fate::Paid => matches!(outcome, Outcome::Processed { amount, .. } if *amount == dec!(3)),
        Fate::Taken => matches!(outcome, Outcome::Pending { .. }),
        Fate::Refused => declined(outcome) == Some(Resolution::DeclinedError),
        Fate::Open => is_unknown(outcome),
    }
}

#[test]
fn no_table_has_a_code_twice() {
    fn assert_distinct<T: Ord>(codes: impl Iterator<Item = T>, count: usize) {
        assert_eq!(codes.collect::<BTreeSet<T>>().len(), count);
    }
    assert_distinct(BASIC.iter().map(|(code, _)| code), BASIC.len());
    assert_distinct(FAST_ACCESS.iter().map(|(code, _)| code), FAST_ACCESS.len());
    assert_distinct(NOT_PROCESSED.iter().map(|(status, name, _)| (status, name)), NOT_PROCESSED.len());
    assert_distinct(FIELDS.iter().map(|(field, _)| field), FIELDS.len());
    assert_distinct(codes::VISA.iter().map(|(code, ..)| code), codes::VISA.len());
    assert_distinct(codes::MASTERCARD.iter().map(|(code, ..)| code), codes::MASTERCARD.len());
    assert_distinct(CURRENCIES.0.iter().map(|(code, _)| code), CURRENCIES.0.len());
    assert_eq!(CURRENCIES.currencies().len(), CURRENCIES.0.len());
}

#[test]
fn tables_decline_with_what_is_final_only() {
    let resolutions = codes::VISA.iter().chain(&codes::MASTERCARD).map(|(_, resolution, _)| *resolution);
    let resolutions = resolutions
        .chain(NOT_PROCESSED.iter().map(|(_, _, resolution)| *resolution))
        .chain(FIELDS.iter().map(|(_, resolution)| *resolution));
    for resolution in resolutions {
        assert!(
            matches!(resolution.class(), ResolutionClass::FinalForCard | ResolutionClass::FinalForRoute),
            "{resolution}"
        );
    }
}

#[test]
fn every_outcome_has_its_meaning_where_it_is_documented() {
    for (outcome, fate) in BASIC {
        assert!(fits(&basic(&payout(outcome)), fate), "{outcome}");
        assert!(fits(&looked_up(&payout(outcome)), fate), "{outcome}: looked up");
    }
    for (outcome, fate) in FAST_ACCESS {
        assert!(fits(&fast_access(&payout(outcome)), fate), "{outcome}");
        assert!(fits(&looked_up(&payout(outcome)), fate), "{outcome}: looked up");
    }
    // A basic disbursement has none of Fast Access's own.
    for outcome in ["requested", "pending", "inReview", "approved", "disbursed"] {
        assert!(is_unknown(&basic(&payout(outcome))), "{outcome}");
    }
    for outcome in ["", "Approved", "APPROVED", "authorized", "queryRequired", "sentForSettlement", "cancelled"] {
        assert!(is_unknown(&basic(&payout(outcome))), "{outcome}");
        assert!(is_unknown(&fast_access(&payout(outcome))), "{outcome}");
        assert!(is_unknown(&looked_up(&payout(outcome))), "{outcome}: looked up");
    }
}

/// 48 hours of silence and a confirmed failure have one name.
#[test]
fn the_outcome_error_is_never_a_decline() {
    for outcome in [basic(&payout("error")), fast_access(&payout("error")), looked_up(&payout("error"))] {
        let Outcome::Unknown { why, .. } = outcome else { panic!("{outcome:?}") };
        assert!(why.contains("error"), "{why}");
    }
}

#[test]
fn the_schemes_reference_is_kept_where_it_is_one() {
    let kept = |reference: &str| match fast_access(&with_scheme(payout("approved"), "visa", reference)) {
        Outcome::Processed { ids, .. } => ids.original_id,
        other => panic!("{other:?}"),
    };
    assert_eq!(kept("400200004000001").as_deref(), Some("400200004000001"));
    assert_eq!(kept("520000000001").as_deref(), Some("520000000001"));
    for reference in ["", "a b", "<b>", &"9".repeat(65)] {
        assert_eq!(kept(reference), None, "{reference:?}");
    }
    let Outcome::Processed { ids, .. } = basic(&payout("requestReceived")) else { panic!("not processed") };
    assert_eq!(ids, ProviderIds::default());
}

#[test]
fn refusal_codes_are_mapped_one_by_one_by_their_scheme() {
    for (scheme, table) in [("visa", codes::VISA.as_slice()), ("mastercard", codes::MASTERCARD.as_slice())] {
        for (code, resolution, _) in table {
            let body = refused_with(Some(scheme), code);
            for outcome in [fast_access(&body), basic(&body), looked_up(&body)] {
                assert!(
                    matches!(&outcome, Outcome::Declined { resolution: told, code: kept, message }
                        if told == resolution && kept == code && !message.is_empty()),
                    "{scheme} {code}: {outcome:?}"
                );
            }
        }
    }
    // The description's own example.
    assert_eq!(declined(&fast_access(&refused_with(Some("visa"), "9G"))), Some(Resolution::CardRestricted));
    // One code, two schemes, two meanings.
    assert_eq!(declined(&fast_access(&refused_with(Some("visa"), "78"))), Some(Resolution::CardRestricted));
    assert_eq!(declined(&fast_access(&refused_with(Some("mastercard"), "78"))), Some(Resolution::RecipientNotFound));
}

#[test]
fn a_refusal_code_that_is_not_a_decline_leaves_it_open() {
    // Approvals, a duplicate, reversals, a card number, and what nobody documents.
    for code in ["00", "08", "10", "11", "85", "87", "94", "21", "25", "80", "5", "9g", "ZZ", "131", "4444333322221111"]
    {
        for scheme in [Some("visa"), Some("mastercard"), None] {
            let outcome = fast_access(&refused_with(scheme, code));
            let Outcome::Unknown { why, .. } = outcome else { panic!("{scheme:?} {code}: {outcome:?}") };
            assert!(!why.contains("4444333322221111"), "{why}");
        }
    }
    assert!(is_unknown(&fast_access(&refused_with(Some("mastercard"), "9G"))), "a code of the other scheme");
    assert!(is_unknown(&fast_access(&refused_with(Some("amex"), "05"))), "a scheme that it doesn't pay by");
}

#[test]
fn without_a_scheme_a_code_counts_where_it_has_one_meaning() {
    for (code, resolution) in
        [("05", Some(Resolution::DeclinedError)), ("14", Some(Resolution::InvalidDetails)), ("78", None)]
    {
        assert_eq!(declined(&fast_access(&refused_with(None, code))), resolution, "{code}");
    }
    assert_eq!(declined(&fast_access(&refused_with(None, "9G"))), Some(Resolution::CardRestricted), "Visa's alone");
    assert_eq!(
        declined(&fast_access(&refused_with(None, "83"))),
        Some(Resolution::AntifraudError),
        "Mastercard's alone"
    );
}

#[test]
fn a_refusal_code_beside_another_outcome_is_a_contradiction() {
    for outcome in ["approved", "disbursed", "pending", "requestReceived"] {
        let mut body = payout(outcome);
        body["refusalCode"] = "05".into();
        assert!(is_unknown(&fast_access(&body)), "{outcome}");
        assert!(is_unknown(&looked_up(&body)), "{outcome}");
    }
    let mut body = payout("approved");
    body["refusalCode"] = "".into();
    assert!(matches!(fast_access(&body), Outcome::Processed { .. }), "an empty code is none");
}

#[test]
fn errors_that_processed_nothing_are_mapped_one_by_one() {
    for (status, name, resolution) in NOT_PROCESSED {
        let mut body = json!({"errorName": name, "message": "no"});
        if status == 422 {
            body["jsonPath"] = ENTITY.into();
        }
        let outcome = refuses(status, &body);
        assert!(
            matches!(&outcome, Outcome::Declined { resolution: told, code, .. } if *told == resolution && code == name),
            "{status} {name}: {outcome:?}"
        );
    }
}

/// The description's examples, word by word.
#[test]
fn published_errors_are_read() {
    let currency = json!({
        "errorName": "bodyDoesNotMatchSchema",
        "message": "There were field validation errors. The errors that occurred are within the validationErrors array.",
        "validationErrors": [{
            "errorName": "fieldHasInvalidValue",
            "message": "The identified field does not contain an expected value. This field must contain one of the expected valid values.",
            "jsonPath": "$.instruction.value.currency",
        }],
    });
    let Outcome::Declined { resolution, code, message } = refuses(400, &currency) else { panic!("not declined") };
    assert_eq!((resolution, code.as_str()), (Resolution::InvalidMethod, "bodyDoesNotMatchSchema"));
    assert!(message.starts_with("$.instruction.value.currency: There were field"), "{message}");
    let entity = json!({
        "errorName": "fieldHasInvalidValue",
        "message": "Your merchant boarding process has not enabled payouts for this merchant entity. Please contact support, or use a valid entity.",
        "jsonPath": "$.merchant.entity",
    });
    assert_eq!(declined(&refuses(422, &entity)), Some(Resolution::AccessDenied));
    let internal = json!({
        "errorName": "internalErrorOccurred",
        "message": "An error occurred within the service (potentially due to an interaction with a downstream service)",
    });
    assert!(is_unknown(&refuses(500, &internal)));
}

#[test]
fn an_error_that_is_not_in_the_table_is_unknown() {
    for (status, name) in [
        (500, "internalErrorOccurred"),
        (500, "bodyDoesNotMatchSchema"),
        (502, "accessDenied"),
        (503, "serviceUnavailable"),
        (504, "internalErrorOccurred"),
        (429, "tooManyRequests"),
        (409, "conflict"),
        (406, "unsupportedAcceptHeader"),
        (404, "resourceNotFound"),
        (400, "fieldHasInvalidValue"),
        (400, "internalErrorOccurred"),
        (403, "accessDenied"),
        (422, "fieldHasInvalidValue"),
        (200, "accessDenied"),
        (201, "accessDenied"),
        (202, "accessDenied"),
        (302, "accessDenied"),
    ] {
        assert!(is_unknown(&refuses(status, &json!({"errorName": name, "message": "no"}))), "{status} {name}");
    }
    let elsewhere =
        json!({"errorName": "fieldHasInvalidValue", "message": "no", "jsonPath": "$.instruction.value.amount"});
    assert!(is_unknown(&refuses(422, &elsewhere)), "a 422 is documented of the entity only");
    assert!(
        is_unknown(&sent(&answer(200, &payout("approved")), &order(), &FAST_ACCESS)),
        "an order is answered with 201"
    );
    assert!(is_unknown(&found(&answer(201, &payout("approved")), &inquiry())), "a look-up is answered with 200");
}

#[test]
fn mistakes_in_fields_are_mapped_one_by_one_and_the_cards_go_first() {
    let refused = |paths: &[&str]| {
        let errors: Vec<Value> = paths
            .iter()
            .map(|path| json!({"errorName": "fieldHasInvalidValue", "message": "", "jsonPath": path}))
            .collect();
        refuses(400, &json!({"errorName": "bodyDoesNotMatchSchema", "message": "no", "validationErrors": errors}))
    };
    for (path, resolution) in FIELDS {
        assert_eq!(declined(&refused(&[path])), Some(resolution), "{path}");
    }
    let (card, amount) = ("$.instruction.payoutInstrument.cardNumber", "$.instruction.value.amount");
    assert_eq!(declined(&refused(&[amount, card])), Some(Resolution::InvalidDetails));
    assert_eq!(declined(&refused(&["$.something.new", amount])), Some(Resolution::LimitViolation));
    assert_eq!(declined(&refused(&["$.something.new"])), Some(Resolution::DeclinedError));
    assert_eq!(declined(&refused(&[])), Some(Resolution::DeclinedError));
}

/// The sandbox refuses a reference that it has: the payout that has it may be paid.
#[test]
fn a_refused_reference_proves_nothing() {
    for (status, name) in [(400, "bodyDoesNotMatchSchema"), (422, "fieldHasInvalidValue")] {
        let field = json!([{"errorName": "fieldHasInvalidValue", "message": "", "jsonPath": REFERENCE}]);
        assert!(is_unknown(&refuses(status, &json!({"errorName": name, "message": "no", "validationErrors": field}))));
        assert!(is_unknown(&refuses(status, &json!({"errorName": name, "message": "no", "jsonPath": REFERENCE}))));
    }
}

#[test]
fn only_the_documented_answer_means_that_there_is_no_such_payout() {
    let missing = json!({
        "errorName": "resourceNotFound",
        "message": "The resource you are trying to access does not exist.",
    });
    assert_eq!(found(&answer(404, &missing), &inquiry()), Outcome::NotFound);
    for (status, name) in [
        (404, "endpointNotFound"),
        (410, "resourceNotFound"),
        (400, "urlContainsInvalidValue"),
        (401, "accessDenied"),
        (422, "fieldHasInvalidValue"),
        (500, "internalErrorOccurred"),
    ] {
        let outcome = found(&answer(status, &json!({"errorName": name, "message": "no"})), &inquiry());
        assert!(is_unknown(&outcome), "{status} {name}: {outcome:?}");
    }
}

#[test]
fn bodies_that_cannot_be_read_say_nothing() {
    let without = |member: &str| {
        let mut body = payout("approved");
        body.as_object_mut().unwrap().remove(member);
        body.to_string()
    };
    let bodies =
        ["", "{", "null", "[]", "<html>", "{}", "{\"outcome\":7}", "{\"outcome\":\"approved\"}", "{\"errorName\":7}"];
    let bodies = bodies.map(str::to_owned).into_iter().chain(["outcome", "receivedAt", "_links"].map(without));
    for body in bodies {
        for status in [200, 201, 400, 401, 404, 422, 429, 500, 503] {
            let response = WireResponse { status, body: body.clone().into_bytes() };
            assert!(is_unknown(&sent(&response, &order(), &FAST_ACCESS)), "{status} {body}");
            assert!(is_unknown(&sent(&response, &order(), &BASIC)), "{status} {body}");
            assert!(is_unknown(&found(&response, &inquiry())), "{status} {body}");
        }
    }
}

#[test]
fn what_worldpay_says_is_repeated_short_and_without_card_numbers() {
    let body = json!({"errorName": "accessDenied", "message": format!("4444 3333 2222 1111 {}", "x".repeat(9_000))});
    let Outcome::Declined { message, .. } = refuses(401, &body) else { panic!("not declined") };
    assert!(message.chars().count() <= 100 && !message.contains("1111"), "{message}");
    for outcome in [
        fast_access(&payout("4444333322221111")),
        looked_up(&payout("4444333322221111")),
        refuses(500, &json!({"errorName": "4444333322221111"})),
        found(&answer(500, &json!({"errorName": "4444333322221111"})), &inquiry()),
    ] {
        let Outcome::Unknown { why, .. } = outcome else { panic!("{outcome:?}") };
        assert!(!why.contains("1111"), "{why}");
    }
}

#[test]
fn credentials_are_good_where_nobodys_payout_is_not_found() {
    let missing = answer(404, &json!({"errorName": "resourceNotFound", "message": "no"}));
    assert_eq!(checked(&missing), Ok(()));
    assert_eq!(checked(&answer(200, &payout("refused"))), Ok(()));
    for (status, name) in [(401, "accessDenied"), (422, "fieldHasInvalidValue")] {
        let told = checked(&answer(status, &json!({"errorName": name, "message": "no"})));
        assert!(matches!(told, Err(ProviderError::Credentials(_))), "{status}: {told:?}");
    }
    for (status, name) in [(404, "endpointNotFound"), (500, "internalErrorOccurred"), (200, "ok")] {
        let told = checked(&answer(status, &json!({"errorName": name, "message": "no"})));
        assert!(matches!(told, Err(ProviderError::Unavailable(_))), "{status}: {told:?}");
    }
}
