//! A payout route as routing sees it: a service over a deposit account, with what is known of both now. Owns what an amount
//! needs of the route; never decides whether the route is taken.

use rust_decimal::Decimal;

use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::exact::{self, ArithmeticError, Rounding};
use crate::domain::ids::{DepositAccountId, Mode, ProviderAccountId, RouteId};

/// Decimals that costs are compared with, finer than any currency's.
const COST_SCALE: u8 = 12;

/// A payout service over a deposit account. Amounts are in the service's currency unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub id: RouteId,
    pub code: String,
    /// `method_currency`: `card_eur`.
    pub service: String,
    pub mode: Mode,
    pub currency: AssetCode,
    /// Decimals of the currency.
    pub currency_scale: u8,
    pub deposit_account_id: DepositAccountId,
    pub provider_account_id: ProviderAccountId,
    pub provider: String,
    /// The route's and its account's switches together.
    pub enabled: bool,
    pub amount_min: Option<Decimal>,
    pub amount_max: Option<Decimal>,
    /// Percent of the amount.
    pub cost_percent: Decimal,
    /// In the currency, on top of the percentage.
    pub cost_fixed: Decimal,
    /// The provider charges at least this.
    pub cost_min: Option<Decimal>,
    /// The provider charges at most this.
    pub cost_max: Option<Decimal>,
    /// The share under `weight` where the scheme names none.
    pub weight: u32,
    /// Whether the provider pays cards within minutes.
    pub fast_funds: bool,
    /// The schemes that the provider takes.
    pub card_schemes: Vec<CardScheme>,
    pub breaker: BreakerGate,
    /// What the deposit account holds; it may differ from the service's currency.
    pub deposit_currency: AssetCode,
    /// Decimals of the deposit currency.
    pub deposit_scale: u8,
    /// Deposit units for one unit of the service's currency; exactly 1 where they are the same; `None`: no rate now.
    pub deposit_rate: Option<Decimal>,
    /// Percent of the amount that is lost in the conversion.
    pub exchange_spread_percent: Decimal,
    /// Percent reserved on top of a converted amount, since the rate may move before the provider debits.
    pub exchange_buffer_percent: Decimal,
    /// What the deposit account has left, its balance less what is reserved; in the deposit currency.
    pub available: Decimal,
    /// What the account may still turn over today, in the deposit currency; `None`: no limit.
    pub turnover_left: Option<Decimal>,
}

/// Whether the provider account's circuit breaker lets a payout through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakerGate {
    #[default]
    Closed,
    /// A few payouts are let through to learn whether the account works again.
    HalfOpen {
        probes_left: u32,
    },
    Open,
}

impl BreakerGate {
    /// Whether one more payout may pass.
    pub fn lets_through(self) -> bool {
        match self {
            BreakerGate::Closed => true,
            BreakerGate::HalfOpen { probes_left } => probes_left > 0,
            BreakerGate::Open => false,
        }
    }
}

/// What an amount takes from the deposit account; all in its currency, rounded up to its scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The amount itself, converted.
    pub deposit_amount: Decimal,
    /// What the provider is expected to charge for it.
    pub cost: Decimal,
    /// What is to be reserved: the amount, with the buffer where it was converted, and the cost.
    pub reserved: Decimal,
}

impl Route {
    /// What the provider is expected to charge for `amount`, in the service's currency, rounded up to its scale.
    pub fn expected_cost(&self, amount: Decimal) -> Result<Decimal, ArithmeticError> {
        let by_percent =
            exact::mul_div(amount, self.cost_percent, Decimal::ONE_HUNDRED, self.currency_scale, Rounding::Up)?;
        let mut cost = exact::add(by_percent, self.cost_fixed)?;
        if let Some(least) = self.cost_min {
            cost = cost.max(least);
        }
        if let Some(most) = self.cost_max {
            cost = cost.min(most);
        }
        exact::round(cost, self.currency_scale, Rounding::Up)
    }

