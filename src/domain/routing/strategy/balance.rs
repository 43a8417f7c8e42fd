//! `balance`: the highest available balance first, of the routes that can carry the amount. Balances in other currencies are
//! compared by what they are worth in the service's. That nobody else takes the money meanwhile is the reservation's matter.

use std::cmp::Reverse;

use super::{Entry, Inputs};
use crate::domain::routing::Route;

pub fn inputs(route: &Route) -> Option<Inputs> {
    route.available_in_service().ok().map(|available| Inputs::Available { available })
}

pub fn rank(entries: &mut [Entry]) {
    entries.sort_by_key(|entry| match entry.inputs {
        Inputs::Available { available } => (Reverse(Some(available)), entry.place),
        _ => (Reverse(None), entry.place),
    });
}
