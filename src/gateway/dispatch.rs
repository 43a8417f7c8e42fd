//! Dispatch: routing chooses where a request's money goes, and its payouts are written down with their references and their
//! reservations, all in one transaction for a batch. Whoever wrote a payout down sends it, right after the commit.
//!
//! A plan of several parts is reserved whole. One after the other, only its first part is sent now and the others wait, written
//! down; in parallel all are. A request that no route can carry any further is concluded in a transaction of its own, since its end
//! locks balances, which come before deposit accounts.

mod choose;
mod ground;
mod plan;
mod taken;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;

use super::complete::conclude::{Conclusion, awaits_conclusion};
use super::invoke::SendTask;
use super::route_book::Snapshot;
use super::{Gateway, GatewayError, breakers, progress};
use crate::domain::ids::PayoutRequestId;
use crate::domain::payout_request::RequestStatus;
use crate::store::jobs::{self, ClaimedJob, JobKind};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;
use crate::store::{deposit_accounts, events, payouts, route_statistics};
use progress::Next;

pub use choose::Choice;
pub(super) use choose::{Wish, card_facts, choose_by, customer_facts, facts_of};
pub(super) use ground::{Basis, Ground};
use plan::{Placed, Plan};
pub(super) use taken::Taken;

/// What one dispatch transaction wrote.
#[derive(Default)]
struct Written {
    tasks: Vec<SendTask>,
    conclusions: Vec<Conclusion>,
    /// Jobs of requests that no route was found for in a snapshot from before they were made.
    unsure: Vec<ClaimedJob>,
    claimed: usize,
}

impl Written {
    fn join(&mut self, other: Written) {
        self.tasks.extend(other.tasks);
        self.conclusions.extend(other.conclusions);
        self.unsure.extend(other.unsure);
        self.claimed += other.claimed;
    }
}

/// Jobs that were taken, and for how long.
struct Claims {
    jobs: Vec<ClaimedJob>,
    lease_until: DateTime<Utc>,
    /// Whether the snapshot was read again for them: what it doesn't have isn't there.
    reread: bool,
}

impl Gateway {
    /// Dispatches up to `batch_size` due requests. Answers the payouts to be sent now, and how many jobs were taken.
    pub async fn dispatch(&self, batch_size: usize) -> Result<(Vec<SendTask>, usize), GatewayError> {
        let snapshot = self.snapshot().await?;
        let claims = self.claim_dispatches(batch_size).await?;
        if claims.jobs.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let (mut written, mut failed) = self.write_claimed(&snapshot, &claims).await?;
        if !written.unsure.is_empty() {
            // What was set up through another process before they were made counts for them.
            self.routes.forget();
            let again =
                Claims { jobs: std::mem::take(&mut written.unsure), lease_until: claims.lease_until, reread: true };
            let more = match self.snapshot().await {
                Ok(snapshot) => self.write_claimed(&snapshot, &again).await,
                Err(error) => Err(error),
            };
            match more {
                Ok((more, error)) => {
                    written.join(Written { claimed: 0, ..more });
                    failed = error.or(failed);
                }
                Err(error) => failed = Some(error),
            }
        }
        // One by one: what is wrong with one request doesn't keep the others from their end.
        for conclusion in &written.conclusions {
            if let Err(error) = self.conclude(std::slice::from_ref(conclusion)).await {
                tracing::error!(request = %conclusion.request_id, %error, "a request could not be concluded");
                failed = Some(error);
            }
        }
        match failed {
            // What was written down is sent in any case; the job of the failed one comes up again with its lease.
            Some(error) if written.tasks.is_empty() => Err(error),
            _ => Ok((written.tasks, written.claimed)),
        }
    }

