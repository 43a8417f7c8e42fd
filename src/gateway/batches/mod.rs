//! Batches: payout requests that come in one CSV file, are looked at, and are then processed or terminated together. Their items
//! are payout requests like any other.

mod file;
#[cfg(test)]
mod file_tests;
#[cfg(feature = "torture")]
pub(crate) mod fuzz;

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel_async::AsyncPgConnection;
use sha2::{Digest, Sha256};

use super::access::{Caller, Refusal};
use super::requests::{BatchDraft, NewCustomer, NewRequest, RequestOptions, RequestView};
use super::{Gateway, GatewayError};
use crate::domain::exact;
use crate::domain::ids::{BatchId, PayoutPointId};
use crate::domain::payout_request::RequestStatus;
use crate::store::Slice;
use crate::store::batches;
pub use crate::store::batches::{Batch, BatchProblem};
use crate::store::partner_requests;
use crate::store::retry::transaction;
use file::{Column, Row};

/// The most rows of a file.
pub const ROWS_MAX: usize = 1_000;

/// A batch with how far its items are.
#[derive(Clone, Debug)]
pub struct BatchView {
    pub batch: Batch,
    /// `ready`, `processing`, `processed` or `terminated`.
    pub status: &'static str,
    /// Items by where they stand.
    pub counts: BTreeMap<RequestStatus, i64>,
    /// The latest batch before this one that was made of the very same file; only told when the batch is made.
    pub same_file_as: Option<BatchId>,
}

impl BatchView {
    fn of(batch: Batch, counts: BTreeMap<RequestStatus, i64>) -> Self {
        let open = counts.iter().any(|(status, count)| !status.is_final() && *count > 0);
        let all_terminated = counts.keys().all(|status| *status == RequestStatus::Terminated);
        let status = match batch.status.as_str() {
            "terminated" => "terminated",
            _ if !open && all_terminated && !counts.is_empty() => "terminated",
            "processing" if open => "processing",
            _ if open || counts.is_empty() => "ready",
            _ => "processed",
        };
        Self { batch, status, counts, same_file_as: None }
    }
}

impl Gateway {
    /// Makes a batch of a CSV file. Lines that are wrong are skipped and reported; nothing is sent before the batch is processed.
    pub async fn create_batch(
        &self,
        caller: &Caller,
        point_id: PayoutPointId,
        name: &str,
        content: &[u8],
    ) -> Result<BatchView, Refusal> {
        self.create_batch_as(BatchId::new(), caller, point_id, name, content).await
    }

    /// The same under an id that stands for this very call: made once, however often it is called.
    pub async fn create_batch_as(
        &self,
        id: BatchId,
        caller: &Caller,
        point_id: PayoutPointId,
        name: &str,
        content: &[u8],
    ) -> Result<BatchView, Refusal> {
        let (tenant, now) = (caller.tenant, self.clock.now());
        let chars = name.chars().count();
        if !(1..=200).contains(&chars) || name.chars().any(char::is_control) {
            return Err(Refusal::invalid("/name", "WRONG_LENGTH", "a batch's name has 1 to 200 characters"));
        }
        if crate::domain::card::strike_numbers(name) != name {
            return Err(Refusal::invalid("/name", "CARD_NUMBER", "holds what passes for a card number"));
        }
        let rows = file::read(content).map_err(|problem| Refusal::Invalid(vec![problem]))?;
        let digest = Sha256::digest(content).to_vec();
        let same_file_as = {
            let conn = self.db.get().await?;
            if let Some(made) = batches::find(&conn, tenant, id).await? {
                // By a process that died before it could say so.
                let mut counts = counts_of(&conn, caller, vec![id]).await?;
                return Ok(BatchView::of(made, counts.remove(&id).unwrap_or_default()));
            }
            batches::of_same_file(&conn, tenant, digest.clone()).await?
        };
        let batch = Batch {
            partner_id: tenant.partner_id,
            mode: tenant.mode,
            id,
            point_id,
            name: name.to_owned(),
            status: "ready".to_owned(),
            row_count: i32::try_from(rows.len()).unwrap_or(i32::MAX),
            digest,
            created_by: caller.actor(),
            created_at: now,
            updated_at: now,
        };
        let mut draft = BatchDraft { batch, lines: Vec::new(), problems: Vec::new() };
        let mut asked = Vec::new();
        let mut seen = HashSet::new();
        for (row, number) in rows.iter().zip(1..) {
            match request_of(row, point_id, (id, number), &mut seen) {
                Ok(ask) => {
                    asked.push(ask);
                    draft.lines.push(row.line);
                }
                Err(problems) => {
                    for ((field, code, detail), number) in problems.into_iter().zip(0..) {
                        draft.problems.push(BatchProblem {
                            partner_id: tenant.partner_id,
                            mode: tenant.mode,
                            batch_id: id,
                            line: row.line,
                            number,
                            field,
                            code: code.to_owned(),
                            detail,
                        });
                    }
                }
            }
        }
        self.check_point(caller, point_id).await?;
        self.create_with(caller, &asked, Some(&draft)).await?;
        Ok(BatchView { same_file_as, ..self.batch(caller, id).await? })
    }

