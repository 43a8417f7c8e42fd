//! PostgreSQL's own TPC-B by `pgbench`, on the very server that the payouts ran on.

use std::process::Stdio;

use landfall::app::Database;
use landfall::config::Settings;
use tokio::process::Command;

use super::super::Failure;

/// Branches of TPC-B: more than clients, so that it doesn't measure a lock.
const SCALE: &str = "64";

/// Transactions a second for each number of clients.
pub async fn run(
    settings: &Settings,
    database: &Database,
    clients: &[usize],
    seconds: u64,
) -> Result<Vec<(usize, u64)>, Failure> {
    let url =
        database.private_url("bench").await?.ok_or("pgbench runs on the private cluster only: unset DATABASE_URL")?;
    let program =
        landfall::store::cluster::Binaries::find(settings.database.bin_dir.as_deref(), None)?.program("pgbench");
    let initialize = ["--initialize", "--quiet", "--scale", SCALE];
    output(Command::new(&program).args(initialize).arg(&url)).await?;
    let mut rates = Vec::new();
    for count in clients {
        let (clients, seconds) = (count.to_string(), seconds.to_string());
        let threads = if *count > 1 { "2" } else { "1" };
        let text = output(
            Command::new(&program)
                .args(["--client", &clients, "--jobs", threads, "--time", &seconds, "--protocol", "prepared"])
                .args(["--no-vacuum"])
                .arg(&url),
        )
        .await?;
        let rate = text
            .lines()
            .find_map(|line| line.strip_prefix("tps = "))
            .and_then(|rest| rest.split(['.', ' ']).next())
            .and_then(|whole| whole.parse().ok())
            .ok_or("pgbench told no rate")?;
        println!("pgbench TPC-B (scale {SCALE}, prepared), {count:>3} clients: {rate:>6} transactions/s");
        rates.push((*count, rate));
    }
    Ok(rates)
}

async fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await?;
    if !output.status.success() {
        return Err(format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
