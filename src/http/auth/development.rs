//! The issuer of development tokens: an ES256 key in `<data_dir>/keys/dev-issuer.json`, made at first use, mode 0600.
//!
//! It is marked as what it is, and no live configuration accepts it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::claims::Claims;
use super::keys::VerifyingKey;
use crate::config::Settings;
use crate::config::auth::{KeySource, KycSetting};

const FILE_NAME: &str = "dev-issuer.json";
/// The mark of the key file: a file without it is not loaded.
const PURPOSE: &str = "landfall development tokens, worthless outside test mode";

#[derive(Debug, thiserror::Error)]
pub enum DevIssuerError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is readable by others: its mode must be 0600", path.display())]
    Exposed { path: PathBuf },
    #[error("{} does not hold a development key", path.display())]
    NotADevelopmentKey { path: PathBuf },
    #[error("the key could not be made")]
    Generate,
    #[error("the token could not be signed")]
    Sign,
}

/// Mints the tokens of a development installation.
#[derive(Debug)]
pub struct DevIssuer {
    key_id: String,
    signing: EncodingKey,
    point: Vec<u8>,
}

/// What a development token is to say.
#[derive(Clone, Copy, Debug)]
pub struct MintRequest<'a> {
    pub iss: &'a str,
    pub aud: &'a str,
    pub subject: &'a str,
    /// The name of the KYC claim and the level in it.
    pub kyc_level: Option<(&'a str, u8)>,
    /// From `now` on.
    pub ttl: TimeDelta,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    purpose: String,
    algorithm: String,
    /// PKCS#8, base64.
    pkcs8: String,
}

impl DevIssuer {
    /// The key of this data directory; makes it when there is none. Any number of processes may do so at once: all
    /// of them end with the same key.
    pub fn load_or_generate(data_dir: &Path) -> Result<Self, DevIssuerError> {
        let folder = data_dir.join("keys");
        let path = folder.join(FILE_NAME);
        let failed = |source| DevIssuerError::File { path: path.clone(), source };
        match Self::load(&path) {
            Err(DevIssuerError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        // Only the folder of keys is closed: another user may have to pass through the data directory.
        fs::create_dir_all(data_dir).map_err(failed)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let json = generate()?;
        // A hard link refuses to replace, where a rename would put a second key in the place of the first.
        let draft = folder.join(format!(".{FILE_NAME}.{}", Uuid::new_v4().simple()));
        let placed = write_new(&draft, &json).and_then(|()| fs::hard_link(&draft, &path));
        let removed = fs::remove_file(&draft);
        match placed {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => removed.and_then(|()| File::open(&folder)?.sync_all()).map_err(failed)?,
        }
        Self::load(&path)
    }

    fn load(path: &Path) -> Result<Self, DevIssuerError> {
        let failed = |source| DevIssuerError::File { path: path.to_owned(), source };
        let permissions = fs::metadata(path).map_err(failed)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            return Err(DevIssuerError::Exposed { path: path.to_owned() });
        }
        let json = Zeroizing::new(fs::read(path).map_err(failed)?);
        Self::read(&json).ok_or_else(|| DevIssuerError::NotADevelopmentKey { path: path.to_owned() })
    }

    fn read(json: &[u8]) -> Option<Self> {
        let file: KeyFile = serde_json::from_slice(json).ok()?;
        if file.purpose != PURPOSE || file.algorithm != "ES256" {
            return None;
        }
        let pkcs8 = Zeroizing::new(STANDARD.decode(&file.pkcs8).ok()?);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).ok()?;
        let point = pair.public_key().as_ref().to_vec();
        let key_id = format!("dev-{}", hex::encode(&Sha256::digest(&point)[..8]));
        Some(Self { key_id, signing: EncodingKey::from_ec_der(&pkcs8), point })
    }

    pub(super) fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::from_p256_point(&self.point, self.key_id.clone())
    }

    /// A signed token, valid from `now` (cut to the second) for `ttl`.
    pub fn mint(&self, request: MintRequest<'_>, now: DateTime<Utc>) -> Result<String, DevIssuerError> {
        let mut claims = serde_json::json!({
            "iss": request.iss,
            "aud": request.aud,
            "sub": request.subject,
            "iat": now.timestamp(),
            "exp": now.timestamp().saturating_add(request.ttl.num_seconds()),
            "jti": Uuid::new_v4(),
        });
        if let (Some((name, level)), Some(claims)) = (request.kyc_level, claims.as_object_mut()) {
            claims.entry(name).or_insert(level.into());
        }
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.signing).map_err(|_| DevIssuerError::Sign)
    }
}

fn generate() -> Result<Zeroizing<Vec<u8>>, DevIssuerError> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| DevIssuerError::Generate)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| DevIssuerError::Generate)?;
    let file = KeyFile { purpose: PURPOSE.into(), algorithm: "ES256".into(), pkcs8: STANDARD.encode(pkcs8.as_ref()) };
    serde_json::to_vec_pretty(&file).map(Zeroizing::new).map_err(|_| DevIssuerError::Generate)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Why no development token was minted.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    #[error("live mode is served here: ask the issuer for a token")]
    Live,
    #[error("no issuer in auth.issuers has `development = true`")]
    NoDevelopmentIssuer,
    #[error("the user must be 1 to 255 printable characters")]
    User,
    #[error("the time to live must be 1 second to 366 days")]
    Ttl,
    #[error("the development issuer has `kyc = \"record\"`: a level in the token would mean nothing")]
    KycFromRecord,
    #[error(transparent)]
    Issuer(#[from] DevIssuerError),
}

