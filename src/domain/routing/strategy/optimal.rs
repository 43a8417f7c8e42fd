//! `optimal`: equal shares. The route that was debited least in the window is first, so that after any number of payouts no
//! two routes are further apart than one payout.
//!
//! A route that was away (switched off, without balance, new) would be the least debited for long and take everything until
//! it caught up. It starts at the floor instead: the least that any of its peers had when the pool last chose, as in
//! start-time fair queueing (Goyal, Vin and Cheng, 1996).

use super::{Entry, Gathering, Inputs};

pub fn inputs(gathering: &Gathering) -> Option<Inputs> {
    Some(Inputs::Debited { debited: gathering.usage.max(gathering.floor), weight: 1 })
}

pub fn rank(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| match entry.inputs {
        Inputs::Debited { debited, .. } => (false, debited, entry.place),
        _ => (true, rust_decimal::Decimal::ZERO, entry.place),
    });
}
