//! The `file` provider: key-encryption keys in a private file on this machine, for development; or in two custodians' component files,
//! which live mode wants.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::components;
use super::key_file::{Holds, KeyFileError, KeySet, generate_file};
use super::provider::{DekContext, GeneratedDek, KeyError, KeyProvider, MacKey, MacPurpose, WrappedDek};
use crate::vault::aead::{AeadKey, KeyCheckValue, NotAuthentic};
use crate::vault::context::joined;
use crate::vault::mac;
use crate::vault::secret::SecretKey32;

/// The format of a wrapped key: this byte, the key-encryption key's check value (8), a nonce (12), the ciphertext (32) and its tag (16).
const WRAP_VERSION: u8 = 1;
const WRAP_HEADER_LEN: usize = 1 + 8;

/// Where the keys lie.
#[derive(Clone, Debug)]
enum Origin {
    Whole(PathBuf),
    /// Two custodians' components.
    Components(PathBuf, PathBuf),
}

impl Origin {
    fn read(&self) -> Result<KeySet, KeyFileError> {
        match self {
            Self::Whole(path) => KeySet::read(path, Holds::Keys),
            Self::Components(one, other) => components::read(one, other),
        }
    }

    /// The file to be named where it is wrong.
    fn path(&self) -> &Path {
        match self {
            Self::Whole(path) | Self::Components(path, _) => path,
        }
    }
}

/// Keys from a key file or from two custodians' components, held in memory.
#[derive(Debug)]
pub struct FileKeys {
    origin: Origin,
    /// Replaced as a whole when the file has grown.
    keys: RwLock<Arc<KeySet>>,
}

impl FileKeys {
    /// Opens the key file at `path`, which must be a plain file that only its owner can read.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        Self::over(Origin::Whole(path.to_owned()))
    }

    /// Opens the keys that the components of two custodians make.
    pub fn open_components(one: &Path, other: &Path) -> Result<Self, KeyFileError> {
        Self::over(Origin::Components(one.to_owned(), other.to_owned()))
    }

    fn over(origin: Origin) -> Result<Self, KeyFileError> {
        let keys = origin.read()?;
        Ok(Self { origin, keys: RwLock::new(Arc::new(keys)) })
    }

    /// Opens the key file at `path`; if there is none, makes one with development keys. Processes that start at once share one file.
    pub fn open_or_generate(path: &Path) -> Result<Self, KeyFileError> {
        match Self::open(path) {
            Err(KeyFileError::Missing(_)) => {}
            opened => return opened,
        }
        match generate_file(path, true) {
            Ok(_) | Err(KeyFileError::Exists(_)) => Self::open(path),
            Err(error) => Err(error),
        }
    }

    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys with `kek_id` among them. An unknown one may have been added by another process since this one read the file.
    fn keys_with(&self, kek_id: &str) -> Result<Arc<KeySet>, KeyError> {
        let known = self.keys();
        let keys = if known.keks.contains_key(kek_id) { known } else { self.read_again()? };
        if keys.keks.contains_key(kek_id) { Ok(keys) } else { Err(KeyError::UnknownKek(kek_id.to_owned())) }
    }

    /// The keys as the file has them now. A file without the key that this process wraps with is another one, and isn't taken.
    fn read_again(&self) -> Result<Arc<KeySet>, KeyError> {
        let known = self.keys();
        let fresh = self.origin.read()?;
        if fresh.development && !known.development {
            return Err(KeyFileError::BecameDevelopment(self.origin.path().to_owned()).into());
        }
        if !fresh.keks.contains_key(&known.primary) {
            return Err(KeyError::UnknownKek(known.primary.clone()));
        }
        let fresh = Arc::new(fresh);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }
}

fn wrap(keys: &KeySet, key: &SecretKey32, context: &DekContext) -> Result<WrappedDek, KeyError> {
    let kek_id = keys.primary.clone();
    let kek = keys.keks.get(&kek_id).ok_or_else(|| KeyError::UnknownKek(kek_id.clone()))?;
    let kek = AeadKey::new(kek);
    let mut header = [WRAP_VERSION; WRAP_HEADER_LEN];
    header[1..].copy_from_slice(&kek.check.0);
    let bytes = kek.seal(&header, &bound(&kek_id, context), key.expose())?;
    Ok(WrappedDek { kek_id, bytes })
}

fn open_wrapped(keys: &KeySet, wrapped: &WrappedDek, context: &DekContext) -> Result<SecretKey32, KeyError> {
    let kek = keys.keks.get(&wrapped.kek_id).ok_or_else(|| KeyError::UnknownKek(wrapped.kek_id.clone()))?;
    let kek = AeadKey::new(kek);
    let (header, body) = wrapped.bytes.split_first_chunk::<WRAP_HEADER_LEN>().ok_or(KeyError::Malformed)?;
    let [WRAP_VERSION, check @ ..] = *header else {
        return Err(KeyError::Malformed);
    };
    if KeyCheckValue(check) != kek.check {
        return Err(KeyError::WrongKek(wrapped.kek_id.clone()));
    }
    let key: Zeroizing<Vec<u8>> =
        kek.open(body, &bound(&wrapped.kek_id, context)).map_err(|NotAuthentic| KeyError::Refused)?;
    SecretKey32::from_slice(&key).ok_or(KeyError::Malformed)
}

