//! The binary as operators run it: killed between any two steps, and started again.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod crash;
mod server;
mod simulator;
