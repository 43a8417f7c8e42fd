//! The signature of Adyen's callbacks: HMAC-SHA256 over the body's bytes, in base64, in one header, by a key that the Customer Area shows
//! in hexadecimal and that is decoded before it is used.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Carries the signature.
pub const HEADER: &str = "HmacSignature";

/// The key's bytes; `None` for what isn't hexadecimal, and for nothing at all, which anyone could sign with.
pub fn key(secret: &SecretString) -> Option<Zeroizing<Vec<u8>>> {
    let key = Zeroizing::new(hex::decode(secret.expose_secret().trim()).ok()?);
    if key.is_empty() { None } else { Some(key) }
}

/// The signature of `body`; `None` as in [`key`].
pub fn sign(secret: &SecretString, body: &[u8]) -> Option<String> {
    Some(STANDARD.encode(mac(secret, body)?.finalize().into_bytes()))
}

/// Whether the one header signs `body`. The comparison takes the same time wherever the signature is wrong.
pub fn is_signed(secret: Option<&SecretString>, headers: &[(String, String)], body: &[u8]) -> bool {
    let Some(secret) = secret else { return false };
    let mut signatures = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER));
    // Two signatures: which one a proxy or a log saw is anyone's guess.
    let (Some((_, signature)), None) = (signatures.next(), signatures.next()) else { return false };
    let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
    mac(secret, body).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
}

fn mac(secret: &SecretString, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?).ok()?;
    mac.update(body);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `printf '{"type":"balancePlatform.transfer.updated"}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:KEY -binary | base64`.
    const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    const BODY: &[u8] = br#"{"type":"balancePlatform.transfer.updated"}"#;
    const SIGNATURE: &str = "NPQSldEOV8cUKvoLOeSjl06WsFmbtPhDcX/iOcIyXvA=";

    fn signed(headers: &[(&str, &str)]) -> bool {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        is_signed(Some(&KEY.into()), &headers, BODY)
    }

    #[test]
    fn the_key_is_decoded_from_hexadecimal() {
        assert_eq!(sign(&KEY.into(), BODY).as_deref(), Some(SIGNATURE));
        assert_eq!(sign(&KEY.to_ascii_lowercase().into(), BODY).as_deref(), Some(SIGNATURE));
        // What the key's text itself would sign.
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        mac.update(BODY);
        assert!(!signed(&[(HEADER, &STANDARD.encode(mac.finalize().into_bytes()))]));
    }

    #[test]
    fn one_header_in_any_case_signs() {
        assert!(signed(&[("Protocol", "HmacSHA256"), ("hmacsignature", SIGNATURE)]));
        assert!(!signed(&[]));
        assert!(!signed(&[(HEADER, "")]));
        assert!(!signed(&[(HEADER, SIGNATURE), ("HMACSIGNATURE", SIGNATURE)]), "which of the two?");
        assert!(!signed(&[(HEADER, &hex::encode(STANDARD.decode(SIGNATURE).unwrap()))]), "hexadecimal is not base64");
    }

    #[test]
    fn what_is_no_key_signs_nothing() {
        for key in ["", " ", "not hexadecimal", "ABC"] {
            assert_eq!(sign(&key.into(), BODY), None, "{key:?}");
            assert!(!is_signed(Some(&key.into()), &[(HEADER.to_owned(), SIGNATURE.to_owned())], BODY));
        }
        assert!(!is_signed(None, &[(HEADER.to_owned(), SIGNATURE.to_owned())], BODY));
    }
}
