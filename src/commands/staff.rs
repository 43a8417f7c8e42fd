//! `staff`: who may sign in to the dashboard. Passwords are drawn or come from standard input, never from the command line.

use std::io::Read;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::staff::Role;
use landfall::gateway::access::audit::Author;
use landfall::staff::accounts::Listed;
use secrecy::{ExposeSecret, SecretString};

use super::{Failure, actor, complain, console, system_clock};

#[derive(Subcommand)]
pub enum Command {
    /// Make an account and print its first password: once. It is changed at the first sign-in.
    Add(AddArguments),
    /// List the accounts.
    List,
    /// End an account at once: its sessions are over, and nobody signs in to it.
    Disable(Whose),
    /// Let its owner in again: after it was disabled, locked, or not used for 90 days.
    Enable(Whose),
    /// Give an account another first password, print it, and end its sessions.
    ResetPassword {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        password: Password,
    },
    /// Forget an account's second factor and recovery codes, and end its sessions.
    ResetTotp(Whose),
    /// Change what somebody may do.
    Role {
        #[command(flatten)]
        whose: Whose,
        /// viewer, support, operator or admin.
        role: Role,
    },
}

#[derive(Args)]
pub struct Whose {
    /// The account's e-mail address.
    email: String,
    /// Who does it, for the audit trail.
    #[arg(long)]
    by: String,
}

#[derive(Args)]
pub struct Password {
    /// Read the password from standard input, as one line, instead of drawing one.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args)]
pub struct AddArguments {
    #[command(flatten)]
    whose: Whose,
    /// What pages call them.
    #[arg(long)]
    name: String,
    /// viewer, support, operator or admin.
    #[arg(long)]
    role: Role,
    #[command(flatten)]
    password: Password,
}

/// More than any password has, in bytes.
const PASSWORD_BYTES_MAX: u64 = 1024;

impl Password {
    fn read(&self) -> Result<Option<SecretString>, Failure> {
        if !self.password_stdin {
            return Ok(None);
        }
        let mut text = String::new();
        std::io::stdin().take(PASSWORD_BYTES_MAX).read_to_string(&mut text)?;
        Ok(Some(SecretString::from(text.strip_suffix('\n').unwrap_or(&text).to_owned())))
    }
}

pub async fn run(settings: Settings, command: Command) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let outcome = obey(&app, command).await;
    drop(app);
    database.close().await;
    outcome
}

async fn author(app: &App, whose: &Whose) -> Result<Author, Failure> {
    let author = app.staff.console(actor(&whose.by)?).await?;
    Ok(Author { origin: Some(console::origin()), ..author })
}

async fn obey(app: &App, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Add(AddArguments { whose, name, role, password }) => {
            let (author, chosen) = (author(app, &whose).await?, password.read()?);
            let is_drawn = chosen.is_none();
            let (id, password) = app.staff.add(&author, &whose.email, &name, role, chosen).await?;
            complain(&format!("made {id} {}, {role}", whose.email));
            show(&password, is_drawn);
        }
        Command::List => {
            for account in app.staff.list().await? {
                println!("{}", line(&account));
            }
        }
        Command::Disable(whose) => {
            app.staff.disable(&author(app, &whose).await?, &whose.email).await?;
            println!("disabled {}", whose.email);
        }
        Command::Enable(whose) => {
            app.staff.enable(&author(app, &whose).await?, &whose.email).await?;
            println!("enabled {}", whose.email);
        }
        Command::ResetPassword { whose, password } => {
            let (author, chosen) = (author(app, &whose).await?, password.read()?);
            let is_drawn = chosen.is_none();
            let password = app.staff.reset_password(&author, &whose.email, chosen).await?;
            complain(&format!("the password of {} is another one, and its sessions are over", whose.email));
            show(&password, is_drawn);
        }
        Command::ResetTotp(whose) => {
            app.staff.reset_totp(&author(app, &whose).await?, &whose.email).await?;
            println!("{} has no second factor, and its sessions are over", whose.email);
        }
        Command::Role { whose, role } => {
            app.staff.set_role(&author(app, &whose).await?, &whose.email, role).await?;
            println!("{} is {role}", whose.email);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever typed a password knows it.
fn show(password: &SecretString, is_drawn: bool) {
    if is_drawn {
        complain("hand this password over in person; it can't be shown again, and is changed at the first sign-in");
        println!("{}", password.expose_secret());
    }
}

fn line(account: &Listed) -> String {
    let at = |at: DateTime<Utc>| format!("{at:.0}");
    let state = match (account.disabled_at, account.locked_until, account.is_unused) {
        (Some(since), ..) => format!("disabled since {}", at(since)),
        (None, Some(until), _) => format!("locked until {}", at(until)),
        (None, None, true) => format!("unused since {}: refused until it is enabled", at(account.active_at)),
        (None, None, false) => format!("used {}", at(account.active_at)),
    };
    let factor = if account.has_totp { "second factor" } else { "no second factor" };
    let first = if account.must_change_password { ", first password" } else { "" };
    format!("{}  {}  {}  {}  {factor}{first}  {state}", account.id, account.email, account.role, account.name)
}
