//! What a rate update costs until its pair's new median can be seen: 4 sources, 50 pairs, all of them fresh.

#![allow(clippy::unwrap_used, reason = "a bench that can't go on fails")]

use std::hint::black_box;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use landfall::domain::ids::Mode;
use landfall::domain::rate::Pair;
use landfall::rates::board::Board;
use landfall::rates::consensus::Rules;
use landfall::rates::cross::Crosses;
use landfall::rates::source::Tick;
use rust_decimal::{Decimal, dec};

const SOURCES: [&str; 4] = ["binance", "coinbase", "kraken", "other"];
const PAIRS: u32 = 50;

/// Pairs of made-up assets: A00/EUR to A49/EUR.
fn pairs() -> Vec<Pair> {
    (0..PAIRS).map(|n| format!("A{n:02}/EUR").parse().unwrap()).collect()
}

/// What a source says of a pair, in its `nth` update: within a thousandth of the others, and different each time.
fn tick(pair: Pair, source: u32, nth: u32) -> Tick {
    let bid = dec!(1.234567) + Decimal::new(i64::from(source * 100 + nth % 100), 6);
    Tick { pair, bid, ask: bid + dec!(0.0004), source_time: None }
}

fn filled(now: DateTime<Utc>, pairs: &[Pair]) -> Board {
    let rules = Rules { max_age: TimeDelta::days(1), max_deviation: dec!(0.02), min_sources: 3 };
    let names = SOURCES.map(str::to_owned);
    let board = Board::new(Mode::Test, rules, Crosses::default(), &names);
    for (n, source) in (0..).zip(SOURCES) {
        let ticks: Vec<Tick> = pairs.iter().map(|pair| tick(*pair, n, 0)).collect();
        assert_eq!(board.record(source, &ticks, now).taken, pairs.len());
    }
    board
}

fn updates(criterion: &mut Criterion) {
    let pairs = pairs();
    let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let mut group = criterion.benchmark_group("rates of 4 sources, 50 pairs");
    let mut nth = 0_u32;
    // As a stream brings it: one pair of one source.
    let board = filled(start, &pairs);
    group.bench_function("one update until its median is seen", |bencher| {
        bencher.iter(|| {
            nth = nth.wrapping_add(1);
            let pair = pairs[usize::try_from(nth % PAIRS).unwrap()];
            let now = start + TimeDelta::milliseconds(i64::from(nth % 10_000_000));
            board.record(SOURCES[usize::try_from(nth % 4).unwrap()], &[tick(pair, nth % 4, nth)], now);
            black_box(board.price(pair, now).unwrap())
        });
    });
    // As a poll brings it: all pairs of one source at once, and every median.
    let board = filled(start, &pairs);
    group.bench_function("a poll of 50 pairs until all medians are seen", |bencher| {
        bencher.iter(|| {
            nth = nth.wrapping_add(1);
            let now = start + TimeDelta::milliseconds(i64::from(nth % 10_000_000));
            let ticks: Vec<Tick> = pairs.iter().map(|pair| tick(*pair, nth % 4, nth)).collect();
            board.record(SOURCES[usize::try_from(nth % 4).unwrap()], &ticks, now);
            for pair in &pairs {
                black_box(board.price(*pair, now).unwrap());
            }
        });
    });
    let board = filled(start, &pairs);
    group.bench_function("a median by itself", |bencher| {
        bencher.iter(|| black_box(board.price(pairs[7], start).unwrap()));
    });
    group.finish();
}

criterion_group!(benches, updates);
criterion_main!(benches);
