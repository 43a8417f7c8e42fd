//! The account that a development installation starts with: its password is random and lies in a private file, so that whoever
//! can read the installation's keys can sign in, and nobody else.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretString};

use super::{RandomError, Staff, StaffError};
use crate::domain::ids::Mode;
use crate::domain::staff::{Email, PASSWORDS_REMEMBERED, Role, has_letters_and_digits, is_password_length};
use crate::store::retry::transaction;
use crate::store::staff;

const EMAIL: &str = "admin@localhost";
const FILE: &str = "keys/dashboard-admin.txt";
/// The most that is read of the file, in bytes: more than any password has.
const FILE_BYTES_MAX: u64 = 1024;
/// No letters that look alike. 32 of them: five bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PASSWORD_LETTERS: usize = 24;
/// A hyphen stands after so many letters.
const GROUP: usize = 4;

/// Who signs in to a development installation.
#[derive(Debug)]
pub struct DevelopmentAdmin {
    pub email: String,
    pub password: SecretString,
    /// Where the password lies.
    pub path: PathBuf,
}

impl Staff {
    /// The account `admin@localhost`, made at first, with the password in `<data_dir>/keys/dashboard-admin.txt` (0600). The file
    /// rules: where the account has another password, it is given the file's, and its sessions end.
    ///
    /// # Errors
    /// [`StaffError::LiveMode`] where live mode is served, [`StaffError::PasswordFile`] for a file that can't be made or read, or
    /// that others can read.
    pub async fn ensure_development_admin(
        &self,
        modes: &[Mode],
        data_dir: &Path,
    ) -> Result<DevelopmentAdmin, StaffError> {
        if modes.contains(&Mode::Live) {
            return Err(StaffError::LiveMode);
        }
        let path = data_dir.join(FILE);
        let password = read_or_make(&path).map_err(|source| StaffError::PasswordFile { path: path.clone(), source })?;
        match self.create(EMAIL, "Development admin", Role::Admin, &password).await {
            Ok(_) => {}
            Err(StaffError::EmailTaken) => self.keep_password(&password).await?,
            Err(error) => return Err(error),
        }
        Ok(DevelopmentAdmin { email: EMAIL.to_owned(), password, path })
    }

    async fn keep_password(&self, password: &SecretString) -> Result<(), StaffError> {
        let email: Email = EMAIL.parse()?;
        let find = async || transaction(&self.db, async |conn| Ok(staff::lock_by_email(conn, &email).await?)).await;
        let found: Result<_, StaffError> = find().await;
        // Disabled: it stays so.
        let Some(account) = found? else { return Ok(()) };
        let now = self.clock.now();
        staff::set_active(&mut *self.db.get().await?, account.id, now).await?;
        let turn = self.passwords.turn().await?;
        let fits = self.passwords.verify(password, Some(account.password_hash)).await?;
        drop(turn);
        if fits {
            return Ok(());
        }
        let hash = self.passwords.hash(password).await?;
        transaction(&self.db, async |conn| {
            Ok(staff::set_password(conn, account.id, hash.clone(), false, PASSWORDS_REMEMBERED, now).await?)
        })
        .await
    }
}

/// Processes that start at once share one file: it appears whole, and the first one stays.
fn read_or_make(path: &Path) -> std::io::Result<SecretString> {
    match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read,
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    if let Some(above) = folder.parent() {
        std::fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => made?,
    }
    let password = random_password().map_err(std::io::Error::other)?;
    let temporary = folder.join(format!(".dashboard-admin-{}.tmp", uuid::Uuid::now_v7().simple()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
        file.write_all(password.expose_secret().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    // A link, not a rename: it fails if the name is taken.
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, path));
    let removed = std::fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(path),
        linked => linked.and(removed).map(|()| password),
    }
}

fn read(path: &Path) -> std::io::Result<SecretString> {
    let file = OpenOptions::new().read(true).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.mode() & 0o077 != 0 {
        return Err(std::io::Error::other("must be a plain file that only its owner can read (chmod 600)"));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    let password = text.trim();
    if !is_password_length(password) {
        return Err(std::io::Error::other(
            "must hold a password of 12 to 128 characters; without the file, one is made",
        ));
    }
    Ok(SecretString::from(password))
}

/// One with letters and digits, as one that is chosen has to be (PCI DSS 8.3.6).
pub(super) fn random_password() -> Result<SecretString, RandomError> {
    loop {
        let password = drawn()?;
        if has_letters_and_digits(password.expose_secret()) {
            return Ok(password);
        }
    }
}

fn drawn() -> Result<SecretString, RandomError> {
    let mut bytes = [0_u8; PASSWORD_LETTERS];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| RandomError)?;
    let mut password = String::with_capacity(PASSWORD_LETTERS + PASSWORD_LETTERS / GROUP);
    for (n, byte) in bytes.iter().enumerate() {
        if n > 0 && n % GROUP == 0 {
            password.push('-');
        }
        password.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    Ok(SecretString::from(password))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_password_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a").join(FILE);
        let made = read_or_make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(made.expose_secret().len(), 29);
        assert_eq!(read_or_make(&path).unwrap().expose_secret(), made.expose_secret());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else lies beside it");
    }

    /// One in a thousand that are drawn has letters alone.
    #[test]
    fn what_is_drawn_has_letters_and_digits() {
        for _ in 0..20_000 {
            assert!(has_letters_and_digits(random_password().unwrap().expose_secret()));
        }
    }

    #[test]
    fn a_file_that_others_can_read_or_without_a_password_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        read_or_make(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read_or_make(&path).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short\n").unwrap();
        assert!(read_or_make(&path).is_err());
    }
}
