//! Reading the documents that make and change payout requests. What the document alone can tell is told here; what a service, a
//! point or a route asks for is the use case's.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::V1Error;
use super::reader::Reader;
use crate::domain::ids::{Mode, PayoutPointId};
use crate::gateway::access::Problem;
use crate::gateway::requests::{NewCustomer, NewRequest, Patch, RequestOptions};

/// What a request's document may say.
pub const ATTRIBUTES: [&str; 14] = [
    "point_id",
    "point_amount",
    "point_currency",
    "service",
    "service_amount",
    "test_mode",
    "fields",
    "token",
    "reference_id",
    "description",
    "callback_url",
    "customer",
    "metadata",
    "options",
];
const OPTIONS: [&str; 7] = [
    "attempts_limit",
    "attempts_per_route_limit",
    "allow_partially",
    "auto_process",
    "split_mode",
    "parallel_mode",
    "expires_at",
];
/// A single payout has no other route to go to and no other part.
const SINGLE_OPTIONS: [&str; 2] = ["auto_process", "expires_at"];

/// A payout request that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct NewPayoutRequest {
    /// The payout point.
    #[schema(example = "pop_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    point_id: String,
    /// What is to be charged before the fee, in units of `point_currency`: a decimal string or a number. This, or `service_amount`,
    /// or both where they come to the same.
    #[schema(example = "1")]
    point_amount: Option<String>,
    /// The currency of the charge: one of the point's. The point's only one, or the service's, unless given.
    #[schema(example = "USD")]
    point_currency: Option<String>,
    /// The payout service.
    #[schema(min_length = 1, max_length = 64, example = "test_usd")]
    service: String,
    /// What is to be paid out, in units of the service's currency: a decimal string or a number.
    #[schema(example = "1")]
    service_amount: Option<String>,
    /// May say the mode again; a mode that isn't the key's is refused.
    #[schema(example = true)]
    test_mode: Option<bool>,
    /// What the service asks for, by the names of its fields. A card's number goes to the vault and is never shown again. Fields may
    /// be missing: the request then waits for them.
    #[schema(example = json!({"account": "some_random_string"}))]
    fields: Option<BTreeMap<String, String>>,
    /// A card of the wallet, instead of a card's fields.
    #[schema(pattern = "^[1-9][0-9]{0,15}$", example = "4502195871112389")]
    token: Option<String>,
    /// The caller's own name for the request, unique for good; required in live mode. Asked again with the same body it is answered
    /// with the original; with another body it is a conflict.
    #[schema(min_length = 1, max_length = 128, example = "order-4711")]
    reference_id: Option<String>,
    /// What the caller says of it.
    #[schema(min_length = 1, max_length = 500, example = "Invoice 4711")]
    description: Option<String>,
    /// What is to be called when it changes: https, in test mode http too. The point's unless given.
    #[schema(max_length = 2000, example = "https://shop.example/payouts")]
    callback_url: Option<String>,
    /// Whom it is for: written down on first sight, and brought up to date.
    customer: Option<RequestCustomerRequest>,
    /// The caller's own: up to 50 texts, numbers or truths, names up to 64 and texts up to 500 characters.
    #[schema(value_type = Option<Object>, example = json!({"order": "4711"}))]
    metadata: Option<Value>,
    /// How it is to be carried out.
    options: Option<RequestOptionsRequest>,
}

/// Whom a payout request is for.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct RequestCustomerRequest {
    /// The partner's own name for the customer.
    #[schema(min_length = 1, max_length = 128, example = "user-4711")]
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
    /// The partner's own.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// How a payout request is to be carried out. What isn't there is the point's default.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct RequestOptionsRequest {
    /// How many payouts it may start, over all routes.
    #[schema(minimum = 1, maximum = 100, example = 3)]
    attempts_limit: Option<u16>,
    /// How many of them on one route; 1 unless given.
    #[schema(minimum = 1, maximum = 100, example = 1)]
    attempts_per_route_limit: Option<u16>,
    /// Whether a part will do where the rest finally failed; false unless given.
    allow_partially: Option<bool>,
    /// Whether it is sent on by itself as soon as it is ready; true unless given. Otherwise ask for it by `process`.
    auto_process: Option<bool>,
    /// `never`, `auto` (when no single route can carry it) or `always`.
    #[schema(example = "never")]
    split_mode: Option<String>,
    /// Whether parts go out at the same time; false unless given.
    parallel_mode: Option<bool>,
    /// Until when it starts payouts: ahead, by 90 days at most; 24 hours unless given.
    expires_at: Option<DateTime<Utc>>,
}

