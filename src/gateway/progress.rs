//! What a payout request needs next, told from its rows alone: which parts are still to be placed, whether to wait, and how it ends.
//! Pure; it changes nothing and decides nothing about routes.
//!
//! A request's amount is covered by what its payouts paid and by what is open. What a final payout left unpaid is *due* again
//! unless it was given up or a later try stands for it: the next try of the same part, or parts that were made of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::exact::{self, ArithmeticError};
use crate::domain::ids::{PayoutId, RouteId};
use crate::domain::moderation::Reason;
use crate::domain::payout::{PayoutStatus, Resolution};
use crate::domain::payout_request::{RequestEvent, RequestStatus};
use crate::store::payouts::Payout;
use crate::store::requests::PayoutRequest;

/// An amount that no payout stands for, and where its next try belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub amount: Decimal,
    /// The payout that left it unpaid; `None`: nothing was tried yet.
    pub origin: Option<PayoutId>,
    /// Where a single payout of it goes: the same part's next try, or a new part for a remainder.
    pub part: i16,
    pub attempt: i16,
    pub parent_part: Option<i16>,
    /// The part that pieces of it are made of; `None` at the first.
    pub split_of: Option<i16>,
    /// Routes that were tried for it, one entry a try.
    pub attempted: Vec<RouteId>,
}

/// What is to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Something is under way, or a person decides; or all is over.
    Wait,
    /// There is something to place or to start.
    Dispatch,
    /// Nothing more comes. The resolution tells why, if there is anything to tell beyond the event.
    End(RequestEvent, Option<Resolution>),
    /// A part was paid, the rest can't be, and the caller wants all or nothing: a person decides.
    PartlyPaid,
}

/// Whether the provider may have it: written down, invoked, and not final.
fn is_sent(payout: &Payout) -> bool {
    match payout.status {
        PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown => true,
        PayoutStatus::Created
        | PayoutStatus::Processed
        | PayoutStatus::Failed
        | PayoutStatus::Returned
        | PayoutStatus::Canceled
        | PayoutStatus::LateProcessed => false,
    }
}

/// What a final payout left of the amount it was to pay. A success that came late counts as none: the part went on without it.
fn left_unpaid(payout: &Payout) -> Result<Decimal, ArithmeticError> {
    match payout.status {
        PayoutStatus::Created | PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown => {
            Ok(Decimal::ZERO)
        }
        PayoutStatus::Processed | PayoutStatus::Returned => {
            Ok(exact::sub(payout.amount, payout.amount_processed)?.max(Decimal::ZERO))
        }
        PayoutStatus::Failed | PayoutStatus::Canceled | PayoutStatus::LateProcessed => Ok(payout.amount),
    }
}

/// Whether a later payout stands for what this one left.
fn is_followed(payout: &Payout, payouts: &[Payout]) -> bool {
    payouts.iter().any(|other| {
        (other.part == payout.part && other.attempt > payout.attempt)
            || (other.placement.parent_part == Some(payout.part) && other.part != payout.part)
    })
}

/// Whether anything may still be sent. False from a cancel, an expiry or a failure on.
pub fn is_stopped(request: &PayoutRequest, payouts: &[Payout], now: DateTime<Utc>) -> bool {
    let given_up = payouts.iter().any(|payout| payout.placement.given_up);
    request.stop_requested.is_some() || now >= request.expires_at || (given_up && !request.allow_partially)
}

/// Whether all of it was paid.
pub fn is_covered(request: &PayoutRequest) -> bool {
    request.amount_processed >= request.amount
}

/// Whether the payout was the last try that its part gets, the parts counted that it was made of.
pub fn is_last_try(request: &PayoutRequest, payout: &Payout, payouts: &[Payout]) -> bool {
    let limit = usize::try_from(request.attempts_limit).unwrap_or(0);
    request.terms.single_route_id.is_some() || attempted(payout, payouts).len() >= limit
}

