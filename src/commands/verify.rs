//! `verify`: every invariant over the whole database.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use landfall::app::{Database, open_vault};
use landfall::config::Settings;

use super::{Failure, system_clock};

#[derive(Args)]
pub struct Arguments {
    /// Hold the audit trail against the heads that were anchored in this file (`landfall audit head`, `audit.anchor_file`).
    #[arg(long)]
    anchors: Option<PathBuf>,
}

pub async fn run(settings: Settings, arguments: Arguments) -> Result<ExitCode, Failure> {
    let anchors = match &arguments.anchors {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?),
        None => None,
    };
    let database = Database::open(&settings).await?;
    let clock = system_clock();
    landfall::store::migrate::at_start(&database.db, settings.database.migrate_at_start).await?;
    let vault = open_vault(&settings, &clock, &database.db).await?;
    let house = settings.pricing.to_domain()?;
    let anchors = anchors.as_deref();
    let report = landfall::verify::run_with_anchors(&database.db, &vault, &house, clock.now(), anchors).await?;
    print!("{report}");
    database.close().await;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
