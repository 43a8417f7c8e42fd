//! Routes and facts for tests.

use rust_decimal::{Decimal, dec};
use uuid::Uuid;

use super::attributes::Facts;
use super::route::{BreakerGate, Route};
use super::{Decision, Scheme, Situation, Statistics, decide};
use crate::domain::card::CardScheme;
use crate::domain::ids::{DepositAccountId, Mode, PayoutRequestId, ProviderAccountId, RouteId};

/// A route of `card_eur` that carries 1 to 1000 euro at 1 % and 0.25, with 5000 left.
pub fn route(code: &str) -> Route {
    Route {
        id: RouteId(Uuid::new_v5(&Uuid::NAMESPACE_OID, code.as_bytes())),
        code: code.to_owned(),
        service: "card_eur".to_owned(),
        mode: Mode::Test,
        currency: "EUR".parse().unwrap(),
        currency_scale: 2,
        deposit_account_id: DepositAccountId::new(),
        provider_account_id: ProviderAccountId::new(),
        provider: "test".to_owned(),
        enabled: true,
        amount_min: Some(dec!(1)),
        amount_max: Some(dec!(1000)),
        cost_percent: dec!(1),
        cost_fixed: dec!(0.25),
        cost_min: None,
        cost_max: None,
        weight: 1,
        fast_funds: true,
        card_schemes: vec![CardScheme::Visa],
        breaker: BreakerGate::Closed,
        deposit_currency: "EUR".parse().unwrap(),
        deposit_scale: 2,
        deposit_rate: Some(dec!(1)),
        exchange_spread_percent: dec!(0),
        exchange_buffer_percent: dec!(0),
        available: dec!(5000),
        turnover_left: None,
    }
}

pub fn facts(amount: Decimal) -> Facts<'static> {
    Facts {
        request_id: PayoutRequestId(Uuid::from_u128(1)),
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
        ..Facts::bare(Mode::Test, "EUR".parse().unwrap(), "card_eur", amount, Some(CardScheme::Visa))
    }
}

/// A first try of the facts' request at its whole amount.
pub fn situation<'a>(facts: &'a Facts<'a>) -> Situation<'a> {
    Situation {
        request_id: facts.request_id,
        part: 0,
        attempt: 1,
        amount: facts.amount,
        facts,
        attempted: &[],
        attempts_per_route_limit: 1,
    }
}

/// What `scheme` decides on a first try of `amount`, with nothing remembered.
pub fn decided(scheme: &Scheme, routes: &[Route], amount: Decimal) -> Decision {
    let facts = facts(amount);
    decide(scheme, routes, &situation(&facts), &Statistics::default())
}
