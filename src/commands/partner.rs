//! `partner`: the terms of a partner, shown and set. The document is read from a file, or from standard input.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::config::pricing::terms as document;
use landfall::domain::ids::{Mode, Tenant};
use landfall::gateway::access::Refusal;
use landfall::gateway::terms::{NewTerms, TermsVersion};
use serde_json::{Value, json};

use super::{Failure, complain, system_clock};

#[derive(Subcommand)]
pub enum Command {
    /// What a partner is priced and limited by where that differs from the house's.
    #[command(subcommand)]
    Terms(Terms),
}

#[derive(Subcommand)]
pub enum Terms {
    /// Print the terms in force, or another version of them; with --history the versions, newest first.
    Show {
        #[command(flatten)]
        whose: Whose,
        /// Which version. None: the one in force.
        #[arg(long)]
        version: Option<i32>,
        #[arg(long, conflicts_with = "version")]
        history: bool,
    },
    /// Put a document in force as the next version, whole: what it leaves out is the house's.
    Set {
        #[command(flatten)]
        whose: Whose,
        /// The document (docs/terms.md); - for standard input.
        #[arg(long)]
        file: PathBuf,
        /// The version that it follows, 0 for none: another one in force refuses it. None: whichever is in force.
        #[arg(long)]
        follows: Option<i32>,
        /// Who does it.
        #[arg(long)]
        by: String,
        /// Why, in 3 to 500 characters.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args)]
pub struct Whose {
    /// The partner's code.
    #[arg(long, default_value = "demo")]
    partner: String,
    /// Test or live.
    #[arg(long, default_value = "test")]
    mode: Mode,
}

pub async fn run(settings: Settings, command: Command) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let Command::Terms(command) = command;
    let outcome = match command {
        Terms::Show { whose, version, history } => show(&app, &whose, version, history).await,
        Terms::Set { whose, file, follows, by, reason } => set(&app, &whose, &file, follows, &by, reason).await,
    };
    drop(app);
    database.close().await;
    outcome
}

async fn tenant(app: &App, whose: &Whose) -> Result<Tenant, Failure> {
    if !app.settings.modes.contains(&whose.mode) {
        return Err(format!("{} mode isn't served here (modes)", whose.mode).into());
    }
    Ok(app.wallet.user(&whose.partner, whose.mode, "terms", None).await?.tenant)
}

async fn show(app: &App, whose: &Whose, version: Option<i32>, history: bool) -> Result<ExitCode, Failure> {
    const PAGE: i64 = 200;
    let tenant = tenant(app, whose).await?;
    if history {
        let mut before = i32::MAX;
        loop {
            let page = app.gateway.list_terms(tenant, before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(ExitCode::SUCCESS) };
            before = last.version;
            for version in &page {
                println!("{}  {:.0}  {}: {}", version.version, version.created_at, version.created_by, version.reason);
            }
        }
    }
    let found = match version {
        Some(version) => app.gateway.terms_version(tenant, version).await?,
        None => app.gateway.newest_terms(tenant).await?,
    };
    let Some(found) = found else {
        return match version {
            Some(version) => Err(format!("there is no version {version}").into()),
            None => {
                complain("there are none: the partner goes by the house's ([pricing])");
                println!("{}", told(None)?);
                Ok(ExitCode::SUCCESS)
            }
        };
    };
    if version.is_none() && app.gateway.terms_in_force(tenant).await.is_err() {
        complain("these can't be read by this program: the partner is refused until others are set");
    }
    println!("{}", told(Some(&found))?);
    Ok(ExitCode::SUCCESS)
}

fn told(version: Option<&TermsVersion>) -> Result<String, Failure> {
    let told = match version {
        None => json!({"version": 0, "terms": {}}),
        Some(version) => json!({
            "version": version.version, "terms": version.body, "by": version.created_by, "at": version.created_at,
            "reason": version.reason,
        }),
    };
    Ok(serde_json::to_string_pretty(&told)?)
}

async fn set(
    app: &App,
    whose: &Whose,
    file: &std::path::Path,
    follows: Option<i32>,
    by: &str,
    reason: String,
) -> Result<ExitCode, Failure> {
    let author = super::author(by, tenant(app, whose).await?)?;
    let text = match file.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin())?,
        false => std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?,
    };
    let terms: Value = document::parse(&text).map_err(|error| format!("no JSON document: {error}"))?;
    let in_force = app.gateway.newest_terms(author.tenant).await?;
    let follows = follows.unwrap_or_else(|| in_force.map_or(0, |version| version.version));
    match app.gateway.set_terms(&author, &NewTerms { document: terms, reason, follows }).await {
        Ok(version) => {
            complain(&format!("version {} is in force, on every node within a second", version.version));
            Ok(ExitCode::SUCCESS)
        }
        Err(Refusal::Invalid(problems)) => {
            let lines: Vec<String> = problems.into_iter().map(|problem| problem.detail).collect();
            Err(format!("the terms are refused, and nothing was changed:\n{}", lines.join("\n")).into())
        }
        Err(refusal) => Err(super::said(refusal)),
    }
}
