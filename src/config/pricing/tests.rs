use config::{Config, File, FileFormat};
use rust_decimal::dec;

use super::*;
use crate::config::DEFAULT_TOML;
use crate::domain::card::CardScheme;
use crate::domain::ids::Mode;
use crate::domain::rate::Price;

/// The defaults with an operator's `[pricing]` over them.
fn load(over: &str) -> Result<PricingSettings, String> {
    Config::builder()
        .add_source(File::from_str(DEFAULT_TOML, FileFormat::Toml))
        .add_source(File::from_str(over, FileFormat::Toml))
        .build()
        .and_then(|config| config.get::<PricingSettings>("pricing"))
        .map_err(|error| error.to_string())
}

/// The dotted names that are refused.
fn refused(over: &str) -> Vec<String> {
    let problems = load(over).expect("the text is well-formed").to_domain().expect_err("the value is refused");
    problems.0.into_iter().map(|problem| problem.key).collect()
}

#[test]
fn the_defaults_price_the_published_example() {
    let book = load("").unwrap().to_domain().unwrap();
    let pair: Pair = "USDT/EUR".parse().unwrap();
    let price = Price::new(dec!(0.9297)).unwrap();
    let terms = book.terms("any", Mode::Live, pair, CardScheme::Visa, price).unwrap();
    let amount = crate::domain::money::Money::new(dec!(760.06209697), terms.source).unwrap();
    let quote = terms.price_by_source(&amount).unwrap();
    assert_eq!(quote.total.to_string(), "789.35330985 USDT");
    assert_eq!(quote.amount_to.to_string(), "692.49 EUR");
    assert_eq!((book.offer_ttl.as_secs(), book.data_ttl.as_secs()), (20, 30));
    assert_eq!(book.pairs.len(), 12);
}

#[test]
fn the_default_limits_are_those_of_the_kyc_levels() {
    let limits = load("").unwrap().to_domain().unwrap().limits;
    assert_eq!((limits.offer_min, limits.offer_max), (dec!(21), dec!(1980)));
    let yearly = |level| limits.customer_limits(level).and_then(|limits| limits.year);
    assert_eq!(
        (yearly(0), yearly(1), yearly(2), yearly(3)),
        (None, Some(dec!(9700)), Some(dec!(15000)), Some(dec!(32000)))
    );
}

#[test]
fn a_number_that_has_gone_through_a_float_is_refused() {
    assert!(load("[pricing]\nspread = 0.02").unwrap_err().contains("quotation marks"));
    assert!(load("[pricing]\nspread = \"0.02\"").is_ok());
    assert!(load("[pricing.limits]\noffer_max = 500").is_ok());
    assert!(load("[pricing]\nsprad = \"0.02\"").is_err());
}

#[test]
fn a_bad_value_is_refused_by_its_name() {
    let cases = [
        ("offer_ttl_secs = 0", "pricing.offer_ttl_secs"),
        ("data_ttl_secs = 3601", "pricing.data_ttl_secs"),
        ("spread = \"1\"", "pricing.spread"),
        ("spread = \"-0.1\"", "pricing.spread"),
        ("spread = \"two\"", "pricing.spread"),
        ("spreads = [{ spread = \"0.01\" }]", "pricing.spreads[0]"),
        ("spreads = [{ partner = \"acme\", spread = \"2\" }]", "pricing.spreads[0].spread"),
        ("spreads = [{ pair = \"BTC/CHF\", spread = \"0.01\" }]", "pricing.spreads[0].pair"),
        ("pairs = []", "pricing.pairs"),
        ("pairs = [\"BTC-EUR\"]", "pricing.pairs[0]"),
        ("pairs = [\"BTC/EUR\", \"BTC/EUR\"]", "pricing.pairs[1]"),
        ("pairs = [\"BTC/EUR\", \"EUR/BTC\"]", "pricing.pairs[1]"),
        ("pairs = [\"DOGE/EUR\"]", "pricing.pairs[0]"),
        ("fee_schedules = []", "pricing.fee_schedules"),
        ("fee_schedules = [{ id = \"\", version = 1, rules = [] }]", "pricing.fee_schedules[0].id"),
        ("limits.offer_min = \"2000\"", "pricing.limits.offer_min"),
        ("limits.offer_max = \"1980.001\"", "pricing.limits.offer_max"),
        ("limits.reference = \"BTC\"", "pricing.limits.reference"),
        ("limits.kyc_yearly.0 = \"1\"", "pricing.limits.kyc_yearly.0"),
        ("limits.kyc_yearly.x = \"1\"", "pricing.limits.kyc_yearly.x"),
        ("limits.kyc_yearly.9 = \"1\"", "pricing.limits.kyc_yearly"),
        ("limits.card = { day = \"100\", year = \"99\" }", "pricing.limits.card"),
        ("limits.partner.month = \"a lot\"", "pricing.limits.partner.month"),
    ];
    for (over, name) in cases {
        assert_eq!(refused(&format!("[pricing]\n{over}")), [name], "{over}");
    }
}

