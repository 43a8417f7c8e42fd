//! Invariant 7, outside the vault: no text of any table holds a card number. Every column that can hold text is looked through,
//! JSON by its values, for runs of 12 to 19 digits, with spaces or hyphens among them, that a scheme would take for one of its.

use diesel_async::AsyncPgConnection;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{CheckResult, Report, VerifyError, store};
use crate::domain::card::{CardScheme, Pan, identify, without_ids};

/// Columns that are not looked through, each with the reason why what it holds can't be a card number though it may look like one.
const SAFE_COLUMNS: [(&str, &str, &str); 7] = [
    ("payout", "provider_reference", "made from the payout's id, and another check holds it to that"),
    ("payout", "provider_original_id", "drawn by the provider for a payment"),
    ("payout", "rrn", "drawn by an acquirer, 12 digits"),
    ("payout", "arn", "drawn by an acquirer, 23 digits"),
    ("test_payment", "reference", "a payout's provider_reference"),
    ("staff_case", "subject", "a payout's provider_reference, or one in which no 12 digits follow each other"),
    ("unmatched_payment", "reference", "as a case's subject"),
];

/// The same where they stand in JSON: events, cases and callbacks name payouts by them.
const SAFE_KEYS: [&str; 6] = ["provider_reference", "reference", "provider_original_id", "original_id", "rrn", "arn"];

/// The most digits of a card number (ISO/IEC 7812-1).
const DIGITS_MAX: usize = 19;

pub(super) async fn check(conn: &mut AsyncPgConnection, report: &mut Report) -> Result<(), VerifyError> {
    let mut check =
        CheckResult::new("no card number in the clear", 7, "No text or JSON column of any table holds a card number.");
    for mut table in store::tables::all(conn).await? {
        let name = table.name.clone();
        table.texts.retain(|(column, _)| !SAFE_COLUMNS.iter().any(|(t, c, _)| *t == name && c == column));
        let columns = table.texts.clone();
        let rows = store::tables::with_long_numbers(conn, &table, |row| {
            for ((column, is_json), text) in columns.iter().zip(row.texts) {
                let Some(text) = text.map(Zeroizing::new) else { continue };
                if let Some(scheme) = if *is_json { find_in_json(&text) } else { find(&text) } {
                    check.found(row.named.clone(), format!("{column} holds what passes for a {scheme} card number"));
                }
            }
        })
        .await?;
        check.rows_checked += rows.unsigned_abs();
    }
    report.checks.push(check);
    Ok(())
}

/// The scheme of the first card number among the values and keys of a JSON text.
fn find_in_json(text: &str) -> Option<CardScheme> {
    match serde_json::from_str(text) {
        Ok(value) => find_in_value(&value),
        Err(_) => find(text),
    }
}

fn find_in_value(value: &Value) -> Option<CardScheme> {
    match value {
        Value::Null | Value::Bool(_) => None,
        Value::Number(number) => find(&number.to_string()),
        Value::String(text) => find(text),
        Value::Array(items) => items.iter().find_map(find_in_value),
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            find(key).or_else(|| if SAFE_KEYS.contains(&key.as_str()) { None } else { find_in_value(value) })
        }),
    }
}

/// The scheme of the first card number in a text.
fn find(text: &str) -> Option<CardScheme> {
    let text = without_ids(text);
    // Numbers, each a run of groups of digits with nothing but spaces and hyphens between them.
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
    text.split(|byte| !is_part(byte)).find_map(|run| {
        let groups: Vec<&[u8]> = run.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
        (0..groups.len()).find_map(|first| starting_with(&groups[first..]))
    })
}

/// The scheme of a card number that begins with the first of these groups and ends with one of them.
fn starting_with(groups: &[&[u8]]) -> Option<CardScheme> {
    let mut digits = Zeroizing::new(String::with_capacity(DIGITS_MAX));
    for group in groups {
        if digits.len() + group.len() > DIGITS_MAX {
            return None;
        }
        digits.extend(group.iter().map(|byte| char::from(*byte)));
        // One that isn't 12 digits long yet isn't parsed. The check digit is asked of every scheme, also of those that issue
        // numbers without one: anything else would be a guess.
        if let Ok(pan) = Pan::parse(&digits)
            && pan.passes_luhn()
            && let Ok(scheme) = identify(&pan)
        {
            return Some(scheme);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for text in [
            "4111111111111111",
            "card 4111 1111 1111 1111, please",
            "4111-1111-1111-1111",
            "order 12 4111 1111 1111 1111",
            "pan=4111111111111111;",
            "pan4111111111111111x",
            "4111  1111 - 1111 1111",
            "2026-11-21 4111111111111111",
            "\u{e9}4111111111111111\u{e9}",
        ] {
            assert_eq!(find(text), Some(CardScheme::Visa), "{text}");
        }
        assert_eq!(find("378282246310005"), Some(CardScheme::Amex));
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "",
            "411111111111",
            "4111111111111112",
            "4111 1111 1111",
            "41111111111111110000",
            "760.06209697 789.35330985",
            "2026-11-21T10:53:12.123456Z",
            "7111111111111119",
            // UnionPay, without a check digit.
            "6200000000000001",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }

    #[test]
    fn identifiers_are_no_card_numbers_and_hide_none_beside_them() {
        let uuid = "41111111-1111-1111-0000-000000000000";
        assert_eq!(find(uuid), None);
        assert_eq!(find("a4111111111111111aaaaaaaaaaaaaaa"), None);
        assert_eq!(find("porq_a4111111111111111aaaaaaaaaaaaaaa"), None);
        assert_eq!(find(&format!("{uuid} 4111111111111111")), Some(CardScheme::Visa));
    }

    #[test]
    fn json_is_looked_through_by_its_values() {
        assert_eq!(find_in_json(r#"{"a": [1, {"b": "4111111111111111"}]}"#), Some(CardScheme::Visa));
        assert_eq!(find_in_json(r#"{"a": 4111111111111111}"#), Some(CardScheme::Visa));
        assert_eq!(find_in_json(r#"{"4111111111111111": null}"#), Some(CardScheme::Visa));
        assert_eq!(find_in_json(r#"{"rrn": "4111111111111111", "list": ["4111", "111111111111"]}"#), None);
        assert_eq!(find_in_json("not json 4111111111111111"), Some(CardScheme::Visa));
    }
}
