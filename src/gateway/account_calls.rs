//! How many calls to one provider account may be under way at once in this process, so that a provider that is slow or hangs keeps only its
//! own payouts waiting. A payout is written down only once its call has a permit: what finds none stays a job, under no lease, and nothing
//! of it is in doubt if the process dies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::ids::ProviderAccountId;

/// How long a job waits at least that found its account full.
const FIRST_LOOK: TimeDelta = TimeDelta::milliseconds(100);
/// How far apart the jobs come up again that wait for one account: a backlog of any length costs no more than so many looks.
const LOOKS_APART: TimeDelta = TimeDelta::milliseconds(5);
/// However many wait, each is looked at again by then.
const LAST_LOOK: TimeDelta = TimeDelta::seconds(30);

/// The calls under way, by account.
#[derive(Debug)]
pub struct AccountCalls {
    calls_max: usize,
    accounts: Mutex<HashMap<ProviderAccountId, Account>>,
}

#[derive(Debug)]
struct Account {
    free: Arc<Semaphore>,
    /// When the last of the jobs that wait for it comes up again.
    last_look: DateTime<Utc>,
}

/// Leave for one call to a provider account, given back when dropped. Clones stand for the same call.
#[derive(Clone, Debug)]
pub struct CallPermit {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl From<OwnedSemaphorePermit> for CallPermit {
    fn from(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Arc::new(permit) }
    }
}

impl AccountCalls {
    pub fn new(calls_max: usize) -> Self {
        Self { calls_max, accounts: Mutex::default() }
    }

    /// Leave for a call now. `None`: as many as may be are under way.
    pub fn permit(&self, account: ProviderAccountId) -> Option<CallPermit> {
        self.free(account).try_acquire_owned().ok().map(CallPermit::from)
    }

    /// Waits for leave, for so long.
    pub async fn permit_within(&self, account: ProviderAccountId, patience: Duration) -> Option<CallPermit> {
        let permit = tokio::time::timeout(patience, self.free(account).acquire_owned()).await.ok()?.ok()?;
        Some(permit.into())
    }

    /// When a job that found the account full is to come up again. Each further one a little later: in the order of their asking, as far
    /// as no other comes in between.
    pub fn next_look(&self, account: ProviderAccountId, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut accounts = self.accounts();
        let account = self.account(&mut accounts, account);
        account.last_look = (account.last_look + LOOKS_APART).clamp(now + FIRST_LOOK, now + LAST_LOOK);
        account.last_look
    }

    fn free(&self, account: ProviderAccountId) -> Arc<Semaphore> {
        Arc::clone(&self.account(&mut self.accounts(), account).free)
    }

    fn account<'a>(
        &self,
        accounts: &'a mut HashMap<ProviderAccountId, Account>,
        account: ProviderAccountId,
    ) -> &'a mut Account {
        accounts.entry(account).or_insert_with(|| Account {
            free: Arc::new(Semaphore::new(self.calls_max)),
            last_look: DateTime::UNIX_EPOCH,
        })
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<ProviderAccountId, Account>> {
        // Nothing is left half done under the lock.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
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
        let _one = calls.permit(slow).unwrap();
        let two = calls.permit(slow).unwrap();
        assert!(calls.permit(slow).is_none());
        assert!(calls.permit_within(slow, patience).await.is_none());
        assert!(calls.permit(fast).is_some());
        drop(two);
        assert!(calls.permit_within(slow, patience).await.is_some());
    }

    #[test]
    fn jobs_that_wait_come_up_one_after_the_other_and_none_too_late() {
        let calls = AccountCalls::new(1);
        let (slow, other) = (ProviderAccountId::new(), ProviderAccountId::new());
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let looks: Vec<_> = (0..10_000).map(|_| calls.next_look(slow, now) - now).collect();
        assert_eq!(looks[0], FIRST_LOOK);
        assert_eq!(looks[1], FIRST_LOOK + LOOKS_APART);
        assert!(looks.is_sorted());
        assert_eq!(looks[9_999], LAST_LOOK);
        assert_eq!(calls.next_look(other, now) - now, FIRST_LOOK);
        // Once the backlog's time is over, the next waits no longer than the first did.
        let later = now + TimeDelta::minutes(1);
        assert_eq!(calls.next_look(slow, later) - later, FIRST_LOOK);
    }
}
