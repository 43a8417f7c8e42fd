//! Cards: added, given a billing address, deleted.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use validator::Validate;
use zeroize::Zeroizing;

use super::validate::check_lengths;
use crate::domain::card::CardScheme;
use crate::domain::ids::CardId;
use crate::http::body::Body;
use crate::http::call::{Answer, Call};
use crate::http::error::ApiError;
use crate::http::exact_number::ExactNumber;
use crate::http::fields::Fields;
use crate::wallet::cards::{AddCard, BillingAddress};
use crate::wallet::view::{CardValidation, CardView, PairLimits};

/// Room for 19 digits with spaces or hyphens between them.
const NUMBER_CHARS_MAX: usize = 32;
const EXPIRY_CHARS_MAX: usize = 4;

/// A card to be added. A verification code (`cvv`, `cvc`, ...) is refused wherever it stands.
#[derive(Validate, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct AddCardRequest {
    /// The card's number: 12 to 19 digits, as an integer or as a string (spaces and hyphens may stand between the
    /// digits).
    #[schema(schema_with = card_number_schema, required)]
    card_number: Zeroizing<String>,
    /// The holder's name, as it stands on the card.
    #[validate(length(min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100, example = "JOHN DOE")]
    card_holder: String,
    /// The year of expiry, with four digits or two, as an integer or as a string.
    #[schema(schema_with = expiry_year_schema, required)]
    card_expiration_year: String,
    /// The month of expiry, 1 to 12, as an integer or as a string.
    #[schema(schema_with = expiry_month_schema, required)]
    card_expiration_month: String,
}

impl AddCardRequest {
    pub(in crate::http) fn read(body: &Body) -> Result<AddCard, ApiError> {
        let known = ["cardNumber", "cardHolder", "cardExpirationYear", "cardExpirationMonth"];
        let fields = Fields::read(body, &known)?;
        let request = Self {
            card_number: fields.digits("cardNumber", NUMBER_CHARS_MAX)?,
            card_holder: fields.text("cardHolder")?,
            card_expiration_year: fields.digits("cardExpirationYear", EXPIRY_CHARS_MAX)?.to_string(),
            card_expiration_month: fields.digits("cardExpirationMonth", EXPIRY_CHARS_MAX)?.to_string(),
        };
        check_lengths(&request)?;
        Ok(AddCard {
            number: request.card_number,
            holder: request.card_holder,
            expiry_year: request.card_expiration_year,
            expiry_month: request.card_expiration_month,
        })
    }
}

fn integer_or_text(
    integer_example: u64,
    (min, max): (u64, u64),
    (text_example, pattern): (&str, &str),
    description: &str,
) -> Schema {
    let integer = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min)).maximum(Some(max));
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    AnyOfBuilder::new()
        .item(integer)
        .item(text)
        .description(Some(description))
        .examples([serde_json::json!(integer_example), serde_json::json!(text_example)])
        .into()
}

fn card_number_schema() -> Schema {
    integer_or_text(
        4_111_111_111_111_111,
        (100_000_000_000, 9_999_999_999_999_999_999),
        ("4111 1111 1111 1111", "^[0-9]([ -]?[0-9]){11,18}$"),
        "The card's number: 12 to 19 digits, as an integer or as a string (spaces and hyphens may stand between the digits).",
    )
}

fn expiry_year_schema() -> Schema {
    integer_or_text(2030, (10, 2099), ("2030", "^(20)?[0-9]{2}$"), "The year of expiry, as an integer or as a string.")
}

fn expiry_month_schema() -> Schema {
    integer_or_text(
        7,
        (1, 12),
        ("07", "^(0?[1-9]|1[0-2])$"),
        "The month of expiry, 1 to 12, as an integer or as a string.",
    )
}

