//! The ring of data keys: which key seals now, which one opens a given value, and when a new epoch begins. Unwrapped keys stay in
//! memory until the ring is dropped, and are wiped then. Knows nothing of cards.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::aead::{AeadKey, KeyCheckValue};
use super::dek::{DekId, DekRow, DekStore};
use super::error::VaultError;
use super::keys::{DekContext, KeyError, KeyProvider, WrappedDek};
use crate::domain::ids::Tenant;

/// When keys change. Tests set smaller ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Messages under one key. With random 96-bit nonces NIST SP 800-38D (8.3) allows 2^32; 2^28 leaves a margin of 2^8 in the chance
    /// of a repeated nonce.
    pub messages_max: i64,
    /// Messages that a process reserves at once, so that the count isn't written at every seal. What it doesn't use is lost.
    pub reserved: i64,
    /// After this, a process asks again which key is primary: so long may another process's rotation go unnoticed.
    pub primary_age_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages_max: 1 << 28, reserved: 1 << 10, primary_age_max: Duration::from_secs(60) }
    }
}

/// A data key, ready for use.
#[derive(Debug)]
pub(super) struct Dek {
    pub id: DekId,
    pub tenant: Tenant,
    pub key: AeadKey,
}

/// The key that a tenant's values are sealed with, as this process knows it.
struct Primary {
    dek: Arc<Dek>,
    /// Messages reserved and not yet sealed.
    left: i64,
    read_at: Instant,
}

/// Locked per tenant while it is refilled: of many first seals, one makes the key and the others wait for it.
type Slot = Mutex<Option<Primary>>;

/// Held while a key is unwrapped: of many that want one key, one asks for it. What is left behind is when it failed, and how: those that
/// were waiting by then aren't made to wait for a failure of their own.
type Flight = Mutex<Option<(Instant, String)>>;

pub(super) struct KeyRing {
    provider: Arc<dyn KeyProvider>,
    store: Arc<dyn DekStore>,
    limits: Limits,
    deks: RwLock<HashMap<DekId, Arc<Dek>>>,
    primaries: RwLock<HashMap<Tenant, Arc<Slot>>>,
    flights: RwLock<HashMap<DekId, Arc<Flight>>>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("provider", &self.provider.code()).finish_non_exhaustive()
    }
}

impl KeyRing {
    pub fn new(provider: Arc<dyn KeyProvider>, store: Arc<dyn DekStore>, limits: Limits) -> Self {
        Self {
            provider,
            store,
            limits,
            deks: RwLock::default(),
            primaries: RwLock::default(),
            flights: RwLock::default(),
        }
    }

    /// The key to seal one message of `tenant` with; the message is counted.
    pub async fn for_seal(&self, tenant: Tenant) -> Result<Arc<Dek>, VaultError> {
        let slot = self.slot(tenant);
        let mut slot = slot.lock().await;
        let usable = slot.as_ref().is_some_and(|p| p.left > 0 && p.read_at.elapsed() < self.limits.primary_age_max);
        if !usable {
            *slot = Some(self.refill(tenant, slot.as_ref()).await?);
        }
        let primary = slot.as_mut().ok_or(VaultError::NoPrimary)?;
        primary.left -= 1;
        Ok(Arc::clone(&primary.dek))
    }

    /// The key that `id` names, for a value of `tenant`.
    pub async fn for_open(&self, tenant: Tenant, id: DekId) -> Result<Arc<Dek>, VaultError> {
        let dek = match self.known(id) {
            Some(dek) => dek,
            None => {
                let row = self.store.get(id).await?.ok_or(VaultError::UnknownDek(id))?;
                // Before anything is unwrapped: another tenant's key is not even asked for.
                owned(tenant, &row)?;
                if row.is_retired() {
                    return Err(VaultError::RetiredDek(id));
                }
                self.dek(&row).await?
            }
        };
        if dek.tenant == tenant { Ok(dek) } else { Err(VaultError::ForeignDek(id)) }
    }

    /// Begins a new epoch for `tenant` and makes its key primary here; other processes follow within a minute.
    pub async fn rotate(&self, tenant: Tenant) -> Result<DekId, VaultError> {
        let slot = self.slot(tenant);
        let mut slot = slot.lock().await;
        let epoch = self.store.primary(tenant).await?.map_or(0, |row| row.epoch);
        let row = self.next_epoch(tenant, epoch).await?;
        // The next seal reads the new primary.
        *slot = None;
        Ok(row.id)
    }

    /// A key for the epoch after `epoch`, which nothing keeps yet: whoever writes its row down makes it primary.
    pub async fn make_epoch(&self, tenant: Tenant, epoch: i32) -> Result<DekRow, VaultError> {
        let context =
            DekContext { dek_id: DekId::new(), tenant, epoch: epoch.checked_add(1).ok_or(VaultError::NoPrimary)? };
        let made = self.provider.generate_dek(&context).await?;
        let row = DekRow {
            id: context.dek_id,
            tenant,
            epoch: context.epoch,
            wrapped: made.wrapped,
            check: KeyCheckValue::of(&made.key),
        };
        // Unwrapped once before it is kept: a key that doesn't come back would take cards with it.
        self.unwrap(&row).await?;
        Ok(row)
    }

    /// The tenant's primary key is asked for again before anything else is sealed: the one known here seals no more, or is about to.
    pub async fn forget_primary(&self, tenant: Tenant) {
        let slot = self.slot(tenant);
        *slot.lock().await = None;
    }

