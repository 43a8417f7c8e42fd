//! Invariants 7 and 8 of keys: each sealed value names a data key that is there, of its own tenant, and not destroyed; and a key that is
//! primary may seal.

use diesel_async::AsyncPgConnection;

use super::{Report, VerifyError, store};

pub(super) async fn check(conn: &mut AsyncPgConnection, report: &mut Report) -> Result<(), VerifyError> {
    let rule = "A sealed value names a data key of its own partner and mode that is there and not retired.";
    report.add("keys of cards", 7, rule, store::keys::cards(conn).await?);
    report.add("keys of requests' cards", 7, rule, store::keys::request_cards(conn).await?);
    report.add("keys of provider accounts", 7, rule, store::keys::provider_accounts(conn).await?);
    report.add(
        "data keys",
        7,
        "A primary data key is neither retired nor compromised, and nothing names a key that is noted as drained.",
        store::keys::data_keys(conn).await?,
    );
    Ok(())
}
