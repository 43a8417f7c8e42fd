//! `api-key`: the first keys of a partner, and a way to end one without another key.

use std::collections::BTreeSet;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::config::gateway::HOUSE;
use landfall::domain::ids::{ApiKeyId, Mode};
use landfall::gateway::access::Scope;
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::keys::{ApiKey, NewKey, Slice};

use super::{Failure, complain, said, system_clock};

#[derive(Subcommand)]
pub enum Command {
    /// Make a key and print it: once, since only its hash is kept.
    Create(CreateArguments),
    /// List a partner's keys.
    List(Whose),
    /// Revoke a key at once and for good.
    Revoke {
        #[command(flatten)]
        whose: Whose,
        /// The key's id (`key_...`).
        id: ApiKeyId,
    },
}

#[derive(Args)]
pub struct Whose {
    /// The partner's code; `house` for what serves every partner.
    #[arg(long, default_value = "demo")]
    partner: String,
    /// Test or live.
    #[arg(long, default_value = "test")]
    mode: Mode,
}

#[derive(Args)]
pub struct CreateArguments {
    #[command(flatten)]
    whose: Whose,
    /// What the key is called.
    #[arg(long)]
    name: String,
    /// What it may do: `all`, or scopes with commas between them.
    #[arg(long, default_value = "all")]
    scopes: String,
    /// An address or network that it may be used from; may be given several times. None: any.
    #[arg(long = "allow-ip")]
    allowed_ips: Vec<String>,
    /// After how many days it ends. None: never.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=3650))]
    days: Option<i64>,
    /// Its requests have to be signed. The secret that they are signed with is printed on a line of its own.
    #[arg(long)]
    signed: bool,
}

pub async fn run(settings: Settings, command: Command) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let outcome = match command {
        Command::Create(arguments) => create(&app, arguments).await,
        Command::List(whose) => list(&app, &whose).await,
        Command::Revoke { whose, id } => {
            let author = author(&app, &whose).await?;
            match app.gateway.revoke_key(&author, id).await {
                Ok(key) => {
                    println!("revoked {} {}", key.id, key.name);
                    Ok(ExitCode::SUCCESS)
                }
                Err(refusal) => Err(said(refusal)),
            }
        }
    };
    drop(app);
    database.close().await;
    outcome
}

async fn author(app: &App, whose: &Whose) -> Result<Author, Failure> {
    if !app.settings.modes.contains(&whose.mode) {
        return Err(format!("{} mode isn't served here (modes)", whose.mode).into());
    }
    let user = app.wallet.user(&whose.partner, whose.mode, "api-key", None).await?;
    Ok(Author { origin: Some(super::console::origin()), ..Author::command(user.tenant) })
}

async fn create(app: &App, arguments: CreateArguments) -> Result<ExitCode, Failure> {
    let author = author(app, &arguments.whose).await?;
    let is_house = arguments.whose.partner == HOUSE;
    let scopes = match arguments.scopes.as_str() {
        "all" => {
            let is_reserved =
                |scope: &Scope| *scope == Scope::FundsWrite && !is_house && author.tenant.mode == Mode::Live;
            Scope::ALL.into_iter().filter(|scope| !is_reserved(scope)).collect()
        }
        texts => texts
            .split(',')
            .map(|text| text.trim().parse().map_err(|_| Failure::from(format!("there is no scope {text}"))))
            .collect::<Result<BTreeSet<Scope>, Failure>>()?,
    };
    let new = NewKey {
        name: arguments.name,
        scopes,
        allowed_ips: arguments.allowed_ips,
        expires_at: arguments.days.map(|days| app.clock.now() + TimeDelta::days(days)),
        signing_required: arguments.signed,
    };
    let (key, secret) = app.gateway.make_key(&author, is_house, new).await.map_err(said)?;
    complain(&format!("made {} {}: keep what follows, it can't be shown again", key.id, key.name));
    println!("{}", secret.expose());
    if let Some(signing) = &secret.signing {
        println!("{}", signing.expose());
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(app: &App, whose: &Whose) -> Result<ExitCode, Failure> {
    const PAGE: i64 = 100;
    let author = author(app, whose).await?;
    let mut after = Slice::start(false);
    loop {
        let slice = Slice { newest_first: false, after, limit: PAGE };
        let keys = app.gateway.list_keys(author.tenant, slice).await.map_err(said)?;
        for key in &keys {
            println!("{}", line(key, app.clock.now()));
        }
        match keys.last() {
            Some(last) if i64::try_from(keys.len()) == Ok(PAGE) => after = (last.created_at, last.id.0),
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn line(key: &ApiKey, now: chrono::DateTime<chrono::Utc>) -> String {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {at:.0}"),
        (None, Some(at)) if at <= now => format!("expired {at:.0}"),
        (None, Some(at)) => format!("until {at:.0}"),
        (None, None) => "valid".to_owned(),
    };
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    format!("{}  {}...  {}  {state}  {}", key.id, key.prefix, key.name, scopes.join(","))
}
