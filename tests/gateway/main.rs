//! The money core over a real PostgreSQL, without HTTP: acceptance, dispatch, outcomes, and what follows them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod acceptance;
mod account_checks;
mod attacks;
mod awkward;
mod batches;
mod fate_open;
mod housekeeping;
mod key_life;
mod key_outage;
mod late_returns;
mod late_truth;
mod manage;
mod moderation;
mod outcomes;
mod partner;
mod provider_ids;
mod reconcile;
mod refusals;
mod requests;
mod retention;
mod routing;
mod rules;
mod scripted;
mod simulate;
mod slow_providers;
mod splitting;
mod sync;
mod terms;
mod world;
