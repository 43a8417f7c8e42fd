//! The `checkout` adapter under the contract, against Checkout.com in small: a ledger of payments by reference, told in the documented
//! shapes; and what is Checkout.com's own: the idempotency key, the look-ups, several payments of one reference, its webhooks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use landfall::domain::card::{CardDetails, HolderName};
use landfall::domain::ids::{Mode, PayoutId};
use landfall::domain::payout::Resolution;
use landfall::providers::checkout::{CheckoutProvider, SIGNATURE_HEADER};
use landfall::providers::provider::{
    AccountContext, CallbackError, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderError, ResendSafety,
};
use landfall::providers::signature;
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};

use crate::contract::{Situation, Subject, Wire};
use crate::end_to_end::home;
use crate::props::{self, is_unknown, is_unsent, to_nobody};
use crate::stage::{Answer, Mishap, Seen, Stage};

const SECRET_KEY: &str = "sk_sbox_a_key_of_tests";
const SIGNATURE_KEY: &str = "8V8x0dLK%AyD*DNS8JJr";
const CURRENCY_ACCOUNT: &str = "ca_y3oqhf46pyzuxjbcn2giaqnb44";
const CHANNEL: &str = "pc_hpswyyx23geezflc2ocz3exn4y";

/// A payment as the provider keeps it.
#[derive(Clone)]
struct Payment {
    id: String,
    reference: String,
    amount: i64,
    currency: String,
    status: &'static str,
    /// The response code of its own action.
    code: &'static str,
}

impl Payment {
    fn approved(&self) -> bool {
        self.status != "Declined"
    }

    /// "Get payout details".
    fn details(&self) -> Value {
        json!({
            "id": self.id, "requested_on": "2026-03-01T12:00:00.085546Z",
            "source": {"id": CURRENCY_ACCOUNT, "type": "currency_account"},
            "destination": {"type": "card", "expiry_month": 12, "expiry_year": 2031, "last4": "1111", "bin": "411111"},
            "amount": self.amount, "currency": self.currency, "reference": self.reference, "status": self.status,
            "approved": self.approved(), "processing": {"retrieval_reference_number": "909913440644"},
            "_links": {"self": {"href": format!("https://api.sandbox.checkout.com/payments/{}", self.id)},
                "actions": {"href": format!("https://api.sandbox.checkout.com/payments/{}/actions", self.id)}},
        })
    }

    /// "Get payout actions".
    fn actions(&self) -> Value {
        let own = json!({"id": "act_rhpascoezcwuxbez3qhsbtgpd4", "type": "Payout", "processed_on": "2026-03-01T12:00:00.1050138Z",
            "amount": self.amount, "approved": self.approved(), "response_code": self.code, "response_summary": "Told"});
        let back = json!({"id": "act_cvrbczl5llgehjzjqdupeezwt4", "type": "Return", "processed_on": "2026-03-01T12:01:00.145592Z",
            "amount": self.amount, "approved": true, "response_code": "30046", "response_summary": "Closed account"});
        if self.status == "Returned" { json!([back, own]) } else { json!([own]) }
    }

    /// The payout's answer: "PayoutSuccessfulResponse".
    fn taken(&self) -> Value {
        json!({"id": self.id, "status": self.status, "reference": self.reference,
            "instruction": {"value_date": "2026-03-01T12:00:00.1864428Z"},
            "_links": {"self": {"href": format!("https://api.sandbox.checkout.com/payments/{}", self.id)}}})
    }

    /// "payment_paid".
    fn paid_event(&self) -> Value {
        json!({
            "id": "evt_hbnxegj3dqyu5fsd4p2b4bxvpa", "type": "payment_paid", "version": "1.0.43", "created_on": "2026-03-01T12:00:40.889Z",
            "data": {
                "id": self.id, "reference": self.reference, "action_id": "act_tqwnowwsmctufefmu65hcumn2a", "response_code": "10000",
                "response_summary": "Approved", "amount": self.amount, "currency": self.currency,
                "source": {"type": "currency_account", "id": CURRENCY_ACCOUNT}, "destination": {"type": "card", "last_4": "1111"},
                "processing": {"retrieval_reference_number": "909913440644"}, "processed_on": "2026-03-01T12:00:40.4885594Z",
            },
        })
    }
}

