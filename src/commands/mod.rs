//! What can be asked of the binary. Results go to standard output, everything else to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to whoever typed them")]

mod api_key;
mod audit;
mod bench;
mod block;
mod cards;
mod config;
mod console;
mod data_keys;
mod demo;
mod keys;
mod memory;
mod moderation;
mod money;
mod partner;
mod reconcile;
mod seed;
mod serve;
mod simulator;
mod staff;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use landfall::app::Database;
use landfall::clock::{Clock, SystemClock};
use landfall::config::Settings;
use landfall::domain::ids::Tenant;
use landfall::gateway::access::Refusal;
use landfall::gateway::access::audit::Author;

/// Landfall: a crypto-to-fiat card payout backend.
#[derive(Parser)]
#[command(version, about)]
pub struct Cli {
    /// A configuration file that overrides the defaults (config/default.toml).
    #[arg(long, global = true, env = "LANDFALL_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the APIs, work the jobs, serve the dashboard: all, or the roles named.
    Serve(serve::Arguments),
    /// Bring the database's schema up to date.
    Migrate,
    /// Print a development token for a wallet user.
    Token(money::TokenArguments),
    /// Credit a test balance to a wallet user, through the ledger.
    Fund(money::FundArguments),
    /// Drive one whole payout over HTTP against a running server, showing each step.
    Demo(demo::Arguments),
    /// Print the API's description (OpenAPI 3.1, YAML).
    Openapi,
    /// Check every invariant over the whole database.
    Verify(verify::Arguments),
    /// The audit trail: print or anchor where its chains end.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Compare a provider's report with our payouts, now: over its API or from a file. Ends with 1 when something differs.
    Reconcile(reconcile::Arguments),
    /// Make, list and revoke API keys of partners.
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// Whom and what is not paid out to: cards, customers, countries, first digits.
    #[command(subcommand)]
    Block(block::Command),
    /// Partners: show and set the terms that they are priced and limited by (docs/terms.md).
    #[command(subcommand)]
    Partner(partner::Command),
    /// Cards that wait after their screening: list, approve, decline.
    #[command(subcommand)]
    Cards(cards::Command),
    /// What waits for a person: list it, look at it, decide.
    #[command(subcommand)]
    Moderation(moderation::Command),
    /// Who may sign in to the dashboard: add, list, disable, enable, reset passwords and second factors, change roles.
    #[command(subcommand)]
    Staff(staff::Command),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Make and look after keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Play a payout provider with a ledger of its own, that misbehaves as it is told (docs/simulator.md).
    Simulator(simulator::Arguments),
    /// Fill a test database with copies of payouts, for measuring what reads them.
    Seed(seed::Arguments),
    /// Measure payouts a second and latencies, beside PostgreSQL's own TPC-B in the same run.
    Bench(bench::Arguments),
}

/// What a command ends with when it can't do its work.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs a command; what went wrong is said on standard error.
pub async fn run(cli: Cli) -> ExitCode {
    let settings = match Settings::load(cli.config.as_deref()) {
        Ok(settings) => settings,
        Err(problems) => {
            complain(&format!("the configuration is refused:\n{problems}"));
            return ExitCode::from(2);
        }
    };
    if let Err(error) = memory::protect(&settings.telemetry) {
        complain(&format!("this process can't be kept from dumping its memory: {error}"));
        if settings.is_live() {
            return ExitCode::FAILURE;
        }
    }
    let outcome = match cli.command {
        Command::Serve(arguments) => Box::pin(serve::run(settings, arguments)).await,
        Command::Migrate => migrate(settings).await,
        Command::Token(arguments) => money::token(&settings, &arguments),
        Command::Fund(arguments) => money::fund(settings, &arguments).await,
        Command::Demo(arguments) => demo::run(settings, &arguments).await,
        Command::Openapi => landfall::http::openapi::openapi_yaml().map_err(Failure::from).map(|yaml| {
            print!("{yaml}");
            ExitCode::SUCCESS
        }),
        Command::Verify(arguments) => verify::run(settings, arguments).await,
        Command::Audit(command) => audit::run(settings, command).await,
        Command::Reconcile(arguments) => reconcile::run(settings, &arguments).await,
        Command::ApiKey(command) => api_key::run(settings, command).await,
        Command::Partner(command) => partner::run(settings, command).await,
        Command::Cards(command) => cards::run(settings, command).await,
        Command::Block(command) => block::run(settings, command).await,
        Command::Moderation(command) => moderation::run(settings, command).await,
        Command::Staff(command) => staff::run(settings, command).await,
        Command::Config(command) => config::run(&settings, &command),
        Command::Keys(command) => Box::pin(keys::run(settings, command)).await,
        Command::Simulator(arguments) => simulator::run(&settings, arguments).await,
        Command::Seed(arguments) => Box::pin(seed::run(settings, arguments)).await,
        Command::Bench(arguments) => Box::pin(bench::run(settings, &arguments)).await,
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong on standard error.
pub fn complain(what: &str) {
    eprintln!("landfall: {what}");
}

/// What a use case refused, in its words.
fn said(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Invalid(problems) => {
            let details: Vec<String> = problems.into_iter().map(|problem| problem.detail).collect();
            details.join(" ").into()
        }
        refusal => refusal.to_string().into(),
    }
}

/// How events and the audit trail name whoever typed the command.
fn actor(by: &str) -> Result<String, Failure> {
    let is_name = (1..=100).contains(&by.len()) && by.chars().all(|c| c.is_ascii_graphic());
    if is_name { Ok(format!("cli:{by}")) } else { Err("--by is a name of 1 to 100 letters, digits and signs".into()) }
}

/// Whoever typed a command that changes something of `tenant`, by the name they give.
fn author(by: &str, tenant: Tenant) -> Result<Author, Failure> {
    Ok(Author::new(tenant, actor(by)?, Some(console::origin())))
}

fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

async fn migrate(settings: Settings) -> Result<ExitCode, Failure> {
    landfall::telemetry::start(&settings.telemetry);
    let database = Database::open(&settings).await?;
    let applied = landfall::store::migrate::run(&database.db).await?;
    for migration in &applied {
        println!("applied {migration}");
    }
    if applied.is_empty() {
        println!("the schema is up to date");
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}
