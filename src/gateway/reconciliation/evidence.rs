//! What a case about a difference keeps: both sides, under a name that can't be a card number and isn't one's bare hash.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::domain::asset::AssetCode;
use crate::domain::card::strike_numbers;
use crate::domain::reconciliation::{Line, Ours, Theirs};
use crate::providers::echo::passes_for_number;
use crate::store::cases::Case;
use crate::vault::Vault;

/// The longest reference of somebody else's that is kept as it is, in characters.
const SUBJECT_CHARS_MAX: usize = 100;
/// From so many digits on, a text may hold a card number.
const DIGITS_MAX: usize = 11;
/// What such a reference's name is made of, in the vault's MAC.
const NAMED: &str = "foreign reference";
/// Before a name that was made of a hash without a key, by earlier versions. [`keyed`] gives its name of now.
pub(super) const UNKEYED: &str = "masked/";

/// What a line's case is about: our own reference, or what the report has, without anything that could be a card number.
pub(super) fn subject_of(vault: &Vault, line: &Line) -> String {
    let is_ours = line.ours.is_some();
    let has_long_number = line
        .reference
        .split(|c: char| !c.is_ascii_digit() && c != ' ' && c != '-')
        .any(|run| run.chars().filter(char::is_ascii_digit).count() > DIGITS_MAX);
    let is_plain = line.reference.chars().count() <= SUBJECT_CHARS_MAX && !line.reference.contains('\0');
    if is_ours || (is_plain && !has_long_number && !passes_for_number(&line.reference)) {
        return line.reference.clone();
    }
    keyed(vault, &unkeyed(&line.reference))
}

/// 128 bits of a reference's SHA-256. All numbers of a scheme are soon hashed: never to be kept.
fn unkeyed(reference: &str) -> String {
    format!("{UNKEYED}{}", letters(&Sha256::digest(reference.as_bytes())))
}

/// The name that stands for such a hash: a MAC of it, so that names of earlier versions are carried over without the reference.
pub(super) fn keyed(vault: &Vault, unkeyed: &str) -> String {
    format!("keyed/{}", letters(&vault.foreign_mac(NAMED, unkeyed.as_bytes())))
}

/// The first 128 bits, in letters alone.
fn letters(hash: &[u8]) -> String {
    hash.iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]).map(|n| char::from(b'a' + n)).collect()
}

fn side_of_ours(ours: &Ours) -> Value {
    json!({
        "status": ours.status.as_str(),
        "amount_processed": ours.amount_processed.normalize().to_string(),
        "amount_returned": ours.amount_returned.normalize().to_string(),
        "currency": ours.currency.as_str(),
        "original_id": ours.original_id.as_deref().map(strike_numbers),
    })
}

fn side_of_theirs(row: &Theirs) -> Value {
    // Whoever typed or exported the report may have a card number there; of ours too.
    let id = row.original_id.as_deref().map(strike_numbers);
    let id = id.map(|id| id.chars().filter(|c| *c != '\0').take(200).collect::<String>());
    json!({
        "status": row.status.as_str(),
        "amount_processed": row.amount_processed.normalize().to_string(),
        "amount_returned": row.amount_returned.normalize().to_string(),
        "currency": row.currency.as_str(),
        "original_id": id,
        "taken_at": row.taken_at,
    })
}

/// Both sides, of what is named so.
pub(super) fn evidence_of(name: &str, line: &Line, surplus: Option<(Decimal, AssetCode)>, is_booked: bool) -> Value {
    let surplus = surplus.filter(|(amount, _)| *amount > Decimal::ZERO).map(|(amount, asset)| {
        json!({"amount": amount.normalize().to_string(), "currency": asset.as_str(), "booked": is_booked})
    });
    json!({
        "reference": name,
        "ours": line.ours.as_ref().map(side_of_ours),
        "theirs": line.theirs.iter().map(side_of_theirs).collect::<Vec<_>>(),
        "surplus": surplus,
    })
}

/// Whether a case was about the same as what is found now.
pub(super) fn says_the_same(case: &Case, evidence: &Value) -> bool {
    ["ours", "theirs"].iter().all(|side| case.evidence.get(side) == evidence.get(side))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::reconciliation::Finding;
    use crate::vault::keys::FileKeys;
    use crate::vault::testing::MemoryDeks;

    async fn vault() -> Vault {
        let folder = tempfile::tempdir().unwrap();
        let keys = FileKeys::open_or_generate(&folder.path().join("kek.json")).unwrap();
        let deks: Arc<MemoryDeks> = Arc::default();
        Vault::start(Arc::new(keys), deks, false).await.unwrap()
    }

    #[tokio::test]
    async fn what_could_be_a_card_number_is_masked_and_stays_one_name() {
        let (vault, another) = (vault().await, vault().await);
        let named = |vault: &Vault, reference: &str| {
            let line = Line { reference: reference.to_owned(), ours: None, theirs: Vec::new(), finding: Finding::Left };
            subject_of(vault, &line)
        };
        let subject = |reference: &str| named(&vault, reference);
        for reference in [
            "4111111111111111",
            "NDExMTExMTExMTExMTExMQ",
            "pay 4111 1111-1111 1111",
            "123456789012",
            &"x".repeat(101),
            "a\0b",
        ] {
            let masked = subject(reference);
            assert!(masked.starts_with("keyed/") && masked.len() == 38, "{masked}");
            assert!(!masked.contains(|c: char| c.is_ascii_digit()));
            assert_eq!(masked, subject(reference));
            // Nobody without the key makes that name, and one that was made without it is carried over.
            assert_ne!(masked, named(&another, reference));
            assert_eq!(masked, keyed(&vault, &unkeyed(reference)));
        }
        assert_ne!(subject("4111111111111111"), subject("4111111111111112"));
        for reference in ["by hand", "12345678901", "2026-11-x-21", "-/p3"] {
            assert_eq!(subject(reference), reference);
        }
    }
}
