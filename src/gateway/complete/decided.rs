//! What a person decided, made true as a report is: states, ledger, reservations and what happens next, in one transaction with the
//! event, the cases and the row in the audit trail.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

use super::advance::stopped_for;
use super::changes::{Changes, Told};
use super::ground::Subject;
use super::{Report, Source, Standing};
use crate::domain::exact;
use crate::domain::ids::{PayoutId, PayoutRequestId, Tenant};
use crate::domain::moderation::{self, DecisionKind, Facts, PayoutFacts, Reason};
use crate::domain::payout::{PayoutEvent, PayoutStatus, Resolution};
use crate::gateway::access::audit::{self, Action, Author, Gate};
use crate::gateway::moderation::{
    Choice, DecideError, Decided, Decider, Decision, Options, Possibility, is_asked_about,
};
use crate::gateway::{Gateway, GatewayError, progress};
use crate::providers::provider::Outcome;
use crate::store::cases::{self, Closed, Closing, OpenCase};
use crate::store::events;
use crate::store::jobs::{self, JobKind};
use crate::store::payouts::{self, Payout};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;

/// What stands around a request when a decision about it is judged.
struct Around {
    /// Payouts that have an invoke job, with whether somebody's lease on it is running.
    leases: HashMap<Uuid, bool>,
    cases: Vec<OpenCase>,
}

impl Gateway {
    /// Takes a person's decision. The same person's same decision again, from the same view, answers the request as it is now.
    ///
    /// # Errors
    /// [`DecideError::Changed`] where anything happened to the request since `seen`, [`DecideError::NotNow`] where the rules don't
    /// allow it. Then nothing was changed.
    pub async fn decide(&self, decider: &Decider, decision: &Decision) -> Result<Decided, DecideError> {
        self.decide_through(&Gate::Open, decider, decision).await
    }

    /// The same through a gate.
    pub(in crate::gateway) async fn decide_through(
        &self,
        gate: &Gate,
        decider: &Decider,
        decision: &Decision,
    ) -> Result<Decided, DecideError> {
        let decision = decision.checked()?;
        // Which accounts are synced has to be known, as for a report.
        self.snapshot().await.map_err(DecideError::Failed)?;
        let (decided, told) =
            transaction(&self.db, async |conn| self.decide_in(conn, gate, decider, &decision).await).await?;
        self.tell(told);
        Ok(decided)
    }

    async fn decide_in(
        &self,
        conn: &mut AsyncPgConnection,
        gate: &Gate,
        decider: &Decider,
        decision: &Decision,
    ) -> Result<(Decided, Told), DecideError> {
        let now = self.clock.now();
        let Decision { tenant, request_id, seen, .. } = *decision;
        let mut ground = self.lock_ground(conn, &[(tenant, request_id)]).await?;
        let Some(mut subject) = ground.subjects().next() else { return Err(DecideError::NoRequest) };
        if subject.request.event_seq != seen {
            let request = subject.request.clone();
            if self.was_decided(conn, decider, decision).await? {
                return Ok((Decided { request, is_repeat: true }, Told::default()));
            }
            return Err(DecideError::Changed { seen, now: request.event_seq });
        }
        let around = self.around(conn, tenant, request_id, subject.payouts, now).await?;
        let stopped = stopped_for(subject.request)?;
        let index = match decision.choice.payout_id() {
            Some(id) => Some(subject.payouts.iter().position(|payout| payout.id == id).ok_or(DecideError::NoPayout)?),
            None => None,
        };
        let payout = index.and_then(|index| subject.payouts.get(index));
        let facts = self.facts(subject.request, subject.payouts, payout, &around, now)?;
        moderation::judge(decision.choice.kind(), &facts).map_err(DecideError::NotNow)?;
        if let (Some(amount), Some(payout)) = (decision.choice.amount(), payout) {
            self.check_amount(payout, amount)?;
        }

        let before = state_of(subject.request, payout);
        let mut changes = self.changes();
        let told = decision.told(stopped);
        changes.decided(&self.vault, subject.request, decision.choice.payout_id(), &decider.actor, told.clone(), now);
        self.carry_out(&mut subject, &decision.choice, stopped, index, &around, &mut changes, now)?;
        let closing = Closing {
            how: decision.choice.kind().as_str(),
            by: decider.actor.clone(),
            reason: Some(decision.reason.clone()),
            evidence: Some(json!({"evidence": decision.evidence})),
        };
        if stopped.is_some() && subject.request.moderation_reason.is_none() {
            changes.close_questions(subject.request, closing.clone());
        }
        if let Some(payout_id) = decision.choice.payout_id() {
            changes.close_cases(answered(tenant, request_id, payout_id), closing);
        }
        self.advance(&mut subject, None, &mut changes, now)?;
        let payout = index.and_then(|index| subject.payouts.get(index));
        let after = json!({"decision": told, "is_now": state_of(subject.request, payout)});
        let told = self.write_ground(conn, ground, changes, now).await?;
        let action = Action {
            action: "moderation.decide",
            object: request_id.to_string(),
            before: Some(before),
            after: Some(after),
            result: audit::DONE,
        };
        let (actor, origin) = (decider.actor.clone(), decider.origin.clone());
        let author = Author { tenant, actor, origin, gate: gate.clone() };
        audit::record(conn, &author, action, now).await?;
        let request = requests::find(conn, tenant, request_id).await?.ok_or(DecideError::NoRequest)?;
        Ok((Decided { request, is_repeat: false }, told))
    }

