//! What a provider said of payouts, made true: states, ledger, reservations, offers and what happens next, in one
//! transaction for a whole batch.
//!
//! Everything here can be told twice, late and out of order: a payout takes what its state allows, and what it
//! doesn't is ignored or becomes a case, never a second payment.

mod advance;
mod changes;
pub mod conclude;
mod decided;
mod ground;
mod open;
mod paid;
mod verdict;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::json;

use super::{Gateway, GatewayError};
use crate::domain::ids::{PayoutId, PayoutRequestId, Tenant};
use crate::domain::payout::{PayoutEvent, PayoutStatus};
use crate::providers::provider::{Outcome, ProviderIds};
use crate::store::cases;
use crate::store::jobs::{self, JobKind};
use crate::store::payouts::Payout;
use crate::store::retry::transaction;
use crate::torture::{self, Rule};

pub(super) use changes::{Changes, Told};
pub(super) use ground::Subject;
use verdict::Verdict;

/// Where an outcome comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Our own send: the so-many-th of its payout, done under the invoke job of this epoch. A resend's job counts its epochs anew.
    Send {
        epoch: i32,
        sends: i16,
    },
    /// A send that we didn't begin, for a reason of ours, under the same job: nothing left, and no provider is to blame.
    Withheld {
        epoch: i32,
        sends: i16,
        /// When it was begun. What is begun again has the same count of sends and a job of the same epoch: a report that comes twice must
        /// not be taken for one about the next try, which may be under way.
        begun_at: Option<DateTime<Utc>>,
    },
    Inquiry,
    Callback,
    /// A line of the provider's report.
    Reconciliation,
    /// The process that was sending died, or took longer than its lease.
    Reclaimed,
    /// A person, with the provider's proof.
    Staff,
}

impl Source {
    /// The invoke job's epoch and the so-many-th send that it was done under.
    const fn lease(self) -> Option<(i32, i16)> {
        match self {
            Source::Send { epoch, sends } | Source::Withheld { epoch, sends, .. } => Some((epoch, sends)),
            Source::Inquiry | Source::Callback | Source::Reconciliation | Source::Reclaimed | Source::Staff => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Source::Send { .. } => "send",
            Source::Withheld { .. } => "withheld",
            Source::Inquiry => "inquiry",
            Source::Callback => "callback",
            Source::Reconciliation => "reconciliation",
            Source::Reclaimed => "reclaimed",
            Source::Staff => "staff",
        }
    }
}

/// What was learnt of one payout.
#[derive(Clone, Debug)]
pub struct Report {
    pub tenant: Tenant,
    pub request_id: PayoutRequestId,
    pub payout_id: PayoutId,
    pub source: Source,
    pub outcome: Outcome,
}

/// What a report meets beside its payout.
#[derive(Clone, Copy, Default)]
struct Standing {
    /// From a send whose lease is over.
    is_stale: bool,
    /// A person has booked already what became of the late success.
    is_settled: bool,
}

