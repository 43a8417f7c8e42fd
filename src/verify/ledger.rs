//! Invariant 4: the ledger balances, and every balance is the sum of its postings.

use diesel_async::AsyncPgConnection;

use super::{CheckResult, Report, VerifyError, store};
use crate::domain::ids::{CustomerId, DepositAccountId, Tenant};
use crate::domain::ledger::{AccountKey, AccountKind, AccountOwner};
use crate::store::verify::ledger::AccountRow;

pub(super) async fn check(conn: &mut AsyncPgConnection, report: &mut Report) -> Result<(), VerifyError> {
    report.add(
        "entries balance",
        4,
        "An entry's postings sum to zero in each asset.",
        store::ledger::entries_balance(conn).await?,
    );
    report.add(
        "entries have postings",
        4,
        "Every entry has postings.",
        store::ledger::entries_have_postings(conn).await?,
    );
    report.add(
        "postings fit",
        4,
        "A posting's entry and account are of its tenant, and the account is in its asset.",
        store::ledger::postings_fit(conn).await?,
    );
    report.add(
        "balances",
        4,
        "An account's balance, with what is still to be folded into it, is the sum of its postings.",
        store::ledger::balances(conn).await?,
    );
    report.add(
        "deltas have accounts",
        4,
        "What is to be folded has its account.",
        store::ledger::deltas_have_accounts(conn).await?,
    );
    report.add(
        "no balance below zero",
        4,
        "Balances of users and partners never go below zero.",
        store::ledger::not_below_zero(conn).await?,
    );
    report.add(
        "entries booked once",
        6,
        "A kind and reference are booked once.",
        store::ledger::booked_once(conn).await?,
    );
    report.checks.push(account_ids(conn).await?);
    Ok(())
}

async fn account_ids(conn: &mut AsyncPgConnection) -> Result<CheckResult, VerifyError> {
    let mut check =
        CheckResult::new("account ids", 4, "An account's id is the one made from its tenant, owner, kind and asset.");
    let mut last = None;
    loop {
        let page = store::ledger::accounts(conn, last).await?;
        let Some(end) = page.last() else { return Ok(check) };
        last = Some(end.key());
        for account in &page {
            check.rows_checked += 1;
            if id_of(account) != Some(account.id) {
                let row = format!("account {}/{}/{}", account.partner_id.0, account.mode, account.id);
                check.found(
                    row,
                    format!("its id is not that of a {} account of a {}", account.kind, account.owner_kind),
                );
            }
        }
    }
}

/// The id that the account's columns make; `None` if they name no account.
fn id_of(account: &AccountRow) -> Option<uuid::Uuid> {
    let owner = match (account.owner_kind.as_str(), account.owner_id) {
        ("house", None) => AccountOwner::House,
        ("partner", None) => AccountOwner::Partner,
        ("customer", Some(id)) => AccountOwner::Customer(CustomerId(id)),
        ("deposit_account", Some(id)) => AccountOwner::DepositAccount(DepositAccountId(id)),
        _ => return None,
    };
    let kind = AccountKind::ALL.into_iter().find(|kind| kind.as_str() == account.kind)?;
    let key = AccountKey { owner, kind, asset: account.asset.parse().ok()? };
    Some(key.id(Tenant { partner_id: account.partner_id, mode: account.mode }))
}
