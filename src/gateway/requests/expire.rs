//! Requests whose time is over.

use diesel_async::AsyncPgConnection;

use super::super::complete::Told;
use super::super::complete::conclude::Conclusion;
use super::super::{Gateway, GatewayError};
use super::cancel::Ending;
use crate::domain::ids::{PayoutRequestId, Tenant};
use crate::domain::payout_request::{RequestEvent, RequestStatus};
use crate::store::partner_requests;
use crate::store::requests::PayoutRequest;
use crate::store::retry::transaction;

/// How many requests one step takes.
const BITE: i64 = 200;

/// What was done with requests whose time is over.
#[derive(Default)]
struct Expired {
    count: usize,
    told: Told,
    stopped: Vec<(Tenant, PayoutRequestId)>,
}

impl Gateway {
    /// Ends requests whose time is over and of which nothing is under way; of the others nothing more is sent. Answers how many. One that
    /// can't be ended keeps no other from its end.
    ///
    /// # Errors
    /// The database doesn't answer; or some can't be ended, once all others are.
    pub async fn expire_requests(&self) -> Result<usize, GatewayError> {
        let all = transaction(&self.db, async |conn| {
            let due = partner_requests::lock_expired(conn, self.clock.now(), BITE).await?;
            self.end_expired(conn, due).await
        })
        .await;
        match all {
            Ok(expired) => self.after_expiry(expired).await,
            Err(error) if error.is_of_the_database() => Err(error),
            Err(error) => {
                tracing::warn!(%error, "requests whose time is over could not be ended; one by one now");
                self.expire_one_by_one().await
            }
        }
    }

    async fn expire_one_by_one(&self) -> Result<usize, GatewayError> {
        let due = transaction(&self.db, async |conn| {
            let due = partner_requests::lock_expired(conn, self.clock.now(), BITE).await?;
            Ok::<_, GatewayError>(due.iter().map(|row| (row.tenant(), row.id)).collect::<Vec<_>>())
        })
        .await?;
        let (mut count, mut failed) = (0, None);
        for (tenant, id) in due {
            match self.expire_request(tenant, id).await {
                Ok(ended) => count += ended,
                Err(error) if error.is_of_the_database() => return Err(error),
                Err(error) => {
                    tracing::error!(request = %id, %error, "a request whose time is over could not be ended");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(count), Err)
    }

    /// The same of one request, where its time is over.
    pub(in crate::gateway) async fn expire_request(
        &self,
        tenant: Tenant,
        id: PayoutRequestId,
    ) -> Result<usize, GatewayError> {
        let expired = transaction(&self.db, async |conn| {
            let due = partner_requests::lock_one_expired(conn, self.clock.now(), tenant, id).await?;
            self.end_expired(conn, due).await
        })
        .await?;
        self.after_expiry(expired).await
    }

    async fn end_expired(
        &self,
        conn: &mut AsyncPgConnection,
        due: Vec<PayoutRequest>,
    ) -> Result<Expired, GatewayError> {
        let now = self.clock.now();
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
        let stopped = under_way.iter().map(|row| (row.tenant(), row.id)).collect();
        Ok(Expired { count, told, stopped })
    }

    /// Behind the commit: who waits is told, and what came to rest meanwhile is concluded.
    async fn after_expiry(&self, expired: Expired) -> Result<usize, GatewayError> {
        self.waiters.wake(expired.told.ended);
        let conclusion = |(tenant, request_id)| Conclusion { tenant, request_id, no_route: None };
        let conclusions: Vec<Conclusion> = expired.stopped.into_iter().map(conclusion).collect();
        self.conclude(&conclusions).await?;
        Ok(expired.count)
    }
}
