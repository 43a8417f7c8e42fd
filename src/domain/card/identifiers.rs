//! Identifiers within texts: what looks like a card number in them is none.

use zeroize::Zeroizing;

/// The text's bytes, as many as before, with identifiers struck out whose digits mean nothing: UUIDs, and hexadecimal words of 32, 40
/// or 64 characters.
pub fn without_ids(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(text.as_bytes().to_vec());
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(&bytes[at]) {
            at += 1;
            continue;
        }
        let word = at + bytes[at..].iter().take_while(|byte| is_word(byte)).count();
        let end = if is_uuid(&bytes[at..]) {
            at + UUID_LEN
        } else if is_hex_id(&bytes[at..word]) {
            word
        } else {
            at = word;
            continue;
        };
        bytes[at..end].fill(b'x');
        at = end;
    }
    bytes
}

const UUID_LEN: usize = 36;

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')
}

fn is_hex_id(word: &[u8]) -> bool {
    matches!(word.len(), 32 | 40 | 64)
        && word.iter().all(|byte| is_hex(*byte))
        && word.iter().any(u8::is_ascii_lowercase)
}

/// Whether a UUID stands at the start: 8, 4, 4, 4 and 12 hexadecimal digits, and no more of them.
fn is_uuid(bytes: &[u8]) -> bool {
    let fits = |(n, byte): (usize, &u8)| if matches!(n, 8 | 13 | 18 | 23) { *byte == b'-' } else { is_hex(*byte) };
    bytes.len() >= UUID_LEN
        && bytes.iter().take(UUID_LEN).enumerate().all(fits)
        && bytes.get(UUID_LEN).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}
