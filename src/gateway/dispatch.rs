//! Dispatch: routing chooses where a request's money goes, and the payout is written down with its reference and its
//! reservation, all in one transaction for a batch. Whoever wrote a payout down sends it, right after the commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::complete::{Told, ending};
use super::invoke::SendTask;
use super::journal::{self, Draft};
use super::route_book::Snapshot;
use super::{Gateway, GatewayError};
use crate::domain::exact;
use crate::domain::ids::{CardId, DepositAccountId, Mode, PayoutId, PayoutRequestId, RouteId, Tenant};
use crate::domain::payout::{PayoutEvent, PayoutStatus, Resolution, provider_reference};
use crate::domain::payout_request::{RequestEvent, RequestStatus};
use crate::domain::routing::strategy::Strategy;
use crate::domain::routing::{Decision, Route, RouteRequest, decide};
use crate::store::cards::{self, Card};
use crate::store::events::{self, Event};
use crate::store::jobs::{self, JobKind, NewJob};
use crate::store::payouts::{self, Payout, Placement};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;
use crate::store::routes::{self, DepositMove};

/// A request that can't be paid any further, and why.
#[derive(Clone, Debug)]
struct Unroutable {
    tenant: Tenant,
    id: PayoutRequestId,
    resolution: Resolution,
    trace: Value,
}

/// What one dispatch transaction wrote.
#[derive(Default)]
struct Written {
    tasks: Vec<SendTask>,
    unroutable: Vec<Unroutable>,
    claimed: usize,
}

/// What a batch decides from, beyond the requests themselves.
struct Ground {
    /// Routes by mode, with what is really left on their deposit accounts, less what this batch took.
    routes: HashMap<Mode, Vec<Route>>,
    cards: BTreeMap<(Tenant, CardId), Card>,
    payouts: BTreeMap<PayoutRequestId, Vec<Payout>>,
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
}

/// What is written for the requests that found a route.
#[derive(Default)]
struct Plan {
    payouts: Vec<Payout>,
    log: Vec<Event>,
    deposits: BTreeMap<DepositAccountId, DepositMove>,
    done: Vec<(Tenant, JobKind, uuid::Uuid)>,
    jobs: Vec<NewJob>,
    dirty: BTreeSet<PayoutRequestId>,
}

impl Gateway {
    /// Dispatches up to `batch_size` due requests. Answers the payouts to be sent now, and how many jobs were taken.
    pub async fn dispatch(&self, batch_size: usize) -> Result<(Vec<SendTask>, usize), GatewayError> {
        let snapshot =
            self.routes.snapshot(&self.db, &self.assets, &self.providers, &self.credentials, self.clock.now()).await?;
        let written = transaction(&self.db, async |conn| self.write_payouts(conn, &snapshot, batch_size).await).await?;
        for unroutable in &written.unroutable {
            self.end_without_route(unroutable).await?;
        }
        Ok((written.tasks, written.claimed))
    }