/// A token for `user` of the first development issuer, as `landfall token` prints it. Without `kyc` the claim is left
/// out, which is level 0 where the level comes from a claim.
pub fn mint_development_token(
    settings: &Settings,
    user: &str,
    kyc: Option<u8>,
    ttl: TimeDelta,
    now: DateTime<Utc>,
) -> Result<String, MintError> {
    if settings.is_live() {
        return Err(MintError::Live);
    }
    let issuers = &settings.auth.issuers;
    let issuer = issuers.iter().find(|issuer| issuer.key_source() == Some(KeySource::Development));
    let issuer = issuer.ok_or(MintError::NoDevelopmentIssuer)?;
    if Claims::new([("sub".to_owned(), user.into())].into()).subject().is_err() {
        return Err(MintError::User);
    }
    if ttl < TimeDelta::seconds(1) || ttl > TimeDelta::days(366) {
        return Err(MintError::Ttl);
    }
    let kyc_level = match (&issuer.kyc, kyc) {
        (_, None) => None,
        (KycSetting::Claim(name), Some(level)) => Some((name.as_str(), level)),
        (KycSetting::Record, Some(_)) => return Err(MintError::KycFromRecord),
    };
    let aud = issuer.aud.first().ok_or(MintError::NoDevelopmentIssuer)?;
    let request = MintRequest { iss: &issuer.iss, aud, subject: user, kyc_level, ttl };
    Ok(DevIssuer::load_or_generate(&settings.data_dir)?.mint(request, now)?)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::ids::Mode;
    use crate::http::auth::{AuthError, Authenticator, KycSource};

    fn settings(data_dir: &Path) -> Settings {
        let mut settings = Settings::load(None).unwrap();
        settings.data_dir = data_dir.to_owned();
        settings
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 123_000).unwrap()
    }

    #[tokio::test]
    async fn a_minted_token_is_accepted_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let clock = ManualClock::at(now());
        let http = reqwest::Client::builder();
        let authenticator = Authenticator::new(&settings.auth, http, Arc::new(clock.clone()), folder.path()).unwrap();
        let token = mint_development_token(&settings, "alice", Some(2), TimeDelta::minutes(5), now()).unwrap();
        let alice = authenticator.authenticate(&token).await.unwrap();
        assert_eq!((alice.partner_code.as_str(), alice.mode, alice.subject.as_str()), ("demo", Mode::Test, "alice"));
        assert_eq!((alice.kyc, alice.expires_at.timestamp()), (KycSource::Claim(2), now().timestamp() + 300));
        clock.advance(TimeDelta::seconds(300 + 30));
        assert_eq!(authenticator.authenticate(&token).await, Err(AuthError::Expired));
        let token = mint_development_token(&settings, "bob", None, TimeDelta::minutes(20), now()).unwrap();
        assert_eq!(authenticator.authenticate(&token).await.unwrap().kyc, KycSource::Claim(0));
    }

    #[test]
    fn nothing_is_minted_for_live_mode_or_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path());
        let mint = |settings: &Settings, user: &str, ttl: i64| {
            mint_development_token(settings, user, Some(1), TimeDelta::seconds(ttl), now())
        };
        assert!(matches!(mint(&settings, "", 60), Err(MintError::User)));
        assert!(matches!(mint(&settings, "a\nb", 60), Err(MintError::User)));
        assert!(matches!(mint(&settings, "a", 0), Err(MintError::Ttl)));
        assert!(matches!(mint(&settings, "a", i64::MAX / 1000), Err(MintError::Ttl)));
        settings.modes = vec![Mode::Test, Mode::Live];
        assert!(matches!(mint(&settings, "a", 60), Err(MintError::Live)));
        settings.modes = vec![Mode::Test];
        settings.auth.issuers[0].kyc = KycSetting::Record;
        assert!(matches!(mint(&settings, "a", 60), Err(MintError::KycFromRecord)));
        settings.auth.issuers.clear();
        assert!(matches!(mint(&settings, "a", 60), Err(MintError::NoDevelopmentIssuer)));
        assert!(!folder.path().join("keys").exists());
    }

    #[test]
    fn a_race_for_the_first_key_ends_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let start = Arc::new(Barrier::new(16));
        let racers: Vec<_> = (0..16)
            .map(|_| {
                let (start, path) = (start.clone(), folder.path().to_owned());
                std::thread::spawn(move || {
                    start.wait();
                    DevIssuer::load_or_generate(&path).unwrap().key_id
                })
            })
            .collect();
        let keys: std::collections::BTreeSet<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
        assert_eq!(keys.len(), 1);
        let left: Vec<_> = fs::read_dir(folder.path().join("keys")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, [FILE_NAME]);
        let mode = fs::metadata(folder.path().join("keys").join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_not_marked_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        DevIssuer::load_or_generate(folder.path()).unwrap();
        let path = folder.path().join("keys").join(FILE_NAME);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(DevIssuer::load_or_generate(folder.path()), Err(DevIssuerError::Exposed { .. })));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let unmarked = fs::read_to_string(&path).unwrap().replace(PURPOSE, "production");
        fs::write(&path, unmarked).unwrap();
        let refused = DevIssuer::load_or_generate(folder.path());
        assert!(matches!(refused, Err(DevIssuerError::NotADevelopmentKey { .. })));
        fs::write(&path, "").unwrap();
        assert!(DevIssuer::load_or_generate(folder.path()).is_err());
    }

    #[test]
    fn debug_shows_no_private_key() {
        let folder = tempfile::tempdir().unwrap();
        let issuer = DevIssuer::load_or_generate(folder.path()).unwrap();
        assert!(format!("{issuer:?}").contains("redacted"));
    }
}
