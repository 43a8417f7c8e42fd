use chrono::TimeDelta;
use rust_decimal::{Decimal, dec};

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::rates::pair_text::parse;

fn pair(text: &str) -> Pair {
    parse(text).unwrap()
}

fn tick(pair: &str, bid: Decimal, ask: Decimal) -> Tick {
    Tick { pair: parse(pair).unwrap(), bid, ask, source_time: None }
}

fn clock() -> ManualClock {
    ManualClock::at(DateTime::from_timestamp(1_750_000_000, 0).unwrap())
}

fn board(min_sources: usize) -> Board {
    let mut crosses = Crosses::default();
    crosses.add(pair("BTC/EUR"), vec![pair("BTC/USDT"), pair("USDT/EUR")]).unwrap();
    let rules = Rules { max_age: TimeDelta::seconds(10), max_deviation: dec!(0.02), min_sources };
    Board::new(Mode::Test, rules, crosses, &["a".to_owned(), "b".to_owned(), "c".to_owned()])
}

fn price(board: &Board, text: &str, clock: &ManualClock) -> Result<Decimal, WhyUnavailable> {
    board.price(pair(text), clock.now()).map(|answer| answer.price).map_err(|RateError::Unavailable { why, .. }| why)
}

#[test]
fn the_price_is_the_bid_with_all_that_made_it() {
    let (board, clock) = (board(1), clock());
    board.record("a", &[tick("USDT/EUR", dec!(0.9297), dec!(0.9301))], clock.now());
    let answer = board.price(pair("USDT/EUR"), clock.now()).unwrap();
    assert_eq!((answer.price, answer.mid, answer.as_of), (dec!(0.9297), dec!(0.9299), clock.now()));
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["price"], "0.9297");
    assert_eq!(json["pair"], "USDT/EUR");
    assert_eq!(json["sources"][0]["source"], "a");
    assert_eq!(json["sources"][0]["ask"], "0.9301");
    assert_eq!(serde_json::from_value::<BoardPrice>(json).unwrap(), answer);
}

#[test]
fn a_stale_price_is_refused_and_the_board_recovers_by_itself() {
    let (board, clock) = (board(1), clock());
    let said = [tick("USDT/EUR", dec!(0.9297), dec!(0.9301))];
    board.record("a", &said, clock.now());
    clock.advance(TimeDelta::seconds(10));
    assert_eq!(price(&board, "USDT/EUR", &clock), Ok(dec!(0.9297)), "at its last moment");
    clock.advance(TimeDelta::microseconds(1));
    let leg = pair("USDT/EUR");
    assert_eq!(price(&board, "USDT/EUR", &clock), Err(WhyUnavailable::TooFewFresh { leg, fresh: 0, needed: 1 }));
    assert!(!board.is_ready(&[leg], clock.now()));
    board.record("a", &said, clock.now());
    assert_eq!(price(&board, "USDT/EUR", &clock), Ok(dec!(0.9297)));
    assert!(board.is_ready(&[leg], clock.now()));
}

#[test]
fn an_old_source_time_is_not_fresh_though_just_received() {
    let (board, clock) = (board(1), clock());
    let old = Tick {
        source_time: Some(clock.now() - TimeDelta::seconds(11)),
        ..tick("USDT/EUR", dec!(0.9297), dec!(0.9301))
    };
    assert_eq!(board.record("a", &[old], clock.now()).taken, 1);
    assert!(matches!(price(&board, "USDT/EUR", &clock), Err(WhyUnavailable::TooFewFresh { fresh: 0, .. })));
}

#[test]
fn fewer_fresh_sources_than_needed_make_no_price() {
    let (board, clock) = (board(2), clock());
    board.record("a", &[tick("USDT/EUR", dec!(0.93), dec!(0.94))], clock.now());
    assert!(matches!(price(&board, "USDT/EUR", &clock), Err(WhyUnavailable::TooFewFresh { fresh: 1, needed: 2, .. })));
    board.record("a", &[tick("EUR/USDT", dec!(1.06), dec!(1.07))], clock.now());
    assert!(price(&board, "USDT/EUR", &clock).is_err(), "both directions of one source are one source");
    board.record("b", &[tick("USDT/EUR", dec!(0.931), dec!(0.94))], clock.now());
    assert_eq!(price(&board, "USDT/EUR", &clock), Ok(dec!(0.93)));
}

