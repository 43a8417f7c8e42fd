//! The life of data keys: new epochs, what is sealed under old ones sealed anew in the background, the end of a key that nothing names any
//! more, and what is done when one may be known to somebody.
//!
//! What holds at any time, whatever dies in the middle and however many processes and versions of the program run:
//! - A value is written over only by the same value sealed anew, compared with what was read under the row's lock ([`reseal`]).
//! - A key is destroyed only while nobody can write under it and no row names it ([`retire`]). The database itself refuses what is sealed
//!   under a compromised or retired key, and notes a late write under one that was taken for drained: a process whose ring doesn't know
//!   better is told there.
//! - Whoever holds an old copy of a row may still open it until the time of grace after the last one is over.

pub mod reseal;
pub mod retire;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::access::audit::{self, Action, Author, Gate};
use super::{Gateway, GatewayError};
use crate::config::vault::VaultSettings;
use crate::domain::ids::Tenant;
use crate::store::deks::{self, DekRecord};
use crate::store::error::DbError;
use crate::store::partners;
use crate::store::retry::{TransactionError, transaction};
use crate::store::sealed::{self, KeyUse, Pass};
use crate::torture::{self, Injected, Place};
use crate::vault::keys::KeyError;
use crate::vault::{DekId, VaultError};

/// How keys live, by configuration.
#[derive(Clone, Copy, Debug)]
pub struct KeyPolicy {
    /// Rows that all processes together seal anew in a second.
    pub reseal_per_sec: u32,
    /// How long nothing must have been sealed under a key before it may be destroyed.
    pub retire_grace: TimeDelta,
    /// After this a tenant's primary key is followed by the next; `None`: never for its age.
    pub age_max: Option<TimeDelta>,
}

impl KeyPolicy {
    pub fn of(settings: &VaultSettings) -> Self {
        let days = i64::from(settings.dek_max_age_days);
        Self {
            reseal_per_sec: settings.reseal_per_sec.max(1),
            retire_grace: TimeDelta::seconds(i64::from(settings.retire_grace_secs)),
            age_max: (days > 0).then(|| TimeDelta::days(days)),
        }
    }
}

/// Why something can't be done with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyLifeError {
    #[error("there is no such data key")]
    NotFound,
    #[error("data key {0} is its partner's primary key: begin a new epoch first (`landfall keys rotate`)")]
    IsPrimary(DekId),
    /// The primary key isn't the one that the caller saw.
    #[error("the primary key has changed meanwhile: look again (`landfall keys status`)")]
    Changed,
    #[error("values under data key {key} could not be sealed anew: {}", told(uses))]
    Stuck { key: DekId, uses: Vec<KeyUse> },
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl From<diesel::result::Error> for KeyLifeError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}

impl From<KeyError> for KeyLifeError {
    fn from(error: KeyError) -> Self {
        Self::Vault(error.into())
    }
}

impl TransactionError for KeyLifeError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            Self::NotFound
            | Self::IsPrimary(_)
            | Self::Changed
            | Self::Stuck { .. }
            | Self::Vault(_)
            | Self::Injected(_) => None,
        }
    }
}

impl From<KeyLifeError> for GatewayError {
    fn from(error: KeyLifeError) -> Self {
        match error {
            KeyLifeError::Db(error) => Self::Db(error),
            error => Self::Keys(Box::new(error)),
        }
    }
}

/// Counts by table and column, as people read them.
pub fn told(uses: &[KeyUse]) -> String {
    let texts: Vec<String> =
        uses.iter().map(|one| format!("{} in {}.{}", one.count, one.table.name(), one.column)).collect();
    texts.join(", ")
}

/// What can be told of a data key.
#[derive(Clone, Debug)]
pub struct KeyStatus {
    pub key: DekRecord,
    /// The partner's code.
    pub partner: String,
    /// Values that name it, by table and column.
    pub uses: Vec<KeyUse>,
}

impl KeyStatus {
    pub fn id(&self) -> DekId {
        DekId(self.key.id)
    }

    /// `primary`, `draining` (rows may name it), `drained` (none does), `compromised` (to be drained), `retired` (destroyed).
    pub fn state(&self) -> &'static str {
        state(&self.key)
    }
}

/// The same of a row alone.
pub(super) fn state(key: &DekRecord) -> &'static str {
    if key.retired_at.is_some() {
        "retired"
    } else if key.compromised_at.is_some() {
        "compromised"
    } else if key.is_primary {
        "primary"
    } else if key.drained_at.is_some() {
        "drained"
    } else {
        "draining"
    }
}

/// What a rewrap did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    pub rewrapped: usize,
    /// Under the current key-encryption key already.
    pub current: usize,
    /// Changed by somebody else meanwhile: ask again.
    pub changed: usize,
}

async fn reach(step: &'static str) -> Result<(), Injected> {
    torture::reach(Place::Call(step)).await
}

