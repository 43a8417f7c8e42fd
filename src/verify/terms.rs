//! Terms of partners: every version is there, follows the one before and is what was set; the one in force can be read.

use diesel_async::AsyncPgConnection;

use super::{CheckResult, Report, VerifyError, store};
use crate::domain::offer::PriceBook;
use crate::gateway::terms::stored_terms;
use crate::store::{partner_terms, partners};

pub(super) async fn check(
    conn: &mut AsyncPgConnection,
    house: &PriceBook,
    report: &mut Report,
) -> Result<(), VerifyError> {
    report.add(
        "terms of partners",
        8,
        "Each version of a partner's terms follows the one before and is what the audit trail says was set.",
        store::terms::versions(conn).await?,
    );
    report.add(
        "kept terms of partners",
        8,
        "Each version of a partner's terms that was set is there.",
        store::terms::kept(conn).await?,
    );
    let mut check = CheckResult::new(
        "terms in force",
        8,
        "The newest version of a partner's terms can be read by this program, under this configuration.",
    );
    let known = partners::all(conn).await?;
    let current = partner_terms::current(conn).await?;
    for stored in partner_terms::of_versions(conn, current).await? {
        check.rows_checked += 1;
        let code = known.iter().find(|partner| partner.id == stored.partner_id).map(|partner| partner.code.as_str());
        if let Err(problems) = stored_terms(house, code.unwrap_or_default(), &stored) {
            let row = format!("partner_terms {}/{}/{}", stored.partner_id.0, stored.mode, stored.version);
            check.found(row, format!("it can't be read: {}", problems.to_string().replace('\n', "; ")));
        }
    }
    report.checks.push(check);
    Ok(())
}
