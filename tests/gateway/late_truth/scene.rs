//! A world with many requests at once, each with a state to reach and an order of happenings, stepped together.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use landfall::domain::ids::{CardId, PayoutId, PayoutRequestId, Tenant};
use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::{RequestStatus, SplitMode};
use landfall::gateway::access::Refusal;
use landfall::gateway::complete::{Report, Source};
use landfall::gateway::invoke::SendTask;
use landfall::gateway::requests::RequestOptions;
use landfall::providers::provider::ResendSafety;
use landfall::store::payouts::{self, Payout};
use landfall::store::requests::{self, PayoutRequest};
use landfall::wallet::User;
use landfall::wallet::accept::Answer;
use rust_decimal::{Decimal, dec};
use serde_json::{Map, json};

use super::orders::{Happening, Order, State, Step};
use super::told::{Heard, Told};
use crate::partner::Partner;
use crate::scripted::{Lane, Scripted, by, lane, routed_over};
use crate::world::{PAID, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    OneByOne,
    SentAgain,
    InParts,
    OfAnOffer,
}

/// The most rounds that any state takes to be reached.
const ROUNDS: usize = 5;
const STEP_MS: i64 = 4_000;
pub(super) const PREFUNDED: Decimal = dec!(1000000);

pub(super) struct Actor {
    pub(super) state: State,
    pub(super) order: Order,
    pub(super) index: usize,
    pub(super) row: PayoutRequest,
    pub(super) payouts: Vec<Payout>,
    pub(super) told: BTreeMap<PayoutId, Told>,
    /// Sends under way whose answer is awaited.
    pub(super) tasks: Vec<SendTask>,
    pub(super) last: Option<Report>,
    /// Nothing may be sent of it any more.
    pub(super) is_stopped: bool,
    /// What ended it, if nothing is ever paid: the first that was taken.
    pub(super) end: Option<RequestStatus>,
}

impl Actor {
    pub(super) fn what(&self) -> String {
        let told: Vec<_> = self
            .payouts
            .iter()
            .map(|p| {
                let (amount, paid, back) =
                    (p.amount.normalize(), p.amount_processed.normalize(), p.amount_returned.normalize());
                format!("{}.{} {} {amount}/{paid}/{back}", p.part, p.attempt, p.status)
            })
            .collect();
        let PayoutRequest { status, moderation_reason, stop_requested, .. } = &self.row;
        format!(
            "{:?} {:?} #{}: {status} {moderation_reason:?} {stop_requested:?} {told:?}",
            self.state, self.order, self.index
        )
    }

    /// The payout that news are about: an open one, or the latest.
    fn current(&self) -> Option<&Payout> {
        let sent = || self.payouts.iter().filter(|payout| payout.sends > 0);
        let open = sent().find(|payout| payout.status.is_open());
        open.or_else(|| sent().max_by_key(|payout| (payout.created_at, payout.part, payout.attempt)))
    }

    fn earlier(&self) -> Option<&Payout> {
        let current = self.current()?.id;
        self.payouts.iter().find(|payout| payout.sends > 0 && payout.id != current)
    }
}

pub struct Scene {
    pub(super) world: World,
    pub(super) partner: Partner,
    pub(super) users: Vec<(User, CardId)>,
    pub(super) actors: Vec<Actor>,
    by_request: HashMap<PayoutRequestId, usize>,
    pub(super) problems: Vec<String>,
}

/// Plays it through, and answers what was wrong.
pub async fn run(kind: Kind, crowd: &[(State, Order)], eager: bool) -> Vec<String> {
    let mut scene = Scene::begin(kind, crowd).await;
    scene.reach(kind).await;
    for stage in 0..3 {
        scene.happen(stage).await;
        scene.look(&format!("after {stage}")).await;
        if eager {
            scene.harvest().await;
            scene.look(&format!("dispatched after {stage}")).await;
        }
        scene.world.advance(STEP_MS);
    }
    scene.calm_down().await;
    scene.judge(kind).await;
    scene.problems
}

