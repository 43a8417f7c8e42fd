//! What a batch writes down: new payouts with their reservations, counters, events and jobs, and planned parts whose turn has come.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::super::account_calls::CallPermit;
use super::super::complete::conclude::NoRoute;
use super::super::invoke::SendTask;
use super::super::journal::{self, Draft};
use super::super::progress::{self, Due};
use super::super::{Gateway, GatewayError};
use super::choose::{Choice, choose};
use super::ground::Ground;
use super::taken::Taken;
use crate::domain::exact;
use crate::domain::ids::{DepositAccountId, PayoutId, PayoutRequestId, ProviderAccountId, RouteId, Tenant};
use crate::domain::payout::{PayoutEvent, PayoutStatus, provider_reference};
use crate::domain::payout_request::{RequestEvent, RequestStatus};
use crate::domain::routing::{BreakerGate, Decision, Route};
use crate::store::deposit_accounts::DepositMove;
use crate::store::events::Event;
use crate::store::jobs::{ClaimedJob, JobKind, NewJob};
use crate::store::payouts::{Payout, Placement};
use crate::store::requests::PayoutRequest;
use crate::store::route_statistics::{PoolWindow, TurnoverKey};

/// What is written for the requests that found a way.
#[derive(Default)]
pub struct Plan {
    pub payouts: Vec<Payout>,
    /// Planned before, begun now.
    pub begun: Vec<Payout>,
    pub log: Vec<Event>,
    pub deposits: BTreeMap<DepositAccountId, DepositMove>,
    pub turnovers: BTreeMap<TurnoverKey, Decimal>,
    pub usage: BTreeMap<(PoolWindow, RouteId), Decimal>,
    pub floors: BTreeMap<PoolWindow, Decimal>,
    pub probes: BTreeMap<ProviderAccountId, u32>,
    pub done: Vec<(Tenant, JobKind, uuid::Uuid)>,
    pub jobs: Vec<NewJob>,
    /// Dispatch jobs that wait for a provider account, until when.
    pub given_back: Vec<(ClaimedJob, DateTime<Utc>)>,
    pub dirty: BTreeSet<PayoutRequestId>,
    pub tasks: Vec<SendTask>,
}

/// What came of what was due of a request.
#[derive(Default)]
pub struct Placed {
    /// Amounts that found no way.
    pub refused: Vec<NoRoute>,
    /// An account that what is left would go to, and to which as many calls are under way as may be.
    pub full: Option<ProviderAccountId>,
}

/// Where a new payout stands in its request.
struct Place {
    part: i16,
    attempt: i16,
    parent_part: Option<i16>,
    /// Sent now, or written down for its turn.
    begins: bool,
    /// Of one that begins: leave for its call. Without it, its sender waits for some under its lease.
    permit: Option<CallPermit>,
    /// The first of its decision on its route: what lifts the route is counted with it.
    lifts: bool,
}

impl Gateway {
    /// Places what is due of a request, or begins its next part.
    pub(super) fn place(
        &self,
        row: &mut PayoutRequest,
        ground: &mut Ground,
        plan: &mut Plan,
        owner: Tenant,
    ) -> Result<Placed, GatewayError> {
        let mut placed = Placed::default();
        let mut due = progress::due(row, ground.payouts_of(row.id))?;
        if !row.terms.parallel_mode {
            // One after the other: the first of what is due, before parts that wait for their turn.
            due.truncate(1);
        }
        let begun_before = plan.tasks.len();
        for due in &mut due {
            if due.parent_part.is_some() && due.attempt == 1 {
                // A remainder's new part counts on from what this round has written down, however many parts that was.
                due.part = part_next(ground.payouts_of(row.id));
            }
            match choose(row, due, owner, ground)? {
                Choice::Nowhere(no_route) => placed.refused.push(no_route),
                Choice::Parts(decision, parts) => {
                    let Some(account) = parts.first().map(|(route, _)| route.provider_account_id) else { continue };
                    let Some(permit) = self.account_calls.permit(account) else {
                        placed.full = Some(account);
                        break;
                    };
                    self.write_parts(row, ground, plan, due, &decision, parts, permit)?;
                }
            }
        }
        let may_begin = due.is_empty() && plan.tasks.len() == begun_before;
        if may_begin {
            placed.full = self.begin_next(row, ground, plan)?;
        }
        Ok(placed)
    }

