//! Where a due amount goes: one route, several parts, or nowhere and why. Reads what the batch stands on and writes nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::GatewayError;
use super::super::complete::conclude::NoRoute;
use super::super::invoke::TargetCard;
use super::super::progress::Due;
use super::super::route_book::Routing;
use super::ground::Ground;
use crate::domain::asset::AssetCode;
use crate::domain::card::{CardScheme, Issuer};
use crate::domain::exact;
use crate::domain::ids::{DepositAccountId, PayoutRequestId, ProviderAccountId, Tenant};
use crate::domain::payout::Resolution;
use crate::domain::payout_request::SplitMode;
use crate::domain::routing::split::{self, Draw, Lane, PARTS_MAX, SplitOrder, SplitRequest};
use crate::domain::routing::strategy::Strategy;
use crate::domain::routing::{
    BreakerGate, CardFacts, CustomerFacts, Decision, Facts, Outcome, Route, Scheme, Situation, Statistics, decide,
};
use crate::store::customers::RoutedCustomer;
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
    let issuer = card.as_ref().and_then(|card| ground.issuers.find(card.iin()));
    let facts = facts_of(row, card.as_ref(), issuer, customer, ground.amount_reference(row), ground.now);
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
    choose_by(&scheme, &Wish::of(row), due, routes, &facts, &ground.statistics)
}

/// What of a request decides how its amount may be cut and where it may go again.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub request_id: PayoutRequestId,
    pub split_mode: SplitMode,
    pub attempts_per_route_limit: i16,
    /// A single payout on a named route.
    pub is_single: bool,
}

impl Wish {
    pub fn of(row: &PayoutRequest) -> Self {
        Self {
            request_id: row.id,
            split_mode: row.terms.split_mode,
            attempts_per_route_limit: row.terms.attempts_per_route_limit,
            is_single: row.terms.single_route_id.is_some(),
        }
    }
}

/// What conditions look at in a request.
pub fn facts_of<'a>(
    row: &'a PayoutRequest,
    card: Option<&'a TargetCard>,
    issuer: Option<&'a Issuer>,
    customer: Option<&'a RoutedCustomer>,
    amount_reference: Option<Decimal>,
    now: DateTime<Utc>,
) -> Facts<'a> {
    Facts {
        request_id: row.id,
        now,
        amount: row.amount,
        amount_reference,
        currency: row.currency,
        service: &row.service,
        mode: row.mode,
        card: card.map_or_else(CardFacts::default, |card| card_facts(Some(card.scheme()), card.iin(), issuer)),
        customer: customer.map_or_else(CustomerFacts::default, customer_facts),
        metadata: Some(&row.terms.metadata),
    }
}

/// What they look at in a card, by its first six or eight digits and what is known of who issued it.
pub fn card_facts<'a>(scheme: Option<CardScheme>, iin: &'a str, issuer: Option<&'a Issuer>) -> CardFacts<'a> {
    CardFacts {
        scheme,
        kind: issuer.and_then(|issuer| issuer.kind.as_deref()),
        brand: issuer.and_then(|issuer| issuer.brand.as_deref()),
        iin6: iin.get(..6),
        iin8: iin.get(..8),
        issuer_name: issuer.and_then(|issuer| issuer.name.as_deref()),
        issuer_country: issuer.and_then(|issuer| issuer.country.as_deref()),
    }
}

/// What they look at in a customer.
pub fn customer_facts(customer: &RoutedCustomer) -> CustomerFacts<'_> {
    CustomerFacts {
        reference: Some(&customer.reference),
        kyc_level: u8::try_from(customer.kyc_level).ok(),
        country: customer.country.as_deref(),
        metadata: Some(&customer.metadata),
        paid_count: u64::try_from(customer.paid_count).ok(),
        failed_count: u64::try_from(customer.failed_count).ok(),
    }
}

/// Chooses by a scheme, for a request that is there or could be.
pub fn choose_by(
    scheme: &Scheme,
    wish: &Wish,
    due: &Due,
    routes: &[Route],
    facts: &Facts<'_>,
    statistics: &Statistics,
) -> Result<Choice, GatewayError> {
    let situation = Situation {
        request_id: wish.request_id,
        part: due.part,
        attempt: due.attempt,
        amount: due.amount,
        facts,
        attempted: &due.attempted,
        attempts_per_route_limit: u16::try_from(wish.attempts_per_route_limit).unwrap_or(1),
    };
    let decision = decide(scheme, routes, &situation, statistics);
    let may_split = wish.split_mode != SplitMode::Never && !wish.is_single;
    let in_shares =
        wish.split_mode == SplitMode::Always && (decision.split_always || decision.strategy == Some(Strategy::Optimal));
    if may_split
        && in_shares
        && decision.splittable.len() > 1
        && let Some(parts) = divide(wish, due, routes, &decision, SplitOrder::Equal)?
    {
        return Ok(Choice::Parts(Box::new(decision), parts));
    }
    if let Some(best) = decision.ranked.first() {
        let route = routes[*best].clone();
        return Ok(Choice::Parts(Box::new(decision), vec![(route, due.amount)]));
    }
    if may_split
        && !decision.splittable.is_empty()
        && let Some(parts) = divide(wish, due, routes, &decision, SplitOrder::Preferred)?
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
    wish: &Wish,
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
            tracing::warn!(request = %wish.request_id, %error, "no split was found");
            return Ok(None);
        }
    };
    let sum = parts.iter().try_fold(Decimal::ZERO, |sum, part| exact::add(sum, part.amount))?;
    if sum != due.amount {
        return Err(GatewayError::Corrupt(format!("a split of {} comes to {sum} for {}", due.amount, wish.request_id)));
    }
    Ok(Some(parts.into_iter().map(|part| (over[part.lane].clone(), part.amount)).collect()))
}
