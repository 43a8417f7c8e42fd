//! Every fault has the effect that its name claims, and a bank that doesn't know repeats pays twice.

use chrono::TimeDelta;
use rust_decimal::dec;

use super::*;
use crate::simulator::api::{ApiRequest, Reply, handle};

const CARD: &str = "4111111111111111";

fn at(millis: i64) -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::milliseconds(millis)
}

fn account(name: &str, knows_repeats: bool) -> BankAccount {
    BankAccount {
        name: name.to_owned(),
        api_key: format!("key of {name}").into(),
        callback_secret: "a secret of tests".into(),
        callback_url: None,
        knows_repeats,
        balances: BTreeMap::new(),
    }
}

fn bank() -> Bank {
    Bank::new(BankSettings {
        accounts: vec![account("house", true), account("careless", false)],
        keeps_records: true,
        ..BankSettings::default()
    })
}

fn order(reference: &str) -> Order {
    Order {
        reference: reference.to_owned(),
        amount: dec!(10.00),
        currency: "EUR".parse().unwrap(),
        pan: Some(Pan::parse(CARD).unwrap()),
        fields: BTreeMap::new(),
        callback_url: None,
    }
}

/// A bank whose next payment meets `fault`.
fn struck(fault: Fault) -> Bank {
    let mut bank = bank();
    bank.script(Scripted { on: Call::Pay, fault, times: 1, reference: None });
    bank
}

/// What a payment that met `fault` is worth: (status, processed, returned) at first and in the end.
fn becomes(fault: Fault) -> [(ReportedStatus, Decimal, Decimal); 2] {
    let mut bank = struck(fault);
    let verdict = bank.pay("house", &order("po_1"), at(0));
    assert_eq!((verdict.ending, verdict.taken), (Ending::Answered, true));
    assert_eq!(bank.injected(), BTreeMap::from([(fault.as_str(), 1)]));
    let payment = verdict.payment.unwrap();
    [payment.state(at(0)), payment.end()].map(|state| (state.status, state.amount_processed, state.amount_returned))
}

fn statuses(bank: &mut Bank, until: i64) -> Vec<String> {
    let due = bank.due_callbacks(at(until));
    due.iter()
        .map(|callback| {
            let body: serde_json::Value = serde_json::from_slice(&callback.body).unwrap();
            format!("{} {}", body["payout"]["status"].as_str().unwrap(), body["payout"]["sequence"])
        })
        .collect()
}

#[test]
fn a_repeat_gets_the_first_fate_or_is_paid_twice() {
    let mut bank = bank();
    let first = bank.pay("house", &order("po_1"), at(0)).payment;
    let again = bank.pay("house", &order("po_1"), at(1));
    assert_eq!((again.payment, again.taken), (first, false));
    assert!(bank.pay("careless", &order("po_1"), at(0)).taken);
    assert!(bank.pay("careless", &order("po_1"), at(1)).taken);
    let totals = bank.totals(at(1));
    let paid = |account: &str| totals.accounts[&(account.to_owned(), "EUR".parse().unwrap())];
    assert_eq!((paid("house").processed, paid("house").payments), (dec!(10.00), 1));
    assert_eq!((paid("careless").processed, paid("careless").payments), (dec!(20.00), 2));
    assert_eq!(totals.references["po_1"].len(), 3);
}

#[test]
fn a_repeat_is_forgotten_after_its_time() {
    let mut bank = bank();
    bank.pay("house", &order("po_1"), at(0));
    let day = 24 * 60 * 60 * 1_000;
    assert!(!bank.pay("house", &order("po_1"), at(day - 1)).taken);
    assert!(bank.pay("house", &order("po_1"), at(day)).taken);
}

#[test]
fn calls_that_fail_without_effect_take_nothing_and_the_others_do() {
    let refusal = |refusal| Ending::Refused(refusal);
    for (fault, ending, taken) in [
        (Fault::ConnectionRefused, Ending::NotConnected, false),
        (Fault::ResetBefore, Ending::ResetBefore, false),
        (Fault::ErrorWithoutEffect, Ending::Error, false),
        (Fault::RateLimited, refusal(Refusal::RATE_LIMITED), false),
        (Fault::Unavailable, refusal(Refusal::NOT_TAKEN), false),
        (Fault::ResetAfter, Ending::ResetAfter, true),
        (Fault::ErrorWithEffect, Ending::Error, true),
        (Fault::LostAnswer, Ending::NoAnswer, true),
    ] {
        let mut bank = struck(fault);
        let verdict = bank.pay("house", &order("po_1"), at(0));
        assert_eq!((verdict.ending, verdict.taken), (ending, taken), "{fault}");
        assert_eq!(bank.payments().len(), usize::from(taken), "{fault}");
        assert_eq!(bank.injected(), BTreeMap::from([(fault.as_str(), 1)]));
        // The next one meets nothing.
        assert_eq!(bank.pay("house", &order("po_1"), at(1)).ending, Ending::Answered);
        assert_eq!(bank.payments().len(), 1, "{fault}");
    }
}

