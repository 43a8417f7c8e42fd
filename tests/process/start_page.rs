//! `docs/start.md` by its letter: its shell blocks are run, in order, by a newcomer who has nothing but a key and the five programs that the
//! page names.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::server::Place;

const PAGE: &str = include_str!("../../docs/start.md");
const PROGRAMS: [&str; 5] = ["sh", "curl", "grep", "cut", "openssl"];

/// What `make run` runs, and the key that it prints.
async fn demonstrated(place: &Place, address: &str) -> (Child, String) {
    let mut command = place.command(&["serve", "--demo", "--listen", address]);
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut key = None;
    let told = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            key = line.strip_prefix("export KEY=").map(str::to_owned).or(key.take());
            if line == "Ctrl-C ends it." {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("it says how to go on");
    // What it prints from now on is nobody's: the pipe stays open all the same.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (server, key.expect("it prints a key"))
}

/// The page's programs and no others.
fn path_of_programs(folder: &Path) -> bool {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
    PROGRAMS.iter().all(|program| {
        let found = folders.iter().map(|folder| folder.join(program)).find(|path| path.exists());
        found.is_some_and(|found| std::os::unix::fs::symlink(found, folder.join(program)).is_ok())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_is_true_to_the_letter() {
    let programs = tempfile::tempdir().unwrap();
    if !path_of_programs(programs.path()) {
        eprintln!("skipped: the page's programs aren't all here ({})", PROGRAMS.join(", "));
        return;
    }
    let blocks: Vec<&str> = PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() > 6, "{}", blocks.len());
    let place = Place::new().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (mut server, key) = demonstrated(&place, &address).await;

    // A page that is read twice is paid twice, under new references.
    for _ in 0..2 {
        let run = Command::new(programs.path().join("sh"))
            .args(["-euc", &blocks.concat()])
            .env_clear()
            .env("PATH", programs.path())
            .env("KEY", &key)
            .env("API", format!("http://{address}"))
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(60), run).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let faults = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && faults.is_empty(), "{said}\n{faults}");
        let has_line = |line: &str| said.lines().any(|told| told == line);
        assert!(has_line("processed") && has_line("SUCCESS"), "{said}");
        assert!(said.contains("the same request: porq_"), "{said}");
        assert!(!said.contains("errors") && !said.contains("errorId"), "{said}");
    }
    let paid = "SELECT count(*) FROM payout_request WHERE status = 'processed'";
    // The demonstration's own, and each reading's two.
    assert_eq!(place.test_db.count(paid).await, 5);
    server.start_kill().unwrap();
    server.wait().await.unwrap();
}
