//! Callback signatures as several adapters have them: HMAC-SHA256 over the body's bytes, in hexadecimal, in one header. What a
//! signed body says is the adapter's.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The signature of `body`; `None` for an empty secret, which anyone could sign with.
pub fn sign(secret: &SecretString, body: &[u8]) -> Option<String> {
    Some(hex::encode(mac(secret, body)?.finalize().into_bytes()))
}

/// Whether the one header `name` signs `body`. The comparison takes the same time wherever the signature is wrong.
pub fn is_signed(secret: Option<&SecretString>, name: &str, headers: &[(String, String)], body: &[u8]) -> bool {
    let Some(secret) = secret else { return false };
    let mut signatures = headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
    // Two signatures: which one a proxy or a log saw is anyone's guess.
    let (Some((_, signature)), None) = (signatures.next(), signatures.next()) else { return false };
    let Ok(signature) = hex::decode(signature.trim()) else { return false };
    mac(secret, body).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
}

fn mac(secret: &SecretString, body: &[u8]) -> Option<Hmac<Sha256>> {
    let key = secret.expose_secret().as_bytes();
    if key.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(body);
    Some(mac)
}
