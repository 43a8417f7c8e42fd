//! Deposit accounts: reservations of payouts, and the balances that our books keep.

use diesel_async::AsyncPgConnection;

use super::{Report, VerifyError, store};

pub(super) async fn check(conn: &mut AsyncPgConnection, report: &mut Report) -> Result<(), VerifyError> {
    report.add(
        "reservations of payouts",
        5,
        "An open payout reserves its amount and cost, a final one nothing, or what it took until a reported balance has it in it.",
        store::deposits::reservations(conn).await?,
    );
    report.add(
        "reserved on deposit accounts",
        5,
        "What a deposit account reserves is the sum of its payouts' reservations.",
        store::deposits::reserved(conn).await?,
    );
    report.add(
        "books of deposit accounts",
        4,
        "A deposit account kept by our books holds what the ledger says of it.",
        store::deposits::books(conn).await?,
    );
    Ok(())
}
