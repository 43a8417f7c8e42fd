//! Signatures of the Standard Webhooks specification ("Signature scheme", symmetric): HMAC-SHA256 over id, time and body, in base64, under
//! each secret that is in force.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::gateway::webhooks::secrets::SigningSecret;

pub const ID_HEADER: &str = "webhook-id";
/// When this try was sent, in seconds since 1970: receivers refuse what is too old.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// The header of a message that is sent at `at`: a signature for each secret, with spaces between.
pub fn signatures(secrets: &[SigningSecret], id: &str, at: DateTime<Utc>, body: &str) -> String {
    let signed: Vec<String> = secrets
        .iter()
        .filter_map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret.key()?).ok()?;
            for part in [id, ".", &at.timestamp().to_string(), ".", body] {
                mac.update(part.as_bytes());
            }
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        })
        .collect();
    signed.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_published_example_is_reproduced() {
        let secret: SigningSecret = serde_json::from_str("\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"").unwrap();
        let at = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let signed = signatures(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs() {
        let secrets = [SigningSecret::draw().unwrap(), SigningSecret::draw().unwrap()];
        let at = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let signed = signatures(&secrets, "evt_1", at, "{}");
        let parts: Vec<_> = signed.split(' ').collect();
        assert!(parts.len() == 2 && parts[0] != parts[1] && parts.iter().all(|part| part.starts_with("v1,")));
    }
}