#[test]
fn a_source_out_of_line_is_dropped_and_not_named_among_the_used() {
    let (board, clock) = (board(2), clock());
    for (source, bid) in [("a", dec!(0.93)), ("b", dec!(0.093)), ("c", dec!(0.931))] {
        board.record(source, &[tick("USDT/EUR", bid, bid)], clock.now());
    }
    let answer = board.price(pair("USDT/EUR"), clock.now()).unwrap();
    assert_eq!(answer.price, dec!(0.93));
    assert_eq!(answer.sources.iter().map(|s| s.source.as_str()).collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn as_of_is_the_oldest_quote_used() {
    let (board, clock) = (board(1), clock());
    let start = clock.now();
    board.record("a", &[tick("USDT/EUR", dec!(0.93), dec!(0.93))], start);
    clock.advance(TimeDelta::seconds(4));
    board.record("b", &[tick("USDT/EUR", dec!(0.93), dec!(0.93))], clock.now());
    assert_eq!(board.price(pair("USDT/EUR"), clock.now()).unwrap().as_of, start);
    clock.advance(TimeDelta::seconds(7));
    let answer = board.price(pair("USDT/EUR"), clock.now()).unwrap();
    assert_eq!(answer.as_of, start + TimeDelta::seconds(4), "the older one is stale now, so it is not used");
}

#[test]
fn an_inverted_pair_is_one_over_the_ask() {
    let (board, clock) = (board(1), clock());
    board.record("a", &[tick("EUR/USDT", dec!(1.0751), dec!(1.0756))], clock.now());
    let answer = board.price(pair("USDT/EUR"), clock.now()).unwrap();
    assert_eq!(answer.price, dec!(0.929713648196), "1 / 1.0756 = 0.92971364819635..., down");
    assert!(answer.sources[0].inverted);
    assert_eq!(answer.sources[0].pair, pair("EUR/USDT"));
}

#[test]
fn a_cross_goes_through_its_path_and_is_rounded_once() {
    let (board, clock) = (board(1), clock());
    board.record("a", &[tick("BTC/USDT", dec!(66998), dec!(67002))], clock.now());
    assert!(
        matches!(price(&board, "BTC/EUR", &clock),
            Err(WhyUnavailable::TooFewFresh { leg, fresh: 0, .. }) if leg == pair("USDT/EUR")),
        "a leg is missing, and it is named"
    );
    board.record("b", &[tick("EUR/USDT", dec!(1.0751), dec!(1.0756))], clock.now());
    let answer = board.price(pair("BTC/EUR"), clock.now()).unwrap();
    // 66998 / 1.0756 = 62288.9550018594...; with the leg rounded first it would end in ...0018356.
    assert_eq!(answer.price, dec!(62288.955001859427));
    assert_eq!(answer.sources.len(), 2);
    assert!(answer.mid > answer.price);
}

#[test]
fn nothing_crosses_without_a_path_and_usdt_is_not_usd() {
    let (board, clock) = (board(1), clock());
    let said = [
        tick("BTC/USDT", dec!(66998), dec!(67002)),
        tick("USDT/EUR", dec!(0.9297), dec!(0.9301)),
        tick("USDT/USD", dec!(0.9998), dec!(1.0002)),
        // A pair with a path is priced over its path only.
        tick("BTC/EUR", dec!(1), dec!(1)),
    ];
    board.record("a", &said, clock.now());
    assert!(price(&board, "BTC/USD", &clock).is_err());
    assert!(
        price(&board, "EUR/BTC", &clock).is_ok_and(|p| p == dec!(1)),
        "the inverse has no path: it is read directly"
    );
    assert_eq!(price(&board, "BTC/EUR", &clock), Ok(dec!(62288.0406)));
}

#[test]
fn a_crossed_tick_is_refused_and_what_was_held_stays() {
    let (board, clock) = (board(1), clock());
    board.record("a", &[tick("USDT/EUR", dec!(0.9297), dec!(0.9301))], clock.now());
    let recorded = board.record(
        "a",
        &[tick("USDT/EUR", dec!(0.95), dec!(0.94)), tick("USDC/EUR", dec!(0.93), dec!(0.94))],
        clock.now(),
    );
    assert_eq!(recorded, Recorded { taken: 1, refused: vec![TickError::Crossed(pair("USDT/EUR"))] });
    assert_eq!(price(&board, "USDT/EUR", &clock), Ok(dec!(0.9297)));
    assert_eq!(price(&board, "USDC/EUR", &clock), Ok(dec!(0.93)), "its neighbour is taken");
}

#[test]
fn a_tick_that_arrives_late_does_not_replace_a_newer_one() {
    let (board, clock) = (board(1), clock());
    let said =
        |bid, age| Tick { source_time: Some(clock.now() - TimeDelta::seconds(age)), ..tick("USDT/EUR", bid, bid) };
    board.record("a", &[said(dec!(0.93), 1), said(dec!(0.92), 3)], clock.now());
    assert_eq!(price(&board, "USDT/EUR", &clock), Ok(dec!(0.93)));
    board.record("a", &[said(dec!(0.91), 2)], clock.now());
    assert_eq!(price(&board, "USDT/EUR", &clock), Ok(dec!(0.93)));
    board.record("a", &[said(dec!(0.94), 0)], clock.now());
    assert_eq!(price(&board, "USDT/EUR", &clock), Ok(dec!(0.94)));
}

#[test]
fn health_tells_failures_and_recovery() {
    let (board, clock) = (board(1), clock());
    let of_a = |board: &Board| board.health().into_iter().find(|h| h.source == "a").unwrap();
    assert_eq!(board.health().len(), 3, "known before they ever answered");
    assert_eq!(of_a(&board), SourceHealth::of("a"));
    board.record_failure("a", "refused", clock.now());
    board.record("a", &[], clock.now());
    board.record("a", &[tick("USDT/EUR", dec!(2), dec!(1))], clock.now());
    let failing = of_a(&board);
    assert_eq!((failing.failures_consecutive, failing.last_success_at), (3, None));
    assert_eq!(failing.last_error.as_deref(), Some("USDT/EUR has its bid above its ask"));
    clock.advance(TimeDelta::seconds(1));
    board.record("a", &[tick("USDT/EUR", dec!(1), dec!(1))], clock.now());
    let well = of_a(&board);
    assert_eq!((well.failures_consecutive, well.last_success_at), (0, Some(clock.now())));
    assert!(well.last_error.is_some(), "the last error stays to be read");
}

#[test]
fn unavailable_pairs_are_named_with_the_reason() {
    let (board, clock) = (board(1), clock());
    board.record("a", &[tick("USDT/EUR", dec!(0.93), dec!(0.94))], clock.now());
    let missing = board.unavailable(&[pair("USDT/EUR"), pair("BTC/EUR")], clock.now());
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].to_string(), "no rate for BTC/EUR: 0 fresh sources of BTC/USDT, 1 needed");
}

