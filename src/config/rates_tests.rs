use super::*;
use crate::config::DEFAULT_TOML;

/// The `[rates]` section with `toml` laid over the defaults.
fn load(toml: &str) -> Result<RatesSettings, config::ConfigError> {
    let text = |text| config::File::from_str(text, config::FileFormat::Toml);
    config::Config::builder().add_source(text(DEFAULT_TOML)).add_source(text(toml)).build()?.get("rates")
}

fn keys_of_problems(toml: &str, live: bool) -> Vec<String> {
    let mut problems = Problems::default();
    load(toml).expect("well-formed").check(live, &mut problems);
    problems.0.into_iter().map(|problem| problem.key).collect()
}

#[test]
fn the_defaults_are_good_for_test_mode() {
    assert_eq!(keys_of_problems("", false), [""; 0]);
}

#[test]
fn live_mode_needs_a_board_of_its_own() {
    assert_eq!(keys_of_problems("", true), ["rates.live"]);
}

#[test]
fn fixed_and_replayed_prices_are_refused_in_live_mode() {
    let toml = r#"
        [rates.sources.film]
        kind = "replay"
        poll_ms = 1000
        path = "config/rates.sample.jsonl"
        [rates.live]
        sources = ["fixed", "film"]
        max_age_ms = 10000
        max_deviation = "0.01"
        min_sources = 2
    "#;
    assert_eq!(keys_of_problems(toml, true), ["rates.live.sources", "rates.live.sources"]);
    // A live board that is merely prepared is checked as well.
    assert_eq!(keys_of_problems(toml, false).len(), 2);
}

#[test]
fn what_is_wrong_is_named() {
    for (toml, key) in [
        ("[rates.test]\nsources = []", "rates.test.sources"),
        ("[rates.test]\nsources = [\"nobody\"]", "rates.test.sources"),
        ("[rates.test]\nsources = [\"fixed\", \"fixed\"]", "rates.test.sources"),
        ("[rates.test]\nmax_age_ms = 0", "rates.test.max_age_ms"),
        ("[rates.test]\nmax_age_ms = 600001", "rates.test.max_age_ms"),
        ("[rates.test]\nmin_sources = 0", "rates.test.min_sources"),
        ("[rates.test]\nmin_sources = 2", "rates.test.min_sources"),
        ("[rates.test]\nmax_deviation = \"0\"", "rates.test.max_deviation"),
        ("[rates.test]\nmax_deviation = \"0.51\"", "rates.test.max_deviation"),
        ("[rates.test]\nmax_deviation = \"2 %\"", "rates.test.max_deviation"),
        ("[rates.test]\ncrosses = [{ pair = \"BTC/GBP\", via = [\"BTC/USDT\"] }]", "rates.test.crosses[0]"),
        ("[rates.test]\ncrosses = [{ pair = \"BTC\", via = [] }]", "rates.test.crosses[0]"),
        ("[rates.sources.fixed]\npoll_ms = 9", "rates.sources.fixed.poll_ms"),
        ("[rates.sources.fixed]\npoll_ms = 10000", "rates.test.sources"),
        (
            "[rates.sources.fixed.quotes]\n\"USDT\" = { bid = \"1\", ask = \"1\" }",
            "rates.sources.fixed.quotes.\"USDT\"",
        ),
        (
            "[rates.sources.fixed.quotes]\n\"LTC/EUR\" = { bid = \"75.1\", ask = \"75\" }",
            "rates.sources.fixed.quotes.\"LTC/EUR\"",
        ),
        ("[rates.sources.film]\nkind = \"replay\"\npoll_ms = 100\npath = \"\"", "rates.sources.film.path"),
    ] {
        let found = keys_of_problems(toml, false);
        assert!(found.iter().any(|found| found == key), "{toml}: {found:?}");
    }
}

const MARKETS: &str = r#"
    [rates.live]
    sources = ["binance", "kraken", "coinbase", "ecb"]
    max_age_ms = 10000
    max_deviation = "0.01"
    min_sources = 2
"#;

#[test]
fn the_sources_on_the_internet_are_good_for_live_mode_as_they_are_shipped() {
    assert_eq!(keys_of_problems(MARKETS, true), [""; 0]);
}

