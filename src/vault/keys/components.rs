//! Dual control: keys made of two custodians' components, one file each. A component has the full length of its key, so that one
//! custodian knows nothing of it; the key is the XOR of both and exists in memory alone.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::key_file::{Holds, KeyFileError, KeySet, NamedKey};
use crate::vault::aead::KeyCheckValue;
use crate::vault::secret::SecretKey32;

/// The keys of two component files.
///
/// # Errors
/// Both names lead to one file, one of them is missing or open to others, or the components aren't two different ones of the same keys.
pub(super) fn read(one: &Path, other: &Path) -> Result<KeySet, KeyFileError> {
    let refused = |what: &str| KeyFileError::NotTwo(one.to_owned(), other.to_owned(), what.to_owned());
    let (left, right) = (KeySet::read(one, Holds::Components)?, KeySet::read(other, Holds::Components)?);
    if is_same_file(one, other) {
        return Err(refused("both names are of one file"));
    }
    join(&left, &right).map_err(|what| refused(&what))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    one == other || place(one) == place(other)
}

fn join(left: &KeySet, right: &KeySet) -> Result<KeySet, String> {
    // A key that only one of the custodians has made yet isn't there yet.
    let mut keks = BTreeMap::new();
    for (id, component) in &left.keks {
        if let Some(other) = right.keks.get(id) {
            keks.insert(id.clone(), xor(id, component, other)?);
        }
    }
    Ok(KeySet {
        development: left.development || right.development,
        primary: primary(left, right, &keks)?,
        keks,
        fingerprint: root(&left.fingerprint, &right.fingerprint)?,
        integrity: root(&left.integrity, &right.integrity)?,
    })
}

/// The primary key: of a new one that one custodian has added already, the old one is primary until the other has too.
fn primary(left: &KeySet, right: &KeySet, keks: &BTreeMap<String, SecretKey32>) -> Result<String, String> {
    let in_both = |id: &String| keks.contains_key(id);
    match (in_both(&left.primary), in_both(&right.primary)) {
        (true, true) if left.primary == right.primary => Ok(left.primary.clone()),
        (true, true) => Err("they name two primary keys".to_owned()),
        (true, false) => Ok(left.primary.clone()),
        (false, true) => Ok(right.primary.clone()),
        (false, false) => Err("neither's primary key has a component in the other".to_owned()),
    }
}

fn root(left: &NamedKey, right: &NamedKey) -> Result<NamedKey, String> {
    if left.id != right.id {
        return Err(format!("{} and {} are of two sets", left.id, right.id));
    }
    Ok(NamedKey { id: left.id.clone(), key: xor(&left.id, &left.key, &right.key)? })
}

fn xor(id: &str, left: &SecretKey32, right: &SecretKey32) -> Result<SecretKey32, String> {
    let mut key = Zeroizing::new(*left.expose());
    for (byte, other) in key.iter_mut().zip(right.expose()) {
        *byte ^= other;
    }
    // Which the sum of a component and itself is.
    if key.iter().all(|byte| *byte == 0) {
        return Err(format!("the two components of {id} are equal"));
    }
    SecretKey32::from_slice(key.as_slice()).ok_or_else(|| format!("{id} is not 32 bytes"))
}

/// What can be told of a file of keys or components without telling a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    pub path: PathBuf,
    /// The user id that owns it.
    pub owner: u32,
    pub primary: String,
    /// Each key's or component's name and check value, in hex.
    pub checks: Vec<(String, String)>,
}

/// The names and check values of a custodian's components.
pub fn component_summary(path: &Path) -> Result<FileSummary, KeyFileError> {
    summary(path, &KeySet::read(path, Holds::Components)?)
}

/// The names and check values of the keys that two custodians' components make: what is written down at the ceremony.
pub fn joined_summary(one: &Path, other: &Path) -> Result<FileSummary, KeyFileError> {
    summary(one, &read(one, other)?)
}

/// The names and check values of a key file.
pub fn key_file_summary(path: &Path) -> Result<FileSummary, KeyFileError> {
    summary(path, &KeySet::read(path, Holds::Keys)?)
}

