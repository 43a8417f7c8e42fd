//! `bench`: payouts a second end to end, the wallet's and a gateway partner's, and the latency of each v4 endpoint, with PostgreSQL's
//! own TPC-B (`pgbench`) on the same server in the same run, since absolute figures differ from machine to machine. It ends with
//! `verify` over all that it wrote.

mod dashboard;
mod gateway;
mod hanging;
mod load;
mod pgbench;
mod rotation;
mod streams;
mod webhooks;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gateway::{Partner, Tally};
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::Mode;
use tokio::process::{Child, Command};

use super::{Failure, system_clock};
use load::{Endpoint, Measured, Target};

/// What the server and this process share beyond the defaults: nobody runs into a limit.
const OVERRIDES: [(&str, &str); 7] = [
    ("LANDFALL__PRICING__LIMITS__KYC_YEARLY__3", "1000000000000"),
    ("LANDFALL__TELEMETRY__LEVEL", "warn"),
    ("LANDFALL__HTTP__RATE_LIMITS__ADDRESS__PER_MINUTE", "0"),
    ("LANDFALL__HTTP__RATE_LIMITS__USER__PER_MINUTE", "0"),
    ("LANDFALL__HTTP__RATE_LIMITS__KEY__PER_MINUTE", "0"),
    // The provider that hangs is this process.
    ("LANDFALL__PROVIDERS__HTTP__INNER_NETWORKS", "127.0.0.0/8"),
    // And so are receivers of webhooks.
    ("LANDFALL__WEBHOOKS__INNER_NETWORKS", "127.0.0.0/8"),
];

#[derive(Args)]
pub struct Arguments {
    /// How many clients at once, one run each.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,64")]
    clients: Vec<usize>,
    /// What is measured.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "wallet,gateway,endpoints")]
    scenarios: Vec<Scenario>,
    /// How long payouts are measured for each number of clients, in seconds.
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// How many payouts hang at once, one measurement each (with `--scenarios hanging`).
    #[arg(long, value_delimiter = ',', default_value = "1000,4000")]
    in_flight: Vec<usize>,
    /// The base URL of a provider outside of this process that hangs (with `--scenarios hanging`; `tools/hanging-provider` starts one).
    #[arg(long, requires = "provider_certificate")]
    provider: Option<String>,
    /// A file with the certificate that it shows.
    #[arg(long, requires = "provider")]
    provider_certificate: Option<PathBuf>,
    /// How many cards are sealed anew (with `--scenarios rotation`).
    #[arg(long, default_value_t = 100_000)]
    cards: usize,
    /// How many of them in a second: `vault.reseal_per_sec` of the server (with `--scenarios rotation`).
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    reseal_per_sec: u32,
    /// How many offers the dashboard's pages are measured over (with `--scenarios dashboard`).
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(20..=50_000_000))]
    offers: i64,
    /// How many webhook endpoints are told (with `--scenarios webhooks`); a tenth of them never answers.
    #[arg(long, default_value_t = 100)]
    endpoints: usize,
    /// How many messages each of them is told (with `--scenarios webhooks`).
    #[arg(long, default_value_t = 100)]
    messages: usize,
    /// How many streams of offers' fates are open at once, one measurement each (with `--scenarios streams`).
    #[arg(long, value_delimiter = ',', default_value = "2000,5000")]
    streams: Vec<usize>,
    /// How long each other endpoint is measured, in seconds.
    #[arg(long, default_value_t = 1)]
    endpoint_seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Offer and pay until the final result.
    Wallet,
    /// A partner's payout request from submit to final, with failover.
    Gateway,
    /// The same, while a webhook endpoint of the partner is told each step of each payout.
    Told,
    /// Each endpoint of the wallet's API by itself.
    Endpoints,
    /// The server's memory while a provider that hangs holds payouts in flight. Has a server and a database of its own.
    Hanging,
    /// A rotation of data keys: how long sealing cards anew takes, and what it does to the API's latencies. Has a server and a database of
    /// its own.
    Rotation,
    /// How long each page of the dashboard takes over many offers. Has a server and a database of its own.
    Dashboard,
    /// How soon webhook receivers get what waits for them when some of them never answer. Has a server and a database of its own.
    Webhooks,
    /// How many apps may watch their offers at once, and what that does to pays. Has a server and a database of its own.
    Streams,
}

