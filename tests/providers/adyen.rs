//! The `adyen` adapter under the contract, over TCP to a stage that answers as Adyen's OpenAPI descriptions of the Transfers API version 4
//! and of its webhooks have it, with a ledger by idempotency key; and each of Adyen's traps.

mod ledger;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use landfall::domain::ids::Mode;
use landfall::domain::payout::Resolution;
use landfall::providers::adyen::{API_KEY, AdyenProvider, BALANCE_ACCOUNT_ID, HMAC_KEY, signature};
use landfall::providers::provider::{
    AccountContext, CallbackError, Destination, Inquiry, Outcome, PayoutOrder, Provider, ReportedStatus, ResendSafety,
};
use rust_decimal::dec;
use secrecy::SecretString;
use serde_json::{Value, json};

use self::ledger::{Entry, Ledger, refusal};
use crate::contract::{Situation, Subject as Contract, Wire};
use crate::end_to_end::home;
use crate::props::{self, to_nobody, with_secrets, with_settings};
use crate::stage::Stage;

const KEY: &str = "an API key of tests";
const HMAC: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const ACCOUNT: &str = "BA00000000000000000000001";

pub struct Subject {
    provider: Arc<dyn Provider>,
    stage: Stage,
    ledger: Arc<Mutex<Ledger>>,
}

fn adapter(test_url: &str) -> Arc<dyn Provider> {
    Arc::new(AdyenProvider::new(&props::settings(|shipped| shipped.adyen, test_url), props::tcp()))
}

fn account() -> AccountContext {
    props::account(&[(BALANCE_ACCOUNT_ID, ACCOUNT)], &[(API_KEY, KEY), (HMAC_KEY, HMAC)])
}

fn card(holder: &str) -> Destination {
    Destination { billing: Some(home()), ..props::to(props::card("4321123456788765", (2030, 3), holder)) }
}

fn order() -> PayoutOrder {
    props::order(64, dec!(692.49), "EUR")
}

fn question(order: &PayoutOrder) -> Inquiry {
    props::question_about(order, "2026-03-01T12:00:00.5Z".parse().unwrap())
}

/// A webhook's headers and body, signed.
fn signed(body: &Value) -> Wire {
    let body = body.to_string().into_bytes();
    let headers = vec![
        ("Protocol".to_owned(), "HmacSHA256".to_owned()),
        ("HmacSignature".to_owned(), signature::sign(&HMAC.into(), &body).unwrap()),
    ];
    Wire { headers, body }
}

fn notice(data: &Value) -> Value {
    json!({"data": data, "environment": "test", "timestamp": "2026-03-01T13:00:02+01:00",
        "type": "balancePlatform.transfer.updated"})
}

impl Subject {
    pub fn new() -> Self {
        let (stage, ledger) = props::played(Ledger { page_length: 100, ..Ledger::default() }, Ledger::answer);
        Self { provider: adapter(&stage.url), stage, ledger }
    }

    async fn send(&self, order: &PayoutOrder, to: &Destination) -> Outcome {
        self.provider.send(&account(), order, to).await
    }

    async fn inquire(&self, order: &PayoutOrder) -> Outcome {
        self.provider.inquire(&account(), &question(order)).await
    }

    /// Changes what the ledger has under the order's reference.
    fn change(&self, order: &PayoutOrder, change: impl Fn(&mut Value)) {
        let mut ledger = self.ledger.lock().unwrap();
        let data = ledger.entries.iter_mut().map(|entry| &mut entry.data);
        data.filter(|data| data["reference"] == order.reference.as_str()).for_each(change);
    }

    fn data(&self, order: &PayoutOrder) -> Value {
        let ledger = self.ledger.lock().unwrap();
        let entry = ledger.entries.iter().find(|entry| entry.data["reference"] == order.reference.as_str());
        entry.expect("it was taken").data.clone()
    }

    fn read(&self, wire: &Wire) -> Result<Vec<(Outcome, Option<i64>)>, CallbackError> {
        let reports = self.provider.parse_callback(&account(), &wire.headers, &wire.body)?;
        Ok(reports.into_iter().map(|report| (report.outcome, report.sequence)).collect())
    }
}

