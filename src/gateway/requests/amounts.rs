//! What a request comes to: its amounts in the point's and the service's currency, the rate between them, the fee.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::super::access::Refusal;
use super::super::{Gateway, GatewayError};
use super::ground::PointGround;
use super::new_request::NewRequest;
use super::words::{ATTRIBUTES, Problems};
use crate::domain::asset::{Asset, AssetCode};
use crate::domain::exchange::{AppliedRate, NoRate, SOURCE_FIXED};
use crate::domain::fee::{FeeKind, FeeRule};
use crate::domain::ids::Mode;
use crate::domain::money::Money;
use crate::domain::payout_request::Funding;
use crate::domain::rate::{Pair, Price, Rate, Spread};
use crate::domain::service::Service;

/// Amounts with more digits before the point than this are nobody's.
const AMOUNT_MAX: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);

/// What a request comes to.
pub(super) struct Amounts {
    pub point: Money,
    pub service: Money,
    pub fee: Decimal,
    pub exchange: Option<Value>,
}

impl Gateway {
    /// What is charged and what is paid out; `None` after a problem was told.
    pub(super) fn amounts(
        &self,
        ask: &NewRequest,
        point: &PointGround,
        service: &Service,
        mode: Mode,
        now: DateTime<Utc>,
        problems: &mut Problems,
    ) -> Result<Option<Amounts>, Refusal> {
        let Some(service_asset) = self.assets.get(service.currency) else {
            return Err(GatewayError::Corrupt(format!("{} is not configured", service.currency)).into());
        };
        let Some(point_asset) = self.point_asset(ask, point, service, problems) else { return Ok(None) };
        let point_money = money(ask.point_amount, point_asset, "point_amount", problems);
        let service_money = money(ask.service_amount, service_asset, "service_amount", problems);
        if ask.point_amount.is_none() && ask.service_amount.is_none() {
            problems.add("point_amount", "AMOUNT_REQUIRED", "point_amount or service_amount is required");
        }
        if point_money.is_none() && service_money.is_none() || !problems.0.is_empty() {
            return Ok(None);
        }
        let pair = Pair { from: point_asset.code, to: service_asset.code };
        let applied = match self.rate(pair, point, mode, now) {
            Ok(applied) => applied,
            Err(Refusal::Invalid(told)) => {
                problems.0.extend(told);
                return Ok(None);
            }
            Err(refusal) => return Err(refusal),
        };
        let failed = |error: crate::domain::exchange::ConversionError| {
            Refusal::Failed(GatewayError::Corrupt(format!("converting {pair}: {error}")))
        };
        let (point_money, service_money) = match (point_money, service_money) {
            (Some(point), None) => (point, applied.to_service(&point, service_asset).map_err(failed)?),
            (None, Some(service)) => (applied.to_point(&service, point_asset).map_err(failed)?, service),
            (Some(point), Some(service)) => {
                let comes_to = applied.to_service(&point, service_asset).map_err(failed)?;
                if comes_to != service {
                    let detail = format!("{point} comes to {comes_to}, not to {service}");
                    problems.add("service_amount", "AMOUNTS_DISAGREE", detail);
                    return Ok(None);
                }
                (point, service)
            }
            (None, None) => return Ok(None),
        };
        let attribute = if ask.service_amount.is_some() { "service_amount" } else { "point_amount" };
        if !service_money.is_positive() {
            problems.add(attribute, "AMOUNT_TOO_SMALL", format!("comes to nothing in {}", service_asset.code));
        } else if service.amount_min.is_some_and(|min| service_money.amount() < min) {
            let min = service.amount_min.unwrap_or_default();
            problems.add(attribute, "AMOUNT_TOO_SMALL", format!("{} pays out {min} or more", service.code));
        } else if service.amount_max.is_some_and(|max| service_money.amount() > max) {
            let max = service.amount_max.unwrap_or_default();
            problems.add(attribute, "AMOUNT_TOO_LARGE", format!("{} pays out {max} at most", service.code));
        }
        let fee = match point.funding {
            Funding::PartnerBalance => self.fee(&point.partner_code, mode, service, &point_money)?,
            Funding::OwnDeposit | Funding::WalletHold => Decimal::ZERO,
        };
        let exchange = match pair.from == pair.to {
            true => None,
            false => Some(applied.to_stored().map_err(|error| GatewayError::Corrupt(error.to_string()))?),
        };
        Ok(Some(Amounts { point: point_money, service: service_money, fee, exchange }))
    }

