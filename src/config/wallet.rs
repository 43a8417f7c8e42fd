//! The `[wallet]` section: how the wallet API behaves beyond prices and limits.

use serde::Deserialize;

use super::Problems;
use crate::domain::card::CardScheme;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletSettings {
    /// How long a pay waits for the final result before it answers PENDING, in seconds. `Prefer: wait=N` lowers it.
    /// A look at a payout waits so long at most where `Prefer` asks it to.
    pub pay_wait_secs: u64,
    /// How many streams of offers' fates a process has open at once.
    pub streams_max: usize,
    /// How many of them one user has.
    pub user_streams_max: usize,
    /// Schemes whose cards need a billing address before they can be paid to.
    pub billing_address_required: Vec<CardScheme>,
    /// How many cards a user may have.
    pub cards_per_customer_max: usize,
}

impl WalletSettings {
    pub fn check(&self, problems: &mut Problems) {
        if self.pay_wait_secs > 60 {
            problems.add("wallet.pay_wait_secs", "must be 0 to 60");
        }
        if !(1..=100_000).contains(&self.streams_max) {
            problems.add("wallet.streams_max", "must be 1 to 100000");
        }
        if !(1..=100).contains(&self.user_streams_max) {
            problems.add("wallet.user_streams_max", "must be 1 to 100");
        }
        if !(1..=1_000).contains(&self.cards_per_customer_max) {
            problems.add("wallet.cards_per_customer_max", "must be 1 to 1000");
        }
    }
}
