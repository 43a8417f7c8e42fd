//! Makes a cluster's data, starts its server, and finds out whether one is running. Blocking; the caller holds the cluster's lock.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use super::binaries::Binaries;
use super::place::{PORT, Place, ROLE};
use super::process::{PidFile, is_zombie};
use super::{ClusterError, ClusterOptions};

const POLL: Duration = Duration::from_millis(10);
/// After a crash the old server's orphans may hold its shared memory for a moment.
const AFTERMATH: Duration = Duration::from_secs(10);
/// The server's log is set aside once when it is larger, in bytes.
const LOG_SIZE_MAX: u64 = 16 << 20;

/// Makes the data unless it is there. A crash in between leaves `data.new`, never half of `data`.
pub fn init_once(place: &Place, options: &ClusterOptions) -> Result<(), ClusterError> {
    if place.data().join("PG_VERSION").exists() {
        return Ok(());
    }
    let binaries = Binaries::find(options.bin_dir.as_deref(), None)?;
    let new = place.root.join("data.new");
    if new.exists() {
        fs::remove_dir_all(&new).map_err(|e| ClusterError::io(&new, e))?;
    }
    tracing::info!(data = %place.data().display(), postgresql = binaries.major, "making a private PostgreSQL cluster");
    let mut initdb = place.command(&binaries.program("initdb"));
    initdb.arg("--pgdata").arg(&new).args(["--username", ROLE, "--encoding", "UTF8", "--locale", "C"]);
    initdb.args(["--auth-local", "peer", "--auth-host", "reject", "--no-instructions"]);
    initdb.arg(if options.fsync { "--data-checksums" } else { "--no-sync" });
    let made = initdb.output().map_err(|e| ClusterError::io(&binaries.program("initdb"), e))?;
    if !made.status.success() {
        let said = [made.stderr, made.stdout].concat();
        return Err(ClusterError::InitDb(String::from_utf8_lossy(&said).trim().to_owned()));
    }
    fs::rename(&new, place.data()).map_err(|e| ClusterError::io(place.data(), e))?;
    File::open(&place.root).and_then(|root| root.sync_all()).map_err(|e| ClusterError::io(&place.root, e))
}

/// Finds the running server, or starts one: answers its process number, and the child when it is ours. Recovers from a crash of
/// the server, of its parent, or of both.
pub fn ensure_running(place: &Place, options: &ClusterOptions) -> Result<(i32, Option<Child>), ClusterError> {
    let deadline = Instant::now() + options.start_timeout;
    let mut crashed = false;
    loop {
        let found = PidFile::read(place.data()).map_err(|e| ClusterError::io(place.data(), e))?;
        match found {
            // Somebody's living server: ready, starting or stopping.
            Some(server) if place.processes.is_ours(server.pid) => {
                if server.ready {
                    return Ok((server.pid, None));
                }
            }
            Some(server) => {
                crashed = true;
                clear_stale(place, &server)?;
                if let Some(child) = attempt(place, options, deadline, crashed)? {
                    return Ok((pid_of(&child), Some(child)));
                }
            }
            None => {
                if let Some(child) = attempt(place, options, deadline, crashed)? {
                    return Ok((pid_of(&child), Some(child)));
                }
            }
        }
        if Instant::now() > deadline {
            return Err(ClusterError::Start(format!(
                "not ready within {} s (database.start_timeout_secs)\n{}",
                options.start_timeout.as_secs(),
                log_tail(place)
            )));
        }
        std::thread::sleep(POLL);
    }
}

