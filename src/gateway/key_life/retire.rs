//! The end of a data key. It is destroyed while nobody can write anything sealed under it: who seals holds a lock of the key until the value
//! is committed, and whoever judges the key has that lock alone.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::Gateway;
use super::super::access::audit::{self, Action, Author};
use super::{KeyLifeError, free_at, reach};
use crate::domain::ids::Tenant;
use crate::store::deks;
use crate::store::retry::transaction;
use crate::store::sealed::{self, KeyUse};
use crate::vault::DekId;

/// What became of a key that was to be destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retirement {
    Retired,
    /// Before.
    Already,
    /// Rows still name it: nothing was done.
    InUse(Vec<KeyUse>),
    /// No row names it, and the time of grace isn't over: whoever holds an old copy of a row may still want it.
    NotBefore(DateTime<Utc>),
}

impl Gateway {
    /// Destroys a data key that no row names, if its time of grace is over, which a compromised key hasn't. Its row stays, with the dates.
    pub async fn retire_key(&self, author: &Author, id: DekId) -> Result<Retirement, KeyLifeError> {
        reach("key retire").await?;
        let retirement = self.judge_key(author.tenant, id, Some(author)).await?;
        if retirement == Retirement::Retired {
            self.vault.forget_retired().await?;
        }
        Ok(retirement)
    }

    /// Notes that no row names the key, if that is so.
    pub(super) async fn note_drained(&self, tenant: Tenant, id: DekId) -> Result<bool, KeyLifeError> {
        Ok(!matches!(self.judge_key(tenant, id, None).await?, Retirement::InUse(_)))
    }

    /// Looks at a key while nobody can write under it; destroys it for `author` where it may be.
    async fn judge_key(&self, tenant: Tenant, id: DekId, author: Option<&Author>) -> Result<Retirement, KeyLifeError> {
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            deks::alone_with(conn, id).await?;
            let life = deks::lock(conn, id).await?.filter(|life| life.tenant() == tenant);
            let life = life.ok_or(KeyLifeError::NotFound)?;
            if life.retired_at.is_some() {
                return Ok(Retirement::Already);
            }
            if life.is_primary {
                return Err(KeyLifeError::IsPrimary(id));
            }
            let uses = sealed::count(conn, Some(&[id])).await?;
            if !uses.is_empty() {
                // Whoever seals anew goes on with it.
                deks::set_drained(conn, id, None).await?;
                return Ok(Retirement::InUse(uses));
            }
            let drained_at = life.drained_at.unwrap_or(now);
            if life.drained_at.is_none() {
                deks::set_drained(conn, id, Some(now)).await?;
            }
            let free_at = free_at(&self.keys, drained_at);
            let may_go = life.compromised_at.is_some() || free_at <= now;
            let Some(author) = author.filter(|_| may_go) else { return Ok(Retirement::NotBefore(free_at)) };
            deks::retire(conn, id, now).await?;
            let action = Action {
                action: "data_key.retire",
                object: id.to_string(),
                before: Some(
                    json!({"epoch": life.epoch, "drained_at": drained_at, "compromised_at": life.compromised_at}),
                ),
                after: Some(json!({"retired_at": now})),
                result: audit::DONE,
            };
            audit::record(conn, author, action, now).await?;
            Ok::<_, KeyLifeError>(Retirement::Retired)
        })
        .await
    }

    /// A key that somebody may know: a new epoch begins if it is the primary one, nothing is ever sealed under it again, what is is sealed
    /// anew at once and as fast as it goes, and then it is destroyed. Broken off, it is simply asked for again. `heard` is told of each
    /// step, with how many rows were sealed anew.
    pub async fn compromise_key(
        &self,
        author: &Author,
        epoch: i32,
        reason: &str,
        mut heard: impl FnMut(usize),
    ) -> Result<Retirement, KeyLifeError> {
        let keys = self.data_keys(Some(&[author.tenant])).await?;
        let key = keys.iter().find(|key| key.epoch == epoch).ok_or(KeyLifeError::NotFound)?;
        let id = DekId(key.id);
        if key.is_primary {
            match self.begin_epoch(author, epoch, "compromise").await {
                Ok(_) | Err(KeyLifeError::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            let life = deks::lock(conn, id).await?.ok_or(KeyLifeError::NotFound)?;
            if life.is_primary {
                return Err(KeyLifeError::IsPrimary(id));
            }
            if life.compromised_at.is_some() {
                return Ok(());
            }
            deks::set_compromised(conn, id, now).await?;
            let action = Action {
                action: "data_key.compromise",
                object: id.to_string(),
                before: Some(json!({"epoch": epoch})),
                after: Some(json!({"compromised_at": now, "reason": reason})),
                result: audit::DONE,
            };
            audit::record(conn, author, action, now).await?;
            Ok::<_, KeyLifeError>(())
        })
        .await?;
        reach("key compromised").await?;
        if key.retired_at.is_some() {
            return Ok(Retirement::Already);
        }
        self.reseal_now(&[(id, author.tenant)], None, &mut heard).await?;
        self.retire_key(author, id).await
    }
}
