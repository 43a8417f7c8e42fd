//! Takes a token apart (RFC 7515 compact form, RFC 7519). What comes out is unverified: it serves to choose the issuer,
//! and is believed only after [`Token::is_signed_by`].
//!
//! jsonwebtoken's own `decode` is not used: it reads the system clock, does not require `iss` or `aud`, takes a list as
//! `iss`, and lets a repeated claim pass. Its signature verification is.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::claims::Claims;
use super::error::AuthError;
use super::keys::VerifyingKey;
use crate::config::auth::TokenAlgorithm;

/// No token longer than this is parsed.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
const KEY_ID_BYTES_MAX: usize = 255;

/// A token, taken apart.
pub(super) struct Token<'a> {
    pub algorithm: TokenAlgorithm,
    pub key_id: Option<String>,
    pub claims: Claims,
    message: &'a [u8],
    signature: &'a str,
}

impl<'a> Token<'a> {
    pub fn parse(text: &'a str) -> Result<Self, AuthError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::TooLong);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(AuthError::NotAJws)?;
        let (header, payload) = message.split_once('.').ok_or(AuthError::NotAJws)?;
        if signature.is_empty() || payload.contains('.') {
            return Err(AuthError::NotAJws);
        }
        let (algorithm, key_id) = read_header(&object(header)?.ok_or(AuthError::HeaderMalformed)?)?;
        let claims = Claims::new(object(payload)?.ok_or(AuthError::ClaimsMalformed)?);
        Ok(Self { algorithm, key_id, claims, message: message.as_bytes(), signature })
    }

    /// Whether `key` made this token's signature, with the algorithm that the token names.
    pub fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.algorithm == self.algorithm && key.verify(self.message, self.signature)
    }
}

/// `None` when the part is base64url, but no JSON object of distinct names.
fn object(part: &str) -> Result<Option<BTreeMap<String, Value>>, AuthError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| AuthError::NotAJws)?;
    Ok(serde_json::from_slice::<Object>(&bytes).ok().map(|object| object.0))
}

fn read_header(header: &BTreeMap<String, Value>) -> Result<(TokenAlgorithm, Option<String>), AuthError> {
    if header.contains_key("crit") {
        return Err(AuthError::CriticalExtension);
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(typ)) if is_access_token_type(typ) => {}
        Some(_) => return Err(AuthError::OtherType),
    }
    let Some(Value::String(algorithm)) = header.get("alg") else {
        return Err(AuthError::HeaderMalformed);
    };
    let algorithm = TokenAlgorithm::parse(algorithm).ok_or(AuthError::AlgorithmUnknown)?;
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= KEY_ID_BYTES_MAX => Some(kid.clone()),
        Some(_) => return Err(AuthError::HeaderMalformed),
    };
    Ok((algorithm, key_id))
}

/// The same key may sign logout tokens, security events and proofs, which name their type (RFC 8725 section 3.11).
fn is_access_token_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

/// A JSON object that names nothing twice: two parsers would disagree about what it says (RFC 7515 section 4).
struct Object(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Distinct;

        impl<'de> Visitor<'de> for Distinct {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of distinct names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(de::Error::custom("a repeated name"));
                    }
                }
                Ok(Object(object))
            }
        }

        deserializer.deserialize_map(Distinct)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(header: &str, payload: &str) -> AuthError {
        let text = format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        Token::parse(&text).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_token_is_three_parts_of_base64url() {
        let good = format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), URL_SAFE_NO_PAD.encode("{}"));
        assert!(Token::parse(&good).is_ok());
        for bad in
            ["", ".", "..", "...", "a.b", "!.!.!", &good[..good.len() - 4], &format!("{good}.x"), &format!(" {good}")]
        {
            assert_eq!(Token::parse(bad).map(|_| ()), Err(AuthError::NotAJws), "{bad:?}");
        }
        assert_eq!(Token::parse(&"a".repeat(TOKEN_BYTES_MAX + 1)).map(|_| ()), Err(AuthError::TooLong));
    }

    #[test]
    fn headers_that_are_not_understood_are_refused() {
        for (header, error) in [
            ("", AuthError::HeaderMalformed),
            ("[]", AuthError::HeaderMalformed),
            ("{}", AuthError::HeaderMalformed),
            (r#"{"alg":null}"#, AuthError::HeaderMalformed),
            (r#"{"alg":"ES256","alg":"ES256"}"#, AuthError::HeaderMalformed),
            (r#"{"alg":"ES256","kid":7}"#, AuthError::HeaderMalformed),
            (r#"{"alg":"none"}"#, AuthError::AlgorithmUnknown),
            (r#"{"alg":"es256"}"#, AuthError::AlgorithmUnknown),
            (r#"{"alg":"HS512"}"#, AuthError::AlgorithmUnknown),
            (r#"{"alg":"ES256","crit":[]}"#, AuthError::CriticalExtension),
            (r#"{"alg":"ES256","typ":"logout+jwt"}"#, AuthError::OtherType),
            (r#"{"alg":"ES256","typ":1}"#, AuthError::OtherType),
        ] {
            assert_eq!(refused(header, "{}"), error, "{header}");
        }
        assert_eq!(refused(r#"{"alg":"ES256"}"#, r#"{"sub":"a","sub":"b"}"#), AuthError::ClaimsMalformed);
        assert_eq!(refused(r#"{"alg":"ES256"}"#, "7"), AuthError::ClaimsMalformed);
        assert_eq!(refused(r#"{"alg":"ES256"}"#, &"[".repeat(5000)), AuthError::ClaimsMalformed);
    }
}