#[test]
fn a_price_below_twelve_decimals_is_no_price() {
    let (board, clock) = (board(1), clock());
    let tiny = dec!(0.0000001);
    board.record("a", &[tick("BTC/USDT", tiny, tiny), tick("USDT/EUR", tiny, tiny)], clock.now());
    assert_eq!(price(&board, "BTC/EUR", &clock), Err(WhyUnavailable::OutOfBounds));
}

#[test]
fn readers_and_writers_do_not_disturb_each_other() {
    let (board, clock) = (board(1), clock());
    let now = clock.now();
    board.record("a", &[tick("USDT/EUR", dec!(0.93), dec!(0.94))], now);
    std::thread::scope(|scope| {
        for source in ["a", "b"] {
            let board = &board;
            scope.spawn(move || {
                for n in 0..500 {
                    let bid = dec!(0.93) + Decimal::new(n % 10, 4);
                    board.record(source, &[tick("USDT/EUR", bid, dec!(0.94))], now);
                }
            });
        }
        for _ in 0..500 {
            let price = board.price(pair("USDT/EUR"), now).unwrap().price;
            assert!((dec!(0.93)..dec!(0.931)).contains(&price));
        }
    });
}

/// Prints what a read costs; nothing is asserted of it, as machines differ.
#[test]
fn a_price_read_is_cheap() {
    let (board, clock) = (board(1), clock());
    for source in ["a", "b", "c"] {
        let said = [
            tick("USDT/EUR", dec!(0.9297), dec!(0.9301)),
            tick("BTC/USDT", dec!(66998), dec!(67002)),
            tick("GBP/USDT", dec!(1.2698), dec!(1.2702)),
        ];
        board.record(source, &said, clock.now());
    }
    for (kind, text) in [("direct", "USDT/EUR"), ("inverted", "USDT/GBP"), ("cross", "BTC/EUR")] {
        let (wanted, now) = (pair(text), clock.now());
        let started = std::time::Instant::now();
        for _ in 0..2_000 {
            assert!(board.price(wanted, now).is_ok());
        }
        println!("{kind} price over three sources: {:?} a read", started.elapsed() / 2_000);
    }
}