#[test]
fn fates_are_what_they_are_called() {
    use ReportedStatus::{Declined, Pending, Processed, Returned};
    let (nothing, asked) = (dec!(0), dec!(10.00));
    for (fault, first, end) in [
        (Fault::PendingThenProcessed, (Pending, nothing, nothing), (Processed, asked, nothing)),
        (Fault::PendingThenDeclined, (Pending, nothing, nothing), (Declined, nothing, nothing)),
        (Fault::DeclinedThenProcessed, (Declined, nothing, nothing), (Processed, asked, nothing)),
        (Fault::ProcessedThenReturned, (Processed, asked, nothing), (Returned, asked, asked)),
        (Fault::AmountLess, (Processed, dec!(5.00), nothing), (Processed, dec!(5.00), nothing)),
        (Fault::AmountMore, (Processed, dec!(11.00), nothing), (Processed, dec!(11.00), nothing)),
        (Fault::OutOfFunds, (Declined, nothing, nothing), (Declined, nothing, nothing)),
    ] {
        assert_eq!(becomes(fault), [first, end], "{fault}");
    }
}

#[test]
fn a_hidden_payment_is_taken_and_not_found_for_a_while() {
    let mut bank = struck(Fault::Hidden);
    bank.pay("house", &order("po_1"), at(0));
    assert!(bank.find("house", "po_1", at(999)).answer.is_empty());
    assert!(bank.report("house", (at(0), at(1)), None, 10, at(999)).answer.rows.is_empty());
    assert_eq!(bank.totals(at(999)).references["po_1"].len(), 1);
    assert_eq!(bank.find("house", "po_1", at(1_000)).answer.len(), 1);
}

#[test]
fn callbacks_come_twice_late_out_of_order_early_or_never() {
    let met = |fault: Option<Fault>| {
        let mut bank = bank();
        for fault in [Some(Fault::PendingThenProcessed), fault].into_iter().flatten() {
            bank.script(Scripted { on: Call::Pay, fault, times: 1, reference: None });
        }
        let verdict = bank.pay("house", &order("po_1"), at(0));
        assert_eq!(verdict.callbacks_first, fault == Some(Fault::EarlyCallback));
        [0, 2_000, 12_000].map(|until| statuses(&mut bank, until).join(", "))
    };
    assert_eq!(met(None), ["", "processed 2", ""]);
    assert_eq!(met(Some(Fault::DuplicateCallback)), ["", "processed 2, processed 2", ""]);
    assert_eq!(met(Some(Fault::LateCallback)), ["", "", "processed 2"]);
    assert_eq!(met(Some(Fault::ReorderedCallbacks)), ["", "processed 2, pending 1", ""]);
    assert_eq!(met(Some(Fault::EarlyCallback)), ["pending 1", "processed 2", ""]);
    assert_eq!(met(Some(Fault::LostCallback)), ["", "", ""]);
}

#[test]
fn faults_without_effect_are_not_counted() {
    let mut bank = bank();
    for fault in [Fault::ReorderedCallbacks, Fault::LostCallback, Fault::AmountLess] {
        bank.script(Scripted { on: Call::Pay, fault, times: 1, reference: None });
    }
    // Paid at once: there is one state, and no callback. A cent can't be halved.
    let cent = Order { amount: dec!(0.01), ..order("po_1") };
    for reference in ["po_1", "po_2"] {
        bank.pay("house", &Order { reference: reference.to_owned(), ..cent.clone() }, at(0));
    }
    assert_eq!(bank.injected(), BTreeMap::new());
}

