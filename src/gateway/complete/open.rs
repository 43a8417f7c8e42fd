//! Payouts whose fate is open, or that ended unpaid: asking again, sending again, and what is left to a person.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::changes::Changes;
use super::{Source, Subject, transition};
use crate::domain::moderation::Reason;
use crate::domain::payout::{PayoutEvent, PayoutStatus, Resolution, ResolutionClass};
use crate::domain::routing::failover;
use crate::gateway::{Gateway, GatewayError, progress};
use crate::store::jobs::JobKind;
use crate::store::payouts::Payout;

/// How long a send that we couldn't begin waits for the next try.
const WITHHELD_MIN: TimeDelta = TimeDelta::seconds(2);
const WITHHELD_MAX: TimeDelta = TimeDelta::minutes(5);

impl Gateway {
    /// The open question goes to the provider again, later.
    pub(super) fn ask_again(&self, payout: &Payout, changes: &mut Changes, now: DateTime<Utc>) {
        let asked = u32::try_from(payout.inquiries).unwrap_or(0);
        let delay = TimeDelta::from_std(failover::inquiry_delay(&self.settings.inquiry_intervals_ms, asked))
            .unwrap_or(TimeDelta::hours(1));
        changes.no_jobs_of(payout);
        changes.job(payout.tenant(), JobKind::Inquire, payout.id.0, now + delay);
    }

    /// What the provider doesn't tell for too long, a person is to find out elsewhere. It goes on being asked meanwhile.
    pub(super) fn ask_a_person(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        changes: &mut Changes,
    ) -> Result<(), GatewayError> {
        let payout = &subject.payouts[index];
        let secs = match payout.status {
            PayoutStatus::Pending => self.settings.fate_pending_secs,
            _ => self.settings.fate_unknown_secs,
        };
        let asked = u32::try_from(payout.inquiries).unwrap_or(u32::MAX);
        match failover::is_for_a_person(&self.settings.inquiry_intervals_ms, asked, u64::from(secs) * 1_000) {
            true => self.moderate(subject, Some(index), Reason::FateOpen, changes),
            false => Ok(()),
        }
    }

    pub(super) fn resend(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        if subject.request.stop_requested.is_some() || subject.request.moderation_reason.is_some() {
            // Nothing more is sent of it, and "not found" is no end: without a person it would be asked about for ever.
            self.ask_again(&subject.payouts[index], changes, now);
            return self.moderate(subject, Some(index), Reason::NotFoundAtProvider, changes);
        }
        let payout = &mut subject.payouts[index];
        payout.not_found_count = 0;
        changes.no_jobs_of(payout);
        changes.job(payout.tenant(), JobKind::Invoke, payout.id.0, now);
        let (payout_id, sends) = (payout.id, payout.sends);
        changes.event(
            subject.request,
            Some(payout_id),
            "payout_to_be_resent",
            json!({"sends": sends, "why": "the provider doesn't have it, and takes the same reference once"}),
        );
        Ok(())
    }

    /// A first send that wasn't begun: the payout waits for its turn again, with its reservation and its reference. No provider is to
    /// blame, and no try is used up; the request's end ends the waiting too.
    pub(super) fn begin_later(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        why: &str,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let payout = &mut subject.payouts[index];
        payout.status = transition(payout, PayoutEvent::Withheld)?;
        payout.sends = 0;
        payout.sent_at = None;
        changes.no_jobs_of(payout);
        // Ever more seldom, so that a long outage is no storm of tries.
        let wait = ((now - payout.created_at) / 4).clamp(WITHHELD_MIN, WITHHELD_MAX);
        let (payout_id, part) = (payout.id, payout.part);
        changes.begin_after(subject.request.id, now + wait);
        changes.event(subject.request, Some(payout_id), "payout_withheld", json!({"part": part, "why": why}));
        Ok(())
    }

    /// Nothing safe is left to do: no more sends, no release, but inquiries go on. `index` is the payout that it is about.
    pub(super) fn moderate(
        &self,
        subject: &mut Subject<'_>,
        index: Option<usize>,
        why: Reason,
        changes: &mut Changes,
    ) -> Result<(), GatewayError> {
        let why = why.as_str();
        if subject.request.moderation_reason.is_some() {
            return Ok(());
        }
        subject.request.moderation_reason = Some(why.to_owned());
        let payout = index.and_then(|index| subject.payouts.get(index));
        let evidence = match payout {
            Some(payout) => json!({
                "provider_reference": payout.provider_reference,
                "sends": payout.sends,
                "inquiries": payout.inquiries,
                "not_found_count": payout.not_found_count,
            }),
            None => json!({
                "amount": subject.request.amount.to_string(),
                "amount_processed": subject.request.amount_processed.to_string(),
                "resolution": progress::last_failure(subject.payouts).map(Resolution::as_str),
            }),
        };
        let payout_id = payout.map(|payout| payout.id);
        changes.case(subject.request, payout_id, why, evidence.clone());
        changes.event(subject.request, payout_id, "moderation_started", json!({"why": why, "evidence": evidence}));
        Ok(())
    }

    pub(super) fn refused(
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
        changes.finish_payout(&self.assets, payout, Decimal::ZERO, now)?;
        let data = json!({
            "source": source.as_str(),
            "resolution": resolution.as_str(),
            "provider_code": payout.provider_code,
            "provider_message": payout.provider_message,
        });
        let payout_id = payout.id;
        // Another route may do better where the failure was the route's, and it is tried as often as the caller allows.
        let is_for_card = resolution.class() != ResolutionClass::FinalForRoute;
        if is_for_card || progress::is_last_try(subject.request, &subject.payouts[index], subject.payouts) {
            subject.payouts[index].placement.given_up = true;
        }
        // What is wrong with the card is wrong for every other part of it.
        if is_for_card && subject.request.stop_requested.is_none() {
            subject.request.stop_requested = Some("failure".to_owned());
        }
        changes.event(subject.request, Some(payout_id), "payout_failed", data);
        Ok(())
    }
}