#[test]
fn a_source_with_an_age_of_its_own_is_fresh_for_so_long_and_no_longer() {
    let clock = clock();
    let board = board(1).with_max_ages([("b".to_owned(), TimeDelta::days(4))].into());
    for source in ["a", "b"] {
        board.record(source, &[tick("EUR/GBP", dec!(0.85), dec!(0.85))], clock.now());
    }
    let used = |clock: &ManualClock| {
        let answer = board.price(pair("EUR/GBP"), clock.now()).ok();
        answer.map_or(Vec::new(), |answer| answer.sources.into_iter().map(|quote| quote.source).collect())
    };
    assert_eq!(used(&clock), ["a", "b"]);
    clock.advance(TimeDelta::seconds(11));
    assert_eq!(used(&clock), ["b"]);
    assert!(board.quote_of("a", pair("EUR/GBP"), clock.now()).is_none());
    assert!(board.quote_of("b", pair("EUR/GBP"), clock.now()).is_some());
    clock.advance(TimeDelta::days(4));
    assert_eq!(used(&clock), [""; 0]);
}

#[test]
fn an_error_beside_prices_is_no_failure() {
    let (board, clock) = (board(1), clock());
    board.record("a", &[tick("USDT/EUR", dec!(0.93), dec!(0.94))], clock.now());
    board.record_error("a", "stream: ended", clock.now());
    let health = board.health().into_iter().find(|h| h.source == "a").unwrap();
    assert_eq!((health.failures_consecutive, health.last_error.as_deref()), (0, Some("stream: ended")));
}

/// Prints what an update costs until it can be seen; nothing is asserted of it, as machines differ.
#[test]
fn an_update_is_cheap() {
    let (board, clock) = (board(1), clock());
    let codes = ["BTC", "ETH", "USDT", "USDC", "SOL"]
        .iter()
        .flat_map(|a| ["EUR", "USD", "GBP", "PLN"].map(|b| format!("{a}/{b}")));
    let all: Vec<Tick> = codes.map(|text| tick(&text, dec!(1), dec!(1))).collect();
    for source in ["a", "b", "c", "d"] {
        board.record(source, &all, clock.now());
    }
    let (wanted, now) = (pair("BTC/PLN"), clock.now());
    let started = std::time::Instant::now();
    for n in 0..2_000 {
        let bid = dec!(1) + Decimal::new(n, 8);
        board.record("a", &[tick("BTC/PLN", bid, bid)], now);
    }
    println!("an update among {} pairs of four sources: {:?}", all.len(), started.elapsed() / 2_000);
    assert!(board.price(wanted, now).is_ok());
}