impl Gateway {
    /// Applies reports. Doing it again with the same reports changes nothing more.
    pub async fn complete(&self, reports: &[Report]) -> Result<(), GatewayError> {
        if reports.is_empty() {
            return Ok(());
        }
        let keys: BTreeSet<(Tenant, PayoutRequestId)> =
            reports.iter().map(|report| (report.tenant, report.request_id)).collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let sends: Vec<_> = reports
            .iter()
            .filter(|report| report.source.lease().is_some())
            .map(|report| (report.tenant, JobKind::Invoke, report.payout_id.0))
            .collect();
        // Which accounts are synced has to be known: one that isn't would be taken for one that our books keep, and what was paid out of
        // it would be free before a balance has it in it. A process that has just started knows none yet.
        self.snapshot().await?;
        let told = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let mut ground = self.lock_ground(conn, &keys).await?;
            let epochs = jobs::epochs(conn, &sends).await?;
            let settled = settled_by_hand(conn, &mut ground, reports).await?;
            let mut changes = self.changes();
            for mut subject in ground.subjects() {
                let request_id = subject.request.id;
                for report in reports.iter().filter(|report| report.request_id == request_id) {
                    let current = epochs.get(&(JobKind::Invoke.as_str().to_owned(), report.payout_id.0)).copied();
                    let payout = subject.payouts.iter().find(|payout| payout.id == report.payout_id);
                    let sent = payout.map(|payout| payout.sends);
                    let is_of_another_try = matches!(report.source, Source::Withheld { begun_at, .. }
                        if payout.is_none_or(|payout| payout.sent_at != begun_at));
                    let is_stale = is_of_another_try
                        || report
                            .source
                            .lease()
                            .is_some_and(|(epoch, sends)| current != Some(epoch) || sent != Some(sends))
                            && !torture::is_off(Rule::LeaseEpoch);
                    let standing = Standing { is_stale, is_settled: settled.contains(&report.payout_id) };
                    self.apply(&mut subject, report, standing, &mut changes, now)?;
                }
                self.advance(&mut subject, None, &mut changes, now)?;
            }
            self.write_ground(conn, ground, changes, now).await
        })
        .await?;
        self.tell(told);
        Ok(())
    }

    fn apply(
        &self,
        subject: &mut Subject<'_>,
        report: &Report,
        standing: Standing,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let Some(index) = subject.payouts.iter().position(|payout| payout.id == report.payout_id) else {
            return Err(GatewayError::Corrupt(format!("payout {} is not of {}", report.payout_id, report.request_id)));
        };
        let capabilities = self
            .providers
            .get(&subject.payouts[index].provider)
            .ok_or_else(|| GatewayError::Corrupt(format!("payout {}: unknown provider", report.payout_id)))?
            .capabilities()
            .clone();
        let payout = &mut subject.payouts[index];
        let asset = self.assets.get(payout.currency);
        let scale =
            asset.ok_or_else(|| GatewayError::Corrupt(format!("{} is no longer configured", payout.currency)))?.scale;
        changes.payouts.insert(payout.id);
        if report.source == Source::Inquiry {
            payout.inquiries += 1;
        }
        let Standing { is_stale, is_settled } = standing;
        let verdict = match verdict::judge(payout, report, is_stale, &capabilities, self.settings.sends_max, scale, now)
        {
            Verdict::Recovered { amount, .. } if is_settled => verdict::return_does_not_fit(payout, amount),
            verdict => verdict,
        };
        tracing::debug!(payout = %payout.id, source = report.source.as_str(), ?verdict, "provider outcome");
        match verdict {
            Verdict::Ignore { why } => {
                // A repeat says nothing new: it isn't worth an event. A question that is still open is asked again.
                tracing::debug!(payout = %payout.id, why, "outcome ignored");
                let is_open = payout.status.is_open();
                if is_open && report.source == Source::Inquiry {
                    self.ask_again(payout, changes, now);
                }
                // What the provider calls the payment is worth keeping, even of an answer that counts for nothing.
                if let (Outcome::Unknown { ids, .. }, true) = (&report.outcome, is_open) {
                    note_ids(subject, index, ids.clone(), false, report.source, changes);
                }
                if is_open && report.source == Source::Inquiry {
                    self.ask_a_person(subject, index, changes)?;
                }
                Ok(())
            }
            Verdict::Case { kind, evidence } => {
                let payout_id = payout.id;
                if payout.status.is_open() && report.source == Source::Inquiry {
                    self.ask_again(payout, changes, now);
                }
                changes.event(
                    subject.request,
                    Some(payout_id),
                    "case_opened",
                    json!({"case": kind, "evidence": evidence, "source": report.source.as_str()}),
                );
                changes.case(subject.request, Some(payout_id), kind, evidence);
                Ok(())
            }
            Verdict::Open { event, resolution, why, ids } => {
                changes.note_open(payout, event, now);
                payout.status = transition(payout, event)?;
                payout.resolution = Some(resolution);
                let (payout_id, status) = (payout.id, payout.status);
                self.ask_again(payout, changes, now);
                note_ids(subject, index, ids, event == PayoutEvent::Taken, report.source, changes);
                changes.event(
                    subject.request,
                    Some(payout_id),
                    if status == PayoutStatus::Pending { "payout_pending" } else { "payout_unknown" },
                    json!({"source": report.source.as_str(), "resolution": resolution.as_str(), "why": why}),
                );
                if report.source == Source::Inquiry {
                    self.ask_a_person(subject, index, changes)?;
                }
                Ok(())
            }
            Verdict::Resend => self.resend(subject, index, changes, now),
            Verdict::Withheld { why } => self.begin_later(subject, index, &why, changes, now),
            Verdict::Moderate { why } => {
                self.ask_again(payout, changes, now);
                self.moderate(subject, Some(index), why, changes)
            }
            Verdict::Paid { amount, ids } => {
                note_ids(subject, index, ids, true, report.source, changes);
                self.paid(subject, index, amount, report.source, changes, now)
            }
            Verdict::PaidLate { amount, ids } => {
                note_ids(subject, index, ids, true, report.source, changes);
                self.paid_late(subject, index, amount, report.source, changes, now)
            }
            Verdict::Refused { resolution, code, message } => {
                payout.provider_code = code;
                payout.provider_message = message;
                self.refused(subject, index, resolution, report.source, changes, now)
            }
            Verdict::Returned { amount, mut ids } => {
                if !payout.status.is_open() {
                    // What was debited is booked already.
                    ids.debited = None;
                }
                note_ids(subject, index, ids, true, report.source, changes);
                self.paid_and_returned(subject, index, amount, report.source, changes, now)
            }
            Verdict::Recovered { amount, mut ids } => {
                if payout.status == PayoutStatus::LateProcessed {
                    ids.debited = None;
                }
                note_ids(subject, index, ids, true, report.source, changes);
                self.paid_late_and_recovered(subject, index, amount, report.source, changes, now)
            }
        }
    }
}

