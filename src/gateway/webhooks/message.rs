//! What is told of an event. It is built when it is first sent, and then kept: every try, to every endpoint, sends the same bytes.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::ids::{EventId, Mode, WebhookEndpointId};
use crate::domain::payout_request::RequestStatus;
use crate::gateway::GatewayError;
use crate::store::webhooks::messages::EventSource;

/// A message: what happened, when, and to what. Its id is in the header `webhook-id`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookMessage<T> {
    /// What happened: the object, a full stop, and what became of it.
    #[serde(rename = "type")]
    #[schema(example = "payout_request.processed")]
    pub kind: String,
    /// When it happened. The header `webhook-timestamp` tells when it was sent.
    pub timestamp: DateTime<Utc>,
    /// What it happened to.
    pub data: T,
}

/// A payout request as an event left it; its amounts as they were when the message was first sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PayoutRequestNews {
    /// The event's id: the same as in the header `webhook-id`, and in `/v1/events`.
    #[schema(value_type = String, example = "evt_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    pub event_id: String,
    /// Which of the request's events it is, from 1. A message with a lower number than one that was read before tells of the past.
    #[schema(example = 5)]
    pub sequence: i32,
    /// The payout request.
    #[schema(example = "porq_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    pub request_id: String,
    /// The partner's own name for it.
    #[schema(example = "order-4711")]
    pub reference_id: String,
    /// Where the event left it.
    #[schema(example = "processed")]
    pub status: String,
    /// Whether nothing more is going to be tried.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Why it ended as it did, or what the provider said of the payout; null: nothing is to be said.
    #[schema(example = "ok")]
    pub resolution: Option<String>,
    /// The payout that it is about; null: about the request.
    #[schema(example = "po_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    pub payout_id: Option<String>,
    /// The customer; null: nobody was named.
    #[schema(example = "cus_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    pub customer_id: Option<String>,
    /// The payout point.
    #[schema(example = "pop_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    pub point_id: String,
    /// What the partner is charged before the fee, in units of `point_currency`, as a decimal string.
    #[schema(example = "1")]
    pub point_amount: String,
    /// The currency of the charge.
    #[schema(value_type = String, example = "USD")]
    pub point_currency: String,
    /// What is charged on top of it, as a decimal string.
    #[schema(example = "0.05")]
    pub fee: String,
    /// The payout service.
    #[schema(example = "test_usd")]
    pub service: String,
    /// What is to be paid out, in units of `service_currency`, as a decimal string.
    #[schema(example = "1")]
    pub service_amount: String,
    /// The currency of the payout.
    #[schema(value_type = String, example = "USD")]
    pub service_currency: String,
    /// What was paid out so far, as a decimal string.
    #[schema(example = "1")]
    pub processed_amount: String,
    /// What came back of it, as a decimal string.
    #[schema(example = "0")]
    pub returned_amount: String,
    /// The partner's own.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Whether it is of test mode.
    pub test_mode: bool,
}

/// An endpoint that a message is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EndpointNews {
    /// The endpoint.
    #[schema(example = "whe_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    pub endpoint_id: String,
    /// Its address.
    #[schema(example = "https://shop.example/landfall")]
    pub url: Option<String>,
    /// Why it was switched off: `gone` (it answered 410) or `failing`; null: it wasn't.
    #[schema(example = "failing")]
    pub why: Option<&'static str>,
    /// Whether it is of test mode.
    pub test_mode: bool,
}

fn digits(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// The body that tells of an event as `kind`.
pub fn of_event(source: &EventSource, kind: &str) -> Result<String, GatewayError> {
    let text = |name: &str| source.data.get(name).and_then(Value::as_str).map(str::to_owned);
    let status = text("request_status").unwrap_or_default();
    let is_final = status.parse::<RequestStatus>().is_ok_and(RequestStatus::is_final);
    let of_request = source.resolution.filter(|_| is_final).map(|resolution| resolution.as_str().to_owned());
    let news = PayoutRequestNews {
        event_id: source.event_id.to_string(),
        sequence: source.sequence,
        request_id: source.request_id.to_string(),
        reference_id: source.reference_id.clone(),
        is_final,
        resolution: text("resolution").or(of_request),
        payout_id: source.payout_id.map(|id| id.to_string()),
        customer_id: source.customer_id.map(|id| id.to_string()),
        point_id: source.point_id.to_string(),
        point_amount: digits(source.point_amount),
        point_currency: source.point_currency.to_string(),
        fee: digits(source.fee),
        service: source.service.clone(),
        service_amount: digits(source.amount),
        service_currency: source.currency.to_string(),
        processed_amount: digits(source.amount_processed),
        returned_amount: digits(source.amount_returned),
        metadata: source.metadata.clone(),
        test_mode: source.mode == Mode::Test,
        status,
    };
    body(source.event_id, kind, source.at, news)
}

/// The body of a message with that id.
pub fn body<T: Serialize>(id: EventId, kind: &str, at: DateTime<Utc>, data: T) -> Result<String, GatewayError> {
    let message = WebhookMessage { kind: kind.to_owned(), timestamp: at, data };
    serde_json::to_string(&message).map_err(|error| GatewayError::Corrupt(format!("the message {id}: {error}")))
}

/// The news of an endpoint.
pub fn of_endpoint(id: WebhookEndpointId, url: Option<String>, mode: Mode, why: Option<&'static str>) -> EndpointNews {
    EndpointNews { endpoint_id: id.to_string(), url, why, test_mode: mode == Mode::Test }
}
