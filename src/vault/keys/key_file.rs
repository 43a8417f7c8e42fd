//! The key file: JSON with mode 0600 that holds versioned key-encryption keys and the roots of the MAC keys. Read, generated and
//! extended here, whole and durably or not at all. Its content never shows in an error.
//!
//! A component file has the same form and holds one custodian's components instead: keys of full length that are no key by themselves.
//! Two of them, XORed key by key, are what one key file would be (see `components`).

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::vault::aead::KeyCheckValue;
use crate::vault::secret::{RandomError, SecretKey32, fill_random};

const FORMAT: u8 = 1;
const FILE_LEN_MAX: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("there is no key file at {0}")]
    Missing(PathBuf),
    #[error("there is a key file at {0} already")]
    Exists(PathBuf),
    #[error("the key file {0} is a symbolic link: name the file itself")]
    Symlink(PathBuf),
    #[error("the key file {0} is not a file")]
    NotAFile(PathBuf),
    #[error("the key file {path} has mode {mode:04o}: others may read it; set 0600")]
    Permissions { path: PathBuf, mode: u32 },
    /// Says where, never what: the text holds keys.
    #[error("the key file {path} can't be understood: {what}")]
    Malformed { path: PathBuf, what: String },
    /// One custodian's components would be taken for keys, or the other way round.
    #[error(
        "{0} holds components of keys, which are keys only with the other custodian's: name both in vault.file.components"
    )]
    IsComponent(PathBuf),
    #[error("{0} holds whole keys, not a custodian's components")]
    NotAComponent(PathBuf),
    #[error("the components of {0} and {1} aren't two: {2}")]
    NotTwo(PathBuf, PathBuf, String),
    #[error("the key file {0} was replaced by one with development keys")]
    BecameDevelopment(PathBuf),
    #[error("the key file {path} can't be read or written: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The keys of a file. Wiped on drop.
#[derive(Debug)]
pub(super) struct KeySet {
    pub development: bool,
    /// The key that new data keys are wrapped with; one of `keks`.
    pub primary: String,
    pub keks: BTreeMap<String, SecretKey32>,
    pub fingerprint: NamedKey,
    /// The root of the keys for idempotent bodies and event chains.
    pub integrity: NamedKey,
}

#[derive(Debug)]
pub(super) struct NamedKey {
    pub id: String,
    pub key: SecretKey32,
}

/// What a file of this form holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Keys,
    /// One custodian's components.
    Components,
}

/// The random letters that two custodians' files have in common: the names of keys that belong together end with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetName(String);

impl SetName {
    fn fresh() -> Result<Self, RandomError> {
        fresh_letters().map(Self)
    }

    /// Reads what [`make_component`] answered to the other custodian.
    pub fn parse(text: &str) -> Option<Self> {
        let is_name = text.len() == 16 && text.bytes().all(|byte| (b'a'..=b'p').contains(&byte));
        is_name.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm<'a> {
    format: u8,
    development: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    component: bool,
    primary: &'a str,
    #[serde(borrow)]
    keks: Vec<KeyForm<'a>>,
    #[serde(borrow)]
    fingerprint_key: KeyForm<'a>,
    #[serde(borrow)]
    integrity_key: KeyForm<'a>,
}

/// Borrowed from the text that is wiped, so that no copy of a key stays behind.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyForm<'a> {
    id: &'a str,
    key: &'a str,
    /// A component's check value: what its custodian wrote down when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<&'a str>,
}

/// Makes a key file with new keys at `path`, and the folder for it: answers the key-encryption key's id. Never overwrites one: of two
/// callers at once, one is told [`KeyFileError::Exists`].
pub fn generate_file(path: &Path, development: bool) -> Result<String, KeyFileError> {
    let primary = fresh_id("kek")?;
    let keys = KeySet {
        development,
        primary: primary.clone(),
        keks: BTreeMap::from([(primary.clone(), SecretKey32::random()?)]),
        fingerprint: NamedKey { id: fresh_id("fpr")?, key: SecretKey32::random()? },
        integrity: NamedKey { id: fresh_id("int")?, key: SecretKey32::random()? },
    };
    write_new(path, &keys, Holds::Keys)?;
    Ok(primary)
}