/// Keeps the ids that a report tells of a payout; one that contradicts what was known is written down. `is_sure` as in
/// [`verdict::remember_ids`].
fn note_ids(
    subject: &mut Subject<'_>,
    index: usize,
    ids: ProviderIds,
    is_sure: bool,
    source: Source,
    changes: &mut Changes,
) {
    let payout = &mut subject.payouts[index];
    let payout_id = payout.id;
    if let Some(mut difference) = verdict::remember_ids(payout, ids, is_sure) {
        tracing::warn!(payout = %payout_id, source = source.as_str(), %difference, "the provider calls a payment something else");
        difference["source"] = json!(source.as_str());
        changes.event(subject.request, Some(payout_id), "payout_id_differs", difference);
    }
}

/// Late successes whose case a person has closed, with what came back or never will: another return of them isn't booked by itself.
async fn settled_by_hand(
    conn: &AsyncPgConnection,
    ground: &mut ground::Ground,
    reports: &[Report],
) -> Result<BTreeSet<PayoutId>, GatewayError> {
    let is_return = |payout: &Payout| {
        reports.iter().any(|r| r.payout_id == payout.id && matches!(r.outcome, Outcome::Returned { .. }))
    };
    let mut settled = BTreeSet::new();
    for subject in ground.subjects() {
        for payout in subject.payouts.iter().filter(|p| p.status == PayoutStatus::LateProcessed && is_return(p)) {
            let cases = cases::of_payout(conn, payout.request_id, payout.id, "late_success").await?;
            if cases.iter().all(|case| case.closed_at.is_some()) {
                settled.insert(payout.id);
            }
        }
    }
    Ok(settled)
}

fn transition(payout: &Payout, event: PayoutEvent) -> Result<PayoutStatus, GatewayError> {
    payout.status.apply(event).map_err(|error| GatewayError::Payout(payout.id, error))
}
