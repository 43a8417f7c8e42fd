//! The engine under simulation. One driver holds the clock, the provider and the network before it, and the choice of which step of
//! which process runs next, all drawn from a seed, over a real PostgreSQL. After every step the invariants hold, and at the end our
//! books are the provider's to the cent.
//!
//! `TORTURE_SEEDS=0..1000 cargo nextest run --features torture --test torture -E 'test(seeds_of_the_environment)' --no-capture` runs as
//! many as it is told; a seed that fails is told with how to run it again. PostgreSQL's own locking isn't drawn: in a third of the seeds
//! two steps may run at once, and only those may take another turn when they are run again.

mod bank;
mod checks;
mod draw;
mod ground;
mod rules;
mod run;
mod suite;
mod tally;
mod trap;

use checks::{Checks, Violation};
use draw::Draw;
use ground::Ground;
use landfall::torture;
use run::Run;
use tally::Tally;

/// What came of a seed.
pub struct Outcome {
    pub seed: u64,
    /// Two steps may have run at once: run again, it may take another turn.
    pub in_parallel: bool,
    pub tally: Tally,
    pub violations: Vec<Violation>,
    pub log: Vec<String>,
}

/// A world in which one seed is run after the other.
pub struct Simulation {
    ground: Ground,
    checks: Checks,
}

impl Simulation {
    pub async fn new() -> Self {
        trap::listen();
        torture::set_ids(Some(u64::MAX));
        let ground = Ground::new().await;
        let checks = Checks::prepare(&ground).await;
        Self { ground, checks }
    }

    pub async fn run(&mut self, seed: u64) -> Outcome {
        let mut draw = Draw::new(seed);
        torture::set_ids(Some(seed));
        let like = self.ground.begin(seed, &mut draw).await;
        let mut run = Run::new(&self.ground, &self.checks, draw);
        let violations = run.go().await;
        let mut log = vec![format!("seed {seed}: {like}")];
        log.append(&mut run.log);
        run.tally.note("run", "seeds");
        torture::set_ids(None);
        Outcome { seed, in_parallel: run.in_parallel, tally: run.tally, violations, log }
    }
}
