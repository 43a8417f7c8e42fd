//! Every documented status and code has its meaning, and nothing else has one.

use std::collections::BTreeSet;

use rust_decimal::dec;
use serde_json::{Value, json};

use super::*;
use crate::domain::ids::DepositAccountId;
use crate::domain::payout::ResolutionClass;

const REFERENCE: &str = "0h5jx3k9qz7abcd";
const TRANSACTION_ID: &str = "TabaPay_TransactionID_";

fn order(resend: u32) -> PayoutOrder {
    PayoutOrder {
        reference: REFERENCE.to_owned(),
        deposit_account_id: DepositAccountId::new(),
        amount: dec!(0.25),
        currency: "USD".parse().unwrap(),
        description: None,
        statement_descriptor: None,
        resend,
    }
}

fn inquiry(original_id: Option<&str>) -> Inquiry {
    let order = order(0);
    Inquiry {
        reference: order.reference,
        provider_original_id: original_id.map(str::to_owned),
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

/// The specification's example of a completed transaction, with `changes`.
fn created(changes: &Value) -> Value {
    let mut body = json!({
        "SC": 200, "EC": "0", "transactionID": TRANSACTION_ID, "network": "Visa", "networkID": "123454646545645",
        "networkRC": "00", "status": "COMPLETED", "approvalCode": "000000",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
            value => body[name] = value.clone(),
        }
    }
    body
}

fn means(changes: &Value) -> Outcome {
    let body = created(changes);
    let status = u16::try_from(body["SC"].as_u64().unwrap()).unwrap();
    sent(&answer(status, &body), &order(0))
}

fn refused(sc: u16, em: Option<&str>, resend: u32) -> Outcome {
    let mut body = json!({"SC": sc, "EC": "3C5E1312"});
    if let Some(em) = em {
        body["EM"] = em.into();
    }
    sent(&answer(sc, &body), &order(resend))
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

fn paid(amount: Decimal) -> Outcome {
    let ids = ProviderIds { original_id: Some(TRANSACTION_ID.to_owned()), ..ProviderIds::default() };
    Outcome::Processed { amount, ids }
}

#[test]
fn every_status_has_its_meaning_and_the_rest_is_unknown() {
    assert_eq!(means(&json!({})), paid(dec!(0.25)));
    assert_eq!(means(&json!({"networkRC": "000", "network": "RTP", "approvalCode": null})), paid(dec!(0.25)));
    for (sc, status) in
        [(200, "OK"), (200, "PENDING"), (200, "BATCH"), (201, "OK"), (201, "PENDING"), (201, "Pending"), (201, "BATCH")]
    {
        let outcome = means(&json!({"SC": sc, "status": status, "networkRC": null}));
        assert!(matches!(&outcome, Outcome::Pending { ids } if ids.original_id.as_deref() == Some(TRANSACTION_ID)));
    }
    for (sc, status) in [
        (200, "completed"),
        (200, "COMPLETE"),
        (200, "AUTHORIZED"),
        (200, "CAPTURED"),
        (200, "REVERSED"),
        (200, "ACCEPTED"),
        (200, "DELETED"),
        (200, "UNKNOWN"),
        (200, ""),
        (201, "COMPLETED"),
        (201, "ERROR"),
        (201, "UNKNOWN"),
        (202, "ACCEPTED"),
        (202, "COMPLETED"),
        (207, "UNKNOWN"),
        (207, "COMPLETED"),
        (207, "FAILED"),
        (207, "ERROR"),
        (299, "COMPLETED"),
    ] {
        assert!(is_unknown(&means(&json!({"SC": sc, "status": status}))), "{sc} {status}");
    }
    assert!(is_unknown(&means(&json!({"status": null}))));
    // The specification's example of a 207, whose id is empty.
    let unknown = answer(207, &json!({"SC": 207, "EC": "InternalErrorCode", "status": "UNKNOWN", "transactionID": ""}));
    assert!(is_unknown(&sent(&unknown, &order(0))));
    assert!(is_unknown(&found(&unknown, &inquiry(None), By::Reference)));
}

#[test]
fn no_table_has_a_status_or_a_code_twice() {
    let statuses: BTreeSet<_> = STATUSES.iter().map(|(sc, status, _)| (sc, status)).collect();
    assert_eq!(statuses.len(), STATUSES.len());
    let refusals: BTreeSet<_> = REFUSALS.iter().map(|(sc, em, _)| (sc, em)).collect();
    assert_eq!(refusals.len(), REFUSALS.len());
    let codes: BTreeSet<_> = all_codes().collect();
    assert_eq!(codes.len(), all_codes().count());
    assert!(codes.iter().all(|code| matches!(code.len(), 2 | 3)));
}

fn all_codes() -> impl Iterator<Item = &'static str> {
    let declines = DECLINES.iter().map(|(code, ..)| *code);
    APPROVED.iter().copied().chain(declines).chain(OPEN.iter().map(|(code, _)| *code))
}

/// The codes of TabaPay's two pages, as they stand there: what is missing there has no meaning here, and the other way round.
#[test]
fn the_tables_have_the_published_codes_and_no_others() {
    let mut published: BTreeSet<String> = (0..=99).map(|code| format!("{code:02}")).collect();
    published.extend((0..=3).chain(100..=131).chain(180..=185).chain(200..=210).map(|code| format!("{code:03}")));
    for codes in [
        "187 189 214 216 217 900 907 908 909 912 999 1A 5C 6P 9G B1 DA Q1 NR RR SR SS ST SV T3 T4 T5 T6 T7 T9 TA TB",
        "E1 E2 E3 E4 E5 E6 E7 E8 E9 EA EB EC ED EE EF EG EH EI EJ EK EL EM EN EO EP EQ ES ET EU EV EW EX EY",
        "N0 N1 N2 N3 N4 N5 N6 N7 N8 N9 P0 P1 P2 P3 P4 P5 P6 P7 P8 P9 R0 R1 R2 R3 R4 Z1 Z3 Z5 ZB ZD ZN ZR ZU ZX ZY ZZ",
        "S0 S1 S2 S3 S4 S5 S6 S7 S8 S9 SA SB SC SD SE SF SG SH SI SJ SK SL SM SN SO SP SQ",
    ] {
        published.extend(codes.split(' ').map(str::to_owned));
    }
    let mapped: BTreeSet<String> = all_codes().map(str::to_owned).collect();
    assert_eq!(mapped, published);
}

#[test]
fn refusals_of_the_network_are_mapped_one_by_one_and_only_final_ones() {
    for (code, resolution, _) in DECLINES {
        assert!(matches!(resolution.class(), ResolutionClass::FinalForCard | ResolutionClass::FinalForRoute));
        // Our balance at TabaPay is what no network's code is about.
        assert_ne!(*resolution, Resolution::InsufficientFunds);
        for status in ["ERROR", "FAILED"] {
            let outcome = means(&json!({"status": status, "networkRC": code}));
            let expected = Some((*resolution, (*code).to_owned()));
            let told = match outcome {
                Outcome::Declined { resolution, code, .. } => Some((resolution, code)),
                _ => None,
            };
            assert_eq!(told, expected, "{status} {code}");
        }
        assert!(is_unknown(&means(&json!({"networkRC": code}))), "completed, and refused with {code}");
    }
    for code in OPEN.iter().map(|(code, _)| *code).chain(["0", "5", "ZC", "zb", "004", "1000", "Do not honor"]) {
        for status in ["COMPLETED", "PARTIAL_COMPLETED", "ERROR", "FAILED"] {
            assert!(is_unknown(&means(&json!({"status": status, "networkRC": code}))), "{status} {code}");
        }
    }
    for code in APPROVED {
        assert_eq!(means(&json!({"networkRC": code})), paid(dec!(0.25)), "{code}");
        assert!(
            is_unknown(&means(&json!({"status": "ERROR", "networkRC": code}))),
            "refused, and approved with {code}"
        );
        assert!(
            is_unknown(&means(&json!({"status": "FAILED", "networkRC": code}))),
            "failed, and approved with {code}"
        );
    }
    for code in [Value::Null, "".into()] {
        assert!(is_unknown(&means(&json!({"status": "ERROR", "networkRC": code}))));
        assert!(matches!(means(&json!({"status": "FAILED", "networkRC": code})),
            Outcome::Declined { resolution: Resolution::DeclinedError, code, .. } if code == "FAILED"));
    }
}

/// The specification's example of a transaction that TabaPay's own rules rejected.
#[test]
fn what_tabapay_rejects_itself_is_declined_for_the_card() {
    let outcome = means(&json!({
        "transactionID": "Bts65zXOrnK5XjoQG64z08", "networkRC": "ZB", "status": "ERROR", "approvalCode": null,
        "additional": {"par": "V41111111114589CED5703G232F79"},
        "RTM": {"status": "REJECTED", "ruleIDs": ["uniqueruleID123"]},
        "card": {"last4": "4242", "expirationDate": "209910", "nameFI": "Simple Bank"},
    }));
    assert!(matches!(outcome, Outcome::Declined { resolution: Resolution::AntifraudError, code, .. } if code == "ZB"));
}

#[test]
fn a_part_is_paid_only_if_the_part_is_told() {
    let part = |partial: Value| means(&json!({"status": "PARTIAL_COMPLETED", "partialAmount": partial}));
    assert_eq!(part("0.01".into()), paid(dec!(0.01)));
    for partial in [Value::Null, "".into(), "0".into(), "0.25".into(), "0.26".into(), "-0.01".into(), "lots".into()] {
        assert!(is_unknown(&part(partial.clone())), "{partial}");
    }
    // The amount that was asked is what completed, whatever stands beside it.
    assert_eq!(means(&json!({"partialAmount": "0.01"})), paid(dec!(0.25)));
}

#[test]
fn a_success_with_an_internal_error_is_unknown() {
    for ec in [Value::Null, "".into(), "00".into(), "3C5E1312".into()] {
        assert!(is_unknown(&means(&json!({"EC": ec}))), "{ec}");
    }
}

/// The status code in the body is not always HTTP's: only both together are believed.
#[test]
fn a_status_that_head_and_body_disagree_on_is_unknown() {
    let bodies = [
        created(&json!({})),
        created(&json!({"SC": 201, "status": "PENDING"})),
        created(&json!({"status": "ERROR", "networkRC": "14"})),
        json!({"SC": 400, "EC": "3C5E1312", "EM": "amount"}),
        json!({"SC": 401, "EC": "3C5E1312", "EM": "Unauthorized"}),
        json!({"SC": 404, "EC": "3C5E1312", "EM": "referenceID"}),
        json!({"SC": 429, "EC": "3C5E1312", "EM": "Limit"}),
    ];
    for body in &bodies {
        for status in [200, 201, 207, 400, 401, 404, 409, 422, 429, 500, 503] {
            if body["SC"] == status {
                continue;
            }
            let response = answer(status, body);
            assert!(is_unknown(&sent(&response, &order(0))), "HTTP {status} with {body}");
            assert!(is_unknown(&found(&response, &inquiry(None), By::Reference)), "HTTP {status} with {body}");
            assert!(matches!(checked(&response), Err(ProviderError::Unavailable(_))), "HTTP {status} with {body}");
        }
    }
}

#[test]
fn a_refusal_that_took_nothing_is_final_for_a_first_send_only() {
    for (sc, em, resolution) in REFUSALS {
        let outcome = refused(*sc, *em, 0);
        assert!(
            matches!(&outcome, Outcome::Declined { resolution: told, code, .. } if told == resolution && *code == sc.to_string()),
            "{sc} {em:?}: {outcome:?}"
        );
        assert!(is_unknown(&refused(*sc, *em, 1)), "{sc} {em:?}: the first send may have been taken");
    }
    let disabled = refused(422, Some("Destination Disabled: 411111"), 0);
    assert!(matches!(disabled, Outcome::Declined { resolution: Resolution::InvalidMethod, .. }));
    for (sc, em) in [
        (422, None),
        (422, Some("Destination Disabledness")),
        (422, Some("Status")),
        (402, Some("Payment Required")),
        (408, None),
        (421, Some("ReferenceID")),
        (301, None),
        (418, None),
        (500, None),
        (502, None),
        (503, Some("Service Unavailable")),
        (504, None),
    ] {
        assert!(is_unknown(&refused(sc, em, 0)), "{sc} {em:?}");
    }
}

/// A reference that was used already may be the one of our own first send, of which the answer was lost.
#[test]
fn a_reused_reference_is_unknown_whatever_is_said() {
    for em in [None, Some("referenceID"), Some("ReferenceID"), Some("Duplicate"), Some("Limit")] {
        for resend in [0, 1] {
            assert!(is_unknown(&refused(409, em, resend)), "{em:?}");
        }
    }
}

#[test]
fn bodies_that_cannot_be_read_say_nothing() {
    for status in [200, 201, 207, 400, 401, 404, 406, 409, 421, 422, 429, 500, 503] {
        for body in [
            "",
            "{",
            "null",
            "[]",
            "{}",
            "<html>",
            "{\"SC\":\"200\"}",
            "{\"SC\":null}",
            "{\"SC\":-1}",
            "{\"SC\":70000}",
            "{\"SC\":200,\"SC\":404}",
            "{\"SC\":200,\"EC\":\"0\",\"status\":7}",
            "{\"SC\":200,\"EC\":\"0\",\"status\":\"COMPLETED\",\"amount\":0.25}",
        ] {
            let response = WireResponse { status, body: body.as_bytes().to_vec() };
            assert!(is_unknown(&sent(&response, &order(0))), "{status} {body}");
            for (by, id) in [(By::Reference, None), (By::TransactionId(TRANSACTION_ID), Some(TRANSACTION_ID))] {
                assert!(is_unknown(&found(&response, &inquiry(id), by)), "{status} {body}");
            }
        }
    }
}

/// The specification's example of a retrieved transaction.
fn retrieved(changes: &Value) -> Value {
    let mut body = json!({
        "SC": 200, "EC": "0", "referenceID": REFERENCE, "network": "Visa", "networkRC": "00", "status": "COMPLETED",
        "approvalCode": "000000", "amount": "0.25",
        "fees": {"interchange": "0.50", "network": "0.50", "tabapay": "0.25"},
    });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn an_answer_has_to_be_about_ours() {
    let ask = |changes: &Value| {
        let response = answer(200, &retrieved(changes));
        let by_id = found(&response, &inquiry(Some(TRANSACTION_ID)), By::TransactionId(TRANSACTION_ID));
        let by_reference = found(&response, &inquiry(Some(TRANSACTION_ID)), By::Reference);
        assert_eq!(by_id, by_reference);
        by_id
    };
    assert_eq!(ask(&json!({})), paid(dec!(0.25)));
    // References have no case, amounts may have another number of zeros, and more may be told than is documented.
    for same in [
        json!({"referenceID": REFERENCE.to_uppercase()}),
        json!({"amount": "0.2500"}),
        json!({"currency": "840", "transactionID": TRANSACTION_ID, "originally": "UNKNOWN", "memo": "Payout"}),
    ] {
        assert_eq!(ask(&same), paid(dec!(0.25)), "{same}");
    }
    for other in [
        json!({"referenceID": "1kdev22334"}),
        json!({"referenceID": ""}),
        json!({"transactionID": "TabaPay_TransactionID2"}),
        json!({"amount": "0.26"}),
        json!({"amount": "0.250000000000000000000000000000000001"}),
        json!({"amount": "-0.25"}),
        json!({"amount": "a lot"}),
        json!({"currency": "978"}),
        json!({"currency": "USD"}),
        json!({"reversalStatus": "REVERSED"}),
        json!({"reversal": {"networkRC": "00"}}),
        json!({"reversals": [{"reversalStatus": "REVERSED", "networkRC": "00", "reversalAmount": "0.25"}]}),
    ] {
        assert!(is_unknown(&ask(&other)), "{other}");
    }
    // The answer to a create tells neither reference nor amount, and a look-up by reference may be answered so.
    let response = answer(200, &created(&json!({})));
    assert_eq!(found(&response, &inquiry(None), By::Reference), paid(dec!(0.25)));
    assert_eq!(sent(&response, &order(0)), paid(dec!(0.25)));
    // What names no transaction may be about anything.
    assert!(is_unknown(&sent(&answer(200, &json!({"SC": 200, "EC": "0", "status": "COMPLETED"})), &order(0))));
    for id in [Value::Null, "".into()] {
        assert!(is_unknown(&means(&json!({"transactionID": id}))));
    }
}

#[test]
fn only_the_documented_answer_is_not_found() {
    let ask = |sc: u16, by: By<'_>| {
        let id = matches!(by, By::TransactionId(_)).then_some(TRANSACTION_ID);
        found(&answer(sc, &json!({"SC": sc, "EC": "3A1000000", "EM": "Not Found"})), &inquiry(id), by)
    };
    assert_eq!(ask(404, By::Reference), Outcome::NotFound);
    // TabaPay told the id itself.
    assert!(is_unknown(&ask(404, By::TransactionId(TRANSACTION_ID))));
    for sc in [207, 400, 401, 403, 405, 406, 409, 410, 415, 421, 422, 423, 429, 431, 500, 502, 503, 504] {
        for by in [By::Reference, By::TransactionId(TRANSACTION_ID)] {
            assert!(is_unknown(&ask(sc, by)), "{sc} {by:?}");
        }
    }
}

#[test]
fn credentials_are_refused_by_what_refuses_the_client() {
    let check = |sc: u16| checked(&answer(sc, &json!({"SC": sc, "EC": "3A1000000", "EM": "Locked"})));
    assert_eq!(check(200), Ok(()));
    for sc in [401, 403, 404, 423] {
        assert!(matches!(check(sc), Err(ProviderError::Credentials(_))), "{sc}");
    }
    for sc in [201, 207, 400, 429, 500, 503] {
        assert!(matches!(check(sc), Err(ProviderError::Unavailable(_))), "{sc}");
    }
}

#[test]
fn what_tabapay_says_is_repeated_short_and_without_card_numbers() {
    let long = format!("4111 1111 1111 1111 {}", "x".repeat(9_000));
    for sc in [409, 500] {
        let Outcome::Unknown { why, .. } = refused(sc, Some(&long), 0) else { panic!("not unknown") };
        assert!(!why.contains("1111") && why.len() < 250, "{why}");
    }
    let Outcome::Declined { message, .. } = refused(400, Some(&long), 0) else { panic!("not declined") };
    assert!(!message.contains("1111") && message.len() <= 100);
    for changes in [json!({"status": "4111111111111111"}), json!({"networkRC": "4111111111111111"})] {
        let Outcome::Unknown { why, .. } = means(&changes) else { panic!("not unknown") };
        assert!(!why.contains("1111"), "{why}");
    }
}

/// The operator's page says what is mapped to what.
#[test]
fn the_page_has_every_table() {
    let page = include_str!("../../../docs/providers/tabapay.md");
    let row = |first: &str| page.lines().find(|line| line.starts_with(&format!("| {first} |"))).unwrap_or_default();
    for (code, resolution, _) in DECLINES {
        assert!(row(&format!("`{resolution}`")).contains(&format!("`{code}`")), "{resolution} {code}");
    }
    let written: usize = Resolution::ALL
        .iter()
        .map(|resolution| row(&format!("`{resolution}`")).split('|').nth(2).unwrap_or_default().split('`').count() / 2)
        .sum();
    assert_eq!(written, DECLINES.len(), "a code stands in a wrong row");
    for (code, _) in OPEN {
        assert!(row("stays unknown").contains(&format!("`{code}`")), "{code}");
    }
    for (sc, em, resolution) in REFUSALS {
        let first = em.map_or_else(|| format!("{sc}"), |em| format!("{sc} `{em}`"));
        assert!(row(&first).contains(&format!("`{resolution}`")), "{first}");
    }
    for (sc, status, _) in STATUSES {
        assert!(page.contains(&format!("{sc} `{status}`")), "{sc} {status}");
    }
}
