//! The direction of the tree, read from the imports: `http`, `worker` -> `wallet`, `gateway` -> `domain`.
//! A broken line fails here, with the file that broke it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may import. What isn't listed is refused.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    // Sections are read into the types of the rooms that they configure.
    ("config", &["domain", "rates"]),
    ("telemetry", &["config"]),
    // Test-only failpoints: nothing without their feature.
    ("torture", &[]),
    // `vault` and `providers` only for the traits that tables implement for them.
    ("store", &["domain", "clock", "config", "vault", "providers", "torture"]),
    // Requests to a key service are signed by the time.
    ("vault", &["domain", "config", "clock"]),
    ("providers", &["domain", "config", "clock", "outgoing"]),
    ("outgoing", &["config"]),
    ("rates", &["domain", "config", "clock"]),
    // The provider's side: it shares the behaviour table and the report's row with `providers`, and knows nothing of ours.
    ("simulator", &["domain", "config", "clock", "providers"]),
    ("screening", &["domain"]),
    ("gateway", &["domain", "config", "clock", "store", "vault", "providers", "screening", "torture"]),
    ("wallet", &["domain", "config", "store", "vault", "rates", "gateway", "torture"]),
    // The dashboard shows what the wallet says of an offer, and the board's prices; staff's decisions are the gateway's, and name
    // what a provider calls a payment. Second factors are sealed in the vault.
    ("staff", &["domain", "config", "clock", "store", "vault", "rates", "wallet", "gateway", "providers"]),
    ("verify", &["domain", "store", "vault", "gateway"]),
    ("worker", &["domain", "config", "gateway", "torture"]),
    ("http", &["domain", "config", "clock", "wallet", "gateway", "rates", "vault", "staff"]),
];

/// Single files that may import what their room may not, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/domain/ids.rs", "torture", "a test that is to run again as it ran draws its ids from a seed"),
    ("src/http/error/from_wallet.rs", "store", "a failure of the database becomes a status here"),
    ("src/http/ops/health.rs", "store", "readiness asks the database itself"),
    ("src/http/idempotency.rs", "store", "saved answers are a matter of the wire: no use case knows them"),
];

/// Rooms that know everything: the wiring and the commands.
const FREE: &[&str] = &["app", "main", "commands", "lib"];

#[test]
fn imports_point_in_one_direction() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(room, rooms)| (*room, rooms.iter().copied().collect())).collect();
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src")) {
        let room = room_of(&file);
        if FREE.contains(&room.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(room.as_str()) else {
            broken.push(format!("{}: the room {room} isn't in the list", file.display()));
            continue;
        };
        for import in imports(&production_part(&fs::read_to_string(&file).unwrap())) {
            let excepted = EXCEPTIONS.iter().any(|(path, to, _)| Path::new(path) == file && *to == import.as_str());
            if import != room && !allowed.contains(import.as_str()) && !excepted {
                broken.push(format!("{}: {room} imports {import}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn domain_does_no_io_and_reads_no_clock() {
    let forbidden =
        ["tokio", "diesel", "reqwest", "actix_web", "std::fs", "std::net", "async fn", "Utc::now", "SystemTime"];
    let mut broken = Vec::new();
    for file in rust_files(Path::new("src/domain")) {
        let text = production_part(&fs::read_to_string(&file).unwrap());
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in forbidden {
                if line.contains(word) {
                    broken.push(format!("{}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// A simulation drives these in virtual time.
#[test]
fn the_simulators_core_does_no_io_and_reads_no_clock() {
    let forbidden = ["tokio", "hyper", "std::fs", "std::net", "async fn", "Utc::now", "SystemTime", "Mutex"];
    for file in ["api", "bank", "callback", "faults", "line", "payment"] {
        let text = production_part(&fs::read_to_string(format!("src/simulator/{file}.rs")).unwrap());
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!forbidden.iter().any(|word| line.contains(word)), "{file}: {}", line.trim());
        }
    }
}

#[test]
fn http_holds_no_sql() {
    for room in ["src/http", "src/worker", "src/wallet", "src/gateway"] {
        for file in rust_files(Path::new(room)) {
            let text = production_part(&fs::read_to_string(&file).unwrap());
            let has_sql =
                ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE ", "sql_query"].iter().any(|s| text.contains(s));
            assert!(!has_sql, "{} holds SQL: it belongs to store", file.display());
        }
    }
}

#[test]
fn every_module_says_what_it_owns() {
    let silent: Vec<_> = rust_files(Path::new("src"))
        .into_iter()
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "no `//!` at the head of {silent:?}");
}

#[test]
fn exceptions_are_still_needed() {
    for (path, to, _) in EXCEPTIONS {
        let text = fs::read_to_string(path).unwrap_or_else(|_| panic!("{path} is gone: drop its exception"));
        assert!(imports(&text).contains(*to), "{path} no longer imports {to}: drop its exception");
    }
}

/// The file without its unit tests.
fn production_part(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()
}

/// The top-level modules that a file names as `crate::room` or `landfall::room`.
fn imports(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for piece in line.split("crate::").skip(1) {
            let room: String = piece.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !room.is_empty() && room != "transaction_error" {
                rooms.insert(room);
            }
        }
    }
    rooms
}

fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if is_production(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A Rust file that isn't a file of unit tests.
fn is_production(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "testing.rs"
}
