//! What a prefunded partner gets back of a request's hold once the request is over.

use super::super::GatewayError;
use super::terms::settlement_of_partner;
use crate::domain::asset::Assets;
use crate::domain::ledger::{self, Entry, Holder};
use crate::domain::offer::SettlementRest;
use crate::domain::payout_request::Funding;
use crate::store::requests::PayoutRequest;

/// What of a partner's hold was not settled goes back, under the request's id; `None` if all was, or another pays for the request.
///
/// To be booked once, by the transaction that makes the request final.
pub fn partner_release(assets: &Assets, request: &PayoutRequest) -> Result<Option<Entry>, GatewayError> {
    if request.funding != Funding::PartnerBalance {
        return Ok(None);
    }
    // More than was asked is not the partner's to pay.
    let processed = request.amount_processed.min(request.amount);
    let terms = settlement_of_partner(assets, request)?.settle(processed, processed, SettlementRest::Released)?;
    if terms.released.is_zero() {
        return Ok(None);
    }
    let reference = request.id.0.simple().to_string();
    let currency = request.terms.point_currency;
    Ok(Some(ledger::release(request.tenant(), Holder::Partner, currency, terms.released, &reference)?))
}
