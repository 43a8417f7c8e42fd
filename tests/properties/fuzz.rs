//! The targets of fuzzing (`landfall::fuzz`) on stable Rust: every seed, and a bounded number of edits of each. The long run is `make fuzz`.

use std::fs;
use std::path::{Path, PathBuf};

use landfall::fuzz::TARGETS;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Edits of all seeds of a target together.
const EDITS: u32 = 4_000;
/// Bytes that mean something to some reader.
const TOKENS: [&[u8]; 24] = [
    b"\"",
    b"\\u0000",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"-1",
    b"0",
    b"1e400",
    b"\n",
    b"\r\n",
    b";",
    b"\xff",
    b"\xef\xbb\xbf",
    b".",
    b"=",
    b"4111111111111111",
    b"9223372036854775808",
    b"\xf0\x9f\x92\xb3",
    b"&#49;",
    b"true",
];

fn folder(target: &str) -> PathBuf {
    Path::new("tests/fuzz/seeds").join(target)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder(target))
        .unwrap_or_else(|error| panic!("{target} has no seeds: {error}"))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One change of some bytes.
#[derive(Clone, Debug)]
enum Edit {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index, prop::sample::Index),
    Put(prop::sample::Index, usize),
    Twice(prop::sample::Index, prop::sample::Index),
    Byte(prop::sample::Index, u8),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let span = |a: &prop::sample::Index, b: &prop::sample::Index, len: usize| {
            let (a, b) = (a.index(len + 1), b.index(len + 1));
            (a.min(b), a.max(b))
        };
        match self {
            Self::Flip(at, with) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            Self::Flip(..) => {}
            Self::Cut(a, b) => {
                let (from, to) = span(a, b, bytes.len());
                bytes.drain(from..to);
            }
            Self::Put(at, token) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, TOKENS[token % TOKENS.len()].iter().copied());
            }
            Self::Twice(a, b) => {
                let (from, to) = span(a, b, bytes.len());
                let again = bytes[from..to].to_vec();
                bytes.splice(to..to, again);
            }
            Self::Byte(at, byte) => {
                let at = at.index(bytes.len() + 1);
                bytes.insert(at, *byte);
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), 1_u8..).prop_map(|(at, with)| Edit::Flip(at, with)),
        (index(), index()).prop_map(|(a, b)| Edit::Cut(a, b)),
        (index(), any::<usize>()).prop_map(|(at, token)| Edit::Put(at, token)),
        (index(), index()).prop_map(|(a, b)| Edit::Twice(a, b)),
        (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
    ]
}

#[test]
fn every_target_holds_on_its_seeds_and_on_edits_of_them() {
    let mut found = Vec::new();
    for target in &TARGETS {
        let seeds = seeds(target.name);
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        seeds.iter().for_each(|seed| (target.run)(seed));
        let edited = (any::<prop::sample::Index>(), prop::collection::vec(edit(), 1..6));
        let mut runner = TestRunner::new(Config { cases: EDITS, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&edited, |(seed, edits)| {
            let mut bytes = seed.get(&seeds).clone();
            edits.iter().for_each(|edit| edit.apply(&mut bytes));
            (target.run)(&bytes);
            Ok(())
        });
        found.extend(outcome.err().map(|error| format!("{}: {error}", target.name)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A target that libFuzzer isn't told of would never be run for long.
#[test]
fn every_target_is_one_of_the_long_run() {
    let manifest = fs::read_to_string("tests/fuzz/Cargo.toml").unwrap();
    let binaries: Vec<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).skip(1).collect();
    assert_eq!(binaries, TARGETS.map(|target| target.name));
}
