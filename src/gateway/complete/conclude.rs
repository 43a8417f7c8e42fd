//! Requests that dispatch can't carry on, and those that were stopped from outside: what never was sent is given back, and the
//! request ends or waits as its payouts allow.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::advance::stopped_for;
use super::changes::Told;
use crate::domain::ids::{PayoutId, PayoutRequestId, Tenant};
use crate::domain::payout::Resolution;
use crate::domain::payout_request::RequestStatus;
use crate::gateway::progress;
use crate::gateway::{Gateway, GatewayError};
use crate::store::payouts::Payout;
use crate::store::requests::PayoutRequest;
use crate::store::retry::transaction;

/// A request to be looked at again, and what routing found of it.
#[derive(Clone, Debug)]
pub struct Conclusion {
    pub tenant: Tenant,
    pub request_id: PayoutRequestId,
    pub no_route: Option<NoRoute>,
}

/// Routing found no way for an amount.
#[derive(Clone, Debug)]
pub struct NoRoute {
    /// The payout that left it unpaid; `None`: the whole of a request that nothing was tried for.
    pub origin: Option<PayoutId>,
    pub resolution: Resolution,
    /// The trace, or what else there is to say.
    pub trace: Value,
}

impl Gateway {
    /// Concludes requests. Doing it again changes nothing more.
    pub async fn conclude(&self, conclusions: &[Conclusion]) -> Result<(), GatewayError> {
        if conclusions.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = conclusions.iter().map(|c| (c.tenant, c.request_id)).collect();
        let told = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let mut ground = self.lock_ground(conn, &keys).await?;
            let mut changes = self.changes();
            for mut subject in ground.subjects() {
                let request_id = subject.request.id;
                let mut resolution = None;
                for conclusion in conclusions.iter().filter(|c| c.request_id == request_id) {
                    let Some(no_route) = &conclusion.no_route else { continue };
                    if !may_give_up(&subject, no_route.origin)? {
                        continue;
                    }
                    resolution = Some(no_route.resolution);
                    let data = json!({"resolution": no_route.resolution.as_str(), "routing": no_route.trace});
                    let origin = subject.payouts.iter_mut().find(|payout| Some(payout.id) == no_route.origin);
                    match origin {
                        Some(payout) => {
                            payout.placement.given_up = true;
                            changes.payouts.insert(payout.id);
                        }
                        // Nothing was tried, and nothing will be.
                        None => {
                            let stop = subject.request.stop_requested.take();
                            subject.request.stop_requested = stop.or_else(|| Some("failure".to_owned()));
                        }
                    }
                    changes.event(subject.request, no_route.origin, "request_not_routed", data);
                }
                self.advance(&mut subject, resolution, &mut changes, now)?;
            }
            self.write_ground(conn, ground, changes, now).await
        })
        .await?;
        self.tell(told);
        Ok(())
    }

    pub(in crate::gateway) fn tell(&self, told: Told) {
        self.waiters.wake(told.ended);
        if told.dispatch_due {
            self.dispatch_hint.notify_waiters();
        }
    }
}

/// Whether what routing found still stands: the request goes on, and the amount is still due.
fn may_give_up(subject: &super::Subject<'_>, origin: Option<PayoutId>) -> Result<bool, GatewayError> {
    let goes_on =
        matches!(subject.request.status, RequestStatus::Ready | RequestStatus::Dispatching | RequestStatus::Pending)
            && subject.request.moderation_reason.is_none();
    let due = progress::due(subject.request, subject.payouts)?;
    Ok(goes_on && due.iter().any(|due| due.origin == origin))
}

/// Whether a stop, or the answer to what a person was to decide, hasn't been followed up yet: whoever asked for it died on the way.
pub(in crate::gateway) fn awaits_conclusion(
    request: &PayoutRequest,
    payouts: &[Payout],
    now: DateTime<Utc>,
) -> Result<bool, GatewayError> {
    match stopped_for(request)? {
        Some(reason) => Ok(progress::has_come_out(request, payouts, reason, now)),
        None => {
            let waits = progress::planned(payouts).next().is_some();
            Ok(waits && !request.status.is_final() && progress::is_stopped(request, payouts, now))
        }
    }
}
