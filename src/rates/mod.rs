//! What a unit of crypto is worth in fiat: sources behind one trait, and the board that quotes read.
//!
//! Sources fetch, the board judges: it drops what is impossible, stale or out of line, and rather answers
//! "unavailable" than an old price. Nothing here knows of spreads, fees or offers, and nothing touches the database.
//! A new source is one file here, one variant in `config::rates::SourceSettings` and one line in [`registry`].

pub mod backoff;
pub mod binance;
pub mod binance_stream;
pub mod board;
pub mod coinbase;
pub mod consensus;
pub mod cross;
pub mod ecb;
pub mod fixed;
#[cfg(feature = "torture")]
pub(crate) mod fuzz;
pub mod health;
pub mod kraken;
mod listener;
pub mod pair_text;
pub mod price;
mod ratio;
pub mod registry;
pub mod replay;
pub mod runner;
mod scribe;
pub mod source;
pub mod stream;
pub mod symbols;
pub mod web;

pub use board::Board;
pub use price::{BoardPrice, RateError, SourceQuote};
pub use registry::Rates;
pub use source::{Fetched, RateSource, SourceError, Tick};
pub use stream::RateStream;
