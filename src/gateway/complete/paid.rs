//! Money that went out, and money that came back: in time, late, or out of order.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::changes::Changes;
use super::{Source, Subject, transition};
use crate::domain::exact;
use crate::domain::ledger::{self, FiatSide};
use crate::domain::moderation::Reason;
use crate::domain::payout::{PayoutEvent, PayoutStatus, Resolution};
use crate::domain::payout_request::{RequestEvent, RequestStatus};
use crate::gateway::{Gateway, GatewayError, progress, settle};
use crate::store::payouts::Payout;

/// The fiat side of what a payout took: in its deposit account's currency.
fn debited(payout: &Payout) -> FiatSide {
    FiatSide {
        deposit_account: payout.deposit_account_id,
        asset: payout.placement.deposit_currency,
        amount: payout.placement.deposit_debited,
    }
}

impl Gateway {
    pub(super) fn paid(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        amount: Decimal,
        source: Source,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let request = &mut *subject.request;
        let payout = &mut subject.payouts[index];
        payout.status = transition(payout, PayoutEvent::Paid)?;
        payout.resolution = Some(Resolution::Ok);
        payout.placement.settled_from = Some(request.amount_processed);
        changes.finish_payout(&self.assets, payout, amount, now)?;
        self.book_cost(payout, changes)?;
        let asked_more = exact::sub(payout.amount, amount)? > Decimal::ZERO;
        if asked_more && progress::is_last_try(request, &subject.payouts[index], subject.payouts) {
            subject.payouts[index].placement.given_up = true;
        }
        let payout = subject.payouts[index].clone();
        let entry = settle::settle_paid(&self.assets, subject.purse()?, &payout, debited(&payout))?;
        changes.entries.push(entry);
        if let Some(offer) = subject.offer.as_deref() {
            changes.offers.insert(offer.id);
        }
        let request = &mut *subject.request;
        request.amount_processed = exact::add(request.amount_processed, amount)?;
        if amount > payout.amount {
            let evidence = json!({"asked": payout.amount.to_string(), "processed": amount.to_string()});
            changes.case(request, Some(payout.id), "processed_more_than_asked", evidence);
        }
        let data = json!({
            "source": source.as_str(),
            "amount": payout.amount.to_string(),
            "amount_processed": amount.to_string(),
            "debited": payout.placement.deposit_debited.to_string(),
            "deposit_currency": payout.placement.deposit_currency.as_str(),
            "provider_original_id": payout.provider_original_id,
            "rrn": payout.rrn,
            "arn": payout.arn,
        });
        changes.event(request, Some(payout.id), "payout_processed", data);
        if amount > payout.amount && !progress::is_covered(request) {
            // What the other parts ask for is more than is left to be paid.
            self.moderate(subject, Some(index), Reason::ProcessedMoreThanAsked, changes)?;
        }
        Ok(())
    }

    fn book_cost(&self, payout: &Payout, changes: &mut Changes) -> Result<(), GatewayError> {
        if !payout.cost.is_zero() {
            let cost = FiatSide { amount: payout.cost, ..debited(payout) };
            changes.entries.push(ledger::payout_cost(payout.tenant(), cost, &payout.id.0.simple().to_string())?);
        }
        Ok(())
    }

    /// A success of a payout that counts as failed: posted as it happened, for a person to look at. Nothing more is sent.
    pub(super) fn paid_late(
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
        changes.finish_payout(&self.assets, payout, amount, now)?;
        let payout = subject.payouts[index].clone();
        let reference = payout.id.0.simple().to_string();
        changes.entries.push(ledger::late_success(payout.tenant(), debited(&payout), &reference)?);
        self.book_cost(&payout, changes)?;
        let evidence = json!({
            "source": source.as_str(),
            "amount_processed": amount.to_string(),
            "resolution_before": payout.resolution.map(Resolution::as_str),
            "provider_reference": payout.provider_reference,
            "provider_original_id": payout.provider_original_id,
        });
        if !subject.request.status.is_final() {
            subject.request.moderation_reason = Some(Reason::LateSuccess.as_str().to_owned());
        }
        tracing::error!(payout = %payout.id, "a payout that counted as failed has paid");
        changes.case(subject.request, Some(payout.id), "late_success", evidence.clone());
        changes.event(subject.request, Some(payout.id), "payout_processed_late", evidence);
        Ok(())
    }

