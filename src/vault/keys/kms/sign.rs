//! Signature Version 4, by AWS's own crate. Only here are its types known.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chrono::{DateTime, Utc};
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;

use super::KeyError;
use super::credentials::Keys;

/// What is signed.
pub(super) struct Order<'a> {
    pub method: &'a str,
    pub url: &'a str,
    /// Beside `host`, which is the URL's.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
    pub region: &'a str,
    pub service: &'a str,
}

/// The headers that make a request a signed one.
pub(super) fn signed(
    order: &Order<'_>,
    keys: &Keys,
    now: DateTime<Utc>,
) -> Result<Vec<(String, HeaderValue)>, KeyError> {
    signed_with(order, keys, now, SigningSettings::default())
}

fn signed_with(
    order: &Order<'_>,
    keys: &Keys,
    now: DateTime<Utc>,
    settings: SigningSettings,
) -> Result<Vec<(String, HeaderValue)>, KeyError> {
    // What the signer says may name a header's value.
    let refused =
        || KeyError::Misconfigured("a request can't be signed: look at the region and the credentials".into());
    let identity = aws_credential_types::Credentials::new(
        keys.access_key_id.clone(),
        keys.secret_access_key.expose_secret(),
        keys.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
        None,
        "landfall",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(order.region)
        .name(order.service)
        .time(SystemTime::from(now))
        .settings(settings)
        .build()
        .map_err(|_| refused())?
        .into();
    let body = SignableBody::Bytes(order.body);
    let request =
        SignableRequest::new(order.method, order.url, order.headers.iter().copied(), body).map_err(|_| refused())?;
    let (instructions, _) = sign(request, &params).map_err(|_| refused())?.into_parts();
    instructions
        .headers()
        .map(|(name, value)| {
            let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
            value.set_sensitive(true);
            Ok((name.to_owned(), value))
        })
        .collect()
}

/// AWS's published test suite for Signature Version 4 (awslabs/aws-c-auth, `tests/aws-signing-test-suite/v4`): moto doesn't look at
/// signatures.
#[cfg(test)]
mod tests {
    use aws_sigv4::http_request::PayloadChecksumKind;
    use secrecy::SecretString;

    use super::*;

    const SCOPE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";

    fn keys(token: Option<&str>) -> Keys {
        Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: SecretString::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(SecretString::from),
            expires_at: None,
        }
    }

    fn header(order: &Order<'_>, keys: &Keys, settings: SigningSettings, name: &str) -> String {
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        let headers = signed_with(order, keys, now, settings).unwrap();
        headers.iter().find(|(key, _)| key == name).unwrap().1.to_str().unwrap().to_owned()
    }

    fn order<'a>(method: &'a str, url: &'a str, headers: &'a [(&'a str, &'a str)], body: &'a [u8]) -> Order<'a> {
        Order { method, url, headers, body, region: "us-east-1", service: "service" }
    }

    #[test]
    fn published_requests_have_their_published_signatures() {
        for (method, url, signature) in [
            (
                "GET",
                "https://example.amazonaws.com/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "POST",
                "https://example.amazonaws.com/",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "GET",
                "https://example.amazonaws.com/?Param1=value1",
                "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
            ),
        ] {
            let told = header(&order(method, url, &[], b""), &keys(None), SigningSettings::default(), "authorization");
            assert_eq!(told, format!("{SCOPE}, SignedHeaders=host;x-amz-date, Signature={signature}"));
        }
    }

    #[test]
    fn a_session_token_is_signed_as_published() {
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        let order = order("GET", "https://example.amazonaws.com/", &[], b"");
        let told = header(&order, &keys(Some(token)), SigningSettings::default(), "authorization");
        let signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8";
        assert_eq!(told, format!("{SCOPE}, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature={signature}"));
        assert_eq!(header(&order, &keys(Some(token)), SigningSettings::default(), "x-amz-security-token"), token);
    }

    #[test]
    fn a_body_is_signed_as_published() {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("content-length", "13")];
        let order = order("POST", "https://example.amazonaws.com/", &headers, b"Param1=value1");
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let told = header(&order, &keys(None), settings, "authorization");
        let signature = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b";
        let signed = "content-length;content-type;host;x-amz-content-sha256;x-amz-date";
        assert_eq!(told, format!("{SCOPE}, SignedHeaders={signed}, Signature={signature}"));
    }

    #[test]
    fn another_body_time_region_or_secret_has_another_signature() {
        let now: DateTime<Utc> = "2026-11-22T00:00:00Z".parse().unwrap();
        let of = |order: &Order<'_>, keys: &Keys, now| {
            let headers = signed(order, keys, now).unwrap();
            headers.into_iter().find(|(name, _)| name == "authorization").unwrap().1.to_str().unwrap().to_owned()
        };
        let ours =
            order("POST", "https://kms.us-east-1.amazonaws.com/", &[("x-amz-target", "TrentService.Decrypt")], b"{}");
        let mut other_keys = keys(None);
        other_keys.secret_access_key = SecretString::from("another");
        let first = of(&ours, &keys(None), now);
        assert!(first.contains("SignedHeaders=host;x-amz-date;x-amz-target"), "{first}");
        for other in [
            of(&Order { body: b"{} ", ..ours }, &keys(None), now),
            of(&Order { region: "eu-west-1", ..ours }, &keys(None), now),
            of(&Order { headers: &[("x-amz-target", "TrentService.Encrypt")], ..ours }, &keys(None), now),
            of(&ours, &keys(None), now + chrono::TimeDelta::seconds(1)),
            of(&ours, &other_keys, now),
        ] {
            assert_ne!(other, first);
        }
    }
}
