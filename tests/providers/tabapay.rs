//! The `tabapay` adapter under the contract, over TCP to TabaPay in small: it answers in the shapes of TabaPay's specification and keeps a
//! ledger by reference. And the traps of this provider, one by one.

mod ledger;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use landfall::clock::{Clock, ManualClock, SystemClock};
use landfall::config::providers::{ProvidersSettings, RemoteProviderSettings};
use landfall::domain::card::{CardScheme, Pan};
use landfall::domain::ids::{Mode, PayoutId};
use landfall::domain::payout::{Resolution, provider_reference};
use landfall::providers::provider::{
    AccountContext, CARD_SCHEMES, Destination, FAST_FUNDS, Inquiry, Outcome, PayoutOrder, Provider, ProviderError,
    ResendSafety,
};
use landfall::providers::tabapay::{
    BEARER_TOKEN, CLIENT_ID, SENDER_CITY, SENDER_COUNTRY, SENDER_LINE, SENDER_NAME, SENDER_STATE, SENDER_ZIPCODE,
    SETTLEMENT_ACCOUNT_ID, TabapayProvider,
};
use rust_decimal::dec;
use serde_json::{Value, json};

use self::ledger::Taba;
use crate::contract::{Situation, Subject, Wire};
use crate::end_to_end::home;
use crate::props::{self, is_unknown, is_unsent, to_nobody, with_secrets, with_settings};
use crate::stage::Stage;

const TOKEN: &str = "a bearer token of tests";
const CLIENT: &str = "TabaPay_Client_22Chars";
const SETTLEMENT_ACCOUNT: &str = "SettlementAccountID_22";
const PAN: &str = "4111111111111111";

pub struct TabapaySubject {
    stage: Stage,
    taba: Arc<Mutex<Taba>>,
    provider: Arc<dyn Provider>,
    account: AccountContext,
}

fn account() -> AccountContext {
    props::account(&[(CLIENT_ID, CLIENT), (SETTLEMENT_ACCOUNT_ID, SETTLEMENT_ACCOUNT)], &[(BEARER_TOKEN, TOKEN)])
}

/// Asked at once.
fn settings(url: &str) -> RemoteProviderSettings {
    RemoteProviderSettings { settling_time_ms: 0, ..props::settings(|shipped| shipped.tabapay, url) }
}

fn at(settings: &RemoteProviderSettings, clock: impl Clock) -> Arc<dyn Provider> {
    Arc::new(TabapayProvider::with_clock(settings, props::tcp(), Arc::new(clock)))
}

fn order() -> PayoutOrder {
    props::order(15, dec!(692.49), "USD")
}

fn to(holder: &str) -> Destination {
    props::to(props::card(PAN, (2031, 2), holder))
}

fn question(order: &PayoutOrder, original_id: Option<&str>) -> Inquiry {
    Inquiry { provider_original_id: original_id.map(str::to_owned), ..props::question(order) }
}

impl TabapaySubject {
    pub fn new() -> Self {
        let (stage, taba) = props::played(Taba::default(), Taba::answer);
        let provider = at(&settings(&stage.url), SystemClock);
        Self { stage, taba, provider, account: account() }
    }

    fn script(&self, status: u16, body: &Value) {
        self.taba.lock().unwrap().scripted = Some((status, body.clone()));
    }

    async fn send(&self, order: &PayoutOrder) -> Outcome {
        self.provider.send(&self.account, order, &to("GRACE HOPPER")).await
    }

    async fn inquire(&self, order: &PayoutOrder, original_id: Option<&str>) -> Outcome {
        self.provider.inquire(&self.account, &question(order, original_id)).await
    }
}

