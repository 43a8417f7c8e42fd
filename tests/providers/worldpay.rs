//! The `worldpay` adapter under the contract, against Worldpay in small; and a test for each of its traps: nothing is sent twice, a lost
//! answer is looked up by the reference and the entity alone, the version is in the media type, and an answer that proves nothing is
//! unknown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use landfall::config::providers::{ProvidersSettings, RemoteProviderSettings};
use landfall::domain::card::{BillingAddress, CardDetails, CardExpiry, HolderName, Pan};
use landfall::domain::ids::{DepositAccountId, Mode, PayoutId, ProviderAccountId};
use landfall::domain::payout::{Resolution, provider_reference};
use landfall::providers::provider::{
    AccountContext, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderError, ResendSafety,
};
use landfall::providers::transport::TcpTransport;
use landfall::providers::worldpay::{
    BASIC, ENTITY, FALLBACK_TO_BASIC, FAST_ACCESS, METHOD, NARRATIVE, PASSWORD, USERNAME, WorldpayProvider,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::contract::{Situation, Wire};
use crate::stage::{Answer, Seen, Stage};

const MEDIA_TYPE: &str = "application/vnd.worldpay.payouts-v4+json";
/// `Aladdin:open sesame`, the example of RFC 7617.
const AUTHORIZATION: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
const CARD: &str = "4444333322221111";

/// Worldpay in small, with its adapter.
pub struct Subject {
    provider: Arc<dyn Provider>,
    unreachable: Arc<dyn Provider>,
    account: AccountContext,
    book: Arc<Mutex<Book>>,
    stage: Stage,
}

/// What Worldpay has. It takes every order as a payment of its own, whatever its reference.
#[derive(Default)]
struct Book {
    arranged: BTreeMap<String, Situation>,
    taken: Vec<Taken>,
    time_passed: bool,
}

struct Taken {
    reference: String,
    entity: String,
    situation: Situation,
}

fn provider_at(url: &str) -> Arc<dyn Provider> {
    let shipped = ProvidersSettings::shipped().worldpay;
    let settings = RemoteProviderSettings { test_url: url.to_owned(), send_timeout_ms: 1_500, ..shipped };
    Arc::new(WorldpayProvider::new(&settings, Arc::new(TcpTransport::new().unwrap())))
}

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Subject {
    pub fn new() -> Self {
        let book = Arc::new(Mutex::new(Book::default()));
        let kept = Arc::clone(&book);
        let stage = Stage::open(move |seen| kept.lock().unwrap().answer(seen));
        // The port of a listener that is gone.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let secret = |name: &str, value: &str| (name.to_owned(), SecretString::from(value));
        let account = AccountContext {
            account_id: ProviderAccountId::new(),
            mode: Mode::Test,
            settings: settings(&[(ENTITY, "default"), (METHOD, FAST_ACCESS), (NARRATIVE, "STATEMENT")]),
            credentials: BTreeMap::from([secret(USERNAME, "Aladdin"), secret(PASSWORD, "open sesame")]),
        };
        let (provider, unreachable) = (provider_at(&stage.url), provider_at(&format!("http://{free}")));
        Self { provider, unreachable, account, book, stage }
    }

    /// The same account with other settings.
    fn account_with(&self, changes: &[(&str, Option<&str>)]) -> AccountContext {
        let mut account = self.account.clone();
        for (name, value) in changes {
            match value {
                Some(value) => account.settings.insert((*name).to_owned(), (*value).to_owned()),
                None => account.settings.remove(*name),
            };
        }
        account
    }

    fn order(&self, situation: Situation) -> (PayoutOrder, Destination) {
        let length_max = self.provider.capabilities().reference_length_max;
        let order = PayoutOrder {
            reference: provider_reference(PayoutId::new(), length_max),
            deposit_account_id: DepositAccountId::new(),
            amount: "3.00".parse().unwrap(),
            currency: "GBP".parse().unwrap(),
            description: Some("OPTIONAL".to_owned()),
            resend: 0,
        };
        self.book.lock().unwrap().arranged.insert(order.reference.clone(), situation);
        let card = CardDetails {
            pan: Pan::parse(CARD).unwrap(),
            expiry: CardExpiry { year: 2030, month: 1 },
            holder: HolderName::new("Sherlock Holmes".to_owned()),
        };
        (order, Destination { card: Some(card), billing: Some(baker_street()), fields: BTreeMap::new() })
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        self.provider.send(account, order, to).await
    }

    async fn inquire(&self, account: &AccountContext, order: &PayoutOrder) -> Outcome {
        self.provider.inquire(account, &question(order)).await
    }

    fn orders_seen(&self) -> Vec<Seen> {
        self.stage.seen().into_iter().filter(Seen::is_order).collect()
    }
}

fn question(order: &PayoutOrder) -> Inquiry {
    Inquiry {
        reference: order.reference.clone(),
        provider_original_id: None,
        amount: order.amount,
        currency: order.currency,
        sent_at: "2026-03-01T12:00:00Z".parse().unwrap(),
    }
}

impl Book {
    fn answer(&mut self, seen: &Seen) -> Answer {
        if seen.header("Authorization") != Some(AUTHORIZATION) {
            return refused(401, "accessDenied", "Access to the requested resource has been denied");
        }
        if seen.header("Accept") != Some(MEDIA_TYPE) {
            return refused(406, "unsupportedAcceptHeader", "The Accept header is not supported");
        }
        match (seen.method.as_str(), seen.path.as_str()) {
            ("POST", "/payouts/fastAccess") => self.take(seen, true),
            ("POST", "/payouts/basicDisbursement") => self.take(seen, false),
            ("GET", "/payouts/query") => self.look_up(seen),
            _ => refused(404, "endpointNotFound", "The endpoint does not exist"),
        }
    }

    fn take(&mut self, seen: &Seen, is_fast: bool) -> Answer {
        if seen.header("Content-Type") != Some(MEDIA_TYPE) {
            return refused(415, "unsupportedContentType", "The Content-Type header is not supported");
        }
        let body = seen.json();
        if let Some(path) = wrong_field(&body) {
            return mismatch(path);
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (reference, entity) = (text(&body["transactionReference"]), text(&body["merchant"]["entity"]));
        if entity != "default" {
            return not_enabled();
        }
        let situation = self.arranged.get(&reference).copied().unwrap_or(Situation::Paid);
        if situation != Situation::AmbiguousThenNotFound {
            self.taken.push(Taken { reference, entity, situation });
        }
        match situation {
            Situation::AmbiguousThenPaid | Situation::AmbiguousThenNotFound => refused(
                500,
                "internalErrorOccurred",
                "An error occurred within the service (potentially due to an interaction with a downstream service)",
            ),
            _ => Answer::json(201, &self.told(situation, is_fast)),
        }
    }

    fn look_up(&self, seen: &Seen) -> Answer {
        let (Some(reference), Some(entity)) = (seen.asked("transactionReference"), seen.asked("entity")) else {
            let body = json!({
                "errorName": "urlContainsInvalidValue",
                "message": "The URL contains a value or values that are invalid.",
                "validationErrors": [{"errorName": "fieldIsMissing", "message": "", "queryParameter": "transactionReference"}],
            });
            return Answer::json(400, &body);
        };
        if entity != "default" {
            return not_enabled();
        }
        match self.taken.iter().find(|taken| taken.reference == reference && taken.entity == entity) {
            Some(taken) => Answer::json(200, &self.told(taken.situation, true)),
            None => refused(404, "resourceNotFound", "The resource you are trying to access does not exist."),
        }
    }

    /// The published examples.
    fn told(&self, situation: Situation, is_fast: bool) -> Value {
        let mut payout = json!({
            "outcome": "approved",
            "receivedAt": "2025-08-01T10:37:36.923Z",
            "scheme": {"name": "visa", "reference": "400200004000001"},
            "_links": {
                "payouts:payout": {"href": "https://try.access.worldpay.com/payouts/{resource}"},
                "curies": [{"name": "payouts", "href": "https://try.access.worldpay.com/rels/payouts/{rel}", "templated": true}],
            },
        });
        let outcome = match situation {
            Situation::Paid | Situation::AmbiguousThenPaid if !is_fast => "requestReceived",
            Situation::Paid | Situation::AmbiguousThenPaid => "approved",
            Situation::PendingThenPaid if self.time_passed => "disbursed",
            Situation::PendingThenPaid => "pending",
            Situation::DeclinedForCard | Situation::DeclinedForRoute => "refused",
            Situation::AmbiguousThenNotFound => unreachable!("never taken"),
            Situation::Undocumented => "declinedForEver",
        };
        payout["outcome"] = outcome.into();
        if matches!(outcome, "pending" | "requestReceived" | "disbursed") {
            payout.as_object_mut().unwrap().remove("scheme");
        }
        match situation {
            Situation::DeclinedForCard => payout["refusalCode"] = "9G".into(),
            Situation::DeclinedForRoute => payout["refusalCode"] = "05".into(),
            Situation::Undocumented => payout["refusalCode"] = "14".into(),
            _ => {}
        }
        payout
    }
}

fn refused(status: u16, name: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"errorName": name, "message": message}))
}