/// A card's billing address.
#[derive(Validate, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct BillingAddressRequest {
    /// Street and number.
    #[validate(length(min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200, example = "10 Downing Street")]
    address: String,
    /// City or town.
    #[validate(length(min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100, example = "London")]
    city: String,
    /// ISO 3166-1 alpha-2.
    #[validate(length(equal = 2))]
    #[schema(min_length = 2, max_length = 2, example = "GB")]
    country_code: String,
    /// Postal code.
    #[validate(length(min = 1, max = 16))]
    #[schema(min_length = 1, max_length = 16, example = "SW1A 2AA")]
    zip: String,
    /// State, province or region, where the country has them.
    #[validate(length(max = 100))]
    #[schema(max_length = 100, example = "England")]
    state: Option<String>,
}

impl BillingAddressRequest {
    pub(in crate::http) fn read(body: &Body) -> Result<BillingAddress, ApiError> {
        let fields = Fields::read(body, &["address", "city", "countryCode", "zip", "state"])?;
        let request = Self {
            address: fields.text("address")?,
            city: fields.text("city")?,
            country_code: fields.text("countryCode")?,
            zip: fields.text("zip")?,
            state: fields.optional_text("state")?,
        };
        check_lengths(&request)?;
        let Self { address, city, country_code, zip, state } = request;
        Ok(BillingAddress { address, city, country_code, zip, state })
    }
}

/// A card, as it may be shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// Below 2^53.
    #[schema(example = 4821906437715023_i64)]
    card_id: i64,
    /// `VISA`, `MASTERCARD`, `MAESTRO`, `AMEX`, `UNIONPAY`, `JCB`, `DISCOVER`, `DINERS` or `MIR`.
    #[schema(value_type = String, example = "VISA")]
    card_type: CardScheme,
    /// The first four digits, three stars, the last four.
    #[schema(example = "4111***1111")]
    masked_pan: String,
    validation_status: ValidationStatus,
    /// What may be paid to the card in one offer, per pair of currencies.
    pairs_limits: Vec<CardPairLimits>,
    /// Whether a billing address has to be given before the card can be paid to.
    #[schema(example = false)]
    billing_address_required: bool,
    /// Whether the card takes money within minutes.
    #[schema(example = true)]
    fast_funds: bool,
}

/// Only an approved card can be paid to; a pending one is still being checked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum ValidationStatus {
    Approved,
    Pending,
    Declined,
    Expired,
}

/// What may be paid to a card in one offer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CardPairLimits {
    /// The crypto currency.
    #[schema(example = "USDT")]
    currency_from: String,
    /// The fiat currency.
    #[schema(example = "EUR")]
    currency_to: String,
    /// In units of `currencyFrom`.
    min_amount_from: ExactNumber,
    /// In units of `currencyFrom`.
    max_amount_from: ExactNumber,
    /// What "spend everything" comes to now, fees taken off, in units of `currencyFrom`; 0 if nothing can be spent.
    all_amount_from: ExactNumber,
}

impl From<CardView> for Card {
    fn from(card: CardView) -> Self {
        Self {
            card_id: card.id.0,
            card_type: card.scheme,
            masked_pan: card.masked_pan,
            validation_status: match card.validation {
                CardValidation::Approved => ValidationStatus::Approved,
                CardValidation::Pending => ValidationStatus::Pending,
                CardValidation::Declined => ValidationStatus::Declined,
                CardValidation::Expired => ValidationStatus::Expired,
            },
            pairs_limits: card.pair_limits.into_iter().map(CardPairLimits::from).collect(),
            billing_address_required: card.billing_address_required,
            fast_funds: card.fast_funds,
        }
    }
}

impl From<PairLimits> for CardPairLimits {
    fn from(limits: PairLimits) -> Self {
        Self {
            currency_from: limits.currency_from.to_string(),
            currency_to: limits.currency_to.to_string(),
            min_amount_from: ExactNumber(limits.amount_from_min),
            max_amount_from: ExactNumber(limits.amount_from_max),
            all_amount_from: ExactNumber(limits.amount_from_all),
        }
    }
}