/// Makes one custodian's components of new keys at `path`, or adds a component of another key-encryption key, which becomes primary once
/// both custodians' files have it. `set` is what the first custodian's call answered; without it a new set begins.
pub fn make_component(path: &Path, set: Option<SetName>, adds: bool) -> Result<SetName, KeyFileError> {
    let set = match set {
        Some(set) => set,
        None => SetName::fresh()?,
    };
    let (kek, name) = (format!("kek-{}", set.0), |kind: &str| format!("{kind}-{}", set.0));
    if adds {
        add_key(path, Holds::Components, kek)?;
        return Ok(set);
    }
    let keys = KeySet {
        development: false,
        primary: kek.clone(),
        keks: BTreeMap::from([(kek, SecretKey32::random()?)]),
        fingerprint: NamedKey { id: name("fpr"), key: SecretKey32::random()? },
        integrity: NamedKey { id: name("int"), key: SecretKey32::random()? },
    };
    write_new(path, &keys, Holds::Components)?;
    Ok(set)
}

fn write_new(path: &Path, keys: &KeySet, holds: Holds) -> Result<(), KeyFileError> {
    let folder = folder_of(path);
    make_folder(folder).map_err(|source| io(path, source))?;
    let temporary = write_temporary(path, keys, holds)?;
    // A link, not a rename: it fails if the name is taken.
    let linked = std::fs::hard_link(&temporary, path);
    let removed = std::fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(KeyFileError::Exists(path.to_owned())),
        linked => linked.and(removed).and_then(|()| sync_folder(folder)).map_err(|source| io(path, source)),
    }
}

/// Adds a new key-encryption key to the file and makes it primary: answers its id. Older ones stay, so that what they wrapped still
/// opens; running processes read the file again when they meet the new id.
pub fn add_kek(path: &Path) -> Result<String, KeyFileError> {
    let id = fresh_id("kek")?;
    add_key(path, Holds::Keys, id.clone())?;
    Ok(id)
}

fn add_key(path: &Path, holds: Holds, id: String) -> Result<(), KeyFileError> {
    let folder = folder_of(path);
    // Two operators at once add one after the other; the lock goes with the handle.
    let lock = File::open(folder).map_err(|source| io(path, source))?;
    lock.lock().map_err(|source| io(path, source))?;

    let mut keys = KeySet::read(path, holds)?;
    if keys.keks.contains_key(&id) {
        return Err(KeyFileError::Malformed { path: path.to_owned(), what: format!("it has a key {id} already") });
    }
    keys.keks.insert(id.clone(), SecretKey32::random()?);
    keys.primary = id;
    let temporary = write_temporary(path, &keys, holds)?;
    std::fs::rename(&temporary, path).and_then(|()| sync_folder(folder)).map_err(|source| io(path, source))
}

impl KeySet {
    /// Reads a file that only its owner can read, and that holds what it is read for.
    pub fn read(path: &Path, holds: Holds) -> Result<Self, KeyFileError> {
        let text = read_private(path)?;
        let (keys, found) =
            Self::parse(&text).map_err(|what| KeyFileError::Malformed { path: path.to_owned(), what })?;
        match (holds, found) {
            (Holds::Keys, Holds::Keys) | (Holds::Components, Holds::Components) => Ok(keys),
            (Holds::Keys, Holds::Components) => Err(KeyFileError::IsComponent(path.to_owned())),
            (Holds::Components, Holds::Keys) => Err(KeyFileError::NotAComponent(path.to_owned())),
        }
    }

    /// The keys with their names: the key-encryption keys first.
    pub fn all(&self) -> impl Iterator<Item = (&str, &SecretKey32)> {
        let roots = [&self.fingerprint, &self.integrity].map(|root| (root.id.as_str(), &root.key));
        self.keks.iter().map(|(id, key)| (id.as_str(), key)).chain(roots)
    }

    fn parse(text: &[u8]) -> Result<(Self, Holds), String> {
        let form: FileForm<'_> = serde_json::from_slice(text)
            // The library's own message quotes what it found.
            .map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
        if form.format != FORMAT {
            return Err(format!("its format is {}, not {FORMAT}", form.format));
        }
        let holds = if form.component { Holds::Components } else { Holds::Keys };
        let mut keks = BTreeMap::new();
        for kek in &form.keks {
            if keks.insert(kek.id.to_owned(), kek.read(holds)?).is_some() {
                return Err(format!("two keys are named {}", kek.id));
            }
        }
        if !keks.contains_key(form.primary) {
            return Err("its primary key is not among its keys".to_owned());
        }
        let root = |form: &KeyForm<'_>| Ok::<_, String>(NamedKey { id: form.id.to_owned(), key: form.read(holds)? });
        let (fingerprint, integrity) = (root(&form.fingerprint_key)?, root(&form.integrity_key)?);
        let primary = form.primary.to_owned();
        Ok((Self { development: form.development, primary, keks, fingerprint, integrity }, holds))
    }