fn mismatch(path: &str) -> Answer {
    let body = json!({
        "errorName": "bodyDoesNotMatchSchema",
        "message": "There were field validation errors. The errors that occurred are within the validationErrors array.",
        "validationErrors": [{"errorName": "fieldHasInvalidValue", "message": "", "jsonPath": path}],
    });
    Answer::json(400, &body)
}

fn not_enabled() -> Answer {
    let body = json!({
        "errorName": "fieldHasInvalidValue",
        "message": "Your merchant boarding process has not enabled payouts for this merchant entity. Please contact support, or use a \
            valid entity.",
        "jsonPath": "$.merchant.entity",
    });
    Answer::json(422, &body)
}

/// The first field that isn't as the description's schema has it.
fn wrong_field(body: &Value) -> Option<&'static str> {
    let text = |path: &str, min: usize, max: usize| {
        body.pointer(path).and_then(Value::as_str).is_some_and(|text| (min..=max).contains(&text.len()))
    };
    let number = |path: &str| body.pointer(path).is_some_and(Value::is_i64);
    let name = body.pointer("/instruction/payoutInstrument/cardHolderName");
    let is_name = |name: &str| {
        name.bytes().any(|b| b.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_ ".contains(&b))
    };
    [
        (text("/merchant/entity", 1, 32), "$.merchant.entity"),
        (text("/transactionReference", 1, 64), "$.transactionReference"),
        (number("/instruction/value/amount"), "$.instruction.value.amount"),
        (text("/instruction/value/currency", 3, 3), "$.instruction.value.currency"),
        (
            body.pointer("/instruction/payoutInstrument/type") == Some(&json!("card/plain")),
            "$.instruction.payoutInstrument.type",
        ),
        (text("/instruction/payoutInstrument/cardNumber", 12, 19), "$.instruction.payoutInstrument.cardNumber"),
        (
            number("/instruction/payoutInstrument/cardExpiryDate/month"),
            "$.instruction.payoutInstrument.cardExpiryDate.month",
        ),
        (
            number("/instruction/payoutInstrument/cardExpiryDate/year"),
            "$.instruction.payoutInstrument.cardExpiryDate.year",
        ),
        (name.is_none_or(|name| name.as_str().is_some_and(is_name)), "$.instruction.payoutInstrument.cardHolderName"),
        (text("/instruction/narrative/line1", 1, 24), "$.instruction.narrative.line1"),
    ]
    .into_iter()
    .find_map(|(is_right, path)| (!is_right).then_some(path))
}