#[async_trait]
impl Contract for Subject {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider)
    }

    fn account(&self) -> AccountContext {
        account()
    }

    async fn arrange(&self, situation: Situation) -> (PayoutOrder, Destination) {
        let order = order();
        self.ledger.lock().unwrap().situations.insert(order.reference.clone(), situation);
        (order, card("GRACE HOPPER"))
    }

    async fn let_time_pass(&self) {
        let mut ledger = self.ledger.lock().unwrap();
        for entry in ledger.entries.iter_mut().filter(|entry| entry.situation == Situation::PendingThenPaid) {
            let value = entry.data["amount"]["value"].as_i64().unwrap();
            entry.data["status"] = "booked".into();
            entry.data["reason"] = "approved".into();
            entry.data["sequenceNumber"] = 3.into();
            entry.data["balances"] = json!([{"balance": -value, "currency": "EUR", "received": 0, "reserved": 0}]);
        }
    }

    async fn paid_callback(&self, order: &PayoutOrder) -> Wire {
        signed(&notice(&self.data(order)))
    }

    fn stage(&self) -> Option<&Stage> {
        Some(&self.stage)
    }

    fn unreachable(&self) -> (Arc<dyn Provider>, AccountContext) {
        (adapter(&props::nowhere()), account())
    }

    fn times_paid(&self, order: &PayoutOrder) -> usize {
        let ledger = self.ledger.lock().unwrap();
        let of_order = ledger.entries.iter().filter(|entry| entry.data["reference"] == order.reference.as_str());
        of_order.filter(|entry| entry.data["status"] == "booked").count()
    }
}

