//! Landfall: the backend of a crypto-to-fiat card payout wallet.
//!
//! A user's crypto is quoted, held and settled in a double-entry ledger, and lands as cash on a bank card
//! through payout providers. The tree is the architecture; each module is a room with one owner:
//!
//! | module | owns |
//! |---|---|
//! | [`domain`] | pure decisions: money, rates, fees, offers, limits, ledger recipes, state machines, routing. No IO |
//! | [`wallet`] | the use cases of the wallet API (v4), one verb a file |
//! | [`gateway`] | the use cases of the payout gateway: submit, dispatch, invoke, complete, inquire |
//! | [`staff`] | staff accounts and sessions, and what the dashboard looks at |
//! | [`store`] | PostgreSQL through diesel; rows never leave it |
//! | [`vault`] | envelope encryption of card data, the key ring, fingerprints |
//! | [`providers`] | payout provider adapters behind one trait |
//! | [`outgoing`] | the guard around calls to addresses that somebody else has named |
//! | [`rates`] | rate sources behind one trait, and the board that quotes read |
//! | [`screening`] | who tells whether something may be paid to somebody, behind one trait |
//! | [`simulator`] | a provider with a bank of its own, behind a published API, that misbehaves as it is told |
//! | [`http`] | what is on the wire; no SQL and no rule |
//! | [`verify`] | whether a whole database keeps every invariant, row by row; it changes nothing |
//! | [`webhooks`] | sends what partners are to be told: signing, calling, places |
//! | [`worker`] | durable jobs: claim, lease, backoff, batch |
//! | [`torture`] | test-only failpoints and switches; without its feature, nothing |
//! | [`app`] | wiring; the only place that knows every adapter |
//!
//! Direction: `http`, `worker` -> `wallet`, `gateway`, `staff` -> `domain`. `tests/architecture.rs` fails on a broken line.

pub mod app;
pub mod clock;
pub mod config;
pub mod domain;
#[cfg(feature = "torture")]
#[allow(clippy::panic, clippy::indexing_slicing, reason = "a find is a panic")]
pub mod fuzz;
pub mod gateway;
pub mod http;
pub mod outgoing;
pub mod providers;
pub mod rates;
pub mod screening;
pub mod simulator;
pub mod staff;
pub mod store;
pub mod telemetry;
pub mod torture;
pub mod vault;
pub mod verify;
pub mod wallet;
pub mod webhooks;
pub mod worker;
