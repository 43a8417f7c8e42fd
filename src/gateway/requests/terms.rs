//! What a partner's request is charged: the full terms that its payouts settle in steps, made again from its row whenever needed.

use rust_decimal::Decimal;
use serde::Deserialize;

use super::super::GatewayError;
use crate::domain::asset::{Asset, AssetCode, Assets};
use crate::domain::exact;
use crate::domain::fee::{FeeItem, FeeKind};
use crate::domain::money::Money;
use crate::domain::offer::Settlement;
use crate::domain::rate::{Price, Rate, Spread};
use crate::store::requests::PayoutRequest;

/// What of a stored exchange rate settles: `domain::exchange` stores more, for readers.
#[derive(Deserialize)]
struct StoredRate {
    #[serde(with = "rust_decimal::serde::str")]
    price: Decimal,
    #[serde(with = "rust_decimal::serde::str")]
    spread: Decimal,
}

fn corrupt(request: &PayoutRequest, what: impl std::fmt::Display) -> GatewayError {
    GatewayError::Corrupt(format!("request {}: {what}", request.id))
}

fn asset(assets: &Assets, request: &PayoutRequest, code: AssetCode) -> Result<Asset, GatewayError> {
    assets.get(code).ok_or_else(|| corrupt(request, format!("{code} is no longer configured")))
}

/// The rate that a request's point amount became its service amount by: exactly 1 within one currency.
pub fn rate_of(request: &PayoutRequest) -> Result<Rate, GatewayError> {
    let stored = match &request.terms.exchange {
        None if request.terms.point_currency == request.currency => {
            StoredRate { price: Decimal::ONE, spread: Decimal::ZERO }
        }
        None => return Err(corrupt(request, "has two currencies and no rate")),
        Some(stored) => serde_json::from_value(stored.clone()).map_err(|error| corrupt(request, error))?,
    };
    Ok(Rate {
        price: Price::new(stored.price).map_err(|error| corrupt(request, error))?,
        spread: Spread::new(stored.spread).map_err(|error| corrupt(request, error))?,
    })
}

/// What a request of a prefunded partner holds, in its point currency: amount and fee.
pub fn partner_total(request: &PayoutRequest) -> Result<Decimal, GatewayError> {
    Ok(exact::add(request.terms.point_amount, request.terms.fee)?)
}

/// The full terms of a request that a prefunded partner pays for (`Funding::PartnerBalance`), in its point currency.
pub fn settlement_of_partner(assets: &Assets, request: &PayoutRequest) -> Result<Settlement, GatewayError> {
    let money = |amount, code| -> Result<Money, GatewayError> {
        Money::new(amount, asset(assets, request, code)?).map_err(|error| corrupt(request, error))
    };
    let terms = &request.terms;
    let fee = FeeItem { kind: FeeKind::Transaction, amount: terms.fee };
    let fees = if terms.fee.is_zero() { Vec::new() } else { vec![fee] };
    Ok(Settlement::new(
        &money(terms.point_amount, terms.point_currency)?,
        &money(request.amount, request.currency)?,
        &money(partner_total(request)?, terms.point_currency)?,
        &rate_of(request)?,
        &fees,
    )?)
}
