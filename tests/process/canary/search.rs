//! Searches whatever it is given, as a stream: as it is, and without separators and escapes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use aho_corasick::AhoCorasick;

use super::needles::{Form, Secret};
use super::wal::WithoutHeaders;

const CHUNK: usize = 1 << 20;
/// The longest escape that is undone, with room.
const ESCAPE_MAX: usize = 12;

/// What stands between digits and means nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Separators {
    /// Spaces, dashes, dots, underlines and plus signs. Numbers such as 4111111111111111 are soon met by chance with more.
    Narrow,
    /// Whatever stands between items of lists and lines of tables too, and NUL: for numbers that nobody writes by chance.
    Wide,
}

pub struct Search {
    secrets: Vec<String>,
    as_it_is: Needles,
    flat: Needles,
    separators: Separators,
    /// How much is read at once.
    chunk: usize,
    /// By kind of place: how many, and their bytes.
    pub tally: BTreeMap<&'static str, (u64, u64)>,
    pub found: BTreeSet<Finding>,
}

/// Which secret stands where. The secret itself is never told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub kind: &'static str,
    pub place: String,
    pub secret: String,
    pub form: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}, as {}", self.kind, self.place, self.secret, self.form)
    }
}

/// One automaton, and whose needle and which form each of its patterns is.
struct Needles {
    automaton: AhoCorasick,
    of: Vec<(usize, &'static str)>,
    longest: usize,
}

impl Needles {
    fn new(forms: &[(usize, Form)]) -> Self {
        let longest = forms.iter().map(|(_, form)| form.bytes.len()).max().unwrap_or(1);
        let automaton = AhoCorasick::new(forms.iter().map(|(_, form)| &form.bytes)).unwrap();
        Self { automaton, of: forms.iter().map(|(secret, form)| (*secret, form.name)).collect(), longest }
    }

    fn find(&self, bytes: &[u8], mut found: impl FnMut(usize, &'static str)) {
        for hit in self.automaton.find_overlapping_iter(bytes) {
            let (secret, form) = self.of[hit.pattern().as_usize()];
            found(secret, form);
        }
    }
}

impl Search {
    pub fn of(secrets: &[Secret], separators: Separators) -> Self {
        let all: Vec<(usize, Form)> = secrets
            .iter()
            .enumerate()
            .flat_map(|(n, secret)| secret.forms().into_iter().map(move |form| (n, form)))
            .collect();
        let (flat, _): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|(_, form)| form.is_flat);
        Self {
            secrets: secrets.iter().map(|secret| secret.name.clone()).collect(),
            as_it_is: Needles::new(&all),
            flat: Needles::new(&flat),
            separators,
            chunk: CHUNK,
            tally: BTreeMap::new(),
            found: BTreeSet::new(),
        }
    }

    pub fn bytes(&mut self, kind: &'static str, place: &str, bytes: &[u8]) {
        self.stream(kind, place, bytes).expect("memory is read");
    }

    pub fn file(&mut self, kind: &'static str, path: &Path) -> io::Result<()> {
        let (place, file) = (path.display().to_string(), File::open(path)?);
        let is_wal = path.parent().is_some_and(|folder| folder.ends_with("pg_wal"));
        if is_wal { self.stream(kind, &place, WithoutHeaders::of(file)) } else { self.stream(kind, &place, file) }
    }

    /// Every file below a folder, each of the kind that its path says; `None`: it isn't searched. Files that go meanwhile are passed by.
    pub fn folder(&mut self, root: &Path, kind: &dyn Fn(&Path) -> Option<&'static str>) -> io::Result<()> {
        for entry in fs::read_dir(root)? {
            let path = entry?.path();
            let Ok(about) = fs::symlink_metadata(&path) else { continue };
            if about.is_dir() {
                self.folder(&path, kind)?;
            } else if about.is_file()
                && let Some(kind) = kind(&path)
            {
                match self.file(kind, &path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    read => read?,
                }
            }
        }
        Ok(())
    }

    /// Reads to the end. Each piece begins with the last bytes of the one before, so that nothing falls between two.
    pub fn stream(&mut self, kind: &'static str, place: &str, mut from: impl Read) -> io::Result<()> {
        let tally = self.tally.entry(kind).or_default();
        tally.0 += 1;
        let mut met = BTreeSet::new();
        let (mut raw, mut unflat, mut flat) = (Vec::new(), Vec::new(), Vec::new());
        let mut chunk = vec![0; self.chunk];
        loop {
            let read = from.read(&mut chunk)?;
            tally.1 += read as u64;
            let is_last = read == 0;
            raw.extend_from_slice(&chunk[..read]);
            self.as_it_is.find(&raw, |secret, form| {
                met.insert((secret, form));
            });
            keep_end(&mut raw, self.as_it_is.longest);
            unflat.extend_from_slice(&chunk[..read]);
            let done = flatten(&unflat, is_last, self.separators, &mut flat);
            unflat.drain(..done);
            self.flat.find(&flat, |secret, form| {
                met.insert((secret, form));
            });
            keep_end(&mut flat, self.flat.longest);
            if is_last {
                break;
            }
        }
        for (secret, form) in met {
            let (place, secret) = (place.to_owned(), self.secrets[secret].clone());
            self.found.insert(Finding { kind, place, secret, form });
        }
        Ok(())
    }

