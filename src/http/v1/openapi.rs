//! What all operations of this API share in its description: security, headers, lists' parameters, and errors.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Components, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Ref, RefOr, Required, Response, ResponseBuilder};

use super::call::SIGNATURE;
use super::codes::{CODES, CodeRow};
use super::codes_of_requests;
use super::gateway::schemes::SchemeResource;
use super::list::{FILTER_CHARS_MAX, SIZE_DEFAULT, SIZE_MAX};
use super::media::Media;
use super::{
    api_keys, approvals, batches, credits, customers, events, gateway, operations, owns, partner_accounts,
    partner_terms, payouts, reports, request_view, sandbox, tokens, webhooks,
};
use crate::domain::ids;
use crate::gateway::access::Scope;

/// The security schemes: the key as a bearer's, or as the user of Basic.
pub fn schemes() -> [(&'static str, SecurityScheme); 2] {
    let about = "An API key, `sk_test_...` or `sk_live_...`: it fixes partner and mode.";
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("sk_...").description(Some(about));
    let about = "An API key as the user, with an empty password.";
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(about));
    [("apiKey", SecurityScheme::Http(bearer.build())), ("apiKeyBasic", SecurityScheme::Http(basic.build()))]
}

/// Adds what all operations of this API have in common to the one at `path` (`GET /v1/api-keys`).
pub fn complete(path: &str, operation: &mut Operation) {
    let Some((method, path)) = path.split_once(' ').filter(|(_, path)| owns(path)) else { return };
    let scope = scope_of(operation).map(Scope::as_str);
    operation.security = Some(["apiKey", "apiKeyBasic"].map(|scheme| SecurityRequirement::new(scheme, scope)).into());
    let mut added = Vec::new();
    let operation_id = operation.operation_id.clone().unwrap_or_default();
    if path.contains("{id}") && !has_parameter(operation, "id") {
        added.push(id_of(path));
    }
    if operation_id.starts_with("list") && !WHOLE_LISTS.contains(&operation_id.as_str()) {
        let size = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1_i64)).maximum(Some(SIZE_MAX));
        let size_what = format!("The most resources of a page; {SIZE_DEFAULT} unless given.");
        added.push(parameter("page[size]", ParameterIn::Query, &size_what, size));
        let cursor = "Where the page begins, from `links.next` or `meta.page.next_cursor`.";
        added.push(parameter("page[cursor]", ParameterIn::Query, cursor, text().min_length(Some(1))));
    }
    if operation_id.starts_with("list") && !has_order(&operation_id) {
        let sort = text().enum_values(Some(["created", "-created"]));
        added.push(parameter("sort", ParameterIn::Query, "The order; newest first unless given.", sort));
    }
    let is_write = method != "GET";
    // What changes nothing is safe to send again.
    if is_write && !path.ends_with("/simulate") {
        let what =
            "Makes the request safe to send again for 24 hours: 1 to 255 visible ASCII characters, one key a request.";
        let key = text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$"));
        added.push(parameter("Idempotency-Key", ParameterIn::Header, what, key));
    }
    let what = "For a key that was made with `signing_required`: `t=<seconds>,body=<SHA-256>,v1=<HMAC-SHA256>`, as docs/partners.md says.";
    added.push(parameter(SIGNATURE, ParameterIn::Header, what, text()));
    let what = "The caller's own id of this request; answered in the header of the same name.";
    added.push(parameter("X-Request-Id", ParameterIn::Header, what, text()));
    let parameters = operation.parameters.get_or_insert_default();
    for parameter in parameters.iter_mut() {
        if let RefOr::T(parameter) = parameter {
            bound(parameter);
        }
    }
    parameters.extend(added.into_iter().map(RefOr::T));

    if operation.operation_id.as_deref().is_some_and(|id| MAY_WAIT.contains(&id)) {
        operation.responses.responses.insert("202".to_owned(), RefOr::T(waits()));
    }
    let codes = operations::codes(&operation_id, method, path);
    for of_status in codes.chunk_by(|one, other| one.status == other.status) {
        if let Some(row) = of_status.first() {
            operation.responses.responses.insert(row.status.to_string(), RefOr::T(refusal(of_status)));
        }
    }
}

/// The scope that the description begins with: "Needs `payouts:read`". A handler asks for it by itself; that both mean the same is tested
/// by calling each operation with that scope alone and with all the others.
fn scope_of(operation: &Operation) -> Option<Scope> {
    let (name, _) = operation.description.as_deref()?.strip_prefix("Needs `")?.split_once('`')?;
    name.parse().ok()
}