#[async_trait]
impl crate::contract::Subject for Subject {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider)
    }

    fn account(&self) -> AccountContext {
        self.account.clone()
    }

    async fn arrange(&self, situation: Situation) -> (PayoutOrder, Destination) {
        self.order(situation)
    }

    async fn let_time_pass(&self) {
        self.book.lock().unwrap().time_passed = true;
    }

    async fn paid_callback(&self, _order: &PayoutOrder) -> Wire {
        unreachable!("it has no callbacks")
    }

    fn stage(&self) -> Option<&Stage> {
        Some(&self.stage)
    }

    fn unreachable(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.unreachable)
    }

    fn times_paid(&self, order: &PayoutOrder) -> usize {
        self.book.lock().unwrap().taken.iter().filter(|taken| taken.reference == order.reference).count()
    }
}

/// As in the documentation's example, without its third line, which no address of ours has.
fn baker_street() -> BillingAddress {
    let text = br#"{"address": "221B Baker Street", "address2": "Marylebone", "city": "London", "country_code": "GB", "zip": "NW1 6XE",
        "state": "Greater London"}"#;
    BillingAddress::from_plaintext(text).unwrap()
}

/// The description's example of a card by its number.
fn published(reference: &str) -> Value {
    json!({
        "merchant": {"entity": "default"},
        "instruction": {
            "value": {"amount": 300, "currency": "GBP"},
            "payoutInstrument": {
                "type": "card/plain",
                "cardHolderName": "Sherlock Holmes",
                "cardExpiryDate": {"month": 1, "year": 2030},
                "cardNumber": "4444333322221111",
                "billingAddress": {
                    "address1": "221B Baker Street", "address2": "Marylebone", "city": "London", "postalCode": "NW1 6XE",
                    "state": "Greater London", "countryCode": "GB",
                },
            },
            "narrative": {"line1": "STATEMENT", "line2": "OPTIONAL"},
        },
        "transactionReference": reference,
    })
}

