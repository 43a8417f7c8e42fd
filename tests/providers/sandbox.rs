//! The built-in sandbox provider under the contract: scripted by its cards, with a book in memory and a clock moved by
//! hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use landfall::clock::ManualClock;
use landfall::config::providers::ProvidersSettings;
use landfall::domain::card::{CardDetails, CardExpiry, HolderName, Pan};
use landfall::domain::ids::{DepositAccountId, Mode, PayoutId, ProviderAccountId};
use landfall::providers::provider::{AccountContext, Destination, PayoutOrder, Provider};
use landfall::providers::registry::ProviderRegistry;
use landfall::providers::test::book::MemoryBook;
use landfall::providers::test::callback::{CallbackSink, SECRET};
use landfall::providers::test::{CODE, TestProvider};
use secrecy::SecretString;

use crate::contract::{Situation, Subject, Wire};

pub struct SandboxSubject {
    registry: ProviderRegistry,
    account: AccountContext,
    clock: ManualClock,
    mailbox: Arc<Mailbox>,
}

#[derive(Default)]
struct Mailbox(Mutex<Vec<Wire>>);

#[async_trait]
impl CallbackSink for Mailbox {
    async fn deliver(&self, _: ProviderAccountId, headers: Vec<(String, String)>, body: Vec<u8>) {
        self.0.lock().unwrap().push(Wire { headers, body });
    }
}

impl SandboxSubject {
    pub fn new() -> Self {
        let mut settings = ProvidersSettings::shipped().test;
        settings.timeout_ms = 5;
        settings.later_ms = 40;
        let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
        let mailbox = Arc::new(Mailbox::default());
        let provider = TestProvider::new(settings, Arc::new(clock.clone()), Arc::new(MemoryBook::default()));
        provider.connect(mailbox.clone());
        let account = AccountContext {
            account_id: ProviderAccountId::new(),
            mode: Mode::Test,
            settings: BTreeMap::new(),
            credentials: BTreeMap::from([(SECRET.to_owned(), SecretString::from("a secret of tests"))]),
        };
        let registry = ProviderRegistry::new([Arc::new(provider) as Arc<dyn Provider>]).expect("one adapter");
        Self { registry, account, clock, mailbox }
    }
}

fn card(number: &str) -> CardDetails {
    CardDetails {
        pan: Pan::parse(number).unwrap(),
        expiry: CardExpiry { year: 2031, month: 12 },
        holder: HolderName::new("GRACE HOPPER".to_owned()),
    }
}

/// An order whose card meets `situation`, at the sandbox and at whatever shares its table.
pub fn arranged(situation: Situation) -> (PayoutOrder, Destination) {
    let number = match situation {
        Situation::Paid => "4111111111111111",
        Situation::PendingThenPaid => "5555555555130104",
        Situation::DeclinedForCard => "4000000000009979",
        Situation::DeclinedForRoute => "4000000000000002",
        Situation::AmbiguousThenPaid => "4000000000130502",
        Situation::AmbiguousThenNotFound => "4000000000130601",
        Situation::Undocumented => unreachable!("only on a stage"),
    };
    let order = PayoutOrder {
        reference: PayoutId::new().to_string(),
        deposit_account_id: DepositAccountId::new(),
        amount: "692.49".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        description: Some("Payout".to_owned()),
        resend: 0,
    };
    let fields = BTreeMap::from([("account".to_owned(), "a private string".to_owned())]);
    (order, Destination { card: Some(card(number)), billing: None, fields })
}

#[async_trait]
impl Subject for SandboxSubject {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(self.registry.get(CODE).expect("it was put there"))
    }

    fn account(&self) -> AccountContext {
        self.account.clone()
    }

    async fn arrange(&self, situation: Situation) -> (PayoutOrder, Destination) {
        arranged(situation)
    }

    async fn let_time_pass(&self) {
        self.clock.advance(TimeDelta::milliseconds(40));
    }

    async fn paid_callback(&self, order: &PayoutOrder) -> Wire {
        for _ in 0..200 {
            let arrived = self.mailbox.0.lock().unwrap().clone();
            let found = arrived.into_iter().find(|wire| String::from_utf8_lossy(&wire.body).contains(&order.reference));
            if let Some(wire) = found {
                return wire;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no callback came for {}", order.reference);
    }
}

#[test]
fn the_registry_knows_its_codes_and_refuses_a_second_of_one() {
    let subject = SandboxSubject::new();
    assert_eq!(subject.registry.codes().collect::<Vec<_>>(), [CODE]);
    assert!(subject.registry.get("nobody").is_none());
    let twice = [subject.provider(), subject.provider()];
    assert!(ProviderRegistry::new(twice).is_err_and(|refusal| refusal.0 == CODE));
}
