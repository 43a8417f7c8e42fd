//! The stable table of this API's error codes, which `docs/errors.md` is written from. Codes are never reused or changed: callers
//! branch on them.

use actix_web::http::StatusCode;

use super::codes_of_requests;

/// A code with the status that it comes with by itself, and its title, which never changes with the occurrence.
pub struct CodeRow {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
}

pub(super) const fn row(code: &'static str, status: u16, title: &'static str) -> CodeRow {
    CodeRow { code, status, title }
}

pub const CODES: &[CodeRow] = &[
    // The request as such.
    row("MALFORMED_JSON", 400, "The body is no JSON document"),
    row("INVALID_PARAMETER", 400, "A query parameter has no such value"),
    row("UNKNOWN_PARAMETER", 400, "There is no such query parameter"),
    row("INVALID_HEADER", 400, "A header has no such value"),
    row("UNAUTHORIZED", 401, "There is no valid API key"),
    row("IDEMPOTENCY_KEY_MISSING", 400, "A signed write needs an idempotency key"),
    row("SIGNATURE_INVALID", 401, "The request isn't signed as its key demands"),
    row("NOT_FOUND", 404, "There is no such thing"),
    row("METHOD_NOT_ALLOWED", 405, "The path has no such method"),
    row("NOT_ACCEPTABLE", 406, "No media type that is accepted can be answered"),
    row("REQUEST_TIMEOUT", 408, "The body did not come in time"),
    row("TYPE_MISMATCH", 409, "The document is of another type than the path"),
    row("ID_MISMATCH", 409, "The document names another id than the path"),
    row("REQUEST_TOO_LARGE", 413, "The body is too large"),
    row("UNSUPPORTED_MEDIA_TYPE", 415, "The body is of another media type or coding"),
    row("TOO_MANY_REQUESTS", 429, "Too many requests"),
    row("HEADERS_TOO_LARGE", 431, "The target and the headers are too large together"),
    // What the document says.
    row("MISSING", 422, "A value is missing"),
    row("WRONG_TYPE", 422, "A value is of another JSON type"),
    row("WRONG_LENGTH", 422, "A text is too short or too long"),
    row("INVALID_VALUE", 422, "There is no such value"),
    row("OUT_OF_RANGE", 422, "A number is out of its bounds"),
    row("TOO_MANY", 422, "A list or an object has too many members"),
    row("UNKNOWN_MEMBER", 422, "There is no such member"),
    row("DUPLICATE_MEMBER", 422, "A member is there twice"),
    row("FORBIDDEN_MEMBER", 422, "A card verification code is never accepted"),
    row("CARD_NUMBER", 422, "A card number stands where none may"),
    row("READ_ONLY", 422, "The value was set for good when the thing was made"),
    row("TOO_PRECISE", 422, "An amount has more decimals than its currency"),
    row("UNKNOWN_CURRENCY", 422, "There is no such currency here"),
    row("UNSUPPORTED_CURRENCY", 422, "The provider doesn't pay the currency out"),
    row("UNSUPPORTED_METHOD", 422, "The provider doesn't pay by this method"),
    row("NO_CONVERSION", 422, "One currency can't be converted to the other"),
    row("UNKNOWN_PROVIDER", 422, "There is no such provider here"),
    row("WRONG_MODE", 422, "The provider doesn't serve the key's mode"),
    row("UNKNOWN_SETTING", 422, "The provider has no such setting"),
    row("UNKNOWN_CREDENTIAL", 422, "The provider has no such credential"),
    row("UNKNOWN_ACCOUNT", 422, "There is no such account of the key's partner"),
    row("UNKNOWN_SERVICE", 422, "There is no such payout service in the key's mode"),
    row("UNKNOWN_SCHEME", 422, "There is no such scheme that may serve here"),
    // Schemes, by where in their body the problem stands.
    row("SCHEME_TOO_LARGE", 422, "A scheme is too large"),
    row("SCHEME_TOO_DEEP", 422, "A scheme is nested too deeply"),
    row("NO_SERVICES", 422, "A payout scheme has no service"),
    row("NEVER_ROUTES", 422, "A payout scheme can never route the service"),
    row("UNKNOWN_NODE", 422, "A node is of no known kind"),
    row("UNUSED_NODE", 422, "Nothing leads to a named node"),
    row("UNKNOWN_REFERENCE", 422, "There is no node of that name"),
    row("CYCLE", 422, "A node leads back to itself"),
    row("UNREACHABLE_BRANCH", 422, "A branch can never be taken"),
    row("REASON_INVALID", 422, "A refusal names no reason"),
    row("UNKNOWN_CONDITION", 422, "A condition is of no known kind"),
    row("EMPTY_GROUP", 422, "A group has no condition"),
    row("UNKNOWN_ATTRIBUTE", 422, "There is no such attribute"),
    row("UNKNOWN_OPERATOR", 422, "There is no such operator"),
    row("WRONG_OPERATOR", 422, "The operator doesn't go with the attribute"),
    row("WRONG_OPERAND", 422, "What is compared with doesn't go with the operator"),
    row("EMPTY_RANGE", 422, "A range has no value in it"),
    row("UNKNOWN_TIME_ZONE", 422, "There is no such time zone"),
    row("TIME_ZONE_UNUSED", 422, "The attribute knows no time zone"),
    row("STRATEGIES_COUNT", 422, "A leaf has too few or too many strategies"),
    row("UNKNOWN_STRATEGY", 422, "There is no such strategy"),
    row("WINDOW_INVALID", 422, "A window is out of its bounds"),
    row("SPLIT_ALWAYS_UNUSED", 422, "The strategy divides nothing"),
    row("ROUTES_COUNT", 422, "A strategy has too few or too many routes"),
    row("UNKNOWN_ROUTE", 422, "There is no such route of the key's partner"),
    row("ROUTE_OF_OTHER_SERVICE", 422, "The route serves another service"),
    row("ROUTE_OF_OTHER_CURRENCY", 422, "The route pays out another currency"),
    row("DUPLICATE_ROUTE", 422, "A strategy names a route twice"),
    row("WEIGHT_INVALID", 422, "A weight is out of its bounds"),
    row("WEIGHTS_ZERO", 422, "All weights are zero"),
    row("SUPERFLUOUS", 422, "A value means nothing here"),
    row("UNKNOWN_SOURCE", 422, "There is no such source of prices in the key's mode"),
    row("SAME_CURRENCY", 422, "A currency needs no rate to itself"),
    row("DUPLICATE_PAIR", 422, "Two rules are of one pair"),
    row("SAME_SOURCE", 422, "The second source is the first"),
    row("MODE_MISMATCH", 422, "The key is of the other mode"),
    // Keys and what they may do.
    row("SCOPE_MISSING", 403, "The key doesn't have the scope"),
    row("SCOPE_NOT_HELD", 403, "A key can't give a scope that it doesn't have"),
    row("SCOPE_RESERVED", 403, "The scope is the house's alone"),
    row("KEY_TOO_WIDE", 403, "A key can't give more than it has"),
    row("HOUSE_ONLY", 403, "Only the house's keys may do it"),
    row("KEY_REVOKED", 409, "The key is revoked"),
    // Webhooks.
    row("TOO_MANY_ENDPOINTS", 409, "There are too many webhook endpoints"),
    row("ENDPOINT_DISABLED", 409, "The webhook endpoint is switched off"),
    row("ENDPOINT_KEPT", 409, "The webhook endpoint can't be deleted"),
    row("NO_ADDRESS", 409, "The webhook endpoint has no address of its own"),
    // Writes.
    row("NOT_OPEN", 409, "It is over already, or under way"),
    row("NOT_PAID", 409, "Nothing of it is paid, or it came back already"),
    row("VERSION_CONFLICT", 409, "It was changed since it was read"),
    row("CODE_TAKEN", 409, "Another one has this code"),
    row("WAITS_ALREADY", 409, "Another change of it waits for a second person"),
    row("TOO_MANY_WAIT", 409, "Too many changes wait for a second person"),
    row("SCHEME_BROKEN", 409, "The version names what is gone"),
    row("NOT_SUPPORTED", 409, "The provider has no such operation"),
    row("REFERENCE_TAKEN", 409, "The reference names something else already"),
    row("IDEMPOTENCY_MISMATCH", 422, "The idempotency key was used for another request"),
    row("REQUEST_IN_PROGRESS", 409, "The first request with this idempotency key is still running"),
    // Ours.
    row("INTERNAL_ERROR", 500, "Something went wrong on our side"),
    row("SERVICE_UNAVAILABLE", 503, "Try again in a moment"),
];

