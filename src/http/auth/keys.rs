//! Public keys and secrets that verify tokens. Each key serves exactly one algorithm, which it decides, not the token:
//! that is what stops an HMAC made with a public key's text (RFC 8725 section 2.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::error::AuthError;
use crate::config::auth::TokenAlgorithm;

/// More keys than any issuer publishes; what comes after is not looked at.
const KEYS_MAX: usize = 64;
/// RFC 7518 section 3.2: an HS256 secret has as many bits as its hash.
const SECRET_BYTES_MIN: usize = 32;
/// 2048 to 8192 bits.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// An uncompressed point of P-256.
const P256_POINT_BYTES: usize = 65;

/// A key that verifies signatures of one algorithm. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub(super) struct VerifyingKey {
    pub key_id: Option<String>,
    pub algorithm: TokenAlgorithm,
    key: DecodingKey,
}

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("is not a JWKS (an object with a list `keys`)")]
    NotAJwks,
    #[error("is not one PEM public key (PUBLIC KEY or RSA PUBLIC KEY) for the issuer's algorithm")]
    NotAPublicKey,
    #[error("holds less than 32 bytes")]
    SecretTooShort,
    #[error("holds a PEM key where a random secret should be")]
    SecretIsAKey,
}

impl VerifyingKey {
    /// Whether `signature` (base64url) is this key's signature of `message`.
    pub fn verify(&self, message: &[u8], signature: &str) -> bool {
        let algorithm = match self.algorithm {
            TokenAlgorithm::Rs256 => Algorithm::RS256,
            TokenAlgorithm::Es256 => Algorithm::ES256,
            TokenAlgorithm::EdDsa => Algorithm::EdDSA,
            TokenAlgorithm::Hs256 => Algorithm::HS256,
        };
        jsonwebtoken::crypto::verify(signature, message, &self.key, algorithm).unwrap_or(false)
    }

    /// `secret` is used byte for byte.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(KeyError::SecretIsAKey);
        }
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::SecretTooShort);
        }
        Ok(Self { key_id: None, algorithm: TokenAlgorithm::Hs256, key: DecodingKey::from_secret(secret) })
    }

    /// An uncompressed point of P-256 (65 bytes), under its name.
    pub fn from_p256_point(point: &[u8], key_id: String) -> Self {
        Self { key_id: Some(key_id), algorithm: TokenAlgorithm::Es256, key: DecodingKey::from_ec_der(point) }
    }

    /// One public key; a certificate or a private key is refused.
    pub fn from_pem(pem: &[u8], algorithm: TokenAlgorithm) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(pem).map_err(|_| KeyError::NotAPublicKey)?;
        let begins: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("-----BEGIN")).collect();
        if !matches!(begins[..], ["-----BEGIN PUBLIC KEY-----"] | ["-----BEGIN RSA PUBLIC KEY-----"]) {
            return Err(KeyError::NotAPublicKey);
        }
        let key = match algorithm {
            TokenAlgorithm::Rs256 => DecodingKey::from_rsa_pem(pem),
            TokenAlgorithm::Es256 => DecodingKey::from_ec_pem(pem),
            TokenAlgorithm::EdDsa => DecodingKey::from_ed_pem(pem),
            TokenAlgorithm::Hs256 => return Err(KeyError::NotAPublicKey),
        }
        .map_err(|_| KeyError::NotAPublicKey)?;
        let der = key.try_get_as_bytes().map_err(|_| KeyError::NotAPublicKey)?;
        let fits = match algorithm {
            TokenAlgorithm::Rs256 => {
                aws_lc_rs::rsa::PublicKey::from_der(der).is_ok_and(|key| RSA_MODULUS_BYTES.contains(&key.modulus_len()))
            }
            TokenAlgorithm::Es256 => der.len() == P256_POINT_BYTES,
            TokenAlgorithm::EdDsa => der.len() == 32,
            TokenAlgorithm::Hs256 => false,
        };
        if fits { Ok(Self { key_id: None, algorithm, key }) } else { Err(KeyError::NotAPublicKey) }
    }

    fn from_jwk(jwk: Jwk) -> Option<Self> {
        let meant_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !meant_for_signatures || jwk.d.is_some() {
            return None;
        }
        let (algorithm, key) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => (TokenAlgorithm::Rs256, rsa_key(jwk.n?.as_str(), jwk.e?.as_str())?),
            ("EC", Some("P-256")) => (TokenAlgorithm::Es256, p256_key(jwk.x?.as_str(), jwk.y?.as_str())?),
            ("OKP", Some("Ed25519")) => {
                let x = decode(jwk.x?.as_str()).filter(|x| x.len() == 32)?;
                (TokenAlgorithm::EdDsa, DecodingKey::from_ed_der(&x))
            }
            _ => return None,
        };
        if jwk.alg.is_some_and(|alg| alg != algorithm.as_str()) {
            return None;
        }
        Some(Self { key_id: jwk.kid, algorithm, key })
    }
}

