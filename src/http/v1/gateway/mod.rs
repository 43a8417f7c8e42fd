//! The payout gateway's own resources, `/v1/payout-gateway/`: what payouts go by. What an attribute may be is the use cases' to say.

mod configure;
pub mod deposit_accounts;
pub mod exchange_schemes;
pub mod payout_schemes;
pub mod points;
pub mod provider_accounts;
pub mod routes;
pub mod schemes;
pub mod services;
pub mod simulate;

use actix_web::web;
use rust_decimal::Decimal;

pub fn routes(cfg: &mut web::ServiceConfig) {
    points::routes(cfg);
    services::routes(cfg);
    routes::routes(cfg);
    payout_schemes::routes(cfg);
    exchange_schemes::routes(cfg);
    provider_accounts::routes(cfg);
    deposit_accounts::routes(cfg);
}

/// An amount as it is answered.
fn decimal(amount: Decimal) -> String {
    amount.normalize().to_string()
}
