//! For operators and integrators: health, what is counted, and the API's own description. No authentication, nothing of any user.

pub mod docs;
pub mod health;
pub mod metrics;

pub use health::Probe;
