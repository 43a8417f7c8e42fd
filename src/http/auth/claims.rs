//! What a token claims, and the rules that the claims must meet. Time is handed in.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Number, Value};

use super::error::AuthError;

const SUBJECT_CHARS_MAX: usize = 255;
const TOKEN_ID_BYTES_MAX: usize = 255;

/// A token's claims; a `null` is the same as none.
pub(super) struct Claims(BTreeMap<String, Value>);

impl Claims {
    pub fn new(claims: BTreeMap<String, Value>) -> Self {
        Self(claims)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A whole number, as we write it.
    pub fn whole(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, AuthError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(AuthError::ClaimsMalformed),
        }
    }

    /// `iss`. RFC 7519 knows one issuer; a list, which jsonwebtoken would take, is refused.
    pub fn issuer(&self) -> Result<&str, AuthError> {
        self.text("iss")?.ok_or(AuthError::IssuerMissing)
    }

    /// `aud`: one text or a list of them, of which at least one.
    pub fn audiences(&self) -> Result<Vec<&str>, AuthError> {
        let audiences = match self.get("aud") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => {
                let texts: Option<Vec<&str>> = many.iter().map(Value::as_str).collect();
                texts.ok_or(AuthError::ClaimsMalformed)?
            }
            Some(_) => return Err(AuthError::ClaimsMalformed),
        };
        if audiences.is_empty() { Err(AuthError::AudienceMissing) } else { Ok(audiences) }
    }

    /// `sub`: the key that our customer record hangs on, so it must look like what it is.
    pub fn subject(&self) -> Result<&str, AuthError> {
        let subject = self.text("sub")?.ok_or(AuthError::SubjectMissing)?;
        if subject.is_empty() || subject.chars().count() > SUBJECT_CHARS_MAX {
            return Err(AuthError::SubjectInvalid);
        }
        let spaced = subject.starts_with(' ') || subject.ends_with(' ');
        if spaced || !subject.chars().all(is_printable) { Err(AuthError::SubjectInvalid) } else { Ok(subject) }
    }

    /// `jti`, when there is one.
    pub fn token_id(&self) -> Result<Option<&str>, AuthError> {
        let id = self.text("jti")?;
        if id.is_some_and(|id| id.is_empty() || id.len() > TOKEN_ID_BYTES_MAX || !id.chars().all(is_printable)) {
            return Err(AuthError::ClaimsMalformed);
        }
        Ok(id)
    }

    /// `exp`, `nbf` or `iat`: seconds since 1970. A fraction is cut off.
    pub fn instant(&self, name: &str) -> Result<Option<DateTime<Utc>>, AuthError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(seconds)) => read_seconds(seconds).map(Some).ok_or(AuthError::ClaimsMalformed),
            Some(_) => Err(AuthError::ClaimsMalformed),
        }
    }

    /// Whether `scope` (words in a text, or a list) contains `wanted`.
    pub fn has_scope(&self, wanted: &str) -> bool {
        match self.get("scope") {
            Some(Value::String(words)) => words.split(' ').any(|word| word == wanted),
            Some(Value::Array(words)) => words.iter().any(|word| word.as_str() == Some(wanted)),
            _ => false,
        }
    }

    /// The KYC level in the claim `name`: 0 when the claim is absent, refused when it is no level.
    pub fn kyc_level(&self, name: &str) -> Result<u8, AuthError> {
        match self.get(name) {
            None => Ok(0),
            Some(Value::Number(level)) => {
                level.as_u64().and_then(|level| u8::try_from(level).ok()).ok_or(AuthError::KycInvalid)
            }
            Some(_) => Err(AuthError::KycInvalid),
        }
    }
}

/// Reads the digits, never a float. Twelve digits reach the year 33658, so adding a leeway can't overflow.
fn read_seconds(seconds: &Number) -> Option<DateTime<Utc>> {
    let text = seconds.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() > 12 || !digits(whole) || !digits(fraction) {
        return None;
    }
    DateTime::from_timestamp(whole.parse().ok()?, 0)
}