#[test]
fn outages_latency_and_the_faults_of_asking_are_counted() {
    let mut bank = bank();
    bank.faults.outages = vec![crate::config::providers::Outage { from: at(0), until: at(10) }];
    assert_eq!(bank.pay("house", &order("po_1"), at(0)).ending, Ending::NotConnected);
    assert_eq!(bank.find("house", "po_1", at(9)).ending, Ending::NotConnected);
    bank.script(Scripted { on: Call::Ask, fault: Fault::LostAnswer, times: 1, reference: None });
    bank.script(Scripted { on: Call::Pay, fault: Fault::Latency, times: 1, reference: None });
    assert_eq!(bank.find("house", "po_1", at(10)).ending, Ending::NoAnswer);
    assert_eq!(bank.pay("house", &order("po_1"), at(10)).after, bank.timings.latency_spike);
    assert_eq!(bank.injected(), BTreeMap::from([("outage", 2), ("lost_answer", 1), ("latency", 1)]));
}

#[test]
fn a_balance_runs_out_and_what_comes_back_is_there_again() {
    let eur: AssetCode = "EUR".parse().unwrap();
    let mut bank = bank();
    bank.open_account(BankAccount { balances: [(eur, dec!(25.00))].into(), ..account("poor", true) });
    bank.script(Scripted { on: Call::Pay, fault: Fault::ProcessedThenReturned, times: 1, reference: None });
    for (reference, left) in [("po_1", dec!(15.00)), ("po_2", dec!(5.00)), ("po_3", dec!(5.00))] {
        bank.pay("poor", &order(reference), at(0));
        assert_eq!(bank.balance("poor", eur, at(0)).answer, Some(left));
    }
    assert_eq!(bank.payments()[2].end().resolution, Resolution::InsufficientFunds);
    assert_eq!(bank.injected()[BALANCE_OUT], 1);
    assert_eq!(bank.balance("poor", eur, at(5_000)).answer, Some(dec!(15.00)));
    assert_eq!(bank.balance("house", eur, at(0)).answer, None);
    // What a fault would pay on top isn't there: what was asked is paid, and nothing is counted.
    bank.script(Scripted { on: Call::Pay, fault: Fault::AmountMore, times: 1, reference: None });
    bank.pay("poor", &Order { amount: dec!(15.00), ..order("po_4") }, at(5_000));
    assert_eq!(bank.payments()[3].end().amount_processed, dec!(15.00));
    assert_eq!(bank.injected()[BALANCE_OUT], 1);
}

