//! Reading a request's document, strictly and by the text that was written: numbers by their digits (never a float), each member
//! once, unknown ones refused, and every problem told at once with a JSON pointer. A problem never quotes a value.
//!
//! A reader's methods answer a placeholder for what they can't read and note why; [`Reader::finish`] lets nothing of it out.

#![allow(dead_code, reason = "resources read with what they need of it")]

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{Source, V1Error};
use crate::domain::card::strike_numbers;
use crate::domain::exact::{parse_amount, parse_whole};
use crate::domain::ids::Mode;
use crate::gateway::access::Problem;
use crate::http::body::Body;
use crate::http::fields::{is_card_code, members, shown};

/// Problems told at once; more help nobody.
const PROBLEMS_MAX: usize = 50;
/// How deep a free document may be.
const DEPTH_MAX: usize = 32;
/// Decimals and integer digits of an amount, whatever its currency: the currency's own scale is checked where it is known.
const AMOUNT_OF_TOKENS: (u8, u8) = (18, 10);
const AMOUNT_OF_MONEY: (u8, u8) = (8, 18);

#[derive(Clone, Default)]
struct Problems(Rc<RefCell<Vec<Problem>>>);

impl Problems {
    fn add(&self, pointer: String, code: &'static str, detail: impl Into<String>) {
        let mut problems = self.0.borrow_mut();
        if problems.len() < PROBLEMS_MAX {
            problems.push(Problem::new(pointer, code, detail));
        }
    }

    fn refusal(&self) -> V1Error {
        V1Error::problems(self.0.take())
    }
}

/// A JSON object of the request.
pub struct Reader<'a> {
    pointer: String,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    problems: Problems,
}

/// What a document must be.
pub struct Wanted<'w> {
    /// `data.type`.
    pub kind: &'w str,
    /// The path's id, which `data.id` must be if it is there. `None`: there is no `data.id`.
    pub id: Option<&'w str>,
    /// All attributes that there are.
    pub attributes: &'w [&'w str],
}

impl<'a> Reader<'a> {
    /// The attributes of `{"data": {"type", "attributes": {...}}}`.
    pub fn of_document(body: &'a Body, wanted: &Wanted<'_>) -> Result<Self, V1Error> {
        let problems = Problems::default();
        let data = Self::data_of(body, wanted, &problems)?;
        data.required_object("attributes", wanted.attributes).ok_or_else(|| problems.refusal())
    }

    /// The same as JSON, for use cases that read attributes by themselves: which of them there are is theirs to tell, and
    /// `wanted.attributes` says nothing. A `test_mode` that isn't the key's is refused here, and taken out.
    pub fn attributes_of(
        body: &Body,
        wanted: &Wanted<'_>,
        mode: Mode,
    ) -> Result<serde_json::Map<String, Value>, V1Error> {
        let problems = Problems::default();
        let data = Reader::data_of(body, wanted, &problems)?;
        if let Some(attributes) = data.required_object_of_any("attributes") {
            attributes.test_mode(mode);
        }
        match data.find("attributes").and_then(|raw| json_at(raw, data.pointer("attributes"), &problems, 0)) {
            Some(Value::Object(mut attributes)) if problems.0.borrow().is_empty() => {
                attributes.remove("test_mode");
                Ok(attributes)
            }
            _ => Err(problems.refusal()),
        }
    }

