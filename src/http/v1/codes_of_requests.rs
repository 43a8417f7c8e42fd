//! The codes that payout requests, batches and partners' balances are refused with, beside those of every document
//! ([`super::codes::CODES`]). Several of them are the wallet's too, with the same meaning.

use super::codes::{CodeRow, MEMBER, again, ask, change, row};
use crate::http::error::advice::Advice;

const FILE: Advice = change("Correct the file and send it again: none of its lines was taken.");
/// Its other lines were taken.
const LINE: Advice = change("Send the line, corrected, in another file: the other lines were taken.");

pub const CODES: &[CodeRow] = &[
    // Where it is to go and what it is worth.
    row(
        "UNKNOWN_POINT",
        422,
        "There is no such payout point",
        change("Take a payout point of the key's partner and mode."),
    ),
    row("POINT_DISABLED", 409, "The payout point is disabled", change("Take another point, or have it enabled.")),
    row("SERVICE_REQUIRED", 422, "The service is missing", MEMBER),
    row(
        "SERVICE_DISABLED",
        409,
        "The payout service is disabled",
        change("Take another service, or wait until it is served again."),
    ),
    row("ROUTE_MISMATCH", 422, "The route serves another service", MEMBER),
    row("CURRENCY_REQUIRED", 422, "The currency is missing", MEMBER),
    row("AMOUNT_REQUIRED", 422, "The amount is missing", change("Give `point_amount` or `service_amount`.")),
    row("INVALID_AMOUNT", 422, "This is no amount", MEMBER),
    row("AMOUNTS_DISAGREE", 422, "The two amounts don't come to the same", change("Give one of the two.")),
    row("AMOUNT_TOO_SMALL", 422, "The amount is too small", change("The service's `amount_min` is the least.")),
    row("AMOUNT_TOO_LARGE", 422, "The amount is too large", change("The service's `amount_max` is the most.")),
    row(
        "NO_EXCHANGE_RULE",
        422,
        "The payout point doesn't convert these currencies",
        change("Take another currency, or give the point an exchange-rate scheme with the pair."),
    ),
    row(
        "RATES_UNAVAILABLE",
        409,
        "There is no exchange rate now",
        again(
            "In some seconds, under the same `reference_id` and another `Idempotency-Key`. No old rate is ever taken.",
        ),
    ),
    row(
        "INSUFFICIENT_FUNDS",
        409,
        "The balance doesn't cover amount and fee",
        change("Add money to the balance, then the same again under another `Idempotency-Key`; or ask for less."),
    ),
    // Whom it is for.
    row(
        "FIELD_MISSING",
        422,
        "A field of the service is missing",
        change("`fields` of the service lists what it takes."),
    ),
    row(
        "FIELD_INVALID",
        422,
        "A field of the service is not valid",
        change("`detail` is the field's hint, in the language of `Accept-Language`."),
    ),
    row("FIELD_UNKNOWN", 422, "The service has no such field", change("`fields` of the service lists what it takes.")),
    row("TOO_MANY_FIELDS", 422, "There are too many fields", MEMBER),
    row("CARD_EXPIRED", 422, "The card has expired", change("Another card, or its new date.")),
    row("UNKNOWN_CARD", 422, "There is no such card", MEMBER),
    row("CARD_NOT_APPROVED", 422, "The card is not approved", change("Another card, or this one once it is approved.")),
    row("TOKEN_NOT_TAKEN", 422, "The service pays to no card", MEMBER),
    row("TOKEN_AND_FIELDS", 422, "A token stands instead of a card's fields", change("Give the one or the other.")),
    row(
        "CUSTOMER_BLOCKED",
        409,
        "The customer is blocked",
        ask("The customer is on a block list; nothing in the request helps."),
    ),
    row(
        "CARD_BLOCKED",
        409,
        "The card, its issuer or its country is blocked",
        ask("The card is on a block list; another card may be paid."),
    ),
    row("INVALID_EMAIL", 422, "This is no e-mail address", MEMBER),
    row("INVALID_COUNTRY", 422, "This is no country", MEMBER),
    row("INVALID_URL", 422, "This is no address that can be called", MEMBER),
    row("INVALID_KEY", 422, "A name has characters that can't be taken", MEMBER),
    row("INVALID_CHARACTERS", 422, "A text has characters that can't be taken", MEMBER),
    // References.
    row(
        "REFERENCE_REQUIRED",
        422,
        "The reference is missing",
        change("Give a `reference_id`: in live mode nothing is asked for without one."),
    ),
    row(
        "RESERVED_REFERENCE",
        422,
        "The reference is of a kind that is reserved",
        change("Choose a reference of another form."),
    ),
    row(
        "REFERENCE_REUSED",
        409,
        "The reference was used for something else",
        change(
            "Another body had this reference: read that request (`filter[reference_id]`) before you choose another.",
        )
        .but_money_may_have_moved(),
    ),
    // What may still be done.
    row(
        "REQUEST_FINAL",
        409,
        "The payout request is over",
        change("Read how it ended: nothing about it changes any more."),
    ),
    row(
        "REQUEST_NOT_READY",
        409,
        "The payout request is not ready",
        change("Read where it stands: it waits for fields, or went on already."),
    ),
    row(
        "FIELDS_FIXED",
        409,
        "The fields can't be changed any more",
        change("Cancel it, and ask anew under another reference once it has ended unpaid."),
    ),
    row(
        "NOT_EDITABLE",
        409,
        "The payout request can't be edited",
        change("Cancel it, and ask anew under another reference once it has ended unpaid."),
    ),
    row("BATCH_TERMINATED", 409, "The batch was terminated", change("Send another batch.")),
    // Files.
    row("NOT_UTF8", 422, "The file is not in UTF-8", FILE),
    row("UNREADABLE", 422, "The file can't be read as CSV", FILE),
    row("EMPTY_FILE", 422, "The file is empty", FILE),
    row("TOO_MANY_ROWS", 422, "The file has too many rows", FILE),
    row("TOO_MANY_COLUMNS", 422, "The file has too many columns", FILE),
    row("UNKNOWN_COLUMN", 422, "The file has a column that isn't known", FILE),
    row("DUPLICATE_COLUMN", 422, "The file has a column twice", FILE),
    row("MISSING_COLUMN", 422, "A column is missing", FILE),
    row("WRONG_COLUMN_COUNT", 422, "The line has another number of columns than the header", LINE),
    row("DUPLICATE_REFERENCE", 422, "The file has the reference twice", LINE),
    // Balances.
    row(
        "CREDIT_FORBIDDEN",
        403,
        "The balance isn't the caller's to credit",
        ask("Live balances are credited by the house."),
    ),
    row("PARTNER_REQUIRED", 422, "The partner is missing", MEMBER),
    row("UNKNOWN_PARTNER", 422, "There is no such partner", MEMBER),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::super::codes;
    use super::*;

    fn sources(path: &Path, found: &mut Vec<PathBuf>) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                sources(&entry.unwrap().path(), found);
            }
        } else if !path.to_string_lossy().ends_with("tests.rs") {
            found.push(path.to_owned());
        }
    }

    /// Texts in quotes that look like codes.
    fn codes_in(text: &str) -> BTreeSet<String> {
        let production = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let quoted = regex::Regex::new("\"([A-Z][A-Z0-9_]{4,})\"").unwrap();
        quoted.captures_iter(production).map(|found| found[1].to_owned()).collect()
    }

    #[test]
    fn every_code_that_is_used_is_in_the_table_and_the_other_way_round() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        for room in ["gateway/requests", "gateway/batches", "gateway/funds.rs", "domain/service/check.rs"] {
            sources(&root.join(room), &mut files);
        }
        let used: BTreeSet<String> =
            files.iter().flat_map(|file| codes_in(&std::fs::read_to_string(file).unwrap())).collect();
        for code in &used {
            assert!(codes::find_any(code).is_some(), "{code} is not in the table");
        }
        for row in CODES {
            assert!(used.contains(row.code), "{} is not used", row.code);
            assert!(codes::find(row.code).is_none(), "{} is there twice", row.code);
        }
    }
}
