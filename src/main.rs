//! The one binary. Commands parse what they are given, call the library, and say what came of it.

mod commands;

use std::process::ExitCode;

use clap::Parser;

/// Of a worker thread, in bytes; only what is used of it is memory. Unoptimised builds come near the usual 2 MiB.
const STACK_BYTES: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    // Not `actix_web::main`: migrations need a runtime of several threads.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().thread_stack_size(STACK_BYTES).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            commands::complain(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(commands::run(commands::Cli::parse()))
}
