//! No card number and no secret is written down anywhere: everything is walked through once, in processes of their own with every crate at
//! TRACE and a database that logs every statement with its parameters, and then whatever they wrote is searched for each number and secret
//! in every form. What the search itself is worth, it shows by finding a number that is planted, in each kind of place and each form.
//!
//! `make canary` runs the whole suite so and searches what it leaves: see `sweep`.

mod ground;
mod memory;
mod needles;
mod search;
mod sweep;
mod wal;
mod walk;

use std::path::Path;

use self::ground::Ground;
use self::needles::Secret;
use self::search::{Search, Separators};
use self::walk::Walk;

const LOG: &str = "log of a process";
const POSTGRES_LOG: &str = "log of PostgreSQL";
const PAGES: &str = "database file";
const WAL: &str = "write-ahead log";
const TABLE: &str = "table";
const SAVED: &str = "saved answer";
const ANSWER: &str = "answer";
const METRICS: &str = "metrics";
const OTHER: &str = "other file";

/// Of what kind a file below an installation's folder is. Keys and the administrator's password are where they belong.
fn kind_of(path: &Path) -> Option<&'static str> {
    let text = path.to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if text.contains("/keys/") {
        None
    } else if text.contains("/pg_wal/") {
        Some(WAL)
    } else if text.contains("/postgres/data/") {
        Some(PAGES)
    } else if text.ends_with("/postgres/log") {
        Some(POSTGRES_LOG)
    } else if name.ends_with(".log") {
        Some(LOG)
    } else {
        Some(OTHER)
    }
}

