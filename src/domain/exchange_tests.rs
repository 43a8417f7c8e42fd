//! Schemes that are sound and schemes that aren't, the rates that they give, and what converting with them leaves.

use proptest::prelude::*;
use rust_decimal::dec;
use serde_json::json;

use super::*;
use crate::domain::asset::{Asset, AssetKind, Assets};
use crate::domain::money::Money;
use crate::domain::offer::Settlement;

fn asset(code: &str, scale: u8) -> Asset {
    Asset { code: code.parse().unwrap(), kind: AssetKind::Fiat, scale }
}

fn assets() -> Assets {
    Assets::new([asset("EUR", 2), asset("USD", 2), asset("JPY", 0), asset("KWD", 3), asset("USDT", 8)])
}

fn compile(body: &Value) -> Result<ExchangeScheme, Vec<Problem>> {
    ExchangeScheme::compile(body, &assets(), &["binance", "board"])
}

fn scheme(rule: Value) -> ExchangeScheme {
    compile(&json!({ "rules": [rule] })).unwrap()
}

fn pair(text: &str) -> Pair {
    text.parse().unwrap()
}

/// EUR/USD at binance and USD/EUR on the board.
fn market(source: &str, asked: Pair) -> Option<BidAsk> {
    match (source, asked.to_string().as_str()) {
        ("binance", "EUR/USD") => Some(BidAsk { bid: dec!(1.08), ask: dec!(1.09) }),
        ("board", "USD/EUR") => Some(BidAsk { bid: dec!(0.91), ask: dec!(0.92) }),
        ("binance", "USD/JPY") => Some(BidAsk { bid: dec!(150), ask: dec!(149) }),
        _ => None,
    }
}

#[test]
fn a_commercial_rule_sells_at_the_bid_and_inverted_at_one_by_the_ask() {
    let direct = scheme(json!({ "from": "USD", "to": "EUR", "kind": "commercial", "source": "board" }));
    let applied = direct.quote(pair("USD/EUR"), &market).unwrap();
    assert_eq!((applied.rate.value(), applied.source.as_str(), applied.fallback), (dec!(0.91), "board", false));
    let inverted =
        scheme(json!({ "from": "USD", "to": "EUR", "kind": "commercial", "source": "binance", "inverted": true }));
    let applied = inverted.quote(pair("USD/EUR"), &market).unwrap();
    // 1 / 1.09, cut down.
    assert_eq!(applied.rate.value(), dec!(0.917431192660));
}

#[test]
fn a_fixed_rule_gives_its_price_and_both_mark_ups_come_off() {
    let rule = json!({
        "from": "USD", "to": "EUR", "source": "fixed", "kind": "fixed", "price": "0.92", "inverted": false,
        "markup_percent": "1.5", "markup_fixed": "0.001"
    });
    let applied = scheme(rule.clone()).quote(pair("USD/EUR"), &market).unwrap();
    assert_eq!(applied.price_quoted, dec!(0.92));
    assert_eq!(applied.rate.price.value(), dec!(0.919));
    assert_eq!(applied.rate.spread.value(), dec!(0.015));
    assert_eq!(applied.rate.value(), dec!(0.905215));
    assert_eq!(applied.rule, rule);
    let inverted = scheme(json!({ "from": "USD", "to": "EUR", "kind": "fixed", "price": 1.25, "inverted": true }));
    assert_eq!(inverted.quote(pair("USD/EUR"), &market).unwrap().rate.value(), dec!(0.8));
}