    #[expect(clippy::too_many_arguments, reason = "what parts are made of, called from one place")]
    fn write_parts(
        &self,
        row: &mut PayoutRequest,
        ground: &mut Ground,
        plan: &mut Plan,
        due: &Due,
        decision: &Decision,
        parts: Vec<(Route, Decimal)>,
        permit: CallPermit,
    ) -> Result<(), GatewayError> {
        let mut first = Some(permit);
        if let [(route, amount)] = parts.as_slice() {
            let place = Place {
                part: due.part,
                attempt: due.attempt,
                parent_part: due.parent_part,
                begins: true,
                permit: first,
                lifts: true,
            };
            return self.write_payout(row, ground, plan, route, decision, *amount, place);
        }
        let mut part = part_next(ground.payouts_of(row.id));
        let draft = Draft {
            payout_id: due.origin,
            kind: "request_split",
            actor: "gateway",
            data: json!({
                "amount": due.amount.to_string(),
                "of_part": due.split_of,
                "parts": parts.iter().enumerate().map(|(n, (route, amount))| json!({
                    "part": usize::try_from(part).unwrap_or(0) + n, "route": route.code, "amount": amount.to_string(),
                })).collect::<Vec<_>>(),
                "parallel": row.terms.parallel_mode,
                "routing": decision.trace,
            }),
        };
        plan.log.push(journal::append(&self.vault, row, draft, ground.now));
        for (n, (route, amount)) in parts.iter().enumerate() {
            let begins = n == 0 || row.terms.parallel_mode;
            let lifts = !parts[..n].iter().any(|(earlier, _)| earlier.id == route.id);
            let permit = match begins {
                true => first.take().or_else(|| self.account_calls.permit(route.provider_account_id)),
                false => None,
            };
            let place = Place { part, attempt: 1, parent_part: due.split_of, begins, permit, lifts };
            self.write_payout(row, ground, plan, route, decision, *amount, place)?;
            part = part.saturating_add(1);
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "what a payout is made of, called from one place")]
    fn write_payout(
        &self,
        row: &mut PayoutRequest,
        ground: &mut Ground,
        plan: &mut Plan,
        route: &Route,
        decision: &Decision,
        amount: Decimal,
        place: Place,
    ) -> Result<(), GatewayError> {
        let now = ground.now;
        let capabilities = self
            .providers
            .get(&route.provider)
            .ok_or(GatewayError::NoProviderAccount(route.provider_account_id))?
            .capabilities();
        let id = PayoutId::new();
        let needs = route.needs(amount)?;
        let taken = Taken::of(route, decision, amount, place.lifts)?;
        let is_probe = matches!(route.breaker, BreakerGate::HalfOpen { .. });
        let pool = decision.pool.as_ref();
        let payout = Payout {
            partner_id: row.partner_id,
            mode: row.mode,
            id,
            request_id: row.id,
            part: place.part,
            attempt: place.attempt,
            route_id: route.id,
            deposit_account_id: route.deposit_account_id,
            provider_account_id: route.provider_account_id,
            provider: route.provider.clone(),
            status: PayoutStatus::Created,
            provider_reference: provider_reference(id, capabilities.reference_length_max),
            provider_original_id: None,
            rrn: None,
            arn: None,
            amount,
            currency: route.currency,
            amount_reserved: taken.reserved,
            amount_processed: Decimal::ZERO,
            amount_returned: Decimal::ZERO,
            cost: needs.cost,
            resolution: None,
            provider_code: None,
            provider_message: None,
            sends: 0,
            sent_at: None,
            inquiries: 0,
            not_found_count: 0,
            created_at: now,
            updated_at: now,
            final_at: None,
            placement: Placement {
                parent_part: place.parent_part,
                deposit_currency: route.deposit_currency,
                deposit_rate: route.deposit_rate.unwrap_or(Decimal::ONE),
                deposit_debited: Decimal::ZERO,
                settled_from: None,
                usage_pool: pool.map(|pool| pool.id.0),
                usage_window: pool.map(|pool| pool.window_start),
                is_probe,
                given_up: false,
            },
        };
        count(plan, route, decision, &taken, now)?;
        ground.take(route, pool, &taken)?;
        row.attempts_made = row.attempts_made.saturating_add(1);
        plan.dirty.insert(row.id);
        let mut payout = payout;
        if place.begins {
            self.begin(row, ground, plan, &mut payout, place.permit, Some((route, decision)))?;
        } else {
            let data = json!({
                "part": payout.part,
                "route": route.code,
                "amount": amount.to_string(),
                "currency": route.currency.as_str(),
            });
            let draft = Draft { payout_id: Some(id), kind: "payout_planned", actor: "gateway", data };
            plan.log.push(journal::append(&self.vault, row, draft, now));
        }
        ground.put(payout.clone());
        plan.payouts.push(payout);
        Ok(())
    }