/// What is measured for numbers of clients: how many payouts a second.
type Rates = Vec<(usize, u64)>;

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
    settings.webhooks.inner_networks = vec!["127.0.0.0/8".parse()?];
    gateway::configure(&mut settings);
    let hangs = arguments.scenarios.contains(&Scenario::Hanging);
    let rotates = arguments.scenarios.contains(&Scenario::Rotation);
    let shows = arguments.scenarios.contains(&Scenario::Dashboard);
    let tells = arguments.scenarios.contains(&Scenario::Webhooks);
    let watches = arguments.scenarios.contains(&Scenario::Streams);
    let is_load = |scenario: &Scenario| {
        matches!(scenario, Scenario::Wallet | Scenario::Gateway | Scenario::Told | Scenario::Endpoints)
    };
    let loads = arguments.scenarios.iter().any(is_load);
    let outcome = async {
        let mut is_clean = true;
        if loads {
            is_clean &= measure(settings.clone(), &dir, arguments).await?;
        }
        if hangs {
            let dir = dir.join("hanging");
            std::fs::create_dir_all(&dir)?;
            let elsewhere = arguments.provider.clone().zip(arguments.provider_certificate.clone());
            let elsewhere = elsewhere.map(|(url, certificate)| hanging::Elsewhere { url, certificate });
            let settings = Settings { data_dir: dir.clone(), ..settings.clone() };
            is_clean &= hanging::run(settings, &dir, &arguments.in_flight, elsewhere).await?;
        }
        if shows {
            let dir = dir.join("dashboard");
            std::fs::create_dir_all(&dir)?;
            let settings = Settings { data_dir: dir.clone(), ..settings.clone() };
            is_clean &= Box::pin(dashboard::run(settings, &dir, arguments.offers)).await?;
        }
        if tells {
            let dir = dir.join("webhooks");
            std::fs::create_dir_all(&dir)?;
            let settings = Settings { data_dir: dir.clone(), ..settings.clone() };
            let (endpoints, messages) = (arguments.endpoints, arguments.messages);
            let crowd = webhooks::Crowd { endpoints, dead: endpoints / 10, messages };
            is_clean &= Box::pin(webhooks::run(settings, &dir, crowd)).await?;
        }
        if watches {
            let dir = dir.join("streams");
            std::fs::create_dir_all(&dir)?;
            let settings = Settings { data_dir: dir.clone(), ..settings.clone() };
            is_clean &= Box::pin(streams::run(settings, &dir, &arguments.streams)).await?;
        }
        if rotates {
            let dir = dir.join("rotation");
            std::fs::create_dir_all(&dir)?;
            let settings = Settings { data_dir: dir.clone(), ..settings };
            is_clean &= Box::pin(rotation::run(settings, &dir, arguments.cards, arguments.reseal_per_sec)).await?;
        }
        Ok(is_clean)
    }
    .await;
    if let Err(error) = std::fs::remove_dir_all(&dir) {
        super::complain(&format!("{} is left behind: {error}", dir.display()));
    }
    outcome.map(|is_clean| if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Answers whether `verify` found nothing.
async fn measure(settings: Settings, dir: &Path, arguments: &Arguments) -> Result<bool, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let address = free_address()?;
    let mut server = start_server(dir, address, &[])?;
    let outcome = async {
        wait_until_ready(address).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = memory_kb(&server)? / 1024;
        let most = arguments.clients.iter().copied().max().unwrap_or(1);
        let target = Target::prepare(&app, address, most).await?;
        let partner = Partner::prepare(&app, address, most).await?;
        let load = Load { app: &app, target, partner, arguments };
        let rates = load.payouts().await?;
        let loaded = memory_kb(&server)? / 1024;
        println!();
        let tpcb = pgbench::run(&app.settings, &database, &arguments.clients, arguments.seconds).await?;
        println!();
        print_ratios(&rates, &tpcb);
        if arguments.scenarios.contains(&Scenario::Endpoints) {
            load.endpoints().await?;
        }
        println!();
        println!("memory of the server: {idle} MB idle, {loaded} MB after the payouts");
        verify(&app).await
    }
    .await;
    stop(&mut server).await?;
    drop(app);
    database.close().await;
    outcome
}

/// A running server and how it is to be loaded.
struct Load<'a> {
    app: &'a App,
    target: Target,
    partner: Partner,
    arguments: &'a Arguments,
}

