//! `/v1/customers`: a partner's customers.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{Document, ListDocument, RequestDocument, Resource, answer};
use super::error::V1Error;
use super::reader::Reader;
use crate::domain::ids::{CustomerId, Mode};
use crate::gateway::access::Scope;
use crate::gateway::customers::{CustomerChange, CustomerFilter, KYC_LEVEL_MAX, NewCustomer, Profile};
use crate::http::routes::resource;

pub const KIND: &str = "customer";
const COLLECTION: &str = "/v1/customers";
/// Bounds of `metadata`, here and wherever else it is taken.
pub const METADATA_MEMBERS_MAX: usize = 20;
pub const METADATA_NAME_CHARS_MAX: usize = 40;
pub const METADATA_VALUE_CHARS_MAX: usize = 500;

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)])).service(resource(
        "/v1/customers/{id}",
        "GET, PATCH",
        [web::get().to(get), web::patch().to(change)],
    ));
}

/// A customer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CustomerAttributes {
    /// The partner's own name for the customer; unique in its mode. A wallet user's is the `sub` of their token.
    #[schema(example = "user-4711")]
    reference_id: String,
    /// Whether the customer is of test mode.
    test_mode: bool,
    /// The e-mail address.
    #[schema(example = "alice@example.com")]
    email: Option<String>,
    /// The name.
    #[schema(example = "Alice Example")]
    name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: Option<String>,
    /// The partner's own strings.
    #[schema(value_type = BTreeMap<String, String>, example = json!({"segment": "gold"}))]
    metadata: Value,
    /// How well the customer is known: 0 may look, 1 and above may pay.
    #[schema(minimum = 0, maximum = 3, example = 1)]
    kyc_level: i16,
    /// Whether payouts are refused.
    blocked: bool,
    /// Counts the changes: a change names the version that it is of.
    #[schema(example = 1)]
    version: i32,
    /// When the customer was written down.
    created: DateTime<Utc>,
    /// When it was last changed; null: never.
    updated: Option<DateTime<Utc>>,
}

/// A customer that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct NewCustomerRequest {
    /// The partner's own name for the customer.
    #[schema(min_length = 1, max_length = 255, example = "user-4711")]
    reference_id: String,
    /// The e-mail address.
    #[schema(min_length = 3, max_length = 254, example = "alice@example.com")]
    email: Option<String>,
    /// The name.
    #[schema(min_length = 1, max_length = 200, example = "Alice Example")]
    name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(min_length = 2, max_length = 2, example = "DE")]
    country: Option<String>,
    /// The partner's own strings: up to 20, names up to 40 and values up to 500 characters. Nothing that passes for a card number.
    #[schema(example = json!({"segment": "gold"}))]
    metadata: Option<BTreeMap<String, String>>,
    /// How well the customer is known; 0 unless given.
    #[schema(minimum = 0, maximum = 3)]
    kyc_level: Option<u8>,
    /// Whether payouts are refused; false unless given.
    blocked: Option<bool>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// What is to be changed of a customer. What isn't there stays; null empties.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct CustomerChangeRequest {
    /// The version that the change is of.
    version: i32,
    /// The e-mail address.
    #[schema(min_length = 3, max_length = 254)]
    email: Option<String>,
    /// The name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(min_length = 2, max_length = 2)]
    country: Option<String>,
    /// The partner's own strings, all of them.
    metadata: Option<BTreeMap<String, String>>,
    /// How well the customer is known.
    #[schema(minimum = 0, maximum = 3)]
    kyc_level: Option<u8>,
    /// Whether payouts are refused.
    blocked: Option<bool>,
}

fn shown(customer: Profile, mode: Mode) -> Resource<CustomerAttributes> {
    let attributes = CustomerAttributes {
        reference_id: customer.reference,
        test_mode: mode == Mode::Test,
        email: customer.email,
        name: customer.name,
        country: customer.country,
        metadata: customer.metadata,
        kyc_level: customer.kyc_level,
        blocked: customer.blocked_at.is_some(),
        version: customer.version,
        created: customer.created_at,
        updated: customer.updated_at,
    };
    Resource::new(KIND, COLLECTION, customer.id, attributes)
}

/// The `metadata` of a document, within its bounds.
pub fn metadata(a: &Reader<'_>) -> Option<BTreeMap<String, String>> {
    a.no_card_number("metadata");
    a.optional_map("metadata", METADATA_MEMBERS_MAX, METADATA_NAME_CHARS_MAX, METADATA_VALUE_CHARS_MAX)
}

fn kyc_level(a: &Reader<'_>) -> Option<u8> {
    a.optional_integer("kyc_level", 0..=i64::from(KYC_LEVEL_MAX)).and_then(|level| u8::try_from(level).ok())
}