    /// What may be decided about a request now. `None`: there is no such request.
    pub async fn decisions(
        &self,
        tenant: Tenant,
        request_id: PayoutRequestId,
    ) -> Result<Option<Options>, GatewayError> {
        let now = self.clock.now();
        let mut conn = self.db.get().await?;
        let Some(request) = requests::find(&conn, tenant, request_id).await? else { return Ok(None) };
        let payouts = payouts::of_requests(&conn, &[(tenant, request_id)]).await?;
        let around = self.around(&mut conn, tenant, request_id, &payouts, now).await?;
        let named = payouts.iter().filter(|payout| is_asked_about(payout.status)).map(Some);
        let mut options = Vec::new();
        for payout in std::iter::once(None).chain(named) {
            let facts = self.facts(&request, &payouts, payout, &around, now)?;
            for kind in DecisionKind::ALL.into_iter().filter(|kind| kind.marks_payout() == payout.is_some()) {
                let allowed = moderation::judge(kind, &facts);
                options.push(Possibility { kind, payout_id: payout.map(|payout| payout.id), allowed });
            }
        }
        Ok(Some(Options { stopped: stopped_for(&request)?, seen: request.event_seq, options }))
    }

    async fn around(
        &self,
        conn: &mut AsyncPgConnection,
        tenant: Tenant,
        request_id: PayoutRequestId,
        payouts: &[Payout],
        now: DateTime<Utc>,
    ) -> Result<Around, GatewayError> {
        let ids = payouts.iter().map(|payout| payout.id.0).collect();
        let leases = jobs::leases(conn, tenant, JobKind::Invoke, ids, now).await?;
        Ok(Around { leases, cases: cases::open_of_request(conn, tenant, request_id).await? })
    }

    fn facts(
        &self,
        request: &PayoutRequest,
        payouts: &[Payout],
        payout: Option<&Payout>,
        around: &Around,
        now: DateTime<Utc>,
    ) -> Result<Facts, GatewayError> {
        let gave_up = payouts.iter().any(|payout| payout.placement.given_up) && !request.allow_partially;
        let of_payout = |payout: &Payout| -> Result<PayoutFacts, GatewayError> {
            Ok(PayoutFacts {
                status: payout.status,
                is_reported: around.cases.iter().any(|case| {
                    let is_question = case.kind.parse().is_ok_and(Reason::is_settled_by_going_on);
                    case.payout_id == Some(payout.id) && !is_question
                }),
                is_being_sent: around.leases.get(&payout.id.0).copied().unwrap_or(false),
                has_settled: now >= self.settled_at(payout)?,
                may_be_tried_again: !gave_up
                    && !payout.placement.given_up
                    && !progress::is_last_try(request, payout, payouts),
            })
        };
        Ok(Facts {
            stopped: stopped_for(request)?,
            may_try_rest: !given_up(request, payouts).is_empty(),
            is_ending: request.stop_requested.is_some() || now >= request.expires_at,
            payout: payout.map(of_payout).transpose()?,
        })
    }

