//! Which codes an operation can answer with.

use std::collections::BTreeMap;

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Components;
use utoipa::openapi::{Ref, RefOr, Response, ResponseBuilder};

use crate::http::context::RequestContext;
use crate::http::error::{ApiError, Code};
use crate::http::messages::Language;

/// Of every call that names a user.
const OF_ALL: [Code; 7] = [
    Code::NotValidRequestData,
    Code::HeadersTooLarge,
    Code::InvalidToken,
    Code::InsufficientScope,
    Code::TooManyRequests,
    Code::ServiceUnavailable,
    Code::Common,
];
/// Of every call with a body.
const OF_BODIES: [Code; 2] = [Code::RequestTooLarge, Code::RequestTimeout];
/// Of every call with an idempotency key.
const OF_KEYS: [Code; 2] = [Code::IdempotencyMismatch, Code::RequestInProgress];
/// Of every call that prices.
const OF_PRICES: [Code; 6] = [
    Code::NotFound,
    Code::PairNotSupported,
    Code::AmountTooSmall,
    Code::AmountTooLarge,
    Code::RatesUnavailable,
    Code::TermsUnavailable,
];

/// The codes of an operation. Health and metrics ask for nothing that could be wrong.
fn codes(operation_id: &str) -> Vec<Code> {
    let own: &[&[Code]] = match operation_id {
        "addCard" => &[
            &OF_ALL,
            &OF_BODIES,
            &OF_KEYS,
            &[Code::CardNotSupported, Code::CardExpired, Code::TooManyCards, Code::TermsUnavailable],
        ],
        "setCardBillingAddress" => &[&OF_ALL, &OF_BODIES, &OF_KEYS, &[Code::NotFound, Code::TermsUnavailable]],
        "deleteCard" => &[&OF_ALL, &OF_BODIES, &OF_KEYS, &[Code::NotFound]],
        "getHistory" | "getBalances" => &[&OF_ALL],
        "getPayoutData" => &[&OF_ALL, &[Code::TermsUnavailable]],
        "getOffer" => &[&OF_ALL, &[Code::NotFound, Code::TermsUnavailable]],
        "getPay" | "getPayEvents" => &[&OF_ALL, &[Code::NotFound]],
        "createOffer" => &[&OF_ALL, &OF_BODIES, &OF_KEYS, &OF_PRICES],
        "updateOffer" => {
            &[&OF_ALL, &OF_BODIES, &OF_KEYS, &OF_PRICES, &[Code::OfferExpired, Code::OfferAlreadyExecuted]]
        }
        "payOffer" => &[
            &OF_ALL,
            &OF_BODIES,
            &[
                Code::NotFound,
                Code::OfferExpired,
                Code::OfferAlreadyExecuted,
                Code::OfferVersionConflict,
                Code::KycRequired,
                Code::CustomerBlocked,
                Code::CardNotSupported,
                Code::CardPending,
                Code::CardExpired,
                Code::BillingAddressRequired,
                Code::AmountTooSmall,
                Code::AmountTooLarge,
                Code::LimitExceeded,
                Code::VelocityExceeded,
                Code::InsufficientFunds,
                Code::NoRoute,
                Code::ScreeningUnavailable,
                Code::TermsUnavailable,
            ],
        ],
        "getLiveness" | "getReadiness" | "getMetrics" => &[&[Code::HeadersTooLarge]],
        "receiveProviderCallback" => &[
            &OF_BODIES,
            &[
                Code::NotValidRequestData,
                Code::CallbackNotVerified,
                Code::NotFound,
                Code::HeadersTooLarge,
                Code::TooManyRequests,
                Code::ServiceUnavailable,
                Code::Common,
            ],
        ],
        _ => &[],
    };
    own.concat()
}

/// Adds the refusals and failures to an operation's answers, with an example for each code.
pub fn complete(operation: &mut Operation) {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes(operation.operation_id.as_deref().unwrap_or_default()) {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    for (status, codes) in by_status {
        operation.responses.responses.insert(status.to_string(), RefOr::T(response(&codes)));
    }
}

/// An example of every error, which the operations refer to.
pub fn add_examples(components: &mut Components) {
    let context = RequestContext::new(Some("0f8e6c1c-8a5e-4c36-9a4e-2f6d1b7c9a10"), Language::En);
    // Only a path that no operation has answers it.
    for code in Code::ALL.iter().filter(|code| **code != Code::MethodNotAllowed) {
        let value = serde_json::to_value(ApiError::new(*code).body(&context)).unwrap_or_default();
        let example = ExampleBuilder::new().value(Some(value)).build();
        components.examples.insert(code.as_str().into(), example.into());
    }
}

fn response(codes: &[Code]) -> Response {
    let names: Vec<String> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
    let example = |code: &Code| RefOr::<Example>::Ref(Ref::new(format!("#/components/examples/{}", code.as_str())));
    let examples = codes.iter().map(|code| (code.as_str(), example(code)));
    let schema = Ref::from_schema_name("ErrorBody");
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build();
    ResponseBuilder::new().description(names.join(", ")).content("application/json", content).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_said_somewhere() {
        let operations = [
            "addCard",
            "setCardBillingAddress",
            "deleteCard",
            "getPayoutData",
            "getHistory",
            "getBalances",
            "getOffer",
            "getPay",
            "createOffer",
            "updateOffer",
            "payOffer",
            "receiveProviderCallback",
        ];
        let said: Vec<Code> = operations.into_iter().flat_map(codes).collect();
        // Only a path that no operation has answers it.
        for code in Code::ALL.iter().filter(|code| **code != Code::MethodNotAllowed) {
            assert!(said.contains(code), "{code:?}");
        }
    }
}