    /// A point that isn't there is wrong with the whole file, not with each line.
    async fn check_point(&self, caller: &Caller, point_id: PayoutPointId) -> Result<(), Refusal> {
        let conn = self.db.get().await?;
        let found = crate::store::submissions::points(&conn, caller.tenant, vec![point_id]).await?;
        match found.first() {
            None => Err(Refusal::invalid("/point_id", "UNKNOWN_POINT", "there is no such payout point")),
            Some(point) if !point.enabled => Err(Refusal::conflict("POINT_DISABLED", "the payout point is disabled")),
            Some(_) => Ok(()),
        }
    }

    pub async fn batch(&self, caller: &Caller, id: BatchId) -> Result<BatchView, Refusal> {
        let conn = self.db.get().await?;
        let batch = found(&conn, caller, id).await?;
        let mut counts = counts_of(&conn, caller, vec![id]).await?;
        Ok(BatchView::of(batch, counts.remove(&id).unwrap_or_default()))
    }

    pub async fn batches(&self, caller: &Caller, slice: Slice) -> Result<Vec<BatchView>, Refusal> {
        let conn = self.db.get().await?;
        let rows = batches::list(&conn, caller.tenant, slice).await?;
        let mut counts = counts_of(&conn, caller, rows.iter().map(|batch| batch.id).collect()).await?;
        Ok(rows
            .into_iter()
            .map(|batch| {
                let counts = counts.remove(&batch.id).unwrap_or_default();
                BatchView::of(batch, counts)
            })
            .collect())
    }

    /// What was wrong with lines, after (line, number).
    pub async fn batch_problems(
        &self,
        caller: &Caller,
        id: BatchId,
        after: (i32, i16),
        limit: i64,
    ) -> Result<Vec<BatchProblem>, Refusal> {
        let conn = self.db.get().await?;
        found(&conn, caller, id).await?;
        Ok(batches::problems(&conn, caller.tenant, id, after, limit).await?)
    }

    /// The batch's items after a row, in their order.
    pub async fn batch_items(
        &self,
        caller: &Caller,
        id: BatchId,
        after_row: i32,
        limit: i64,
    ) -> Result<Vec<RequestView>, Refusal> {
        let mut conn = self.db.get().await?;
        found(&conn, caller, id).await?;
        let rows = partner_requests::of_batch(&conn, caller.tenant, id, after_row, limit).await?;
        self.views(&mut conn, caller.tenant, rows).await
    }

    /// Hands every item that is ready to dispatch. Again, it does so with those that became ready since.
    pub async fn process_batch(&self, caller: &Caller, id: BatchId) -> Result<BatchView, Refusal> {
        let (actor, tenant) = (caller.actor(), caller.tenant);
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let batch = found(conn, caller, id).await?;
            if batch.status == "terminated" {
                return Err(Refusal::conflict("BATCH_TERMINATED", "the batch was terminated"));
            }
            let ready = Some(RequestStatus::Ready);
            let mut rows = partner_requests::lock_of_batch(conn, tenant, id, ready, 0, limit()).await?;
            rows.retain(|row| row.moderation_reason.is_none());
            self.process_rows(conn, &mut rows, &actor, now).await?;
            batches::set_status(conn, tenant, id, "processing", now).await?;
            Ok(())
        })
        .await?;
        self.dispatch_hint.notify_waiters();
        self.batch(caller, id).await
    }

    /// Ends what is still ready, and what waits for details. What is under way goes on.
    pub async fn terminate_batch(&self, caller: &Caller, id: BatchId) -> Result<BatchView, Refusal> {
        let (actor, tenant) = (caller.actor(), caller.tenant);
        let told = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            found(conn, caller, id).await?;
            let rows = partner_requests::lock_of_batch(conn, tenant, id, None, 0, limit()).await?;
            let at_rest = rows.into_iter().filter(|row| row.moderation_reason.is_none());
            let (mut ready, mut waiting) = (Vec::new(), Vec::new());
            for row in at_rest {
                match row.status {
                    RequestStatus::Ready => ready.push(row),
                    RequestStatus::WaitingDetails => waiting.push(row),
                    _ => {}
                }
            }
            let mut ended = self.terminate_rows(conn, &mut ready, &actor, now).await?.ended;
            ended.extend(self.cancel_rows(conn, &mut waiting, &actor, now).await?.ended);
            batches::set_status(conn, tenant, id, "terminated", now).await?;
            Ok::<_, Refusal>(ended)
        })
        .await?;
        self.waiters.wake(told);
        self.batch(caller, id).await
    }
}

