//! Sending a request on that was made without `auto_process`.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::json;

use super::super::access::{Caller, Refusal};
use super::super::journal::{self, Draft};
use super::super::{Gateway, GatewayError};
use super::cancel::{locked, not_ready};
use super::create::dispatch_job;
use crate::domain::ids::PayoutRequestId;
use crate::domain::payout_request::RequestStatus;
use crate::store::jobs::{self, JobKind};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;
use crate::store::{events, partner_requests};

impl Gateway {
    /// Hands a ready request to dispatch. Again, it changes nothing.
    pub async fn process_request(&self, caller: &Caller, id: PayoutRequestId) -> Result<PayoutRequest, Refusal> {
        let actor = caller.actor();
        let row = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let mut row = locked(conn, caller.tenant, id).await?;
            match row.status {
                RequestStatus::Ready => {
                    self.process_rows(conn, std::slice::from_mut(&mut row), &actor, now).await?;
                    Ok(row)
                }
                RequestStatus::Dispatching
                | RequestStatus::Pending
                | RequestStatus::Processed
                | RequestStatus::PartiallyProcessed
                | RequestStatus::Returned => Ok(row),
                RequestStatus::Created
                | RequestStatus::WaitingDetails
                | RequestStatus::Failed
                | RequestStatus::Expired
                | RequestStatus::Canceled
                | RequestStatus::Terminated => Err(not_ready(row.status)),
            }
        })
        .await?;
        self.dispatch_hint.notify_waiters();
        Ok(row)
    }

    /// Gives locked, ready requests their dispatch jobs; answers how many had none yet.
    pub(in crate::gateway) async fn process_rows(
        &self,
        conn: &AsyncPgConnection,
        rows: &mut [PayoutRequest],
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<usize, GatewayError> {
        let keys: Vec<_> = rows.iter().map(|row| (row.tenant(), JobKind::Dispatch, row.id.0)).collect();
        let queued = jobs::epochs(conn, &keys).await?;
        let (mut log, mut due, mut touched) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows.iter_mut() {
            if queued.contains_key(&(JobKind::Dispatch.as_str().to_owned(), row.id.0)) {
                continue;
            }
            row.terms.auto_process = true;
            let draft = Draft { payout_id: None, kind: "processing_requested", actor: "", data: json!({}) };
            log.push(journal::append_by(&self.vault, row, draft, actor, now));
            due.push(dispatch_job(row, now));
            touched.push(row.clone());
        }
        tokio::try_join!(
            biased;
            requests::write(conn, &touched, now),
            partner_requests::mark_processed(conn, &touched),
            events::insert(conn, &log),
            jobs::insert(conn, &due, now),
        )?;
        Ok(due.len())
    }
}
