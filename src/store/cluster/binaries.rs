//! Where PostgreSQL's programs are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ClusterError;

/// A folder with `initdb` and `postgres`, and their major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// The programs to use: those in `configured` when given; else of the version that made the data (`data_major`), when there
    /// is data; else the newest of those in PATH and in the distributions' folders.
    pub fn find(configured: Option<&Path>, data_major: Option<u32>) -> Result<Self, ClusterError> {
        if let Some(dir) = configured {
            return Self::at(dir).ok_or_else(|| ClusterError::NoBinaries { looked_in: dir.display().to_string() });
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::choose(candidates(&path), data_major)
    }

    fn choose(dirs: Vec<PathBuf>, data_major: Option<u32>) -> Result<Self, ClusterError> {
        let found: Vec<Self> = dirs.iter().filter_map(|dir| Self::at(dir)).collect();
        let Some(newest) = found.iter().max_by_key(|binaries| binaries.major) else {
            return Err(ClusterError::NoBinaries {
                looked_in: "PATH, /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin, /usr/local/pgsql/bin".into(),
            });
        };
        match data_major {
            None => Ok(newest.clone()),
            Some(major) => found
                .iter()
                .find(|binaries| binaries.major == major)
                .cloned()
                .ok_or(ClusterError::OtherVersion { data: major, found: newest.major }),
        }
    }

    fn at(dir: &Path) -> Option<Self> {
        if !dir.join("initdb").is_file() {
            return None;
        }
        let answer = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        Some(Self { dir: dir.to_owned(), major: major_of(&String::from_utf8_lossy(&answer.stdout))? })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", "postgres (PostgreSQL) 18beta1" -> the major version.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split("PostgreSQL) ").nth(1)?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn candidates(path: &OsStr) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::env::split_paths(path).filter(|dir| dir.is_absolute()).collect();
    dirs.push("/usr/local/pgsql/bin".into());
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix));
            if version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())) {
                dirs.push(entry.path().join("bin"));
            }
        }
    }
    dirs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_distributions_write_them() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_of("something else"), None);
    }

    #[test]
    fn missing_programs_say_what_to_install_and_how_to_do_without() {
        let empty = tempfile::tempdir().unwrap();
        for found in [Binaries::choose(vec![empty.path().into()], None), Binaries::find(Some(empty.path()), None)] {
            let text = found.unwrap_err().to_string();
            assert!(text.contains("apt-get install postgresql"), "{text}");
            assert!(text.contains("DATABASE_URL"), "{text}");
        }
    }

    #[test]
    fn data_of_another_version_is_not_opened() {
        let Ok(found) = Binaries::find(None, None) else { return };
        let error = Binaries::find(None, Some(9)).unwrap_err();
        assert!(matches!(error, ClusterError::OtherVersion { data: 9, .. }));
        assert_eq!(Binaries::find(None, Some(found.major)).unwrap().major, found.major);
    }
}