#[derive(Default)]
struct Ledger {
    /// What an order with this reference meets.
    arranged: BTreeMap<String, Situation>,
    payments: Vec<Payment>,
    /// Answers by idempotency key: only what was answered with 2xx is kept.
    replays: BTreeMap<String, Answer>,
    /// References that the list doesn't tell yet.
    unlisted: Vec<String>,
}

impl Ledger {
    fn pay(&mut self, order: &Value, status: &'static str, code: &'static str) -> Payment {
        let text = |name: &str| order[name].as_str().unwrap().to_owned();
        let payment = Payment {
            id: format!("pay_{:026}", self.payments.len() + 1),
            reference: text("reference"),
            amount: order["amount"].as_i64().unwrap(),
            currency: text("currency"),
            status,
            code,
        };
        self.payments.push(payment.clone());
        payment
    }

    fn order(&mut self, seen: &Seen) -> Answer {
        let key = seen.header("Cko-Idempotency-Key").unwrap_or_default().to_owned();
        if let Some(replay) = self.replays.get(&key) {
            return replay.clone();
        }
        let order = seen.json();
        let situation = order["reference"].as_str().and_then(|reference| self.arranged.get(reference).copied());
        let payment = match situation {
            // Also what nobody arranged.
            Some(Situation::Paid) | None => self.pay(&order, "Paid", "10000"),
            Some(Situation::PendingThenPaid) => self.pay(&order, "Pending", "10000"),
            Some(Situation::DeclinedForCard) => self.pay(&order, "Declined", "20014"),
            Some(Situation::DeclinedForRoute) => self.pay(&order, "Declined", "50003"),
            Some(Situation::Undocumented) => self.pay(&order, "Teleported", "20999"),
            Some(Situation::AmbiguousThenPaid) => {
                self.pay(&order, "Paid", "10000");
                return Answer::empty(502);
            }
            Some(Situation::AmbiguousThenNotFound) => return Answer::empty(502),
        };
        let answer = Answer::json(202, &payment.taken());
        self.replays.insert(key, answer.clone());
        answer
    }

    fn answer(&mut self, seen: &Seen) -> Answer {
        if seen.header("Authorization") != Some(&format!("Bearer {SECRET_KEY}")) {
            return Answer::empty(401);
        }
        let words: Vec<&str> = seen.path.split('/').skip(1).collect();
        let of = |id: &str| self.payments.iter().find(|payment| payment.id == id);
        match (seen.method.as_str(), words.as_slice()) {
            ("POST", ["payments"]) => self.order(seen),
            ("GET", ["payments"]) => {
                let Some(reference) = seen.asked("reference") else {
                    return refusal("request_invalid", "reference_required");
                };
                // "Sorted by processing date in descending order."
                let is_told =
                    |payment: &&Payment| payment.reference == reference && !self.unlisted.contains(&payment.reference);
                let data: Vec<Value> = self.payments.iter().rev().filter(is_told).map(Payment::details).collect();
                Answer::json(200, &json!({"limit": 100, "skip": 0, "total_count": data.len(), "data": data}))
            }
            ("GET", ["payments", id]) => {
                of(id).map_or(Answer::empty(404), |payment| Answer::json(200, &payment.details()))
            }
            ("GET", ["payments", id, "actions"]) => {
                of(id).map_or(Answer::empty(404), |payment| Answer::json(200, &payment.actions()))
            }
            _ => Answer::empty(404),
        }
    }
}

