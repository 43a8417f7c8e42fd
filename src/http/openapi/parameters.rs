//! Parameters and headers that several operations share.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Required};

/// Adds what the operation at `path` (`GET /v4/payout/data`) takes beside its body.
pub fn complete(path: &str, operation: &mut Operation) {
    let mut added = Vec::new();
    for (name, what) in [("offerId", "The offer's id."), ("cardId", "The card's id.")] {
        if path.contains(&format!("{{{name}}}")) {
            added.push(id(name, what));
        }
    }
    if path.contains(" /v4/") {
        added.extend(of_every_call());
        if path.contains("/pay/") && path.starts_with("POST") {
            added.extend(of_pay());
        } else if !path.starts_with("GET") {
            added.push(idempotency_key());
        }
    }
    if !added.is_empty() {
        operation.parameters.get_or_insert_default().extend(added.into_iter().map(RefOr::T));
    }
}

fn id(name: &str, what: &str) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1_u64))
        .maximum(Some(9_007_199_254_740_991_u64));
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(what))
        .schema(Some(schema))
        .example(Some(serde_json::json!(7_310_548_820_196_645_u64)))
        .build()
}

fn header(name: &str, what: &str, example: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(what))
        .schema(Some(schema))
        .example(Some(example.into()))
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn of_every_call() -> [Parameter; 3] {
    [
        header(
            "X-Sdk-Version",
            "The app's version. Logged; required only where the installation is configured so.",
            "payoutCard=1.2",
            text(),
        ),
        header("Accept-Language", "The language of messages: en, es, de, uk or ru.", "de-AT, de;q=0.9", text()),
        header(
            "X-Request-Id",
            "The caller's own id of this request: 1 to 64 of `A-Za-z0-9._-`, with a letter among them. Answered in the header of the same name; \
             another one is answered when it isn't so.",
            "0f8e6c1c-8a5e-4c36-9a4e-2f6d1b7c9a10",
            text(),
        ),
    ]
}

fn of_pay() -> [Parameter; 2] {
    [
        header(
            "Prefer",
            "`wait=N` lowers how long the answer waits for the final result, to N seconds; 0 doesn't wait (RFC 7240).",
            "wait=5",
            text(),
        ),
        header(
            "If-Match",
            "The version of the offer that the user saw, in quotes; the same as `version`.",
            "\"1\"",
            text().pattern(Some("^\"[0-9]{1,10}\"$")),
        ),
    ]
}

fn idempotency_key() -> Parameter {
    header(
        "Idempotency-Key",
        "Makes the request safe to send again for 24 hours: 1 to 255 visible ASCII characters, one key a request.",
        "8e03978e-40d5-43dd-bc93-6894a57f9324",
        text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$")),
    )
}
