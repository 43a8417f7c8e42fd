//! Strategies: how the routes that passed the filters are ranked. One file and one variant each.

mod direct;

use serde::{Deserialize, Serialize};

use super::Route;

/// How routes are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The given order.
    Direct,
}

impl Strategy {
    /// Ranks the routes at the indices `kept`, best first.
    pub fn rank(self, routes: &[Route], kept: Vec<usize>) -> Vec<usize> {
        match self {
            Strategy::Direct => direct::rank(routes, kept),
        }
    }
}
