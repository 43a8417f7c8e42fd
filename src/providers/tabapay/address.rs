//! The card owner's address as TabaPay takes it (`owner.address` of its specification): every part is optional there, so what doesn't keep
//! to its pattern is left out. A country that can't be told takes all of it along, since TabaPay reads an address without one as one in
//! the United States.

use zeroize::Zeroizing;

use super::wire;
use crate::providers::latin::plain;
use crate::providers::postal;
use crate::providers::provider::Destination;

/// `line1` and `line2`: `^[ a-zA-Z0-9._-]+$`.
const LINE_SIGNS: &str = " ._-";
/// `city` and `zipcode`: `^[ a-zA-Z0-9_-]+$`.
const PART_SIGNS: &str = " _-";
/// The specification has no bounds; longer parts are clipped.
const LINE_CHARS_MAX: usize = 64;
const ZIPCODE_CHARS_MAX: usize = 16;

/// Where the card's owner lives. `Debug` is left out: it is personal.
pub struct Address {
    line1: Option<Zeroizing<String>>,
    line2: Option<Zeroizing<String>>,
    city: Option<Zeroizing<String>>,
    state: Option<&'static str>,
    zipcode: Option<Zeroizing<String>>,
    country: &'static str,
}

impl Address {
    pub fn written(&self) -> wire::OwnerAddress<'_> {
        wire::OwnerAddress {
            line1: self.line1.as_ref().map(|text| text.as_str()),
            line2: self.line2.as_ref().map(|text| text.as_str()),
            city: self.city.as_ref().map(|text| text.as_str()),
            state: self.state,
            zipcode: self.zipcode.as_ref().map(|text| text.as_str()),
            country: self.country,
        }
    }
}

/// The owner's address, with the state's code where it has to be one (United States, Canada) and a postal code in the form that TabaPay
/// checks there. None of it for a territory of the United States: Visa rejects those under the country's number (the specification's
/// `corresponding`).
pub fn of(to: &Destination) -> Option<Address> {
    let given = to.address()?;
    let part = |text: &Option<String>, signs: &str, most: usize| plain(text.as_deref()?, signs, most);
    let alpha_2 = postal::country(given.country.as_deref()?)?;
    let country = postal::country_number(alpha_2)?;
    let state = given.state.as_deref().and_then(|text| postal::state(alpha_2, text));
    if state.is_some_and(|state| postal::is_territory(alpha_2, state)) {
        return None;
    }
    let zipcode = match alpha_2 {
        postal::UNITED_STATES => given.postal_code.as_deref().and_then(postal::zip),
        postal::CANADA => given.postal_code.as_deref().and_then(postal::canadian),
        _ => part(&given.postal_code, PART_SIGNS, ZIPCODE_CHARS_MAX),
    };
    Some(Address {
        line1: part(&given.line1, LINE_SIGNS, LINE_CHARS_MAX),
        line2: part(&given.line2, LINE_SIGNS, LINE_CHARS_MAX),
        city: part(&given.city, PART_SIGNS, LINE_CHARS_MAX),
        state,
        zipcode,
        country,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(given: &[(&str, &str)]) -> Option<serde_json::Value> {
        let fields = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let to = Destination { card: None, billing: None, fields };
        of(&to).map(|address| serde_json::to_value(address.written()).unwrap())
    }

    #[test]
    fn an_address_keeps_to_the_patterns_of_the_specification() {
        let us = [
            ("address", "123 O'Farrell St., #4/5"),
            ("address2", "c/o Núñez"),
            ("city", "St. Louis"),
            ("state", "Missouri"),
            ("zip", "63101-1234"),
            ("country_code", "US"),
        ];
        assert_eq!(
            written(&us),
            Some(json!({
                "line1": "123 OFarrell St. 4 5", "line2": "c o Nunez", "city": "St Louis", "state": "MO",
                "zipcode": "631011234", "country": "840",
            }))
        );
        let long = "Ä".repeat(200);
        let clipped = written(&[("address", &long), ("city", &long), ("zip", &long), ("country_code", "DE")]).unwrap();
        assert_eq!(clipped["country"], json!("276"));
        let lengths = ["line1", "city", "zipcode"].map(|part| clipped[part].as_str().unwrap().len());
        assert_eq!(lengths, [64, 64, 16]);
    }

    #[test]
    fn what_tabapay_would_check_and_refuse_is_left_out() {
        let city = ("city", "Somewhere");
        for (country, zip, state, expected) in [
            ("US", "6310", "XX", json!({"city": "Somewhere", "country": "840"})),
            (
                "CA",
                "m5v3l9",
                "Ontario",
                json!({"city": "Somewhere", "state": "ON", "zipcode": "M5V 3L9", "country": "124"}),
            ),
            ("CA", "94107", "ON", json!({"city": "Somewhere", "state": "ON", "country": "124"})),
            ("GB", "SW1A 2AA", "England", json!({"city": "Somewhere", "zipcode": "SW1A 2AA", "country": "826"})),
            ("RU", "101000", "Москва", json!({"city": "Somewhere", "zipcode": "101000", "country": "643"})),
        ] {
            let given = [city, ("country_code", country), ("zip", zip), ("state", state)];
            assert_eq!(written(&given), Some(expected), "{country} {zip} {state}");
        }
        assert_eq!(written(&[("address", "улица 5"), ("country_code", "RU")]), Some(json!({"country": "643"})));
        for nothing in [vec![], vec![city], vec![city, ("country_code", "XX")]] {
            assert_eq!(written(&nothing), None, "{nothing:?}");
        }
        assert_eq!(written(&[city, ("country_code", "US"), ("state", "PR"), ("zip", "00901")]), None);
    }
}
