//! Reading a JSON object field by field, by the text that was written: numbers by their digits (never a float), each
//! field once, unknown fields refused, and the first thing that is wrong named. A refusal never quotes a value.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::body::Body;
use super::error::{ApiError, FieldProblem};
use crate::domain::ids::CardId;

/// The most fields that are looked at: more than any request has.
const FIELDS_MAX: usize = 64;
/// The longest name of a field that is named in a refusal.
const NAME_CHARS_MAX: usize = 40;
/// What card verification codes are called. They are refused wherever they stand, and by their name.
const CARD_CODES: [&str; 9] = ["cvv", "cvv2", "cvc", "cvc2", "cid", "csc", "cardcvv", "cardcvc", "securitycode"];

/// A JSON object's fields with their values as they were written.
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads `body` as an object whose fields are among `known`.
    pub fn read(body: &'a Body, known: &[&str]) -> Result<Self, ApiError> {
        let not_json = |_| ApiError::field("", FieldProblem::Json);
        let mut json = serde_json::Deserializer::from_slice(body.bytes());
        let read = json.deserialize_map(ObjectVisitor).map_err(not_json)?;
        json.end().map_err(not_json)?;
        let fields = read?;
        if let Some((name, _)) = fields.iter().find(|(name, _)| is_card_code(name)) {
            return Err(ApiError::field(shown(name), FieldProblem::Forbidden));
        }
        match fields.iter().find(|(name, _)| !known.contains(&name.as_ref())) {
            Some((name, _)) => Err(ApiError::field(shown(name), FieldProblem::Unknown)),
            None => Ok(Self(fields)),
        }
    }

    /// The value's own text. A `null` is no value.
    fn find(&self, name: &str) -> Option<&'a str> {
        let value = self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.get());
        value.filter(|text| *text != "null")
    }

    fn required(&self, name: &'static str) -> Result<&'a str, ApiError> {
        self.find(name).ok_or_else(|| ApiError::field(name, FieldProblem::Missing))
    }

    /// A string.
    pub fn text(&self, name: &'static str) -> Result<String, ApiError> {
        string(name, self.required(name)?)
    }

    pub fn optional_text(&self, name: &'static str) -> Result<Option<String>, ApiError> {
        self.find(name).map(|json| string(name, json)).transpose()
    }

    /// Digits that were written as an integer or as a string of at most `chars_max` characters; the text as it stands.
    pub fn digits(&self, name: &'static str, chars_max: usize) -> Result<Zeroizing<String>, ApiError> {
        let json = self.required(name)?;
        let text = match json.as_bytes().first() {
            Some(b'"') => Zeroizing::new(string(name, json)?),
            Some(b'0'..=b'9') if json.bytes().all(|byte| byte.is_ascii_digit()) => Zeroizing::new(json.to_owned()),
            Some(b'-' | b'0'..=b'9') => return Err(ApiError::field(name, FieldProblem::Value)),
            _ => return Err(ApiError::field(name, FieldProblem::Type)),
        };
        if text.chars().count() > chars_max { Err(ApiError::field(name, FieldProblem::Length)) } else { Ok(text) }
    }

    /// A number, or a string that may hold one, by its text.
    pub fn number(&self, name: &'static str, chars_max: usize) -> Result<Option<String>, ApiError> {
        let Some(json) = self.find(name) else { return Ok(None) };
        let text = match json.as_bytes().first() {
            Some(b'"') => string(name, json)?,
            Some(b'-' | b'0'..=b'9') => json.to_owned(),
            _ => return Err(ApiError::field(name, FieldProblem::Type)),
        };
        if text.chars().count() > chars_max { Err(ApiError::field(name, FieldProblem::Length)) } else { Ok(Some(text)) }
    }

    pub fn card_id(&self, name: &'static str) -> Result<CardId, ApiError> {
        self.digits(name, 16)?.parse().map_err(|_| ApiError::field(name, FieldProblem::Value))
    }
}

/// Decodes a JSON string. Control characters are refused: no field has any, and PostgreSQL takes no NUL.
fn string(name: &'static str, json: &str) -> Result<String, ApiError> {
    if !json.starts_with('"') {
        return Err(ApiError::field(name, FieldProblem::Type));
    }
    // A lone surrogate, for one, is JSON and yet no text.
    let text: String = serde_json::from_str(json).map_err(|_| ApiError::field(name, FieldProblem::Value))?;
    if text.chars().any(char::is_control) { Err(ApiError::field(name, FieldProblem::Value)) } else { Ok(text) }
}

/// The members of an object, as they are written; the inner error names one that is there twice.
pub(super) type Members<'a> = Result<Vec<(Cow<'a, str>, &'a RawValue)>, ApiError>;

/// Takes one JSON object apart. The outer error: it is none, or it has too many members.
pub(super) fn members(json: &str) -> Result<Members<'_>, serde_json::Error> {
    serde_json::Deserializer::from_str(json).deserialize_map(ObjectVisitor)
}

pub(super) fn is_card_code(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(32).collect();
    CARD_CODES.contains(&plain.as_str()) || plain.contains("cvv") || plain.contains("cvc")
}

