use std::sync::Mutex;
use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};
use rust_decimal::dec;

use super::*;
use crate::clock::ManualClock;
use crate::domain::ids::Mode;
use crate::domain::rate::Pair;
use crate::rates::consensus::Rules;
use crate::rates::cross::Crosses;
use crate::rates::health::SourceHealth;
use crate::rates::pair_text::parse;
use crate::rates::source::Tick;
use crate::rates::stream::OpenStream;

/// Does what its script says of the n-th fetch, counting from 1.
struct Scripted<F> {
    name: &'static str,
    fetches: Mutex<Vec<Instant>>,
    script: F,
}

enum Act {
    Answer,
    Fail(SourceError),
    Hang,
    Panic,
}

#[async_trait]
impl<F: Fn(usize) -> Act + Send + Sync + 'static> RateSource for Scripted<F> {
    fn name(&self) -> &str {
        self.name
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_millis(5)
    }

    fn fetch_timeout(&self) -> Duration {
        Duration::from_millis(60)
    }

    async fn fetch(&self) -> Result<Fetched, SourceError> {
        let count = {
            let mut fetches = self.fetches.lock().unwrap();
            fetches.push(Instant::now());
            fetches.len()
        };
        match (self.script)(count) {
            Act::Answer => Ok(vec![Tick { pair: pair(), bid: dec!(0.93), ask: dec!(0.94), source_time: None }].into()),
            Act::Fail(error) => Err(error),
            Act::Hang => std::future::pending().await,
            // Without the message that a panic prints.
            Act::Panic => std::panic::resume_unwind(Box::new("scripted")),
        }
    }
}

fn pair() -> Pair {
    parse("USDT/EUR").unwrap()
}

fn scripted<F: Fn(usize) -> Act + Send + Sync>(name: &'static str, script: F) -> Arc<Scripted<F>> {
    Arc::new(Scripted { name, fetches: Mutex::default(), script })
}

fn down() -> Act {
    Act::Fail(SourceError::Unavailable("down".to_owned()))
}

struct Stage {
    board: Arc<Board>,
    clock: ManualClock,
    stop: watch::Sender<bool>,
    runner: Runner,
}

fn start(sources: Vec<Arc<dyn RateSource>>) -> Stage {
    let rules = Rules { max_age: TimeDelta::seconds(10), max_deviation: dec!(0.02), min_sources: 1 };
    let board = Arc::new(Board::new(Mode::Test, rules, Crosses::default(), &[]));
    let clock = ManualClock::at(DateTime::from_timestamp(1_750_000_000, 0).unwrap());
    let (stop, stopped) = watch::channel(false);
    let feeds =
        sources.into_iter().map(|source| Feed { way: Way::Polled(source), boards: vec![Arc::clone(&board)] }).collect();
    let backoff = Backoff { first: Duration::from_millis(40), longest: Duration::from_millis(160) };
    let runner = Runner::start(feeds, Arc::new(clock.clone()), backoff, stopped);
    Stage { board, clock, stop, runner }
}

impl Stage {
    async fn until(&self, what: &str, mut holds: impl FnMut(&Stage) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < Duration::from_secs(10), "in vain: {what}");
            time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn has_price(&self) -> bool {
        self.board.is_ready(&[pair()], self.clock.now())
    }

    fn health(&self, name: &str) -> SourceHealth {
        self.board.health().into_iter().find(|health| health.source == name).unwrap_or_default()
    }

    async fn stop(self) {
        self.stop.send(true).expect("the tasks listen");
        time::timeout(Duration::from_secs(5), self.runner.stopped()).await.expect("the tasks end when told");
    }
}

#[tokio::test]
async fn a_source_feeds_the_board_again_and_again_and_stops_when_told() {
    let source = scripted("a", |_| Act::Answer);
    let stage = start(vec![source.clone()]);
    stage.until("a price", Stage::has_price).await;
    stage.clock.advance(TimeDelta::seconds(11));
    stage.until("a price after the first went stale", Stage::has_price).await;
    stage.stop().await;
    let fetches = source.fetches.lock().unwrap().len();
    time::sleep(Duration::from_millis(30)).await;
    assert_eq!(source.fetches.lock().unwrap().len(), fetches, "nobody fetches any more");
}

