//! `simulator`: a payout provider of its own on loopback, until told to stop.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use landfall::config::Settings;
use landfall::simulator::bank::{Bank, BankSettings};
use landfall::simulator::house::House;
use landfall::simulator::journal::Journal;
use landfall::simulator::server::Server;
use landfall::simulator::settings::{AccountEntry, SimulatorSettings, parse_faults};
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretString};

use super::serve::told_to_stop;
use super::{Failure, system_clock};

#[derive(Args)]
pub struct Arguments {
    /// Address and port. What is sent there holds card numbers: keep it on loopback.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where its ledger is kept; `simulator` under the data folder if not given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// A file with accounts, timings and faults; without it there is one account.
    #[arg(long = "settings")]
    settings_file: Option<PathBuf>,
    /// A file with faults, instead of the settings' ones.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Picks which calls meet the rated faults.
    #[arg(long)]
    seed: Option<u64>,
    /// How long every answer takes.
    #[arg(long)]
    latency_ms: Option<u64>,
    /// Guards what is under /admin; drawn and shown if not given.
    #[arg(long, env = "LANDFALL_SIMULATOR_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<SecretString>,
    /// The one account's name.
    #[arg(long, default_value = "house", conflicts_with = "settings_file")]
    account: String,
    /// The one account's API key; drawn and shown if not given.
    #[arg(long, env = "LANDFALL_SIMULATOR_API_KEY", hide_env_values = true)]
    api_key: Option<SecretString>,
    /// What the one account's callbacks are signed with; drawn and shown if not given.
    #[arg(long, env = "LANDFALL_SIMULATOR_CALLBACK_SECRET", hide_env_values = true)]
    callback_secret: Option<SecretString>,
    /// Where the one account's callbacks go.
    #[arg(long, conflicts_with = "settings_file")]
    callback_url: Option<String>,
    /// The one account pays a repeated reference again.
    #[arg(long, conflicts_with = "settings_file")]
    pays_repeats: bool,
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<ExitCode, Failure> {
    landfall::telemetry::start(&settings.telemetry);
    let data = arguments.data.clone().unwrap_or_else(|| settings.data_dir.join("simulator"));
    let listen = arguments.listen;
    let admin_token = known_or_drawn("admin token", arguments.admin_token.clone())?;
    let bank_settings = bank_settings(arguments)?;
    let names: Vec<String> = bank_settings.accounts.iter().map(|account| account.name.clone()).collect();
    let (journal, records) = Journal::open(&data)?;
    let bank = Bank::replay(bank_settings, records);
    let payments = bank.payments().len();
    let house = Arc::new(House::new(system_clock(), bank, Some(journal)));
    let listener = TcpListener::bind(listen).map_err(|error| format!("can't listen on {listen}: {error}"))?;
    let server = Server::start(house, listener, admin_token)?;
    println!("the simulator listens on http://{} for: {}", server.address, names.join(", "));
    println!("its ledger of {payments} payments is in {}", data.display());
    let failed = tokio::select! {
        () = told_to_stop() => false,
        () = server.failed() => true,
    };
    server.stop();
    if failed { Err("the ledger can't be written".into()) } else { Ok(ExitCode::SUCCESS) }
}

fn bank_settings(arguments: Arguments) -> Result<BankSettings, Failure> {
    let mut settings = match &arguments.settings_file {
        Some(path) => SimulatorSettings::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?,
        None => SimulatorSettings {
            accounts: vec![AccountEntry {
                name: arguments.account,
                api_key: known_or_drawn("API key", arguments.api_key)?,
                callback_secret: known_or_drawn("callback secret", arguments.callback_secret)?,
                callback_url: arguments.callback_url,
                knows_repeats: !arguments.pays_repeats,
                balances: landfall::config::providers::Balances::default(),
            }],
            ..SimulatorSettings::default()
        },
    };
    if let Some(path) = &arguments.faults {
        settings.faults = parse_faults(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    settings.seed = arguments.seed.unwrap_or(settings.seed);
    settings.timings.latency_ms = arguments.latency_ms.or(settings.timings.latency_ms);
    Ok(settings.bank()?)
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// What was given, or a secret that is drawn and shown once.
fn known_or_drawn(what: &str, given: Option<SecretString>) -> Result<SecretString, Failure> {
    if let Some(given) = given.filter(|given| !given.expose_secret().is_empty()) {
        return Ok(given);
    }
    let mut bytes = [0_u8; 16];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| "the system gives no random numbers")?;
    let drawn = hex::encode(bytes);
    println!("{what}: {drawn}");
    Ok(SecretString::from(drawn))
}
