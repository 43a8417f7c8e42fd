//! (being written)

pub mod auth;
