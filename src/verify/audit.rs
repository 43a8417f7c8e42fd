//! The audit trail: each partner's chain is whole, in order, unedited, and ends where its head says; and API keys are as it says.

use diesel_async::AsyncPgConnection;

use super::{CheckResult, Report, VerifyError, store};
use crate::gateway::access::audit::{CHAIN_START, hash};
use crate::store::audit::AuditRow;
use crate::store::verify::audit::Head;

pub(super) async fn check(conn: &mut AsyncPgConnection, report: &mut Report) -> Result<(), VerifyError> {
    report.add(
        "audit heads have rows",
        0,
        "A partner's audit head is a row.",
        store::audit::heads_have_rows(conn).await?,
    );
    report.add(
        "made keys",
        0,
        "An API key was made by somebody, as its row of the audit trail says, and a revoked one is revoked.",
        store::audit::keys_are_made(conn).await?,
    );
    let mut check = CheckResult::new(
        "audit chains",
        0,
        "A partner's audit rows count up from 1, each has the hash of its chain, and the last one is the partner's head.",
    );
    let mut last: Option<(AuditRow, Option<Head>)> = None;
    loop {
        let page = store::audit::page(conn, last.as_ref().map(|(row, _)| row)).await?;
        if page.is_empty() {
            break;
        }
        for (row, head) in page {
            check.rows_checked += 1;
            let previous = last.take_if(|(before, _)| before.partner_id == row.partner_id).map(|(before, _)| before);
            if let Some((end, head)) = last.take() {
                end_chain(&end, head.as_ref(), &mut check);
            }
            link(previous.as_ref(), &row, &mut check);
            last = Some((row, head));
        }
    }
    if let Some((end, head)) = last {
        end_chain(&end, head.as_ref(), &mut check);
    }
    report.checks.push(check);
    Ok(())
}

fn named(row: &AuditRow) -> String {
    format!("audit {}/{}", row.partner_id.0, row.seq)
}

/// Judges one row by the one before it. What follows a finding is judged by what is stored, so that one edit is one finding.
fn link(previous: Option<&AuditRow>, row: &AuditRow, check: &mut CheckResult) {
    let expected = previous.map_or(1, |previous| previous.seq.saturating_add(1));
    if row.seq != expected {
        // Without the one before it, its hash can't be told.
        return check.found(named(row), format!("no row {expected} stands before it"));
    }
    let before = previous.map_or(CHAIN_START.as_slice(), |previous| previous.hash.as_slice());
    if hash(before, row).as_slice() != row.hash {
        check.found(named(row), format!("its hash doesn't fit: this {} or its place was changed", row.action));
    }
}

/// Judges a partner's head by its last row.
fn end_chain(last: &AuditRow, head: Option<&Head>, check: &mut CheckResult) {
    let named = || format!("audit_head {}", last.partner_id.0);
    match head {
        None => check.found(named(), "it isn't there, and rows are"),
        Some(head) if head.seq != last.seq => {
            check.found(named(), format!("is row {}, the last one that is there is {}", head.seq, last.seq));
        }
        Some(head) if head.hash != last.hash => {
            check.found(named(), format!("is not row {}, which stands there", last.seq));
        }
        Some(_) => {}
    }
}