/// "ValidationError".
fn refusal(kind: &str, code: &str) -> Answer {
    Answer::json(422, &json!({"request_id": "0HL80RJLS76I7", "error_type": kind, "error_codes": [code]}))
}

/// The adapter with its provider on a stage.
pub struct CheckoutSubject {
    stage: Stage,
    ledger: Arc<Mutex<Ledger>>,
    provider: Arc<CheckoutProvider>,
    account: AccountContext,
}

fn provider(test_url: &str) -> Arc<CheckoutProvider> {
    Arc::new(CheckoutProvider::new(&props::settings(|shipped| shipped.checkout, test_url), props::tcp()))
}

fn account() -> AccountContext {
    props::account(
        &[("currency_account_id", CURRENCY_ACCOUNT), ("processing_channel_id", CHANNEL), ("funds_transfer_type", "FD")],
        &[("secret_key", SECRET_KEY), ("webhook_signature_key", SIGNATURE_KEY)],
    )
}

fn card() -> CardDetails {
    props::card("4111111111111111", (2031, 12), "GRACE BREWSTER HOPPER")
}

fn to_card() -> Destination {
    props::to(card())
}

impl CheckoutSubject {
    pub fn new() -> Self {
        let (stage, ledger) = props::played(Ledger::default(), Ledger::answer);
        let provider = provider(&stage.url);
        Self { stage, ledger, provider, account: account() }
    }

    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.ledger.lock().unwrap())
    }

    fn order(&self, situation: Situation) -> PayoutOrder {
        let reference = PayoutId::new().to_string();
        self.ledger(|ledger| ledger.arranged.insert(reference.clone(), situation));
        PayoutOrder { reference, ..props::order(50, dec!(692.49), "EUR") }
    }

    async fn send(&self, order: &PayoutOrder) -> Outcome {
        self.provider.send(&self.account, order, &to_card()).await
    }

    async fn inquire(&self, order: &PayoutOrder, provider_original_id: Option<&str>) -> Outcome {
        let inquiry =
            Inquiry { provider_original_id: provider_original_id.map(str::to_owned), ..props::question(order) };
        self.provider.inquire(&self.account, &inquiry).await
    }

    /// A payment that is there without the adapter having asked for it.
    fn another(&self, order: &PayoutOrder, status: &'static str, code: &'static str) -> String {
        let told = json!({"reference": order.reference, "amount": 69249, "currency": "EUR"});
        self.ledger(|ledger| ledger.pay(&told, status, code).id)
    }

    fn orders_seen(&self) -> usize {
        self.stage.seen().iter().filter(|seen| seen.is_order()).count()
    }
}

fn signed(body: &Value) -> Wire {
    let body = body.to_string().into_bytes();
    let signature = signature::sign(&SIGNATURE_KEY.into(), &body).unwrap();
    let headers = vec![
        ("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()),
        (SIGNATURE_HEADER.to_owned(), signature),
    ];
    Wire { headers, body }
}

#[async_trait]
impl Subject for CheckoutSubject {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider) as Arc<dyn Provider>
    }

    fn account(&self) -> AccountContext {
        self.account.clone()
    }

    async fn arrange(&self, situation: Situation) -> (PayoutOrder, Destination) {
        (self.order(situation), to_card())
    }

    async fn let_time_pass(&self) {
        self.ledger(|ledger| {
            for payment in ledger.payments.iter_mut().filter(|payment| payment.status == "Pending") {
                payment.status = "Paid";
            }
        });
    }

    async fn paid_callback(&self, order: &PayoutOrder) -> Wire {
        let payment = self.ledger(|ledger| ledger.payments.iter().find(|p| p.reference == order.reference).cloned());
        signed(&payment.unwrap().paid_event())
    }

    fn stage(&self) -> Option<&Stage> {
        Some(&self.stage)
    }

    fn unreachable(&self) -> (Arc<dyn Provider>, AccountContext) {
        (provider(&props::nowhere()), self.account())
    }

    fn times_paid(&self, order: &PayoutOrder) -> usize {
        let is_paid = |payment: &&Payment| payment.reference == order.reference && payment.status == "Paid";
        self.ledger(|ledger| ledger.payments.iter().filter(is_paid).count())
    }
}