#[test]
fn what_is_wrong_with_a_source_on_the_internet_is_named() {
    for (source, toml, key) in [
        ("binance", "url = \"http://api.binance.com\"", "url"),
        ("binance", "url = \"https://api.binance.com/\"", "url"),
        ("binance", "url = \"api.binance.com\"", "url"),
        ("binance", "url = \"https://me:secret@api.binance.com\"", "url"),
        ("binance", "url = \"https://api.binance.com?x=1\"", "url"),
        ("binance", "url = \"wss://stream.binance.com:9443\"", "url"),
        ("binance", "stream_url = \"ws://stream.binance.com:9443\"", "stream_url"),
        ("binance", "stream_url = \"https://stream.binance.com:9443\"", "stream_url"),
        ("binance", "stream_silence_ms = 100", "stream_silence_ms"),
        ("binance", "timeout_ms = 0", "timeout_ms"),
        ("binance", "timeout_ms = 30001", "timeout_ms"),
        ("binance", "poll_ms = 1", "poll_ms"),
        ("binance", "max_age_ms = 0", "max_age_ms"),
        ("binance", "max_age_ms = 600001", "max_age_ms"),
        ("binance", "symbols = []", "symbols"),
        ("binance", "symbols = [{ symbol = \"eurusdt\", pair = \"EUR/USDT\" }]", "symbols"),
        ("binance", "symbols = [{ symbol = \"A\\\"],B\", pair = \"EUR/USDT\" }]", "symbols"),
        ("binance", "symbols = [{ symbol = \"EURUSDT\", pair = \"EUR\" }]", "symbols"),
        (
            "kraken",
            "symbols = [{ symbol = \"XBTEUR\", pair = \"BTC/EUR\" }, { symbol = \"XXBTZEUR\", pair = \"BTC/EUR\" }]",
            "symbols",
        ),
        (
            "kraken",
            "symbols = [{ symbol = \"XBTEUR\", pair = \"BTC/EUR\" }, { symbol = \"XBTEUR\", pair = \"BTC/USD\" }]",
            "symbols",
        ),
        ("kraken", "url = \"ftp://api.kraken.com\"", "url"),
        ("coinbase", "pairs = []", "pairs"),
        ("coinbase", "pairs = [\"BTC/EUR\", \"BTC/EUR\"]", "pairs"),
        ("coinbase", "pairs = [\"btc/eur\"]", "pairs"),
        ("ecb", "pairs = [\"USD/EUR\"]", "pairs"),
        ("ecb", "max_age_ms = 604800001", "max_age_ms"),
    ] {
        let found = keys_of_problems(&format!("[rates.sources.{source}]\n{toml}\n{MARKETS}"), true);
        assert_eq!(found.first(), Some(&format!("rates.sources.{source}.{key}")), "{toml}: {found:?}");
    }
    for toml in
        ["url = \"http://127.0.0.1:8081\"", "url = \"http://[::1]:8081/v1\"", "stream_url = \"\"", "max_age_ms = 5000"]
    {
        let found = keys_of_problems(&format!("[rates.sources.binance]\n{toml}\n{MARKETS}"), true);
        assert_eq!(found, [""; 0], "{toml}");
    }
}

#[test]
fn no_price_is_made_of_slow_sources_alone() {
    let board = |sources: &str, min_sources: usize| {
        let toml = format!(
            "[rates.live]\nsources = {sources}\nmax_age_ms = 10000\nmax_deviation = \"0.01\"\nmin_sources = {min_sources}"
        );
        keys_of_problems(&toml, true)
    };
    assert_eq!(board(r#"["ecb"]"#, 1), ["rates.live.min_sources"]);
    assert_eq!(board(r#"["kraken", "ecb"]"#, 1), ["rates.live.min_sources"]);
    assert_eq!(board(r#"["kraken", "ecb"]"#, 2), [""; 0]);
    let slow = "[rates.sources.coinbase]\nmax_age_ms = 60000\n[rates.live]\nsources = [\"kraken\", \"coinbase\", \"ecb\"]\n\
                max_age_ms = 10000\nmax_deviation = \"0.01\"\nmin_sources = 2";
    assert_eq!(keys_of_problems(slow, true), ["rates.live.min_sources"]);
}

#[test]
fn a_source_with_an_age_of_its_own_is_asked_often_enough_for_that() {
    let toml = |age: u64| format!("[rates.sources.ecb]\nmax_age_ms = {age}\n{MARKETS}");
    assert_eq!(keys_of_problems(&toml(900_001), true), [""; 0], "asked every 900 s");
    assert_eq!(keys_of_problems(&toml(900_000), true), ["rates.live.sources"]);
}

#[test]
fn unknown_keys_and_kinds_are_refused() {
    for toml in [
        "[rates.test]\nmax_age = 1",
        "[rates]\nspread = 1",
        "[rates.sources.fixed]\nurl = \"x\"",
        "[rates.sources.other]\nkind = \"oracle\"",
    ] {
        assert!(load(toml).is_err(), "{toml}");
    }
}

#[test]
fn a_file_of_ones_own_adds_pairs_to_the_defaults() {
    let settings = load("[rates.sources.fixed.quotes]\n\"LTC/EUR\" = { bid = \"75\", ask = \"75.1\" }").unwrap();
    let Some(SourceSettings::Fixed(fixed)) = settings.sources.get("fixed") else { panic!("the default source") };
    assert!(fixed.quotes.contains_key("LTC/EUR") && fixed.quotes.contains_key("USDT/EUR"));
}
