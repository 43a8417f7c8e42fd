//! Pure decisions: no IO, no SQL, no clock, no async. Callers hand in `now`, rates and balances; the domain
//! answers with what should happen, and never makes it happen.

pub mod asset;
pub mod block;
pub mod card;
#[cfg(test)]
mod diagram;
#[cfg(test)]
mod diagram_tests;
pub mod exact;
pub mod exchange;
pub mod fee;
pub mod ids;
pub mod ledger;
pub mod limit;
pub mod moderation;
pub mod money;
pub mod offer;
pub mod payout;
pub mod payout_point;
pub mod payout_request;
pub mod rate;
pub mod reconciliation;
pub mod routing;
pub mod screening;
pub mod service;
pub mod staff;
pub mod states;
pub mod terms;
pub mod velocity;
pub mod webhook;