#[tokio::test]
async fn an_order_is_written_as_the_api_reference_has_it() {
    let subject = CheckoutSubject::new();
    let order = subject.order(Situation::PendingThenPaid);
    subject.send(&order).await;
    let seen = subject.stage.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str(), seen[0].query.len()), ("POST", "/payments", 0));
    for (name, value) in [
        ("authorization", "Bearer sk_sbox_a_key_of_tests"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("cko-idempotency-key", order.reference.as_str()),
    ] {
        assert_eq!(seen[0].header(name), Some(value), "{name}");
    }
    assert_eq!(
        seen[0].json(),
        json!({
            "source": {"type": "currency_account", "id": "ca_y3oqhf46pyzuxjbcn2giaqnb44"},
            "destination": {
                "type": "card", "number": "4111111111111111", "expiry_month": 12, "expiry_year": 2031,
                "account_holder": {"type": "individual", "first_name": "GRACE BREWSTER", "last_name": "HOPPER"},
            },
            "amount": 69249, "currency": "EUR", "reference": order.reference,
            "instruction": {"funds_transfer_type": "FD"},
            "processing_channel_id": "pc_hpswyyx23geezflc2ocz3exn4y",
        })
    );
}

#[tokio::test]
async fn the_holders_address_is_written_with_the_name() {
    let subject = CheckoutSubject::new();
    let order = subject.order(Situation::PendingThenPaid);
    let to = Destination { billing: Some(home()), ..to_card() };
    subject.provider.send(&subject.account, &order, &to).await;
    assert_eq!(
        subject.stage.seen()[0].json()["destination"]["account_holder"],
        json!({
            "type": "individual", "first_name": "GRACE BREWSTER", "last_name": "HOPPER",
            "billing_address": {
                "address_line1": "274 Brannan St", "city": "San Francisco", "state": "CA", "zip": "94107", "country": "US",
            },
        })
    );
}

#[tokio::test]
async fn what_an_account_sets_beside_its_ids_is_written_too() {
    let mut subject = CheckoutSubject::new();
    for (name, value) in [
        ("purpose", "income"),
        ("billing_descriptor", "Landfall payout"),
        ("sender_company_name", "Landfall Ltd"),
        ("sender_address_line1", "90 Tottenham Court Road"),
        ("sender_city", "London"),
        ("sender_zip", "W1T 4TJ"),
        ("sender_country", "GB"),
        ("sender_reference", "1234567ABCDEFG"),
    ] {
        subject.account.settings.insert(name.to_owned(), value.to_owned());
    }
    let order = PayoutOrder {
        amount: "1.31".parse().unwrap(),
        currency: "KWD".parse().unwrap(),
        ..subject.order(Situation::PendingThenPaid)
    };
    assert!(matches!(subject.send(&order).await, Outcome::Pending { .. }));
    let told = subject.stage.seen()[0].json();
    assert_eq!((&told["amount"], &told["currency"]), (&json!(1310), &json!("KWD")));
    assert_eq!(told["billing_descriptor"], json!({"reference": "Landfall payout"}));
    assert_eq!(told["instruction"], json!({"purpose": "income", "funds_transfer_type": "FD"}));
    assert_eq!(
        told["sender"],
        json!({"type": "corporate", "company_name": "Landfall Ltd", "reference": "1234567ABCDEFG",
            "address": {"address_line1": "90 Tottenham Court Road", "city": "London", "zip": "W1T 4TJ", "country": "GB"}})
    );
}

