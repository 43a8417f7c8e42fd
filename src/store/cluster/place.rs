//! Where a private cluster lies and whom it runs as. PostgreSQL refuses root, so as root the server runs as the owner of the data,
//! at first the `postgres` user; and data under a folder that only root can enter (`/root`) moves to `/var/lib/landfall`.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Gid, Uid, User};
use sha2::{Digest, Sha256};

use super::ClusterError;
use super::process::Processes;

const ELSEWHERE: &str = "/var/lib/landfall";
/// `sun_path` holds 108 bytes with the closing zero.
const SOCKET_PATH_MAX: usize = 107;
/// The socket's name holds a port, though no port is listened on.
pub const PORT: u16 = 5432;
/// The superuser of the cluster.
pub const ROLE: &str = "landfall";

/// The folders of a cluster and its operating system user.
#[derive(Clone, Debug)]
pub struct Place {
    /// Holds everything below: `data/`, `log`, locks.
    pub root: PathBuf,
    pub socket_dir: PathBuf,
    /// Whom the server runs as.
    pub owner: User,
    /// Whether that is somebody else than us (we are root then).
    pub drop_root: bool,
    pub processes: Processes,
}

impl Place {
    /// Makes the folders where they are missing.
    pub fn prepare(wanted: &Path) -> Result<Self, ClusterError> {
        let wanted = absolute(wanted)?;
        let me = Uid::effective();
        if !me.is_root() {
            make_private(&wanted, None)?;
            let owner = fs::metadata(&wanted).map_err(|e| ClusterError::io(&wanted, e))?.uid();
            if owner != me.as_raw() {
                return Err(ClusterError::NotYours { dir: wanted, owner: name_of(owner) });
            }
            return Self::at(wanted, user(me)?, false);
        }
        fs::create_dir_all(&wanted).map_err(|e| ClusterError::io(&wanted, e))?;
        let elsewhere = Path::new(ELSEWHERE).join(hash(&wanted));
        // Data stays where it once was made, even when a folder above has been opened or closed since.
        for root in [&wanted, &elsewhere] {
            if let Ok(data) = fs::metadata(root.join("data")) {
                return Self::at(root.clone(), user(Uid::from_raw(data.uid()))?, true);
            }
        }
        let postgres =
            User::from_name("postgres").map_err(|e| ClusterError::User("postgres".into(), e.to_string()))?.ok_or_else(
                || ClusterError::User("postgres".into(), "no such user; the package `postgresql` makes it".into()),
            )?;
        let root = if can_enter(&postgres, &wanted)? {
            wanted
        } else {
            tracing::warn!(
                wanted = %wanted.display(), used = %elsewhere.display(),
                "only root can enter the data folder, and PostgreSQL doesn't run as root: the database is put elsewhere"
            );
            // For people who look for it.
            let pointer = wanted.join("MOVED");
            fs::write(&pointer, format!("{}\n", elsewhere.display())).map_err(|e| ClusterError::io(&pointer, e))?;
            open_elsewhere().map_err(|e| ClusterError::io(Path::new(ELSEWHERE), e))?;
            elsewhere
        };
        make_private(&root, Some(&postgres))?;
        Self::at(root, postgres, true)
    }

    fn at(root: PathBuf, owner: User, drop_root: bool) -> Result<Self, ClusterError> {
        if owner.uid.is_root() {
            return Err(ClusterError::OwnedByRoot(root.join("data")));
        }
        let root = fs::canonicalize(&root).map_err(|e| ClusterError::io(&root, e))?;
        close(&root, &owner)?;
        let processes =
            Processes { data: root.join("data"), cluster_name: format!("landfall-{}", hash(&root.join("data"))) };
        let in_root = root.join("socket");
        let fits = in_root.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() <= SOCKET_PATH_MAX;
        let socket_dir = if fits { in_root } else { Path::new("/tmp").join(&processes.cluster_name) };
        make_private(&socket_dir, drop_root.then_some(&owner))?;
        let place = Self { root, socket_dir, owner, drop_root, processes };
        place.check_socket_dir()?;
        Ok(place)
    }

    /// A folder under /tmp could have been laid there by anybody.
    fn check_socket_dir(&self) -> Result<(), ClusterError> {
        let meta = fs::symlink_metadata(&self.socket_dir).map_err(|e| ClusterError::io(&self.socket_dir, e))?;
        if meta.is_dir() && meta.uid() == self.owner.uid.as_raw() && meta.mode() & 0o077 == 0 {
            return Ok(());
        }
        Err(ClusterError::NotYours { dir: self.socket_dir.clone(), owner: name_of(meta.uid()) })
    }

    pub fn data(&self) -> &Path {
        &self.processes.data
    }

    /// A command that runs as the server's user, detached from our terminal's signals and environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null()).process_group(0).env("LC_ALL", "C").env("TZ", "UTC");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        if self.drop_root {
            become_user(&mut command, &self.owner);
        }
        command
    }
}

fn become_user(command: &mut Command, user: &User) {
    // With a uid and no groups, the standard library drops root's supplementary groups too.
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).env("HOME", &user.dir).env("USER", &user.name);
}

