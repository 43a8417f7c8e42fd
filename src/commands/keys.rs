//! `keys`: the vault's key file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use landfall::config::Settings;
use landfall::vault::keys::{add_kek, generate_file};

use super::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Make a key file for live mode (0600, never overwritten). Keep it outside the database and back it up: cards can't
    /// be opened without it.
    Generate {
        /// Where to write it.
        #[arg(long)]
        out: PathBuf,
    },
    /// Add a new key-encryption key to the configured key file and make it primary.
    Add,
}

pub fn run(settings: &Settings, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Generate { out } => {
            let id = generate_file(&out, false)?;
            println!("wrote {} with the key-encryption key {id}", out.display());
        }
        Command::Add => {
            let path = settings.data_dir.join(&settings.vault.file.path);
            println!("added the key-encryption key {}", add_kek(&path)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}
