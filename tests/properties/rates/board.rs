//! A board of four sources over real HTTP, set up from configuration as it is for live money, through what happens to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use landfall::clock::{Clock, ManualClock};
use landfall::config::rates::RatesSettings;
use landfall::config::{DEFAULT_TOML, Problems};
use landfall::domain::ids::Mode;
use landfall::rates::backoff::Backoff;
use landfall::rates::price::WhyUnavailable;
use landfall::rates::runner::Runner;
use landfall::rates::{Board, BoardPrice, RateError, Rates};
use rust_decimal::dec;
use tokio::sync::watch;

use super::exchange::{Exchange, Reply, Way};
use super::{clock, pair, recorded, until};

const BINANCE: &str = "/api/v3/ticker/bookTicker";
const KRAKEN: &str = "/0/public/Ticker";
const COINBASE: &str = "/v2/exchange-rates";
const ECB: &str = "/stats/eurofxref/eurofxref-daily.xml";

/// The `[rates]` section with `toml` laid over the defaults.
fn settings(toml: &str) -> RatesSettings {
    let text = |text| config::File::from_str(text, config::FileFormat::Toml);
    let layers = config::Config::builder().add_source(text(DEFAULT_TOML)).add_source(text(toml));
    layers.build().and_then(|built| built.get("rates")).unwrap()
}

struct Stage {
    exchange: Exchange,
    clock: ManualClock,
    board: Arc<Board>,
    _stop: watch::Sender<bool>,
    _runner: Runner,
}

impl Stage {
    async fn start() -> Self {
        let exchange = Exchange::open().await;
        let url = &exchange.url;
        let settings = settings(&format!(
            r#"
            [rates.sources.binance]
            url = "{url}"
            stream_url = ""
            poll_ms = 20
            timeout_ms = 300
            symbols = [{{ symbol = "EURUSDT", pair = "EUR/USDT" }}]
            [rates.sources.kraken]
            url = "{url}"
            poll_ms = 20
            timeout_ms = 300
            symbols = [{{ symbol = "USDTEUR", pair = "USDT/EUR" }}, {{ symbol = "EURGBP", pair = "EUR/GBP" }}]
            [rates.sources.coinbase]
            url = "{url}"
            poll_ms = 20
            timeout_ms = 300
            pairs = ["USDT/EUR", "EUR/GBP"]
            [rates.sources.ecb]
            url = "{url}"
            poll_ms = 20
            timeout_ms = 300
            pairs = ["EUR/GBP"]
            [rates.live]
            sources = ["binance", "kraken", "coinbase", "ecb"]
            max_age_ms = 10000
            max_deviation = "0.01"
            min_sources = 2
            crosses = [{{ pair = "USDT/GBP", via = ["USDT/EUR", "EUR/GBP"] }}]
            "#
        ));
        let mut problems = Problems::default();
        settings.check(true, &mut problems);
        assert!(problems.0.is_empty(), "{problems:?}");
        let clock = clock();
        let rates = Rates::build(&settings, &[Mode::Live], Arc::new(clock.clone())).unwrap();
        let (stop, stopped) = watch::channel(false);
        let backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(100) };
        let board = Arc::clone(rates.board(Mode::Live).unwrap());
        for path in [BINANCE, KRAKEN, COINBASE, ECB] {
            recover(&exchange, path);
        }
        let runner = rates.start_with(backoff, stopped);
        Self { exchange, clock, board, _stop: stop, _runner: runner }
    }

    fn price(&self, text: &str) -> Result<BoardPrice, WhyUnavailable> {
        self.board.price(pair(text), self.clock.now()).map_err(|RateError::Unavailable { why, .. }| why)
    }

    /// The sources that make the price, by name; none while there is no price.
    fn used(&self, text: &str) -> Vec<String> {
        let used = self.price(text).map(|price| price.sources).unwrap_or_default();
        used.into_iter().map(|quote| quote.source).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What was heard before is stale from now on.
    fn age(&self) {
        self.clock.advance(TimeDelta::seconds(11));
    }

    /// From now on `source` fails.
    async fn fail(&self, source: &str, path: &'static str, reply: Reply) {
        self.exchange.answer(path, reply);
        // An answer that was on its way would be fresh after the clock is moved.
        until("its failure", || self.failures(source) > 0).await;
    }

    async fn used_become(&self, text: &str, names: &[&str]) {
        until(&format!("{text} made by {names:?}"), || self.used(text) == names).await;
    }

    fn failures(&self, source: &str) -> u32 {
        self.board.health().into_iter().find(|health| health.source == source).unwrap().failures_consecutive
    }
}

