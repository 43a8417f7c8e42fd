//! The user's balances.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::error::ApiError;
use crate::http::exact_number::ExactNumber;
use crate::wallet::view::BalanceView;

/// The user's money.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WalletBalances)]
pub struct Balances {
    /// One for each currency that the user has or had.
    balances: Vec<Balance>,
}

/// What a user has of one currency.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Balance {
    /// The currency's code.
    #[schema(example = "USDT")]
    currency: String,
    /// What can be spent, in units of `currency`.
    available: ExactNumber,
    /// What open payouts hold, in units of `currency`.
    held: ExactNumber,
    /// Decimals of `currency`.
    #[schema(example = 8)]
    scale: u8,
}

impl From<BalanceView> for Balance {
    fn from(balance: BalanceView) -> Self {
        Self {
            currency: balance.currency.to_string(),
            available: ExactNumber(balance.available),
            held: ExactNumber(balance.held),
            scale: balance.scale,
        }
    }
}

/// The user's balances.
#[utoipa::path(
    get, path = "/v4/wallet/balances", operation_id = "getBalances", tag = "wallet",
    responses((status = 200, description = "The balances, by currency.", body = Balances))
)]
pub async fn get(call: Call) -> Result<HttpResponse, ApiError> {
    let balances = call.wallet.balances(&call.user).await?.into_iter().map(Balance::from).collect();
    call.fresh(&Balances { balances })
}