    pub(super) fn returned(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        amount: Decimal,
        source: Source,
        changes: &mut Changes,
    ) -> Result<(), GatewayError> {
        let Some(fiat) = self.came_back(subject, index, amount, changes)? else { return Ok(()) };
        let payout = &mut subject.payouts[index];
        payout.status = transition(payout, PayoutEvent::Returned)?;
        payout.amount_returned = amount;
        let payout = payout.clone();
        let entry = settle::settle_returned(&self.assets, subject.purse()?, &payout, amount, fiat)?;
        changes.entries.push(entry);
        if let Some(offer) = subject.offer.as_deref() {
            changes.offers.insert(offer.id);
        }
        let request = &mut *subject.request;
        request.amount_returned = exact::add(request.amount_returned, amount)?;
        if request.status.is_final() && request.status != RequestStatus::Returned {
            request.status = request
                .status
                .apply(RequestEvent::Returned)
                .map_err(|error| GatewayError::Request(request.id, error))?;
        }
        changes.ended.push(request.id);
        let data = json!({"source": source.as_str(), "amount_returned": amount.to_string()});
        changes.event(request, Some(payout.id), "payout_returned", data);
        Ok(())
    }

    /// The fiat side of a return, back on its deposit account: in proportion to what was debited for it, rounded down; what really came
    /// back is what the next balance tells. `None`: less than the account's currency has units for, which is left to a person.
    fn came_back(
        &self,
        subject: &Subject<'_>,
        index: usize,
        amount: Decimal,
        changes: &mut Changes,
    ) -> Result<Option<FiatSide>, GatewayError> {
        let payout = &subject.payouts[index];
        let fiat = FiatSide { amount: settle::deposit_share(&self.assets, payout, amount)?, ..debited(payout) };
        if fiat.amount.is_zero() {
            let evidence = json!({"status": payout.status.as_str(), "amount_returned": amount.to_string()});
            changes.case(subject.request, Some(payout.id), "return_does_not_fit", evidence);
            return Ok(None);
        }
        changes.deposit(payout.deposit_account_id, Decimal::ZERO, -fiat.amount)?;
        Ok(Some(fiat))
    }

    /// What a late success paid came back, all of it or some: it is no longer recoverable. Nobody was charged, so nobody is given back.
    /// The case of a request that is over ends with the whole of it; one that waits for a person goes on waiting.
    fn recovered(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        amount: Decimal,
        source: Source,
        changes: &mut Changes,
    ) -> Result<(), GatewayError> {
        let Some(fiat) = self.came_back(subject, index, amount, changes)? else { return Ok(()) };
        let payout = &mut subject.payouts[index];
        payout.amount_returned = amount;
        let (payout_id, is_whole) = (payout.id, amount == payout.amount_processed);
        changes.entries.push(ledger::recovery(payout.tenant(), fiat, &payout_id.0.simple().to_string())?);
        let request = &*subject.request;
        if is_whole && request.status.is_final() {
            changes.recovered(request, payout_id);
        }
        let data = json!({"source": source.as_str(), "amount_returned": amount.to_string()});
        changes.event(request, Some(payout_id), "payout_recovered", data);
        Ok(())
    }

    /// A return of what counts as failed, with or without its late success before it.
    pub(super) fn paid_late_and_recovered(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        amount: Decimal,
        source: Source,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        if subject.payouts[index].status == PayoutStatus::Failed {
            self.paid_late(subject, index, amount, source, changes, now)?;
        }
        self.recovered(subject, index, amount, source, changes)
    }

    /// A return that overtakes its success: the money went out before it came back.
    pub(super) fn paid_and_returned(
        &self,
        subject: &mut Subject<'_>,
        index: usize,
        amount: Decimal,
        source: Source,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        if subject.payouts[index].status.is_open() && subject.payouts[index].status != PayoutStatus::Created {
            let paid = subject.payouts[index].amount;
            self.paid(subject, index, paid, source, changes, now)?;
        }
        self.returned(subject, index, amount, source, changes)
    }
}
