//! What each source makes of what it is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use landfall::rates::binance::BinanceSource;
use landfall::rates::coinbase::CoinbaseSource;
use landfall::rates::ecb::EcbSource;
use landfall::rates::kraken::KrakenSource;
use landfall::rates::source::TickError;
use landfall::rates::{Fetched, RateSource, SourceError, Tick};
use rust_decimal::{Decimal, dec};

use super::exchange::{Exchange, Reply, Way};
use super::{clock, pair, recorded, saturday, setup, symbols};

const BINANCE: &str = "/api/v3/ticker/bookTicker";
const KRAKEN: &str = "/0/public/Ticker";
const COINBASE: &str = "/v2/exchange-rates";
const ECB: &str = "/stats/eurofxref/eurofxref-daily.xml";

/// As of its receipt.
fn tick(text: &str, bid: Decimal, ask: Decimal) -> Tick {
    Tick { pair: pair(text), bid, ask, source_time: Some(saturday()) }
}

fn binance(exchange: &Exchange, named: &[(&str, &str)]) -> BinanceSource {
    BinanceSource::new(setup(&exchange.url, &clock()), symbols(named))
}

fn kraken(exchange: &Exchange, named: &[(&str, &str)]) -> KrakenSource {
    KrakenSource::new(setup(&exchange.url, &clock()), symbols(named))
}

fn coinbase(exchange: &Exchange, pairs: &[&str]) -> CoinbaseSource {
    CoinbaseSource::new(setup(&exchange.url, &clock()), &pairs.iter().map(|text| pair(text)).collect::<Vec<_>>())
}

fn ecb(exchange: &Exchange, pairs: &[&str]) -> EcbSource {
    EcbSource::new(setup(&exchange.url, &clock()), pairs.iter().map(|text| pair(text)).collect())
}

/// The recorded rates of the currency that is asked for.
fn coinbase_answers(query: &str) -> Reply {
    match query {
        "currency=USDT" => Reply::ok(recorded("coinbase_usdt.json")),
        "currency=BTC" => Reply::ok(recorded("coinbase_btc.json")),
        "currency=EUR" => Reply::ok(recorded("coinbase_eur.json")),
        _ => Reply::status(400, recorded("coinbase_invalid.json")),
    }
}

fn lacking(fetched: &Fetched) -> &str {
    fetched.lacking.as_deref().unwrap_or("")
}

fn why(fetched: Result<Fetched, SourceError>) -> String {
    fetched.expect_err("nothing can be made of it").to_string()
}

#[tokio::test]
async fn binance_brings_best_bid_and_ask_of_each_market_in_one_request() {
    let exchange = Exchange::open().await;
    exchange.answer(BINANCE, Reply::ok(recorded("binance_book_ticker.json")));
    let source = binance(&exchange, &[("EURUSDT", "EUR/USDT"), ("BTCEUR", "BTC/EUR"), ("BTCUSDT", "BTC/USDT")]);
    let brought = source.fetch().await.unwrap();
    assert_eq!(
        brought,
        Fetched::from(vec![
            tick("EUR/USDT", dec!(1.0751), dec!(1.0756)),
            tick("BTC/EUR", dec!(62290), dec!(62290.01)),
            tick("BTC/USDT", dec!(66998), dec!(66998.01)),
        ])
    );
    assert_eq!(exchange.asked(), [format!("{BINANCE}?symbols=[\"EURUSDT\",\"BTCEUR\",\"BTCUSDT\"]")]);
}

#[tokio::test]
async fn connections_are_used_again() {
    let exchange = Exchange::open().await;
    exchange.answer(BINANCE, Reply::ok(recorded("binance_book_ticker.json")));
    let source = binance(&exchange, &[("BTCEUR", "BTC/EUR")]);
    for _ in 0..5 {
        source.fetch().await.unwrap();
    }
    assert_eq!((exchange.asked().len(), exchange.connections()), (5, 1));
}

