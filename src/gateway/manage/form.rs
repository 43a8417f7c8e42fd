//! Reads the attributes of a request's document field by field: strings and numbers by what was written, never a float; unknown
//! fields refused; and every problem told at once, by its JSON pointer. A problem never repeats a value.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::Value;

use super::{Attributes, version_conflict};
use crate::domain::asset::{Asset, AssetCode, AssetKind, Assets};
use crate::domain::card::strike_numbers;
use crate::domain::exact::{AmountError, parse_amount, parse_whole};
use crate::gateway::access::{Problem, Refusal};

/// Where attributes stand in the document.
const BASE: &str = "/data/attributes";
/// The longest code.
const CODE_CHARS_MAX: usize = 64;
/// Digits of an amount before the point.
pub const AMOUNT_DIGITS_MAX: u8 = 15;

/// The attribute by which a change says which version it was made for.
pub const VERSION: &str = "version";

/// Attributes being read. What can't be used is told and reads as not given.
pub struct Form<'a> {
    given: &'a Attributes,
    problems: Vec<Problem>,
}

impl<'a> Form<'a> {
    /// A new one's attributes, with those that it can't do without.
    pub fn create(given: &'a Attributes, known: &[&str], required: &[&str]) -> Self {
        let mut form = Self { given, problems: Vec::new() };
        for name in given.keys().filter(|name| !known.contains(&name.as_str())) {
            form.problems.push(unknown(name));
        }
        for name in required {
            if matches!(given.get(*name), None | Some(Value::Null)) {
                form.add(name, "MISSING", "is required");
            }
        }
        form
    }

    /// A change's attributes: of `known`, those in `fixed` were set for good when it was made.
    pub fn change(given: &'a Attributes, known: &[&str], fixed: &[&str]) -> Self {
        let mut form = Self { given, problems: Vec::new() };
        if given.keys().all(|name| name == VERSION) {
            form.problems.push(Problem::new(BASE, "MISSING", "There is nothing to change."));
        }
        for name in given.keys() {
            match name.as_str() {
                VERSION => {}
                fixed_name if fixed.contains(&fixed_name) => form.add(fixed_name, "READ_ONLY", "can't be changed"),
                name if known.contains(&name) => {}
                name => form.problems.push(unknown(name)),
            }
        }
        form
    }

    /// Refuses a change that was made for another version than `current`.
    pub fn check_version(&mut self, current: i32) -> Result<(), Refusal> {
        match self.integer(VERSION, 1..=i64::from(i32::MAX)) {
            Some(version) if version != i64::from(current) => Err(version_conflict()),
            _ => Ok(()),
        }
    }

    /// Tells a problem with an attribute: `detail` goes on from "This". `name` may go deeper (`options/split_mode`).
    pub fn add(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.problems.push(Problem::new(format!("{BASE}/{name}"), code, format!("This {}.", detail.into())));
    }

    /// Takes problems that stand under an attribute over: their pointers begin there.
    pub fn add_under(&mut self, name: &str, problems: impl IntoIterator<Item = Problem>) {
        self.problems
            .extend(problems.into_iter().map(|p| Problem { pointer: format!("{BASE}/{name}{}", p.pointer), ..p }));
    }

    /// Takes the problems of a form of its own, of the object `name`, over.
    pub fn adopt(&mut self, name: &str, inner: Form<'_>) {
        let inner = inner.problems.into_iter().map(|problem| Problem {
            pointer: problem.pointer.strip_prefix(BASE).unwrap_or_default().to_owned(),
            ..problem
        });
        self.add_under(name, inner);
    }

    /// Whether `name` was given, be it as null.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Nothing was wrong, or everything that was.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self.problems)) }
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    /// Whether it was given as null, which empties it.
    fn is_cleared(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(Value::is_null)
    }