/// A single payout that is wanted: on a named route, without routing and failover.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct NewSinglePayoutRequest {
    /// The route.
    #[schema(example = "prt_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    route_id: String,
    /// The payout point.
    #[schema(example = "pop_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    point_id: String,
    /// What is to be charged before the fee, in units of `point_currency`: a decimal string or a number.
    #[schema(example = "1")]
    point_amount: Option<String>,
    /// The currency of the charge: one of the point's.
    #[schema(example = "USD")]
    point_currency: Option<String>,
    /// May say the route's service again.
    #[schema(min_length = 1, max_length = 64, example = "test_usd")]
    service: Option<String>,
    /// What is to be paid out, in units of the service's currency: a decimal string or a number.
    #[schema(example = "1")]
    service_amount: Option<String>,
    /// May say the mode again; a mode that isn't the key's is refused.
    #[schema(example = true)]
    test_mode: Option<bool>,
    /// What the service asks for, by the names of its fields.
    #[schema(example = json!({"account": "some_random_string"}))]
    fields: Option<BTreeMap<String, String>>,
    /// A card of the wallet, instead of a card's fields.
    #[schema(pattern = "^[1-9][0-9]{0,15}$", example = "4502195871112389")]
    token: Option<String>,
    /// The caller's own name for it, unique for good, among requests too; required in live mode.
    #[schema(min_length = 1, max_length = 128, example = "order-4711")]
    reference_id: Option<String>,
    /// What the caller says of it.
    #[schema(min_length = 1, max_length = 500, example = "Invoice 4711")]
    description: Option<String>,
    /// What is to be called when it changes: https, in test mode http too.
    #[schema(max_length = 2000, example = "https://shop.example/payouts")]
    callback_url: Option<String>,
    /// Whom it is for.
    customer: Option<RequestCustomerRequest>,
    /// The caller's own.
    #[schema(value_type = Option<Object>, example = json!({"order": "4711"}))]
    metadata: Option<Value>,
    /// How it is to be carried out.
    options: Option<SinglePayoutOptionsRequest>,
}

/// How a single payout is to be carried out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct SinglePayoutOptionsRequest {
    /// Whether it is sent by itself; true unless given. Otherwise ask for it by the request's `process`.
    auto_process: Option<bool>,
    /// Until when it may start: ahead, by 90 days at most; 24 hours unless given.
    expires_at: Option<DateTime<Utc>>,
}

/// What is to be changed of a payout request. What isn't there stays.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct PayoutRequestChangeRequest {
    /// Until it is over.
    options: Option<RequestOptionsChangeRequest>,
    /// While it is `waiting_details`, and of a batch's item until it is processed. Added to what was given; a card's fields only all
    /// together.
    #[schema(example = json!({"account": "some_random_string"}))]
    fields: Option<BTreeMap<String, String>>,
    /// What is to be paid out, in units of the service's currency: of a batch's item until it is processed.
    #[schema(example = "25.50")]
    service_amount: Option<String>,
    /// What the caller says of it: of a batch's item until it is processed.
    #[schema(min_length = 1, max_length = 500, example = "Invoice 4711")]
    description: Option<String>,
}

/// What is to be changed of how a payout request is carried out.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct RequestOptionsChangeRequest {
    /// How many payouts it may start, over all routes; not below those that it made.
    #[schema(minimum = 1, maximum = 100, example = 5)]
    attempts_limit: Option<u16>,
    /// Whether a part will do where the rest finally failed.
    allow_partially: Option<bool>,
}

/// An object of anything, as it was written.
fn object(a: &Reader<'_>, name: &str) -> Option<Map<String, Value>> {
    match a.optional_json(name)? {
        Value::Object(map) => Some(map),
        _ => {
            a.problem(name, "WRONG_TYPE", "This is an object.");
            None
        }
    }
}

fn count(a: &Reader<'_>, name: &str) -> Option<u16> {
    a.optional_integer(name, 0..=i64::from(u16::MAX)).and_then(|count| u16::try_from(count).ok())
}

