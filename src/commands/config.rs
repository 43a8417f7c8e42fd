//! `config check`: what is in force. Settings hold no secrets: they name files and variables that do.

use std::process::ExitCode;

use clap::Subcommand;
use landfall::config::Settings;

use super::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Check the configuration and print what is in force.
    Check,
}

pub fn run(settings: &Settings, command: &Command) -> Result<ExitCode, Failure> {
    match command {
        // Loading has checked it.
        Command::Check => {
            println!("{settings:#?}");
            println!("the configuration is good");
            Ok(ExitCode::SUCCESS)
        }
    }
}
