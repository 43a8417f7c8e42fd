//! The whole server killed at drawn moments under load, over and over: by the clock, and at whatever step it stands.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::check::{Outcome, checked};
use super::client::Client;
use super::draw::Draw;
use super::ground::{Database, Ground};
use super::load::{Load, Meant};
use super::server::{Launch, Server, free_port};

/// A run of kills over one database.
pub struct Plan {
    pub name: String,
    pub kills: u64,
    pub seed: u64,
    pub clients: usize,
    /// Whether a second server works beside the one that dies.
    pub with_second: bool,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub kills: u64,
    /// Of those, at a step that was drawn.
    pub at_steps: u64,
    pub took: Duration,
    pub outcome: Outcome,
    /// Tries of clients that were answered, not answered, and answered with a failure.
    pub tries: [u64; 3],
}

/// Clients that ask for things until they are told to stop, and then until all is answered.
pub struct Clients<'a> {
    pub ground: &'a Ground,
    pub client: Client,
    pub name: String,
    pub stop: AtomicBool,
    pub begun: AtomicU64,
    pub meant: Mutex<Meant>,
}

impl<'a> Clients<'a> {
    pub fn new(ground: &'a Ground, client: Client, name: &str) -> Self {
        Self {
            ground,
            client,
            name: name.to_owned(),
            stop: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            meant: Mutex::default(),
        }
    }

    pub async fn run(&self, clients: usize) {
        let load = |name: String| Load { ground: self.ground, client: self.client.clone(), name };
        let credited = load(format!("{}-first", self.name)).credit("USD", "9000000").await;
        self.meant.lock().unwrap().join(credited);
        let one = async |n: usize| {
            while !self.stop.load(Ordering::SeqCst) {
                let turn = self.begun.fetch_add(1, Ordering::SeqCst);
                let meant = load(format!("{}-{n}-{turn}", self.name)).some(turn).await;
                self.meant.lock().unwrap().join(meant);
            }
        };
        join_all((0..clients).map(one)).await;
    }

    pub fn meant(&self) -> Meant {
        self.meant.lock().unwrap().clone()
    }
}

pub async fn run(ground: &Ground, plan: &Plan) -> Report {
    let database = ground.database().await;
    let report = run_over(ground, &database, plan).await;
    if report.outcome.differences.is_empty() {
        ground.drop(&database).await;
    } else {
        eprintln!("{}: its database is kept: psql '{}'", plan.name, database.url);
    }
    report
}

async fn run_over(ground: &Ground, database: &Database, plan: &Plan) -> Report {
    let started = Instant::now();
    let launch = Launch::new(&database.url, free_port(), "api,worker", &format!("{}-a", plan.name));
    let beside = Launch::new(&database.url, free_port(), "api,worker", &format!("{}-b", plan.name));
    let second = if plan.with_second { Some(Server::spawn(ground, &beside)) } else { None };
    let ports = if plan.with_second { vec![launch.port, beside.port] } else { vec![launch.port] };
    let client = ground.client(&ports);
    let clients = Clients::new(ground, client.clone(), &plan.name);
    let mut report = Report::default();
    let mut draw = Draw::of(plan.seed);
    let killing = async {
        for _ in 0..plan.kills {
            if draw.below(2) == 0 {
                at_a_moment(ground, &launch, draw.between(50, 800)).await;
            } else {
                let n = draw.between(1, 150);
                report.at_steps += u64::from(at_a_step(ground, &launch, n).await);
            }
            report.kills += 1;
        }
        clients.stop.store(true, Ordering::SeqCst);
        // One that stays, for what is left.
        Server::spawn(ground, &launch)
    };
    let (last, ()) = tokio::join!(killing, clients.run(plan.clients));
    report.outcome = checked(ground, database, &client, &clients.meant(), false).await;
    last.kill().await;
    if let Some(second) = second {
        second.kill().await;
    }
    let counts = client.counts();
    report.tries = [&counts.answered, &counts.lost, &counts.failed].map(|count| count.load(Ordering::SeqCst));
    report.took = started.elapsed();
    report
}

/// Killed so long after it is ready.
async fn at_a_moment(ground: &Ground, launch: &Launch, millis: u64) {
    if let Some(server) = Server::start(ground, launch).await {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        server.kill().await;
    }
}

/// Killed by itself at the so-many-th step of all; answers whether it came so far.
async fn at_a_step(ground: &Ground, launch: &Launch, n: u64) -> bool {
    let launch = launch.clone().with("LANDFALL_FAILPOINTS", format!("*=kill@{n}"));
    let mut server = Server::spawn(ground, &launch);
    match tokio::time::timeout(Duration::from_secs(3), server.died()).await {
        Ok(by_itself) => by_itself,
        Err(_) => {
            server.kill().await;
            false
        }
    }
}

/// Servers that are killed while they start over a database without any table, until one is let be; answers what doesn't fit then.
pub async fn first_starts(ground: &Ground, rounds: u64, seed: u64) -> Vec<String> {
    let mut draw = Draw::of(seed);
    let mut differences = Vec::new();
    for round in 0..rounds {
        let database = ground.empty_database().await;
        let launch = Launch::new(&database.url, free_port(), "api,worker", &format!("first-{round}"));
        for _ in 0..2 {
            let server = Server::spawn(ground, &launch);
            tokio::time::sleep(Duration::from_millis(draw.between(20, 600))).await;
            server.kill().await;
        }
        // The first steps after the schema is there.
        at_a_step(ground, &launch, draw.between(1, 6)).await;
        let Some(server) = Server::start(ground, &launch).await else {
            differences.push(format!("round {round}: it doesn't start any more"));
            continue;
        };
        let verified = ground.run(&database.url, &["verify"]).await;
        if !verified.status.success() {
            differences.push(format!("round {round}: {}", String::from_utf8_lossy(&verified.stdout)));
        }
        server.kill().await;
        ground.drop(&database).await;
    }
    differences
}
