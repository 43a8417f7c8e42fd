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
    // Of `outgoing` only which addresses are called: nothing is sent here.
    ("gateway", &["domain", "config", "clock", "store", "vault", "providers", "screening", "torture", "outgoing"]),
    ("wallet", &["domain", "config", "store", "vault", "rates", "gateway", "torture"]),
    // The dashboard shows what the wallet says of an offer, and the board's prices; staff's decisions are the gateway's, and name
    // what a provider calls a payment. Second factors are sealed in the vault.
    ("staff", &["domain", "config", "clock", "store", "vault", "rates", "wallet", "gateway", "providers"]),
    ("verify", &["domain", "store", "vault", "gateway"]),
    // Sends what the gateway says is to be told.
    ("webhooks", &["domain", "clock", "gateway", "outgoing"]),
    ("worker", &["domain", "config", "gateway", "torture"]),
    ("http", &["domain", "config", "clock", "wallet", "gateway", "rates", "vault", "staff"]),
];

/// Single files that may import what their room may not, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/domain/ids.rs", "torture", "a test that is to run again as it ran draws its ids from a seed"),
    ("src/http/error/from_wallet.rs", "store", "a failure of the database becomes a status here"),
    ("src/http/ops/health.rs", "store", "readiness asks the database itself"),
    ("src/http/fuzz.rs", "fuzz", "what is told must hold no card number, as in every target"),
    ("src/gateway/batches/fuzz.rs", "fuzz", "what is told must hold no card number, as in every target"),
    ("src/http/idempotency.rs", "store", "saved answers are a matter of the wire: no use case knows them"),
];

/// Rooms that know everything: the wiring, the commands, and the targets of fuzzing.
const FREE: &[&str] = &["app", "main", "commands", "lib", "fuzz"];

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

/// What of a name says that a field has a secret, and what before or after it says that it hasn't.
const SECRET_WORDS: [&str; 9] =
    ["pan", "card_number", "number", "holder", "password", "secret", "api_key", "private_key", "token"];
const HARMLESS: [&str; 12] = [
    "masked_",
    "form_token",
    "_sealed",
    "_hash",
    "_mac",
    "_env",
    "_id",
    "_file",
    "_number",
    "_redacted",
    "token_",
    "number_",
];
/// Types that show such a field all the same, each with its reason.
const SHOWN: &[(&str, &str)] = &[
    ("PayoutRequestAttributes", "its token is the id of a card of the wallet"),
    ("Concerned", "a fingerprint and a masked number"),
    ("Scripted", "how often a fault strikes"),
    ("ApiKeyAttributes", "a key is told once, to whoever made it; `Debug` leaves it out"),
    ("WebhookEndpointAttributes", "a signing secret is told once, to whoever drew it; it has no `Debug`"),
    ("CustomerTokenAttributes", "a token is told once, to whoever asked for it; it has no `Debug`"),
    ("WaitsFor", "the same of a key that waits for a second person; it has no `Debug`"),
];

