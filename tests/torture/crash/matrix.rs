//! Every failpoint that the load reaches, times every kind of failure: one process meets it, a second one takes over, the first comes
//! back, and everything is checked.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::check::{Outcome, checked};
use super::draw::Draw;
use super::ground::{Database, Ground, LEASE};
use super::load::Load;
use super::server::{Launch, Server, free_port};

/// What happens at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Kill,
    Error,
    /// For longer than the lease.
    Pause,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Kill, Kind::Error, Kind::Pause];

    fn action(self) -> String {
        match self {
            Kind::Kill => "kill".to_owned(),
            Kind::Error => "error".to_owned(),
            Kind::Pause => format!("pause:{}", (LEASE + Duration::from_millis(1000)).as_millis()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Kill => "kill",
            Kind::Error => "error",
            Kind::Pause => "pause",
        })
    }
}

#[derive(Clone, Debug)]
pub struct Case {
    pub place: String,
    pub kind: Kind,
    /// The so-many-th time that the place is reached.
    pub nth: u64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}@{}", self.place, self.kind, self.nth)
    }
}

/// How a case went.
#[derive(Clone, Debug)]
pub struct Held {
    pub case: Case,
    /// Whether the failpoint was reached at all.
    pub hit: bool,
    pub kills: u64,
    pub restarts: u64,
    pub took: Duration,
    pub outcome: Outcome,
}

impl Held {
    pub fn is_good(&self) -> bool {
        self.outcome.differences.is_empty()
    }
}

/// The places that the load reaches in a process, in the order of their names.
pub async fn discovered(ground: &Ground) -> Vec<String> {
    let database = ground.database().await;
    let seen = ground.file("places");
    let launch = Launch::new(&database.url, free_port(), "api,worker", "discovery")
        .with("LANDFALL_FAILPOINTS_SEEN", seen.display().to_string());
    let server = Server::spawn(ground, &launch);
    let client = ground.client(&[launch.port]);
    let load = Load { ground, client: client.clone(), name: "seen".to_owned() };
    let meant = load.all().await;
    let outcome = checked(ground, &database, &client, &meant, true).await;
    assert!(outcome.differences.is_empty(), "without any failure: {:#?}\n{}", outcome.differences, server.said());
    server.kill().await;
    ground.drop(&database).await;
    let mut places: Vec<String> = std::fs::read_to_string(seen).unwrap().lines().map(str::to_owned).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Two processes over one database: the first meets the failpoint.
struct Pair<'a> {
    ground: &'a Ground,
    first: Launch,
    second: Launch,
    a: Option<Server>,
    b: Option<Server>,
    done: std::path::PathBuf,
    kills: u64,
    restarts: u64,
}

impl Pair<'_> {
    fn was_hit(&self) -> bool {
        std::fs::metadata(&self.done).is_ok_and(|meta| meta.len() > 0)
    }

    /// Starts the second when the failpoint was met, and the first again when it is dead. Never ends.
    async fn watch(&mut self, client: &super::client::Client) {
        loop {
            if self.b.is_none() && self.was_hit() {
                self.b = Some(Server::spawn(self.ground, &self.second));
                client.knows(self.second.port);
            }
            if self.a.as_mut().is_some_and(|a| !a.is_alive()) {
                let mut dead = self.a.take().unwrap();
                self.kills += u64::from(dead.died().await);
                // Whoever watches over it starts it again; the second one is up by then.
                tokio::time::sleep(Duration::from_millis(300)).await;
                let mut again = self.first.clone();
                again.environment.clear();
                self.a = Some(Server::spawn(self.ground, &again));
                self.restarts += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// One case, over a database of its own.
pub async fn run(ground: &Ground, n: usize, case: &Case) -> Held {
    let started = Instant::now();
    let database = ground.database().await;
    let held = run_over(ground, &database, n, case, started).await;
    if held.is_good() {
        ground.drop(&database).await;
    } else {
        eprintln!("case {n} {case}: its database is kept: psql '{}'", database.url);
    }
    held
}

async fn run_over(ground: &Ground, database: &Database, n: usize, case: &Case, started: Instant) -> Held {
    let done = ground.file(&format!("case-{n}.done"));
    let _ = std::fs::remove_file(&done);
    let first = Launch::new(&database.url, free_port(), "api,worker", &format!("case-{n}-a"))
        .with("LANDFALL_FAILPOINTS", format!("{}={}@{}", case.place, case.kind.action(), case.nth))
        .with("LANDFALL_FAILPOINTS_DONE", done.display().to_string());
    let second = Launch::new(&database.url, free_port(), "api,worker", &format!("case-{n}-b"));
    let client = ground.client(&[first.port]);
    let a = Server::spawn(ground, &first);
    let mut pair = Pair { ground, first, second, a: Some(a), b: None, done, kills: 0, restarts: 0 };
    let load = Load { ground, client: client.clone(), name: format!("c{n}") };
    let work = async {
        let meant = load.all().await;
        checked(ground, database, &client, &meant, true).await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = pair.watch(&client) => unreachable!(),
    };
    let hit = pair.was_hit();
    for server in [pair.a.take(), pair.b.take()].into_iter().flatten() {
        server.kill().await;
    }
    Held { case: case.clone(), hit, kills: pair.kills, restarts: pair.restarts, took: started.elapsed(), outcome }
}

/// Runs cases, some at once. What wasn't reached at its drawn time is run again at the first.
pub async fn run_all(ground: &Ground, cases: Vec<Case>, at_once: usize, told: impl Fn(&Held)) -> Vec<Held> {
    let queue: Mutex<VecDeque<(usize, Case)>> = Mutex::new(cases.into_iter().enumerate().collect());
    let done: Mutex<Vec<Held>> = Mutex::new(Vec::new());
    let lane = async || {
        loop {
            let next = queue.lock().unwrap().pop_front();
            let Some((n, case)) = next else { return };
            let mut held = run(ground, n, &case).await;
            if !held.hit && held.is_good() && case.nth > 1 {
                held = run(ground, n, &Case { nth: 1, ..case }).await;
            }
            told(&held);
            done.lock().unwrap().push(held);
        }
    };
    join_all((0..at_once).map(|_| lane())).await;
    done.into_inner().unwrap()
}

/// Every place times every kind, each at a drawn time of the first few.
pub fn whole(places: &[String], draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for place in places {
        for kind in Kind::ALL {
            cases.push(Case { place: place.clone(), kind, nth: 1 + draw.below(3) });
        }
    }
    draw.shuffle(&mut cases);
    cases
}

/// The table that a run ends with: places by kinds, held of hit.
pub fn table(all: &[Held]) -> String {
    use std::fmt::Write;
    let mut rows: BTreeMap<&str, BTreeMap<Kind, (u64, u64, u64)>> = BTreeMap::new();
    for held in all {
        let cell = rows.entry(&held.case.place).or_default().entry(held.case.kind).or_default();
        cell.0 += u64::from(held.hit && held.is_good());
        cell.1 += u64::from(held.hit);
        cell.2 += 1;
    }
    let mut text = format!("{:<48} {:>9} {:>9} {:>9}\n", "failpoint (held/hit)", "kill", "error", "pause");
    for (place, kinds) in rows {
        write!(text, "{place:<48}").unwrap();
        for kind in Kind::ALL {
            let cell = kinds.get(&kind).map_or_else(String::new, |(held, hit, _)| format!("{held}/{hit}"));
            write!(text, " {cell:>9}").unwrap();
        }
        text.push('\n');
    }
    text
}
