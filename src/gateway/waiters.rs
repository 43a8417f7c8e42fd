//! Who in this process waits for something to change: a payout request to end, an offer to move on.
//!
//! Whoever changes it here wakes them at once. What another process changed is found by looking: one statement every half a second for
//! all who wait, none while nobody does. `NOTIFY` isn't used: it would make commits wait for each other, and `LISTEN` holds a connection
//! that no pooler may come between.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::store::error::DbError;

/// How often it is looked for changes that nobody in this process announces.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many one statement looks for.
const BITE: usize = 1_000;

/// Those who wait for things named by `K`, whose states are told apart by `S`.
#[derive(Debug)]
pub struct Waiters<K, S> {
    lines: Arc<Lines<K, S>>,
    came: Notify,
}

type Lines<K, S> = Mutex<HashMap<K, Line<S>>>;

/// All who wait for one thing.
#[derive(Debug)]
struct Line<S> {
    woken: watch::Sender<()>,
    /// What it was when it was last looked at.
    seen: Option<S>,
}

/// A place in a line; leaving it (dropping) frees it.
#[derive(Debug)]
pub struct Waiter<K: Eq + Hash, S> {
    lines: Arc<Lines<K, S>>,
    key: K,
    /// There until it is left.
    woken: Option<watch::Receiver<()>>,
}

impl<K, S> Default for Waiters<K, S> {
    fn default() -> Self {
        Self { lines: Arc::default(), came: Notify::new() }
    }
}

fn lock<K, S>(lines: &Lines<K, S>) -> MutexGuard<'_, HashMap<K, Line<S>>> {
    // The map is whole between any two statements: a panic elsewhere doesn't spoil it.
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Copy + Eq + Hash, S: PartialEq> Waiters<K, S> {
    /// Joins the line. Joined before the state is looked at, no change is missed.
    pub fn join(&self, key: K) -> Waiter<K, S> {
        let mut lines = lock(&self.lines);
        if lines.is_empty() {
            self.came.notify_one();
        }
        let line = lines.entry(key).or_insert_with(|| Line { woken: watch::channel(()).0, seen: None });
        Waiter { lines: Arc::clone(&self.lines), key, woken: Some(line.woken.subscribe()) }
    }

    /// Tells everybody who waits for these to look.
    pub fn wake(&self, keys: impl IntoIterator<Item = K>) {
        let lines = lock(&self.lines);
        for key in keys {
            if let Some(line) = lines.get(&key) {
                line.woken.send_replace(());
            }
        }
    }

    /// Looks for all who wait, for good: `find` answers what things are now.
    pub async fn look<F>(&self, find: impl Fn(Vec<K>) -> F)
    where
        F: Future<Output = Result<Vec<(K, S)>, DbError>>,
    {
        loop {
            if lock(&self.lines).is_empty() {
                self.came.notified().await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let keys: Vec<K> = lock(&self.lines).keys().copied().collect();
            for bite in keys.chunks(BITE) {
                match find(bite.to_vec()).await {
                    Ok(found) => self.saw(found),
                    // They wait on, up to their own time.
                    Err(error) => tracing::warn!(%error, "what others wait for can't be looked at"),
                }
            }
        }
    }

    /// Wakes those whose thing isn't what it was. At the first look nobody knows what it was: they look once more than they need.
    fn saw(&self, found: Vec<(K, S)>) {
        let mut lines = lock(&self.lines);
        for (key, state) in found {
            if let Some(line) = lines.get_mut(&key)
                && line.seen.as_ref() != Some(&state)
            {
                line.seen = Some(state);
                line.woken.send_replace(());
            }
        }
    }
}

impl<K: Eq + Hash, S> Waiter<K, S> {
    /// Resolves when a change was announced since the place was taken, or since this resolved last.
    pub async fn woken(&mut self) {
        // The line is there for as long as anybody stands in it.
        if let Some(woken) = &mut self.woken {
            let _ = woken.changed().await;
        }
    }
}

impl<K: Eq + Hash, S> Drop for Waiter<K, S> {
    fn drop(&mut self) {
        let mut lines = lock(&self.lines);
        // Left under the lock: of two who leave at once, the second sees that nobody is left.
        drop(self.woken.take());
        if lines.get(&self.key).is_some_and(|line| line.woken.receiver_count() == 0) {
            lines.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_between_joining_and_waiting_is_not_missed_and_the_last_takes_the_line_along() {
        let waiters: Waiters<u8, u8> = Waiters::default();
        let (mut first, mut second) = (waiters.join(1), waiters.join(1));
        waiters.wake([1, 2]);
        first.woken().await;
        drop(first);
        waiters.saw(vec![(1, 7)]);
        second.woken().await;
        waiters.saw(vec![(1, 7)]);
        assert!(!second.woken.as_ref().unwrap().has_changed().unwrap(), "nothing changed");
        waiters.saw(vec![(1, 8), (2, 8)]);
        second.woken().await;
        drop(second);
        assert!(lock(&waiters.lines).is_empty());
    }
}
