//! `make canary`: what a run of the whole suite left behind (see `tests/support/canary.rs` and `tools/canary`), searched for every card number that
//! stands in the suite's and the program's sources and documentation, for those that it draws, and for the secrets of tests. Where they stand in
//! those files themselves is no finding.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use landfall::domain::card::{Pan, identify};

use super::needles::Secret;
use super::search::{Search, Separators};

/// Credentials that tests give to providers, to keys and to people.
const SECRETS: [&str; 10] = [
    "an API key of tests",
    "a key of tests",
    "a secret of tests",
    "a bearer token of tests",
    "sk_sbox_a_key_of_tests",
    "8V8x0dLK%AyD*DNS8JJr",
    "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
    "open sesame",
    "correct horse battery staple",
    "a-secret-of-tests",
];

/// The card numbers of a text, however they are grouped.
fn numbers_in(text: &str, numbers: &mut BTreeSet<String>) {
    for run in text.split(|c: char| !(c.is_ascii_digit() || matches!(c, ' ' | '-' | '_'))) {
        let groups: Vec<&str> = run.split([' ', '-', '_']).filter(|group| !group.is_empty()).collect();
        for first in 0..groups.len() {
            let mut digits = String::new();
            for group in &groups[first..] {
                digits.push_str(group);
                if digits.len() > 19 {
                    break;
                }
                if digits.len() >= 13
                    && Pan::parse(&digits).is_ok_and(|pan| pan.passes_luhn() && identify(&pan).is_ok())
                {
                    numbers.insert(digits.clone());
                }
            }
        }
    }
}

fn numbers_below(folder: &Path, numbers: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            numbers_below(&path, numbers);
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "md" || ending == "toml")
            && let Ok(text) = fs::read_to_string(&path)
        {
            numbers_in(&text, numbers);
        }
    }
}

/// Every card number that tests use or that documentation has people use.
fn known_numbers() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut numbers = BTreeSet::new();
    for folder in ["src", "tests", "docs", "config"] {
        numbers_below(&root.join(folder), &mut numbers);
    }
    numbers
}

fn kind_of(path: &Path) -> Option<&'static str> {
    let text = path.to_string_lossy();
    Some(match () {
        () if text.contains("/keys/") => return None,
        () if text.contains("/logs/") => "log of a test or a process",
        () if text.contains("/dumps/") => "dump of a database",
        () if text.contains("/pg_wal/") => "write-ahead log",
        () if text.ends_with("/log") || text.ends_with("/log.old") => "log of PostgreSQL",
        () => "database file",
    })
}

#[test]
fn the_suites_numbers_are_known() {
    let numbers = known_numbers();
    for number in ["4111111111111111", "378282246310005", "5555555555554444", "4000000000130809", "4444333322221111"] {
        assert!(numbers.contains(number), "{number}");
    }
    assert!(numbers.len() >= 30, "{numbers:?}");
}

#[test]
#[ignore = "tools/canary runs it over what the suite left"]
fn what_the_suite_left_has_no_card_number_and_no_secret() {
    let folder = std::env::var("LANDFALL_CANARY").expect("tools/canary says where");
    let numbers = known_numbers();
    let mut secrets: Vec<Secret> = numbers
        .iter()
        .map(|number| Secret::number(&format!("{}...{}", &number[..6], &number[number.len() - 4..]), number))
        .collect();
    secrets.extend(SECRETS.iter().enumerate().map(|(n, text)| Secret::text(&format!("secret {n} of the list"), text)));
    let mut search = Search::of(&secrets, Separators::Narrow);
    search.folder(Path::new(&folder), &kind_of).unwrap();
    println!("searched for {} card numbers and {} secrets:\n{}", numbers.len(), SECRETS.len(), search.told());
    for kind in
        ["log of a test or a process", "dump of a database", "write-ahead log", "log of PostgreSQL", "database file"]
    {
        assert!(search.tally.get(kind).is_some_and(|(_, bytes)| *bytes > 0), "no {kind} was searched");
    }
    let found: Vec<String> = search.found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}