    /// What must not be emptied: null is told as a problem.
    fn kept(&mut self, name: &str) -> Option<&'a Value> {
        if self.is_cleared(name) && !self.problems.iter().any(|p| p.pointer == format!("{BASE}/{name}")) {
            self.add(name, "MISSING", "can't be null");
        }
        self.value(name)
    }

    fn string(&mut self, name: &str, value: &'a Value, chars_max: usize) -> Option<&'a str> {
        let Some(text) = value.as_str() else {
            self.add(name, "WRONG_TYPE", "is a string");
            return None;
        };
        if text.trim().is_empty() || text.chars().count() > chars_max || text.chars().any(char::is_control) {
            self.add(
                name,
                "WRONG_LENGTH",
                format!("has 1 to {chars_max} characters, none of them a control character"),
            );
            return None;
        }
        if strike_numbers(text) != text {
            self.add(name, "CARD_NUMBER", "passes for a card number, which must not stand here");
            return None;
        }
        Some(text)
    }

    /// A text that isn't empty.
    pub fn text(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let value = self.kept(name)?;
        self.string(name, value, chars_max).map(str::to_owned)
    }

    /// A text that may be null: `Some(None)`.
    pub fn text_or_null(&mut self, name: &str, chars_max: usize) -> Option<Option<String>> {
        match self.value(name) {
            Some(value) => self.string(name, value, chars_max).map(|text| Some(text.to_owned())),
            None => self.is_cleared(name).then_some(None),
        }
    }

    /// A code: 1 to 64 characters of `a-z`, `0-9`, `_` and `-`.
    pub fn code(&mut self, name: &str) -> Option<String> {
        let text = self.text(name, CODE_CHARS_MAX)?;
        if is_code(&text) {
            return Some(text);
        }
        self.add(name, "INVALID_VALUE", "has 1 to 64 characters of a-z, 0-9, _ and -");
        None
    }

    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let flag = self.kept(name)?.as_bool();
        if flag.is_none() {
            self.add(name, "WRONG_TYPE", "is true or false");
        }
        flag
    }

    /// A whole number within bounds: `2.0` and `2e0` are 2.
    pub fn integer(&mut self, name: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let value = self.kept(name)?;
        let whole = if let Value::Number(number) = value { parse_whole(&number.to_string()) } else { None };
        let number = whole.filter(|number| bounds.contains(number));
        if number.is_none() {
            let (code, detail) = match value {
                Value::Number(_) => {
                    ("OUT_OF_RANGE", format!("is a whole number from {} to {}", bounds.start(), bounds.end()))
                }
                _ => ("WRONG_TYPE", "is a whole number".to_owned()),
            };
            self.add(name, code, detail);
        }
        number
    }

    /// A number from 0 up with at most `scale` decimals, as a string or a number; or null: `Some(None)`.
    pub fn amount_or_null(&mut self, name: &str, scale: u8) -> Option<Option<Decimal>> {
        match self.value(name) {
            Some(value) => self.amount_of(name, value, scale).map(Some),
            None => self.is_cleared(name).then_some(None),
        }
    }

    /// The same, and never null.
    pub fn amount(&mut self, name: &str, scale: u8) -> Option<Decimal> {
        let value = self.kept(name)?;
        self.amount_of(name, value, scale)
    }

    /// Reads one amount that stands at `name`.
    pub fn amount_of(&mut self, name: &str, value: &Value, scale: u8) -> Option<Decimal> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => {
                self.add(name, "WRONG_TYPE", "is a decimal number, or a string that holds one");
                return None;
            }
        };
        let (code, detail) = match parse_amount(&text, scale, AMOUNT_DIGITS_MAX) {
            Ok(amount) => return Some(amount),
            Err(AmountError::TooLarge) => {
                ("OUT_OF_RANGE", format!("has at most {AMOUNT_DIGITS_MAX} digits before the point"))
            }
            Err(AmountError::TooPrecise) => ("TOO_PRECISE", format!("has at most {scale} decimals")),
            Err(AmountError::Malformed | AmountError::Negative) => {
                ("INVALID_VALUE", "is a decimal number from 0 up".to_owned())
            }
        };
        self.add(name, code, detail);
        None
    }

    /// An id, or another text that parses.
    pub fn parsed<T: FromStr>(&mut self, name: &str, what: &str) -> Option<T> {
        let value = self.kept(name)?;
        self.parse_value(name, value, what)
    }

    /// The same, or null: `Some(None)`.
    pub fn parsed_or_null<T: FromStr>(&mut self, name: &str, what: &str) -> Option<Option<T>> {
        match self.value(name) {
            Some(value) => self.parse_value(name, value, what).map(Some),
            None => self.is_cleared(name).then_some(None),
        }
    }

    fn parse_value<T: FromStr>(&mut self, name: &str, value: &'a Value, what: &str) -> Option<T> {
        let text = self.string(name, value, 200)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.add(name, "INVALID_VALUE", format!("is {what}"));
        }
        parsed
    }

    /// A fiat currency that this installation knows.
    pub fn currency(&mut self, name: &str, assets: &Assets) -> Option<Asset> {
        let value = self.kept(name)?;
        self.currency_of(name, value, assets)
    }

    fn currency_of(&mut self, name: &str, value: &Value, assets: &Assets) -> Option<Asset> {
        let found = value.as_str().and_then(|code| assets.find(code)).filter(|asset| asset.kind == AssetKind::Fiat);
        if found.is_none() {
            self.add(name, "UNKNOWN_CURRENCY", "is a fiat currency that is served, such as EUR");
        }
        found
    }

    /// At least one fiat currency, each once.
    pub fn currencies(&mut self, name: &str, assets: &Assets) -> Option<Vec<AssetCode>> {
        let value = self.kept(name)?;
        let Some(listed) = value.as_array().filter(|listed| (1..=64).contains(&listed.len())) else {
            self.add(name, "WRONG_LENGTH", "is a list of 1 to 64 currencies");
            return None;
        };
        let mut seen = BTreeSet::new();
        let mut currencies = Vec::new();
        for (n, value) in listed.iter().enumerate() {
            let at = format!("{name}/{n}");
            let asset = self.currency_of(&at, value, assets)?;
            if seen.insert(asset.code) {
                currencies.push(asset.code);
            } else {
                self.add(&at, "DUPLICATE_MEMBER", "is named twice");
            }
        }
        Some(currencies)
    }

    /// An object.
    pub fn object(&mut self, name: &str) -> Option<&'a Attributes> {
        let object = self.kept(name)?.as_object();
        if object.is_none() {
            self.add(name, "WRONG_TYPE", "is an object");
        }
        object
    }

    /// Anything that isn't null.
    pub fn any(&mut self, name: &str) -> Option<&'a Value> {
        self.kept(name)
    }
}

/// Whether `text` has the form of a code.
pub fn is_code(text: &str) -> bool {
    (1..=CODE_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
}

/// A field's name is repeated only where it can't be anything else: it could be a card number.
fn unknown(name: &str) -> Problem {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let shown = plain && digits < 6 && name.len() <= 64;
    let pointer = if shown { format!("{BASE}/{name}") } else { BASE.to_owned() };
    Problem::new(pointer, "UNKNOWN_MEMBER", "There is no such member.")
}
