//! The `worldpay` adapter under the contract, against Worldpay in small; and a test for each of its traps: nothing is sent twice, a lost
//! answer is looked up by the reference and the entity alone, the version is in the media type, and an answer that proves nothing is
//! unknown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use landfall::config::providers::{ProvidersSettings, RemoteProviderSettings};
use landfall::domain::card::{BillingAddress, HolderName};
use landfall::domain::ids::Mode;
use landfall::domain::payout::Resolution;
use landfall::providers::provider::{
    AccountContext, CARD_SCHEMES, Destination, Outcome, PayoutOrder, Provider, ProviderError, ResendSafety,
};
use landfall::providers::worldpay::{
    BASIC, ENTITY, FALLBACK_TO_BASIC, FAST_ACCESS, METHOD, NARRATIVE, PASSWORD, USERNAME, WorldpayProvider,
};
use rust_decimal::dec;
use serde_json::{Value, json};

use crate::contract::{Situation, Wire};
use crate::props::{self, by_id, question, with_secrets};
use crate::stage::{Answer, Seen, Stage};

const MEDIA_TYPE: &str = "application/vnd.worldpay.payouts-v4+json";
/// `Aladdin:open sesame`, the example of RFC 7617.
const AUTHORIZATION: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
const CARD: &str = "4444333322221111";

/// Worldpay in small, with its adapter.
pub struct Subject {
    provider: Arc<dyn Provider>,
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
    Arc::new(WorldpayProvider::new(&props::settings(|shipped| shipped.worldpay, url), props::tcp()))
}

impl Subject {
    pub fn new() -> Self {
        let (stage, book) = props::played(Book::default(), Book::answer);
        let account = props::account(
            &[(ENTITY, "default"), (METHOD, FAST_ACCESS), (NARRATIVE, "STATEMENT")],
            &[(USERNAME, "Aladdin"), (PASSWORD, "open sesame")],
        );
        Self { provider: provider_at(&stage.url), account, book, stage }
    }

    /// The same account with other settings.
    fn account_with(&self, changes: &[(&str, Option<&str>)]) -> AccountContext {
        props::with_settings(&self.account, changes)
    }

    fn order(&self, situation: Situation) -> (PayoutOrder, Destination) {
        let length_max = self.provider.capabilities().reference_length_max;
        let order =
            PayoutOrder { description: Some("OPTIONAL".to_owned()), ..props::order(length_max, dec!(3.00), "GBP") };
        self.book.lock().unwrap().arranged.insert(order.reference.clone(), situation);
        let to = props::to(props::card(CARD, (2030, 1), "Sherlock Holmes"));
        (order, Destination { billing: Some(baker_street()), ..to })
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

    fn unreachable(&self) -> (Arc<dyn Provider>, AccountContext) {
        (provider_at(&props::nowhere()), self.account())
    }

    fn times_paid(&self, order: &PayoutOrder) -> usize {
        let book = self.book.lock().unwrap();
        let of_order = book.taken.iter().filter(|taken| taken.reference == order.reference);
        of_order
            .filter(|taken| !matches!(taken.situation, Situation::DeclinedForCard | Situation::DeclinedForRoute))
            .count()
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
    let with_id = by_id(question(&order), "400200004000001");
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
        broken.push((with_secrets(&subject.account, &[(name, Some(value))]), order.clone(), to.clone()));
    }
    broken.push((subject.account.clone(), order.clone(), props::to_nobody()));
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
        let Outcome::NotSent { why, .. } = outcome else { panic!("{:?}: {outcome:?}", account.settings) };
        assert!(!why.contains("Aladdin") && !why.contains("sesame") && !why.contains(CARD), "{why}");
    }
    assert!(subject.stage.seen().is_empty());
}

#[tokio::test]
async fn a_mode_without_a_url_is_not_called() {
    let subject = Subject::new();
    let shipped = ProvidersSettings::shipped().worldpay;
    let settings = RemoteProviderSettings { test_url: subject.stage.url.clone(), live_url: None, ..shipped };
    let provider = WorldpayProvider::new(&settings, props::tcp());
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
    let stranger = with_secrets(&subject.account, &[(PASSWORD, Some("close sesame"))]);
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
async fn an_account_has_fast_funds_where_nothing_else_can_happen() {
    let subject = Subject::new();
    let has = |changes: &[(&str, Option<&str>)]| subject.provider.has_fast_funds(&subject.account_with(changes));
    assert!(has(&[(FALLBACK_TO_BASIC, Some("disabled"))]));
    assert!(!has(&[]), "Worldpay falls back to what takes days");
    assert!(!has(&[(FALLBACK_TO_BASIC, Some("enabled"))]));
    assert!(!has(&[(METHOD, Some(BASIC)), (FALLBACK_TO_BASIC, Some("disabled"))]));
    assert!(!has(&[(METHOD, None), (FALLBACK_TO_BASIC, Some("disabled"))]));
}

#[tokio::test]
async fn a_schema_names_each_setting_and_credential_that_is_read() {
    let subject = Subject::new();
    let names: Vec<_> = subject.provider.settings_schema().unwrap().iter().map(|field| field.name).collect();
    assert_eq!(names, [ENTITY, METHOD, NARRATIVE, FALLBACK_TO_BASIC, CARD_SCHEMES]);
    let names: Vec<_> = subject.provider.credentials_schema().iter().map(|field| field.name).collect();
    assert_eq!(names, [USERNAME, PASSWORD]);
}

#[tokio::test]
async fn a_statement_descriptor_is_the_first_line_and_the_same_in_a_resend() {
    let subject = Subject::new();
    let (order, to) = subject.order(Situation::Paid);
    let order = PayoutOrder { statement_descriptor: Some("ACME Payouts-24".to_owned()), ..order };
    subject.send(&subject.account, &order, &to).await;
    subject.send(&subject.account, &PayoutOrder { resend: 1, ..order.clone() }, &to).await;
    let seen = subject.orders_seen();
    assert_eq!(seen[0].json()["instruction"]["narrative"], json!({"line1": "ACME Payouts-24", "line2": "OPTIONAL"}));
    assert!(seen.iter().all(|one| one.body == seen[0].body));
    // What isn't as Worldpay takes it is sent in no other form.
    let odd = PayoutOrder { statement_descriptor: Some("ACME_1".to_owned()), ..order };
    let outcome = subject.send(&subject.account, &odd, &to).await;
    assert!(matches!(outcome, Outcome::NotSent { is_unfit: true, .. }), "{outcome:?}");
    assert_eq!(subject.orders_seen().len(), seen.len());
}
