//! Messages as `openapi.yaml` describes them: one webhook for each type (OpenAPI 3.1, "webhooks").

use serde_json::{Map, Value, json};

use crate::domain::webhook::TYPES;

const ABOUT: &str = "Sent by the Standard Webhooks specification to every endpoint that wants to hear of it, at least once, in no order. Answer \
                     with any 2xx within the time; anything else is tried again. Verify the signature before you believe a word.";

/// The `webhooks` of the description.
pub fn webhooks() -> Value {
    let described = TYPES.iter().map(|(kind, what)| {
        let schema = if kind.starts_with("webhook_endpoint.") { "WebhookMessage_EndpointNews" } else { "WebhookMessage_PayoutRequestNews" };
        let header = |name: &str, what: &str, example: &str| {
            json!({
                "name": name, "in": "header", "required": true, "description": what, "schema": {"type": "string"}, "example": example,
            })
        };
        let operation = json!({
            "tags": ["webhooks"],
            "operationId": operation_id(kind),
            "summary": what,
            "description": ABOUT,
            "parameters": [
                header("webhook-id", "The message's id, the same at each try: an event's. What has been seen is passed over.",
                    "evt_019aa5f0b1c27d3e8f4a5b6c7d8e9f01"),
                header("webhook-timestamp", "When this try was sent, in seconds since 1970. What is minutes old is refused.", "1795344000"),
                header("webhook-signature", "`v1,` and the HMAC-SHA256 of id, time and body under the endpoint's secret, in base64; several \
                    with spaces between while one secret follows another.", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="),
            ],
            "requestBody": {
                "required": true,
                "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}},
            },
            "responses": {
                "2XX": {"description": "Told."},
                "410": {"description": "Nothing is to be sent there any more: the endpoint is switched off."},
                "4XX": {"description": "Not told: it is tried again."},
                "5XX": {"description": "Not told: it is tried again, no sooner than `Retry-After` says."},
            },
        });
        ((*kind).to_owned(), json!({"post": operation}))
    });
    Value::Object(described.collect::<Map<_, _>>())
}

/// `payout_request.processed` becomes `onPayoutRequestProcessed`.
fn operation_id(kind: &str) -> String {
    let words = kind.split(['.', '_']).map(|word| {
        let (first, rest) = word.split_at(1.min(word.len()));
        format!("{}{rest}", first.to_uppercase())
    });
    format!("on{}", words.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_described() {
        let described = webhooks();
        assert_eq!(described.as_object().unwrap().len(), TYPES.len());
        let processed = &described["payout_request.processed"]["post"];
        assert_eq!(processed["operationId"], "onPayoutRequestProcessed");
    }
}
