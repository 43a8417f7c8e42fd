//! The card holder's address as Checkout.com takes it (`account_holder.billing_address`, the API reference's `Address`). Every part of it
//! is optional, and so is all of it: what can't be written in plain letters is left out. An answer that refuses an address is a decline
//! for the route, so what is doubtful isn't sent.

use zeroize::Zeroizing;

use super::wire;
use crate::providers::latin::plain;
use crate::providers::postal;
use crate::providers::provider::Destination;

/// The card schemes, which get it in the end, take plain letters.
const ADDRESS_SIGNS: &str = " -.,/'";
/// The API reference names no lengths: longer parts than anybody's are clipped.
const LINE_CHARS_MAX: usize = 200;
const PART_CHARS_MAX: usize = 50;

/// Where the holder lives. `Debug` is left out: it is personal.
pub struct Address {
    line1: Zeroizing<String>,
    line2: Option<Zeroizing<String>>,
    city: Zeroizing<String>,
    state: Option<&'static str>,
    zip: Option<Zeroizing<String>>,
    country: &'static str,
}

impl Address {
    pub fn written(&self) -> wire::BillingAddress<'_> {
        wire::BillingAddress {
            address_line1: &self.line1,
            address_line2: self.line2.as_ref().map(|line| line.as_str()),
            city: &self.city,
            state: self.state,
            zip: self.zip.as_ref().map(|zip| zip.as_str()),
            country: self.country,
        }
    }
}

/// The holder's address: a street, a city and a country at least. The state is told where it has a code that all schemes know, in the
/// United States and Canada.
pub fn address(to: &Destination) -> Option<Address> {
    let given = to.address()?;
    let part = |text: &Option<String>, most: usize| plain(text.as_deref()?, ADDRESS_SIGNS, most);
    let country = postal::country(given.country.as_deref()?)?;
    Some(Address {
        line1: part(&given.line1, LINE_CHARS_MAX)?,
        line2: part(&given.line2, LINE_CHARS_MAX),
        city: part(&given.city, PART_CHARS_MAX)?,
        state: given.state.as_deref().and_then(|text| postal::state(country, text)),
        zip: part(&given.postal_code, PART_CHARS_MAX),
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
        address(&to).map(|address| serde_json::to_value(address.written()).unwrap())
    }

    #[test]
    fn an_address_is_written_as_far_as_it_fits() {
        let us = [
            ("address", "123 High St. #4"),
            ("address2", "Flat 456"),
            ("city", "San José"),
            ("state", "US-CA"),
            ("zip", "95101-1234"),
            ("country_code", "us"),
        ];
        assert_eq!(
            written(&us),
            Some(json!({
                "address_line1": "123 High St. 4", "address_line2": "Flat 456", "city": "San Jose", "state": "CA",
                "zip": "95101-1234", "country": "US",
            }))
        );
        let [line1, _, city, ..] = us;
        let gb = [line1, city, ("country_code", "GB"), ("state", "England"), ("zip", "пять")];
        assert_eq!(written(&gb), Some(json!({"address_line1": "123 High St. 4", "city": "San Jose", "country": "GB"})));
        for nothing in [
            vec![],
            vec![line1, city],
            vec![city, ("country_code", "GB")],
            vec![line1, ("country_code", "GB")],
            vec![line1, city, ("country_code", "XX")],
            vec![("address", "улица 5"), city, ("country_code", "RU")],
        ] {
            assert_eq!(written(&nothing), None, "{nothing:?}");
        }
        let long = "Ä".repeat(300);
        let clipped = written(&[("address", &long), ("city", &long), ("zip", &long), ("country_code", "DE")]).unwrap();
        let lengths = ["address_line1", "city", "zip"].map(|part| clipped[part].as_str().unwrap().len());
        assert_eq!(lengths, [200, 50, 50]);
    }
}
