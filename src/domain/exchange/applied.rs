//! A rate as it was applied: what a payout request stores, and the conversions that it was used for. Knows nothing of where it
//! came from but what is written here.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{NoRate, SOURCE_FIXED};
use crate::domain::asset::{Asset, AssetCode};
use crate::domain::exact::{self, ArithmeticError, Rounding};
use crate::domain::money::{Money, MoneyError};
use crate::domain::rate::{Pair, Price, Rate, RateError, Spread};

/// The rate of one request, with the rule that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedRate {
    pub pair: Pair,
    /// As the scheme has it; null where none was needed, as both currencies are the same.
    pub rule: Value,
    /// The caller's to fill in.
    pub scheme_version: Option<u32>,
    /// The source that gave the price.
    pub source: String,
    /// Whether that was the rule's second choice.
    pub fallback: bool,
    /// `to` for one `from`, before both mark-ups.
    pub price_quoted: Decimal,
    /// The price without the fixed mark-up, and the percentage as its spread.
    pub rate: Rate,
}

/// Why an amount isn't converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    #[error("a rate of {pair} doesn't convert {from} to {to}")]
    OtherPair { pair: Pair, from: AssetCode, to: AssetCode },
    #[error("an amount to be converted is not below zero")]
    Negative,
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Why a stored rate can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredRateError {
    #[error("not a stored rate")]
    Form(#[from] serde_json::Error),
    #[error("the stored pair is none")]
    Pair(#[from] crate::domain::asset::AssetCodeError),
    #[error("the stored price or spread is none")]
    Rate(#[from] RateError),
}

/// As it is stored, decimals as text.
#[derive(Serialize, Deserialize)]
struct Stored {
    from: String,
    to: String,
    rule: Value,
    scheme_version: Option<u32>,
    source: String,
    fallback: bool,
    #[serde(with = "rust_decimal::serde::str")]
    price_quoted: Decimal,
    #[serde(with = "rust_decimal::serde::str")]
    price: Decimal,
    #[serde(with = "rust_decimal::serde::str")]
    spread: Decimal,
    /// Follows from the two above; for readers.
    #[serde(with = "rust_decimal::serde::str")]
    rate: Decimal,
}

impl AppliedRate {
    /// Of a currency to itself: exactly 1.
    pub(super) fn identity(pair: Pair) -> Result<Self, NoRate> {
        let price = Price::new(Decimal::ONE).map_err(|why| NoRate::OutOfBounds { pair, why })?;
        Ok(Self {
            pair,
            rule: Value::Null,
            scheme_version: None,
            source: SOURCE_FIXED.to_owned(),
            fallback: false,
            price_quoted: Decimal::ONE,
            rate: Rate { price, spread: Spread::NONE },
        })
    }

    /// What the service pays for what the point is charged: rounded **down** to the service's currency.
    pub fn to_service(&self, point_amount: &Money, service: Asset) -> Result<Money, ConversionError> {
        self.check(point_amount, point_amount.asset(), service)?;
        let amount = exact::mul(point_amount.amount(), self.rate.value(), service.scale, Rounding::Down)?;
        Ok(Money::new(amount, service)?)
    }

    /// What the point is charged for what the service pays: rounded **up** to the point's currency, and so the least amount that
    /// [`AppliedRate::to_service`] makes as much of.
    pub fn to_point(&self, service_amount: &Money, point: Asset) -> Result<Money, ConversionError> {
        self.check(service_amount, point, service_amount.asset())?;
        let amount = exact::div(service_amount.amount(), self.rate.value(), point.scale, Rounding::Up)?;
        Ok(Money::new(amount, point)?)
    }

    fn check(&self, amount: &Money, from: Asset, to: Asset) -> Result<(), ConversionError> {
        if self.pair != (Pair { from: from.code, to: to.code }) {
            return Err(ConversionError::OtherPair { pair: self.pair, from: from.code, to: to.code });
        }
        if amount.is_negative() { Err(ConversionError::Negative) } else { Ok(()) }
    }

    /// For the request's row.
    pub fn to_stored(&self) -> Result<Value, StoredRateError> {
        Ok(serde_json::to_value(Stored {
            from: self.pair.from.to_string(),
            to: self.pair.to.to_string(),
            rule: self.rule.clone(),
            scheme_version: self.scheme_version,
            source: self.source.clone(),
            fallback: self.fallback,
            price_quoted: self.price_quoted,
            price: self.rate.price.value(),
            spread: self.rate.spread.value(),
            rate: self.rate.value(),
        })?)
    }

    /// From the request's row.
    pub fn from_stored(stored: Value) -> Result<Self, StoredRateError> {
        let stored: Stored = serde_json::from_value(stored)?;
        Ok(Self {
            pair: Pair { from: stored.from.parse()?, to: stored.to.parse()? },
            rule: stored.rule,
            scheme_version: stored.scheme_version,
            source: stored.source,
            fallback: stored.fallback,
            price_quoted: stored.price_quoted,
            rate: Rate { price: Price::new(stored.price)?, spread: Spread::new(stored.spread)? },
        })
    }
}
