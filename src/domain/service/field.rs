//! One field of a service: what it holds, how it is called in several languages, and the pattern that it keeps.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// The longest pattern, in characters.
const PATTERN_CHARS_MAX: usize = 500;
/// The most memory that a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// The longest label or hint, in characters.
const TEXT_CHARS_MAX: usize = 300;
/// The language that is shown where the asked one isn't there.
const LANGUAGE_DEFAULT: &str = "en";

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// 1 to 200 characters.
    Text,
    /// 1 to 64 digits.
    Digits,
    CardNumber,
    /// `MM/YY` or `MM/YYYY`.
    CardExpiry,
    CardExpiryMonth,
    CardExpiryYear,
    CardHolder,
    Email,
    /// Two letters (ISO 3166-1 alpha-2).
    Country,
    /// A decimal number above zero.
    Amount,
}

impl FieldKind {
    /// What it holds is never kept in the clear.
    pub const fn is_card(self) -> bool {
        matches!(
            self,
            FieldKind::CardNumber
                | FieldKind::CardExpiry
                | FieldKind::CardExpiryMonth
                | FieldKind::CardExpiryYear
                | FieldKind::CardHolder
        )
    }
}

/// A text by language (`en`, `es`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Texts(pub BTreeMap<String, String>);

impl Texts {
    /// The text in `language` (`es` or `es-MX`), else in English, else in any.
    pub fn get(&self, language: &str) -> &str {
        let short = language.split(['-', '_']).next().unwrap_or(language).to_ascii_lowercase();
        let found = self.0.get(&short).or_else(|| self.0.get(LANGUAGE_DEFAULT)).or_else(|| self.0.values().next());
        found.map_or("", String::as_str)
    }
}

/// A field as configuration and rows spell it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldBody {
    key: String,
    #[serde(rename = "type")]
    kind: FieldKind,
    #[serde(default)]
    label: Texts,
    #[serde(default)]
    hint: Texts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    regexp: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    position: i32,
}

/// One field of a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "FieldBody", into = "FieldBody")]
pub struct ServiceField {
    /// 1 to 64 characters of `a-z`, `0-9` and `_`.
    pub key: String,
    pub kind: FieldKind,
    pub label: Texts,
    /// What to do, said when the field is missing or wrong.
    pub hint: Texts,
    /// As it was written; what it is matched with is the whole value.
    pub regexp: Option<String>,
    pub required: bool,
    pub position: i32,
    pattern: Option<Regex>,
}

/// Why a text describes no field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    #[error("a field's key has 1 to 64 characters of a-z, 0-9 and _")]
    Key,
    #[error("{key}: a label or hint has a language of two letters and 1 to {TEXT_CHARS_MAX} characters")]
    Text { key: String },
    #[error("{key}: the regular expression is too long or can't be read")]
    Pattern { key: String },
}

impl TryFrom<FieldBody> for ServiceField {
    type Error = FieldError;

    fn try_from(body: FieldBody) -> Result<Self, FieldError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=64).contains(&body.key.len()) || !body.key.bytes().all(plain) {
            return Err(FieldError::Key);
        }
        let texts = body.label.0.iter().chain(&body.hint.0);
        let sound = |(language, text): (&String, &String)| {
            language.len() == 2
                && language.bytes().all(|b| b.is_ascii_lowercase())
                && (1..=TEXT_CHARS_MAX).contains(&text.chars().count())
        };
        if !texts.into_iter().all(sound) {
            return Err(FieldError::Text { key: body.key });
        }
        let pattern = match &body.regexp {
            None => None,
            Some(text) => Some(compile(text).ok_or_else(|| FieldError::Pattern { key: body.key.clone() })?),
        };
        let FieldBody { key, kind, label, hint, regexp, required, position } = body;
        Ok(Self { key, kind, label, hint, regexp, required, position, pattern })
    }
}

/// Anchored at both ends: a value matches as a whole or not at all.
fn compile(text: &str) -> Option<Regex> {
    if text.chars().count() > PATTERN_CHARS_MAX {
        return None;
    }
    // Whole by itself first: `a)|(b` would close the group below.
    let read = |pattern: &str| RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build().ok();
    read(text)?;
    read(&format!("^(?:{text})$"))
}

impl From<ServiceField> for FieldBody {
    fn from(field: ServiceField) -> Self {
        let ServiceField { key, kind, label, hint, regexp, required, position, pattern: _ } = field;
        Self { key, kind, label, hint, regexp, required, position }
    }
}

impl PartialEq for ServiceField {
    fn eq(&self, other: &Self) -> bool {
        let ours = (&self.key, self.kind, &self.label, &self.hint, &self.regexp, self.required, self.position);
        ours == (&other.key, other.kind, &other.label, &other.hint, &other.regexp, other.required, other.position)
    }
}

impl ServiceField {
    /// Whether `value` keeps the pattern, if there is one.
    pub(super) fn matches(&self, value: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(value))
    }
}
