//! Checks of provider accounts: whether their credentials are taken, tried now and then and when somebody asks. What is found is
//! shown and takes no route out: the breaker judges by payouts.

use chrono::{DateTime, TimeDelta, Utc};

use super::balance_syncs::{backoff, no_answer, told};
use super::{Gateway, GatewayError};
use crate::domain::ids::{ProviderAccountId, Tenant};
use crate::providers::provider::ProviderError;
use crate::store::account_health::{self, CheckedAccount};
use crate::store::jobs::{self, ClaimedJob, JobKind};
use crate::store::retry::transaction;

/// What is known of a provider account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nobody looked yet, or there is no way to look.
    Unknown,
    Healthy,
    /// The provider refuses our credentials, or can't be reached.
    Unhealthy,
}

impl Health {
    pub const fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub health: Health,
    /// Why it isn't healthy, as the provider or the adapter says it.
    pub detail: Option<String>,
    /// When the check began.
    pub checked_at: DateTime<Utc>,
}

/// A provider account to be checked, under its job's lease.
#[derive(Clone, Debug)]
pub struct CheckTask {
    pub account: CheckedAccount,
    job: ClaimedJob,
}

impl Gateway {
    /// Tries the credentials of one of the owner's provider accounts, and writes down what came of it.
    pub async fn check_account(&self, owner: Tenant, id: ProviderAccountId) -> Result<Checked, GatewayError> {
        let found = {
            let conn = self.db.get().await?;
            account_health::find(&conn, &[(owner, id)]).await?
        };
        let account = found.first().ok_or(GatewayError::NoProviderAccount(id))?;
        let checked = self.try_credentials(account).await?;
        transaction(&self.db, async |conn| {
            let Checked { health, detail, checked_at } = checked.clone();
            account_health::write(conn, owner, id, health.as_str(), detail, checked_at).await?;
            Ok::<_, GatewayError>(())
        })
        .await?;
        Ok(checked)
    }

    /// Takes due checks. A job whose account is gone ends, and an account that is switched off is looked at another time.
    pub async fn claim_checks(&self, batch_size: usize) -> Result<Vec<CheckTask>, GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let lease_until = now + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1));
            let claimed = jobs::claim(conn, JobKind::CheckAccount, now, lease_until, batch_size).await?;
            let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), ProviderAccountId(job.subject_id))).collect();
            let found = account_health::find(conn, &keys).await?;
            let (mut tasks, mut done) = (Vec::new(), Vec::new());
            for job in claimed {
                match found.iter().find(|account| account.id.0 == job.subject_id) {
                    Some(account) if account.enabled => tasks.push(CheckTask { account: account.clone(), job }),
                    Some(_) => {
                        jobs::repeat(conn, JobKind::CheckAccount, &job, now + self.check_interval(), None).await?;
                    }
                    None => done.push((job.tenant(), JobKind::CheckAccount, job.subject_id)),
                }
            }
            jobs::delete(conn, &done).await?;
            Ok(tasks)
        })
        .await
    }

    /// Does one check and makes its job due again: later each time while the account isn't healthy.
    pub async fn check(&self, task: &CheckTask) -> Result<Checked, GatewayError> {
        let account = &task.account;
        let owner = Tenant { partner_id: account.partner_id, mode: account.mode };
        let checked = self.try_credentials(account).await?;
        if checked.health == Health::Unhealthy {
            tracing::warn!(account = %account.id, code = account.code, detail = checked.detail.as_deref(), "a provider account is unhealthy");
        }
        transaction(&self.db, async |conn| {
            let Checked { health, detail, checked_at } = checked.clone();
            let is_failure = health == Health::Unhealthy;
            let pause = if is_failure { backoff(self.check_interval(), &task.job) } else { self.check_interval() };
            let error = detail.as_deref().filter(|_| is_failure);
            let run_at = self.clock.now() + pause;
            if jobs::repeat(conn, JobKind::CheckAccount, &task.job, run_at, error).await? {
                account_health::write(conn, owner, account.id, health.as_str(), detail, checked_at).await?;
            }
            Ok::<_, GatewayError>(())
        })
        .await?;
        Ok(checked)
    }

    /// Asks the provider. No transaction is open.
    async fn try_credentials(&self, account: &CheckedAccount) -> Result<Checked, GatewayError> {
        let called = self.called_account(account.id, &account.provider).await?;
        let checked_at = self.clock.now();
        let (provider, context) = match called {
            Ok(called) => called,
            Err(why) => return Ok(Checked { health: Health::Unhealthy, detail: Some(why), checked_at }),
        };
        let timeout = provider.capabilities().send_timeout;
        let (health, detail) = match tokio::time::timeout(timeout, provider.check_credentials(&context)).await {
            Ok(Ok(())) => (Health::Healthy, None),
            Ok(Err(ProviderError::NotSupported)) => (Health::Unknown, None),
            Ok(Err(error @ (ProviderError::Credentials(_) | ProviderError::Unavailable(_)))) => {
                (Health::Unhealthy, Some(told(&error)))
            }
            Err(_) => (Health::Unhealthy, Some(no_answer(timeout))),
        };
        Ok(Checked { health, detail, checked_at })
    }

    fn check_interval(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.settings.account_check_secs))
    }
}
