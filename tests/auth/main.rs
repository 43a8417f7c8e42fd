//! Attacks wallet authentication over HTTP: a small service that echoes the principal, and a key server, both on
//! loopback. Keys are made when the tests run, and tokens are signed without the library that verifies them.

#![allow(clippy::unwrap_used, reason = "a test that can't go on stops")]

mod algorithms;
mod claims;
mod headers;
mod key_sets;
mod keys;
mod speed;
mod world;
