//! The seeds that are run: a few with every run of the tests, and as many as the environment says.

use std::io::Write as _;

use serde_json::json;

use super::tally::Tally;
use super::{Outcome, Simulation};

/// Run with every run of the tests.
const SHORT: std::ops::Range<u64> = 0..4;
/// Seeds that found something once: an overdrawn balance that couldn't be read.
const FOUND: [u64; 1] = [33];

/// One simulation at a time in a process: failpoints and rules are the process's.
pub static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// How much of its log is shown of a seed that failed, unless `TORTURE_LOG` says how much.
const LOG_LINES: usize = 60;

fn tell(outcome: &Outcome) -> String {
    let Outcome { seed, violations, log, .. } = outcome;
    let lines = std::env::var("TORTURE_LOG").ok().and_then(|text| text.parse().ok()).unwrap_or(LOG_LINES);
    let last = &log[log.len().saturating_sub(lines).max(1)..];
    let broken: Vec<_> = violations.iter().map(|violation| format!("  {violation}")).collect();
    format!(
        "{}\n...\n{}\nseed {seed} broke:\n{}\nto run it again: TORTURE_SEEDS={seed}..{}",
        log[0],
        last.join("\n"),
        broken.join("\n"),
        seed + 1
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whatever_is_drawn_the_money_adds_up() {
    let _alone = ALONE.lock().await;
    let mut simulation = Simulation::new().await;
    let mut total = Tally::default();
    for seed in SHORT.chain(FOUND) {
        let outcome = simulation.run(seed).await;
        assert!(outcome.violations.is_empty(), "{}", tell(&outcome));
        total.join(&outcome.tally);
    }
    println!("{total}");
    assert!(total.kinds("fault") >= 10, "{total}");
    assert!(total.of("run", "payouts") >= 100, "{total}");
}

/// How often a seed runs until it takes the same steps twice.
const RUNS_MAX: usize = 6;

/// A seed is worth something only if it shows again what it has shown. `TORTURE_REPLAY` says how many are looked at: none in the suite, since
/// a transaction that PostgreSQL makes begin again, which no seed decides and a busy machine brings about, draws ids anew. Those in which
/// steps go on side by side are passed over: what comes first there is PostgreSQL's to say.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_seed_takes_the_same_steps() {
    let Ok(count) = std::env::var("TORTURE_REPLAY") else { return };
    let _alone = ALONE.lock().await;
    let mut left: u32 = count.parse().unwrap();
    let mut simulation = Simulation::new().await;
    let mut seed = SHORT.end;
    while left > 0 {
        let mut logs: Vec<Vec<String>> = Vec::new();
        let is_passed_over = loop {
            let run = simulation.run(seed).await;
            if run.in_parallel || logs.contains(&run.log) {
                break run.in_parallel;
            }
            logs.push(run.log);
            let steps = logs.first().into_iter().flatten().zip(logs.last().into_iter().flatten());
            let apart = steps.into_iter().find(|(one, other)| one != other);
            assert!(logs.len() < RUNS_MAX, "seed {seed}: {apart:?}");
        };
        left -= u32::from(!is_passed_over);
        seed += 1;
    }
}

/// `TORTURE_SEEDS=from..to`; `TORTURE_OUT` names a file that gets the counts as a line of JSON.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn seeds_of_the_environment() {
    let Ok(seeds) = std::env::var("TORTURE_SEEDS") else { return };
    let _alone = ALONE.lock().await;
    let (from, to) = seeds.split_once("..").expect("TORTURE_SEEDS=from..to");
    let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
    let mut simulation = Simulation::new().await;
    let (mut total, mut failed) = (Tally::default(), Vec::new());
    let started = std::time::Instant::now();
    let mut told = started;
    for seed in from..to {
        let outcome = simulation.run(seed).await;
        total.join(&outcome.tally);
        if !outcome.violations.is_empty() {
            println!("{}\n", tell(&outcome));
            failed.push(seed);
        }
        if told.elapsed().as_secs() >= 5 || seed + 1 == to {
            told = std::time::Instant::now();
            let payouts = total.of("run", "payouts");
            let secs = started.elapsed().as_secs();
            println!("seed {seed}: {} done, {payouts} payouts, {} failed, {secs} s", seed + 1 - from, failed.len());
        }
    }
    println!("\n{total}\nseeds {from}..{to}, failed: {failed:?}");
    if let Ok(path) = std::env::var("TORTURE_OUT") {
        let line = json!({
            "seeds": [from, to], "failed": failed, "seconds": started.elapsed().as_secs(), "counts": total.to_json(),
        });
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}