/// Parts that are written down and wait for their turn, in order.
pub fn planned(payouts: &[Payout]) -> impl Iterator<Item = &Payout> {
    payouts.iter().filter(|payout| payout.status == PayoutStatus::Created)
}

/// What is due, in the order of its parts.
pub fn due(request: &PayoutRequest, payouts: &[Payout]) -> Result<Vec<Due>, ArithmeticError> {
    if payouts.is_empty() {
        let (origin, split_of, attempted) = (None, None, Vec::new());
        return Ok(vec![Due {
            amount: request.amount,
            origin,
            part: 0,
            attempt: 1,
            parent_part: None,
            split_of,
            attempted,
        }]);
    }
    let mut part_next = payouts.iter().map(|payout| payout.part).max().unwrap_or(0).saturating_add(1);
    let mut due = Vec::new();
    // Where a payout paid more than itself, less is left than the others were to pay.
    let mut left = uncovered(request, payouts)?;
    for payout in payouts {
        let amount = left_unpaid(payout)?.min(left);
        if amount.is_zero() || payout.placement.given_up || is_followed(payout, payouts) {
            continue;
        }
        left = exact::sub(left, amount)?;
        let attempted = attempted(payout, payouts);
        let (part, attempt, parent_part) = if amount == payout.amount {
            (payout.part, payout.attempt.saturating_add(1), payout.placement.parent_part)
        } else {
            part_next = part_next.saturating_add(1);
            (part_next - 1, 1, Some(payout.part))
        };
        let (origin, split_of) = (Some(payout.id), Some(payout.part));
        due.push(Due { amount, origin, part, attempt, parent_part, split_of, attempted });
    }
    Ok(due)
}

/// The routes that a payout's part, and the parts that it is made of, were tried on.
fn attempted(payout: &Payout, payouts: &[Payout]) -> Vec<RouteId> {
    let mut parts = BTreeSet::from([payout.part]);
    let mut parent = payout.placement.parent_part;
    while let Some(part) = parent {
        if !parts.insert(part) {
            break;
        }
        parent = payouts.iter().find(|other| other.part == part).and_then(|other| other.placement.parent_part);
    }
    // What was canceled was never sent: its route wasn't tried.
    let was_tried = |other: &&Payout| parts.contains(&other.part) && other.status != PayoutStatus::Canceled;
    payouts.iter().filter(was_tried).map(|other| other.route_id).collect()
}

/// What is neither paid nor covered by an open payout; never negative.
fn uncovered(request: &PayoutRequest, payouts: &[Payout]) -> Result<Decimal, ArithmeticError> {
    let mut left = exact::sub(request.amount, request.amount_processed)?;
    for payout in payouts.iter().filter(|payout| payout.status.is_open()) {
        left = exact::sub(left, payout.amount)?;
    }
    Ok(left.max(Decimal::ZERO))
}

/// What may still be begun without paying more than was asked: what is neither paid nor sent. Never negative.
pub fn unsent(request: &PayoutRequest, payouts: &[Payout]) -> Result<Decimal, ArithmeticError> {
    let mut left = exact::sub(request.amount, request.amount_processed)?;
    for payout in payouts.iter().filter(|payout| is_sent(payout)) {
        left = exact::sub(left, payout.amount)?;
    }
    Ok(left.max(Decimal::ZERO))
}

/// The payouts whose part has been paid by a success that came late: it, the tries that followed it, and the parts that were made of
/// it. Nothing more may go out in their place.
pub fn paid_late(payouts: &[Payout]) -> BTreeSet<PayoutId> {
    let mut found = BTreeSet::new();
    for late in payouts.iter().filter(|payout| payout.status == PayoutStatus::LateProcessed) {
        found.insert(late.id);
        let mut parts = BTreeSet::from([late.part]);
        loop {
            let is_piece = |other: &&Payout| other.placement.parent_part.is_some_and(|part| parts.contains(&part));
            let pieces: Vec<i16> = payouts.iter().filter(is_piece).map(|piece| piece.part).collect();
            let before = parts.len();
            parts.extend(pieces);
            if parts.len() == before {
                break;
            }
        }
        let follows =
            |other: &&Payout| parts.contains(&other.part) && (other.part != late.part || other.attempt > late.attempt);
        found.extend(payouts.iter().filter(follows).map(|payout| payout.id));
    }
    found
}

