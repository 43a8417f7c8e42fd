//! For operators: health, and what is counted. No authentication, nothing of any user.

pub mod health;
pub mod metrics;

pub use health::Probe;
