//! The API's description, written from the code: `openapi.yaml` at the root is what [`openapi_yaml`] answers, and a
//! test holds the file to it (`UPDATE=1` writes it).

mod errors;
mod examples;
mod facets;
mod fresh;
mod headers;
mod names;
mod parameters;
#[cfg(test)]
mod promises;
mod tree;

use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Deprecated, RefOr, Schema};
use utoipa::{Modify, OpenApi};

use super::error::ErrorBody;
use super::{deprecation, ops, provider_callbacks, v1, v4};
use crate::gateway::webhooks::message::{EndpointNews, PayoutRequestNews, WebhookMessage};

const ABOUT: &str = "\
Landfall pays crypto out to bank cards. It has two APIs over the same money.

# The wallet API, `/v4/`

For a user's app, asked with the user's token (`bearer`). Add a card (`addCard`), see rates and fees (`getPayoutData`), ask for an offer \
(`createOffer`), pay it (`payOffer`).

**Amounts** are answered as JSON numbers with their exact digits (`ExactNumber`). Read them as decimals: a binary float loses digits, and \
[`docs/clients.md`](/docs/clients) says how in each language. Where an amount is taken, a string of the same digits is taken too \
(`AmountGiven`): send strings.

**Ids** of cards and offers are integers below 2^53. **Unknown fields** of a body are refused, a card verification code above all.

**Errors** have one shape (`ErrorBody`). Its codes are listed in [`docs/errors.md`](/docs/errors), with what to do about each, and with \
each operation; a caller branches on `error`.

**Idempotency**: paying an offer is idempotent by itself. Other writes take an `Idempotency-Key`, kept for 24 hours per user: the same \
request again is answered with what was saved, with `Idempotency-Replayed: true`. Saved is the answer of every request that was \
carried out, a refusal by a rule included. Invalid data (`NOT_VALID_REQUEST_DATA`), `NOT_FOUND` and our own failures (5xx) are not \
saved: the key may be used again.

# The partners' API, `/v1/`

For a partner's servers, asked with an API key: as a bearer token (`apiKey`), or as the user of Basic with an empty password \
(`apiKeyBasic`). The key fixes partner and mode, test or live; the description of each operation begins with the scope that the key needs. \
Ask for a payout (`createPayoutRequest`), follow it (`getPayoutRequest`), see the money (`listPartnerAccounts`).

It speaks **JSON:API 1.1**, declared as `application/vnd.api+json` or `application/json`. **Amounts** are taken as strings or numbers, by \
their digits (`AmountGiven`), and answered as decimal strings (`Amount`). Unknown members are refused. **Errors** (`ErrorDocument`) name \
all problems of a document at once, by JSON pointers; a caller branches on `code`. **Lists** go by `page[size]` and `page[cursor]`; rows \
that are added meanwhile move no page. Each POST and PATCH but `simulate`, which changes nothing, takes an **`Idempotency-Key`**, kept \
for 24 hours per API key; an answer that held a secret is replayed without it.

# Both

**Too often, too much**: a 429, and a 503, say in `Retry-After` how many seconds to wait before the same is sent again. **Changes**: new \
operations, members, codes and values of answers' lists come without notice, so a client takes no offence at what it doesn't know. What is \
there stays as it is; what is to go is marked as deprecated first ([`docs/changes.md`](/docs/changes)).";