impl Scene {
    async fn begin(kind: Kind, crowd: &[(State, Order)]) -> Self {
        let part = if kind == Kind::InParts { Some(dec!(10)) } else { None };
        let lanes = ["a", "b", "c", "d"].map(|code| Lane { max: part, ..lane(code, dec!(1000000)) });
        let scripted = Scripted::that(|capabilities| {
            if kind == Kind::SentAgain {
                capabilities.resend = ResendSafety::SameReferenceWithin(Duration::from_secs(86_400));
            }
        });
        let mut scheme = by("direct", &lanes);
        scheme["services"]["card_eur"] =
            json!({"strategies": [{"strategy": "direct", "routes": ["sandbox-a-card-eur", "sandbox-b-card-eur"]}]});
        let (world, partner) = routed_over(&scripted, &lanes, scheme, |settings| {
            // Whatever is said, an account's routes stay.
            settings.gateway.breaker.calls_min = 1_000_000;
            // However many sends the scene holds back.
            (settings.worker.calls_max, settings.worker.account_calls_max) = (100_000, 100_000);
            for account in &mut settings.gateway.deposit_accounts {
                account.initial_balance = Some("1000000".to_owned());
            }
        })
        .await;
        partner.credit(&world, "USD", PREFUNDED - dec!(100000)).await;
        let mut scene = Self {
            world,
            partner,
            users: Vec::new(),
            actors: Vec::new(),
            by_request: HashMap::new(),
            problems: Vec::new(),
        };
        // What is to be dispatched only later is made later.
        let (later, first): (Vec<_>, Vec<_>) =
            crowd.iter().cloned().enumerate().partition(|(_, (state, _))| *state == State::Queued);
        scene.make(kind, first).await;
        scene.harvest().await;
        scene.look("made").await;
        for round in 0..ROUNDS {
            scene.approach(round).await;
            scene.world.advance(STEP_MS);
        }
        scene.make(kind, later).await;
        scene.read().await;
        scene
    }

    async fn make(&mut self, kind: Kind, crowd: Vec<(usize, (State, Order))>) {
        for (index, (state, order)) in crowd {
            let row = match kind {
                Kind::OfAnOffer => self.accept(index).await,
                Kind::OneByOne | Kind::SentAgain | Kind::InParts => self.ask(state, index).await,
            };
            self.by_request.insert(row.id, self.actors.len());
            self.actors.push(Actor {
                state,
                order,
                index,
                row,
                payouts: Vec::new(),
                told: BTreeMap::new(),
                tasks: Vec::new(),
                last: None,
                is_stopped: state == State::Terminated,
                end: None,
            });
        }
    }

    async fn ask(&self, state: State, index: usize) -> PayoutRequest {
        let in_parts =
            matches!(state, State::PartsPlanned | State::PartsOpen | State::PartPaid | State::MoreThanAskedModerated);
        let one_try = matches!(state, State::PartlyPaidModerated | State::PartiallyProcessed);
        let options = RequestOptions {
            attempts_limit: Some(if one_try { 1 } else { 10 }),
            attempts_per_route_limit: in_parts.then_some(5),
            allow_partially: Some(state == State::PartiallyProcessed || (index / 4) % 3 == 1),
            auto_process: Some(!matches!(state, State::Ready | State::Terminated)),
            split_mode: Some(if in_parts { SplitMode::Auto } else { SplitMode::Never }),
            parallel_mode: Some(state == State::PartsOpen),
            expires_at: None,
        };
        let options = match state {
            State::PartlyPaidModerated => RequestOptions { allow_partially: Some(false), ..options },
            _ => options,
        };
        let amount = if in_parts { dec!(25) } else { dec!(10) };
        let mut ask = self.partner.sample_of(amount, &format!("late-{index}"));
        ask.options = options;
        if state == State::WaitingDetails {
            ask.fields = Map::new();
        }
        let row = self.partner.make(&self.world, ask).await;
        match state {
            State::Terminated => self.world.app.gateway.terminate_request(&self.partner.caller, row.id).await.unwrap(),
            _ => row,
        }
    }

    /// Of a user of whom ten are.
    async fn accept(&mut self, index: usize) -> PayoutRequest {
        if self.actors.len() / 10 >= self.users.len() {
            let name = format!("late-{}", self.users.len());
            let user = self.world.funded(&name, "3000").await;
            let card = self.world.card(&user, PAID).await;
            self.users.push((user, card));
        }
        let (user, card) = self.users.last().unwrap().clone();
        let offer = self.world.offer_to(&user, card, &format!("{}", 30 + index % 7)).await;
        let Answer::Accepted(id) = self.world.accept(&user, offer.id).await else { panic!("not accepted") };
        self.partner.find(&self.world, id).await
    }

    fn keys(&self) -> Vec<(Tenant, PayoutRequestId)> {
        self.actors.iter().map(|actor| (actor.row.tenant(), actor.row.id)).collect()
    }

