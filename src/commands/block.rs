//! `block`: whom and what is not paid out to. A card's number comes over standard input, so that no shell or process list keeps it.

use std::io::BufRead;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::card::Pan;
use landfall::domain::ids::{BlockId, Mode};
use landfall::gateway::access::audit::Author;
use landfall::gateway::blocks::{About, Block, NewBlock};
use zeroize::Zeroizing;

use super::{Failure, complain, system_clock};

#[derive(Subcommand)]
pub enum Command {
    /// List a card, a customer, a country or the first digits of cards.
    Add(AddArguments),
    /// Take an entry off the list. It stays on record.
    Remove {
        #[command(flatten)]
        whose: Whose,
        /// The entry's id (`blk_...`).
        id: BlockId,
        #[command(flatten)]
        signed: Signed,
    },
    /// Show the entries that stand.
    List {
        #[command(flatten)]
        whose: Whose,
        /// Also those that were removed or whose time is over.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Args)]
pub struct Whose {
    /// The partner's code; `house` for every partner.
    #[arg(long, default_value = "demo")]
    partner: String,
    /// Test or live.
    #[arg(long, default_value = "test")]
    mode: Mode,
}

#[derive(Args)]
pub struct Signed {
    /// Who does it.
    #[arg(long)]
    by: String,
    /// Why.
    #[arg(long)]
    reason: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Card,
    Customer,
    Country,
    Iin,
}

#[derive(Args)]
pub struct AddArguments {
    #[command(flatten)]
    whose: Whose,
    /// What the entry is about. A card's number is read from standard input.
    kind: Kind,
    /// The customer's reference, the country (two capital letters), or the first 4 to 8 digits.
    #[arg(required_if_eq_any([("kind", "customer"), ("kind", "country"), ("kind", "iin")]))]
    value: Option<String>,
    /// From when, as in 2026-12-01T00:00:00Z. None: now.
    #[arg(long)]
    from: Option<DateTime<Utc>>,
    /// Until when. None: until it is removed.
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    signed: Signed,
}

pub async fn run(settings: Settings, command: Command) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let outcome = match command {
        Command::Add(arguments) => add(&app, arguments).await,
        Command::Remove { whose, id, signed } => remove(&app, &whose, id, &signed).await,
        Command::List { whose, all } => list(&app, &whose, all).await,
    };
    drop(app);
    database.close().await;
    outcome
}

async fn author(app: &App, whose: &Whose, by: &str) -> Result<Author, Failure> {
    if !app.settings.modes.contains(&whose.mode) {
        return Err(format!("{} mode isn't served here (modes)", whose.mode).into());
    }
    let user = app.wallet.user(&whose.partner, whose.mode, "block", None).await?;
    super::author(by, user.tenant)
}

async fn add(app: &App, arguments: AddArguments) -> Result<ExitCode, Failure> {
    let author = author(app, &arguments.whose, &arguments.signed.by).await?;
    let value = arguments.value.unwrap_or_default();
    let about = match arguments.kind {
        Kind::Card if !value.is_empty() => return Err("a card's number is read from standard input".into()),
        Kind::Card => About::Card(read_number()?),
        Kind::Customer => About::Customer(value),
        Kind::Country => About::Country(value),
        Kind::Iin => About::Iin(value),
    };
    let new = NewBlock { about, reason: arguments.signed.reason, starts_at: arguments.from, ends_at: arguments.until };
    let (block, is_new) = app.gateway.add_block(&author, new).await.map_err(super::said)?;
    if !is_new {
        complain("that was listed already: the entry stays as it was");
    }
    println!("{}", line(&block));
    Ok(ExitCode::SUCCESS)
}

/// One line. The number is wiped when it has been read.
fn read_number() -> Result<Pan, Failure> {
    complain("the card's number, on one line:");
    let mut text = Zeroizing::new(String::with_capacity(64));
    std::io::stdin().lock().read_line(&mut text)?;
    Pan::parse(text.trim()).map_err(|error| error.to_string().into())
}

async fn remove(app: &App, whose: &Whose, id: BlockId, signed: &Signed) -> Result<ExitCode, Failure> {
    let author = author(app, whose, &signed.by).await?;
    let block = app.gateway.remove_block(&author, id, &signed.reason).await.map_err(super::said)?;
    println!("{}", line(&block));
    Ok(ExitCode::SUCCESS)
}

async fn list(app: &App, whose: &Whose, all: bool) -> Result<ExitCode, Failure> {
    const PAGE: i64 = 200;
    let tenant = app.wallet.user(&whose.partner, whose.mode, "block", None).await?.tenant;
    let mut after = (DateTime::<Utc>::UNIX_EPOCH, BlockId(Default::default()));
    let mut count = 0_usize;
    loop {
        let page = app.gateway.list_blocks(tenant, all, after, PAGE).await.map_err(super::said)?;
        let Some(last) = page.last() else { break };
        after = (last.created_at, last.id);
        for block in &page {
            println!("{}", line(block));
        }
        count += page.len();
    }
    if count == 0 {
        complain("nothing is listed");
    }
    Ok(ExitCode::SUCCESS)
}

fn line(block: &Block) -> String {
    let until = block.ends_at.map(|end| format!("  until {end:.0}")).unwrap_or_default();
    let removed = match (&block.removed_at, &block.removed_by, &block.removal_reason) {
        (Some(at), Some(by), Some(why)) => format!("  removed {at:.0} by {by}: {why}"),
        _ => String::new(),
    };
    format!(
        "{}  {}  {}  from {:.0}{until}  by {}: {}{removed}",
        block.id, block.kind, block.value, block.starts_at, block.added_by, block.reason
    )
}