/// Adds a card.
///
/// The same card added again is the same `cardId`. KYC level 0 is enough. Apps may ignore the answer, which was empty
/// once.
#[utoipa::path(
    post, path = "/v4/payout/card", operation_id = "addCard", tag = "cards",
    request_body = AddCardRequest,
    responses((status = 200, description = "The card, as `GET /v4/payout/data` shows it.", body = Card))
)]
pub async fn add(call: Call, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let body = call.body(payload).await?;
    let input = AddCardRequest::read(&body)?;
    let (wallet, user) = (call.wallet.clone(), call.user.clone());
    call.write(&body, async move { Answer::json(&Card::from(wallet.add_card(&user, input).await?)) }).await
}

/// Sets a card's billing address.
#[utoipa::path(
    put, path = "/v4/payout/card/{cardId}/billing-address", operation_id = "setCardBillingAddress", tag = "cards",
    request_body = BillingAddressRequest,
    responses((status = 200, description = "The card.", body = Card))
)]
pub async fn set_billing_address(call: Call, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let card_id: CardId = call.path_id("cardId")?;
    let body = call.body(payload).await?;
    let input = BillingAddressRequest::read(&body)?;
    let (wallet, user) = (call.wallet.clone(), call.user.clone());
    let work = async move { Answer::json(&Card::from(wallet.set_billing_address(&user, card_id, input).await?)) };
    call.write(&body, work).await
}

/// Deletes a card.
///
/// It is gone at once; its number is destroyed when no open payout needs it, and the history stays.
#[utoipa::path(
    delete, path = "/v4/payout/card/{cardId}", operation_id = "deleteCard", tag = "cards",
    responses((status = 204, description = "Deleted."))
)]
pub async fn delete(call: Call, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let card_id: CardId = call.path_id("cardId")?;
    let body = call.empty_body(payload).await?;
    let (wallet, user) = (call.wallet.clone(), call.user.clone());
    let work = async move {
        wallet.delete_card(&user, card_id).await?;
        Ok(Answer::no_content())
    };
    call.write(&body, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> (Option<String>, String) {
        let error = AddCardRequest::read(&Body::of(json)).map(drop).unwrap_err();
        (error.details.field, error.details.data.unwrap()["problem"].as_str().unwrap().to_owned())
    }

    #[test]
    fn integers_and_texts_are_read_alike() {
        for json in [
            r#"{"cardNumber":4111111111111111,"cardHolder":"JOHN DOE","cardExpirationYear":2030,"cardExpirationMonth":7}"#,
            r#"{"cardNumber":"4111111111111111","cardHolder":"JOHN DOE","cardExpirationYear":"2030","cardExpirationMonth":"7"}"#,
        ] {
            let card = AddCardRequest::read(&Body::of(json)).unwrap();
            assert_eq!(*card.number, "4111111111111111");
            assert_eq!(
                (card.holder, card.expiry_year, card.expiry_month),
                ("JOHN DOE".into(), "2030".into(), "7".into())
            );
        }
    }

    #[test]
    fn a_verification_code_is_refused_before_anything_else() {
        let refusal = refused(r#"{"cardNumber":true,"what":1,"cvv":"123"}"#);
        assert_eq!(refusal, (Some("cvv".into()), "forbidden".into()));
    }

    #[test]
    fn lengths_are_bounded() {
        let long = "x".repeat(101);
        let json =
            format!(r#"{{"cardNumber":1,"cardHolder":"{long}","cardExpirationYear":1,"cardExpirationMonth":1}}"#);
        assert_eq!(refused(&json), (Some("cardHolder".into()), "length".into()));
        assert_eq!(
            refused(r#"{"cardNumber":1,"cardHolder":"","cardExpirationYear":1,"cardExpirationMonth":1}"#),
            (Some("cardHolder".into()), "length".into())
        );
        let json = format!(r#"{{"cardNumber":{}}}"#, "4".repeat(33));
        assert_eq!(refused(&json), (Some("cardNumber".into()), "length".into()));
        let address = r#"{"address":"a","city":"c","countryCode":"DEU","zip":"1"}"#;
        let error = BillingAddressRequest::read(&Body::of(address)).map(drop).unwrap_err();
        assert_eq!(error.details.field.as_deref(), Some("countryCode"));
    }
}
