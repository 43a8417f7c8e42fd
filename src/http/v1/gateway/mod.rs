//! The payout gateway's own resources, `/v1/payout-gateway/`.

use actix_web::web;

pub fn routes(_cfg: &mut web::ServiceConfig) {}
