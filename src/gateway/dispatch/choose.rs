//! Where a due amount goes: one route, several parts, or nowhere and why. Reads what the batch stands on and writes nothing.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::GatewayError;
use super::super::complete::conclude::NoRoute;
use super::super::invoke::TargetCard;
use super::super::progress::Due;
use super::super::route_book::Routing;
use super::ground::Ground;
use crate::domain::asset::AssetCode;
use crate::domain::exact;
use crate::domain::ids::{DepositAccountId, ProviderAccountId, Tenant};
use crate::domain::payout::Resolution;
use crate::domain::payout_request::SplitMode;
use crate::domain::routing::split::{self, Draw, Lane, PARTS_MAX, SplitOrder, SplitRequest};
use crate::domain::routing::strategy::Strategy;
use crate::domain::routing::{
    BreakerGate, CardFacts, CustomerFacts, Decision, Facts, Outcome, Route, Scheme, Situation, decide,
};
use crate::store::requests::PayoutRequest;

/// Where an amount goes.
#[derive(Debug)]
pub enum Choice {
    /// Parts that add up to it: each its route and its amount. One part is no split.
    Parts(Box<Decision>, Vec<(Route, Decimal)>),
    Nowhere(NoRoute),
}

fn nowhere(due: &Due, resolution: Resolution, trace: Value) -> Choice {
    Choice::Nowhere(NoRoute { origin: due.origin, resolution, trace })
}

/// Chooses for one due amount. `owner` is whose routes may carry it.
pub fn choose(row: &PayoutRequest, due: &Due, owner: Tenant, ground: &Ground) -> Result<Choice, GatewayError> {
    let card = ground.card_of(row);
    let is_gone = card.as_ref().map_or(row.card_id.is_some(), TargetCard::is_destroyed);
    if is_gone {
        return Ok(nowhere(due, Resolution::InvalidDetails, json!({"why": "the card's number is destroyed"})));
    }
    let customer = row.customer_id.and_then(|id| ground.customers.get(&(row.tenant(), id)));
    let customer = customer.map_or_else(CustomerFacts::default, |customer| CustomerFacts {
        reference: Some(&customer.reference),
        kyc_level: u8::try_from(customer.kyc_level).ok(),
        country: customer.country.as_deref(),
        metadata: Some(&customer.metadata),
        paid_count: u64::try_from(customer.paid_count).ok(),
        failed_count: u64::try_from(customer.failed_count).ok(),
    });
    let card = card.as_ref().map_or_else(CardFacts::default, |card| CardFacts {
        scheme: Some(card.scheme()),
        iin6: card.iin().get(..6),
        iin8: card.iin().get(..8),
        ..CardFacts::default()
    });
    let facts = Facts {
        request_id: row.id,
        now: ground.now,
        amount: row.amount,
        amount_reference: ground.amount_reference(row),
        currency: row.currency,
        service: &row.service,
        mode: row.mode,
        card,
        customer,
        metadata: Some(&row.terms.metadata),
    };
    let situation = Situation {
        request_id: row.id,
        part: due.part,
        attempt: due.attempt,
        amount: due.amount,
        facts: &facts,
        attempted: &due.attempted,
        attempts_per_route_limit: u16::try_from(row.terms.attempts_per_route_limit).unwrap_or(1),
    };
    let named;
    let routes = match row.terms.single_route_id {
        None => ground.routes_of(owner),
        Some(id) => {
            named = ground.routes_of(owner).iter().filter(|route| route.id == id).cloned().collect::<Vec<_>>();
            &named
        }
    };
    let routing = match row.terms.single_route_id {
        None => ground.routing_of(row.id),
        Some(_) => Routing::BuiltIn,
    };
    let scheme = match routing {
        Routing::Scheme(scheme) => scheme,
        Routing::BuiltIn => Arc::new(Scheme::default_for(&row.service)),
        Routing::Broken => {
            let why = json!({"why": "the payout scheme isn't there or can't be read"});
            return Ok(nowhere(due, Resolution::StrategyReceivedNoRoutes, why));
        }
    };
    let decision = decide(&scheme, routes, &situation, &ground.statistics);
    let may_split = row.terms.split_mode != SplitMode::Never && row.terms.single_route_id.is_none();
    let in_shares = row.terms.split_mode == SplitMode::Always
        && (decision.split_always || decision.strategy == Some(Strategy::Optimal));
    if may_split
        && in_shares
        && decision.splittable.len() > 1
        && let Some(parts) = divide(row, due, routes, &decision, SplitOrder::Equal)?
    {
        return Ok(Choice::Parts(Box::new(decision), parts));
    }
    if let Some(best) = decision.ranked.first() {
        let route = routes[*best].clone();
        return Ok(Choice::Parts(Box::new(decision), vec![(route, due.amount)]));
    }
    if may_split
        && !decision.splittable.is_empty()
        && let Some(parts) = divide(row, due, routes, &decision, SplitOrder::Preferred)?
    {
        return Ok(Choice::Parts(Box::new(decision), parts));
    }
    let resolution = match decision.outcome {
        Outcome::AllFiltered => Resolution::StrategyConfiguredRoutesWereFiltered,
        Outcome::NoRoutes | Outcome::Rejected { .. } | Outcome::Routed => Resolution::StrategyReceivedNoRoutes,
    };
    let trace = serde_json::to_value(&decision.trace).map_err(|error| GatewayError::Corrupt(error.to_string()))?;
    Ok(nowhere(due, resolution, trace))
}