    async fn write_payouts(
        &self,
        conn: &mut AsyncPgConnection,
        snapshot: &Snapshot,
        batch_size: usize,
    ) -> Result<Written, GatewayError> {
        let now = self.clock.now();
        let lease_until = now + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1));
        let claimed = jobs::claim(conn, JobKind::Dispatch, now, lease_until, batch_size).await?;
        if claimed.is_empty() {
            return Ok(Written::default());
        }
        let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), PayoutRequestId(job.subject_id))).collect();
        let mut rows = requests::lock(conn, &keys).await?;
        let mut ground = self.ground(conn, snapshot, &rows, lease_until, now).await?;

        let mut written = Written { claimed: claimed.len(), ..Written::default() };
        let mut plan = Plan::default();
        for row in &mut rows {
            let job = (row.tenant(), JobKind::Dispatch, row.id.0);
            if !matches!(row.status, RequestStatus::Ready | RequestStatus::Dispatching)
                || row.moderation_reason.is_some()
            {
                plan.done.push(job);
                continue;
            }
            if row.stop_requested.is_some() || now >= row.expires_at {
                written.unroutable.push(unroutable(row, Resolution::OperationExpired, json!({})));
                continue;
            }
            match choose(row, &mut ground)? {
                Ok((route, decision, amount)) => {
                    let task = self.write_payout(row, &mut ground, &mut plan, &route, decision, amount)?;
                    plan.done.push(job);
                    written.tasks.push(task);
                }
                Err(refused) => written.unroutable.push(refused),
            }
        }
        let dirty: Vec<PayoutRequest> = rows.into_iter().filter(|row| plan.dirty.contains(&row.id)).collect();
        let conn = &*conn;
        tokio::try_join!(
            biased;
            requests::write(conn, &dirty, now),
            payouts::insert(conn, &plan.payouts),
            events::insert(conn, &plan.log),
            routes::move_deposits(conn, &plan.deposits),
            jobs::delete(conn, &plan.done),
            jobs::insert(conn, &plan.jobs, now),
        )?;
        Ok(written)
    }

    async fn ground(
        &self,
        conn: &mut AsyncPgConnection,
        snapshot: &Snapshot,
        rows: &[PayoutRequest],
        lease_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Ground, GatewayError> {
        let tried: Vec<_> = rows.iter().filter(|row| row.attempts_made > 0).map(|row| (row.tenant(), row.id)).collect();
        let mut by_request: BTreeMap<PayoutRequestId, Vec<Payout>> = BTreeMap::new();
        for payout in payouts::of_requests(conn, &tried).await? {
            by_request.entry(payout.request_id).or_default().push(payout);
        }
        let mut wanted: Vec<_> = rows.iter().filter_map(|row| Some((row.tenant(), row.card_id?))).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let cards =
            cards::find_all(conn, &wanted).await?.into_iter().map(|card| ((card.tenant(), card.id), card)).collect();

        let modes: BTreeSet<Mode> = rows.iter().map(|row| row.mode).collect();
        let services: BTreeSet<&str> = rows.iter().map(|row| row.service.as_str()).collect();
        let mut routes_by_mode: HashMap<Mode, Vec<Route>> = modes
            .into_iter()
            .map(|mode| {
                let serving = snapshot.routes(mode).iter().filter(|r| services.contains(r.service.as_str()));
                (mode, serving.cloned().collect())
            })
            .collect();
        let deposits: BTreeSet<_> = routes_by_mode.values().flatten().map(|r| r.deposit_account_id).collect();
        let deposits: Vec<_> = deposits.into_iter().collect();
        let available: HashMap<_, _> = routes::lock_deposits(conn, &deposits)
            .await?
            .into_iter()
            .map(|deposit| (deposit.id, deposit.available))
            .collect();
        for route in routes_by_mode.values_mut().flatten() {
            route.available = available.get(&route.deposit_account_id).copied().unwrap_or_default();
        }
        Ok(Ground { routes: routes_by_mode, cards, payouts: by_request, lease_until, now })
    }

    fn write_payout(
        &self,
        row: &mut PayoutRequest,
        ground: &mut Ground,
        plan: &mut Plan,
        route: &Route,
        decision: Decision,
        amount: Decimal,
    ) -> Result<SendTask, GatewayError> {
        let now = ground.now;
        let capabilities = self
            .providers
            .get(&route.provider)
            .ok_or(GatewayError::NoProviderAccount(route.provider_account_id))?
            .capabilities();
        let before = ground.payouts.get(&row.id).map_or(&[][..], Vec::as_slice);
        let (part, attempt) = next_place(before);
        let id = PayoutId::new();
        let cost = route.expected_cost(amount)?;
        let reserved = exact::add(amount, cost)?;
        let payout = Payout {
            partner_id: row.partner_id,
            mode: row.mode,
            id,
            request_id: row.id,
            part,
            attempt,
            route_id: route.id,
            deposit_account_id: route.deposit_account_id,
            provider_account_id: route.provider_account_id,
            provider: route.provider.clone(),
            status: PayoutStatus::Created
                .apply(PayoutEvent::Invoked)
                .map_err(|error| GatewayError::Payout(id, error))?,
            provider_reference: provider_reference(id, capabilities.reference_length_max),
            provider_original_id: None,
            rrn: None,
            arn: None,
            amount,
            currency: route.currency,
            amount_reserved: reserved,
            amount_processed: Decimal::ZERO,
            amount_returned: Decimal::ZERO,
            cost,
            resolution: None,
            provider_code: None,
            provider_message: None,
            sends: 1,
            sent_at: Some(now),
            inquiries: 0,
            not_found_count: 0,
            created_at: now,
            updated_at: now,
            final_at: None,
            placement: Placement {
                parent_part: None,
                deposit_currency: route.currency,
                deposit_rate: Decimal::ONE,
                deposit_debited: Decimal::ZERO,
                settled_from: None,
                usage_pool: None,
                usage_window: None,
                is_probe: false,
            },
        };
        // Later requests of this batch see what this one takes.
        for other in ground.routes.values_mut().flatten() {
            if other.deposit_account_id == route.deposit_account_id {
                other.available = exact::sub(other.available, reserved)?;
            }
        }
        let change = plan.deposits.entry(route.deposit_account_id).or_default();
        change.reserved = exact::add(change.reserved, reserved)?;

        let started = |error| GatewayError::Request(row.id, error);
        if row.status == RequestStatus::Ready {
            row.status = row.status.apply(RequestEvent::DispatchStarted).map_err(started)?;
        }
        row.status = row.status.apply(RequestEvent::PayoutStarted).map_err(started)?;
        row.attempts_made += 1;
        plan.dirty.insert(row.id);
        let draft = Draft {
            payout_id: Some(id),
            kind: "payout_started",
            actor: "gateway",
            data: json!({
                "part": part,
                "attempt": attempt,
                "route": route.code,
                "amount": amount.to_string(),
                "currency": route.currency.as_str(),
                "provider_reference": payout.provider_reference,
                "routing": decision.trace,
            }),
        };
        plan.log.push(journal::append(&self.vault, row, draft, now));
        plan.jobs.push(NewJob {
            tenant: row.tenant(),
            kind: JobKind::Invoke,
            subject_id: id.0,
            run_at: ground.lease_until,
            claimed: true,
        });
        plan.payouts.push(payout.clone());
        let card = row.card_id.and_then(|card_id| ground.cards.get(&(row.tenant(), card_id)).cloned());
        Ok(SendTask::new(payout, card, &row.fields, row.description.clone(), 1, ground.lease_until))
    }

    async fn end_without_route(&self, unroutable: &Unroutable) -> Result<(), GatewayError> {
        let told = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let key = (unroutable.tenant, unroutable.id);
            let mut rows = requests::lock(conn, &[key]).await?;
            let Some(row) = rows.first_mut() else { return Ok(Told::default()) };
            if !matches!(row.status, RequestStatus::Ready | RequestStatus::Dispatching)
                || row.moderation_reason.is_some()
            {
                return Ok(Told::default());
            }
            let event = ending(row, now);
            let needs_start = matches!(event, RequestEvent::Failed | RequestEvent::PaidInPart);
            if needs_start && row.status == RequestStatus::Ready {
                row.status = row
                    .status
                    .apply(RequestEvent::DispatchStarted)
                    .map_err(|error| GatewayError::Request(row.id, error))?;
            }
            let data = json!({"resolution": unroutable.resolution.as_str(), "routing": unroutable.trace});
            let told = self.end_unroutable(conn, vec![(row, event, unroutable.resolution, data)], now).await?;
            requests::write(conn, &rows, now).await?;
            Ok::<_, GatewayError>(told)
        })
        .await?;
        self.waiters.wake(told.ended);
        Ok(())
    }
}

