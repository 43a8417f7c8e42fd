//! Every documented status, reason and refusal has its meaning, and nothing else has one.

use serde_json::{Value, json};

use super::*;
use crate::domain::ids::DepositAccountId;
use crate::domain::payout::{Resolution, ResolutionClass};
use crate::providers::adyen::codes::{IN_DOUBT, REFUSALS};
use crate::providers::adyen::refusal::answered;
use crate::providers::provider::ProviderError;

const ACCOUNT: &str = "BA00000000000000000000001";
const REFERENCE: &str = "01hzy8m5w2c3d4e5f6g7h8j9ka";

fn order(resend: u32) -> PayoutOrder {
    PayoutOrder {
        reference: REFERENCE.to_owned(),
        deposit_account_id: DepositAccountId::new(),
        amount: Decimal::new(10_000, 2),
        currency: "USD".parse().unwrap(),
        description: None,
        statement_descriptor: None,
        resend,
    }
}

/// The documented answer to a payout by card number, under our reference.
fn answered_transfer() -> Value {
    json!({
        "creationDate": "2023-12-28T15:26:06+01:00",
        "id": "48POP561F0ZWWLNW",
        "accountHolder": {"description": "Your description for the account holder", "id": "AH00000000000000000000001"},
        "amount": {"currency": "USD", "value": 10000},
        "balanceAccount": {"description": "Your description for the balance account", "id": ACCOUNT},
        "category": "card",
        "counterparty": {"card": {
            "cardHolder": {
                "address": {"city": "San Francisco", "country": "US", "postalCode": "94107", "stateOrProvince": "CA",
                    "line1": "274", "line2": "Brannan St"},
                "firstName": "Albert", "lastName": "Klaassen", "type": "individual",
            },
            "cardIdentification": {"expiryMonth": "03", "expiryYear": "2030", "number": "432112******8765"},
        }},
        "description": "Your internal description of the transfer",
        "direction": "outgoing",
        "reason": "pending",
        "reference": REFERENCE,
        "status": "received",
        "type": "cardTransfer",
    })
}

/// The same transfer later, as look-ups and callbacks tell of it.
fn transfer(status: &str, reason: &str) -> Value {
    let mut transfer = answered_transfer();
    let balance = if status == "booked" { -10_000 } else { 0 };
    transfer["status"] = status.into();
    transfer["reason"] = reason.into();
    transfer["sequenceNumber"] = 3.into();
    transfer["balances"] = json!([{"balance": balance, "currency": "USD", "received": 0, "reserved": 0}]);
    transfer
}

fn changed(mut transfer: Value, member: &str, to: Value) -> Value {
    transfer[member] = to;
    transfer
}

fn answer(status: u16, body: &Value) -> WireResponse {
    WireResponse { status, body: body.to_string().into_bytes() }
}

fn means(transfer: &Value) -> Outcome {
    sent(&answer(202, transfer), &order(0), ACCOUNT)
}

fn looked_up(transfers: &[Value]) -> Outcome {
    let page = page(&answer(200, &json!({ "data": transfers }))).unwrap();
    found(&page.transfers, &Asked::by_order(&order(0), ACCOUNT))
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

fn read(transfer: &Value) -> Transfer {
    serde_json::from_value(transfer.clone()).unwrap()
}

#[test]
fn no_table_has_a_code_twice() {
    fn has_doubles<'a>(codes: impl Iterator<Item = &'a str>) -> bool {
        let mut codes: Vec<_> = codes.collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        codes.len() != count
    }
    assert!(!has_doubles(CURRENCIES.0.iter().map(|(code, _)| *code)));
    assert!(!has_doubles(STATUSES.iter().map(|(code, _)| *code)));
    assert!(!has_doubles(REASONS.iter().map(|(code, _)| *code)));
    let kinds: Vec<_> = REFUSALS.iter().map(|(status, kind, _)| format!("{status} {kind:?}")).collect();
    assert!(!has_doubles(kinds.iter().map(String::as_str)));
    assert_eq!(CURRENCIES.currencies().len(), CURRENCIES.0.len());
}

