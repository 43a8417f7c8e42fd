//! Settling what an offer holds: what its payouts paid is taken, the rest goes back, returns are given back.
//! The figures come from `domain::offer::settlement`; here they become ledger entries.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::GatewayError;
use crate::domain::asset::{Asset, AssetCode, Assets};
use crate::domain::exact::{self, Rounding};
use crate::domain::fee::FeeItem;
use crate::domain::ids::Tenant;
use crate::domain::ledger::{self, CryptoTerms, Entry, FiatSide};
use crate::domain::money::Money;
use crate::domain::offer::{OfferEvent, OfferStatus, ReturnedFees, Settlement, SettlementRest};
use crate::domain::payout::Resolution;
use crate::domain::rate::{Price, Rate, Spread};
use crate::store::limits::Subject;
use crate::store::offers::Offer;
use crate::store::payouts::Payout;
use crate::store::requests::PayoutRequest;

/// A share of a rolling sum that an acceptance reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    pub subject: Subject,
    /// In the reference currency.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
}

/// What of a reservation is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenBack {
    pub tenant: Tenant,
    pub subject: Subject,
    pub reserved_at: DateTime<Utc>,
    pub amount: Decimal,
}

fn asset(assets: &Assets, code: AssetCode) -> Result<Asset, GatewayError> {
    assets.get(code).ok_or_else(|| GatewayError::Corrupt(format!("{code} is no longer configured")))
}

/// An accepted offer's terms, from its row.
pub fn settlement_of(assets: &Assets, offer: &Offer) -> Result<Settlement, GatewayError> {
    let corrupt = |what: String| GatewayError::Corrupt(format!("offer {}: {what}", offer.id));
    let money = |amount, code| -> Result<Money, GatewayError> {
        Money::new(amount, asset(assets, code)?).map_err(|error| corrupt(error.to_string()))
    };
    let rate = Rate {
        price: Price::new(offer.price).map_err(|error| corrupt(error.to_string()))?,
        spread: Spread::new(offer.spread).map_err(|error| corrupt(error.to_string()))?,
    };
    let fees: Vec<FeeItem> = serde_json::from_value(offer.fees.clone()).map_err(|error| corrupt(error.to_string()))?;
    let settlement = Settlement::new(
        &money(offer.amount, offer.currency_from)?,
        &money(offer.amount_to, offer.currency_to)?,
        &money(offer.total, offer.currency_from)?,
        &rate,
        &fees,
    )?;
    Ok(settlement)
}

fn fee_sum(fees: &[FeeItem]) -> Result<Decimal, GatewayError> {
    Ok(fees.iter().try_fold(Decimal::ZERO, |sum, item| exact::add(sum, item.amount))?)
}

/// Fiat reached the card: takes the offer's share of it and remembers how much was processed.
///
/// More than was asked is booked as it happened on the fiat side; the user is never charged for it.
pub fn settle_paid(
    assets: &Assets,
    offer: &mut Offer,
    payout: &Payout,
    amount: Decimal,
) -> Result<Entry, GatewayError> {
    let before = offer.amount_to_processed;
    let after = exact::add(before, amount)?.min(offer.amount_to);
    let terms = settlement_of(assets, offer)?.settle(before, after, SettlementRest::StaysHeld)?;
    offer.amount_to_processed = after;
    let crypto = CryptoTerms {
        house_inventory: terms.house_inventory,
        spread_income: terms.spread_income,
        rounding: terms.rounding,
        fee_income: fee_sum(&terms.fees)?,
        partner_payable: terms.partner_fee,
    };
    let fiat = FiatSide { deposit_account: payout.deposit_account_id, asset: payout.currency, amount };
    Ok(ledger::settle(
        offer.tenant(),
        offer.customer_id,
        offer.currency_from,
        &crypto,
        fiat,
        &payout.id.0.simple().to_string(),
    )?)
}