/// What parts draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BudgetKey {
    /// What a deposit account has left.
    Deposit(DepositAccountId),
    /// What is left of a provider account's turnover of the day. Costs don't count against it.
    Turnover(ProviderAccountId, AssetCode),
}

/// The budgets of a split, each once however many routes share it.
#[derive(Default)]
struct Budgets {
    keys: Vec<BudgetKey>,
    left: Vec<Decimal>,
}

impl Budgets {
    fn draw(&mut self, key: BudgetKey, left: Decimal) -> Draw {
        let known = self.keys.iter().position(|known| *known == key);
        let budget = known.unwrap_or_else(|| {
            self.keys.push(key);
            self.left.push(left.max(Decimal::ZERO));
            self.keys.len() - 1
        });
        Draw { budget, fixed: Decimal::ZERO, ratio: Decimal::ZERO }
    }

    fn draws_of(&mut self, route: &Route) -> Vec<Draw> {
        let mut draws = vec![self.draw(BudgetKey::Deposit(route.deposit_account_id), route.available)];
        if let Some(left) = route.turnover_left {
            let key = BudgetKey::Turnover(route.provider_account_id, route.deposit_currency);
            draws.push(self.draw(key, left));
        }
        draws
    }
}

/// Divides an amount over the routes that could carry a part. `None`: no valid split, or none that could be found in time.
fn divide(
    row: &PayoutRequest,
    due: &Due,
    routes: &[Route],
    decision: &Decision,
    order: SplitOrder,
) -> Result<Option<Vec<(Route, Decimal)>>, GatewayError> {
    let mut budgets = Budgets::default();
    let mut lanes: Vec<Lane> = Vec::new();
    let mut over: Vec<&Route> = Vec::new();
    for index in &decision.splittable {
        let route = &routes[*index];
        // A half-open breaker lets single probes through, not plans.
        if matches!(route.breaker, BreakerGate::HalfOpen { .. }) {
            continue;
        }
        let draws = budgets.draws_of(route);
        lanes.push(Lane { amount_min: route.amount_min, amount_max: route.amount_max, draws });
        over.push(route);
    }
    let needs = |lane: usize, budget: usize, amount: Decimal| {
        let needs = over.get(lane)?.needs(amount).ok()?;
        Some(match budgets.keys.get(budget)? {
            BudgetKey::Deposit(_) => needs.reserved,
            BudgetKey::Turnover(..) => needs.deposit_amount,
        })
    };
    let Some(scale) = over.first().map(|route| route.currency_scale) else { return Ok(None) };
    let request =
        SplitRequest { amount: due.amount, scale, lanes: &lanes, budgets: &budgets.left, parts_max: PARTS_MAX, order };
    let parts = match split::plan(&request, &needs) {
        Ok(Some(parts)) => parts,
        Ok(None) => return Ok(None),
        Err(error) => {
            tracing::warn!(request = %row.id, %error, "no split was found");
            return Ok(None);
        }
    };
    let sum = parts.iter().try_fold(Decimal::ZERO, |sum, part| exact::add(sum, part.amount))?;
    if sum != due.amount {
        return Err(GatewayError::Corrupt(format!("a split of {} comes to {sum} for {}", due.amount, row.id)));
    }
    Ok(Some(parts.into_iter().map(|part| (over[part.lane].clone(), part.amount)).collect()))
}