/// By construction: nothing that derives `Debug` has a secret as plain text, and nothing but the body of a provider's request can be
/// serialized with one. Types of their own (`Pan`, `HolderName`, `SecretString`, `SecretKey32`, `Body`) redact themselves.
#[test]
fn nothing_that_holds_a_secret_shows_it() {
    let (mut broken, mut looked_at) = (Vec::new(), 0);
    for file in rust_files(Path::new("src")) {
        let text = production_part(&fs::read_to_string(&file).unwrap());
        // What can be serialized is what goes to a provider, and derives nothing else.
        let is_wire = file.ends_with("wire.rs") && file.starts_with("src/providers");
        for (derived, name, fields) in structs(&text) {
            looked_at += 1;
            let shows = derived.contains("Debug");
            let tells = derived.contains("Serialize") && !is_wire;
            let is_excepted = SHOWN.iter().any(|(shown, _)| *shown == name);
            for (field, kind) in fields.into_iter().filter(|_| (shows || tells) && !is_excepted) {
                let is_plain =
                    ["String", "str", "Vec<u8>", "[u8", "Value", "Zeroizing", "Cow<"].iter().any(|k| kind.contains(k));
                let is_secret = SECRET_WORDS.iter().any(|word| {
                    field == *word || field.starts_with(&format!("{word}_")) || field.ends_with(&format!("_{word}"))
                });
                let is_harmless = HARMLESS.iter().any(|part| field.starts_with(part) || field.ends_with(part));
                if is_plain && is_secret && !is_harmless && !kind.contains("Secret") {
                    broken.push(format!("{}: {name} derives {derived} and has {field}: {kind}", file.display()));
                }
            }
        }
    }
    assert!(looked_at > 300, "{looked_at}");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The types that everybody relies on for that: none of them derives `Debug`, `Serialize` or `Display`.
#[test]
fn types_of_secrets_redact_themselves() {
    for (file, name) in [
        ("src/domain/card/pan.rs", "Pan"),
        ("src/domain/card/holder.rs", "HolderName"),
        ("src/domain/card/billing.rs", "BillingAddress"),
        ("src/vault/secret.rs", "SecretKey32"),
        ("src/vault/mac.rs", "Fingerprint"),
        ("src/http/body.rs", "Body"),
        ("src/http/call.rs", "Answer"),
        ("src/providers/transport.rs", "WireRequest"),
        ("src/providers/transport.rs", "WireResponse"),
    ] {
        let text = fs::read_to_string(file).unwrap();
        let declared = text.find(&format!("struct {name}")).unwrap_or_else(|| panic!("{name} is not in {file}"));
        let before = &text[..declared];
        let derived =
            before.rfind("#[derive(").filter(|at| !before[*at..].contains('}')).map_or("", |at| &before[at..]);
        for refused in ["Debug", "Serialize", "Display"] {
            assert!(!derived.contains(refused), "{name} derives {refused}");
        }
        let by_hand = [format!("Debug for {name} "), format!("Debug for {name}<")];
        assert!(by_hand.iter().any(|line| text.contains(line)), "{name} says nothing of itself in {file}");
    }
}

/// Lines that name such a thing all the same, each with its reason.
const LOGGED: &[(&str, &str, &str)] = &[
    ("src/http/call.rs", "digits", "how many there are decides whether the app's version is logged"),
    ("src/store/connect.rs", "url", "a `DatabaseUrl` never shows its password"),
    ("src/telemetry.rs", "payload", "a panic's words, where they are our own"),
];

/// What a log line names: ids, codes, counts, errors and words of our own. Never what came in or goes out.
#[test]
fn no_log_line_takes_what_came_in_or_goes_out() {
    let refused = [
        "body",
        "payload",
        "pan",
        "holder",
        "password",
        "secret",
        "credentials",
        "headers",
        "header",
        "request_body",
        "wire",
        "response",
        "destination",
        "card_number",
        "digits",
        "input",
        "typed",
        "form",
        "raw",
        "bytes",
        "query",
        "url",
        "value",
    ];
    let (mut broken, mut lines) = (Vec::new(), 0);
    for file in rust_files(Path::new("src")) {
        let text = production_part(&fs::read_to_string(&file).unwrap());
        let macros = [
            "tracing::trace!(",
            "tracing::debug!(",
            "tracing::info!(",
            "tracing::warn!(",
            "tracing::error!(",
            "info_span!(",
            "debug_span!(",
        ];
        for start in macros.iter().flat_map(|name| text.match_indices(name).map(|(at, found)| at + found.len())) {
            lines += 1;
            let call = arguments(&text[start..]);
            // Words in quotes are ours; what is put into them by name is not.
            let (outside, inside): (Vec<_>, Vec<_>) = call.split('"').enumerate().partition(|(n, _)| n % 2 == 0);
            let named = inside
                .iter()
                .flat_map(|(_, words)| words.split('{').skip(1).filter_map(|rest| rest.split(['}', ':']).next()));
            let words = outside
                .iter()
                .flat_map(|(_, code)| code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
                .chain(named);
            let is_excepted =
                |word: &str| LOGGED.iter().any(|(path, excepted, _)| Path::new(path) == file && *excepted == word);
            for word in words.filter(|word| refused.contains(word) && !is_excepted(word)) {
                broken.push(format!(
                    "{}: {word} in {}",
                    file.display(),
                    call.split_whitespace().collect::<Vec<_>>().join(" ")
                ));
            }
        }
    }
    assert!(lines > 100, "{lines}");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Errors of adapters, of the vault and of key services are texts, codes and numbers: none holds the request, an answer, or what was in them.
#[test]
fn errors_hold_nothing_of_what_failed() {
    let held = [
        "WireRequest",
        "WireResponse",
        "Destination",
        "CardDetails",
        "Pan",
        "HolderName",
        "BillingAddress",
        "Body",
        "Vec<u8>",
        "Bytes",
    ];
    let (mut broken, mut errors) = (Vec::new(), 0);
    for file in rust_files(Path::new("src")) {
        let text = production_part(&fs::read_to_string(&file).unwrap());
        for (at, _) in text.match_indices("Error)]\n") {
            let rest = &text[at..];
            let Some(end) = rest.find("\n}") else { continue };
            errors += 1;
            for line in rest[..end].lines().filter(|line| !line.trim_start().starts_with("//") && !line.contains("#["))
            {
                let words: Vec<&str> =
                    line.split(|c: char| !(c.is_ascii_alphanumeric() || "_<>".contains(c))).collect();
                if words.iter().any(|word| held.contains(word)) {
                    broken.push(format!("{}: {}", file.display(), line.trim()));
                }
            }
        }
    }
    assert!(errors > 30, "{errors}");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// What a struct derives, its name, and its fields as name and type.
type Struct = (String, String, Vec<(String, String)>);

/// The structs of a file.
fn structs(text: &str) -> Vec<Struct> {
    let mut found = Vec::new();
    let (mut derived, mut lines) = (String::new(), text.lines());
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("#[derive(") {
            derived = rest.trim_end_matches(")]").to_owned();
        } else if let Some(rest) = line.split_once("struct ").filter(|_| !line.starts_with("//")).map(|(_, rest)| rest)
        {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            let mut fields = Vec::new();
            if line.ends_with('{') {
                for line in lines.by_ref().map(str::trim).take_while(|line| *line != "}") {
                    let line = line
                        .trim_start_matches("pub(super) ")
                        .trim_start_matches("pub(crate) ")
                        .trim_start_matches("pub ");
                    if let Some((field, kind)) = line.split_once(": ")
                        && field.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    {
                        fields.push((field.to_owned(), kind.trim_end_matches(',').to_owned()));
                    }
                }
            }
            found.push((std::mem::take(&mut derived), name, fields));
        } else if line.starts_with("enum ") || line.starts_with("pub enum ") || line.starts_with("impl") {
            derived.clear();
        }
    }
    found
}

/// What stands in a call's parentheses, from after the opening one.
fn arguments(text: &str) -> &str {
    let (mut depth, mut in_words) = (1, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => in_words = !in_words,
            '(' if !in_words => depth += 1,
            ')' if !in_words => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
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
