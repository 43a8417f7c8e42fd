//! `token` and `fund`: a development user and their balance.

use std::process::ExitCode;

use chrono::TimeDelta;
use clap::Args;
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::Mode;
use landfall::http::auth::mint_development_token;
use uuid::Uuid;

use super::{Failure, system_clock};

#[derive(Args)]
pub struct TokenArguments {
    /// The user's name (`sub`).
    #[arg(long)]
    user: String,
    /// The user's KYC level: 0 may look, 1 and above may pay.
    #[arg(long, default_value_t = 1)]
    kyc: u8,
    /// How long the token holds, in hours.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=8760))]
    hours: i64,
}

/// Prints the token alone.
pub fn token(settings: &Settings, arguments: &TokenArguments) -> Result<ExitCode, Failure> {
    let ttl = TimeDelta::hours(arguments.hours);
    let now = system_clock().now();
    println!("{}", mint_development_token(settings, &arguments.user, Some(arguments.kyc), ttl, now)?);
    Ok(ExitCode::SUCCESS)
}

#[derive(Args)]
pub struct FundArguments {
    /// The user's name (`sub`).
    #[arg(long)]
    user: String,
    /// What to credit: USDT, BTC, ...
    #[arg(long)]
    asset: String,
    /// How much, in units of the asset.
    #[arg(long)]
    amount: String,
    /// The user's partner.
    #[arg(long, default_value = "demo")]
    partner: String,
    /// Names the credit: the same reference is credited once. Drawn if absent.
    #[arg(long)]
    reference: Option<String>,
}

/// Credits a test balance and prints what the user has now.
pub async fn fund(settings: Settings, arguments: &FundArguments) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let reference = match &arguments.reference {
        Some(reference) if (1..=120).contains(&reference.len()) => format!("fund-{reference}"),
        Some(_) => return Err("a reference has 1 to 120 characters".into()),
        None => format!("fund-{}", Uuid::now_v7().simple()),
    };
    // Only ever test money: live balances come from a partner's credits.
    let user = app.wallet.user(&arguments.partner, Mode::Test, &arguments.user, None).await?;
    let balance = app.wallet.credit(&user, &arguments.asset, &arguments.amount, &reference).await?;
    println!("{} has {} {}", arguments.user, balance.normalize(), arguments.asset);
    database.close().await;
    Ok(ExitCode::SUCCESS)
}
