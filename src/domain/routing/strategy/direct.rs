//! `direct`: the order in which the routes are given.

use super::Entry;

pub fn rank(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| entry.place);
}
