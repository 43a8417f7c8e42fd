//! The audit trail against the heads that were anchored outside of the database: a chain that was written anew, or whose end was cut
//! off, hashes as it should, and isn't the one that was anchored.

use std::collections::BTreeMap;

use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::{CheckResult, Report, VerifyError};
use crate::gateway::access::anchors;
use crate::store::audit;
use crate::vault::Vault;

pub(super) async fn check(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    text: &str,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let mut check = CheckResult::new(
        "audit anchors",
        0,
        "Each anchor is genuine and follows the one before it, and the row that it names is there with its hash.",
    );
    // By partner: the last anchored row that is still what it was, and whether one was found that isn't.
    let mut good: BTreeMap<Uuid, (i64, bool)> = BTreeMap::new();
    for (number, line) in anchors::read(vault, text).into_iter().enumerate() {
        check.rows_checked += 1;
        let named = || format!("anchor line {}", number + 1);
        let Some((anchor, is_genuine)) = line else {
            check.found(named(), "is no anchor");
            continue;
        };
        if !is_genuine {
            check.found(named(), "isn't genuine, or the line before it isn't the one that was: it was edited, moved, or lines were taken out");
            continue;
        }
        let (last_good, is_broken) = *good.entry(anchor.partner).or_insert((0, false));
        let row = format!("audit {}/{}", anchor.partner, anchor.seq);
        match audit::hash_at(conn, anchor.partner_id(), anchor.seq).await? {
            Some(hash) if hash == anchor.hash => {
                good.insert(anchor.partner, (anchor.seq, is_broken));
            }
            _ if is_broken => {}
            Some(_) => {
                let since = last_good + 1;
                let what = format!(
                    "isn't the row that was anchored at {}: one of the rows {since} to {} was changed, and the chain written anew",
                    anchor.at, anchor.seq
                );
                check.found(row, what);
                good.insert(anchor.partner, (last_good, true));
            }
            None => {
                let last = audit::last_seq(conn, anchor.partner_id()).await?;
                let what = format!("was anchored at {} and isn't there: the last row that is, is {last}", anchor.at);
                check.found(row, what);
                good.insert(anchor.partner, (last_good, true));
            }
        }
    }
    report.checks.push(check);
    Ok(())
}