    /// The file's text. Written into a buffer that never grows, so that no copy of a key stays behind.
    fn text(&self, holds: Holds) -> Result<Zeroizing<Vec<u8>>, String> {
        let encoded: Vec<Encoded<'_>> = self.all().map(|(id, key)| Encoded::of(id, key, holds)).collect();
        let [keks @ .., fingerprint, integrity] = encoded.as_slice() else {
            return Err("it lacks the roots of the MAC keys".to_owned());
        };
        let form = FileForm {
            format: FORMAT,
            development: self.development,
            component: holds == Holds::Components,
            primary: &self.primary,
            keks: keks.iter().map(Encoded::form).collect(),
            fingerprint_key: fingerprint.form(),
            integrity_key: integrity.form(),
        };
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_LEN_MAX));
        serde_json::to_writer_pretty(&mut *text, &form).map_err(|_| "it can't be written as JSON".to_owned())?;
        text.push(b'\n');
        if text.len() > FILE_LEN_MAX { Err("it holds too many keys".to_owned()) } else { Ok(text) }
    }
}

impl KeyForm<'_> {
    fn read(&self, holds: Holds) -> Result<SecretKey32, String> {
        let key = decode(self.key).ok_or_else(|| format!("key {} is not 32 bytes in base64", self.id))?;
        if self.check.is_none() && holds == Holds::Components {
            return Err(format!("the component of {} has no check value", self.id));
        }
        if self.check.is_some_and(|check| check != hex::encode(KeyCheckValue::of(&key).0)) {
            return Err(format!("the component of {} is not the one that its check value says", self.id));
        }
        if key.expose().iter().all(|byte| *byte == 0) {
            return Err(format!("key {} is all zeros", self.id));
        }
        Ok(key)
    }
}

/// A key as it is written. Wiped on drop.
struct Encoded<'a> {
    id: &'a str,
    key: Zeroizing<String>,
    check: Option<String>,
}

impl<'a> Encoded<'a> {
    fn of(id: &'a str, key: &SecretKey32, holds: Holds) -> Self {
        let check = (holds == Holds::Components).then(|| hex::encode(KeyCheckValue::of(key).0));
        Self { id, key: Zeroizing::new(STANDARD.encode(key.expose())), check }
    }

    fn form(&self) -> KeyForm<'_> {
        KeyForm { id: self.id, key: &self.key, check: self.check.as_deref() }
    }
}

/// A key from its 32 bytes in base64.
pub(super) fn decode(text: &str) -> Option<SecretKey32> {
    let mut bytes = Zeroizing::new([0_u8; 48]);
    let len = STANDARD.decode_slice(text, bytes.as_mut_slice()).ok()?;
    SecretKey32::from_slice(&bytes[..len])
}

/// Random, so that keys of two installations never share a name. In letters alone: an id stands beside each sealed card, and one of
/// sixteen digits may pass for a card number.
fn fresh_id(kind: &str) -> Result<String, RandomError> {
    Ok(format!("{kind}-{}", fresh_letters()?))
}

fn fresh_letters() -> Result<String, RandomError> {
    let mut bytes = [0; 8];
    fill_random(&mut bytes)?;
    Ok(in_letters(&bytes))
}

/// Bytes as letters from a to p, two a byte.
pub(super) fn in_letters(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).map(|half| char::from(b'a' + half)).collect()
}

