//! Striking card numbers out of texts that come from outside and are shown or kept. A last line of defence: whoever writes such a
//! text should have kept the number out of it already.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::{Pan, without_ids};

/// What stands where a number was.
const STRUCK: &str = "[card number]";
/// Card numbers have 12 digits at least, but none in use has fewer than 13, and retrieval reference numbers have 12.
const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
/// A shorter word hides no number: 13 digits are 18 characters in base64.
const WORD_MIN: usize = 18;

/// `text` without anything that could be a card number: 13 to 19 digits that pass the check digit, also in groups with
/// spaces, hyphens or plus signs between, or four and more digits between dots, and with digits or what is between them escaped as in JSON,
/// URLs and HTML. Our own integer ids never pass it, and digits within a UUID or a hexadecimal id are left alone.
///
/// ```
/// use landfall::domain::card::strike_numbers;
///
/// assert_eq!(strike_numbers("to 4111 1111-1111 1111, ref 12345"), "to [card number], ref 12345");
/// ```
pub fn strike_numbers(text: &str) -> Cow<'_, str> {
    // Escapes of digits have digits themselves.
    let has_digits = text.bytes().filter(u8::is_ascii_digit).take(DIGITS_MIN).count() == DIGITS_MIN;
    if !has_digits && text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let masked = without_ids(text);
    let mut run = Run::default();
    let mut found = Vec::new();
    let mut at = 0;
    while at < masked.len() {
        let (piece, length) = piece_of(&masked[at..]);
        match piece {
            Piece::Digit(digit) => {
                // With the backslash of an escape that is escaped itself.
                let is_escaped = length > 1 && at > 0 && masked[at - 1] == b'\\';
                run.push(digit, at - usize::from(is_escaped), at + length);
            }
            Piece::Dot => run.between(true),
            Piece::Separator => run.between(false),
            Piece::Other => run.end(&mut found),
        }
        at += length;
    }
    run.end(&mut found);
    without(text, &found)
}

/// [`strike_encoded`], and at most so many characters of it. Struck before and after the cut: digits of a run that is too long for a number
/// may be left as one that isn't.
pub fn strike_and_cut(text: &str, chars_max: usize) -> String {
    let cut: String = strike_encoded(text).chars().take(chars_max).collect();
    match strike_encoded(&cut) {
        Cow::Borrowed(_) => cut,
        Cow::Owned(struck) => struck.chars().take(chars_max).collect(),
    }
}

/// [`strike_numbers`], and without words that hold a number in hexadecimal or base64: for texts of whoever may have been sent one.
pub fn strike_encoded(text: &str) -> Cow<'_, str> {
    let struck = strike_numbers(text);
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    let (bytes, mut at, mut found) = (struck.as_bytes(), 0, Vec::new());
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| is_of_word(**byte)).count();
        if length >= WORD_MIN && hides_number(&bytes[at..at + length]) {
            found.push((at, at + length));
        }
        at += length.max(1);
    }
    match without(&struck, &found) {
        Cow::Borrowed(_) => struck,
        Cow::Owned(text) => Cow::Owned(text),
    }
}

