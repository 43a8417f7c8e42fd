//! A payout request as it is answered. Of a card only its mask is shown, and of an amount its digits.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::document::{Document, Resource};
use super::error::V1Error;
use super::{batches, customers};
use crate::domain::card::{Iin, masked_pan};
use crate::domain::ids::Mode;
use crate::domain::payout_request::{RequestStatus, SplitMode};
use crate::domain::service::{FieldKind, Service};
use crate::gateway::Gateway;
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::requests::terms::rate_of;
use crate::gateway::requests::{CardMask, Payout, PayoutRequest, RequestView};

pub const KIND: &str = "payout-request";
pub const COLLECTION: &str = "/v1/payout-gateway/payout-requests";

/// An amount on the wire: its digits, without trailing zeros.
pub fn amount(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// A payout request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutRequestAttributes {
    /// The payout point that it was made through.
    #[schema(example = "pop_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    point_id: String,
    /// What the caller is charged before the fee, in units of `point_currency`, as a decimal string.
    #[schema(example = "1")]
    point_amount: String,
    /// The currency of the charge.
    #[schema(example = "USD")]
    point_currency: String,
    /// What the caller is charged on top of `point_amount`, in units of `point_currency`, as a decimal string.
    #[schema(example = "0.05")]
    fee: String,
    /// Units of `service_currency` for one unit of `point_currency`, as a decimal string: 1 within one currency; null: none is known.
    #[schema(example = "0.9108")]
    exchange_rate: Option<String>,
    /// The payout service: a method and a currency.
    #[schema(example = "test_usd")]
    service: String,
    /// What is to be paid out, in units of `service_currency`, as a decimal string.
    #[schema(example = "1")]
    service_amount: String,
    /// The currency of the payout.
    #[schema(example = "USD")]
    service_currency: String,
    /// What was paid out so far, in units of `service_currency`, as a decimal string.
    #[schema(example = "1")]
    processed_amount: String,
    /// What came back of it, in units of `service_currency`, as a decimal string.
    #[schema(example = "0")]
    returned_amount: String,
    /// Whether it is of test mode.
    test_mode: bool,
    /// Where it stands.
    #[schema(value_type = String, example = "processed")]
    status: &'static str,
    /// Whether nothing more is going to be tried.
    #[serde(rename = "final")]
    is_final: bool,
    /// Why it ended as it did; null: it hasn't ended, or nothing is to be said.
    #[schema(value_type = Option<String>, example = "ok")]
    resolution: Option<&'static str>,
    /// Whether a person is to decide how it goes on.
    moderation: bool,
    /// Why nothing more is sent: `cancel`, `expiry`, `failure` (of its card or a part), or `rejected` by a person; null: it goes on.
    #[schema(example = "cancel")]
    stop_requested: Option<String>,
    /// What was given for the service's fields; of a card nothing stands here.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({"account": "some_random_string"}))]
    fields: Value,
    /// The fields that are waited for, while it is `waiting_details`.
    missing_fields: Vec<MissingField>,
    /// The card that it goes to; null: it goes to none.
    card: Option<PayoutCard>,
    /// The wallet's card that it goes to; null: it goes to none of them.
    #[schema(example = "4502195871112389")]
    token: Option<String>,
    /// The caller's own name for it; where none was given, its id.
    #[schema(example = "order-4711")]
    reference_id: String,
    /// What the caller says of it.
    #[schema(example = "Invoice 4711")]
    description: Option<String>,
    /// What is called when it changes.
    #[schema(example = "https://shop.example/payouts")]
    callback_url: Option<String>,
    /// Whom it is for; null: nobody was named.
    customer: Option<PayoutCustomer>,
    /// The caller's own.
    #[schema(value_type = Object, example = json!({"order": "4711"}))]
    metadata: Value,
    /// How it is to be carried out.
    options: PayoutOptions,
    /// How many payouts it started.
    #[schema(example = 1)]
    attempts_made: i16,
    /// The one route of a single payout; null: routing chooses.
    #[schema(example = "prt_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    route_id: Option<String>,
    /// The batch that it is an item of; null: none.
    #[schema(example = "bat_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    batch_id: Option<String>,
    /// Which of the batch's rows it is, from 1.
    #[schema(example = 1)]
    batch_row: Option<i32>,
    /// The tries at providers, by part and attempt.
    payouts: Vec<PayoutBrief>,
    /// When it was made.
    created: DateTime<Utc>,
    /// When it last changed.
    updated: DateTime<Utc>,
    /// When it ended; null: it hasn't.
    finished: Option<DateTime<Utc>>,
}