#[tokio::test]
async fn questions_are_written_as_the_documentation_has_them() {
    let subject = CheckoutSubject::new();
    let order = subject.order(Situation::DeclinedForCard);
    let id = subject.another(&order, "Declined", "20054");
    let outcome = subject.inquire(&order, None).await;
    assert!(matches!(outcome, Outcome::Declined { resolution: Resolution::CardExpired, .. }), "{outcome:?}");
    let seen = subject.stage.seen();
    let asked: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), seen.path.clone())).collect();
    assert_eq!(asked, [("GET", "/payments".to_owned()), ("GET", format!("/payments/{id}/actions"))]);
    assert_eq!((seen[0].asked("reference"), seen[0].asked("limit")), (Some(order.reference.as_str()), Some("100")));
    assert!(seen.iter().all(|seen| seen.header("authorization") == Some("Bearer sk_sbox_a_key_of_tests")));
    assert!(seen.iter().all(|seen| seen.header("cko-idempotency-key").is_none() && seen.body.is_empty()));
}

#[tokio::test]
async fn after_a_failure_the_same_key_pays_again_so_an_order_is_never_sent_twice() {
    let subject = CheckoutSubject::new();
    assert_eq!(subject.provider.capabilities().resend, ResendSafety::Never);
    // What the provider does with a key: replays 2xx, and does anything else again.
    for (situation, times_paid) in [(Situation::Paid, 1), (Situation::AmbiguousThenPaid, 2)] {
        let order = subject.order(situation);
        subject.send(&order).await;
        subject.send(&order).await;
        assert_eq!(subject.times_paid(&order), times_paid, "{situation:?}");
    }
    // What the adapter does with a resend, for whatever it is asked: nothing is sent, nothing is claimed.
    for situation in [Situation::Paid, Situation::AmbiguousThenPaid, Situation::DeclinedForCard] {
        let order = subject.order(situation);
        subject.send(&order).await;
        let before = subject.orders_seen();
        let again = PayoutOrder { resend: 1, ..order.clone() };
        assert!(is_unknown(&subject.send(&again).await), "{situation:?}");
        assert_eq!(subject.orders_seen(), before, "{situation:?}");
        assert!(subject.times_paid(&order) <= 1, "{situation:?}");
    }
}

#[tokio::test]
async fn of_several_payments_under_one_reference_one_counts_only_if_no_other_can_have_paid() {
    let subject = CheckoutSubject::new();
    let amount = Decimal::new(69_249, 2);
    // The failed first, and a second.
    let order = subject.order(Situation::Paid);
    subject.another(&order, "Declined", "20005");
    subject.another(&order, "Paid", "10000");
    assert!(matches!(subject.inquire(&order, None).await, Outcome::Processed { amount: told, .. } if told == amount));
    // A second that is still under way may pay as well.
    subject.another(&order, "Pending", "10000");
    assert!(is_unknown(&subject.inquire(&order, None).await));

    let order = subject.order(Situation::Paid);
    subject.another(&order, "Paid", "10000");
    subject.another(&order, "Paid", "10000");
    assert!(is_unknown(&subject.inquire(&order, None).await), "paid twice is nothing to be told as paid once");

    let order = subject.order(Situation::Paid);
    subject.another(&order, "Declined", "20005");
    subject.another(&order, "Declined", "20068");
    assert!(is_unknown(&subject.inquire(&order, None).await), "one of them may have paid");
    for _ in 0..4 {
        subject.another(&order, "Declined", "20005");
    }
    assert!(is_unknown(&subject.inquire(&order, None).await), "too many to make sense of");
}

#[tokio::test]
async fn a_payment_that_came_back_tells_how_much() {
    let subject = CheckoutSubject::new();
    let order = subject.order(Situation::Paid);
    subject.another(&order, "Returned", "10000");
    let outcome = subject.inquire(&order, None).await;
    assert!(matches!(outcome, Outcome::Returned { amount, .. } if amount == order.amount), "{outcome:?}");
}

