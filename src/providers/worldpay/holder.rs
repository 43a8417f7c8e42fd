//! A card holder's name in the letters that Worldpay takes: `^(?=.*[A-Za-z])[-A-Za-z0-9_ ]*$` (`cardHolderName` in the description of its
//! API). The name is optional there, so one that can't be written so is left out, and the payout goes out without it.

use zeroize::Zeroizing;

/// The name as it is embossed: without accents, apostrophes and full stops. `None`: it has letters of another script.
pub fn written(name: &str) -> Option<Zeroizing<String>> {
    // Never outgrown, so no copy stays behind: a letter of two bytes becomes two letters at most.
    let mut text = Zeroizing::new(String::with_capacity(name.len()));
    for c in name.chars() {
        match c {
            '-' | '_' | ' ' => text.push(c),
            c if c.is_ascii_alphanumeric() => text.push(c),
            // Apostrophes, full stops, and accents that are characters of their own.
            '\'' | '.' | '\u{300}'..='\u{36f}' => {}
            c => {
                for letter in unaccented(c)?.chars() {
                    text.push(if c.is_lowercase() { letter.to_ascii_lowercase() } else { letter });
                }
            }
        }
    }
    text.bytes().any(|b| b.is_ascii_alphabetic()).then_some(text)
}

/// A Latin letter without what is added to it, in capitals.
fn unaccented(c: char) -> Option<&'static str> {
    if c == 'ß' {
        return Some("SS");
    }
    Some(match c.to_uppercase().next()? {
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'Æ' => "AE",
        'Ç' | 'Ć' | 'Ĉ' | 'Ċ' | 'Č' => "C",
        'Ð' | 'Ď' | 'Đ' => "D",
        'È'..='Ë' | 'Ē' | 'Ĕ' | 'Ė' | 'Ę' | 'Ě' => "E",
        'Ĝ' | 'Ğ' | 'Ġ' | 'Ģ' => "G",
        'Ĥ' | 'Ħ' => "H",
        'Ì'..='Ï' | 'Ĩ' | 'Ī' | 'Ĭ' | 'Į' | 'İ' | 'I' => "I",
        'Ĵ' => "J",
        'Ķ' => "K",
        'Ĺ' | 'Ļ' | 'Ľ' | 'Ŀ' | 'Ł' => "L",
        'Ñ' | 'Ń' | 'Ņ' | 'Ň' => "N",
        'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ŏ' | 'Ő' => "O",
        'Œ' => "OE",
        'Ŕ' | 'Ŗ' | 'Ř' => "R",
        'Ś' | 'Ŝ' | 'Ş' | 'Š' | 'Ș' => "S",
        'Ţ' | 'Ť' | 'Ŧ' | 'Ț' => "T",
        'Þ' => "TH",
        'Ù'..='Ü' | 'Ũ' | 'Ū' | 'Ŭ' | 'Ů' | 'Ű' | 'Ų' => "U",
        'Ŵ' => "W",
        'Ý' | 'Ŷ' | 'Ÿ' => "Y",
        'Ź' | 'Ż' | 'Ž' => "Z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_the_letters_that_are_taken() {
        for (name, expected) in [
            ("GRACE HOPPER", "GRACE HOPPER"),
            ("Anne-Marie St. Clair", "Anne-Marie St Clair"),
            ("O'Brien", "OBrien"),
            ("José Muñoz", "Jose Munoz"),
            ("Jose\u{301}", "Jose"),
            ("Łukasz Żółć", "Lukasz Zolc"),
            ("Jürgen Groß", "Jurgen Gross"),
            ("Çağla Işık", "Cagla Isik"),
            ("Þór Ægisson", "THor AEgisson"),
            ("Ștefan Țepeș", "Stefan Tepes"),
            ("Åse Ødegård", "Ase Odegard"),
        ] {
            assert_eq!(written(name).as_deref().map(String::as_str), Some(expected), "{name}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_written_so_is_left_out() {
        for name in ["Иван Петров", "王明", "Ali Ω", "", "--", "12", "\u{301}", "John (Jr)"] {
            assert!(written(name).is_none(), "{name}");
        }
    }
}
