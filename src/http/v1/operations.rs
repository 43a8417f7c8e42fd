//! Which codes each operation can answer with, of the tables of codes.

use super::codes::{CodeRow, find_any};
use crate::gateway::manage::scheme_check;

type Codes = &'static [&'static str];

/// Of every call with a key.
const OF_ALL: Codes = &[
    "UNAUTHORIZED",
    "SIGNATURE_INVALID",
    "SCOPE_MISSING",
    "UNKNOWN_PARAMETER",
    "NOT_ACCEPTABLE",
    "TOO_MANY_REQUESTS",
    "HEADERS_TOO_LARGE",
    "INTERNAL_ERROR",
    "SERVICE_UNAVAILABLE",
];
const OF_LISTS: Codes = &["INVALID_PARAMETER"];
/// Of every call that sends something.
const OF_SENT: Codes = &[
    "INVALID_HEADER",
    "IDEMPOTENCY_KEY_MISSING",
    "REQUEST_TIMEOUT",
    "REQUEST_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "UNKNOWN_MEMBER",
];
/// Of every write: what changes nothing is done again without an idempotency key.
const OF_WRITES: Codes = &["REQUEST_IN_PROGRESS", "IDEMPOTENCY_MISMATCH"];
const OF_DOCUMENTS: Codes = &[
    "MALFORMED_JSON",
    "TYPE_MISMATCH",
    "MISSING",
    "WRONG_TYPE",
    "WRONG_LENGTH",
    "INVALID_VALUE",
    "OUT_OF_RANGE",
    "TOO_MANY",
    "DUPLICATE_MEMBER",
    "FORBIDDEN_MEMBER",
    "CARD_NUMBER",
    "MODE_MISMATCH",
];
const OF_CHANGES: Codes = &["ID_MISMATCH"];
/// Of changes that name the version that they are of.
const OF_VERSIONS: Codes = &["VERSION_CONFLICT", "READ_ONLY"];
/// Of what may wait for a second person.
const OF_STAGED: Codes = &["WAITS_ALREADY", "TOO_MANY_WAIT"];
const OF_KEYS: Codes = &["SCOPE_NOT_HELD", "SCOPE_RESERVED", "KEY_TOO_WIDE"];
const OF_POINTS: Codes = &["UNKNOWN_CURRENCY", "UNKNOWN_SCHEME"];
const OF_ROUTES: Codes = &[
    "UNKNOWN_ACCOUNT",
    "UNKNOWN_PROVIDER",
    "UNKNOWN_SERVICE",
    "UNSUPPORTED_CURRENCY",
    "UNSUPPORTED_METHOD",
    "NO_CONVERSION",
    "TOO_PRECISE",
];
const OF_PROVIDERS: Codes =
    &["UNKNOWN_PROVIDER", "WRONG_MODE", "UNKNOWN_CREDENTIAL", "UNKNOWN_SETTING", "UNKNOWN_CURRENCY", "TOO_PRECISE"];
/// Of the rules of an exchange-rate scheme.
const OF_EXCHANGE: Codes = &["UNKNOWN_SOURCE", "SAME_CURRENCY", "DUPLICATE_PAIR", "SAME_SOURCE", "SUPERFLUOUS"];
/// Of what is to be paid out, whoever carries it.
const OF_PAYOUTS: Codes = &[
    "TERMS_UNAVAILABLE",
    "UNKNOWN_POINT",
    "POINT_DISABLED",
    "SERVICE_REQUIRED",
    "UNKNOWN_SERVICE",
    "SERVICE_DISABLED",
    "CURRENCY_REQUIRED",
    "UNKNOWN_CURRENCY",
    "AMOUNT_REQUIRED",
    "INVALID_AMOUNT",
    "AMOUNTS_DISAGREE",
    "AMOUNT_TOO_SMALL",
    "AMOUNT_TOO_LARGE",
    "TOO_PRECISE",
    "NO_EXCHANGE_RULE",
    "RATES_UNAVAILABLE",
    "INSUFFICIENT_FUNDS",
    "UNKNOWN_CARD",
    "CARD_NOT_APPROVED",
    "TOKEN_NOT_TAKEN",
    "TOKEN_AND_FIELDS",
    "CUSTOMER_BLOCKED",
    "CARD_BLOCKED",
    "INVALID_EMAIL",
    "INVALID_COUNTRY",
    "INVALID_URL",
    "INVALID_KEY",
    "REFERENCE_REQUIRED",
    "RESERVED_REFERENCE",
    "REFERENCE_REUSED",
];
const OF_FIELDS: Codes =
    &["FIELD_MISSING", "FIELD_INVALID", "FIELD_UNKNOWN", "TOO_MANY_FIELDS", "CARD_EXPIRED", "INVALID_CHARACTERS"];
