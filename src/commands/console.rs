//! Who typed a command, as the machine has it, for the audit trail and for whoever approves: `--by` is only what they say of themselves.
//!
//! Whoever is root of the node can say what they like here as well, but not without leaving their name with whatever watches root.

use nix::unistd::{Uid, User};

/// What the kernel says of a process that nobody signed in for.
const NOBODY: u32 = u32::MAX;
/// The longest name that is repeated.
const NAME_CHARS_MAX: usize = 40;

/// `console, signed in as ada (1000), runs as root (0)`. At most 200 characters.
pub fn origin() -> String {
    let runs_as = Uid::current().as_raw();
    // Set once, at the sign-in, and kept through `su` and `sudo`; where the kernel has no auditing, there is none.
    let signed_in = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
    let by_sudo = std::env::var("SUDO_UID").ok().and_then(|text| text.parse().ok());
    told(runs_as, signed_in.filter(|uid| *uid != NOBODY), by_sudo, name)
}

fn told(runs_as: u32, signed_in: Option<u32>, by_sudo: Option<u32>, name: impl Fn(u32) -> Option<String>) -> String {
    let named = |uid: u32| match name(uid) {
        Some(name) => format!("{name} ({uid})"),
        None => uid.to_string(),
    };
    // The variable is anybody's to set who isn't root.
    let by_sudo = by_sudo.filter(|uid| runs_as == 0 && Some(*uid) != signed_in);
    let mut told = "console".to_owned();
    if let Some(uid) = signed_in {
        told.push_str(&format!(", signed in as {}", named(uid)));
    }
    if let Some(uid) = by_sudo {
        told.push_str(&format!(", by sudo of {}", named(uid)));
    }
    if signed_in != Some(runs_as) {
        told.push_str(&format!(", runs as {}", named(runs_as)));
    }
    told
}

fn name(uid: u32) -> Option<String> {
    let name = User::from_uid(Uid::from_raw(uid)).ok()??.name;
    Some(name.chars().filter(char::is_ascii_graphic).take(NAME_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signed_in_is_named_whatever_they_became() {
        let name = |uid| match uid {
            0 => Some("root".to_owned()),
            1000 => Some("ada".to_owned()),
            1001 => Some("grace".to_owned()),
            _ => None,
        };
        for (runs_as, signed_in, by_sudo, expected) in [
            (0, Some(1000), Some(1000), "console, signed in as ada (1000), runs as root (0)"),
            (0, Some(1000), Some(1001), "console, signed in as ada (1000), by sudo of grace (1001), runs as root (0)"),
            (0, None, Some(1000), "console, by sudo of ada (1000), runs as root (0)"),
            (1000, Some(1000), None, "console, signed in as ada (1000)"),
            (1000, None, Some(1001), "console, runs as ada (1000)"),
            (4711, None, None, "console, runs as 4711"),
        ] {
            assert_eq!(told(runs_as, signed_in, by_sudo, name), expected);
        }
        assert!(origin().starts_with("console, ") && origin().len() <= 200, "{}", origin());
    }
}