    pub(super) async fn read(&mut self) {
        let conn = self.world.app.db.get().await.unwrap();
        let rows = requests::lock(&conn, &self.keys()).await.unwrap();
        let mut by_request: BTreeMap<PayoutRequestId, Vec<Payout>> = BTreeMap::new();
        for payout in payouts::of_requests(&conn, &self.keys()).await.unwrap() {
            by_request.entry(payout.request_id).or_default().push(payout);
        }
        for row in rows {
            let actor = &mut self.actors[self.by_request[&row.id]];
            actor.payouts = by_request.remove(&row.id).unwrap_or_default();
            actor.row = row;
        }
    }

    /// Dispatches what is due and takes what is to be sent into hand.
    async fn harvest(&mut self) {
        self.read().await;
        let gateway = std::sync::Arc::clone(&self.world.app.gateway);
        let mut tasks = Vec::new();
        loop {
            let (some, claimed) = gateway.dispatch(100).await.unwrap();
            tasks.extend(some);
            if claimed == 0 {
                break;
            }
        }
        let invokes = gateway.claim_invokes(1_000).await.unwrap();
        gateway.complete(&invokes.reports).await.unwrap();
        tasks.extend(invokes.tasks);
        let now = self.world.app.clock.now();
        for task in tasks {
            let actor = &mut self.actors[self.by_request[&task.payout.request_id]];
            let row = &actor.row;
            let is_over = row.status.is_final() || row.moderation_reason.is_some() || now >= row.expires_at;
            if actor.is_stopped || is_over || row.stop_requested.is_some() {
                self.problems.push(format!("sent after a stop: {}", actor.what()));
            }
            let asked = task.payout.amount;
            if task.payout.sends == 1 {
                actor.told.insert(task.payout.id, Told::new(asked));
            } else if !actor.told[&task.payout.id].is_open() {
                self.problems.push(format!("sent again after its end: {}", actor.what()));
            }
            actor.tasks.push(task);
        }
    }

    /// Tells reports, all at once if they can be.
    async fn tell(&mut self, reports: Vec<Report>) {
        for batch in reports.chunks(50) {
            if self.world.app.gateway.complete(batch).await.is_err() {
                for report in batch {
                    if let Err(error) = self.world.app.gateway.complete(std::slice::from_ref(report)).await {
                        let actor = &self.actors[self.by_request[&report.request_id]];
                        self.problems.push(format!("{error} at {:?}: {}", report.outcome, actor.what()));
                    }
                }
            }
        }
        for report in reports {
            let actor = &mut self.actors[self.by_request[&report.request_id]];
            let is_stale = matches!(report.source, Source::Send { epoch: 999, .. });
            if let Some(told) = actor.told.get_mut(&report.payout_id) {
                told.hear(&report.outcome, is_stale);
            }
            actor.last = Some(report);
        }
    }

    fn report(actor: &Actor, payout: &Payout, heard: Heard, source: Source) -> Report {
        let outcome = actor.told[&payout.id].outcome(heard);
        Report { tenant: payout.tenant(), request_id: payout.request_id, payout_id: payout.id, source, outcome }
    }

    async fn cancel(&mut self, index: usize) {
        let actor = &mut self.actors[index];
        match self.world.app.gateway.cancel_request(&self.partner.caller, actor.row.id).await {
            Ok(_) => {
                actor.is_stopped = true;
                if actor.row.stop_requested.is_none() {
                    actor.end.get_or_insert(RequestStatus::Canceled);
                }
            }
            Err(Refusal::Conflict { .. }) if actor.row.status.is_final() => {}
            Err(error) => self.problems.push(format!("cancel: {error:?}: {}", actor.what())),
        }
    }

    async fn expire(&mut self, indexes: &[usize]) {
        if indexes.is_empty() {
            return;
        }
        let ids: Vec<String> = indexes.iter().map(|index| format!("'{}'", self.actors[*index].row.id.0)).collect();
        let now = self.world.app.clock.now().to_rfc3339();
        let sql = format!("UPDATE payout_request SET expires_at = '{now}' WHERE id IN ({})", ids.join(", "));
        crate::partner::execute(&self.world, &sql).await;
        while self.world.app.gateway.expire_requests().await.unwrap() > 0 {}
        for index in indexes {
            let actor = &mut self.actors[*index];
            actor.is_stopped = true;
            if !actor.row.status.is_final() && actor.row.stop_requested.is_none() {
                actor.end.get_or_insert(RequestStatus::Expired);
            }
        }
    }