    fn point_asset(
        &self,
        ask: &NewRequest,
        point: &PointGround,
        service: &Service,
        problems: &mut Problems,
    ) -> Option<Asset> {
        let code: AssetCode = match (ask.point_currency, point.currencies.as_slice()) {
            (Some(code), currencies) if currencies.contains(&code) => code,
            (Some(_), currencies) => {
                let known: Vec<&str> = currencies.iter().map(AssetCode::as_str).collect();
                problems.add(
                    "point_currency",
                    "UNKNOWN_CURRENCY",
                    format!("the payout point has {}", known.join(", ")),
                );
                return None;
            }
            (None, [only]) => *only,
            (None, currencies) if currencies.contains(&service.currency) => service.currency,
            (None, _) => {
                problems.add("point_currency", "CURRENCY_REQUIRED", "the payout point has several currencies");
                return None;
            }
        };
        let asset = self.assets.get(code);
        if asset.is_none() {
            problems.add("point_currency", "UNKNOWN_CURRENCY", "the currency is not configured");
        }
        asset
    }

    fn rate(&self, pair: Pair, point: &PointGround, mode: Mode, now: DateTime<Utc>) -> Result<AppliedRate, Refusal> {
        let no_rule = || {
            let detail = format!("the payout point converts no {} to {}", pair.from, pair.to);
            Refusal::invalid(format!("{ATTRIBUTES}/point_currency"), "NO_EXCHANGE_RULE", detail)
        };
        let prices = |source: &str, pair: Pair| self.prices.quote(mode, source, pair, now);
        // A currency to itself needs no rule, and so no scheme.
        let quoted = match &point.exchange {
            Some((_, scheme)) => scheme.quote(pair, &prices),
            None => same_currency(pair),
        };
        match quoted {
            Ok(mut applied) => {
                applied.scheme_version = point.exchange.as_ref().map(|(version, _)| *version);
                Ok(applied)
            }
            Err(NoRate::NoRule(_)) => Err(no_rule()),
            Err(why @ (NoRate::NoPrice { .. } | NoRate::MarkupTakesAll { .. } | NoRate::OutOfBounds { .. })) => {
                tracing::warn!(%pair, %why, "no exchange rate");
                Err(Refusal::conflict("RATES_UNAVAILABLE", format!("there is no rate for {pair} now")))
            }
        }
    }

    /// What the house charges for a request, in its point currency, rounded up: the first tariff that fits.
    fn fee(&self, partner: &str, mode: Mode, service: &Service, amount: &Money) -> Result<Decimal, GatewayError> {
        let asset = amount.asset();
        let fits = |tariff: &&crate::config::gateway::FeeSeed| {
            tariff.partner.as_deref().is_none_or(|code| code == partner)
                && tariff.mode.is_none_or(|of| of == mode)
                && tariff.service.as_deref().is_none_or(|code| code == service.code.as_str())
                && tariff.currency.is_none_or(|code| code == asset.code)
        };
        let Some(tariff) = self.settings.fees.iter().find(fits) else { return Ok(Decimal::ZERO) };
        let number = |text: &Option<String>| text.as_deref().and_then(crate::config::gateway::decimal);
        let rule = FeeRule {
            percent: number(&tariff.percent),
            fixed_source: number(&tariff.fixed),
            min: number(&tariff.min),
            max: number(&tariff.max),
            ..FeeRule::of(FeeKind::Transaction)
        };
        let one = Price::new(Decimal::ONE).map_err(|error| GatewayError::Corrupt(error.to_string()))?;
        Ok(rule.charge(amount.amount(), one, asset.scale)?)
    }
}

/// What a point without a scheme converts.
fn same_currency(pair: Pair) -> Result<AppliedRate, NoRate> {
    if pair.from != pair.to {
        return Err(NoRate::NoRule(pair));
    }
    let price = Price::new(Decimal::ONE).map_err(|why| NoRate::OutOfBounds { pair, why })?;
    Ok(AppliedRate {
        pair,
        rule: Value::Null,
        scheme_version: None,
        source: SOURCE_FIXED.to_owned(),
        fallback: false,
        price_quoted: Decimal::ONE,
        rate: Rate { price, spread: Spread::NONE },
    })
}

fn money(amount: Option<Decimal>, asset: Asset, attribute: &str, problems: &mut Problems) -> Option<Money> {
    let amount = amount?;
    if amount <= Decimal::ZERO || amount >= AMOUNT_MAX {
        problems.add(attribute, "INVALID_AMOUNT", "is above zero and has at most 15 digits before the point");
        return None;
    }
    match Money::new(amount, asset) {
        Ok(money) => Some(money),
        Err(_) => {
            let detail = format!("{} has {} decimals", asset.code, asset.scale);
            problems.add(attribute, "TOO_PRECISE", detail);
            None
        }
    }
}