/// Of what is to be sent to an endpoint.
const OF_WEBHOOKS: Codes = &["ENDPOINT_DISABLED", "NO_ADDRESS"];
/// Of a file as a whole.
const OF_FILES: Codes = &[
    "INVALID_PARAMETER",
    "UNKNOWN_POINT",
    "POINT_DISABLED",
    "WRONG_LENGTH",
    "CARD_NUMBER",
    "NOT_UTF8",
    "UNREADABLE",
    "EMPTY_FILE",
    "TOO_MANY_ROWS",
    "TOO_MANY_COLUMNS",
    "UNKNOWN_COLUMN",
    "DUPLICATE_COLUMN",
    "MISSING_COLUMN",
    "INVALID_CHARACTERS",
];

/// What only a path without operations, or a file's lines, are told.
pub const ELSEWHERE: Codes = &["METHOD_NOT_ALLOWED", "WRONG_COLUMN_COUNT", "DUPLICATE_REFERENCE"];

/// What an operation is refused with beside what its kind is.
fn own(operation_id: &str) -> &'static [Codes] {
    match operation_id {
        "createApiKey" => &[OF_DOCUMENTS, OF_STAGED, OF_KEYS],
        "changeApiKey" => &[OF_DOCUMENTS, OF_CHANGES, OF_STAGED, OF_KEYS, &["KEY_REVOKED"]],
        "revokeApiKey" => &[&["KEY_TOO_WIDE"]],
        "createCustomer" => &[OF_DOCUMENTS, &["REFERENCE_TAKEN"]],
        "changeCustomer" => &[OF_DOCUMENTS, OF_CHANGES, OF_VERSIONS],
        "createWalletCredit" => &[OF_DOCUMENTS, &["REFERENCE_TAKEN", "NOT_FOUND"]],
        "createPartnerCredit" => &[
            OF_DOCUMENTS,
            &[
                "CREDIT_FORBIDDEN",
                "PARTNER_REQUIRED",
                "UNKNOWN_PARTNER",
                "UNKNOWN_CURRENCY",
                "INVALID_AMOUNT",
                "TOO_PRECISE",
                "REFERENCE_REUSED",
                "INVALID_CHARACTERS",
            ],
        ],
        "getPartnerTerms" => &[&["TERMS_UNAVAILABLE"]],
        "createPayoutPoint" => &[OF_DOCUMENTS, OF_STAGED, OF_POINTS, &["CODE_TAKEN"]],
        "changePayoutPoint" => &[OF_DOCUMENTS, OF_CHANGES, OF_VERSIONS, OF_STAGED, OF_POINTS],
        "createPayoutRoute" => &[OF_DOCUMENTS, OF_STAGED, OF_ROUTES, &["CODE_TAKEN"]],
        "changePayoutRoute" => &[OF_DOCUMENTS, OF_CHANGES, OF_VERSIONS, OF_STAGED, OF_ROUTES],
        "createPayoutScheme" => &[OF_DOCUMENTS, OF_STAGED, &["CODE_TAKEN"]],
        "createExchangeRateScheme" => &[OF_DOCUMENTS, OF_STAGED, OF_EXCHANGE, &["CODE_TAKEN"]],
        "publishPayoutSchemeVersion" => &[OF_DOCUMENTS, OF_VERSIONS, OF_STAGED],
        "publishExchangeRateSchemeVersion" => &[OF_DOCUMENTS, OF_VERSIONS, OF_STAGED, OF_EXCHANGE],
        "simulatePayoutScheme" => &[OF_DOCUMENTS, &["SCHEME_BROKEN", "SUPERFLUOUS", "TOO_PRECISE", "UNKNOWN_SERVICE"]],
        "createProviderAccount" => &[OF_DOCUMENTS, OF_STAGED, OF_PROVIDERS, &["CODE_TAKEN"]],
        "changeProviderAccount" => {
            &[OF_DOCUMENTS, OF_CHANGES, OF_VERSIONS, OF_STAGED, OF_PROVIDERS, &["NOT_SUPPORTED"]]
        }
        "checkProviderAccount" => &[&["NOT_SUPPORTED"]],
        "createDepositAccount" => &[
            OF_DOCUMENTS,
            OF_STAGED,
            &["CODE_TAKEN", "UNKNOWN_ACCOUNT", "UNKNOWN_PROVIDER", "UNKNOWN_CURRENCY", "UNSUPPORTED_CURRENCY"],
        ],
        "changeDepositAccount" => &[OF_DOCUMENTS, OF_CHANGES, OF_VERSIONS, OF_STAGED],
        "topUpDepositAccount" => &[OF_DOCUMENTS, &["HOUSE_ONLY", "REFERENCE_TAKEN", "TOO_PRECISE", "UNKNOWN_CURRENCY"]],
        "createPayoutRequest" => &[OF_DOCUMENTS, OF_PAYOUTS, OF_FIELDS],
        "createSinglePayout" => &[OF_DOCUMENTS, OF_PAYOUTS, OF_FIELDS, &["UNKNOWN_ROUTE", "ROUTE_MISMATCH"]],
        "changePayoutRequest" => &[
            OF_DOCUMENTS,
            OF_CHANGES,
            OF_FIELDS,
            &[
                "REQUEST_FINAL",
                "FIELDS_FIXED",
                "NOT_EDITABLE",
                "INVALID_AMOUNT",
                "AMOUNT_TOO_SMALL",
                "AMOUNT_TOO_LARGE",
                "TOO_PRECISE",
                "RATES_UNAVAILABLE",
                "INSUFFICIENT_FUNDS",
                "CARD_BLOCKED",
            ],
        ],
        "processPayoutRequest" | "terminatePayoutRequest" => &[&["REQUEST_NOT_READY"]],
        "cancelPayoutRequest" => &[&["REQUEST_FINAL"]],
        "createCustomerToken" => &[OF_DOCUMENTS, &["CUSTOMER_BLOCKED"]],
        "expireSandboxOffer" | "expireSandboxPayoutRequest" | "expireSandboxCard" => &[&["NOT_OPEN"]],
        "returnSandboxOffer" | "returnSandboxPayoutRequest" => &[&["NOT_PAID"]],
        "getUsageReport" | "getBalanceReport" => &[OF_LISTS],
        "createWebhookEndpoint" => &[OF_DOCUMENTS, &["INVALID_URL", "TOO_MANY_ENDPOINTS"]],
        "changeWebhookEndpoint" => &[OF_DOCUMENTS, OF_CHANGES, &["INVALID_URL", "READ_ONLY"]],
        "deleteWebhookEndpoint" => &[&["ENDPOINT_KEPT"]],
        "rotateWebhookSecret" => &[OF_DOCUMENTS, &["VERSION_CONFLICT"]],
        "pingWebhookEndpoint" => &[OF_WEBHOOKS],
        "resendWebhookDelivery" => &[&["ENDPOINT_DISABLED"]],
        "replayWebhooks" => &[OF_DOCUMENTS, OF_WEBHOOKS],
        "createBatch" => &[OF_FILES],
        "processBatch" | "terminateBatch" => &[&["BATCH_TERMINATED"]],
        _ => &[],
    }
}

