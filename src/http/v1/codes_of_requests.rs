//! The codes that payout requests, batches and partners' balances are refused with, beside those of every document
//! ([`super::codes::CODES`]). Several of them are the wallet's too, with the same meaning.

use super::codes::{CodeRow, row};

pub const CODES: &[CodeRow] = &[
    // Where it is to go and what it is worth.
    row("UNKNOWN_POINT", 422, "There is no such payout point"),
    row("POINT_DISABLED", 409, "The payout point is disabled"),
    row("SERVICE_REQUIRED", 422, "The service is missing"),
    row("SERVICE_DISABLED", 409, "The payout service is disabled"),
    row("ROUTE_MISMATCH", 422, "The route serves another service"),
    row("CURRENCY_REQUIRED", 422, "The currency is missing"),
    row("AMOUNT_REQUIRED", 422, "The amount is missing"),
    row("INVALID_AMOUNT", 422, "This is no amount"),
    row("AMOUNTS_DISAGREE", 422, "The two amounts don't come to the same"),
    row("AMOUNT_TOO_SMALL", 422, "The amount is too small"),
    row("AMOUNT_TOO_LARGE", 422, "The amount is too large"),
    row("NO_EXCHANGE_RULE", 422, "The payout point doesn't convert these currencies"),
    row("RATES_UNAVAILABLE", 409, "There is no exchange rate now"),
    row("INSUFFICIENT_FUNDS", 409, "The balance doesn't cover amount and fee"),
    // Whom it is for.
    row("FIELD_MISSING", 422, "A field of the service is missing"),
    row("FIELD_INVALID", 422, "A field of the service is not valid"),
    row("FIELD_UNKNOWN", 422, "The service has no such field"),
    row("TOO_MANY_FIELDS", 422, "There are too many fields"),
    row("CARD_EXPIRED", 422, "The card has expired"),
    row("UNKNOWN_CARD", 422, "There is no such card"),
    row("CARD_NOT_APPROVED", 422, "The card is not approved"),
    row("TOKEN_NOT_TAKEN", 422, "The service pays to no card"),
    row("TOKEN_AND_FIELDS", 422, "A token stands instead of a card's fields"),
    row("CUSTOMER_BLOCKED", 409, "The customer is blocked"),
    row("CARD_BLOCKED", 409, "The card, its issuer or its country is blocked"),
    row("INVALID_EMAIL", 422, "This is no e-mail address"),
    row("INVALID_COUNTRY", 422, "This is no country"),
    row("INVALID_URL", 422, "This is no address that can be called"),
    row("INVALID_KEY", 422, "A name has characters that can't be taken"),
    row("INVALID_CHARACTERS", 422, "A text has characters that can't be taken"),
    // References.
    row("REFERENCE_REQUIRED", 422, "The reference is missing"),
    row("RESERVED_REFERENCE", 422, "The reference is of a kind that is reserved"),
    row("REFERENCE_REUSED", 409, "The reference was used for something else"),
    // What may still be done.
    row("REQUEST_FINAL", 409, "The payout request is over"),
    row("REQUEST_NOT_READY", 409, "The payout request is not ready"),
    row("FIELDS_FIXED", 409, "The fields can't be changed any more"),
    row("NOT_EDITABLE", 409, "The payout request can't be edited"),
    row("BATCH_TERMINATED", 409, "The batch was terminated"),
    // Files.
    row("NOT_UTF8", 422, "The file is not in UTF-8"),
    row("UNREADABLE", 422, "The file can't be read as CSV"),
    row("EMPTY_FILE", 422, "The file is empty"),
    row("TOO_MANY_ROWS", 422, "The file has too many rows"),
    row("TOO_MANY_COLUMNS", 422, "The file has too many columns"),
    row("UNKNOWN_COLUMN", 422, "The file has a column that isn't known"),
    row("DUPLICATE_COLUMN", 422, "The file has a column twice"),
    row("MISSING_COLUMN", 422, "A column is missing"),
    row("WRONG_COLUMN_COUNT", 422, "The line has another number of columns than the header"),
    row("DUPLICATE_REFERENCE", 422, "The file has the reference twice"),
    // Balances.
    row("CREDIT_FORBIDDEN", 403, "The balance isn't the caller's to credit"),
    row("PARTNER_REQUIRED", 422, "The partner is missing"),
    row("UNKNOWN_PARTNER", 422, "There is no such partner"),
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