#[tokio::test]
async fn a_market_that_is_missing_doubled_or_unreadable_is_named_and_the_others_count() {
    let exchange = Exchange::open().await;
    let body = r#"[
        {"symbol":"BTCEUR","bidPrice":"62290.00","askPrice":"62290.01"},
        {"symbol":"ETHEUR","bidPrice":"3.2e3","askPrice":"3254.10"},
        {"symbol":"BTCUSDT","bidPrice":"1","askPrice":"1"}, {"symbol":"BTCUSDT","bidPrice":"2","askPrice":"2"},
        {"symbol":"LTCEUR","bidPrice":"75","askPrice":"76"}, {"symbol":"ETHUSDT","bidPrice":3500}, 7
    ]"#;
    exchange.answer(BINANCE, Reply::ok(body));
    let named = [
        ("BTCEUR", "BTC/EUR"),
        ("ETHEUR", "ETH/EUR"),
        ("BTCUSDT", "BTC/USDT"),
        ("ETHUSDT", "ETH/USDT"),
        ("EURUSDT", "EUR/USDT"),
    ];
    let brought = binance(&exchange, &named).fetch().await.unwrap();
    assert_eq!(
        brought.ticks,
        [tick("BTC/EUR", dec!(62290), dec!(62290.01))],
        "a market that wasn't asked for is no tick"
    );
    for name in ["ETHEUR", "BTCUSDT", "ETHUSDT", "EURUSDT"] {
        assert!(lacking(&brought).contains(name), "{name}: {brought:?}");
    }
}

#[tokio::test]
async fn crossed_and_halted_markets_are_brought_as_they_are_and_refused_by_the_check() {
    let exchange = Exchange::open().await;
    let body = r#"[{"symbol":"BTCEUR","bidPrice":"62291.00","askPrice":"62290.01"},
        {"symbol":"ETHEUR","bidPrice":"0.00000000","askPrice":"0.00000000"}]"#;
    exchange.answer(BINANCE, Reply::ok(body));
    let brought = binance(&exchange, &[("BTCEUR", "BTC/EUR"), ("ETHEUR", "ETH/EUR")]).fetch().await.unwrap();
    let checks: Vec<_> = brought.ticks.iter().map(|tick| tick.check(saturday())).collect();
    assert_eq!(checks, [Err(TickError::Crossed(pair("BTC/EUR"))), Err(TickError::NotPositive(pair("ETH/EUR")))]);
}

