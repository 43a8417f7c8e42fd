//! The second factor: time-based one-time passwords (RFC 6238; SHA-1, six digits, 30 seconds, which every authenticator app knows) and
//! recovery codes. A code is taken once, and one step early or late. Which account it is for is others' matter.

use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use super::{RandomError, StaffError};

/// 160 bits, as RFC 4226 recommends.
pub const SECRET_BYTES: usize = 20;
/// How an app names where the codes belong.
const ISSUER: &str = "Landfall";
/// How far the two clocks may be apart, in steps.
const SKEW: u16 = 1;
/// No letters that look alike. 32 of them: five bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 80 bits: nothing to be guessed, so nothing to be stretched.
const RECOVERY_LETTERS: usize = 16;
const RECOVERY_GROUP: usize = 4;
/// The border around a QR code, in modules (ISO/IEC 18004).
const QUIET: i32 = 4;

/// A secret that an authenticator app shares with us. Redacts `Debug`, is wiped on drop.
pub struct Authenticator(Totp);

impl Authenticator {
    /// A new secret, for sealing.
    pub fn draw() -> Result<Zeroizing<[u8; SECRET_BYTES]>, RandomError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        SysRng.try_fill_bytes(secret.as_mut()).map_err(|_| RandomError)?;
        Ok(secret)
    }

    /// `account` is what the app shows beside the issuer.
    pub fn new(secret: &[u8], account: &str) -> Result<Self, StaffError> {
        let built = Builder::new()
            .with_secret(Secret::new(Box::from(secret)))
            .with_skew(SKEW)
            .with_issuer(Some(ISSUER))
            // A colon would end the issuer's part.
            .with_account_name(account.replace(':', "_"))
            .build();
        Ok(Self(built.map_err(|error| StaffError::Totp(error.to_string()))?))
    }

    /// The step of a code that is right at `now`, in seconds since 1970, and younger than the last one that was taken.
    pub fn check(&self, code: &str, now: i64, last_step: Option<i64>) -> Option<i64> {
        let step = self.0.check(code, u64::try_from(now).ok()?)?;
        i64::try_from(step).ok().filter(|step| last_step.is_none_or(|last| *step > last))
    }

    /// The code at `now`, for tests and for nobody else.
    pub fn code_at(&self, now: i64) -> String {
        self.0.generate(u64::try_from(now).unwrap_or(0)).to_string()
    }

    /// The secret as people type it: in groups of four.
    pub fn secret_text(&self) -> String {
        grouped(&self.0.secret().to_base32(), 4, ' ')
    }

    /// `otpauth://totp/...`, as apps read it.
    pub fn uri(&self) -> Result<String, StaffError> {
        self.0.to_url().map_err(|error| StaffError::Totp(error.to_string()))
    }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticator(redacted)")
    }
}

fn grouped(text: &str, size: usize, between: char) -> String {
    let mut grouped = String::with_capacity(text.len() + text.len() / size);
    for (n, letter) in text.chars().enumerate() {
        if n > 0 && n.is_multiple_of(size) {
            grouped.push(between);
        }
        grouped.push(letter);
    }
    grouped
}

/// A QR code as the path of an SVG and the length of its sides, in modules. No script and no style: a page's policy allows neither.
pub fn qr_path(text: &str) -> Result<(String, i32), StaffError> {
    let code = qrcodegen::QrCode::encode_text(text, qrcodegen::QrCodeEcc::Medium)
        .map_err(|error| StaffError::Totp(error.to_string()))?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            path.push_str(&format!("M{},{}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    Ok((path, code.size() + 2 * QUIET))
}

/// A recovery code, as it is shown: once.
pub fn draw_recovery_code() -> Result<Zeroizing<String>, RandomError> {
    let mut bytes = Zeroizing::new([0_u8; RECOVERY_LETTERS]);
    SysRng.try_fill_bytes(bytes.as_mut()).map_err(|_| RandomError)?;
    let letters: Zeroizing<String> =
        Zeroizing::new(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect());
    Ok(Zeroizing::new(grouped(&letters, RECOVERY_GROUP, '-')))
}

/// What a recovery code is stored as, however it was typed; `None`: it can't be one.
pub fn recovery_hash(typed: &str) -> Option<[u8; 32]> {
    let plain: Zeroizing<String> =
        Zeroizing::new(typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_lowercase());
    let is_code = plain.len() == RECOVERY_LETTERS && plain.bytes().all(|b| LETTERS.contains(&b));
    is_code.then(|| Sha256::new().chain_update(b"landfall/recovery/").chain_update(plain.as_bytes()).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: SHA-1, of which these are the last six digits.
    #[test]
    fn codes_are_those_of_the_specification() {
        let authenticator = Authenticator::new(b"12345678901234567890", "ada@landfall.example").unwrap();
        for (at, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(authenticator.code_at(at), code);
            assert_eq!(authenticator.check(code, at, None), Some(at / 30));
        }
    }

    #[test]
    fn a_code_counts_one_step_early_or_late_and_once() {
        let authenticator = Authenticator::new(b"12345678901234567890", "ada@landfall.example").unwrap();
        let (now, step) = (1_700_000_010_i64, 1_700_000_010 / 30);
        let code = |steps: i64| authenticator.code_at(now + steps * 30);
        for steps in [-1, 0, 1] {
            assert_eq!(authenticator.check(&code(steps), now, None), Some(step + steps));
            assert_eq!(authenticator.check(&code(steps), now, Some(step + steps)), None, "it was taken");
        }
        assert_eq!(authenticator.check(&code(-1), now, Some(step)), None, "older than the last one");
        for bad in [code(2), code(-2), String::new(), "12345".into(), format!(" {}", code(0)), "+12345".into()] {
            assert_eq!(authenticator.check(&bad, now, None), None, "{bad}");
        }
    }

    #[test]
    fn apps_read_the_uri_and_people_the_secret() {
        let authenticator = Authenticator::new(b"12345678901234567890", "a:b@landfall.example").unwrap();
        let uri =
            "otpauth://totp/Landfall:a_b%40landfall.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Landfall";
        assert_eq!(authenticator.uri().unwrap(), uri);
        assert_eq!(authenticator.secret_text(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(format!("{authenticator:?}"), "Authenticator(redacted)");
        let (path, side) = qr_path(uri).unwrap();
        assert!(side > 40 && path.starts_with("M4,4h1v1h-1z"), "{side} {path}");
    }

    #[test]
    fn a_recovery_code_is_one_however_it_is_typed() {
        let code = draw_recovery_code().unwrap();
        assert_eq!(code.len(), 19);
        let hash = recovery_hash(&code).unwrap();
        assert_eq!(recovery_hash(&format!("  {} ", code.to_uppercase().replace('-', " "))), Some(hash));
        assert_ne!(recovery_hash(&draw_recovery_code().unwrap()), Some(hash));
        for bad in ["", "123456", "aaaa-aaaa-aaaa-aaa", "aaaa-aaaa-aaaa-aaal"] {
            assert_eq!(recovery_hash(bad), None, "{bad}");
        }
    }
}
