//! Paying an offer, and the payout as it stands.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::ids::OfferId;
use crate::http::call::Call;
use crate::http::error::{ApiError, FieldProblem};
use crate::http::exact_number::ExactNumber;
use crate::http::prefer::Wait;
use crate::wallet::view::{PayStatus, PayView};

/// How a payout stands: paid (`SUCCESS`), accepted and not final (`PENDING`: ask again), paid in part with the rest
/// back on the balance (`PARTIAL`), not paid and everything back (`FAILED`), or paid and come back later
/// (`RETURNED`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = PayStatus)]
pub(super) enum Status {
    Success,
    Pending,
    Partial,
    Failed,
    Returned,
}

impl From<PayStatus> for Status {
    fn from(status: PayStatus) -> Self {
        match status {
            PayStatus::Success => Status::Success,
            PayStatus::Pending => Status::Pending,
            PayStatus::Partial => Status::Partial,
            PayStatus::Failed => Status::Failed,
            PayStatus::Returned => Status::Returned,
        }
    }
}

/// The payout of an offer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pay {
    pub(super) status: Status,
    /// What was spent before fees, in units of `currencyFrom`.
    pub(super) amount_from: ExactNumber,
    /// The crypto currency.
    #[schema(example = "USDT")]
    pub(super) currency_from: String,
    /// What reached the card, in units of `currencyTo`.
    pub(super) amount_to: ExactNumber,
    /// The fiat currency.
    #[schema(example = "EUR")]
    pub(super) currency_to: String,
    /// The offer that was paid.
    #[schema(example = 7310548820196645_i64)]
    pub(super) offer_id: i64,
    /// All fees, in units of `currencyFrom`.
    pub(super) fee_amount: ExactNumber,
    /// What left the user's balance, in units of `currencyFrom`.
    pub(super) total_from: ExactNumber,
    /// Why it ended as it did: `ok`, `invalid_details`, `card_restricted`, ...; null while it is open.
    #[schema(example = "ok")]
    pub(super) resolution: Option<&'static str>,
}

impl From<PayView> for Pay {
    fn from(pay: PayView) -> Self {
        Self {
            status: pay.status.into(),
            amount_from: ExactNumber(pay.amount_from),
            currency_from: pay.currency_from.to_string(),
            amount_to: ExactNumber(pay.amount_to),
            currency_to: pay.currency_to.to_string(),
            offer_id: pay.offer_id.0,
            fee_amount: ExactNumber(pay.fee_amount),
            total_from: ExactNumber(pay.total_from),
            resolution: pay.resolution.map(|resolution| resolution.as_str()),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PayQuery {
    /// The version of the offer that the user saw; another one is refused with 409. The header `If-Match` does the
    /// same.
    #[param(example = 1, minimum = 1)]
    version: Option<i32>,
}

/// The version that `If-Match: "3"` names; `*` names none.
fn matched_version(header: &str) -> Result<Option<i32>, ApiError> {
    if header.trim() == "*" {
        return Ok(None);
    }
    let digits = header.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let version = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())).and_then(|d| d.parse().ok());
    version.map(Some).ok_or_else(|| ApiError::field("If-Match", FieldProblem::Value))
}

/// Pays an offer.
///
/// Waits for the final result up to 10 seconds (by configuration; `Prefer: wait=N` lowers it) and else answers
/// `PENDING`. Paying the same offer again does nothing and answers with the payout as it stands: an app that lost the
/// answer just asks again. KYC level 1 is needed. The body is empty.
#[utoipa::path(
    post, path = "/v4/payout/pay/{offerId}", operation_id = "payOffer", tag = "pay",
    params(PayQuery),
    responses((status = 200, description = "The payout: final, or `PENDING`.", body = Pay))
)]
pub async fn pay(call: Call, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let offer_id: OfferId = call.path_id("offerId")?;
    call.empty_body(payload).await?;
    let asked: PayQuery = call.query()?;
    let matched = call.header("If-Match")?.map(matched_version).transpose()?.flatten();
    let seen_version = match (asked.version, matched) {
        (Some(one), Some(other)) if one != other => return Err(ApiError::field("If-Match", FieldProblem::Value)),
        (one, other) => one.or(other),
    };
    let longest = call.wallet.pay_wait();
    let wait = Wait::of(&call.request, longest, longest);
    let (wallet, user) = (call.wallet.clone(), call.user.clone());
    let paid = call.edge.outlive(async move { wallet.pay(&user, offer_id, seen_version, wait.time).await }).await??;
    Ok(wait.applied(HttpResponse::Ok().json(Pay::from(paid))))
}

/// The payout of an offer as it stands now.
///
/// `Prefer: wait=N` waits for the final result, up to as long as a pay does. `getPayEvents` tells of it as it happens.
#[utoipa::path(
    get, path = "/v4/payout/pay/{offerId}", operation_id = "getPay", tag = "pay",
    params(("Prefer" = Option<String>, Header, description = "`wait=N` waits up to N seconds for the final result (RFC 7240).", example = "wait=5")),
    responses((status = 200, description = "The payout.", body = Pay))
)]
pub async fn state(call: Call) -> Result<HttpResponse, ApiError> {
    let offer_id: OfferId = call.path_id("offerId")?;
    let wait = Wait::of(&call.request, call.wallet.pay_wait(), Duration::ZERO);
    let pay = call.wallet.pay_state(&call.user, offer_id, wait.time).await?;
    Ok(wait.applied(call.fresh(&Pay::from(pay))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_matched_by_its_strong_tag() {
        assert_eq!(matched_version("\"3\"").unwrap(), Some(3));
        assert_eq!(matched_version(" * ").unwrap(), None);
        for bad in ["3", "W/\"3\"", "\"\"", "\"-1\"", "\"3\", \"4\"", "\"99999999999\"", "\"٣\""] {
            assert!(matched_version(bad).is_err(), "{bad}");
        }
    }
}
