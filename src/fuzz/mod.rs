//! Everything that reads bytes from outside, as targets for fuzzing: each takes any bytes, and panics where a promise is broken. The same
//! targets run under libFuzzer (`make fuzz`) and, bounded, in the tests on stable Rust (`tests/properties/fuzz.rs`). Not part of a release.

mod answers;
mod callbacks;
mod schemes;
mod texts;

use crate::domain::card::strike_numbers;

/// A reader of bytes from outside.
pub struct Target {
    /// Also of the folder with its seeds, `tests/fuzz/seeds/NAME`.
    pub name: &'static str,
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All of them.
pub const TARGETS: [Target; 18] = [
    target("amount", texts::amount),
    target("batch_csv", crate::gateway::batches::fuzz::batch_csv),
    target("callback", callbacks::callback),
    target("card_body", crate::http::fuzz::card_body),
    target("card_number", texts::card_number),
    target("cursor", crate::http::fuzz::cursor),
    target("exchange_scheme", schemes::exchange),
    target("iin_table", texts::iin_table),
    target("inquiry_answer", answers::inquiry),
    target("jwks", crate::http::fuzz::jwks),
    target("offer_body", crate::http::fuzz::offer_body),
    target("payout_scheme", schemes::payout),
    target("rates", crate::rates::fuzz::answer),
    target("report_csv", texts::report_csv),
    target("request_body", crate::http::fuzz::request_body),
    target("sealed", crate::vault::fuzz::sealed),
    target("send_answer", answers::send),
    target("token", crate::http::fuzz::token),
];

/// Runs one of them.
///
/// # Panics
/// Where there is none of that name; and where the target found something.
pub fn run(name: &str, data: &[u8]) {
    match TARGETS.iter().find(|target| target.name == name) {
        Some(target) => (target.run)(data),
        None => panic!("no target is called {name}"),
    }
}

/// A value as `Debug` writes it, but with NUL as `\u{0}`: its `\0` would lend a digit to the digits behind it.
pub(crate) fn debug_text(value: &impl std::fmt::Debug) -> String {
    let written = format!("{value:?}");
    let mut text = String::with_capacity(written.len());
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        text.push(c);
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('0')) => text.push_str("u{0}"),
            (_, escaped) => text.extend(escaped),
        }
    }
    text
}

/// What is told must hold no card number, whatever came in.
pub(crate) fn assert_tells_no_number(what: &str, told: &str) {
    assert_eq!(strike_numbers(told), told, "{what} tells a card number");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_lends_no_digit_and_all_else_is_as_debug_writes_it() {
        assert_eq!(debug_text(&"a\u{0}63\\0\n\"é\u{7f}"), r#""a\u{0}63\\0\n\"é\u{7f}""#);
    }
}
