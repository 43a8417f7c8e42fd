//! The card's holder as Adyen takes it: a first and a last name, and an address where we have one, in the characters that its description
//! of `PartyIdentification` and `Address` allows. Letters with marks lose them; what has no plain form is refused, never guessed.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::Unwritten;
use crate::domain::card::HolderName;

/// The keys of a payout's fields that hold the holder's address.
pub const LINE1: &str = "address";
pub const LINE2: &str = "address2";
pub const CITY: &str = "city";
pub const COUNTRY: &str = "country_code";
pub const POSTAL_CODE: &str = "zip";
pub const STATE: &str = "state";

const NAME_SIGNS: &str = "-./ ";
const ADDRESS_SIGNS: &str = ".-/#,'°():;[]&\\| ";
/// The longest part of an address that is sent, in characters. Adyen names no bound; its own examples are far below.
const PART_CHARS_MAX: usize = 200;
/// What a city and a postal code have at least, in characters.
const PART_CHARS_MIN: usize = 3;
const POSTAL_CODE_CHARS_MAX: usize = 10;
/// Where a state or province belongs to the address.
const WITH_STATE: [&str; 2] = ["CA", "US"];

/// A name in two parts. `Debug` is left out, as for [`Address`]: they are personal.
pub struct Name {
    pub first: Zeroizing<String>,
    pub last: Zeroizing<String>,
}

/// Where the holder lives.
pub struct Address {
    pub line1: Zeroizing<String>,
    pub line2: Option<Zeroizing<String>>,
    pub city: Zeroizing<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Zeroizing<String>,
    pub postal_code: Option<Zeroizing<String>>,
    /// Two letters of ISO 3166-2, for the United States and Canada only.
    pub state: Option<Zeroizing<String>>,
}

/// The last word is the last name, and what comes before it the first.
pub fn name(holder: &HolderName) -> Result<Name, Unwritten> {
    // An apostrophe isn't allowed, and cards leave it out too.
    let without = Zeroizing::new(holder.expose().replace('\'', ""));
    let plain =
        plain(&without, NAME_SIGNS).ok_or(Unwritten("the holder's name has letters that Adyen doesn't take"))?;
    let (first, last) = plain.rsplit_once(' ').ok_or(Unwritten("Adyen needs the holder's first and last name"))?;
    let has_letters = |part: &str| part.chars().any(|c| c.is_ascii_alphabetic());
    if !has_letters(first) || !has_letters(last) {
        return Err(Unwritten("Adyen needs the holder's first and last name"));
    }
    Ok(Name { first: Zeroizing::new(first.to_owned()), last: Zeroizing::new(last.to_owned()) })
}

/// The address in a payout's fields; `None` where they hold nothing of one. One that is given must be whole.
pub fn address(fields: &BTreeMap<String, String>) -> Result<Option<Address>, Unwritten> {
    let given = |key: &str| fields.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
    if [LINE1, LINE2, CITY, COUNTRY, POSTAL_CODE, STATE].into_iter().all(|key| given(key).is_none()) {
        return Ok(None);
    }
    let characters = Unwritten("the holder's address has characters that Adyen doesn't take");
    let part = |key: &str| given(key).map(|text| plain(text, ADDRESS_SIGNS).ok_or(characters)).transpose();
    let country = given(COUNTRY).filter(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()));
    let country = country.ok_or(Unwritten("the holder's address needs a country of two letters"))?.to_ascii_uppercase();
    let line1 = part(LINE1)?.ok_or(Unwritten("the holder's address needs its first line"))?;
    let city = part(CITY)?.filter(|city| city.chars().count() >= PART_CHARS_MIN);
    let city = city.ok_or(Unwritten("the holder's address needs a city of three characters at least"))?;
    let has_state = WITH_STATE.contains(&country.as_str());
    let state = if has_state { Some(state(given(STATE), &country)?) } else { None };
    let postal_code = given(POSTAL_CODE).map(|code| postal_code(code, &country)).transpose()?;
    if country == "US" && postal_code.is_none() {
        return Err(Unwritten("an address in the United States needs a postal code"));
    }
    Ok(Some(Address { line1, line2: part(LINE2)?, city, country: Zeroizing::new(country), postal_code, state }))
}

/// `CA`, or `US-CA` as ISO 3166-2 writes it.
fn state(given: Option<&str>, country: &str) -> Result<Zeroizing<String>, Unwritten> {
    let code = given.map(|text| text.strip_prefix(country).and_then(|rest| rest.strip_prefix('-')).unwrap_or(text));
    let code = code.filter(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()));
    let code = code.ok_or(Unwritten("an address in the United States or Canada needs a state or province"))?;
    Ok(Zeroizing::new(code.to_ascii_uppercase()))
}

