//! The one binary. Commands parse what they are given, call the library, and say what came of it.

mod commands;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Not `actix_web::main`: migrations need a runtime of several threads.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            commands::complain(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(commands::run(commands::Cli::parse()))
}
