//! The verifier in Rust of `docs/webhooks.md`, byte for byte from here on, so that it is compiled and run.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const TOLERANCE_SECS: u64 = 300;

/// `id`, `timestamp` and `signatures` are the headers of these names. The body, or why it isn't to be believed.
pub fn verify<'a>(
    secret: &str,
    (id, timestamp, signatures): (&str, &str, &str),
    body: &'a [u8],
    now_secs: u64,
) -> Result<&'a [u8], &'static str> {
    let is_number = (1..=12).contains(&timestamp.len()) && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let at: u64 = timestamp.parse().ok().filter(|_| is_number && !id.is_empty()).ok_or("a header is missing")?;
    if now_secs.abs_diff(at) > TOLERANCE_SECS {
        return Err("too old, or too new");
    }
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).map_err(|_| "the secret is none")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "the secret is none")?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    let given = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    // `verify_slice` compares in constant time.
    let fits = given.fold(false, |fits, given| mac.clone().verify_slice(&given).is_ok() | fits);
    if fits { Ok(body) } else { Err("no signature fits") }
}
