//! The binary as operators run it: killed between any two steps, and started again.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, clippy::print_stdout, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../providers/stage.rs"]
#[allow(dead_code, reason = "the canaries need a part of it")]
mod stage;

mod canary;
mod commands;
mod crash;
mod server;
mod simulator;
mod start_page;