#[test]
fn the_second_source_is_asked_when_the_first_has_no_price() {
    let rule = |source: &str, fallback: &str| {
        let body =
            json!({ "from": "USD", "to": "EUR", "kind": "commercial", "source": source, "fallback_source": fallback });
        scheme(body).quote(pair("USD/EUR"), &market)
    };
    let applied = rule("binance", "board").unwrap();
    assert_eq!((applied.source.as_str(), applied.fallback), ("board", true));
    assert!(!rule("board", "binance").unwrap().fallback);
    let own = scheme(json!({
        "from": "JPY", "to": "EUR", "kind": "commercial", "source": "board", "fallback_source": "fixed", "price": "0.006"
    }));
    let applied = own.quote(pair("JPY/EUR"), &market).unwrap();
    assert_eq!((applied.rate.value(), applied.source.as_str(), applied.fallback), (dec!(0.006), "fixed", true));
}

#[test]
fn no_rate_says_why() {
    let commercial = |from: &str, to: &str, source: &str| {
        scheme(json!({ "from": from, "to": to, "kind": "commercial", "source": source }))
    };
    let jpy = commercial("JPY", "EUR", "board");
    let no_price = NoRate::NoPrice { pair: pair("JPY/EUR"), sources: "board".into() };
    assert_eq!(jpy.quote(pair("JPY/EUR"), &market), Err(no_price));
    assert_eq!(jpy.quote(pair("EUR/JPY"), &market), Err(NoRate::NoRule(pair("EUR/JPY"))));
    // A crossed market is none.
    let crossed = commercial("USD", "JPY", "binance").quote(pair("USD/JPY"), &market);
    assert!(matches!(crossed, Err(NoRate::NoPrice { .. })));
    let greedy = scheme(json!({
        "from": "USD", "to": "EUR", "kind": "commercial", "source": "board", "markup_fixed": "0.91"
    }));
    assert!(matches!(greedy.quote(pair("USD/EUR"), &market), Err(NoRate::MarkupTakesAll { .. })));
}

#[test]
fn a_currency_to_itself_is_exactly_one_without_a_rule() {
    let none = compile(&json!({ "rules": [] })).unwrap();
    let applied = none.quote(pair("EUR/EUR"), &market).unwrap();
    assert_eq!((applied.rate.value(), applied.rate.spread.value()), (dec!(1), dec!(0)));
    let amount = Money::new(dec!(12.34), asset("EUR", 2)).unwrap();
    assert_eq!(applied.to_service(&amount, asset("EUR", 2)), Ok(amount));
    assert_eq!(applied.to_point(&amount, asset("EUR", 2)), Ok(amount));
}

#[test]
fn an_applied_rate_survives_storage() {
    let rule = json!({ "from": "USD", "to": "EUR", "kind": "fixed", "price": "0.92", "markup_percent": 1.5 });
    let applied = scheme(rule).quote(pair("USD/EUR"), &market).unwrap();
    let applied = AppliedRate { scheme_version: Some(3), ..applied };
    let stored = applied.to_stored().unwrap();
    assert_eq!(stored["rate"], json!("0.90620"));
    assert_eq!(AppliedRate::from_stored(stored).unwrap(), applied);
    assert!(AppliedRate::from_stored(json!({ "rate": 1 })).is_err());
}