fn read_new(a: &Reader<'_>, mode: Mode) -> Result<NewCustomer, V1Error> {
    a.test_mode(mode);
    for name in ["reference_id", "email", "name"] {
        a.no_card_number(name);
    }
    let new = NewCustomer {
        reference: a.text("reference_id", 1..=255),
        email: a.optional_text("email", 3..=254),
        name: a.optional_text("name", 1..=200),
        country: a.optional_text("country", 2..=2),
        metadata: metadata(a).unwrap_or_default(),
        kyc_level: kyc_level(a).unwrap_or(0),
        blocked: a.optional_flag("blocked").unwrap_or(false),
    };
    a.finish()?;
    Ok(new)
}

fn read_change(a: &Reader<'_>) -> Result<CustomerChange, V1Error> {
    for name in ["metadata", "kyc_level", "blocked"] {
        a.not_null(name);
    }
    for name in ["email", "name"] {
        a.no_card_number(name);
    }
    let change = CustomerChange {
        version: i32::try_from(a.integer("version", 1..=i64::from(i32::MAX))).unwrap_or(0),
        email: a.change_text("email", 3..=254),
        name: a.change_text("name", 1..=200),
        country: a.change_text("country", 2..=2),
        metadata: metadata(a),
        kyc_level: kyc_level(a),
        blocked: a.optional_flag("blocked"),
    };
    a.finish()?;
    Ok(change)
}

/// Write a customer down.
///
/// Needs `customers:write`.
#[utoipa::path(
    post, path = "/v1/customers", operation_id = "createCustomer", tag = "customers",
    request_body(content = RequestDocument<NewCustomerRequest>, content_type = "application/vnd.api+json"),
    responses((status = 201, description = "The customer.", body = Document<CustomerAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::CustomersWrite)?;
    call.no_parameters()?;
    let body = call.body(payload).await?;
    let known = ["reference_id", "email", "name", "country", "metadata", "kyc_level", "blocked", "test_mode"];
    let new = read_new(&call.document(&body, KIND, &known)?, call.mode())?;
    let (gateway, author, mode) = (Arc::clone(&call.gateway), call.author(), call.mode());
    call.write(&body, async move {
        let customer = gateway.create_customer(&author, new).await?;
        answer(201, &Document::from(shown(customer, mode)))
    })
    .await
}

/// The customers.
///
/// Needs `customers:read`.
#[utoipa::path(
    get, path = "/v1/customers", operation_id = "listCustomers", tag = "customers",
    params(
        ("filter[reference_id]" = Option<String>, Query, description = "The customer with that very reference."),
        ("filter[email]" = Option<String>, Query, description = "Customers with that very e-mail address."),
    ),
    responses((status = 200, description = "A page of customers.", body = ListDocument<CustomerAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::CustomersRead)?;
    let list = call.list(&["reference_id", "email"])?;
    let text = |name| list.filter(name).map(str::to_owned);
    let filter = CustomerFilter { reference: text("reference_id"), email: text("email") };
    let customers = call.gateway.list_customers(call.caller.tenant, &filter, list.slice()).await?;
    let mode = call.mode();
    call.ok(&list.page(customers, |customer| (customer.created_at, customer.id.0), |customer| shown(customer, mode)))
}

/// One customer.
///
/// Needs `customers:read`.
#[utoipa::path(
    get, path = "/v1/customers/{id}", operation_id = "getCustomer", tag = "customers",
    responses((status = 200, description = "The customer.", body = Document<CustomerAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::CustomersRead)?;
    call.no_parameters()?;
    let id: CustomerId = call.path_id("id")?;
    let customer = call.gateway.find_customer(call.caller.tenant, id).await?;
    call.ok(&Document::from(shown(customer, call.mode())))
}

/// Change a customer.
///
/// Needs `customers:write`. The change names the version that it is of; of two changes of one version the second is a conflict.
#[utoipa::path(
    patch, path = "/v1/customers/{id}", operation_id = "changeCustomer", tag = "customers",
    request_body(content = RequestDocument<CustomerChangeRequest>, content_type = "application/vnd.api+json"),
    responses((status = 200, description = "The customer as it is now.", body = Document<CustomerAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn change(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::CustomersWrite)?;
    call.no_parameters()?;
    let id: CustomerId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let known = ["version", "email", "name", "country", "metadata", "kyc_level", "blocked"];
    let change = read_change(&call.change_document(&body, KIND, id, &known)?)?;
    let (gateway, author, mode) = (Arc::clone(&call.gateway), call.author(), call.mode());
    call.write(&body, async move {
        let customer = gateway.change_customer(&author, id, change).await?;
        answer(200, &Document::from(shown(customer, mode)))
    })
    .await
}