fn without<'a>(text: &'a str, found: &[(usize, usize)]) -> Cow<'a, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut copied = 0;
    for (from, to) in found {
        out.push_str(&text[copied..*from]);
        out.push_str(STRUCK);
        copied = *to;
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

enum Piece {
    Digit(char),
    Separator,
    Dot,
    Other,
}

/// What a text begins with, and how many bytes of it that is.
fn piece_of(bytes: &[u8]) -> (Piece, usize) {
    let (byte, length) = match bytes {
        // Spaces and hyphens of other kinds: no-break, and those of general punctuation.
        [0xc2, 0xa0, ..] => (b' ', 2),
        [0xe2, 0x80, 0x80..=0x95 | 0xaf, ..] => (b' ', 3),
        // Digits of full width.
        [0xef, 0xbc, digit @ 0x90..=0x99, ..] => (b'0' + (digit - 0x90), 3),
        _ => escaped(bytes).unwrap_or((bytes[0], 1)),
    };
    let piece = match byte {
        b'0'..=b'9' => Piece::Digit(char::from(byte)),
        b'.' => Piece::Dot,
        // Before an escape that is escaped itself.
        b' ' | b'\t' | b'-' | b'+' | b'\\' => Piece::Separator,
        _ => Piece::Other,
    };
    (piece, length)
}

/// The character of an escape, and its length: `\u0034`, `\x34`, `%34`, `&#52;`, `&#x34;`.
fn escaped(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes {
        [b'\\', b'u' | b'U', rest @ ..] => Some((code(rest.get(..4)?, 16)?, 6)),
        [b'\\', b'x' | b'X', rest @ ..] => Some((code(rest.get(..2)?, 16)?, 4)),
        [b'%', rest @ ..] => Some((code(rest.get(..2)?, 16)?, 3)),
        [b'&', b'#', rest @ ..] => {
            let end = rest.iter().take(8).position(|byte| *byte == b';')?;
            let code = match rest {
                [b'x' | b'X', ..] => code(&rest[1..end], 16)?,
                _ => code(&rest[..end], 10)?,
            };
            Some((code, end + 3))
        }
        _ => None,
    }
}

fn code(digits: &[u8], radix: u32) -> Option<u8> {
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    u8::try_from(code).ok().filter(u8::is_ascii)
}

/// Groups of digits with nothing but separators between them.
#[derive(Default)]
struct Run {
    groups: Vec<Group>,
    /// Since the last group: whether anything but dots is between, and whether anything is.
    is_apart: bool,
    is_dotted: bool,
}

struct Group {
    digits: Zeroizing<String>,
    from: usize,
    to: usize,
    /// A single dot is all that is between it and the one before.
    after_dot: bool,
}

impl Run {
    fn push(&mut self, digit: char, from: usize, to: usize) {
        match self.groups.last_mut() {
            Some(group) if !self.is_apart && !self.is_dotted => {
                group.digits.push(digit);
                group.to = to;
            }
            _ => {
                let mut digits = Zeroizing::new(String::with_capacity(DIGITS_MAX + 1));
                digits.push(digit);
                self.groups.push(Group { digits, from, to, after_dot: self.is_dotted && !self.is_apart });
            }
        }
        (self.is_apart, self.is_dotted) = (false, false);
    }

    fn between(&mut self, is_dot: bool) {
        if is_dot && !self.is_dotted { self.is_dotted = true } else { self.is_apart = true }
    }

    /// Gathers the numbers of the run, as from and to, and forgets it.
    fn end(&mut self, found: &mut Vec<(usize, usize)>) {
        let groups = std::mem::take(&mut self.groups);
        (self.is_apart, self.is_dotted) = (false, false);
        let joined = joined(&groups);
        let mut from = 0;
        while from < groups.len() {
            let to = (from + 1..groups.len()).find(|index| !joined[*index]).unwrap_or(groups.len());
            numbers(&groups[from..to], found);
            from = to;
        }
    }
}

/// Which groups may belong to one number with the group before them. A dot is a decimal's unless at least two of them part groups as cards
/// have them: 4.4.4.4 or 4.6.5 and the like. What stands beside such a stretch doesn't matter: struck out, it would be looked at without it.
fn joined(groups: &[Group]) -> Vec<bool> {
    let mut joined: Vec<bool> = groups.iter().map(|group| !group.after_dot).collect();
    let digits = |index: usize| groups[index].digits.len();
    let mut from = 0;
    while from < groups.len() {
        let chain = from + 1 + groups[from + 1..].iter().take_while(|group| group.after_dot).count();
        let mut end = from + (from..chain).take_while(|index| (4..=6).contains(&digits(*index))).count();
        if end > from && end < chain && digits(end) <= 7 {
            end += 1;
        }
        if end - from >= 3 {
            joined[from + 1..end].fill(true);
        }
        from = end.max(from + 1);
    }
    joined
}

/// The card numbers of groups, from the left, none within another.
fn numbers(groups: &[Group], found: &mut Vec<(usize, usize)>) {
    let mut first = 0;
    while first < groups.len() {
        let mut digits = Zeroizing::new(String::with_capacity(2 * DIGITS_MAX));
        let mut end = None;
        for (index, group) in groups.iter().enumerate().skip(first) {
            if digits.len() + group.digits.len() > DIGITS_MAX {
                break;
            }
            digits.push_str(&group.digits);
            if digits.len() >= DIGITS_MIN && Pan::parse(&digits).is_ok_and(|pan| pan.passes_luhn()) {
                end = Some(index);
            }
        }
        match end {
            Some(last) => {
                found.push((groups[first].from, groups[last].to));
                first = last + 1;
            }
            None => first += 1,
        }
    }
}

/// Whether a word is a number in hexadecimal or base64, wherever in it that begins.
fn hides_number(word: &[u8]) -> bool {
    let holds = |bytes: &[u8]| {
        let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
        matches!(strike_numbers(&text), Cow::Owned(_))
    };
    let in_hex = word.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * DIGITS_MIN).any(|run| {
        (0..2).any(|skipped| {
            let run = &run[skipped..];
            hex::decode(&run[..run.len() & !1]).map(Zeroizing::new).is_ok_and(|bytes| holds(&bytes))
        })
    });
    let standard: Zeroizing<Vec<u8>> = Zeroizing::new(
        word.iter()
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                byte => *byte,
            })
            .collect(),
    );
    in_hex
        || (0..4).any(|skipped| {
            let part = standard.get(skipped..).unwrap_or_default();
            // One character more than fours tells nothing.
            let part = if part.len() % 4 == 1 { &part[..part.len() - 1] } else { part };
            LENIENT.decode(part).map(Zeroizing::new).is_ok_and(|bytes| holds(&bytes))
        })
}