#[async_trait]
impl Subject for TabapaySubject {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider)
    }

    fn account(&self) -> AccountContext {
        self.account.clone()
    }

    async fn arrange(&self, situation: Situation) -> (PayoutOrder, Destination) {
        let order = order();
        self.taba.lock().unwrap().arranged.insert(order.reference.clone(), situation);
        (order, to("GRACE HOPPER"))
    }

    async fn let_time_pass(&self) {
        self.taba.lock().unwrap().settle();
    }

    async fn paid_callback(&self, _: &PayoutOrder) -> Wire {
        unreachable!("TabaPay sends none")
    }

    fn stage(&self) -> Option<&Stage> {
        Some(&self.stage)
    }

    fn unreachable(&self) -> (Arc<dyn Provider>, AccountContext) {
        (at(&settings(&props::nowhere()), SystemClock), self.account())
    }

    fn times_paid(&self, order: &PayoutOrder) -> usize {
        self.taba.lock().unwrap().ledger.get(&order.reference).map_or(0, |transaction| transaction.times_paid)
    }
}

#[tokio::test]
async fn the_request_is_what_the_specification_says_and_has_no_white_space() {
    let mut subject = TabapaySubject::new();
    for (name, value) in [
        (SENDER_NAME, "Demo Wallet Inc"),
        (SENDER_LINE, "1 Main St."),
        (SENDER_CITY, "San Francisco"),
        (SENDER_STATE, "CA"),
        (SENDER_ZIPCODE, "94103"),
        (SENDER_COUNTRY, "840"),
    ] {
        subject.account.settings.insert(name.to_owned(), value.to_owned());
    }
    let order = PayoutOrder {
        reference: "0h5jx3k9qz7abcd".to_owned(),
        description: Some("Payout #7, March".to_owned()),
        ..order()
    };
    let outcome = subject.provider.send(&subject.account, &order, &to("José O'Brien")).await;
    assert!(matches!(outcome, Outcome::Processed { .. }), "{outcome:?}");
    let seen = subject.stage.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/clients/TabaPay_Client_22Chars/transactions"));
    assert!(seen.query.is_empty(), "`?authorize` is for pulls");
    assert_eq!(seen.header("authorization"), Some("Bearer a bearer token of tests"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(
        String::from_utf8(seen.body).unwrap(),
        concat!(
            r#"{"referenceID":"0h5jx3k9qz7abcd","#,
            r#""corresponding":{"name":{"first":"Demo Wallet Inc"},"address":{"line":"1 Main St.","city":"San Francisco","#,
            r#""state":"CA","zipcode":"94103","country":"840"}},"#,
            r#""type":"push","#,
            r#""accounts":{"sourceAccountID":"SettlementAccountID_22","destinationAccount":{"#,
            r#""card":{"accountNumber":"4111111111111111","expirationDate":"203102"},"#,
            r#""owner":{"name":{"first":"Jose","last":"OBrien"}}}},"#,
            r#""currency":"840","amount":"692.49","memo":"Payout 7 March"}"#
        )
    );
}

#[tokio::test]
async fn the_owners_address_has_the_countrys_number() {
    let subject = TabapaySubject::new();
    let to = Destination { billing: Some(home()), ..to("GRACE HOPPER") };
    subject.provider.send(&subject.account, &order(), &to).await;
    let body = String::from_utf8(subject.stage.seen().pop().unwrap().body).unwrap();
    let owner = r#""owner":{"name":{"first":"GRACE","last":"HOPPER"},"address":{"line1":"274 Brannan St","city":"San Francisco","state":"CA","zipcode":"94107","country":"840"}}"#;
    assert!(body.contains(owner), "{body}");
}

#[tokio::test]
async fn what_is_optional_is_left_out() {
    let subject = TabapaySubject::new();
    let order = PayoutOrder {
        amount: "5".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        description: Some("Выплата!".to_owned()),
        ..order()
    };
    subject.send(&order).await;
    let body = subject.stage.seen().pop().unwrap().body;
    let expected = format!(
        r#"{{"referenceID":"{}","type":"push","accounts":{{"sourceAccountID":"SettlementAccountID_22","destinationAccount":{{"card":{{"accountNumber":"4111111111111111","expirationDate":"203102"}},"owner":{{"name":{{"first":"GRACE","last":"HOPPER"}}}}}}}},"currency":"978","amount":"5.00"}}"#,
        order.reference
    );
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[tokio::test]
async fn questions_are_what_the_specification_says() {
    let subject = TabapaySubject::new();
    let order = order();
    let Outcome::Processed { ids, .. } = subject.send(&order).await else { panic!("not paid") };
    let id = ids.original_id.unwrap();
    for original_id in [None, Some(id.as_str())] {
        let outcome = subject.inquire(&order, original_id).await;
        assert!(matches!(outcome, Outcome::Processed { .. }), "{outcome:?}");
    }
    assert_eq!(subject.provider.check_credentials(&subject.account).await, Ok(()));
    let seen = subject.stage.seen();
    let asked: Vec<_> =
        seen[1..].iter().map(|seen| (seen.method.as_str(), seen.path.as_str(), seen.query.clone())).collect();
    let path = format!("/v1/clients/{CLIENT}/transactions");
    let by_id = format!("{path}/{id}");
    assert_eq!(
        asked,
        [
            ("GET", path.as_str(), vec![("referenceID".to_owned(), order.reference.clone())]),
            ("GET", by_id.as_str(), vec![]),
            ("GET", "/v1/clients/TabaPay_Client_22Chars", vec![]),
        ]
    );
    for seen in seen {
        assert_eq!(seen.header("authorization"), Some("Bearer a bearer token of tests"));
        assert_eq!(seen.body.is_empty(), seen.method == "GET");
    }
}

/// An id that can't be TabaPay's never gets into a path.
#[tokio::test]
async fn an_odd_transaction_id_is_not_asked_for() {
    let subject = TabapaySubject::new();
    let order = order();
    subject.send(&order).await;
    for id in ["", "../../clients", "0000000000000000000000/", "é000000000000000000000", "short"] {
        let outcome = subject.inquire(&order, Some(id)).await;
        assert!(is_unknown(&outcome) || matches!(outcome, Outcome::Processed { .. }), "{id}: {outcome:?}");
        let seen = subject.stage.seen().pop().unwrap();
        assert_eq!(seen.path, format!("/v1/clients/{CLIENT}/transactions"), "{id}");
    }
}

#[tokio::test]
async fn a_reference_has_1_to_15_characters_and_the_gateways_fit() {
    let subject = TabapaySubject::new();
    let capabilities = subject.provider.capabilities();
    assert_eq!(capabilities.reference_length_max, 15);
    for _ in 0..100 {
        let reference = provider_reference(PayoutId::new(), capabilities.reference_length_max);
        assert_eq!(reference.len(), 15);
        assert!(reference.chars().all(|c| capabilities.reference_alphabet.contains(c)));
        // TabaPay's references have no case: two of ours must not differ in it alone.
        assert_eq!(reference, reference.to_lowercase());
    }
    for reference in ["", "0h5jx3k9qz7abcde", "0h5jx3k9qz7abc ", "0h5jx3k9qz7abc.", "é"] {
        let order = PayoutOrder { reference: reference.to_owned(), ..order() };
        assert!(is_unsent(&subject.send(&order).await), "{reference}");
    }
    assert!(subject.stage.seen().is_empty());
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sent() {
    let subject = TabapaySubject::new();
    for (amount, currency) in
        [("1.005", "USD"), ("0", "USD"), ("-1", "USD"), ("100", "JPY"), ("1", "KWD"), ("1", "USDT")]
    {
        let order = PayoutOrder { amount: amount.parse().unwrap(), currency: currency.parse().unwrap(), ..order() };
        assert!(is_unsent(&subject.send(&order).await), "{amount} {currency}");
    }
    let mut cards = vec![to("MADONNA"), to("Иван Петров"), to_nobody()];
    let mut short = to("GRACE HOPPER");
    short.card.as_mut().unwrap().pan = Pan::parse("411111111111").unwrap();
    cards.push(short);
    for destination in &cards {
        let outcome = subject.provider.send(&subject.account, &order(), destination).await;
        assert!(matches!(outcome, Outcome::NotSent { .. }), "{outcome:?}");
    }
    for (name, value) in [
        (CLIENT_ID, None),
        (CLIENT_ID, Some("TabaPay_Client_22Char")),
        (CLIENT_ID, Some("TabaPay_Client_22Chars/..")),
        (SETTLEMENT_ACCOUNT_ID, None),
        (SETTLEMENT_ACCOUNT_ID, Some("SettlementAccountID_223")),
        (SENDER_NAME, Some("Demo & Co")),
        (SENDER_CITY, Some("San Francisco")),
        (SENDER_COUNTRY, Some("US")),
    ] {
        let account = with_settings(&subject.account, &[(name, value)]);
        let outcome = subject.provider.send(&account, &order(), &to("GRACE HOPPER")).await;
        assert!(matches!(outcome, Outcome::NotSent { .. }), "{name} {value:?}: {outcome:?}");
        let checked = subject.provider.check_credentials(&account).await;
        assert!(matches!(checked, Err(ProviderError::Credentials(_))), "{name} {value:?}: {checked:?}");
    }
    for token in [None, Some(""), Some("two\nlines")] {
        let account = with_secrets(&subject.account, &[(BEARER_TOKEN, token)]);
        let outcome = subject.provider.send(&account, &order(), &to("GRACE HOPPER")).await;
        assert!(matches!(outcome, Outcome::NotSent { .. }), "{token:?}: {outcome:?}");
        assert!(subject.provider.check_credentials(&account).await.is_err());
    }
    assert!(subject.stage.seen().is_empty());
}

#[tokio::test]
async fn live_mode_needs_its_url_and_test_mode_never_uses_it() {
    let subject = TabapaySubject::new();
    let mut live = subject.account();
    live.mode = Mode::Live;
    assert_eq!(subject.provider.modes(), [Mode::Test]);
    assert!(matches!(subject.provider.send(&live, &order(), &to("GRACE HOPPER")).await, Outcome::NotSent { .. }));
    assert!(is_unknown(&subject.provider.inquire(&live, &question(&order(), None)).await));
    assert!(matches!(subject.provider.check_credentials(&live).await, Err(ProviderError::Credentials(_))));
    assert!(subject.stage.seen().is_empty());
    let mut settings = settings("http://127.0.0.1:1");
    settings.live_url = Some(subject.stage.url.clone());
    let provider = at(&settings, SystemClock);
    assert_eq!(provider.modes(), [Mode::Test, Mode::Live]);
    assert!(matches!(provider.send(&subject.account, &order(), &to("GRACE HOPPER")).await, Outcome::NotSent { .. }));
    assert!(subject.stage.seen().is_empty());
    assert!(matches!(provider.send(&live, &order(), &to("GRACE HOPPER")).await, Outcome::Processed { .. }));
}

/// 207, and the status UNKNOWN under whatever code: nobody knows, and it isn't a decline at the second asking either.
#[tokio::test]
async fn an_explicit_unknown_is_unknown_however_often_it_is_told() {
    let subject = TabapaySubject::new();
    let id = "TabaPay_TransactionID_";
    for (sc, status) in [(207, "UNKNOWN"), (200, "UNKNOWN"), (201, "UNKNOWN"), (207, "COMPLETED"), (207, "ERROR")] {
        let body = json!({"SC": sc, "EC": "0", "status": status, "transactionID": id, "networkRC": "14"});
        subject.script(sc, &body);
        let order = order();
        assert!(is_unknown(&subject.send(&order).await), "{body}");
        for original_id in [None, Some(id), None, Some(id)] {
            assert!(is_unknown(&subject.inquire(&order, original_id).await), "{body}");
        }
    }
}

/// The answer to the first send is lost, and the second is refused with 409: the first was paid.
#[tokio::test]
async fn a_reused_reference_is_asked_about_and_was_paid() {
    let subject = TabapaySubject::new();
    assert_eq!(subject.provider.capabilities().resend, ResendSafety::Never);
    let order = order();
    subject.stage.next(crate::stage::Mishap::Reset, true);
    assert!(is_unknown(&subject.send(&order).await));
    let again = PayoutOrder { resend: 1, ..order.clone() };
    for repeat in [&order, &again] {
        assert!(is_unknown(&subject.send(repeat).await));
    }
    assert!(matches!(subject.inquire(&order, None).await, Outcome::Processed { .. }));
    assert_eq!(subject.times_paid(&order), 1);
}

/// By reference TabaPay answers for 24 hours. What it doesn't find afterwards proves nothing, and soon it isn't even asked.
#[tokio::test]
async fn not_found_counts_for_24_hours_and_an_id_is_asked_for_ever() {
    let subject = TabapaySubject::new();
    let sent_at = SystemClock.now();
    let clock = ManualClock::at(sent_at);
    let provider = at(&settings(&subject.stage.url), clock.clone());
    let (paid, lost) = (order(), order());
    let Outcome::Processed { ids, .. } = subject.send(&paid).await else { panic!("not paid") };
    let ask = async |order: &PayoutOrder, id: Option<&str>| {
        let inquiry = Inquiry { first_sent_at: sent_at, last_sent_at: sent_at, ..question(order, id) };
        provider.inquire(&subject.account, &inquiry).await
    };
    clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
    assert!(matches!(ask(&paid, None).await, Outcome::Processed { .. }));
    assert_eq!(ask(&lost, None).await, Outcome::NotFound);
    clock.advance(TimeDelta::seconds(1));
    assert!(matches!(ask(&paid, None).await, Outcome::Processed { .. }));
    assert!(is_unknown(&ask(&lost, None).await));
    clock.advance(TimeDelta::hours(24));
    let calls = subject.stage.seen().len();
    assert!(is_unknown(&ask(&paid, None).await) && is_unknown(&ask(&lost, None).await));
    assert_eq!(subject.stage.seen().len(), calls);
    clock.advance(TimeDelta::days(30));
    assert!(matches!(ask(&paid, ids.original_id.as_deref()).await, Outcome::Processed { .. }));
    // TabaPay's own word for it.
    clock.advance(TimeDelta::days(-31));
    subject.script(421, &json!({"SC": 421, "EC": "InternalErrorCode", "EM": "ReferenceID"}));
    assert!(is_unknown(&ask(&paid, None).await));
}

/// TabaPay asks to be left alone for 90 seconds after a send, and locks out who polls.
#[tokio::test]
async fn nothing_is_asked_within_the_settling_time() {
    let subject = TabapaySubject::new();
    let shipped = ProvidersSettings::shipped().tabapay;
    assert_eq!(shipped.settling_time_ms, 90_000);
    let sent_at = SystemClock.now();
    let clock = ManualClock::at(sent_at);
    let provider = at(&RemoteProviderSettings { test_url: subject.stage.url.clone(), ..shipped }, clock.clone());
    let order = order();
    subject.send(&order).await;
    let calls = subject.stage.seen().len();
    let id = "0000000000000000000000";
    // A clock that was behind when the payout was sent changes nothing; nor does a payout that waited long before it was sent.
    for (first_sent_at, last_sent_at) in [
        (sent_at, sent_at),
        (sent_at + TimeDelta::hours(1), sent_at + TimeDelta::hours(1)),
        (sent_at - TimeDelta::days(3), sent_at),
    ] {
        let ask = async |id: Option<&str>, is_pending: bool| {
            let inquiry = Inquiry { first_sent_at, last_sent_at, is_pending, ..question(&order, id) };
            provider.inquire(&subject.account, &inquiry).await
        };
        // What the send told is what is known: an id alone doesn't say that it was taken (HTTP 207 has one).
        assert!(is_unknown(&ask(None, false).await) && is_unknown(&ask(Some(id), false).await));
        let Outcome::Pending { ids } = ask(Some(id), true).await else { panic!("not pending") };
        assert_eq!(ids.original_id.as_deref(), Some(id));
    }
    assert_eq!(subject.stage.seen().len(), calls);
    clock.advance(TimeDelta::seconds(90));
    for id in [None, Some(id)] {
        let inquiry = Inquiry { first_sent_at: sent_at, last_sent_at: sent_at, ..question(&order, id) };
        assert!(matches!(provider.inquire(&subject.account, &inquiry).await, Outcome::Processed { .. }));
    }
}

/// HTTP 207 names the transaction whose fate it can't tell: it is asked for by that name.
#[tokio::test]
async fn an_explicit_unknown_names_its_transaction_which_is_asked_for_by_it() {
    let subject = TabapaySubject::new();
    let (order, to) = subject.arrange(Situation::AmbiguousThenPaid).await;
    let Outcome::Unknown { ids, .. } = subject.provider.send(&subject.account, &order, &to).await else {
        panic!("not unknown")
    };
    let id = ids.original_id.expect("the answer names it");
    assert!(matches!(subject.inquire(&order, Some(&id)).await, Outcome::Processed { .. }));
    assert_eq!(subject.stage.seen().pop().unwrap().path, format!("/v1/clients/{CLIENT}/transactions/{id}"));
    // Where it names none, it is asked for by reference.
    let (order, to) = subject.arrange(Situation::AmbiguousThenNotFound).await;
    let Outcome::Unknown { ids, .. } = subject.provider.send(&subject.account, &order, &to).await else {
        panic!("not unknown")
    };
    assert_eq!(ids.original_id, None);
}

#[tokio::test]
async fn an_account_says_what_tabapay_has_enabled_for_it() {
    let subject = TabapaySubject::new();
    let all = &subject.provider.capabilities().card_schemes;
    for (funds, is_fast) in [(None, true), (Some("yes"), true), (Some("no"), false), (Some("maybe"), false)] {
        let account = with_settings(&subject.account, &[(FAST_FUNDS, funds)]);
        assert_eq!(subject.provider.has_fast_funds(&account), is_fast, "{funds:?}");
        assert_eq!(subject.provider.card_schemes(&account), *all);
    }
    for (enabled, expected) in [
        ("VISA", vec![CardScheme::Visa]),
        ("DISCOVER, VISA", vec![CardScheme::Visa, CardScheme::Discover]),
        // What the adapter doesn't pay to isn't paid to by naming it.
        ("VISA,JCB", vec![CardScheme::Visa]),
        ("visa", vec![]),
    ] {
        let account = with_settings(&subject.account, &[(CARD_SCHEMES, Some(enabled))]);
        assert_eq!(subject.provider.card_schemes(&account), expected, "{enabled}");
    }
    let schema = subject.provider.settings_schema().unwrap();
    let takes = |name: &str, text: &str| schema.iter().find(|field| field.name == name).unwrap().takes(text);
    assert!(takes(FAST_FUNDS, "no") && !takes(FAST_FUNDS, "maybe") && !takes(FAST_FUNDS, ""));
    assert!(takes(CARD_SCHEMES, "VISA, DISCOVER") && !takes(CARD_SCHEMES, "VISA,JCB") && !takes(CARD_SCHEMES, "VISA,"));
    for scheme in all {
        assert!(takes(CARD_SCHEMES, scheme.as_str()), "{scheme}");
    }
}

/// The status in the head and the one in the body are both judged.
#[tokio::test]
async fn a_status_code_in_the_body_that_differs_is_unknown() {
    let subject = TabapaySubject::new();
    let completed = json!({"SC": 200, "EC": "0", "transactionID": "TabaPay_TransactionID_", "networkRC": "00", "status": "COMPLETED"});
    for (status, body) in [
        (201, completed.clone()),
        (207, completed.clone()),
        (500, completed),
        (200, json!({"SC": 400, "EC": "3C5E1312", "EM": "amount"})),
        (400, json!({"SC": 207, "EC": "3C5E1312", "status": "UNKNOWN"})),
        (200, json!({"SC": 404, "EC": "3A1000000", "EM": "referenceID"})),
        (404, json!({"SC": 200, "EC": "0"})),
    ] {
        subject.script(status, &body);
        assert!(is_unknown(&subject.send(&order()).await), "HTTP {status} with {body}");
        assert!(is_unknown(&subject.inquire(&order(), None).await), "HTTP {status} with {body}");
    }
}

#[tokio::test]
async fn a_refusal_at_the_door_is_final_for_the_route() {
    let subject = TabapaySubject::new();
    for (sc, em, resolution) in [
        (400, "accounts.source", Resolution::DeclinedError),
        (401, "Unauthorized", Resolution::InvalidCredentials),
        (403, "Permission", Resolution::AccessDenied),
        (422, "Transaction Limit", Resolution::LimitViolation),
        (422, "Destination Disabled: 411111", Resolution::InvalidMethod),
        (423, "Locked", Resolution::AccessDenied),
        (429, "Limit", Resolution::LimitViolation),
        (429, "Polling", Resolution::RateLimited),
    ] {
        subject.script(sc, &json!({"SC": sc, "EC": "3C5E1312", "EM": em}));
        let outcome = subject.send(&order()).await;
        assert!(
            matches!(outcome, Outcome::Declined { resolution: told, .. } if told == resolution),
            "{sc} {em}: {outcome:?}"
        );
        let again = PayoutOrder { resend: 1, ..order() };
        assert!(is_unknown(&subject.send(&again).await), "{sc} {em}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_as_such() {
    let subject = TabapaySubject::new();
    let account = with_secrets(&subject.account, &[(BEARER_TOKEN, Some("another token"))]);
    assert!(matches!(subject.provider.check_credentials(&account).await, Err(ProviderError::Credentials(_))));
    let account = with_settings(&subject.account, &[(CLIENT_ID, Some("AnotherClient_22Chars_"))]);
    assert!(matches!(subject.provider.check_credentials(&account).await, Err(ProviderError::Credentials(_))));
    subject.script(503, &json!({"SC": 503, "EC": "3A1000000"}));
    assert!(matches!(subject.provider.check_credentials(&subject.account).await, Err(ProviderError::Unavailable(_))));
    let (nowhere, account) = subject.unreachable();
    let nowhere = nowhere.check_credentials(&account).await;
    assert!(matches!(nowhere, Err(ProviderError::Unavailable(_))));
}

const DESCRIPTOR: &str = "ACME Payouts-24";

#[tokio::test]
async fn a_statement_descriptor_stands_beside_the_accounts_address() {
    let mut subject = TabapaySubject::new();
    let order = PayoutOrder { statement_descriptor: Some(DESCRIPTOR.to_owned()), ..order() };
    subject.send(&order).await;
    let without = subject.stage.seen().pop().unwrap().json();
    assert!(without.get("softDescriptor").is_none(), "TabaPay takes none without an address");
    for (name, value) in [
        ("descriptor_line", "1 Main St."),
        ("descriptor_city", "San Francisco"),
        ("descriptor_state", "CA"),
        ("descriptor_county", "075"),
        ("descriptor_zipcode", "94103"),
        ("descriptor_country", "840"),
    ] {
        // Half of an address is nothing that is sent.
        if name != "descriptor_line" && name != "descriptor_country" {
            let broken = subject.provider.send(&subject.account, &order, &to("GRACE HOPPER")).await;
            assert!(matches!(broken, Outcome::NotSent { .. }), "{broken:?}");
        }
        subject.account.settings.insert(name.to_owned(), value.to_owned());
    }
    let order = PayoutOrder { reference: "0h5jx3k9qz7abcd".to_owned(), ..order };
    subject.provider.send(&subject.account, &order, &to("GRACE HOPPER")).await;
    assert_eq!(
        subject.stage.seen().pop().unwrap().json()["softDescriptor"],
        json!({"name": DESCRIPTOR, "address": {"line1": "1 Main St.", "city": "San Francisco", "state": "CA", "county": "075",
            "zipcode": "94103", "country": "840"}})
    );
    let order = PayoutOrder { reference: "0h5jx3k9qz7abce".to_owned(), statement_descriptor: None, ..order };
    subject.provider.send(&subject.account, &order, &to("GRACE HOPPER")).await;
    assert!(subject.stage.seen().pop().unwrap().json().get("softDescriptor").is_none(), "nobody has a word for it");
}
