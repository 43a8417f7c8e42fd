//! A report as the provider gives it: page by page, whole or not at all.

use rust_decimal::Decimal;

use super::{MARGIN, ROWS_MAX, ReconcileError, Run, Wanted, too_many};
use crate::domain::reconciliation::{TheirStatus, Theirs};
use crate::gateway::Gateway;
use crate::gateway::balance_syncs::{no_answer, told};
use crate::providers::echo::passes_for_number;
use crate::providers::provider::{ReportRow, ReportedStatus};

/// More pages than a report of as many lines as are taken can have.
const PAGES_MAX: usize = 20_000;

impl Gateway {
    /// Asks for the whole report. No transaction is open.
    pub(super) async fn fetch_report(&self, wanted: &Wanted, run: &Run) -> Result<Vec<ReportRow>, ReconcileError> {
        let account = &wanted.account;
        let (provider, context) =
            self.called_account(account.id, &account.provider).await?.map_err(ReconcileError::Report)?;
        let timeout = provider.capabilities().send_timeout;
        let from = wanted.from.checked_sub_signed(MARGIN).unwrap_or(wanted.from);
        let until = wanted.until.checked_add_signed(MARGIN).unwrap_or(wanted.until);
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            self.keep_run(run).await?;
            let page = provider.report(&context, from, until, cursor.as_deref());
            let page = match tokio::time::timeout(timeout, page).await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => return Err(ReconcileError::Report(told(&error))),
                Err(_) => return Err(ReconcileError::Report(no_answer(timeout))),
            };
            rows.extend(page.rows);
            if rows.len() > ROWS_MAX {
                return Err(too_many());
            }
            match page.next {
                None => return Ok(rows),
                Some(next) if cursor.as_ref() == Some(&next) => {
                    return Err(ReconcileError::Report("it doesn't go on from its own cursor".to_owned()));
                }
                Some(next) => cursor = Some(next),
            }
        }
        Err(ReconcileError::Report("it doesn't end".to_owned()))
    }
}

/// A report's lines as they are compared. One that makes no sense spoils the report: what it stands for can't be told.
pub(super) fn readable(rows: Vec<ReportRow>) -> Result<Vec<Theirs>, ReconcileError> {
    rows.into_iter()
        .map(|row| {
            if row.amount_processed < Decimal::ZERO || row.amount_returned < Decimal::ZERO {
                return Err(ReconcileError::Report(format!("an amount below zero, taken at {}", row.taken_at)));
            }
            // What was paid without any reference is told apart by the provider's own identifier; none of ours looks like it.
            let reference = match row.reference.trim() {
                "" => format!("-/{}", row.original_id.as_deref().unwrap_or_default()),
                reference => reference.to_owned(),
            };
            let status = match row.status {
                ReportedStatus::Pending => TheirStatus::Pending,
                ReportedStatus::Processed if row.amount_returned > Decimal::ZERO => TheirStatus::Returned,
                ReportedStatus::Processed => TheirStatus::Processed,
                ReportedStatus::Declined => TheirStatus::Declined,
                ReportedStatus::Returned => TheirStatus::Returned,
            };
            Ok(Theirs {
                reference,
                original_id: row.original_id.filter(|id| !id.is_empty() && !passes_for_number(id)),
                status,
                amount_processed: row.amount_processed,
                amount_returned: row.amount_returned,
                currency: row.currency,
                taken_at: row.taken_at,
            })
        })
        .collect()
}
