use rust_decimal::dec;
use serde_json::json;

use super::*;
use crate::config::Settings;
use crate::domain::card::CardScheme;
use crate::domain::rate::Price;

fn house() -> PriceBook {
    Settings::load(None).unwrap().pricing.to_domain().unwrap()
}

fn ground(house: &PriceBook, is_new: bool) -> TermsGround<'_> {
    TermsGround { house, partner: "acme", mode: Mode::Test, version: 3, is_new }
}

fn refused(document: Value) -> Vec<String> {
    let house = house();
    let problems = read(&kept(document), &ground(&house, true)).expect_err("the document is refused");
    problems.0.into_iter().map(|problem| problem.key).collect()
}

#[test]
fn every_part_takes_the_houses_place_and_nothing_else_does() {
    let house = house();
    let document = kept(json!({
        "spread": "0.01",
        "spreads": [{"pair": "BTC/EUR", "spread": 0.005}],
        "fee_schedules": [{"id": "visa", "card_schemes": ["VISA"], "rules": [{"kind": "transaction", "percent": 1.5}]}],
        "limits": {"reference": "EUR", "offer_max": 500, "card": {"day": "700"}},
        "pairs": ["BTC/EUR", "USDT/EUR"],
        "statement_descriptor": "ACME PAYOUTS",
    }));
    let terms = read(&document, &ground(&house, true)).unwrap();
    let book = terms.over(&house, "acme", 3);
    let pair = |text: &str| text.parse::<Pair>().unwrap();
    let of = |text, scheme| book.terms("acme", Mode::Test, pair(text), scheme, Price::new(dec!(1)).unwrap()).unwrap();
    assert_eq!(of("BTC/EUR", CardScheme::Visa).rate.spread, Spread::new(dec!(0.005)).unwrap());
    assert_eq!(of("USDT/EUR", CardScheme::Visa).rate.spread, Spread::new(dec!(0.01)).unwrap());
    let schedule = |scheme| {
        let terms = of("BTC/EUR", scheme);
        terms.tariff.schedule_for(dec!(1)).map(|schedule| (schedule.id().to_owned(), schedule.version()))
    };
    assert_eq!(schedule(CardScheme::Visa), Some(("acme@3/visa".to_owned(), 3)));
    let houses = house.fees.tariff("acme", Mode::Test, pair("BTC/EUR"), CardScheme::Mastercard);
    let houses = houses.schedule_for(dec!(1)).unwrap();
    assert_eq!(schedule(CardScheme::Mastercard), Some((houses.id().to_owned(), houses.version())));
    assert_eq!((book.limits.offer_min, book.limits.offer_max), (house.limits.offer_min, dec!(500)));
    assert_eq!((book.limits.card.day, book.limits.card.month), (Some(dec!(700)), house.limits.card.month));
    assert!(book.pair_assets(pair("ETH/EUR")).is_err() && book.pairs.len() == 2);
    assert_eq!(terms.descriptor.unwrap().as_str(), "ACME PAYOUTS");
    assert_eq!((book.terms_version, house.terms_version), (Some(3), None));
    // Whoever isn't them is priced as before, even by their book.
    let other =
        book.terms("other", Mode::Test, pair("BTC/EUR"), CardScheme::Visa, Price::new(dec!(1)).unwrap()).unwrap();
    assert_eq!(other.rate.spread, house.spreads.get("other", pair("BTC/EUR")));
}

#[test]
fn nothing_given_is_the_house() {
    let house = house();
    let terms = read(&json!({}), &ground(&house, true)).unwrap();
    assert_eq!(terms, PartnerTerms::default());
    let book = terms.over(&house, "acme", 1);
    assert_eq!(
        (book.spreads, book.fees, book.limits, book.pairs),
        (house.spreads, house.fees, house.limits, house.pairs)
    );
}

