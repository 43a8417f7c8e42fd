//! `/v1/payout-gateway/payout-schemes/{id}/simulate`: what a scheme would do, without doing it.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::decimal;
use crate::domain::ids::PayoutSchemeId;
use crate::gateway::access::Scope;
use crate::gateway::simulate::{Decided, Example, Found, NotRouted, Part, Replay, Share, Simulation, Taking};
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, RequestDocument, Resource};
use crate::http::v1::error::V1Error;

pub(in crate::http::v1) const KIND: &str = "payout-scheme-simulation";
const COLLECTION: &str = "/v1/payout-gateway/payout-schemes";

/// What a payout scheme would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulationAttributes {
    /// The stored version that was simulated; null: the body of the call.
    version: Option<i32>,
    /// Of a sample: where it would go.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<SimulatedDecision>,
    /// Of the last requests: the shares of the routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<SimulatedReplay>,
}

/// Where an amount would go, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedDecision {
    /// `routed`; `split` over several routes; `rejected` by the scheme; `filtered`: every route was dropped; `no_routes`.
    #[schema(example = "routed")]
    outcome: &'static str,
    /// What the payout request would end with if this were its only try; null: it would be tried.
    #[schema(example = "strategy_configured_routes_were_filtered")]
    resolution: Option<String>,
    /// The routes that would carry it.
    parts: Vec<SimulatedPart>,
    /// The decision told, a sentence a line.
    #[schema(example = json!(["100 EUR was to be routed by version 1 of scheme posc_0198c0ffee007abc8def0123456789ab.", "bank-a-card-eur: chosen."]))]
    words: Vec<String>,
    /// The decision with everything that was looked at, as it is stored with a payout's event.
    #[schema(value_type = Option<Object>)]
    trace: Value,
}

/// What a route would carry.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedPart {
    /// The route.
    #[schema(example = "prt_0198c0ffee007abc8def0123456789ab")]
    route_id: String,
    /// Its code; empty: it isn't there any more.
    #[schema(example = "bank-a-card-eur")]
    route: String,
    /// How much, in the service's currency.
    #[schema(example = "100")]
    amount: String,
}

/// What would have become of the last requests.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedReplay {
    /// How many requests were routed again.
    #[schema(example = 100)]
    requests: u64,
    /// How many of the last requests are of services that the scheme doesn't have.
    of_other_services: u64,
    /// How many would have begun on other routes, or in other parts, than they did.
    #[schema(example = 42)]
    moved: u64,
    /// When the first of them was made.
    first_created: Option<DateTime<Utc>>,
    /// When the last of them was made.
    last_created: Option<DateTime<Utc>>,
    /// What each route carried of a service, and what it would carry.
    shares: Vec<SimulatedShare>,
    /// Requests that began nowhere, or would.
    not_routed: Vec<SimulatedNotRouted>,
    /// Up to 20 of the requests that would have begun elsewhere, the newest first.
    examples: Vec<SimulatedExample>,
}

/// A route's share of a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedShare {
    /// The payout service.
    #[schema(example = "card_eur")]
    service: String,
    /// The service's currency.
    #[schema(example = "EUR")]
    currency: String,
    /// The route.
    #[schema(example = "prt_0198c0ffee007abc8def0123456789ab")]
    route_id: String,
    /// Its code; empty: it isn't there any more.
    #[schema(example = "bank-a-card-eur")]
    route: String,
    /// What really began on it.
    before: SimulatedTaking,
    /// What would begin on it.
    after: SimulatedTaking,
}

/// What begins on a route.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedTaking {
    /// How many payouts.
    #[schema(example = 50)]
    payouts: u64,
    /// How much they are to carry, in the service's currency.
    #[schema(example = "5000")]
    amount: String,
    /// How much that is of all that the service's routes are to carry, in percent, rounded down.
    #[schema(example = "50")]
    percent: String,
}

/// Requests that go nowhere.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedNotRouted {
    /// `rejected`, `filtered` or `no_routes`. Of those that really went nowhere it isn't told apart: `no_routes`.
    #[schema(example = "filtered")]
    outcome: &'static str,
    /// How many really went nowhere.
    before: u64,
    /// How many would.
    after: u64,
}

/// A request that would have begun elsewhere.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedExample {
    /// The payout request.
    #[schema(example = "porq_0198c0ffee007abc8def0123456789ab")]
    payout_request_id: String,
    /// Where it really began.
    before: Vec<SimulatedPart>,
    /// Where it would have begun.
    after: SimulatedDecision,
}

/// What is to be simulated: a sample, or the last requests.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct SimulationRequest {
    /// The stored version; the one in force unless given.
    #[schema(minimum = 1)]
    version: Option<i32>,
    /// A draft, checked as on save, in place of a stored version.
    #[schema(value_type = Option<Object>)]
    body: Option<Value>,
    /// A request that nobody made.
    sample: Option<SampleRequest>,
    /// So many of the newest requests that were really made over the scheme owner's routes; in place of a sample.
    #[schema(minimum = 1, maximum = 1000, example = 100)]
    last: Option<i64>,
}