#[derive(OpenApi)]
#[openapi(
    info(title = "Landfall", description = ABOUT, license(name = "Apache-2.0", identifier = "Apache-2.0")),
    servers(
        (url = "/", description = "This installation"),
        (url = "http://127.0.0.1:8080", description = "One's own, by `make run`"),
    ),
    tags(
        (name = "cards", description = "Wallet: the user's bank cards."),
        (name = "offers", description = "Wallet: rates, fees and offers."),
        (name = "pay", description = "Wallet: paying an offer, and the payouts so far."),
        (name = "wallet", description = "Wallet: the user's money."),
        (name = "payout requests", description = "Partners: what is to be paid out."),
        (name = "payouts", description = "Partners: single tries at providers."),
        (name = "batches", description = "Partners: payout requests of one file."),
        (name = "events", description = "Partners: what happened, and why."),
        (name = "partner accounts", description = "Partners: what a partner prefunded, and each movement of it."),
        (name = "customers", description = "Partners: a partner's customers."),
        (name = "wallet credits", description = "Partners: crypto that reached a customer's wallet."),
        (name = "payout services", description = "Partners: what can be asked for, and the fields that it takes."),
        (name = "payout points", description = "Partners: what payout requests are submitted to."),
        (name = "provider accounts", description = "Partners: whose credentials payouts go out under."),
        (name = "deposit accounts", description = "Partners: the money that payouts take."),
        (name = "payout routes", description = "Partners: services over deposit accounts."),
        (name = "payout schemes", description = "Partners: which routes carry what."),
        (name = "exchange-rate schemes", description = "Partners: at which rates amounts are converted."),
        (name = "api keys", description = "Partners: the keys of this API."),
        (name = "approvals", description = "Partners: changes that wait for a second person."),
        (name = "webhook endpoints", description = "Partners: where a partner is told what happened, and how telling went."),
        (name = "webhooks", description = "Partners: what their endpoints are told."),
        (name = "reports", description = "Partners: what was paid out, and what moved the balances, by day."),
        (name = "sandbox", description = "Partners: what test mode does on demand."),
        (name = "provider callbacks", description = "Where payout providers report. Each signs in its own way, which its page in docs/providers describes."),
        (name = "operations", description = "Health and metrics, for operators."),
    ),
    paths(
        v4::cards::add, v4::cards::set_billing_address, v4::cards::delete, v4::data::get, v4::offers::create,
        v4::offers::update, v4::offers::get, v4::pay::pay, v4::pay::state, v4::events::watch, v4::history::get, v4::balances::get,
        v1::customers::create, v1::customers::list, v1::customers::get, v1::customers::change,
        v1::credits::create, v1::credits::get,
        v1::api_keys::create, v1::api_keys::list, v1::api_keys::get, v1::api_keys::change, v1::api_keys::revoke,
        v1::gateway::points::create, v1::gateway::points::list, v1::gateway::points::get, v1::gateway::points::change,
        v1::gateway::services::list, v1::gateway::services::get,
        v1::gateway::routes::create, v1::gateway::routes::list, v1::gateway::routes::get, v1::gateway::routes::change,
        v1::gateway::payout_schemes::create, v1::gateway::payout_schemes::list, v1::gateway::payout_schemes::get, v1::gateway::payout_schemes::schema,
        v1::gateway::payout_schemes::publish, v1::gateway::payout_schemes::versions_list, v1::gateway::payout_schemes::get_version,
        v1::gateway::simulate::simulate,
        v1::gateway::exchange_schemes::create, v1::gateway::exchange_schemes::list, v1::gateway::exchange_schemes::get, v1::gateway::exchange_schemes::schema,
        v1::gateway::exchange_schemes::publish, v1::gateway::exchange_schemes::versions_list, v1::gateway::exchange_schemes::get_version,
        v1::gateway::provider_accounts::create, v1::gateway::provider_accounts::list, v1::gateway::provider_accounts::get, v1::gateway::provider_accounts::change, v1::gateway::provider_accounts::check,
        v1::gateway::deposit_accounts::create, v1::gateway::deposit_accounts::list, v1::gateway::deposit_accounts::get, v1::gateway::deposit_accounts::change, v1::gateway::deposit_accounts::top_up,
        v1::approvals::get,
        v1::payout_requests::create, v1::payout_requests::list, v1::payout_requests::get, v1::payout_requests::patch,
        v1::payout_requests::process, v1::payout_requests::cancel, v1::payout_requests::terminate,
        v1::payout_requests::payouts_of, v1::payout_requests::events_of,
        v1::payouts::create, v1::payouts::list, v1::payouts::get,
        v1::batches::create, v1::batches::list, v1::batches::get, v1::batches::items, v1::batches::problems,
        v1::batches::process, v1::batches::terminate,
        v1::partner_accounts::balances, v1::partner_accounts::statement, v1::partner_accounts::credit,
        v1::partner_terms::get,
        v1::events::list,
        v1::webhooks::endpoints::create, v1::webhooks::endpoints::list, v1::webhooks::endpoints::get, v1::webhooks::endpoints::change,
        v1::webhooks::endpoints::delete, v1::webhooks::endpoints::rotate_secret, v1::webhooks::endpoints::ping,
        v1::webhooks::deliveries::list, v1::webhooks::deliveries::get, v1::webhooks::deliveries::resend, v1::webhooks::deliveries::replay,
        v1::reports::usage, v1::reports::balances,
        v1::tokens::create, v1::tokens::revoke, v1::sandbox::offer, v1::sandbox::request, v1::sandbox::card,
        v1::sandbox::return_offer, v1::sandbox::return_request,
        ops::health::live, ops::health::ready, ops::metrics::metrics, provider_callbacks::receive,
    ),
    components(schemas(
        WebhookMessage<PayoutRequestNews>, WebhookMessage<EndpointNews>, ErrorBody, v4::events::OfferEvent, v1::approvals::WaitsDocument, v1::error::ErrorDocument)),
    security(("bearer" = [])),
    modifiers(&Completion),
)]
struct Api;

/// Why the description could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    #[error("as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("as YAML: {0}")]
    Yaml(#[from] yaml_serde::Error),
}

