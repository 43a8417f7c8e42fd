//! Torture: the engine simulated from seeds, with faults, crashes and a clock that jumps; and whole processes, connections and the
//! database that die at the worst moments. The books are held against each other afterwards. Short forms run with all tests; long ones
//! are asked for by environment variables that each module names.
#![cfg(feature = "torture")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::large_futures,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests"
)]

mod crash;
#[path = "../gateway/partner.rs"]
#[allow(dead_code, reason = "another test binary uses all of it")]
mod partner;
mod seeds;
mod summary;
#[path = "../support/mod.rs"]
mod support;
#[path = "../gateway/world.rs"]
#[allow(dead_code, reason = "another test binary uses all of it")]
mod world;