/// A sample request. What isn't given isn't known to conditions.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct SampleRequest {
    /// The payout service.
    #[schema(example = "card_eur")]
    service: String,
    /// How much, in the service's currency; a number or a string.
    #[schema(example = "100")]
    service_amount: String,
    /// The card that is paid.
    card: Option<SampleCardRequest>,
    /// The customer who is paid.
    customer: Option<SampleCustomerRequest>,
    /// The request's metadata.
    #[schema(value_type = Option<Object>, example = json!({"shop": "north"}))]
    metadata: Option<Value>,
    /// When it is made; now unless given.
    at: Option<DateTime<Utc>>,
    /// `never` (unless given), `auto` or `always`.
    #[schema(example = "auto")]
    split_mode: Option<String>,
    /// The id that draws are derived from; a new one unless given, so that the attribute `draw` comes out anew each time.
    #[schema(example = "porq_0198c0ffee007abc8def0123456789ab")]
    payout_request_id: Option<String>,
}

/// The card of a sample.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct SampleCardRequest {
    /// `VISA`, `MASTERCARD`, `MAESTRO`, `AMEX`, `UNIONPAY`, `JCB`, `DISCOVER`, `DINERS` or `MIR`.
    #[schema(example = "VISA")]
    scheme: Option<String>,
    /// The first six or eight digits. Never a whole number.
    #[schema(pattern = "^[0-9]{6}([0-9]{2})?$", min_length = 6, max_length = 8, example = "41111111")]
    iin: Option<String>,
}

/// The customer of a sample.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct SampleCustomerRequest {
    /// The partner's own name for the customer.
    #[schema(max_length = 255, example = "user-4711")]
    reference_id: Option<String>,
    /// How well the customer is known.
    #[schema(minimum = 0, maximum = 3)]
    kyc_level: Option<u8>,
    /// ISO 3166-1 alpha-2.
    #[schema(min_length = 2, max_length = 2, example = "DE")]
    country: Option<String>,
    /// The customer's metadata.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// How many payouts to the customer were paid.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    paid_count: Option<i32>,
    /// How many payouts to the customer failed.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    failed_count: Option<i32>,
}

fn part(part: Part) -> SimulatedPart {
    SimulatedPart { route_id: part.route_id.to_string(), route: part.route, amount: decimal(part.amount) }
}

fn decision(decided: Decided) -> Result<SimulatedDecision, V1Error> {
    Ok(SimulatedDecision {
        outcome: decided.outcome(),
        resolution: decided.resolution.map(|resolution| resolution.to_string()),
        words: decided.in_words(),
        trace: serde_json::to_value(&decided.trace).map_err(|error| V1Error::internal(&error))?,
        parts: decided.parts.into_iter().map(part).collect(),
    })
}

fn taking(taking: Taking) -> SimulatedTaking {
    SimulatedTaking { payouts: taking.payouts, amount: decimal(taking.amount), percent: decimal(taking.percent) }
}

fn share(share: Share) -> SimulatedShare {
    SimulatedShare {
        service: share.service,
        currency: share.currency.to_string(),
        route_id: share.route_id.to_string(),
        route: share.route,
        before: taking(share.before),
        after: taking(share.after),
    }
}

fn example(example: Example) -> Result<SimulatedExample, V1Error> {
    Ok(SimulatedExample {
        payout_request_id: example.request_id.to_string(),
        before: example.before.into_iter().map(part).collect(),
        after: decision(example.after)?,
    })
}

fn not_routed(nowhere: NotRouted) -> SimulatedNotRouted {
    SimulatedNotRouted { outcome: nowhere.outcome, before: nowhere.before, after: nowhere.after }
}

fn replayed(replay: Replay) -> Result<SimulatedReplay, V1Error> {
    let (first_created, last_created) = replay.between.unzip();
    Ok(SimulatedReplay {
        requests: replay.requests,
        of_other_services: replay.of_other_services,
        moved: replay.moved,
        first_created,
        last_created,
        shares: replay.shares.into_iter().map(share).collect(),
        not_routed: replay.not_routed.into_iter().map(not_routed).collect(),
        examples: replay.examples.into_iter().map(example).collect::<Result<_, _>>()?,
    })
}

fn shown(id: PayoutSchemeId, simulation: Simulation) -> Result<Resource<SimulationAttributes>, V1Error> {
    let (decided, replay) = match simulation.found {
        Found::Sample(decided) => (Some(decision(decided)?), None),
        Found::Replay(replay) => (None, Some(replayed(replay)?)),
    };
    let attributes = SimulationAttributes { version: simulation.version, decision: decided, replay };
    Ok(Resource::new(KIND, COLLECTION, id, attributes))
}

/// Simulate a payout scheme: nothing is changed.
///
/// Needs `routing:read`. A stored version or a draft decides on a sample request, or on the last requests that were really made, as
/// routing would now: with the routes, balances, limits, breakers and counters as they are. The last requests are routed as if they
/// came in now in their old order, at the times that they had: what one would take of the accounts the next doesn't find. The shares
/// compare where they really began with where they would have.
#[utoipa::path(
    post, path = "/v1/payout-gateway/payout-schemes/{id}/simulate", operation_id = "simulatePayoutScheme", tag = "payout schemes",
    request_body(content = RequestDocument<SimulationRequest>, content_type = "application/vnd.api+json",
        description = "A document of type `payout-scheme-simulation`."),
    responses((status = 200, description = "What would be.", body = Document<SimulationAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn simulate(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    call.no_parameters()?;
    let id: PayoutSchemeId = call.path_id("id")?;
    let body = call.body(payload).await?;
    let given = call.attributes(&body, KIND, None)?;
    let simulation = call.gateway.simulate_payout_scheme(&call.caller, id, &given).await?;
    call.ok(&Document::from(shown(id, simulation)?))
}