#[tokio::test]
async fn a_fast_access_payout_is_asked_for_as_published() {
    let subject = Subject::new();
    let (order, to) = subject.order(Situation::Paid);
    let outcome = subject.send(&subject.account, &order, &to).await;
    let Outcome::Processed { amount, ids } = outcome else { panic!("{outcome:?}") };
    assert_eq!((amount, ids.original_id.as_deref()), (order.amount, Some("400200004000001")));
    let [seen] = subject.stage.seen().try_into().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/payouts/fastAccess"));
    assert!(seen.query.is_empty());
    assert_eq!(seen.json(), published(&order.reference));
    assert_versioned(&seen, true);
}

#[tokio::test]
async fn without_an_address_the_payout_goes_out_all_the_same() {
    let subject = Subject::new();
    let (order, mut to) = subject.order(Situation::Paid);
    to.billing = None;
    assert!(matches!(subject.send(&subject.account, &order, &to).await, Outcome::Processed { .. }));
    let mut expected = published(&order.reference);
    expected["instruction"]["payoutInstrument"].as_object_mut().unwrap().remove("billingAddress");
    assert_eq!(subject.stage.seen()[0].json(), expected);
}

#[tokio::test]
async fn a_basic_disbursement_is_asked_for_as_published_and_taken_is_paid() {
    let subject = Subject::new();
    // Of Fast Access only: a basic disbursement's request has no routing.
    let account = subject.account_with(&[(METHOD, Some(BASIC)), (FALLBACK_TO_BASIC, Some("disabled"))]);
    let (order, to) = subject.order(Situation::Paid);
    let outcome = subject.send(&account, &order, &to).await;
    assert!(matches!(&outcome, Outcome::Processed { amount, .. } if *amount == order.amount), "{outcome:?}");
    let [seen] = subject.stage.seen().try_into().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/payouts/basicDisbursement"));
    assert_eq!(seen.json(), published(&order.reference));
    assert_versioned(&seen, true);
}

