//! The bank with its journal, for callers on many threads: whatever a call changed is on disk before anybody learns of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::api::{self, ApiRequest, Reply};
use super::bank::Bank;
use super::callback::DueCallback;
use super::journal::{Journal, JournalError};
use crate::clock::Clock;

/// The bank, its journal and its clock.
pub struct House {
    clock: Arc<dyn Clock>,
    /// `None`: nothing is kept beyond this process.
    inside: Mutex<(Bank, Option<Journal>)>,
    /// Told when callbacks may have been planned.
    planned: Notify,
    /// Told when the journal failed: nothing may be answered any more.
    failed: Notify,
}

impl House {
    pub fn new(clock: Arc<dyn Clock>, bank: Bank, journal: Option<Journal>) -> Self {
        Self { clock, inside: Mutex::new((bank, journal)), planned: Notify::new(), failed: Notify::new() }
    }

    /// One call of the API, with the callbacks that go out before its answer. On an error it must not be answered.
    pub fn handle(&self, request: &ApiRequest) -> Result<(Reply, Vec<DueCallback>), JournalError> {
        let now = self.clock.now();
        self.with(|bank| {
            let reply = api::handle(bank, request, now);
            let first = match &reply {
                // Taken under the same lock, or they could go out beside the answer.
                Reply::Answer { callbacks_first: true, .. } => bank.due_callbacks(now),
                _ => Vec::new(),
            };
            (reply, first)
        })
    }

    /// Does something with the bank, and has what it changed on disk when it answers.
    pub fn with<T>(&self, act: impl FnOnce(&mut Bank) -> T) -> Result<T, JournalError> {
        let mut inside = self.inside();
        let (bank, journal) = &mut *inside;
        let done = act(bank);
        let records = bank.take_records();
        let written = journal.as_mut().map_or(Ok(()), |journal| journal.append(&records));
        drop(inside);
        if let Err(error) = written {
            tracing::error!(%error, "the ledger can't be written: no more answers");
            self.failed.notify_one();
            return Err(error);
        }
        if !records.is_empty() {
            self.planned.notify_one();
        }
        Ok(done)
    }

    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub fn due_callbacks(&self) -> Vec<DueCallback> {
        let now = self.clock.now();
        self.inside().0.due_callbacks(now)
    }

    /// How long until the next callback is due; `None`: none is planned.
    pub fn next_callback_in(&self) -> Option<std::time::Duration> {
        let at = self.inside().0.next_callback_at()?;
        Some(at.signed_duration_since(self.clock.now()).to_std().unwrap_or_default())
    }

    /// Returns when callbacks may have been planned since the last time.
    pub async fn callbacks_planned(&self) {
        self.planned.notified().await;
    }

    /// Returns when the journal has failed.
    pub async fn failed(&self) {
        self.failed.notified().await;
    }

    fn inside(&self) -> MutexGuard<'_, (Bank, Option<Journal>)> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