    /// When a payout's last send is over for certain and its provider has had its time. A send ends within its lease.
    fn settled_at(&self, payout: &Payout) -> Result<DateTime<Utc>, GatewayError> {
        let provider = self.providers.get(&payout.provider);
        let provider =
            provider.ok_or_else(|| GatewayError::Corrupt(format!("payout {}: unknown provider", payout.id)))?;
        let capabilities = provider.capabilities();
        let whole = capabilities.send_timeout.max(self.lease).saturating_add(capabilities.settling_time);
        let whole = TimeDelta::from_std(whole).unwrap_or(TimeDelta::days(3_650));
        Ok(payout.sent_at.unwrap_or(payout.created_at) + whole)
    }

    /// By hand no more can be marked paid than was asked for: what a provider paid beyond it, its reports tell.
    fn check_amount(&self, payout: &Payout, amount: Decimal) -> Result<(), DecideError> {
        let asset = self.assets.get(payout.currency);
        let asset = asset.ok_or_else(|| GatewayError::Corrupt(format!("{} isn't configured", payout.currency)))?;
        if amount.normalize().scale() > u32::from(asset.scale) {
            return Err(DecideError::Invalid("the currency doesn't have that many decimals"));
        }
        if amount > payout.amount {
            return Err(DecideError::Invalid("the amount is above what the payout asked for"));
        }
        Ok(())
    }

    /// Whether the same person took the same decision from the same view before.
    async fn was_decided(
        &self,
        conn: &AsyncPgConnection,
        decider: &Decider,
        decision: &Decision,
    ) -> Result<bool, GatewayError> {
        let log = events::of_request(conn, decision.tenant, decision.request_id).await?;
        let amount = decision.choice.amount().map(|amount| amount.normalize().to_string());
        Ok(log.iter().any(|event| {
            event.kind == "moderation_decided"
                && event.seq == decision.seen.saturating_add(1)
                && event.actor == decider.actor
                && event.payout_id == decision.choice.payout_id()
                && event.data["decision"] == json!(decision.choice.kind().as_str())
                && event.data.get("amount").and_then(|amount| amount.as_str()) == amount.as_deref()
        }))
    }

    #[expect(clippy::too_many_arguments, reason = "what a decision stands on, called from one place")]
    fn carry_out(
        &self,
        subject: &mut Subject<'_>,
        choice: &Choice,
        stopped: Option<Reason>,
        index: Option<usize>,
        around: &Around,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        match (choice, index) {
            (Choice::Continue, _) => {
                subject.request.moderation_reason = None;
                match stopped {
                    Some(Reason::PartlyPaid) => try_again(subject, changes),
                    Some(Reason::ProcessedMoreThanAsked) => self.cut_plan(subject, changes, now)?,
                    Some(Reason::LateSuccess) => self.give_up_paid_late(subject, changes, now)?,
                    // What a provider has unsent isn't continued.
                    Some(
                        Reason::NotFoundAtProvider | Reason::FateOpen | Reason::UnsentAtProvider | Reason::Screening,
                    )
                    | None => {}
                }
                ask_anew(subject, around, changes, now);
                Ok(())
            }
            (Choice::Reject, _) => {
                subject.request.moderation_reason = None;
                reject(subject.request);
                ask_anew(subject, around, changes, now);
                Ok(())
            }
            (Choice::MarkPaid { payout_id, amount, ids }, _) => {
                let outcome = Outcome::Processed { amount: *amount, ids: ids.clone() };
                let (tenant, request_id) = (subject.request.tenant(), subject.request.id);
                let report = Report { tenant, request_id, payout_id: *payout_id, source: Source::Staff, outcome };
                if matches!(stopped, Some(Reason::NotFoundAtProvider | Reason::FateOpen)) {
                    subject.request.moderation_reason = None;
                }
                self.apply(subject, &report, Standing::default(), changes, now)
            }
            (Choice::MarkFailedRelease { .. }, Some(index)) => {
                subject.request.moderation_reason = None;
                self.mark_failed(subject, index, changes, now)?;
                subject.payouts[index].placement.given_up = true;
                reject(subject.request);
                Ok(())
            }
            (Choice::MarkFailedFailover { .. }, Some(index)) => {
                subject.request.moderation_reason = None;
                self.mark_failed(subject, index, changes, now)
            }
            (Choice::MarkFailedRelease { payout_id } | Choice::MarkFailedFailover { payout_id }, None) => {
                Err(GatewayError::Corrupt(format!("payout {payout_id} is gone")))
            }
        }
    }

    /// Proven unpaid: as a definitive refusal of the route.
    fn mark_failed(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        changes.payouts.insert(subject.payouts[index].id);
        self.refused(subject, index, Resolution::ProviderUnavailable, Source::Staff, changes, now)
    }

