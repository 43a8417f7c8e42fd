//! Offers: asked for, priced anew, looked at.

use actix_web::{HttpResponse, web};
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use validator::Validate;

use super::timestamp;
use super::validate::check_lengths;
use crate::domain::asset::AssetCode;
use crate::domain::fee::FeeKind;
use crate::domain::ids::{CardId, OfferId};
use crate::domain::offer::OfferStatus;
use crate::http::body::Body;
use crate::http::call::{Answer, Call};
use crate::http::error::{ApiError, FieldProblem};
use crate::http::exact_number::ExactNumber;
use crate::http::fields::Fields;
use crate::http::messages::{self, Language};
use crate::wallet::offers::OfferInput;
use crate::wallet::view::{FeeView, OfferView};

const AMOUNT_CHARS_MAX: usize = 64;

/// An offer to be made. Exactly one of `amount` and `amountTo` is given.
#[derive(Validate, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CreateOfferRequest {
    /// What is spent before fees, in units of `fromCurrency`, as a number or a string.
    #[schema(schema_with = amount_schema)]
    amount: Option<String>,
    /// What reaches the card, in units of `toCurrency`, as a number or a string.
    #[schema(schema_with = amount_to_schema)]
    amount_to: Option<String>,
    /// The crypto currency.
    #[validate(length(min = 2, max = 10))]
    #[schema(min_length = 2, max_length = 10, example = "USDT")]
    from_currency: String,
    /// The fiat currency.
    #[validate(length(min = 2, max = 10))]
    #[schema(min_length = 2, max_length = 10, example = "EUR")]
    to_currency: String,
    /// One of the user's cards.
    #[schema(example = 4821906437715023_i64)]
    card_id: i64,
}

/// An offer to be priced anew. Exactly one of `amount` and `amountTo` is given.
#[derive(Validate, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UpdateOfferRequest {
    /// What is spent before fees, in units of `fromCurrency`, as a number or a string.
    #[schema(schema_with = amount_schema)]
    amount: Option<String>,
    /// What reaches the card, in units of `toCurrency`, as a number or a string.
    #[schema(schema_with = amount_to_schema)]
    amount_to: Option<String>,
    /// The crypto currency.
    #[validate(length(min = 2, max = 10))]
    #[schema(min_length = 2, max_length = 10, example = "USDT")]
    from_currency: String,
    /// The fiat currency.
    #[validate(length(min = 2, max = 10))]
    #[schema(min_length = 2, max_length = 10, example = "EUR")]
    to_currency: String,
}

fn number_or_text(description: &str, number_example: &str) -> Schema {
    let example = number_example.parse::<serde_json::Number>().map(serde_json::Value::Number).unwrap_or_default();
    AnyOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0_u64)))
        .item(ObjectBuilder::new().schema_type(Type::String).max_length(Some(AMOUNT_CHARS_MAX)))
        .description(Some(description))
        .examples([example, number_example.into()])
        .into()
}

fn amount_schema() -> Schema {
    number_or_text(
        "What is spent before fees, in units of `fromCurrency`: a number, or a string of the same digits.",
        "760.06209697",
    )
}

fn amount_to_schema() -> Schema {
    number_or_text(
        "What reaches the card, in units of `toCurrency`: a number, or a string of the same digits.",
        "692.49",
    )
}

impl CreateOfferRequest {
    pub(in crate::http) fn read(body: &Body) -> Result<(OfferInput, CardId), ApiError> {
        let fields = Fields::read(body, &["amount", "amountTo", "fromCurrency", "toCurrency", "cardId"])?;
        let request = Self {
            amount: fields.number("amount", AMOUNT_CHARS_MAX)?,
            amount_to: fields.number("amountTo", AMOUNT_CHARS_MAX)?,
            from_currency: fields.text("fromCurrency")?,
            to_currency: fields.text("toCurrency")?,
            card_id: fields.card_id("cardId")?.0,
        };
        check_lengths(&request)?;
        let input = one_sided(request.amount, request.amount_to, request.from_currency, request.to_currency)?;
        Ok((input, CardId(request.card_id)))
    }
}

impl UpdateOfferRequest {
    pub(in crate::http) fn read(body: &Body) -> Result<OfferInput, ApiError> {
        let fields = Fields::read(body, &["amount", "amountTo", "fromCurrency", "toCurrency"])?;
        let request = Self {
            amount: fields.number("amount", AMOUNT_CHARS_MAX)?,
            amount_to: fields.number("amountTo", AMOUNT_CHARS_MAX)?,
            from_currency: fields.text("fromCurrency")?,
            to_currency: fields.text("toCurrency")?,
        };
        check_lengths(&request)?;
        one_sided(request.amount, request.amount_to, request.from_currency, request.to_currency)
    }
}

/// An offer fixes one of both amounts.
fn one_sided(
    amount: Option<String>,
    amount_to: Option<String>,
    currency_from: String,
    currency_to: String,
) -> Result<OfferInput, ApiError> {
    match (&amount, &amount_to) {
        (None, None) => Err(ApiError::field("amount", FieldProblem::Missing)),
        (Some(_), Some(_)) => Err(ApiError::field("amountTo", FieldProblem::Value)),
        (Some(_), None) | (None, Some(_)) => Ok(OfferInput { amount, amount_to, currency_from, currency_to }),
    }
}

