//! The memory of a process, as a core dump has it, and that there is no core dump.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::needles::Secret;
use super::search::{Search, Separators};
use crate::server::Place;

const MEMORY: &str = "memory";

/// Searches what a core dump would hold: everything that the process can write.
pub fn search(pid: u32, search: &mut Search) {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    // Whoever isn't root is refused a process that can't be dumped.
    let Ok(mut memory) = File::open(format!("/proc/{pid}/mem")) else { return };
    for line in maps.lines() {
        let mut parts = line.split_whitespace();
        let (Some(range), Some(rights)) = (parts.next(), parts.next()) else { continue };
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        memory.seek(SeekFrom::Start(from)).unwrap();
        // Pages that are gone end it early.
        let _ = search.stream(MEMORY, range, (&mut memory).take(to - from));
    }
}

/// How much of which kind stands in a process's memory.
pub fn searched(pid: u32, secrets: &[Secret]) -> String {
    let mut found = Search::of(secrets, Separators::Wide);
    search(pid, &mut found);
    let numbers: std::collections::BTreeSet<&str> =
        found.found.iter().map(|found| found.secret.as_str()).filter(|name| name.starts_with("the number")).collect();
    let (places, bytes) = found.tally.get(MEMORY).copied().unwrap_or_default();
    if bytes == 0 {
        return "the kernel lets nobody but root read it".to_owned();
    }
    format!("{} of the numbers ({numbers:?}), in {places} places of {bytes} bytes", numbers.len())
}

/// Asserts that a form is found in the memory of a process that was given it.
pub async fn holds(secret: &Secret, form: &str, bytes: &[u8]) {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut input = cat.stdin.take().unwrap();
    input.write_all(bytes).await.unwrap();
    input.flush().await.unwrap();
    let mut back = vec![0; bytes.len()];
    cat.stdout.as_mut().unwrap().read_exact(&mut back).await.unwrap();
    let mut found = Search::of(std::slice::from_ref(secret), Separators::Wide);
    search(cat.id().unwrap(), &mut found);
    assert!(!found.found.is_empty(), "memory: {form}");
    cat.kill().await.unwrap();
}

/// SIGTERM, and its end.
pub async fn end(child: &mut Child) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(60), child.wait()).await;
    ended.expect("it stops when it is told to").unwrap();
}

/// Runs a server under a shell that lifts every limit of core dumps, has it aborted, and answers whether it was dumped.
async fn is_dumped(place: &Place) -> bool {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = place.shell(&["serve", "--roles", "api", "--listen", &address]);
    let mut child = command.spawn().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..200 {
        let ready = client.get(format!("http://{address}/health/ready")).send().await;
        if ready.is_ok_and(|answer| answer.status().is_success()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGABRT).unwrap();
    let status = child.wait().await.unwrap();
    assert_eq!(status.signal(), Some(6), "{status}");
    status.core_dumped()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_aborted_leaves_no_core_dump() {
    let mut place = Place::new().await;
    assert!(!is_dumped(&place).await);
    // The same where it is allowed, as far as the machine dumps anything at all.
    place.set("LANDFALL__TELEMETRY__CORE_DUMPS", "true");
    println!("this machine dumps what may be dumped: {}", is_dumped(&place).await);
    place.set("LANDFALL__MODES", "live");
    let refused = place.run(&["config", "check"]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("telemetry.core_dumps"));
}