/// Whether what a person was to decide has come out by itself: the payout's fate is known, or whoever asked takes what was paid.
pub fn has_come_out(request: &PayoutRequest, payouts: &[Payout], reason: Reason, now: DateTime<Utc>) -> bool {
    if request.status.is_final() {
        return false;
    }
    match reason {
        Reason::NotFoundAtProvider | Reason::FateOpen => !payouts.iter().any(is_sent),
        // Nothing can be sent any more that somebody would have to allow.
        Reason::Screening => is_stopped(request, payouts, now),
        Reason::PartlyPaid => ending(request, payouts, now) != Next::PartlyPaid,
        // A person has to look at what was paid too much, whatever follows.
        Reason::ProcessedMoreThanAsked | Reason::LateSuccess | Reason::UnsentAtProvider => false,
    }
}

/// What happens next.
pub fn next(request: &PayoutRequest, payouts: &[Payout], now: DateTime<Utc>) -> Result<Next, ArithmeticError> {
    if request.status.is_final() || matches!(request.status, RequestStatus::Created | RequestStatus::WaitingDetails) {
        return Ok(Next::Wait);
    }
    let is_under_way = payouts.iter().any(is_sent);
    // Also in moderation: nothing is left to be sent or released that a person could decide about.
    if is_covered(request) {
        let next = if is_under_way { Next::Wait } else { Next::End(RequestEvent::PaidInFull, Some(Resolution::Ok)) };
        return Ok(next);
    }
    if request.moderation_reason.is_some() {
        return Ok(Next::Wait);
    }
    if !is_stopped(request, payouts, now) {
        // One after the other: nothing is begun while a part is under way.
        let may_begin = !is_under_way || request.terms.parallel_mode;
        let waits = planned(payouts).next().is_some() || !due(request, payouts)?.is_empty();
        if may_begin && waits {
            return Ok(Next::Dispatch);
        }
    }
    if is_under_way {
        return Ok(Next::Wait);
    }
    Ok(ending(request, payouts, now))
}

fn ending(request: &PayoutRequest, payouts: &[Payout], now: DateTime<Utc>) -> Next {
    let failure = last_failure(payouts);
    if !request.amount_processed.is_zero() {
        // Whoever cancels, lets the time pass or rejects the rest takes what was paid by then.
        let is_wanted = matches!(request.stop_requested.as_deref(), Some("cancel" | "expiry" | "rejected"));
        return match request.allow_partially || is_wanted || now >= request.expires_at {
            true => Next::End(RequestEvent::PaidInPart, Some(failure.unwrap_or(Resolution::Ok))),
            false => Next::PartlyPaid,
        };
    }
    match request.stop_requested.as_deref() {
        Some("cancel") => Next::End(RequestEvent::Canceled, failure),
        Some("failure") => Next::End(RequestEvent::Failed, failure),
        Some("rejected") => Next::End(RequestEvent::Failed, Some(failure.unwrap_or(Resolution::Unknown))),
        Some(_) => Next::End(RequestEvent::Expired, Some(failure.unwrap_or(Resolution::OperationExpired))),
        None if now >= request.expires_at => {
            Next::End(RequestEvent::Expired, Some(failure.unwrap_or(Resolution::OperationExpired)))
        }
        None => Next::End(RequestEvent::Failed, failure),
    }
}

/// Why the payout that failed last did: what a provider said tells more than that no route is left.
pub fn last_failure(payouts: &[Payout]) -> Option<Resolution> {
    payouts
        .iter()
        .filter(|payout| payout.resolution.is_some())
        .filter(|payout| matches!(payout.status, PayoutStatus::Failed | PayoutStatus::LateProcessed))
        .max_by_key(|payout| (payout.final_at, payout.part, payout.attempt))
        .and_then(|payout| payout.resolution)
}
