//! What is searched for: each secret in every form in which programs write such a thing.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Something that must be found nowhere. Reports name it and never show it.
#[derive(Clone)]
pub struct Secret {
    pub name: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// Digits.
    Number(String),
    Text(String),
    Key(Vec<u8>),
}

/// How a secret may be written.
#[derive(Clone)]
pub struct Form {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    /// Searched for in what is left without separators and escapes, too.
    pub is_flat: bool,
}

fn form(name: &'static str, bytes: impl Into<Vec<u8>>) -> Form {
    Form { name, bytes: bytes.into(), is_flat: false }
}

impl Secret {
    pub fn number(name: &str, digits: &str) -> Self {
        assert!(digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_digit()), "{name}");
        Self { name: name.to_owned(), kind: Kind::Number(digits.to_owned()) }
    }

    pub fn text(name: &str, text: &str) -> Self {
        assert!(text.len() >= 8, "{name} is too short to be told from anything else");
        Self { name: name.to_owned(), kind: Kind::Text(text.to_owned()) }
    }

    pub fn key(name: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 16, "{name}");
        Self { name: name.to_owned(), kind: Kind::Key(bytes.to_vec()) }
    }

    pub fn expose(&self) -> &[u8] {
        match &self.kind {
            Kind::Number(text) | Kind::Text(text) => text.as_bytes(),
            Kind::Key(bytes) => bytes,
        }
    }

    /// What is searched for.
    pub fn forms(&self) -> Vec<Form> {
        let plain = self.expose();
        let mut forms = vec![
            form("hex", hex::encode(plain)),
            form("HEX", hex::encode_upper(plain)),
            form("list of bytes", listed(plain, ", ")),
            form("dense list of bytes", listed(plain, ",")),
        ];
        for (name, shift) in [("base64", 0), ("base64 after one byte", 1), ("base64 after two bytes", 2)] {
            forms.push(form(name, inner_base64(&STANDARD, plain, shift)));
            let in_urls = inner_base64(&URL_SAFE, plain, shift);
            if forms.last().is_some_and(|last| last.bytes != in_urls.as_bytes()) {
                forms.push(form("base64 of URLs", in_urls));
            }
        }
        match &self.kind {
            Kind::Number(digits) => {
                forms.push(Form { is_flat: true, ..form("digits", digits.as_bytes()) });
                forms.push(Form { is_flat: true, ..form("hex, in groups", hex::encode(plain)) });
                forms.push(form("BCD", bcd(digits)));
                if let Ok(number) = digits.parse::<u64>() {
                    forms.push(form("integer, little-endian", number.to_le_bytes()));
                    forms.push(form("integer, big-endian", number.to_be_bytes()));
                }
                forms.push(form("numeric, as PostgreSQL's pages have it", base_10000(digits, u16::to_le_bytes)));
                forms.push(form("numeric, as it is sent", base_10000(digits, u16::to_be_bytes)));
                forms.push(form("UTF-16", utf16(digits)));
            }
            Kind::Text(text) => {
                forms.push(form("as it is", text.as_bytes()));
                forms.push(form("JSON", serde_json::to_string(text).unwrap().trim_matches('"')));
                forms.push(form("percent-encoded", percent_encoded(text)));
                forms.push(form("UTF-16", utf16(text)));
            }
            Kind::Key(bytes) => forms.push(form("bytes", bytes.clone())),
        }
        forms
    }

    /// Ways in which a number is written that the forms find by what is left without separators and escapes: for planting.
    pub fn spellings(&self) -> Vec<(&'static str, Vec<u8>)> {
        let Kind::Number(digits) = &self.kind else { return Vec::new() };
        let each = |write: &dyn Fn(char) -> String| digits.chars().map(write).collect::<String>().into_bytes();
        let grouped = |between: &str| {
            let groups: Vec<String> =
                digits.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
            groups.join(between).into_bytes()
        };
        vec![
            ("spaces", grouped(" ")),
            ("dashes", grouped("-")),
            ("dots", grouped(".")),
            ("%20", grouped("%20")),
            ("plus signs", grouped("+")),
            ("no-break spaces", grouped("\u{a0}")),
            ("figure dashes", grouped("\u{2012}")),
            ("a space after each digit", each(&|c| format!("{c} "))),
            ("JSON escapes", each(&|c| format!("\\u{:04x}", u32::from(c)))),
            ("JSON escapes in JSON", each(&|c| format!("\\\\u{:04x}", u32::from(c)))),
            ("byte escapes", each(&|c| format!("\\x{:02x}", u32::from(c)))),
            ("percent escapes", each(&|c| format!("%{:02X}", u32::from(c)))),
            ("character references", each(&|c| format!("&#{};", u32::from(c)))),
            ("hexadecimal character references", each(&|c| format!("&#x{:x};", u32::from(c)))),
            ("a hex dump", digits.bytes().map(|b| format!("{b:02x} ")).collect::<String>().into_bytes()),
        ]
    }
}

/// A number of a scheme, by its first digits.
pub fn card_number(without_check_digit: &str) -> String {
    let sum: u32 = without_check_digit
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    format!("{without_check_digit}{}", (10 - sum % 10) % 10)
}

fn listed(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(between)
}

/// What of the base64 is the same whatever stands around, `shift` bytes after a multiple of three.
fn inner_base64(engine: &impl Engine, plain: &[u8], shift: usize) -> String {
    let text = engine.encode([&vec![0; shift], plain].concat());
    let from = [0, 2, 3][shift];
    let to = (shift + plain.len()) * 8 / 6;
    text[from..to].to_owned()
}

fn bcd(digits: &str) -> Vec<u8> {
    let even = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("{digits}f") };
    hex::decode(even).unwrap()
}

fn base_10000(digits: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let head = digits.len() % 4;
    let groups = std::iter::once(&digits[..head])
        .chain(digits.as_bytes()[head..].chunks(4).map(|group| std::str::from_utf8(group).unwrap()));
    groups.filter(|group| !group.is_empty()).flat_map(|group| bytes(group.parse().unwrap())).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
