//! A card's billing address.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// More than the longest address has, so that the buffer with its text is never outgrown and copied.
const KEPT_BYTES: usize = 4096;

/// Where a card's holder gets the card's bills, as somebody wrote it: what a provider takes of it is for its adapter to say. Personal
/// data, so it redacts `Debug`, can't be serialized but to be sealed, and is wiped on drop.
#[derive(Clone, Default, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct BillingAddress {
    pub line1: Option<String>,
    pub line2: Option<String>,
    pub city: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    pub postal_code: Option<String>,
    /// State, province or region: a code or a name.
    pub state: Option<String>,
}

/// What stands in the envelope.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    #[serde(borrow)]
    address: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    address2: Option<Cow<'a, str>>,
    #[serde(borrow)]
    city: Option<Cow<'a, str>>,
    #[serde(borrow)]
    country_code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    zip: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
}

impl BillingAddress {
    /// Its text, to be sealed.
    pub fn to_plaintext(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let kept = Kept {
            address: self.line1.as_deref().map(Cow::Borrowed),
            address2: self.line2.as_deref().map(Cow::Borrowed),
            city: self.city.as_deref().map(Cow::Borrowed),
            country_code: self.country.as_deref().map(Cow::Borrowed),
            zip: self.postal_code.as_deref().map(Cow::Borrowed),
            state: self.state.as_deref().map(Cow::Borrowed),
        };
        let mut text = Zeroizing::new(Vec::with_capacity(KEPT_BYTES));
        serde_json::to_writer(&mut *text, &kept)?;
        Ok(text)
    }

    /// The address that was sealed; `None` for what is none.
    pub fn from_plaintext(text: &[u8]) -> Option<Self> {
        let kept: Kept<'_> = serde_json::from_slice(text).ok()?;
        Some(Self {
            line1: kept.address.map(Cow::into_owned),
            line2: kept.address2.map(Cow::into_owned),
            city: kept.city.map(Cow::into_owned),
            country: kept.country_code.map(Cow::into_owned),
            postal_code: kept.zip.map(Cow::into_owned),
            state: kept.state.map(Cow::into_owned),
        })
    }

    /// What it consists of, but for the country.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        [&self.line1, &self.line2, &self.city, &self.postal_code, &self.state].into_iter().flatten().map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.country.is_none() && self.parts().next().is_none()
    }
}

impl fmt::Debug for BillingAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BillingAddress(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baker_street() -> BillingAddress {
        let mut address = BillingAddress::default();
        address.line1 = Some("221B \"Baker\" Street".to_owned());
        address.city = Some("Zürich".to_owned());
        address.country = Some("CH".to_owned());
        address.postal_code = Some("8001".to_owned());
        address
    }

    #[test]
    fn an_address_comes_back_from_its_text() {
        let address = baker_street();
        let text = address.to_plaintext().unwrap();
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            r#"{"address":"221B \"Baker\" Street","city":"Zürich","country_code":"CH","zip":"8001","state":null}"#
        );
        assert_eq!(BillingAddress::from_plaintext(&text), Some(address.clone()));
        let mut longer = address;
        (longer.line2, longer.state) = (Some("Attic".to_owned()), Some("ZH".to_owned()));
        assert_eq!(BillingAddress::from_plaintext(&longer.to_plaintext().unwrap()), Some(longer));
        for none in [b"".as_slice(), b"4111111111111111", b"[]", b"{\"city\":7}", b"\xff"] {
            assert_eq!(BillingAddress::from_plaintext(none), None);
        }
    }

    #[test]
    fn the_longest_address_fits_its_buffer() {
        let mut address = BillingAddress::default();
        (address.line1, address.line2) = (Some("\u{10348}".repeat(200)), Some("\"".repeat(200)));
        (address.city, address.state) = (Some("\u{10348}".repeat(100)), Some("\u{10348}".repeat(100)));
        (address.country, address.postal_code) = (Some("CH".to_owned()), Some("\u{10348}".repeat(16)));
        let text = address.to_plaintext().unwrap();
        assert_eq!(text.capacity(), KEPT_BYTES);
        assert!(text.len() < KEPT_BYTES);
    }

    #[test]
    fn an_address_shows_nothing_and_is_wiped() {
        let mut address = baker_street();
        assert_eq!(format!("{address:?} {address:#?}"), "BillingAddress(redacted) BillingAddress(redacted)");
        assert!(!address.is_empty() && BillingAddress::default().is_empty());
        address.zeroize();
        assert_eq!(address, BillingAddress::default());
    }
}
