//! The `http` adapter under the contract, over TCP to a simulator that serves on loopback; and what only a real connection shows:
//! resets, refusals, answers that never come, callbacks that are posted.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use landfall::clock::ManualClock;
use landfall::config::providers::ProvidersSettings;
use landfall::providers::http::HttpProvider;
use landfall::providers::provider::{AccountContext, Destination, Outcome, PayoutOrder, Provider};
use landfall::simulator::bank::{Bank, BankSettings};
use landfall::simulator::faults::{Call, Fault, Scripted};
use landfall::simulator::house::House;
use landfall::simulator::journal::Journal;
use landfall::simulator::payment::Timings;
use landfall::simulator::server::Server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::contract::{Situation, Subject, Wire};
use crate::line::{account_at, house};
use crate::sandbox::arranged;

const ADMIN_TOKEN: &str = "an admin token of tests";

/// A simulator with its adapter, and somebody who takes its callbacks.
pub struct TcpSubject {
    provider: Arc<dyn Provider>,
    account: AccountContext,
    clock: ManualClock,
    house: Arc<House>,
    server: Server,
    mailbox: Mailbox,
    _dir: tempfile::TempDir,
}

impl TcpSubject {
    pub fn new() -> Self {
        let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path()).unwrap();
        let mailbox = Mailbox::open();
        let mut account = house(true);
        account.callback_url = Some(mailbox.url.clone());
        let timings = Timings { later: Duration::from_secs(60), ..Timings::default() };
        let settings =
            BankSettings { accounts: vec![account], timings, keeps_records: true, ..BankSettings::default() };
        let house = Arc::new(House::new(Arc::new(clock.clone()), Bank::new(settings), Some(journal)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::start(Arc::clone(&house), listener, ADMIN_TOKEN.into()).unwrap();
        let mut settings = ProvidersSettings::shipped().http;
        settings.send_timeout_ms = 700;
        settings.inner_networks = vec!["127.0.0.0/8".parse().unwrap()];
        let account = account_at(&format!("http://{}", server.address));
        let provider = Arc::new(HttpProvider::new(&settings).unwrap());
        Self { provider, account, clock, house, server, mailbox, _dir: dir }
    }

    fn script(&self, on: Call, fault: Fault) {
        self.house.with(|bank| bank.script(Scripted { on, fault, times: 1, reference: None })).unwrap();
    }

    async fn send(&self, order: &PayoutOrder, to: &Destination) -> Outcome {
        self.provider.send(&self.account, order, to).await
    }

    async fn admin(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        let client = reqwest::Client::builder().build().unwrap();
        let url = format!("http://{}/admin/{path}", self.server.address);
        let request = client.request(method.parse().unwrap(), url).bearer_auth(token).body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[async_trait]
impl Subject for TcpSubject {
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
        self.clock.advance(chrono::TimeDelta::seconds(60));
    }

    async fn paid_callback(&self, order: &PayoutOrder) -> Wire {
        self.mailbox.wait_for(&order.reference).await
    }
}

/// Takes callbacks on a socket of its own, and says thanks.
struct Mailbox {
    url: String,
    arrived: Arc<Mutex<Vec<Wire>>>,
    taking: tokio::task::JoinHandle<()>,
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

impl Mailbox {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/callbacks", listener.local_addr().unwrap());
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&arrived);
        let taking = tokio::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A connection that breaks is the sender's to try again.
                let _ = take_one(stream, &kept).await;
            }
        });
        Self { url, arrived, taking }
    }

    async fn wait_for(&self, reference: &str) -> Wire {
        for _ in 0..400 {
            let arrived = self.arrived.lock().unwrap().clone();
            if let Some(wire) = arrived.into_iter().find(|wire| String::from_utf8_lossy(&wire.body).contains(reference))
            {
                return wire;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no callback came for {reference}");
    }
}

/// Keeps the one callback that comes over `stream`, and only then says so.
async fn take_one(mut stream: tokio::net::TcpStream, kept: &Mutex<Vec<Wire>>) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head_end) = head_end {
            let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
            let headers: Vec<(String, String)> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect();
            let length = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?
                .1
                .parse::<usize>()
                .ok()?;
            let body = &bytes[head_end + 4..];
            if body.len() >= length {
                kept.lock().unwrap().push(Wire { headers, body: body[..length].to_vec() });
                stream
                    .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .await
                    .ok()?;
                return Some(());
            }
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

#[tokio::test]
async fn a_reset_connection_and_a_lost_answer_are_unknown_and_nobody_listening_is_not_sent() {
    let subject = TcpSubject::new();
    for (fault, why) in [
        (Fault::ResetBefore, "reset"),
        (Fault::ResetAfter, "reset"),
        (Fault::ConnectionRefused, "reset"),
        (Fault::LostAnswer, "no answer"),
    ] {
        subject.script(Call::Pay, fault);
        let (order, to) = arranged(Situation::Paid);
        let began = Instant::now();
        let outcome = subject.send(&order, &to).await;
        let Outcome::Unknown { why: told, .. } = &outcome else { panic!("{fault}: {outcome:?}") };
        assert!(told.contains(why) || told.contains("timed out"), "{fault}: {told}");
        let waited = began.elapsed() >= Duration::from_millis(600);
        assert_eq!(waited, fault == Fault::LostAnswer, "{fault}: a reset is seen at once");
        let was_taken = subject.house.with(|bank| bank.payments().iter().any(|p| p.reference == order.reference));
        assert_eq!(was_taken.unwrap(), matches!(fault, Fault::ResetAfter | Fault::LostAnswer), "{fault}");
    }
    // The port of a listener that is gone.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (order, to) = arranged(Situation::Paid);
    let outcome = subject.provider.send(&account_at(&format!("http://{free}")), &order, &to).await;
    assert!(matches!(outcome, Outcome::NotSent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_connection_that_was_reset_is_not_used_again() {
    let subject = TcpSubject::new();
    for _ in 0..5 {
        let (order, to) = arranged(Situation::Paid);
        assert!(matches!(subject.send(&order, &to).await, Outcome::Processed { .. }));
        subject.script(Call::Pay, Fault::ResetAfter);
        let (order, to) = arranged(Situation::Paid);
        assert!(matches!(subject.send(&order, &to).await, Outcome::Unknown { .. }));
    }
    let payments = subject.house.with(|bank| bank.payments().len()).unwrap();
    assert_eq!(payments, 10, "nothing was sent a second time by itself");
}

#[tokio::test]
async fn an_early_callback_arrives_before_the_answer() {
    let subject = TcpSubject::new();
    subject.script(Call::Pay, Fault::EarlyCallback);
    let (order, to) = arranged(Situation::Paid);
    let outcome = subject.send(&order, &to).await;
    let arrived = subject.mailbox.arrived.lock().unwrap().clone();
    assert_eq!(arrived.len(), 1);
    let told = subject.provider.parse_callback(&subject.account, &arrived[0].headers, &arrived[0].body).unwrap();
    assert_eq!((told[0].reference.as_str(), &told[0].outcome), (order.reference.as_str(), &outcome));
}

#[tokio::test]
async fn the_admin_shows_the_ledger_and_sets_faults_for_its_token_only() {
    let subject = TcpSubject::new();
    for (method, path) in [("GET", "ledger"), ("GET", "faults"), ("PUT", "faults"), ("GET", "report.csv")] {
        assert_eq!(subject.admin(method, path, "another token", "{}").await.0, 401, "{path}");
    }
    let faults = json!({"pay": {"lost_answer": "0"}, "script": [{"on": "pay", "fault": "error_with_effect"}]});
    let (status, text) = subject.admin("PUT", "faults", ADMIN_TOKEN, &faults.to_string()).await;
    assert_eq!(status, 200, "{text}");
    let (order, to) = arranged(Situation::Paid);
    assert!(matches!(subject.send(&order, &to).await, Outcome::Unknown { .. }));
    let (_, text) = subject.admin("GET", "faults", ADMIN_TOKEN, "").await;
    let counts: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(counts["injected"], json!({"error_with_effect": 1}));
    let (_, ledger) = subject.admin("GET", "ledger", ADMIN_TOKEN, "").await;
    let payment = serde_json::from_str::<Value>(&ledger).unwrap()["payments"][0].clone();
    assert_eq!(
        (&payment["status"], &payment["paid"], &payment["last_four"]),
        (&"processed".into(), &"692.49".into(), &"1111".into())
    );
    assert!(!ledger.contains("4111111111111111"));
    let (status, _) = subject.admin("POST", "payments/1/return", ADMIN_TOKEN, "{\"amount\":\"92.49\"}").await;
    assert_eq!(status, 200);
    let (_, csv) = subject.admin("GET", "report.csv", ADMIN_TOKEN, "").await;
    let id = payment["id"].as_str().unwrap();
    let row = format!("{},{id},returned,692.49,92.49,EUR,2026-03-01T12:00:00+00:00", order.reference);
    assert_eq!(
        csv.lines().collect::<Vec<_>>(),
        ["reference,original_id,status,amount_processed,amount_returned,currency,taken_at", &row]
    );
    assert_eq!(subject.admin("POST", "payments/1/return", ADMIN_TOKEN, "{\"amount\":\"600.01\"}").await.0, 400);
    assert_eq!(subject.admin("PUT", "faults", ADMIN_TOKEN, "{\"pay\":{\"often\":\"1\"}}").await.0, 400);
}
