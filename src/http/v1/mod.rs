//! The partners' API, `/v1/`: JSON:API 1.1 documents, asked for with an API key. Owns the document's form, errors, lists and the
//! key's check; the resources are a file each, and what they mean is the gateway's.

pub mod api_keys;
pub mod approvals;
pub mod batches;
pub mod call;
pub mod codes;
pub mod codes_of_requests;
pub mod credits;
pub mod cursor;
pub mod customers;
pub mod document;
pub mod error;
pub mod events;
pub mod gateway;
pub mod list;
pub mod media;
pub mod numbered;
pub mod openapi;
pub mod operations;
pub mod partner_accounts;
pub mod partner_terms;
pub mod payout_requests;
pub mod payouts;
pub mod reader;
pub mod reports;
pub mod request_body;
pub mod request_view;
pub mod sandbox;
pub mod tokens;
pub mod webhooks;

use actix_web::web;

/// Whether a path is answered in this API's form. Providers' callbacks keep their own.
pub fn owns(path: &str) -> bool {
    (path == "/v1" || path.starts_with("/v1/")) && !path.starts_with("/v1/provider-callbacks/")
}

pub fn routes(cfg: &mut web::ServiceConfig) {
    api_keys::routes(cfg);
    approvals::routes(cfg);
    customers::routes(cfg);
    credits::routes(cfg);
    gateway::routes(cfg);
    payout_requests::routes(cfg);
    payouts::routes(cfg);
    batches::routes(cfg);
    partner_accounts::routes(cfg);
    partner_terms::routes(cfg);
    events::routes(cfg);
    webhooks::routes(cfg);
    reports::routes(cfg);
    sandbox::routes(cfg);
    tokens::routes(cfg);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_of_providers_are_not_this_apis() {
        assert!(owns("/v1") && owns("/v1/") && owns("/v1/api-keys/x") && owns("/v1/nothing"));
        assert!(!owns("/v1/provider-callbacks/pac_1") && !owns("/v4/payout/data") && !owns("/v10") && !owns("/"));
    }
}
