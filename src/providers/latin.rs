//! Names and addresses in plain Latin letters, as providers take them: letters with marks lose them, and what has no plain form isn't
//! guessed.

use zeroize::Zeroizing;

/// `text` in the letters and digits of ASCII and in `signs`, at most `chars_max` of them, without spaces at its ends or in a row. An
/// apostrophe that isn't among the signs is left out, any other sign becomes a space. `None` if a letter or a digit has no plain form,
/// or nothing is left.
pub fn plain(text: &str, signs: &str, chars_max: usize) -> Option<Zeroizing<String>> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    // Never outgrown, so that no copy stays behind: a letter of two bytes becomes two letters at most.
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let space = |out: &mut String| {
        if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    };
    for c in text.chars() {
        match c {
            // Accents that were typed as characters of their own.
            '\u{300}'..='\u{36f}' => {}
            ' ' => space(&mut out),
            c if is_allowed(c) => out.push(c),
            c => match PLAIN.iter().find(|(marked, _)| marked.contains(c)) {
                Some((_, plain)) if plain.chars().all(is_allowed) => out.push_str(plain),
                None if c.is_alphanumeric() => return None,
                _ if is_apostrophe(c) => {}
                _ => space(&mut out),
            },
        }
    }
    if let Some((end, _)) = out.char_indices().nth(chars_max) {
        out.truncate(end);
    }
    let end = out.trim_end().len();
    out.truncate(end);
    if out.is_empty() { None } else { Some(out) }
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2018}' | '\u{2019}')
}

/// Letters of the Latin script with marks, and what is written for them without: the letters of Unicode's blocks Latin-1 Supplement and
/// Latin Extended-A, and those of Romanian.
const PLAIN: [(&str, &str); 53] = [
    ("ÀÁÂÃÄÅĀĂĄ", "A"),
    ("àáâãäåāăą", "a"),
    ("Æ", "AE"),
    ("æ", "ae"),
    ("ÇĆĈĊČ", "C"),
    ("çćĉċč", "c"),
    ("ÐĎĐ", "D"),
    ("ðďđ", "d"),
    ("ÈÉÊËĒĔĖĘĚ", "E"),
    ("èéêëēĕėęě", "e"),
    ("ĜĞĠĢ", "G"),
    ("ĝğġģ", "g"),
    ("ĤĦ", "H"),
    ("ĥħ", "h"),
    ("ÌÍÎÏĨĪĬĮİ", "I"),
    ("ìíîïĩīĭįı", "i"),
    ("Ĳ", "IJ"),
    ("ĳ", "ij"),
    ("Ĵ", "J"),
    ("ĵ", "j"),
    ("Ķ", "K"),
    ("ķĸ", "k"),
    ("ĹĻĽĿŁ", "L"),
    ("ĺļľŀł", "l"),
    ("ÑŃŅŇŊ", "N"),
    ("ñńņňŋ", "n"),
    ("ÒÓÔÕÖØŌŎŐ", "O"),
    ("òóôõöøōŏő", "o"),
    ("Œ", "OE"),
    ("œ", "oe"),
    ("ŔŖŘ", "R"),
    ("ŕŗř", "r"),
    ("ŚŜŞŠȘ", "S"),
    ("śŝşšșſ", "s"),
    ("ẞ", "SS"),
    ("ß", "ss"),
    ("ŢŤŦȚ", "T"),
    ("ţťŧț", "t"),
    ("Þ", "TH"),
    ("þ", "th"),
    ("ÙÚÛÜŨŪŬŮŰŲ", "U"),
    ("ùúûüũūŭůűų", "u"),
    ("Ŵ", "W"),
    ("ŵ", "w"),
    ("ÝŶŸ", "Y"),
    ("ýÿŷ", "y"),
    ("ŹŻŽ", "Z"),
    ("źżž", "z"),
    ("\u{2010}\u{2011}\u{2013}\u{2014}", "-"),
    ("\u{2018}\u{2019}", "'"),
    ("\u{a0}", " "),
    ("\u{aa}", "a"),
    ("\u{ba}", "°"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, signs: &str) -> Option<String> {
        plain(text, signs, 20).map(|text| text.to_string())
    }

    #[test]
    fn no_letter_has_two_plain_forms() {
        let mut letters: Vec<_> = PLAIN.iter().flat_map(|(marked, _)| marked.chars()).collect();
        let count = letters.len();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), count);
        assert!(letters.iter().all(|letter| !letter.is_ascii()));
    }

    #[test]
    fn marks_are_lost_and_signs_become_spaces() {
        for (text, expected) in [
            ("Jose\u{301} Núñez", "Jose Nunez"),
            ("  ul. Łódzka\t5/7 ", "ul. Lodzka 5 7"),
            ("O\u{2019}Connell St, #3", "OConnell St 3"),
            ("<b>Straße</b>", "b Strasse b"),
            ("🏠 10 Rue \u{2014} Été", "10 Rue Ete"),
            ("1234567890123456789 x", "1234567890123456789"),
        ] {
            assert_eq!(written(text, ".").as_deref(), Some(expected), "{text}");
        }
        assert_eq!(written("O\u{2019}Connell—St", "'-").as_deref(), Some("O'Connell-St"));
        for none in ["", " ", "улица 5", "東京", "№ ٣", "<>"] {
            assert_eq!(written(none, "."), None, "{none}");
        }
    }
}
