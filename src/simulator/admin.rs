//! What whoever tests asks of the simulator, beside the published API: its ledger, its faults, a report as CSV, a return by hand.
//! Guarded by a token of its own. Card numbers aren't in the ledger, so none is shown.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::api::ApiRequest;
use super::bank::Bank;
use super::faults::Faults;
use super::payment::{Change, Payment, status_name};
use crate::providers::provider::{ReportRow, ReportedStatus};

/// The paths that are this module's.
pub const PREFIX: &str = "/admin/";

/// An answer.
pub struct Page {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

/// A payment as it stands, with everything that becomes of it.
#[derive(Serialize)]
struct Entry<'a> {
    status: &'static str,
    #[serde(with = "rust_decimal::serde::str")]
    paid: Decimal,
    #[serde(flatten)]
    payment: &'a Payment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Return {
    amount: String,
}

/// One call, guarded by `token`.
pub fn handle(bank: &mut Bank, token: &SecretString, request: &ApiRequest, now: DateTime<Utc>) -> Page {
    if !is_allowed(token, request) {
        return refused(401, "unauthorized");
    }
    let pieces: Vec<&str> = request.path.strip_prefix(PREFIX).unwrap_or_default().split('/').collect();
    match (request.method.as_str(), pieces.as_slice()) {
        ("GET", ["ledger"]) => ledger(bank, now),
        ("GET", ["faults"]) => faults(bank),
        ("PUT", ["faults"]) => match serde_json::from_slice::<Faults>(&request.body) {
            Ok(new) if new.check().is_ok() => {
                bank.faults = new;
                faults(bank)
            }
            Ok(_) => refused(400, "the rates of a group add up to more than 1"),
            Err(error) => refused(400, &error.to_string()),
        },
        ("GET", ["report.csv"]) => report(bank, now).unwrap_or_else(|| refused(500, "the report can't be written")),
        ("POST", ["payments", number, "return"]) => give_back(bank, number, &request.body, now),
        _ => refused(404, "no such path"),
    }
}

fn is_allowed(token: &SecretString, request: &ApiRequest) -> bool {
    let mut given = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let (Some((_, given)), None) = (given.next(), given.next()) else { return false };
    let token = token.expose_secret().as_bytes();
    given.strip_prefix("Bearer ").is_some_and(|given| !token.is_empty() && bool::from(given.as_bytes().ct_eq(token)))
}

fn ledger(bank: &Bank, now: DateTime<Utc>) -> Page {
    let entries: Vec<Entry<'_>> = bank
        .payments()
        .iter()
        .map(|payment| Entry { status: status_name(payment.state(now).status), paid: payment.paid(now), payment })
        .collect();
    answer(&json!({ "payments": entries }))
}

fn faults(bank: &Bank) -> Page {
    answer(&json!({ "injected": bank.injected(), "script": bank.faults.script }))
}

/// What an operator would download: every payment of every account that isn't hidden, oldest first.
fn report(bank: &Bank, now: DateTime<Utc>) -> Option<Page> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "reference",
        "original_id",
        "status",
        "amount_processed",
        "amount_returned",
        "currency",
        "taken_at",
    ])
    .ok()?;
    for payment in bank.payments().iter().filter(|payment| payment.is_visible(now)) {
        let row: ReportRow = payment.report_row(now);
        out.write_record([
            row.reference.as_str(),
            row.original_id.as_deref().unwrap_or_default(),
            status_name(row.status),
            &row.amount_processed.to_string(),
            &row.amount_returned.to_string(),
            row.currency.as_str(),
            &row.taken_at.to_rfc3339(),
        ])
        .ok()?;
    }
    Some(Page { status: 200, content_type: "text/csv; charset=utf-8", body: out.into_inner().ok()? })
}

/// A return that nobody planned: all of what is out, or a part of it.
fn give_back(bank: &mut Bank, number: &str, body: &[u8], now: DateTime<Utc>) -> Page {
    let payment = number
        .parse::<u64>()
        .ok()
        .and_then(|number| bank.payments().iter().find(|payment| payment.number == number).cloned());
    let Some(payment) = payment else { return refused(404, "no such payment") };
    let state = payment.state(now);
    let out = payment.paid(now);
    let amount = match body {
        [] => Some(out),
        body => serde_json::from_slice::<Return>(body).ok().and_then(|body| Decimal::from_str_exact(&body.amount).ok()),
    };
    let Some(amount) = amount.filter(|amount| *amount > Decimal::ZERO && *amount <= out) else {
        return refused(400, "an amount of what went out can come back");
    };
    if state.status == ReportedStatus::Pending {
        return refused(400, "it is pending");
    }
    let back = state.amount_returned.saturating_add(amount);
    bank.amend(payment.number, Change::returned(now, state.amount_processed, back));
    answer(&json!({ "number": payment.number, "amount_returned": back.to_string() }))
}

fn answer(body: &Value) -> Page {
    Page { status: 200, content_type: "application/json", body: body.to_string().into_bytes() }
}

fn refused(status: u16, message: &str) -> Page {
    let body = json!({ "error": message }).to_string().into_bytes();
    Page { status, content_type: "application/json", body }
}
