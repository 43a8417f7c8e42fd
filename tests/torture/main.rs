//! The engine put under torture: simulated from seeds, with faults, crashes and a clock that jumps.
#![cfg(feature = "torture")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::large_futures, reason = "tests")]

#[path = "../gateway/partner.rs"]
#[allow(dead_code, reason = "another test binary uses all of it")]
mod partner;
mod seeds;
#[path = "../support/mod.rs"]
mod support;
#[path = "../gateway/world.rs"]
#[allow(dead_code, reason = "another test binary uses all of it")]
mod world;
