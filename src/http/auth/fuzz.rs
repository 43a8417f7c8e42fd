//! Tokens and key sets, for fuzzing; see [`crate::fuzz`].

use super::keys::{KeySet, VerifyingKey};
use super::token::Token;
use crate::config::auth::TokenAlgorithm;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const SECRET: &[u8] = b"thirty-two bytes and some more of them";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT","kid":"one"}"#;
const CLAIMS: &str = r#"{"iss":"https://issuer.example","aud":"landfall","sub":"user-1","exp":1900000000}"#;

/// A key, and one token that it signed.
pub struct Keys {
    key: VerifyingKey,
    signed: String,
}

impl Keys {
    pub fn new() -> Self {
        let key = match VerifyingKey::from_secret(SECRET) {
            Ok(key) => key,
            Err(error) => panic!("no key: {error}"),
        };
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(CLAIMS));
        let secret = jsonwebtoken::EncodingKey::from_secret(SECRET);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256);
        let signed = format!("{message}.{}", signature.unwrap_or_default());
        assert!(Token::parse(&signed).is_ok_and(|token| token.is_signed_by(&key)), "its own token is signed");
        Self { key, signed }
    }

    /// Looks at `text`, and at the signed token with `text` in the place of each of its parts.
    pub fn token(&self, text: &str) {
        self.look_at(text);
        let parts: Vec<&str> = self.signed.split('.').collect();
        for place in 0..parts.len() {
            let mut edited = parts.clone();
            if let Some(part) = edited.get_mut(place) {
                *part = text;
            }
            self.look_at(&edited.join("."));
        }
    }

    fn look_at(&self, text: &str) {
        let Ok(token) = Token::parse(text) else { return };
        assert!(!token.is_signed_by(&self.key) || text == self.signed, "{text} isn't what was signed");
        let claims = &token.claims;
        let _ = (claims.issuer(), claims.audiences(), claims.token_id(), claims.has_scope("payouts"));
        let _ = (claims.instant("exp"), claims.instant("nbf"), claims.kyc_level("kyc"));
        if let Ok(subject) = claims.subject() {
            assert!((1..=255).contains(&subject.chars().count()) && !subject.contains(char::is_control));
        }
    }

    #[expect(clippy::unused_self, reason = "beside the other")]
    pub fn set(&self, json: &[u8]) {
        let algorithms = [TokenAlgorithm::Rs256, TokenAlgorithm::Es256, TokenAlgorithm::EdDsa];
        if let Ok(keys) = KeySet::from_jwks(json, &algorithms) {
            assert!(keys.len() <= 64);
        }
    }
}
