//! Who in this process waits for a payout request to end. A hint only: on another node, or after a restart, a
//! waiter finds the end by looking.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::ids::PayoutRequestId;

#[derive(Debug, Default)]
pub struct Waiters {
    by_request: Mutex<HashMap<PayoutRequestId, (usize, Arc<Notify>)>>,
}

/// A place in the line; leaving it (dropping) frees it.
#[derive(Debug)]
pub struct Waiter<'a> {
    waiters: &'a Waiters,
    id: PayoutRequestId,
    notify: Arc<Notify>,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, HashMap<PayoutRequestId, (usize, Arc<Notify>)>> {
        // The map is whole between any two statements: a panic elsewhere doesn't spoil it.
        self.by_request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the line. Joined before the state is looked at, no end is missed.
    pub fn join(&self, id: PayoutRequestId) -> Waiter<'_> {
        let mut by_request = self.lock();
        let (count, notify) = by_request.entry(id).or_default();
        *count += 1;
        Waiter { waiters: self, id, notify: Arc::clone(notify) }
    }

    /// Tells everybody who waits for these requests to look.
    pub fn wake(&self, ids: impl IntoIterator<Item = PayoutRequestId>) {
        let by_request = self.lock();
        for id in ids {
            if let Some((_, notify)) = by_request.get(&id) {
                notify.notify_waiters();
            }
        }
    }
}

impl Waiter<'_> {
    /// Resolves when the request's end was announced after this future was made.
    pub fn woken(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut by_request = self.waiters.lock();
        if let Some((count, _)) = by_request.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                by_request.remove(&self.id);
            }
        }
    }
}
