//! Requests whose time is over.

use super::super::complete::Told;
use super::super::complete::conclude::Conclusion;
use super::super::{Gateway, GatewayError};
use super::cancel::Ending;
use crate::domain::payout_request::{RequestEvent, RequestStatus};
use crate::store::partner_requests;
use crate::store::requests::PayoutRequest;
use crate::store::retry::transaction;

/// How many requests one step takes.
const BITE: i64 = 200;

impl Gateway {
    /// Ends requests whose time is over and of which nothing is under way; of the others nothing more is sent. Answers how many.
    pub async fn expire_requests(&self) -> Result<usize, GatewayError> {
        let (count, told, stopped) = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let due = partner_requests::lock_expired(conn, now, BITE).await?;
            let count = due.len();
            let at_rest = |row: &PayoutRequest| {
                matches!(row.status, RequestStatus::WaitingDetails | RequestStatus::Ready)
                    && row.moderation_reason.is_none()
            };
            let (mut at_rest, mut under_way): (Vec<_>, Vec<_>) = due.into_iter().partition(at_rest);
            let mut told = Told::default();
            if !at_rest.is_empty() {
                let ending = Ending { event: RequestEvent::Expired, kind: "request_expired", actor: "gateway" };
                told = self.end_requests(conn, &mut at_rest, ending, now).await?;
            }
            if !under_way.is_empty() {
                self.ask_to_stop(conn, &mut under_way, "expiry", "gateway", now).await?;
            }
            let stopped: Vec<_> = under_way.iter().map(|row| (row.tenant(), row.id)).collect();
            Ok::<_, GatewayError>((count, told, stopped))
        })
        .await?;
        self.waiters.wake(told.ended);
        let conclusion = |(tenant, request_id)| Conclusion { tenant, request_id, no_route: None };
        let conclusions: Vec<Conclusion> = stopped.into_iter().map(conclusion).collect();
        self.conclude(&conclusions).await?;
        Ok(count)
    }
}
