//! `cost`: the least expected cost of this very amount first, what the conversion loses included.

use super::{Entry, Gathering, Inputs};
use crate::domain::routing::Route;

pub fn inputs(route: &Route, gathering: &Gathering) -> Option<Inputs> {
    let cost = if route.converts() { route.cost_with_exchange(gathering.amount).ok()? } else { gathering.cost };
    Some(Inputs::Cost { cost })
}

pub fn rank(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| match entry.inputs {
        Inputs::Cost { cost } => (false, cost, entry.place),
        _ => (true, rust_decimal::Decimal::ZERO, entry.place),
    });
}