#[tokio::test]
async fn a_symbol_that_binance_does_not_know_does_not_take_the_others_along() {
    let exchange = Exchange::open().await;
    exchange.answer_by(BINANCE, |query| match query.contains("GBPUSDT") {
        true => Reply::status(400, recorded("binance_invalid_symbol.json")),
        false => Reply::ok(recorded("binance_book_ticker.json")),
    });
    let clock = clock();
    let named = symbols(&[("EURUSDT", "EUR/USDT"), ("GBPUSDT", "GBP/USDT"), ("BTCEUR", "BTC/EUR")]);
    let source = BinanceSource::new(setup(&exchange.url, &clock), named);
    let brought = source.fetch().await.unwrap();
    assert_eq!((brought.ticks.len(), lacking(&brought)), (2, "doesn't know GBPUSDT"));
    assert_eq!(exchange.asked().len(), 4, "all at once, then one by one");
    let brought = source.fetch().await.unwrap();
    assert_eq!((brought.ticks.len(), lacking(&brought)), (2, "doesn't know GBPUSDT"));
    assert_eq!(exchange.asked().len(), 5, "left out for a while");

    clock.advance(TimeDelta::minutes(10));
    exchange.answer_by(BINANCE, |query| match query.contains("GBPUSDT") {
        true => Reply::ok(r#"[{"symbol":"GBPUSDT","bidPrice":"1.2698","askPrice":"1.2702"}]"#),
        false => Reply::ok("[]"),
    });
    let brought = source.fetch().await.unwrap();
    assert_eq!(brought.ticks.len(), 1, "it is tried again");
    assert_eq!((brought.ticks[0].pair, brought.ticks[0].bid), (pair("GBP/USDT"), dec!(1.2698)));
}

#[tokio::test]
async fn when_no_symbol_is_known_none_is_blamed() {
    let exchange = Exchange::open().await;
    exchange.answer(BINANCE, Reply::status(400, recorded("binance_invalid_symbol.json")));
    let source = binance(&exchange, &[("EURUSDT", "EUR/USDT"), ("BTCEUR", "BTC/EUR")]);
    assert_eq!(why(source.fetch().await), "can't be understood: doesn't know EURUSDT; doesn't know BTCEUR");
    exchange.answer(BINANCE, Reply::ok(recorded("binance_book_ticker.json")));
    assert_eq!(source.fetch().await.unwrap().ticks.len(), 2, "both are asked for again at once");
}

#[tokio::test]
async fn patience_is_given_as_it_is_asked_for() {
    let exchange = Exchange::open().await;
    let source = binance(&exchange, &[("BTCEUR", "BTC/EUR")]);
    for (reply, secs) in [
        (Reply::status(429, "{}").with("Retry-After", "17"), 17),
        (Reply::status(418, recorded("binance_banned.json")).with("Retry-After", "1800"), 1_800),
        (Reply::status(418, recorded("binance_banned.json")), 120),
        (Reply::status(429, ""), 60),
        (Reply::status(503, "").with("Retry-After", "Sat, 21 Nov 2026 12:00:30 GMT"), 30),
    ] {
        exchange.answer(BINANCE, reply.clone());
        let throttled = SourceError::Throttled { retry_after: Duration::from_secs(secs) };
        assert_eq!(source.fetch().await, Err(throttled), "{reply:?}");
    }
    let kraken = kraken(&exchange, &[("XBTEUR", "BTC/EUR")]);
    for body in [recorded("kraken_too_many.json"), r#"{"error":["EAPI:Rate limit exceeded"]}"#.to_owned()] {
        exchange.answer(KRAKEN, Reply::ok(body));
        let throttled = SourceError::Throttled { retry_after: Duration::from_secs(30) };
        assert_eq!(kraken.fetch().await, Err(throttled), "with HTTP 200");
    }
    let coinbase = coinbase(&exchange, &["BTC/EUR", "USDT/EUR"]);
    exchange.answer_by(COINBASE, |query| match query {
        "currency=BTC" => Reply::status(429, recorded("coinbase_rate_limited.json")).with("Retry-After", "9"),
        other => coinbase_answers(other),
    });
    let throttled = SourceError::Throttled { retry_after: Duration::from_secs(9) };
    assert_eq!(coinbase.fetch().await, Err(throttled), "obeyed, though the other request brought something");
}

/// Every source, and each way in which an answer is of no use: an error in words, in time, and no price.
#[tokio::test]
async fn nonsense_is_an_error_and_never_a_price() {
    let exchange = Exchange::open().await;
    let sources: [(&'static str, Arc<dyn RateSource>, String); 4] = [
        (BINANCE, Arc::new(binance(&exchange, &[("BTCEUR", "BTC/EUR")])), recorded("binance_book_ticker.json")),
        (KRAKEN, Arc::new(kraken(&exchange, &[("XBTEUR", "BTC/EUR")])), recorded("kraken_ticker.json")),
        (COINBASE, Arc::new(coinbase(&exchange, &["BTC/EUR"])), recorded("coinbase_btc.json")),
        (ECB, Arc::new(ecb(&exchange, &["EUR/USD"])), recorded("ecb_daily.xml")),
    ];
    for (path, source, good) in sources {
        exchange.answer(path, Reply::ok(good.clone()));
        assert_eq!(source.fetch().await.unwrap().ticks.len(), 1, "{path}");
        let huge = format!("{}{good}", " ".repeat(300_000));
        let nested = format!("{}{}", "<Cube>".repeat(30_000), "[".repeat(30_000));
        for reply in [
            Reply::ok(""),
            Reply::ok("<html>maintenance</html>"),
            Reply::ok("{}"),
            Reply::ok("[]"),
            Reply::ok("null"),
            Reply::ok("\"\""),
            Reply::ok(nested),
            Reply::ok(vec![0xff, 0xfe, 0x00, 0x80]),
            Reply::ok(huge),
            Reply::ok(good.clone()).by(Way::Cut),
            Reply::ok(good.clone()).by(Way::CutQuietly),
            Reply::ok(good.clone()).by(Way::Silent),
            Reply::status(204, ""),
            Reply::status(301, good.clone()).with("Location", format!("{}{path}", exchange.url)),
            Reply::status(403, "<html>WAF</html>"),
            Reply::status(404, good.clone()),
            Reply::status(500, good.clone()),
            Reply::status(503, ""),
        ] {
            let told = format!("{path}: {} {:?} of {} bytes", reply.status, reply.way, reply.body.len());
            exchange.answer(path, reply);
            let started = Instant::now();
            let error = source.fetch().await.expect_err(&told);
            assert!(error.to_string().len() < 300, "{told}: {error}");
            assert!(!matches!(error, SourceError::Throttled { .. }), "{told}: {error}");
            assert!(started.elapsed() < Duration::from_secs(5), "{told}");
        }
        let asked = exchange.asked().iter().filter(|asked| asked.starts_with(path)).count();
        assert_eq!(asked, 19, "{path}: redirects aren't followed, and nothing is asked twice");
    }
}

#[tokio::test]
async fn what_went_wrong_is_told() {
    let exchange = Exchange::open().await;
    let binance = binance(&exchange, &[("BTCEUR", "BTC/EUR")]);
    exchange.answer(BINANCE, Reply::status(400, r#"{"code":-1100,"msg":"Illegal characters"}"#));
    assert_eq!(why(binance.fetch().await), "can't be reached: HTTP 400: Illegal characters (-1100)");
    exchange.answer(BINANCE, Reply::ok("").by(Way::Silent));
    assert_eq!(why(binance.fetch().await), "can't be reached: timed out");
    let kraken = kraken(&exchange, &[("XBTEUR", "BTC/EUR")]);
    exchange.answer(KRAKEN, Reply::ok(recorded("kraken_unavailable.json")));
    assert_eq!(why(kraken.fetch().await), "can't be reached: EService:Unavailable");
    exchange.answer(COINBASE, Reply::status(400, recorded("coinbase_invalid.json")));
    let coinbase = coinbase(&exchange, &["BTC/EUR"]);
    assert_eq!(why(coinbase.fetch().await), "can't be reached: HTTP 400: Currency is invalid (invalid_request)");
    let nobody = BinanceSource::new(setup("http://127.0.0.1:1", &clock()), symbols(&[("BTCEUR", "BTC/EUR")]));
    assert!(why(nobody.fetch().await).contains("Connection refused"));
}

#[tokio::test]
async fn kraken_answers_under_names_of_its_own() {
    let exchange = Exchange::open().await;
    exchange.answer(KRAKEN, Reply::ok(recorded("kraken_ticker.json")));
    let source = kraken(&exchange, &[("XBTEUR", "BTC/EUR"), ("USDTEUR", "USDT/EUR"), ("EURGBP", "EUR/GBP")]);
    assert_eq!(
        source.fetch().await.unwrap(),
        Fetched::from(vec![
            tick("BTC/EUR", dec!(62300), dec!(62300.1)),
            tick("USDT/EUR", dec!(0.9297), dec!(0.9301)),
            tick("EUR/GBP", dec!(0.8469), dec!(0.847)),
        ])
    );
    assert_eq!(exchange.asked(), [format!("{KRAKEN}?pair=XBTEUR,USDTEUR,EURGBP")]);
    let source = kraken(&exchange, &[("XXBTZEUR", "BTC/EUR"), ("ETHEUR", "ETH/EUR")]);
    let brought = source.fetch().await.unwrap();
    assert_eq!(brought.ticks, [tick("BTC/EUR", dec!(62300), dec!(62300.1))], "its own names can be asked for as well");
    assert_eq!(lacking(&brought), "no bid and ask of ETHEUR", "another market's price is not taken for it");
}

#[tokio::test]
async fn krakens_errors_arrive_with_200_and_its_warnings_with_prices() {
    let exchange = Exchange::open().await;
    exchange.answer_by(KRAKEN, |query| match query.contains("NOSUCH") {
        true => Reply::ok(recorded("kraken_unknown_pair.json")),
        false => Reply::ok(recorded("kraken_ticker.json")),
    });
    let source = kraken(&exchange, &[("XBTEUR", "BTC/EUR"), ("NOSUCH", "LTC/EUR")]);
    let brought = source.fetch().await.unwrap();
    assert_eq!((brought.ticks.len(), lacking(&brought)), (1, "doesn't know NOSUCH"));

    let warned = recorded("kraken_ticker.json").replace(r#""error": []"#, r#""error": ["WGeneral:Degraded"]"#);
    exchange.answer(KRAKEN, Reply::ok(warned));
    let brought = kraken(&exchange, &[("XBTEUR", "BTC/EUR")]).fetch().await.unwrap();
    assert_eq!((brought.ticks.len(), lacking(&brought)), (1, "WGeneral:Degraded"));
    let failed = recorded("kraken_ticker.json").replace(r#""error": []"#, r#""error": ["EGeneral:Internal error"]"#);
    exchange.answer(KRAKEN, Reply::ok(failed));
    let source = kraken(&exchange, &[("XBTEUR", "BTC/EUR")]);
    assert_eq!(why(source.fetch().await), "can't be reached: EGeneral:Internal error", "whatever result is beside it");
}

#[tokio::test]
async fn coinbases_rate_is_both_bid_and_ask_and_is_read_to_its_last_digit() {
    let exchange = Exchange::open().await;
    exchange.answer_by(COINBASE, coinbase_answers);
    let source = coinbase(&exchange, &["USDT/EUR", "BTC/USDT", "USDT/GBP", "EUR/BTC"]);
    let mut brought = source.fetch().await.unwrap();
    brought.ticks.sort_by_key(|tick| tick.pair);
    let rate = |text, rate| tick(text, rate, rate);
    assert_eq!(
        brought.ticks,
        [
            rate("BTC/USDT", dec!(67001.505075253763)),
            rate("EUR/BTC", dec!(0.0000160510023875)),
            rate("USDT/EUR", dec!(0.92985)),
            rate("USDT/GBP", dec!(0.7875)),
        ]
    );
    let mut asked = exchange.asked();
    asked.sort();
    assert_eq!(asked, ["BTC", "EUR", "USDT"].map(|code| format!("{COINBASE}?currency={code}")));
}

#[tokio::test]
async fn a_currency_that_coinbase_does_not_know_costs_only_its_own_pairs() {
    let exchange = Exchange::open().await;
    exchange.answer_by(COINBASE, coinbase_answers);
    let brought = coinbase(&exchange, &["USDT/EUR", "XYZ/EUR", "BTC/XYZ"]).fetch().await.unwrap();
    assert_eq!(brought.ticks, [tick("USDT/EUR", dec!(0.92985), dec!(0.92985))]);
    assert!(lacking(&brought).contains("HTTP 400") && lacking(&brought).contains("no rate of BTC/XYZ"), "{brought:?}");
    exchange.answer(COINBASE, Reply::ok(recorded("coinbase_usdt.json")));
    assert_eq!(
        why(coinbase(&exchange, &["BTC/EUR"]).fetch().await),
        "can't be understood: another currency's rates than those of BTC"
    );
}

#[tokio::test]
async fn the_central_banks_rates_are_of_their_day() {
    let exchange = Exchange::open().await;
    exchange.answer(ECB, Reply::ok(recorded("ecb_daily.xml")));
    let brought = ecb(&exchange, &["EUR/GBP", "EUR/PLN", "EUR/RUB"]).fetch().await.unwrap();
    let fixed_at = "2026-11-20T13:15:00Z".parse().ok();
    let of_friday = |text, rate| Tick { source_time: fixed_at, ..tick(text, rate, rate) };
    assert_eq!(brought.ticks, [of_friday("EUR/GBP", dec!(0.84695)), of_friday("EUR/PLN", dec!(4.3385))]);
    assert_eq!(lacking(&brought), "no rate of EUR/RUB");

    let good = recorded("ecb_daily.xml");
    for (bad, told) in [
        (good.replace("time='2026-11-20'", "time='yesterday'"), "no date"),
        (good.replace("time='2026-11-20'", ""), "not one day's rates"),
        (good.replace("<Cube currency='JPY'", "<Cube time='2026-11-19'/><Cube currency='JPY'"), "not one day's rates"),
        (good.replace("rate='1.0752'", "rate='1,0752'"), "no rate of EUR/USD"),
        (good.replace("currency='JPY'", "currency='USD'"), "no rate of EUR/USD"),
        (
            format!("<!DOCTYPE x [<!ENTITY a 'aaaa'>]>{}", &good[good.find("<gesmes:E").unwrap()..]),
            "no XML, or too much of it",
        ),
    ] {
        exchange.answer(ECB, Reply::ok(bad));
        assert_eq!(why(ecb(&exchange, &["EUR/USD"]).fetch().await), format!("can't be understood: {told}"));
    }
}

#[tokio::test]
async fn an_answer_from_a_cache_is_as_old_as_the_cache_says() {
    let exchange = Exchange::open().await;
    exchange.answer(COINBASE, Reply::ok(recorded("coinbase_btc.json")).with("Age", "45"));
    let source = coinbase(&exchange, &["BTC/EUR"]);
    let brought = source.fetch().await.unwrap();
    assert_eq!(brought.ticks[0].source_time, Some(saturday() - TimeDelta::seconds(45)));
    for fresh in ["0", "", "-5", "old"] {
        exchange.answer(COINBASE, Reply::ok(recorded("coinbase_btc.json")).with("Age", fresh));
        assert_eq!(source.fetch().await.unwrap().ticks[0].source_time, Some(saturday()), "{fresh:?}");
    }
}
