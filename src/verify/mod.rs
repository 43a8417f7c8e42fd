//! `landfall verify`: whether a whole database keeps the invariants, checked row by row, and each row that doesn't is named.
//!
//! It believes nothing that can be computed again: sums, settlements, ids, references, MACs, ciphertexts. It reads one snapshot
//! and never writes; what to do about a finding is for a person. Memory is bounded: sets are compared by PostgreSQL, all else is
//! read in pages, and of each check only the first findings are kept.

mod anchors;
mod audit;
mod card_numbers;
mod cards;
mod deposits;
mod events;
mod keys;
mod ledger;
mod offers;
mod partners;
mod payouts;
mod reconciliation;
mod report;
mod tenants;
mod terms;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use crate::domain::offer::PriceBook;
use crate::store::error::DbError;
use crate::store::pool::Db;
use crate::store::retry::{Isolation, transaction_at};
use crate::store::verify as store;
use crate::vault::{Vault, VaultError};
pub use report::{CheckResult, FINDINGS_KEPT, Finding, Report};

/// Why a database could not be checked. Says nothing of whether it is clean.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database, or a row that can't even be read as what its column should hold.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The keys, not what is sealed under them: that would be a finding.
    #[error("the vault can't be used: {0}")]
    Vault(#[from] VaultError),
}

impl From<diesel::result::Error> for VerifyError {
    fn from(error: diesel::result::Error) -> Self {
        VerifyError::Db(error.into())
    }
}

crate::transaction_error!(VerifyError::Db);

/// Checks everything in `db`, as of one snapshot. `house` is the configured price book, whose assets offers are settled by again and
/// which partners' terms are read over; `now` is only noted in the report.
///
/// It takes a connection of the pool for as long as it runs, and the vault another one at times.
pub async fn run(db: &Db, vault: &Vault, house: &PriceBook, now: DateTime<Utc>) -> Result<Report, VerifyError> {
    run_with_anchors(db, vault, house, now, None).await
}

/// The same, with the audit trail held against the text of a file of anchors.
pub async fn run_with_anchors(
    db: &Db,
    vault: &Vault,
    house: &PriceBook,
    now: DateTime<Utc>,
    anchors: Option<&str>,
) -> Result<Report, VerifyError> {
    vault.health().await.map_err(VaultError::from)?;
    transaction_at(Isolation::RepeatableRead, db, async |conn| {
        let mut report = check(conn, vault, house, now).await?;
        if let Some(text) = anchors {
            anchors::check(conn, vault, text, &mut report).await?;
        }
        Ok(report)
    })
    .await
}

async fn check(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    house: &PriceBook,
    now: DateTime<Utc>,
) -> Result<Report, VerifyError> {
    store::begin(conn).await?;
    let mut report = Report::new(now);
    payouts::check(conn, &mut report).await?;
    ledger::check(conn, &mut report).await?;
    reconciliation::check(conn, &mut report).await?;
    offers::check(conn, &house.assets, &mut report).await?;
    deposits::check(conn, &mut report).await?;
    cards::check(conn, vault, &mut report).await?;
    partners::check(conn, vault, &mut report).await?;
    terms::check(conn, house, &mut report).await?;
    keys::check(conn, &mut report).await?;
    card_numbers::check(conn, &mut report).await?;
    tenants::check(conn, &mut report).await?;
    events::check(conn, vault, &mut report).await?;
    audit::check(conn, &mut report).await?;
    Ok(report)
}
