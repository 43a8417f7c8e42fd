//! PostgreSQL itself dies, loses connections at COMMIT, has no room, or takes no writes: under load, with what is told meanwhile.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use super::check::{Outcome, checked};
use super::client::{Call, Client, Who};
use super::draw::Draw;
use super::ground::{Database, Ground, connect, kill_cluster};
use super::kills::Clients;
use super::load::REQUESTS;
use super::proxy::{Fault, Proxy};
use super::server::{Launch, Server, free_port, status_of};
use super::{number, put_down, seed};

/// Two servers over a database, by the way that `url` says, with clients of theirs.
struct Scene<'a> {
    ground: &'a Ground,
    database: Database,
    servers: Vec<Server>,
    client: Client,
    clients: Clients<'a>,
}

impl<'a> Scene<'a> {
    async fn new(ground: &'a Ground, name: &str, url: impl Fn(&Database) -> String) -> Self {
        let database = ground.database().await;
        let url = url(&database);
        let mut servers = Vec::new();
        for n in 0..2 {
            servers.push(Server::spawn(ground, &Launch::new(&url, free_port(), "api,worker", &format!("{name}-{n}"))));
        }
        for server in &mut servers {
            assert!(server.ready().await, "{}", server.said());
        }
        let client = ground.client(&servers.iter().map(|server| server.port).collect::<Vec<_>>());
        let clients = Clients::new(ground, client.clone(), name);
        Self { ground, database, servers, client, clients }
    }

    /// Lets clients work while `meanwhile` happens, and holds the books against each other when all is answered.
    async fn under_load(&self, meanwhile: impl Future<Output = ()>) -> Outcome {
        let happening = async {
            meanwhile.await;
            self.clients.stop.store(true, Ordering::SeqCst);
        };
        tokio::join!(happening, self.clients.run(3));
        checked(self.ground, &self.database, &self.client, &self.clients.meant(), false).await
    }

    fn tries(&self) -> [u64; 4] {
        let counts = self.client.counts();
        [&counts.answered, &counts.lost, &counts.failed, &counts.opaque].map(|count| count.load(Ordering::SeqCst))
    }

    /// What a new request is answered now, in one try.
    async fn asked_now(&self, reference: &str) -> (u16, String) {
        let attributes = json!({
            "point_id": self.ground.point, "point_currency": "USD", "service": "test_usd", "service_amount": "1",
            "reference_id": reference, "fields": { "account": "somebody" },
        });
        let document = json!({ "data": { "type": "payout-request", "attributes": attributes } });
        let call = Call::new(Who::Partner, "POST", REQUESTS).json(document);
        for _ in 0..5 {
            if let Some(answer) = self.client.try_once(&call, 0).await {
                return answer;
            }
        }
        panic!("no answer to {reference}")
    }

    async fn end(self, outcome: &Outcome) {
        assert!(outcome.differences.is_empty(), "{:#?}", outcome.differences);
        for mut server in self.servers {
            assert!(server.is_alive(), "a server ended: {}", server.said());
            server.kill().await;
        }
        self.ground.drop(&self.database).await;
    }
}

fn told(kind: &str, times: u64, took: Duration, outcome: &Outcome, tries: [u64; 4]) {
    eprintln!(
        "{kind}: {times} times in {:.1} s, {} requests, {} paid, {} with a person; tries answered, lost, failed, opaque: {tries:?}",
        took.as_secs_f32(),
        outcome.requests,
        outcome.paid,
        outcome.moderated
    );
    put_down(&json!({ "kind": kind, "times": times, "requests": outcome.requests, "paid": outcome.paid,
        "moderated": outcome.moderated, "ends": outcome.ends, "tries": tries, "differences": outcome.differences,
        "millis": u64::try_from(took.as_millis()).unwrap() }));
}

