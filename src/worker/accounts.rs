//! How many calls to one provider account may be under way at once in this process, so that a provider that is slow or hangs keeps only its
//! own payouts waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::ids::ProviderAccountId;

/// The calls under way, by account.
#[derive(Debug)]
pub(super) struct AccountCalls {
    calls_max: usize,
    accounts: Mutex<HashMap<ProviderAccountId, Arc<Semaphore>>>,
}

impl AccountCalls {
    pub fn new(calls_max: usize) -> Self {
        Self { calls_max, accounts: Mutex::default() }
    }

    /// Waits for one of the account's places, for so long. `None`: none became free.
    pub async fn place(&self, account: ProviderAccountId, patience: Duration) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(accounts.entry(account).or_insert_with(|| Arc::new(Semaphore::new(self.calls_max))))
        };
        tokio::time::timeout(patience, places.acquire_owned()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_that_is_full_keeps_no_other_waiting() {
        let calls = AccountCalls::new(2);
        let (slow, fast) = (ProviderAccountId::new(), ProviderAccountId::new());
        let patience = Duration::from_millis(20);
        let _one = calls.place(slow, patience).await.unwrap();
        let two = calls.place(slow, patience).await.unwrap();
        assert!(calls.place(slow, patience).await.is_none());
        assert!(calls.place(fast, Duration::ZERO).await.is_some());
        drop(two);
        assert!(calls.place(slow, Duration::ZERO).await.is_some());
    }
}
