//! Data keys as they are stored: wrapped, one row a partner, mode and epoch. The table itself is `store`'s.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

use super::aead::KeyCheckValue;
use super::keys::{DekContext, WrappedDek};
use crate::domain::ids::Tenant;

/// Names a data key; stands in every ciphertext under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DekId(pub Uuid);

impl DekId {
    #[expect(clippy::new_without_default, reason = "an id is drawn, it has no default")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for DekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A data key as a row keeps it. The primary key of a tenant is the one with the highest epoch. A retired key's row has nothing wrapped.
#[derive(Clone, Debug)]
pub struct DekRow {
    pub id: DekId,
    pub tenant: Tenant,
    /// 1 for a tenant's first key, then counted up; unique per tenant.
    pub epoch: i32,
    pub wrapped: WrappedDek,
    /// Tells a wrong key before a card's tag does.
    pub check: KeyCheckValue,
}

impl DekRow {
    /// Whether the key was destroyed.
    pub fn is_retired(&self) -> bool {
        self.wrapped.bytes.is_empty()
    }

    /// What the wrapped key is bound to.
    pub fn context(&self) -> DekContext {
        DekContext { dek_id: self.id, tenant: self.tenant, epoch: self.epoch }
    }
}

/// The store of data keys failed; its own error is the source.
#[derive(Debug, thiserror::Error)]
#[error("data keys can't be read or written")]
pub struct DekStoreError(#[source] pub Box<dyn Error + Send + Sync>);

/// Where wrapped data keys are kept. `store` implements it on PostgreSQL; every answer is read from the primary server.
#[async_trait]
pub trait DekStore: Send + Sync + 'static {
    /// The tenant's row with the highest epoch.
    async fn primary(&self, tenant: Tenant) -> Result<Option<DekRow>, DekStoreError>;

    /// Adds `row`, unless its tenant already has a row of that epoch: answers the row that stands (of several callers at once, all are
    /// given the same).
    async fn insert_primary(&self, row: DekRow) -> Result<DekRow, DekStoreError>;

    async fn get(&self, id: DekId) -> Result<Option<DekRow>, DekStoreError>;

    /// Those of the keys that were destroyed.
    async fn retired(&self, ids: Vec<DekId>) -> Result<Vec<DekId>, DekStoreError>;

    /// Adds `reserved` to the messages that were sealed, or may be, under `id`: answers the total. Atomic; a reservation whose answer
    /// was lost is simply made again, since counting too many does no harm.
    async fn count_messages(&self, id: DekId, reserved: i64) -> Result<i64, DekStoreError>;
}
