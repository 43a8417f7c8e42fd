//! The card's holder as Adyen takes it: a first and a last name and an address, in the characters that its description of
//! `PartyIdentification` and `Address` allows. Letters with marks lose them; what has no plain form is refused, never guessed.

use zeroize::Zeroizing;

use super::Unwritten;
use crate::domain::card::HolderName;
use crate::providers::latin::plain;
use crate::providers::postal;
use crate::providers::provider::Destination;

const NAME_SIGNS: &str = "-./ ";
const ADDRESS_SIGNS: &str = ".-/#,'°():;[]&\\| ";
/// Longer parts are clipped. Adyen names no bound; its own examples are far below.
const PART_CHARS_MAX: usize = 200;
/// What a city and a postal code have at least, in characters.
const PART_CHARS_MIN: usize = 3;
/// Outside of the United States.
const POSTAL_CODE_CHARS_MAX: usize = 10;
/// "Maximum length: 5 digits for an address in the US".
const ZIP_DIGITS: usize = 5;

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
    pub country: &'static str,
    pub postal_code: Option<Zeroizing<String>>,
    /// Two letters of ISO 3166-2, for the United States and Canada only.
    pub state: Option<&'static str>,
}

/// The last word is the last name, and what comes before it the first.
pub fn name(holder: &HolderName) -> Result<Name, Unwritten> {
    // An apostrophe isn't allowed, and cards leave it out too.
    let without = Zeroizing::new(holder.expose().replace('\'', ""));
    let plain = plain(&without, NAME_SIGNS, PART_CHARS_MAX)
        .ok_or(Unwritten("the holder's name has letters that Adyen doesn't take"))?;
    let (first, last) = plain.rsplit_once(' ').ok_or(Unwritten("Adyen needs the holder's first and last name"))?;
    let has_letters = |part: &str| part.chars().any(|c| c.is_ascii_alphabetic());
    if !has_letters(first) || !has_letters(last) {
        return Err(Unwritten("Adyen needs the holder's first and last name"));
    }
    Ok(Name { first: Zeroizing::new(first.to_owned()), last: Zeroizing::new(last.to_owned()) })
}

/// The holder's address. Adyen calls both its lines and its city required of cards, a postal code too in the United States, and a state
/// there and in Canada: without them nothing is sent. A postal code that Adyen wouldn't take is left out where it may be.
pub fn address(to: &Destination) -> Result<Address, Unwritten> {
    let given = to.address().ok_or(Unwritten("Adyen asks for the holder's address, and there is none"))?;
    let part = |text: &Option<String>| text.as_deref().map(|text| plain(text, ADDRESS_SIGNS, PART_CHARS_MAX));
    let country = given.country.as_deref().and_then(postal::country);
    let country = country.ok_or(Unwritten("the holder's address needs a country of two letters"))?;
    let line1 = part(&given.line1).ok_or(Unwritten("the holder's address needs its first line"))?;
    let line1 = line1.ok_or(Unwritten("the holder's address has letters that Adyen doesn't take"))?;
    let city = part(&given.city).ok_or(Unwritten("the holder's address needs a city"))?;
    let city = city.ok_or(Unwritten("the holder's city has letters that Adyen doesn't take"))?;
    if city.chars().count() < PART_CHARS_MIN {
        return Err(Unwritten("the holder's address needs a city of three characters at least"));
    }
    let state = given.state.as_deref().and_then(|text| postal::state(country, text));
    if state.is_none() && postal::has_states(country) {
        return Err(Unwritten("an address in the United States or Canada needs a state or province"));
    }
    let postal_code = given.postal_code.as_deref().and_then(|code| postal_code(code, country));
    if country == postal::UNITED_STATES && postal_code.is_none() {
        return Err(Unwritten("an address in the United States needs a postal code of five digits"));
    }
    let (line1, line2) = match part(&given.line2).flatten() {
        Some(line2) => (line1, Some(line2)),
        None => in_two(line1),
    };
    Ok(Address { line1, line2, city, country, postal_code, state })
}

/// Adyen calls the second line required as well as the first. Of an address with one line only, the first word is the first line, as in
/// Adyen's own example (`274`, `Brannan St`): nothing is made up, and read on, the lines say the same.
fn in_two(line: Zeroizing<String>) -> (Zeroizing<String>, Option<Zeroizing<String>>) {
    match line.split_once(' ') {
        Some((first, rest)) => (Zeroizing::new(first.to_owned()), Some(Zeroizing::new(rest.to_owned()))),
        None => (line, None),
    }
}

