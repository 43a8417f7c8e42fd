//! What a provider said of payouts, made true: states, ledger, reservations, offers and what happens next, in one
//! transaction for a whole batch.
//!
//! Everything here can be told twice, late and out of order: a payout takes what its state allows, and what it
//! doesn't is ignored or becomes a case, never a second payment.

mod changes;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::{Gateway, GatewayError, settle};
use crate::domain::exact;
use crate::domain::ids::{OfferId, PayoutId, PayoutRequestId, Tenant};
use crate::domain::ledger::{self, FiatSide};
use crate::domain::payout::{PayoutEvent, PayoutStatus, Resolution};
use crate::domain::payout_request::{Funding, RequestEvent};
use crate::domain::routing::failover::{self, AfterFailure, FailureFacts};
use crate::providers::provider::Outcome;
use crate::store::jobs::{self, JobKind};
use crate::store::offers::{self, Offer};
use crate::store::payouts::{self, Payout};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;
pub(super) use changes::Told;

use changes::Changes;
use verdict::Verdict;

/// Where an outcome comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Our own send, done under the invoke job of this epoch.
    Send {
        epoch: i32,
    },
    Inquiry,
    Callback,
    /// The process that was sending died, or took longer than its lease.
    Reclaimed,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Source::Send { .. } => "send",
            Source::Inquiry => "inquiry",
            Source::Callback => "callback",
            Source::Reclaimed => "reclaimed",
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

/// One request with everything that a report on it may change.
struct Subject<'a> {
    request: &'a mut PayoutRequest,
    payouts: &'a mut Vec<Payout>,
    offer: Option<&'a mut Offer>,
}