    /// A round of the way to each one's state.
    async fn approach(&mut self, round: usize) {
        let mut reports = Vec::new();
        let (mut canceled, mut expired) = (Vec::new(), Vec::new());
        for (index, actor) in self.actors.iter().enumerate() {
            let steps = actor.state.steps();
            // What would go on by itself is reached in the last round.
            let is_last = matches!(actor.state, State::BetweenRoutes | State::ToBeResent);
            let first = if is_last { ROUNDS - steps.len() } else { 0 };
            let Some(step) = round.checked_sub(first).and_then(|number| steps.get(number)) else { continue };
            let source = |heard| match heard {
                Heard::NotFound => Source::Inquiry,
                _ => Source::Callback,
            };
            match (step, actor.current(), actor.earlier()) {
                (Step::Tell(heard), Some(payout), _) | (Step::Earlier(heard), _, Some(payout)) => {
                    reports.push(Self::report(actor, payout, *heard, source(*heard)));
                }
                (Step::Do(Happening::Cancel), ..) => canceled.push(index),
                (Step::Do(Happening::Expiry), ..) => expired.push(index),
                (Step::Wait, ..) => {}
                (step, ..) => panic!("{step:?} can't be done: {}", actor.what()),
            }
        }
        self.tell(reports).await;
        for index in canceled {
            self.cancel(index).await;
        }
        self.expire(&expired).await;
        if round + 1 < ROUNDS {
            self.harvest().await;
        }
        self.read().await;
    }

    /// Everybody is where it should be.
    async fn reach(&mut self, kind: Kind) {
        self.look("at first").await;
        for actor in &self.actors {
            let statuses: Vec<&str> = actor.payouts.iter().map(|payout| payout.status.as_str()).collect();
            let reason = actor.row.moderation_reason.as_deref();
            let expected: (RequestStatus, Option<&str>, &[&str]) = match actor.state {
                State::WaitingDetails => (RequestStatus::WaitingDetails, None, &[]),
                State::Ready | State::Queued => (RequestStatus::Ready, None, &[]),
                State::Terminated => (RequestStatus::Terminated, None, &[]),
                State::BetweenRoutes => (RequestStatus::Dispatching, None, &["failed"]),
                State::Invoking => (RequestStatus::Pending, None, &["invoking"]),
                State::Pending => (RequestStatus::Pending, None, &["pending"]),
                State::Unknown | State::ToBeResent | State::Resent => (RequestStatus::Pending, None, &["unknown"]),
                State::SecondTryInvoking => (RequestStatus::Pending, None, &["failed", "invoking"]),
                State::SecondTryPending => (RequestStatus::Pending, None, &["failed", "pending"]),
                State::NotFoundModerated => (RequestStatus::Pending, Some("not_found_at_provider"), &["unknown"]),
                State::LateModerated => (RequestStatus::Pending, Some("late_success"), &["late_processed", "invoking"]),
                State::PartlyPaidModerated => (RequestStatus::Pending, Some("partly_paid"), &["processed"]),
                State::Processed => (RequestStatus::Processed, None, &["processed"]),
                State::PartiallyProcessed => (RequestStatus::PartiallyProcessed, None, &["processed"]),
                State::Failed => (RequestStatus::Failed, None, &["failed"]),
                State::Expired => (RequestStatus::Expired, None, &["failed"]),
                State::Canceled => (RequestStatus::Canceled, None, &["failed"]),
                State::Returned => (RequestStatus::Returned, None, &["returned"]),
                State::LateProcessed | State::LateAndBack => (RequestStatus::Failed, None, &["late_processed"]),
                State::PartsPlanned => (RequestStatus::Pending, None, &["invoking", "created", "created"]),
                State::PartsOpen => (RequestStatus::Pending, None, &["invoking", "invoking", "invoking"]),
                State::PartPaid => (RequestStatus::Pending, None, &["processed", "invoking", "created"]),
                State::MoreThanAskedModerated => {
                    (RequestStatus::Pending, Some("processed_more_than_asked"), &["processed", "created", "created"])
                }
            };
            let is_resent = actor.payouts.first().is_some_and(|payout| payout.sends == 2);
            if (actor.row.status, reason, &statuses[..]) != expected || is_resent != (actor.state == State::Resent) {
                self.problems.push(format!("{kind:?}: not reached: {}", actor.what()));
            }
        }
    }

