//! What a batch of reports changes beyond the rows that it locked, gathered to be written in a few statements.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::super::GatewayError;
use super::super::breakers::{self, BadNews};
use super::super::journal::{self, Draft};
use super::super::requests::release::partner_release;
use super::super::settle::{self, GivenBack};
use super::super::{Gateway, statistics};
use crate::domain::asset::Assets;
use crate::domain::exact;
use crate::domain::ids::{CustomerId, DepositAccountId, OfferId, PayoutId, PayoutRequestId, RouteId, Tenant};
use crate::domain::ledger::Entry;
use crate::domain::moderation::Reason;
use crate::domain::payout::{PayoutEvent, PayoutStatus, Resolution, ResolutionClass};
use crate::domain::payout_request::RequestEvent;
use crate::domain::routing::breaker::CallOutcome;
use crate::store::cases::{self, Closed, Closing, NewCase};
use crate::store::customers;
use crate::store::deposit_accounts::{self, DepositMove};
use crate::store::entries;
use crate::store::events::{self, Event};
use crate::store::jobs::{self, JobKind, NewJob};
use crate::store::limits;
use crate::store::offers::Offer;
use crate::store::payouts::Payout;
use crate::store::requests::PayoutRequest;
use crate::store::route_statistics::{self, AccountCalls, PoolWindow, TurnoverKey};
use crate::vault::Vault;

#[derive(Default)]
pub(in crate::gateway) struct Changes {
    /// Payouts and offers that were touched and are to be written back.
    pub payouts: BTreeSet<PayoutId>,
    pub offers: BTreeSet<OfferId>,
    pub entries: Vec<Entry>,
    /// Requests that ended, or whose end changed: whoever waits for them looks again.
    pub ended: Vec<PayoutRequestId>,
    /// Jobs that end, and those that begin, with their time: of several words on one job in a batch, the last counts.
    done: BTreeSet<(Tenant, JobKind, Uuid)>,
    jobs: BTreeMap<(Tenant, JobKind, Uuid), DateTime<Utc>>,
    /// Requests of which nothing is to be begun before a time.
    begin_after: BTreeMap<PayoutRequestId, DateTime<Utc>>,
    /// Said of requests, in order, and not yet in their chains.
    drafts: Vec<(PayoutRequestId, Draft)>,
    log: Vec<Event>,
    cases: Vec<NewCase>,
    closings: Vec<(Closed, Closing)>,
    /// Cases that are settled with this batch, those that it opens too.
    settled: Vec<(Closed, Closing)>,
    deposits: BTreeMap<DepositAccountId, DepositMove>,
    given_back: Vec<GivenBack>,
    /// Deposit accounts whose balance the provider reports: what paid stays reserved until it does.
    synced: BTreeSet<DepositAccountId>,
    turnovers: BTreeMap<TurnoverKey, Decimal>,
    usage: BTreeMap<(PoolWindow, RouteId), Decimal>,
    outcomes: BTreeMap<(RouteId, DateTime<Utc>), (i64, i64)>,
    calls: BTreeMap<(crate::domain::ids::ProviderAccountId, DateTime<Utc>), AccountCalls>,
    bad_news: BadNews,
    /// Requests of a customer that ended paid, and unpaid.
    customers: BTreeMap<(Tenant, CustomerId), (i32, i32)>,
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
    /// Nothing changed yet. `synced` are the deposit accounts whose balance their provider reports.
    pub fn over(synced: BTreeSet<DepositAccountId>) -> Self {
        Self { synced, ..Self::default() }
    }

    pub fn event(&mut self, request: &PayoutRequest, payout_id: Option<PayoutId>, kind: &'static str, mut data: Value) {
        journal::note_status(request, &mut data);
        self.drafts.push((request.id, Draft { payout_id, kind, actor: "gateway", data }));
    }

    /// Appends what was said of a request to its chain.
    pub fn append_events(&mut self, vault: &Vault, request: &mut PayoutRequest, now: DateTime<Utc>) {
        let request_id = request.id;
        let (own, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.drafts).into_iter().partition(|(id, _)| *id == request_id);
        self.drafts = others;
        self.log.extend(own.into_iter().map(|(_, draft)| journal::append(vault, request, draft, now)));
    }

    /// An event that was caused by `actor`.
    pub fn event_by(
        &mut self,
        vault: &Vault,
        request: &mut PayoutRequest,
        actor: &str,
        kind: &'static str,
        data: Value,
        now: DateTime<Utc>,
    ) {
        let draft = Draft { payout_id: None, kind, actor: "", data };
        self.log.push(journal::append_by(vault, request, draft, actor, now));
    }