/// Starts a server; after a crash, again for some seconds.
fn attempt(
    place: &Place,
    options: &ClusterOptions,
    deadline: Instant,
    crashed: bool,
) -> Result<Option<Child>, ClusterError> {
    let patience = Instant::now() + AFTERMATH;
    loop {
        match start(place, options, deadline) {
            Ok(child) => return Ok(Some(child)),
            Err(ClusterError::Start(why)) if crashed && Instant::now() < patience.min(deadline) => {
                tracing::debug!(why, "the server did not start after a crash, trying again");
                std::thread::sleep(Duration::from_millis(250));
                // Somebody else's server may have come up.
                if matches!(PidFile::read(place.data()), Ok(Some(other)) if place.processes.is_ours(other.pid)) {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// A `postmaster.pid` whose server is gone. When nobody has its number, PostgreSQL itself deals with it, and looks for orphans by
/// what the file says. When a foreign process has got the number, PostgreSQL would refuse for ever: the files go, once no process
/// of the cluster is left.
fn clear_stale(place: &Place, server: &PidFile) -> Result<(), ClusterError> {
    if is_zombie(server.pid) {
        return Ok(());
    }
    let patience = Instant::now() + AFTERMATH;
    while !place.processes.living().is_empty() {
        if Instant::now() > patience {
            let pids = place.processes.living();
            return Err(ClusterError::Start(format!("orphans of an old server still run: {pids:?}")));
        }
        std::thread::sleep(POLL);
    }
    tracing::warn!(pid = server.pid, "postmaster.pid names a process that is not PostgreSQL's: removed");
    for stale in [place.data().join("postmaster.pid"), place.socket_dir.join(format!(".s.PGSQL.{PORT}.lock"))] {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(ClusterError::io(&stale, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Starts a server and waits until it takes connections.
fn start(place: &Place, options: &ClusterOptions, deadline: Instant) -> Result<Child, ClusterError> {
    let version_file = place.data().join("PG_VERSION");
    let version = fs::read_to_string(&version_file).map_err(|e| ClusterError::io(&version_file, e))?;
    let binaries = Binaries::find(options.bin_dir.as_deref(), version.trim().parse().ok())?;
    write_access(place)?;
    let log = open_log(&place.root.join("log"))?;
    let log_too = log.try_clone().map_err(|e| ClusterError::io(&place.root, e))?;

    // The server outlives us, so it must not keep what we inherited: a `flock`, a pipe that somebody reads to its end. A shell
    // closes those; ours are closed by exec. It becomes the server, under the same process number.
    let mut command = place.command(Path::new("/bin/sh"));
    command.args(["-c", "exec \"$0\" \"$@\" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-"]);
    command.arg(binaries.program("postgres")).arg("-D").arg(place.data()).stdout(log).stderr(log_too);
    for (name, value) in settings(place, options) {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let mut child = command.spawn().map_err(|e| ClusterError::io(Path::new("/bin/sh"), e))?;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(ClusterError::Start(format!("it ended with {status}\n{}", log_tail(place))));
        }
        let ready =
            PidFile::read(place.data()).is_ok_and(|file| file.is_some_and(|f| f.ready && f.pid == pid_of(&child)));
        if ready {
            return Ok(child);
        }
        if Instant::now() > deadline {
            // It may be replaying a long log; killing it would only begin that anew. It is adopted by the next start.
            return Err(ClusterError::Start(format!("still starting, try again later\n{}", log_tail(place))));
        }
        std::thread::sleep(POLL);
    }
}

pub fn pid_of(child: &Child) -> i32 {
    // Linux numbers processes below 2^22.
    i32::try_from(child.id()).unwrap_or(i32::MAX)
}

/// Who may connect: over the socket alone, and as the operating system's users that stand for this cluster.
fn write_access(place: &Place) -> Result<(), ClusterError> {
    let users = [place.owner.name.as_str(), "root"];
    let map: String = users.iter().map(|user| format!("landfall \"{user}\" {ROLE}\n")).collect();
    for (name, text) in [("hba.conf", format!("local all {ROLE} peer map=landfall\n")), ("ident.conf", map)] {
        let file = place.root.join(name);
        fs::write(&file, text).map_err(|e| ClusterError::io(&file, e))?;
    }
    Ok(())
}

/// For a small machine. Nothing here weakens durability, but for the last ones, which only a throwaway cluster gets.
fn settings(place: &Place, options: &ClusterOptions) -> Vec<(&'static str, String)> {
    let path = |path: &Path| path.display().to_string();
    let text = str::to_owned;
    let mut all = vec![
        ("cluster_name", place.processes.cluster_name.clone()),
        ("hba_file", path(&place.root.join("hba.conf"))),
        ("ident_file", path(&place.root.join("ident.conf"))),
        ("listen_addresses", String::new()),
        ("port", PORT.to_string()),
        ("unix_socket_directories", path(&place.socket_dir)),
        ("unix_socket_permissions", text("0700")),
        ("max_connections", options.max_connections.to_string()),
        ("lc_messages", text("C")),
        ("timezone", text("UTC")),
        ("log_timezone", text("UTC")),
        // Memory: buffers are taken as they are used.
        ("shared_buffers", text("128MB")),
        ("huge_pages", text("off")),
        ("work_mem", text("4MB")),
        ("maintenance_work_mem", text("64MB")),
        // Short transactions on few cores.
        ("jit", text("off")),
        ("max_parallel_workers_per_gather", text("0")),
        ("random_page_cost", text("1.1")),
        ("wal_compression", text("on")),
        ("max_wal_size", text("1GB")),
        ("checkpoint_timeout", text("15min")),
        ("autovacuum_naptime", text("15s")),
        // Errors are the application's to report; statements and values stay out of this log.
        ("log_min_messages", text("warning")),
        ("log_min_error_statement", text("panic")),
        ("log_error_verbosity", text("terse")),
        ("log_checkpoints", text("off")),
    ];
    if !options.fsync {
        all.extend([
            ("fsync", text("off")),
            ("synchronous_commit", text("off")),
            ("full_page_writes", text("off")),
            ("wal_level", text("minimal")),
            ("max_wal_senders", text("0")),
            ("autovacuum", text("off")),
            ("deadlock_timeout", text("100ms")),
        ]);
    }
    all
}

fn open_log(file: &Path) -> Result<File, ClusterError> {
    let failed = |error| ClusterError::io(file, error);
    if fs::metadata(file).is_ok_and(|meta| meta.len() > LOG_SIZE_MAX) {
        fs::rename(file, file.with_extension("old")).map_err(failed)?;
    }
    OpenOptions::new().create(true).append(true).open(file).map_err(failed)
}

/// The last lines of the server's log, for an error's text.
fn log_tail(place: &Place) -> String {
    let text = fs::read(place.root.join("log")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