fn has_parameter(operation: &Operation, name: &str) -> bool {
    let parameters = operation.parameters.iter().flatten();
    parameters.into_iter().any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// Lists that are short, and come whole.
const WHOLE_LISTS: [&str; 2] = ["listPayoutServices", "listPartnerAccounts"];
/// Lists in an order of their own.
const ORDERED_LISTS: [&str; 4] =
    ["listBatchItems", "listBatchProblems", "listPayoutRequestEvents", "listPayoutRequestPayouts"];

fn has_order(operation_id: &str) -> bool {
    WHOLE_LISTS.contains(&operation_id) || ORDERED_LISTS.contains(&operation_id)
}

/// An id of the wallet's, where ids are texts.
pub const WALLET_ID: &str = "^[1-9][0-9]{0,15}$";
/// In the examples of ids.
const SOME_UUID: &str = "019aa5f0b1c27d3e8f4a5b6c7d8e9f01";

/// The id of the path's resource, whose prefix its collection says.
fn id_of(path: &str) -> Parameter {
    let collection = path.split("/{id}").next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    // Of the wallet's, in the sandbox.
    if matches!(collection, "cards" | "offers") {
        return path_id(WALLET_ID, "7310548820196645");
    }
    let prefix = match collection {
        "api-keys" => ids::ApiKeyId::PREFIX,
        "approvals" => ids::ApprovalId::PREFIX,
        "batches" => ids::BatchId::PREFIX,
        "customers" => ids::CustomerId::PREFIX,
        "deposit-accounts" => ids::DepositAccountId::PREFIX,
        "exchange-rate-schemes" => ids::ExchangeSchemeId::PREFIX,
        "payout-points" => ids::PayoutPointId::PREFIX,
        "payout-requests" => ids::PayoutRequestId::PREFIX,
        "payout-routes" => ids::RouteId::PREFIX,
        "payout-schemes" => ids::PayoutSchemeId::PREFIX,
        "payouts" => ids::PayoutId::PREFIX,
        "provider-accounts" => ids::ProviderAccountId::PREFIX,
        "webhook-endpoints" => ids::WebhookEndpointId::PREFIX,
        _ => "",
    };
    path_id(&format!("^{prefix}[0-9a-f]{{32}}$"), &format!("{prefix}{SOME_UUID}"))
}

fn path_id(pattern: &str, example: &str) -> Parameter {
    ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The id."))
        .schema(Some(text().pattern(Some(pattern))))
        .example(Some(example.into()))
        .build()
}

/// Says of a filter what any filter's text must be.
fn bound(parameter: &mut Parameter) {
    if parameter.name.starts_with("filter[")
        && let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
        && !matches!(&schema.schema_type, SchemaType::Type(Type::Boolean))
        && !matches!(&schema.schema_type, SchemaType::Array(types) if types.contains(&Type::Boolean))
    {
        schema.min_length = Some(1);
        schema.max_length = Some(FILTER_CHARS_MAX);
    }
}

/// What a resource says it is (`type`), with an id of such a one; by the schema of its attributes.
pub fn resource(of: &str) -> Option<(&'static [&'static str], String)> {
    let id = |prefix: &str| format!("{prefix}{SOME_UUID}");
    let what = of.trim_start_matches("New").trim_end_matches("Request").trim_end_matches("Change");
    Some(match what.trim_end_matches("Attributes") {
        "ApiKey" => (&[api_keys::KIND], id(ids::ApiKeyId::PREFIX)),
        "Approval" => (&[approvals::KIND], id(ids::ApprovalId::PREFIX)),
        "Batch" => (&[batches::KIND], id(ids::BatchId::PREFIX)),
        "BatchProblem" => (&[batches::PROBLEM_KIND], "3.1".to_owned()),
        "Credit" => (&[credits::KIND], "deposit-1".to_owned()),
        "Customer" => (&[customers::KIND], id(ids::CustomerId::PREFIX)),
        "DepositAccount" => (&[gateway::deposit_accounts::KIND], id(ids::DepositAccountId::PREFIX)),
        "Event" => (&[events::KIND], id(ids::EventId::PREFIX)),
        "PartnerAccount" => (&[partner_accounts::KIND], "USD".to_owned()),
        "PartnerCredit" => (&[partner_accounts::CREDIT_KIND], "top-up-1".to_owned()),
        "PartnerTerms" => (&[partner_terms::KIND], "test".to_owned()),
        "Payout" if of == "NewPayoutRequest" => (&[request_view::KIND], id(ids::PayoutRequestId::PREFIX)),
        "Payout" | "SinglePayout" => (&[payouts::KIND], id(ids::PayoutId::PREFIX)),
        "PayoutPoint" => (&[gateway::points::KIND], id(ids::PayoutPointId::PREFIX)),
        "PayoutRequest" => (&[request_view::KIND], id(ids::PayoutRequestId::PREFIX)),
        "PayoutRoute" => (&[gateway::routes::KIND], id(ids::RouteId::PREFIX)),
        "PayoutService" => (&[gateway::services::KIND], "card_eur".to_owned()),
        "ProviderAccount" => (&[gateway::provider_accounts::KIND], id(ids::ProviderAccountId::PREFIX)),
        "PayoutScheme" => (&[ids::PayoutSchemeId::KIND], id(ids::PayoutSchemeId::PREFIX)),
        "PayoutSchemeVersion" => (&[ids::PayoutSchemeId::KIND_VERSION], "1".to_owned()),
        "ExchangeRateScheme" => (&[ids::ExchangeSchemeId::KIND], id(ids::ExchangeSchemeId::PREFIX)),
        "ExchangeRateSchemeVersion" => (&[ids::ExchangeSchemeId::KIND_VERSION], "1".to_owned()),
        "Simulation" => (&[gateway::simulate::KIND], "019aa5f0".to_owned()),
        "StatementLine" => (&[partner_accounts::LINE_KIND], SOME_UUID.to_owned()),
        "Usage" => (&[reports::USAGE_KIND], "2026-11-21.card_eur.EUR.processed.USD".to_owned()),
        "BalanceDay" => (&[reports::BALANCE_KIND], "2026-11-21.USD".to_owned()),
        "CustomerToken" => (&[tokens::KIND], "019aa5f0-b1c2-7d3e-8f4a-5b6c7d8e9f01".to_owned()),
        "TokenRevocation" => (&[tokens::REVOCATION_KIND], id(ids::CustomerId::PREFIX)),
        "Expiration" => (&[sandbox::KIND], id(ids::PayoutRequestId::PREFIX)),
        "Return" => (&[sandbox::RETURN_KIND], id(ids::PayoutRequestId::PREFIX)),
        "WebhookEndpoint" => (&[webhooks::endpoints::KIND], id(ids::WebhookEndpointId::PREFIX)),
        "WebhookDelivery" => (&[webhooks::deliveries::KIND], id(ids::EventId::PREFIX)),
        "SecretRotation" => (&[webhooks::endpoints::ROTATION_KIND], id(ids::WebhookEndpointId::PREFIX)),
        "WebhookReplay" => (&[webhooks::deliveries::REPLAY_KIND], id(ids::WebhookEndpointId::PREFIX)),
        "TopUp" => (&[gateway::deposit_accounts::KIND_TOP_UP], "transfer-2026-11-21".to_owned()),
        _ => return None,
    })
}

