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
