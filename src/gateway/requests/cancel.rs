//! Ending a request before its time: cancel and terminate. What is already on its way isn't called back: it is only kept from
//! being sent again, and the end follows the truth.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::json;

use super::super::access::{Caller, Refusal};
use super::super::complete::conclude::Conclusion;
use super::super::complete::{Changes, Told};
use super::super::{Gateway, GatewayError};
use super::create::dispatch_job;
use crate::domain::ids::{OfferId, PayoutRequestId, Tenant};
use crate::domain::moderation::Reason;
use crate::domain::payout::Resolution;
use crate::domain::payout_request::{Funding, RequestEvent, RequestStatus};
use crate::store::jobs;
use crate::store::offers::{self, Offer};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;

/// How requests are to end, and who asks for it.
#[derive(Clone, Copy)]
pub(super) struct Ending<'a> {
    pub event: RequestEvent,
    /// What the event log calls it.
    pub kind: &'static str,
    pub actor: &'a str,
}

impl Gateway {
    /// Cancels a request: at once while nothing is under way, else as soon as what is under way has ended. Again, it changes nothing.
    pub async fn cancel_request(&self, caller: &Caller, id: PayoutRequestId) -> Result<PayoutRequest, Refusal> {
        let actor = caller.actor();
        let (row, told, stopped) = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let mut row = locked(conn, caller.tenant, id).await?;
            match row.status {
                RequestStatus::Canceled => Ok((row, Told::default(), false)),
                status if status.is_final() => Err(is_over(status)),
                RequestStatus::WaitingDetails | RequestStatus::Ready if row.moderation_reason.is_none() => {
                    let told = self.cancel_rows(conn, std::slice::from_mut(&mut row), &actor, now).await?;
                    Ok((row, told, false))
                }
                // What a card refused ends by itself, unless what was paid of it waits for the caller's word. A process that asked to
                // stop may have died before it looked at what follows: that is looked at again.
                _ if row.stop_requested.is_some() && !waits_for_word(&row) => Ok((row, Told::default(), true)),
                _ => {
                    self.ask_to_stop(conn, std::slice::from_mut(&mut row), "cancel", &actor, now).await?;
                    Ok((row, Told::default(), true))
                }
            }
        })
        .await?;
        self.waiters.wake(told.ended);
        if !stopped {
            return Ok(row);
        }
        // What was never sent is given back, and the request ends if nothing else is under way.
        self.conclude(&[Conclusion { tenant: caller.tenant, request_id: id, no_route: None }]).await?;
        let conn = self.db.get().await?;
        Ok(requests::find(&conn, caller.tenant, id).await?.unwrap_or(row))
    }

    /// Ends a request that is ready and hasn't been dispatched. Again, it changes nothing.
    pub async fn terminate_request(&self, caller: &Caller, id: PayoutRequestId) -> Result<PayoutRequest, Refusal> {
        let actor = caller.actor();
        let (row, told) = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let mut row = locked(conn, caller.tenant, id).await?;
            match row.status {
                RequestStatus::Terminated => return Ok((row, Told::default())),
                RequestStatus::Ready if row.moderation_reason.is_none() => {}
                status => return Err(not_ready(status)),
            }
            let ending = Ending { event: RequestEvent::Terminated, kind: "request_terminated", actor: &actor };
            let told = self.end_requests(conn, std::slice::from_mut(&mut row), ending, now).await?;
            Ok((row, told))
        })
        .await?;
        self.waiters.wake(told.ended);
        Ok(row)
    }

    /// Terminates locked, ready requests.
    pub(in crate::gateway) async fn terminate_rows(
        &self,
        conn: &mut AsyncPgConnection,
        rows: &mut [PayoutRequest],
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Told, GatewayError> {
        let ending = Ending { event: RequestEvent::Terminated, kind: "request_terminated", actor };
        self.end_requests(conn, rows, ending, now).await
    }

    /// Cancels locked requests of which nothing is under way.
    pub(in crate::gateway) async fn cancel_rows(
        &self,
        conn: &mut AsyncPgConnection,
        rows: &mut [PayoutRequest],
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<Told, GatewayError> {
        let ending = Ending { event: RequestEvent::Canceled, kind: "request_canceled", actor };
        self.end_requests(conn, rows, ending, now).await
    }

    /// Ends locked requests of which nothing is under way, with what holds their funding.
    pub(super) async fn end_requests(
        &self,
        conn: &mut AsyncPgConnection,
        rows: &mut [PayoutRequest],
        ending: Ending<'_>,
        now: DateTime<Utc>,
    ) -> Result<Told, GatewayError> {
        let keys: Vec<(Tenant, OfferId)> = rows
            .iter()
            .filter(|row| row.funding == Funding::WalletHold)
            .filter_map(|row| row.offer_id.map(|id| (row.tenant(), id)))
            .collect();
        let mut held = offers::lock(conn, &keys).await?;
        let mut changes = Changes::default();
        for row in rows.iter_mut() {
            let resolution = (ending.event == RequestEvent::Expired).then_some(Resolution::OperationExpired);
            let offer: Option<&mut Offer> =
                held.iter_mut().find(|offer| row.funding == Funding::WalletHold && Some(offer.id) == row.offer_id);
            changes.end_request(&self.assets, row, offer, ending.event, resolution, now)?;
            changes.event_by(&self.vault, row, ending.actor, ending.kind, json!({}), now);
        }
        offers::follow(conn, &held).await?;
        requests::write(conn, rows, now).await?;
        changes.write(self, conn, now).await
    }

    /// Nothing more is sent of locked requests. What follows of it is looked at by whoever asked, at once; the jobs stand for that look
    /// if it dies first.
    pub(super) async fn ask_to_stop(
        &self,
        conn: &mut AsyncPgConnection,
        rows: &mut [PayoutRequest],
        why: &'static str,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let mut changes = Changes::default();
        for row in rows.iter_mut() {
            row.stop_requested = Some(why.to_owned());
            changes.event_by(&self.vault, row, actor, "stop_requested", json!({"why": why}), now);
        }
        requests::write(conn, rows, now).await?;
        jobs::insert(conn, &rows.iter().map(|row| dispatch_job(row, now)).collect::<Vec<_>>(), now).await?;
        changes.write(self, conn, now).await?;
        Ok(())
    }
}

/// The tenant's request, locked.
pub(super) async fn locked(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: PayoutRequestId,
) -> Result<PayoutRequest, Refusal> {
    requests::lock(conn, &[(tenant, id)]).await?.pop().ok_or(Refusal::NotFound { what: "payout request" })
}

/// Whether a part was paid, the rest can't be, and the caller wanted all or nothing: a cancel takes what was paid.
fn waits_for_word(row: &PayoutRequest) -> bool {
    row.stop_requested.as_deref() == Some("failure")
        && row.moderation_reason.as_deref() == Some(Reason::PartlyPaid.as_str())
}

pub(super) fn is_over(status: RequestStatus) -> Refusal {
    Refusal::conflict("REQUEST_FINAL", format!("the payout request is {status}"))
}

pub(super) fn not_ready(status: RequestStatus) -> Refusal {
    Refusal::conflict("REQUEST_NOT_READY", format!("the payout request is {status}"))
}
