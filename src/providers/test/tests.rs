//! What the sandbox provider does beyond the contract that every adapter meets (`tests/providers`).

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::book::MemoryBook;
use super::*;
use crate::clock::ManualClock;
use crate::config::providers::{Outage, ProvidersSettings};
use crate::domain::ids::{DepositAccountId, ProviderAccountId};

struct Sandbox {
    provider: TestProvider,
    account: AccountContext,
    book: Arc<MemoryBook>,
    clock: ManualClock,
    heard: Arc<Heard>,
}

/// Keeps what was delivered.
#[derive(Default)]
struct Heard(Mutex<Vec<Callback>>);

#[async_trait]
impl CallbackSink for Heard {
    async fn deliver(&self, _: ProviderAccountId, headers: Vec<(String, String)>, body: Vec<u8>) {
        self.0.lock().unwrap().push(Callback { headers, body });
    }
}

impl Sandbox {
    fn with(change: impl FnOnce(&mut TestProviderSettings)) -> Self {
        let mut settings = ProvidersSettings::shipped().test;
        settings.timeout_ms = 5;
        settings.later_ms = 40;
        settings.returned_after_ms = 80;
        change(&mut settings);
        let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
        let (book, heard) = (Arc::new(MemoryBook::default()), Arc::new(Heard::default()));
        let provider = TestProvider::new(settings, Arc::new(clock.clone()), book.clone());
        provider.connect(heard.clone());
        let account = AccountContext {
            account_id: ProviderAccountId::new(),
            mode: Mode::Test,
            settings: BTreeMap::new(),
            credentials: BTreeMap::from([(callback::SECRET.to_owned(), SecretString::from("a secret of tests"))]),
        };
        Self { provider, account, book, clock, heard }
    }

    async fn send(&self, reference: &str, amount: &str) -> Outcome {
        self.provider.send(&self.account, &order(reference, amount), &destination()).await
    }

    async fn inquire(&self, reference: &str) -> Outcome {
        let inquiry = Inquiry {
            reference: reference.to_owned(),
            provider_original_id: None,
            amount: Decimal::ONE,
            currency: "EUR".parse().unwrap(),
            is_pending: false,
            first_sent_at: self.clock.now(),
            last_sent_at: self.clock.now(),
        };
        self.provider.inquire(&self.account, &inquiry).await
    }

