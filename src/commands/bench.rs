//! `bench`: payouts a second end to end and the latency of each v4 endpoint, with PostgreSQL's own TPC-B (`pgbench`) on
//! the same server in the same run, since absolute figures differ from machine to machine.

mod load;
mod pgbench;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::Mode;
use tokio::process::{Child, Command};

use super::{Failure, system_clock};
use load::{Endpoint, Measured, Target};

/// What the server and this process share beyond the defaults: nobody runs into a limit.
const OVERRIDES: [(&str, &str); 2] =
    [("LANDFALL__PRICING__LIMITS__KYC_YEARLY__3", "1000000000000"), ("LANDFALL__TELEMETRY__LEVEL", "warn")];

#[derive(Args)]
pub struct Arguments {
    /// How many clients at once, one run each.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,64")]
    clients: Vec<usize>,
    /// How long payouts are measured for each number of clients, in seconds.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How long each other endpoint is measured, in seconds.
    #[arg(long, default_value_t = 1)]
    endpoint_seconds: u64,
}

pub async fn run(mut settings: Settings, arguments: &Arguments) -> Result<ExitCode, Failure> {
    if settings.is_live() {
        return Err("a benchmark moves test money only".into());
    }
    // A throwaway cluster of its own, with fsync as always.
    let dir = std::env::temp_dir().join(format!("landfall-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    settings.data_dir.clone_from(&dir);
    settings
        .pricing
        .limits
        .kyc_yearly
        .insert("3".to_owned(), landfall::config::pricing::ExactText(OVERRIDES[0].1.to_owned()));
    let outcome = measure(settings, &dir, arguments).await;
    if let Err(error) = std::fs::remove_dir_all(&dir) {
        super::complain(&format!("{} is left behind: {error}", dir.display()));
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn measure(settings: Settings, dir: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let address = free_address()?;
    let mut server = start_server(dir, address)?;
    let outcome = async {
        wait_until_ready(address).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = memory_mb(&server)?;
        let most = arguments.clients.iter().copied().max().unwrap_or(1);
        let target = Target::prepare(&app, address, most).await?;
        println!("payouts: offer and pay until the final result, through HTTP, worker and sandbox provider included");
        println!();
        let mut runs: Vec<(usize, Measured)> = Vec::new();
        for clients in &arguments.clients {
            let measured = target.payouts(*clients, Duration::from_secs(arguments.seconds)).await?;
            print_payouts(*clients, &measured);
            runs.push((*clients, measured));
        }
        let loaded = memory_mb(&server)?;
        println!();
        let tpcb = pgbench::run(&app.settings, &database, &arguments.clients, arguments.seconds).await?;
        println!();
        println!("{:>8} {:>12} {:>12} {:>8}", "clients", "payouts/s", "TPC-B/s", "ratio");
        for (clients, measured) in &runs {
            if let Some((_, rate)) = tpcb.iter().find(|(c, _)| c == clients) {
                println!(
                    "{clients:>8} {:>12} {rate:>12} {:>8}",
                    measured.per_second(),
                    ratio(measured.per_second(), *rate)
                );
            }
        }
        println!();
        println!(
            "{:<28} {:>8} {:>10} {:>10} {:>10} {:>10}",
            "endpoint", "clients", "req/s", "p50 ms", "p95 ms", "p99 ms"
        );
        for endpoint in Endpoint::ALL {
            for clients in &arguments.clients {
                let seconds = Duration::from_secs(arguments.endpoint_seconds);
                let measured = target.endpoint(endpoint, *clients, seconds).await?;
                print_line(endpoint.name(), *clients, &measured);
            }
        }
        println!();
        println!("memory of the server: {idle} MB idle, {loaded} MB after the payouts");
        Ok::<_, Failure>(())
    }
    .await;
    if let Some(pid) = server.id().and_then(|pid| i32::try_from(pid).ok()) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)?;
    }
    server.wait().await?;
    drop(app);
    database.close().await;
    outcome
}

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn start_server(dir: &Path, address: SocketAddr) -> Result<Child, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--listen", &address.to_string()]).env("LANDFALL__DATA_DIR", dir).kill_on_drop(true);
    for (name, value) in OVERRIDES {
        command.env(name, value);
    }
    Ok(command.spawn()?)
}

async fn wait_until_ready(address: SocketAddr) -> Result<(), Failure> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
    for _ in 0..200 {
        let answer = client.get(format!("http://{address}/health/ready")).send().await;
        if answer.is_ok_and(|response| response.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the server did not become ready within 20 s".into())
}

fn memory_mb(server: &Child) -> Result<u64, Failure> {
    let pid = server.id().ok_or("the server has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kb = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kb| kb.parse::<u64>().ok())
        .ok_or("no VmRSS")?;
    Ok(kb / 1024)
}

fn ratio(a: u64, b: u64) -> String {
    let hundredths = a.saturating_mul(100).checked_div(b).unwrap_or(0);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn print_payouts(clients: usize, measured: &Measured) {
    println!(
        "{clients:>3} clients: {:>6} payouts/s   pay p50 {} ms, p95 {} ms, p99 {} ms   ({} paid, {} not)",
        measured.per_second(),
        measured.millis(50),
        measured.millis(95),
        measured.millis(99),
        measured.count(),
        measured.failures,
    );
}

fn print_line(name: &str, clients: usize, measured: &Measured) {
    println!(
        "{name:<28} {clients:>8} {:>10} {:>10} {:>10} {:>10}{}",
        measured.per_second(),
        measured.millis(50),
        measured.millis(95),
        measured.millis(99),
        if measured.failures > 0 { format!("   {} FAILED", measured.failures) } else { String::new() },
    );
}

/// The user of a client, by its number.
async fn fund(app: &App, name: &str) -> Result<(), Failure> {
    let user = app.wallet.user("demo", Mode::Test, name, None).await?;
    app.wallet.credit(&user, "USDT", "100000000000", &format!("bench-{name}")).await?;
    Ok(())
}