impl Load<'_> {
    /// Payouts a second of each scenario that makes any.
    async fn payouts(&self) -> Result<Vec<(&'static str, Rates)>, Failure> {
        let time = Duration::from_secs(self.arguments.seconds);
        let mut rates = Vec::new();
        if self.arguments.scenarios.contains(&Scenario::Wallet) {
            println!(
                "wallet payouts: offer and pay until the final result, through HTTP, worker and sandbox provider included"
            );
            println!();
            let mut of_wallet = Rates::new();
            for clients in &self.arguments.clients {
                let measured = self.target.payouts(*clients, time).await?;
                print_payouts(*clients, &measured);
                of_wallet.push((*clients, measured.per_second()));
            }
            rates.push(("wallet payouts/s", of_wallet));
            println!();
        }
        if self.arguments.scenarios.contains(&Scenario::Gateway) {
            println!(
                "gateway payouts: a partner's request under /v1/ from submit to final; one send in ten is declined and fails over"
            );
            println!();
            rates.push(("gateway payouts/s", self.of_gateway(time).await?));
        }
        if self.arguments.scenarios.contains(&Scenario::Told) {
            let receivers = webhooks::Receivers::of_one(self.app).await?;
            println!();
            println!("gateway payouts, told: the same, while an endpoint is told each step");
            println!();
            rates.push(("told payouts/s", self.of_gateway(time).await?));
            println!("             {} messages came meanwhile", receivers.came());
        }
        Ok(rates)
    }

    async fn of_gateway(&self, time: Duration) -> Result<Rates, Failure> {
        let mut of_gateway = Rates::new();
        for clients in &self.arguments.clients {
            let tally = self.partner.run(*clients, time).await?;
            print_gateway(*clients, &tally);
            of_gateway.push((*clients, tally.finals.per_second()));
        }
        Ok(of_gateway)
    }

    async fn endpoints(&self) -> Result<(), Failure> {
        println!();
        println!(
            "{:<28} {:>8} {:>10} {:>10} {:>10} {:>10}",
            "endpoint", "clients", "req/s", "p50 ms", "p95 ms", "p99 ms"
        );
        for endpoint in Endpoint::ALL {
            for clients in &self.arguments.clients {
                let seconds = Duration::from_secs(self.arguments.endpoint_seconds);
                let measured = self.target.endpoint(endpoint, *clients, seconds).await?;
                print_line(endpoint.name(), *clients, &measured);
            }
        }
        Ok(())
    }
}

/// Checks every invariant over what the load left behind.
async fn verify(app: &App) -> Result<bool, Failure> {
    let house = app.settings.pricing.to_domain()?;
    let report = landfall::verify::run(&app.db, &app.vault, &house, app.clock.now()).await?;
    println!();
    if report.is_clean() {
        println!("verify: clean");
    } else {
        print!("{report}");
    }
    Ok(report.is_clean())
}

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn start_server(dir: &Path, address: SocketAddr, overrides: &[(&str, &str)]) -> Result<Child, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--listen", &address.to_string()]).env("LANDFALL__DATA_DIR", dir).kill_on_drop(true);
    for (name, value) in OVERRIDES.iter().chain(overrides) {
        command.env(name, value);
    }
    Ok(command.spawn()?)
}

async fn stop(server: &mut Child) -> Result<(), Failure> {
    if let Some(pid) = server.id().and_then(|pid| i32::try_from(pid).ok()) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)?;
    }
    server.wait().await?;
    Ok(())
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

/// The server's resident memory.
fn memory_kb(server: &Child) -> Result<u64, Failure> {
    let pid = server.id().ok_or("the server has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kb = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kb| kb.parse::<u64>().ok())
        .ok_or("no VmRSS")?;
    Ok(kb)
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

fn print_gateway(clients: usize, tally: &Tally) {
    let Tally { submits, finals, .. } = tally;
    println!(
        "{clients:>3} clients: {:>6} payouts/s   submit p50 {} ms, p99 {} ms   until final p50 {} ms, p99 {} ms",
        finals.per_second(),
        submits.millis(50),
        submits.millis(99),
        finals.millis(50),
        finals.millis(99),
    );
    println!(
        "             {} requests, {} payouts, {} of them after a failover ({} %); {} unpaid, {} failed",
        finals.count(),
        tally.payouts,
        tally.failed_over,
        tally.failed_over_percent(),
        tally.unpaid,
        finals.failures,
    );
}

/// Each scenario's payouts beside TPC-B with as many clients.
fn print_ratios(rates: &[(&'static str, Rates)], tpcb: &[(usize, u64)]) {
    println!("{:<18} {:>8} {:>12} {:>12} {:>8}", "scenario", "clients", "a second", "TPC-B/s", "ratio");
    for (scenario, rates) in rates {
        for (clients, per_second) in rates {
            if let Some((_, rate)) = tpcb.iter().find(|(c, _)| c == clients) {
                println!("{scenario:<18} {clients:>8} {per_second:>12} {rate:>12} {:>8}", ratio(*per_second, *rate));
            }
        }
    }
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