/// Letters, digits and spaces; five digits in the United States, where four more may follow.
fn postal_code(given: &str, country: &str) -> Result<Zeroizing<String>, Unwritten> {
    let wrong = Unwritten("the postal code is not as Adyen takes it");
    let code = plain(&Zeroizing::new(given.replace('-', " ")), " ").ok_or(wrong)?;
    if country == "US" {
        let (zip, _) =
            code.split_at_checked(5).filter(|(zip, _)| zip.bytes().all(|b| b.is_ascii_digit())).ok_or(wrong)?;
        return Ok(Zeroizing::new(zip.to_owned()));
    }
    let length = code.chars().count();
    if (PART_CHARS_MIN..=POSTAL_CODE_CHARS_MAX).contains(&length) { Ok(code) } else { Err(wrong) }
}

/// `text` in the letters and digits of ASCII and in `signs`, without spaces at its ends or in a row; `None` if it can't be written so,
/// or nothing is left of it.
fn plain(text: &str, signs: &str) -> Option<Zeroizing<String>> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    // Never outgrown, so that no copy stays behind: a letter of two bytes becomes two letters at most.
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    for c in text.chars() {
        match c {
            // Accents that were typed as characters of their own.
            '\u{300}'..='\u{36f}' => {}
            ' ' if out.is_empty() || out.ends_with(' ') => {}
            c if is_allowed(c) => out.push(c),
            c => {
                let (_, plain) = PLAIN.iter().find(|(marked, _)| marked.contains(c))?;
                out.push_str(Some(*plain).filter(|plain| plain.chars().all(is_allowed))?);
            }
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    if out.is_empty() || out.chars().count() > PART_CHARS_MAX { None } else { Some(out) }
}

/// Letters of the Latin script with marks, and what is written for them without: the letters of Unicode's blocks Latin-1 Supplement and
/// Latin Extended-A, and those of Romanian.
const PLAIN: [(&str, &str); 52] = [
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
    ("\u{ba}", "°"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(holder: &str) -> Option<(String, String)> {
        let name = name(&HolderName::new(holder.to_owned())).ok()?;
        Some((name.first.to_string(), name.last.to_string()))
    }

    fn fields(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_name_is_split_before_its_last_word() {
        for (holder, first, last) in [
            ("GRACE HOPPER", "GRACE", "HOPPER"),
            ("Anne-Marie St. Clair", "Anne-Marie St.", "Clair"),
            ("Sinéad O'Connor", "Sinead", "OConnor"),
            ("Jose\u{301} Núñez", "Jose", "Nunez"),
            ("Łukasz  Żółć ", "Lukasz", "Zolc"),
            ("Jürgen Groß", "Jurgen", "Gross"),
        ] {
            assert_eq!(parts(holder), Some((first.to_owned(), last.to_owned())), "{holder}");
        }
        for holder in ["Zaphod", "Иван Петров", "王 明", ". Smith", "Smith .", ""] {
            assert_eq!(parts(holder), None, "{holder}");
        }
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
    fn an_address_is_sent_whole_or_not_at_all() {
        assert!(address(&fields(&[])).unwrap().is_none());
        assert!(address(&fields(&[("account", "x"), (CITY, " ")])).unwrap().is_none());
        let whole = [(LINE1, "Straße 5"), (CITY, "Köln"), (COUNTRY, "de"), (POSTAL_CODE, "50667")];
        let read = address(&fields(&whole)).unwrap().unwrap();
        assert_eq!((read.line1.as_str(), read.city.as_str(), read.country.as_str()), ("Strasse 5", "Koln", "DE"));
        assert_eq!((read.postal_code.as_deref().map(String::as_str), read.state.is_none()), (Some("50667"), true));
        for missing in [LINE1, CITY, COUNTRY] {
            let mut partial = fields(&whole);
            partial.remove(missing);
            assert!(address(&partial).is_err(), "{missing}");
        }
        for (key, wrong) in [(LINE1, "улица 5"), (CITY, "Au"), (COUNTRY, "DEU"), (POSTAL_CODE, "1"), (LINE2, "<b>")]
        {
            let mut other = fields(&whole);
            other.insert(key.to_owned(), wrong.to_owned());
            assert!(address(&other).is_err(), "{key} {wrong}");
        }
    }

    #[test]
    fn the_united_states_and_canada_have_states() {
        let us = [
            (LINE1, "274 Brannan St"),
            (CITY, "San Francisco"),
            (COUNTRY, "US"),
            (POSTAL_CODE, "94107-1234"),
            (STATE, "US-CA"),
        ];
        let read = address(&fields(&us)).unwrap().unwrap();
        assert_eq!(read.state.as_deref().map(String::as_str), Some("CA"));
        assert_eq!(read.postal_code.as_deref().map(String::as_str), Some("94107"));
        for missing in [POSTAL_CODE, STATE] {
            let mut partial = fields(&us);
            partial.remove(missing);
            assert!(address(&partial).is_err(), "{missing}");
        }
        let pl =
            [(LINE1, "ul. Prosta 1"), (CITY, "Łódź"), (COUNTRY, "PL"), (POSTAL_CODE, "00-950"), (STATE, "ignored")];
        let read = address(&fields(&pl)).unwrap().unwrap();
        assert_eq!(read.postal_code.as_deref().map(String::as_str), Some("00 950"));
        assert!(read.state.is_none());
    }
}
