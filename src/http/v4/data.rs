//! What an app shows first: cards, pairs with their rates, fees.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::cards::Card;
use crate::http::call::Call;
use crate::http::error::ApiError;
use crate::http::exact_number::ExactNumber;
use crate::wallet::view::{DataView, FeesView, PairView};

/// What an app shows before an offer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayoutData {
    /// The user's cards.
    cards: Vec<Card>,
    /// Pairs that have a rate now.
    pairs: Vec<Pair>,
    /// The fees that an offer would have.
    fees: Fees,
    /// How long the rates may be shown, in seconds.
    #[schema(example = 30)]
    valid_seconds: u64,
}

/// A pair of currencies with its rate.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// The crypto currency.
    #[schema(example = "USDT")]
    currency_from: String,
    /// The fiat currency.
    #[schema(example = "EUR")]
    currency_to: String,
    /// What the user gets for one unit of `currencyFrom`, in units of `currencyTo`, the spread taken off; to 6
    /// decimals.
    rate: ExactNumber,
    /// Decimals of `currencyFrom`.
    #[schema(example = 8)]
    amount_scale_from: u8,
    /// Decimals of `currencyTo`.
    #[schema(example = 2)]
    amount_scale_to: u8,
    /// The least amount of an offer, in units of `currencyFrom`.
    default_min_amount_from: ExactNumber,
    /// The largest amount of an offer, in units of `currencyFrom`.
    default_max_amount_from: ExactNumber,
    /// What "spend everything" comes to now, in units of `currencyFrom`.
    default_max_amount_all: ExactNumber,
}

/// The fees ahead of an offer. An offer itemises its own.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fees {
    /// The spread in the rate, in percent.
    rate: ExactNumber,
    /// In percent of the amount.
    transaction_fee: ExactNumber,
    /// In the fiat currency.
    fix_fee: ExactNumber,
    /// In percent of the amount.
    additional_fee: ExactNumber,
    /// What the network costs, in the source currency.
    crypterium_gas: ExactNumber,
    /// The partner's own, in percent of the amount.
    partner_fee: ExactNumber,
}

impl From<DataView> for PayoutData {
    fn from(data: DataView) -> Self {
        Self {
            cards: data.cards.into_iter().map(Card::from).collect(),
            pairs: data.pairs.into_iter().map(Pair::from).collect(),
            fees: data.fees.into(),
            valid_seconds: data.valid_seconds,
        }
    }
}

impl From<PairView> for Pair {
    fn from(pair: PairView) -> Self {
        Self {
            currency_from: pair.currency_from.to_string(),
            currency_to: pair.currency_to.to_string(),
            rate: ExactNumber(pair.rate),
            amount_scale_from: pair.amount_scale_from,
            amount_scale_to: pair.amount_scale_to,
            default_min_amount_from: ExactNumber(pair.default_amount_from_min),
            default_max_amount_from: ExactNumber(pair.default_amount_from_max),
            default_max_amount_all: ExactNumber(pair.default_amount_max_all),
        }
    }
}

impl From<FeesView> for Fees {
    fn from(fees: FeesView) -> Self {
        Self {
            rate: ExactNumber(fees.rate),
            transaction_fee: ExactNumber(fees.transaction_fee),
            fix_fee: ExactNumber(fees.fix_fee),
            additional_fee: ExactNumber(fees.additional_fee),
            crypterium_gas: ExactNumber(fees.network_gas),
            partner_fee: ExactNumber(fees.partner_fee),
        }
    }
}

/// Cards, pairs with their rates, and fees.
///
/// KYC level 0 is enough.
#[utoipa::path(
    get, path = "/v4/payout/data", operation_id = "getPayoutData", tag = "offers",
    responses((status = 200, description = "What an app shows before an offer.", body = PayoutData))
)]
pub async fn get(call: Call) -> Result<HttpResponse, ApiError> {
    let data = call.wallet.data(&call.user).await?;
    call.fresh(&PayoutData::from(data))
}
