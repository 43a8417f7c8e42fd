//! What users are told, in their language. Each language is a file whose `match` must name every code, so none can be
//! missing. Texts hold nothing of the request.

use super::error::Code;
use super::v4::FeeType;

/// A language is a file and its line here. The file must name every code and every fee: what it leaves out doesn't compile.
macro_rules! languages {
    ($default:ident = $default_file:ident $(, $name:ident = $file:ident)* $(,)?) => {
        mod $default_file;
        $(mod $file;)*

        /// A language that we speak.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum Language {
            #[default]
            $default,
            $($name,)*
        }

        impl Language {
            pub const ALL: &[Language] = &[Language::$default $(, Language::$name)*];

            pub const fn as_str(self) -> &'static str {
                match self {
                    Language::$default => stringify!($default_file),
                    $(Language::$name => stringify!($file),)*
                }
            }
        }

        /// What the user is told of `code`.
        pub const fn message(code: Code, language: Language) -> &'static str {
            match language {
                Language::$default => $default_file::message(code),
                $(Language::$name => $file::message(code),)*
            }
        }

        /// The word before a limit that is shown: `Limit: 21 EUR`.
        pub const fn limit_word(language: Language) -> &'static str {
            match language {
                Language::$default => $default_file::LIMIT,
                $(Language::$name => $file::LIMIT,)*
            }
        }

        /// How a fee is called on the screen.
        pub const fn fee_name(fee: FeeType, language: Language) -> &'static str {
            match language {
                Language::$default => $default_file::fee_name(fee),
                $(Language::$name => $file::fee_name(fee),)*
            }
        }
    };
}

languages! { En = en, Es = es, De = de, Uk = uk, Ru = ru }

/// No header of preferences needs more entries.
const PREFERENCES_MAX: usize = 32;

impl Language {
    /// The language that `Accept-Language` prefers (RFC 9110 section 12.5.4): the highest quality, the first among
    /// equals. English when it names none of ours. Ours are known by their ISO 639-1 codes, which their files are called by.
    pub fn negotiate(accept_language: &str) -> Self {
        let mut best = (0, Language::En);
        for entry in accept_language.split(',').take(PREFERENCES_MAX) {
            let (range, quality) = match entry.split_once(';') {
                Some((range, weight)) => (range.trim(), thousandths(weight)),
                None => (entry.trim(), Some(1000)),
            };
            let primary = range.split('-').next().unwrap_or("");
            let language = match primary {
                "*" => Some(Language::En),
                _ => Self::ALL.iter().copied().find(|language| language.as_str().eq_ignore_ascii_case(primary)),
            };
            if let (Some(language), Some(quality)) = (language, quality)
                && quality > best.0
            {
                best = (quality, language);
            }
        }
        best.1
    }
}

/// A weight (`q=0.8`) in thousandths; `None` when it is none.
fn thousandths(weight: &str) -> Option<u16> {
    let (name, value) = weight.trim().split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (integer, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (integer, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_language_wins() {
        for (header, wanted) in [
            ("", Language::En),
            ("uk", Language::Uk),
            ("de-AT,de;q=0.9,en;q=0.8", Language::De),
            ("fr-FR, es;q=0.5, ru;q=0.7", Language::Ru),
            ("en;q=0.1, ES;Q=0.9", Language::Es),
            ("ru;q=0, uk;q=0.001", Language::Uk),
            ("fr, *;q=0.5, de;q=0.4", Language::En),
            ("de;q=2, es;q=0.2", Language::Es),
            ("de;q=0.1234, ru;q=x, es;level=1", Language::En),
            ("uk,ru", Language::Uk),
            (",,;;=,q=1;", Language::En),
        ] {
            assert_eq!(Language::negotiate(header), wanted, "{header:?}");
        }
    }

    #[test]
    fn every_language_says_every_code_in_its_own_words() {
        for language in Language::ALL.iter().copied() {
            assert!(!limit_word(language).is_empty());
            for code in Code::ALL {
                let text = message(*code, language);
                assert!(text.ends_with('.') && text.len() > 8, "{language:?} {code:?}");
                if language != Language::En {
                    assert_ne!(text, message(*code, Language::En), "{language:?} {code:?}");
                }
            }
            for fee in [FeeType::Transaction, FeeType::Gas, FeeType::Additional, FeeType::Partner] {
                assert!(!fee_name(fee, language).is_empty());
            }
        }
    }
}
