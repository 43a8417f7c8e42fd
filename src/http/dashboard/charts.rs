//! The overview's charts: which numbers of the last hours become which columns.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::Timelike;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::chart::{Chart, Column, Plan};
use super::parts::Amount;
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::payout_request::RequestStatus;
use crate::staff::pulse::{Counted, Hour, Pulse};

/// How many currencies have a chart of their own.
const CURRENCIES_MAX: usize = 3;
/// An hour's name stands below every third column.
const NAMED_EVERY: u32 = 3;

/// All of them, with the table of their numbers.
#[derive(Template)]
#[template(path = "parts/charts.html", config = "web/askama.toml")]
pub struct Charts {
    charts: Vec<Chart>,
    unknown: Chart,
    currencies: Vec<String>,
    lines: Vec<Line>,
}
impl HtmlSafe for Charts {}

struct Line {
    hour: String,
    /// `None`: not counted yet.
    counted: Option<Numbers>,
}

struct Numbers {
    paid: i64,
    failed: i64,
    rate: String,
    median: String,
    slow: String,
    volumes: Vec<String>,
}

impl Charts {
    pub fn of(pulse: &Pulse, assets: &Assets) -> Self {
        let currencies = currencies(pulse);
        let mut charts = vec![ended(pulse), rate(pulse), time_to_paid(pulse)];
        charts.extend(currencies.iter().map(|code| volume(pulse, *code, assets)));
        let lines = pulse.hours.iter().rev().map(|hour| line(hour, &currencies, assets)).collect();
        Self {
            charts,
            unknown: unknown(pulse),
            currencies: currencies.iter().map(ToString::to_string).collect(),
            lines,
        }
    }
}

const fn is_paid(status: RequestStatus) -> bool {
    matches!(status, RequestStatus::Processed | RequestStatus::PartiallyProcessed)
}

/// How many were paid, and how many ended otherwise.
fn counts(counted: &Counted) -> (i64, i64) {
    let sum = |wanted: bool| {
        counted
            .ended
            .iter()
            .filter(|ended| is_paid(ended.status) == wanted)
            .fold(0_i64, |sum, ended| sum.saturating_add(ended.count))
    };
    (sum(true), sum(false))
}

/// Of a hundred; `None`: nothing ended.
fn percent(paid: i64, failed: i64) -> Option<i64> {
    let all = paid.saturating_add(failed);
    paid.saturating_mul(100).checked_div(all)
}

fn hour_name(hour: &Hour) -> String {
    if hour.at.hour().is_multiple_of(NAMED_EVERY) { hour.at.format("%H").to_string() } else { String::new() }
}

/// A column for each hour.
fn columns(pulse: &Pulse, of: impl Fn(&Counted) -> (Vec<(&'static str, i64)>, String)) -> Vec<Column> {
    let column = |hour: &Hour| {
        let clock = hour.at.format("%H:00 UTC");
        let (parts, told) = match &hour.counted {
            Some(counted) => {
                let (parts, told) = of(counted);
                (Some(parts), told)
            }
            None => (None, "not counted yet".to_owned()),
        };
        Column { name: hour_name(hour), told: format!("{clock}: {told}"), parts }
    };
    pulse.hours.iter().map(column).collect()
}

fn known(pulse: &Pulse) -> impl Iterator<Item = &Counted> {
    pulse.hours.iter().filter_map(|hour| hour.counted.as_ref())
}

fn sums(pulse: &Pulse) -> (i64, i64) {
    known(pulse).map(counts).fold((0, 0), |sum, one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)))
}

fn ended(pulse: &Pulse) -> Chart {
    let top = known(pulse).map(counts).map(|(paid, failed)| paid.saturating_add(failed)).max().unwrap_or(0);
    let (paid, failed) = sums(pulse);
    let plan = Plan {
        title: "Payout requests that ended".to_owned(),
        in_short: format!("In the last 24 hours {paid} payout requests were paid and {failed} ended otherwise."),
        top,
        top_told: top.to_string(),
        legend: vec![("good", "paid"), ("bad", "otherwise")],
    };
    plan.draw(columns(pulse, |counted| {
        let (paid, failed) = counts(counted);
        (vec![("good", paid), ("bad", failed)], format!("{paid} paid, {failed} otherwise"))
    }))
}

fn rate(pulse: &Pulse) -> Chart {
    let (paid, failed) = sums(pulse);
    let whole =
        percent(paid, failed).map_or_else(|| "nothing ended".to_owned(), |rate| format!("{rate} of 100 were paid"));
    let plan = Plan {
        title: "Success rate".to_owned(),
        in_short: format!("Success rate by the hour; in the last 24 hours {whole}."),
        top: if paid.saturating_add(failed) > 0 { 100 } else { 0 },
        top_told: "100 %".to_owned(),
        legend: Vec::new(),
    };
    plan.draw(columns(pulse, |counted| {
        let (paid, failed) = counts(counted);
        match percent(paid, failed) {
            Some(rate) => (vec![("main", rate)], format!("{rate} %")),
            None => (Vec::new(), "nothing ended".to_owned()),
        }
    }))
}

