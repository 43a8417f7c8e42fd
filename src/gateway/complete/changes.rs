//! What a batch of reports changes beyond the rows that it locked, gathered to be written in a few statements.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::super::GatewayError;
use super::super::journal::{self, Draft};
use super::super::settle::{self, GivenBack};
use crate::domain::asset::Assets;
use crate::domain::exact;
use crate::domain::ids::{DepositAccountId, OfferId, PayoutId, PayoutRequestId, Tenant};
use crate::domain::ledger::Entry;
use crate::domain::payout::Resolution;
use crate::domain::payout_request::RequestEvent;
use crate::store::cases::{self, NewCase};
use crate::store::entries;
use crate::store::events::{self, Event};
use crate::store::jobs::{self, JobKind, NewJob};
use crate::store::limits;
use crate::store::offers::Offer;
use crate::store::payouts::Payout;
use crate::store::requests::PayoutRequest;
use crate::store::routes::{self, DepositMove};
use crate::vault::Vault;

#[derive(Default)]
pub(super) struct Changes {
    /// Payouts and offers that were touched and are to be written back.
    pub payouts: BTreeSet<PayoutId>,
    pub offers: BTreeSet<OfferId>,
    pub entries: Vec<Entry>,
    /// Requests that ended, or whose end changed: whoever waits for them looks again.
    pub ended: Vec<PayoutRequestId>,
    /// Jobs that end, and those that begin, with their time: of several words on one job in a batch, the last counts.
    done: BTreeSet<(Tenant, JobKind, Uuid)>,
    jobs: BTreeMap<(Tenant, JobKind, Uuid), DateTime<Utc>>,
    log: Vec<Event>,
    cases: Vec<NewCase>,
    deposits: BTreeMap<DepositAccountId, DepositMove>,
    given_back: Vec<GivenBack>,
}

/// Who is to be told once a batch is committed.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Told {
    /// Requests whose waiters look again.
    pub ended: Vec<PayoutRequestId>,
    /// Whether something failed over.
    pub dispatch_due: bool,
}

impl Changes {
    pub fn event(
        &mut self,
        vault: &Vault,
        request: &mut PayoutRequest,
        payout_id: Option<PayoutId>,
        kind: &'static str,
        data: Value,
        now: DateTime<Utc>,
    ) {
        let draft = Draft { payout_id, kind, actor: "gateway", data };
        self.log.push(journal::append(vault, request, draft, now));
    }

    pub fn case(&mut self, request: &PayoutRequest, payout_id: Option<PayoutId>, kind: &'static str, evidence: Value) {
        self.cases.push(NewCase { tenant: request.tenant(), kind, request_id: request.id, payout_id, evidence });
    }

    pub fn job(&mut self, tenant: Tenant, kind: JobKind, subject_id: Uuid, run_at: DateTime<Utc>) {
        self.jobs.insert((tenant, kind, subject_id), run_at);
    }

    /// Ends a job, and one that this batch was about to write.
    pub fn no_job(&mut self, tenant: Tenant, kind: JobKind, subject_id: Uuid) {
        self.jobs.remove(&(tenant, kind, subject_id));
        self.done.insert((tenant, kind, subject_id));
    }

    /// Ends the sending of a payout and the asking about it.
    pub fn no_jobs_of(&mut self, payout: &Payout) {
        self.no_job(payout.tenant(), JobKind::Invoke, payout.id.0);
        self.no_job(payout.tenant(), JobKind::Inquire, payout.id.0);
    }

    pub fn deposit(&mut self, id: DepositAccountId, reserved: Decimal, debited: Decimal) -> Result<(), GatewayError> {
        let change = self.deposits.entry(id).or_default();
        change.reserved = exact::add(change.reserved, reserved)?;
        change.debited = exact::add(change.debited, debited)?;
        Ok(())
    }

    /// A payout is final: its reservation ends, what it took leaves the deposit account, and nothing more is to be asked.
    pub fn finish_payout(
        &mut self,
        payout: &mut Payout,
        processed: Decimal,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        payout.final_at = Some(now);
        let reserved = std::mem::take(&mut payout.amount_reserved);
        let debited = if processed.is_zero() { Decimal::ZERO } else { exact::add(processed, payout.cost)? };
        self.deposit(payout.deposit_account_id, -reserved, debited)?;
        self.no_jobs_of(payout);
        Ok(())
    }

    /// A request is over. The offer that holds its funding is closed with it.
    pub fn end_request(
        &mut self,
        assets: &Assets,
        request: &mut PayoutRequest,
        offer: Option<&mut Offer>,
        event: RequestEvent,
        resolution: Resolution,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        request.status = request.status.apply(event).map_err(|error| GatewayError::Request(request.id, error))?;
        // A part may have come back while the rest was under way.
        if !request.amount_returned.is_zero() {
            let returned = request.status.apply(RequestEvent::Returned);
            request.status = returned.map_err(|error| GatewayError::Request(request.id, error))?;
        }
        request.resolution = Some(resolution);
        request.final_at = Some(now);
        self.no_job(request.tenant(), JobKind::Dispatch, request.id.0);
        self.ended.push(request.id);
        if let Some(offer) = offer {
            let (entry, given_back) = settle::close(assets, offer, request, now)?;
            self.entries.extend(entry);
            self.given_back.extend(given_back);
            self.offers.insert(offer.id);
        }
        Ok(())
    }

    /// Writes everything, and answers who is to be told. Jobs that end are deleted before new ones are written.
    pub async fn write(self, conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<Told, GatewayError> {
        cases::open(conn, self.cases, now).await?;
        // Balances before rolling sums before deposit accounts, as everybody locks them.
        {
            let conn = &*conn;
            tokio::try_join!(biased; events::insert(conn, &self.log), entries::book(conn, &self.entries, now))?;
        }
        give_back(conn, &self.given_back, now).await?;
        let done: Vec<_> = self.done.into_iter().collect();
        let new_job =
            |((tenant, kind, subject_id), run_at)| NewJob { tenant, kind, subject_id, run_at, claimed: false };
        let jobs: Vec<NewJob> = self.jobs.into_iter().map(new_job).collect();
        let conn = &*conn;
        tokio::try_join!(
            biased;
            routes::move_deposits(conn, &self.deposits),
            // In this order: an inquiry that was answered gives way to the next one.
            async {
                jobs::delete(conn, &done).await?;
                jobs::insert(conn, &jobs, now).await
            },
        )?;
        let dispatch_due = jobs.iter().any(|job| job.kind == JobKind::Dispatch);
        Ok(Told { ended: self.ended, dispatch_due })
    }
}

async fn give_back(
    conn: &mut AsyncPgConnection,
    given_back: &[GivenBack],
    now: DateTime<Utc>,
) -> Result<(), GatewayError> {
    let mut subjects: Vec<_> = given_back.iter().map(|back| (back.tenant, back.subject)).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let mut usages = limits::lock(conn, &subjects, now).await?;
    for back in given_back {
        let Some(window) = usages.get_mut(&(back.tenant, back.subject)) else { continue };
        window
            .release(back.reserved_at, back.amount)
            .map_err(|error| GatewayError::Corrupt(format!("limit usage of {:?}: {error}", back.subject)))?;
    }
    limits::write(conn, &usages, now).await?;
    Ok(())
}
