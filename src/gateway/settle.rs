//! Settling what an offer or a partner's request holds: what its payouts paid is taken, the rest goes back, returns are given back.
//! The figures come from `domain::offer::settlement`; here they become ledger entries.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::GatewayError;
use super::requests::terms::settlement_of_partner;
use crate::domain::asset::{Asset, AssetCode, Assets};
use crate::domain::exact::{self, Rounding};
use crate::domain::fee::FeeItem;
use crate::domain::ids::Tenant;
use crate::domain::ledger::{self, CryptoTerms, Entry, FiatSide, Holder};
use crate::domain::money::Money;
use crate::domain::offer::{OfferEvent, OfferStatus, ReturnedFees, Settlement, SettlementRest};
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

/// Who pays for a payout request.
#[derive(Debug)]
pub enum Purse<'a> {
    /// An offer's hold on a user's balance.
    Offer(&'a mut Offer),
    /// The hold of a prefunded partner's request.
    Partner(&'a PayoutRequest),
    /// The partner's own deposit account: its reservation is the hold.
    Own,
}

/// Whose hold it is, in what, how it is divided, and how much fiat all of it pays.
struct Hold {
    holder: Holder,
    asset: AssetCode,
    settlement: Settlement,
    amount_to: Decimal,
}

impl Purse<'_> {
    fn hold(&self, assets: &Assets) -> Result<Option<Hold>, GatewayError> {
        Ok(match self {
            Purse::Offer(offer) => Some(Hold {
                holder: Holder::Customer(offer.customer_id),
                asset: offer.currency_from,
                settlement: settlement_of(assets, offer)?,
                amount_to: offer.amount_to,
            }),
            Purse::Partner(request) => Some(Hold {
                holder: Holder::Partner,
                asset: request.terms.point_currency,
                settlement: settlement_of_partner(assets, request)?,
                amount_to: request.amount,
            }),
            Purse::Own => None,
        })
    }
}

fn crypto_terms(
    house_inventory: Decimal,
    spread_income: Decimal,
    rounding: Decimal,
    fees: &[FeeItem],
    partner_payable: Decimal,
) -> Result<CryptoTerms, GatewayError> {
    Ok(CryptoTerms { house_inventory, spread_income, rounding, fee_income: fee_sum(fees)?, partner_payable })
}

/// The step of the settlement that a payout paid, in the fiat that reached the card. What was paid beyond the request was never charged.
fn step(payout: &Payout, amount_to: Decimal) -> Result<(Decimal, Decimal), GatewayError> {
    let from = payout.placement.settled_from.ok_or_else(|| {
        GatewayError::Corrupt(format!("payout {} paid and has no place in its settlement", payout.id))
    })?;
    Ok((from.min(amount_to), exact::add(from, payout.amount_processed)?.min(amount_to)))
}

/// What of the deposit account's debit stands for `amount` of what the payout paid, rounded down to its currency.
pub fn deposit_share(assets: &Assets, payout: &Payout, amount: Decimal) -> Result<Decimal, GatewayError> {
    let Payout { amount_processed, ref placement, .. } = *payout;
    let scale = asset(assets, placement.deposit_currency)?.scale;
    Ok(exact::mul_div(placement.deposit_debited, amount, amount_processed, scale, Rounding::Down)?)
}

/// Fiat reached the card: takes the hold's share of it.
///
/// More than was asked is booked as it happened on the fiat side; nobody is ever charged for it.
pub fn settle_paid(assets: &Assets, purse: Purse<'_>, payout: &Payout, fiat: FiatSide) -> Result<Entry, GatewayError> {
    let reference = payout.id.0.simple().to_string();
    let Some(hold) = purse.hold(assets)? else { return Ok(ledger::settle_own(payout.tenant(), fiat, &reference)?) };
    let (before, after) = step(payout, hold.amount_to)?;
    let terms = hold.settlement.settle(before, after, SettlementRest::StaysHeld)?;
    if let Purse::Offer(offer) = purse {
        offer.amount_to_processed = after;
    }
    let crypto =
        crypto_terms(terms.house_inventory, terms.spread_income, terms.rounding, &terms.fees, terms.partner_fee)?;
    Ok(ledger::settle(payout.tenant(), hold.holder, hold.asset, &crypto, fiat, &reference)?)
}

/// Fiat of a payout came back: what was taken for it goes back to its holder at the original rate; fees are kept. An offer that is still
/// being paid becomes `returned` when it is closed.
pub fn settle_returned(
    assets: &Assets,
    purse: Purse<'_>,
    payout: &Payout,
    amount: Decimal,
    fiat: FiatSide,
) -> Result<Entry, GatewayError> {
    let reference = payout.id.0.simple().to_string();
    let Some(hold) = purse.hold(assets)? else { return Ok(ledger::return_own(payout.tenant(), fiat, &reference)?) };
    let (from, to) = step(payout, hold.amount_to)?;
    let charged = amount.min(exact::sub(to, from)?);
    let terms = hold.settlement.give_back_of((from, to), Decimal::ZERO, charged, ReturnedFees::Kept)?;
    if let Purse::Offer(offer) = purse {
        offer.amount_to_returned = exact::add(offer.amount_to_returned, amount)?.min(offer.amount_to_processed);
        if offer.status != OfferStatus::Accepted {
            follow(offer, OfferEvent::Return)?;
        }
    }
    let crypto =
        crypto_terms(terms.house_inventory, terms.spread_income, terms.rounding, &terms.fees, terms.partner_fee)?;
    Ok(ledger::return_payout(payout.tenant(), hold.holder, hold.asset, &crypto, fiat, &reference)?)
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
    offer.resolution = request.resolution;
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