fn recover(exchange: &Exchange, path: &'static str) {
    match path {
        BINANCE => exchange.answer(path, Reply::ok(recorded("binance_book_ticker.json"))),
        KRAKEN => exchange.answer(path, Reply::ok(recorded("kraken_ticker.json"))),
        ECB => exchange.answer(path, Reply::ok(recorded("ecb_daily.xml"))),
        _ => exchange.answer_by(path, |query| match query {
            "currency=USDT" => Reply::ok(recorded("coinbase_usdt.json")),
            _ => Reply::ok(recorded("coinbase_eur.json")),
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quoting_goes_on_until_too_few_are_fresh_then_refuses_and_recovers_by_itself() {
    let stage = Stage::start().await;
    let exchange = &stage.exchange;

    // All is well: each leg by those that know it, and the evidence names them.
    stage.used_become("USDT/EUR", &["binance", "coinbase", "kraken"]).await;
    stage.used_become("EUR/GBP", &["coinbase", "ecb", "kraken"]).await;
    let price = stage.price("USDT/GBP").unwrap();
    assert_eq!(price.sources.len(), 6, "{price:?}");
    assert_eq!(stage.price("USDT/EUR").unwrap().price, dec!(0.929713648196), "the middle one: Binance's 1 / 1.0756");
    assert_eq!(price.as_of, "2026-11-20T13:15:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());

    // An outage of one: nobody notices but its health.
    stage.fail("binance", BINANCE, Reply::status(503, "")).await;
    stage.age();
    stage.used_become("USDT/EUR", &["coinbase", "kraken"]).await;
    stage.used_become("USDT/GBP", &["coinbase", "ecb", "kraken"]).await;

    // A second one hangs: one fresh source is no market. The leg between currencies has two left.
    stage.fail("kraken", KRAKEN, Reply::ok("").by(Way::Silent)).await;
    stage.age();
    stage.used_become("EUR/GBP", &["coinbase", "ecb"]).await;
    let leg = pair("USDT/EUR");
    until("the refusal", || stage.price("USDT/EUR") == Err(WhyUnavailable::TooFewFresh { leg, fresh: 1, needed: 2 }))
        .await;
    assert!(stage.price("USDT/GBP").is_err(), "a path is as good as its worst leg");

    // It comes back, and so does the price.
    recover(exchange, KRAKEN);
    stage.used_become("USDT/EUR", &["coinbase", "kraken"]).await;

    // One of the two is out of line: nobody can tell which, so no price.
    let wrong = recorded("coinbase_usdt.json").replace("0.92985", "0.82985");
    exchange.answer(COINBASE, Reply::ok(wrong));
    let torn = WhyUnavailable::Disagreement { leg, fresh: 2, agreeing: 1, needed: 2 };
    until("the disagreement", || stage.price("USDT/EUR").as_ref() == Err(&torn)).await;

    // A third one settles it, against the outlier.
    recover(exchange, BINANCE);
    stage.used_become("USDT/EUR", &["binance", "kraken"]).await;
    until("its health", || stage.failures("binance") == 0).await;
    assert_eq!(stage.price("USDT/EUR").unwrap().price, dec!(0.9297));

    // The outlier comes to its senses.
    recover(exchange, COINBASE);
    stage.used_become("USDT/EUR", &["binance", "coinbase", "kraken"]).await;

    // The central bank's rates are good over a long weekend, and not for a week.
    stage.clock.advance(TimeDelta::days(3));
    stage.used_become("EUR/GBP", &["coinbase", "ecb", "kraken"]).await;
    stage.clock.advance(TimeDelta::days(3));
    stage.used_become("EUR/GBP", &["coinbase", "kraken"]).await;

    // Slow ones agree among themselves, and that is not enough: without markets there is no price.
    for (source, path) in [("binance", BINANCE), ("kraken", KRAKEN), ("coinbase", COINBASE)] {
        stage.fail(source, path, Reply::status(500, "")).await;
    }
    exchange.answer(ECB, Reply::ok(recorded("ecb_daily.xml").replace("2026-11-20", "2026-11-26")));
    stage.age();
    let leg = pair("EUR/GBP");
    until("the last refusal", || {
        stage.price("EUR/GBP") == Err(WhyUnavailable::TooFewFresh { leg, fresh: 1, needed: 2 })
    })
    .await;
    for path in [BINANCE, KRAKEN, COINBASE] {
        recover(exchange, path);
    }
    stage.used_become("EUR/GBP", &["coinbase", "ecb", "kraken"]).await;
    stage.used_become("USDT/GBP", &["binance", "coinbase", "ecb", "kraken"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_asks_for_patience_is_left_alone_while_the_others_go_on() {
    let stage = Stage::start().await;
    stage.used_become("USDT/EUR", &["binance", "coinbase", "kraken"]).await;
    let banned = Reply::status(418, recorded("binance_banned.json")).with("Retry-After", "3600");
    stage.fail("binance", BINANCE, banned).await;
    let asked = || stage.exchange.asked().iter().filter(|asked| asked.starts_with(BINANCE)).count();
    let (before, all) = (asked(), stage.exchange.asked().len());
    until("the others being asked on", || stage.exchange.asked().len() > all + 20).await;
    assert_eq!(asked(), before, "banned for an hour, and not asked");
    stage.age();
    stage.used_become("USDT/EUR", &["coinbase", "kraken"]).await;
}

#[tokio::test]
async fn the_central_banks_rates_do_not_outlive_their_age_though_just_received() {
    let stage = Stage::start().await;
    stage.used_become("EUR/GBP", &["coinbase", "ecb", "kraken"]).await;
    stage.exchange.answer(ECB, Reply::ok(recorded("ecb_daily.xml").replace("2026-11-20", "2026-11-12")));
    stage.clock.advance(TimeDelta::days(6));
    stage.used_become("EUR/GBP", &["coinbase", "kraken"]).await;
}
