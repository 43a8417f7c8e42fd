//! `/v1/payout-gateway/payout-services`: what can be asked for, and the fields that it takes.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{configure, decimal};
use crate::domain::ids::Mode;
use crate::domain::service::{FieldKind, Service, ServiceField};
use crate::gateway::access::Scope;
use crate::gateway::manage::services::ServiceFilter;
use crate::http::messages::Language;
use crate::http::routes::resource;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, ListDocument, PageInfo, PageLinks, PageMeta, Resource};
use crate::http::v1::error::{Source, V1Error};

pub(in crate::http::v1) const KIND: &str = "payout-service";
const COLLECTION: &str = "/v1/payout-gateway/payout-services";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(COLLECTION, "GET", [web::get().to(list)])).service(resource(
        "/v1/payout-gateway/payout-services/{id}",
        "GET",
        [web::get().to(get)],
    ));
}

/// A payout service. Its id is its code.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutServiceAttributes {
    /// The method and the currency: what a payout request names.
    #[schema(example = "card_eur")]
    code: String,
    /// How it pays.
    #[schema(example = "card")]
    method: String,
    /// What it pays out, ISO 4217.
    #[schema(example = "EUR")]
    currency: String,
    /// Whether it can be asked for.
    enabled: bool,
    /// The least that can be asked for, in its currency; null: no limit.
    #[schema(example = "0.01")]
    amount_min: Option<String>,
    /// The most that can be asked for, in its currency; null: no limit.
    amount_max: Option<String>,
    /// What a payout request's `fields` hold, in the order in which a form shows them.
    fields: Vec<PayoutServiceField>,
    /// Whether it is of test mode.
    test_mode: bool,
}

/// A field of a payout service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutServiceField {
    /// Its name in `fields`.
    #[schema(example = "card_number")]
    key: String,
    /// What it holds: `text`, `digits`, `card_number`, `card_expiry`, `card_expiry_month`, `card_expiry_year`, `card_holder`, `email`,
    /// `country` (ISO 3166-1 alpha-2) or `amount`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "card_number")]
    kind: FieldKind,
    /// What a form calls it, in the language that `Accept-Language` asks for (en, es, de, uk, ru).
    #[schema(example = "Card number")]
    label: String,
    /// What to enter, in the same language.
    #[schema(example = "Enter the number on the front of the card, 12 to 19 digits.")]
    hint: String,
    /// The pattern that the whole value matches; null: none beside what its type asks for.
    #[schema(example = "[0-9]{1,2}|100")]
    regexp: Option<String>,
    /// Whether a request can't do without it.
    required: bool,
    /// Its place in a form.
    #[schema(example = 1)]
    position: i32,
}

fn shown(service: &Service, mode: Mode, language: Language) -> Resource<PayoutServiceAttributes> {
    let field = |field: &ServiceField| PayoutServiceField {
        key: field.key.clone(),
        kind: field.kind,
        label: field.label.get(language.as_str()).to_owned(),
        hint: field.hint.get(language.as_str()).to_owned(),
        regexp: field.regexp.clone(),
        required: field.required,
        position: field.position,
    };
    let attributes = PayoutServiceAttributes {
        code: service.code.to_string(),
        method: service.code.method().to_owned(),
        currency: service.currency.to_string(),
        enabled: service.enabled,
        amount_min: service.amount_min.map(decimal),
        amount_max: service.amount_max.map(decimal),
        fields: service.fields.iter().map(field).collect(),
        test_mode: mode == Mode::Test,
    };
    Resource::new(KIND, COLLECTION, &service.code, attributes)
}

/// The payout services.
///
/// Needs `routing:read`. All of the key's mode, by their codes, on one page: there are few, and they have no time of creation to be
/// sorted by.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-services", operation_id = "listPayoutServices", tag = "payout services",
    params(
        ("filter[method]" = Option<String>, Query, description = "Services that pay by that method: `card`."),
        ("filter[currency]" = Option<String>, Query, description = "Services that pay out that currency."),
        ("filter[enabled]" = Option<bool>, Query, description = "Services that can be asked for, or can't."),
        ("Accept-Language" = Option<String>, Header, description = "The language of labels and hints: en, es, de, uk or ru."),
    ),
    responses((status = 200, description = "The services.", body = ListDocument<PayoutServiceAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    let list = call.list(&["method", "currency", "enabled"])?;
    for parameter in ["page", "sort"] {
        if call.request.query_string().split('&').any(|pair| pair.starts_with(parameter)) {
            let source = Source::Parameter(parameter.to_owned());
            return Err(V1Error::new("UNKNOWN_PARAMETER").with_detail("The services come on one page.").at(source));
        }
    }
    let filter = ServiceFilter {
        method: list.parsed_filter("method")?,
        currency: list.parsed_filter("currency")?,
        enabled: list.parsed_filter("enabled")?,
    };
    let services = call.gateway.list_services(&call.caller, &filter).await?;
    let (mode, language) = (call.mode(), call.context.language);
    let size = i64::try_from(services.len()).unwrap_or(i64::MAX);
    let query = call.request.query_string();
    let own = if query.is_empty() { COLLECTION.to_owned() } else { format!("{COLLECTION}?{query}") };
    call.ok(&ListDocument {
        data: services.iter().map(|service| shown(service, mode, language)).collect(),
        links: PageLinks { own, next: None },
        meta: PageMeta { page: PageInfo { size, next_cursor: None } },
    })
}

/// One payout service.
///
/// Needs `routing:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/payout-services/{id}", operation_id = "getPayoutService", tag = "payout services",
    params(
        ("id" = String, Path, description = "The service's code: `card_eur`."),
        ("Accept-Language" = Option<String>, Header, description = "The language of labels and hints: en, es, de, uk or ru."),
    ),
    responses((status = 200, description = "The service.", body = Document<PayoutServiceAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    configure::one(&call, async |code: String| {
        let service = call.gateway.find_service(&call.caller, &code).await?;
        Ok(shown(&service, call.mode(), call.context.language))
    })
    .await
}
