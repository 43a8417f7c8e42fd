//! `/v1/payout-gateway/batches`: payout requests that come in one CSV file. Its items are payout requests like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{Document, ListDocument, Resource, answer};
use super::error::{Source, V1Error};
use super::numbered::NumberedQuery;
use super::request_view::{PayoutRequestAttributes, resources};
use crate::domain::ids::{BatchId, Mode, PayoutPointId};
use crate::gateway::access::{Refusal, Scope};
use crate::gateway::batches::{BatchProblem, BatchView};
use crate::http::body::Body;
use crate::http::routes::resource;

pub const KIND: &str = "batch";
pub(in crate::http::v1) const PROBLEM_KIND: &str = "batch-problem";
const COLLECTION: &str = "/v1/payout-gateway/batches";
/// A thousand rows with every column filled fit well.
const FILE_BYTES_MAX: usize = 2 * 1024 * 1024;

pub fn routes(cfg: &mut web::ServiceConfig) {
    let path = |rest: &str| format!("{COLLECTION}/{{id}}{rest}");
    cfg.service(resource(COLLECTION, "GET, POST", [web::get().to(list), web::post().to(create)]))
        .service(resource(&path(""), "GET", [web::get().to(get)]))
        .service(resource(&path("/items"), "GET", [web::get().to(items)]))
        .service(resource(&path("/problems"), "GET", [web::get().to(problems)]))
        .service(resource(&path("/process"), "POST", [web::post().to(process)]))
        .service(resource(&path("/terminate"), "POST", [web::post().to(terminate)]));
}

/// Payout requests that came in one file, with how far they are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchAttributes {
    /// What its owner calls it.
    #[schema(example = "Salaries of November")]
    name: String,
    /// The payout point that its items go through.
    #[schema(example = "pop_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    point_id: String,
    /// Whether it is of test mode.
    test_mode: bool,
    /// `ready`: to be looked at, edited, and processed or terminated; `processing`: sent on, and some items are open; `processed`: all
    /// items are over; `terminated`.
    #[schema(value_type = String, example = "ready")]
    status: &'static str,
    /// Rows of the file.
    #[schema(example = 3)]
    rows: i32,
    /// Rows that became payout requests.
    #[schema(example = 2)]
    items: i64,
    /// Rows that were wrong and were skipped: `problems` tells why.
    #[schema(example = 1)]
    rows_skipped: i64,
    /// How many items stand where, by the status of a payout request.
    #[schema(value_type = BTreeMap<String, i64>, example = json!({"ready": 2}))]
    progress: BTreeMap<&'static str, i64>,
    /// The latest batch of the very same file that was there before; only in the answer that makes the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "bat_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    same_file_as: Option<String>,
    /// Who made it: an API key's id.
    #[schema(example = "key_019aa5f0b1c27d3e8f4a5b6c7d8e9f01")]
    created_by: String,
    /// When it was made.
    created: DateTime<Utc>,
    /// When it was last told to do something.
    updated: DateTime<Utc>,
}

/// One thing that was wrong with a line of a batch's file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BatchProblemAttributes {
    /// The line of the file, from 1, the header included.
    #[schema(example = 3)]
    line: i32,
    /// The column; null: the whole line.
    #[schema(example = "service_amount")]
    column: Option<String>,
    /// The stable code, from the table of errors.
    #[schema(example = "INVALID_AMOUNT")]
    code: String,
    /// What is wrong, for a person, in English.
    #[schema(example = "is no decimal number")]
    detail: String,
}

fn shown(view: BatchView) -> Resource<BatchAttributes> {
    let batch = view.batch;
    let items: i64 = view.counts.values().sum();
    let attributes = BatchAttributes {
        name: batch.name,
        point_id: batch.point_id.to_string(),
        test_mode: batch.mode == Mode::Test,
        status: view.status,
        rows: batch.row_count,
        items,
        rows_skipped: i64::from(batch.row_count).saturating_sub(items),
        progress: view.counts.into_iter().map(|(status, count)| (status.as_str(), count)).collect(),
        same_file_as: view.same_file_as.map(|id| id.to_string()),
        created_by: batch.created_by,
        created: batch.created_at,
        updated: batch.updated_at,
    };
    Resource::new(KIND, COLLECTION, batch.id, attributes).related("point", "payout-point", Some(batch.point_id))
}

