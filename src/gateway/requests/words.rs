//! What is asked of the texts that a request brings: lengths, characters, and that no card number stands where it would be kept.

use serde_json::{Map, Value};

use super::super::access::Problem;
use crate::domain::card::{Pan, identify, strike_numbers};
use crate::domain::ids::Mode;
use crate::gateway::webhooks::is_receiver;

/// Where a request's attributes stand in its document.
pub(super) const ATTRIBUTES: &str = "/data/attributes";
const CODE_CARD: &str = "CARD_NUMBER";
pub const METADATA_KEYS_MAX: usize = 50;
pub const METADATA_CHARS_MAX: usize = 500;
pub const METADATA_KEY_CHARS_MAX: usize = 64;

/// Gathers what is wrong.
#[derive(Default)]
pub(super) struct Problems(pub Vec<Problem>);

impl Problems {
    pub fn add(&mut self, attribute: &str, code: &'static str, detail: impl Into<String>) {
        self.0.push(Problem::new(format!("{ATTRIBUTES}/{attribute}"), code, detail));
    }

    /// A line of text that is kept as it is.
    pub fn text(&mut self, attribute: &str, text: &str, chars_max: usize) {
        let count = text.chars().take(chars_max + 1).count();
        if count == 0 || count > chars_max {
            self.add(attribute, "WRONG_LENGTH", format!("has 1 to {chars_max} characters"));
        } else if text.chars().any(char::is_control) {
            self.add(attribute, "INVALID_CHARACTERS", "has control characters");
        } else if holds_card_number(text) {
            self.add(
                attribute,
                CODE_CARD,
                "holds what passes for a card number, which belongs in the service's fields",
            );
        }
    }

    /// The partner's own name of something.
    pub fn reference(&mut self, attribute: &str, text: &str, chars_max: usize) {
        self.text(attribute, text, chars_max);
        if text.trim() != text {
            self.add(attribute, "INVALID_CHARACTERS", "begins or ends with a space");
        }
    }

    /// A flat object of texts, numbers and truths.
    pub fn metadata(&mut self, attribute: &str, metadata: &Map<String, Value>) {
        if metadata.len() > METADATA_KEYS_MAX {
            self.add(attribute, "TOO_MANY", format!("has at most {METADATA_KEYS_MAX} keys"));
            return;
        }
        for (key, value) in metadata {
            let sound_key = (1..=METADATA_KEY_CHARS_MAX).contains(&key.len())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
            if !sound_key || holds_card_number(key) {
                self.add(attribute, "INVALID_KEY", "a key has 1 to 64 characters of A-Z, a-z, 0-9, _, - and .");
                continue;
            }
            let pointer = format!("{attribute}/{key}");
            match value {
                Value::Null | Value::Bool(_) => {}
                Value::String(text) if text.is_empty() => {}
                Value::String(text) => self.text(&pointer, text, METADATA_CHARS_MAX),
                Value::Number(number) => self.text(&pointer, &number.to_string(), 64),
                Value::Array(_) | Value::Object(_) => {
                    self.add(&pointer, "WRONG_TYPE", "is a text, a number, true, false or null");
                }
            }
        }
    }

    /// An address that we are to call: in live mode only by https.
    pub fn callback_url(&mut self, attribute: &str, text: &str, mode: Mode) {
        let detail = match mode {
            Mode::Live => "is an https address without user name and password, of at most 2000 characters",
            Mode::Test => "is an http or https address without user name and password, of at most 2000 characters",
        };
        let sound = is_receiver(text, mode);
        if !sound {
            self.add(attribute, "INVALID_URL", detail);
        } else if holds_card_number(text) {
            self.add(attribute, CODE_CARD, "holds what passes for a card number");
        }
    }

    /// A field that is kept in the clear.
    pub fn plain_field(&mut self, key: &str, value: &str) {
        // Alone, a number of twelve digits too; within a text, what is struck elsewhere.
        let is_card = Pan::parse(value).is_ok_and(|pan| pan.passes_luhn() && identify(&pan).is_ok());
        if is_card || holds_card_number(value) {
            self.add(&format!("fields/{key}"), CODE_CARD, "holds what passes for a card number");
        }
    }
}

fn holds_card_number(text: &str) -> bool {
    strike_numbers(text) != text
}
