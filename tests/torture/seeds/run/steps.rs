//! Which step is taken, and the steps of processes that carry payouts on: dispatching, sending, asking, completing.

use chrono::TimeDelta;
use landfall::domain::payout::Resolution;
use landfall::gateway::GatewayError;
use landfall::gateway::complete::{Report, Source};
use landfall::providers::provider::Outcome;

use super::super::ground::{LANES, PROCESSES};
use super::Run;

#[derive(Clone, Copy)]
enum Step {
    Ask,
    AskAgain,
    Wallet,
    Change,
    Dispatch,
    Send,
    ClaimInvokes,
    ClaimInquiries,
    Inquire,
    Complete,
    CallBack,
    Forge,
    ApplyCallbacks,
    Sync,
    KeepHouse,
    CatchUp,
    Clock,
    Outage,
    StandStill,
    Die,
}

/// How often each step is taken.
const STEPS: [(usize, Step); 20] = [
    (8, Step::Ask),
    (3, Step::AskAgain),
    (3, Step::Wallet),
    (3, Step::Change),
    (12, Step::Dispatch),
    (22, Step::Send),
    (8, Step::ClaimInvokes),
    (9, Step::ClaimInquiries),
    (10, Step::Inquire),
    (16, Step::Complete),
    (4, Step::CallBack),
    (1, Step::Forge),
    (4, Step::ApplyCallbacks),
    (4, Step::Sync),
    (2, Step::KeepHouse),
    (3, Step::CatchUp),
    (9, Step::Clock),
    (1, Step::Outage),
    (1, Step::StandStill),
    (1, Step::Die),
];