    /// Parts that wait for their turn and come to more than is left are given back; what is left of them is placed anew.
    fn cut_plan(
        &self,
        subject: &mut Subject<'_>,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let mut left = progress::unsent(subject.request, subject.payouts)?;
        let mut cut = BTreeSet::new();
        for payout in progress::planned(subject.payouts) {
            if payout.amount <= left {
                left = exact::sub(left, payout.amount)?;
            } else {
                cut.insert(payout.id);
            }
        }
        self.cancel_some(subject, &cut, changes, now)
    }

    /// What came late has been paid: nothing more goes out in its place.
    fn give_up_paid_late(
        &self,
        subject: &mut Subject<'_>,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let paid = progress::paid_late(subject.payouts);
        self.cancel_some(subject, &paid, changes, now)?;
        for payout in subject.payouts.iter_mut().filter(|payout| paid.contains(&payout.id)) {
            payout.placement.given_up = true;
            changes.payouts.insert(payout.id);
        }
        Ok(())
    }

    /// Of these payouts those that were never sent give their reservations back.
    fn cancel_some(
        &self,
        subject: &mut Subject<'_>,
        which: &BTreeSet<PayoutId>,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let is_planned = |payout: &&mut Payout| payout.status == PayoutStatus::Created && which.contains(&payout.id);
        for payout in subject.payouts.iter_mut().filter(is_planned) {
            payout.status = super::transition(payout, PayoutEvent::Canceled)?;
            changes.finish_payout(&self.assets, payout, Decimal::ZERO, now)?;
            changes.payouts.insert(payout.id);
            let data = json!({"part": payout.part, "amount": payout.amount.to_string()});
            changes.event(subject.request, Some(payout.id), "payout_canceled", data);
        }
        Ok(())
    }
}

/// Nothing more is sent. What a caller or the time asked for before stands.
fn reject(request: &mut PayoutRequest) {
    if !matches!(request.stop_requested.as_deref(), Some("cancel" | "expiry")) {
        request.stop_requested = Some("rejected".to_owned());
    }
}

/// What failed for good is due again, and routed anew; what was paid late isn't.
fn try_again(subject: &mut Subject<'_>, changes: &mut Changes) {
    let again = given_up(subject.request, subject.payouts);
    for payout in subject.payouts.iter_mut().filter(|payout| again.contains(&payout.id)) {
        payout.placement.given_up = false;
        changes.payouts.insert(payout.id);
    }
}

/// What was given up though attempts are left for it, and nothing was paid late in its place.
fn given_up(request: &PayoutRequest, payouts: &[Payout]) -> BTreeSet<PayoutId> {
    let paid = progress::paid_late(payouts);
    let may_be_tried = |payout: &&Payout| {
        payout.placement.given_up && !paid.contains(&payout.id) && !progress::is_last_try(request, payout, payouts)
    };
    payouts.iter().filter(may_be_tried).map(|payout| payout.id).collect()
}

/// The provider is asked again, now, about everything whose fate is open; its answers so far don't count. What a job is to send, or is
/// sending, is left to that.
fn ask_anew(subject: &mut Subject<'_>, around: &Around, changes: &mut Changes, now: DateTime<Utc>) {
    let is_open = |payout: &Payout| matches!(payout.status, PayoutStatus::Pending | PayoutStatus::Unknown);
    for payout in subject.payouts.iter_mut() {
        if is_open(payout) && !around.leases.contains_key(&payout.id.0) {
            payout.not_found_count = 0;
            changes.payouts.insert(payout.id);
            changes.job(payout.tenant(), JobKind::Inquire, payout.id.0, now);
        }
    }
}

/// The cases that ask whether this payout was paid.
fn answered(tenant: Tenant, request_id: PayoutRequestId, payout_id: PayoutId) -> Closed {
    let kinds = vec![Reason::NotFoundAtProvider.as_str(), Reason::FateOpen.as_str(), "processed_amount_unpayable"];
    Closed { tenant, request_id, payout_id: Some(payout_id), kinds }
}

fn state_of(request: &PayoutRequest, payout: Option<&Payout>) -> serde_json::Value {
    json!({
        "status": request.status.as_str(),
        "moderation": request.moderation_reason,
        "stop_requested": request.stop_requested,
        "amount_processed": request.amount_processed.normalize().to_string(),
        "payout": payout.map(|payout| json!({"id": payout.id.to_string(), "status": payout.status.as_str()})),
    })
}
