//! One seed: its processes, what they have in hand, and the choice of the step that runs next.

mod calm;
mod judge;
mod outside_steps;
mod partner_steps;
mod steps;
mod wallet_steps;

use chrono::TimeDelta;
use landfall::domain::ids::{OfferId, PayoutRequestId};
use landfall::gateway::Gateway;
use landfall::gateway::balance_syncs::{Asked, SyncTask};
use landfall::gateway::complete::Report;
use landfall::gateway::inquire::DueInquiry;
use landfall::gateway::invoke::SendTask;
use landfall::gateway::requests::NewRequest;
use landfall::torture::Action;
use landfall::wallet::User;
use rust_decimal::Decimal;

use super::checks::{Checks, LEDGER_CHECKS, STEP_CHECKS, Violation};
use super::draw::Draw;
use super::ground::{Ground, PROCESSES};
use super::tally::Tally;
use super::trap;

/// The ledger is added up after so many steps.
const LEDGER_EVERY: u64 = 25;

/// What a process has in its memory, and loses when it dies.
#[derive(Default)]
struct Hands {
    tasks: Vec<SendTask>,
    asked_about: Vec<DueInquiry>,
    reports: Vec<Report>,
    syncs: Vec<(SyncTask, Option<Asked>)>,
    /// It stands still until that step.
    stands_until: u64,
}

/// A request as its partner sees it.
struct Ask {
    new: NewRequest,
    reference: String,
    /// Known once it was answered.
    id: Option<PayoutRequestId>,
    /// It was never written, and its time was over when it was asked for again.
    came_too_late: bool,
}

struct OfferMade {
    user: usize,
    id: OfferId,
    total: Decimal,
    amount_to: Decimal,
    request: Option<PayoutRequestId>,
}

pub struct Run<'g> {
    ground: &'g Ground,
    checks: &'g Checks,
    draw: Draw,
    pub tally: Tally,
    pub log: Vec<String>,
    step: u64,
    hands: Vec<Hands>,
    asks: Vec<Ask>,
    users: Vec<(User, landfall::domain::ids::CardId)>,
    offers: Vec<OfferMade>,
    to_ask: usize,
    /// Whether two steps may run at once, in the order that PostgreSQL's locks give them.
    pub in_parallel: bool,
    violations: Vec<Violation>,
    /// Answers that are still on their way: refusals that had no effect, which come when something else has happened since.
    held: Vec<Report>,
    /// Whether the step did anything.
    touched: bool,
}

impl<'g> Run<'g> {
    pub fn new(ground: &'g Ground, checks: &'g Checks, mut draw: Draw) -> Self {
        Self {
            ground,
            checks,
            tally: Tally::default(),
            log: Vec::new(),
            step: 0,
            hands: (0..PROCESSES).map(|_| Hands::default()).collect(),
            asks: Vec::new(),
            users: Vec::new(),
            offers: Vec::new(),
            to_ask: draw.between(85, 110),
            in_parallel: draw.percent(30),
            violations: Vec::new(),
            held: Vec::new(),
            touched: false,
            draw,
        }
    }

    /// The whole seed. Stops at the first violation.
    pub async fn go(&mut self) -> Vec<Violation> {
        let mut after = 0;
        while after < 80 {
            self.step += 1;
            if self.to_ask == 0 {
                after += 1;
            }
            self.touched = false;
            self.act().await;
            if self.touched && !self.look().await {
                return std::mem::take(&mut self.violations);
            }
        }
        self.calm_down().await;
        if self.look().await {
            self.judge().await;
        }
        self.tally.add("run", "steps", self.step);
        let tally = self.ground.bank.books().injected();
        self.tally.join(&tally);
        std::mem::take(&mut self.violations)
    }

    fn gateway(&self, process: usize) -> &'g Gateway {
        &self.ground.app(process).gateway
    }

    /// A process that isn't standing still.
    fn awake(&mut self) -> usize {
        let awake: Vec<usize> =
            (0..PROCESSES).filter(|process| self.hands[*process].stands_until <= self.step).collect();
        if awake.is_empty() { 0 } else { self.draw.of(&awake) }
    }

    fn note(&mut self, line: impl Into<String>) {
        let at = self.ground.now().format("%d %H:%M:%S%.3f");
        self.log.push(format!("{:>4} {at} {}", self.step, line.into()));
    }

    fn broken(&mut self, check: &str, what: impl Into<String>) {
        self.violations.push(Violation::of(check, what));
    }

    /// Holds the invariants against what is there now. Answers whether they hold.
    async fn look(&mut self) -> bool {
        let found = self.checks.step(&self.ground.eye, &self.ground.bank).await;
        self.violations.extend(found);
        self.tally.add("invariants checked", "after a step", STEP_CHECKS);
        if self.step.is_multiple_of(LEDGER_EVERY) {
            let found = self.checks.ledger(&self.ground.eye).await;
            self.violations.extend(found);
            self.tally.add("invariants checked", "of the ledger", LEDGER_CHECKS);
        }
        self.violations.is_empty()
    }

    /// Lays a trap for the step that comes, now and then.
    fn lay_trap(&mut self, chance: usize) {
        if self.draw.percent(chance) {
            let action = if self.draw.percent(60) { Action::Hang } else { Action::Error };
            trap::lay(self.draw.below(5), action);
        }
    }

    /// Does a step of a process, which may die in it. `None`: it did.
    async fn done<T>(&mut self, processes: &[usize], step: impl Future<Output = T>) -> (Option<T>, bool) {
        self.touched = true;
        let outcome = trap::survive(step).await;
        let sprung = trap::lift();
        let failed = sprung.is_some();
        if let Some((place, action)) = sprung {
            let kind = kind_of(&place);
            let what = if action == Action::Hang { "died" } else { "failed" };
            self.tally.note("failpoint", format!("{what} {kind}"));
            self.note(format!("  {what} at {place}"));
        }
        if outcome.is_none() {
            for process in processes {
                self.die(*process);
            }
            self.ground.bury().await;
        }
        (outcome, failed)
    }

    /// The memory of a process is lost.
    fn die(&mut self, process: usize) {
        self.tally.note("fault", "process died");
        self.hands[process] = Hands::default();
    }

    fn advance(&mut self, millis: i64) {
        self.touched = true;
        self.ground.world.clock.advance(TimeDelta::milliseconds(millis));
    }
}

/// `gateway/dispatch.rs:117 before commit` without its line.
fn kind_of(place: &str) -> String {
    match place.split_once(':') {
        Some((file, rest)) => {
            let step = rest.split_once(' ').map_or("", |(_, step)| step);
            format!("{file} {step}")
        }
        None => place.to_owned(),
    }
}
