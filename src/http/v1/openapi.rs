//! What all operations of this API share in its description: security, headers, lists' parameters, and errors.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Ref, RefOr, Required, Response, ResponseBuilder};

use super::call::SIGNATURE;
use super::codes::CODES;
use super::list::{SIZE_DEFAULT, SIZE_MAX};
use super::media::Media;
use super::owns;
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
    if path.contains("{id}") && !has_parameter(operation, "id") {
        let id = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
        added.push(id.description(Some("The id.")).schema(Some(text())).build());
    }
    let is_list = operation.operation_id.as_deref().is_some_and(|id| id.starts_with("list"));
    if is_list {
        let size = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1_i64)).maximum(Some(SIZE_MAX));
        let size_what = format!("The most resources of a page; {SIZE_DEFAULT} unless given.");
        added.push(parameter("page[size]", ParameterIn::Query, &size_what, size));
        let cursor = "Where the page begins, from `links.next` or `meta.page.next_cursor`.";
        added.push(parameter("page[cursor]", ParameterIn::Query, cursor, text()));
        let sort = text().enum_values(Some(["created", "-created"]));
        added.push(parameter("sort", ParameterIn::Query, "The order; newest first unless given.", sort));
    }
    let is_write = method != "GET";
    // What changes nothing is safe to send again.
    if is_write && !path.ends_with("/simulate") {
        let what =
            "Makes the request safe to send again for 24 hours: 1 to 255 visible ASCII characters, one key a request.";
        let key = text().min_length(Some(1)).max_length(Some(255));
        added.push(parameter("Idempotency-Key", ParameterIn::Header, what, key));
    }
    let what = "For a key that was made with `signing_required`: `t=<seconds>,body=<SHA-256>,v1=<HMAC-SHA256>`, as docs/partners.md says.";
    added.push(parameter(SIGNATURE, ParameterIn::Header, what, text()));
    let what = "The caller's own id of this request; answered in the header of the same name.";
    added.push(parameter("X-Request-Id", ParameterIn::Header, what, text()));
    operation.parameters.get_or_insert_default().extend(added.into_iter().map(RefOr::T));

    if operation.operation_id.as_deref().is_some_and(|id| MAY_WAIT.contains(&id)) {
        operation.responses.responses.insert("202".to_owned(), RefOr::T(waits()));
    }
    let has_id = path.contains('{');
    for status in [400, 401, 403, 404, 406, 408, 409, 413, 415, 422, 429, 431, 500, 503] {
        let applies = match status {
            404 => has_id,
            408 | 409 | 413 | 415 | 422 => is_write,
            _ => true,
        };
        if applies {
            operation.responses.responses.entry(status.to_string()).or_insert_with(|| RefOr::T(refusal(status)));
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

fn refusal(status: u16) -> Response {
    let codes = CODES.iter().filter(|row| row.status == status).map(|row| format!("`{}`", row.code));
    let schema = Ref::from_schema_name("ErrorDocument");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let description = codes.collect::<Vec<_>>().join(", ");
    ResponseBuilder::new().description(description).content(Media::JsonApi.as_str(), content).build()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_may_wait_is_an_operation_and_says_so() {
        let api = serde_json::to_value(crate::http::openapi::openapi()).unwrap();
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
        let api = serde_json::to_value(crate::http::openapi::openapi()).unwrap();
        for (path, item) in api["paths"].as_object().unwrap().iter().filter(|(path, _)| super::owns(path)) {
            for (method, operation) in item.as_object().unwrap() {
                let scopes = operation["security"][0]["apiKey"].as_array().map(Vec::len);
                assert_eq!(scopes, Some(1), "{method} {path}: its description begins with \"Needs `a:scope`\"");
            }
        }
    }
}
