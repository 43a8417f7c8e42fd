//! A slice of a list that is ordered by time of creation and id: keyset pagination, by an index that begins with the tenant.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::ids::Tenant;

/// Which rows of a list are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub newest_first: bool,
    /// What stands before the first row wanted, in the list's order: [`Slice::start`] at the list's beginning.
    pub after: (DateTime<Utc>, Uuid),
    /// The most rows.
    pub limit: i64,
}

impl Slice {
    /// Whether a row with that key lies in it, its limit apart.
    pub fn has(&self, key: (DateTime<Utc>, Uuid)) -> bool {
        if self.newest_first { key < self.after } else { key > self.after }
    }

    /// The part of `rows`, which are few, that lies in it, in its order.
    pub fn of<R>(self, mut rows: Vec<R>, key: impl Fn(&R) -> (DateTime<Utc>, Uuid)) -> Vec<R> {
        rows.retain(|row| self.has(key(row)));
        rows.sort_by_key(&key);
        if self.newest_first {
            rows.reverse();
        }
        rows.truncate(usize::try_from(self.limit).unwrap_or(0));
        rows
    }

    /// Before all rows.
    pub fn start(newest_first: bool) -> (DateTime<Utc>, Uuid) {
        // Years 9999 and 1: PostgreSQL takes both.
        let secs = if newest_first { 253_370_764_800 } else { -62_135_596_800 };
        let id = if newest_first { Uuid::max() } else { Uuid::nil() };
        (DateTime::from_timestamp(secs, 0).unwrap_or_default(), id)
    }
}

/// A tenant as the indexes of lists have it: `(partner_id::text || mode)`.
pub(super) fn of_tenant(tenant: Tenant) -> String {
    format!("{}{}", tenant.partner_id.0, tenant.mode)
}
