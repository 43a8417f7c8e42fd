//! The ground of the store on a real PostgreSQL: the private cluster and its crashes, transactions, migrations.

#![allow(clippy::unwrap_used, reason = "tests")]

mod cluster;
mod connect;
mod migrate;
mod retry;
#[path = "../support/mod.rs"]
mod support;
