//! `landfall verify` over databases with real payouts in them: an honest one passes, and each kind of tampering by hand is found
//! and its row named.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod found;
mod honest;
#[path = "../gateway/partner.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod partner;
mod populated;
#[path = "../support/mod.rs"]
mod support;
mod tampering;
#[path = "../gateway/world.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod world;