/// A fee's `type` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum FeeType {
    /// The percentage and the fixed sum together.
    #[serde(rename = "TRANSACTION_FEE")]
    Transaction,
    /// What the network costs.
    #[serde(rename = "CRYPTERIUM_GAS")]
    Gas,
    #[serde(rename = "ADDITIONAL_FEE")]
    Additional,
    #[serde(rename = "PARTNER_FEE")]
    Partner,
}

impl FeeType {
    const fn of(kind: FeeKind) -> Self {
        match kind {
            FeeKind::Transaction | FeeKind::Fixed => FeeType::Transaction,
            FeeKind::NetworkGas => FeeType::Gas,
            FeeKind::Additional => FeeType::Additional,
            FeeKind::Partner => FeeType::Partner,
        }
    }
}

/// One fee of an offer, on top of its amount.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeeInfo {
    /// The currency's code.
    #[schema(example = "USDT")]
    currency: String,
    /// For the screen, in the language that `Accept-Language` asks for.
    #[schema(example = "Transaction fee")]
    name: &'static str,
    /// Decimals of `currency`.
    #[schema(example = 8)]
    scale: u8,
    /// In units of `currency`.
    value: ExactNumber,
    /// Which fee it is.
    #[serde(rename = "type")]
    fee_type: FeeType,
}

/// A limit that an offer meets.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Limit {
    /// In units of `currency`.
    value: ExactNumber,
    /// The currency's code.
    #[schema(example = "EUR")]
    currency: String,
}

/// Where an offer stands: open (`QUOTED`), being paid (`ACCEPTED`), or how it ended. What was `RELEASED` is back on the
/// balance; what was `RETURNED` was paid and came back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = OfferStatus)]
pub(super) enum Status {
    Quoted,
    Accepted,
    Paid,
    PartlyPaid,
    Released,
    Expired,
    Returned,
}

impl From<OfferStatus> for Status {
    fn from(status: OfferStatus) -> Self {
        match status {
            OfferStatus::Quoted => Status::Quoted,
            OfferStatus::Accepted => Status::Accepted,
            OfferStatus::Paid => Status::Paid,
            OfferStatus::PartlyPaid => Status::PartlyPaid,
            OfferStatus::Released => Status::Released,
            OfferStatus::Expired => Status::Expired,
            OfferStatus::Returned => Status::Returned,
        }
    }
}

/// A price that stands for `validSeconds`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Below 2^53.
    #[schema(example = 7310548820196645_i64)]
    offer_id: i64,
    /// Whole seconds from `serverTime` to `expiresAt`; 0 when over.
    #[schema(example = 20)]
    valid_seconds: u64,
    /// What is spent before fees, in units of `currencyFrom`.
    amount: ExactNumber,
    /// The crypto currency.
    #[schema(example = "USDT")]
    currency_from: String,
    /// What reaches the card, in units of `currencyTo`.
    amount_to: ExactNumber,
    /// The fiat currency.
    #[schema(example = "EUR")]
    currency_to: String,
    /// Units of `currencyTo` for one of `currencyFrom`, to 6 decimals.
    rate: ExactNumber,
    /// What is charged on top of the amount.
    fee_info: Vec<FeeInfo>,
    /// Whether a pay would accept the offer now; if not, `reason` says why.
    #[schema(example = true)]
    possible_to_execute: bool,
    /// The limit that `reason` is about; null if there is none.
    limit: Option<Limit>,
    status: Status,
    /// Raised by every update; a pay may name the version that its user saw.
    #[schema(example = 1)]
    version: i32,
    /// UTC.
    #[schema(example = "2026-11-21T10:15:50.000Z")]
    expires_at: String,
    /// UTC.
    #[schema(example = "2026-11-21T10:15:30.000Z")]
    server_time: String,
    /// What leaves the user's balance: the amount and its fees, in units of `currencyFrom`.
    total_from: ExactNumber,
    /// The code of the first rule that refuses, from the table of errors; null if none does.
    #[schema(example = "INSUFFICIENT_FUNDS")]
    reason: Option<&'static str>,
}

impl Offer {
    fn of(offer: OfferView, language: Language) -> Result<Self, ApiError> {
        Ok(Self {
            offer_id: offer.id.0,
            valid_seconds: offer.valid_seconds,
            amount: ExactNumber(offer.amount),
            currency_from: offer.currency_from.to_string(),
            amount_to: ExactNumber(offer.amount_to),
            currency_to: offer.currency_to.to_string(),
            rate: ExactNumber(offer.rate),
            fee_info: fee_info(&offer.fees, language)?,
            possible_to_execute: offer.possible_to_execute,
            limit: offer.limit.map(|(value, currency)| limit(value, currency)),
            status: offer.status.into(),
            version: offer.version,
            expires_at: timestamp(offer.expires_at),
            server_time: timestamp(offer.server_time),
            total_from: ExactNumber(offer.total_from),
            reason: offer.reason.map(|reason| reason.as_str()),
        })
    }
}