    /// The first part that waits for its turn. Answers its account where that is full, and nothing begun.
    fn begin_next(
        &self,
        row: &mut PayoutRequest,
        ground: &mut Ground,
        plan: &mut Plan,
    ) -> Result<Option<ProviderAccountId>, GatewayError> {
        let Some(mut payout) = progress::planned(ground.payouts_of(row.id)).next().cloned() else { return Ok(None) };
        let Some(permit) = self.account_calls.permit(payout.provider_account_id) else {
            return Ok(Some(payout.provider_account_id));
        };
        self.begin(row, ground, plan, &mut payout, Some(permit), None)?;
        ground.put(payout.clone());
        plan.begun.push(payout);
        Ok(None)
    }

    /// The payout goes out right after the commit. Its intent, with its reference, is written down before (invariant 3).
    fn begin(
        &self,
        row: &mut PayoutRequest,
        ground: &Ground,
        plan: &mut Plan,
        payout: &mut Payout,
        permit: Option<CallPermit>,
        decided: Option<(&Route, &Decision)>,
    ) -> Result<(), GatewayError> {
        let now = ground.now;
        payout.status =
            payout.status.apply(PayoutEvent::Invoked).map_err(|error| GatewayError::Payout(payout.id, error))?;
        payout.sends = 1;
        payout.sent_at = Some(now);
        for (from, event) in [
            (RequestStatus::Ready, RequestEvent::DispatchStarted),
            (RequestStatus::Dispatching, RequestEvent::PayoutStarted),
        ] {
            if row.status == from {
                row.status = row.status.apply(event).map_err(|error| GatewayError::Request(row.id, error))?;
            }
        }
        plan.dirty.insert(row.id);
        let mut data = json!({
            "part": payout.part,
            "attempt": payout.attempt,
            "amount": payout.amount.to_string(),
            "currency": payout.currency.as_str(),
            "provider": payout.provider,
            "provider_reference": payout.provider_reference,
        });
        if let (Some((route, decision)), Some(fields)) = (decided, data.as_object_mut()) {
            let trace =
                serde_json::to_value(&decision.trace).map_err(|error| GatewayError::Corrupt(error.to_string()))?;
            fields.insert("route".to_owned(), json!(route.code));
            fields.insert("routing".to_owned(), trace);
        }
        let draft = Draft { payout_id: Some(payout.id), kind: "payout_started", actor: "gateway", data };
        plan.log.push(journal::append(&self.vault, row, draft, now));
        plan.jobs.push(NewJob {
            tenant: row.tenant(),
            kind: JobKind::Invoke,
            subject_id: payout.id.0,
            run_at: ground.lease_until,
            claimed: true,
        });
        let card = ground.card_of(row);
        let task = SendTask::new(payout.clone(), card, row, 1, ground.lease_until);
        plan.tasks.push(task.permitted(permit));
        Ok(())
    }
}

/// The number of the next part that a request gets.
fn part_next(payouts: &[Payout]) -> i16 {
    payouts.iter().map(|payout| payout.part).max().map_or(0, |part| part.saturating_add(1))
}

fn count(
    plan: &mut Plan,
    route: &Route,
    decision: &Decision,
    taken: &Taken,
    now: DateTime<Utc>,
) -> Result<(), GatewayError> {
    let change = plan.deposits.entry(route.deposit_account_id).or_default();
    change.reserved = exact::add(change.reserved, taken.reserved)?;
    let key = (route.provider_account_id, now.date_naive(), route.deposit_currency);
    let turnover = plan.turnovers.entry(key).or_default();
    *turnover = exact::add(*turnover, taken.deposit_amount)?;
    if let Some(pool) = &decision.pool {
        let window = (pool.id.0, pool.window_start);
        let usage = plan.usage.entry((window, route.id)).or_default();
        *usage = exact::add(*usage, taken.used)?;
        let floor = plan.floors.entry(window).or_default();
        *floor = (*floor).max(pool.floor);
    }
    if taken.is_probe {
        *plan.probes.entry(route.provider_account_id).or_default() += 1;
    }
    Ok(())
}
