//! Crash tests: what was accepted is paid once or given back, whatever dies when.
//!
//! The long form: `TORTURE_MATRIX=all` runs every failpoint times every kind of failure, `TORTURE_KILLS=1000` that many random kills,
//! `TORTURE_SEED` draws other moments, `TORTURE_LANES` says how many cases run at once, and `TORTURE_OUT` names a file that gets a
//! line of JSON for each case:
//!
//! ```sh
//! TORTURE_MATRIX=all TORTURE_KILLS=800 cargo test --features torture --test torture crash:: -- --nocapture --test-threads 1
//! ```

mod check;
mod client;
mod draw;
mod ground;
mod kills;
mod load;
mod matrix;
mod postgres;
mod proxy;
mod server;

use std::io::Write;

use futures_util::future::join_all;
use serde_json::json;

use draw::Draw;
use ground::Ground;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn seed() -> u64 {
    number("TORTURE_SEED").unwrap_or(4)
}

fn lanes() -> usize {
    usize::try_from(number("TORTURE_LANES").unwrap_or(3)).unwrap()
}

/// A line for whoever sums up.
fn put_down(line: &serde_json::Value) {
    if let Some(path) = std::env::var_os("TORTURE_OUT") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failpoint_is_survived_by_kill_error_and_pause() {
    let ground = Ground::new().await;
    let places = matrix::discovered(&ground).await;
    let mut draw = Draw::of(seed());
    let mut cases = matrix::whole(&places, &mut draw);
    let is_whole = std::env::var("TORTURE_MATRIX").is_ok_and(|which| which == "all");
    if let Ok(only) = std::env::var("TORTURE_ONLY") {
        cases.retain(|case| case.to_string().contains(&only));
    } else if !is_whole {
        cases.truncate(12);
    }
    eprintln!("{} failpoints, {} cases", places.len(), cases.len());
    let told = |held: &matrix::Held| {
        let how = match (held.hit, held.is_good()) {
            (_, false) => "BROKEN",
            (true, true) => "held",
            (false, true) => "not reached",
        };
        if is_whole || !held.is_good() {
            eprintln!(
                "{:<56} {how} in {:.1} s {:?}",
                held.case.to_string(),
                held.took.as_secs_f32(),
                held.outcome.differences
            );
        }
        put_down(
            &json!({ "kind": "matrix", "place": held.case.place, "action": held.case.kind.to_string(), "nth": held.case.nth,
            "hit": held.hit, "held": held.is_good(), "kills": held.kills, "restarts": held.restarts, "paid": held.outcome.paid,
            "requests": held.outcome.requests, "moderated": held.outcome.moderated, "ends": held.outcome.ends,
            "differences": held.outcome.differences, "millis": u64::try_from(held.took.as_millis()).unwrap() }),
        );
    };
    let all = matrix::run_all(&ground, cases, lanes(), told).await;
    let (hit, kills) = (all.iter().filter(|held| held.hit).count(), all.iter().map(|held| held.kills).sum::<u64>());
    let mut sum = check::Outcome::default();
    for held in &all {
        sum.join(held.outcome.clone());
    }
    eprintln!("{}", matrix::table(&all));
    eprintln!(
        "{} cases, {hit} met their failpoint, {kills} kills, {} requests, {} paid, ends {:?}, {} returns untold, {} differences",
        all.len(),
        sum.requests,
        sum.paid,
        sum.ends,
        sum.untold_returns,
        sum.differences.len()
    );
    assert!(sum.differences.is_empty(), "{:#?}", sum.differences);
    // What is never reached is not shown to hold.
    assert!(hit * 10 >= all.len() * 9, "only {hit} of {} cases met their failpoint", all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_again_and_again_under_load_loses_nothing() {
    let ground = Ground::new().await;
    let kills = number("TORTURE_KILLS").unwrap_or(10);
    let streams = if kills > 20 { lanes() as u64 } else { 1 };
    let plans = (0..kills.div_ceil(25)).map(|n| kills::Plan {
        name: format!("kills-{n}"),
        kills: 25.min(kills - n * 25),
        seed: seed().wrapping_mul(1_000).wrapping_add(n),
        clients: 3,
        with_second: n % 3 == 1,
    });
    let queue = std::sync::Mutex::new(plans);
    let done = std::sync::Mutex::new(kills::Report::default());
    let lane = async || {
        loop {
            let next = queue.lock().unwrap().next();
            let Some(plan) = next else { return };
            let report = kills::run(&ground, &plan).await;
            let mut sum = done.lock().unwrap();
            sum.kills += report.kills;
            sum.at_steps += report.at_steps;
            for (sum, more) in sum.tries.iter_mut().zip(report.tries) {
                *sum += more;
            }
            let all = sum.kills;
            eprintln!(
                "{all} kills; {}: {} kills ({} at steps) in {:.1} s, {} requests, {} paid, differences {:?}",
                plan.name,
                report.kills,
                report.at_steps,
                report.took.as_secs_f32(),
                report.outcome.requests,
                report.outcome.paid,
                report.outcome.differences
            );
            put_down(&json!({ "kind": "kills", "seed": plan.seed, "kills": report.kills, "at_steps": report.at_steps,
                "requests": report.outcome.requests, "paid": report.outcome.paid, "moderated": report.outcome.moderated,
                "ends": report.outcome.ends, "tries": report.tries, "differences": report.outcome.differences,
                "millis": u64::try_from(report.took.as_millis()).unwrap() }));
            sum.outcome.join(report.outcome);
        }
    };
    join_all((0..streams).map(|_| lane())).await;
    let sum = done.into_inner().unwrap();
    eprintln!(
        "{} kills ({} at drawn steps), {} requests, {} paid, {} with a person, ends {:?}; tries answered, lost, failed: {:?}",
        sum.kills,
        sum.at_steps,
        sum.outcome.requests,
        sum.outcome.paid,
        sum.outcome.moderated,
        sum.outcome.ends,
        sum.tries
    );
    assert!(sum.outcome.differences.is_empty(), "{:#?}", sum.outcome.differences);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_is_finished_by_the_next() {
    let ground = Ground::new().await;
    let differences = kills::first_starts(&ground, number("TORTURE_FIRST_STARTS").unwrap_or(2), seed()).await;
    assert!(differences.is_empty(), "{differences:#?}");
}