    /// [`Self::expected_cost`] with what the conversion loses; finer than the currency, for comparing.
    pub fn cost_with_exchange(&self, amount: Decimal) -> Result<Decimal, ArithmeticError> {
        let cost = self.expected_cost(amount)?;
        if !self.converts() {
            return Ok(cost);
        }
        let lost =
            exact::mul_div(amount, self.exchange_spread_percent, Decimal::ONE_HUNDRED, COST_SCALE, Rounding::Up)?;
        exact::add(cost, lost)
    }

    /// What `amount` takes from the deposit account. Without a rate nothing can be said: `DivisionByZero`, and the filter
    /// has dropped the route for that reason before.
    pub fn needs(&self, amount: Decimal) -> Result<Needs, ArithmeticError> {
        self.needs_with(amount, self.expected_cost(amount)?)
    }

    pub(super) fn needs_with(&self, amount: Decimal, cost: Decimal) -> Result<Needs, ArithmeticError> {
        let rate = self.deposit_rate.ok_or(ArithmeticError::DivisionByZero)?;
        let in_deposit = |value: Decimal| {
            // Most routes convert nothing.
            if !self.converts() && value.scale() == u32::from(self.deposit_scale) {
                return Ok(value);
            }
            exact::mul(value, rate, self.deposit_scale, Rounding::Up)
        };
        let (deposit_amount, cost) = (in_deposit(amount)?, in_deposit(cost)?);
        let buffered = if self.converts() {
            let percent = exact::add(Decimal::ONE_HUNDRED, self.exchange_buffer_percent)?;
            exact::mul_div(deposit_amount, percent, Decimal::ONE_HUNDRED, self.deposit_scale, Rounding::Up)?
        } else {
            deposit_amount
        };
        Ok(Needs { deposit_amount, cost, reserved: exact::add(buffered, cost)? })
    }

    /// What is available, in the service's currency, rounded down: accounts of different currencies are compared by it.
    pub fn available_in_service(&self) -> Result<Decimal, ArithmeticError> {
        if !self.converts() {
            return Ok(self.available);
        }
        let rate = self.deposit_rate.ok_or(ArithmeticError::DivisionByZero)?;
        exact::div(self.available, rate, self.currency_scale, Rounding::Down)
    }

    /// Whether the deposit account holds another currency than the service pays out.
    pub fn converts(&self) -> bool {
        self.deposit_currency != self.currency
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::super::samples::route;
    use super::*;

    #[test]
    fn costs_round_up_against_us() {
        assert_eq!(route("a").expected_cost(dec!(100.01)), Ok(dec!(1.26)));
    }

    #[test]
    fn a_cost_keeps_within_its_minimum_and_maximum() {
        let clamped = Route { cost_min: Some(dec!(0.50)), cost_max: Some(dec!(2)), ..route("a") };
        assert_eq!(clamped.expected_cost(dec!(1)), Ok(dec!(0.50)));
        assert_eq!(clamped.expected_cost(dec!(100)), Ok(dec!(1.25)));
        assert_eq!(clamped.expected_cost(dec!(1000)), Ok(dec!(2.00)));
    }

    #[test]
    fn the_same_currency_needs_no_buffer() {
        let plain = Route { exchange_buffer_percent: dec!(5), ..route("a") };
        let needs = Needs { deposit_amount: dec!(100), cost: dec!(1.25), reserved: dec!(101.25) };
        assert_eq!(plain.needs(dec!(100)), Ok(needs));
    }

    #[test]
    fn another_currency_is_converted_upwards_and_buffered() {
        let dollars = Route {
            deposit_currency: "USD".parse().unwrap(),
            deposit_rate: Some(dec!(1.08333)),
            exchange_buffer_percent: dec!(2),
            ..route("a")
        };
        // 108.333 -> 108.34; 1.25 x 1.08333 = 1.3541625 -> 1.36; 108.34 x 1.02 = 110.5068 -> 110.51.
        let needs = Needs { deposit_amount: dec!(108.34), cost: dec!(1.36), reserved: dec!(111.87) };
        assert_eq!(dollars.needs(dec!(100)), Ok(needs));
        assert!(Route { deposit_rate: None, ..dollars }.needs(dec!(100)).is_err());
    }
}
