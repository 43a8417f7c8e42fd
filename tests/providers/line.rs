//! The `http` adapter under the contract, over a line in process to a simulated bank: scripted by cards, with a clock moved by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use landfall::clock::{Clock, ManualClock};
use landfall::config::providers::ProvidersSettings;
use landfall::domain::ids::Mode;
use landfall::providers::http::{ACCOUNT, API_KEY, BASE_URL, CALLBACK_SECRET, HttpProvider};
use landfall::providers::provider::{AccountContext, Destination, Outcome, PayoutOrder, Provider};
use landfall::providers::transport::{Transport, TransportError, WireRequest, WireResponse};
use landfall::simulator::api::handle;
use landfall::simulator::bank::{Bank, BankAccount, BankSettings};
use landfall::simulator::faults::{Call, Fault, Scripted};
use landfall::simulator::line;
use secrecy::SecretString;

use crate::contract::{Situation, Subject, Wire};
use crate::props::{self, question_about};
use crate::sandbox::arranged;

/// A transport without a network and without waiting.
#[derive(Clone)]
struct Line {
    bank: Arc<Mutex<Bank>>,
    clock: ManualClock,
}

#[async_trait]
impl Transport for Line {
    async fn call(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let reply = handle(&mut self.bank.lock().unwrap(), &line::arriving(&request), self.clock.now());
        line::seen(reply, request.timeout).0
    }
}

pub struct LineSubject {
    provider: Arc<dyn Provider>,
    account: AccountContext,
    line: Line,
}

pub fn house(knows_repeats: bool) -> BankAccount {
    BankAccount {
        name: "house".to_owned(),
        api_key: "a key of tests".into(),
        callback_secret: "a secret of tests".into(),
        callback_url: None,
        knows_repeats,
        balances: BTreeMap::new(),
    }
}

pub fn account_at(base_url: &str) -> AccountContext {
    props::account(
        &[(BASE_URL, base_url), (ACCOUNT, "house")],
        &[(API_KEY, "a key of tests"), (CALLBACK_SECRET, "a secret of tests")],
    )
}

impl LineSubject {
    pub fn new() -> Self {
        let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
        let bank = Bank::new(BankSettings { accounts: vec![house(true)], ..BankSettings::default() });
        let line = Line { bank: Arc::new(Mutex::new(bank)), clock };
        let provider = HttpProvider::with_transport(&ProvidersSettings::shipped().http, Arc::new(line.clone()));
        Self { provider: Arc::new(provider), account: account_at("http://provider.example"), line }
    }

    fn script(&self, on: Call, fault: Fault) {
        self.line.bank.lock().unwrap().script(Scripted { on, fault, times: 1, reference: None });
    }

    async fn send(&self, order: &PayoutOrder, to: &Destination) -> Outcome {
        self.provider.send(&self.account, order, to).await
    }

    async fn inquire(&self, order: &PayoutOrder) -> Outcome {
        self.provider.inquire(&self.account, &question_about(order, self.line.clock.now())).await
    }
}

#[async_trait]
impl Subject for LineSubject {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider)
    }

    fn account(&self) -> AccountContext {
        self.account.clone()
    }

    async fn arrange(&self, situation: Situation) -> (PayoutOrder, Destination) {
        arranged(situation)
    }

    async fn let_time_pass(&self) {
        self.line.clock.advance(TimeDelta::seconds(2));
    }

    async fn paid_callback(&self, order: &PayoutOrder) -> Wire {
        let due = self.line.bank.lock().unwrap().due_callbacks(self.line.clock.now());
        let found = due.into_iter().find(|callback| callback.reference == order.reference);
        found.map(|callback| Wire { headers: callback.headers, body: callback.body }).expect("a callback is due")
    }
}

#[tokio::test]
async fn only_an_unmade_connection_is_not_sent() {
    for fault in
        [Fault::ResetBefore, Fault::ResetAfter, Fault::ErrorWithoutEffect, Fault::ErrorWithEffect, Fault::LostAnswer]
    {
        let subject = LineSubject::new();
        let (order, to) = arranged(Situation::Paid);
        subject.script(Call::Pay, fault);
        let outcome = subject.send(&order, &to).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{fault}: {outcome:?}");
        let was_taken = matches!(fault, Fault::ResetAfter | Fault::ErrorWithEffect | Fault::LostAnswer);
        assert_eq!(subject.inquire(&order).await == Outcome::NotFound, !was_taken, "{fault}");
        subject.script(Call::Ask, fault);
        assert!(matches!(subject.inquire(&order).await, Outcome::Unknown { .. }), "{fault}");
    }
    let subject = LineSubject::new();
    let (order, to) = arranged(Situation::Paid);
    subject.script(Call::Pay, Fault::ConnectionRefused);
    assert!(matches!(subject.send(&order, &to).await, Outcome::NotSent { .. }));
    subject.script(Call::Ask, Fault::ConnectionRefused);
    assert!(matches!(subject.inquire(&order).await, Outcome::Unknown { .. }));
}

