//! A whole installation on loopback, with its database, its workers and a clock that tests move.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use chrono::TimeDelta;
use landfall::app::{App, Background};
use landfall::clock::{Clock, ManualClock, SystemClock};
use landfall::config::Settings;
use landfall::config::staff::MakerChecker;
use landfall::domain::ids::Mode;
use landfall::http::auth::mint_development_token;
use landfall::http::{Parts, Roles};
use landfall::providers::provider::Provider;
use landfall::wallet::User;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::TestDb;

/// A card that the sandbox pays at once.
pub const PAID: &str = "4111111111111111";

pub struct World {
    pub app: Arc<App>,
    pub clock: ManualClock,
    pub url: String,
    pub client: reqwest::Client,
    server: ServerHandle,
    background: Option<Background>,
    pub test_db: TestDb,
    _dir: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// A refusal of the published shape, whatever it is about. Nothing of ours leaks in it.
    pub fn refusal(&self) -> Value {
        let body = self.json();
        let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["data", "error", "errorId", "field", "message", "requestId", "systemId"], "{self:?}");
        assert_eq!(self.header("x-request-id"), body["requestId"].as_str());
        assert!(body["message"].as_str().is_some_and(|message| message.ends_with('.')));
        let leaks = ["panick", "diesel", "postgres", "src/", "SELECT", "stack", "sealed", "constraint", "bearer "];
        for leak in leaks {
            assert!(!self.text.to_lowercase().contains(&leak.to_lowercase()), "{leak}: {self:?}");
        }
        body
    }

    pub fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.refusal();
        assert_eq!((self.status, body["error"].as_str()), (status, Some(code)), "{self:?}");
        body
    }

    /// Refused as invalid because of `field`; an empty one means none in particular.
    pub fn invalid(&self, field: &str) {
        let body = self.refused(400, "NOT_VALID_REQUEST_DATA");
        assert_eq!(body["field"].as_str().unwrap_or(""), field, "{self:?}");
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_adapters(change, Vec::new()).await
    }

    pub async fn with_adapters(change: impl FnOnce(&mut Settings), adapters: Vec<Arc<dyn Provider>>) -> Self {
        Self::built(change, adapters, true).await
    }

    /// Without workers: what is to be sent is sent by the test, and nothing is written but by requests.
    pub async fn without_workers(change: impl FnOnce(&mut Settings)) -> Self {
        Self::built(change, Vec::new(), false).await
    }

    async fn built(change: impl FnOnce(&mut Settings), adapters: Vec<Arc<dyn Provider>>, works: bool) -> Self {
        let clock = ManualClock::at(SystemClock.now());
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::load(None).unwrap();
        settings.data_dir = dir.path().to_owned();
        settings.http.workers = 1;
        settings.worker.poll_ms = 20;
        settings.providers.test.timeout_ms = 20;
        settings.providers.test.later_ms = 50;
        settings.providers.test.settling_time_ms = 100;
        // What the API does by itself; tests/api/v1/approvals.rs has a second person.
        settings.staff.maker_checker = MakerChecker::Never;
        change(&mut settings);
        let test_db = TestDb::new().await;
        let db = test_db.db();
        let app = Arc::new(App::build_with(settings, Arc::new(clock.clone()), db, adapters).await.unwrap());
        let background = app.start(works).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let parts = Parts {
            settings: app.settings.http.clone(),
            roles: Roles::ALL,
            wallet: Arc::clone(&app.wallet),
            gateway: Arc::clone(&app.gateway),
            authenticator: Arc::clone(&app.authenticator),
            staff: Arc::clone(&app.staff),
            desk: Arc::clone(&app.desk),
            probes: app.probes(),
        };
        let server = landfall::http::serve(parts, listener).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let world = Self { app, clock, url, client, server: handle, background: Some(background), test_db, _dir: dir };
        world.rates_ready().await;
        world
    }

    /// Stops everything, so that the test's database can be dropped.
    pub async fn stop(mut self) {
        self.server.stop(false).await;
        if let Some(background) = self.background.take() {
            background.stopped().await;
        }
        self.app.db.close();
    }

    /// Waits until the board has prices of the clock's now.
    pub async fn rates_ready(&self) {
        let board = self.app.rates.board(Mode::Test).unwrap();
        let pairs: Vec<_> = self.app.wallet.house.pairs.iter().copied().collect();
        for _ in 0..500 {
            if board.is_ready(&pairs, self.clock.now()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no rates");
    }

    pub fn advance(&self, secs: i64) {
        self.clock.advance(TimeDelta::seconds(secs));
    }

    pub fn token(&self, user: &str, kyc: u8) -> String {
        let ttl = TimeDelta::hours(1);
        mint_development_token(&self.app.settings, user, Some(kyc), ttl, self.clock.now()).unwrap()
    }

    /// A user with KYC level 3.
    pub fn user(&self, name: &str) -> Client<'_> {
        self.user_at(name, 3)
    }

    pub fn user_at(&self, name: &str, kyc: u8) -> Client<'_> {
        Client { world: self, name: name.to_owned(), token: self.token(name, kyc), headers: Vec::new() }
    }

    pub async fn wallet_user(&self, name: &str) -> User {
        self.app.wallet.user("demo", Mode::Test, name, Some(3)).await.unwrap()
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.url))).await
    }

    /// One number out of the database.
    pub async fn count(&self, sql: &str) -> i64 {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let count = client.query_one(sql, &[]).await.unwrap().get(0);
        driver.abort();
        count
    }

    pub async fn execute(&self, sql: &str) {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        client.batch_execute(sql).await.unwrap();
        driver.abort();
    }

    /// The id of one of the sandbox's accounts, as a provider is told it.
    pub async fn provider_account(&self) -> String {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let sql = "SELECT 'pac_' || replace(id::text, '-', '') FROM provider_account LIMIT 1";
        let id = client.query_one(sql, &[]).await.unwrap().get(0);
        driver.abort();
        id
    }

    /// Everything that was written down, as text: for looking whether something is in there.
    pub async fn dump(&self) -> String {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'";
        let mut dump = String::new();
        for table in client.query(tables, &[]).await.unwrap() {
            let table: &str = table.get(0);
            for row in client.query(&format!("SELECT t::text FROM {table} t"), &[]).await.unwrap() {
                dump.push_str(row.get::<_, &str>(0));
                dump.push('\n');
            }
        }
        driver.abort();
        dump
    }
}

