//! `keys`: the vault's key files, whether the key provider is ready, and the life of data keys ([`super::data_keys`]).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use landfall::config::Settings;
use landfall::config::vault::VaultProvider;
use landfall::vault::keys::{
    FileSummary, MacPurpose, SetName, add_kek, component_summary, generate_file, joined_summary, key_file_summary,
    make_component, open_provider,
};

use super::{Failure, system_clock};

#[derive(Subcommand)]
pub enum Command {
    /// Make a key file with whole keys (0600, never overwritten), for installations without live money. Keep it outside the
    /// database and back it up: cards can't be opened without it.
    Generate {
        /// Where to write it.
        #[arg(long)]
        out: PathBuf,
    },
    /// Make one custodian's components (0600, never overwritten). Two custodians' files make the keys; neither is one.
    Component {
        /// Where to write it.
        #[arg(long)]
        out: PathBuf,
        /// What this command printed to the other custodian; without it this is the first of the two.
        #[arg(long)]
        set: Option<String>,
        /// Add a component of a new key-encryption key to a file that is there: it is used once both files have one.
        #[arg(long)]
        add: bool,
    },
    /// Print the names and check values of a custodian's components, to be compared with what was written down.
    Show {
        #[arg(long)]
        component: PathBuf,
    },
    /// Add a new key-encryption key to the configured key file and make it primary.
    Add,
    /// Open the configured key provider, wrap and unwrap a key, and print the names and check values of its keys. Ends with
    /// 1 when it isn't ready.
    Check,
    /// Every data key with its state, check value, dates, messages and the rows that name it, and how far sealing anew has come.
    Status(super::data_keys::Which),
    /// Begin a new epoch: what is sealed from now on is under a new data key, and workers seal anew what is under old ones.
    Rotate(super::data_keys::Rotate),
    /// Seal anew here and now what is under old data keys, without waiting for workers. May be broken off and begun again.
    Reseal(super::data_keys::Reseal),
    /// Wrap data keys under the provider's current key-encryption key. May be broken off and begun again.
    Rewrap(super::data_keys::Signed),
    /// Destroy data keys that no row names and whose time of grace is over. Ends with 1 when one that was named is still wanted.
    Retire(super::data_keys::Retire),
    /// A data key may be known to somebody: never seal under it again, seal anew at full rate, and destroy it.
    Compromise(super::data_keys::Compromise),
}

pub async fn run(settings: Settings, command: Command) -> Result<ExitCode, Failure> {
    use super::data_keys::{self, Work};
    let command = match command {
        Command::Status(which) => return data_keys::run(settings, Work::Status(which)).await,
        Command::Rotate(rotate) => return data_keys::run(settings, Work::Rotate(rotate)).await,
        Command::Reseal(reseal) => return data_keys::run(settings, Work::Reseal(reseal)).await,
        Command::Rewrap(signed) => return data_keys::run(settings, Work::Rewrap(signed)).await,
        Command::Retire(retire) => return data_keys::run(settings, Work::Retire(retire)).await,
        Command::Compromise(compromise) => return data_keys::run(settings, Work::Compromise(compromise)).await,
        command => command,
    };
    run_files(&settings, command).await
}

/// What needs no database.
async fn run_files(settings: &Settings, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Generate { out } => {
            let id = generate_file(&out, false)?;
            println!("wrote {} with the key-encryption key {id}", out.display());
        }
        Command::Component { out, set, add } => component(&out, set.as_deref(), add)?,
        Command::Show { component } => print(&component_summary(&component)?),
        Command::Add => {
            if !settings.vault.file.components.is_empty() {
                return Err("keys of two custodians: each adds a component with `landfall keys component --add`".into());
            }
            let path = settings.data_dir.join(&settings.vault.file.path);
            println!("added the key-encryption key {}", add_kek(&path)?);
        }
        Command::Check => check(settings).await?,
        Command::Status(_)
        | Command::Rotate(_)
        | Command::Reseal(_)
        | Command::Rewrap(_)
        | Command::Retire(_)
        | Command::Compromise(_) => return Err("this command needs the database".into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn component(out: &Path, set: Option<&str>, add: bool) -> Result<(), Failure> {
    let is_second = set.is_some();
    let set = match set {
        Some(text) => Some(SetName::parse(text).ok_or("--set takes the 16 letters that the first custodian was told")?),
        None => None,
    };
    let set = make_component(out, set, add)?;
    print(&component_summary(out)?);
    if !is_second {
        let add = if add { " --add" } else { "" };
        println!(
            "the other custodian, on a file of their own: landfall keys component{add} --set {} --out FILE",
            set.as_str()
        );
    }
    Ok(())
}

fn print(summary: &FileSummary) {
    println!("{} (owner {}), primary key {}", summary.path.display(), summary.owner, summary.primary);
    for (id, check) in &summary.checks {
        println!("  {id}  check value {check}");
    }
}

async fn check(settings: &Settings) -> Result<(), Failure> {
    let vault = &settings.vault;
    if vault.provider == VaultProvider::File || vault.moved_from == Some(VaultProvider::File) {
        check_files(settings)?;
    }
    let provider = open_provider(vault, &settings.data_dir, system_clock()).await?;
    provider.health().await?;
    println!("provider {}, key-encryption key {}", provider.code(), provider.kek_id().await?);
    for purpose in MacPurpose::ALL {
        println!("  {purpose:?}: root {}", provider.mac_key(purpose).await?.id);
    }
    if settings.is_live() && provider.is_development() {
        return Err("live mode refuses keys that were made for development, or that are kept or reached as only development may".into());
    }
    println!("ready: a data key was wrapped and unwrapped");
    Ok(())
}

fn check_files(settings: &Settings) -> Result<(), Failure> {
    let file = &settings.vault.file;
    let Some((one, other)) = file.component_paths(&settings.data_dir) else {
        print(&key_file_summary(&settings.data_dir.join(&file.path))?);
        return Ok(());
    };
    let (left, right) = (component_summary(&one)?, component_summary(&other)?);
    print(&left);
    print(&right);
    if left.owner == right.owner {
        println!(
            "note: one user owns both files. Unless a service manager hands them over, give each custodian's its own owner"
        );
    }
    let joined = joined_summary(&one, &other)?;
    println!("together, primary key {}", joined.primary);
    for (id, check) in &joined.checks {
        println!("  {id}  check value {check}");
    }
    Ok(())
}
