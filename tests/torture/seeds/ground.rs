//! What simulations run on: processes over one database, built once and put back to what they began with before each seed.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use landfall::app::App;
use landfall::clock::{Clock, ManualClock};
use landfall::config::Settings;
use landfall::config::gateway::{DepositAccountSeed, ProviderAccountSeed, SchemeSeed};
use landfall::domain::ids::{Mode, ProviderAccountId};
use rust_decimal::{Decimal, dec};
use serde_json::json;

use super::bank::{Bank, LaneState, ONCE, STEADY};
use super::draw::Draw;
use crate::partner::{Partner, with_test_service};
use crate::world::World;

/// How many processes there are.
pub const PROCESSES: usize = 3;
/// What the partner has at first, in USD and in EUR each.
pub const FUNDS: Decimal = dec!(100000);
const STRATEGIES: [&str; 6] = ["direct", "balance", "weight", "optimal", "cost", "conversion"];
/// The earliest that a simulation begins, in seconds since 1970.
const STARTS_AT: i64 = 1_900_000_000;
/// After so many seeds dead rows are swept.
const SWEPT_EVERY: u64 = 20;

/// A route to a deposit account at a provider account of its own. `code` names all of them.
pub struct Lane {
    pub code: &'static str,
    provider: &'static str,
    service: &'static str,
    currency: &'static str,
    pub balance: Decimal,
    /// Whether its balance is what the provider reports, and not what our books keep.
    is_synced: bool,
}

const fn lane(code: &'static str, provider: &'static str, balance: Decimal, is_synced: bool) -> Lane {
    Lane { code, provider, service: "test_usd", currency: "USD", balance, is_synced }
}

pub const LANES: [Lane; 10] = [
    lane("a", STEADY, dec!(400), false),
    lane("b", ONCE, dec!(1500), false),
    lane("c", STEADY, dec!(4000), false),
    lane("d", ONCE, dec!(8000), false),
    lane("e", STEADY, dec!(1200), true),
    lane("f", ONCE, dec!(5000), true),
    lane("g", STEADY, dec!(150), false),
    lane("h", STEADY, dec!(9000), true),
    Lane { service: "card_eur", currency: "EUR", ..lane("x", STEADY, dec!(3000), false) },
    Lane { service: "card_eur", currency: "EUR", ..lane("y", ONCE, dec!(6000), true) },
];

fn configure(settings: &mut Settings) {
    with_test_service(settings);
    settings.gateway.balance_sync_secs = 30;
    let gateway = &mut settings.gateway;
    let model = gateway.routes.iter().find(|route| route.service == "test_usd").unwrap().clone();
    gateway.routes.clear();
    for (lane, position) in LANES.iter().zip(1..) {
        let mut of_lane = BTreeMap::from([
            ("base_url".to_owned(), format!("http://{}", lane.code)),
            ("account".to_owned(), lane.code.to_owned()),
        ]);
        if lane.is_synced {
            of_lane.insert("balance".to_owned(), "provider".to_owned());
        }
        gateway.provider_accounts.push(ProviderAccountSeed {
            code: lane.code.to_owned(),
            provider: lane.provider.to_owned(),
            mode: Mode::Test,
            enabled: true,
            settings: of_lane,
            credentials_env: BTreeMap::new(),
        });
        gateway.deposit_accounts.push(DepositAccountSeed {
            code: lane.code.to_owned(),
            provider_account: lane.code.to_owned(),
            currency: lane.currency.parse().unwrap(),
            initial_balance: Some(lane.balance.to_string()),
        });
        let mut route = model.clone();
        route.code = lane.code.to_owned();
        route.service = lane.service.to_owned();
        route.deposit_account = lane.code.to_owned();
        (route.amount_min, route.amount_max) = (None, None);
        (route.cost_percent, route.cost_fixed) = ("0".to_owned(), "0".to_owned());
        route.position = position;
        gateway.routes.push(route);
    }
    for strategy in STRATEGIES {
        let over = |service: &str| {
            let routes: Vec<_> = LANES.iter().filter(|lane| lane.service == service).map(|lane| lane.code).collect();
            json!({"strategies": [{"strategy": strategy, "routes": routes}]})
        };
        let body = json!({"services": {"test_usd": over("test_usd"), "card_eur": over("card_eur")}});
        gateway.payout_schemes.push(SchemeSeed {
            code: format!("by-{strategy}"),
            modes: vec![Mode::Test],
            name: strategy.to_owned(),
            body: body.to_string(),
        });
    }
}

/// Processes, their database and the provider.
pub struct Ground {
    pub world: World,
    /// The processes beside the world's own.
    pub others: Vec<App>,
    pub bank: Bank,
    pub partner: Partner,
    /// A connection for looking and setting up, of no process.
    pub eye: tokio_postgres::Client,
    pub accounts: BTreeMap<String, ProviderAccountId>,
    reset: String,
    begun: u64,
    sweep: String,
}

impl Ground {
    pub async fn new() -> Self {
        let clock = ManualClock::at(DateTime::from_timestamp(STARTS_AT, 0).unwrap() - TimeDelta::days(1));
        let bank = Bank::new(clock.clone());
        let world = World::with_clock(clock, configure, super::bank::Adapter::both(&bank)).await;
        let mut others = Vec::new();
        for _ in 1..PROCESSES {
            others.push(world.another_process(configure, super::bank::Adapter::both(&bank)).await);
        }
        let partner = Partner::with(&world, FUNDS).await;
        partner.credit(&world, "EUR", FUNDS).await;
        let (eye, driver) = world.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(driver);
        let accounts = eye.query("SELECT code, id::text FROM provider_account", &[]).await.unwrap();
        let accounts = accounts
            .iter()
            .map(|row| (row.get(0), ProviderAccountId(row.get::<_, &str>(1).parse().unwrap())))
            .collect();
        let (reset, sweep) = remember(&eye).await;
        Self { world, others, bank, partner, eye, accounts, reset, begun: 0, sweep }
    }

