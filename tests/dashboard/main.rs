//! The staff dashboard over HTTP, on loopback, over a real PostgreSQL: who gets in, what pages show, and that nothing that comes from
//! outside becomes more than text.

#![allow(clippy::unwrap_used, reason = "a test that can't go on stops")]

mod accounts;
mod approvals;
mod balances;
mod browser;
mod development;
mod finder;
mod lists;
mod live;
mod managing;
mod moderation;
mod pages;
mod people;
mod schemes;
mod searches;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod terms;
mod world;
