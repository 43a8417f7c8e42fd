//! The simulator's memory: a file of JSON lines that is only ever appended to, each record before the call that led to it is
//! answered. A last line that a crash tore is dropped; nobody was told of it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::bank::Record;

/// The file's name in the data folder.
const FILE_NAME: &str = "ledger.jsonl";

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("another simulator has the journal {0} open")]
    InUse(PathBuf),
    #[error("the journal {path} can't be read in line {line}: {why}")]
    Damaged { path: PathBuf, line: usize, why: String },
    #[error("the journal {0} failed before: what it holds is not known")]
    Failed(PathBuf),
}

/// The open journal. Nobody else can open it meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Flock<File>,
    /// An append failed: the last line may be torn, and nothing may follow it.
    failed: bool,
}

impl Journal {
    /// Opens the journal in `dir`, both made if they aren't there, and reads what was written.
    pub fn open(dir: &Path) -> Result<(Self, Vec<Record>), JournalError> {
        let path = dir.join(FILE_NAME);
        let failed = |source| JournalError::Io { path: path.clone(), source };
        std::fs::create_dir_all(dir).map_err(failed)?;
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| JournalError::InUse(path.clone()))?;
        let (records, good_bytes) = read(&file, &path)?;
        if file.metadata().map_err(failed)?.len() > good_bytes {
            tracing::warn!(path = %path.display(), "the journal's last line was torn by a crash and is dropped");
            file.set_len(good_bytes).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        // A file that was made is only there for good once its folder says so.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        Ok((Self { path, file, failed: false }, records))
    }

    /// Appends `records` and waits for the disk. After a failure every further call fails too.
    pub fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        if self.failed {
            return Err(JournalError::Failed(self.path.clone()));
        }
        if records.is_empty() {
            return Ok(());
        }
        let written = lines(records).and_then(|lines| {
            self.file.write_all(&lines)?;
            self.file.sync_data()
        });
        written.map_err(|source| {
            self.failed = true;
            JournalError::Io { path: self.path.clone(), source }
        })
    }
}

fn lines(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// The records, and up to which byte they reach.
fn read(file: &File, path: &Path) -> Result<(Vec<Record>, u64), JournalError> {
    let mut reader = BufReader::new(file);
    let (mut records, mut good_bytes) = (Vec::new(), 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        let bytes = read.map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
        // The end, or a line that never got its end.
        if bytes == 0 || line.last() != Some(&b'\n') {
            return Ok((records, good_bytes));
        }
        let record = serde_json::from_slice(&line).map_err(|error| JournalError::Damaged {
            path: path.to_owned(),
            line: records.len() + 1,
            why: error.to_string(),
        })?;
        records.push(record);
        good_bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: u64) -> Record {
        Record::Told { number, telling: 0 }
    }

    fn reopened(dir: &Path) -> Vec<Record> {
        Journal::open(dir).unwrap().1
    }

    #[test]
    fn what_was_appended_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, nothing) = Journal::open(dir.path()).unwrap();
        assert!(nothing.is_empty());
        journal.append(&[told(1), told(2)]).unwrap();
        journal.append(&[]).unwrap();
        journal.append(&[told(3)]).unwrap();
        assert!(matches!(Journal::open(dir.path()), Err(JournalError::InUse(_))));
        drop(journal);
        assert_eq!(reopened(dir.path()), [told(1), told(2), told(3)]);
    }

    #[test]
    fn a_torn_last_line_is_dropped_wherever_it_is_torn_and_appending_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let (first, second) = (lines(&[told(1)]).unwrap(), lines(&[told(2)]).unwrap());
        for torn_at in 0..second.len() {
            std::fs::write(&path, [first.as_slice(), &second[..torn_at]].concat()).unwrap();
            let (mut journal, records) = Journal::open(dir.path()).unwrap();
            assert_eq!(records, [told(1)], "torn at {torn_at}");
            journal.append(&[told(3)]).unwrap();
            drop(journal);
            assert_eq!(reopened(dir.path()), [told(1), told(3)]);
        }
    }

    #[test]
    fn a_damaged_line_is_never_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (first, last) = (lines(&[told(1)]).unwrap(), lines(&[told(2)]).unwrap());
        let damaged = [first.as_slice(), b"{\"record\":\"tol\n", &last].concat();
        std::fs::write(dir.path().join(FILE_NAME), damaged).unwrap();
        assert!(matches!(Journal::open(dir.path()), Err(JournalError::Damaged { line: 2, .. })));
    }
}