/// What a wrapped key is bound to.
fn bound(kek_id: &str, context: &DekContext) -> Vec<u8> {
    let pairs = context.pairs();
    let mut parts: Vec<&[u8]> = vec![b"landfall/wrapped-dek", &[WRAP_VERSION], kek_id.as_bytes()];
    parts.extend(pairs.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
    joined(&parts)
}

#[async_trait]
impl KeyProvider for FileKeys {
    fn code(&self) -> &'static str {
        "file"
    }

    fn is_development(&self) -> bool {
        self.keys().development
    }

    /// Read from the file each time: who asks wants to know whether to rewrap, and the key may have been added a moment ago.
    async fn kek_id(&self) -> Result<String, KeyError> {
        Ok(self.read_again()?.primary.clone())
    }

    async fn generate_dek(&self, context: &DekContext) -> Result<GeneratedDek, KeyError> {
        let key = SecretKey32::random()?;
        Ok(GeneratedDek { wrapped: wrap(&self.keys(), &key, context)?, key })
    }

    async fn unwrap(&self, wrapped: &WrappedDek, context: &DekContext) -> Result<SecretKey32, KeyError> {
        open_wrapped(&*self.keys_with(&wrapped.kek_id)?, wrapped, context)
    }

    async fn rewrap(&self, wrapped: &WrappedDek, context: &DekContext) -> Result<WrappedDek, KeyError> {
        let keys = self.keys_with(&wrapped.kek_id)?;
        wrap(&keys, &open_wrapped(&keys, wrapped, context)?, context)
    }

    async fn mac_key(&self, purpose: MacPurpose) -> Result<MacKey, KeyError> {
        let keys = self.keys();
        let root = match purpose {
            MacPurpose::Fingerprint => &keys.fingerprint,
            MacPurpose::IdempotentBody
            | MacPurpose::Event
            | MacPurpose::AuditAnchor
            | MacPurpose::Foreign
            | MacPurpose::CustomerToken => &keys.integrity,
        };
        let key = mac::derive(&root.key, purpose.label());
        Ok(MacKey { id: root.id.clone(), key })
    }

    /// The file must still be there and private: without it the next start would fail.
    async fn health(&self) -> Result<(), KeyError> {
        let known = self.keys().primary.clone();
        if self.origin.read()?.keks.contains_key(&known) { Ok(()) } else { Err(KeyError::UnknownKek(known)) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::ids::{Mode, PartnerId, Tenant};
    use crate::vault::dek::DekId;
    use crate::vault::keys::{add_kek, contract, make_component};

    fn place() -> DekContext {
        DekContext { dek_id: DekId::new(), tenant: Tenant { partner_id: PartnerId::new(), mode: Mode::Test }, epoch: 1 }
    }

    struct Fixture {
        _folder: tempfile::TempDir,
        path: PathBuf,
        keys: FileKeys,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/kek.json");
        let keys = FileKeys::open_or_generate(&path).unwrap();
        Fixture { _folder: folder, path, keys }
    }

    #[tokio::test]
    async fn the_file_provider_keeps_the_contract() {
        let fixture = fixture();
        contract::holds_for(&fixture.keys).await;
        // Another process, another instance.
        contract::agree(&fixture.keys, &FileKeys::open(&fixture.path).unwrap()).await;
    }

    #[tokio::test]
    async fn the_components_of_two_custodians_keep_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one.json"), folder.path().join("other.json"));
        let set = make_component(&one, None, false).unwrap();
        make_component(&other, Some(set), false).unwrap();
        let keys = FileKeys::open_components(&one, &other).unwrap();
        assert!(!keys.is_development());
        contract::holds_for(&keys).await;
        contract::agree(&keys, &FileKeys::open_components(&other, &one).unwrap()).await;

        // A key that both have added while this process runs is followed; what the old one wrapped still opens.
        let context = place();
        let old = keys.generate_dek(&context).await.unwrap();
        let set = make_component(&one, None, true).unwrap();
        assert_eq!(keys.kek_id().await.unwrap(), old.wrapped.kek_id);
        make_component(&other, Some(set.clone()), true).unwrap();
        assert_eq!(keys.kek_id().await.unwrap(), format!("kek-{}", set.as_str()));
        let rewrapped = keys.rewrap(&old.wrapped, &context).await.unwrap();
        assert_eq!(rewrapped.kek_id, format!("kek-{}", set.as_str()));
        assert_eq!(keys.unwrap(&rewrapped, &context).await.unwrap().expose(), old.key.expose());
        std::fs::remove_file(&other).unwrap();
        assert!(matches!(keys.health().await, Err(KeyError::File(KeyFileError::Missing(path))) if path == other));
    }

    #[test]
    fn a_generated_key_is_for_development_and_an_operators_is_not() {
        let fixture = fixture();
        assert!(fixture.keys.is_development());
        let path = fixture.path.with_file_name("live.json");
        generate_file(&path, false).unwrap();
        assert!(!FileKeys::open(&path).unwrap().is_development());
    }

    #[test]
    fn processes_that_start_at_once_share_one_key() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..10 {
            let path = folder.path().join(format!("{round}/keys/kek.json"));
            let barrier = std::sync::Barrier::new(8);
            let ids: Vec<String> = std::thread::scope(|scope| {
                let starts: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            barrier.wait();
                            FileKeys::open_or_generate(&path).unwrap().keys().primary.clone()
                        })
                    })
                    .collect();
                starts.into_iter().map(|start| start.join().unwrap()).collect()
            });
            assert!(ids.iter().all(|id| *id == ids[0]));
            assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
        }
    }

    #[tokio::test]
    async fn every_flipped_bit_and_every_cut_of_a_wrapped_key_is_refused() {
        let (keys, context) = (fixture().keys, place());
        let wrapped = keys.generate_dek(&context).await.unwrap().wrapped;
        for bit in 0..wrapped.bytes.len() * 8 {
            let mut flipped = wrapped.clone();
            flipped.bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(keys.unwrap(&flipped, &context).await.is_err(), "bit {bit}");
        }
        for len in 0..wrapped.bytes.len() {
            let cut = WrappedDek { bytes: wrapped.bytes[..len].to_vec(), ..wrapped.clone() };
            assert!(keys.unwrap(&cut, &context).await.is_err(), "{len} bytes");
        }
    }

    #[tokio::test]
    async fn a_wrong_key_under_the_right_name_is_told_from_damage() {
        let (ours, context) = (fixture(), place());
        let wrapped = ours.keys.generate_dek(&context).await.unwrap().wrapped;
        let theirs = fixture();
        let (our_keys, their_keys) = (ours.keys.keys(), theirs.keys.keys());
        let text = std::fs::read_to_string(&theirs.path).unwrap().replace(&their_keys.primary, &our_keys.primary);
        std::fs::write(&theirs.path, text).unwrap();
        let impostor = FileKeys::open(&theirs.path).unwrap();
        assert!(matches!(impostor.unwrap(&wrapped, &context).await, Err(KeyError::WrongKek(_))));
        assert!(matches!(impostor.rewrap(&wrapped, &context).await, Err(KeyError::WrongKek(_))));

        let mut damaged = wrapped.clone();
        *damaged.bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(ours.keys.unwrap(&damaged, &context).await, Err(KeyError::Refused)));
    }

    #[tokio::test]
    async fn a_key_that_another_process_added_is_found() {
        let (fixture, context) = (fixture(), place());
        let old = fixture.keys.generate_dek(&context).await.unwrap();
        let new_id = add_kek(&fixture.path).unwrap();
        let other = FileKeys::open(&fixture.path).unwrap();
        let rewrapped = other.rewrap(&old.wrapped, &context).await.unwrap();
        assert_eq!(rewrapped.kek_id, new_id);
        assert_eq!(fixture.keys.unwrap(&rewrapped, &context).await.unwrap().expose(), old.key.expose());
        // And what the old key wrapped still opens.
        assert_eq!(other.unwrap(&old.wrapped, &context).await.unwrap().expose(), old.key.expose());
        assert_eq!(fixture.keys.kek_id().await.unwrap(), new_id);
    }

    #[tokio::test]
    async fn live_keys_are_never_replaced_by_development_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek.json");
        generate_file(&path, false).unwrap();
        let keys = FileKeys::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let other = FileKeys::open_or_generate(&path).unwrap();
        let context = place();
        let wrapped = other.generate_dek(&context).await.unwrap().wrapped;
        let refused = keys.unwrap(&wrapped, &context).await;
        assert!(matches!(refused, Err(KeyError::File(KeyFileError::BecameDevelopment(_)))));
    }

    #[tokio::test]
    async fn health_notices_a_file_that_is_gone_or_open_to_others() {
        let fixture = fixture();
        assert!(fixture.keys.health().await.is_ok());
        std::fs::set_permissions(&fixture.path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = fixture.keys.health().await;
        assert!(matches!(refused, Err(KeyError::File(KeyFileError::Permissions { .. }))));
        std::fs::remove_file(&fixture.path).unwrap();
        assert!(matches!(fixture.keys.health().await, Err(KeyError::File(KeyFileError::Missing(_)))));
    }

    #[test]
    fn the_provider_shows_no_key() {
        let fixture = fixture();
        let shown = format!("{:?} {:#?}", fixture.keys, fixture.keys);
        for key in fixture.keys.keys().keks.values() {
            assert!(!shown.contains(&hex::encode(key.expose())));
            assert!(!shown.contains(&format!("{:?}", key.expose())));
        }
        assert!(shown.contains("redacted"));
    }
}
