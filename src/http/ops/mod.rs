//! For operators and integrators: health, and the API's own description. No authentication, nothing of any user.

pub mod docs;
pub mod health;

pub use health::Probe;
