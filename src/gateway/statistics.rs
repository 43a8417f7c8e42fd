//! How payouts are counted: what a payout asks of its deposit account, and the spans that counters are kept by.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::GatewayError;
use crate::domain::asset::Assets;
use crate::domain::exact::{self, Rounding};
use crate::store::payouts::Payout;

/// The span of a provider account's calls, in seconds.
const BUCKET_SECS: i64 = 10;

/// What `amount` of a payout's currency takes of its deposit account, rounded up, the cost apart.
pub fn deposit_amount(assets: &Assets, payout: &Payout, amount: Decimal) -> Result<Decimal, GatewayError> {
    let placement = &payout.placement;
    if placement.deposit_currency == payout.currency {
        return Ok(amount);
    }
    let asset = assets
        .get(placement.deposit_currency)
        .ok_or_else(|| GatewayError::Corrupt(format!("{} is no longer configured", placement.deposit_currency)))?;
    Ok(exact::mul(amount, placement.deposit_rate, asset.scale, Rounding::Up)?)
}

/// The hour that `now` is in.
pub fn hour(now: DateTime<Utc>) -> DateTime<Utc> {
    now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now)
}

/// The bucket of calls that `now` is in.
pub fn bucket(now: DateTime<Utc>) -> DateTime<Utc> {
    now.duration_trunc(TimeDelta::seconds(BUCKET_SECS)).unwrap_or(now)
}