/// A field's name as it may be repeated to the caller; empty if it shouldn't be.
pub(super) fn shown(name: &str) -> &str {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if plain && digits < 6 && name.chars().count() <= NAME_CHARS_MAX { name } else { "" }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Result<Vec<(Cow<'de, str>, &'de RawValue)>, ApiError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        let mut repeated = None;
        while let Some(FieldName(name)) = map.next_key()? {
            let value = map.next_value()?;
            if fields.len() >= FIELDS_MAX {
                return Err(A::Error::custom("too many fields"));
            }
            if repeated.is_none() && fields.iter().any(|(known, _)| *known == name) {
                repeated = Some(ApiError::field(shown(&name), FieldProblem::Duplicate));
            }
            fields.push((name, value));
        }
        Ok(repeated.map_or(Ok(fields), Err))
    }
}

/// A name, borrowed from the body unless it holds escapes.
struct FieldName<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for FieldName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = FieldName<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(FieldName(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(FieldName(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["amount", "name", "cardId"];

    fn refusal(json: &str) -> (Option<String>, String) {
        let body = Body::of(json);
        let error = match Fields::read(&body, &KNOWN) {
            Err(error) => error,
            Ok(fields) => [
                fields.number("amount", 64).map(drop),
                fields.text("name").map(drop),
                fields.card_id("cardId").map(drop),
            ]
            .into_iter()
            .find_map(Result::err)
            .expect("something to refuse"),
        };
        let problem = error.details.data.unwrap()["problem"].as_str().unwrap().to_owned();
        (error.details.field, problem)
    }

    fn refused(json: &str, field: &str, problem: &str) {
        let field = (!field.is_empty()).then(|| field.to_owned());
        assert_eq!(refusal(json), (field, problem.to_owned()), "{json}");
    }

    #[test]
    fn numbers_are_read_by_their_digits() {
        for (json, text) in [
            (r#"{"amount":760.06209697}"#, "760.06209697"),
            (r#"{"amount":"760.06209697"}"#, "760.06209697"),
            (r#"{"amount":0.1000000000000000055511151231257827}"#, "0.1000000000000000055511151231257827"),
            (r#"{"amount":1e5}"#, "1e5"),
            (r#"{"\u0061mount":12345678901234567890123}"#, "12345678901234567890123"),
            (r#"{ "amount" :  -3 }"#, "-3"),
        ] {
            let body = Body::of(json);
            assert_eq!(Fields::read(&body, &KNOWN).unwrap().number("amount", 64).unwrap().as_deref(), Some(text));
        }
        let body = Body::of(r#"{"amount":null}"#);
        assert_eq!(Fields::read(&body, &KNOWN).unwrap().number("amount", 64).unwrap(), None);
    }

    #[test]
    fn digits_are_integers_or_texts() {
        let body = Body::of(r#"{"cardId":1234567890123456,"name":4907000000003896,"amount":"4907 0000"}"#);
        let fields = Fields::read(&body, &KNOWN).unwrap();
        assert_eq!(fields.card_id("cardId").unwrap(), CardId(1_234_567_890_123_456));
        assert_eq!(*fields.digits("name", 32).unwrap(), "4907000000003896");
        assert_eq!(*fields.digits("amount", 32).unwrap(), "4907 0000");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for json in [
            "",
            " ",
            "null",
            "[]",
            "7",
            r#""x""#,
            "{",
            r#"{"name":"a"}x"#,
            r#"{"name":"a",}"#,
            r#"{name:1}"#,
            "\u{feff}{}",
        ] {
            refused(json, "", "json");
        }
        refused(&"[".repeat(60_000), "", "json");
        refused(&format!("{{{}}}", r#""x":1,"#.repeat(70).trim_end_matches(',')), "", "json");
    }

    #[test]
    fn unknown_repeated_and_forbidden_fields_are_named() {
        refused(r#"{"name":"a","Name":"b"}"#, "Name", "unknown");
        refused(r#"{"name":"a","name":"a"}"#, "name", "duplicate");
        refused(r#"{"name":"a","n\u0061me":"a"}"#, "name", "duplicate");
        for code in ["cvv", "CVV", "cvc2", "card_cvv", "cardCvc", "securityCode", "CvvCode"] {
            refused(&format!(r#"{{"other":1,"{code}":"123"}}"#), code, "forbidden");
        }
        // What could be a card number isn't repeated, even as a name.
        refused(r#"{"4907000000003896":1}"#, "", "unknown");
        refused(&format!(r#"{{"{}":1}}"#, "x".repeat(41)), "", "unknown");
        refused(r#"{"<script>":1}"#, "", "unknown");
        refused(r#"{"$serde_json::private::Number":"1"}"#, "", "unknown");
    }

    #[test]
    fn values_of_another_type_are_named() {
        refused(r#"{"amount":true}"#, "amount", "type");
        refused(r#"{"amount":{"$serde_json::private::Number":"1"}}"#, "amount", "type");
        refused(r#"{"amount":[1]}"#, "amount", "type");
        refused(r#"{}"#, "name", "missing");
        refused(r#"{"name":null}"#, "name", "missing");
        refused(r#"{"name":7}"#, "name", "type");
        refused(r#"{"name":"a\u0000b"}"#, "name", "value");
        refused(r#"{"name":"a\ud800"}"#, "name", "value");
        refused(r#"{"name":"a","cardId":1.5}"#, "cardId", "value");
        refused(r#"{"name":"a","cardId":-1}"#, "cardId", "value");
        refused(r#"{"name":"a","cardId":9007199254740992}"#, "cardId", "value");
        refused(r#"{"name":"a","cardId":"12345678901234567"}"#, "cardId", "length");
        refused(&format!(r#"{{"amount":{}}}"#, "9".repeat(65)), "amount", "length");
    }
}