fn customer(a: &Reader<'_>) -> Option<NewCustomer> {
    let c = a.optional_object("customer", &["reference_id", "email", "name", "country", "metadata"])?;
    Some(NewCustomer {
        reference_id: c.text("reference_id", 1..=128),
        email: c.optional_text("email", 3..=254),
        name: c.optional_text("name", 1..=200),
        country: c.optional_text("country", 2..=2),
        metadata: object(&c, "metadata"),
    })
}

fn options(a: &Reader<'_>, known: &[&str]) -> RequestOptions {
    let Some(o) = a.optional_object("options", known) else { return RequestOptions::default() };
    RequestOptions {
        attempts_limit: count(&o, "attempts_limit"),
        attempts_per_route_limit: count(&o, "attempts_per_route_limit"),
        allow_partially: o.optional_flag("allow_partially"),
        auto_process: o.optional_flag("auto_process"),
        split_mode: o.optional_parsed("split_mode"),
        parallel_mode: o.optional_flag("parallel_mode"),
        expires_at: o.optional_time("expires_at"),
    }
}

fn read(a: &Reader<'_>, mode: Mode, language: &str, is_single: bool) -> Result<NewRequest, V1Error> {
    a.test_mode(mode);
    let point_id: Option<PayoutPointId> = a.parsed("point_id");
    let service = match is_single {
        true => a.optional_text("service", 1..=64).unwrap_or_default(),
        false => a.text("service", 1..=64),
    };
    let route_id = if is_single { a.parsed("route_id") } else { None };
    // What isn't there is told by `finish`.
    let mut ask = NewRequest::new(point_id.unwrap_or(PayoutPointId(uuid::Uuid::nil())), service);
    ask.single_route_id = route_id;
    ask.point_amount = a.optional_amount("point_amount");
    ask.point_currency = a.optional_parsed("point_currency");
    ask.service_amount = a.optional_amount("service_amount");
    ask.fields = object(a, "fields").unwrap_or_default();
    ask.token = a.optional_parsed("token");
    ask.reference_id = a.optional_text("reference_id", 1..=128);
    ask.description = a.optional_text("description", 1..=500);
    ask.callback_url = a.optional_text("callback_url", 1..=2000);
    ask.customer = customer(a);
    ask.metadata = object(a, "metadata").unwrap_or_default();
    ask.options = options(a, if is_single { &SINGLE_OPTIONS } else { &OPTIONS });
    language.clone_into(&mut ask.language);
    a.finish()?;
    Ok(ask)
}

/// A request that is wanted.
pub fn new_request(a: &Reader<'_>, mode: Mode, language: &str) -> Result<NewRequest, V1Error> {
    read(a, mode, language, false)
}

/// A single payout that is wanted, on its route.
pub fn new_single(a: &Reader<'_>, mode: Mode, language: &str) -> Result<NewRequest, V1Error> {
    read(a, mode, language, true)
}

/// What is to be changed of a request.
pub const CHANGEABLE: [&str; 4] = ["options", "fields", "service_amount", "description"];

/// A change that is wanted.
pub fn change(a: &Reader<'_>, language: &str) -> Result<Patch, V1Error> {
    for name in CHANGEABLE {
        a.not_null(name);
    }
    let options = a.optional_object("options", &["attempts_limit", "allow_partially"]);
    if let Some(options) = &options {
        for name in ["attempts_limit", "allow_partially"] {
            options.not_null(name);
        }
    }
    let patch = Patch {
        attempts_limit: options.as_ref().and_then(|options| count(options, "attempts_limit")),
        allow_partially: options.as_ref().and_then(|options| options.optional_flag("allow_partially")),
        fields: object(a, "fields"),
        service_amount: a.optional_amount("service_amount"),
        description: a.optional_text("description", 1..=500),
        language: Some(language.to_owned()),
    };
    a.finish()?;
    let says_nothing = patch.attempts_limit.is_none()
        && patch.allow_partially.is_none()
        && patch.fields.is_none()
        && patch.service_amount.is_none()
        && patch.description.is_none();
    if says_nothing {
        let detail = "There is nothing to change.";
        return Err(V1Error::problems(vec![Problem::new("/data/attributes", "MISSING", detail)]));
    }
    Ok(patch)
}