    /// A person's decision, before what follows of it.
    pub fn decided(
        &mut self,
        vault: &Vault,
        request: &mut PayoutRequest,
        payout_id: Option<PayoutId>,
        actor: &str,
        data: Value,
        now: DateTime<Utc>,
    ) {
        let draft = Draft { payout_id, kind: "moderation_decided", actor: "", data };
        self.log.push(journal::append_by(vault, request, draft, actor, now));
    }

    pub fn case(&mut self, request: &PayoutRequest, payout_id: Option<PayoutId>, kind: &'static str, evidence: Value) {
        self.cases.push(NewCase {
            tenant: request.tenant(),
            kind,
            request_id: Some(request.id),
            payout_id,
            provider_account_id: None,
            subject: None,
            evidence,
        });
    }

    /// The request isn't stopped any more: the cases that only ask whether it goes on are answered.
    pub fn close_questions(&mut self, request: &PayoutRequest, closing: Closing) {
        let is_question = |reason: &Reason| reason.is_settled_by_going_on();
        let kinds = Reason::ALL.into_iter().filter(is_question).map(Reason::as_str).collect();
        self.close_cases(Closed { tenant: request.tenant(), request_id: request.id, payout_id: None, kinds }, closing);
    }

    /// Closed before those of this batch are opened.
    pub fn close_cases(&mut self, closed: Closed, closing: Closing) {
        self.closings.push((closed, closing));
    }

    /// A case about a payment at a provider account, whether or not a request of ours stands for it.
    pub fn account_case(&mut self, case: NewCase) {
        self.cases.push(case);
    }

    /// All that a late success paid is back.
    pub fn recovered(&mut self, request: &PayoutRequest, payout_id: PayoutId) {
        let (tenant, request_id) = (request.tenant(), request.id);
        let closed = Closed { tenant, request_id, payout_id: Some(payout_id), kinds: vec!["late_success"] };
        self.settled.push((closed, Closing::by_gateway("recovered")));
    }

    pub fn job(&mut self, tenant: Tenant, kind: JobKind, subject_id: Uuid, run_at: DateTime<Utc>) {
        self.jobs.insert((tenant, kind, subject_id), run_at);
    }

    /// What is next of the request isn't begun before `time`.
    pub fn begin_after(&mut self, request_id: PayoutRequestId, time: DateTime<Utc>) {
        self.begin_after.insert(request_id, time);
    }

