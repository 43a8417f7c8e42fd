//! What conditional reads have in common in the description.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, ResponseBuilder};

/// Reads that have no tag: a stream.
const WITHOUT_TAG: [&str; 1] = ["getPayEvents"];

/// Adds the condition, and the answer that nothing changed, to the read at `path` (`GET /v4/payout/data`).
pub fn complete(path: &str, operation: &mut Operation) {
    let is_read = path.starts_with("GET /v4/") || path.starts_with("GET /v1/");
    if !is_read || operation.operation_id.as_deref().is_none_or(|id| WITHOUT_TAG.contains(&id)) {
        return;
    }
    let seen = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The `ETag` of the answer that the caller has: where nothing changed since, the answer is 304 without a body."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(seen));
    let unchanged = ResponseBuilder::new().description("What `If-None-Match` names is still so.").build();
    operation.responses.responses.insert("304".to_owned(), RefOr::T(unchanged));
}