#[tokio::test]
async fn a_refused_resend_does_not_decline_what_the_first_send_paid() {
    for refusal in [Fault::RateLimited, Fault::Unavailable] {
        let subject = LineSubject::new();
        let (order, to) = arranged(Situation::Paid);
        subject.script(Call::Pay, Fault::LostAnswer);
        subject.send(&order, &to).await;
        subject.script(Call::Pay, refusal);
        let again = PayoutOrder { resend: 1, ..order.clone() };
        assert!(matches!(subject.send(&again, &to).await, Outcome::Unknown { .. }), "{refusal}");
        assert!(matches!(subject.inquire(&order).await, Outcome::Processed { .. }), "{refusal}");
        // A first send that is refused was refused.
        let (other, to) = arranged(Situation::Paid);
        subject.script(Call::Pay, refusal);
        assert!(matches!(subject.send(&other, &to).await, Outcome::Declined { .. }), "{refusal}");
        assert_eq!(subject.inquire(&other).await, Outcome::NotFound);
    }
}

#[tokio::test]
async fn a_callback_for_another_account_proves_nothing() {
    let subject = LineSubject::new();
    let (order, to) = arranged(Situation::PendingThenPaid);
    subject.send(&order, &to).await;
    subject.let_time_pass().await;
    let wire = subject.paid_callback(&order).await;
    let mut other = subject.account();
    other.settings.insert(ACCOUNT.to_owned(), "another house".to_owned());
    assert!(subject.provider.parse_callback(&other, &wire.headers, &wire.body).is_err());
    other.settings.remove(ACCOUNT);
    assert!(subject.provider.parse_callback(&other, &wire.headers, &wire.body).is_err());
}

#[tokio::test]
async fn reports_and_balances_say_what_the_bank_says() {
    let subject = LineSubject::new();
    let eur = "EUR".parse().unwrap();
    let with_balance = BankAccount { balances: [(eur, "1000.00".parse().unwrap())].into(), ..house(true) };
    subject.line.bank.lock().unwrap().open_account(with_balance);
    let from = subject.line.clock.now();
    for _ in 0..120 {
        let (order, to) = arranged(Situation::DeclinedForCard);
        subject.send(&order, &to).await;
    }
    let (order, to) = arranged(Situation::Paid);
    subject.send(&order, &to).await;
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let until = from + TimeDelta::seconds(1);
        let page = subject.provider.report(&subject.account, from, until, cursor.as_deref()).await.unwrap();
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let (rows_of_bank, _) = {
        let mut bank = subject.line.bank.lock().unwrap();
        let whole = bank.report("house", (from, from + TimeDelta::seconds(1)), None, 1_000, from).answer;
        (whole.rows, whole.next)
    };
    assert_eq!((rows.len(), &rows), (121, &rows_of_bank));
    let mut account = subject.account();
    assert!(subject.provider.balance(&account, eur).await.is_err());
    account.settings.insert("balance".to_owned(), "provider".to_owned());
    assert_eq!(subject.provider.balance(&account, eur).await, Ok("307.51".parse().unwrap()));
    assert!(subject.provider.balance(&account, "GBP".parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sent_and_credentials_are_checked() {
    let subject = LineSubject::new();
    let (order, to) = arranged(Situation::Paid);
    for (setting, value) in [(BASE_URL, None), (BASE_URL, Some("ftp://provider")), (BASE_URL, Some("nonsense"))] {
        let mut account = subject.account();
        account.settings.remove(setting);
        account.settings.extend(value.map(|value| (setting.to_owned(), value.to_owned())));
        let outcome = subject.provider.send(&account, &order, &to).await;
        assert!(matches!(outcome, Outcome::NotSent { .. }), "{value:?}: {outcome:?}");
        assert!(subject.provider.check_credentials(&account).await.is_err());
    }
    let finer = PayoutOrder { amount: "1.005".parse().unwrap(), ..order.clone() };
    assert!(matches!(subject.send(&finer, &to).await, Outcome::NotSent { .. }));
    let mut live = subject.account();
    live.mode = Mode::Live;
    assert!(matches!(subject.provider.send(&live, &order, &to).await, Outcome::NotSent { .. }));
    for (name, value) in [(API_KEY, "another key"), (API_KEY, ""), (CALLBACK_SECRET, "")] {
        let mut account = subject.account();
        account.credentials.insert(name.to_owned(), SecretString::from(value));
        assert!(subject.provider.check_credentials(&account).await.is_err(), "{name}");
    }
    let mut other = subject.account();
    other.settings.insert(ACCOUNT.to_owned(), "another house".to_owned());
    assert!(subject.provider.check_credentials(&other).await.is_err());
    assert!(subject.line.bank.lock().unwrap().payments().is_empty());
}

#[tokio::test]
async fn an_answer_after_the_send_time_out_is_unknown() {
    let subject = LineSubject::new();
    subject.line.bank.lock().unwrap().timings.latency = Duration::from_secs(60);
    let (order, to) = arranged(Situation::Paid);
    assert!(matches!(subject.send(&order, &to).await, Outcome::Unknown { .. }));
}
