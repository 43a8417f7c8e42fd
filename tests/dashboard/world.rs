//! A small Landfall behind the dashboard: two partners, the sandbox provider, a clock that is moved by hand. Payouts are driven step by
//! step, so that tests know what was written.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{App, HttpServer, web};
use chrono::{DateTime, Utc};
use landfall::app;
use landfall::clock::{Clock, ManualClock};
use landfall::config::Settings;
use landfall::config::gateway::PartnerSeed;
use landfall::config::staff::MakerChecker;
use landfall::domain::ids::{CardId, Mode, OfferId, PayoutRequestId};
use landfall::domain::staff::Role;
use landfall::http::dashboard;
use landfall::rates::pair_text;
use landfall::rates::{Rates, Tick};
use landfall::staff::desk::Desk;
use landfall::staff::{Policy, Staff};
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::cards::AddCard;
use landfall::wallet::offers::OfferInput;
use landfall::wallet::{User, Wallet};
use rust_decimal::dec;
use secrecy::SecretString;

use crate::browser::Browser;
use crate::support::TestDb;

pub const EMAIL: &str = "ada@landfall.example";
pub const PASSWORD: &str = "correct horse battery staple";
/// The sandbox pays these; it declines the second card for good, and never answers for the third.
pub const GOOD_CARD: &str = "4111 1111 1111 1111";
pub const RESTRICTED_CARD: &str = "4000 0000 0013 0205";
pub const SILENT_CARD: &str = "4000 0000 0013 0601";

pub struct World {
    pub clock: ManualClock,
    pub staff: Arc<Staff>,
    pub wallet: Arc<Wallet>,
    pub url: String,
    pub folder: tempfile::TempDir,
    test_db: TestDb,
    credits: AtomicU64,
}

impl World {
    /// With `ada`, a viewer, who can sign in.
    pub async fn new() -> Self {
        Self::of(false, MakerChecker::Live).await
    }

    /// The same, where a second factor is needed, or a second person.
    pub async fn of(needs_totp: bool, maker_checker: MakerChecker) -> Self {
        let test_db = TestDb::new().await;
        let folder = tempfile::tempdir().unwrap();
        // In the middle of a day, so that moving the clock doesn't begin another.
        let clock = ManualClock::at("2026-03-14T12:00:00Z".parse().unwrap());
        let mut settings = Settings::load(None).unwrap();
        settings.data_dir = folder.path().to_owned();
        settings.gateway.partners.push(PartnerSeed { code: "acme".into(), name: "Acme & Sons".into() });
        let mut acme = settings.gateway.payout_points[0].clone();
        acme.partner = "acme".into();
        settings.gateway.payout_points.push(acme);
        settings.providers.test.timeout_ms = 10;
        settings.staff.maker_checker = maker_checker;
        let app = app::App::build(settings, Arc::new(clock.clone()), test_db.db()).await.unwrap();
        let wallet = Arc::clone(&app.wallet);
        tick(&wallet.rates, clock.now());
        let policy = Policy { needs_totp, mode: Mode::Test };
        let staff = Staff::new(test_db.db(), Arc::new(clock.clone()), Arc::clone(&app.vault), policy);
        let staff = Arc::new(staff.unwrap());
        staff.create(EMAIL, "Ada", Role::Viewer, &SecretString::from(PASSWORD)).await.unwrap();
        let url = serve(Arc::clone(&staff), Arc::new(Desk::new(Arc::clone(&wallet), vec![Mode::Test, Mode::Live])));
        Self { clock, staff, wallet, url, folder, test_db, credits: AtomicU64::new(0) }
    }