impl Gateway {
    /// Every data key of these tenants (all of them without any), with what is sealed under it; and the pass that is under way.
    pub async fn key_status(&self, tenants: Option<&[Tenant]>) -> Result<(Vec<KeyStatus>, Pass), KeyLifeError> {
        transaction(&self.db, async |conn| {
            let partners = partners::all(conn).await?;
            let mut uses = sealed::count(conn, None).await?;
            let pass = sealed::find_pass(conn).await?;
            let keys = deks::all(conn).await?.into_iter().filter(|key| is_among(tenants, key.tenant()));
            let status = keys
                .map(|key| {
                    let partner = partners.iter().find(|partner| partner.id == key.partner_id);
                    let partner = partner.map_or_else(|| key.partner_id.0.to_string(), |partner| partner.code.clone());
                    let uses = uses.extract_if(.., |one| one.key.0 == key.id).collect();
                    KeyStatus { key, partner, uses }
                })
                .collect();
            Ok((status, pass))
        })
        .await
    }

    /// Every data key, without counting what is sealed.
    pub async fn data_keys(&self, tenants: Option<&[Tenant]>) -> Result<Vec<DekRecord>, KeyLifeError> {
        let conn = self.db.get().await?;
        Ok(deks::all(&conn).await?.into_iter().filter(|key| is_among(tenants, key.tenant())).collect())
    }

    /// Begins the epoch after `epoch`, which has to be the primary one: repeated, or asked for by two at once, it makes one new key. What
    /// is sealed under the old ones is sealed anew in the background.
    pub async fn begin_epoch(&self, author: &Author, epoch: i32, why: &str) -> Result<DekId, KeyLifeError> {
        let tenant = author.tenant;
        let row = self.vault.make_epoch(tenant, epoch).await?;
        reach("key made").await?;
        let now = self.clock.now();
        let is_new = transaction(&self.db, async |conn| {
            let is_new = deks::insert(conn, &row, now).await?;
            if is_new {
                let action = Action {
                    action: "data_key.rotate",
                    object: row.id.to_string(),
                    before: Some(json!({"epoch": epoch})),
                    after: Some(json!({"epoch": row.epoch, "kek_id": row.wrapped.kek_id, "reason": why})),
                    result: audit::DONE,
                };
                audit::record(conn, author, action, now).await?;
            }
            Ok::<_, KeyLifeError>(is_new)
        })
        .await?;
        self.vault.forget_primary(tenant).await;
        if is_new { Ok(row.id) } else { Err(KeyLifeError::Changed) }
    }

    /// Begins a new epoch wherever the primary key is older than configuration allows. Answers how many.
    pub async fn rotate_aged(&self) -> Result<usize, KeyLifeError> {
        let Some(age_max) = self.keys.age_max else { return Ok(0) };
        let before = self.clock.now() - age_max;
        let mut begun = 0;
        for key in self.data_keys(None).await?.iter().filter(|key| key.is_primary && key.created_at <= before) {
            let author = Author { tenant: key.tenant(), actor: "worker".to_owned(), origin: None, gate: Gate::Open };
            match self.begin_epoch(&author, key.epoch, "age").await {
                Ok(_) => begun += 1,
                // Another process was faster.
                Err(KeyLifeError::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(begun)
    }

    /// Wraps every data key of these tenants (all of them without any) that isn't destroyed under the provider's current key-encryption
    /// key. Each is written by itself and only over what was read: broken off, it is simply begun again. `heard` is told of each key.
    pub async fn rewrap_keys(
        &self,
        actor: &str,
        tenants: Option<&[Tenant]>,
        mut heard: impl FnMut(&DekRecord, usize, usize),
    ) -> Result<Rewrapped, KeyLifeError> {
        let keys = self.data_keys(tenants).await?;
        let living: Vec<&DekRecord> = keys.iter().filter(|key| key.retired_at.is_none()).collect();
        let mut outcome = Rewrapped::default();
        for (n, key) in living.iter().enumerate() {
            let row = key.to_dek().map_err(VaultError::from)?;
            let Some(wrapped) = self.vault.rewrap(&row).await? else {
                outcome.current += 1;
                continue;
            };
            reach("key rewrapped").await?;
            let author = Author { actor: actor.to_owned(), ..Author::command(key.tenant()) };
            let now = self.clock.now();
            let is_written = transaction(&self.db, async |conn| {
                if !deks::rewrap(conn, row.id, &row.wrapped, wrapped.clone()).await? {
                    return Ok(false);
                }
                let action = Action {
                    action: "data_key.rewrap",
                    object: row.id.to_string(),
                    before: Some(json!({"kek_id": row.wrapped.kek_id})),
                    after: Some(json!({"kek_id": wrapped.kek_id})),
                    result: audit::DONE,
                };
                audit::record(conn, &author, action, now).await?;
                Ok::<_, KeyLifeError>(true)
            })
            .await?;
            if is_written {
                outcome.rewrapped += 1;
            } else {
                outcome.changed += 1;
            }
            heard(key, n + 1, living.len());
        }
        Ok(outcome)
    }
}

fn is_among(tenants: Option<&[Tenant]>, tenant: Tenant) -> bool {
    tenants.is_none_or(|tenants| tenants.contains(&tenant))
}

/// When a key may be destroyed that is drained since then.
fn free_at(policy: &KeyPolicy, drained_at: DateTime<Utc>) -> DateTime<Utc> {
    drained_at + policy.retire_grace
}