/// A field that a payout request waits for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MissingField {
    /// Its name in `fields`.
    #[schema(example = "account")]
    key: String,
    /// What to show beside it, in the asked language.
    #[schema(example = "Account")]
    label: String,
    /// What to do, in the asked language.
    #[schema(example = "Enter any text: no money moves.")]
    hint: String,
}

/// What may be shown of a card.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutCard {
    /// Whose card it is.
    #[schema(value_type = String, example = "VISA")]
    scheme: &'static str,
    /// Its first and last digits.
    #[schema(example = "4111***1111")]
    mask: String,
    /// The month until which it is valid, 1 to 12.
    #[schema(example = 12)]
    expiry_month: u8,
    /// The year until which it is valid.
    #[schema(example = 2035)]
    expiry_year: u16,
}

/// Whom a payout request is for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutCustomer {
    /// The customer's id.
    #[schema(example = "cus_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    id: String,
    /// The partner's own name for the customer.
    #[schema(example = "user-4711")]
    reference_id: String,
    /// The e-mail address.
    #[schema(example = "alice@example.com")]
    email: Option<String>,
    /// The name.
    #[schema(example = "Alice Example")]
    name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: Option<String>,
    /// The partner's own.
    #[schema(value_type = Object)]
    metadata: Value,
}

/// How a payout request is to be carried out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutOptions {
    /// How many payouts it may start, over all routes.
    #[schema(example = 3)]
    attempts_limit: i16,
    /// How many of them on one route.
    #[schema(example = 1)]
    attempts_per_route_limit: i16,
    /// Whether a part will do where the rest finally failed.
    allow_partially: bool,
    /// Whether it is sent on by itself as soon as it is ready.
    auto_process: bool,
    /// `never`, `auto` (when no single route can carry it) or `always`.
    #[schema(value_type = String, example = "never")]
    split_mode: &'static str,
    /// Whether parts go out at the same time.
    parallel_mode: bool,
    /// Until when it starts payouts.
    expires_at: DateTime<Utc>,
}

/// One try at one provider, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutBrief {
    /// Its id.
    #[schema(example = "po_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    id: String,
    /// Which part of the amount it pays, from 0.
    #[schema(example = 0)]
    part: i16,
    /// Which attempt at the part it is, from 1.
    #[schema(example = 1)]
    attempt: i16,
    /// The route that it takes.
    #[schema(example = "prt_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    route_id: String,
    /// Where it stands.
    #[schema(value_type = String, example = "processed")]
    status: &'static str,
    /// Why it stands there; null: nothing is to be said yet.
    #[schema(value_type = Option<String>, example = "ok")]
    resolution: Option<&'static str>,
    /// What it is to pay, in units of the service's currency, as a decimal string.
    #[schema(example = "1")]
    amount: String,
    /// What it paid, in units of the service's currency, as a decimal string.
    #[schema(example = "1")]
    processed_amount: String,
}

impl PayoutBrief {
    fn of(payout: &Payout) -> Self {
        Self {
            id: payout.id.to_string(),
            part: payout.part,
            attempt: payout.attempt,
            route_id: payout.route_id.to_string(),
            status: payout.status.as_str(),
            resolution: payout.resolution.map(|resolution| resolution.as_str()),
            amount: amount(payout.amount),
            processed_amount: amount(payout.amount_processed),
        }
    }
}

fn card(mask: &CardMask) -> PayoutCard {
    let shown = Iin::parse(&mask.iin).map_or_else(|_| "***".to_owned(), |iin| masked_pan(&iin, &mask.last_four));
    PayoutCard {
        scheme: mask.scheme.as_str(),
        mask: shown,
        expiry_month: mask.expiry.month,
        expiry_year: mask.expiry.year,
    }
}

fn options(row: &PayoutRequest) -> PayoutOptions {
    let terms = &row.terms;
    PayoutOptions {
        attempts_limit: row.attempts_limit,
        attempts_per_route_limit: terms.attempts_per_route_limit,
        allow_partially: row.allow_partially,
        auto_process: terms.auto_process,
        split_mode: SplitMode::as_str(terms.split_mode),
        parallel_mode: terms.parallel_mode,
        expires_at: row.expires_at,
    }
}

