//! Signed requests: a key may be made so that whoever has the key alone can do nothing with it. What is signed is the request as it is
//! on the wire, a time, and the idempotency key, which is what makes a copy of a write harmless: it is answered with the first one's
//! answer. It knows nothing of HTTP.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Names the form of what is signed, so that another form can come beside it.
const FORM: &str = "landfall-signature-v1";
/// How far the caller's clock may be off, in either direction.
pub const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// The longest signature that is looked at.
const BYTES_MAX: usize = 512;

/// What of a request is signed, beside its time and its body.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Path and query, as they are in the request line.
    pub target: &'a str,
    pub idempotency_key: Option<&'a str>,
}

/// Why a signature isn't taken. For the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefused {
    #[error("the request isn't signed")]
    Missing,
    #[error("the signature can't be read")]
    Malformed,
    #[error("the signature's time is too far from ours")]
    Time,
    #[error("the signature is another request's, or of another secret")]
    Wrong,
    #[error("the body isn't the one that was signed")]
    OtherBody,
}

/// The SHA-256 that a verified signature names for the body, which is read later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBody([u8; 32]);

impl SignedBody {
    /// # Errors
    /// [`SignatureRefused::OtherBody`] for any other body.
    pub fn check(&self, body: &[u8]) -> Result<(), SignatureRefused> {
        let is_it = bool::from(Sha256::digest(body).as_slice().ct_eq(&self.0));
        if is_it { Ok(()) } else { Err(SignatureRefused::OtherBody) }
    }
}

/// The text that is signed: its lines are the form, the time in seconds, method, target, idempotency key (empty: none), and the body's
/// SHA-256 in lower-case hexadecimal. None of them can hold a line break.
fn text(parts: &Parts<'_>, at_secs: i64, body: &[u8; 32]) -> String {
    let Parts { method, target, idempotency_key } = parts;
    format!("{FORM}\n{at_secs}\n{method}\n{target}\n{}\n{}", idempotency_key.unwrap_or(""), hex::encode(body))
}