    /// When what is next of the request may be begun.
    pub fn begin_at(&self, request_id: PayoutRequestId, now: DateTime<Utc>) -> DateTime<Utc> {
        self.begin_after.get(&request_id).copied().unwrap_or(now).max(now)
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

    /// A payout is final: its reservation ends, what it took leaves the deposit account, routing's counters are told, and nothing more
    /// is to be asked. Also for a success that shows up after the end.
    pub fn finish_payout(
        &mut self,
        assets: &Assets,
        payout: &mut Payout,
        processed: Decimal,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let was_final = payout.final_at.is_some();
        let has_paid = !processed.is_zero();
        let asked = statistics::deposit_amount(assets, payout, payout.amount)?;
        payout.amount_processed = processed;
        if !has_paid {
            payout.placement.deposit_debited = Decimal::ZERO;
        } else if payout.placement.deposit_debited.is_zero() {
            payout.placement.deposit_debited = statistics::deposit_amount(assets, payout, processed)?;
        }
        payout.final_at = Some(payout.final_at.unwrap_or(now));
        let taken = if has_paid { exact::add(payout.placement.deposit_debited, payout.cost)? } else { Decimal::ZERO };
        // What the provider's next balance will have in it stays set aside until then.
        let kept = if has_paid && self.synced.contains(&payout.deposit_account_id) { taken } else { Decimal::ZERO };
        let reserved = std::mem::replace(&mut payout.amount_reserved, kept);
        self.deposit(payout.deposit_account_id, exact::sub(kept, reserved)?, taken)?;
        self.no_jobs_of(payout);

        let counted_before = if was_final { (Decimal::ZERO, Decimal::ZERO) } else { (asked, payout.amount) };
        let turnover = exact::sub(payout.placement.deposit_debited, counted_before.0)?;
        let usage = exact::sub(processed, counted_before.1)?;
        if !turnover.is_zero() {
            let key = (payout.provider_account_id, payout.created_at.date_naive(), payout.placement.deposit_currency);
            let sum = self.turnovers.entry(key).or_default();
            *sum = exact::add(*sum, turnover)?;
        }
        if let (Some(pool), Some(window), false) =
            (payout.placement.usage_pool, payout.placement.usage_window, usage.is_zero())
        {
            let sum = self.usage.entry(((pool, window), payout.route_id)).or_default();
            *sum = exact::add(*sum, usage)?;
        }
        self.note_end(payout, now);
        Ok(())
    }

    /// Counts how a payout ended, for its route and its provider account.
    fn note_end(&mut self, payout: &mut Payout, now: DateTime<Utc>) {
        let (has_succeeded, resolution) = match payout.status {
            PayoutStatus::Canceled => return,
            PayoutStatus::Processed | PayoutStatus::LateProcessed | PayoutStatus::Returned => (true, None),
            PayoutStatus::Failed
            | PayoutStatus::Created
            | PayoutStatus::Invoking
            | PayoutStatus::Pending
            | PayoutStatus::Unknown => (false, payout.resolution),
        };
        // A refused card says nothing of the route; a deposit account that is empty does, though not of the provider account.
        let has_failed = resolution.is_some_and(|resolution| resolution.class() == ResolutionClass::FinalForRoute);
        if has_succeeded || has_failed {
            let (succeeded, failed) = self.outcomes.entry((payout.route_id, statistics::hour(now))).or_default();
            *succeeded += i64::from(has_succeeded);
            *failed += i64::from(has_failed);
        }
        let outcome = if has_succeeded { Some(CallOutcome::Ok) } else { resolution.and_then(CallOutcome::of) };
        if let Some(outcome) = outcome {
            self.note_call(payout, outcome, now);
        }
    }

    fn note_call(&mut self, payout: &mut Payout, outcome: CallOutcome, now: DateTime<Utc>) {
        let calls = self.calls.entry((payout.provider_account_id, statistics::bucket(now))).or_default();
        match outcome {
            CallOutcome::Ok => calls.ok += 1,
            CallOutcome::Error => calls.errors += 1,
            CallOutcome::Unknown => calls.unknowns += 1,
        }
        let is_probe = std::mem::take(&mut payout.placement.is_probe);
        self.bad_news.note(payout.provider_account_id, outcome, is_probe);
    }

    /// A payout's fate stays open. The first time that it can't be told counts against the provider account.
    pub fn note_open(&mut self, payout: &mut Payout, event: PayoutEvent, now: DateTime<Utc>) {
        if event == PayoutEvent::Ambiguous && payout.status == PayoutStatus::Invoking {
            self.note_call(payout, CallOutcome::Unknown, now);
        }
    }

    /// A request is over: what holds its funding is closed with it.
    pub fn end_request(
        &mut self,
        assets: &Assets,
        request: &mut PayoutRequest,
        offer: Option<&mut Offer>,
        event: RequestEvent,
        resolution: Option<Resolution>,
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        request.status = request.status.apply(event).map_err(|error| GatewayError::Request(request.id, error))?;
        // A part may have come back while the rest was under way.
        if !request.amount_returned.is_zero() {
            let returned = request.status.apply(RequestEvent::Returned);
            request.status = returned.map_err(|error| GatewayError::Request(request.id, error))?;
        }
        request.resolution = resolution;
        request.final_at = Some(now);
        self.no_job(request.tenant(), JobKind::Dispatch, request.id.0);
        self.ended.push(request.id);
        if let Some(offer) = offer {
            let (entry, given_back) = settle::close(assets, offer, request, now)?;
            self.entries.extend(entry);
            self.given_back.extend(given_back);
            self.offers.insert(offer.id);
        }
        self.entries.extend(partner_release(assets, request)?);
        if let Some(customer_id) = request.customer_id {
            let (paid, failed) = self.customers.entry((request.tenant(), customer_id)).or_default();
            match event {
                RequestEvent::PaidInFull | RequestEvent::PaidInPart => *paid += 1,
                RequestEvent::Failed => *failed += 1,
                RequestEvent::DetailsMissing
                | RequestEvent::MadeReady
                | RequestEvent::DispatchStarted
                | RequestEvent::PayoutStarted
                | RequestEvent::FailedOver
                | RequestEvent::Expired
                | RequestEvent::Canceled
                | RequestEvent::Terminated
                | RequestEvent::Returned => {}
            }
        }
        Ok(())
    }

    /// Writes everything, and answers who is to be told. Jobs that end are deleted before new ones are written.
    pub async fn write(
        self,
        gateway: &Gateway,
        conn: &mut AsyncPgConnection,
        now: DateTime<Utc>,
    ) -> Result<Told, GatewayError> {
        for (closed, closing) in self.closings {
            cases::close_all(conn, closed, closing, now).await?;
        }
        cases::open(conn, self.cases, now).await?;
        for (closed, closing) in self.settled {
            cases::close_all(conn, closed, closing, now).await?;
        }
        // Customers before balances, as whoever submits a request locks them.
        let counted: Vec<_> =
            self.customers.iter().map(|((tenant, id), (paid, failed))| (*tenant, *id, *paid, *failed)).collect();
        customers::count_ended(conn, &counted).await?;
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
            deposit_accounts::move_deposits(conn, &self.deposits),
            // In this order: an inquiry that was answered gives way to the next one.
            async {
                jobs::delete(conn, &done).await?;
                jobs::insert(conn, &jobs, now).await
            },
            // After the deposit accounts, as dispatch has it.
            route_statistics::add_turnovers(conn, &self.turnovers),
            route_statistics::add_usage(conn, &self.usage),
            route_statistics::add_outcomes(conn, &self.outcomes),
            route_statistics::add_calls(conn, &self.calls),
        )?;
        breakers::hear(gateway, conn, &self.bad_news, now).await?;
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::ids::{Mode, PartnerId, ProviderAccountId};
    use crate::store::payouts::Placement;

    fn payout(status: PayoutStatus, resolution: Resolution) -> Payout {
        let now = DateTime::UNIX_EPOCH;
        let currency = "EUR".parse().unwrap();
        Payout {
            partner_id: PartnerId(Uuid::nil()),
            mode: Mode::Test,
            id: PayoutId::new(),
            request_id: PayoutRequestId::new(),
            part: 0,
            attempt: 1,
            route_id: RouteId(Uuid::nil()),
            deposit_account_id: DepositAccountId(Uuid::nil()),
            provider_account_id: ProviderAccountId(Uuid::nil()),
            provider: "test".to_owned(),
            status,
            provider_reference: String::new(),
            provider_original_id: None,
            rrn: None,
            arn: None,
            amount: Decimal::TEN,
            currency,
            amount_reserved: Decimal::ZERO,
            amount_processed: Decimal::ZERO,
            amount_returned: Decimal::ZERO,
            cost: Decimal::ZERO,
            resolution: Some(resolution),
            provider_code: None,
            provider_message: None,
            sends: 1,
            sent_at: Some(now),
            inquiries: 0,
            not_found_count: 0,
            created_at: now,
            updated_at: now,
            final_at: Some(now),
            placement: Placement {
                parent_part: None,
                deposit_currency: currency,
                deposit_rate: Decimal::ONE,
                deposit_debited: Decimal::ZERO,
                settled_from: None,
                usage_pool: None,
                usage_window: None,
                is_probe: false,
                given_up: false,
            },
        }
    }

    /// What a payout that ended so counts for its route (succeeded, failed) and for its provider account (ok, errors, unknowns).
    fn counted(status: PayoutStatus, resolution: Resolution) -> ((i64, i64), (i64, i64, i64)) {
        let mut changes = Changes::default();
        changes.note_end(&mut payout(status, resolution), DateTime::UNIX_EPOCH);
        let route = changes.outcomes.into_values().next().unwrap_or_default();
        let calls = changes.calls.into_values().next().unwrap_or_default();
        (route, (calls.ok, calls.errors, calls.unknowns))
    }

    #[test]
    fn an_end_counts_for_its_route_and_for_its_provider_account_each_by_what_it_says_of_them() {
        for resolution in Resolution::ALL {
            let is_no_failure = matches!(
                resolution,
                Resolution::InsufficientFunds | Resolution::LimitViolation | Resolution::InvalidMethod
            );
            let expected = match resolution.class() {
                ResolutionClass::Paid => continue,
                // The provider did its work, and no other route would have done better.
                ResolutionClass::FinalForCard => ((0, 0), (1, 0, 0)),
                // Of the route, and no failure of the provider.
                ResolutionClass::FinalForRoute if is_no_failure => ((0, 1), (0, 0, 0)),
                ResolutionClass::FinalForRoute => ((0, 1), (0, 1, 0)),
                ResolutionClass::NotFinal => ((0, 0), (0, 0, 1)),
                ResolutionClass::Routing => ((0, 0), (0, 0, 0)),
            };
            assert_eq!(counted(PayoutStatus::Failed, resolution), expected, "{resolution}");
        }
        for status in [PayoutStatus::Processed, PayoutStatus::LateProcessed] {
            assert_eq!(counted(status, Resolution::Ok), ((1, 0), (1, 0, 0)));
        }
        assert_eq!(counted(PayoutStatus::Canceled, Resolution::Unknown), ((0, 0), (0, 0, 0)));
    }
}