/// The description of the whole API. It goes through JSON's text: serde_json's exact numbers mean nothing to another serializer.
pub fn openapi() -> Result<yaml_serde::Value, DescriptionError> {
    let mut api: yaml_serde::Value = yaml_serde::from_str(&serde_json::to_string(&Api::openapi())?)?;
    api["webhooks"] = yaml_serde::from_str(&v1::webhooks::described::webhooks().to_string())?;
    names::complete(&mut api);
    facets::complete(&mut api);
    examples::complete(&mut api);
    headers::complete(&mut api);
    Ok(api)
}

/// `openapi.yaml`.
pub fn openapi_yaml() -> Result<String, DescriptionError> {
    Ok(yaml_serde::to_string(&openapi()?)?)
}

/// What holds for all operations, and would only be repeated beside each.
struct Completion;

impl Modify for Completion {
    fn modify(&self, api: &mut Description) {
        let components = api.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A token of a configured issuer; it names the user by `sub`."))
            .build();
        components.security_schemes.insert("bearer".into(), SecurityScheme::Http(bearer).into());
        for (name, scheme) in v1::openapi::schemes() {
            components.security_schemes.insert(name.into(), scheme.into());
        }
        for (name, schema) in &mut components.schemas {
            if let (true, RefOr::T(Schema::Object(object))) = (name.ends_with("Request"), schema) {
                object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
                // A document's attributes are written out in its resource.
                if let Some(RefOr::T(Schema::Object(attributes))) = object.properties.get_mut("attributes") {
                    attributes.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
                }
            }
        }
        errors::add_examples(components);
        v1::openapi::add_examples(components);
        for (path, operation) in operations(api) {
            parameters::complete(&path, operation);
            errors::complete(operation);
            v1::openapi::complete(&path, operation);
            fresh::complete(&path, operation);
            if deprecation::is_leaving(deprecation::LEAVING, &path) {
                operation.deprecated = Some(Deprecated::True);
            }
        }
    }
}

/// Every operation with its path and method in front: `GET /v4/payout/data`.
fn operations(api: &mut Description) -> impl Iterator<Item = (String, &mut Operation)> {
    api.paths.paths.iter_mut().flat_map(|(path, item)| {
        let methods = [
            ("GET", item.get.as_mut()),
            ("POST", item.post.as_mut()),
            ("PUT", item.put.as_mut()),
            ("PATCH", item.patch.as_mut()),
            ("DELETE", item.delete.as_mut()),
        ];
        methods.into_iter().filter_map(move |(method, operation)| Some((format!("{method} {path}"), operation?)))
    })
}

/// Holds a generated file to what the code says, or writes it when `UPDATE` is set.
#[cfg(test)]
pub fn assert_generated(path: &std::path::Path, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "{} is not what the code says: write it again with UPDATE=1", path.display());
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_file_at_the_root_is_what_the_code_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_generated(&root.join("openapi.yaml"), &openapi_yaml().unwrap());
    }

    #[test]
    fn every_operation_reads_well_and_says_its_errors() {
        let mut api = Api::openapi();
        for (path, operation) in operations(&mut api) {
            assert!(operation.operation_id.is_some() && operation.summary.is_some(), "{path}");
            let errors = operation.responses.responses.keys().filter(|status| !status.starts_with('2')).count();
            assert!(errors > 2 || path.contains("/health/") || path.contains("/metrics"), "{path}");
        }
    }

    #[test]
    fn every_property_and_parameter_is_described() {
        let api = serde_json::to_value(openapi().unwrap()).unwrap();
        for (name, schema) in api["components"]["schemas"].as_object().unwrap() {
            let properties = schema["properties"].as_object().or(schema["allOf"][1]["properties"].as_object());
            for (property, schema) in properties.into_iter().flatten() {
                let refers = schema["$ref"].is_string() || schema["oneOf"][0]["$ref"].is_string();
                let described = schema["description"].is_string() || refers;
                assert!(described, "{name}.{property}");
            }
        }
        for operation in api["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
        {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{}: {parameter}", operation["operationId"]);
            }
        }
    }

    #[test]
    fn no_amount_is_a_float() {
        let yaml = openapi_yaml().unwrap();
        for float in ["format: double", "format: float", "$serde_json"] {
            assert!(!yaml.contains(float), "{float}");
        }
        assert!(yaml.contains("760.06209697"));
    }

    #[test]
    fn requests_refuse_unknown_fields() {
        let api = Api::openapi();
        let schemas = api.components.unwrap().schemas;
        let requests: Vec<_> = schemas.iter().filter(|(name, _)| name.ends_with("Request")).collect();
        assert!(requests.len() >= 6);
        for (name, schema) in requests {
            let RefOr::T(Schema::Object(object)) = schema else { panic!("{name} is no object") };
            assert!(object.additional_properties.is_some(), "{name}");
        }
    }
}
