//! The key file: JSON with mode 0600 that holds versioned key-encryption keys and the roots of the MAC keys. Read, generated and
//! extended here, whole and durably or not at all. Its content never shows in an error.

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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm<'a> {
    format: u8,
    development: bool,
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
    let folder = folder_of(path);
    make_folder(folder).map_err(|source| io(path, source))?;
    let temporary = write_temporary(path, &keys)?;
    // A link, not a rename: it fails if the name is taken.
    let linked = std::fs::hard_link(&temporary, path);
    let removed = std::fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(KeyFileError::Exists(path.to_owned())),
        linked => linked.and(removed).and_then(|()| sync_folder(folder)).map_err(|source| io(path, source))?,
    }
    Ok(primary)
}

/// Adds a new key-encryption key to the file and makes it primary: answers its id. Older ones stay, so that what they wrapped still
/// opens; running processes read the file again when they meet the new id.
pub fn add_kek(path: &Path) -> Result<String, KeyFileError> {
    let folder = folder_of(path);
    // Two operators at once add one after the other; the lock goes with the handle.
    let lock = File::open(folder).map_err(|source| io(path, source))?;
    lock.lock().map_err(|source| io(path, source))?;

    let mut keys = KeySet::read(path)?;
    let id = fresh_id("kek")?;
    keys.keks.insert(id.clone(), SecretKey32::random()?);
    keys.primary.clone_from(&id);
    let temporary = write_temporary(path, &keys)?;
    std::fs::rename(&temporary, path).and_then(|()| sync_folder(folder)).map_err(|source| io(path, source))?;
    Ok(id)
}

impl KeySet {
    /// Reads a key file that only its owner can read.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = read_private(path)?;
        Self::parse(&text).map_err(|what| KeyFileError::Malformed { path: path.to_owned(), what })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let form: FileForm<'_> = serde_json::from_slice(text)
            // The library's own message quotes what it found.
            .map_err(|error| format!("line {}, column {}", error.line(), error.column()))?;
        if form.format != FORMAT {
            return Err(format!("its format is {}, not {FORMAT}", form.format));
        }
        let mut keks = BTreeMap::new();
        for kek in &form.keks {
            if keks.insert(kek.id.to_owned(), kek.read()?).is_some() {
                return Err(format!("two keys are named {}", kek.id));
            }
        }
        if !keks.contains_key(form.primary) {
            return Err("its primary key is not among its keys".to_owned());
        }
        Ok(Self {
            development: form.development,
            primary: form.primary.to_owned(),
            keks,
            fingerprint: NamedKey { id: form.fingerprint_key.id.to_owned(), key: form.fingerprint_key.read()? },
            integrity: NamedKey { id: form.integrity_key.id.to_owned(), key: form.integrity_key.read()? },
        })
    }

    /// The file's text. Written into a buffer that never grows, so that no copy of a key stays behind.
    fn text(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let encoded: Vec<(&str, Zeroizing<String>)> =
            self.keks.iter().map(|(id, key)| (id.as_str(), encode(key))).collect();
        let (fingerprint, integrity) = (encode(&self.fingerprint.key), encode(&self.integrity.key));
        let form = FileForm {
            format: FORMAT,
            development: self.development,
            primary: &self.primary,
            keks: encoded.iter().map(|(id, key)| KeyForm { id, key: key.as_str() }).collect(),
            fingerprint_key: KeyForm { id: &self.fingerprint.id, key: &fingerprint },
            integrity_key: KeyForm { id: &self.integrity.id, key: &integrity },
        };
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_LEN_MAX));
        serde_json::to_writer_pretty(&mut *text, &form).map_err(|_| "it can't be written as JSON".to_owned())?;
        text.push(b'\n');
        if text.len() > FILE_LEN_MAX { Err("it holds too many keys".to_owned()) } else { Ok(text) }
    }
}

impl KeyForm<'_> {
    fn read(&self) -> Result<SecretKey32, String> {
        let refused = || format!("key {} is not 32 bytes in base64", self.id);
        let mut bytes = Zeroizing::new([0_u8; 48]);
        let len = STANDARD.decode_slice(self.key, bytes.as_mut_slice()).map_err(|_| refused())?;
        SecretKey32::from_slice(&bytes[..len]).ok_or_else(refused)
    }
}

fn encode(key: &SecretKey32) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(key.expose()))
}

/// Random, so that keys of two installations never share a name. In letters alone: an id stands beside each sealed card, and one of
/// sixteen digits may pass for a card number.
fn fresh_id(kind: &str) -> Result<String, RandomError> {
    let mut bytes = [0; 8];
    fill_random(&mut bytes)?;
    let letters = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).map(|half| char::from(b'a' + half));
    Ok(format!("{kind}-{}", letters.collect::<String>()))
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
fn write_temporary(path: &Path, keys: &KeySet) -> Result<PathBuf, KeyFileError> {
    let text = keys.text().map_err(|what| KeyFileError::Malformed { path: path.to_owned(), what })?;
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
        let keys = KeySet::read(&path).unwrap();
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
            let refused = KeySet::read(&path).unwrap_err();
            assert!(matches!(refused, KeyFileError::Permissions { mode: found, .. } if found == mode), "{refused}");
        }
        for mode in [0o600, 0o400] {
            set_mode(&path, mode);
            assert!(KeySet::read(&path).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn only_a_plain_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kek.json");
        assert!(matches!(KeySet::read(&path), Err(KeyFileError::Missing(_))));
        generate_file(&path, true).unwrap();
        let link = folder.path().join("link.json");
        symlink(&path, &link).unwrap();
        assert!(matches!(KeySet::read(&link), Err(KeyFileError::Symlink(_))));
        assert!(matches!(KeySet::read(folder.path()), Err(KeyFileError::NotAFile(_))));
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
        let before = KeySet::read(&path).unwrap();
        let second = add_kek(&path).unwrap();
        let after = KeySet::read(&path).unwrap();
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
        assert_eq!(KeySet::read(&path).unwrap().keks.len(), 9);
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
