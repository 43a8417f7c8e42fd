//! The private cluster: made once, shared, and brought back after each kind of crash. Durable, as in earnest.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use landfall::store::cluster::{ClusterError, ClusterOptions, PrivateCluster};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const CHILD_DIR: &str = "LANDFALL_TEST_CHILD_DIR";

/// A folder that the server's user can enter, with a cluster to be made in it. Stops what still runs in it.
struct Yard(tempfile::TempDir);

impl Yard {
    fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    fn options(&self) -> ClusterOptions {
        ClusterOptions { start_timeout: Duration::from_secs(60), ..ClusterOptions::new(self.0.path().join("postgres")) }
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("postgres/data")
    }

    async fn start(&self) -> PrivateCluster {
        PrivateCluster::start_or_join(&self.options()).await.unwrap()
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        // Only after a failed test: the server over our own data folder.
        if let Some(pid) = pid_in_file(&self.data())
            && fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.contains(&*self.data().to_string_lossy()))
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
        }
    }
}

fn pid_in_file(data: &Path) -> Option<i32> {
    fs::read_to_string(data.join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
}

async fn sql(cluster: &PrivateCluster, text: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let url = cluster.database_url("postgres").unwrap();
    let (client, driver) = url.config().connect(tokio_postgres::NoTls).await?;
    let driver = tokio::spawn(driver);
    let answer = client.simple_query(text).await;
    driver.abort();
    Ok(answer?
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .collect())
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within 30 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_gone(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// Another process that uses the cluster: this test binary, running [`stand_in_for_another_process`] alone.
async fn other_process(yard: &Yard) -> Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::stand_in_for_another_process", "--nocapture"])
        .env(CHILD_DIR, yard.0.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = yard.0.path().join(format!("ready-{}", child.id()));
    eventually("the other process uses the cluster", async || ready.exists().then_some(())).await;
    child
}

fn kill_and_wait(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Not a test by itself: what [`other_process`] runs.
#[tokio::test(flavor = "multi_thread")]
async fn stand_in_for_another_process() {
    let Some(dir) = std::env::var_os(CHILD_DIR).map(PathBuf::from) else { return };
    let _cluster = PrivateCluster::start_or_join(&ClusterOptions::new(dir.join("postgres"))).await.unwrap();
    fs::write(dir.join(format!("ready-{}", std::process::id())), "").unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_made_once_and_stops_with_its_last_user() {
    let yard = Yard::new();
    // What a crash in the middle of initdb leaves.
    fs::create_dir_all(yard.data().with_extension("new")).unwrap();
    if nix::unistd::geteuid().is_root() {
        let postgres = nix::unistd::User::from_name("postgres").unwrap().unwrap();
        nix::unistd::chown(&yard.0.path().join("postgres"), Some(postgres.uid), Some(postgres.gid)).unwrap();
    }
    let first = yard.start().await;
    let made = sql(&first, "SELECT system_identifier FROM pg_control_system()").await.unwrap();
    let second = yard.start().await;
    assert_eq!(first.server_pid(), second.server_pid());
    let pid = first.server_pid();
    assert!(!first.stop().await.unwrap(), "stopped under a user's feet");
    assert_eq!(sql(&second, "SELECT 1").await.unwrap(), ["1"]);
    assert!(second.stop().await.unwrap());
    assert!(is_gone(pid));

    let again = yard.start().await;
    assert_eq!(sql(&again, "SELECT system_identifier FROM pg_control_system()").await.unwrap(), made);
    assert!(!yard.data().with_extension("new").exists());
    drop(again);
    assert!(!yard.data().join("postmaster.pid").exists(), "dropping stops too");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_durable_private_and_never_roots() {
    let yard = Yard::new();
    let cluster = yard.start().await;
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("lc_messages", "C"),
        ("lc_collate", "C"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
    ] {
        assert_eq!(sql(&cluster, &format!("SHOW {setting}")).await.unwrap(), [value], "{setting}");
    }
    let data = fs::metadata(cluster.data_dir()).unwrap();
    assert_ne!(data.uid(), 0);
    assert_eq!(data.mode() & 0o077, 0, "others can look into the data");
    let status = fs::read_to_string(format!("/proc/{}/status", cluster.server_pid())).unwrap();
    let uids = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert!(uids.split_whitespace().skip(1).all(|uid| uid == data.uid().to_string()), "{uids}");
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_that_only_root_can_enter_it_still_works() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let yard = Yard::new();
    fs::set_permissions(yard.0.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let cluster = yard.start().await;
    let data = cluster.data_dir().to_owned();
    assert!(data.starts_with("/var/lib/landfall"), "{data:?}");
    assert_eq!(sql(&cluster, "SELECT 1").await.unwrap(), ["1"]);
    cluster.stop().await.unwrap();
    let pointer = fs::read_to_string(yard.0.path().join("postgres/MOVED")).unwrap();
    assert_eq!(Path::new(pointer.trim()), data.parent().unwrap());
    fs::remove_dir_all(pointer.trim()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_made_once_by_whoever_comes_first() {
    let yard = Yard::new();
    let cluster = yard.start().await;
    let (one, two, three) = tokio::join!(
        cluster.ensure_database("landfall"),
        cluster.ensure_database("landfall"),
        cluster.ensure_database("landfall")
    );
    one.and(two).and(three).unwrap();
    cluster.ensure_database("landfall").await.unwrap();
    for bad in ["", "a b", "Robert\"; drop", "ü"] {
        assert!(matches!(cluster.ensure_database(bad).await, Err(ClusterError::BadName { .. })), "{bad:?}");
    }
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_share_one_server() {
    let yard = Yard::new();
    let options = yard.options();
    let started = futures_util::future::join_all((0..4).map(|_| PrivateCluster::start_or_join(&options))).await;
    let started: Vec<PrivateCluster> = started.into_iter().map(Result::unwrap).collect();
    assert!(started.iter().all(|cluster| cluster.server_pid() == started[0].server_pid()));
    let mut other = other_process(&yard).await;
    for cluster in started {
        assert!(!cluster.stop().await.unwrap(), "the other process still uses it");
    }
    // Nobody uses it now, but nobody was there to stop it either.
    kill_and_wait(&mut other);
    assert!(yard.start().await.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_parent_was_killed_is_adopted() {
    let yard = Yard::new();
    let mut parent = other_process(&yard).await;
    let pid = pid_in_file(&yard.data()).unwrap();
    kill_and_wait(&mut parent);
    assert!(!is_gone(pid));
    let cluster = yard.start().await;
    assert_eq!(cluster.server_pid(), pid);
    assert_eq!(sql(&cluster, "SELECT 1").await.unwrap(), ["1"]);
    assert!(cluster.stop().await.unwrap());
    assert!(is_gone(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_outlives_its_parent_keeps_no_lock_of_it() {
    let yard = Yard::new();
    let lock_file = yard.0.path().join("deploy.lock");
    // flock(1) hands its lock down to all that is started under it.
    let mut flock = Command::new("flock")
        .arg(&lock_file)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::stand_in_for_another_process"])
        .env(CHILD_DIR, yard.0.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let parent = eventually("the other process uses the cluster", async || {
        let names = fs::read_dir(yard.0.path()).unwrap().flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.strip_prefix("ready-")?.parse().ok()).next()
    })
    .await;
    assert!(fs::File::open(&lock_file).unwrap().try_lock().is_err());
    kill(Pid::from_raw(parent), Signal::SIGKILL).unwrap();
    flock.wait().unwrap();
    assert!(!is_gone(pid_in_file(&yard.data()).unwrap()));
    fs::File::open(&lock_file).unwrap().try_lock().unwrap();
    assert!(yard.start().await.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_both_were_killed_what_was_committed_is_there() {
    let yard = Yard::new();
    let mut parent = other_process(&yard).await;
    let cluster = yard.start().await;
    sql(&cluster, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)").await.unwrap();
    let pid = cluster.server_pid();
    kill_and_wait(&mut parent);
    cluster.leave_running();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    // At once: the orphans of the killed server may still hold its memory.
    let cluster = yard.start().await;
    assert_ne!(cluster.server_pid(), pid);
    assert_eq!(sql(&cluster, "SELECT n FROM kept").await.unwrap(), ["42"]);
    assert!(cluster.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_its_users_is_started_again() {
    let yard = Yard::new();
    let cluster = yard.start().await;
    let pid = cluster.server_pid();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    eventually("it runs again", async || sql(&cluster, "SELECT 1").await.ok()).await;
    eventually("it is known", async || (cluster.server_pid() != pid).then_some(())).await;
    assert!(cluster.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_pid_file_that_names_a_foreign_process_is_no_hindrance() {
    let yard = Yard::new();
    let cluster = yard.start().await;
    let pid_file = fs::read_to_string(yard.data().join("postmaster.pid")).unwrap();
    let lock_file = yard.0.path().join("postgres/socket/.s.PGSQL.5432.lock");
    let owner = fs::metadata(yard.data()).unwrap();
    assert!(cluster.stop().await.unwrap());

    // Of the server's own user, or PostgreSQL would see by itself that it is foreign.
    let mut sleep = Command::new("sleep");
    sleep.arg("120");
    if nix::unistd::geteuid().is_root() {
        sleep.uid(owner.uid()).gid(owner.gid());
    }
    let mut foreign = sleep.spawn().unwrap();
    let rest = pid_file.split_once('\n').unwrap().1;
    let stale = format!("{}\n{rest}", foreign.id());
    fs::write(yard.data().join("postmaster.pid"), &stale).unwrap();
    fs::write(&lock_file, &stale).unwrap();

    let cluster = yard.start().await;
    assert_eq!(sql(&cluster, "SELECT 1").await.unwrap(), ["1"]);
    assert!(foreign.try_wait().unwrap().is_none(), "the foreign process was touched");
    cluster.stop().await.unwrap();
    kill_and_wait(&mut foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_the_error_says_what_to_do() {
    let yard = Yard::new();
    let options = ClusterOptions { bin_dir: Some(yard.0.path().join("nothing")), ..yard.options() };
    let error = PrivateCluster::start_or_join(&options).await.unwrap_err().to_string();
    assert!(error.contains("apt-get install postgresql") && error.contains("DATABASE_URL="), "{error}");
}