fn shown_problem(problem: BatchProblem) -> Resource<BatchProblemAttributes> {
    let path = format!("{COLLECTION}/{}/problems", problem.batch_id);
    let id = format!("{}.{}", problem.line, problem.number);
    let BatchProblem { line, field: column, code, detail, .. } = problem;
    let attributes = BatchProblemAttributes { line, column, code, detail };
    Resource::new(PROBLEM_KIND, COLLECTION, id, attributes).found_at(path)
}

/// The file as it was sent.
async fn file(call: &PartnerCall, payload: web::Payload) -> Result<Body, V1Error> {
    let refused = || V1Error::new("UNSUPPORTED_MEDIA_TYPE").at(Source::Header("Content-Type".to_owned()));
    let declared = call.request.headers().get(CONTENT_TYPE).ok_or_else(refused)?;
    let declared = declared.to_str().map_err(|_| refused())?;
    let mut parts = declared.split(';').map(str::trim);
    if !parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("text/csv")) {
        return Err(refused().with_detail("This takes a file of type text/csv."));
    }
    let other_charset = parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset") && !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if other_charset {
        return Err(refused().with_detail("The file is in UTF-8."));
    }
    call.file(payload, FILE_BYTES_MAX).await
}

/// The point and the name, which stand in the query: the body is the file.
fn parameters(call: &PartnerCall) -> Result<(PayoutPointId, String), V1Error> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(call.request.query_string())
        .map_err(|_| V1Error::new("INVALID_PARAMETER").with_detail("The query can't be read."))?;
    let (mut point_id, mut name) = (None, None);
    for (parameter, value) in pairs.iter() {
        let slot = match parameter.as_str() {
            "point_id" => &mut point_id,
            "name" => &mut name,
            _ => {
                let shown: String = parameter.chars().filter(|c| !c.is_control()).take(64).collect();
                return Err(V1Error::new("UNKNOWN_PARAMETER").at(Source::Parameter(shown)));
            }
        };
        if slot.replace(value.clone()).is_some() {
            return Err(V1Error::parameter(parameter, "This is there twice."));
        }
    }
    let missing = |name: &str| V1Error::parameter(name, "This is missing.");
    let point_id = point_id.ok_or_else(|| missing("point_id"))?;
    let point_id = point_id.parse().map_err(|_| V1Error::parameter("point_id", "There is no such payout point."))?;
    Ok((point_id, name.ok_or_else(|| missing("name"))?))
}

/// What is wrong with the whole file, at the body; with its point or name, at the parameter.
fn told(refusal: Refusal) -> V1Error {
    let place = match &refusal {
        Refusal::Invalid(problems) => problems.first().map(|problem| problem.pointer.clone()),
        _ => None,
    };
    let error = V1Error::from(refusal);
    match place.as_deref() {
        Some("/name") => error.at(Source::Parameter("name".to_owned())),
        Some("/point_id") => error.at(Source::Parameter("point_id".to_owned())),
        _ => error,
    }
}

