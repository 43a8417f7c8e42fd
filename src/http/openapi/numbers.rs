//! Exact numbers in the description: `type: number` with a unit and an example beside each, and never a float's format.

use utoipa::openapi::schema::{Components, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};

/// Gives every property that is an exact number its own schema, so that it can have an example.
pub fn complete(components: &mut Components) {
    components.schemas.remove(EXACT_NUMBER);
    for (owner, schema) in &mut components.schemas {
        let RefOr::T(Schema::Object(object)) = schema else { continue };
        for (name, property) in &mut object.properties {
            if let RefOr::Ref(reference) = property
                && reference.ref_location.ends_with(EXACT_NUMBER)
            {
                *property = RefOr::T(number(owner, name, reference));
            }
        }
    }
}

const EXACT_NUMBER: &str = "ExactNumber";

fn number(owner: &str, name: &str, reference: &Ref) -> Schema {
    let example = example(owner, name).parse::<serde_json::Number>().ok().map(serde_json::Value::Number);
    let description = Some(reference.description.as_str()).filter(|text| !text.is_empty());
    ObjectBuilder::new().schema_type(Type::Number).description(description).examples(example).into()
}

/// From the published example: 760.06209697 USDT at a rate of 0.911106 EUR.
fn example(owner: &str, name: &str) -> &'static str {
    match (owner, name) {
        ("Fees", "rate") => "2",
        ("FeeInfo", "value") | (_, "feeAmount") => "29.29121288",
        ("Limit", "value") => "1980",
        (_, "rate") => "0.911106",
        (_, "amount" | "amountFrom" | "allAmountFrom" | "defaultMaxAmountAll") => "760.06209697",
        (_, "amountTo") => "692.49",
        (_, "totalFrom" | "available") => "789.35330985",
        (_, "minAmountFrom" | "defaultMinAmountFrom") => "23.04890979",
        (_, "maxAmountFrom" | "defaultMaxAmountFrom") => "2173.18292273",
        (_, "transactionFee") => "3.5",
        (_, "fixFee") => "2.5",
        _ => "0",
    }
}