/// The published example of a payout by card number, in our name order and with our reference.
#[tokio::test]
async fn a_payout_is_asked_for_as_the_specification_says() {
    let subject = Subject::new();
    let order = PayoutOrder { amount: dec!(100), currency: "USD".parse().unwrap(), ..order() };
    let mut to = card("Albert Klaassen");
    to.fields = [
        ("address", "274"),
        ("address2", "Brannan St"),
        ("city", "San Francisco"),
        ("country_code", "US"),
        ("zip", "94107"),
        ("state", "CA"),
        ("account", "not Adyen's"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    assert!(matches!(subject.send(&order, &to).await, Outcome::Processed { amount, .. } if amount == dec!(100)));
    let seen = subject.stage.seen().remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.query.len()), ("POST", "/btl/v4/transfers", 0));
    for (name, value) in [
        ("x-api-key", KEY),
        ("idempotency-key", order.reference.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(
        seen.json(),
        json!({
            "amount": {"value": 10000, "currency": "USD"},
            "balanceAccountId": "BA00000000000000000000001",
            "category": "card",
            "counterparty": {"card": {
                "cardHolder": {
                    "type": "individual",
                    "firstName": "Albert",
                    "lastName": "Klaassen",
                    "address": {
                        "city": "San Francisco",
                        "country": "US",
                        "line1": "274",
                        "line2": "Brannan St",
                        "postalCode": "94107",
                        "stateOrProvince": "CA",
                    },
                },
                "cardIdentification": {"number": "4321123456788765", "expiryMonth": "03", "expiryYear": "2030"},
            }},
            "reference": order.reference,
            "description": "Payout",
        })
    );
}

#[tokio::test]
async fn the_cards_address_is_sent_where_the_request_has_none() {
    let subject = Subject::new();
    subject.send(&order(), &card("GRACE HOPPER")).await;
    let asked = subject.stage.seen()[0].json();
    assert_eq!(
        asked["counterparty"]["card"]["cardHolder"]["address"],
        json!({"line1": "274", "line2": "Brannan St", "city": "San Francisco", "country": "US", "postalCode": "94107",
            "stateOrProvince": "CA"})
    );
}

#[tokio::test]
async fn what_is_not_known_is_left_out_of_the_request() {
    let subject = Subject::new();
    let order = PayoutOrder { description: None, ..order() };
    let mut to = card("Grace O'Malley-Hopper");
    to.fields = [("address", "Hof"), ("city", "Chur"), ("country_code", "CH")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    subject.send(&order, &to).await;
    let asked = subject.stage.seen()[0].json();
    assert_eq!(
        asked["counterparty"]["card"]["cardHolder"],
        json!({"type": "individual", "firstName": "Grace", "lastName": "OMalley-Hopper",
            "address": {"line1": "Hof", "city": "Chur", "country": "CH"}})
    );
    assert!(asked.get("description").is_none());
    assert_eq!(asked["amount"], json!({"value": 69249, "currency": "EUR"}));
}

#[tokio::test]
async fn a_look_up_names_the_balance_account_and_a_range_of_time() {
    let subject = Subject::new();
    let order = order();
    assert_eq!(subject.inquire(&order).await, Outcome::NotFound);
    let seen = subject.stage.seen().remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/btl/v4/transfers"));
    let query: Vec<_> = seen.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        query,
        [
            ("balanceAccountId", ACCOUNT),
            ("createdSince", "2026-02-28T12:00:00Z"),
            ("createdUntil", "2026-07-29T12:00:00Z"),
            ("limit", "100"),
            ("reference", order.reference.as_str()),
        ]
    );
    assert_eq!(seen.header("x-api-key"), Some(KEY));
    assert_eq!(seen.header("idempotency-key"), None);
}

#[tokio::test]
async fn all_pages_of_a_look_up_are_judged_together() {
    let subject = Subject::new();
    let order = order();
    subject.ledger.lock().unwrap().page_length = 1;
    assert!(matches!(subject.send(&order, &card("GRACE HOPPER")).await, Outcome::Processed { .. }));
    let mut back = subject.data(&order);
    back["direction"] = "incoming".into();
    back["id"] = "6JKRLZ8LOTRETURN".into();
    let add = |data: &Value| {
        subject.ledger.lock().unwrap().entries.push(Entry { situation: Situation::Paid, data: data.clone() });
    };
    add(&back);
    let outcome = subject.inquire(&order).await;
    assert!(matches!(outcome, Outcome::Returned { amount, .. } if amount == order.amount), "{outcome:?}");
    let cursors: Vec<_> = subject.stage.seen().iter().map(|seen| seen.asked("cursor").map(str::to_owned)).collect();
    assert_eq!(cursors, [None, None, Some("S2B-1".to_owned())]);
    for _ in 0..4 {
        add(&back);
    }
    assert!(matches!(subject.inquire(&order).await, Outcome::Unknown { .. }), "more than are read");
    assert_eq!(subject.stage.seen().len(), 3 + 4);
}

#[tokio::test]
async fn a_second_payment_under_one_reference_is_never_overlooked() {
    let subject = Subject::new();
    let order = order();
    subject.send(&order, &card("GRACE HOPPER")).await;
    let second = subject.data(&order);
    subject.ledger.lock().unwrap().entries.push(Entry { situation: Situation::Paid, data: second });
    let outcome = subject.inquire(&order).await;
    assert!(matches!(&outcome, Outcome::Unknown { why, .. } if why.contains("2 transfers out")), "{outcome:?}");
}

#[tokio::test]
async fn a_repeat_has_the_first_ones_key_and_body() {
    let subject = Subject::new();
    let (order, to) = subject.arrange(Situation::PendingThenPaid).await;
    let first = subject.send(&order, &to).await;
    let again = PayoutOrder { resend: 1, ..order.clone() };
    assert_eq!(subject.send(&again, &to).await, first);
    let seen = subject.stage.seen();
    assert_eq!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
    assert_eq!(seen[0].body, seen[1].body);
    let capabilities = subject.provider.capabilities();
    assert_eq!(capabilities.reference_length_max, 64, "of an idempotency key");
    let ResendSafety::SameReferenceWithin(window) = capabilities.resend else { panic!("keys are kept") };
    assert!(window.as_secs() < 7 * 24 * 60 * 60);
}

#[tokio::test]
async fn a_refused_call_is_final_for_a_first_send_only() {
    let subject = Subject::new();
    let stranger = with_secrets(&account(), &[(API_KEY, Some("another key"))]);
    let order = order();
    let to = card("GRACE HOPPER");
    let outcome = subject.provider.send(&stranger, &order, &to).await;
    assert!(matches!(outcome, Outcome::Declined { resolution: Resolution::InvalidCredentials, .. }), "{outcome:?}");
    let again = PayoutOrder { resend: 1, ..order.clone() };
    assert!(matches!(subject.provider.send(&stranger, &again, &to).await, Outcome::Unknown { .. }));
    assert!(matches!(subject.provider.inquire(&stranger, &question(&order)).await, Outcome::Unknown { .. }));
    // Processed already, or just now: the first one's fate is open.
    let in_progress = refusal(422, "validation", "704");
    subject.ledger.lock().unwrap().answers.insert(order.reference.clone(), in_progress);
    assert!(matches!(subject.send(&order, &to).await, Outcome::Unknown { .. }));
}

#[tokio::test]
async fn amounts_go_by_adyens_own_minor_units() {
    let subject = Subject::new();
    for (amount, currency, value) in
        [(dec!(5000), "ISK", 500_000), (dec!(0.01), "EUR", 1), (dec!(1234.5), "HUF", 123_450)]
    {
        let order = PayoutOrder { amount, currency: currency.parse().unwrap(), ..order() };
        let outcome = subject.send(&order, &card("GRACE HOPPER")).await;
        assert!(matches!(outcome, Outcome::Processed { amount: told, .. } if told == amount), "{outcome:?}");
        let asked = subject.stage.seen().pop().unwrap().json();
        assert_eq!(asked["amount"], json!({"currency": currency, "value": value}));
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sent() {
    let subject = Subject::new();
    let good = card("GRACE HOPPER");
    let partial = Destination { fields: BTreeMap::from([("city".to_owned(), "Delft".to_owned())]), ..good.clone() };
    let no_address = Destination { billing: None, ..good.clone() };
    for to in [to_nobody(), no_address, card("Zaphod"), card("Иван Петров"), partial] {
        assert!(matches!(subject.send(&order(), &to).await, Outcome::NotSent { .. }), "{to:?}");
    }
    for (amount, currency) in
        [(dec!(1.005), "EUR"), (dec!(0), "EUR"), (dec!(-1), "EUR"), (dec!(1), "JPY"), (dec!(1), "USDT")]
    {
        let order = PayoutOrder { amount, currency: currency.parse().unwrap(), ..order() };
        assert!(matches!(subject.send(&order, &good).await, Outcome::NotSent { .. }), "{amount} {currency}");
    }
    for reference in ["", "two words", "po_1", &"x".repeat(65)] {
        let order = PayoutOrder { reference: reference.to_owned(), ..order() };
        assert!(matches!(subject.send(&order, &good).await, Outcome::NotSent { .. }), "{reference}");
    }
    for id in [None, Some(""), Some("BA1/../transfers"), Some("BA1?x=y")] {
        let account = with_settings(&account(), &[(BALANCE_ACCOUNT_ID, id)]);
        assert!(matches!(subject.provider.send(&account, &order(), &good).await, Outcome::NotSent { .. }), "{id:?}");
        assert!(matches!(subject.provider.inquire(&account, &question(&order())).await, Outcome::Unknown { .. }));
        assert!(subject.provider.check_credentials(&account).await.is_err());
        assert!(subject.provider.balance(&account, "EUR".parse().unwrap()).await.is_err());
    }
    // Live mode has no URL here.
    let live = AccountContext { mode: Mode::Live, ..account() };
    assert!(matches!(subject.provider.send(&live, &order(), &good).await, Outcome::NotSent { .. }));
    assert!(subject.provider.check_credentials(&live).await.is_err());
    assert_eq!(subject.provider.modes(), [Mode::Test]);
    assert!(subject.stage.seen().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn credentials_are_checked_with_all_rights_that_are_needed() {
    let subject = Subject::new();
    assert_eq!(subject.provider.check_credentials(&account()).await, Ok(()));
    let paths: Vec<_> = subject.stage.seen().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(paths, [format!("GET /bcl/v2/balanceAccounts/{ACCOUNT}"), "GET /btl/v4/transfers".to_owned()]);
    for (name, value) in [(API_KEY, "another key"), (API_KEY, ""), (HMAC_KEY, ""), (HMAC_KEY, "not hexadecimal")] {
        let account = with_secrets(&account(), &[(name, Some(value))]);
        assert!(subject.provider.check_credentials(&account).await.is_err(), "{name} {value}");
    }
    for id in ["BA00000000000000000000002", "BACLOSED"] {
        let account = with_settings(&account(), &[(BALANCE_ACCOUNT_ID, Some(id))]);
        assert!(subject.provider.check_credentials(&account).await.is_err(), "{id}");
    }
}

#[tokio::test]
async fn a_balance_is_what_the_balance_account_has_available() {
    let subject = Subject::new();
    let balance = async |currency: &str| subject.provider.balance(&account(), currency.parse().unwrap()).await;
    assert_eq!(balance("EUR").await, Ok(dec!(307.51)));
    assert_eq!(balance("USD").await, Ok(dec!(0)));
    assert!(balance("BTC").await.is_err());
}

#[tokio::test]
async fn callbacks_are_put_in_order_by_their_sequence_number() {
    let subject = Subject::new();
    let (order, to) = subject.arrange(Situation::PendingThenPaid).await;
    subject.send(&order, &to).await;
    let early = signed(&notice(&subject.data(&order)));
    subject.let_time_pass().await;
    let late = signed(&notice(&subject.data(&order)));
    // In whatever order they come.
    let [(late, last), (early, first)] =
        [late, early].map(|wire| subject.read(&wire).expect("a good callback").remove(0));
    assert!(matches!(late, Outcome::Processed { .. }) && matches!(early, Outcome::Pending { .. }));
    assert_eq!((first, last), (Some(1), Some(3)));
}

#[tokio::test]
async fn a_callback_is_signed_by_the_decoded_key_in_one_header() {
    let subject = Subject::new();
    let order = order();
    subject.send(&order, &card("GRACE HOPPER")).await;
    let good = signed(&notice(&subject.data(&order)));
    assert_eq!(subject.read(&good).map(|reports| reports.len()), Ok(1));
    let not_verified = Err(CallbackError::NotVerified { references: vec![order.reference.clone()] });
    // As if the key's text were the key.
    let text_as_key: SecretString = hex::encode(HMAC).into();
    let mut wrong = good.clone();
    wrong.headers[1].1 = signature::sign(&text_as_key, &wrong.body).unwrap();
    assert_eq!(subject.read(&wrong), not_verified);
    let mut twice = good.clone();
    twice.headers.push(twice.headers[1].clone());
    assert_eq!(subject.read(&twice), not_verified);
    for key in [None, Some(""), Some("not hexadecimal")] {
        let account = with_secrets(&account(), &[(HMAC_KEY, key)]);
        assert!(subject.provider.parse_callback(&account, &good.headers, &good.body).is_err(), "{key:?}");
    }
}

#[tokio::test]
async fn a_callback_is_for_one_balance_account_and_one_environment() {
    let subject = Subject::new();
    let order = order();
    subject.send(&order, &card("GRACE HOPPER")).await;
    let data = subject.data(&order);
    let changed = |member: &str, value: Value| {
        let mut other = data.clone();
        other[member] = value;
        subject.read(&signed(&notice(&other)))
    };
    // Of the same platform, and nothing to do with our payouts.
    for (member, value) in [
        ("balanceAccount", json!({"id": "BA00000000000000000000002"})),
        ("balanceAccount", json!({})),
        ("category", json!("bank")),
        ("type", json!("fee")),
        ("reference", json!("a payout of the Customer Area")),
        ("reference", Value::Null),
        ("direction", Value::Null),
    ] {
        assert_eq!(changed(member, value.clone()), Ok(vec![]), "{member} {value}");
    }
    assert!(matches!(changed("amount", json!("a lot")), Err(CallbackError::Malformed(_))));
    let live = json!({"data": data, "environment": "live", "type": "balancePlatform.transfer.updated"});
    assert!(matches!(subject.read(&signed(&live)), Err(CallbackError::NotVerified { .. })));
    let other = json!({"data": data, "environment": "test", "type": "balancePlatform.transaction.created"});
    assert_eq!(subject.read(&signed(&other)), Ok(vec![]));
    let mut nameless = account();
    nameless.settings.clear();
    let wire = signed(&notice(&data));
    assert!(subject.provider.parse_callback(&nameless, &wire.headers, &wire.body).is_err());
}

#[tokio::test]
async fn a_callback_says_that_money_came_back() {
    let subject = Subject::new();
    let order = order();
    subject.send(&order, &card("GRACE HOPPER")).await;
    subject.change(&order, |data| {
        data["status"] = "returned".into();
        data["sequenceNumber"] = 4.into();
    });
    let reports = subject.read(&signed(&notice(&subject.data(&order)))).unwrap();
    let (outcome, sequence) = &reports[0];
    assert!(matches!(outcome, Outcome::Returned { amount, .. } if *amount == order.amount), "{outcome:?}");
    assert_eq!((*sequence, outcome), (Some(4), &subject.inquire(&order).await));
    // As a transfer of its own, which counts its messages by itself.
    for (status, is_told) in [("received", false), ("refused", false), ("booked", true)] {
        subject.change(&order, |data| {
            data["status"] = status.into();
            data["direction"] = "incoming".into();
            data["type"] = "refund".into();
        });
        let reports = subject.read(&signed(&notice(&subject.data(&order)))).unwrap();
        assert_eq!(reports.len(), usize::from(is_told), "{status}");
        assert!(reports.iter().all(|(outcome, sequence)| {
            matches!(outcome, Outcome::Returned { amount, .. } if *amount == order.amount) && sequence.is_none()
        }));
    }
}

#[tokio::test]
async fn a_report_is_read_page_by_page() {
    let subject = Subject::new();
    subject.ledger.lock().unwrap().page_length = 2;
    let mut sent = Vec::new();
    for situation in [Situation::Paid, Situation::DeclinedForCard, Situation::PendingThenPaid] {
        let (order, to) = subject.arrange(situation).await;
        subject.send(&order, &to).await;
        sent.push(order.reference);
    }
    let from = "2026-03-01T12:00:00Z".parse().unwrap();
    let until = "2026-03-01T12:00:00.5Z".parse().unwrap();
    let (mut rows, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = subject.provider.report(&account(), from, until, cursor.as_deref()).await.unwrap();
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let statuses: Vec<_> = rows.iter().map(|row| row.status).collect();
    assert_eq!(statuses, [ReportedStatus::Processed, ReportedStatus::Declined, ReportedStatus::Pending]);
    let references: Vec<_> = rows.into_iter().map(|row| row.reference).collect();
    assert_eq!(references, sent);
    let seen = subject.stage.seen().into_iter().find(|seen| seen.method == "GET").unwrap();
    let asked =
        ["createdSince", "createdUntil", "category", "sortOrder"].map(|name| seen.asked(name).unwrap().to_owned());
    assert_eq!(asked, ["2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z", "card", "asc"]);
}

#[tokio::test]
async fn a_statement_descriptor_is_the_transfers_description_and_the_same_in_a_resend() {
    let subject = Subject::new();
    let order = PayoutOrder { statement_descriptor: Some("ACME Payouts-24".to_owned()), ..order() };
    subject.send(&order, &card("GRACE HOPPER")).await;
    subject.send(&PayoutOrder { resend: 1, ..order }, &card("GRACE HOPPER")).await;
    let seen: Vec<_> = subject.stage.seen().into_iter().filter(|seen| seen.method == "POST").collect();
    assert_eq!(seen[0].json()["description"], "ACME Payouts-24");
    assert_eq!((seen.len(), &seen[0].body), (2, &seen[1].body));
}
