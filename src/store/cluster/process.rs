//! Which server runs over a data folder, told from `postmaster.pid` and `/proc`. It never signals on a bare process number: after
//! a crash or a reboot that may be anybody's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What PostgreSQL writes about a server into `postmaster.pid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PidFile {
    pub pid: i32,
    /// Whether the last line says that it takes connections.
    pub ready: bool,
}

impl PidFile {
    /// `None`: no such file, or one that is just being written or torn by a crash.
    pub fn read(data: &Path) -> io::Result<Option<Self>> {
        match fs::read_to_string(data.join("postmaster.pid")) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok().filter(|pid| *pid > 1)?;
        Some(Self { pid, ready: lines.nth(6).is_some_and(|status| status.trim() == "ready") })
    }
}

/// The processes of one cluster, known by the data folder or the `cluster_name` in their command line (which everyone may read,
/// unlike `/proc/PID/exe` and `cwd`).
#[derive(Clone, Debug)]
pub struct Processes {
    pub data: PathBuf,
    pub cluster_name: String,
}

impl Processes {
    /// Whether `pid` is alive and a PostgreSQL process of this cluster.
    pub fn is_ours(&self, pid: i32) -> bool {
        if is_zombie(pid) {
            return false;
        }
        let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        let line = String::from_utf8_lossy(&line);
        let program = line.split(['\0', ' ']).next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default().trim_end_matches(':');
        let data = self.data.to_string_lossy();
        matches!(program, "postgres" | "postmaster")
            && (line.contains(&self.cluster_name) || line.split('\0').any(|argument| argument == data))
    }

    /// All living processes of this cluster: orphans of a killed postmaster hold its shared memory for a moment.
    pub fn living(&self) -> Vec<i32> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| self.is_ours(*pid)).collect()
    }
}

/// Ended, but not yet waited for by its parent; also true when there is no such process.
pub fn is_zombie(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // "PID (name) S ...": the name may hold anything, the last parenthesis ends it.
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Asks a server for a fast shutdown (open transactions roll back, everything is written) and waits until it is gone.
/// Answers whether it is.
pub fn stop_fast(processes: &Processes, pid: i32, patience: Duration) -> bool {
    if !processes.is_ours(pid) {
        return true;
    }
    if kill(Pid::from_raw(pid), Signal::SIGINT).is_err() {
        return is_zombie(pid);
    }
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if is_zombie(pid) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_as_far_as_it_is_written() {
        let whole = "412\n/d\n1763716800\n5432\n/s\n\n  1 2\nready   \n";
        assert_eq!(PidFile::parse(whole), Some(PidFile { pid: 412, ready: true }));
        let starting = "412\n/d\n1763716800\n5432\n/s\n\n  1 2\nstarting\n";
        assert_eq!(PidFile::parse(starting), Some(PidFile { pid: 412, ready: false }));
        assert_eq!(PidFile::parse("412\n/d\n"), Some(PidFile { pid: 412, ready: false }));
        for torn in ["", "\n", "x\n", "-1\n", "0\n", "1\n"] {
            assert_eq!(PidFile::parse(torn), None, "{torn:?}");
        }
    }

    #[test]
    fn a_foreign_process_is_not_ours() {
        let processes = Processes { data: "/nowhere/data".into(), cluster_name: "landfall-of-nobody".into() };
        let this = i32::try_from(std::process::id()).unwrap();
        assert!(!processes.is_ours(this));
        assert!(!is_zombie(this));
        assert!(processes.living().is_empty());
        // It is left alone, and counts as gone.
        assert!(stop_fast(&processes, this, Duration::ZERO));
    }
}
