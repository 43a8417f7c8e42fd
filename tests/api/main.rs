//! The wallet API and the partners' API over real HTTP and a real database: a file per resource, the refused side above all.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

#[path = "../dashboard/browser.rs"]
#[allow(dead_code, reason = "other test binaries use the rest")]
mod browser;
#[path = "../auth/keys.rs"]
#[allow(dead_code, reason = "other test binaries use the rest")]
mod keys;
#[path = "../providers/stage.rs"]
#[allow(dead_code, reason = "other test binaries use the rest")]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod authorization;
mod bad_input;
mod callbacks;
mod cards;
mod conditional;
mod edge;
mod events;
mod idempotency;
mod offers;
mod ops;
mod origins;
mod pay;
mod slow;
mod tenants;
mod terms;
mod too_often;
mod v1;
mod world;