fn limit() -> i64 {
    i64::try_from(ROWS_MAX).unwrap_or(i64::MAX)
}

async fn found(conn: &AsyncPgConnection, caller: &Caller, id: BatchId) -> Result<Batch, Refusal> {
    batches::find(conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: "batch" })
}

async fn counts_of(
    conn: &AsyncPgConnection,
    caller: &Caller,
    ids: Vec<BatchId>,
) -> Result<HashMap<BatchId, BTreeMap<RequestStatus, i64>>, GatewayError> {
    let mut counts: HashMap<BatchId, BTreeMap<RequestStatus, i64>> = HashMap::new();
    for row in batches::progress(conn, caller.tenant, ids).await? {
        counts.entry(row.batch_id).or_default().insert(row.status, row.count);
    }
    Ok(counts)
}

/// A problem with a row: the column, the code and the detail.
type RowProblem = (Option<String>, &'static str, String);

/// What a row asks for; or all that keeps it from being asked.
fn request_of(
    row: &Row,
    point_id: PayoutPointId,
    place: (BatchId, i32),
    seen: &mut HashSet<String>,
) -> Result<NewRequest, Vec<RowProblem>> {
    let mut problems: Vec<RowProblem> = Vec::new();
    if let Some(detail) = &row.problem {
        return Err(vec![(None, "WRONG_COLUMN_COUNT", detail.clone())]);
    }
    let mut ask = NewRequest::new(point_id, "");
    ask.batch = Some(place);
    ask.options = RequestOptions { auto_process: Some(false), ..RequestOptions::default() };
    let mut customer = NewCustomer::default();
    for (column, value) in &row.values {
        let text = value.as_str();
        let owned = || Some(text.to_owned());
        match column {
            Column::Service => ask.service = text.to_owned(),
            Column::ServiceAmount => match exact::parse_amount(text, 18, 15) {
                Ok(amount) => ask.service_amount = Some(amount),
                Err(error) => problems.push((Some(column.name()), "INVALID_AMOUNT", error.to_string())),
            },
            Column::Field(key) => {
                ask.fields.insert(key.clone(), serde_json::Value::String(text.to_owned()));
            }
            Column::Token => match text.parse() {
                Ok(token) => ask.token = Some(token),
                Err(_) => problems.push((Some(column.name()), "UNKNOWN_CARD", "there is no such card".to_owned())),
            },
            Column::Reference => {
                if seen.insert(text.to_owned()) {
                    ask.reference_id = owned();
                } else {
                    let detail = "the file has the reference in an earlier line".to_owned();
                    problems.push((Some(column.name()), "DUPLICATE_REFERENCE", detail));
                }
            }
            Column::Description => ask.description = owned(),
            Column::CustomerReference => customer.reference_id = text.to_owned(),
            Column::CustomerEmail => customer.email = owned(),
            Column::CustomerName => customer.name = owned(),
            Column::CustomerCountry => customer.country = owned(),
        }
    }
    if ask.service.is_empty() {
        problems.push((Some(Column::Service.name()), "SERVICE_REQUIRED", "is required".to_owned()));
    }
    if ask.service_amount.is_none() && problems.iter().all(|(_, code, _)| *code != "INVALID_AMOUNT") {
        problems.push((Some(Column::ServiceAmount.name()), "AMOUNT_REQUIRED", "is required".to_owned()));
    }
    if customer != NewCustomer::default() {
        if customer.reference_id.is_empty() {
            let column = Some(Column::CustomerReference.name());
            problems.push((column, "REFERENCE_REQUIRED", "a customer has a reference".to_owned()));
        }
        ask.customer = Some(customer);
    }
    if problems.is_empty() { Ok(ask) } else { Err(problems) }
}