fn limit(value: Decimal, currency: AssetCode) -> Limit {
    Limit { value: ExactNumber(value), currency: currency.to_string() }
}

/// The fees by their types, in the order in which they come; fees of one type and currency are one.
fn fee_info(fees: &[FeeView], language: Language) -> Result<Vec<FeeInfo>, ApiError> {
    let mut folded: Vec<FeeInfo> = Vec::new();
    for fee in fees {
        let (fee_type, currency) = (FeeType::of(fee.kind), fee.currency.to_string());
        match folded.iter_mut().find(|known| known.fee_type == fee_type && known.currency == currency) {
            Some(known) => {
                let sum = known.value.0.checked_add(fee.value);
                known.value = ExactNumber(sum.ok_or_else(|| ApiError::internal(&"fees don't add up"))?);
            }
            None => folded.push(FeeInfo {
                currency,
                name: messages::fee_name(fee_type, language),
                scale: fee.scale,
                value: ExactNumber(fee.value),
                fee_type,
            }),
        }
    }
    Ok(folded)
}

/// Asks for an offer.
///
/// It stands for `validSeconds` and holds nothing; paying it does. KYC level 0 is enough.
#[utoipa::path(
    post, path = "/v4/payout/offer", operation_id = "createOffer", tag = "offers",
    request_body = CreateOfferRequest,
    responses((status = 200, description = "The offer.", body = Offer))
)]
pub async fn create(call: Call, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let body = call.body(payload).await?;
    let (input, card_id) = CreateOfferRequest::read(&body)?;
    let (wallet, user, language) = (call.wallet.clone(), call.user.clone(), call.context.language);
    let work = async move { Answer::json(&Offer::of(wallet.create_offer(&user, input, card_id).await?, language)?) };
    call.write(&body, work).await
}

/// Prices an offer anew.
///
/// The same `offerId` gets a new price, a higher `version` and its time again. An accepted or expired offer can't be
/// updated.
#[utoipa::path(
    put, path = "/v4/payout/offer/{offerId}", operation_id = "updateOffer", tag = "offers",
    request_body = UpdateOfferRequest,
    responses((status = 200, description = "The offer.", body = Offer))
)]
pub async fn update(call: Call, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let offer_id: OfferId = call.path_id("offerId")?;
    let body = call.body(payload).await?;
    let input = UpdateOfferRequest::read(&body)?;
    let (wallet, user, language) = (call.wallet.clone(), call.user.clone(), call.context.language);
    let work = async move { Answer::json(&Offer::of(wallet.update_offer(&user, offer_id, input).await?, language)?) };
    call.write(&body, work).await
}

/// An offer as it stands now.
#[utoipa::path(
    get, path = "/v4/payout/offer/{offerId}", operation_id = "getOffer", tag = "offers",
    responses((status = 200, description = "The offer, with its status.", body = Offer))
)]
pub async fn get(call: Call) -> Result<HttpResponse, ApiError> {
    let offer_id: OfferId = call.path_id("offerId")?;
    let offer = call.wallet.offer(&call.user, offer_id).await?;
    let shown = Offer::of(offer.clone(), call.context.language)?;
    let meaning = Offer { valid_seconds: 0, server_time: String::new(), ..Offer::of(offer, call.context.language)? };
    call.fresh_by(&shown, &meaning)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn fee(kind: FeeKind, value: Decimal) -> FeeView {
        FeeView { kind, currency: "USDT".parse().unwrap(), scale: 8, value }
    }

    #[test]
    fn the_fixed_fee_is_part_of_the_transaction_fee() {
        let fees = [
            fee(FeeKind::Transaction, dec!(26.60217340)),
            fee(FeeKind::NetworkGas, dec!(0)),
            fee(FeeKind::Fixed, dec!(2.68903948)),
        ];
        let shown = serde_json::to_string(&fee_info(&fees, Language::En).unwrap()).unwrap();
        assert_eq!(
            shown,
            r#"[{"currency":"USDT","name":"Transaction fee","scale":8,"value":29.29121288,"type":"TRANSACTION_FEE"},{"currency":"USDT","name":"Network gas","scale":8,"value":0,"type":"CRYPTERIUM_GAS"}]"#
        );
    }

    #[test]
    fn an_offer_names_one_side() {
        let read = |json: &str| CreateOfferRequest::read(&Body::of(json)).map_err(|error| error.details.field);
        let rest = r#""fromCurrency":"USDT","toCurrency":"EUR","cardId":"4821906437715023"}"#;
        let (input, card_id) = read(&format!(r#"{{"amount":760.06209697,{rest}"#)).unwrap();
        assert_eq!((input.amount.as_deref(), card_id.0), (Some("760.06209697"), 4_821_906_437_715_023));
        assert_eq!(read(&format!("{{{rest}")).map(drop), Err(Some("amount".into())));
        assert_eq!(read(&format!(r#"{{"amount":1,"amountTo":"1",{rest}"#)).map(drop), Err(Some("amountTo".into())));
        assert!(read(&format!(r#"{{"amount":null,"amountTo":"1",{rest}"#)).is_ok());
    }
}
