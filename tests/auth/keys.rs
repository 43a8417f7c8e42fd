//! Keys made at test time, and tokens put together byte by byte.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub enum Signer {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
    Hmac(Vec<u8>),
}

static RSA: LazyLock<Signer> = LazyLock::new(Signer::new_rsa);
static RSA_ATTACKER: LazyLock<Signer> = LazyLock::new(Signer::new_rsa);
static EC: LazyLock<Signer> = LazyLock::new(Signer::new_ec);
static ED: LazyLock<Signer> = LazyLock::new(|| Signer::Ed(Box::new(Ed25519KeyPair::generate().unwrap())));

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub fn rsa() -> &'static Self {
        &RSA
    }

    pub fn rsa_attacker() -> &'static Self {
        &RSA_ATTACKER
    }

    pub fn ec() -> &'static Self {
        &EC
    }

    pub fn ed() -> &'static Self {
        &ED
    }

    pub fn hmac(secret: impl AsRef<[u8]>) -> Self {
        Signer::Hmac(secret.as_ref().to_vec())
    }

    pub fn new_ec() -> Self {
        Signer::Ec(Box::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()))
    }

    fn new_rsa() -> Self {
        Signer::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Signer::Rsa(_) => "RS256",
            Signer::Ec(_) => "ES256",
            Signer::Ed(_) => "EdDSA",
            Signer::Hmac(_) => "HS256",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Signer::Ec(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Signer::Hmac(secret) => {
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
                aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// The public key as a JWK.
    pub fn jwk(&self, key_id: &str) -> Value {
        match self {
            Signer::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id, "n": b64(n), "e": b64(e) })
            }
            Signer::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": key_id, "x": b64(x), "y": b64(y) })
            }
            Signer::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": key_id, "x": b64(pair.public_key()) })
            }
            Signer::Hmac(secret) => json!({ "kty": "oct", "alg": "HS256", "kid": key_id, "k": b64(secret) }),
        }
    }

    /// The public key as PEM.
    pub fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match self {
            Signer::Rsa(pair) => pair.public_key().as_der().unwrap(),
            Signer::Ec(pair) => pair.public_key().as_der().unwrap(),
            Signer::Ed(pair) => pair.public_key().as_der().unwrap(),
            Signer::Hmac(_) => panic!("a secret has no public key"),
        };
        let body: Vec<_> = STANDARD.encode(der.as_ref()).as_bytes().chunks(64).map(|c| c.to_vec()).collect();
        let body = String::from_utf8(body.join(&b'\n')).unwrap();
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    pub fn token(&self, key_id: &str, claims: &Value) -> String {
        self.token_with(&json!({ "typ": "JWT", "alg": self.algorithm(), "kid": key_id }), claims)
    }

    /// Signs whatever the header says.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.token_of(&header.to_string(), &claims.to_string())
    }

    pub fn token_of(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", b64(header), b64(claims));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", b64(signature))
    }
}
