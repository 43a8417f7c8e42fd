//! The user's payouts, newest first.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::pay::Pay;
use super::timestamp;
use crate::http::call::Call;
use crate::http::error::{ApiError, FieldProblem};
use crate::wallet::view::{HistoryItem, HistoryView};

const CURSOR_CHARS_MAX: usize = 256;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Where the page begins: `nextCursor` of the page before.
    #[param(max_length = 256)]
    cursor: Option<String>,
    /// How many payouts a page has at most, 1 to 100.
    #[param(example = 20, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A page of the user's payouts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Newest first.
    payouts: Vec<HistoryEntry>,
    /// Where the next page begins; null if there is none.
    next_cursor: Option<String>,
}

/// A payout of the history. Its fields are those of a pay, and some more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    #[serde(flatten)]
    pay: Pay,
    /// The card that it was paid to.
    #[schema(example = "4111***1111")]
    masked_pan: String,
    /// When the offer was accepted, UTC.
    #[schema(example = "2026-11-21T10:15:42.107Z")]
    accepted_at: String,
    /// When the payout ended, UTC; null while it is open.
    #[schema(example = "2026-11-21T10:15:43.018Z")]
    final_at: Option<String>,
}

impl From<HistoryItem> for HistoryEntry {
    fn from(item: HistoryItem) -> Self {
        Self {
            pay: item.pay.into(),
            masked_pan: item.masked_pan,
            accepted_at: timestamp(item.accepted_at),
            final_at: item.final_at.map(timestamp),
        }
    }
}

impl From<HistoryView> for History {
    fn from(history: HistoryView) -> Self {
        Self { payouts: history.items.into_iter().map(HistoryEntry::from).collect(), next_cursor: history.next_cursor }
    }
}

/// The user's payouts, newest first.
#[utoipa::path(
    get, path = "/v4/payout/history", operation_id = "getHistory", tag = "pay",
    params(HistoryQuery),
    responses((status = 200, description = "A page of payouts.", body = History))
)]
pub async fn get(call: Call) -> Result<HttpResponse, ApiError> {
    let query: HistoryQuery = call.query()?;
    if query.limit.is_some_and(|limit| !(1..=100).contains(&limit)) {
        return Err(ApiError::field("limit", FieldProblem::Value));
    }
    if query.cursor.as_ref().is_some_and(|cursor| cursor.chars().count() > CURSOR_CHARS_MAX) {
        return Err(ApiError::field("cursor", FieldProblem::Length));
    }
    let history = call.wallet.history(&call.user, query.cursor.as_deref(), query.limit).await?;
    call.fresh(&History::from(history))
}