/// Whether the operation takes a scheme's body, which is refused by the codes of schemes.
fn takes_scheme(operation_id: &str) -> bool {
    matches!(
        operation_id,
        "createPayoutScheme"
            | "createExchangeRateScheme"
            | "publishPayoutSchemeVersion"
            | "publishExchangeRateSchemeVersion"
            | "simulatePayoutScheme"
    )
}

/// The codes of an operation, in the order of the tables' statuses.
pub fn codes(operation_id: &str, method: &str, path: &str) -> Vec<&'static CodeRow> {
    let mut codes: Vec<&str> = OF_ALL.to_vec();
    if path.contains('{') {
        codes.push("NOT_FOUND");
    }
    if operation_id.starts_with("list") {
        codes.extend(OF_LISTS);
    }
    if method != "GET" {
        codes.extend(OF_SENT);
        if operation_id != "simulatePayoutScheme" {
            codes.extend(OF_WRITES);
        }
    }
    codes.extend(own(operation_id).iter().copied().flatten());
    if takes_scheme(operation_id) {
        codes.extend(scheme_check::CODES.iter().map(|(_, code)| *code));
    }
    let mut rows: Vec<&CodeRow> = Vec::new();
    for row in codes.into_iter().filter_map(find_any) {
        if !rows.iter().any(|known| known.code == row.code) {
            rows.push(row);
        }
    }
    rows.sort_by_key(|row| row.status);
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{codes as table, codes_of_requests};
    use super::ELSEWHERE;

    #[test]
    fn every_code_is_some_operations() {
        let api = serde_json::to_value(crate::http::openapi::openapi().unwrap()).unwrap();
        let mut said = BTreeSet::new();
        for (path, item) in api["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                said.extend(super::codes(id, &method.to_uppercase(), path).iter().map(|row| row.code));
            }
        }
        for row in table::CODES.iter().chain(codes_of_requests::CODES) {
            assert!(said.contains(row.code) || ELSEWHERE.contains(&row.code), "{}", row.code);
        }
    }

    #[test]
    fn every_operation_that_has_codes_of_its_own_is_there() {
        let source = include_str!("operations.rs").split("#[cfg(test)]").next().unwrap();
        let ids = regex::Regex::new(
            "\"((?:create|change|revoke|publish|simulate|check|topUp|process|terminate|cancel)[A-Z][A-Za-z]+)\"",
        )
        .unwrap();
        let api = serde_json::to_string(&crate::http::openapi::openapi().unwrap()).unwrap();
        for id in ids.captures_iter(source) {
            assert!(api.contains(&format!("\"operationId\":\"{}\"", &id[1])), "{}", &id[1]);
        }
    }
}
