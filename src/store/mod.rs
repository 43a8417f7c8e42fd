//! PostgreSQL through diesel, one file an aggregate. It loads and it writes what use cases decided; it decides
//! nothing. There is deliberately no trait over it: PostgreSQL is concrete, and tests run on the real one.
//!
//! Statements are written out in SQL ([`statement`]), since most carry whole batches as arrays (`UNNEST`). They
//! are prepared once a connection. A use case holds the transaction; functions here take its connection.

pub mod accounts;
pub mod callbacks;
pub mod cards;
pub mod cases;
pub mod customers;
pub mod deks;
pub mod entries;
pub mod events;
pub mod idempotency;
pub mod jobs;
pub mod limits;
pub mod offers;
pub mod partners;
pub mod payouts;
pub mod requests;
pub mod routes;
mod sql_types;
mod statement;
pub mod test_book;