#[test]
fn other_currencies_and_negative_amounts_are_not_converted() {
    let rule = json!({ "from": "USD", "to": "EUR", "kind": "fixed", "price": "0.92" });
    let applied = scheme(rule).quote(pair("USD/EUR"), &market).unwrap();
    let money = |amount, code| Money::new(amount, asset(code, 2)).unwrap();
    let other = |result| matches!(result, Err(ConversionError::OtherPair { .. }));
    assert!(other(applied.to_service(&money(dec!(1), "EUR"), asset("EUR", 2))));
    assert!(other(applied.to_service(&money(dec!(1), "USD"), asset("JPY", 0))));
    assert!(other(applied.to_point(&money(dec!(1), "USD"), asset("USD", 2))));
    assert_eq!(applied.to_service(&money(dec!(-1), "USD"), asset("EUR", 2)), Err(ConversionError::Negative));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let body = json!({
        "rules": [
            { "from": "USD", "to": "EUR", "kind": "fixed", "price": "0.92", "markup_percent": "100", "colour": 1 },
            { "from": "USD", "to": "EUR", "kind": "commercial", "source": "board" },
            { "from": "ZZZ", "to": "usd", "kind": "dice", "source": "oracle" },
            { "from": "EUR", "to": "EUR", "kind": "fixed", "price": "0" },
            { "from": "EUR", "to": "JPY", "kind": "fixed", "source": "board", "fallback_source": "board" },
            { "from": "EUR", "to": "USD", "kind": "commercial", "price": "1", "source": "board", "fallback_source": "board" },
            { "from": "EUR", "to": "KWD", "kind": "commercial", "source": "fixed", "price": "-1", "inverted": "no" },
            { "from": "KWD", "to": "EUR", "kind": "fixed", "price": "0.1234567890123", "markup_fixed": "1e-13",
              "markup_percent": "-1" },
            { "from": "KWD", "to": "USD", "kind": "fixed", "price": "0.5", "markup_fixed": "0.5", "markup_percent": "1.1234567" },
            { "from": "KWD", "to": "JPY", "kind": "fixed", "price": "123456789.123456789012", "markup_percent": [] },
            7,
            {},
        ],
        "name/of~it": "x",
    });
    let problems = compile(&body).unwrap_err();
    let found: Vec<_> = problems.iter().map(|p| (p.pointer.as_str(), p.code.as_str())).collect();
    let expected = [
        ("/name~1of~0it", "unknown_key"),
        ("/rules/0/colour", "unknown_key"),
        ("/rules/0/markup_percent", "out_of_range"),
        ("/rules/1", "duplicate_pair"),
        ("/rules/2/from", "unknown_currency"),
        ("/rules/2/to", "unknown_currency"),
        ("/rules/2/kind", "unknown_value"),
        ("/rules/2/source", "unknown_source"),
        ("/rules/3/to", "same_currency"),
        ("/rules/3/price", "out_of_range"),
        ("/rules/4/source", "superfluous"),
        ("/rules/4/fallback_source", "superfluous"),
        ("/rules/4/price", "missing"),
        ("/rules/5/fallback_source", "same_source"),
        ("/rules/5/price", "superfluous"),
        ("/rules/6/source", "unknown_source"),
        ("/rules/6/price", "out_of_range"),
        ("/rules/6/inverted", "wrong_type"),
        ("/rules/7/price", "too_precise"),
        ("/rules/7/markup_percent", "out_of_range"),
        ("/rules/7/markup_fixed", "too_precise"),
        ("/rules/8/markup_percent", "too_precise"),
        ("/rules/8/markup_fixed", "out_of_range"),
        ("/rules/9/price", "too_precise"),
        ("/rules/9/markup_percent", "wrong_type"),
        ("/rules/10", "wrong_type"),
        ("/rules/11/from", "missing"),
        ("/rules/11/to", "missing"),
        ("/rules/11/kind", "missing"),
    ];
    assert_eq!(found, expected, "{problems:#?}");
    for (body, pointer) in [(json!([]), ""), (json!({}), "/rules"), (json!({ "rules": {} }), "/rules")] {
        assert_eq!(compile(&body).unwrap_err()[0].pointer, pointer);
    }
    assert_eq!(compile(&json!({ "rules": vec![1; 1_001] })).unwrap_err()[0].code, ProblemCode::TooMany);
}