    pub fn app(&self, process: usize) -> &App {
        if process == 0 { &self.world.app } else { &self.others[process - 1] }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.world.clock.now()
    }

    /// Puts the world back to its beginning, as this seed has it. Answers what it is like, for the log.
    pub async fn begin(&mut self, seed: u64, draw: &mut Draw) -> String {
        self.eye.batch_execute(&self.reset).await.unwrap();
        self.begun += 1;
        if self.begun.is_multiple_of(SWEPT_EVERY) {
            self.eye.batch_execute(&self.sweep).await.unwrap();
        }
        // Any day of a year, any time of that day.
        let minutes = i64::try_from(seed % 525_600).unwrap() * 7;
        let start = DateTime::from_timestamp(STARTS_AT, 0).unwrap() + TimeDelta::minutes(minutes);
        self.world.clock.advance(start - self.now());
        let strategy = draw.of(&STRATEGIES);
        let mut sql = format!(
            "UPDATE payout_point SET payout_scheme_id = (SELECT id FROM payout_scheme WHERE code = 'by-{strategy}' AND mode = 'test') \
             WHERE mode = 'test';"
        );
        let mut lanes = BTreeMap::new();
        let mood = draw.of(&[20, 40, 60, 80]);
        let mut told = format!("{strategy}, mood {mood}:");
        for lane in &LANES {
            let is_on = draw.percent(65) || lane.code == "d" || lane.code == "y";
            let min = if draw.percent(25) { draw.amount(1, 30).to_string() } else { "NULL".to_owned() };
            let max = if draw.percent(45) { draw.amount(40, 160).to_string() } else { "NULL".to_owned() };
            let cost = draw.of(&["0", "0", "1", "0.5"]);
            let weight = draw.between(1, 5);
            sql.push_str(&format!(
                "UPDATE payout_route SET enabled = {is_on}, amount_min = {min}, amount_max = {max}, cost_percent = {cost}, \
                 weight = {weight} WHERE code = '{}' AND mode = 'test';",
                lane.code
            ));
            let wild = if draw.percent(25) { mood / 4 } else { mood };
            if is_on {
                told.push_str(&format!(" {}({min}..{max}, {wild}%)", lane.code));
            }
            lanes.insert(
                lane.code.to_owned(),
                LaneState {
                    currency: lane.currency,
                    at_first: lane.balance,
                    balance: lane.balance,
                    knows_repeats: lane.provider == STEADY,
                    wild,
                    outage_until: None,
                    tainted: false,
                },
            );
        }
        self.eye.batch_execute(&sql).await.unwrap();
        self.bank.begin(draw.fork(), lanes);
        for process in 0..PROCESSES {
            self.app(process).gateway.routes.forget();
            // What was read of the last seed isn't a second old by the clock, and may be younger than it.
            self.app(process).gateway.snapshot().await.unwrap();
        }
        told
    }

    /// Puts fresh prices on every process's board.
    pub fn quote_rates(&self) {
        let tick = |pair: &str, bid: &str, ask: &str| landfall::rates::source::Tick {
            pair: pair.parse().unwrap(),
            bid: bid.parse().unwrap(),
            ask: ask.parse().unwrap(),
            source_time: None,
        };
        for process in 0..PROCESSES {
            let board = self.app(process).rates.board(Mode::Test).unwrap();
            board.record("fixed", &[tick("USDT/EUR", "0.9297", "0.9301")], self.now());
        }
    }

    /// Transactions of a process that died end with its connections.
    pub async fn bury(&self) {
        self.eye
            .batch_execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'",
            )
            .await
            .unwrap();
    }
}

/// Keeps a copy of every table, and answers what puts them back and what sweeps up after that.
async fn remember(eye: &tokio_postgres::Client) -> (String, String) {
    let tables = eye
        .query(
            // Data keys stay: processes have them in memory.
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_%' AND tablename <> 'dek' \
             ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let mut reset = String::from("BEGIN; SET LOCAL session_replication_role = replica;");
    let mut swept = Vec::new();
    eye.batch_execute("CREATE SCHEMA kept").await.unwrap();
    for row in tables {
        let table: &str = row.get(0);
        // No statistics either: a plan isn't to change between two runs of a seed.
        let keep = format!(
            "CREATE TABLE kept.{table} AS TABLE public.{table}; ALTER TABLE public.{table} SET (autovacuum_enabled = false)"
        );
        eye.batch_execute(&keep).await.unwrap();
        let kept: i64 = eye.query_one(&format!("SELECT count(*) FROM kept.{table}"), &[]).await.unwrap().get(0);
        // Jobs that are due at one time are taken in the order in which they lie: it is to be the same each time.
        let empties = if table == "job" { "TRUNCATE" } else { "DELETE FROM" };
        reset.push_str(&format!("{empties} public.{table};"));
        if kept > 0 {
            reset.push_str(&format!("INSERT INTO public.{table} SELECT * FROM kept.{table};"));
        }
        swept.push(format!("public.{table}"));
    }
    reset.push_str("COMMIT");
    (reset, format!("VACUUM {}", swept.join(", ")))
}