    fn required_object_of_any(&self, name: &str) -> Option<Reader<'a>> {
        Self::any_object_at(self.required(name)?, self.pointer(name), &Problems::default())
            .map(|object| Reader { problems: self.problems.clone(), ..object })
    }

    fn data_of(body: &'a Body, wanted: &Wanted<'_>, problems: &Problems) -> Result<Self, V1Error> {
        let malformed = || V1Error::new("MALFORMED_JSON");
        let text = std::str::from_utf8(body.bytes()).map_err(|_| malformed())?;
        let whole: &RawValue = serde_json::from_str(text).map_err(|_| malformed())?;
        let data_members: &[&str] =
            if wanted.id.is_some() { &["type", "id", "attributes"] } else { &["type", "attributes"] };
        let top = Reader::object_at(whole, String::new(), &["data"], problems);
        let Some(data) = top.and_then(|top| top.required_object("data", data_members)) else {
            return Err(problems.refusal());
        };
        let kind = data.text("type", 1..=64);
        if !kind.is_empty() && kind != wanted.kind {
            let detail = format!("This path takes documents of type {}.", wanted.kind);
            let source = Source::Pointer("/data/type".to_owned());
            return Err(V1Error::new("TYPE_MISMATCH").with_detail(detail).at(source));
        }
        if let (true, Some(id)) = (data.has("id"), wanted.id)
            && data.text("id", 1..=100) != id
        {
            return Err(V1Error::new("ID_MISMATCH").at(Source::Pointer("/data/id".to_owned())));
        }
        Ok(data)
    }

    /// Refuses what was found wrong so far, in every reader of the document.
    pub fn finish(&self) -> Result<(), V1Error> {
        if self.problems.0.borrow().is_empty() { Ok(()) } else { Err(self.problems.refusal()) }
    }

    /// Where a member stands.
    pub fn pointer(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    /// Notes that something is wrong with a member.
    pub fn problem(&self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.problems.add(self.pointer(name), code, detail);
    }

    /// Whether the member is there, `null` included.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }

    fn object_at(raw: &'a RawValue, pointer: String, known: &[&str], problems: &Problems) -> Option<Reader<'a>> {
        let reader = Self::any_object_at(raw, pointer, problems)?;
        for (name, _) in &reader.members {
            if !known.contains(&name.as_ref()) && !is_card_code(name) {
                problems.add(reader.shown_pointer(name), "UNKNOWN_MEMBER", "There is no such member.");
            }
        }
        Some(reader)
    }

    /// An object whose members may be called anything but what a card verification code is called.
    fn any_object_at(raw: &'a RawValue, pointer: String, problems: &Problems) -> Option<Reader<'a>> {
        if !raw.get().starts_with('{') {
            problems.add(pointer, "WRONG_TYPE", "This is an object.");
            return None;
        }
        let members = match members(raw.get()) {
            Ok(Ok(members)) => members,
            Ok(Err(repeated)) => {
                let name = repeated.details.field.unwrap_or_default();
                let pointer = if name.is_empty() { pointer } else { format!("{pointer}/{name}") };
                problems.add(pointer, "DUPLICATE_MEMBER", "This member is there twice.");
                return None;
            }
            Err(_) => {
                problems.add(pointer, "TOO_MANY", "This has too many members.");
                return None;
            }
        };
        let reader = Reader { pointer, members, problems: problems.clone() };
        for (name, _) in reader.members.iter().filter(|(name, _)| is_card_code(name)) {
            let detail = "A card verification code is never accepted: don't send it.";
            problems.add(reader.shown_pointer(name), "FORBIDDEN_MEMBER", detail);
        }
        Some(reader)
    }

    /// The pointer to a member that the caller named, or to its object where the name shouldn't be repeated.
    fn shown_pointer(&self, name: &str) -> String {
        if shown(name).is_empty() { self.pointer.clone() } else { self.pointer(name) }
    }

    /// The member's own text. A `null` is no value.
    fn find(&self, name: &str) -> Option<&'a RawValue> {
        let value = self.members.iter().find(|(member, _)| member == name).map(|(_, value)| *value);
        value.filter(|raw| raw.get() != "null")
    }

    fn required(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.find(name);
        if found.is_none() {
            self.problem(name, "MISSING", "This is missing.");
        }
        found
    }

    fn text_of(&self, name: &str, raw: &RawValue, chars: &RangeInclusive<usize>) -> Option<String> {
        text_at(raw, self.pointer(name), chars, &self.problems)
    }

    /// A string of so many characters, without control characters.
    pub fn text(&self, name: &str, chars: RangeInclusive<usize>) -> String {
        self.required(name).and_then(|raw| self.text_of(name, raw, &chars)).unwrap_or_default()
    }

    pub fn optional_text(&self, name: &str, chars: RangeInclusive<usize>) -> Option<String> {
        self.text_of(name, self.find(name)?, &chars)
    }

    /// For a PATCH: `None` where the member isn't there, `Some(None)` where it is `null`.
    pub fn change_text(&self, name: &str, chars: RangeInclusive<usize>) -> Option<Option<String>> {
        self.has(name).then(|| self.optional_text(name, chars))
    }

    /// Refuses `null` for a member that may be absent, but not emptied.
    pub fn not_null(&self, name: &str) {
        if self.has(name) && self.find(name).is_none() {
            self.problem(name, "WRONG_TYPE", "This can't be null.");
        }
    }

    /// An id, a code or anything else that is read from a string.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.parse(name, self.required(name)?)
    }

    pub fn optional_parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.parse(name, self.find(name)?)
    }

    /// For a PATCH, see [`Reader::change_text`].
    pub fn change_parsed<T: FromStr>(&self, name: &str) -> Option<Option<T>> {
        self.has(name).then(|| self.optional_parsed(name))
    }

    fn parse<T: FromStr>(&self, name: &str, raw: &RawValue) -> Option<T> {
        let parsed = self.text_of(name, raw, &(0..=200))?.parse().ok();
        if parsed.is_none() {
            self.problem(name, "INVALID_VALUE", "There is no such value.");
        }
        parsed
    }

    /// An amount that isn't negative, of a number or of a string, by its digits; without trailing zeros. The currency's own scale
    /// is for the use case to check.
    pub fn amount(&self, name: &str) -> Decimal {
        self.required(name).and_then(|raw| self.amount_of(name, raw)).unwrap_or_default()
    }

    pub fn optional_amount(&self, name: &str) -> Option<Decimal> {
        self.amount_of(name, self.find(name)?)
    }

    /// For a PATCH, see [`Reader::change_text`].
    pub fn change_amount(&self, name: &str) -> Option<Option<Decimal>> {
        self.has(name).then(|| self.optional_amount(name))
    }

    fn amount_of(&self, name: &str, raw: &RawValue) -> Option<Decimal> {
        let text = match raw.get().as_bytes().first() {
            Some(b'"') => self.text_of(name, raw, &(1..=64))?,
            Some(b'-' | b'0'..=b'9') => raw.get().to_owned(),
            _ => {
                self.problem(name, "WRONG_TYPE", "This is a number, or a string that holds one.");
                return None;
            }
        };
        let (tokens, money) = (AMOUNT_OF_TOKENS, AMOUNT_OF_MONEY);
        match parse_amount(&text, tokens.0, tokens.1).or_else(|_| parse_amount(&text, money.0, money.1)) {
            Ok(amount) => Some(amount.normalize()),
            Err(error) => {
                self.problem(name, "INVALID_VALUE", format!("This is no amount: {error}."));
                None
            }
        }
    }

    /// A whole number within bounds: `2.0` and `2e0` are 2.
    pub fn integer(&self, name: &str, bounds: RangeInclusive<i64>) -> i64 {
        self.required(name).and_then(|raw| self.integer_of(name, raw, &bounds)).unwrap_or_default()
    }

    pub fn optional_integer(&self, name: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        self.integer_of(name, self.find(name)?, &bounds)
    }

    fn integer_of(&self, name: &str, raw: &RawValue, bounds: &RangeInclusive<i64>) -> Option<i64> {
        let text = raw.get();
        if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            self.problem(name, "WRONG_TYPE", "This is a whole number.");
            return None;
        }
        let number = parse_whole(text).filter(|number| bounds.contains(number));
        if number.is_none() {
            let detail = format!("This is a whole number from {} to {}.", bounds.start(), bounds.end());
            self.problem(name, "OUT_OF_RANGE", detail);
        }
        number
    }

    /// `true` or `false`.
    pub fn optional_flag(&self, name: &str) -> Option<bool> {
        match self.find(name)?.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.problem(name, "WRONG_TYPE", "This is true or false.");
                None
            }
        }
    }

    /// A time of RFC 3339, with its offset.
    pub fn optional_time(&self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.text_of(name, self.find(name)?, &(1..=40))?;
        // PostgreSQL keeps microseconds, and what is compared must survive the trip.
        let time = DateTime::parse_from_rfc3339(&text)
            .ok()
            .and_then(|time| DateTime::from_timestamp_micros(time.timestamp_micros()));
        if time.is_none() {
            self.problem(name, "INVALID_VALUE", "This is a time like 2030-12-31T23:59:59Z.");
        }
        time
    }

    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.required(name)?;
        self.optional_time(name)
    }

    /// For a PATCH, see [`Reader::change_text`].
    pub fn change_time(&self, name: &str) -> Option<Option<DateTime<Utc>>> {
        self.has(name).then(|| self.optional_time(name))
    }

    /// A list's items, each where it stands.
    fn items(&self, name: &str, items_max: usize) -> Option<Vec<(String, &'a RawValue)>> {
        let raw = self.find(name)?;
        if !raw.get().starts_with('[') {
            self.problem(name, "WRONG_TYPE", "This is a list.");
            return None;
        }
        let items: Vec<&'a RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
        if items.len() > items_max {
            self.problem(name, "TOO_MANY", format!("At most {items_max} are taken."));
            return None;
        }
        let pointer = self.pointer(name);
        Some(items.into_iter().enumerate().map(|(n, raw)| (format!("{pointer}/{n}"), raw)).collect())
    }

    /// A list of strings.
    pub fn optional_texts(&self, name: &str, items_max: usize, chars: RangeInclusive<usize>) -> Option<Vec<String>> {
        let items = self.items(name, items_max)?;
        let texts = items.into_iter().filter_map(|(pointer, raw)| text_at(raw, pointer, &chars, &self.problems));
        Some(texts.collect())
    }

    /// A list of ids, codes or anything else that is read from strings.
    pub fn optional_parsed_list<T: FromStr>(&self, name: &str, items_max: usize) -> Option<Vec<T>> {
        let mut list = Vec::new();
        for (pointer, raw) in self.items(name, items_max)? {
            let Some(text) = text_at(raw, pointer.clone(), &(0..=200), &self.problems) else { continue };
            match text.parse() {
                Ok(value) => list.push(value),
                Err(_) => self.problems.add(pointer, "INVALID_VALUE", "There is no such value."),
            }
        }
        Some(list)
    }

    /// A list of objects whose members are among `known`.
    pub fn optional_objects(&self, name: &str, items_max: usize, known: &[&str]) -> Option<Vec<Reader<'a>>> {
        let items = self.items(name, items_max)?;
        let objects =
            items.into_iter().filter_map(|(pointer, raw)| Reader::object_at(raw, pointer, known, &self.problems));
        Some(objects.collect())
    }

    /// An object whose members are among `known`.
    pub fn optional_object(&self, name: &str, known: &[&str]) -> Option<Reader<'a>> {
        Reader::object_at(self.find(name)?, self.pointer(name), known, &self.problems)
    }

    pub fn required_object(&self, name: &str, known: &[&str]) -> Option<Reader<'a>> {
        Reader::object_at(self.required(name)?, self.pointer(name), known, &self.problems)
    }

    /// An object of strings, like `metadata` and `fields`: bounded in number, names and values.
    pub fn optional_map(
        &self,
        name: &str,
        members_max: usize,
        name_chars_max: usize,
        value_chars_max: usize,
    ) -> Option<BTreeMap<String, String>> {
        let object = Reader::any_object_at(self.find(name)?, self.pointer(name), &self.problems)?;
        if object.members.len() > members_max {
            self.problem(name, "TOO_MANY", format!("At most {members_max} are taken."));
            return None;
        }
        let mut map = BTreeMap::new();
        for (member, raw) in &object.members {
            let fits = (1..=name_chars_max).contains(&member.chars().count());
            if !fits || member.chars().any(char::is_control) {
                let detail = format!("A name has 1 to {name_chars_max} characters.");
                self.problem(name, "WRONG_LENGTH", detail);
                continue;
            }
            let pointer = object.shown_pointer(member);
            if let Some(value) = text_at(raw, pointer, &(0..=value_chars_max), &self.problems) {
                map.insert(member.to_string(), value);
            }
        }
        Some(map)
    }

    /// Refuses what passes for a card number in a member that is stored in the clear, in its names and values.
    pub fn no_card_number(&self, name: &str) {
        if self.find(name).is_some_and(|raw| matches!(strike_numbers(raw.get()), Cow::Owned(_))) {
            self.problem(name, "CARD_NUMBER", "This passes for a card number, which must not stand here.");
        }
    }

    /// Any JSON, for documents that have a reader of their own. Numbers keep their digits.
    pub fn optional_json(&self, name: &str) -> Option<Value> {
        json_at(self.find(name)?, self.pointer(name), &self.problems, 0)
    }

    pub fn required_json(&self, name: &str) -> Option<Value> {
        json_at(self.required(name)?, self.pointer(name), &self.problems, 0)
    }

    /// Refuses a `test_mode` that isn't the key's.
    pub fn test_mode(&self, mode: Mode) {
        if self.optional_flag("test_mode").is_some_and(|test| test != (mode == Mode::Test)) {
            self.problem("test_mode", "MODE_MISMATCH", format!("The mode is the key's, and this is a {mode} key."));
        }
    }
}

