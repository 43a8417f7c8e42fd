//! A whole application over a database of its own, driven without HTTP: steps one by one, or with its workers.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use landfall::app::{App, Background};
use landfall::clock::{Clock, ManualClock, SystemClock};
use landfall::config::Settings;
use landfall::domain::ids::{CardId, Mode, OfferId, PayoutRequestId};
use landfall::gateway::complete::{Report, Source};
use landfall::providers::provider::Provider;
use landfall::store::payouts::{self, Payout};
use landfall::store::requests::{self, PayoutRequest};
use landfall::wallet::User;
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::cards::AddCard;
use landfall::wallet::offers::OfferInput;
use landfall::wallet::view::{OfferView, PayView};
use rust_decimal::Decimal;
use zeroize::Zeroizing;

use crate::support::TestDb;

pub const PAID: &str = "4111111111111111";

pub struct World {
    pub app: App,
    pub clock: ManualClock,
    #[allow(dead_code, reason = "other test binaries make copies of it")]
    pub test_db: TestDb,
    _dir: tempfile::TempDir,
}

/// The shipped settings, with short delays of the sandbox.
pub fn settings(dir: &tempfile::TempDir) -> Settings {
    let mut settings = Settings::load(None).unwrap();
    settings.data_dir = dir.path().to_owned();
    settings.providers.test.timeout_ms = 20;
    settings.providers.test.later_ms = 50;
    settings.providers.test.settling_time_ms = 100;
    settings.worker.poll_ms = 20;
    settings
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}, Vec::new()).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings), adapters: Vec<Arc<dyn Provider>>) -> Self {
        Self::with_clock(ManualClock::at(SystemClock.now()), change, adapters).await
    }

    /// By a clock that somebody else has too.
    pub async fn with_clock(
        clock: ManualClock,
        change: impl FnOnce(&mut Settings),
        adapters: Vec<Arc<dyn Provider>>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(&dir);
        change(&mut settings);
        let test_db = TestDb::new().await;
        let app = App::build_with(settings, Arc::new(clock.clone()), test_db.db(), adapters).await.unwrap();
        let world = Self { app, clock, test_db, _dir: dir };
        world.quote_rates();
        world
    }

    /// A process of its own over the same database, with the same keys.
    #[allow(dead_code, reason = "other test binaries make copies of it")]
    pub async fn another_process(&self, change: impl FnOnce(&mut Settings), adapters: Vec<Arc<dyn Provider>>) -> App {
        let mut settings = settings(&self._dir);
        change(&mut settings);
        App::build_with(settings, Arc::new(self.clock.clone()), self.test_db.db(), adapters).await.unwrap()
    }

    /// Puts fresh prices on the board.
    pub fn quote_rates(&self) {
        let tick = |pair: &str, bid: &str, ask: &str| landfall::rates::source::Tick {
            pair: pair.parse().unwrap(),
            bid: bid.parse().unwrap(),
            ask: ask.parse().unwrap(),
            source_time: None,
        };
        let board = self.app.rates.board(Mode::Test).unwrap();
        board.record(
            "fixed",
            &[tick("USDT/EUR", "0.9297", "0.9301"), tick("BTC/EUR", "62290", "62315")],
            self.app.clock.now(),
        );
    }

    pub fn advance(&self, millis: i64) {
        self.clock.advance(TimeDelta::milliseconds(millis));
    }

    /// Starts the workers and the lanes.
    pub fn start(&self) -> Background {
        self.app.start(true).unwrap()
    }

    pub async fn user(&self, name: &str) -> User {
        self.app.wallet.user("demo", Mode::Test, name, Some(3)).await.unwrap()
    }

    pub async fn funded(&self, name: &str, amount: &str) -> User {
        let user = self.user(name).await;
        self.app.wallet.credit(&user, "USDT", amount, &format!("test-{name}")).await.unwrap();
        user
    }

    pub async fn card(&self, user: &User, number: &str) -> CardId {
        let card = AddCard {
            number: Zeroizing::new(number.to_owned()),
            holder: "ALICE EXAMPLE".to_owned(),
            expiry_year: "2035".to_owned(),
            expiry_month: "12".to_owned(),
        };
        self.app.wallet.add_card(user, card).await.unwrap().id
    }

    pub async fn offer(&self, user: &User, card: CardId, amount: &str) -> OfferView {
        self.quote_rates();
        let input = OfferInput {
            amount: Some(amount.to_owned()),
            amount_to: None,
            currency_from: "USDT".to_owned(),
            currency_to: "EUR".to_owned(),
        };
        self.app.wallet.create_offer(user, input, card).await.unwrap()
    }

    pub async fn offer_to(&self, user: &User, card: CardId, amount_to: &str) -> OfferView {
        self.quote_rates();
        let input = OfferInput {
            amount: None,
            amount_to: Some(amount_to.to_owned()),
            currency_from: "USDT".to_owned(),
            currency_to: "EUR".to_owned(),
        };
        self.app.wallet.create_offer(user, input, card).await.unwrap()
    }

    /// Accepts an offer without workers and without waiting.
    pub async fn accept(&self, user: &User, offer_id: OfferId) -> Answer {
        let pay = Pay { user: user.clone(), offer_id, seen_version: None, request_id: PayoutRequestId::new() };
        self.app.wallet.accept(&[pay]).await.unwrap().remove(0)
    }

    pub async fn state(&self, user: &User, offer_id: OfferId) -> PayView {
        self.app.wallet.pay_state(user, offer_id, std::time::Duration::ZERO).await.unwrap()
    }

    /// A user with a card and an accepted offer of `amount_to` EUR.
    pub async fn accepted(&self, name: &str, number: &str, amount_to: &str) -> Accepted {
        let user = self.funded(name, "3000").await;
        let card = self.card(&user, number).await;
        let offer = self.offer_to(&user, card, amount_to).await;
        match self.accept(&user, offer.id).await {
            Answer::Accepted(request_id) => Accepted { user, offer, request_id },
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Dispatches and sends what is due, and answers what providers said, unapplied.
    pub async fn send_due(&self) -> Vec<Report> {
        let (tasks, _) = self.app.gateway.dispatch(100).await.unwrap();
        let mut reports = Vec::new();
        for task in &tasks {
            reports.extend(self.app.gateway.send(task).await);
        }
        let invokes = self.app.gateway.claim_invokes(100).await.unwrap();
        reports.extend(invokes.reports);
        for task in &invokes.tasks {
            reports.extend(self.app.gateway.send(task).await);
        }
        reports
    }

    /// Does everything that is due now, once.
    pub async fn step(&self) {
        let mut reports = self.send_due().await;
        for payout in self.app.gateway.claim_inquiries(100).await.unwrap() {
            reports.extend(self.app.gateway.inquire(&payout).await);
        }
        self.app.gateway.complete(&reports).await.unwrap();
        self.app.gateway.apply_callbacks(100).await.unwrap();
    }

    pub async fn request(&self, accepted: &Accepted) -> PayoutRequest {
        let conn = self.app.db.get().await.unwrap();
        requests::find(&conn, accepted.user.tenant, accepted.request_id).await.unwrap().unwrap()
    }

    pub async fn payouts(&self, accepted: &Accepted) -> Vec<Payout> {
        let conn = self.app.db.get().await.unwrap();
        payouts::of_requests(&conn, &[(accepted.user.tenant, accepted.request_id)]).await.unwrap()
    }

    pub async fn balance(&self, user: &User) -> (Decimal, Decimal) {
        let balances = self.app.wallet.balances(user).await.unwrap();
        balances.first().map_or((Decimal::ZERO, Decimal::ZERO), |b| (b.available.normalize(), b.held.normalize()))
    }

    /// A report as a callback would bring it.
    pub fn callback(&self, payout: &Payout, outcome: landfall::providers::provider::Outcome) -> Report {
        Report {
            tenant: payout.tenant(),
            request_id: payout.request_id,
            payout_id: payout.id,
            source: Source::Callback,
            outcome,
        }
    }

    /// The one row that a statement answers.
    #[allow(dead_code, reason = "other test binaries make copies of it")]
    pub async fn row(
        &self,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> tokio_postgres::Row {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let row = client.query_one(sql, parameters).await.unwrap();
        driver.abort();
        row
    }

    /// Every invariant, held against the database as it is now.
    pub async fn verify(&self) -> landfall::verify::Report {
        let (vault, house) = (&self.app.vault, &self.app.wallet.house);
        landfall::verify::run(&self.app.db, vault, house, self.app.clock.now()).await.unwrap()
    }

    /// Ends the test: whatever happened, every invariant holds over the whole database.
    pub async fn finish(self) {
        let report = self.verify().await;
        assert!(report.is_clean(), "{report}");
    }
}

pub struct Accepted {
    pub user: User,
    pub offer: OfferView,
    pub request_id: PayoutRequestId,
}

/// Waits until `check` holds, for seconds at most.
pub async fn eventually<F: AsyncFn() -> bool>(what: &str, check: F) {
    let deadline = Utc::now() + TimeDelta::seconds(20);
    while Utc::now() < deadline {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never happened: {what}");
}