#[test]
fn a_report_has_pages_and_only_its_range() {
    let mut bank = bank();
    for n in 0..5 {
        bank.pay("house", &order(&format!("po_{n}")), at(n));
    }
    bank.pay("careless", &order("po_9"), at(2));
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = bank.report("house", (at(1), at(4)), cursor, 2, at(10)).answer;
        seen.extend(page.rows.into_iter().map(|row| row.reference));
        match page.next {
            Some(next) => cursor = Some(next.parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(seen, ["po_1", "po_2", "po_3"]);
}

#[test]
fn a_replay_finds_the_ledger_and_the_callbacks_that_were_not_told() {
    let mut bank = bank();
    for fault in [Fault::PendingThenProcessed, Fault::PendingThenDeclined] {
        bank.script(Scripted { on: Call::Pay, fault, times: 1, reference: None });
    }
    for reference in ["po_1", "po_2", "po_3"] {
        bank.pay("house", &order(reference), at(0));
    }
    assert!(bank.amend(3, Change::returned(at(7), dec!(10.00), dec!(4.00))));
    assert!(!bank.amend(4, Change::pending(at(7))));
    bank.told(1, 0);
    let records: Vec<Record> = bank.take_records();
    let lines: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    assert!(lines.iter().all(|line| !line.contains(CARD)));
    let read = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    let settings = BankSettings { accounts: vec![account("house", true)], ..BankSettings::default() };
    let mut again = Bank::replay(settings, read);
    assert_eq!(again.payments(), bank.payments());
    assert_eq!(again.totals(at(9_000)), bank.totals(at(9_000)));
    assert_eq!(statuses(&mut again, 9_000), ["returned 2", "declined 2"]);
    assert!(!again.pay("house", &order("po_1"), at(9)).taken);
}

#[test]
fn an_amendment_takes_the_place_of_what_was_planned() {
    let mut bank = struck(Fault::PendingThenProcessed);
    bank.pay("house", &order("po_1"), at(0));
    assert!(bank.amend(1, Change::declined(at(500), Resolution::DeclinedError)));
    assert_eq!(statuses(&mut bank, 9_000), ["declined 2"]);
    assert_eq!(bank.payments()[0].paid(at(9_000)), dec!(0));
}

#[test]
fn quiet_is_when_nothing_more_becomes_of_anything() {
    let mut bank = struck(Fault::LateCallback);
    assert_eq!(bank.quiet_at(), None);
    bank.pay("house", &order("po_1"), at(0));
    assert_eq!(bank.quiet_at(), Some(at(12_000)));
    assert_eq!(bank.next_callback_at(), Some(at(12_000)));
}

fn call(bank: &mut Bank, method: &str, target: &str, key: &str, body: &str) -> (u16, serde_json::Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = ApiRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: vec![("authorization".to_owned(), format!("Bearer {key}"))],
        body: body.as_bytes().to_vec(),
    };
    assert!(!format!("{request:?}").contains(CARD));
    match handle(bank, &request, at(0)) {
        Reply::Answer { status, body, .. } => (status, serde_json::from_slice(&body).unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_api_pays_finds_reports_and_refuses() {
    let mut bank = bank();
    let key = "key of house";
    let body = format!(
        r#"{{"reference":"po_1","amount":"12.50","currency":"EUR","card":{{"number":"{CARD}","expiry_year":2031,"expiry_month":12,"holder":"GRACE HOPPER"}}}}"#
    );
    let (status, paid) = call(&mut bank, "POST", "/v1/payouts", key, &body);
    assert_eq!((status, &paid["status"], &paid["processed_amount"]), (200, &"processed".into(), &"12.50".into()));
    let (_, found) = call(&mut bank, "GET", "/v1/payouts?reference=po_1", key, "");
    assert_eq!(found["payouts"], serde_json::json!([paid]));
    let (_, nothing) = call(&mut bank, "GET", "/v1/payouts?reference=po_1", "key of careless", "");
    assert_eq!(nothing["payouts"], serde_json::json!([]), "another account's");
    let (_, report) =
        call(&mut bank, "GET", "/v1/report?from=2026-03-01T12:00:00Z&until=2026-03-02T00:00:00Z", key, "");
    assert_eq!((&report["rows"][0]["reference"], &report["next"]), (&"po_1".into(), &serde_json::Value::Null));
    assert_eq!(call(&mut bank, "GET", "/v1/account", key, "").1["account"], "house");
    for (method, target, key, body, status, code) in [
        ("GET", "/v1/account", "", "", 401, "unauthorized"),
        ("GET", "/v1/account", "key of nobody", "", 401, "unauthorized"),
        ("POST", "/v1/payouts", key, "{}", 400, "invalid_request"),
        ("POST", "/v1/payouts", key, &body.replace(CARD, "4111"), 400, "invalid_card"),
        ("POST", "/v1/payouts", key, &body.replace("po_1", "po 1"), 400, "invalid_request"),
        ("POST", "/v1/payouts", key, &body.replace("12.50", "1e3"), 400, "invalid_request"),
        ("GET", "/v1/payouts", key, "", 400, "invalid_request"),
        ("GET", "/v1/balances/EUR", key, "", 404, "no_balance"),
        ("GET", "/v1/report?from=now", key, "", 400, "invalid_request"),
        ("DELETE", "/v1/payouts", key, "", 404, "no_such_path"),
    ] {
        let (answered, error) = call(&mut bank, method, target, key, body);
        assert_eq!((answered, &error["error"]["code"]), (status, &code.into()), "{method} {target}");
    }
    assert_eq!(bank.payments().len(), 1);
}

#[test]
fn every_row_of_the_table_is_played() {
    for row in crate::providers::test::table::ROWS {
        let mut bank = bank();
        let order = Order { pan: Some(Pan::parse(row.cards[0]).unwrap()), ..order("po_1") };
        let verdict = bank.pay("house", &order, at(0));
        assert_eq!(verdict.taken, row.behaviour.is_taken(), "{}", row.title);
        if let Some(payment) = verdict.payment {
            let paid = row.behaviour.resolution() == Resolution::Ok;
            assert_eq!(!payment.end().amount_processed.is_zero(), paid, "{}", row.title);
            assert_eq!(payment.behaviour, row.behaviour.name());
            let told = !payment.tellings.is_empty();
            assert_eq!(told, row.behaviour.callbacks() != Callbacks::None, "{}", row.title);
        }
    }
}