fn decode(base64url: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(base64url).ok()
}

fn rsa_key(n: &str, e: &str) -> Option<DecodingKey> {
    let (n, e) = (decode(n)?, decode(e)?);
    let leading = n.iter().take_while(|byte| **byte == 0).count();
    let n = n.get(leading..)?;
    RSA_MODULUS_BYTES.contains(&n.len()).then(|| DecodingKey::from_rsa_raw_components(n, &e))
}

fn p256_key(x: &str, y: &str) -> Option<DecodingKey> {
    let (x, y) = (decode(x)?, decode(y)?);
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    (x.len() == 32 && y.len() == 32).then(|| DecodingKey::from_ec_der(&point))
}

/// The parts of a JSON Web Key (RFC 7517) that matter for a public key.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// There only in a private key, and a private key that is published is anybody's.
    d: Option<Value>,
}

/// The keys of one issuer at one time.
#[derive(Debug)]
pub(super) struct KeySet(Vec<VerifyingKey>);

impl KeySet {
    /// Reads a JWKS and keeps the public signature keys of `allowed` algorithms; the rest is skipped, as RFC 7517
    /// section 5 wants it. A set without a usable key is a set: the issuer says that nothing holds.
    pub fn from_jwks(json: &[u8], allowed: &[TokenAlgorithm]) -> Result<Self, KeyError> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Value>,
        }
        let jwks: Jwks = serde_json::from_slice(json).map_err(|_| KeyError::NotAJwks)?;
        let keys = jwks
            .keys
            .into_iter()
            .take(KEYS_MAX)
            .filter_map(|jwk| serde_json::from_value(jwk).ok())
            .filter_map(VerifyingKey::from_jwk)
            .filter(|key| allowed.contains(&key.algorithm))
            .collect();
        Ok(Self(keys))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The key that a token means: the one of its `kid` and algorithm, or the only one there is.
    pub fn find(&self, key_id: Option<&str>, algorithm: TokenAlgorithm) -> Result<&VerifyingKey, AuthError> {
        let Some(key_id) = key_id else {
            return match self.0.as_slice() {
                [] => Err(AuthError::KeyUnknown),
                [key] if key.algorithm == algorithm => Ok(key),
                [_] => Err(AuthError::KeyMismatch),
                _ => Err(AuthError::KeyAmbiguous),
            };
        };
        let named: Vec<&VerifyingKey> = self.0.iter().filter(|key| key.key_id.as_deref() == Some(key_id)).collect();
        if named.is_empty() {
            return Err(AuthError::KeyUnknown);
        }
        let mut fitting = named.into_iter().filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(AuthError::KeyAmbiguous),
            (None, _) => Err(AuthError::KeyMismatch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TokenAlgorithm::{EdDsa, Es256, Rs256};

    const ALL: [TokenAlgorithm; 3] = [Rs256, Es256, EdDsa];

    fn set(keys: &[Value]) -> KeySet {
        KeySet::from_jwks(serde_json::json!({ "keys": keys }).to_string().as_bytes(), &ALL).unwrap()
    }

    fn ec(extra: Value) -> Value {
        let mut jwk = serde_json::json!({ "kty": "EC", "crv": "P-256", "kid": "a",
            "x": URL_SAFE_NO_PAD.encode([1; 32]), "y": URL_SAFE_NO_PAD.encode([2; 32]) });
        jwk.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        jwk
    }

    #[test]
    fn only_public_signature_keys_are_kept() {
        for good in [
            serde_json::json!({}),
            serde_json::json!({ "use": "sig", "alg": "ES256", "key_ops": ["verify"] }),
            serde_json::json!({ "x5u": "https://attacker.example", "unknown": [1] }),
        ] {
            assert_eq!(set(&[ec(good.clone())]).len(), 1, "{good}");
        }
        for bad in [
            serde_json::json!({ "use": "enc" }),
            serde_json::json!({ "key_ops": ["sign"] }),
            serde_json::json!({ "alg": "RS256" }),
            serde_json::json!({ "alg": "ECDH-ES" }),
            serde_json::json!({ "kty": "RSA" }),
            serde_json::json!({ "kty": "oct", "k": "c2VjcmV0" }),
            serde_json::json!({ "crv": "P-384" }),
            serde_json::json!({ "crv": "secp256k1" }),
            serde_json::json!({ "d": "private" }),
            serde_json::json!({ "x": URL_SAFE_NO_PAD.encode([1; 31]) }),
            serde_json::json!({ "x": 7 }),
            serde_json::json!({ "kid": 7 }),
        ] {
            assert_eq!(set(&[ec(bad.clone())]).len(), 0, "{bad}");
            assert_eq!(set(&[ec(bad.clone()), ec(serde_json::json!({}))]).len(), 1, "{bad}");
        }
        let weak = serde_json::json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([255; 128]), "e": "AQAB" });
        assert_eq!(set(&[weak]).len(), 0);
        assert_eq!(KeySet::from_jwks(br#"{"keys":[]}"#, &ALL).unwrap().len(), 0);
        for garbage in ["", "[]", "{}", "<html>", r#"{"keys":{}}"#] {
            assert_eq!(KeySet::from_jwks(garbage.as_bytes(), &ALL).unwrap_err(), KeyError::NotAJwks, "{garbage}");
        }
        let es256 = serde_json::json!({ "keys": [ec(serde_json::json!({}))] }).to_string();
        assert_eq!(KeySet::from_jwks(es256.as_bytes(), &[Rs256]).unwrap().len(), 0);
    }

    #[test]
    fn a_token_means_one_key_or_none() {
        let two = set(&[ec(serde_json::json!({})), ec(serde_json::json!({ "kid": "b" }))]);
        assert_eq!(two.find(Some("b"), Es256).unwrap().key_id.as_deref(), Some("b"));
        assert_eq!(two.find(Some("c"), Es256).unwrap_err(), AuthError::KeyUnknown);
        assert_eq!(two.find(Some("b"), Rs256).unwrap_err(), AuthError::KeyMismatch);
        assert_eq!(two.find(None, Es256).unwrap_err(), AuthError::KeyAmbiguous);
        let one = set(&[ec(serde_json::json!({}))]);
        assert!(one.find(None, Es256).is_ok());
        assert_eq!(one.find(None, EdDsa).unwrap_err(), AuthError::KeyMismatch);
        let twins = set(&[ec(serde_json::json!({})), ec(serde_json::json!({}))]);
        assert_eq!(twins.find(Some("a"), Es256).unwrap_err(), AuthError::KeyAmbiguous);
    }

    #[test]
    fn a_secret_is_long_and_no_public_key() {
        assert!(VerifyingKey::from_secret(&[7; 32]).is_ok());
        assert_eq!(VerifyingKey::from_secret(&[7; 31]).unwrap_err(), KeyError::SecretTooShort);
        let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ\n-----END PUBLIC KEY-----";
        assert_eq!(VerifyingKey::from_secret(pem.as_bytes()).unwrap_err(), KeyError::SecretIsAKey);
        assert_eq!(VerifyingKey::from_pem(pem.as_bytes(), Es256).unwrap_err(), KeyError::NotAPublicKey);
        assert_eq!(VerifyingKey::from_pem(b"", Es256).unwrap_err(), KeyError::NotAPublicKey);
        assert!(format!("{:?}", VerifyingKey::from_secret(&[7; 32])).contains("redacted"));
    }
}
