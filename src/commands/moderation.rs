//! `moderation`: what waits for a person, with its evidence; deciding about it, and closing cases about money.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::card::strike_numbers;
use landfall::domain::ids::{Mode, PayoutId, PayoutRequestId};
use landfall::staff::accounts::Listed;
use landfall::staff::desk::{CaseLine, PAGE_LINES, PayoutLine, RequestPage, RequestSearch, Span};
use landfall::staff::moderation::{
    CaseClosing, CaseEnd, Choice, Decider, Decision, DecisionKind, Options, ProviderIds, Waits, Word, close_or_ask,
    decide_or_ask, may_decide,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Failure, actor, complain, console, system_clock};

#[derive(Subcommand)]
pub enum Command {
    /// List what waits for a person, oldest first.
    List(Where),
    /// Show a payout request or a case with its evidence, and what may be decided.
    Show {
        #[command(flatten)]
        place: Where,
        /// A payout request (`porq_...`) or a case.
        id: String,
    },
    /// Decide about a payout request that waits.
    Decide(Box<DecideArguments>),
    /// Close a case about money.
    Close(CloseArguments),
}

#[derive(Args)]
pub struct Where {
    /// Test or live.
    #[arg(long, default_value = "test")]
    mode: Mode,
}

#[derive(Args)]
pub struct DecideArguments {
    #[command(flatten)]
    place: Where,
    /// The payout request (`porq_...`).
    id: PayoutRequestId,
    /// continue, reject, mark_paid, mark_failed_release or mark_failed_failover.
    decision: DecisionKind,
    /// The number of the last event that you saw, as `show` prints it.
    #[arg(long)]
    seen: i32,
    /// Who decides.
    #[arg(long)]
    by: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// What proves it: a statement's reference, a ticket. Required where a payout is marked.
    #[arg(long, default_value = "")]
    evidence: String,
    /// The payout that is marked (`po_...`).
    #[arg(long)]
    payout: Option<PayoutId>,
    /// With mark_paid: how much was paid, in the request's currency.
    #[arg(long)]
    amount: Option<Decimal>,
    /// With mark_paid: what the provider calls the payment.
    #[arg(long)]
    original_id: Option<String>,
    /// With mark_paid: the retrieval reference number.
    #[arg(long)]
    rrn: Option<String>,
    /// With mark_paid: the acquirer's reference number.
    #[arg(long)]
    arn: Option<String>,
}

#[derive(Args)]
pub struct CloseArguments {
    #[command(flatten)]
    place: Where,
    /// The case.
    case: Uuid,
    /// No money is missing, or what differed is understood.
    #[arg(long, conflicts_with_all = ["recovered", "written_off"])]
    explained: bool,
    /// How much came back.
    #[arg(long)]
    recovered: Option<Decimal>,
    /// How much never will.
    #[arg(long)]
    written_off: Option<Decimal>,
    /// Who closes it.
    #[arg(long)]
    by: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// What shows it.
    #[arg(long)]
    evidence: Option<String>,
}

pub async fn run(settings: Settings, command: Command) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let outcome = match command {
        Command::List(place) => list(&app, place.mode).await,
        Command::Show { place, id } => match id.parse() {
            Ok(id) => show_request(&app, place.mode, id).await,
            Err(_) => show_case(&app, place.mode, &id).await,
        },
        Command::Decide(arguments) => decide(&app, *arguments).await,
        Command::Close(arguments) => close(&app, arguments).await,
    };
    drop(app);
    database.close().await;
    outcome
}

