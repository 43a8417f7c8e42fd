//! The end of a seed: no more faults, everything that was held back arrives, and time passes until nothing is due.

use chrono::TimeDelta;
use landfall::gateway::complete::{Report, Source};
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::store::payouts;

use super::super::bank::Note;
use super::super::ground::PROCESSES;
use super::super::trap;
use super::Run;

/// Rounds until everything has to have ended.
const ROUNDS: usize = 400;

/// What is still to end by itself, and when the next job is due: open payouts of requests that nobody has to look at, and requests.
const OPEN: &str = "
SELECT (SELECT count(*) FROM payout p JOIN payout_request r ON r.id = p.request_id WHERE p.final_at IS NULL
           AND r.moderation_reason IS NULL)
     + (SELECT count(*) FROM payout_request WHERE final_at IS NULL AND moderation_reason IS NULL)
     + (SELECT count(*) FROM job WHERE kind = 'callback'),
       (SELECT (EXTRACT(epoch FROM min(run_at)) * 1000)::bigint FROM job WHERE kind IN ('dispatch', 'invoke', 'inquire', 'callback'))";

/// When every balance will have been due.
const LAST_SYNC: &str =
    "SELECT (EXTRACT(epoch FROM max(run_at)) * 1000)::bigint FROM job WHERE kind = 'sync_balance' AND dead_at IS NULL";

impl Run<'_> {
    pub(super) async fn calm_down(&mut self) {
        trap::lift();
        self.note("all is calm now");
        self.ground.bank.books().calm_down();
        for hands in &mut self.hands {
            hands.stands_until = 0;
            if self.draw.percent(30) {
                hands.reports.clear();
            }
            if self.draw.percent(10) {
                hands.tasks.clear();
            }
        }
        self.ask_for_the_rest().await;
        self.process_the_rest().await;
        let mut quiet = 0;
        for round in 0..ROUNDS {
            self.step += 1;
            self.round(round % PROCESSES).await;
            if !self.violations.is_empty() {
                return;
            }
            let row = self.ground.eye.query_one(OPEN, &[]).await.unwrap();
            let (open, due): (i64, Option<i64>) = (row.get(0), row.get(1));
            // What a person is to decide about goes on being asked about: a few times more.
            quiet = if open == 0 { quiet + 1 } else { 0 };
            if quiet > 3 {
                break;
            }
            let now = self.ground.now().timestamp_millis();
            let wait = due.map_or(1_000, |due| (due + 1 - now).clamp(1, 7_200_000));
            self.advance(wait);
            if round % 10 == 9 && !self.look().await {
                return;
            }
        }
        let left = self.ground.bank.books().quiet_in();
        self.ground.world.clock.advance(left + TimeDelta::milliseconds(1));
        self.round(1).await;
        // The last answers arrive when all is over.
        let held = std::mem::take(&mut self.held);
        if let Err(error) = self.gateway(0).complete(&held).await {
            self.judge_error("complete", &error, false);
        }
        self.tell_the_truth().await;
        for _ in 0..2 {
            self.round(0).await;
            // A balance that couldn't be asked for is put off, by more each time.
            let last: Option<i64> = self.ground.eye.query_one(LAST_SYNC, &[]).await.unwrap().get(0);
            let now = self.ground.now().timestamp_millis();
            self.advance(last.map_or(0, |last| last + 1 - now).max(120_000));
            let gateway = self.gateway(0);
            for task in gateway.claim_syncs(100).await.unwrap() {
                gateway.sync(&task).await.unwrap();
            }
        }
        if let Err(error) = self.gateway(0).keep_house().await {
            self.judge_error("keep_house", &error, false);
        }
    }

    /// What waits for its partner's word gets it, or is canceled.
    async fn process_the_rest(&mut self) {
        let caller = &self.ground.partner.caller;
        let gateway = self.gateway(0);
        for index in 0..self.asks.len() {
            if self.asks[index].new.options.auto_process == Some(false)
                && let Some(id) = self.asks[index].id
            {
                // One that has been processed, canceled or expired meanwhile refuses.
                let _ = gateway.process_request(caller, id).await;
            }
        }
    }

    /// Everything that is due now, by one process.
    async fn round(&mut self, process: usize) {
        let gateway = self.gateway(process);
        let hands = std::mem::take(&mut self.hands[process]);
        let mut reports = hands.reports;
        let mut tasks = hands.tasks;
        if let Err(error) = gateway.expire_requests().await {
            self.judge_error("expire", &error, false);
        }
        match gateway.dispatch(200).await {
            Ok((more, _)) => tasks.extend(more),
            Err(error) => self.judge_error("dispatch", &error, false),
        }
        match gateway.claim_invokes(200).await {
            Ok(invokes) => {
                tasks.extend(invokes.tasks);
                reports.extend(invokes.reports);
            }
            Err(error) => self.judge_error("claim_invokes", &error, false),
        }
        tasks.sort_by_key(|task| task.payout.id);
        for task in &tasks {
            let report = gateway.send(task).await;
            self.note(format!("process {process} sends {}: {report:?}", task.payout.provider_reference));
            reports.extend(report);
        }
        match gateway.claim_inquiries(200).await {
            Ok(mut payouts) => {
                payouts.sort_by_key(|payout| payout.id);
                for payout in payouts {
                    let report = gateway.inquire(&payout).await;
                    self.note(format!("process {process} asks about {}: {report:?}", payout.provider_reference));
                    reports.extend(report);
                }
            }
            Err(error) => self.judge_error("claim_inquiries", &error, false),
        }
        if let Err(error) = gateway.complete(&reports).await {
            self.judge_error("complete", &error, false);
        }
        let notes: Vec<Note> = std::mem::take(&mut self.ground.bank.books().outbox);
        for note in notes {
            self.receive(process, &note).await;
        }
        if let Err(error) = gateway.apply_callbacks(500).await {
            self.judge_error("apply_callbacks", &error, false);
        }
    }

    /// The provider's statement: what it paid although it had said otherwise, and what came back.
    async fn tell_the_truth(&mut self) {
        let ids: Vec<_> = {
            let rows = self.ground.eye.query("SELECT id::text FROM payout_request", &[]).await.unwrap();
            rows.iter().map(|row| (self.ground.partner.tenant(), id_of(row.get(0)))).collect()
        };
        let conn = self.ground.app(0).db.get().await.unwrap();
        let all = payouts::of_requests(&conn, &ids).await.unwrap();
        drop(conn);
        let mut truths: Vec<Report> = Vec::new();
        {
            let books = self.ground.bank.books();
            for payout in all {
                let Some(payment) = books.payments.get(&payout.provider_reference) else { continue };
                let mut tell = |outcome: Outcome| {
                    truths.push(Report {
                        tenant: payout.tenant(),
                        request_id: payout.request_id,
                        payout_id: payout.id,
                        source: Source::Callback,
                        outcome,
                    });
                };
                if payment.paid > payout.amount_processed {
                    tell(Outcome::Processed { amount: payment.paid, ids: ProviderIds::default() });
                }
                if payment.returned > payout.amount_returned {
                    tell(Outcome::Returned { amount: payment.returned, ids: ProviderIds::default() });
                }
            }
        }
        self.tally.add("run", "truths of the provider's statement", u64::try_from(truths.len()).unwrap());
        for truth in truths {
            self.note(format!("the statement says {truth:?}"));
            if let Err(error) = self.gateway(0).complete(&[truth]).await {
                self.judge_error("complete", &error, false);
            }
        }
    }
}

fn id_of(text: &str) -> landfall::domain::ids::PayoutRequestId {
    text.parse::<uuid::Uuid>().unwrap().into()
}