#[tokio::test]
async fn a_list_that_is_behind_does_not_hide_a_payment_whose_id_is_known() {
    let subject = CheckoutSubject::new();
    let order = subject.order(Situation::PendingThenPaid);
    let Outcome::Pending { ids } = subject.send(&order).await else { panic!("not taken") };
    subject.ledger(|ledger| ledger.unlisted.push(order.reference.clone()));
    assert_eq!(subject.inquire(&order, None).await, Outcome::NotFound);
    let outcome = subject.inquire(&order, ids.original_id.as_deref()).await;
    assert!(matches!(outcome, Outcome::Pending { .. }), "{outcome:?}");
    // Neither list nor id: it contradicts that it was taken.
    assert!(is_unknown(&subject.inquire(&order, Some("pay_00000000000000000000009999")).await));
}

#[tokio::test]
async fn an_answer_about_another_amount_or_currency_is_unknown() {
    let subject = CheckoutSubject::new();
    let order = subject.order(Situation::Paid);
    subject.another(&order, "Paid", "10000");
    for other in [
        PayoutOrder { amount: "692.48".parse().unwrap(), ..order.clone() },
        PayoutOrder { currency: "USD".parse().unwrap(), ..order.clone() },
        PayoutOrder { amount: "69249".parse().unwrap(), currency: "JPY".parse().unwrap(), ..order },
    ] {
        assert!(is_unknown(&subject.inquire(&other, None).await), "{} {}", other.amount, other.currency);
    }
}

