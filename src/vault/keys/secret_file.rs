//! Small files that hold one secret for a key service: a token, half of a login. Read at each use, so that whoever renews them only has
//! to write them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::provider::KeyError;

const LEN_MAX: usize = 16 * 1024;

/// The file's text without the line's end. A symbolic link is followed, as secret stores mount them; the file itself must be closed to
/// everyone but its owner and group.
pub(super) fn read(path: &Path) -> Result<SecretString, KeyError> {
    one_line(path, &read_lines(path)?)
}

/// [`read`] for what the platform mounts into a container of its own, whatever its mode.
pub(super) fn read_mounted(path: &Path) -> Result<SecretString, KeyError> {
    one_line(path, &read_text(path)?)
}

fn one_line(path: &Path, text: &SecretString) -> Result<SecretString, KeyError> {
    let secret = text.expose_secret().trim();
    if secret.is_empty() || secret.chars().any(char::is_control) {
        return Err(KeyError::Misconfigured(format!("{}: it holds no single line of text", path.display())));
    }
    Ok(SecretString::from(secret))
}

/// [`read`] for a file of several lines.
pub(super) fn read_lines(path: &Path) -> Result<SecretString, KeyError> {
    let refused = |why: String| KeyError::Misconfigured(format!("{}: {why}", path.display()));
    let mode = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?.mode() & 0o7777;
    if mode & 0o007 != 0 {
        return Err(refused(format!("mode {mode:04o} lets everyone read or write it; set 0600 or 0640")));
    }
    read_text(path)
}

fn read_text(path: &Path) -> Result<SecretString, KeyError> {
    let refused = |why: String| KeyError::Misconfigured(format!("{}: {why}", path.display()));
    let metadata = std::fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    if metadata.len() > LEN_MAX as u64 {
        return Err(refused("it is too long".to_owned()));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?);
    Ok(SecretString::from(text.as_str()))
}
