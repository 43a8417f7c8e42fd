//! The published form of an exchange-rate scheme's body (JSON Schema, draft 2020-12). What needs the assets and sources of the
//! installation, or more than one rule, is only in [`super::ExchangeScheme::compile`].

use serde_json::{Value, json};

/// The schema of an exchange-rate scheme's body.
pub fn exchange_schema() -> Value {
    let decimal = |description: &str| {
        json!({
            "description": description,
            "anyOf": [
                { "type": "string", "pattern": "^(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$", "maxLength": 64 },
                { "type": "number", "minimum": 0 },
            ],
        })
    };
    let currency =
        |description: &str| json!({ "description": description, "type": "string", "pattern": "^[A-Z][A-Z0-9]{1,9}$" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Exchange-rate scheme",
        "type": "object",
        "additionalProperties": false,
        "required": ["rules"],
        "properties": {
            "rules": {
                "description": "At most one rule for each pair.",
                "type": "array",
                "maxItems": super::compile::RULES_MAX,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["from", "to", "kind"],
                    "properties": {
                        "from": currency("What the caller is charged in."),
                        "to": currency("The service's currency."),
                        "kind": {
                            "description": "fixed: the rule states the price. commercial: the source's bid for `from`.",
                            "enum": ["fixed", "commercial"],
                        },
                        "source": {
                            "description": "Required for commercial. For fixed it can only be \"fixed\", and may be left out.",
                            "type": "string",
                        },
                        "fallback_source": {
                            "description": "Asked when the source has no price; \"fixed\" takes the rule's own price. Commercial only.",
                            "type": "string",
                        },
                        "price": decimal("`to` for one `from`, above zero; at most 12 decimals and 20 digits. Where \"fixed\" is a source."),
                        "inverted": {
                            "description": "The price is quoted the other way round, `from` for one `to`: then 1 / ask, or 1 / price.",
                            "type": "boolean",
                            "default": false,
                        },
                        "markup_percent": decimal("Taken off the rate; below 100, at most 6 decimals."),
                        "markup_fixed": decimal("In `to` for one `from`, taken off the price before the percentage; at most 12 decimals."),
                    },
                },
            },
        },
    })
}
