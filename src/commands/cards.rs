//! `cards`: cards that wait for a person after their screening, and settling them.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::{CardId, Mode};

use super::{Failure, complain, system_clock};

#[derive(Subcommand)]
pub enum Command {
    /// List the cards that wait for their screening or for a person.
    List(Whose),
    /// The card may be paid to.
    Approve(Settle),
    /// The card may not be paid to, whatever a screening says later.
    Decline(Settle),
}

#[derive(Args)]
pub struct Whose {
    /// The partner's code.
    #[arg(long, default_value = "demo")]
    partner: String,
    /// Test or live.
    #[arg(long, default_value = "test")]
    mode: Mode,
}

#[derive(Args)]
pub struct Settle {
    #[command(flatten)]
    whose: Whose,
    /// The card.
    id: CardId,
    /// Who decides.
    #[arg(long)]
    by: String,
    /// Why.
    #[arg(long)]
    reason: String,
}

pub async fn run(settings: Settings, command: Command) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let outcome = match command {
        Command::List(whose) => list(&app, &whose).await,
        Command::Approve(settle) => settled(&app, &settle, true).await,
        Command::Decline(settle) => settled(&app, &settle, false).await,
    };
    drop(app);
    database.close().await;
    outcome
}

async fn list(app: &App, whose: &Whose) -> Result<ExitCode, Failure> {
    let tenant = app.wallet.user(&whose.partner, whose.mode, "cards", None).await?.tenant;
    let waiting = app.gateway.waiting_cards(tenant).await.map_err(super::said)?;
    if waiting.is_empty() {
        complain("no card waits");
    }
    for card in waiting {
        let why = card.why.map(|why| format!(": {why}")).unwrap_or_default();
        println!(
            "{}  {}  {}***{}  since {:.0}, asked {} times  {}{why}",
            card.card_id,
            card.reference,
            card.iin.get(..4).unwrap_or(""),
            card.last_four,
            card.since,
            card.attempts,
            card.state
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn settled(app: &App, settle: &Settle, approve: bool) -> Result<ExitCode, Failure> {
    let whose = &settle.whose;
    if !app.settings.modes.contains(&whose.mode) {
        return Err(format!("{} mode isn't served here (modes)", whose.mode).into());
    }
    let user = app.wallet.user(&whose.partner, whose.mode, "cards", None).await?;
    let author = super::author(&settle.by, user.tenant)?;
    app.gateway.settle_card(&author, settle.id, approve, &settle.reason).await.map_err(super::said)?;
    println!("{}  {}", settle.id, if approve { "approved" } else { "declined" });
    Ok(ExitCode::SUCCESS)
}
