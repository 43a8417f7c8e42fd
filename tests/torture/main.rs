//! Torture: processes, connections and the database die at the worst moments, and the books are held against each other afterwards.
//! Short forms run with all tests; long ones are asked for by environment variables that each module names.
#![cfg(feature = "torture")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod crash;
