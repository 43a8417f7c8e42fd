//! Targets for fuzzing of what comes in over HTTP; see [`crate::fuzz`].

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::auth::fuzz::Keys;
use super::body::Body;
use super::error::ApiError;
use super::v1::cursor::Cursor;
use super::v1::error::V1Error;
use super::v1::reader::{Reader, Wanted};
use super::v1::request_body;
use super::v4::cards::{AddCardRequest, BillingAddressRequest};
use super::v4::offers::{CreateOfferRequest, UpdateOfferRequest};
use crate::domain::ids::Mode;
use crate::fuzz::{assert_tells_no_number, debug_text};

const LIST: &str = "/v1/payouts|-created";

/// A refusal is shown to the caller, and logged.
fn check<T>(read: Result<T, ApiError>) -> Option<T> {
    read.inspect_err(|error| assert_tells_no_number("a refusal", &format!("{error} {}", debug_text(error)))).ok()
}

fn check_v1<T>(read: Result<T, V1Error>) -> Option<T> {
    read.inspect_err(|error| assert_tells_no_number("a refusal", &format!("{error} {}", debug_text(error)))).ok()
}

/// A card and an address, as wallets send them.
pub fn card_body(data: &[u8]) {
    let body = Body::of(data);
    if let Some(card) = check(AddCardRequest::read(&body)) {
        let shape = |byte: u8| byte.is_ascii_digit() || byte == b' ' || byte == b'-';
        assert!(!card.number.is_empty() || data.is_ascii());
        assert!(card.number.len() <= 4 * 32, "{} bytes", card.number.len());
        assert!(!format!("{body:?}").bytes().all(shape));
    }
    if let Some(address) = check(BillingAddressRequest::read(&body)) {
        assert_eq!(address.country_code.chars().count(), 2);
        assert!((1..=200).contains(&address.address.chars().count()));
    }
}

/// An offer, as wallets ask for it.
pub fn offer_body(data: &[u8]) {
    let body = Body::of(data);
    let _ = check(CreateOfferRequest::read(&body));
    let _ = check(UpdateOfferRequest::read(&body));
}

/// A payout request, a single payout and a change of one, as partners send them; and any document.
pub fn request_body(data: &[u8]) {
    let body = Body::of(data);
    let wanted = |attributes| Wanted { kind: "payout-request", id: None, attributes };
    if let Some(a) = check_v1(Reader::of_document(&body, &wanted(&request_body::ATTRIBUTES)))
        && let Some(ask) = check_v1(request_body::new_request(&a, Mode::Test, "en"))
    {
        assert!(ask.reference_id.is_none_or(|reference| (1..=128).contains(&reference.chars().count())));
        assert!(ask.point_amount.is_none_or(|amount| amount >= rust_decimal::Decimal::ZERO));
    }
    if let Some(a) = check_v1(Reader::of_document(&body, &wanted(&request_body::ATTRIBUTES))) {
        let _ = check_v1(request_body::new_single(&a, Mode::Test, "en"));
    }
    if let Some(a) = check_v1(Reader::of_document(&body, &wanted(&request_body::CHANGEABLE))) {
        let _ = check_v1(request_body::change(&a, "en"));
    }
    let _ = check_v1(Reader::attributes_of(&body, &wanted(&[]), Mode::Test));
}

/// A cursor of a list is what the list gave.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(cursor) = Cursor::decode(text, LIST) {
        assert_eq!(cursor.encode(LIST), text);
    }
    // What was given, edited: the first three bytes say where and how.
    let Some(cursor) = chrono::DateTime::from_timestamp_micros(1_800_000_000_123_456)
        .map(|at| Cursor { at, id: uuid::Uuid::from_u128(7) })
    else {
        return;
    };
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor.encode(LIST)).unwrap_or_default();
    if let [at, with, ..] = data {
        let at = usize::from(*at) % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= with;
        }
        let decoded = Cursor::decode(&URL_SAFE_NO_PAD.encode(&bytes), LIST);
        assert!(decoded.is_none() || decoded == Some(cursor), "an edited cursor is taken");
    }
}

static KEYS: LazyLock<Keys> = LazyLock::new(Keys::new);

/// A token: whatever it says, only what the issuer signed is signed. And its claims are read without a panic.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    KEYS.token(text);
}

/// An issuer's key set.
pub fn jwks(data: &[u8]) {
    KEYS.set(data);
}
