//! `audit`: where the chains of the audit trail end, to be kept outside of the database.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use landfall::app::{App, Database};
use landfall::config::Settings;

use super::{Failure, complain, system_clock};

#[derive(Subcommand)]
pub enum Command {
    /// Print where each partner's chain ends, with a MAC; or append what has moved to a file.
    Head(HeadArguments),
}

#[derive(Args)]
pub struct HeadArguments {
    /// Append to this file instead of printing: `landfall verify --anchors FILE` reads it.
    #[arg(long)]
    anchor_file: Option<PathBuf>,
}

pub async fn run(settings: Settings, command: Command) -> Result<ExitCode, Failure> {
    let Command::Head(arguments) = command;
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    match &arguments.anchor_file {
        Some(path) => {
            let written =
                app.gateway.anchor_heads(path).await.map_err(|error| format!("{}: {error}", path.display()))?;
            complain(&format!("{written} heads had moved"));
        }
        None => {
            for line in app.gateway.audit_heads().await? {
                println!("{line}");
            }
        }
    }
    drop(app);
    database.close().await;
    Ok(ExitCode::SUCCESS)
}
