//! The stable table of this API's error codes, which `docs/errors.md` is written from. Codes are never reused or changed: callers
//! branch on them.

use actix_web::http::StatusCode;

use super::codes_of_requests;
use crate::http::error::advice::Advice;

/// A code with the status that it comes with by itself, and its title, which never changes with the occurrence.
pub struct CodeRow {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub advice: Advice,
}

pub(super) const fn row(code: &'static str, status: u16, title: &'static str, advice: Advice) -> CodeRow {
    CodeRow { code, status, title, advice }
}

pub(super) const fn again(how: &'static str) -> Advice {
    Advice::again(how)
}

pub(super) const fn change(how: &'static str) -> Advice {
    Advice::change(how)
}

pub(super) const fn ask(how: &'static str) -> Advice {
    Advice::ask(how)
}

const PARAMETER: Advice = change("Correct what `source.parameter` or `source.header` names.");
pub(super) const MEMBER: Advice = change("Correct what `source.pointer` names; `detail` says how.");
const SCHEME: Advice = change("Correct the scheme where `source.pointer` says; `detail` says how.");

pub const CODES: &[CodeRow] = &[
    // The request as such.
    row("MALFORMED_JSON", 400, "The body is no JSON document", change("Send one JSON document, in UTF-8.")),
    row("INVALID_PARAMETER", 400, "A query parameter has no such value", PARAMETER),
    row("UNKNOWN_PARAMETER", 400, "There is no such query parameter", PARAMETER),
    row("INVALID_HEADER", 400, "A header has no such value", PARAMETER),
    row(
        "UNAUTHORIZED",
        401,
        "There is no valid API key",
        change("Show a key that is valid, from an address that it may be used from."),
    ),
    row(
        "IDEMPOTENCY_KEY_MISSING",
        400,
        "A signed write needs an idempotency key",
        change("Add an `Idempotency-Key`, and sign anew."),
    ),
    row(
        "SIGNATURE_INVALID",
        401,
        "The request isn't signed as its key demands",
        change(
            "See how requests are signed ([partners.md](partners.md#signing)). Your clock may be wrong: compare `Date`.",
        ),
    ),
    row(
        "NOT_FOUND",
        404,
        "There is no such thing",
        change("There is no such path, or nothing under this id for this key, in its mode."),
    ),
    row("METHOD_NOT_ALLOWED", 405, "The path has no such method", change("`Allow` lists the path's methods.")),
    row(
        "NOT_ACCEPTABLE",
        406,
        "No media type that is accepted can be answered",
        change("Accept `application/vnd.api+json` or `application/json`."),
    ),
    row(
        "REQUEST_TIMEOUT",
        408,
        "The body did not come in time",
        again("The connection was too slow; nothing was looked at."),
    ),
    row("TYPE_MISMATCH", 409, "The document is of another type than the path", change("Correct `data.type`.")),
    row(
        "ID_MISMATCH",
        409,
        "The document names another id than the path",
        change("Correct `data.id`, or leave it out."),
    ),
    row("REQUEST_TOO_LARGE", 413, "The body is too large", change("Send less: a large batch as several.")),
    row(
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "The body is of another media type or coding",
        change("Declare the body as what it is, without a coding."),
    ),
    row(
        "TOO_MANY_REQUESTS",
        429,
        "Too many requests",
        again("After `Retry-After`. Be told by [webhooks](webhooks.md) instead of asking."),
    ),
    row(
        "HEADERS_TOO_LARGE",
        431,
        "The target and the headers are too large together",
        change("Send fewer or shorter headers, or a shorter query."),
    ),
    // What the document says.
    row("MISSING", 422, "A value is missing", MEMBER),
    row("WRONG_TYPE", 422, "A value is of another JSON type", MEMBER),
    row("WRONG_LENGTH", 422, "A text is too short or too long", MEMBER),
    row("INVALID_VALUE", 422, "There is no such value", MEMBER),
    row("OUT_OF_RANGE", 422, "A number is out of its bounds", MEMBER),
    row("TOO_MANY", 422, "A list or an object has too many members", MEMBER),
    row("UNKNOWN_MEMBER", 422, "There is no such member", MEMBER),
    row("DUPLICATE_MEMBER", 422, "A member is there twice", MEMBER),
    row(
        "FORBIDDEN_MEMBER",
        422,
        "A card verification code is never accepted",
        change("Leave it out, and don't keep it either."),
    ),
    row(
        "CARD_NUMBER",
        422,
        "A card number stands where none may",
        change("Card numbers go into the service's card field and nowhere else."),
    ),
    row(
        "READ_ONLY",
        422,
        "The value was set for good when the thing was made",
        change("Leave it out, or make another one."),
    ),
    row("TOO_PRECISE", 422, "An amount has more decimals than its currency", MEMBER),
    row("UNKNOWN_CURRENCY", 422, "There is no such currency here", MEMBER),
    row("UNSUPPORTED_CURRENCY", 422, "The provider doesn't pay the currency out", MEMBER),
    row("UNSUPPORTED_METHOD", 422, "The provider doesn't pay by this method", MEMBER),
    row("NO_CONVERSION", 422, "One currency can't be converted to the other", MEMBER),
    row("UNKNOWN_PROVIDER", 422, "There is no such provider here", MEMBER),
    row("WRONG_MODE", 422, "The provider doesn't serve the key's mode", MEMBER),
    row("UNKNOWN_SETTING", 422, "The provider has no such setting", MEMBER),
    row("UNKNOWN_CREDENTIAL", 422, "The provider has no such credential", MEMBER),
    row("UNKNOWN_ACCOUNT", 422, "There is no such account of the key's partner", MEMBER),
    row("UNKNOWN_SERVICE", 422, "There is no such payout service in the key's mode", MEMBER),
    row("UNKNOWN_SCHEME", 422, "There is no such scheme that may serve here", MEMBER),
    // Schemes, by where in their body the problem stands.
    row("SCHEME_TOO_LARGE", 422, "A scheme is too large", SCHEME),
    row("SCHEME_TOO_DEEP", 422, "A scheme is nested too deeply", SCHEME),
    row("NO_SERVICES", 422, "A payout scheme has no service", SCHEME),
    row("NEVER_ROUTES", 422, "A payout scheme can never route the service", SCHEME),
    row("UNKNOWN_NODE", 422, "A node is of no known kind", SCHEME),
    row("UNUSED_NODE", 422, "Nothing leads to a named node", SCHEME),
    row("UNKNOWN_REFERENCE", 422, "There is no node of that name", SCHEME),
    row("CYCLE", 422, "A node leads back to itself", SCHEME),
    row("UNREACHABLE_BRANCH", 422, "A branch can never be taken", SCHEME),
    row("REASON_INVALID", 422, "A refusal names no reason", SCHEME),
    row("UNKNOWN_CONDITION", 422, "A condition is of no known kind", SCHEME),
    row("EMPTY_GROUP", 422, "A group has no condition", SCHEME),
    row("UNKNOWN_ATTRIBUTE", 422, "There is no such attribute", SCHEME),
    row("UNKNOWN_OPERATOR", 422, "There is no such operator", SCHEME),
    row("WRONG_OPERATOR", 422, "The operator doesn't go with the attribute", SCHEME),
    row("WRONG_OPERAND", 422, "What is compared with doesn't go with the operator", SCHEME),
    row("EMPTY_RANGE", 422, "A range has no value in it", SCHEME),
    row("UNKNOWN_TIME_ZONE", 422, "There is no such time zone", SCHEME),
    row("TIME_ZONE_UNUSED", 422, "The attribute knows no time zone", SCHEME),
    row("STRATEGIES_COUNT", 422, "A leaf has too few or too many strategies", SCHEME),
    row("UNKNOWN_STRATEGY", 422, "There is no such strategy", SCHEME),
    row("WINDOW_INVALID", 422, "A window is out of its bounds", SCHEME),
    row("SPLIT_ALWAYS_UNUSED", 422, "The strategy divides nothing", SCHEME),
    row("ROUTES_COUNT", 422, "A strategy has too few or too many routes", SCHEME),
    row("UNKNOWN_ROUTE", 422, "There is no such route of the key's partner", SCHEME),
    row("ROUTE_OF_OTHER_SERVICE", 422, "The route serves another service", SCHEME),
    row("ROUTE_OF_OTHER_CURRENCY", 422, "The route pays out another currency", SCHEME),
    row("DUPLICATE_ROUTE", 422, "A strategy names a route twice", SCHEME),
    row("WEIGHT_INVALID", 422, "A weight is out of its bounds", SCHEME),
    row("WEIGHTS_ZERO", 422, "All weights are zero", SCHEME),
    row("SUPERFLUOUS", 422, "A value means nothing here", MEMBER),
    row("UNKNOWN_SOURCE", 422, "There is no such source of prices in the key's mode", SCHEME),
    row("SAME_CURRENCY", 422, "A currency needs no rate to itself", SCHEME),
    row("DUPLICATE_PAIR", 422, "Two rules are of one pair", SCHEME),
    row("SAME_SOURCE", 422, "The second source is the first", SCHEME),
    row(
        "MODE_MISMATCH",
        422,
        "The key is of the other mode",
        change("Take the other mode's key, or leave `test_mode` out."),
    ),
    // Keys and what they may do.
    row(
        "SCOPE_MISSING",
        403,
        "The key doesn't have the scope",
        change("Take a key with the scope that the operation names."),
    ),
    row(
        "SCOPE_NOT_HELD",
        403,
        "A key can't give a scope that it doesn't have",
        change("Give the key no scope that yours lacks."),
    ),
    row("SCOPE_RESERVED", 403, "The scope is the house's alone", change("Leave the scope out.")),
    row(
        "KEY_TOO_WIDE",
        403,
        "A key can't give more than it has",
        change("Give the key no longer life, no more addresses and no less signing than yours has."),
    ),
    row("HOUSE_ONLY", 403, "Only the house's keys may do it", ask("The house can do it for you.")),
    row("KEY_REVOKED", 409, "The key is revoked", change("Make another key.")),
    // Webhooks.
    row("TOO_MANY_ENDPOINTS", 409, "There are too many webhook endpoints", change("Delete one that isn't needed.")),
    row(
        "ENDPOINT_DISABLED",
        409,
        "The webhook endpoint is switched off",
        change("Switch it on first (`PATCH`, `\"enabled\": true`)."),
    ),
    row("ENDPOINT_KEPT", 409, "The webhook endpoint can't be deleted", change("Switch it off instead.")),
    row(
        "NO_ADDRESS",
        409,
        "The webhook endpoint has no address of its own",
        change("Messages to it belong to payout requests with a `callback_url`; make an endpoint with a `url`."),
    ),
    // Writes.
    row("NOT_OPEN", 409, "It is over already, or under way", change("Read where it stands.")),
    row("NOT_PAID", 409, "Nothing of it is paid, or it came back already", change("Read where it stands.")),
    row(
        "VERSION_CONFLICT",
        409,
        "It was changed since it was read",
        change("Read it again, and change what is there now."),
    ),
    row("CODE_TAKEN", 409, "Another one has this code", change("Choose another code.")),
    row(
        "WAITS_ALREADY",
        409,
        "Another change of it waits for a second person",
        change("Wait until it is decided: `GET /v1/approvals/{id}`."),
    ),
    row(
        "TOO_MANY_WAIT",
        409,
        "Too many changes wait for a second person",
        change("Have those decided first that wait."),
    ),
    row(
        "SCHEME_BROKEN",
        409,
        "The version names what is gone",
        change("Simulate or publish a version whose routes are there."),
    ),
    row(
        "NOT_SUPPORTED",
        409,
        "The provider has no such operation",
        change("The provider has none; `detail` says what."),
    ),
    row(
        "REFERENCE_TAKEN",
        409,
        "The reference names something else already",
        change("Read what the reference stands for before you choose another.").but_money_may_have_moved(),
    ),
    row(
        "IDEMPOTENCY_MISMATCH",
        422,
        "The idempotency key was used for another request",
        change("Read what became of the first request; a new one takes a key of its own.").but_money_may_have_moved(),
    ),
    row(
        "REQUEST_IN_PROGRESS",
        409,
        "The first request with this idempotency key is still running",
        again("After `Retry-After`, under the same key: the answer is then the first one's.")
            .but_money_may_have_moved(),
    ),
    // Ours.
    row(
        "INTERNAL_ERROR",
        500,
        "Something went wrong on our side",
        again("Under the same `reference_id` or `Idempotency-Key`. If it stays, ask with the `request_id`.")
            .but_money_may_have_moved(),
    ),
    row(
        "SERVICE_UNAVAILABLE",
        503,
        "Try again in a moment",
        again("After `Retry-After`, under the same `reference_id` or `Idempotency-Key`.").but_money_may_have_moved(),
    ),
    row(
        "TERMS_UNAVAILABLE",
        503,
        "The partner's terms can't be read, and nothing new is taken until they can",
        again("After `Retry-After`, under the same `reference_id` or `Idempotency-Key`. If it stays, ask."),
    ),
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
    page.push_str("\n```\n\n");
    page.push_str(HEAD);
    page.push_str(&rows(CODES));
    page.push_str(
        "\n### Payout requests, batches and balances\n\n\
         In a batch's report by line the same codes stand beside each line, without a status.\n\n",
    );
    page.push_str(HEAD);
    page.push_str(&rows(codes_of_requests::CODES));
    page
}

fn rows(codes: &[CodeRow]) -> String {
    let cells =
        |row: &CodeRow| format!("| `{}` | {} | {} | {} |\n", row.code, row.status, row.title, row.advice.cells());
    codes.iter().map(cells).collect()
}

const HEAD: &str = "| code | status | title | what to do | money |\n|---|---|---|---|---|\n";

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
