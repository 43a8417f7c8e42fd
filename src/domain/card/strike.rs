//! Striking card numbers out of texts that come from outside and are shown or kept. A last line of defence: whoever writes such a
//! text should have kept the number out of it already.

use std::borrow::Cow;

use super::{Pan, without_ids};

/// What stands where a number was.
const STRUCK: &str = "[card number]";
/// Card numbers have 12 digits at least, but none in use has fewer than 13, and retrieval reference numbers have 12.
const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;

/// `text` without anything that could be a card number: 13 to 19 digits that pass the check digit, also in groups with
/// spaces or hyphens between. Our own integer ids never pass it, and digits within a UUID or a hexadecimal id are left alone.
///
/// ```
/// use landfall::domain::card::strike_numbers;
///
/// assert_eq!(strike_numbers("to 4111 1111-1111 1111, ref 12345"), "to [card number], ref 12345");
/// ```
pub fn strike_numbers(text: &str) -> Cow<'_, str> {
    let masked = without_ids(text);
    let bytes = masked.as_slice();
    let mut groups = Vec::new();
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        at = read_groups(bytes, at, &mut groups);
        for (from, to) in numbers(text, &groups) {
            out.push_str(&text[copied..from]);
            out.push_str(STRUCK);
            copied = to;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Reads runs of digits with nothing but spaces and hyphens between them, as (from, to), and answers where they end.
fn read_groups(bytes: &[u8], start: usize, groups: &mut Vec<(usize, usize)>) -> usize {
    groups.clear();
    let mut from = start;
    loop {
        let to = from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        groups.push((from, to));
        from = to + bytes[to..].iter().take_while(|b| matches!(b, b' ' | b'-')).count();
        if from == to || !bytes.get(from).is_some_and(u8::is_ascii_digit) {
            return to;
        }
    }
}

/// The parts of the text that are card numbers, from the left, none within another.
fn numbers(text: &str, groups: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut first = 0;
    while first < groups.len() {
        let mut digits = String::new();
        let mut end = None;
        for (index, (from, to)) in groups.iter().enumerate().skip(first) {
            digits.push_str(&text[*from..*to]);
            if digits.len() > DIGITS_MAX {
                break;
            }
            if digits.len() >= DIGITS_MIN && Pan::parse(&digits).is_ok_and(|pan| pan.passes_luhn()) {
                end = Some(index);
            }
        }
        match end {
            Some(last) => {
                found.push((groups[first].0, groups[last].1));
                first = last + 1;
            }
            None => first += 1,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_struck_out_however_they_are_written() {
        for (text, left) in [
            ("4111111111111111", "[card number]"),
            ("pan=4111111111111111;", "pan=[card number];"),
            (r#"{"pan":"4111 1111-1111 1111"}"#, r#"{"pan":"[card number]"}"#),
            ("4111  1111 - 1111  1111", "[card number]"),
            ("12 4111 1111 1111 1111 99", "12 [card number] 99"),
            ("378282246310005 and 5555555555554444", "[card number] and [card number]"),
            ("ü4111111111111111ü", "ü[card number]ü"),
        ] {
            assert_eq!(strike_numbers(text), left);
        }
    }

    #[test]
    fn what_is_no_card_number_stays() {
        for text in [
            "",
            "4111111111111112",
            "rrn 411111111111",
            "arn 74537604221222012345678",
            "2026-11-21 09:42:00",
            "4111 **** **** 1111",
            "order 41111111-1111-1111-0000-000000000000",
            "porq_a4111111111111111aaaaaaaaaaaaaaa",
        ] {
            assert_eq!(strike_numbers(text), text);
        }
    }
}
