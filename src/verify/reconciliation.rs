//! Reconciliation: what it booked is in the ledger, and what is recoverable has a case that waits for it.

use diesel_async::AsyncPgConnection;

use super::{Report, VerifyError, store};

pub(super) async fn check(conn: &mut AsyncPgConnection, report: &mut Report) -> Result<(), VerifyError> {
    report.add(
        "unmatched payments",
        4,
        "A provider's payment that no payout stands for is in the ledger as it is booked and closed, and while it is open there is a case.",
        store::reconciliation::unmatched_payments(conn).await?,
    );
    report.add(
        "recoverable balances",
        4,
        "What is recoverable is what open cases wait for.",
        store::reconciliation::recoverable(conn).await?,
    );
    Ok(())
}
