//! The name on the card.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// ISO/IEC 7813 gives the magnetic stripe 26 characters; names on file are longer.
const CHARS_MIN: usize = 2;
const CHARS_MAX: usize = 64;

/// A card holder's name: personal data, so it redacts `Debug`, can't be serialized and is wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct HolderName(String);

/// Why a text is not a holder's name. Says nothing of the text itself, which may be a card number in the wrong field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HolderNameError {
    #[error("a card holder's name has 2 to 64 characters")]
    Length,
    #[error("a card holder's name has letters, spaces, full stops, apostrophes and hyphens only")]
    Characters,
}

impl HolderName {
    /// Reads a name: letters of any script, spaces, `.`, `'` and `-`, at least one a letter. Digits are refused, so that a card number
    /// typed into the wrong field is never kept. The typographic apostrophe that phone keyboards insert is taken as `'`.
    pub fn parse(text: &str) -> Result<Self, HolderNameError> {
        let text = text.trim();
        // Counted within bounds: the text may be as long as a request body.
        let chars = text.chars().take(CHARS_MAX + 1).count();
        if !(CHARS_MIN..=CHARS_MAX).contains(&chars) {
            return Err(HolderNameError::Length);
        }
        let mut name = Self(String::with_capacity(text.len()));
        let mut letters = 0;
        for c in text.chars() {
            match c {
                ' ' | '.' | '\'' | '-' => name.0.push(c),
                '\u{2019}' => name.0.push('\''),
                // Accents that were typed as characters of their own.
                '\u{300}'..='\u{36f}' if letters > 0 => name.0.push(c),
                // Roman numerals and the like are alphabetic and numeric at once.
                c if c.is_alphabetic() && !c.is_numeric() => {
                    letters += 1;
                    name.0.push(c);
                }
                _ => return Err(HolderNameError::Characters),
            }
        }
        if letters > 0 { Ok(name) } else { Err(HolderNameError::Characters) }
    }

    /// A name that was checked when it was taken in, as the vault opens it: rules that became stricter since must not make it unreadable.
    pub fn new(name: String) -> Self {
        Self(name)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HolderName(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_are_taken() {
        for name in
            ["JOHN SMITH", "O'Brien", "Anne-Marie St. Clair", "Иван Петров", "王明", "José", "Jose\u{301}", "Al"]
        {
            assert_eq!(HolderName::parse(name).unwrap().expose(), name);
        }
        assert_eq!(HolderName::parse("  Ann Lee \n").unwrap().expose(), "Ann Lee");
        assert_eq!(HolderName::parse("O\u{2019}Brien").unwrap().expose(), "O'Brien");
    }

    #[test]
    fn a_card_number_in_the_name_is_refused() {
        for text in [
            "4111111111111111",
            "JOHN 4111111111111111",
            "John Smith 2",
            "4111 1111 1111 1111",
            "٤١١١١١١١١١١١١١١١",
            "John Ⅷ",
        ] {
            assert_eq!(HolderName::parse(text), Err(HolderNameError::Characters), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "A\nB",
            "A\tB",
            "A\0B",
            "A\u{7f}B",
            "A\u{202e}B",
            "a@b",
            "<b>x",
            "a;b",
            "a\u{a0}b",
            "--",
            "..",
            "\u{301}\u{301}",
        ] {
            assert_eq!(HolderName::parse(text), Err(HolderNameError::Characters), "{text:?}");
        }
        for text in ["", " ", "A", " A ", &"A".repeat(65)] {
            assert_eq!(HolderName::parse(text), Err(HolderNameError::Length), "{text:?}");
        }
        assert!(HolderName::parse(&"Ж".repeat(64)).is_ok());
    }

    #[test]
    fn a_name_shows_nothing_and_is_wiped() {
        let mut name = HolderName::parse("Zaphod").unwrap();
        assert!(!format!("{name:?} {name:#?}").contains("Zaphod"));
        name.zeroize();
        assert_eq!(name.expose(), "");
    }
}
