//! Checks what was given for a service's fields: all that is wrong at once, and what is missing apart from it, since a request may
//! wait for its details.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::field::{FieldKind, ServiceField};
use super::{FIELDS_MAX, Service};
use crate::domain::card::{HolderName, Pan, identify};

/// The longest value, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// One thing that is wrong with the fields, or missing. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field; empty for one whose very name shouldn't be repeated.
    pub key: String,
    /// Stable: `FIELD_MISSING`, `FIELD_INVALID`, `FIELD_UNKNOWN`, `TOO_MANY_FIELDS`.
    pub code: &'static str,
    /// The field's hint in the asked language; or in English what is wrong.
    pub detail: String,
}

impl FieldProblem {
    /// JSON pointer into the request's document.
    pub fn pointer(&self) -> String {
        match self.key.as_str() {
            "" => "/data/attributes/fields".to_owned(),
            key => format!("/data/attributes/fields/{key}"),
        }
    }
}

/// What was given, checked. Card data stands apart: it goes to the vault and nowhere else.
#[derive(Clone, Default)]
pub struct CheckedFields {
    /// What may be kept in the clear.
    pub plain: BTreeMap<String, String>,
    pub card_number: Option<Pan>,
    /// Month and year as they were written: 1 or 2 digits, and 2 or 4.
    pub card_expiry: Option<(String, String)>,
    pub card_holder: Option<HolderName>,
    /// Required fields that weren't given, each with its hint.
    pub missing: Vec<FieldProblem>,
}

impl fmt::Debug for CheckedFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedFields")
            .field("plain", &self.plain.keys().collect::<Vec<_>>())
            .field("has_card_number", &self.card_number.is_some())
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

impl CheckedFields {
    /// Whether every required field was given.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

impl Service {
    /// Checks `fields`; hints are in `language` (`es`, `es-MX`), or in English where a field has none in it.
    ///
    /// # Errors
    /// Everything that is wrong. What is only missing is no error: [`CheckedFields::missing`].
    pub fn check_fields(
        &self,
        fields: &Map<String, Value>,
        language: &str,
    ) -> Result<CheckedFields, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        if fields.len() > FIELDS_MAX {
            let detail = format!("a service has at most {FIELDS_MAX} fields");
            return Err(vec![FieldProblem { key: String::new(), code: "TOO_MANY_FIELDS", detail }]);
        }
        for key in fields.keys().filter(|key| self.field(key).is_none()) {
            let detail = format!("{} has no such field", self.code);
            problems.push(FieldProblem { key: shown(key), code: "FIELD_UNKNOWN", detail });
        }
        let mut checked = CheckedFields::default();
        let (mut month, mut year) = (None, None);
        for field in &self.fields {
            let given = match fields.get(&field.key) {
                None | Some(Value::Null) => None,
                Some(value) => Some(text(value)),
            };
            match given {
                Some(Some(value)) if !value.trim().is_empty() => {
                    let kept = keep(field, value.trim(), &mut checked, &mut month, &mut year);
                    if kept.is_none() {
                        problems.push(problem(field, "FIELD_INVALID", language));
                    }
                }
                Some(None) => problems.push(problem(field, "FIELD_INVALID", language)),
                _ if field.required => checked.missing.push(problem(field, "FIELD_MISSING", language)),
                _ => {}
            }
        }
        if let (Some(month), Some(year)) = (month, year) {
            checked.card_expiry = Some((month, year));
        }
        if problems.is_empty() { Ok(checked) } else { Err(problems) }
    }
}

fn problem(field: &ServiceField, code: &'static str, language: &str) -> FieldProblem {
    let hint = field.hint.get(language);
    let detail = match (hint, code) {
        ("", "FIELD_MISSING") => "is required".to_owned(),
        ("", _) => "is not valid".to_owned(),
        (hint, _) => hint.to_owned(),
    };
    FieldProblem { key: field.key.clone(), code, detail }
}

/// A string, or a number by its digits. `None`: neither, or longer than any field.
fn text(value: &Value) -> Option<Zeroizing<String>> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (text.chars().count() <= VALUE_CHARS_MAX && !text.chars().any(char::is_control)).then(|| Zeroizing::new(text))
}

/// Keeps `value` where it belongs. `None`: it isn't what the field holds.
fn keep(
    field: &ServiceField,
    value: &str,
    checked: &mut CheckedFields,
    month: &mut Option<String>,
    year: &mut Option<String>,
) -> Option<()> {
    if !field.matches(value) {
        return None;
    }
    let digits = |lengths: &[usize]| lengths.contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    let mut plain = |kept: String| drop(checked.plain.insert(field.key.clone(), kept));
    match field.kind {
        FieldKind::Text => plain(value.to_owned()),
        FieldKind::Digits => {
            let sound = value.len() <= 64 && value.bytes().all(|b| b.is_ascii_digit());
            sound.then(|| plain(value.to_owned()))?;
        }
        FieldKind::Email => {
            sound_email(value).then(|| plain(value.to_owned()))?;
        }
        FieldKind::Country => {
            let sound = value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic());
            sound.then(|| plain(value.to_ascii_uppercase()))?;
        }
        FieldKind::Amount => {
            let amount = Decimal::from_str_exact(value).ok().filter(|amount| *amount > Decimal::ZERO)?;
            plain(amount.to_string());
        }
        FieldKind::CardNumber => {
            let pan = Pan::parse(value).ok()?;
            identify(&pan).ok()?;
            checked.card_number = Some(pan);
        }
        FieldKind::CardHolder => checked.card_holder = Some(HolderName::parse(value).ok()?),
        FieldKind::CardExpiryMonth => *month = (digits(&[1, 2]) && is_month(value)).then(|| Some(value.to_owned()))?,
        FieldKind::CardExpiryYear => *year = digits(&[2, 4]).then(|| Some(value.to_owned()))?,
        FieldKind::CardExpiry => {
            let (m, y) = value.split_once('/')?;
            let (m, y) = (m.trim(), y.trim());
            let sound = matches!(y.len(), 2 | 4) && y.bytes().all(|b| b.is_ascii_digit()) && is_month(m);
            sound.then(|| checked.card_expiry = Some((m.to_owned(), y.to_owned())))?;
        }
    }
    Some(())
}

fn is_month(text: &str) -> bool {
    matches!(text.len(), 1 | 2)
        && text.bytes().all(|b| b.is_ascii_digit())
        && text.parse::<u8>().is_ok_and(|month| (1..=12).contains(&month))
}

/// One `@` with something on both sides and a dot in the domain: whether anybody reads it only a message tells.
fn sound_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    (3..=254).contains(&text.len())
        && (1..=64).contains(&local.len())
        && !text.chars().any(char::is_whitespace)
        && !local.contains('@')
        && domain.split('.').count() >= 2
        && domain.split('.').all(|label| !label.is_empty())
}

/// A field's name as it may be repeated: it could be a card number.
fn shown(key: &str) -> String {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if plain && digits < 6 && key.len() <= 64 { key.to_owned() } else { String::new() }
}
