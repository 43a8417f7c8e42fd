//! One of the targets of `landfall::fuzz`: that of the binary's name.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| landfall::fuzz::run(env!("CARGO_BIN_NAME"), data));
