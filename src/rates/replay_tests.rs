use rust_decimal::dec;

use super::*;
use crate::clock::ManualClock;

const PLAY: &str = r#"{"after_ms": 0, "pair": "USDT/EUR", "bid": "0.9297", "ask": "0.9301"}
{"after_ms": 1000, "pair": "USDT/EUR", "bid": "0.9298", "ask": "0.9302"}
{"after_ms": 1000, "pair": "BTC/EUR", "bid": "62290", "ask": "62315", "source_age_ms": 60000}
{"after_ms": 2000, "error": "maintenance"}
{"after_ms": 3000, "pair": "USDT/EUR", "bid": "0.9300", "ask": "0.9304"}
"#;

fn clock() -> ManualClock {
    ManualClock::at(DateTime::from_timestamp(1_750_000_000, 0).unwrap())
}

fn play(loop_after_ms: Option<u64>, clock: &ManualClock) -> ReplaySource {
    let script = Script::parse(PLAY).expect("a good script");
    let interval = Duration::from_secs(1);
    ReplaySource::new("replay".to_owned(), interval, script, loop_after_ms, Arc::new(clock.clone()))
        .expect("a good play")
}

async fn bids(source: &ReplaySource) -> Result<Vec<(String, Decimal)>, SourceError> {
    Ok(source.fetch().await?.ticks.into_iter().map(|tick| (tick.pair.to_string(), tick.bid)).collect())
}

fn of(said: &[(&str, Decimal)]) -> Result<Vec<(String, Decimal)>, SourceError> {
    Ok(said.iter().map(|(pair, bid)| ((*pair).to_owned(), *bid)).collect())
}

#[tokio::test]
async fn lines_are_played_in_order_as_they_come_due() {
    let clock = clock();
    let source = play(None, &clock);
    let at = |ms| {
        clock.advance(TimeDelta::milliseconds(ms));
    };
    assert_eq!(bids(&source).await, of(&[("USDT/EUR", dec!(0.9297))]));
    at(999);
    assert_eq!(bids(&source).await, of(&[("USDT/EUR", dec!(0.9297))]));
    at(1);
    assert_eq!(bids(&source).await, of(&[("BTC/EUR", dec!(62290)), ("USDT/EUR", dec!(0.9298))]));
    at(1_000);
    assert_eq!(bids(&source).await, Err(SourceError::Unavailable("maintenance".to_owned())));
    at(999);
    assert!(bids(&source).await.is_err(), "until the next line");
    at(1);
    assert_eq!(bids(&source).await, of(&[("BTC/EUR", dec!(62290)), ("USDT/EUR", dec!(0.93))]));
    at(3_600_000);
    assert_eq!(bids(&source).await, of(&[("BTC/EUR", dec!(62290)), ("USDT/EUR", dec!(0.93))]), "the last lines stay");
}

#[tokio::test]
async fn a_looping_play_begins_again_as_it_first_began() {
    let clock = clock();
    let source = play(Some(4_000), &clock);
    for _ in 0..3 {
        assert_eq!(bids(&source).await, of(&[("USDT/EUR", dec!(0.9297))]));
        clock.advance(TimeDelta::milliseconds(2_500));
        assert!(bids(&source).await.is_err());
        clock.advance(TimeDelta::milliseconds(1_500));
    }
}

#[tokio::test]
async fn a_source_age_is_counted_back_from_when_the_line_came_due() {
    let clock = clock();
    let start = clock.now();
    let source = play(Some(4_000), &clock);
    clock.advance(TimeDelta::milliseconds(5_500));
    let ticks = source.fetch().await.unwrap().ticks;
    // The line of the second pass came due 5 s after the start, and is a minute old.
    assert_eq!(ticks[0].source_time, Some(start + TimeDelta::seconds(5 - 60)));
    assert_eq!(ticks[1].source_time, None);
}

#[tokio::test]
async fn before_its_start_the_play_stands_at_its_beginning() {
    let clock = clock();
    let source = play(None, &clock);
    clock.advance(TimeDelta::hours(-1));
    assert_eq!(bids(&source).await, of(&[("USDT/EUR", dec!(0.9297))]));
}

#[test]
fn a_bad_line_is_refused_by_its_number() {
    let good = r#"{"after_ms": 5, "pair": "USDT/EUR", "bid": "0.9297", "ask": "0.9301"}"#;
    for bad in [
        "",
        "{}",
        "# a comment",
        r#"{"after_ms": 5}"#,
        r#"{"after_ms": -1, "error": "x"}"#,
        r#"{"after_ms": 5, "error": "x", "pair": "USDT/EUR"}"#,
        r#"{"after_ms": 5, "error": "x", "source_age_ms": 1}"#,
        r#"{"after_ms": 5, "pair": "USDT/EUR", "bid": "0.9297"}"#,
        r#"{"after_ms": 5, "pair": "USDT/EUR", "bid": 0.9297, "ask": "0.9301"}"#,
        r#"{"after_ms": 5, "pair": "USDT/EUR", "bid": "1e3", "ask": "0.9301"}"#,
        r#"{"after_ms": 5, "pair": "USDT/EUR", "bid": "0.00000000000000000000000000000001", "ask": "0.9301"}"#,
        r#"{"after_ms": 5, "pair": "USDT", "bid": "0.9297", "ask": "0.9301"}"#,
        r#"{"after_ms": 5, "pair": "USDT/EUR", "bid": "0.9297", "ask": "0.9301", "last": "1"}"#,
        r#"{"after_ms": 4, "pair": "USDT/EUR", "bid": "0.9297", "ask": "0.9301"}"#,
        r#"{"after_ms": 18446744073709551615, "error": "x"}"#,
        r#"{"after_ms": 5, "error": "x"} {"after_ms": 5, "error": "x"}"#,
    ] {
        let error = Script::parse(&format!("{good}\n{bad}\n{good}\n")).expect_err(bad).to_string();
        assert!(error.starts_with("line 2: "), "{bad}: {error}");
    }
    assert!(matches!(Script::parse(""), Err(ReplayError::Empty)));
}

#[test]
fn a_play_that_would_begin_again_before_its_end_is_refused() {
    let source = |end| {
        let script = Script::parse(PLAY).unwrap();
        ReplaySource::new("replay".to_owned(), Duration::from_secs(1), script, Some(end), Arc::new(clock()))
    };
    assert!(matches!(source(3_000), Err(ReplayError::LoopTooShort { last_ms: 3_000, loop_after_ms: 3_000 })));
    assert!(matches!(source(0), Err(ReplayError::LoopTooShort { .. })));
    assert!(source(3_001).is_ok());
}

#[test]
fn the_sample_in_the_repository_is_a_good_script() {
    assert!(Script::parse(include_str!("../../config/rates.sample.jsonl")).is_ok());
}
