//! A card holder's name in the letters that Worldpay takes: `^(?=.*[A-Za-z])[-A-Za-z0-9_ ]*$` (`cardHolderName` in the description of its
//! API), and the holder's address (`billingAddress`). Both are optional there, so what can't be written so is left out, and the payout
//! goes out without it.

use zeroize::Zeroizing;

use super::wire;
use crate::providers::latin::plain;
use crate::providers::postal;
use crate::providers::provider::Destination;

/// The description names no characters of an address. Of those that addresses have, Worldpay's firewall may take others for an attack
/// (reference "Formatting").
const ADDRESS_SIGNS: &str = " -.,/";
/// The description names no lengths of an address either: longer parts than anybody's are clipped.
const LINE_CHARS_MAX: usize = 80;
const CITY_CHARS_MAX: usize = 50;
const STATE_CHARS_MAX: usize = 30;
const POSTAL_CODE_CHARS_MAX: usize = 15;

/// Where the holder lives. `Debug` is left out: it is personal.
pub struct Address {
    /// Alpha-2.
    country: &'static str,
    postal_code: Zeroizing<String>,
    /// The lines and the city come together or not at all.
    place: Option<Place>,
    state: Option<Zeroizing<String>>,
}

struct Place {
    line1: Zeroizing<String>,
    line2: Option<Zeroizing<String>>,
    city: Zeroizing<String>,
}

impl Address {
    pub fn written(&self) -> wire::BillingAddress<'_> {
        wire::BillingAddress {
            address1: self.place.as_ref().map(|place| place.line1.as_str()),
            address2: self.place.as_ref().and_then(|place| place.line2.as_ref()).map(|line| line.as_str()),
            postal_code: &self.postal_code,
            city: self.place.as_ref().map(|place| place.city.as_str()),
            state: self.state.as_ref().map(|state| state.as_str()),
            country_code: self.country,
        }
    }
}

/// The holder's address. It needs a country and a postal code, and a first line and a city each need the other; a state is two letters in
/// North America and any text elsewhere. What doesn't fit is left out, if need be all of it.
pub fn address(to: &Destination) -> Option<Address> {
    let given = to.address()?;
    let part = |text: &Option<String>, most: usize| plain(text.as_deref()?, ADDRESS_SIGNS, most);
    let country = postal::country(given.country.as_deref()?)?;
    let postal_code = part(&given.postal_code, POSTAL_CODE_CHARS_MAX)?;
    let place = match (part(&given.line1, LINE_CHARS_MAX), part(&given.city, CITY_CHARS_MAX)) {
        (Some(line1), Some(city)) => Some(Place { line1, line2: part(&given.line2, LINE_CHARS_MAX), city }),
        _ => None,
    };
    let state = match country {
        postal::UNITED_STATES | postal::CANADA => {
            let code = given.state.as_deref().and_then(|text| postal::state(country, text));
            code.map(|code| Zeroizing::new(code.to_owned()))
        }
        // Three letters by the standard that Worldpay asks for two of.
        "MX" => None,
        _ => part(&given.state, STATE_CHARS_MAX),
    };
    Some(Address { country, postal_code, place, state })
}

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
    use serde_json::json;

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

    fn to(given: &[(&str, &str)]) -> Destination {
        let fields = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Destination { card: None, billing: None, fields }
    }

    fn json(given: &[(&str, &str)]) -> Option<serde_json::Value> {
        address(&to(given)).map(|address| serde_json::to_value(address.written()).unwrap())
    }

    #[test]
    fn an_address_is_written_as_far_as_it_fits() {
        let london = [
            ("address", "221B Baker Street"),
            ("address2", "Marylebone & Co"),
            ("city", "London"),
            ("country_code", "gb"),
            ("zip", "NW1 6XE"),
            ("state", "Greater London"),
        ];
        let whole = json!({
            "address1": "221B Baker Street", "address2": "Marylebone Co", "postalCode": "NW1 6XE", "city": "London",
            "state": "Greater London", "countryCode": "GB",
        });
        assert_eq!(json(&london), Some(whole));
        let [line1, line2, city, country, zip, _] = london;
        let short = json!({"postalCode": "NW1 6XE", "countryCode": "GB"});
        for partial in
            [[line1, line2, country, zip], [city, line2, country, zip], [line1, ("city", "東京"), country, zip]]
        {
            assert_eq!(json(&partial), Some(short.clone()), "{partial:?}");
        }
        for nothing in [vec![], vec![line1, city, country], vec![line1, city, zip], vec![("country_code", "XX"), zip]] {
            assert_eq!(json(&nothing), None, "{nothing:?}");
        }
        assert_eq!(json(&[line1, city, country, ("zip", "пять")]), None);
        let long = "Ä".repeat(200);
        let clipped = json(&[("address", &long), ("city", &long), country, ("zip", &long), ("state", &long)]).unwrap();
        let lengths = ["address1", "city", "postalCode", "state"].map(|part| clipped[part].as_str().unwrap().len());
        assert_eq!(lengths, [80, 50, 15, 30]);
    }

    #[test]
    fn a_state_has_two_letters_in_north_america() {
        for (country, state, expected) in [
            ("US", "California", json!("CA")),
            ("US", "somewhere", json!(null)),
            ("CA", "QC", json!("QC")),
            ("MX", "Jalisco", json!(null)),
            ("FR", "Île-de-France", json!("Ile-de-France")),
        ] {
            let written = json(&[("country_code", country), ("zip", "94107"), ("state", state)]).unwrap();
            assert_eq!(written.get("state").cloned().unwrap_or_default(), expected, "{country} {state}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_written_so_is_left_out() {
        for name in ["Иван Петров", "王明", "Ali Ω", "", "--", "12", "\u{301}", "John (Jr)"] {
            assert!(written(name).is_none(), "{name}");
        }
    }
}
