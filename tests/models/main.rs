//! Models: long drawn sequences of events and operations, held against references that know nothing of the code's tables and formulas.
//! The first three are of the domain alone; the others drive the wallet and the gateway over a real PostgreSQL.
//!
//! `PROPTEST_CASES` raises how many sequences are drawn. A failing one is shrunk to the shortest that still fails.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod clients;
mod ledger;
mod offer;
#[path = "../gateway/partner.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod partner;
mod reference;
#[path = "../gateway/scripted.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod scripted;
mod states;
#[path = "../support/mod.rs"]
mod support;
mod wallet;
#[path = "../gateway/world.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod world;

/// How many sequences a test draws: as the suite wants, or as `PROPTEST_CASES` says.
pub fn config(cases: u32) -> proptest::test_runner::Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    proptest::test_runner::Config {
        cases: asked.unwrap_or(cases),
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