#[test]
fn the_operators_page_has_every_code() {
    let page = include_str!("../../../docs/providers/adyen.md");
    let line = |code: &str| page.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{code}`")));
    for (status, standing) in STATUSES {
        let means = match standing {
            Standing::Pending => "taken, not final",
            Standing::Paid => "paid |",
            Standing::Refused => "declined",
            Standing::Returned => "returned:",
            Standing::Foreign => "unknown",
        };
        assert!(line(status).is_some_and(|line| line.contains(means)), "{status}");
    }
    let reasons = &page[page.find("| reason of").unwrap()..];
    for (reason, resolution) in REASONS {
        let line = reasons.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`{reason}`")));
        let means = resolution.map_or("in doubt".to_owned(), |resolution| format!("`{resolution}`"));
        assert!(line.is_some_and(|line| line.contains(&means)), "{reason}");
    }
}

#[test]
fn the_documented_answer_to_a_send_is_pending() {
    let expected = ProviderIds { original_id: Some("48POP561F0ZWWLNW".to_owned()), ..ProviderIds::default() };
    for status in [200, 202] {
        let outcome = sent(&answer(status, &answered_transfer()), &order(0), ACCOUNT);
        assert_eq!(outcome, Outcome::Pending { ids: expected.clone() });
    }
    for status in [201, 204, 302, 409, 500] {
        assert!(is_unknown(&sent(&answer(status, &answered_transfer()), &order(0), ACCOUNT)), "{status}");
    }
}

#[test]
fn every_status_has_its_meaning_and_the_rest_is_unknown() {
    for (status, standing) in STATUSES {
        let outcome = means(&transfer(status, "notEnoughBalance"));
        let is_meant = match standing {
            Standing::Pending => matches!(outcome, Outcome::Pending { .. }),
            Standing::Paid => matches!(outcome, Outcome::Processed { amount, .. } if amount == Decimal::new(10_000, 2)),
            Standing::Refused => {
                matches!(outcome, Outcome::Declined { resolution: Resolution::InsufficientFunds, .. })
            }
            Standing::Returned => {
                matches!(outcome, Outcome::Returned { amount, .. } if amount == Decimal::new(10_000, 2))
            }
            Standing::Foreign => is_unknown(&outcome),
        };
        assert!(is_meant, "{status}: {outcome:?}");
    }
    for status in ["", "Booked", "BOOKED", "paid", "declined", "notEnoughBalance"] {
        assert!(is_unknown(&means(&transfer(status, "notEnoughBalance"))), "{status}");
    }
}

#[test]
fn reasons_are_mapped_one_by_one_and_only_to_what_is_final() {
    for (reason, resolution) in REASONS {
        let outcome = means(&transfer("refused", reason));
        match resolution {
            Some(resolution) => {
                let class = resolution.class();
                assert!(matches!(class, ResolutionClass::FinalForCard | ResolutionClass::FinalForRoute), "{reason}");
                assert!(
                    matches!(&outcome, Outcome::Declined { resolution: told, code, .. } if *told == resolution && code == reason),
                    "{reason}: {outcome:?}"
                );
            }
            None => assert!(is_unknown(&outcome), "{reason}: {outcome:?}"),
        }
        // A reason decides nothing by itself.
        assert!(matches!(means(&transfer("booked", reason)), Outcome::Processed { .. }), "{reason}");
        assert!(matches!(means(&transfer("received", reason)), Outcome::Pending { .. }), "{reason}");
    }
    for reason in ["", "ok", "insufficientFunds", "NotEnoughBalance", "refused"] {
        assert!(is_unknown(&means(&transfer("refused", reason))), "{reason}");
    }
    let mut silent = transfer("refused", "");
    silent.as_object_mut().unwrap().remove("reason");
    assert!(is_unknown(&means(&silent)), "no reason at all");
}

#[test]
fn a_refusal_beside_a_debit_is_no_decline() {
    let debited = json!([{"balance": -10000, "currency": "USD"}]);
    assert!(is_unknown(&means(&changed(transfer("failed", "invalidCard"), "balances", debited))));
    let released = json!([{"currency": "USD", "received": 0, "reserved": 0}]);
    let outcome = means(&changed(transfer("failed", "invalidCard"), "balances", released));
    assert!(matches!(outcome, Outcome::Declined { resolution: Resolution::InvalidDetails, .. }));
}

#[test]
fn an_answer_about_something_else_is_unknown() {
    let booked = transfer("booked", "approved");
    for (member, other) in [
        ("reference", json!("another")),
        ("reference", Value::Null),
        ("amount", json!({"currency": "USD", "value": 10001})),
        ("amount", json!({"currency": "EUR", "value": 10000})),
        ("amount", json!({"currency": "XYZ", "value": 10000})),
        ("amount", json!({"currency": "USD", "value": -10000})),
        ("balanceAccount", json!({"id": "BA00000000000000000000002"})),
        ("balanceAccount", json!({})),
        ("category", json!("bank")),
        ("direction", json!("incoming")),
        ("direction", Value::Null),
        ("type", json!("refund")),
    ] {
        let other = changed(booked.clone(), member, other);
        assert!(is_unknown(&means(&other)), "{other}");
        assert!(is_unknown(&looked_up(std::slice::from_ref(&other))), "{other}");
    }
}

#[test]
fn adyen_has_its_own_minor_units() {
    let isk = PayoutOrder { amount: Decimal::from(5_000), currency: "ISK".parse().unwrap(), ..order(0) };
    let of = |value: i64| changed(transfer("booked", "approved"), "amount", json!({"currency": "ISK", "value": value}));
    // ISO 4217 gives ISK none.
    let outcome = sent(&answer(202, &of(500_000)), &isk, ACCOUNT);
    assert!(matches!(outcome, Outcome::Processed { amount, .. } if amount == Decimal::from(5_000)), "{outcome:?}");
    assert!(is_unknown(&sent(&answer(202, &of(5_000)), &isk, ACCOUNT)));
}

fn problem(status: u16, kind: &str, code: &str) -> Value {
    json!({
        "type": format!("https://docs.adyen.com/errors/{kind}"), "title": "Refused", "status": status, "detail": "not so",
        "errorCode": code, "requestId": "1W1UI15PLVGC9V8O",
    })
}

fn security(status: u16, code: &str) -> Value {
    json!({"status": status, "errorCode": code, "message": "HTTP Status Response - Unauthorized", "errorType": "security"})
}

/// Documented refusals, one of each kind in the table.
fn refusals() -> [(Value, u16, Resolution); 5] {
    [
        (security(401, "000"), 401, Resolution::InvalidCredentials),
        (security(403, "010"), 403, Resolution::AccessDenied),
        (problem(403, "forbidden", "00_403"), 403, Resolution::AccessDenied),
        (problem(422, "not-found", "30_112"), 422, Resolution::DeclinedError),
        (problem(422, "validation", "30_004"), 422, Resolution::DeclinedError),
    ]
}

#[test]
fn a_refusal_that_took_nothing_is_final_for_a_first_send_only() {
    assert_eq!(
        refusals().map(|(_, status, resolution)| (status, resolution)),
        REFUSALS.map(|(status, _, r)| (status, r))
    );
    for (body, status, resolution) in refusals() {
        let response = answer(status, &body);
        let outcome = sent(&response, &order(0), ACCOUNT);
        assert!(matches!(outcome, Outcome::Declined { resolution: told, .. } if told == resolution), "{outcome:?}");
        assert!(is_unknown(&sent(&response, &order(1), ACCOUNT)), "{body}: the first send may have been taken");
        // A refused question says nothing of the payout.
        assert!(page(&response).is_err());
        // The status within is that of a server; another one is somebody's in between.
        assert!(is_unknown(&sent(&answer(502, &body), &order(0), ACCOUNT)));
        assert!(is_unknown(&sent(&answer(status, &changed(body, "status", 500.into())), &order(0), ACCOUNT)));
    }
}

#[test]
fn a_repeat_that_came_too_early_is_no_refusal() {
    for code in IN_DOUBT {
        for body in [problem(422, "validation", code), problem(422, "not-found", code)] {
            assert!(is_unknown(&sent(&answer(422, &body), &order(0), ACCOUNT)), "{body}");
        }
    }
    let validation = json!({"status": 422, "errorCode": "704", "errorType": "validation",
        "message": "request already processed or in progress"});
    for status in [409, 422] {
        let body = changed(validation.clone(), "status", status.into());
        assert!(is_unknown(&sent(&answer(status, &body), &order(0), ACCOUNT)));
    }
    for (status, kind) in [(500, "general/internal-server-error"), (500, "validation"), (422, "unprocessable-entity")] {
        let body = problem(status, kind, "00_500");
        assert!(is_unknown(&sent(&answer(status, &body), &order(0), ACCOUNT)), "{body}");
    }
}

#[test]
fn bodies_that_cannot_be_read_say_nothing() {
    for status in [200, 202, 401, 403, 422, 500] {
        for body in
            ["", "{", "{}", "null", "[]", "<html>", "{\"data\":7}", "{\"status\":\"booked\"}", "{\"errorCode\":704}"]
        {
            let response = WireResponse { status, body: body.as_bytes().to_vec() };
            assert!(is_unknown(&sent(&response, &order(0), ACCOUNT)), "{status} {body}");
            assert!(page(&response).is_err(), "{status} {body}");
        }
    }
}

#[test]
fn what_adyen_says_is_repeated_short_and_without_card_numbers() {
    let mut body = problem(422, "validation", "30_001");
    body["invalidFields"] = json!([{
        "name": "counterparty.card.cardIdentification.number", "value": "4111111111111111", "message": "4111111111111111 is wrong",
    }]);
    let Outcome::Declined { message, .. } = sent(&answer(422, &body), &order(0), ACCOUNT) else {
        panic!("not declined")
    };
    assert!(
        message.starts_with("counterparty.card.cardIdentification.number") && !message.contains("1111"),
        "{message}"
    );
    let code = "4111 1111 1111 1111";
    for outcome in [
        means(&transfer(code, "")),
        means(&transfer("refused", code)),
        sent(&answer(500, &problem(500, "x", code)), &order(0), ACCOUNT),
    ] {
        let Outcome::Unknown { why, .. } = outcome else { panic!("not unknown") };
        assert!(!why.contains("1111"), "{why}");
    }
    let Outcome::Unknown { why, .. } = means(&transfer(&"x".repeat(9_000), "")) else { panic!("not unknown") };
    assert!(why.len() < 200);
}

#[test]
fn a_look_up_finds_one_of_ours_or_nothing() {
    assert_eq!(looked_up(&[]), Outcome::NotFound);
    assert!(matches!(looked_up(&[transfer("booked", "approved")]), Outcome::Processed { .. }));
    assert!(matches!(looked_up(&[transfer("received", "pending")]), Outcome::Pending { .. }));
    let booked = transfer("booked", "approved");
    for other in [booked.clone(), transfer("refused", "invalidCard"), transfer("received", "pending")] {
        assert!(is_unknown(&looked_up(&[booked.clone(), other.clone()])), "two out: {other}");
    }
    let refused = transfer("refused", "invalidCard");
    assert!(is_unknown(&looked_up(&[refused.clone(), refused])), "twice refused is still twice");
}

fn back(status: &str, value: i64) -> Value {
    let back = changed(transfer(status, "approved"), "direction", "incoming".into());
    changed(back, "amount", json!({"currency": "USD", "value": value}))
}

#[test]
fn money_that_came_back_under_the_reference_is_a_return() {
    let booked = transfer("booked", "approved");
    let returned = |value| Decimal::new(value, 2);
    for (back, amount) in [
        (vec![back("booked", 10_000)], 10_000),
        (vec![back("booked", 4_000)], 4_000),
        (vec![back("booked", 4_000), back("credited", 6_000)], 10_000),
    ] {
        // In whatever order.
        let outcome = looked_up(&[back.clone(), vec![booked.clone()]].concat());
        assert_eq!(outcome, looked_up(&[vec![booked.clone()], back].concat()));
        assert!(matches!(outcome, Outcome::Returned { amount: told, .. } if told == returned(amount)), "{outcome:?}");
    }
    for status in ["received", "authorised", "refused", "failed"] {
        let outcome = looked_up(&[booked.clone(), back(status, 10_000)]);
        assert!(matches!(outcome, Outcome::Processed { .. }), "nothing is back yet: {outcome:?}");
    }
    let whole = looked_up(&[transfer("returned", "approved"), back("booked", 10_000)]);
    assert!(matches!(whole, Outcome::Returned { amount, .. } if amount == returned(10_000)), "told twice: {whole:?}");
}

#[test]
fn what_came_in_and_does_not_fit_is_unknown() {
    let booked = transfer("booked", "approved");
    for (payout, back) in [
        (booked.clone(), back("booked", 10_001)),
        (booked.clone(), back("error", 10_000)),
        (booked.clone(), back("vanished", 10_000)),
        (booked.clone(), changed(back("booked", 10_000), "category", "internal".into())),
        (booked.clone(), changed(back("booked", 10_000), "type", "fee".into())),
        (booked.clone(), changed(back("booked", 10_000), "amount", json!({"currency": "EUR", "value": 10000}))),
        (booked.clone(), changed(back("booked", 10_000), "balanceAccount", json!({"id": "BA2"}))),
        (booked, changed(back("booked", 10_000), "reference", json!("another"))),
        (transfer("received", "pending"), back("booked", 10_000)),
        (transfer("refused", "invalidCard"), back("booked", 10_000)),
        (transfer("returned", "approved"), back("booked", 4_000)),
    ] {
        assert!(is_unknown(&looked_up(&[payout.clone(), back.clone()])), "{payout} {back}");
    }
    assert!(is_unknown(&looked_up(&[back("booked", 10_000)])), "a return of nothing");
    assert!(is_unknown(&looked_up(&[back("received", 10_000)])), "not \"not found\"");
}

#[test]
fn a_return_says_how_much_came_back() {
    let with = |mutations: Value| {
        changed(
            transfer("returned", "approved"),
            "events",
            json!([
                {"status": "booked", "mutations": [{"currency": "USD", "balance": -10000}]},
                {"status": "returned", "mutations": mutations, "arn": "74987506155500123456789"},
            ]),
        )
    };
    let told = |mutations| told(&read(&with(mutations)));
    assert!(matches!(told(json!([{"currency": "USD", "balance": 10000}])), Outcome::Returned { amount, ids }
        if amount == Decimal::new(10_000, 2) && ids.arn.as_deref() == Some("74987506155500123456789")));
    assert!(matches!(told(json!([{"currency": "USD", "balance": 4000}])), Outcome::Returned { amount, .. }
        if amount == Decimal::new(4_000, 2)));
    assert!(matches!(told(json!([])), Outcome::Returned { amount, .. } if amount == Decimal::new(10_000, 2)));
    for balance in [0, -10_000, 10_001] {
        assert!(is_unknown(&told(json!([{"currency": "USD", "balance": balance}]))), "{balance}");
    }
}

#[test]
fn the_next_page_is_asked_for_by_its_cursor() {
    let of = |links: Value| page(&answer(200, &json!({"data": [], "_links": links}))).map(|page| page.next);
    let href = "https://balanceplatform-api-test.adyen.com/btl/v4/transfers?limit=2&cursor=S2B-TSAjOkIrYlIlbjd%3D";
    assert_eq!(of(json!({"next": {"href": href}})), Ok(Some("S2B-TSAjOkIrYlIlbjd=".to_owned())));
    assert_eq!(of(json!({"prev": {"href": href}})), Ok(None));
    assert_eq!(of(json!({})), Ok(None));
    for next in
        [json!({}), json!({"href": "https://elsewhere.example/?limit=2"}), json!({"href": "/transfers?cursor="})]
    {
        assert!(of(json!({ "next": next })).is_err(), "half a list is none");
    }
}

fn report(transfers: &[Value]) -> Option<ReportPage> {
    let page = page(&answer(200, &json!({ "data": transfers }))).unwrap();
    let (from, until) = ("2023-12-28T14:26:06Z".parse().unwrap(), "2023-12-28T15:00:00Z".parse().unwrap());
    report_page(page, ACCOUNT, from, until, |text| text == REFERENCE)
}

#[test]
fn a_report_has_our_payouts_of_its_time() {
    let at = |created: &str, transfer: Value| changed(transfer, "createdAt", created.into());
    let booked = || transfer("booked", "approved");
    let page = report(&[
        at("2023-12-28T15:26:05+01:00", booked()),
        booked(),
        at("2023-12-28T15:30:00+01:00", transfer("refused", "invalidCard")),
        at("2023-12-28T15:30:00+01:00", transfer("returned", "approved")),
        at("2023-12-28T15:30:00+01:00", transfer("error", "error")),
        at("2023-12-28T15:30:00+01:00", changed(booked(), "reference", "to 4111111111111111".into())),
        at("2023-12-28T15:30:00+01:00", back("booked", 10_000)),
        at("2023-12-28T15:30:00+01:00", changed(booked(), "category", "bank".into())),
        at("2023-12-28T16:00:00+01:00", booked()),
    ])
    .unwrap();
    let told: Vec<_> = page.rows.iter().map(|row| (row.status, row.amount_processed, row.amount_returned)).collect();
    let (nothing, all) = (Decimal::ZERO, Decimal::new(10_000, 2));
    assert_eq!(
        told,
        [
            (ReportedStatus::Processed, all, nothing),
            (ReportedStatus::Declined, nothing, nothing),
            (ReportedStatus::Returned, all, all),
            (ReportedStatus::Pending, nothing, nothing),
            (ReportedStatus::Processed, all, nothing),
        ]
    );
    assert_eq!(page.rows[0].reference, REFERENCE);
    assert!(!page.rows[4].reference.contains("1111"), "{}", page.rows[4].reference);
}

#[test]
fn half_a_report_is_none() {
    for (member, unreadable) in [
        ("createdAt", json!("yesterday")),
        ("creationDate", Value::Null),
        ("reference", Value::Null),
        ("amount", json!({"currency": "XYZ", "value": 1})),
    ] {
        let odd = changed(transfer("booked", "approved"), member, unreadable);
        assert_eq!(report(&[transfer("booked", "approved"), odd]), None, "{member}");
    }
}

#[test]
fn a_balance_is_what_is_available() {
    let usd = "USD".parse().unwrap();
    let of = |balances: Value| {
        let body = json!({"id": ACCOUNT, "status": "active", "balances": balances});
        balance(&balance_account(&answer(200, &body), ACCOUNT)?, usd)
    };
    let usd_of = |available: i64| json!({"available": available, "balance": 9, "currency": "USD", "reserved": 0});
    assert_eq!(of(json!([usd_of(30_751)])), Some(Decimal::new(30_751, 2)));
    assert_eq!(of(json!([usd_of(-6_000)])), Some(Decimal::new(-6_000, 2)), "overdrawn");
    assert_eq!(of(json!([])), Some(Decimal::ZERO));
    assert_eq!(of(json!([usd_of(1), usd_of(2)])), None, "which of the two?");
    assert_eq!(of(Value::Null), None);
    assert_eq!(of(json!([{"currency": "USD"}])), None);
    let other = json!({"id": "BA2", "balances": [usd_of(1)]});
    assert!(balance_account(&answer(200, &other), ACCOUNT).is_none(), "another account's");
    let closed = json!({"id": ACCOUNT, "status": "closed", "balances": []});
    assert!(!is_active(&balance_account(&answer(200, &closed), ACCOUNT).unwrap()));
}

#[test]
fn a_refused_right_is_told_apart_from_the_rest() {
    let ask = |response: WireResponse| answered(&response, |_| Some(()));
    for (body, status, resolution) in refusals() {
        let is_about_rights = matches!(resolution, Resolution::InvalidCredentials | Resolution::AccessDenied);
        let outcome = ask(answer(status, &body));
        assert_eq!(matches!(outcome, Err(ProviderError::Credentials(_))), is_about_rights, "{outcome:?}");
    }
    assert!(matches!(ask(answer(500, &json!({}))), Err(ProviderError::Unavailable(_))));
    assert_eq!(ask(answer(200, &json!({}))), Ok(()));
    assert!(answered(&answer(200, &json!({})), |_| None::<()>).is_err());
}