/// The request has ended: the held rest goes back, and so does the unpaid share of the rolling sums.
pub fn close(
    assets: &Assets,
    offer: &mut Offer,
    request: &PayoutRequest,
    now: DateTime<Utc>,
) -> Result<(Option<Entry>, Vec<GivenBack>), GatewayError> {
    let processed = offer.amount_to_processed;
    let event = match processed {
        p if p.is_zero() => OfferEvent::Release,
        p if p < offer.amount_to => OfferEvent::PayInPart,
        _ => OfferEvent::PayInFull,
    };
    follow(offer, event)?;
    // A part may have come back while the rest was under way.
    if !offer.amount_to_returned.is_zero() {
        follow(offer, OfferEvent::Return)?;
    }
    offer.resolution = request.resolution.or(Some(Resolution::Ok));
    offer.final_at = Some(now);

    let terms = settlement_of(assets, offer)?.settle(processed, processed, SettlementRest::Released)?;
    if terms.released.is_zero() {
        return Ok((None, Vec::new()));
    }
    let entry = ledger::release(
        offer.tenant(),
        offer.customer_id,
        offer.currency_from,
        terms.released,
        &request.id.0.simple().to_string(),
    )?;
    Ok((Some(entry), unpaid_share(offer)?))
}

/// What of the reservations wasn't paid, rounded down: a sum never counts less than what was paid.
fn unpaid_share(offer: &Offer) -> Result<Vec<GivenBack>, GatewayError> {
    let corrupt = |what: &str| GatewayError::Corrupt(format!("offer {}: {what}", offer.id));
    let reserved_at = offer.accepted_at.ok_or_else(|| corrupt("was never accepted"))?;
    let stored = offer.limit_reservations.clone().ok_or_else(|| corrupt("has no reservations"))?;
    let reservations: Vec<Reservation> =
        serde_json::from_value(stored).map_err(|_| corrupt("its reservations can't be read"))?;
    let unpaid = exact::sub(offer.amount_to, offer.amount_to_processed)?;
    reservations
        .into_iter()
        .map(|reservation| {
            let scale = u8::try_from(reservation.amount.scale()).unwrap_or(u8::MAX);
            let amount = exact::mul_div(reservation.amount, unpaid, offer.amount_to, scale, Rounding::Down)?;
            Ok(GivenBack { tenant: offer.tenant(), subject: reservation.subject, reserved_at, amount })
        })
        .collect()
}

fn follow(offer: &mut Offer, event: OfferEvent) -> Result<(), GatewayError> {
    let next = offer.status.apply(event);
    offer.status = next.map_err(|error| GatewayError::Corrupt(format!("offer {}: {error}", offer.id)))?;
    Ok(())
}

/// Fiat of a payout came back: what was taken for it goes back to the user at the original rate; fees are kept. `paid_before` is what
/// the request's earlier parts paid. An offer that is still being paid becomes `returned` when it is closed.
pub fn settle_returned(
    assets: &Assets,
    offer: &mut Offer,
    payout: &Payout,
    paid_before: Decimal,
    amount: Decimal,
) -> Result<Entry, GatewayError> {
    let from = paid_before.min(offer.amount_to);
    let to = exact::add(paid_before, payout.amount_processed)?.min(offer.amount_to);
    // What was paid beyond the offer was never charged.
    let charged = amount.min(exact::sub(to, from)?);
    let terms = settlement_of(assets, offer)?.give_back_of((from, to), Decimal::ZERO, charged, ReturnedFees::Kept)?;
    offer.amount_to_returned = exact::add(offer.amount_to_returned, amount)?.min(offer.amount_to_processed);
    if offer.status != OfferStatus::Accepted {
        follow(offer, OfferEvent::Return)?;
    }
    let crypto = CryptoTerms {
        house_inventory: terms.house_inventory,
        spread_income: terms.spread_income,
        rounding: terms.rounding,
        fee_income: fee_sum(&terms.fees)?,
        partner_payable: terms.partner_fee,
    };
    let fiat = FiatSide { deposit_account: payout.deposit_account_id, asset: payout.currency, amount };
    Ok(ledger::return_payout(
        offer.tenant(),
        offer.customer_id,
        offer.currency_from,
        &crypto,
        fiat,
        &payout.id.0.simple().to_string(),
    )?)
}
