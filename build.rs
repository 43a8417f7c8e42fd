//! Migrations are compiled in by a macro that doesn't tell cargo which files it read: a new one must rebuild the crate.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