impl Run<'_> {
    pub(super) async fn act(&mut self) {
        let step = self.draw.weighted(&STEPS);
        let process = self.awake();
        match step {
            Step::Ask => self.ask(process).await,
            Step::AskAgain => self.ask_again(process).await,
            Step::Wallet => self.wallet(process).await,
            Step::Change => self.change(process).await,
            Step::Dispatch => self.dispatch(process).await,
            Step::Send => {
                if self.hands[process].tasks.is_empty() {
                    self.dispatch(process).await;
                }
                let count = self.draw.between(1, 16);
                for _ in 0..count {
                    self.send_one(process).await;
                }
            }
            Step::ClaimInvokes => self.claim_invokes(process).await,
            Step::ClaimInquiries => self.claim_inquiries(process).await,
            Step::Inquire => {
                if self.hands[process].asked_about.is_empty() {
                    self.claim_inquiries(process).await;
                }
                let count = self.draw.between(1, 16);
                for _ in 0..count {
                    self.inquire_one(process).await;
                }
            }
            Step::Complete => self.complete(process).await,
            Step::CallBack => {
                let count = self.draw.between(1, 6);
                for _ in 0..count {
                    self.call_back(process).await;
                }
            }
            Step::Forge => self.forge(process).await,
            Step::ApplyCallbacks => self.apply_callbacks(process).await,
            Step::Sync => self.sync(process).await,
            Step::KeepHouse => self.keep_house(process).await,
            Step::CatchUp => self.catch_up(process).await,
            Step::Clock => {
                let millis = self.draw.millis();
                self.advance(millis);
                self.note(format!("{millis} ms pass"));
                self.tally.note("fault", if millis > 60_000 { "clock jumps over a lease" } else { "clock moves" });
            }
            Step::Outage => {
                let lane = LANES[self.draw.below(LANES.len())].code;
                let millis = self.draw.millis();
                let mut books = self.ground.bank.books();
                let until = books.now() + TimeDelta::milliseconds(millis);
                books.lanes.get_mut(lane).unwrap().outage_until = Some(until);
                drop(books);
                self.note(format!("{lane} is out for {millis} ms"));
            }
            Step::StandStill => {
                let steps = u64::try_from(self.draw.between(3, 40)).unwrap();
                self.hands[process].stands_until = self.step + steps;
                self.note(format!("process {process} stands still for {steps} steps"));
                self.tally.note("fault", "process stands still");
            }
            Step::Die => {
                self.note(format!("process {process} dies"));
                self.die(process);
            }
        }
    }

    /// What others left behind: after a lease's time, one process does whatever is due for a while.
    async fn catch_up(&mut self, process: usize) {
        let millis = i64::try_from(self.draw.between(58_000, 70_000)).unwrap();
        self.note(format!("{millis} ms pass, and process {process} does what is due"));
        self.advance(millis);
        for _ in 0..self.draw.between(2, 6) {
            self.claim_invokes(process).await;
            if self.draw.percent(50) {
                self.complete(process).await;
            }
            for _ in 0..self.hands[process].tasks.len() {
                self.send_one(process).await;
            }
            self.complete(process).await;
            self.claim_inquiries(process).await;
            for _ in 0..self.hands[process].asked_about.len() {
                self.inquire_one(process).await;
            }
            self.complete(process).await;
            let millis = i64::try_from(self.draw.between(500, 12_000)).unwrap();
            self.advance(millis);
        }
    }

    /// An error is one that was injected, or it is a finding.
    pub(super) fn judge_error(&mut self, what: &str, error: &GatewayError, injected: bool) {
        self.note(format!("  {what} failed: {error}"));
        if !injected {
            self.broken("no step fails by itself", format!("{what}: {error}"));
        }
    }

    async fn dispatch(&mut self, process: usize) {
        let size = self.draw.between(1, 20);
        self.lay_trap(6);
        if self.in_parallel && self.draw.percent(25) {
            let other = (process + 1) % PROCESSES;
            let (one, two) = (self.gateway(process), self.gateway(other));
            let both = async { tokio::join!(one.dispatch(size), two.dispatch(size)) };
            self.note(format!("processes {process} and {other} dispatch {size} each, at once"));
            let (done, injected) = self.done(&[process, other], both).await;
            let Some((one, two)) = done else { return };
            self.dispatched(process, one, injected);
            self.dispatched(other, two, injected);
            return;
        }
        let gateway = self.gateway(process);
        let (done, injected) = self.done(&[process], gateway.dispatch(size)).await;
        self.note(format!("process {process} dispatches {size}"));
        let Some(done) = done else { return };
        self.dispatched(process, done, injected);
    }

    fn dispatched(
        &mut self,
        process: usize,
        outcome: Result<(Vec<landfall::gateway::invoke::SendTask>, usize), GatewayError>,
        injected: bool,
    ) {
        match outcome {
            Ok((mut tasks, claimed)) => {
                // Whatever order PostgreSQL answers in.
                tasks.sort_by(|one, other| one.payout.provider_reference.cmp(&other.payout.provider_reference));
                let told: Vec<_> = tasks.iter().map(|task| task.payout.provider_reference.clone()).collect();
                self.note(format!("  {claimed} requests, to send: {}", told.join(" ")));
                self.hands[process].tasks.extend(tasks);
            }
            Err(error) => self.judge_error("dispatch", &error, injected),
        }
    }

    pub(super) async fn send_one(&mut self, process: usize) {
        if self.hands[process].tasks.is_empty() {
            return;
        }
        let index = self.draw.below(self.hands[process].tasks.len());
        let task = self.hands[process].tasks.swap_remove(index);
        self.lay_trap(1);
        "not sent".clone_into(&mut self.ground.bank.books().last);
        let gateway = self.gateway(process);
        let (done, _) = self.done(&[process], gateway.send(&task)).await;
        let last = self.ground.bank.books().last.clone();
        let (reference, sends) = (&task.payout.provider_reference, task.payout.sends);
        let answer = done.as_ref().map(|report| report.as_ref().map(|report| &report.outcome));
        self.note(format!("process {process} sends {reference} ({sends}): {last}, {answer:?}"));
        self.tally.note("run", "sends");
        if let Some(Some(report)) = done {
            self.keep(process, report);
        }
    }

    /// Holds an answer; now and then it is told twice, or never.
    fn keep(&mut self, process: usize, report: Report) {
        let is_first = matches!(report.source, Source::Send { sends: 1, .. });
        let had_no_effect = matches!(report.outcome, Outcome::Declined { resolution: Resolution::RateLimited, .. });
        if is_first && had_no_effect && self.draw.percent(60) {
            self.tally.note("fault", "answer held back");
            self.held.push(report);
            return;
        }
        if self.draw.percent(3) {
            self.tally.note("fault", "answer never handed on");
            return;
        }
        if self.draw.percent(5) {
            self.tally.note("fault", "answer handed on twice");
            self.hands[process].reports.push(report.clone());
        }
        self.hands[process].reports.push(report);
    }

    async fn claim_invokes(&mut self, process: usize) {
        let size = self.draw.between(1, 20);
        self.lay_trap(6);
        let gateway = self.gateway(process);
        let (done, injected) = self.done(&[process], gateway.claim_invokes(size)).await;
        match done {
            Some(Ok(mut invokes)) if invokes.claimed > 0 => {
                invokes.tasks.sort_by_key(|task| task.payout.id);
                invokes.reports.sort_by_key(|report| report.payout_id);
                let told: Vec<_> = invokes.tasks.iter().map(|t| t.payout.provider_reference.clone()).collect();
                let gone = invokes.reports.len();
                self.note(format!("process {process} reclaims {gone}, sends again: {}", told.join(" ")));
                self.tally.add("run", "payouts reclaimed", u64::try_from(gone).unwrap());
                self.tally.add("run", "payouts sent again", u64::try_from(told.len()).unwrap());
                // Just now the answer to the first send arrives.
                let is_resent = |report: &Report| invokes.tasks.iter().any(|task| task.payout.id == report.payout_id);
                let (arrived, held): (Vec<_>, Vec<_>) = std::mem::take(&mut self.held).into_iter().partition(is_resent);
                self.held = held;
                self.tally.add("fault", "answer to a send that was repeated", u64::try_from(arrived.len()).unwrap());
                self.hands[process].reports.extend(arrived);
                self.hands[process].tasks.extend(invokes.tasks);
                self.hands[process].reports.extend(invokes.reports);
            }
            Some(Err(error)) => self.judge_error("claim_invokes", &error, injected),
            _ => {}
        }
    }

    async fn claim_inquiries(&mut self, process: usize) {
        let size = self.draw.between(1, 20);
        self.lay_trap(5);
        let gateway = self.gateway(process);
        let (done, injected) = self.done(&[process], gateway.claim_inquiries(size)).await;
        match done {
            Some(Ok(mut payouts)) if !payouts.is_empty() => {
                payouts.sort_by_key(|payout| payout.id);
                self.note(format!("process {process} is to ask about {}", payouts.len()));
                self.hands[process].asked_about.extend(payouts);
            }
            Some(Err(error)) => self.judge_error("claim_inquiries", &error, injected),
            _ => {}
        }
    }

    async fn inquire_one(&mut self, process: usize) {
        if self.hands[process].asked_about.is_empty() {
            return;
        }
        let index = self.draw.below(self.hands[process].asked_about.len());
        let payout = self.hands[process].asked_about.swap_remove(index);
        self.lay_trap(1);
        let gateway = self.gateway(process);
        let (done, _) = self.done(&[process], gateway.inquire(&payout)).await;
        if let Some(Some(report)) = done {
            self.note(format!("process {process} asks about {}: {:?}", payout.provider_reference, report.outcome));
            self.tally.note("run", "inquiries");
            self.keep(process, report);
        }
    }

    async fn complete(&mut self, process: usize) {
        let held = self.hands[process].reports.len();
        if held == 0 {
            return;
        }
        let count = self.draw.between(1, held.min(24));
        let mut batch = Vec::new();
        for _ in 0..count {
            let index = self.draw.below(self.hands[process].reports.len());
            batch.push(self.hands[process].reports.swap_remove(index));
        }
        let told = |reports: &[Report]| {
            let lines = reports.iter().map(|r| format!("{} {:?} {:?}", r.payout_id, r.source, r.outcome));
            lines.collect::<Vec<_>>().join("\n        ")
        };
        self.note(format!("process {process} completes {count}:\n        {}", told(&batch)));
        self.lay_trap(7);
        let gateway = self.gateway(process);
        if self.in_parallel && batch.len() > 1 && self.draw.percent(30) {
            let other = (process + 1) % PROCESSES;
            let two = self.gateway(other);
            let half = batch.len() / 2;
            let both = async { tokio::join!(gateway.complete(&batch[..half]), two.complete(&batch[half..])) };
            let (done, injected) = self.done(&[process, other], both).await;
            let Some((one, two)) = done else { return };
            for error in [one, two].into_iter().filter_map(Result::err) {
                self.judge_error("complete", &error, injected);
            }
            return;
        }
        let (done, injected) = self.done(&[process], gateway.complete(&batch)).await;
        if let Some(Err(error)) = done {
            self.judge_error("complete", &error, injected);
            // As the worker does it.
            for report in &batch {
                if let Err(error) = gateway.complete(std::slice::from_ref(report)).await {
                    self.judge_error("complete one", &error, false);
                }
            }
        }
    }
}