#[test]
fn the_schema_names_the_keys_that_are_read() {
    let schema = exchange_schema();
    let rule = &schema["properties"]["rules"]["items"];
    let mut named: Vec<&str> = rule["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    named.sort_unstable();
    let mut whole = json!({ "from": "USD", "to": "EUR", "kind": "commercial", "source": "board", "inverted": false,
        "fallback_source": "fixed", "price": "0.9", "markup_percent": 1, "markup_fixed": 0 });
    let mut read: Vec<String> = whole.as_object().unwrap().keys().cloned().collect();
    read.sort_unstable();
    assert_eq!(named, read);
    assert!(compile(&json!({ "rules": [whole.take()] })).is_ok());
}

fn digits(scales: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = Decimal> {
    let count = prop_oneof![1..200_i128, 1..1_000_000_i128, 1..10_i128.pow(12)];
    (count, scales).prop_map(|(count, scale)| exact::from_units(count, scale).unwrap())
}

/// A rule of random price and mark-ups, direct or inverted, and the rate it gives.
fn applied() -> impl Strategy<Value = AppliedRate> {
    let price = digits(0..=9);
    (price, any::<bool>(), any::<bool>(), 0..5_000_000_u32, 0..900_u32).prop_filter_map(
        "no rate",
        |(price, inverted, is_market, percent, fixed_permille)| {
            // A fixed mark-up of up to nine tenths of the price.
            let direct = if inverted { exact::div(dec!(1), price, 12, Rounding::Down).ok()? } else { price };
            let fixed = exact::mul_div(direct, fixed_permille.into(), dec!(1000), 12, Rounding::Down).ok()?;
            let percent = Decimal::new(percent.into(), 5);
            let mut rule = json!({
                "from": "USD", "to": "EUR", "inverted": inverted, "markup_percent": percent.to_string(),
                "markup_fixed": fixed.to_string(), "kind": "fixed", "price": price.to_string(),
            });
            if is_market {
                rule["kind"] = json!("commercial");
                rule["source"] = json!("board");
                rule.as_object_mut()?.remove("price");
            }
            let compiled = compile(&json!({ "rules": [rule] })).ok()?;
            compiled.quote(pair("USD/EUR"), &|_, _| Some(BidAsk { bid: price, ask: price })).ok()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_the_point_is_charged_is_the_least_that_brings_what_the_service_pays(
        applied in applied(), service_units in 1..1_000_000_000_i128, from_scale in 0..=8_u8, to_scale in 0..=3_u8,
    ) {
        let (from, to) = (asset("USD", from_scale), asset("EUR", to_scale));
        let due = Money::from_units(service_units, to).unwrap();
        if let Ok(charged) = applied.to_point(&due, from) {
            let brought = applied.to_service(&charged, to).unwrap();
            prop_assert!(brought.covers(&due), "{brought} for {charged}");
            let less = Money::from_units(charged.units() - 1, from).unwrap();
            if !less.is_negative() {
                prop_assert!(!applied.to_service(&less, to).unwrap().covers(&due));
            }
        }
    }

    #[test]
    fn a_settlement_takes_either_conversion_and_never_rounds_below_zero(
        applied in applied(), units in 1..10_000_000_000_i128, from_scale in 0..=8_u8, to_scale in 0..=3_u8,
        from_service: bool,
    ) {
        let (from, to) = (asset("USD", from_scale), asset("EUR", to_scale));
        let converted = if from_service {
            let due = Money::from_units(units, to).unwrap();
            applied.to_point(&due, from).map(|charged| (charged, due))
        } else {
            let charged = Money::from_units(units, from).unwrap();
            applied.to_service(&charged, to).map(|due| (charged, due))
        };
        if let Ok((charged, due)) = converted
            && due.is_positive()
        {
            // It refuses a negative rounding.
            let settled = Settlement::new(&charged, &due, &charged, &applied.rate, &[]);
            prop_assert!(settled.is_ok(), "{settled:?} {charged} {due} {applied:?}");
        }
    }

    #[test]
    fn the_rate_is_never_above_its_formula(applied in applied()) {
        let marked_up = exact::sub(applied.price_quoted, applied.rule["markup_fixed"].as_str().unwrap().parse().unwrap());
        prop_assert!(applied.rate.price.value() <= marked_up.unwrap());
        prop_assert!(applied.rate.value() <= applied.rate.price.value());
    }
}
