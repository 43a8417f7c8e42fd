//! Invariants 1, 2 and 3: requests, their payouts, and that each goes on.

use diesel_async::AsyncPgConnection;

use super::{CheckResult, Report, VerifyError, store};
use crate::domain::payout::provider_reference;

pub(super) async fn check(conn: &mut AsyncPgConnection, report: &mut Report) -> Result<(), VerifyError> {
    report.add(
        "one success a part",
        1,
        "A part of a request is paid by one payout at most; late ones stand apart.",
        store::payouts::one_success_a_part(conn).await?,
    );
    report.add(
        "one open payout a part",
        2,
        "While a payout is open, no other one of its part is open or paid.",
        store::payouts::one_open_a_part(conn).await?,
    );
    report.add(
        "request sums",
        1,
        "What a request counts as processed, returned and tried is what its payouts say.",
        store::payouts::request_sums(conn).await?,
    );
    report.add(
        "request states",
        1,
        "A request's status fits its amounts, its resolution and its payouts.",
        store::payouts::request_states(conn).await?,
    );
    report.add(
        "payout states",
        1,
        "A payout's status fits its amounts and its resolution, and what doesn't fit has a case.",
        store::payouts::payout_states(conn).await?,
    );
    report.add(
        "payouts in the ledger",
        1,
        "What a payout paid, gave back and cost is in the ledger, once, with its exact amount.",
        store::payouts::payout_entries(conn).await?,
    );
    report.add(
        "entries have causes",
        1,
        "Every entry but a credit, a debit and a top-up was booked for a request, a payout, an unmatched payment or a closed case that is there.",
        store::payouts::entries_have_causes(conn).await?,
    );
    report.add(
        "open payouts go on",
        2,
        "Every open payout has a job that sends it or asks about it.",
        store::payouts::open_payouts_go_on(conn).await?,
    );
    report.add(
        "requests go on",
        2,
        "Every request that isn't final has a job, an open payout, or is stopped with an open case for a person.",
        store::payouts::requests_go_on(conn).await?,
    );
    report.add(
        "questions are asked",
        2,
        "A case that asks whether a request goes on is open only while the request is stopped.",
        store::payouts::questions_are_asked(conn).await?,
    );
    report.add(
        "screened before sent",
        2,
        "What was stopped for screening has sent nothing unless a person let it go on.",
        store::payouts::screened_before_sent(conn).await?,
    );
    report.add(
        "decisions are told",
        2,
        "What a person decided about a case stands in the chain of its request's events.",
        store::payouts::decisions_are_told(conn).await?,
    );
    report.add(
        "jobs have subjects",
        2,
        "Every job is about a row that is there.",
        store::payouts::jobs_have_subjects(conn).await?,
    );
    report.add(
        "callbacks go on",
        2,
        "Every verified callback was applied, or has a job that applies it.",
        store::payouts::callbacks_go_on(conn).await?,
    );
    report.add(
        "intent before the wire",
        3,
        "What was sent was written down before, with its reference.",
        store::payouts::intent_before_wire(conn).await?,
    );
    report.add(
        "references once",
        3,
        "A reference stands for one payout at its provider account.",
        store::payouts::references_once(conn).await?,
    );
    report.checks.push(references(conn).await?);
    Ok(())
}

async fn references(conn: &mut AsyncPgConnection) -> Result<CheckResult, VerifyError> {
    let mut check = CheckResult::new(
        "references of payouts",
        3,
        "A payout's reference at the provider is the one made from its id.",
    );
    let mut last = None;
    loop {
        let page = store::payouts::references(conn, last).await?;
        let Some(end) = page.last() else { return Ok(check) };
        last = Some(end.key());
        for payout in &page {
            check.rows_checked += 1;
            let stored = &payout.provider_reference;
            // As long as the provider of that time took; the same id makes the same text at each length.
            if *stored != provider_reference(payout.id, stored.len()) {
                let row = format!("payout {}/{}/{}", payout.partner_id.0, payout.mode, payout.id.0);
                check.found(row, "its provider_reference is not made from its id");
            }
        }
    }
}