/// What a request waits for: the required fields that it doesn't have.
fn missing(view: &RequestView, service: Option<&Service>, language: &str) -> Vec<MissingField> {
    let (RequestStatus::WaitingDetails, Some(service)) = (view.request.status, service) else { return Vec::new() };
    let given = |key: &str| view.request.fields.get(key).is_some_and(|value| !value.is_null());
    let waited = service.fields.iter().filter(|field| match field.kind.is_card() {
        // A card is taken whole: without one its number is waited for in any case.
        true => view.card.is_none() && (field.required || field.kind == FieldKind::CardNumber),
        false => field.required && !given(&field.key),
    });
    let told = waited.map(|field| MissingField {
        key: field.key.clone(),
        label: field.label.get(language).to_owned(),
        hint: field.hint.get(language).to_owned(),
    });
    told.collect()
}

fn shown(view: RequestView, service: Option<&Service>, language: &str) -> Resource<PayoutRequestAttributes> {
    let missing_fields = missing(&view, service, language);
    let RequestView { request: row, payouts, card: mask, customer } = view;
    let rate = rate_of(&row).ok().map(|rate| amount(rate.value()));
    let (options, terms) = (options(&row), row.terms);
    let attributes = PayoutRequestAttributes {
        point_id: row.point_id.to_string(),
        point_amount: amount(terms.point_amount),
        point_currency: terms.point_currency.to_string(),
        fee: amount(terms.fee),
        exchange_rate: rate,
        service: row.service,
        service_amount: amount(row.amount),
        service_currency: row.currency.to_string(),
        processed_amount: amount(row.amount_processed),
        returned_amount: amount(row.amount_returned),
        test_mode: row.mode == Mode::Test,
        status: row.status.as_str(),
        is_final: row.status.is_final(),
        resolution: row.resolution.map(|resolution| resolution.as_str()),
        moderation: row.moderation_reason.is_some(),
        stop_requested: row.stop_requested,
        fields: row.fields,
        missing_fields,
        card: mask.as_ref().map(card),
        token: row.card_id.map(|id| id.to_string()),
        reference_id: row.reference_id,
        description: row.description,
        callback_url: terms.callback_url,
        customer: customer.map(|customer| PayoutCustomer {
            id: customer.id.to_string(),
            reference_id: customer.reference,
            email: customer.email,
            name: customer.name,
            country: customer.country,
            metadata: customer.metadata,
        }),
        metadata: terms.metadata,
        options,
        attempts_made: row.attempts_made,
        route_id: terms.single_route_id.map(|id| id.to_string()),
        batch_id: terms.batch_id.map(|id| id.to_string()),
        batch_row: terms.batch_row,
        payouts: payouts.iter().map(PayoutBrief::of).collect(),
        created: row.created_at,
        updated: row.updated_at,
        finished: row.final_at,
    };
    let resource =
        Resource::new(KIND, COLLECTION, row.id, attributes).related("point", "payout-point", Some(row.point_id));
    let resource = resource.related("customer", customers::KIND, row.customer_id);
    resource.related("batch", batches::KIND, terms.batch_id)
}

/// Requests as they are answered, in the asked language.
pub async fn resources(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    views: Vec<RequestView>,
    language: &str,
) -> Result<Vec<Resource<PayoutRequestAttributes>>, V1Error> {
    let mut resources = Vec::with_capacity(views.len());
    for view in views {
        // Services are at hand in memory: this reads nothing.
        let service = match view.request.status {
            RequestStatus::WaitingDetails => match gateway.find_service(caller, &view.request.service).await {
                Ok(service) => Some(service),
                Err(Refusal::NotFound { .. }) => None,
                Err(refusal) => return Err(refusal.into()),
            },
            _ => None,
        };
        resources.push(shown(view, service.as_deref(), language));
    }
    Ok(resources)
}

/// One request as it is answered, in the asked language.
pub async fn document(
    gateway: &Arc<Gateway>,
    caller: &Caller,
    view: RequestView,
    language: &str,
) -> Result<Document<PayoutRequestAttributes>, V1Error> {
    let resource = resources(gateway, caller, vec![view], language).await?.pop();
    resource.map(Document::from).ok_or_else(|| V1Error::internal(&"a payout request isn't shown"))
}