impl Gateway {
    /// Applies reports. Doing it again with the same reports changes nothing more.
    pub async fn complete(&self, reports: &[Report]) -> Result<(), GatewayError> {
        if reports.is_empty() {
            return Ok(());
        }
        let told = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let keys: BTreeSet<(Tenant, PayoutRequestId)> =
                reports.iter().map(|report| (report.tenant, report.request_id)).collect();
            let keys: Vec<_> = keys.into_iter().collect();
            let mut rows = requests::lock(conn, &keys).await?;
            let mut by_request: BTreeMap<PayoutRequestId, Vec<Payout>> = BTreeMap::new();
            for payout in payouts::of_requests(conn, &keys).await? {
                by_request.entry(payout.request_id).or_default().push(payout);
            }
            let held: Vec<(Tenant, OfferId)> = rows
                .iter()
                .filter(|row| row.funding == Funding::WalletHold)
                .filter_map(|row| row.offer_id.map(|id| (row.tenant(), id)))
                .collect();
            let mut held: BTreeMap<OfferId, Offer> =
                offers::lock(conn, &held).await?.into_iter().map(|offer| (offer.id, offer)).collect();
            let sends: Vec<_> = reports
                .iter()
                .filter(|report| matches!(report.source, Source::Send { .. }))
                .map(|report| (report.tenant, JobKind::Invoke, report.payout_id.0))
                .collect();
            let epochs = jobs::epochs(conn, &sends).await?;

            let mut changes = Changes::default();
            for row in &mut rows {
                let mut none = Vec::new();
                let mut subject = Subject {
                    payouts: by_request.get_mut(&row.id).unwrap_or(&mut none),
                    offer: row.offer_id.and_then(|id| held.get_mut(&id)),
                    request: row,
                };
                let request_id = subject.request.id;
                let of_request = reports.iter().filter(|report| report.request_id == request_id);
                for report in of_request {
                    let current = epochs.get(&(JobKind::Invoke.as_str().to_owned(), report.payout_id.0)).copied();
                    let is_stale = matches!(report.source, Source::Send { epoch } if current != Some(epoch));
                    self.apply(&mut subject, report, is_stale, &mut changes, now)?;
                }
            }
            let touched: Vec<Payout> =
                by_request.into_values().flatten().filter(|payout| changes.payouts.contains(&payout.id)).collect();
            let followed: Vec<Offer> = held.into_values().filter(|offer| changes.offers.contains(&offer.id)).collect();
            {
                let conn = &*conn;
                tokio::try_join!(
                    biased;
                    requests::write(conn, &rows, now),
                    payouts::write(conn, &touched, now),
                    offers::follow(conn, &followed),
                )?;
            }
            changes.write(conn, now).await
        })
        .await?;
        self.waiters.wake(told.ended);
        if told.dispatch_due {
            self.dispatch_hint.notify_waiters();
        }
        Ok(())
    }

    fn apply(
        &self,
        subject: &mut Subject<'_>,
        report: &Report,
        is_stale: bool,
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
        changes.payouts.insert(payout.id);
        if report.source == Source::Inquiry {
            payout.inquiries += 1;
        }
        let verdict = verdict::judge(payout, report, is_stale, &capabilities, self.settings.sends_max, now);
        tracing::debug!(payout = %payout.id, source = report.source.as_str(), ?verdict, "provider outcome");
        match verdict {
            Verdict::Ignore { why } => {
                // A repeat says nothing new: it isn't worth an event. A question that is still open is asked again.
                tracing::debug!(payout = %payout.id, why, "outcome ignored");
                if payout.status.is_open() && report.source == Source::Inquiry {
                    self.ask_again(payout, changes, now);
                }
                Ok(())
            }
            Verdict::Case { kind, evidence } => {
                let payout_id = payout.id;
                changes.event(
                    &self.vault,
                    subject.request,
                    Some(payout_id),
                    "case_opened",
                    json!({"case": kind, "evidence": evidence, "source": report.source.as_str()}),
                    now,
                );
                changes.case(subject.request, Some(payout_id), kind, evidence);
                Ok(())
            }
            Verdict::Open { event, resolution, why, ids } => {
                payout.status = transition(payout, event)?;
                payout.resolution = Some(resolution);
                verdict::remember_ids(payout, ids);
                let (payout_id, status) = (payout.id, payout.status);
                self.ask_again(payout, changes, now);
                changes.event(
                    &self.vault,
                    subject.request,
                    Some(payout_id),
                    if status == PayoutStatus::Pending { "payout_pending" } else { "payout_unknown" },
                    json!({"source": report.source.as_str(), "resolution": resolution.as_str(), "why": why}),
                    now,
                );
                Ok(())
            }
            Verdict::Resend => self.resend(subject, index, changes, now),
            Verdict::Moderate { why } => self.moderate(subject, index, why, changes, now),
            Verdict::Paid { amount, ids } => {
                verdict::remember_ids(payout, ids);
                self.paid(subject, index, amount, report.source, changes, now)
            }
            Verdict::PaidLate { amount, ids } => {
                verdict::remember_ids(payout, ids);
                self.paid_late(subject, index, amount, report.source, changes, now)
            }
            Verdict::Refused { resolution, code, message } => {
                payout.provider_code = code;
                payout.provider_message = message;
                self.refused(subject, index, resolution, report.source, changes, now)
            }
            Verdict::Returned { amount, ids } => {
                verdict::remember_ids(payout, ids);
                // A return that overtakes its success: the money went out before it came back.
                if payout.status.is_open() {
                    let paid = payout.amount;
                    self.paid(subject, index, paid, report.source, changes, now)?;
                }
                self.returned(subject, index, amount, report.source, changes, now)
            }
        }
    }

    /// The open question goes to the provider again, later.
    fn ask_again(&self, payout: &Payout, changes: &mut Changes, now: DateTime<Utc>) {
        let asked = u32::try_from(payout.inquiries).unwrap_or(0);
        let delay = TimeDelta::from_std(failover::inquiry_delay(asked)).unwrap_or(TimeDelta::hours(1));
        changes.no_jobs_of(payout);
        changes.job(payout.tenant(), JobKind::Inquire, payout.id.0, now + delay);
    }

    fn resend(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let payout = &mut subject.payouts[index];
        payout.not_found_count = 0;
        changes.no_jobs_of(payout);
        changes.job(payout.tenant(), JobKind::Invoke, payout.id.0, now);
        let (payout_id, sends) = (payout.id, payout.sends);
        changes.event(
            &self.vault,
            subject.request,
            Some(payout_id),
            "payout_to_be_resent",
            json!({"sends": sends, "why": "the provider doesn't have it, and takes the same reference once"}),
            now,
        );
        Ok(())
    }

    /// Nothing safe is left to do: no more sends, no release, but inquiries go on.
    fn moderate(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        why: &'static str,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let payout = &subject.payouts[index];
        self.ask_again(payout, changes, now);
        if subject.request.moderation_reason.is_some() {
            return Ok(());
        }
        subject.request.moderation_reason = Some(why.to_owned());
        let evidence = json!({
            "provider_reference": payout.provider_reference,
            "sends": payout.sends,
            "inquiries": payout.inquiries,
            "not_found_count": payout.not_found_count,
        });
        changes.case(subject.request, Some(payout.id), why, evidence.clone());
        let payout_id = payout.id;
        changes.event(
            &self.vault,
            subject.request,
            Some(payout_id),
            "moderation_started",
            json!({"why": why, "evidence": evidence}),
            now,
        );
        Ok(())
    }

    fn paid(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        amount: Decimal,
        source: Source,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let payout = &mut subject.payouts[index];
        payout.status = transition(payout, PayoutEvent::Paid)?;
        payout.resolution = Some(Resolution::Ok);
        payout.amount_processed = amount;
        changes.finish_payout(payout, amount, now)?;
        if !payout.cost.is_zero() {
            let cost =
                FiatSide { deposit_account: payout.deposit_account_id, asset: payout.currency, amount: payout.cost };
            let reference = payout.id.0.simple().to_string();
            changes.entries.push(ledger::payout_cost(payout.tenant(), cost, &reference)?);
        }
        let payout = payout.clone();
        let request = &mut *subject.request;
        request.amount_processed = exact::add(request.amount_processed, amount)?;
        if let Some(offer) = subject.offer.as_deref_mut() {
            changes.entries.push(settle::settle_paid(&self.assets, offer, &payout, amount)?);
            changes.offers.insert(offer.id);
        }
        if amount > payout.amount {
            let evidence = json!({"asked": payout.amount.to_string(), "processed": amount.to_string()});
            changes.case(request, Some(payout.id), "processed_more_than_asked", evidence);
        }
        let data = json!({
            "source": source.as_str(),
            "amount": payout.amount.to_string(),
            "amount_processed": amount.to_string(),
            "provider_original_id": payout.provider_original_id,
            "rrn": payout.rrn,
            "arn": payout.arn,
        });
        if request.amount_processed >= request.amount {
            self.end(subject, RequestEvent::PaidInFull, Resolution::Ok, changes, now)?;
        } else if subject.request.moderation_reason.is_none() {
            self.route_again(subject, Resolution::Ok, changes, now)?;
        }
        changes.event(&self.vault, subject.request, Some(payout.id), "payout_processed", data, now);
        Ok(())
    }

    /// A success of a payout that counts as failed: posted as it happened, for a person to look at. Nothing more is sent.
    fn paid_late(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        amount: Decimal,
        source: Source,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let payout = &mut subject.payouts[index];
        payout.status = transition(payout, PayoutEvent::Paid)?;
        payout.amount_processed = amount;
        changes.finish_payout(payout, amount, now)?;
        let fiat = FiatSide { deposit_account: payout.deposit_account_id, asset: payout.currency, amount };
        changes.entries.push(ledger::late_success(payout.tenant(), fiat, &payout.id.0.simple().to_string())?);
        if !payout.cost.is_zero() {
            let cost = FiatSide { amount: payout.cost, ..fiat };
            let reference = payout.id.0.simple().to_string();
            changes.entries.push(ledger::payout_cost(payout.tenant(), cost, &reference)?);
        }
        let evidence = json!({
            "source": source.as_str(),
            "amount_processed": amount.to_string(),
            "resolution_before": payout.resolution.map(Resolution::as_str),
            "provider_reference": payout.provider_reference,
            "provider_original_id": payout.provider_original_id,
        });
        let payout_id = payout.id;
        if !subject.request.status.is_final() {
            subject.request.moderation_reason = Some("late_success".to_owned());
        }
        tracing::error!(payout = %payout_id, "a payout that counted as failed has paid");
        changes.case(subject.request, Some(payout_id), "late_success", evidence.clone());
        changes.event(&self.vault, subject.request, Some(payout_id), "payout_processed_late", evidence, now);
        Ok(())
    }

    fn refused(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        resolution: Resolution,
        source: Source,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let payout = &mut subject.payouts[index];
        payout.status = transition(payout, PayoutEvent::Refused)?;
        payout.resolution = Some(resolution);
        changes.finish_payout(payout, Decimal::ZERO, now)?;
        let data = json!({
            "source": source.as_str(),
            "resolution": resolution.as_str(),
            "provider_code": payout.provider_code,
            "provider_message": payout.provider_message,
        });
        let payout_id = payout.id;
        if subject.request.moderation_reason.is_none() {
            self.route_again(subject, resolution, changes, now)?;
        }
        changes.event(&self.vault, subject.request, Some(payout_id), "payout_failed", data, now);
        Ok(())
    }

    fn returned(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        amount: Decimal,
        source: Source,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let payout = &mut subject.payouts[index];
        payout.status = transition(payout, PayoutEvent::Returned)?;
        payout.amount_returned = amount;
        // What came back is in the deposit account again, where our books keep it.
        changes.deposit(payout.deposit_account_id, Decimal::ZERO, -amount)?;
        let payout = payout.clone();
        let is_earlier = |other: &&Payout| {
            other.part < payout.part && matches!(other.status, PayoutStatus::Processed | PayoutStatus::Returned)
        };
        let earlier = subject.payouts.iter().filter(is_earlier).map(|other| other.amount_processed);
        let paid_before = earlier.into_iter().try_fold(Decimal::ZERO, exact::add)?;
        let request = &mut *subject.request;
        request.amount_returned = exact::add(request.amount_returned, amount)?;
        if let Some(offer) = subject.offer.as_deref_mut() {
            changes.entries.push(settle::settle_returned(&self.assets, offer, &payout, paid_before, amount)?);
            changes.offers.insert(offer.id);
        }
        if request.status.is_final() && request.status != crate::domain::payout_request::RequestStatus::Returned {
            request.status = request
                .status
                .apply(RequestEvent::Returned)
                .map_err(|error| GatewayError::Request(request.id, error))?;
        }
        changes.ended.push(request.id);
        let data = json!({"source": source.as_str(), "amount_returned": amount.to_string()});
        changes.event(&self.vault, request, Some(payout.id), "payout_returned", data, now);
        Ok(())
    }

    /// After a failure or a remainder: another payout where that is safe and allowed, the end otherwise.
    fn route_again(
        &self,
        subject: &mut Subject<'_>,
        resolution: Resolution,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let request = &mut *subject.request;
        let stop = request.stop_requested.is_some() || now >= request.expires_at;
        let attempts_made = u16::try_from(request.attempts_made).unwrap_or(u16::MAX);
        let attempts_limit = u16::try_from(request.attempts_limit).unwrap_or(0);
        let next = match resolution {
            // A remainder: what was processed is paid, what is left may go another way.
            Resolution::Ok if stop || attempts_made >= attempts_limit => AfterFailure::End(Resolution::Ok),
            Resolution::Ok => AfterFailure::RouteAgain,
            _ => failover::after_failure(FailureFacts { resolution, attempts_made, attempts_limit, stop }),
        };
        match next {
            AfterFailure::RouteAgain => {
                request.status = request
                    .status
                    .apply(RequestEvent::FailedOver)
                    .map_err(|error| GatewayError::Request(request.id, error))?;
                changes.job(request.tenant(), JobKind::Dispatch, request.id.0, now);
                Ok(())
            }
            AfterFailure::End(resolution) => {
                let event = ending(request, now);
                self.end(subject, event, resolution, changes, now)
            }
        }
    }

    /// The request is over: its funding is settled and whoever waits is told.
    fn end(
        &self,
        subject: &mut Subject<'_>,
        event: RequestEvent,
        resolution: Resolution,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let request = &mut *subject.request;
        let offer = subject.offer.as_deref_mut();
        changes.end_request(&self.assets, request, offer, event, resolution, now)
    }

    /// Ends requests that dispatch found no way for, within its transaction.
    pub(super) async fn end_unroutable(
        &self,
        conn: &mut diesel_async::AsyncPgConnection,
        ended: Vec<(&mut PayoutRequest, RequestEvent, Resolution, serde_json::Value)>,
        now: DateTime<Utc>,
    ) -> Result<Told, GatewayError> {
        let keys: Vec<(Tenant, OfferId)> = ended
            .iter()
            .filter(|(row, ..)| row.funding == Funding::WalletHold)
            .filter_map(|(row, ..)| row.offer_id.map(|id| (row.tenant(), id)))
            .collect();
        let mut held: BTreeMap<OfferId, Offer> =
            offers::lock(conn, &keys).await?.into_iter().map(|offer| (offer.id, offer)).collect();
        let mut changes = Changes::default();
        for (request, event, resolution, data) in ended {
            let offer = request.offer_id.and_then(|id| held.get_mut(&id));
            changes.end_request(&self.assets, request, offer, event, resolution, now)?;
            changes.event(&self.vault, request, None, "request_not_routed", data, now);
        }
        let followed: Vec<Offer> = held.into_values().collect();
        offers::follow(conn, &followed).await?;
        changes.write(conn, now).await
    }
}

/// How a request ends that can't be paid any further.
pub(super) fn ending(request: &PayoutRequest, now: DateTime<Utc>) -> RequestEvent {
    if !request.amount_processed.is_zero() {
        RequestEvent::PaidInPart
    } else if request.stop_requested.as_deref() == Some("cancel") {
        RequestEvent::Canceled
    } else if request.stop_requested.is_some() || now >= request.expires_at {
        RequestEvent::Expired
    } else {
        RequestEvent::Failed
    }
}

fn transition(payout: &Payout, event: PayoutEvent) -> Result<PayoutStatus, GatewayError> {
    payout.status.apply(event).map_err(|error| GatewayError::Payout(payout.id, error))
}