    /// A browser that isn't signed in.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.url)
    }

    /// A browser in which somebody of that role is signed in.
    pub async fn signed_in_as(&self, role: Role) -> Browser {
        let email = format!("{role}@landfall.example");
        self.staff.create(&email, role.as_str(), role, &SecretString::from(PASSWORD)).await.unwrap();
        let browser = self.browser();
        assert_eq!(browser.sign_in(&email, PASSWORD).await.status, 303);
        browser
    }

    /// A browser in which Ada is signed in.
    pub async fn signed_in(&self) -> Browser {
        let browser = self.browser();
        let answer = browser.sign_in(EMAIL, PASSWORD).await;
        assert_eq!((answer.status, answer.location.as_deref()), (303, Some("/dashboard")), "{}", answer.body);
        browser
    }

    pub async fn user(&self, partner: &str, reference: &str) -> User {
        self.wallet.user(partner, Mode::Test, reference, Some(3)).await.unwrap()
    }

    /// A card of the user's, with USDT to spend.
    pub async fn card(&self, user: &User, number: &str) -> CardId {
        let card = AddCard {
            number: number.to_owned().into(),
            holder: "ZAPHOD BEEBLEBROX".into(),
            expiry_year: "2030".into(),
            expiry_month: "1".into(),
        };
        let id = self.wallet.add_card(user, card).await.unwrap().id;
        let n = self.credits.fetch_add(1, Ordering::Relaxed);
        self.wallet.credit(user, "USDT", "5000", &format!("credit-{n}")).await.unwrap();
        id
    }

    pub async fn offer(&self, user: &User, card: CardId) -> OfferId {
        self.tick();
        self.wallet.create_offer(user, hundred_usdt(), card).await.unwrap().id
    }

    /// The offer's second version.
    pub async fn reprice(&self, user: &User, offer: OfferId) {
        self.tick();
        self.wallet.update_offer(user, offer, hundred_usdt()).await.unwrap();
    }

    /// Accepts the offer and sends its payout; the request's id.
    pub async fn pay(&self, user: &User, offer_id: OfferId) -> PayoutRequestId {
        let request_id = PayoutRequestId::new();
        let pay = Pay { user: user.clone(), offer_id, seen_version: None, request_id };
        let answers = self.wallet.accept(&[pay]).await.unwrap();
        assert!(matches!(answers[..], [Answer::Accepted(_)]), "{answers:?}");
        let gateway = &self.wallet.gateway;
        let (tasks, _) = gateway.dispatch(16).await.unwrap();
        for task in tasks {
            let report = gateway.send(&task).await.unwrap();
            gateway.complete(&[report]).await.unwrap();
        }
        request_id
    }

    /// Asks about what is open, until that many inquiries were made.
    pub async fn ask(&self, times: usize) {
        for _ in 0..times {
            self.clock.advance(chrono::TimeDelta::minutes(1));
            for payout in self.wallet.gateway.claim_inquiries(16).await.unwrap() {
                let report = self.wallet.gateway.inquire(&payout).await.unwrap();
                self.wallet.gateway.complete(&[report]).await.unwrap();
            }
            for task in self.wallet.gateway.claim_invokes(16).await.unwrap().tasks {
                let report = self.wallet.gateway.send(&task).await.unwrap();
                self.wallet.gateway.complete(&[report]).await.unwrap();
            }
        }
    }

    /// Prices that are fresh now.
    pub fn tick(&self) {
        tick(&self.wallet.rates, self.clock.now());
    }

    /// Writes behind everybody's back.
    pub async fn execute(&self, sql: &str) {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        driver.abort();
    }

    /// How the database would do that, in its words.
    pub async fn plan(&self, sql: &str) -> String {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        client.batch_execute("SET enable_seqscan = off").await.unwrap();
        let lines = client.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap();
        driver.abort();
        lines.iter().map(|line| line.get::<_, String>(0) + "\n").collect()
    }

    /// How the database would do a statement whose parameters are `?`, whatever they are. The second of these lets it read tables whole.
    pub async fn generic_plan(&self, sql: &str, reads_tables: bool) -> String {
        let mut text = String::new();
        let mut count = 0;
        for (n, piece) in sql.split('?').enumerate() {
            if n > 0 {
                count = n;
                text.push_str(&format!("${n}"));
            }
            text.push_str(piece);
        }
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let reads = if reads_tables { "on" } else { "off" };
        client
            .batch_execute(&format!("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = {reads}"))
            .await
            .unwrap();
        client
            .batch_execute(&format!("PREPARE asked AS {text}"))
            .await
            .unwrap_or_else(|error| panic!("{error:?}: {text}"));
        let nulls = vec!["NULL"; count].join(", ");
        let asked = if count == 0 { "asked".to_owned() } else { format!("asked ({nulls})") };
        let lines = client.simple_query(&format!("EXPLAIN EXECUTE {asked}")).await.unwrap();
        driver.abort();
        let line = |message: &tokio_postgres::SimpleQueryMessage| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(|line| format!("{line}\n")),
            _ => None,
        };
        lines.iter().filter_map(line).collect()
    }

    /// The first column of what the database answers.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let texts = client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        driver.abort();
        texts
    }

    /// A count that the database answers.
    pub async fn count(&self, sql: &str) -> i64 {
        let (client, driver) = self.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let count = client.query_one(sql, &[]).await.unwrap().get(0);
        driver.abort();
        count
    }
}

fn hundred_usdt() -> OfferInput {
    OfferInput { amount: Some("100".into()), amount_to: None, currency_from: "USDT".into(), currency_to: "EUR".into() }
}

fn tick(rates: &Rates, now: DateTime<Utc>) {
    let tick = Tick {
        pair: pair_text::parse("USDT/EUR").unwrap(),
        bid: dec!(0.9297),
        ask: dec!(0.9301),
        source_time: Some(now),
    };
    rates.board(Mode::Test).unwrap().record("fixed", &[tick], now);
}

fn serve(staff: Arc<Staff>, desk: Arc<Desk>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = move || {
        App::new()
            .app_data(web::Data::from(Arc::clone(&staff)))
            .app_data(web::Data::from(Arc::clone(&desk)))
            .configure(dashboard::routes)
    };
    tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
    url
}