fn text_at(raw: &RawValue, pointer: String, chars: &RangeInclusive<usize>, problems: &Problems) -> Option<String> {
    if !raw.get().starts_with('"') {
        problems.add(pointer, "WRONG_TYPE", "This is a string.");
        return None;
    }
    // A lone surrogate, for one, is JSON and yet no text; and PostgreSQL takes no NUL.
    let text: Option<String> = serde_json::from_str(raw.get()).ok();
    let Some(text) = text.filter(|text| !text.chars().any(char::is_control)) else {
        problems.add(pointer, "INVALID_VALUE", "This has characters that can't be taken.");
        return None;
    };
    if chars.contains(&text.chars().count()) {
        return Some(text);
    }
    problems.add(pointer, "WRONG_LENGTH", format!("This has {} to {} characters.", chars.start(), chars.end()));
    None
}

fn json_at(raw: &RawValue, pointer: String, problems: &Problems, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        problems.add(pointer, "TOO_MANY", "This is nested too deeply.");
        return None;
    }
    match raw.get().as_bytes().first() {
        Some(b'{') => {
            let object = Reader::any_object_at(raw, pointer, problems)?;
            let mut map = serde_json::Map::new();
            for (name, raw) in &object.members {
                if name.chars().any(char::is_control) {
                    let detail = "A name has characters that can't be taken.";
                    problems.add(object.pointer.clone(), "INVALID_VALUE", detail);
                    return None;
                }
                map.insert(name.to_string(), json_at(raw, object.shown_pointer(name), problems, depth + 1)?);
            }
            Some(Value::Object(map))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
            let items = items.into_iter().enumerate();
            items.map(|(n, raw)| json_at(raw, format!("{pointer}/{n}"), problems, depth + 1)).collect()
        }
        Some(b'"') => text_at(raw, pointer, &(0..=usize::MAX), problems).map(Value::String),
        Some(b't') => Some(Value::Bool(true)),
        Some(b'f') => Some(Value::Bool(false)),
        Some(b'n') => Some(Value::Null),
        _ => {
            let number = raw.get().parse().ok().map(Value::Number);
            if number.is_none() {
                problems.add(pointer, "INVALID_VALUE", "This number can't be taken.");
            }
            number
        }
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
