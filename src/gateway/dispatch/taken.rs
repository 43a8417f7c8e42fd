//! What a payout takes of its route's accounts and counters.

use rust_decimal::Decimal;

use super::super::GatewayError;
use crate::domain::exact;
use crate::domain::routing::{BreakerGate, Decision, Route};
use crate::torture::{self, Rule};

/// What a payout takes of its route's accounts and counters.
pub struct Taken {
    /// In the deposit currency, as is `deposit_amount`.
    pub reserved: Decimal,
    pub deposit_amount: Decimal,
    /// In the service's currency.
    pub used: Decimal,
    pub is_probe: bool,
}

impl Taken {
    /// What an amount on a route of the decision takes. What lifts the route is taken once a decision.
    pub fn of(route: &Route, decision: &Decision, amount: Decimal, lifts: bool) -> Result<Self, GatewayError> {
        let needs = route.needs(amount)?;
        Ok(Self {
            reserved: if torture::is_off(Rule::Reservation) { Decimal::ZERO } else { needs.reserved },
            deposit_amount: needs.deposit_amount,
            used: if lifts { used(decision, route, amount)? } else { amount },
            is_probe: matches!(route.breaker, BreakerGate::HalfOpen { .. }),
        })
    }
}

/// What a payout adds to its route's usage: its amount, and what lifts a route that came back to its peers.
fn used(decision: &Decision, route: &Route, amount: Decimal) -> Result<Decimal, GatewayError> {
    let lifts = decision.pool.iter().flat_map(|pool| &pool.lifts);
    let lift = lifts.filter(|(id, _)| *id == route.id).map(|(_, lift)| *lift).next().unwrap_or_default();
    Ok(exact::add(amount, lift)?)
}