    /// Takes due jobs, in a transaction of its own: whoever changes a request locks it before its jobs, so that a job may not stay
    /// locked while its request is waited for. What is decided is decided by the requests as they are once they are locked.
    async fn claim_dispatches(&self, batch_size: usize) -> Result<Claims, GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let lease_until = now + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1));
            let jobs = jobs::claim_alone(conn, JobKind::Dispatch, now, lease_until, batch_size).await?;
            Ok(Claims { jobs, lease_until, reread: false })
        })
        .await
    }

    /// Writes all in one transaction; where one request can't be written, each in its own, so that the others go on. Answers the last
    /// failure too: its job comes up again with its lease.
    async fn write_claimed(
        &self,
        snapshot: &Snapshot,
        claims: &Claims,
    ) -> Result<(Written, Option<GatewayError>), GatewayError> {
        let write = async |jobs: &[ClaimedJob]| {
            transaction(&self.db, async |conn| self.write_payouts(conn, snapshot, jobs, claims).await).await
        };
        let error = match write(&claims.jobs).await {
            Ok(written) => return Ok((written, None)),
            Err(error) => error,
        };
        if claims.jobs.len() == 1 || error.is_of_the_database() {
            return Err(error);
        }
        tracing::warn!(%error, requests = claims.jobs.len(), "a batch could not be dispatched; one by one now");
        let (mut written, mut failed) = (Written::default(), None);
        for job in &claims.jobs {
            match write(std::slice::from_ref(job)).await {
                Ok(one) => written.join(one),
                Err(error) => {
                    tracing::error!(request = %PayoutRequestId(job.subject_id), %error, "a request could not be dispatched");
                    failed = Some(error);
                }
            }
        }
        Ok((written, failed))
    }

    async fn write_payouts(
        &self,
        conn: &mut AsyncPgConnection,
        snapshot: &Snapshot,
        claimed: &[ClaimedJob],
        claims: &Claims,
    ) -> Result<Written, GatewayError> {
        let now = self.clock.now();
        let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), PayoutRequestId(job.subject_id))).collect();
        let mut rows = requests::lock(conn, &keys).await?;
        let mut ground = self.ground(conn, snapshot, &rows, claims.lease_until, now).await?;

        let mut written = Written { claimed: claimed.len(), ..Written::default() };
        let mut plan = Plan::default();
        let found: BTreeSet<_> = rows.iter().map(|row| row.id.0).collect();
        for job in claimed.iter().filter(|job| !found.contains(&job.subject_id)) {
            plan.done.push((job.tenant(), JobKind::Dispatch, job.subject_id));
        }
        for row in &mut rows {
            if awaits_conclusion(row, ground.payouts_of(row.id), now)? {
                written.conclusions.push(Conclusion { tenant: row.tenant(), request_id: row.id, no_route: None });
                continue;
            }
            let goes_on =
                matches!(row.status, RequestStatus::Ready | RequestStatus::Dispatching | RequestStatus::Pending);
            match progress::next(row, ground.payouts_of(row.id), now)? {
                _ if !goes_on => plan.done.push((row.tenant(), JobKind::Dispatch, row.id.0)),
                Next::Wait => plan.done.push((row.tenant(), JobKind::Dispatch, row.id.0)),
                Next::End(..) | Next::PartlyPaid => {
                    written.conclusions.push(Conclusion { tenant: row.tenant(), request_id: row.id, no_route: None });
                }
                Next::Dispatch => {
                    let owner = snapshot.owner_for(row.tenant(), row.funding);
                    let Placed { refused, full } = self.place(row, &mut ground, &mut plan, owner)?;
                    if let Some(account) = full {
                        // Waits as a job: under no lease, and with nothing written down that would be in doubt.
                        let next_look = self.account_calls.next_look(account, now);
                        let jobs = claimed.iter().filter(|job| job.subject_id == row.id.0);
                        plan.given_back.extend(jobs.map(|job| (job.clone(), next_look)));
                        continue;
                    }
                    let is_unsure = !refused.is_empty() && !claims.reread && snapshot.read_at() < row.created_at;
                    if is_unsure {
                        written.unsure.extend(claimed.iter().filter(|job| job.subject_id == row.id.0).cloned());
                        continue;
                    }
                    if refused.is_empty() {
                        plan.done.push((row.tenant(), JobKind::Dispatch, row.id.0));
                    }
                    written.conclusions.extend(refused.into_iter().map(|no_route| Conclusion {
                        tenant: row.tenant(),
                        request_id: row.id,
                        no_route: Some(no_route),
                    }));
                }
            }
        }
        written.tasks = std::mem::take(&mut plan.tasks);
        self.write_plan(conn, plan, rows, &ground).await?;
        Ok(written)
    }

    async fn write_plan(
        &self,
        conn: &AsyncPgConnection,
        plan: Plan,
        rows: Vec<PayoutRequest>,
        ground: &Ground,
    ) -> Result<(), GatewayError> {
        let now = ground.now;
        let dirty: Vec<PayoutRequest> = rows.into_iter().filter(|row| plan.dirty.contains(&row.id)).collect();
        tokio::try_join!(
            biased;
            requests::write(conn, &dirty, now),
            payouts::insert(conn, &plan.payouts),
            payouts::write(conn, &plan.begun, now),
            events::insert(conn, &plan.log),
            deposit_accounts::move_deposits(conn, &plan.deposits),
            jobs::delete(conn, &plan.done),
            jobs::insert(conn, &plan.jobs, now),
            jobs::give_back(conn, JobKind::Dispatch, &plan.given_back),
            route_statistics::add_turnovers(conn, &plan.turnovers),
            route_statistics::add_usage(conn, &plan.usage),
            route_statistics::raise_floors(conn, &plan.floors),
        )?;
        breakers::probes_sent(self, conn, &plan.probes, now).await
    }
}
