//! The search form of a list: fields that read what was typed in them as they are made, and say what is wrong with it.

use std::collections::BTreeMap;

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::{DateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::error::PageError;
use super::query::{CARD_NUMBER_TYPED, Typed, parse_amount, parse_when, typed};
use crate::staff::desk::Span;

/// A field of a search form.
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub value: String,
    pub kind: FieldKind,
}

pub enum FieldKind {
    Text {
        chars_max: u16,
    },
    Digits {
        chars_max: u16,
    },
    /// A day or a minute, in UTC.
    When,
    Choice(Vec<(String, String)>),
}

/// What is typed in a form, and what is wrong with it.
#[derive(Default)]
pub struct Form {
    pub fields: Vec<Field>,
    pub problems: Vec<&'static str>,
    asked: BTreeMap<String, String>,
}

#[derive(Template)]
#[template(path = "parts/query.html", config = "web/askama.toml")]
pub struct QueryPart {
    pairs: Vec<(&'static str, String)>,
}
impl HtmlSafe for QueryPart {}

impl Form {
    /// With what an address carries, by the fields' names.
    pub fn of(asked: BTreeMap<String, String>) -> Self {
        Self { asked, ..Self::default() }
    }

    /// What the address carries under a name, if it is anything.
    pub fn asked(&self, name: &str) -> Option<&str> {
        self.asked.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.fields.iter().all(|field| field.value.is_empty())
    }

    /// As the addresses of the list's other pages carry it.
    pub fn query(&self) -> QueryPart {
        QueryPart { pairs: self.fields.iter().map(|field| (field.name, field.value.clone())).collect() }
    }

    /// What is looked for, as the audit trail keeps it.
    pub fn filters(&self) -> Map<String, Value> {
        let filled = self.fields.iter().filter(|field| !field.value.is_empty());
        filled.map(|field| (field.name.to_owned(), Value::from(field.value.clone()))).collect()
    }

    fn push(&mut self, name: &'static str, label: &'static str, value: String, kind: FieldKind) {
        self.fields.push(Field { name, label, value, kind });
    }

    /// A field whose text is read by `parse`; what it can't read, and more of a card number than may be typed, is said and not shown again.
    pub fn read<T>(
        &mut self,
        (name, label, kind): (&'static str, &'static str, FieldKind),
        problem: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (mut found, mut value) = (None, String::new());
        match typed(self.asked(name)) {
            Typed::Nothing => {}
            Typed::CardNumber => self.problems.push(CARD_NUMBER_TYPED),
            Typed::TooLong => self.problems.push(problem),
            Typed::Text(text) => {
                found = parse(&text);
                match found {
                    Some(_) => value = text,
                    None => self.problems.push(problem),
                }
            }
        }
        self.push(name, label, value, kind);
        found
    }

    /// A field that holds any text; what was typed, if it can be looked for.
    pub fn text(&mut self, name: &'static str, label: &'static str) -> Option<String> {
        let kind = FieldKind::Text { chars_max: 255 };
        self.read((name, label, kind), "What is looked for has up to 255 characters.", |text| Some(text.to_owned()))
    }

    /// A card's last four digits. More of a card is neither looked for nor shown again.
    pub fn last_four(&mut self) -> Option<String> {
        let kind = FieldKind::Digits { chars_max: 4 };
        let problem = "Of a card, type the last four digits only.";
        self.read(("last_four", "Card's last four", kind), problem, |text| {
            (text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned())
        })
    }

    /// An amount, of whatever currency.
    pub fn amount(&mut self, label: &'static str) -> Option<Decimal> {
        let text = self.asked("amount").unwrap_or("").trim();
        let found = parse_amount(text).map(|(amount, _)| amount);
        if !text.is_empty() && found.is_none() {
            self.problems.push("An amount is digits, with a decimal point.");
        }
        let value = found.map(|amount| amount.to_string()).unwrap_or_default();
        self.push("amount", label, value, FieldKind::Digits { chars_max: 40 });
        found
    }

    /// The stretch of time that a list is kept to.
    pub fn span(&mut self) -> Span {
        let from = self.when("from", "From (UTC)", NaiveTime::MIN);
        let end_of_day = NaiveTime::from_hms_opt(23, 59, 59).unwrap_or(NaiveTime::MIN);
        Span { from, until: self.when("until", "Until (UTC)", end_of_day) }
    }

    fn when(&mut self, name: &'static str, label: &'static str, of_a_day: NaiveTime) -> Option<DateTime<Utc>> {
        let text = self.asked(name).unwrap_or("").trim();
        let found = parse_when(text, of_a_day);
        if !text.is_empty() && found.is_none() {
            self.problems.push("A time is a day, or a day and a time, in UTC: 2026-03-14 or 2026-03-14T12:00.");
        }
        let value = found.map(|at| at.format("%Y-%m-%dT%H:%M:%S").to_string()).unwrap_or_default();
        self.push(name, label, value, FieldKind::When);
        found
    }

    /// One of several, each with its key, its name and what it stands for; an unknown key leads nowhere.
    pub fn choice<T>(
        &mut self,
        name: &'static str,
        label: &'static str,
        options: impl IntoIterator<Item = (impl Into<String>, impl Into<String>, T)>,
    ) -> Result<T, PageError> {
        let value = self.asked(name).unwrap_or("").to_owned();
        let (mut shown, mut chosen) = (Vec::new(), None);
        for (key, text, meant) in options {
            let key = key.into();
            if key == value {
                chosen = Some(meant);
            }
            shown.push((key, text.into()));
        }
        let chosen = chosen.ok_or(PageError::NotFound)?;
        self.push(name, label, value, FieldKind::Choice(shown));
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, text: &str) -> Form {
        Form::of(BTreeMap::from([(name.to_owned(), text.to_owned())]))
    }

    #[test]
    fn a_day_runs_from_its_beginning_to_its_end() {
        let day = |text: &str| ["from", "until"].map(|name| (name.to_owned(), text.to_owned()));
        let span = Form::of(day("2026-03-14").into()).span();
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        assert_eq!((span.from, span.until), (at("2026-03-14T00:00:00Z"), at("2026-03-14T23:59:59Z")));
        assert_eq!(asked("from", "2026-03-14T12:30").span().from, at("2026-03-14T12:30:00Z"));
        let mut form = asked("from", "yesterday");
        form.span();
        assert_eq!(form.problems.len(), 1);
    }

    #[test]
    fn more_of_a_card_than_its_last_four_is_neither_looked_for_nor_shown_again() {
        for text in ["4111111111111111", "4111 1111 1111 1111", "11111", "111a"] {
            let mut form = asked("last_four", text);
            assert!(form.last_four().is_none() && form.is_empty() && !form.problems.is_empty(), "{text}");
        }
        assert_eq!(asked("last_four", "0001").last_four().as_deref(), Some("0001"));
        let mut form = asked("customer", "4111 1111 1111 1111");
        assert!(form.text("customer", "Customer").is_none() && form.is_empty() && form.problems == [CARD_NUMBER_TYPED]);
    }

    #[test]
    fn an_unknown_choice_leads_nowhere() {
        let options = || [("", "Any", 0), ("a", "A", 1)];
        assert_eq!(asked("which", "a").choice("which", "Which", options()).unwrap(), 1);
        assert_eq!(Form::default().choice("which", "Which", options()).unwrap(), 0);
        assert!(asked("which", "b").choice("which", "Which", options()).is_err());
    }
}