async fn search_all(ground: &Ground, answers: &[(String, String)], secrets: &[Secret]) -> Search {
    ground.execute("CHECKPOINT").await;
    let mut search = Search::of(secrets, Separators::Wide);
    search.folder(ground.path(), &kind_of).unwrap();
    for (table, rows) in ground.dump().await {
        search.bytes(TABLE, &table, rows.as_bytes());
    }
    for saved in ground.query("SELECT t::text FROM idempotency_key t WHERE response_body IS NOT NULL").await {
        search.bytes(SAVED, "idempotency_key", saved.as_bytes());
    }
    for (name, text) in answers {
        let kind = if name.starts_with("/metrics") || name.starts_with("/health") { METRICS } else { ANSWER };
        search.bytes(kind, name, text.as_bytes());
    }
    search
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_and_no_secret_is_found_in_anything_that_is_written() {
    let mut ground = Ground::new().await;
    ground.repeated.lock().unwrap().extend(ground.numbers.values().cloned());
    let simulator_log = "simulator";
    let mut simulator = ground.start(&["simulator", "--listen", &ground.simulator.to_string()], simulator_log);
    let (mut server, url) = ground.serve().await;
    let mut walk = Walk::new(&ground, url);
    walk.whole().await;
    // Jobs that fell due meanwhile.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    walk.metrics("at the end").await;
    let (answers, secrets) = (std::mem::take(&mut walk.answers), std::mem::take(&mut walk.secrets));
    drop(walk);

    let calls = ground.provider_calls();
    let sql = "SELECT DISTINCT concat_ws(' ', provider, status, resolution, provider_code, provider_message) FROM payout \
        UNION SELECT DISTINCT concat_ws(' ', r.service, r.status, r.resolution, r.moderation_reason) FROM payout_request r";
    let became = ground.query(sql).await.join("\n");

    // The command line is anybody's to read.
    let pid = server.id().unwrap();
    let keys = ground.keys().await;
    ground.secrets.extend(secrets);
    ground.secrets.extend(keys);
    let mut lines = Search::of(&ground.secrets, Separators::Wide);
    for pid in [pid, simulator.id().unwrap()] {
        lines.bytes("command line", "server", &std::fs::read(format!("/proc/{pid}/cmdline")).unwrap());
    }
    assert!(lines.found.is_empty(), "{:?}", lines.found);
    let memory = memory::searched(pid, &ground.secrets);
    memory::end(&mut server).await;
    memory::end(&mut simulator).await;

    let search = search_all(&ground, &answers, &ground.secrets).await;
    println!("searched:\n{}", search.told());
    println!("in the memory of a server whose work was done, which nobody but it may read: {memory}");
    let found: Vec<String> = search.found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
    assert!(calls.values().all(|count| *count >= 4), "every adapter sent card numbers: {calls:?}\n{became}");
    for kind in [LOG, POSTGRES_LOG, PAGES, WAL, TABLE, SAVED, ANSWER, METRICS] {
        let (places, bytes) = search.tally.get(kind).copied().unwrap_or_default();
        assert!(places > 0 && bytes > 0, "no {kind} was searched");
    }
    // The logs are as talkative as can be.
    let log = std::fs::read_to_string(ground.path().join("serve.log")).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let tracing: std::collections::BTreeSet<String> = lines
        .filter(|line| line["level"] == "TRACE")
        .filter_map(|line| Some(line["target"].as_str()?.split("::").next()?.to_owned()))
        .collect();
    println!("crates that log at TRACE: {tracing:?}");
    assert!(tracing.len() >= 2, "{tracing:?}");
    planted(&ground, &answers).await;
}

/// The same search over the same places finds a number in each kind of place, in each form.
async fn planted(ground: &Ground, answers: &[(String, String)]) {
    let secret = Secret::number("the planted number", ground.number("that is planted"));
    let forms = secret.forms().into_iter().map(|form| (form.name, form.bytes));
    let all: Vec<(&'static str, Vec<u8>)> = forms.chain(secret.spellings()).collect();
    assert!(all.len() >= 25);
    ground.execute("CREATE TABLE planted (form text, text text, bytes bytea)").await;
    for (form, bytes) in &all {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => format!("'{}'", text.replace('\'', "''")),
            _ => "NULL".to_owned(),
        };
        // Not by a statement that the log shows: what is found in the log is what is planted there below.
        let insert = format!(
            "SET log_statement = none; SET log_min_duration_statement = -1; \
            INSERT INTO planted VALUES ($${form}$$, {text}, '\\x{}')",
            hex::encode(bytes)
        );
        ground.execute(&insert).await;
    }
    for (form, bytes) in &all {
        let secrets = std::slice::from_ref(&secret);
        // One form alone, so that no other is found in its stead.
        for (path, kind) in [("serve.log", LOG), ("data/postgres/log", POSTGRES_LOG)] {
            let mut log = std::fs::read(ground.path().join(path)).unwrap();
            log.truncate(100_000);
            let middle = log.len() / 2;
            let mut search = Search::of(secrets, Separators::Wide);
            search.bytes(kind, path, &[&log[..middle], bytes, &log[middle..]].concat());
            assert!(!search.found.is_empty(), "{kind}: {form}");
        }
        let mut search = Search::of(secrets, Separators::Wide);
        let (name, text) = &answers[answers.len() / 2];
        search.bytes(ANSWER, name, &[text.as_bytes(), bytes].concat());
        let mut metrics = Search::of(secrets, Separators::Wide);
        metrics.bytes(METRICS, "/metrics", &[b"landfall_requests{path=\"", bytes.as_slice(), b"\"} 1\n"].concat());
        assert!(!search.found.is_empty() && !metrics.found.is_empty(), "{form}");
        memory::holds(&secret, form, bytes).await;
    }
    // What PostgreSQL has of it: text and bytes of each form, in its files, in the write-ahead log and in the dump.
    let search = search_all(ground, &[], std::slice::from_ref(&secret)).await;
    for kind in [PAGES, WAL, TABLE] {
        for form in secret.forms() {
            // In a dump, bytes are written in hex.
            let is_text = std::str::from_utf8(&form.bytes).is_ok_and(|text| !text.contains('\0'));
            let is_found = search.found.iter().any(|found| found.kind == kind && found.form == form.name);
            assert!(is_found || (kind == TABLE && !is_text), "{kind}: {}", form.name);
        }
    }
}