fn io(path: &Path, source: std::io::Error) -> KeyFileError {
    KeyFileError::Io { path: path.to_owned(), source }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Only the innermost folder is closed to others: the ones above may hold what other users need.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if let Some(above) = folder.parent() {
        std::fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Writes the keys beside `path` under a name of their own, down to the disk.
fn write_temporary(path: &Path, keys: &KeySet, holds: Holds) -> Result<PathBuf, KeyFileError> {
    let text = keys.text(holds).map_err(|what| KeyFileError::Malformed { path: path.to_owned(), what })?;
    let temporary = folder_of(path).join(format!(".{}.tmp", fresh_id("keys")?));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(temporary),
        Err(source) => {
            // Nothing more can be done about a file that was only half written.
            let _ = std::fs::remove_file(&temporary);
            Err(io(path, source))
        }
    }
}

fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => KeyFileError::Missing(path.to_owned()),
        _ => io(path, source),
    };
    if std::fs::symlink_metadata(path).map_err(failed)?.is_symlink() {
        return Err(KeyFileError::Symlink(path.to_owned()));
    }
    // The flags hold should the file be swapped since; what is judged below is the opened file, not the name.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile(path.to_owned()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Permissions { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_LEN_MAX + 1));
    file.take(FILE_LEN_MAX as u64 + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() > FILE_LEN_MAX {
        return Err(KeyFileError::Malformed { path: path.to_owned(), what: "it is too long".to_owned() });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_generated_file_is_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/keys/kek.json");
        let id = generate_file(&path, false).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
        let keys = KeySet::read(&path, Holds::Keys).unwrap();
        assert_eq!((keys.development, keys.primary), (false, id));
        // Nothing else lies beside it.
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_id_holds_no_digits_that_could_pass_for_a_card_number() {
        for _ in 0..200 {
            let id = fresh_id("kek").unwrap();
            assert!(id.len() == 20 && !id.bytes().any(|byte| byte.is_ascii_digit()), "{id}");
        }
    }

    #[test]
    fn a_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek.json");
        generate_file(&path, true).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(generate_file(&path, true), Err(KeyFileError::Exists(_))));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek.json");
        generate_file(&path, true).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o610, 0o601, 0o620, 0o666] {
            set_mode(&path, mode);
            let refused = KeySet::read(&path, Holds::Keys).unwrap_err();
            assert!(matches!(refused, KeyFileError::Permissions { mode: found, .. } if found == mode), "{refused}");
        }
        for mode in [0o600, 0o400] {
            set_mode(&path, mode);
            assert!(KeySet::read(&path, Holds::Keys).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn only_a_plain_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek.json");
        assert!(matches!(KeySet::read(&path, Holds::Keys), Err(KeyFileError::Missing(_))));
        generate_file(&path, true).unwrap();
        let link = folder.path().join("link.json");
        symlink(&path, &link).unwrap();
        assert!(matches!(KeySet::read(&link, Holds::Keys), Err(KeyFileError::Symlink(_))));
        assert!(matches!(KeySet::read(folder.path(), Holds::Keys), Err(KeyFileError::NotAFile(_))));
        // A dangling link is neither followed nor filled.
        let dangling = folder.path().join("dangling.json");
        symlink(folder.path().join("elsewhere.json"), &dangling).unwrap();
        assert!(matches!(generate_file(&dangling, true), Err(KeyFileError::Exists(_))));
        assert!(!folder.path().join("elsewhere.json").exists());
    }

    #[test]
    fn an_added_key_is_primary_and_the_old_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek.json");
        let first = generate_file(&path, false).unwrap();
        let before = KeySet::read(&path, Holds::Keys).unwrap();
        let second = add_kek(&path).unwrap();
        let after = KeySet::read(&path, Holds::Keys).unwrap();
        assert_eq!(after.primary, second);
        assert_eq!(after.keks[&first].expose(), before.keks[&first].expose());
        assert_eq!(after.fingerprint.key.expose(), before.fingerprint.key.expose());
        assert_eq!(after.integrity.id, before.integrity.id);
        assert!(!after.development);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert!(matches!(add_kek(&folder.path().join("none.json")), Err(KeyFileError::Missing(_))));
    }

    #[test]
    fn keys_added_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek.json");
        generate_file(&path, true).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| add_kek(&path).unwrap());
            }
        });
        assert_eq!(KeySet::read(&path, Holds::Keys).unwrap().keks.len(), 9);
    }

    #[test]
    fn a_malformed_file_is_refused_without_showing_its_content() {
        let key = STANDARD.encode([0xa5; 32]);
        let short = STANDARD.encode([0xa5; 31]);
        let form = |format: &str, primary: &str, keks: &str, more: &str| {
            format!(
                r#"{{"format":{format},"development":true,"primary":{primary},"keks":[{keks}],
                "fingerprint_key":{{"id":"f","key":"{key}"}},"integrity_key":{{"id":"i","key":"{key}"}}{more}}}"#
            )
        };
        let kek = format!(r#"{{"id":"k","key":"{key}"}}"#);
        assert!(KeySet::parse(form("1", r#""k""#, &kek, "").as_bytes()).is_ok());
        for bad in [
            String::new(),
            "{".to_owned(),
            form("2", r#""k""#, &kek, ""),
            form(&format!(r#""{key}""#), r#""k""#, &kek, ""),
            form("1", r#""other""#, &kek, ""),
            form("1", r#""k""#, "", ""),
            form("1", r#""k""#, &format!("{kek},{kek}"), ""),
            form("1", r#""k""#, &kek, r#","extra":1"#),
            form("1", r#""k""#, &format!(r#"{{"id":"k","key":"{short}"}}"#), ""),
            form("1", r#""k""#, &format!(r#"{{"id":"k","key":"{key}{key}"}}"#), ""),
            form("1", r#""k""#, r#"{"id":"k","key":"???"}"#, ""),
            form("1", r#""k""#, &format!(r#""{key}""#), ""),
        ] {
            let what = KeySet::parse(bad.as_bytes()).unwrap_err();
            assert!(!what.contains("paWl"), "{what}");
        }
    }
}