/// Make a batch of a CSV file.
///
/// Needs `payouts:write`. The file has a header and up to 1 000 rows: `service`, `service_amount`, a column `fields.<name>` for each field
/// of the service (or `token`), `reference_id`, `description`, `customer.reference_id` (or `customer`), `customer.email`, `customer.name`,
/// `customer.country`. It is in UTF-8, with or without a byte-order mark; columns are separated by commas, semicolons or tabs, and a value
/// that holds one stands in double quotes. Each good row becomes a payout request, which holds its amount and waits; rows that are wrong
/// are skipped and told by their line in `problems`. A row without `reference_id` is named after batch and row. Nothing is sent before
/// `process`.
#[utoipa::path(
    post, path = "/v1/payout-gateway/batches", operation_id = "createBatch", tag = "batches",
    params(
        ("point_id" = String, Query, description = "The payout point that the items go through."),
        ("name" = String, Query, description = "What to call the batch: 1 to 200 characters."),
    ),
    request_body(content = String, content_type = "text/csv", example = "service,service_amount,fields.account,reference_id,description,customer\ntest_usd,10.00,some_random_string,order-1,Invoice 1,user-4711\n"),
    responses(
        (status = 201, description = "The batch.", body = Document<BatchAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn create(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    let (point_id, name) = parameters(&call)?;
    let body = file(&call, payload).await?;
    let content = zeroize::Zeroizing::new(body.bytes().to_vec());
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write_once(&body, move |once| async move {
        let id = once.map_or_else(BatchId::new, |once| BatchId(once.0));
        let view = gateway.create_batch_as(id, &caller, point_id, &name, &content).await.map_err(told)?;
        answer(201, &Document::from(shown(view)))
    })
    .await
}

/// The batches.
///
/// Needs `payouts:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/batches", operation_id = "listBatches", tag = "batches",
    responses((status = 200, description = "A page of batches.", body = ListDocument<BatchAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn list(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    let list = call.list(&[])?;
    let batches = call.gateway.batches(&call.caller, list.slice()).await?;
    call.ok(&list.page(batches, |view| (view.batch.created_at, view.batch.id.0), shown))
}

/// One batch, with how far its items are.
///
/// Needs `payouts:read`.
#[utoipa::path(
    get, path = "/v1/payout-gateway/batches/{id}", operation_id = "getBatch", tag = "batches",
    responses((status = 200, description = "The batch.", body = Document<BatchAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    call.no_parameters()?;
    let id: BatchId = call.path_id("id")?;
    let view = call.gateway.batch(&call.caller, id).await?;
    call.ok(&Document::from(shown(view)))
}

/// A batch's items.
///
/// Needs `payouts:read`. In the order of the file's rows. An item is changed by a PATCH of its payout request: amount, description and
/// fields, until it is processed.
#[utoipa::path(
    get, path = "/v1/payout-gateway/batches/{id}/items", operation_id = "listBatchItems", tag = "batches",
    responses((status = 200, description = "A page of payout requests.", body = ListDocument<PayoutRequestAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn items(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    let list = NumberedQuery::parse(call.request.path(), call.request.query_string())?;
    let id: BatchId = call.path_id("id")?;
    let views = call.gateway.batch_items(&call.caller, id, list.after.0, list.limit()).await?;
    let rows: Vec<i32> = views.iter().map(|view| view.request.terms.batch_row.unwrap_or(0)).collect();
    let shown = resources(&call.gateway, &call.caller, views, call.context.language.as_str()).await?;
    let rows: Vec<_> = rows.into_iter().zip(shown).collect();
    call.ok(&list.page(rows, |(row, _)| (*row, 0), |(_, shown)| shown))
}

/// What was wrong with a batch's file, line by line.
///
/// Needs `payouts:read`. Lines that are told here became no payout request. A line can have several problems.
#[utoipa::path(
    get, path = "/v1/payout-gateway/batches/{id}/problems", operation_id = "listBatchProblems", tag = "batches",
    responses((status = 200, description = "A page of problems.", body = ListDocument<BatchProblemAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn problems(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    let list = NumberedQuery::parse(call.request.path(), call.request.query_string())?;
    let id: BatchId = call.path_id("id")?;
    let found = call.gateway.batch_problems(&call.caller, id, list.after, list.limit()).await?;
    call.ok(&list.page(found, |problem| (problem.line, problem.number), shown_problem))
}

/// What can be done with a batch.
#[derive(Clone, Copy)]
enum Verb {
    Process,
    Terminate,
}

async fn act(call: PartnerCall, payload: web::Payload, verb: Verb) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsWrite)?;
    call.no_parameters()?;
    let id: BatchId = call.path_id("id")?;
    let body = call.empty_body(payload).await?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write(&body, async move {
        let view = match verb {
            Verb::Process => gateway.process_batch(&caller, id).await?,
            Verb::Terminate => gateway.terminate_batch(&caller, id).await?,
        };
        answer(200, &Document::from(shown(view)))
    })
    .await
}

/// Send a batch on.
///
/// Needs `payouts:write`. Every item that is ready. Again, it does so with those that became ready since.
#[utoipa::path(
    post, path = "/v1/payout-gateway/batches/{id}/process", operation_id = "processBatch", tag = "batches",
    responses(
        (status = 200, description = "The batch as it is now.", body = Document<BatchAttributes>, content_type = "application/vnd.api+json"),
    )
)]
pub async fn process(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    act(call, payload, Verb::Process).await
}

/// Terminate a batch.
///
/// Needs `payouts:write`. Items that are ready or wait for details are ended and what they held is given back; what is under way goes
/// on. Again, it changes nothing.
#[utoipa::path(
    post, path = "/v1/payout-gateway/batches/{id}/terminate", operation_id = "terminateBatch", tag = "batches",
    responses((status = 200, description = "The batch as it is now.", body = Document<BatchAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn terminate(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    act(call, payload, Verb::Terminate).await
}