/// A word may be cut out of a longer one.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cut_leaves_is_struck_as_well() {
        // Twenty digits are no card number; the first sixteen of them are.
        let long = "no 41111111111111112222, sorry";
        assert_eq!(strike_numbers(long), long);
        assert_eq!(strike_and_cut(long, 19), "no [card number]");
        assert_eq!(strike_and_cut(long, 100), long);
        // Nor is a number halved by the cut.
        assert_eq!(strike_and_cut("no 4111111111111111", 14), "no [card numbe");
        assert_eq!(strike_and_cut("no 41111111111111112222, sorry", 16), "no 4111111111111");
    }

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
            ("4111.1111.1111.1111 or 3782.822463.10005.", "[card number] or [card number]."),
            ("pan=4111%201111%201111%201111&x=1", "pan=[card number]&x=1"),
            ("pan=4111+1111+1111+1111&x=1", "pan=[card number]&x=1"),
            ("4111\u{a0}1111\u{2011}1111\u{202f}1111", "[card number]"),
            (r#"{"pan":"\u0034\u0031\u0031\u00311111 1111\u002d1111"}"#, r#"{"pan":"[card number]"}"#),
            (r#""{\"pan\":\"\\u0034\\u0031111111 11111111\"}""#, r#""{\"pan\":\"[card number]\"}""#),
            ("%34%31%311111111111111", "[card number]"),
            ("&#52;&#x31;11111111111111;", "[card number];"),
            ("\\x34\\x31\\x31\\x311111 11111111", "[card number]"),
            ("４１１１1111 11111111", "[card number]"),
        ] {
            assert_eq!(strike_numbers(text), left);
        }
    }

    #[test]
    fn what_is_struck_stays_as_it_is() {
        // A group of three digits parts two stretches of a chain; each is looked at by itself.
        let chain = ".2301.42302.430118.2301.42302.430.2301.42302.4304111 11";
        let struck = strike_numbers(chain).into_owned();
        assert_eq!(strike_numbers(&struck), struck);
        let mut random = 7_u64;
        for _ in 0..200_000 {
            let text: String = (0..48)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    char::from(
                        b"0123456789012345678901234567890123456789.....  -"
                            [usize::try_from(random >> 33).unwrap() % 48],
                    )
                })
                .collect();
            let struck = strike_numbers(&text);
            assert_eq!(strike_numbers(&struck), struck, "{text}");
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
            // Decimals, addresses, times.
            "4111111.111111111 41111111.11111111",
            "4111.1111 1111.1111",
            "192.168.100.101 192.168.100.102",
            "2026.11.22 10.11.12.131415",
            r"\u00",
            "%3",
            "&#5",
        ] {
            assert_eq!(strike_numbers(text), text);
            assert_eq!(strike_encoded(text), text);
        }
    }

    #[test]
    fn encoded_numbers_are_struck_wherever_in_a_word_they_begin() {
        let number = b"5555555555554444";
        for before in ["", "x", "xy"] {
            for after in ["", "z", "zz"] {
                let plain = [before.as_bytes(), number, after.as_bytes()].concat();
                let words = [
                    base64::engine::general_purpose::STANDARD.encode(&plain),
                    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&plain),
                    hex::encode(&plain),
                    hex::encode_upper(&plain),
                ];
                for word in words {
                    let struck = strike_encoded(&format!("told: {word}, again")).into_owned();
                    let rest = struck.trim_start_matches("told: [card number]").trim_start_matches('=');
                    assert_eq!(rest, ", again", "{word}");
                }
            }
        }
        let text = "NPQSldEOV8cUKvoLOeSjl06WsFmbtPhDcX/iOcIyXvA= 44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
        assert_eq!(strike_encoded(text), text);
    }
}
