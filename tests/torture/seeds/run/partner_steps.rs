//! What partners do: they ask, ask again, change their mind, and never hear of it when we die before we answer.

use chrono::TimeDelta;
use landfall::clock::Clock;
use landfall::domain::ids::PayoutRequestId;
use landfall::domain::payout_request::SplitMode;
use landfall::gateway::access::Refusal;
use landfall::gateway::requests::{NewRequest, Patch, RequestOptions, Submitted};
use rust_decimal::{Decimal, dec};

use super::super::ground::PROCESSES;
use super::{Ask, Run};

/// Ends of amounts above 13 that the provider has a behaviour for.
const ENDINGS: [Decimal; 8] =
    [dec!(0.01), dec!(0.02), dec!(0.03), dec!(0.04), dec!(0.05), dec!(0.06), dec!(0.08), dec!(0.09)];

type Answer = Result<Submitted, Refusal>;

impl Run<'_> {
    fn draw_request(&mut self) -> NewRequest {
        let now = self.ground.world.clock.now();
        let draw = &mut self.draw;
        let partner = &self.ground.partner;
        let name = format!("ask-{}", self.asks.len());
        let splits = [SplitMode::Auto, SplitMode::Auto, SplitMode::Always, SplitMode::Never];
        let secs = i64::try_from(60 + draw.below(3_600)).unwrap();
        let options = RequestOptions {
            attempts_limit: Some(u16::try_from(draw.between(1, 6)).unwrap()),
            attempts_per_route_limit: Some(u16::try_from(draw.between(1, 2)).unwrap()),
            allow_partially: Some(draw.percent(50)),
            auto_process: Some(draw.percent(95)),
            split_mode: Some(draw.of(&splits)),
            parallel_mode: Some(draw.percent(50)),
            expires_at: draw.percent(12).then(|| now + TimeDelta::seconds(secs)),
        };
        if draw.percent(12) {
            // The last one is restricted.
            let cards = ["4111111111111111", "4242424242424242", "5555555555554444", "4000000000130205"];
            let mut new = partner.to_card(draw.of(&cards));
            new.service_amount = Some(draw.amount(5, 250));
            return NewRequest { reference_id: Some(name), options, ..new };
        }
        let amount = if draw.percent(12) {
            // What an amount ends in picks a behaviour of the provider.
            dec!(100) * Decimal::from(draw.below(3)) + dec!(13) + draw.of(&ENDINGS)
        } else if draw.percent(60) {
            draw.amount(1, 160)
        } else {
            draw.amount(100, 700)
        };
        NewRequest { options, ..partner.sample_of(amount, &name) }
    }

    pub(super) async fn ask(&mut self, process: usize) {
        let count = self.draw.between(1, 10).min(self.to_ask);
        if count == 0 {
            return;
        }
        let first = self.asks.len();
        for _ in 0..count {
            let new = self.draw_request();
            let reference = new.reference_id.clone().unwrap();
            self.asks.push(Ask { new, reference, id: None, came_too_late: false });
        }
        self.to_ask -= count;
        let new: Vec<NewRequest> = self.asks[first..].iter().map(|ask| ask.new.clone()).collect();
        let told: Vec<_> = new
            .iter()
            .map(|n| format!("{:?}/{:?}", n.point_amount.or(n.service_amount), n.options.split_mode))
            .collect();
        self.note(format!("process {process} is asked for {} from ask-{first}: {}", new.len(), told.join(" ")));
        self.lay_trap(6);
        let caller = &self.ground.partner.caller;
        let gateway = self.gateway(process);
        let (done, injected) = self.done(&[process], gateway.create_requests(caller, &new)).await;
        match done {
            Some(Ok(answers)) => {
                for (offset, answer) in answers.into_iter().enumerate() {
                    self.answered(first + offset, answer, injected);
                }
            }
            Some(Err(refusal)) => self.answered(first, Err(refusal), injected),
            None => {}
        }
    }

    /// What a partner learns. The same reference is the same request, whoever answers.
    fn answered(&mut self, index: usize, answer: Answer, injected: bool) {
        let now = self.ground.now();
        let ask = &mut self.asks[index];
        match answer {
            Ok(submitted) => {
                let id = submitted.request.id;
                let is_another = ask.id.is_some_and(|known| known != id);
                let reference = ask.reference.clone();
                ask.id = Some(id);
                if is_another {
                    self.broken("one request a reference", format!("{reference} was made again as {id}"));
                }
            }
            Err(Refusal::Failed(error)) => self.judge_error("create", &error, injected),
            Err(Refusal::Invalid(_)) if ask.id.is_none() && ask.new.options.expires_at.is_some_and(|at| at <= now) => {
                ask.came_too_late = true;
            }
            Err(refusal) => {
                let reference = ask.reference.clone();
                self.broken("a request is taken", format!("{reference}: {refusal:?}"));
            }
        }
    }

    /// The same again: as a partner does that had no answer, or that doesn't trust it.
    pub(super) async fn ask_again(&mut self, process: usize) {
        if self.asks.is_empty() {
            return;
        }
        let unanswered: Vec<usize> = (0..self.asks.len()).filter(|index| self.asks[*index].id.is_none()).collect();
        let index = if !unanswered.is_empty() && self.draw.percent(70) {
            self.draw.of(&unanswered)
        } else {
            self.draw.below(self.asks.len())
        };
        let mut new = self.asks[index].new.clone();
        let caller = &self.ground.partner.caller;
        let gateway = self.gateway(process);
        if self.asks[index].id.is_some() && self.draw.percent(20) {
            new.description = Some("another".to_owned());
            self.tally.note("fault", "same reference with another body");
            let (done, injected) = self.done(&[process], gateway.create_request(caller, new)).await;
            match done {
                Some(Err(Refusal::Conflict { .. })) | None => {}
                Some(Err(Refusal::Failed(error))) => self.judge_error("create", &error, injected),
                other => self.broken("one request a reference", format!("another body was answered {other:?}")),
            }
            return;
        }
        self.tally.note("fault", "request sent again");
        self.note(format!("process {process} is asked for {} again", self.asks[index].reference));
        self.lay_trap(3);
        if self.draw.percent(30) {
            let other = (process + 1) % PROCESSES;
            let two = self.gateway(other);
            let twin = new.clone();
            let both = async { tokio::join!(gateway.create_request(caller, new), two.create_request(caller, twin)) };
            self.tally.note("fault", "request sent twice at once");
            let (done, injected) = self.done(&[process, other], both).await;
            if let Some((one, two)) = done {
                self.answered(index, one, injected);
                self.answered(index, two, injected);
            }
            return;
        }
        let (done, injected) = self.done(&[process], gateway.create_request(caller, new)).await;
        if let Some(answer) = done {
            self.answered(index, answer, injected);
        }
    }

    /// The partner gets an answer to everything that it asked for.
    pub(super) async fn ask_for_the_rest(&mut self) {
        for index in 0..self.asks.len() {
            if self.asks[index].id.is_none() {
                let new = self.asks[index].new.clone();
                let answer = self.gateway(0).create_request(&self.ground.partner.caller, new).await;
                self.answered(index, answer, false);
            }
        }
    }

    fn any_request(&mut self) -> Option<PayoutRequestId> {
        let known: Vec<PayoutRequestId> = self.asks.iter().filter_map(|ask| ask.id).collect();
        (!known.is_empty()).then(|| self.draw.of(&known))
    }

    pub(super) async fn change(&mut self, process: usize) {
        let Some(id) = self.any_request() else { return };
        let caller = &self.ground.partner.caller;
        let gateway = self.gateway(process);
        let kind = self.draw.below(10);
        let patch = Patch {
            attempts_limit: self.draw.percent(70).then(|| u16::try_from(self.draw.between(1, 8)).unwrap()),
            allow_partially: self.draw.percent(50).then(|| self.draw.percent(50)),
            ..Patch::default()
        };
        self.lay_trap(8);
        let (what, outcome) = match kind {
            0..4 => {
                let (done, injected) = self.done(&[process], gateway.cancel_request(caller, id)).await;
                ("cancels", done.map(|answer| (answer.map(|_| ()), injected)))
            }
            4..7 => {
                let (done, injected) = self.done(&[process], gateway.patch_request(caller, id, &patch)).await;
                ("changes", done.map(|answer| (answer.map(|_| ()), injected)))
            }
            7 => {
                let (done, injected) = self.done(&[process], gateway.expire_requests()).await;
                ("expires", done.map(|answer| (answer.map(|_| ()).map_err(Refusal::Failed), injected)))
            }
            _ => {
                let (done, injected) = self.done(&[process], gateway.process_request(caller, id)).await;
                ("processes", done.map(|answer| (answer.map(|_| ()), injected)))
            }
        };
        self.note(format!("process {process} {what} {id}: {outcome:?}"));
        self.tally.note("run", format!("partner {what}"));
        if let Some((Err(Refusal::Failed(error)), injected)) = outcome {
            self.judge_error(what, &error, injected);
        }
    }

    /// What the partner holds, by its own account: nothing is fetched that it doesn't know.
    pub(super) fn currencies() -> [(&'static str, rust_decimal::Decimal); 2] {
        [("USD", super::super::ground::FUNDS), ("EUR", super::super::ground::FUNDS + dec!(0))]
    }
}