    /// The same where one of `old` is taken for primary here.
    pub async fn forget_primary_among(&self, tenant: Tenant, old: &[DekId]) {
        let slot = self.slot(tenant);
        let mut slot = slot.lock().await;
        if slot.as_ref().is_some_and(|primary| old.contains(&primary.dek.id)) {
            *slot = None;
        }
    }

    /// Wipes keys that were destroyed where they are kept. Answers how many this process had.
    pub async fn forget_retired(&self) -> Result<usize, VaultError> {
        let known: Vec<DekId> = self.deks.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        if known.is_empty() {
            return Ok(0);
        }
        let retired = self.store.retired(known).await?;
        for id in &retired {
            let dek = self.deks.write().unwrap_or_else(PoisonError::into_inner).remove(id);
            let Some(tenant) = dek.map(|dek| dek.tenant) else { continue };
            let slot = self.slot(tenant);
            let mut slot = slot.lock().await;
            if slot.as_ref().is_some_and(|primary| primary.dek.id == *id) {
                *slot = None;
            }
        }
        Ok(retired.len())
    }

    /// The row's key under the provider's current key-encryption key; `None` if it is already.
    pub async fn rewrap(&self, row: &DekRow) -> Result<Option<WrappedDek>, VaultError> {
        if row.is_retired() || row.wrapped.kek_id == self.provider.kek_id().await? {
            return Ok(None);
        }
        let wrapped = self.provider.rewrap(&row.wrapped, &row.context()).await?;
        // Read back before anyone replaces what still works.
        self.unwrap(&DekRow { wrapped: wrapped.clone(), ..row.clone() }).await?;
        Ok(Some(wrapped))
    }

    fn slot(&self, tenant: Tenant) -> Arc<Slot> {
        if let Some(slot) = self.primaries.read().unwrap_or_else(PoisonError::into_inner).get(&tenant) {
            return Arc::clone(slot);
        }
        Arc::clone(self.primaries.write().unwrap_or_else(PoisonError::into_inner).entry(tenant).or_default())
    }

    /// Reads which key is primary and reserves messages under it; makes the next one where there is none or it is used up.
    async fn refill(&self, tenant: Tenant, had: Option<&Primary>) -> Result<Primary, VaultError> {
        let read_at = Instant::now();
        let mut row = match self.store.primary(tenant).await? {
            Some(row) => row,
            None => self.next_epoch(tenant, 0).await?,
        };
        if let Some(had) = had
            && had.left > 0
            && had.dek.id == row.id
        {
            return Ok(Primary { dek: Arc::clone(&had.dek), left: had.left, read_at });
        }
        // A key that other processes used up meanwhile is followed by the next; each turn is a new epoch.
        for _ in 0..3 {
            let dek = self.dek(&row).await?;
            if dek.tenant != tenant {
                return Err(VaultError::ForeignDek(row.id));
            }
            if self.store.count_messages(row.id, self.limits.reserved).await? <= self.limits.messages_max {
                return Ok(Primary { dek, left: self.limits.reserved, read_at });
            }
            row = self.next_epoch(tenant, row.epoch).await?;
        }
        Err(VaultError::NoPrimary)
    }

    /// The row of the epoch after `epoch`: ours, or that of whoever was first.
    async fn next_epoch(&self, tenant: Tenant, epoch: i32) -> Result<DekRow, VaultError> {
        let row = self.make_epoch(tenant, epoch).await?;
        let row = self.store.insert_primary(row).await?;
        owned(tenant, &row)?;
        Ok(row)
    }

    async fn dek(&self, row: &DekRow) -> Result<Arc<Dek>, VaultError> {
        if let Some(dek) = self.known(row.id) {
            return Ok(dek);
        }
        let came_at = Instant::now();
        let flight = self.flight(row.id);
        let mut failed = flight.lock().await;
        if let Some(dek) = self.known(row.id) {
            return Ok(dek);
        }
        if let Some((failed_at, why)) = failed.as_ref()
            && *failed_at >= came_at
        {
            return Err(KeyError::Unavailable(why.clone()).into());
        }
        let key = self.unwrap(row).await.inspect_err(|error| {
            if let VaultError::Keys(KeyError::Unavailable(why)) = error {
                *failed = Some((Instant::now(), why.clone()));
            }
        })?;
        let dek = Arc::new(Dek { id: row.id, tenant: row.tenant, key });
        self.deks.write().unwrap_or_else(PoisonError::into_inner).insert(row.id, Arc::clone(&dek));
        // Whoever still waits finds the key.
        self.flights.write().unwrap_or_else(PoisonError::into_inner).remove(&row.id);
        Ok(dek)
    }

    fn known(&self, id: DekId) -> Option<Arc<Dek>> {
        self.deks.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn flight(&self, id: DekId) -> Arc<Flight> {
        Arc::clone(self.flights.write().unwrap_or_else(PoisonError::into_inner).entry(id).or_default())
    }

    async fn unwrap(&self, row: &DekRow) -> Result<AeadKey, VaultError> {
        let key = AeadKey::new(&self.provider.unwrap(&row.wrapped, &row.context()).await?);
        if key.check == row.check { Ok(key) } else { Err(VaultError::WrongKey(row.id)) }
    }
}

fn owned(tenant: Tenant, row: &DekRow) -> Result<(), VaultError> {
    if row.tenant == tenant { Ok(()) } else { Err(VaultError::ForeignDek(row.id)) }
}

#[cfg(test)]
mod tests;