fn summary(path: &Path, keys: &KeySet) -> Result<FileSummary, KeyFileError> {
    let metadata = std::fs::metadata(path).map_err(|source| KeyFileError::Io { path: path.to_owned(), source })?;
    let check = |(id, key): (&str, &SecretKey32)| (id.to_owned(), hex::encode(KeyCheckValue::of(key).0));
    Ok(FileSummary {
        path: path.to_owned(),
        owner: metadata.uid(),
        primary: keys.primary.clone(),
        checks: keys.all().map(check).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::vault::keys::key_file::{SetName, generate_file, make_component};

    struct Custodians {
        _folder: tempfile::TempDir,
        one: PathBuf,
        other: PathBuf,
        set: SetName,
    }

    fn custodians() -> Custodians {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("a/one.json"), folder.path().join("b/other.json"));
        let set = make_component(&one, None, false).unwrap();
        assert_eq!(make_component(&other, SetName::parse(set.as_str()), false).unwrap(), set);
        Custodians { _folder: folder, one, other, set }
    }

    fn not_two(one: &Path, other: &Path) -> String {
        match read(one, other) {
            Err(KeyFileError::NotTwo(_, _, what)) => what,
            result => panic!("{result:?}"),
        }
    }

    #[test]
    fn two_components_make_keys_that_neither_holds() {
        let custodians = custodians();
        let keys = read(&custodians.one, &custodians.other).unwrap();
        assert_eq!(keys.primary, format!("kek-{}", custodians.set.as_str()));
        assert!(!keys.development);
        let (left, right) = (
            KeySet::read(&custodians.one, Holds::Components).unwrap(),
            KeySet::read(&custodians.other, Holds::Components).unwrap(),
        );
        for (((id, key), (_, left)), (_, right)) in keys.all().zip(left.all()).zip(right.all()) {
            assert!(key.expose() != left.expose() && key.expose() != right.expose(), "{id}");
            let sum: Vec<u8> = left.expose().iter().zip(right.expose()).map(|(l, r)| l ^ r).collect();
            assert_eq!(sum, key.expose());
        }
        // Whoever is named first.
        let turned = read(&custodians.other, &custodians.one).unwrap();
        assert!(turned.all().zip(keys.all()).all(|(one, other)| one.1.expose() == other.1.expose()));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&custodians.one), mode(&custodians.other)), (0o600, 0o600));
    }

    #[test]
    fn one_file_twice_is_refused_under_any_name() {
        let custodians = custodians();
        assert!(not_two(&custodians.one, &custodians.one).contains("one file"));
        let linked = custodians.one.with_file_name("linked.json");
        std::fs::hard_link(&custodians.one, &linked).unwrap();
        assert!(not_two(&custodians.one, &linked).contains("one file"));
        // A copy is another file with the same components.
        let copied = custodians.one.with_file_name("copied.json");
        std::fs::copy(&custodians.one, &copied).unwrap();
        assert!(not_two(&custodians.one, &copied).contains("are equal"));
    }

    #[test]
    fn a_missing_an_open_or_a_whole_file_is_refused() {
        let custodians = custodians();
        let none = custodians.one.with_file_name("none.json");
        assert!(matches!(read(&custodians.one, &none), Err(KeyFileError::Missing(path)) if path == none));
        let whole = custodians.one.with_file_name("whole.json");
        generate_file(&whole, false).unwrap();
        assert!(matches!(read(&custodians.one, &whole), Err(KeyFileError::NotAComponent(_))));
        assert!(matches!(KeySet::read(&custodians.one, Holds::Keys), Err(KeyFileError::IsComponent(_))));
        std::fs::set_permissions(&custodians.other, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&custodians.one, &custodians.other), Err(KeyFileError::Permissions { .. })));
    }

    #[test]
    fn a_zero_a_swapped_and_an_altered_component_are_refused() {
        let custodians = custodians();
        let text = std::fs::read_to_string(&custodians.one).unwrap();
        let kek = format!("kek-{}", custodians.set.as_str());
        let line = text.lines().skip_while(|line| !line.contains(&format!("\"id\": \"{kek}\""))).nth(1).unwrap();
        let key = line.split('"').nth(3).unwrap();
        let zero = SecretKey32::from_slice(&[0; 32]).unwrap();
        let altered = |key_now: &str, check_now: Option<&SecretKey32>| {
            let mut text = text.replacen(key, key_now, 1);
            if let Some(check) = check_now {
                let own = KeyCheckValue::of(&crate::vault::keys::key_file::decode(key).unwrap());
                text = text.replacen(&hex::encode(own.0), &hex::encode(KeyCheckValue::of(check).0), 1);
            }
            std::fs::write(&custodians.one, text).unwrap();
            read(&custodians.one, &custodians.other).unwrap_err().to_string()
        };
        let zeros = "A".repeat(43) + "=";
        assert!(altered(&zeros, Some(&zero)).contains("all zeros"));
        assert!(altered(&zeros, None).contains("check value"));
        let other = "B".repeat(42) + "A=";
        assert!(altered(&other, None).contains("check value"));
        // Half a key is no component.
        assert!(altered(&("B".repeat(22) + "=="), None).contains("32 bytes"));
    }

    #[test]
    fn components_of_two_sets_make_no_key() {
        let (ours, theirs) = (custodians(), custodians());
        assert!(!not_two(&ours.one, &theirs.other).is_empty());
    }

    #[test]
    fn a_new_key_is_primary_once_both_custodians_have_added_it() {
        let custodians = custodians();
        let before = read(&custodians.one, &custodians.other).unwrap();
        let set = make_component(&custodians.one, None, true).unwrap();
        let meanwhile = read(&custodians.one, &custodians.other).unwrap();
        assert_eq!((meanwhile.primary, meanwhile.keks.len()), (before.primary.clone(), 1));
        make_component(&custodians.other, Some(set.clone()), true).unwrap();
        let after = read(&custodians.one, &custodians.other).unwrap();
        assert_eq!(after.primary, format!("kek-{}", set.as_str()));
        assert_eq!(after.keks[&before.primary].expose(), before.keks[&before.primary].expose());
        assert_eq!(after.fingerprint.key.expose(), before.fingerprint.key.expose());
        // Neither twice, nor over a file that is there.
        assert!(make_component(&custodians.one, Some(set.clone()), true).is_err());
        assert!(matches!(make_component(&custodians.one, Some(set), false), Err(KeyFileError::Exists(_))));
    }

    #[test]
    fn check_values_are_told_and_no_key_is() {
        let custodians = custodians();
        let (one, both) =
            (component_summary(&custodians.one).unwrap(), joined_summary(&custodians.one, &custodians.other).unwrap());
        assert_eq!((one.checks.len(), both.checks.len()), (3, 3));
        assert_ne!(one.checks, both.checks);
        let text = std::fs::read_to_string(&custodians.one).unwrap();
        assert!(one.checks.iter().all(|(id, check)| text.contains(id) && text.contains(check)));
        for key in KeySet::read(&custodians.one, Holds::Components).unwrap().all() {
            assert!(!format!("{one:?}").contains(&hex::encode(key.1.expose())));
        }
        assert!(SetName::parse("Abcdefghijklmnop").is_none() && SetName::parse("abc").is_none());
    }
}
