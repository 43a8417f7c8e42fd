//! Reports: their sums are the ledger's and the requests' own, whoever else pays meanwhile.

use rust_decimal::Decimal;
use serde_json::Value;

use super::Partner;
use super::requests::{manual, sample};
use crate::world::{World, with};

async fn lines(backend: &Partner<'_>, report: &str, range: &str) -> Vec<Value> {
    let answer = backend.get(&format!("/v1/reports/{report}?{range}")).await;
    answer.data(200).as_array().unwrap().iter().map(|line| line["attributes"].clone()).collect()
}

fn number(line: &Value, name: &str) -> Decimal {
    line[name].as_str().unwrap_or_else(|| panic!("{name}: {line}")).parse().unwrap()
}

fn sum(lines: &[Value], name: &str) -> Decimal {
    lines.iter().map(|line| number(line, name)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reports_of_a_day_add_up_to_the_balance_and_the_requests() {
    let world = World::new().await;
    world.partner("acme").await;
    let backend = world.backend().await;
    let point = world.point().await;
    backend.funded("USD", "100").await;
    let mut ended = Vec::new();
    for (resolution, status) in [("ok", "processed"), ("ok", "processed"), ("card_restricted", "failed")] {
        let fields = serde_json::json!({ "account": "abc", "test_details_payout_resolution": resolution });
        let made = backend.asked(with(&sample(&point), "fields", fields)).await;
        ended.push(backend.until(&made["id"], status).await);
    }
    backend.asked(manual(&point)).await;

    let today = world.app.clock.now().date_naive();
    let range = format!("from={today}&to={today}");
    let usage = lines(&backend, "usage", &range).await;
    let of = |status: &str| usage.iter().find(|line| line["status"] == status).unwrap_or_else(|| panic!("{usage:?}"));
    let counts = ["processed", "failed", "ready"].map(|status| of(status)["requests"].as_i64());
    assert_eq!(counts, [Some(2), Some(1), Some(1)]);
    assert_eq!(number(of("processed"), "processed"), number(of("processed"), "amount"));
    assert_eq!(number(of("failed"), "processed"), Decimal::ZERO);

    let balances = lines(&backend, "balances", &range).await;
    assert_eq!(balances.len(), 1, "{balances:?}");
    let (available, held) = backend.funds("USD").await;
    let now = available.parse::<Decimal>().unwrap() + held.parse::<Decimal>().unwrap();
    assert_eq!((number(&balances[0], "closing"), balances[0]["closing_held"].as_str()), (now, Some(held.as_str())));
    let moved: Decimal =
        ["opening", "credit", "debit", "settled", "returned"].map(|name| number(&balances[0], name)).iter().sum();
    assert_eq!(moved, now, "what it opened with and what moved is what it closed with");
    // What the ledger took is what the paid requests cost, and what it holds is what the open ones would.
    let cost = |status: &str| number(of(status), "charged_amount") + number(of(status), "fee");
    assert_eq!(number(&balances[0], "settled"), -cost("processed"));
    assert_eq!(number(&balances[0], "closing_held"), cost("ready"));
    world.verified().await;

    // The day after opens with what this one closed with, and a day on which nothing moved has no line.
    world.advance(86_400);
    backend.funded("USD", "5").await;
    let tomorrow = world.app.clock.now().date_naive();
    let both = lines(&backend, "balances", &format!("from={today}&to={tomorrow}")).await;
    assert_eq!(both.len(), 2);
    assert_eq!((&both[0], &both[0]["closing"]), (&balances[0], &both[1]["opening"]));
    assert_eq!(lines(&backend, "balances", &range).await, balances, "a day that is over stays as it was");
    let acme =
        world.backend_of("acme", landfall::domain::ids::Mode::Test, &landfall::gateway::access::Scope::ALL).await;
    assert!(lines(&acme, "usage", &range).await.is_empty() && lines(&acme, "balances", &range).await.is_empty());
    assert_eq!(sum(&usage, "returned"), Decimal::ZERO);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_a_file_too_and_of_a_bounded_time() {
    let world = World::without_workers(|_| {}).await;
    let backend = world.backend().await;
    backend.funded("USD", "100").await;
    let today = world.app.clock.now().date_naive();
    let csv = backend.get(&format!("/v1/reports/balances?from={today}&to={today}&format=csv")).await;
    assert_eq!((csv.status, csv.header("content-type")), (200, Some("text/csv; charset=utf-8")));
    let mut rows = csv.text.lines();
    assert_eq!(rows.next(), Some("day,currency,opening,credit,debit,settled,returned,closing,closing_held"));
    let line = lines(&backend, "balances", &format!("from={today}&to={today}")).await.remove(0);
    let wanted: Vec<&str> =
        ["day", "currency", "opening", "credit"].iter().map(|name| line[name].as_str().unwrap()).collect();
    assert!(rows.next().unwrap().starts_with(&wanted.join(",")), "{csv:?}");
    let tag = csv.header("etag").unwrap();
    let path = format!("/v1/reports/balances?from={today}&to={today}&format=csv");
    assert_eq!(backend.header("If-None-Match", tag).get(&path).await.status, 304);
    for (query, code, parameter) in [
        ("", "INVALID_PARAMETER", "from"),
        ("from=2026-11-01", "INVALID_PARAMETER", "to"),
        ("from=2026-11-02&to=2026-11-01", "INVALID_PARAMETER", "to"),
        ("from=2026-01-01&to=2026-12-31", "INVALID_PARAMETER", "to"),
        ("from=2026-13-01&to=2026-12-31", "INVALID_PARAMETER", "from"),
        ("from=2026-1-1&to=2026-01-31", "INVALID_PARAMETER", "from"),
        ("from=2026-11-01&from=2026-11-01&to=2026-11-01", "INVALID_PARAMETER", "from"),
        ("from=2026-11-01&to=2026-11-01&format=xml", "INVALID_PARAMETER", "format"),
        ("from=2026-11-01&to=2026-11-01&partner=acme", "UNKNOWN_PARAMETER", "partner"),
    ] {
        for report in ["usage", "balances"] {
            backend.get(&format!("/v1/reports/{report}?{query}")).await.errors(400, &[(code, parameter)]);
        }
    }
    world.stop().await;
}