#[tokio::test]
async fn a_failing_source_is_left_alone_longer_and_longer_and_recovers() {
    let source = scripted("a", |n| if n < 4 { down() } else { Act::Answer });
    let stage = start(vec![source.clone()]);
    stage.until("failures", |stage| stage.health("a").failures_consecutive == 2).await;
    assert!(!stage.has_price());
    assert_eq!(stage.health("a").last_error.as_deref(), Some("can't be reached: down"));
    stage.until("a price", Stage::has_price).await;
    assert_eq!(stage.health("a").failures_consecutive, 0);
    {
        let fetches = source.fetches.lock().unwrap();
        let gaps: Vec<Duration> = fetches.windows(2).take(3).map(|pair| pair[1] - pair[0]).collect();
        // Half of 40, 80 and 160 ms is the least; jitter adds at most as much again.
        assert!(gaps[0] >= Duration::from_millis(20), "{gaps:?}");
        assert!(gaps[1] >= Duration::from_millis(40), "{gaps:?}");
        assert!(gaps[2] >= Duration::from_millis(80), "{gaps:?}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_source_that_asks_for_patience_is_given_it() {
    let patience = Duration::from_millis(300);
    let source = scripted("a", move |n| match n {
        1 => Act::Fail(SourceError::Throttled { retry_after: patience }),
        _ => Act::Answer,
    });
    let stage = start(vec![source.clone()]);
    stage.until("a price", Stage::has_price).await;
    {
        let fetches = source.fetches.lock().unwrap();
        assert!(fetches[1] - fetches[0] >= patience);
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_source_that_hangs_or_panics_does_not_disturb_the_others() {
    let stage = start(vec![
        scripted("hangs", |_| Act::Hang),
        scripted("panics", |n| if n < 3 { Act::Panic } else { Act::Answer }),
        scripted("works", |_| Act::Answer),
    ]);
    stage.until("a price", Stage::has_price).await;
    stage.until("a time-out", |stage| stage.health("hangs").failures_consecutive > 0).await;
    assert_eq!(stage.health("hangs").last_error.as_deref(), Some("can't be reached: no answer within 60 ms"));
    stage.until("the panicking one's recovery", |stage| stage.health("panics").last_success_at.is_some()).await;
    assert_eq!(stage.health("works").failures_consecutive, 0);
    stage.stop().await;
}

#[tokio::test]
async fn a_fetch_under_way_and_a_long_wait_do_not_delay_the_end() {
    let hanging = scripted("hangs", |_| Act::Hang);
    let waiting = scripted("waits", |_| Act::Fail(SourceError::Throttled { retry_after: Duration::from_secs(3_600) }));
    let stage = start(vec![hanging, waiting]);
    stage.until("both to have begun", |stage| stage.health("waits").failures_consecutive > 0).await;
    stage.stop().await;
}

#[tokio::test]
async fn one_fetch_feeds_all_the_boards_that_listen() {
    let source = scripted("a", |n| if n == 1 { Act::Answer } else { Act::Hang });
    let Stage { board: first, clock, .. } = start(vec![]);
    let Stage { board: second, .. } = start(vec![]);
    let feed = Feed { way: Way::Polled(source), boards: vec![Arc::clone(&first), Arc::clone(&second)] };
    let (_stop, stopped) = watch::channel(false);
    let _runner = Runner::start(vec![feed], Arc::new(clock.clone()), Backoff::default(), stopped);
    let stage = Stage { board: second, ..start(vec![]) };
    stage.until("a price on the second", Stage::has_price).await;
    assert!(first.is_ready(&[pair()], clock.now()));
}

#[tokio::test]
async fn the_tasks_end_when_nobody_is_left_to_stop_them() {
    let Stage { stop, runner, .. } = start(vec![scripted("a", |_| Act::Answer)]);
    drop(stop);
    time::timeout(Duration::from_secs(5), runner.stopped()).await.expect("the tasks end");
}

/// A stream whose n-th opening, counting from 1, goes as its script says.
struct ScriptedStream {
    openings: Mutex<usize>,
}

struct Opened {
    ticks: usize,
    ending: Act,
}

#[async_trait]
impl RateStream for ScriptedStream {
    fn name(&self) -> &str {
        "a"
    }

    fn open_timeout(&self) -> Duration {
        Duration::from_millis(60)
    }

    async fn open(&self) -> Result<Box<dyn OpenStream>, SourceError> {
        let opening = {
            let mut openings = self.openings.lock().unwrap();
            *openings += 1;
            *openings
        };
        let ending = match opening {
            1 => return Err(SourceError::Unavailable("down".to_owned())),
            2 => std::future::pending().await,
            3 => std::panic::resume_unwind(Box::new("scripted")),
            4 => Act::Panic,
            5 => Act::Fail(SourceError::Malformed("garbage".to_owned())),
            6 => Act::Answer,
            _ => Act::Hang,
        };
        Ok(Box::new(Opened { ticks: 0, ending }))
    }
}

#[async_trait]
impl OpenStream for Opened {
    async fn next(&mut self) -> Result<Option<Fetched>, SourceError> {
        self.ticks += 1;
        if self.ticks < 3 {
            return Ok(Some(vec![Tick { pair: pair(), bid: dec!(0.93), ask: dec!(0.94), source_time: None }].into()));
        }
        match &self.ending {
            Act::Answer => Ok(None),
            Act::Fail(error) => Err(error.clone()),
            Act::Hang => std::future::pending().await,
            Act::Panic => std::panic::resume_unwind(Box::new("scripted")),
        }
    }
}

#[tokio::test]
async fn a_stream_is_opened_again_however_it_ends_and_its_trouble_is_no_failure_of_the_source() {
    let stream = Arc::new(ScriptedStream { openings: Mutex::default() });
    let Stage { board, clock, .. } = start(vec![]);
    let (stop, stopped) = watch::channel(false);
    let backoff = Backoff { first: Duration::from_millis(40), longest: Duration::from_millis(40) };
    let feed = Feed { way: Way::Pushed(stream.clone()), boards: vec![Arc::clone(&board)] };
    let runner = Runner::start(vec![feed], Arc::new(clock.clone()), backoff, stopped);
    let stage = Stage { board, clock, stop, runner };
    let mut troubles = std::collections::BTreeSet::new();
    stage
        .until("all the openings", |stage| {
            troubles.extend(stage.health("a").last_error);
            *stream.openings.lock().unwrap() == 7
        })
        .await;
    assert!(stage.has_price());
    assert_eq!(stage.health("a").failures_consecutive, 0);
    assert!(troubles.contains("stream: can't be reached: not open within 60 ms"), "{troubles:?}");
    stage.stop().await;
}