async fn list(app: &App, mode: Mode) -> Result<ExitCode, Failure> {
    let (mut after, mut count) = (None, 0_usize);
    loop {
        let (page, _) = app.desk.waiting(mode, after, PAGE_LINES).await?;
        for case in &page.lines {
            println!("{}", line(case));
        }
        count += page.lines.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if count == 0 {
        complain(&format!("nothing waits for a person in {mode} mode"));
    }
    Ok(ExitCode::SUCCESS)
}

fn line(case: &CaseLine) -> String {
    let about = match (&case.request, &case.subject) {
        (Some(request), _) => format!(
            "{}  {}  {} {}  {}",
            request.id,
            strike_numbers(&request.reference_id),
            request.amount.normalize(),
            request.currency,
            request.status
        ),
        (None, Some(subject)) => format!("{} in the provider's report", strike_numbers(subject)),
        (None, None) => "no payout request".to_owned(),
    };
    format!("{:.0}  {}  {}  {}  {about}", case.opened_at, case.id.simple(), case.kind, case.partner)
}

async fn find(app: &App, mode: Mode, id: PayoutRequestId) -> Result<RequestPage, Failure> {
    let found = app.desk.requests(mode, &RequestSearch::Id(id), Span::default(), None, 1).await?;
    let line = found.lines.first().ok_or_else(|| format!("there is no payout request {id} in {mode} mode"))?;
    let read = app.desk.request(mode, &line.partner, id).await?;
    Ok(read.ok_or_else(|| format!("there is no payout request {id} in {mode} mode"))?)
}

async fn show_request(app: &App, mode: Mode, id: PayoutRequestId) -> Result<ExitCode, Failure> {
    let read = find(app, mode, id).await?;
    let request = &read.request;
    println!("{id}  {}  {}", request.status, strike_numbers(&request.reference_id));
    println!(
        "{} {}, of which {} is paid",
        request.amount.normalize(),
        request.currency,
        request.amount_processed.normalize()
    );
    match read.options.stopped {
        Some(reason) => println!("waits for a person: {reason}, {}", reason.in_words()),
        None => println!("is not stopped"),
    }
    for payout in &read.payouts {
        show_payout(payout);
    }
    for case in &read.cases {
        let state = match (&case.closing, &case.closed_by) {
            (Some(how), Some(by)) => format!("closed as {how} by {by}"),
            _ => "open".to_owned(),
        };
        println!("case {}  {}  {state}\n{}", case.id.simple(), case.kind, pretty(&case.evidence));
    }
    show_options(&read.options);
    Ok(ExitCode::SUCCESS)
}

fn show_payout(payout: &PayoutLine) {
    println!(
        "payout {}  part {} attempt {}  {}  {} {} over {}, reference {}, sent {} times, asked {} times",
        payout.id,
        payout.part.saturating_add(1),
        payout.attempt,
        payout.status,
        payout.amount.normalize(),
        payout.currency,
        payout.route,
        payout.provider_reference,
        payout.sends,
        payout.inquiries,
    );
}

fn show_options(options: &Options) {
    if options.stopped.is_none() && !options.is_any() {
        return;
    }
    println!("what may be decided, having seen event {} (--seen {}):", options.seen, options.seen);
    for option in &options.options {
        let payout = option.payout_id.map(|id| format!(" --payout {id}")).unwrap_or_default();
        match option.allowed {
            Ok(()) => println!("  {}{payout}: {}", option.kind, option.kind.in_words()),
            Err(why) => println!("  not now: {}{payout}: {why}", option.kind),
        }
    }
}

async fn show_case(app: &App, mode: Mode, id: &str) -> Result<ExitCode, Failure> {
    let id = Uuid::try_parse(id).map_err(|_| format!("{id} is neither a payout request nor a case"))?;
    let page = app.desk.case(mode, id).await?.ok_or_else(|| format!("there is no case {id} in {mode} mode"))?;
    println!("{}", line(&page.case));
    println!("{}", pretty(&page.case.evidence));
    if let Some(open) = page.open {
        println!("{} {} is open: neither back nor written off", open.amount.normalize(), open.asset);
    }
    if let Some(ended) = &page.case.ended {
        println!("closed {:.0} as {} by {}: {}", ended.at, ended.how, ended.by, ended.reason.as_deref().unwrap_or(""));
    }
    Ok(ExitCode::SUCCESS)
}

async fn decide(app: &App, arguments: DecideArguments) -> Result<ExitCode, Failure> {
    let read = find(app, arguments.place.mode, arguments.id).await?;
    let payout = || arguments.payout.ok_or("name the payout that it is about: --payout");
    let choice = match arguments.decision {
        DecisionKind::Continue => Choice::Continue,
        DecisionKind::Reject => Choice::Reject,
        DecisionKind::MarkPaid => Choice::MarkPaid {
            payout_id: payout()?,
            amount: arguments.amount.ok_or("say how much was paid: --amount")?,
            ids: ProviderIds {
                original_id: arguments.original_id.clone(),
                rrn: arguments.rrn.clone(),
                arn: arguments.arn.clone(),
                debited: None,
            },
        },
        DecisionKind::MarkFailedRelease => Choice::MarkFailedRelease { payout_id: payout()? },
        DecisionKind::MarkFailedFailover => Choice::MarkFailedFailover { payout_id: payout()? },
    };
    let decision = Decision {
        tenant: read.request.tenant(),
        request_id: arguments.id,
        seen: arguments.seen,
        choice,
        reason: arguments.reason,
        evidence: arguments.evidence,
    };
    let decider = decider(app, arguments.place.mode, &arguments.by).await?;
    let decided = match decide_or_ask(&app.gateway, &decider, &decision).await? {
        Word::Done(decided) => decided,
        Word::Waits(waits) => return Ok(waiting(&waits)),
    };
    if decided.is_repeat {
        complain("you had decided that already: nothing was done again");
    }
    let request = &decided.request;
    println!(
        "{}  {}  {} of {} {} paid{}",
        request.id,
        request.status,
        request.amount_processed.normalize(),
        request.amount.normalize(),
        request.currency,
        request.moderation_reason.as_ref().map(|reason| format!(", waits again: {reason}")).unwrap_or_default(),
    );
    Ok(ExitCode::SUCCESS)
}

async fn close(app: &App, arguments: CloseArguments) -> Result<ExitCode, Failure> {
    let mode = arguments.place.mode;
    let page = app.desk.case(mode, arguments.case).await?;
    let tenant = page.ok_or_else(|| format!("there is no case {} in {mode} mode", arguments.case))?.tenant;
    let end = match (arguments.explained, arguments.recovered, arguments.written_off) {
        (true, ..) => CaseEnd::Explained,
        (false, None, None) => return Err("say how it ends: --explained, --recovered or --written-off".into()),
        (false, recovered, written_off) => {
            CaseEnd::Settled { recovered: recovered.unwrap_or_default(), written_off: written_off.unwrap_or_default() }
        }
    };
    let closing = CaseClosing {
        end,
        reason: strike_numbers(&arguments.reason).into_owned(),
        evidence: arguments.evidence.map(|text| json!({"evidence": strike_numbers(&text)})),
    };
    let decider = decider(app, mode, &arguments.by).await?;
    let case = match close_or_ask(&app.gateway, &decider, tenant, arguments.case, closing).await? {
        Word::Done(case) => case,
        Word::Waits(waits) => return Ok(waiting(&waits)),
    };
    println!("{}  {}  closed as {}", case.id.simple(), case.kind, case.closing.as_deref().unwrap_or("closed"));
    Ok(ExitCode::SUCCESS)
}

/// Whoever typed the command. Where a second person is needed they are known by the address of their staff account, so that nobody
/// approves on the dashboard what they asked for here.
async fn decider(app: &App, mode: Mode, by: &str) -> Result<Decider, Failure> {
    if app.gateway.needs_second_person(mode) {
        let accounts = app.staff.list().await?;
        let may = |account: &Listed| account.disabled_at.is_none() && may_decide(account.role);
        let is_known = accounts.iter().any(|account| account.email.as_str() == by.to_ascii_lowercase() && may(account));
        if !is_known {
            return Err("another person has to approve this: --by is the e-mail address of your staff account, an operator's or an admin's".into());
        }
    }
    Ok(Decider { actor: actor(by)?, origin: Some(console::origin()) })
}

fn waiting(waits: &Waits) -> ExitCode {
    complain(&format!(
        "nothing is changed yet: another person approves it on the dashboard before {:.0}",
        waits.expires_at
    ));
    println!("{}", waits.id);
    ExitCode::SUCCESS
}

fn pretty(evidence: &Value) -> String {
    let text = serde_json::to_string_pretty(evidence).unwrap_or_else(|_| evidence.to_string());
    strike_numbers(&text).lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