/// The version is in the media type of what is sent and of what is taken, and nowhere else.
fn assert_versioned(seen: &Seen, has_body: bool) {
    assert_eq!(seen.header("Accept"), Some("application/vnd.worldpay.payouts-v4+json"));
    assert_eq!(seen.header("Content-Type"), has_body.then_some("application/vnd.worldpay.payouts-v4+json"));
    assert_eq!(seen.header("Authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert!(!seen.headers.iter().any(|(name, _)| name.contains("idempotency")));
}

#[tokio::test]
async fn a_payout_is_looked_up_by_our_reference_and_the_entity_alone() {
    let subject = Subject::new();
    let (order, to) = subject.order(Situation::AmbiguousThenPaid);
    subject.send(&subject.account, &order, &to).await;
    let with_id = Inquiry { provider_original_id: Some("400200004000001".to_owned()), ..question(&order) };
    for inquiry in [question(&order), with_id] {
        let outcome = subject.provider.inquire(&subject.account, &inquiry).await;
        assert!(matches!(&outcome, Outcome::Processed { amount, .. } if *amount == order.amount), "{outcome:?}");
        let seen = subject.stage.seen().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/payouts/query"));
        let query = [("transactionReference", order.reference.as_str()), ("entity", "default")];
        assert_eq!(seen.query, query.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(seen.body.is_empty());
        assert_versioned(&seen, false);
    }
}

/// Worldpay has no idempotency key and takes a repeat as another payment.
#[tokio::test]
async fn nothing_is_ever_sent_a_second_time() {
    let subject = Subject::new();
    assert_eq!(subject.provider.capabilities().resend, ResendSafety::Never);
    for situation in [Situation::Paid, Situation::AmbiguousThenPaid, Situation::AmbiguousThenNotFound] {
        let (order, to) = subject.order(situation);
        subject.send(&subject.account, &order, &to).await;
        let sent = subject.orders_seen().len();
        let again = PayoutOrder { resend: 1, ..order };
        let outcome = subject.send(&subject.account, &again, &to).await;
        assert!(matches!(outcome, Outcome::NotSent { .. }), "{outcome:?}");
        assert_eq!(subject.orders_seen().len(), sent);
    }
}

#[tokio::test]
async fn the_fallback_to_a_basic_disbursement_is_worldpays_unless_the_account_says() {
    let subject = Subject::new();
    for (choice, routing) in [
        (None, Value::Null),
        (Some("disabled"), json!({"fallbackToBasic": "disabled"})),
        (Some("enabled"), json!({"fallbackToBasic": "enabled"})),
    ] {
        let (order, to) = subject.order(Situation::Paid);
        subject.send(&subject.account_with(&[(FALLBACK_TO_BASIC, choice)]), &order, &to).await;
        let seen = subject.orders_seen().pop().unwrap().json();
        assert_eq!(seen["instruction"]["routing"], routing, "{choice:?}");
    }
}

#[tokio::test]
async fn what_is_missing_or_malformed_is_not_sent() {
    let subject = Subject::new();
    let (order, to) = subject.order(Situation::Paid);
    let accounts = [
        subject.account_with(&[(ENTITY, None)]),
        subject.account_with(&[(ENTITY, Some(""))]),
        subject.account_with(&[(ENTITY, Some("my-entity"))]),
        subject.account_with(&[(ENTITY, Some(" default"))]),
        subject.account_with(&[(ENTITY, Some(&"a".repeat(33)))]),
        subject.account_with(&[(METHOD, None)]),
        subject.account_with(&[(METHOD, Some("instant"))]),
        subject.account_with(&[(NARRATIVE, None)]),
        subject.account_with(&[(NARRATIVE, Some(" "))]),
        subject.account_with(&[(NARRATIVE, Some("Crypto & Cash"))]),
        subject.account_with(&[(NARRATIVE, Some("A name of many characters"))]),
        subject.account_with(&[(FALLBACK_TO_BASIC, Some("yes"))]),
    ];
    let mut broken: Vec<_> = accounts.into_iter().map(|account| (account, order.clone(), to.clone())).collect();
    for (name, value) in [(USERNAME, ""), (USERNAME, "Ala:ddin"), (PASSWORD, ""), (PASSWORD, "open\nsesame")] {
        let mut account = subject.account.clone();
        account.credentials.insert(name.to_owned(), SecretString::from(value));
        broken.push((account, order.clone(), to.clone()));
    }
    let without_card = Destination { card: None, billing: None, fields: BTreeMap::new() };
    broken.push((subject.account.clone(), order.clone(), without_card));
    for (amount, currency) in [("3.001", "GBP"), ("0", "GBP"), ("-1", "GBP"), ("300", "JPY"), ("3.00", "XTS")] {
        let (amount, currency) = (amount.parse().unwrap(), currency.parse().unwrap());
        broken.push((subject.account.clone(), PayoutOrder { amount, currency, ..order.clone() }, to.clone()));
    }
    for reference in ["", "a b", "a;b", &"a".repeat(21)] {
        let order = PayoutOrder { reference: reference.to_owned(), ..order.clone() };
        broken.push((subject.account.clone(), order, to.clone()));
    }
    for (account, order, to) in broken {
        let outcome = subject.send(&account, &order, &to).await;
        let Outcome::NotSent { why } = outcome else { panic!("{:?}: {outcome:?}", account.settings) };
        assert!(!why.contains("Aladdin") && !why.contains("sesame") && !why.contains(CARD), "{why}");
    }
    assert!(subject.stage.seen().is_empty());
}

#[tokio::test]
async fn a_mode_without_a_url_is_not_called() {
    let subject = Subject::new();
    let shipped = ProvidersSettings::shipped().worldpay;
    let settings = RemoteProviderSettings { test_url: subject.stage.url.clone(), live_url: None, ..shipped };
    let provider = WorldpayProvider::new(&settings, Arc::new(TcpTransport::new().unwrap()));
    assert_eq!(provider.modes(), [Mode::Test]);
    let account = AccountContext { mode: Mode::Live, ..subject.account.clone() };
    let (order, to) = subject.order(Situation::Paid);
    assert!(matches!(provider.send(&account, &order, &to).await, Outcome::NotSent { .. }));
    assert!(matches!(provider.inquire(&account, &question(&order)).await, Outcome::Unknown { .. }));
    assert!(matches!(provider.check_credentials(&account).await, Err(ProviderError::Credentials(_))));
    assert!(subject.stage.seen().is_empty());
}

#[tokio::test]
async fn a_name_is_sent_in_the_letters_that_worldpay_takes_or_not_at_all() {
    let subject = Subject::new();
    for (name, expected) in
        [("Seán O'Brien", json!("Sean OBrien")), ("St. John Łuk", json!("St John Luk")), ("Иван Петров", Value::Null)]
    {
        let (order, mut to) = subject.order(Situation::Paid);
        to.card.as_mut().unwrap().holder = HolderName::new(name.to_owned());
        let outcome = subject.send(&subject.account, &order, &to).await;
        assert!(matches!(outcome, Outcome::Processed { .. }), "{name}: {outcome:?}");
        let seen = subject.orders_seen().pop().unwrap().json();
        assert_eq!(seen["instruction"]["payoutInstrument"]["cardHolderName"], expected);
    }
}

#[tokio::test]
async fn a_description_is_on_the_statement_only_if_it_fits_as_it_is() {
    let subject = Subject::new();
    for (description, expected) in [
        (None, Value::Null),
        (Some(" Offer 12, part 1 "), json!("Offer 12, part 1")),
        (Some("A description of many words"), Value::Null),
        (Some("Payout #12"), Value::Null),
        (Some("4444 3333 2222 1111"), Value::Null),
        (Some("  "), Value::Null),
    ] {
        let (mut order, to) = subject.order(Situation::Paid);
        order.description = description.map(str::to_owned);
        subject.send(&subject.account, &order, &to).await;
        let seen = subject.orders_seen().pop().unwrap().json();
        assert_eq!(seen["instruction"]["narrative"]["line2"], expected, "{description:?}");
    }
}

/// The published answers to a look-up of a refused payout have no refusal code.
#[tokio::test]
async fn a_refusal_without_a_code_is_final_for_the_route() {
    let stage = Stage::open(|_| {
        let body = json!({
            "outcome": "refused",
            "receivedAt": "2025-08-01T10:37:36.923Z",
            "scheme": {"name": "visa", "reference": "400200004000009"},
            "_links": {"payouts:payout": {"href": "https://try.access.worldpay.com/payouts/{resource}"}, "curies": []},
        });
        Answer::json(200, &body)
    });
    let subject = Subject::new();
    let (order, _) = subject.order(Situation::Paid);
    let outcome = provider_at(&stage.url).inquire(&subject.account, &question(&order)).await;
    let Outcome::Declined { resolution, code, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((resolution, code.as_str()), (Resolution::DeclinedError, "refused"));
}

#[tokio::test]
async fn wrong_credentials_and_a_wrong_entity_are_told() {
    let subject = Subject::new();
    assert_eq!(subject.provider.check_credentials(&subject.account).await, Ok(()));
    assert!(subject.orders_seen().is_empty(), "checking moves nothing");
    let mut stranger = subject.account.clone();
    stranger.credentials.insert(PASSWORD.to_owned(), SecretString::from("close sesame"));
    let accounts = [
        stranger.clone(),
        subject.account_with(&[(ENTITY, Some("another"))]),
        subject.account_with(&[(NARRATIVE, None)]),
        subject.account_with(&[(METHOD, Some("instant"))]),
    ];
    for account in accounts {
        let told = subject.provider.check_credentials(&account).await;
        assert!(matches!(told, Err(ProviderError::Credentials(_))), "{told:?}");
    }
    let (order, to) = subject.order(Situation::Paid);
    for account in [stranger, subject.account_with(&[(ENTITY, Some("another"))])] {
        let outcome = subject.send(&account, &order, &to).await;
        assert!(
            matches!(outcome, Outcome::Declined { resolution: Resolution::AccessDenied, .. }),
            "nothing was processed: {outcome:?}"
        );
        let outcome = subject.inquire(&account, &order).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "a refused question says nothing: {outcome:?}");
    }
}

#[tokio::test]
async fn a_schema_names_each_setting_and_credential_that_is_read() {
    let subject = Subject::new();
    let names: Vec<_> = subject.provider.settings_schema().unwrap().iter().map(|field| field.name).collect();
    assert_eq!(names, [ENTITY, METHOD, NARRATIVE, FALLBACK_TO_BASIC]);
    let names: Vec<_> = subject.provider.credentials_schema().iter().map(|field| field.name).collect();
    assert_eq!(names, [USERNAME, PASSWORD]);
}