/// Letters, digits and spaces; five digits in the United States.
fn postal_code(given: &str, country: &str) -> Option<Zeroizing<String>> {
    if country == postal::UNITED_STATES {
        let mut zip = postal::zip(given)?;
        zip.truncate(ZIP_DIGITS);
        return Some(zip);
    }
    let code = plain(given, " ", PART_CHARS_MAX)?;
    (PART_CHARS_MIN..=POSTAL_CODE_CHARS_MAX).contains(&code.chars().count()).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(holder: &str) -> Option<(String, String)> {
        let name = name(&HolderName::new(holder.to_owned())).ok()?;
        Some((name.first.to_string(), name.last.to_string()))
    }

    fn to(given: &[(&str, &str)]) -> Destination {
        let fields = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Destination { card: None, billing: None, fields }
    }

    fn without(given: &[(&str, &str)], key: &str) -> Destination {
        let mut partial = to(given);
        partial.fields.remove(key);
        partial
    }

    fn with(given: &[(&str, &str)], key: &str, value: &str) -> Destination {
        let mut other = to(given);
        other.fields.insert(key.to_owned(), value.to_owned());
        other
    }

    fn text(part: Option<&Zeroizing<String>>) -> Option<&str> {
        part.map(|text| text.as_str())
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

    const KOELN: [(&str, &str); 4] =
        [("address", "Straße 5"), ("city", "Köln"), ("country_code", "de"), ("zip", "50667")];
    const US: [(&str, &str); 5] = [
        ("address", "274 Brannan St"),
        ("city", "San Francisco"),
        ("country_code", "US"),
        ("zip", "94107-1234"),
        ("state", "California"),
    ];

    #[test]
    fn an_address_is_sent_with_all_that_is_required_or_not_at_all() {
        assert!(address(&to(&[])).is_err());
        assert!(address(&to(&[("account", "x"), ("city", " ")])).is_err());
        let read = address(&to(&KOELN)).unwrap();
        assert_eq!((read.line1.as_str(), text(read.line2.as_ref())), ("Strasse", Some("5")));
        assert_eq!((read.city.as_str(), read.country), ("Koln", "DE"));
        assert_eq!((text(read.postal_code.as_ref()), read.state), (Some("50667"), None));
        for missing in ["address", "city", "country_code"] {
            assert!(address(&without(&KOELN, missing)).is_err(), "{missing}");
        }
        for (key, wrong) in [
            ("address", "улица 5"),
            ("address", "<>"),
            ("city", "Au"),
            ("city", "東京"),
            ("country_code", "DEU"),
            ("country_code", "XX"),
        ] {
            assert!(address(&with(&KOELN, key, wrong)).is_err(), "{key} {wrong}");
        }
    }

    #[test]
    fn a_badly_typed_address_does_not_block_where_it_need_not() {
        for (wrong, expected) in [
            ("1", None),
            ("12345678901", None),
            ("пять", None),
            ("50-667", Some("50 667")),
            ("D 50667", Some("D 50667")),
        ] {
            let read = address(&with(&KOELN, "zip", wrong)).unwrap();
            assert_eq!(text(read.postal_code.as_ref()), expected, "{wrong}");
        }
        let read = address(&with(&KOELN, "address", "<b>Straße 5</b> @ \"Hof\"")).unwrap();
        assert_eq!((read.line1.as_str(), text(read.line2.as_ref())), ("b", Some("Strasse 5 /b Hof")));
        let read = address(&with(&KOELN, "address", &"ß".repeat(150))).unwrap();
        assert_eq!((read.line1.len(), read.line2.is_none()), (PART_CHARS_MAX, true));
        let read = address(&with(&KOELN, "address2", "3. Stock")).unwrap();
        assert_eq!((read.line1.as_str(), text(read.line2.as_ref())), ("Strasse 5", Some("3. Stock")));
        let read = address(&with(&KOELN, "address2", "этаж 3")).unwrap();
        assert_eq!((read.line1.as_str(), text(read.line2.as_ref())), ("Strasse", Some("5")));
    }

    #[test]
    fn the_united_states_and_canada_have_states() {
        let read = address(&to(&US)).unwrap();
        assert_eq!((read.line1.as_str(), text(read.line2.as_ref())), ("274", Some("Brannan St")));
        assert_eq!((read.state, text(read.postal_code.as_ref())), (Some("CA"), Some("94107")));
        for missing in ["zip", "state"] {
            assert!(address(&without(&US, missing)).is_err(), "{missing}");
        }
        for (key, wrong) in [("zip", "9410"), ("zip", "SW1A 2AA"), ("state", "XX"), ("state", "Californa")] {
            assert!(address(&with(&US, key, wrong)).is_err(), "{key} {wrong}");
        }
        let pl =
            [("address", "ul. Prosta 1"), ("city", "Łódź"), ("country_code", "PL"), ("zip", "00-950"), ("state", "x")];
        let read = address(&to(&pl)).unwrap();
        assert_eq!((text(read.postal_code.as_ref()), read.state), (Some("00 950"), None));
    }
}
