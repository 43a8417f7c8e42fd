//! For tests: a store of data keys in memory, with the races that a database has, and a key provider that can be switched off.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::dek::{DekId, DekRow, DekStore, DekStoreError};
use super::keys::{DekContext, FileKeys, GeneratedDek, KeyError, KeyProvider, MacKey, MacPurpose, WrappedDek};
use super::secret::SecretKey32;
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

    async fn retired(&self, ids: Vec<DekId>) -> Result<Vec<DekId>, DekStoreError> {
        let rows = self.rows();
        Ok(rows.iter().filter(|row| row.is_retired() && ids.contains(&row.id)).map(|row| row.id).collect())
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

    async fn retired(&self, _: Vec<DekId>) -> Result<Vec<DekId>, DekStoreError> {
        Err(broken())
    }

    async fn count_messages(&self, _: DekId, _: i64) -> Result<i64, DekStoreError> {
        Err(broken())
    }
}

fn broken() -> DekStoreError {
    DekStoreError("the database is away".into())
}

/// Keys of a file, behind a service that can be down.
#[derive(Debug)]
pub(crate) struct Switched {
    keys: FileKeys,
    is_down: AtomicBool,
    asked: AtomicUsize,
}

impl Switched {
    pub fn over(path: &Path) -> Arc<Self> {
        let keys = FileKeys::open_or_generate(path).unwrap();
        Arc::new(Self { keys, is_down: AtomicBool::new(false), asked: AtomicUsize::new(0) })
    }

    pub fn fail(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    /// How often it was asked for anything.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn up(&self) -> Result<&FileKeys, KeyError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // As long as a call takes.
        tokio::time::sleep(Duration::from_millis(20)).await;
        match self.is_down.load(Ordering::SeqCst) {
            true => Err(KeyError::Unavailable("switched off".to_owned())),
            false => Ok(&self.keys),
        }
    }
}

#[async_trait]
impl KeyProvider for Switched {
    fn code(&self) -> &'static str {
        "switched"
    }

    fn is_development(&self) -> bool {
        true
    }

    async fn kek_id(&self) -> Result<String, KeyError> {
        self.up().await?.kek_id().await
    }

    async fn generate_dek(&self, context: &DekContext) -> Result<GeneratedDek, KeyError> {
        self.up().await?.generate_dek(context).await
    }

    async fn unwrap(&self, wrapped: &WrappedDek, context: &DekContext) -> Result<SecretKey32, KeyError> {
        self.up().await?.unwrap(wrapped, context).await
    }

    async fn rewrap(&self, wrapped: &WrappedDek, context: &DekContext) -> Result<WrappedDek, KeyError> {
        self.up().await?.rewrap(wrapped, context).await
    }

    async fn mac_key(&self, purpose: MacPurpose) -> Result<MacKey, KeyError> {
        self.up().await?.mac_key(purpose).await
    }

    async fn health(&self) -> Result<(), KeyError> {
        self.up().await?.health().await
    }
}