pub fn find(code: &str) -> Option<&'static CodeRow> {
    CODES.iter().find(|row| row.code == code)
}

/// A code of this table or of the resources' own.
pub fn find_any(code: &str) -> Option<&'static CodeRow> {
    find(code).or_else(|| codes_of_requests::CODES.iter().find(|row| row.code == code))
}

/// A code's title; of a code without one (the wallet's codes have messages instead), its status in words.
pub fn title(code: &str, status: StatusCode) -> &'static str {
    find_any(code).map_or_else(|| status.canonical_reason().unwrap_or("Refused"), |row| row.title)
}

/// The table's part of `docs/errors.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "\n## The partners' API (`/v1/`)\n\n\
         Its errors are JSON:API error objects: all problems of a document at once, each with a JSON pointer to where it stands\n\
         (`source.pointer`), or with the query parameter or header that is wrong. `code` is stable, `detail` is for a person.\n\
         `meta.request_id` is what support asks for. Codes of the wallet can come too, with status 422 in place of 400.\n\n\
         ```json\n",
    );
    page.push_str(EXAMPLE);
    page.push_str("\n```\n\n| code | status | title |\n|---|---|---|\n");
    page.push_str(&rows(CODES));
    page.push_str(
        "\n### Payout requests, batches and balances\n\n\
         In a batch's report by line the same codes stand beside each line, without a status.\n\n\
         | code | status | title |\n|---|---|---|\n",
    );
    page.push_str(&rows(codes_of_requests::CODES));
    page
}

fn rows(codes: &[CodeRow]) -> String {
    codes.iter().map(|row| format!("| `{}` | {} | {} |\n", row.code, row.status, row.title)).collect()
}

const EXAMPLE: &str = r#"{
  "errors": [
    {
      "status": "422",
      "code": "WRONG_TYPE",
      "title": "A value is of another JSON type",
      "detail": "This is a number, or a string that holds one.",
      "source": { "pointer": "/data/attributes/point_amount" }
    }
  ],
  "meta": { "request_id": "0f8e6c1c-8a5e-4c36-9a4e-2f6d1b7c9a10" }
}"#;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_upper_case_and_refusals() {
        let codes: BTreeSet<&str> = CODES.iter().map(|row| row.code).collect();
        assert_eq!(codes.len(), CODES.len());
        for row in CODES {
            assert!(row.code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{}", row.code);
            assert!((400..600).contains(&row.status), "{}", row.code);
        }
    }

    #[test]
    fn what_is_wrong_with_schemes_has_titles() {
        for (_, code) in crate::gateway::manage::scheme_check::CODES {
            assert!(find(code).is_some_and(|row| row.status == 422), "{code}");
        }
    }
}
