//! Prices and rates: how much fiat a unit of crypto is worth, and what the user is given for it.

use std::fmt;

use super::asset::AssetCode;

/// A currency pair, read "how many `to` for one `from`".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    pub from: AssetCode,
    pub to: AssetCode,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.from, self.to)
    }
}
