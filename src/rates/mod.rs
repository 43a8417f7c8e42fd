//! What a unit of crypto is worth in fiat: sources behind one trait, and the board that quotes read.
//!
//! Sources fetch, the board judges: it drops what is impossible, stale or out of line, and rather answers
//! "unavailable" than an old price. Nothing here knows of spreads, fees or offers, and nothing touches the database.
//! A new source is one file here, one variant in `config::rates::SourceSettings` and one line in [`registry`].

pub mod backoff;
pub mod board;
pub mod consensus;
pub mod cross;
pub mod fixed;
pub mod health;
pub mod pair_text;
pub mod price;
mod ratio;
pub mod registry;
pub mod replay;
pub mod runner;
pub mod source;

pub use board::Board;
pub use price::{BoardPrice, RateError, SourceQuote};
pub use registry::Rates;
pub use source::{RateSource, SourceError, Tick};