fn parameter(name: &str, place: ParameterIn, what: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(what))
        .schema(Some(schema))
        .build()
}

/// Operations whose change may wait for a second person.
const MAY_WAIT: [&str; 14] = [
    "createApiKey",
    "changeApiKey",
    "createPayoutPoint",
    "changePayoutPoint",
    "createProviderAccount",
    "changeProviderAccount",
    "createDepositAccount",
    "changeDepositAccount",
    "createPayoutRoute",
    "changePayoutRoute",
    "createPayoutScheme",
    "publishPayoutSchemeVersion",
    "createExchangeRateScheme",
    "publishExchangeRateSchemeVersion",
];

fn waits() -> Response {
    let about = "Where the mode needs a second person (`staff.maker_checker`, live mode's default): nothing is changed yet. It is made when \
                 another person approves it on the dashboard.";
    let schema = Ref::from_schema_name("WaitsDocument");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(about).content(Media::JsonApi.as_str(), content).build()
}

/// Refusals of one status, with an example of each code.
fn refusal(codes: &[&CodeRow]) -> Response {
    let names: Vec<_> = codes.iter().map(|row| format!("`{}`", row.code)).collect();
    let example = |row: &&CodeRow| {
        (row.code, RefOr::<Example>::Ref(Ref::new(format!("#/components/examples/{}", example_name(row)))))
    };
    let schema = Ref::from_schema_name("ErrorDocument");
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(codes.iter().map(example)).build();
    ResponseBuilder::new().description(names.join(", ")).content(Media::JsonApi.as_str(), content).build()
}

fn example_name(row: &CodeRow) -> String {
    format!("v1.{}", row.code)
}

/// An example of every refusal, which the operations refer to.
pub fn add_examples(components: &mut Components) {
    for row in CODES.iter().chain(codes_of_requests::CODES).filter(|row| !operations::ELSEWHERE.contains(&row.code)) {
        let error = serde_json::json!({"status": row.status.to_string(), "code": row.code, "title": row.title});
        let meta = serde_json::json!({"request_id": "0f8e6c1c-8a5e-4c36-9a4e-2f6d1b7c9a10"});
        let value = serde_json::json!({"errors": [error], "meta": meta});
        let example = ExampleBuilder::new().summary(row.title).value(Some(value)).build();
        components.examples.insert(example_name(row), example.into());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_may_wait_is_an_operation_and_says_so() {
        let api = serde_json::to_value(crate::http::openapi::openapi().unwrap()).unwrap();
        let operations = api["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
        let waiting: Vec<_> = operations
            .filter(|operation| operation["responses"]["202"]["content"]["application/vnd.api+json"].is_object())
            .filter_map(|operation| operation["operationId"].as_str())
            .filter(|id| super::MAY_WAIT.contains(id))
            .collect();
        assert_eq!(waiting.len(), super::MAY_WAIT.len(), "{waiting:?}");
    }

    #[test]
    fn every_operation_names_one_scope() {
        let api = serde_json::to_value(crate::http::openapi::openapi().unwrap()).unwrap();
        for (path, item) in api["paths"].as_object().unwrap().iter().filter(|(path, _)| super::owns(path)) {
            for (method, operation) in item.as_object().unwrap() {
                let scopes = operation["security"][0]["apiKey"].as_array().map(Vec::len);
                assert_eq!(scopes, Some(1), "{method} {path}: its description begins with \"Needs `a:scope`\"");
            }
        }
    }
}
