//! The wallet API, version 4: one file a resource. Owns the names and types on the wire, which apps in the field rely
//! on; decides nothing about money.

pub mod balances;
pub mod cards;
pub mod data;
pub mod events;
pub mod history;
pub mod offers;
pub mod pay;
mod validate;

pub use offers::FeeType;

use chrono::{DateTime, SecondsFormat, Utc};

/// A time on the wire: `2026-11-21T10:15:30.123Z`.
fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