fn time_to_paid(pulse: &Pulse) -> Chart {
    let top = known(pulse).filter_map(|counted| counted.paid.slow_ms).max().unwrap_or(0);
    let plan = Plan {
        title: "Time to paid".to_owned(),
        in_short: format!(
            "How long payouts took by the hour; in the slowest hour 95 of 100 took at most {}.",
            took(Some(top))
        ),
        top: top.max(1),
        top_told: took(Some(top)),
        legend: vec![("main", "half of them"), ("pale", "95 of 100")],
    };
    plan.draw(columns(pulse, |counted| {
        let (median, slow) = (counted.paid.median_ms.unwrap_or(0), counted.paid.slow_ms.unwrap_or(0));
        let told =
            format!("half within {}, 95 of 100 within {}", took(counted.paid.median_ms), took(counted.paid.slow_ms));
        (vec![("main", median), ("pale", slow.saturating_sub(median))], told)
    }))
}

/// The currencies in which the most was paid out, counted by requests.
fn currencies(pulse: &Pulse) -> Vec<AssetCode> {
    let mut counts: Vec<(AssetCode, i64)> = Vec::new();
    for ended in known(pulse).flat_map(|counted| &counted.ended).filter(|ended| !ended.amount_processed.is_zero()) {
        match counts.iter_mut().find(|(code, _)| *code == ended.currency) {
            Some((_, count)) => *count = count.saturating_add(ended.count),
            None => counts.push((ended.currency, ended.count)),
        }
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.as_str().cmp(b.0.as_str())));
    counts.truncate(CURRENCIES_MAX);
    counts.into_iter().map(|(code, _)| code).collect()
}

fn paid_out(counted: &Counted, code: AssetCode) -> Decimal {
    let amounts = counted.ended.iter().filter(|ended| ended.currency == code).map(|ended| ended.amount_processed);
    amounts.fold(Decimal::ZERO, Decimal::saturating_add)
}

fn volume(pulse: &Pulse, code: AssetCode, assets: &Assets) -> Chart {
    // Whole units are fine enough for a drawing.
    let units = |amount: Decimal| amount.ceil().to_i64().unwrap_or(i64::MAX);
    let text = |amount| Amount::of(amount, code, assets).text();
    let amounts = || known(pulse).map(|counted| paid_out(counted, code));
    let top = amounts().max().unwrap_or_default();
    let plan = Plan {
        title: format!("Paid out, {code}"),
        in_short: format!(
            "In the last 24 hours {} were paid out.",
            text(amounts().fold(Decimal::ZERO, Decimal::saturating_add))
        ),
        top: units(top),
        top_told: text(top),
        legend: Vec::new(),
    };
    plan.draw(columns(pulse, |counted| {
        let amount = paid_out(counted, code);
        (vec![("main", units(amount))], text(amount))
    }))
}

fn unknown(pulse: &Pulse) -> Chart {
    let ages = &pulse.unknown;
    let named = [
        ("< 1 min", ages.under_minute),
        ("< 10 min", ages.under_ten_minutes),
        ("< 1 h", ages.under_hour),
        ("< 1 day", ages.under_day),
        ("older", ages.older),
    ];
    let top = named.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let told: Vec<String> = named.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let plan = Plan {
        title: "Payouts whose fate is unknown, by age".to_owned(),
        in_short: format!("Payouts whose fate is unknown now, by age: {}.", told.join(", ")),
        top,
        top_told: top.to_string(),
        legend: Vec::new(),
    };
    // Wide columns: each name has the room of five.
    let mut columns = Vec::new();
    for (name, count) in named {
        let empty = || Column { name: String::new(), told: String::new(), parts: Some(Vec::new()) };
        columns.push(empty());
        columns.push(Column {
            name: name.to_owned(),
            told: format!("{name}: {count}"),
            parts: Some(vec![("open", count)]),
        });
        columns.push(empty());
    }
    plan.draw(columns)
}

/// A time in the greatest unit that tells it well.
fn took(ms: Option<i64>) -> String {
    match ms {
        None => "none".to_owned(),
        Some(ms @ ..1_000) => format!("{ms} ms"),
        Some(ms @ 1_000..60_000) => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        Some(ms @ 60_000..3_600_000) => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        Some(ms) => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

fn line(hour: &Hour, currencies: &[AssetCode], assets: &Assets) -> Line {
    let counted = hour.counted.as_ref().map(|counted| {
        let (paid, failed) = counts(counted);
        Numbers {
            paid,
            failed,
            rate: percent(paid, failed).map_or_else(|| "none".to_owned(), |rate| format!("{rate} %")),
            median: took(counted.paid.median_ms),
            slow: took(counted.paid.slow_ms),
            volumes: currencies.iter().map(|code| Amount::of(paid_out(counted, *code), *code, assets).text()).collect(),
        }
    });
    Line { hour: hour.at.format("%m-%d %H:00").to_string(), counted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_own_unit() {
        let told = [0, 999, 1_000, 59_999, 60_000, 3_599_999, 3_600_000].map(|ms| took(Some(ms)));
        assert_eq!(told, ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 0 s", "59 min 59 s", "1 h 0 min"]);
        assert_eq!((percent(0, 0), percent(1, 0), percent(2, 1)), (None, Some(100), Some(66)));
    }
}
