//! For tests: a store of data keys in memory, with the races that a database has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use async_trait::async_trait;

use super::dek::{DekId, DekRow, DekStore, DekStoreError};
use crate::domain::ids::Tenant;

#[derive(Default)]
pub(crate) struct MemoryDeks {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<(Tenant, i32), DekRow>,
    messages: HashMap<DekId, i64>,
}

impl MemoryDeks {
    pub fn rows(&self) -> Vec<DekRow> {
        self.state.lock().unwrap().rows.values().cloned().collect()
    }

    pub fn messages(&self, id: DekId) -> i64 {
        self.state.lock().unwrap().messages.get(&id).copied().unwrap_or(0)
    }

    /// Puts `row` over the one of its tenant and epoch, as someone with access to the database may.
    pub fn overwrite(&self, row: DekRow) {
        self.state.lock().unwrap().rows.insert((row.tenant, row.epoch), row);
    }
}

#[async_trait]
impl DekStore for MemoryDeks {
    async fn primary(&self, tenant: Tenant) -> Result<Option<DekRow>, DekStoreError> {
        let found = self.state.lock().unwrap().rows.values().rev().find(|row| row.tenant == tenant).cloned();
        // What was read may be old by the time it is used.
        tokio::task::yield_now().await;
        Ok(found)
    }

    async fn insert_primary(&self, row: DekRow) -> Result<DekRow, DekStoreError> {
        tokio::task::yield_now().await;
        Ok(self.state.lock().unwrap().rows.entry((row.tenant, row.epoch)).or_insert(row).clone())
    }

    async fn get(&self, id: DekId) -> Result<Option<DekRow>, DekStoreError> {
        tokio::task::yield_now().await;
        Ok(self.state.lock().unwrap().rows.values().find(|row| row.id == id).cloned())
    }

    async fn count_messages(&self, id: DekId, reserved: i64) -> Result<i64, DekStoreError> {
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        let total = state.messages.entry(id).or_insert(0);
        *total += reserved;
        Ok(*total)
    }
}

/// A store that always fails.
pub(crate) struct BrokenDeks;

#[async_trait]
impl DekStore for BrokenDeks {
    async fn primary(&self, _: Tenant) -> Result<Option<DekRow>, DekStoreError> {
        Err(broken())
    }

    async fn insert_primary(&self, _: DekRow) -> Result<DekRow, DekStoreError> {
        Err(broken())
    }

    async fn get(&self, _: DekId) -> Result<Option<DekRow>, DekStoreError> {
        Err(broken())
    }

    async fn count_messages(&self, _: DekId, _: i64) -> Result<i64, DekStoreError> {
        Err(broken())
    }
}

fn broken() -> DekStoreError {
    DekStoreError("the database is away".into())
}