/// Whether the user gets into the folder; found by trying, since modes don't tell everything.
fn can_enter(user: &User, dir: &Path) -> Result<bool, ClusterError> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "cd \"$1\"", "sh"]).arg(dir).current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
    become_user(&mut shell, user);
    let done = shell.status().map_err(|error| ClusterError::User(user.name.clone(), error.to_string()))?;
    Ok(done.success())
}

/// Makes a folder that only its owner can enter; leaves one that exists as it is, but for its owner when we are root.
fn make_private(dir: &Path, owner: Option<&User>) -> Result<(), ClusterError> {
    let failed = |error| ClusterError::io(dir, error);
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Never follow a link that somebody laid: what is not a folder of ours is refused later.
            let meta = fs::symlink_metadata(dir).map_err(failed)?;
            if !meta.is_dir() || !Uid::from_raw(meta.uid()).is_root() {
                return Ok(());
            }
        }
        made => made.map_err(failed)?,
    }
    match owner {
        Some(user) => chown(dir, Some(user.uid.as_raw()), Some(Gid::as_raw(user.gid))).map_err(failed),
        None => Ok(()),
    }
}

/// Shuts a folder that is the owner's already, as earlier versions left it open: whoever gets in can read the server's log and hold the lock
/// for which every start waits.
fn close(dir: &Path, owner: &User) -> Result<(), ClusterError> {
    let failed = |error| ClusterError::io(dir, error);
    let meta = fs::symlink_metadata(dir).map_err(failed)?;
    if meta.is_dir() && meta.uid() == owner.uid.as_raw() && meta.mode() & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// Makes the common folder, enterable whatever the umask.
fn open_elsewhere() -> io::Result<()> {
    fs::create_dir_all(ELSEWHERE)?;
    fs::set_permissions(ELSEWHERE, fs::Permissions::from_mode(0o755))
}

/// The path without `..` and links, as far as it exists.
fn absolute(path: &Path) -> Result<PathBuf, ClusterError> {
    let failed = |error| ClusterError::io(path, error);
    let path = std::path::absolute(path).map_err(failed)?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(path) };
    fs::create_dir_all(parent).map_err(failed)?;
    Ok(fs::canonicalize(parent).map_err(failed)?.join(name))
}

fn user(uid: Uid) -> Result<User, ClusterError> {
    let unnamed = |why: String| ClusterError::User(uid.to_string(), why);
    User::from_uid(uid).map_err(|e| unnamed(e.to_string()))?.ok_or_else(|| unnamed("no such user".into()))
}

fn name_of(uid: u32) -> String {
    user(Uid::from_raw(uid)).map_or_else(|_| uid.to_string(), |user| user.name)
}

fn hash(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    hex::encode(&Sha256::digest(path.as_os_str().as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that every user can enter, as a clone usually is.
    fn open_folder() -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
        base
    }

    #[test]
    fn a_long_path_gets_a_short_socket() {
        let base = open_folder();
        let long = base.path().join("x".repeat(100)).join("postgres");
        let place = Place::prepare(&long).unwrap();
        assert!(place.socket_dir.starts_with("/tmp"), "{place:?}");
        assert!(place.socket_dir.as_os_str().len() < 60);
        fs::remove_dir(&place.socket_dir).unwrap();
    }

    #[test]
    fn data_that_only_root_could_reach_lies_elsewhere() {
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let wanted = base.path().join("postgres");
        let place = Place::prepare(&wanted).unwrap();
        if !Uid::effective().is_root() {
            assert_eq!(place.root, wanted);
            return;
        }
        assert!(place.root.starts_with(ELSEWHERE), "{place:?}");
        let pointer = fs::read_to_string(wanted.join("MOVED")).unwrap();
        assert_eq!(Path::new(pointer.trim()), place.root);
        fs::create_dir(place.data()).unwrap();
        chown(place.data(), Some(place.owner.uid.as_raw()), None).unwrap();
        // It stays there when the folder is opened later.
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(Place::prepare(&wanted).unwrap().root, place.root);
        fs::remove_dir_all(&place.root).unwrap();
    }

    #[test]
    fn nobody_else_gets_in_and_what_was_left_open_is_shut() {
        let base = open_folder();
        let mode = |place: &Place| fs::metadata(&place.root).unwrap().mode() & 0o777;
        let place = Place::prepare(&base.path().join("postgres")).unwrap();
        assert_eq!(mode(&place), 0o700);
        fs::create_dir(place.data()).unwrap();
        chown(place.data(), Some(place.owner.uid.as_raw()), None).unwrap();
        fs::set_permissions(&place.root, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(mode(&Place::prepare(&base.path().join("postgres")).unwrap()), 0o700);
    }

    #[test]
    fn root_never_owns_the_server() {
        let base = open_folder();
        let place = Place::prepare(&base.path().join("postgres")).unwrap();
        assert!(!place.owner.uid.is_root());
        assert_eq!(place.drop_root, Uid::effective().is_root());
    }
}