/// A user's app.
#[derive(Clone)]
pub struct Client<'a> {
    world: &'a World,
    pub name: String,
    token: String,
    headers: Vec<(&'static str, String)>,
}

impl Client<'_> {
    /// The same app with a header more in every request.
    pub fn header(&self, name: &'static str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name, value.to_owned()));
        other
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.world.client.request(method, format!("{}{path}", self.world.url)).bearer_auth(&self.token);
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.world.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.text(Method::POST, path, &body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.text(Method::PUT, path, &body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.world.send(self.request(Method::DELETE, path)).await
    }

    /// A body exactly as written.
    pub async fn text(&self, method: Method, path: &str, body: &str) -> Answer {
        let request = self.request(method, path).header("Content-Type", "application/json").body(body.to_owned());
        self.world.send(request).await
    }

    pub async fn pay(&self, offer_id: &Value) -> Answer {
        self.world.send(self.request(Method::POST, &format!("/v4/payout/pay/{offer_id}"))).await
    }

    /// Adds a card and answers its id.
    pub async fn card(&self, number: &str) -> Value {
        self.post("/v4/payout/card", &card(number)).await.ok()["cardId"].clone()
    }

    pub async fn fund(&self, amount: &str) {
        let user = self.world.wallet_user(&self.name).await;
        let reference = format!("test-{}-{amount}", self.name);
        self.world.app.wallet.credit(&user, "USDT", amount, &reference).await.unwrap();
    }

    /// An offer of `amount` USDT to a card.
    pub async fn offer(&self, card_id: &Value, amount: &str) -> Value {
        self.world.rates_ready().await;
        self.post("/v4/payout/offer", &offer(card_id, amount)).await.ok()
    }
}

/// A body that adds a card.
pub fn card(number: &str) -> Value {
    json!({
        "cardNumber": number, "cardHolder": "ALICE EXAMPLE", "cardExpirationYear": "2035", "cardExpirationMonth": "12"
    })
}

/// A body that asks for an offer.
pub fn offer(card_id: &Value, amount: &str) -> Value {
    json!({ "amount": amount, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": card_id })
}

/// `body` with `field` set to `value`.
pub fn with(body: &Value, field: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[field] = value;
    body
}

/// `body` without `field`.
pub fn without(body: &Value, field: &str) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove(field);
    body
}