    /// The so-many-th of each one's happenings.
    async fn happen(&mut self, stage: usize) {
        let mut reports = Vec::new();
        let (mut canceled, mut expired) = (Vec::new(), Vec::new());
        for (index, actor) in self.actors.iter().enumerate() {
            let Some(happening) = actor.order.get(stage) else { continue };
            let odd = (actor.index + stage) % 2 == 1;
            let source = if odd { Source::Inquiry } else { Source::Callback };
            let heard = match happening {
                Happening::Cancel => {
                    canceled.push(index);
                    continue;
                }
                Happening::Expiry => {
                    expired.push(index);
                    continue;
                }
                Happening::Duplicate => {
                    reports.extend(actor.last.clone());
                    continue;
                }
                Happening::PaidEarlier => {
                    reports.extend(actor.earlier().map(|payout| Self::report(actor, payout, Heard::Paid, source)));
                    continue;
                }
                Happening::StaleSend => {
                    let stale = |payout: &Payout| Source::Send { epoch: 999, sends: payout.sends };
                    let of = |payout| Self::report(actor, payout, Heard::DeclinedForRoute, stale(payout));
                    reports.extend(actor.current().map(of));
                    continue;
                }
                Happening::Paid => Heard::Paid,
                Happening::PaidLess => Heard::PaidLess,
                Happening::PaidMore => Heard::PaidMore,
                Happening::DeclinedForRoute => Heard::DeclinedForRoute,
                Happening::DeclinedForCard => Heard::DeclinedForCard,
                Happening::Pending => Heard::Pending,
                Happening::NotFound => Heard::NotFound,
                Happening::Returned if odd => Heard::ReturnedThree,
                Happening::Returned => Heard::Returned,
            };
            let source = if heard == Heard::NotFound { Source::Inquiry } else { source };
            reports.extend(actor.current().map(|payout| Self::report(actor, payout, heard, source)));
        }
        self.tell(reports).await;
        for index in canceled {
            self.cancel(index).await;
        }
        self.expire(&expired).await;
    }

    /// What a provider answers from now on: the truth that it told, and of what it told nothing, one of three.
    fn answer(actor: &Actor, payout: &Payout, source: Source) -> Option<Report> {
        let told = &actor.told[&payout.id];
        let asked_for = source == Source::Inquiry;
        // A refusal counts from whoever still has the payout in hand.
        let is_invoking = |own: &Payout| own.id == payout.id && own.status == PayoutStatus::Invoking;
        let is_believed = asked_for || actor.payouts.iter().any(is_invoking);
        let heard = match (told.is_open(), actor.index % 3) {
            (true, 0) => Heard::Paid,
            (true, 1) if is_believed => Heard::DeclinedForRoute,
            (true, _) if asked_for => Heard::NotFound,
            (true, _) => Heard::Nothing,
            // What wasn't believed of a send is told again.
            (false, _) if asked_for && told.paid.is_zero() => Heard::DeclinedForRoute,
            (false, _) => return None,
        };
        Some(Self::report(actor, payout, heard, source))
    }

    async fn calm_down(&mut self) {
        for round in 0..40 {
            self.harvest().await;
            self.read().await;
            let mut reports = Vec::new();
            for actor in &mut self.actors {
                for task in std::mem::take(&mut actor.tasks) {
                    let source = Source::Send { epoch: task.epoch, sends: task.payout.sends };
                    reports.extend(Self::answer(actor, &task.payout, source));
                }
            }
            self.tell(reports).await;
            let asked = self.world.app.gateway.claim_inquiries(1_000).await.unwrap();
            let answers: Vec<Report> = asked
                .iter()
                .filter_map(|payout| {
                    Self::answer(&self.actors[self.by_request[&payout.request_id]], payout, Source::Inquiry)
                })
                .collect();
            self.tell(answers).await;
            self.read().await;
            let goes_on = |actor: &Actor| {
                let is_open = actor.payouts.iter().any(|p| p.status.is_open() && p.status != PayoutStatus::Created);
                let waits = matches!(actor.state, State::WaitingDetails | State::Ready) && !actor.is_stopped;
                !waits
                    && match actor.row.moderation_reason.as_deref() {
                        Some(reason) => is_open && reason != "not_found_at_provider",
                        None => !actor.row.status.is_final(),
                    }
            };
            if !self.actors.iter().any(goes_on) {
                break;
            }
            // Who was asked about often is asked about only once an hour.
            self.world.advance(if round < 10 { 120_000 } else { 1_200_000 });
        }
    }
}