#[test]
fn everything_wrong_is_named_at_once() {
    let document = json!({
        "spraed": "0.01",
        "spread": "1.5",
        "spreads": [
            {"pair": "DOGE/EUR", "spread": "0.01"},
            {"spread": "0.01"},
            {"pair": "BTC/EUR", "spread": "-1"},
            {"pair": "BTC/EUR", "spread": "0.01", "partner": "other"},
            {"pair": "BTC/EUR", "spread": "0.02"},
            {"pear": "BTC/EUR", "spread": "0.02"},
        ],
        "fee_schedules": [
            {"id": "a@b", "version": 1, "partner": "other", "mode": "live", "pairs": ["BTC/JPY"], "amount_from": "x", "rules": []},
            {"id": "c", "rules": [{"kind": "transaction", "percent": "101"}]},
            {"id": "c", "rules": [{"kind": "transaction", "min": "2", "max": "1"}], "card_schemes": ["VISA"]},
        ],
        "limits": {"reference": "EUR", "offer_min": "3000", "customer": {"day": "5", "month": "4"}, "card": {"day": "1.234"}},
        "pairs": ["BTC/EUR", "BTC/EUR", "BTC", "EUR/BTC"],
        "statement_descriptor": "ACME.com",
    });
    assert_eq!(
        refused(document),
        [
            "spraed",
            "spread",
            "spreads[5]",
            "spreads[0].pair",
            "spreads[1].pair",
            "spreads[2].spread",
            "spreads[3].partner",
            "spreads[4]",
            "fee_schedules[0].pairs[0]",
            "fee_schedules[0].amount_from",
            "fee_schedules[0].id",
            "fee_schedules[0].version",
            "fee_schedules[0].partner",
            "fee_schedules[0].mode",
            "fee_schedules[1]",
            "fee_schedules[2].id",
            "fee_schedules[2]",
            "limits.customer",
            "limits.card.day",
            "limits.offer_min",
            "pairs[1]",
            "pairs[2]",
            "pairs[3]",
            "statement_descriptor",
        ]
        .map(str::to_owned)
    );
}

#[test]
fn what_has_another_shape_is_named() {
    assert_eq!(refused(json!([])), ["terms"]);
    assert_eq!(refused(json!({"spread": [], "pairs": "BTC/EUR", "limits": 1})), ["spread", "limits", "pairs"]);
    assert_eq!(refused(json!({"pairs": []})), ["pairs"]);
    assert_eq!(refused(json!({"fee_schedules": []})), ["fee_schedules"]);
    assert_eq!(
        refused(json!({"fee_schedules": [{"id": "a", "rules": [{"kind": "x"}, {"kind": "fixed", "fixd": "1"}]}]})),
        ["fee_schedules[0].rules[0]", "fee_schedules[0].rules[1]"]
    );
    assert_eq!(refused(json!({"limits": {"offer_max": "500"}})), ["limits"]);
    assert_eq!(refused(json!({"limits": {"reference": "USD", "offer_max": "500"}})), ["limits.reference"]);
    assert_eq!(refused(json!({"limits": {"reference": "EUR", "card": {"week": "5"}}})), ["limits.card"]);
    assert_eq!(refused(json!({"spread": "0,02"})), ["spread"]);
}

#[test]
fn a_pair_that_the_house_dropped_since_is_not_offered_and_not_unreadable() {
    let mut house = house();
    let document = json!({"pairs": ["BTC/EUR", "ETH/EUR"], "spreads": [{"pair": "ETH/EUR", "spread": "0.01"}]});
    house.pairs.remove(&"ETH/EUR".parse().unwrap());
    assert!(read(&document, &ground(&house, true)).is_err());
    let book = read(&document, &ground(&house, false)).unwrap().over(&house, "acme", 3);
    assert_eq!(book.pairs, ["BTC/EUR".parse().unwrap()].into());
}

#[test]
fn a_text_is_read_as_json_without_members_twice() {
    let text = r#"{"spread": 0.010, "limits": {"reference": "EUR", "card": {"day": "7\u0030"}}, "pairs": ["BTC/EUR", null, true]}"#;
    assert_eq!(parse(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(kept(parse(text).unwrap())["spread"], "0.010");
    for bad in [
        r#"{"spread": "0", "spread": "1"}"#,
        r#"{"limits": {"offer_max": 1, "offer\u005fmax": 2}}"#,
        r#"{"pairs": [{"a": 1, "a": 1}]}"#,
        r#"{"spread": }"#,
        "{} {}",
        "",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(parse(&format!("{}1{}", "[".repeat(16), "]".repeat(16))).is_err());
}