/// No control characters, no space but the plain one, and nothing that is invisible or turns the text around it:
/// two subjects that look the same to support staff must be the same.
pub(super) fn is_printable(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !c.is_control() && !invisible && (c == ' ' || !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        Claims(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn times_are_read_by_their_digits() {
        for (json, seconds) in [("0", 0), ("1700000000", 1_700_000_000), ("1700000000.999", 1_700_000_000)] {
            let read = claims(&format!(r#"{{"exp":{json}}}"#)).instant("exp").unwrap().unwrap();
            assert_eq!(read.timestamp(), seconds, "{json}");
        }
        for json in ["-1", "1e9", "1.5e9", "18446744073709551616", "9999999999999", "\"1700000000\"", "[]", "true"] {
            let read = claims(&format!(r#"{{"exp":{json}}}"#)).instant("exp");
            assert_eq!(read, Err(AuthError::ClaimsMalformed), "{json}");
        }
        assert_eq!(claims(r#"{"exp":null}"#).instant("exp"), Ok(None));
    }

    #[test]
    fn a_subject_is_what_it_looks_like() {
        let longest = "x".repeat(255);
        for subject in ["u", "auth0|5f7c", "user@example.com", "Zoë Ωmega", "42", "a b", longest.as_str()] {
            assert_eq!(claims(&serde_json::json!({ "sub": subject }).to_string()).subject(), Ok(subject));
        }
        let long = "x".repeat(256);
        for subject in
            ["", " ", " a", "a ", "a\nb", "a\0", "a\tb", "a\u{202e}b", "a\u{200b}", "\u{feff}a", "\u{a0}", &long]
        {
            let read = claims(&serde_json::json!({ "sub": subject }).to_string());
            assert_eq!(read.subject(), Err(AuthError::SubjectInvalid), "{subject:?}");
        }
        assert_eq!(claims("{}").subject(), Err(AuthError::SubjectMissing));
        assert_eq!(claims(r#"{"sub":7}"#).subject(), Err(AuthError::ClaimsMalformed));
    }

    #[test]
    fn a_kyc_level_is_a_small_integer_and_none_is_zero() {
        assert_eq!(claims("{}").kyc_level("kyc"), Ok(0));
        assert_eq!(claims(r#"{"kyc":2}"#).kyc_level("kyc"), Ok(2));
        for level in ["-1", "256", "1.5", "1e0", "\"1\"", "true", "[1]"] {
            assert_eq!(
                claims(&format!(r#"{{"kyc":{level}}}"#)).kyc_level("kyc"),
                Err(AuthError::KycInvalid),
                "{level}"
            );
        }
    }

    #[test]
    fn a_scope_is_a_whole_word() {
        assert!(claims(r#"{"scope":"openid payout"}"#).has_scope("payout"));
        assert!(claims(r#"{"scope":["payout"]}"#).has_scope("payout"));
        for scope in ["{}", r#"{"scope":"payouts"}"#, r#"{"scope":["openid payout"]}"#, r#"{"scope":7}"#] {
            assert!(!claims(scope).has_scope("payout"), "{scope}");
        }
    }

    #[test]
    fn audiences_are_one_text_or_some() {
        assert_eq!(claims(r#"{"aud":"a"}"#).audiences(), Ok(vec!["a"]));
        assert_eq!(claims(r#"{"aud":["a","b"]}"#).audiences(), Ok(vec!["a", "b"]));
        assert_eq!(claims(r#"{"aud":[]}"#).audiences(), Err(AuthError::AudienceMissing));
        assert_eq!(claims(r#"{"aud":["a",7]}"#).audiences(), Err(AuthError::ClaimsMalformed));
        assert_eq!(claims(r#"{"iss":["a"]}"#).issuer(), Err(AuthError::ClaimsMalformed));
    }
}