    /// The reports that arrived, once there are `count`.
    async fn reports(&self, count: usize) -> Vec<ReportedOutcome> {
        for _ in 0..200 {
            if self.heard.0.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let heard = self.heard.0.lock().unwrap().clone();
        assert_eq!(heard.len(), count);
        heard
            .iter()
            .flat_map(|callback| {
                self.provider.parse_callback(&self.account, &callback.headers, &callback.body).expect("signed by us")
            })
            .collect()
    }
}

fn order(reference: &str, amount: &str) -> PayoutOrder {
    PayoutOrder {
        reference: reference.to_owned(),
        deposit_account_id: DepositAccountId::new(),
        amount: amount.parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        description: None,
        statement_descriptor: None,
        resend: 0,
    }
}

fn destination() -> Destination {
    Destination {
        card: None,
        billing: None,
        fields: BTreeMap::from([("account".to_owned(), "some_random_string".to_owned())]),
    }
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

fn paid(outcome: &Outcome) -> Option<Decimal> {
    match outcome {
        Outcome::Processed { amount, .. } => Some(*amount),
        _ => None,
    }
}

fn declined(outcome: &Outcome) -> Option<Resolution> {
    match outcome {
        Outcome::Declined { resolution, .. } => Some(*resolution),
        _ => None,
    }
}

#[tokio::test]
async fn live_money_is_never_sent_here() {
    let mut sandbox = Sandbox::with(|_| {});
    sandbox.account.mode = Mode::Live;
    assert!(matches!(sandbox.send("po_1", "10").await, Outcome::NotSent { .. }));
    assert!(sandbox.book.all().is_empty());
    assert!(sandbox.provider.check_credentials(&sandbox.account).await.is_err());
}

#[tokio::test]
async fn half_is_paid_and_the_inquiry_says_the_same() {
    let sandbox = Sandbox::with(|_| {});
    assert_eq!(paid(&sandbox.send("po_1", "13.08").await), Some(Decimal::new(654, 2)));
    assert_eq!(paid(&sandbox.inquire("po_1").await), Some(Decimal::new(654, 2)));
}

#[tokio::test]
async fn what_was_paid_comes_back_when_its_time_is_come_and_a_callback_tells() {
    let sandbox = Sandbox::with(|_| {});
    assert_eq!(paid(&sandbox.send("po_1", "13.09").await), Some(Decimal::new(1309, 2)));
    assert!(paid(&sandbox.inquire("po_1").await).is_some());
    sandbox.clock.advance(TimeDelta::milliseconds(80));
    assert!(matches!(sandbox.inquire("po_1").await, Outcome::Returned { .. }));
    let reports = sandbox.reports(1).await;
    assert!(matches!(&reports[0].outcome, Outcome::Returned { amount, .. } if *amount == Decimal::new(1309, 2)));
    assert_eq!(reports[0].sequence, Some(3));
}

#[tokio::test]
async fn an_internal_error_hides_a_payment_that_inquiry_and_callback_find() {
    let sandbox = Sandbox::with(|_| {});
    assert!(is_unknown(&sandbox.send("po_1", "13.07").await));
    assert!(paid(&sandbox.inquire("po_1").await).is_some());
    sandbox.clock.advance(TimeDelta::milliseconds(40));
    assert!(paid(&sandbox.reports(1).await[0].outcome).is_some());
}

#[tokio::test]
async fn a_refused_connection_leaves_nothing_in_the_book() {
    let sandbox = Sandbox::with(|_| {});
    assert!(matches!(sandbox.send("po_1", "13.10").await, Outcome::NotSent { .. }));
    assert_eq!(sandbox.inquire("po_1").await, Outcome::NotFound);
    assert!(sandbox.book.all().is_empty());
}

#[tokio::test]
async fn a_lost_payment_stays_lost_however_often_it_is_sent() {
    let sandbox = Sandbox::with(|_| {});
    for resend in 0..3 {
        let order = PayoutOrder { resend, ..order("po_1", "13.06") };
        assert!(is_unknown(&sandbox.provider.send(&sandbox.account, &order, &destination()).await));
        assert_eq!(sandbox.inquire("po_1").await, Outcome::NotFound);
    }
}

#[tokio::test]
async fn the_duplicate_callback_is_the_same_message_twice() {
    let sandbox = Sandbox::with(|_| {});
    assert!(matches!(sandbox.send("po_1", "13.11").await, Outcome::Pending { .. }));
    sandbox.clock.advance(TimeDelta::milliseconds(40));
    let reports = sandbox.reports(2).await;
    assert!(paid(&reports[0].outcome).is_some());
    assert_eq!(reports[0], reports[1]);
}

#[tokio::test]
async fn the_callback_arrives_before_the_answer() {
    let sandbox = Sandbox::with(|settings| settings.timeout_ms = 1_000);
    assert!(paid(&sandbox.send("po_1", "13.12").await).is_some());
    // Not waited for: it has been delivered when the send is answered.
    assert_eq!(sandbox.heard.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn callbacks_out_of_order_carry_the_sequence_that_puts_them_right() {
    let sandbox = Sandbox::with(|_| {});
    assert!(matches!(sandbox.send("po_1", "13.13").await, Outcome::Pending { .. }));
    sandbox.clock.advance(TimeDelta::milliseconds(40));
    let reports = sandbox.reports(2).await;
    assert_eq!(reports.iter().map(|report| report.sequence).collect::<Vec<_>>(), [Some(2), Some(1)]);
    assert!(matches!(reports[1].outcome, Outcome::Pending { .. }));
}

#[tokio::test]
async fn no_callback_comes_before_its_time_or_twice_for_a_resend() {
    let sandbox = Sandbox::with(|_| {});
    sandbox.send("po_1", "13.01").await;
    sandbox.send("po_1", "13.01").await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(sandbox.heard.0.lock().unwrap().is_empty(), "the clock stands still, so nothing is due");
    sandbox.clock.advance(TimeDelta::milliseconds(40));
    sandbox.reports(1).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    sandbox.reports(1).await;
}

#[tokio::test]
async fn a_slow_answer_keeps_its_caller_waiting_but_the_book_knows_at_once() {
    let sandbox = Sandbox::with(|_| {});
    let impatient = tokio::time::timeout(Duration::from_millis(30), sandbox.send("po_1", "13.14")).await;
    assert!(impatient.is_err());
    assert!(paid(&sandbox.inquire("po_1").await).is_some());
}

#[tokio::test]
async fn what_can_not_be_taken_is_declined_and_remembered() {
    let sandbox = Sandbox::with(|_| {});
    let yen = PayoutOrder { currency: "JPY".parse().unwrap(), ..order("po_yen", "10") };
    let outcome = sandbox.provider.send(&sandbox.account, &yen, &destination()).await;
    assert_eq!(declined(&outcome), Some(Resolution::InvalidMethod));
    assert_eq!(sandbox.inquire("po_yen").await, outcome);
    for (reference, amount) in [("po_zero", "0"), ("po_minus", "-1"), ("po_fine", "1.001")] {
        assert_eq!(declined(&sandbox.send(reference, amount).await), Some(Resolution::LimitViolation), "{amount}");
    }
    for reference in ["", "PO_1", "po 1", "po_1234567890123456789012345678901234"] {
        assert_eq!(declined(&sandbox.send(reference, "10").await), Some(Resolution::DeclinedError), "{reference:?}");
    }
    assert_eq!(sandbox.book.all().len(), 4);
}

#[tokio::test]
async fn an_outage_sends_nothing_and_an_inquiry_meanwhile_says_nothing() {
    let sandbox = Sandbox::with(|settings| {
        settings.outages = vec![Outage {
            from: "2026-03-01T12:00:10Z".parse().unwrap(),
            until: "2026-03-01T12:00:20Z".parse().unwrap(),
        }];
    });
    assert!(paid(&sandbox.send("po_1", "10").await).is_some());
    sandbox.clock.advance(TimeDelta::seconds(10));
    assert!(matches!(sandbox.send("po_2", "10").await, Outcome::NotSent { .. }));
    assert!(is_unknown(&sandbox.inquire("po_1").await), "not found would be a lie");
    assert!(sandbox.provider.check_credentials(&sandbox.account).await.is_err());
    sandbox.clock.advance(TimeDelta::seconds(10));
    assert!(paid(&sandbox.inquire("po_1").await).is_some());
    assert_eq!(sandbox.inquire("po_2").await, Outcome::NotFound);
}

#[tokio::test]
async fn configured_errors_are_steady_hide_both_fates_and_spare_some_resends() {
    let half = |settings: &mut TestProviderSettings| settings.error_rate = "0.5".to_owned().try_into().unwrap();
    let (first, second) = (Sandbox::with(half), Sandbox::with(half));
    let (mut errors, mut taken) = (0, 0);
    for n in 0..200 {
        let reference = format!("po_{n}");
        let failed = is_unknown(&first.send(&reference, "10").await);
        assert_eq!(failed, is_unknown(&second.send(&reference, "10").await));
        if failed {
            errors += 1;
            taken += usize::from(paid(&first.inquire(&reference).await).is_some());
        }
    }
    assert!((70..=130).contains(&errors), "{errors}");
    assert!(taken > errors / 4 && taken < errors * 3 / 4, "{taken} of {errors}");
    let draws = (0..20).map(|resend| first.provider.drawn_error(&PayoutOrder { resend, ..order("po_1", "10") }));
    assert!(draws.clone().any(|error| error.is_none()) && draws.clone().any(|error| error.is_some()));
}

#[tokio::test]
async fn a_balance_runs_out_exactly_and_what_comes_back_counts_again() {
    let sandbox = Sandbox::with(|settings| {
        settings.balances = BTreeMap::from([("EUR".to_owned(), "30.00".to_owned())]).try_into().unwrap();
    });
    assert!(sandbox.provider.capabilities().has_balance);
    let (eur, usd) = ("EUR".parse().unwrap(), "USD".parse().unwrap());
    assert!(paid(&sandbox.send("po_1", "13.09").await).is_some());
    assert!(paid(&sandbox.send("po_2", "16.91").await).is_some());
    assert_eq!(sandbox.provider.balance(&sandbox.account, eur).await, Ok(Decimal::ZERO));
    let refused = sandbox.send("po_3", "0.01").await;
    assert_eq!(declined(&refused), Some(Resolution::InsufficientFunds));
    assert_eq!(declined(&sandbox.send("po_4", "13.02").await), Some(Resolution::CardRestricted), "its own reason");
    sandbox.clock.advance(TimeDelta::milliseconds(80));
    assert_eq!(sandbox.provider.balance(&sandbox.account, eur).await, Ok(Decimal::new(1309, 2)));
    assert_eq!(sandbox.send("po_3", "0.01").await, refused, "a decline is final");
    assert!(paid(&sandbox.send("po_5", "0.02").await).is_some());
    assert_eq!(sandbox.provider.balance(&sandbox.account, usd).await, Err(ProviderError::NotSupported));
}

#[tokio::test]
async fn concurrent_sends_of_one_reference_pay_once_and_overdraw_nothing() {
    let sandbox = Sandbox::with(|settings| {
        settings.balances = BTreeMap::from([("EUR".to_owned(), "25".to_owned())]).try_into().unwrap();
    });
    let sends = (0..40).map(|n| {
        let sandbox = &sandbox;
        async move { sandbox.send(&format!("po_{}", n % 4), "10").await }
    });
    let outcomes = futures_util::future::join_all(sends).await;
    assert_eq!(outcomes.iter().filter(|outcome| paid(outcome).is_some()).count(), 20);
    assert_eq!(sandbox.book.all().len(), 4);
    let balance = sandbox.provider.balance(&sandbox.account, "EUR".parse().unwrap()).await;
    assert_eq!(balance, Ok(Decimal::from(5)));
}

#[tokio::test]
async fn a_callback_for_another_account_or_under_no_secret_proves_nothing() {
    let sandbox = Sandbox::with(|_| {});
    sandbox.send("po_1", "13.12").await;
    sandbox.reports(1).await;
    let callback = sandbox.heard.0.lock().unwrap()[0].clone();
    let parse = |account: &AccountContext| sandbox.provider.parse_callback(account, &callback.headers, &callback.body);
    let not_verified = Err(CallbackError::NotVerified { references: vec!["po_1".to_owned()] });

    let other = AccountContext { account_id: ProviderAccountId::new(), ..sandbox.account.clone() };
    assert_eq!(parse(&other), not_verified, "the same secret, but not its payment");
    let without = AccountContext { credentials: BTreeMap::new(), ..sandbox.account.clone() };
    assert_eq!(parse(&without), not_verified);
    assert!(sandbox.provider.check_credentials(&without).await.is_err());

    let mut twice = callback.headers.clone();
    twice.extend(callback.headers.clone());
    assert_eq!(sandbox.provider.parse_callback(&sandbox.account, &twice, &callback.body), not_verified);
}

#[tokio::test]
async fn a_signed_callback_that_is_not_understood_declines_and_pays_nothing() {
    let sandbox = Sandbox::with(|_| {});
    let account = sandbox.account.account_id;
    let read = |status: &str, resolution: &str, amount: &str| {
        let body = format!(
            r#"{{"id":"tpe_a","provider":"test","account_id":"{account}","reference":"po_1","original_id":"tp_a","rrn":null,
                "status":"{status}","processed_amount":"{amount}","currency":"EUR","resolution":"{resolution}","message":null,
                "sequence":2,"as_of":"2026-03-01T12:00:00Z","news":1}}"#
        );
        let secret = &sandbox.account.credentials[callback::SECRET];
        let headers = vec![(
            callback::SIGNATURE_HEADER.to_lowercase(),
            crate::providers::signature::sign(secret, body.as_bytes()).unwrap(),
        )];
        sandbox.provider.parse_callback(&sandbox.account, &headers, body.as_bytes())
    };
    assert!(paid(&read("processed", "", "1.50").unwrap()[0].outcome).is_some());
    assert_eq!(declined(&read("declined", "stolen_card", "").unwrap()[0].outcome), Some(Resolution::StolenCard));
    for (status, resolution) in [("settled", ""), ("declined", "bad_luck"), ("declined", "connection_timeout")] {
        assert!(is_unknown(&read(status, resolution, "1").unwrap()[0].outcome), "{status} {resolution}");
    }
    for amount in ["", "0", "-1", "much"] {
        assert!(matches!(read("processed", "", amount), Err(CallbackError::Malformed(_))), "{amount:?}");
    }
}