    /// How much was searched, for whoever reads the test's output.
    pub fn told(&self) -> String {
        let mut text = String::new();
        let (mut places, mut bytes) = (0, 0);
        for (kind, (count, size)) in &self.tally {
            text.push_str(&format!("  {kind}: {count} places, {size} bytes\n"));
            places += count;
            bytes += size;
        }
        format!("{text}  in all {places} places, {bytes} bytes, for {} secrets\n", self.secrets.len())
    }
}

fn keep_end(bytes: &mut Vec<u8>, length: usize) {
    let kept = bytes.len().min(length.saturating_sub(1));
    bytes.drain(..bytes.len() - kept);
}

/// Appends to `out` what is left of `bytes` without separators, escapes undone. Answers how much of it was read: an escape may go on in the
/// next piece, unless this is the last one.
fn flatten(bytes: &[u8], is_last: bool, separators: Separators, out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while at < bytes.len() && (is_last || bytes.len() - at > ESCAPE_MAX) {
        let rest = &bytes[at..];
        let (byte, length) = match rest {
            [b'\\', b'u' | b'U', escape @ ..] => of_digits(escape, 4, 16).map_or((b'\\', 1), |byte| (byte, 6)),
            [b'\\', b'x' | b'X', escape @ ..] => of_digits(escape, 2, 16).map_or((b'\\', 1), |byte| (byte, 4)),
            [b'%', escape @ ..] => of_digits(escape, 2, 16).map_or((b'%', 1), |byte| (byte, 3)),
            [b'&', b'#', escape @ ..] => reference(escape).map_or((b'&', 1), |(byte, length)| (byte, length + 2)),
            // No-break space, and the dashes and spaces of general punctuation.
            [0xc2, 0xa0, ..] => (b' ', 2),
            [0xe2, 0x80, _, ..] => (b' ', 3),
            _ => (rest[0], 1),
        };
        at += length;
        if !means_nothing(byte, separators) {
            out.push(byte);
        }
    }
    at
}

fn means_nothing(byte: u8, separators: Separators) -> bool {
    let narrow = matches!(byte, b' ' | b'\t' | b'-' | b'.' | b'_' | b'+' | b'\\');
    let wide =
        matches!(byte, b',' | b'"' | b'\'' | b'[' | b']' | b'(' | b')' | b'\n' | b'\r' | b'/' | b'|' | b':' | b';' | 0);
    narrow || (separators == Separators::Wide && wide)
}

/// The ASCII character whose code has `count` digits at the beginning of `text`.
fn of_digits(text: &[u8], count: usize, radix: u32) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(..count)?).ok()?;
    let code = u32::from_str_radix(digits, radix).ok()?;
    u8::try_from(code).ok().filter(u8::is_ascii)
}

/// A character reference after its `&#`, with how long the rest of it is.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    let end = text.iter().take(ESCAPE_MAX - 2).position(|byte| *byte == b';')?;
    let (digits, radix) = match text {
        [b'x' | b'X', ..] => (&text[1..end], 16),
        _ => (&text[..end], 10),
    };
    of_digits(digits, digits.len(), radix).map(|byte| (byte, end + 1))
}

#[test]
fn every_form_and_spelling_is_found_wherever_it_stands_and_nothing_else() {
    const PIECE: usize = 100;
    let number = Secret::number("a card", &super::needles::card_number("427138905461720"));
    let odd = Secret::number("another card", &super::needles::card_number("37284619503718"));
    let text = Secret::text("a password", "c0rrect \"horse\" & /battery+");
    let key = Secret::key("a key", &[0x5a, 0x00, 0xff, 0x13, 0x37, 0x80, 0x7f, 0x01, 9, 8, 7, 6, 5, 4, 3, 2]);
    for separators in [Separators::Narrow, Separators::Wide] {
        for secret in [&number, &odd, &text, &key] {
            let written = secret.forms().into_iter().map(|form| (form.name, form.bytes)).chain(secret.spellings());
            for (name, bytes) in written {
                // At the beginning, at the end, and across the end of a piece at each of its bytes.
                for before in [0, 7, PIECE.saturating_sub(bytes.len() / 2), PIECE - 1, PIECE + 3] {
                    let mut search = Search::of(std::slice::from_ref(secret), separators);
                    search.chunk = PIECE;
                    let around = [vec![b'x'; before], bytes.clone(), b"xyz".repeat(before % 5)].concat();
                    search.bytes("memory", name, &around);
                    assert!(!search.found.is_empty(), "{} as {name} after {before} bytes", secret.name);
                }
            }
        }
        let mut search = Search::of(&[number.clone(), odd.clone(), text.clone(), key.clone()], separators);
        let digits = String::from_utf8(number.expose().to_vec()).unwrap();
        for other in [
            &digits[..15],
            &digits[1..],
            &format!("{}x{}", &digits[..8], &digits[8..]),
            "4111111111111111",
            "2026-11-22T10:11:12.131415Z 4271 3890",
        ] {
            search.bytes("memory", "others", other.as_bytes());
        }
        assert!(search.found.is_empty(), "{:?}", search.found);
    }
}
