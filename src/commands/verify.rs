//! `verify`: every invariant over the whole database.

use std::process::ExitCode;

use landfall::app::{Database, open_vault};
use landfall::config::Settings;

use super::{Failure, system_clock};

pub async fn run(settings: Settings) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let clock = system_clock();
    landfall::store::migrate::at_start(&database.db, settings.database.migrate_at_start).await?;
    let vault = open_vault(&settings, &clock, &database.db).await?;
    let assets = settings.pricing.to_domain()?.assets;
    let report = landfall::verify::run(&database.db, &vault, &assets, clock.now()).await?;
    print!("{report}");
    database.close().await;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
