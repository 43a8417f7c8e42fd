//! The event log: each request's chain is whole, in order, unedited, and ends where the request says.

use diesel_async::AsyncPgConnection;

use super::{CheckResult, Report, VerifyError, store};
use crate::gateway::journal::{self, CHAIN_START};
use crate::store::events::Event;
use crate::store::verify::events::Head;
use crate::vault::Vault;

pub(super) async fn check(conn: &mut AsyncPgConnection, vault: &Vault, report: &mut Report) -> Result<(), VerifyError> {
    report.add("requests have events", 0, "Every request has a log.", store::events::requests_have_events(conn).await?);
    report.add(
        "logs of requests",
        0,
        "A request's older events go no sooner than 90 days after its end.",
        store::events::logs_are_kept_long_enough(conn).await?,
    );
    let mut check = CheckResult::new(
        "event chains",
        0,
        "A request's events count up from 1, or from where retention left them, each carries the MAC of its chain, and the last one is the request's head and status.",
    );
    let mut last: Option<(Event, Option<Head>)> = None;
    loop {
        let page = store::events::page(conn, last.as_ref().map(|(event, _)| event)).await?;
        if page.is_empty() {
            break;
        }
        for (event, head) in page {
            check.rows_checked += 1;
            let previous = last.take_if(|(before, _)| same_request(before, &event)).map(|(before, _)| before);
            if let Some((end, head)) = last.take() {
                end_chain(&end, head.as_ref(), &mut check);
            }
            let kept = head.as_ref().and_then(|head| head.kept.as_ref());
            link(vault, previous.as_ref(), kept, &event, &mut check);
            last = Some((event, head));
        }
    }
    if let Some((end, head)) = last {
        end_chain(&end, head.as_ref(), &mut check);
    }
    report.checks.push(check);
    Ok(())
}

fn same_request(one: &Event, other: &Event) -> bool {
    one.tenant() == other.tenant() && one.request_id == other.request_id
}

fn event_row(event: &Event) -> String {
    format!("event {}/{}/{}/{}", event.partner_id.0, event.mode, event.request_id.0, event.seq)
}

/// Judges one event by the one before it. What follows a finding is judged by what is stored, so that one edit is one finding.
fn link(
    vault: &Vault,
    previous: Option<&Event>,
    kept: Option<&(i32, Vec<u8>)>,
    event: &Event,
    check: &mut CheckResult,
) {
    let first = kept.map_or(1, |(from, _)| *from);
    let expected = previous.map_or(first, |previous| previous.seq.saturating_add(1));
    if event.seq != expected {
        // Without the one before it, its MAC can't be told.
        return check.found(event_row(event), format!("no event {expected} stands before it"));
    }
    let start = kept.map_or(CHAIN_START.as_slice(), |(_, before)| before.as_slice());
    let before = previous.map_or(start, |previous| previous.mac.as_slice());
    if journal::mac(vault, before, event).as_slice() != event.mac {
        check.found(
            event_row(event),
            format!("its MAC doesn't fit: this {} event or its place was changed", event.kind),
        );
    }
}

/// Judges a request's head by the last of its events.
fn end_chain(last: &Event, head: Option<&Head>, check: &mut CheckResult) {
    let Some(head) = head else {
        return check.found(event_row(last), "its request isn't there");
    };
    let row = || format!("payout_request {}/{}/{}", last.partner_id.0, last.mode, last.request_id.0);
    if head.seq != last.seq {
        return check
            .found(row(), format!("its head is event {}, the last one that is there is {}", head.seq, last.seq));
    }
    if head.mac != last.mac {
        check.found(row(), format!("its head is not event {}, which stands there", last.seq));
    }
    let status = last.data.get("request_status").and_then(|status| status.as_str());
    if status != Some(head.status.as_str()) {
        check.found(row(), format!("is {}, its last event says {}", head.status, status.unwrap_or("nothing")));
    }
}