#[tokio::test]
async fn an_invalid_request_is_final_if_its_code_is_documented() {
    let subject = CheckoutSubject::new();
    let order = subject.order(Situation::Paid);
    for (answer, resolution) in [
        // A code that isn't documented.
        (refusal("request_invalid", "reference_unknown"), None),
        (refusal("request_invalid", "card_expired"), Some(Resolution::CardExpired)),
        (refusal("request_invalid", "amount_exceeds_balance"), Some(Resolution::InsufficientFunds)),
        (refusal("processing_error", "card_expired"), None),
        (Answer { status: 429, ..refusal("request_invalid", "duplicate_request") }, None),
        (Answer::empty(401), Some(Resolution::InvalidCredentials)),
        (Answer::empty(403), None),
    ] {
        let stage = Stage::open(move |_| answer.clone());
        let outcome = provider(&stage.url).send(&subject.account, &order, &to_card()).await;
        match resolution {
            Some(expected) => {
                assert!(
                    matches!(&outcome, Outcome::Declined { resolution, .. } if *resolution == expected),
                    "{outcome:?}"
                );
            }
            None => assert!(is_unknown(&outcome), "{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sent() {
    let mut subject = CheckoutSubject::new();
    let order = subject.order(Situation::Paid);
    assert!(is_unsent(&subject.provider.send(&subject.account, &order, &to_nobody()).await));
    let plato = CardDetails { holder: HolderName::new("Plato".to_owned()), ..card() };
    assert!(is_unsent(&subject.provider.send(&subject.account, &order, &props::to(plato)).await));
    for unwritable in [
        PayoutOrder { amount: "0.001".parse().unwrap(), ..order.clone() },
        PayoutOrder { amount: "10000000.00".parse().unwrap(), ..order.clone() },
        PayoutOrder { amount: Decimal::ZERO, ..order.clone() },
        PayoutOrder { currency: "USDT".parse().unwrap(), ..order.clone() },
        PayoutOrder { reference: "with a space".to_owned(), ..order.clone() },
        PayoutOrder { reference: "x".repeat(51), ..order.clone() },
    ] {
        assert!(is_unsent(&subject.send(&unwritable).await), "{unwritable:?}");
    }
    let whole = subject.account.clone();
    for (name, value) in [
        ("currency_account_id", ""),
        ("currency_account_id", "ca_short"),
        ("currency_account_id", CHANNEL),
        ("processing_channel_id", "pc_hpswyyx23geezflc2ocz3exn4/"),
        ("funds_transfer_type", ""),
        ("funds_transfer_type", "fd"),
        ("purpose", "two\nlines"),
        ("sender_company_name", "Landfall Ltd"),
        ("sender_reference", "1"),
        ("api_prefix", "evil.example/"),
        ("api_prefix", "vkuhvk4v"),
    ] {
        subject.account = whole.clone();
        subject.account.settings.insert(name.to_owned(), value.to_owned());
        assert!(is_unsent(&subject.send(&order).await), "{name} {value}");
        let checked = subject.provider.check_credentials(&subject.account).await;
        assert!(matches!(checked, Err(ProviderError::Credentials(_))), "{name} {value}: {checked:?}");
    }
    subject.account = whole.clone();
    subject.account.credentials.clear();
    assert!(is_unsent(&subject.send(&order).await));
    assert!(is_unknown(&subject.inquire(&order, None).await), "that it can't be asked says nothing");
    // Live mode without an address of its own never calls the sandbox.
    subject.account = AccountContext { mode: Mode::Live, ..whole };
    assert!(is_unsent(&subject.send(&order).await));
    assert!(is_unknown(&subject.inquire(&order, None).await));
    assert_eq!(subject.provider.modes(), [Mode::Test]);
    assert!(subject.stage.seen().is_empty(), "not one byte left");
}

#[tokio::test]
async fn a_refused_key_is_told_by_the_check() {
    let mut subject = CheckoutSubject::new();
    assert_eq!(subject.provider.check_credentials(&subject.account).await, Ok(()));
    let seen = subject.stage.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str(), seen[0].asked("limit")),
        ("GET", "/payments", Some("1"))
    );
    subject.account.credentials.insert("secret_key".to_owned(), "another".into());
    let refused = subject.provider.check_credentials(&subject.account).await;
    assert_eq!(refused, Err(ProviderError::Credentials("HTTP 401".to_owned())));
    subject.account = account();
    subject.account.credentials.remove("webhook_signature_key");
    assert!(matches!(subject.provider.check_credentials(&subject.account).await, Err(ProviderError::Credentials(_))));
}

#[tokio::test]
async fn paid_without_its_details_is_unknown() {
    // Told as paid, and then nobody can be asked: not a word more than that, but what it is called.
    let told = json!({"id": "pay_dvxl6j6stpqufkzfgbaahmfrzm", "status": "Paid", "reference": "po_1"});
    let stage = Stage::open(move |seen| if seen.is_order() { Answer::json(202, &told) } else { Answer::empty(500) });
    let subject = CheckoutSubject::new();
    let order = PayoutOrder { reference: "po_1".to_owned(), ..subject.order(Situation::Paid) };
    let outcome = provider(&stage.url).send(&subject.account, &order, &to_card()).await;
    let Outcome::Unknown { ids, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(ids.original_id.as_deref(), Some("pay_dvxl6j6stpqufkzfgbaahmfrzm"));
}

#[tokio::test]
async fn a_question_takes_no_longer_than_a_send_may() {
    let subject = CheckoutSubject::new();
    let order = subject.order(Situation::Paid);
    subject.stage.next(Mishap::Silence, true);
    let began = std::time::Instant::now();
    assert!(is_unknown(&subject.send(&order).await));
    assert!(began.elapsed() < std::time::Duration::from_secs(3));
}

#[tokio::test]
async fn a_webhook_is_believed_by_both_of_its_keys_and_by_one_signature_only() {
    let mut subject = CheckoutSubject::new();
    let order = subject.order(Situation::PendingThenPaid);
    subject.send(&order).await;
    let wire = subject.paid_callback(&order).await;
    let read = |account: &AccountContext, headers: &[(String, String)]| {
        subject.provider.parse_callback(account, headers, &wire.body)
    };
    let not_verified = Err(CallbackError::NotVerified { references: vec![order.reference.clone()] });
    let good = read(&subject.account, &wire.headers);
    assert!(
        matches!(good.as_deref(), Ok([one]) if matches!(one.outcome, Outcome::Processed { .. }) && one.sequence.is_none())
    );
    // Two signatures, one of them right.
    let mut twice = wire.headers.clone();
    twice.push((SIGNATURE_HEADER.to_lowercase(), "00".to_owned()));
    assert_eq!(read(&subject.account, &twice), not_verified);
    // Without a key nothing is believed, however it is signed.
    let mut keyless = subject.account.clone();
    keyless.credentials.insert("webhook_signature_key".to_owned(), "".into());
    assert_eq!(read(&keyless, &wire.headers), not_verified);
    // With an authorization key both have to be right.
    let mut account = subject.account.clone();
    account.credentials.insert("webhook_authorization_key".to_owned(), "a static key".into());
    assert_eq!(read(&account, &wire.headers), not_verified);
    for (value, is_good) in
        [("a static key", true), ("a static kez", false), ("Bearer a static key", false), ("", false)]
    {
        let mut headers = wire.headers.clone();
        headers.push(("authorization".to_owned(), value.to_owned()));
        assert_eq!(read(&account, &headers).is_ok(), is_good, "{value}");
        headers.push(("Authorization".to_owned(), "a static key".to_owned()));
        assert_eq!(read(&account, &headers), not_verified, "two of them");
    }
    subject.account = account;
}

#[tokio::test]
async fn a_webhook_that_is_not_about_a_payout_of_ours_says_nothing() {
    let subject = CheckoutSubject::new();
    let read = |body: &Value| {
        let wire = signed(body);
        subject.provider.parse_callback(&subject.account, &wire.headers, &wire.body)
    };
    for body in [
        json!({"id": "evt_1", "type": "dispute_received", "data": {"id": "dsp_1", "payment_id": "pay_1"}}),
        json!({"id": "evt_1", "type": "payment_captured", "data": {"reference": "ORD 5023, with spaces"}}),
        json!({"id": "evt_1", "type": "payment_paid", "data": {"reference": "x".repeat(51)}}),
        json!({"id": "evt_1", "type": "payout_paid", "data": {"payout_id": "pay_1"}}),
    ] {
        assert_eq!(read(&body), Ok(Vec::new()), "{body}");
    }
    for body in [json!(null), json!([]), json!({"type": "payment_paid"}), json!({"data": {"reference": "po_1"}})] {
        assert!(matches!(read(&body), Err(CallbackError::Malformed(_))), "{body}");
    }
    // It names one of ours, and settles nothing: we ask.
    for body in [
        json!({"type": "payment_teleported", "data": {"id": "pay_12345678", "reference": "po_1", "amount": 1, "currency": "EUR"}}),
        json!({"type": "payment_paid", "data": {"reference": "po_1", "amount": "ten"}}),
    ] {
        let told = read(&body).unwrap();
        assert!(told.len() == 1 && told[0].reference == "po_1" && is_unknown(&told[0].outcome), "{told:?}");
    }
}

#[tokio::test]
async fn a_statement_descriptor_takes_the_place_of_the_accounts_and_is_the_same_in_a_resend() {
    let mut subject = CheckoutSubject::new();
    subject.account.settings.insert("billing_descriptor".to_owned(), "Landfall payout".to_owned());
    let order = subject.order(Situation::PendingThenPaid);
    let order = PayoutOrder { statement_descriptor: Some("ACME Payouts-24".to_owned()), ..order };
    subject.send(&order).await;
    subject.send(&PayoutOrder { resend: 1, ..order }).await;
    let sent: Vec<_> = subject.stage.seen().into_iter().filter(|seen| seen.method == "POST").collect();
    assert_eq!(sent[0].json()["billing_descriptor"], json!({"reference": "ACME Payouts-24"}));
    assert!(sent.iter().all(|seen| seen.body == sent[0].body));
}
