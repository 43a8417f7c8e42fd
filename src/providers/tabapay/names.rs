//! A holder's name as TabaPay takes it: a first and a last name of plain letters, digits, spaces, `_` and `-` (the specification's `name`).
//! Anything else meets its firewall, which answers with a page instead of JSON.

use zeroize::Zeroizing;

/// The owner of the card that is paid to.
pub struct OwnerName {
    pub first: Zeroizing<String>,
    pub last: Zeroizing<String>,
}

/// Splits a name before its last word and writes it in plain letters; accents and apostrophes are dropped. `None` where it has one word
/// only, or letters that have no plain form: a name that is made up would be somebody else's.
pub fn owner(holder: &str) -> Option<OwnerName> {
    // Never outgrown, so that no copy stays behind: a letter's plain form is no longer than the letter.
    let mut plain = Zeroizing::new(String::with_capacity(holder.len()));
    for c in holder.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => plain.push(c),
            ' ' | '.' => plain.push(' '),
            // An apostrophe, and accents that are characters of their own.
            '\'' | '\u{300}'..='\u{36f}' => {}
            c => push_plain(c, &mut plain)?,
        }
    }
    let trimmed = plain.trim();
    let (first, last) = trimmed.rsplit_once(' ')?;
    let first = words(first);
    (!first.is_empty() && has_letter(&first) && has_letter(last))
        .then(|| OwnerName { first, last: Zeroizing::new(last.to_owned()) })
}

/// With one space between words.
fn words(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    for word in text.split_ascii_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn has_letter(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// `None` for a letter without a plain form.
fn push_plain(c: char, out: &mut String) -> Option<()> {
    let lower = c.to_lowercase().next()?;
    let plain = match lower {
        'i' => "i",
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ŷ' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    };
    let is_upper = c.is_uppercase();
    out.extend(plain.chars().map(|p| if is_upper { p.to_ascii_uppercase() } else { p }));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(holder: &str) -> Option<(String, String)> {
        owner(holder).map(|name| (name.first.to_string(), name.last.to_string()))
    }

    #[test]
    fn names_are_split_before_their_last_word_and_written_plainly() {
        for (holder, first, last) in [
            ("GRACE HOPPER", "GRACE", "HOPPER"),
            ("Anne-Marie St. Clair", "Anne-Marie St", "Clair"),
            ("J.R. O'Brien", "J R", "OBrien"),
            ("José Núñez", "Jose", "Nunez"),
            ("Jose\u{301} Nu\u{301}n\u{303}ez", "Jose", "Nunez"),
            ("ŁUKASZ ŻÓŁĆ", "LUKASZ", "ZOLC"),
            ("Jürgen Weiß", "Jurgen", "Weiss"),
            ("İPEK ŞAHİN", "IPEK", "SAHIN"),
            ("Ægir  Þór", "AEgir", "THor"),
            ("  Ann   Mary  Lee ", "Ann Mary", "Lee"),
        ] {
            assert_eq!(told(holder), Some((first.to_owned(), last.to_owned())), "{holder}");
        }
    }

    #[test]
    fn a_name_that_would_have_to_be_made_up_is_none() {
        for holder in ["", " ", "MADONNA", "Иван Петров", "王 明", "- -", "A .", "John Петров"] {
            assert_eq!(told(holder), None, "{holder}");
        }
    }

    #[test]
    fn what_is_written_fits_the_specification_and_its_buffer() {
        for holder in ["Ægir Þór ẞ", "éèê ÄÖÜ", "O'Neil-Ž. Łęcka"] {
            let Some(name) = owner(holder) else { panic!("{holder}") };
            for text in [&*name.first, &*name.last] {
                assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b" _-".contains(&b)), "{text}");
                assert!(text.len() <= holder.len());
            }
        }
    }
}
