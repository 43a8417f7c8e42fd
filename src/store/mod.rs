//! PostgreSQL through diesel: connections, transactions, migrations, the private cluster, and one file an aggregate. It
//! loads and it writes what use cases decided; it decides nothing. There is deliberately no trait over it: PostgreSQL is
//! concrete, and tests run on the real one.
//!
//! From the ground up: [`cluster`] (a server of our own when none is configured), [`connect`] (one connection, with TLS),
//! [`pool`] (many), [`retry`] (the one way to run a transaction), [`migrate`] (the schema), [`error`] (what can fail).
//! Statements are written out in SQL (`statement`), since most carry whole batches as arrays (`UNNEST`); they are prepared
//! once a connection. A use case holds the transaction; functions here take its connection.

pub mod account_health;
pub mod accounts;
pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod balance_samples;
pub mod balance_syncs;
pub mod batches;
pub mod blocks;
pub mod callbacks;
pub mod cards;
pub mod cases;
pub mod cluster;
pub mod connect;
pub mod customers;
pub mod dashboard;
pub mod deks;
pub mod deposit_accounts;
pub mod entries;
pub mod error;
pub mod events;
pub mod idempotency;
pub mod jobs;
pub mod limits;
pub mod metrics;
pub mod migrate;
pub mod offers;
mod page;
pub mod partner_funds;
pub mod partner_requests;
pub mod partner_terms;
pub mod partners;
pub mod payouts;
pub mod points;
pub mod pool;
pub mod provider_accounts;
pub mod reconciliations;
pub mod reports;
pub mod request_cards;
pub mod requests;
pub mod retry;
pub mod route_statistics;
pub mod routes;
pub mod sandbox;
pub mod schemes;
pub mod screenings;
pub mod sealed;
pub mod seeding;
pub mod services;
mod slice;
mod sql_types;
pub mod staff;
pub mod standing;
mod statement;
pub mod submissions;
pub mod test_book;
pub mod unmatched;
pub mod velocity;
pub mod verify;
pub mod webhooks;

pub use slice::Slice;
use slice::of_tenant;
