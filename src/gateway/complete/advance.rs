//! What follows a change of a request's payouts: the next part, another route, the wait, or the end with its settlement.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Subject;
use super::changes::Changes;
use crate::domain::moderation::Reason;
use crate::domain::payout::{PayoutEvent, PayoutStatus, Resolution};
use crate::domain::payout_request::{RequestEvent, RequestStatus};
use crate::gateway::progress::{self, Next};
use crate::gateway::{Gateway, GatewayError};
use crate::store::cases::Closing;
use crate::store::jobs::JobKind;
use crate::store::requests::PayoutRequest;

impl Gateway {
    /// Brings the request to what its payouts allow now. Doing it again changes nothing more. `resolution` stands where no payout
    /// has failed to tell why.
    pub(super) fn advance(
        &self,
        subject: &mut Subject<'_>,
        resolution: Option<Resolution>,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        self.end_moot_moderation(subject, changes, now)?;
        let is_moderated = subject.request.moderation_reason.is_some();
        let is_stopped = !is_moderated && progress::is_stopped(subject.request, subject.payouts, now);
        // One part that paid for more than itself may have covered the parts that wait for their turn.
        if is_stopped || progress::is_covered(subject.request) {
            self.cancel_planned(subject, changes, now)?;
        }
        match progress::next(subject.request, subject.payouts, now)? {
            Next::Wait => self.wait(subject, changes),
            Next::Dispatch => {
                let request = &mut *subject.request;
                if request.status == RequestStatus::Pending {
                    request.status = apply(request.status, RequestEvent::FailedOver, request.id)?;
                    changes.event(request, None, "request_goes_on", json!({}));
                }
                let begin_at = changes.begin_at(request.id, now);
                changes.job(request.tenant(), JobKind::Dispatch, request.id.0, begin_at);
                Ok(())
            }
            Next::End(event, found) => {
                let request = &mut *subject.request;
                let needs_start = matches!(event, RequestEvent::Failed | RequestEvent::PaidInPart);
                if needs_start && request.status == RequestStatus::Ready {
                    request.status = apply(request.status, RequestEvent::DispatchStarted, request.id)?;
                }
                if event == RequestEvent::PaidInFull && request.status == RequestStatus::Dispatching {
                    // The last open part was paid while another was about to be placed that a larger payment has covered.
                    request.status = apply(request.status, RequestEvent::PayoutStarted, request.id)?;
                }
                // What a person was to decide about has come out by itself.
                if request.moderation_reason.take().is_some() {
                    changes.close_questions(request, Closing::by_gateway("ended"));
                }
                let resolution = found.or(resolution);
                changes.end_request(&self.assets, request, subject.offer.as_deref_mut(), event, resolution, now)?;
                let data = json!({
                    "status": request.status.as_str(),
                    "resolution": resolution.map(Resolution::as_str),
                    "amount_processed": request.amount_processed.to_string(),
                });
                changes.event(request, None, "request_ended", data);
                Ok(())
            }
            Next::PartlyPaid => {
                self.wait(subject, changes)?;
                self.moderate(subject, None, Reason::PartlyPaid, changes)
            }
        }
    }

    /// A stop whose question has answered itself is lifted: nobody has to decide it any more.
    fn end_moot_moderation(
        &self,
        subject: &mut Subject<'_>,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let request = &mut *subject.request;
        let Some(reason) = stopped_for(request)? else { return Ok(()) };
        if progress::has_come_out(request, subject.payouts, reason, now) {
            request.moderation_reason = None;
            changes.close_questions(request, Closing::by_gateway("came_out"));
            changes.event(request, None, "moderation_ended", json!({"why": reason.as_str()}));
        }
        Ok(())
    }

    /// Something is open: the request is pending again, whatever was about to be placed.
    fn wait(&self, subject: &mut Subject<'_>, changes: &mut Changes) -> Result<(), GatewayError> {
        let is_open = subject.payouts.iter().any(|payout| payout.status.is_open());
        let request = &mut *subject.request;
        if request.status == RequestStatus::Dispatching && is_open {
            request.status = apply(request.status, RequestEvent::PayoutStarted, request.id)?;
            changes.event(request, None, "request_waits", json!({}));
        }
        Ok(())
    }

    /// Parts that were never sent give their reservations back.
    fn cancel_planned(
        &self,
        subject: &mut Subject<'_>,
        changes: &mut Changes,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        for payout in subject.payouts.iter_mut().filter(|payout| payout.status == PayoutStatus::Created) {
            payout.status = super::transition(payout, PayoutEvent::Canceled)?;
            payout.placement.given_up = true;
            changes.finish_payout(&self.assets, payout, rust_decimal::Decimal::ZERO, now)?;
            changes.payouts.insert(payout.id);
            let data = json!({"part": payout.part, "amount": payout.amount.to_string()});
            changes.event(subject.request, Some(payout.id), "payout_canceled", data);
        }
        Ok(())
    }
}

/// Why a request waits for a person.
pub(super) fn stopped_for(request: &PayoutRequest) -> Result<Option<Reason>, GatewayError> {
    let parse = |text: &str| {
        text.parse().map_err(|_| GatewayError::Corrupt(format!("request {}: moderated for {text}", request.id)))
    };
    request.moderation_reason.as_deref().map(parse).transpose()
}

fn apply(
    status: RequestStatus,
    event: RequestEvent,
    id: crate::domain::ids::PayoutRequestId,
) -> Result<RequestStatus, GatewayError> {
    status.apply(event).map_err(|error| GatewayError::Request(id, error))
}
