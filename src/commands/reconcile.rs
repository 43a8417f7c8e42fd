//! `reconcile`: a provider's report against our payouts, now, and what differs in words.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::card::strike_numbers;
use landfall::domain::ids::Mode;
use landfall::domain::reconciliation::{DifferenceKind, Finding, Line, Ours, Theirs, Truth};
use landfall::gateway::reconciliation::{Counts, ReconcileError, Wanted, file};
use landfall::providers::provider::ReportRow;

use super::{Failure, complain, system_clock};

#[derive(Args)]
pub struct Arguments {
    /// The provider account's code. Without it, every account whose provider has a report.
    #[arg(long)]
    account: Option<String>,
    /// Accounts of this mode alone.
    #[arg(long)]
    mode: Option<Mode>,
    /// Payouts made from then on (2026-11-21T00:00:00Z). Without it, as many days back as configured, or what the file spans.
    #[arg(long)]
    from: Option<DateTime<Utc>>,
    /// Payouts made before then. Without it, until now, or what the file spans.
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// A report in CSV that is complete for the range, in place of the provider's API.
    #[arg(long, requires = "account")]
    file: Option<PathBuf>,
}

pub async fn run(settings: Settings, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let rows = match &arguments.file {
        Some(path) => Some(read(path)?),
        None => None,
    };
    let days = settings.gateway.reconcile_days;
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let mut accounts = app.gateway.accounts_to_reconcile(arguments.account.as_deref()).await?;
    accounts.retain(|account| arguments.mode.is_none_or(|mode| account.mode == mode));
    if rows.is_some() && accounts.len() > 1 {
        return Err("several accounts have this code: name the --mode".into());
    }
    if let (Some(code), true) = (&arguments.account, accounts.is_empty()) {
        return Err(format!("there is no provider account {code}").into());
    }
    if accounts.is_empty() {
        println!("no provider has a report that can be asked for; --file takes one");
    }
    let now = app.clock.now();
    let spanned = rows.as_deref().and_then(span);
    let from = arguments.from.or(spanned.map(|(first, _)| first)).unwrap_or(now - TimeDelta::days(i64::from(days)));
    let until = arguments.until.or(spanned.map(|(_, last)| last)).unwrap_or(now);
    let (mut is_clean, mut has_failed) = (true, false);
    for account in accounts {
        println!(
            "{} ({}, {}), {} to {}",
            account.code,
            account.provider,
            account.mode,
            from.to_rfc3339(),
            until.to_rfc3339()
        );
        let wanted = Wanted { account, from, until, rows: rows.clone(), by: "command".to_owned() };
        match app.gateway.reconcile(&wanted).await {
            Ok(reconciled) => {
                is_clean &= reconciled.counts.is_clean();
                print(&reconciled.counts, &reconciled.lines);
            }
            Err(ReconcileError::Gateway(error)) => return Err(error.into()),
            // The others are still compared.
            Err(error) => {
                has_failed = true;
                complain(&format!("{}: {error}", wanted.account.code));
            }
        }
    }
    database.close().await;
    Ok(match (has_failed, is_clean) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

fn read(path: &PathBuf) -> Result<Vec<ReportRow>, Failure> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    file::read(file).map_err(|bad| {
        let lines: Vec<String> = bad.iter().map(ToString::to_string).collect();
        format!("{} can't be read, and nothing was compared:\n{}", path.display(), lines.join("\n")).into()
    })
}

/// From the first to just behind the last payment.
fn span(rows: &[ReportRow]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let first = rows.iter().map(|row| row.taken_at).min()?;
    let last = rows.iter().map(|row| row.taken_at).max()?;
    Some((first, last + TimeDelta::milliseconds(1)))
}

fn print(counts: &Counts, lines: &[Line]) {
    let groups = [
        ("agree", counts.agreed, "both sides say the same, or a person has closed what differs"),
        ("only ours", counts.only_ours, "we count it as paid, and the report doesn't have it"),
        ("only theirs", counts.only_theirs, "the report has it, and no payout of ours stands for it"),
        ("differ", counts.differing, "both have it, and not the same"),
        ("taken over", counts.applied, "the provider knew what we didn't, and it is written down"),
        ("left", counts.left_for_later, "too young, changing, or not final yet"),
    ];
    for (name, count, what) in groups {
        println!("  {name:<12}{count:>8}  {what}");
    }
    for line in lines {
        println!("  {}: {}", outside(&line.reference), told(line));
    }
}

/// What comes from outside, without anything that a terminal obeys, and without card numbers.
fn outside(text: &str) -> String {
    strike_numbers(text).chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A line in words.
fn told(line: &Line) -> String {
    let sides = format!("{}; {}", told_ours(line.ours.as_ref()), told_theirs(&line.theirs));
    match &line.finding {
        Finding::Apply(Truth::Processed { amount, .. }) => {
            format!("taken over: {} paid ({sides})", amount.normalize())
        }
        Finding::Apply(Truth::Declined) => format!("taken over: declined ({sides})"),
        Finding::Apply(Truth::Returned { amount, .. }) => {
            format!("taken over: {} came back ({sides})", amount.normalize())
        }
        Finding::LateSuccessReturned { amount } => {
            format!("{} of a late success came back after its case was closed ({sides})", amount.normalize())
        }
        Finding::Differs { kind, surplus } => {
            let surplus = surplus
                .filter(|(amount, _)| !amount.is_zero())
                .map(|(amount, asset)| format!("; {} {asset} left beyond ours", amount.normalize()));
            format!("{} ({sides}{})", in_words(*kind), surplus.unwrap_or_default())
        }
        Finding::Agrees => format!("what a person gave up is back ({sides})"),
        Finding::Left => "left to the next run".to_owned(),
    }
}

const fn in_words(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::MissingAtProvider => "we paid it, and the report doesn't have it",
        DifferenceKind::UnmatchedAtProvider => "the report has a payment that isn't ours",
        DifferenceKind::PaidTwiceAtProvider => "the report has it more than once",
        DifferenceKind::UnsentAtProvider => "the report has it, and we never sent it",
        DifferenceKind::StatusDiffers => "the status differs",
        DifferenceKind::AmountDiffers => "the amount differs",
        DifferenceKind::CurrencyDiffers => "the currency differs",
        DifferenceKind::ReturnDiffers => "what came back differs",
    }
}

fn told_ours(ours: Option<&Ours>) -> String {
    let Some(ours) = ours else { return "ours: none".to_owned() };
    format!(
        "ours: {} {} {}{}",
        ours.status,
        ours.amount_processed.normalize(),
        ours.currency,
        returned(ours.amount_returned)
    )
}

fn told_theirs(theirs: &[Theirs]) -> String {
    let rows: Vec<String> = theirs
        .iter()
        .map(|row| {
            let (status, amount) = (row.status.as_str(), row.amount_processed.normalize());
            format!("{status} {amount} {}{}", row.currency, returned(row.amount_returned))
        })
        .collect();
    if rows.is_empty() { "theirs: none".to_owned() } else { format!("theirs: {}", rows.join(", ")) }
}

fn returned(amount: rust_decimal::Decimal) -> String {
    if amount.is_zero() { String::new() } else { format!(", {} came back", amount.normalize()) }
}