#[test]
fn a_bad_asset_is_refused_by_its_name() {
    let with = |asset: &str| {
        let assets = "{ code = \"BTC\", kind = \"crypto\", scale = 0 }, { code = \"EUR\", kind = \"fiat\", scale = 2 }";
        format!("[pricing]\npairs = [\"BTC/EUR\"]\nassets = [{assets}, {{ {asset} }}]")
    };
    assert_eq!(refused(&with("code = \"btc\", kind = \"crypto\"")), ["pricing.assets[2].code"]);
    assert_eq!(refused(&with("code = \"BTC\", kind = \"crypto\"")), ["pricing.assets[2]"]);
    assert_eq!(refused(&with("code = \"ETH\", kind = \"crypto\", scale = 19")), ["pricing.assets[2].scale"]);
    assert_eq!(refused(&with("code = \"JPY\", kind = \"fiat\", scale = 2")), ["pricing.assets[2].scale"]);
    assert_eq!(refused(&with("code = \"ZZZ\", kind = \"fiat\", scale = 2")), ["pricing.assets[2].code"]);
    let book = load(&with("code = \"JPY\", kind = \"fiat\"")).unwrap().to_domain().unwrap();
    assert_eq!(book.assets.find("JPY").map(|asset| asset.scale), Some(0));
}

#[test]
fn a_bad_fee_is_refused_by_its_name() {
    let with = |rule: &str| {
        format!("[[pricing.fee_schedules]]\nid = \"a\"\nversion = 1\nrules = [{{ kind = \"transaction\", {rule} }}]")
    };
    assert_eq!(
        refused(&with("percent = \"3,5\"")),
        ["pricing.fee_schedules[0].rules[0].percent", "pricing.fee_schedules[0]"]
    );
    assert_eq!(refused(&with("percent = \"101\"")), ["pricing.fee_schedules[0]"]);
    assert_eq!(refused(&with("min = \"2\", max = \"1\"")), ["pricing.fee_schedules[0]"]);
    assert!(load(&with("percentage = \"3\"")).is_err());
    let banded =
        "pairs = [\"BTC/EUR\", \"BTC/CHF\"]\ncard_schemes = [\"VISA\"]\namount_from = \"5\"\namount_below = \"5\"";
    let keys = refused(&format!("{}\n{banded}", with("percent = \"1\"")));
    assert_eq!(keys, ["pricing.fee_schedules[0].pairs[1]", "pricing.fee_schedules[0]"]);
}

#[test]
fn all_problems_are_named_at_once() {
    let mut problems = Problems::default();
    load("[pricing]\nspread = \"7\"\noffer_ttl_secs = 0\nlimits.reference = \"?\"").unwrap().check(&mut problems);
    assert_eq!(problems.0.len(), 3);
}