fn unroutable(row: &PayoutRequest, resolution: Resolution, trace: Value) -> Unroutable {
    Unroutable { tenant: row.tenant(), id: row.id, resolution, trace }
}

/// The route, the decision and the amount of the request's next payout; or why there is none.
type Choice = Result<(Route, Decision, Decimal), Unroutable>;

fn choose(row: &PayoutRequest, ground: &mut Ground) -> Result<Choice, GatewayError> {
    let amount = exact::sub(row.amount, row.amount_processed)?;
    let before = ground.payouts.get(&row.id).map_or(&[][..], Vec::as_slice);
    let tried: Vec<RouteId> = before.iter().map(|payout| payout.route_id).collect();
    let card = row.card_id.and_then(|id| ground.cards.get(&(row.tenant(), id)));
    if row.card_id.is_some() && card.is_none_or(|card| card.pan_sealed.is_none()) {
        return Ok(Err(unroutable(row, Resolution::InvalidDetails, json!({"why": "the card's number is destroyed"}))));
    }
    let routes = ground.routes.get(&row.mode).map_or(&[][..], Vec::as_slice);
    let request =
        RouteRequest { service: &row.service, amount, card_scheme: card.map(|card| card.scheme), tried: &tried };
    let decision = decide(Strategy::Direct, routes, &request);
    match decision.ranked.first().map(|index| routes[*index].clone()) {
        Some(route) => Ok(Ok((route, decision, amount))),
        None => {
            let last_failure = before.iter().rev().find_map(|payout| payout.resolution);
            let resolution = match last_failure {
                // What the last provider said tells more than that no route is left.
                Some(resolution) if resolution != Resolution::Ok => resolution,
                _ if decision.had_candidates => Resolution::StrategyConfiguredRoutesWereFiltered,
                _ => Resolution::StrategyReceivedNoRoutes,
            };
            let trace =
                serde_json::to_value(&decision.trace).map_err(|error| GatewayError::Corrupt(error.to_string()))?;
            Ok(Err(unroutable(row, resolution, trace)))
        }
    }
}

/// Part and attempt of the next payout: the same part after a failure, a new one after a payout that paid a part.
fn next_place(before: &[Payout]) -> (i16, i16) {
    match before.last() {
        None => (0, 1),
        Some(last) if matches!(last.status, PayoutStatus::Processed | PayoutStatus::Returned) => (last.part + 1, 1),
        Some(last) => (last.part, last.attempt + 1),
    }
}