/// Until the database answers again.
async fn up_again(ground: &Ground, old: i32) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let url = landfall::config::database::url::DatabaseUrl::parse(&ground.cluster.url("postgres")).unwrap();
    while Instant::now() < deadline {
        if ground.cluster.server_pid() != old && url.config().connect(tokio_postgres::NoTls).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("PostgreSQL didn't come up again");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_killed_under_load_loses_nothing() {
    let (ground, started) = (Ground::new().await, Instant::now());
    let scene = Scene::new(&ground, "dies", |database| database.url.clone()).await;
    let times = number("TORTURE_PG_KILLS").unwrap_or(2);
    let mut draw = Draw::of(seed());
    let outcome = scene
        .under_load(async {
            for _ in 0..times {
                tokio::time::sleep(Duration::from_millis(draw.between(700, 2_000))).await;
                let pid = ground.cluster.server_pid();
                assert!(kill_cluster(ground.cluster.data_dir(), pid) > 1, "no server to kill");
                up_again(&ground, pid).await;
            }
            tokio::time::sleep(Duration::from_millis(800)).await;
        })
        .await;
    told("postgres kills", times, started.elapsed(), &outcome, scene.tries());
    scene.end(&outcome).await;
}

/// By way of a proxy with these faults for so long, then without.
async fn faulty(ground: &Ground, name: &str, faults: &[(Fault, u64)], time: Duration) {
    let started = Instant::now();
    let socket = socket_dir(ground);
    let proxy = Proxy::start(&ground.file(&format!("p-{name}")), &socket, seed());
    let scene = Scene::new(ground, name, |database| proxy.url(&database.name)).await;
    let outcome = scene
        .under_load(async {
            for (fault, per_mille) in faults {
                proxy.faults.set(*fault, *per_mille);
            }
            tokio::time::sleep(time).await;
            proxy.faults.none();
        })
        .await;
    let done = proxy.faults.done();
    eprintln!("{name}: cut before, while and after COMMIT, and no room for it: {done:?}");
    told(name, done.iter().sum(), started.elapsed(), &outcome, scene.tries());
    for (fault, _) in faults {
        assert!(done[*fault as usize] > 0, "{fault:?} never happened");
    }
    assert_eq!(scene.tries()[3], 0, "failures that are told as an internal error");
    scene.end(&outcome).await;
}

/// Where the cluster's socket is, from its URL.
fn socket_dir(ground: &Ground) -> PathBuf {
    let url = ground.cluster.url("x");
    let host = url.split_once('@').unwrap().1.split_once('/').unwrap().0.to_owned();
    PathBuf::from(host.replace("%2F", "/"))
}

fn fault_secs() -> Duration {
    Duration::from_secs(number("TORTURE_FAULT_SECS").unwrap_or(5))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_done_once() {
    let ground = Ground::new().await;
    let faults = [(Fault::CutBefore, 25), (Fault::CutWhile, 25), (Fault::CutAfter, 50)];
    faulty(&ground, "commits-cut", &faults, fault_secs()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_loses_nothing() {
    let ground = Ground::new().await;
    faulty(&ground, "no-room", &[(Fault::NoRoom, 150)], fault_secs()).await;
    // Nothing can be committed at all for a while.
    let proxy = Proxy::start(&ground.file("p-full"), &socket_dir(&ground), seed());
    let scene = Scene::new(&ground, "full", |database| proxy.url(&database.name)).await;
    let outcome = scene
        .under_load(async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            proxy.faults.set(Fault::NoRoom, 1_000);
            let (status, body) = scene.asked_now("while-full").await;
            assert!(status == 503 && body.contains("SERVICE_UNAVAILABLE"), "{status} {body}");
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            proxy.faults.none();
        })
        .await;
    assert_eq!(scene.tries()[3], 0, "failures that are told as an internal error");
    scene.end(&outcome).await;
}

/// A file system of that size at `dir`, where this process may mount one.
fn small_disk(dir: &Path, mebibytes: u64) -> Result<(), String> {
    std::fs::create_dir_all(dir).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=755"), "tmpfs"])
        .arg(dir)
        .output()
        .map_err(|error| error.to_string())?;
    if mount.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&mount.stderr).trim().to_owned()) }
}

/// Writes until nothing more fits.
fn fill(ballast: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).unwrap();
    while file.write_all(&[0; 1 << 16]).is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_really_fills_up_is_survived() {
    let disk = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("disk-{}", std::process::id()));
    if let Err(why) = small_disk(&disk, 300) {
        eprintln!("skipped: no small disk can be mounted here ({why})");
        let _ = std::fs::remove_dir(&disk);
        return;
    }
    {
        let (ground, started) = (Ground::in_folder(Some(&disk.join("pg"))).await, Instant::now());
        let scene = Scene::new(&ground, "disk", |database| database.url.clone()).await;
        let ballast = disk.join("ballast");
        let outcome = scene
            .under_load(async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                let pid = ground.cluster.server_pid();
                fill(&ballast);
                tokio::time::sleep(Duration::from_secs(3)).await;
                std::fs::remove_file(&ballast).unwrap();
                if ground.cluster.server_pid() != pid {
                    up_again(&ground, pid).await;
                }
            })
            .await;
        told("disk full", 1, started.elapsed(), &outcome, scene.tries());
        scene.end(&outcome).await;
    }
    let _ = std::process::Command::new("umount").arg(&disk).status();
    let _ = std::fs::remove_dir(&disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_is_told_and_waited_for() {
    let (ground, started) = (Ground::new().await, Instant::now());
    let scene = Scene::new(&ground, "read-only", |database| database.url.clone()).await;
    let name = &scene.database.name;
    let ready = scene.servers[0].port;
    let outcome = scene
        .under_load(async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            // As after a failover: whoever was connected is sent away, and comes back to a server that takes no writes.
            ground.admin(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
            ground.admin(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'landfall'")).await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            let (status, body) = scene.asked_now("while-read-only").await;
            assert!(status == 503 && body.contains("SERVICE_UNAVAILABLE"), "{status} {body}");
            assert_eq!(status_of(ready, "/health/ready").await, Some(503));
            assert_eq!(status_of(ready, "/health/live").await, Some(200));
            // What can't be done isn't tried without pause.
            let before = transactions(&ground, name).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let tried = transactions(&ground, name).await - before;
            eprintln!("{tried} transactions in 2 s of taking no writes");
            assert!(tried < 1_500, "{tried} transactions in 2 s");
            // Nobody sends anybody away this time: what is connected has to notice.
            ground.admin(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await;
            let deadline = Instant::now() + Duration::from_secs(10);
            while status_of(ready, "/health/ready").await != Some(200) {
                assert!(Instant::now() < deadline, "not ready again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    assert_eq!(scene.tries()[3], 0, "failures that are told as an internal error");
    told("read-only", 1, started.elapsed(), &outcome, scene.tries());
    scene.end(&outcome).await;
}

async fn transactions(ground: &Ground, database: &str) -> i64 {
    let (sql, driver) = connect(&ground.cluster.url("postgres")).await;
    let text = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
    let count = sql.query_one(text, &[&database]).await.unwrap().get(0);
    driver.abort();
    count
}