fn mac_of(secret: &str, text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

/// The signature of a request, as the header holds it.
pub fn sign(secret: &str, parts: &Parts<'_>, at: DateTime<Utc>, body: &[u8]) -> String {
    let (at_secs, body) = (at.timestamp(), <[u8; 32]>::from(Sha256::digest(body)));
    let mut header = format!("t={at_secs},body={}", hex::encode(body));
    if let Some(mac) = mac_of(secret, &text(parts, at_secs, &body)) {
        // Writing to a string can't fail.
        let _ = write!(header, ",v1={}", hex::encode(mac.finalize().into_bytes()));
    }
    header
}

/// Checks a request's signature; its body is checked by what is answered.
///
/// # Errors
/// [`SignatureRefused`], which says why.
pub fn verify(
    secret: &str,
    parts: &Parts<'_>,
    header: &str,
    now: DateTime<Utc>,
) -> Result<SignedBody, SignatureRefused> {
    let (at_secs, body, signature) = read(header).ok_or(SignatureRefused::Malformed)?;
    // The time is believed only once the signature holds, but nothing is gained by a lie before.
    let at = DateTime::from_timestamp(at_secs, 0).ok_or(SignatureRefused::Time)?;
    let mac = mac_of(secret, &text(parts, at_secs, &body)).ok_or(SignatureRefused::Wrong)?;
    mac.verify_slice(&signature).map_err(|_| SignatureRefused::Wrong)?;
    if (now - at).abs() > WINDOW {
        return Err(SignatureRefused::Time);
    }
    Ok(SignedBody(body))
}

/// `t=1774137600,body=<64 hex>,v1=<64 hex>`, each once and nothing else.
fn read(header: &str) -> Option<(i64, [u8; 32], [u8; 32])> {
    let (mut at, mut body, mut signature) = (None, None, None);
    let is_short = header.len() <= BYTES_MAX;
    for pair in is_short.then(|| header.split(','))? {
        let (name, value) = pair.trim().split_once('=')?;
        let is_new = match name {
            "t" => at.replace(secs(value)?).is_none(),
            "body" => body.replace(bytes(value)?).is_none(),
            "v1" => signature.replace(bytes(value)?).is_none(),
            _ => false,
        };
        if !is_new {
            return None;
        }
    }
    Some((at?, body?, signature?))
}

/// As it is written back: what is signed is the number's one form.
fn secs(text: &str) -> Option<i64> {
    let secs: i64 = text.parse().ok()?;
    (secs.to_string() == text).then_some(secs)
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ssk_test_docs_example_secret_0000000000000000000000";
    const BODY: &[u8] = br#"{"data":{"type":"api-key","attributes":{"name":"shop","scopes":["payouts:read"]}}}"#;
    const PARTS: Parts<'_> =
        Parts { method: "POST", target: "/v1/api-keys", idempotency_key: Some("3f0c9c1e-6a3b-4a57-9a10-6c1f1a2b3c4d") };

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_305_600 + secs, 0).unwrap()
    }

    /// The example of docs/partners.md, which was made with `openssl dgst`.
    #[test]
    fn the_documented_example_is_signed_so() {
        let signature = sign(SECRET, &PARTS, at(0), BODY);
        assert_eq!(signature, EXAMPLE);
        let page = std::fs::read_to_string("docs/partners.md").unwrap();
        for shown in [SECRET, EXAMPLE, "1795305600"] {
            assert!(page.contains(shown), "docs/partners.md doesn't show {shown}");
        }
        assert!(verify(SECRET, &PARTS, EXAMPLE, at(0)).unwrap().check(BODY).is_ok());
    }

    const EXAMPLE: &str = "t=1795305600,\
                           body=e472127dc68111d845d5a480ca47e2fd7c8028f7a956c6fa659856e9a3116ea6,\
                           v1=408a5931540f39edf23d8511eae86e662857abe8da2e9ba1f66de0025ec93ced";

    #[test]
    fn every_part_is_signed() {
        let signature = sign(SECRET, &PARTS, at(0), BODY);
        for other in [
            Parts { method: "PATCH", ..PARTS },
            Parts { target: "/v1/api-keys/", ..PARTS },
            Parts { target: "/v1/api-keys?x=1", ..PARTS },
            Parts { idempotency_key: Some("another"), ..PARTS },
            Parts { idempotency_key: None, ..PARTS },
        ] {
            assert_eq!(verify(SECRET, &other, &signature, at(0)), Err(SignatureRefused::Wrong), "{other:?}");
        }
        assert_eq!(verify("ssk_test_other", &PARTS, &signature, at(0)), Err(SignatureRefused::Wrong));
        let body = verify(SECRET, &PARTS, &signature, at(0)).unwrap();
        for other in [&BODY[1..], b"", &[BODY, b"\n"].concat()] {
            assert_eq!(body.check(other), Err(SignatureRefused::OtherBody));
        }
        let later = signature.replace("t=1795305600", "t=1795305601");
        assert_eq!(verify(SECRET, &PARTS, &later, at(0)), Err(SignatureRefused::Wrong));
        let other_body = hex::encode(Sha256::digest(b"another"));
        let swapped = signature.replace(&hex::encode(Sha256::digest(BODY)), &other_body);
        assert_eq!(verify(SECRET, &PARTS, &swapped, at(0)), Err(SignatureRefused::Wrong));
    }

    #[test]
    fn a_signature_holds_for_five_minutes_either_way() {
        let signature = sign(SECRET, &PARTS, at(0), BODY);
        for secs in [-300, 0, 300] {
            assert!(verify(SECRET, &PARTS, &signature, at(secs)).is_ok(), "{secs}");
        }
        for secs in [-301, 301, 86_400] {
            assert_eq!(verify(SECRET, &PARTS, &signature, at(secs)), Err(SignatureRefused::Time), "{secs}");
        }
    }

    #[test]
    fn what_is_no_signature_is_none() {
        let good = sign(SECRET, &PARTS, at(0), BODY);
        let v1 = good.split(',').next_back().unwrap();
        for bad in [
            String::new(),
            v1.to_owned(),
            format!("{good},{v1}"),
            format!("{good},v2=00"),
            good.replace("t=", "t=+"),
            good.replace("t=", "t=0"),
            good.replace("v1=", "v1=00"),
            good[..good.len() - 1].to_owned(),
            format!("{good},{}", " ".repeat(600)),
        ] {
            assert_eq!(verify(SECRET, &PARTS, &bad, at(0)), Err(SignatureRefused::Malformed), "{bad}");
        }
    }
}
